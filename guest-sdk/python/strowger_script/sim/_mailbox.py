"""Simulated boxes: those that a test names, and an empty one without a PIN under any other name."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ._wit import Err, types

if TYPE_CHECKING:
    from ._plan import Caller

WRONG_PIN = 403


@dataclass
class Kept:
    """A message in a box."""

    id: str
    number: str = ""
    name: str | None = None
    at: float = 0.0
    length: float = 10.0
    heard: bool = False


@dataclass
class Box:
    """A box and what is in it. Without a PIN it can't be unlocked; its owners need none."""

    pin: str | None = None
    owners: list[str] = field(default_factory=list)
    messages: list[Kept] = field(default_factory=list)
    greeting: str | None = None
    longest: float = 120.0
    silence: float = 4.0
    shortest: float = 1.0
    full: bool = False


def boxes_of(plan: Caller) -> dict[str, Box]:
    """The boxes that a test has written down."""
    messages = {name: [Kept(**kept) for kept in rules.get("messages", [])] for name, rules in plan.mailboxes.items()}
    return {name: Box(**rules | {"messages": messages[name]}) for name, rules in plan.mailboxes.items()}


def _answers(**values: Any) -> Any:
    return SimpleNamespace(**{name: (lambda value: lambda: value)(value) for name, value in values.items()})


class Mailboxes:
    """The interface, as a part of the world."""

    plan: Caller
    boxes: dict[str, Box]

    def note(self, line: str) -> None:
        """A line of the timeline."""
        raise NotImplementedError

    def _box(self, name: str) -> Box:
        return self.boxes.setdefault(name, Box())

    def _message(self, inbox: str, id: str) -> Kept:
        found = next((message for message in self._box(inbox).messages if message.id == id), None)
        if found is None:
            raise Err(types.Failure_NotFound(id))
        return found

    def mailbox_find(self, name_or_number: str) -> Any:
        """A user's box has the user's name, whether the user is named by it or by the extension."""
        users = self.plan.users
        user = next((user for user in users if name_or_number in (user.name, user.extension or None)), None)
        name = user.name if user else name_or_number
        box = self._box(name)
        heard = sum(message.heard for message in box.messages)
        return _answers(
            name=name,
            greeting=box.greeting,
            longest=int(box.longest * 1000),
            silence=int(box.silence * 1000),
            shortest=int(box.shortest * 1000),
            unheard=len(box.messages) - heard,
            heard=heard,
            full=box.full,
            owners=[*box.owners, name] if user and name not in box.owners else box.owners,
        )

    def mailbox_unlock(self, inbox: str, pin: str) -> None:
        if self._box(inbox).pin != pin:
            raise Err(types.Failure_Refused(WRONG_PIN))

    def mailbox_messages(self, inbox: str) -> list[Any]:
        return [
            _answers(**vars(message) | {"length": int(message.length * 1000)})
            for message in sorted(self._box(inbox).messages, key=lambda message: (message.heard, message.at))
        ]

    def mailbox_keep(self, inbox: str, id: str) -> None:
        self._message(inbox, id).heard = True
        self.note(f"{id} is kept")

    def mailbox_delete(self, inbox: str, id: str) -> None:
        self._box(inbox).messages.remove(self._message(inbox, id))
        self.note(f"{id} is deleted")

    def mailbox_greet(self, inbox: str, recording: str | None) -> None:
        self._box(inbox).greeting = recording
        self.note(f"{inbox} greets with {recording or 'nothing of its own'}")
