"""What people outside are told, and the boxes that keep what callers said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import _exchange as exchange
from ._words import verb


class notify:
    """People and programs outside: what they are told is written down when this returns, and delivered for certain."""

    @staticmethod
    def send(to: str, text: str, facts: dict[str, Any] | None = None) -> str:
        """Tells a recipient of the tenant's configuration by name. The text's first line is the subject, at most 4 KiB in
        all; `facts` stand beside those of the call, at most 32 of 1 KiB. Answers a receipt: the letter's name in the
        outbox."""
        return verb(exchange.notify.send, to, text, [(name, str(value)) for name, value in (facts or {}).items()])

    @staticmethod
    def tell(text: str, facts: dict[str, Any] | None = None) -> str:
        """Tells everyone who ticked "script"; the receipt is empty when nobody did."""
        return notify.send("", text, facts)


@dataclass(frozen=True)
class Message:
    """A message in a box. `id` is a prompt too: `caller.play(message.id)`. `number` is empty when withheld; `at` is
    seconds since 1970 UTC."""

    id: str
    number: str
    name: str | None
    at: float
    length: float
    heard: bool


@dataclass(frozen=True)
class Mailbox:
    """A box, as it was when looked up. Lengths are seconds."""

    name: str
    #: The prompt that greets its callers, where somebody recorded one.
    greeting: str | None
    #: The longest message that it takes; so much quiet ends one, and what is shorter than `shortest` is none.
    longest: float
    silence: float
    shortest: float
    unheard: int
    heard: int
    #: It takes no further message.
    full: bool
    #: Users who need no PIN on their own telephones.
    owners: list[str]

    def unlock(self, pin: str) -> None:
        """Raises `Refused` for a wrong PIN, and `Limit` with "pin" for any after too many."""
        verb(exchange.mailbox.unlock, self.name, pin)

    def messages(self) -> list[Message]:
        """Those that nobody has heard first, then the others; of each the oldest first."""
        return [_message(handle) for handle in verb(exchange.mailbox.messages, self.name)]

    def keep(self, message: Message) -> None:
        """The message was heard, and stays; `NotFound` when it is gone."""
        verb(exchange.mailbox.keep, self.name, message.id)

    def delete(self, message: Message) -> None:
        """The message goes, and its recording with it."""
        verb(exchange.mailbox.delete, self.name, message.id)

    def greet_with(self, recording: str | None) -> None:
        """Greets with this recording of the call from now on; with None as if nobody had recorded one."""
        verb(exchange.mailbox.greet, self.name, recording)


def _message(handle: Any) -> Message:
    length = handle.length() / 1000
    return Message(handle.id(), handle.number(), handle.name(), handle.at(), length, handle.heard())


class mailbox:
    """What callers leave after `tag("box", name)` goes to that box by itself, also when they hang up while speaking."""

    @staticmethod
    def find(name_or_number: str) -> Mailbox | None:
        """A box by its name, or a user's by the user's name or extension."""
        box = exchange.mailbox.find(name_or_number)
        if box is None:
            return None
        return Mailbox(
            box.name(),
            box.greeting(),
            box.longest() / 1000,
            box.silence() / 1000,
            box.shortest() / 1000,
            box.unheard(),
            box.heard(),
            box.full(),
            list(box.owners()),
        )
