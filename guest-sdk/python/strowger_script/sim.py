"""Tests of scripts: a test is a caller with a plan, in virtual time.

    import unittest
    import script
    from strowger_script.sim import Caller, User

    class Reception(unittest.TestCase):
        def test_whoever_presses_1_speaks_with_sales(self):
            Caller("+359888123456").with_settings({"sales": "ana"}).there(User("ana").answers_after(4)) \\
                .hears("welcome").presses("1").talks_with("ana").hangs_up_after(40).run(script)

`run` raises `AssertionError` with the call as a timeline when the plan can't be followed to its end, or when the script fails
and the plan does not say so. Lengths are seconds. Outside of a component this module stands for the exchange; it holds
what is needed of wit/ under the names that the bindings have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from datetime import datetime, timezone
from enum import Enum
from types import SimpleNamespace
from typing import Any

RECORDING = 2.0
CHARACTER = 0.5
REACTION = 1.0
BETWEEN_KEYS = 0.5
ANSWERS_AFTER = 2.0


@dataclass(frozen=True)
class Err(Exception):
    """A failure of wit/ on its way."""

    value: Any


def _variant(name: str, *cases: str) -> dict[str, type]:
    """The classes of a variant's cases; one that ends with "=" carries a value."""
    made = {}
    for case in cases:
        fields = ["value"] if case.endswith("=") else []
        made[f"{name}_{case.rstrip('=')}"] = make_dataclass(f"{name}_{case.rstrip('=')}", fields)
    return made


def _enum(name: str, *cases: str) -> type[Enum]:
    return Enum(name, {case: number for number, case in enumerate(cases)})


types = SimpleNamespace(
    **_variant("Failure", "HungUp", "Busy", "NoAnswer", "Refused=", "Unreachable", "NotFound=", "Invalid=", "Limit="),
    **_variant("Failure", "TimedOut", "Other="),
    **_variant("Prompt", "Recording=", "Text=", "Digits=", "Silence=", "Tone=", "Music=", "Quantity=", "Duration="),
    **_variant("Prompt", "Position="),
    **_variant("Target", "User=", "Number=", "Uri="),
    Party=make_dataclass("Party", ["number", "name", "uri"]),
    AgentState=_enum("AgentState", "OFFLINE", "AVAILABLE", "OFFERED", "TALKING", "WRAP_UP", "PAUSED"),
)
_ENDS = SimpleNamespace(
    **_variant("BridgeEnd", "AHungUp", "BHungUp", "Digit="), **_variant("Waited", "Connected=", "Digit=", "LongestWait")
)
_Presence = _enum("Presence", "OFFLINE", "FREE", "RINGING", "BUSY")
_Direction = _enum("Direction", "INBOUND", "OUTBOUND", "INTERNAL")
_EndOfDigits = _enum("EndOfDigits", "ENOUGH", "TERMINATOR", "TIME_OUT")
_Gathered = make_dataclass("Gathered", ["digits", "ended"])
_Recorded = make_dataclass("Recorded", ["id", "length"])

_current: _World | None = None


def _playing() -> _World:
    if _current is None:
        raise RuntimeError("a verb was called outside of a simulated call; use Caller(...).run(script)")
    return _current


def _of_world(*names: str) -> dict[str, Callable[..., Any]]:
    def ask(name: str) -> Callable[..., Any]:
        return lambda *arguments: getattr(_playing(), name)(*arguments)

    return {name.split("_", 1)[1]: ask(name) for name in names}


call = SimpleNamespace(
    GatherOptions=make_dataclass("GatherOptions", ["prompts", "most", "terminator", "first", "between"]),
    Stage=make_dataclass("Stage", ["after", "targets"]),
    DialOptions=make_dataclass("DialOptions", ["timeout", "ringback", "present", "skip_busy"]),
    transferred_by=lambda: None,
    **_of_world("call_dial", "call_bridge", "call_tag", "call_hand_over", "call_retrieve", "call_pick_up"),
)
call.talk = call.bridge
clock = SimpleNamespace(
    **_of_world("clock_now", "clock_local_time", "clock_time_in", "clock_scheme", "clock_random", "clock_sleep")
)
crm = SimpleNamespace(**_of_world("crm_find"))
directory = SimpleNamespace(
    **_of_world("directory_find", "directory_group", "directory_last_spoke_with", "directory_conversations")
)
ended = SimpleNamespace()
kv = SimpleNamespace(**_of_world("kv_get", "kv_set", "kv_swap", "kv_add", "kv_delete"))
queue = SimpleNamespace(
    Entry=make_dataclass("Entry", ["priority", "skills", "longest"]),
    **_of_world("queue_enter", "queue_look", "queue_agent", "queue_make_available", "queue_pause"),
    **_of_world("queue_sign_in", "queue_sign_out"),
)
settings = SimpleNamespace(**_of_world("settings_get"))
log = SimpleNamespace(Level=_enum("Level", "DEBUG", "INFO", "WARN", "ERROR"), **_of_world("log_write"))


class _Party:
    def __init__(self, name: str) -> None:
        self.name = name
        self.extension = ""
        self._after = ANSWERS_AFTER
        self._fails: Any = None
        self.talks = float("inf")
        self.presence = "FREE"

    def answers_after(self, length: float) -> Any:
        """After so long; 2 unless said."""
        self._after = length
        return self

    def never_answers(self) -> Any:
        """Lets it ring."""
        self._after = float("inf")
        return self

    def rejects_after(self, length: float, status: int) -> Any:
        """Refuses with a SIP status, 400 to 699; 486 is busy."""
        self._after = length
        self._fails = types.Failure_Busy() if status == 486 else types.Failure_Refused(status)
        return self

    def hangs_up_after(self, length: float) -> Any:
        """So long after answering."""
        self.talks = length
        return self

    def manner(self, skip_busy: bool) -> tuple[float, Any]:
        """After how long what happens: None is an answer."""
        if self.presence == "OFFLINE":
            return 0.0, types.Failure_Unreachable()
        if self.presence == "BUSY" and skip_busy:
            return 0.0, types.Failure_Busy()
        return self._after, self._fails


class User(_Party):
    """A user of the tenant, registered and free unless said."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.groups: list[str] = []

    def numbered(self, extension: str) -> User:
        """With this extension."""
        self.extension = extension
        return self

    def in_group(self, group: str) -> User:
        """In this group too."""
        self.groups.append(group)
        return self

    def busy(self) -> User:
        """On a call already."""
        self.presence = "BUSY"
        return self

    def offline(self) -> User:
        """No device is registered."""
        self.presence = "OFFLINE"
        return self


class Telephone(_Party):
    """A telephone number or SIP URI; others are unreachable."""


@dataclass
class _Step:
    kind: str
    what: Any = None
    first: bool = False

    def __str__(self) -> str:
        what = getattr(self.what, "value", self.what)
        return self.kind if what is None else f"{self.kind} {what}"


@dataclass(frozen=True)
class Call:
    """A call that was simulated, for a test to look at."""

    log: list[str]
    timeline: list[str]
    tags: list[tuple[str, str]]
    kept: dict[str, bytes]
    handed_over: tuple[str, Any] | None
    length: float

    def tag(self, key: str) -> str | None:
        """What the script marked the call with under this key, the last time."""
        return next((value for name, value in reversed(self.tags) if name == key), None)


class Caller:
    """A caller with a plan, and the world around it."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.dialled = "700"
        self.at = datetime(2026, 1, 5, 10, tzinfo=timezone.utc)
        self.settings: Any = {}
        self.users: list[User] = []
        self.telephones: list[Telephone] = []
        self.calendars: dict[str, str] = {}
        self.contacts: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, tuple[str | None, float]] = {}
        self.remembered: dict[str, bytes] = {}
        self.spoke: str | None = None
        self.steps: list[_Step] = []

    def calls(self, number: str) -> Caller:
        """The number dialled; "700" unless said."""
        self.dialled = number
        return self

    def at_time(self, moment: str) -> Caller:
        """ "2026-11-27 23:58", UTC; Monday, 5 January 2026, ten o'clock unless said."""
        self.at = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
        return self

    def with_settings(self, settings: Any) -> Caller:
        """The script's settings."""
        self.settings = settings
        return self

    def there(self, party: User | Telephone) -> Caller:
        """There is this one too."""
        (self.users if isinstance(party, User) else self.telephones).append(party)
        return self

    def calendar(self, name: str, scheme: str) -> Caller:
        """A calendar of the tenant, and the scheme in force by it."""
        self.calendars[name] = scheme
        return self

    def contact(self, number: str, **fields: Any) -> Caller:
        """The tenant's CRM has this contact: id, name, company, owner, or a field of its own."""
        self.contacts[number] = fields
        return self

    def queue(self, name: str, agent: str | None = None, after: float = 20.0) -> Caller:
        """There is this queue, with an agent for the caller after so long, or none."""
        self.lines[name] = (agent, after)
        return self

    def remembers(self, key: str, text: str) -> Caller:
        """What an earlier call left in the tenant's memory."""
        self.remembered[key] = text.encode()
        return self

    def spoke_with(self, user: str) -> Caller:
        """The caller spoke with this user before."""
        self.spoke = user
        return self

    def _then(self, kind: str, what: Any = None, first: bool = False) -> Caller:
        self.steps.append(_Step(kind, what, first))
        return self

    def is_answered(self) -> Caller:
        """Expects to be answered."""
        return self._then("is answered")

    def hears(self, what: Any) -> Caller:
        """Expects to hear this, whatever is heard before it. What follows happens while it can be heard."""
        return self._then("hears", types.Prompt_Recording(what) if isinstance(what, str) else what)

    def hears_music(self) -> Caller:
        """Expects music on hold, of any name."""
        return self._then("hears music")

    def hears_ringing(self) -> Caller:
        """Expects a ringing tone."""
        return self._then("hears ringing")

    def talks_with(self, whom: str) -> Caller:
        """Expects to be bridged with this user or number."""
        return self._then("talks with", whom)

    def is_rejected(self, status: int) -> Caller:
        """Expects to be refused with this SIP status."""
        return self._then("is rejected", status)

    def is_hung_up(self) -> Caller:
        """Expects that the exchange ends the call."""
        return self._then("is hung up")

    def is_handed_over_to(self, script: str) -> Caller:
        """Expects to be handed over to another script."""
        return self._then("is handed over to", script)

    def falls_back(self) -> Caller:
        """Expects that the script fails."""
        return self._then("falls back")

    def presses(self, keys: str) -> Caller:
        """A second after what stands before; each further key half a second later."""
        for place, key in enumerate(keys):
            self._then("presses", key, first=place == 0)
        return self

    def speaks_for(self, length: float) -> Caller:
        """Speaks into a recording."""
        return self._then("speaks", length)

    def waits(self, length: float) -> Caller:
        """Does nothing for so long."""
        return self._then("waits", length)

    def hangs_up_after(self, length: float = 0.0) -> Caller:
        """Hangs up so long after what stands before."""
        return self._then("hangs up", length)

    def find(self, target: Any) -> _Party | None:
        """Who is meant by a target."""
        name = target.value
        if isinstance(target, types.Target_User):
            return next((user for user in self.users if name in (user.name, user.extension)), None)
        return next((party for party in self.telephones if party.name == name), None)

    def run(self, script: Any) -> Call:
        """Runs a script: its module, or anything with `on_call`."""
        global _current
        from ._script import run_call

        world = _World(self)
        before, _current = _current, world
        thrown: BaseException | None = None
        try:
            run_call(script, world.caller)
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001, a script may raise anything
            thrown = error
        finally:
            _current = before
        world.finish(thrown)
        return Call(world.log, world.timeline, world.tags, world.kept, world.handed_over, world.now)


class _World:
    def __init__(self, plan: Caller) -> None:
        self.plan = plan
        self.steps = list(plan.steps)
        self.now = 0.0
        self.caller_at = 0.0
        self.keys: list[str] = []
        self.left = False
        self.timeline: list[str] = []
        self.log: list[str] = []
        self.tags: list[tuple[str, str]] = []
        self.kept = dict(plan.remembered)
        self.handed_over: tuple[str, Any] | None = None
        self.drawn = -1
        known = next((user.name for user in plan.users if plan.number in (user.name, user.extension)), None)
        party = types.Party(plan.number, None, f"tel:{plan.number}")
        self.caller = _Leg(self, party, _Direction.INBOUND, known, float("inf"))

    def note(self, line: str) -> None:
        self.timeline.append(f"{self.now:7.1f} s  {line}")

    def happens(self, kind: str, what: Any = None) -> None:
        """Something that the plan may wait for."""
        if self.steps and self.steps[0].kind == kind and self.steps[0].what in (None, what):
            self.caller_at = self.now
            self.note(f"  the caller {self.steps.pop(0)}")

    def act(self) -> tuple[float, _Step] | None:
        """What the caller does next, and when; nothing while it waits for something."""
        while self.steps and self.steps[0].kind == "waits":
            self.caller_at += self.steps.pop(0).what
        step = self.steps[0] if self.steps else None
        if step is not None and step.kind == "presses":
            return self.caller_at + (REACTION if step.first else BETWEEN_KEYS), step
        return (self.caller_at + step.what, step) if step is not None and step.kind == "hangs up" else None

    def passes(self, length: float, stops: Callable[[str], bool] = lambda _: False) -> str | None:
        """Time goes by, for so long, or until a key that `stops` accepts; the caller may leave meanwhile."""
        if self.left:
            raise Err(types.Failure_HungUp())
        until = self.now + length
        while True:
            act = self.act()
            if act is None or act[0] > until:
                if until == float("inf"):
                    self.ends("the call would go on for ever: say what the caller does")
                self.now = until
                return None
            at, step = act
            self.steps.pop(0)
            self.now = self.caller_at = max(self.now, at)
            self.note(f"  the caller {step}")
            if step.kind == "hangs up":
                self.left = True
                raise Err(types.Failure_HungUp())
            self.keys.append(step.what)
            if stops(step.what):
                return step.what

    def ends(self, why: str) -> None:
        timeline = "\n".join(self.timeline)
        left = ", ".join(map(str, self.steps))
        raise AssertionError(f"{why}\n{timeline}\nwhat is left of the plan: {left}")

    def hears(self, prompts: list[Any], cut: bool) -> None:
        for prompt in prompts:
            if cut and self.keys:
                return
            self.note(f"plays {prompt.value}")
            self.happens("hears", prompt)
            if isinstance(prompt, types.Prompt_Music):
                self.happens("hears music")
            self.passes(_nominal(prompt), lambda _: cut)

    def finish(self, thrown: BaseException | None) -> None:
        """The script returned, or raised this: checks the rest of the plan."""
        from ._queue import Refusal
        from ._words import HungUp

        if self.handed_over is not None:
            self.happens("is handed over to", self.handed_over[0])
        failure = thrown.failure if isinstance(thrown, Refusal) else thrown
        if failure is not None and not isinstance(failure, HungUp):
            self.note(f"the script fails: {failure!r}")
            if not self.steps or self.steps[0].kind != "falls back":
                try:
                    self.ends(f"the script fails: {failure!r}")
                except AssertionError as error:
                    raise error from thrown
            self.happens("falls back")
        if not self.left and self.handed_over is None:
            self.happens("is hung up")
        while self.steps and self.steps[0].kind in ("waits", "hangs up"):
            self.steps.pop(0)
        if self.steps:
            self.ends(f"it never happened that the caller {self.steps[0]}")

    # The interfaces, as the bindings name them.

    def call_dial(self, stages: list[Any], options: Any) -> Any:
        self.passes(0)
        limit = options.timeout / 1000
        answer: tuple[float, Any, _Party] | None = None
        failures: list[Any] = []
        all_failed_at = 0.0
        for stage in stages:
            begins = min(stage.after / 1000, all_failed_at) if failures else stage.after / 1000
            for target in stage.targets:
                party = self.plan.find(target)
                after, fails = party.manner(options.skip_busy) if party else (0.0, types.Failure_Unreachable())
                if fails is None:
                    all_failed_at = float("inf")
                    if begins + after < min(limit, answer[0] if answer else limit):
                        answer = (begins + after, target, party)
                else:
                    failures.append(fails)
                    all_failed_at = max(all_failed_at, begins + after)
        self.note("dial " + ", ".join(target.value for stage in stages for target in stage.targets))
        self.happens("hears ringing")
        if answer is not None:
            at, target, party = answer
            self.passes(at)
            self.note(f"{target.value} answers")
            user = target.value if isinstance(target, types.Target_User) else None
            shown = types.Party(party.extension or target.value, None, f"sip:{target.value}")
            return _Leg(self, shown, _Direction.OUTBOUND, user, party.talks)
        self.passes(min(limit, all_failed_at))
        if all_failed_at > limit:
            failures.append(types.Failure_NoAnswer())
        order = [types.Failure_Refused, types.Failure_Busy, types.Failure_NoAnswer, types.Failure_Unreachable]
        raise Err(min(failures, key=lambda failure: order.index(type(failure))))

    def call_bridge(self, a: Any, b: Any, keys: str) -> Any:
        self.passes(0)
        other = b if a is self.caller else a
        self.note(f"bridged with {other.who}")
        self.happens("talks with", other.who)
        try:
            key = self.passes(other.talks, lambda key: key in keys)
        except Err:
            return _ENDS.BridgeEnd_AHungUp()
        return _ENDS.BridgeEnd_BHungUp() if key is None else _ENDS.BridgeEnd_Digit(self.keys.pop())

    def call_tag(self, key: str, value: str) -> None:
        self.note(f"tag {key} = {value}")
        self.tags.append((key, value))

    def call_hand_over(self, script: str, settings: str) -> None:
        self.note(f"hand over to {script}")
        self.handed_over = (script, json.loads(settings))

    def call_retrieve(self, slot: str) -> None:
        raise Err(types.Failure_NotFound(slot))

    call_pick_up = call_retrieve

    def clock_now(self) -> float:
        return self.plan.at.timestamp() + self.now

    def clock_local_time(self) -> Any:
        at = datetime.fromtimestamp(self.clock_now(), timezone.utc)
        names = ("year", "month", "day", "hour", "minute", "second")
        return SimpleNamespace(**{name: getattr(at, name) for name in names}, weekday=at.isoweekday(), offset_minutes=0)

    def clock_time_in(self, _zone: str) -> Any:
        return self.clock_local_time()

    def clock_scheme(self, calendar: str) -> str | None:
        return self.plan.calendars.get(calendar)

    def clock_random(self, below: int) -> int:
        self.drawn += 1
        return self.drawn % below if below else 0

    def clock_sleep(self, length: int) -> None:
        self.passes(length / 1000)

    def crm_find(self, number: str) -> Any:
        fields = self.plan.contacts.get(number)
        if fields is None:
            return None
        usual = {"id": "contact-1", "name": "", "company": None, "owner": None} | fields
        handle = {name: (lambda value: lambda: value)(usual[name]) for name in ("id", "name", "company", "owner")}
        return SimpleNamespace(**handle, field=fields.get)

    def directory_find(self, name: str) -> Any:
        found = next((user for user in self.plan.users if name in (user.name, user.extension)), None)
        return None if found is None else _person(found)

    def directory_group(self, name: str) -> list[Any]:
        return [_person(user) for user in self.plan.users if name in user.groups]

    def directory_last_spoke_with(self, _number: str, _days: int) -> Any:
        return None if self.plan.spoke is None else self.directory_find(self.plan.spoke)

    def directory_conversations(self, _number: str, _days: int) -> int:
        return int(self.plan.spoke is not None)

    def kv_get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def kv_set(self, key: str, value: bytes, _keep: int | None) -> None:
        self.kept[key] = value

    def kv_swap(self, key: str, was: bytes | None, value: bytes) -> bool:
        same = self.kept.get(key) == was
        if same:
            self.kept[key] = value
        return same

    def kv_add(self, key: str, amount: int) -> int:
        total = int(self.kept.get(key, b"0")) + amount
        self.kept[key] = str(total).encode()
        return total

    def kv_delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def queue_enter(self, name: str, entry: Any) -> Any:
        line = self.plan.lines.get(name)
        if line is None:
            raise Err(SimpleNamespace(value=types.Failure_NotFound(name)))
        agent, after = line
        connects = self.now + after if agent else float("inf")
        ends = self.now + (entry.longest / 1000 or 600)
        self.note(f"enters the queue {name}")

        def wait(keys: str, _hears: Any) -> Any:
            self.happens("hears music")
            key = self.passes(max(0.0, min(connects, ends) - self.now), lambda key: key in keys)
            if key is not None:
                return _ENDS.Waited_Digit(self.keys.pop())
            if ends <= connects:
                return _ENDS.Waited_LongestWait()
            party = types.Party(agent, None, f"sip:{agent}")
            return _ENDS.Waited_Connected(_Leg(self, party, _Direction.OUTBOUND, agent, float("inf")))

        return SimpleNamespace(
            wait=wait,
            position=lambda: 1,
            expected=lambda: None if agent is None else int(max(0.0, connects - self.now) * 1000),
            resumed=lambda: False,
            set_priority=lambda _priority: None,
            call_back=lambda number: self.note(f"call back to {number}"),
            leave=lambda: None,
        )

    def queue_look(self, name: str) -> Any:
        if name not in self.plan.lines:
            return None
        agent, after = self.plan.lines[name]
        there = int(agent is not None)
        return SimpleNamespace(
            waiting=lambda: 0,
            available=lambda: there,
            serving=lambda: there,
            longest=lambda: 0,
            expected=lambda: int(after * 1000) if agent else None,
        )

    def queue_agent(self, user: str) -> Any:
        return types.AgentState.AVAILABLE if any(user == known.name for known in self.plan.users) else None

    def queue_make_available(self, user: str) -> None:
        self.note(f"make {user} available")

    def queue_pause(self, user: str, reason: str) -> None:
        self.note(f"pause {user}: {reason}")

    def queue_sign_in(self, user: str, name: str) -> None:
        self.note(f"sign {user} in to {name}")

    def queue_sign_out(self, user: str, name: str) -> None:
        self.note(f"sign {user} out of {name}")

    def settings_get(self) -> str:
        return json.dumps(self.plan.settings)

    def log_write(self, level: Any, line: str) -> None:
        self.note(f"log {level.name.lower()}: {line}")
        self.log.append(line)


class _Leg:
    """A leg's handle."""

    def __init__(self, world: _World, party: Any, direction: Any, user: str | None, talks: float) -> None:
        self._world = world
        self._party = party
        self._direction = direction
        self._user = user
        self.talks = talks
        self.who = user or party.number

    def party(self) -> Any:
        return self._party

    def dialled(self) -> str:
        return self._world.plan.dialled if self._direction is _Direction.INBOUND else self._party.number

    def direction(self) -> Any:
        return self._direction

    def user(self) -> str | None:
        return self._user

    def header(self, _name: str) -> list[str]:
        return []

    def language(self) -> str:
        return "en"

    def set_language(self, _tag: str) -> None:
        pass

    def ring(self, early: Any) -> None:
        self._world.happens("hears ringing")
        if early is not None:
            self._world.hears([early], False)

    def answer(self) -> None:
        self._world.passes(0)
        self._world.note("answer")
        self._world.happens("is answered")

    def reject(self, status: int, _reason: str) -> None:
        self._world.passes(0)
        self._world.note(f"reject {status}")
        self._world.happens("is rejected", status)
        self._world.left = True

    def play(self, what: list[Any], cut_by_key: bool) -> None:
        self._world.passes(0)
        self._world.hears(what, cut_by_key)

    def gather(self, options: Any) -> Any:
        world = self._world
        world.passes(0)
        world.hears(options.prompts, True)
        pressed, ended = "", _EndOfDigits.ENOUGH
        while len(pressed) < options.most:
            limit = (options.between if pressed else options.first) / 1000
            if not world.keys and world.passes(limit, lambda _: True) is None:
                ended = _EndOfDigits.TIME_OUT
                break
            key = world.keys.pop(0)
            if key == options.terminator:
                ended = _EndOfDigits.TERMINATOR
                break
            pressed += key
        world.note(f'gathered "{pressed}"')
        return _Gathered(pressed, ended)

    def record_message(self, most: int, silence: int) -> Any:
        world = self._world
        world.note("record a message")
        speaks = world.steps.pop(0).what if world.steps and world.steps[0].kind == "speaks" else 0.0
        world.caller_at = world.now + speaks
        world.passes(min(most / 1000, speaks + silence / 1000), lambda _: True)
        return _Recorded("recording-1", int(min(most / 1000, speaks) * 1000))

    def start_recording(self) -> str:
        return "recording-1"

    def stop_recording(self) -> None:
        pass

    def send_digits(self, digits: str) -> None:
        self._world.passes(len(digits) * CHARACTER)

    def hold(self, hears: Any) -> None:
        if isinstance(hears, types.Prompt_Music):
            self._world.happens("hears music")

    def resume(self) -> None:
        pass

    def hang_up(self, _cause: int) -> None:
        self._world.note(f"hang up {self.who}")
        if self is self._world.caller:
            self._world.happens("is hung up")
            self._world.left = True


def _person(user: User) -> Any:
    return SimpleNamespace(
        name=lambda: user.name,
        number=lambda: user.extension,
        mobile=lambda: None,
        presence=lambda: _Presence[user.presence],
        skills=lambda: [],
    )


def _nominal(prompt: Any) -> float:
    value = prompt.value
    if isinstance(prompt, types.Prompt_Silence):
        return value / 1000
    if isinstance(prompt, types.Prompt_Tone):
        return value[1] / 1000
    if isinstance(prompt, types.Prompt_Digits):
        return len(value) * CHARACTER
    return float("inf") if isinstance(prompt, types.Prompt_Music) else RECORDING


def snapshot(
    *,
    queue: str = "queue",
    settings: Any = None,
    seed: int = 1,
    waiting: tuple[Any, ...] | list[Any] = (),
    agents: dict[str, dict[str, Any]] | None = None,
) -> Any:
    """A queue at one moment, for the table of a strategy's test; what is not given is usual, lengths are seconds."""
    from .strategy import Snapshot

    lengths = {"waited", "expected", "free_for", "since_offered", "talked", "signed_in_for"}

    def handle(values: dict[str, Any]) -> Any:
        made = {name: value * 1000 if name in lengths and value is not None else value for name, value in values.items()}
        return SimpleNamespace(**{name: (lambda value: lambda: value)(value) for name, value in made.items()})

    callers = []
    for place, given in enumerate(waiting, 1):
        own = {"number": given} if isinstance(given, str) else given
        usual = {"id": place, "number": "", "priority": 0, "waited": 0, "position": place, "expected": None}
        callers.append(usual | {"last_agent": None, "tried": [], "offered": False, "anyone": True, "skills": []} | own)
    desks = []
    for name, own in (agents or {}).items():
        counts = dict.fromkeys(("offered", "answered", "talked", "signed_in_for", "missed_in_a_row"), 0)
        values = {"name": name, "state": "AVAILABLE", "free_for": 0, "since_offered": 0, "skills": []} | counts
        values |= {"level": 1, "weight": 1} | own
        free = values["state"] == "AVAILABLE"
        desks.append({"free": free} | values | {"state": types.AgentState[values["state"]]})
    line = sorted((one for one in callers if not one["offered"]), key=lambda one: -one["priority"])
    return Snapshot(
        SimpleNamespace(
            queue=lambda: queue,
            settings=lambda: json.dumps(settings or {}),
            seed=lambda: seed,
            last_answered=lambda: None,
            service=lambda: 0,
            waiting=lambda: [handle(one) for one in callers],
            in_line=lambda most: [handle(one) for one in line[:most]],
            agents=lambda: [handle(one) for one in desks],
            free=lambda: [handle(one) for one in desks if one["free"]],
        )
    )
