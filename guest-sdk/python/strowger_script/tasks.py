"""Scripts that hear of each change of a call back: somebody whom nobody answered.

A script of this kind is named in `[tenant.missed]`. It runs off the way of calls, with a small budget; changes of one call
back come to it one by one, in their order, each once, or once more when the exchange stopped in the middle: what must not
happen twice is to be remembered by `change.id`. What the script itself changes it is not told. Moments are seconds since
1970 UTC.

    from strowger_script import directory, notify
    from strowger_script.tasks import Change

    def on_change(change: Change, settings):
        task = change.task
        if change.what == "late":
            notify.send(settings["manager"], f"Nobody has called {task.number} back")
            for user in directory.group(settings["group"]):
                if user.name != task.responsible:
                    return task.assign(user.name)
"""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from . import _exchange as exchange
from ._script import leaves_as_failure
from ._words import verb, word_of

__all__ = ["Change", "Task"]


def _word(value: Any) -> str:
    """A variant of wit/, by its word."""
    word = word_of(type(value))
    return value.value if word == "other" else word


class Task:
    """A task, as it was right after the change. Its verbs change the task as it is now; they raise `NotFound` when it is
    over by then."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        #: Names it, also to `crm.close_task`.
        self.id: str = handle.id()
        #: "open", "reached-us-again", "called-back-in-time", "called-back-late", "given-up" or "done".
        self.state: str = _word(handle.state())
        #: The caller's.
        self.number: str = handle.number()
        #: The caller's; empty where none is known.
        self.name: str = handle.name()
        #: The contact's id in the CRM.
        self.contact: str | None = handle.contact()
        #: What is to be done, in words.
        self.title: str = handle.title()
        #: The user who is to do it.
        self.responsible: str | None = handle.responsible()
        #: By when.
        self.due: float | None = handle.due()
        #: Whether the deadline is over, or was when it was done.
        self.late: bool = handle.late()
        #: Since when.
        self.opened: float = handle.opened()
        #: When it was over.
        self.closed: float | None = handle.closed()
        #: Who ended it: a user, or whoever asked for it.
        self.closed_by: str | None = handle.closed_by()
        #: The number that the caller dialled last.
        self.dialled: str = handle.dialled()
        #: The queue that the caller was in last.
        self.queue: str | None = handle.queue()
        #: How often the caller called in vain.
        self.missed: int = handle.missed()
        #: When the caller called last.
        self.last: float = handle.last()
        #: The calls that it is about, at most the last 20.
        self.calls: list[str] = handle.calls()
        #: Recordings of those, by name.
        self.recordings: list[str] = handle.recordings()
        #: What was written down, at most the last 20.
        self.notes: list[str] = handle.notes()

    def assign(self, user: str) -> None:
        """This user, by name or extension, is to do it; `NotFound` where there is none."""
        verb(self._handle.assign, user)

    def put_off(self, until: float) -> None:
        """It is to be done by then, and late again when that is over."""
        verb(self._handle.put_off, until)

    def note(self, text: str) -> None:
        """Writes something down for whoever looks at it: 1 to 512 bytes."""
        verb(self._handle.note, text)

    def finish(self) -> None:
        """It is done."""
        verb(self._handle.finish)

    def give_up(self) -> None:
        """Nobody will try any more."""
        verb(self._handle.give_up)


@dataclass(frozen=True)
class Change:
    """A change of a task."""

    #: Names it. A change that is told once more has the same.
    id: str
    #: When it happened.
    at: float
    #: "opened", "missed-again", "late", "assigned", "put-off", "noted", or the state of a task that is over.
    what: str
    task: Task


def run_change(module: ModuleType | Any, what: Any) -> None:
    """Runs a script's `on_change(change)`, or `on_change(change, settings)`."""
    change = Change(what.id(), what.at(), _word(what.what()), Task(what.task()))
    if len(inspect.signature(module.on_change).parameters) > 1:
        module.on_change(change, json.loads(exchange.settings.get()))
    else:
        module.on_change(change)


def world(module: ModuleType) -> type:
    """The world of task scripts over a module with `on_change`."""
    if not callable(getattr(module, "on_change", None)):
        raise TypeError(f"{module.__name__}.py has no on_change(change, settings)")

    class WitWorld:
        def on_change(self, what: Any) -> None:
            leaves_as_failure(run_change, module, what)

    return WitWorld
