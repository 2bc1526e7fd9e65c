"""A call back of which a script is told: what a test says of it, and what the script's verbs do to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from . import _wit
from ._plan import Caller, Telephone, User
from ._wit import Err, types
from ._world import World

NOTE = 512
ENDS = ("reached-us-again", "called-back-in-time", "called-back-late", "given-up", "done")


@dataclass
class TaskRow:
    """A task in the world: what the verbs change."""

    number: str
    name: str = ""
    responsible: str | None = None
    due: float | None = None
    dialled: str = "700"
    queue: str | None = None
    missed: int = 1
    state: str = "open"
    closed_by: str | None = None
    recordings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class CallBack:
    """A call back of whoever called from this number, once, and nobody answered; and the world around it."""

    def __init__(self, number: str) -> None:
        self._around = Caller(number)
        self._task = TaskRow(number)

    def named(self, name: str) -> CallBack:
        """The caller's name."""
        self._task.name = name
        return self

    def responsible(self, user: str) -> CallBack:
        """The user who is to do it."""
        self._task.responsible = user
        return self

    def due(self, at: float) -> CallBack:
        """By when: seconds since 1970 UTC."""
        self._task.due = at
        return self

    def dialled(self, number: str) -> CallBack:
        """The number dialled; "700" unless said."""
        self._task.dialled = number
        return self

    def in_queue(self, queue: str) -> CallBack:
        """The queue that the caller was in."""
        self._task.queue = queue
        return self

    def missed(self, times: int) -> CallBack:
        """How often the caller called in vain."""
        self._task.missed = times
        return self

    def closed_by(self, who: str) -> CallBack:
        """Who ends it, where what is told is an end."""
        self._task.closed_by = who
        return self

    def recording(self, name: str) -> CallBack:
        """A recording of the call."""
        self._task.recordings.append(name)
        return self

    def noted(self, text: str) -> CallBack:
        """What was written down before."""
        self._task.notes.append(text)
        return self

    def with_settings(self, settings: Any) -> CallBack:
        """The script's settings."""
        self._around.with_settings(settings)
        return self

    def at_time(self, moment: str) -> CallBack:
        """ "2026-11-27 23:58", UTC."""
        self._around.at_time(moment)
        return self

    def there(self, party: User | Telephone) -> CallBack:
        """There is this one too."""
        self._around.there(party)
        return self

    def contact(self, number: str, **fields: Any) -> CallBack:
        """The tenant's CRM has this contact."""
        self._around.contact(number, **fields)
        return self

    def server(self, url: str, **answer: Any) -> CallBack:
        """A server outside, as of a caller."""
        self._around.server(url, **answer)
        return self

    def remembers(self, key: str, text: str) -> CallBack:
        """What is in the tenant's memory."""
        self._around.remembers(key, text)
        return self

    def tell(self, what: str, script: Any) -> Told:
        """Tells a script, its module or anything with `on_change`, what became of it; fails when the script does."""
        return Told(World(self._around), replace(self._task)).tell(what, script)


class Told:
    """What a script that was told of a change has done, for a test to look at."""

    def __init__(self, world: World, task: TaskRow) -> None:
        self._world = world
        self._opened = world.clock_now()
        self._changes = 0
        #: How the task is now: state, responsible, due, notes.
        self.task = task

    @property
    def timeline(self) -> list[str]:
        """What the script was told and what it did, a line each, with the time."""
        return self._world.timeline

    @property
    def log(self) -> list[str]:
        """What the script logged."""
        return self._world.log

    @property
    def notices(self) -> list[tuple[str, str, dict[str, str]]]:
        """Who was told what, with which facts; "" is everyone."""
        return self._world.notices

    def remembers(self, key: str) -> str | None:
        """What the tenant remembers under a key."""
        value = self._world.kept.get(key)
        return None if value is None else value.decode()

    def tell(self, what: str, script: Any) -> Told:
        """Tells a script what became of it next."""
        from ..tasks import run_change

        if what in ENDS:
            self.task.state = what
        self._changes += 1
        self._world.note(f"{what}: {self.task.number}")
        at, name = self._world.clock_now(), f"simulated-task-change-{self._changes}"
        change = _answers(id=name, at=at, what=_wit.case("Event", what), task=self._handle(what, at))
        before = _wit.play(self._world)
        try:
            run_change(script, change)
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001, a script may raise anything
            timeline = "\n".join(self.timeline)
            raise AssertionError(f"the script fails: {error!r}\n{timeline}") from error
        finally:
            _wit.play(before)
        return self

    def _becomes(self, line: str, **change: Any) -> None:
        """What an open task becomes by a verb."""
        if self.task.state != "open":
            raise Err(types.Failure_NotFound("task: it is over"))
        for name, value in change.items():
            setattr(self.task, name, value)
        self._world.note(line)

    def _handle(self, what: str, at: float) -> Any:
        task = self.task

        def assign(user: str) -> None:
            known = next((one for one in self._world.plan.users if user in (one.name, one.extension)), None)
            if known is None:
                raise Err(types.Failure_NotFound(user))
            self._becomes(f"assign {known.name}", responsible=known.name)

        def put_off(until: float) -> None:
            if not 0 < until < float("inf"):
                raise Err(types.Failure_Invalid("until: is no moment"))
            self._becomes(f"put off until {until}", due=until)

        def note(text: str) -> None:
            if not 1 <= len(text.encode()) <= NOTE:
                raise Err(types.Failure_Invalid(f"note: has {len(text.encode())} bytes; write 1 to {NOTE}"))
            self._becomes(f"note: {text}", notes=[*task.notes, text])

        handle = _answers(
            id="simulated-task",
            state=_wit.case("State", task.state),
            number=task.number,
            name=task.name,
            contact=None,
            title=f"Call back {task.number}",
            responsible=task.responsible,
            due=task.due,
            late=what == "late" or (task.due is not None and task.due < at),
            opened=self._opened,
            closed=None if task.state == "open" else at,
            closed_by=task.closed_by,
            dialled=task.dialled,
            queue=task.queue,
            missed=task.missed,
            last=self._opened,
            calls=["simulated-call"],
            recordings=list(task.recordings),
            notes=list(task.notes),
        )
        handle.assign, handle.put_off, handle.note = assign, put_off, note
        handle.finish = lambda: self._becomes("finish", state="done", closed_by="script")
        handle.give_up = lambda: self._becomes("give up", state="given-up", closed_by="script")
        return handle


def _answers(**values: Any) -> Any:
    """A handle that answers these."""
    return SimpleNamespace(**{name: (lambda value=value: value) for name, value in values.items()})
