"""The world of one simulated call: time that passes at once, what happens in it, and what its verbs answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from ._leg import BETWEEN_KEYS, REACTION, Leg, nominal
from ._mailbox import Mailboxes, boxes_of
from ._moves import bridge, talk
from ._plan import Caller, Party, Step, User
from ._wit import ENDS, Direction, Err, Presence, types


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is of a pattern, in which "*" stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


class World(Mailboxes):
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
        self.boxes = boxes_of(plan)
        self.notices: list[tuple[str, str, dict[str, str]]] = []
        self.handed_over: tuple[str, Any] | None = None
        self.drawn = -1
        known = next((user.name for user in plan.users if plan.number in (user.name, user.extension)), None)
        party = types.Party(plan.number, None, f"tel:{plan.number}")
        self.caller = Leg(self, party, Direction.INBOUND, known)

    def note(self, line: str) -> None:
        self.timeline.append(f"{self.now:7.1f} s  {line}")

    def happens(self, kind: str, what: Any = None) -> None:
        """Something that the plan may wait for."""
        if self.steps and self.steps[0].kind == kind and self.steps[0].what in (None, what):
            self.caller_at = self.now
            self.note(f"  the caller {self.steps.pop(0)}")

    def act(self) -> tuple[float, Step] | None:
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
            self.passes(nominal(prompt), lambda _: cut)

    def finish(self, thrown: BaseException | None) -> None:
        """The script returned, or raised this: checks the rest of the plan."""
        from .._queue import Refusal
        from .._words import HungUp

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
        answer: tuple[float, Any, Party] | None = None
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
            return Leg(self, shown, Direction.OUTBOUND, user, party)
        self.passes(min(limit, all_failed_at))
        if all_failed_at > limit:
            failures.append(types.Failure_NoAnswer())
        order = [types.Failure_Refused, types.Failure_Busy, types.Failure_NoAnswer, types.Failure_Unreachable]
        raise Err(min(failures, key=lambda failure: order.index(type(failure))))

    def call_bridge(self, a: Any, b: Any, keys: str) -> Any:
        return bridge(self, a, b, keys)

    def call_talk(self, a: Any, b: Any, keys: str) -> Any:
        return talk(self, a, b, keys)

    def call_transferred_by(self) -> str | None:
        return self.plan.transferred_by

    def call_tag(self, key: str, value: str) -> None:
        self.note(f"tag {key} = {value}")
        self.tags.append((key, value))

    def call_hand_over(self, script: str, settings: str) -> None:
        self.note(f"hand over to {script}")
        self.handed_over = (script, json.loads(settings))

    def call_park(self, _leg: Any, slot: str, most: int, _hears: Any) -> Any:
        self.note(f"park in {slot}")
        self.passes(most / 1000)
        raise Err(types.Failure_NoAnswer())

    def call_retrieve(self, slot: str) -> None:
        raise Err(types.Failure_NotFound(slot))

    call_pick_up = call_retrieve

    def notify_send(self, to: str, text: str, facts: list[tuple[str, str]]) -> str:
        self.note(f"notify {to or 'everyone'}: {text.splitlines()[0] if text else ''}")
        self.notices.append((to, text, dict(facts)))
        return "simulated-letter"

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

    def crm_create_task(self, number: str, title: str, responsible: str | None, due: float | None) -> str:
        self.note(f"task{f' for {responsible}' if responsible else ''} about {number}: {title}")
        return "simulated-task"

    def crm_close_task(self, id: str) -> None:
        self.note(f"task {id} is done")

    def http_fetch(self, request: Any) -> Any:
        from .._words import variant_of

        self.note(f"asks {request.method.name} {request.url}")
        answer = next((answer for url, answer in self.plan.servers if _fits(url, request.url)), None)
        if answer is None:
            raise Err(types.Failure_Limit("http_allow"))
        late = 0 < request.timeout < answer["after"] * 1000
        self.passes(request.timeout / 1000 if late else answer["after"])
        if late:
            raise Err(types.Failure_TimedOut())
        if answer["fails"] is not None:
            raise Err(variant_of(answer["fails"]))
        body, known = answer["body"], answer["headers"].items()
        return SimpleNamespace(
            status=lambda: answer["status"],
            header=lambda name: [value for header, value in known if header.lower() == name.lower()],
            body=lambda: body.encode() if isinstance(body, str) else body,
        )

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
                return ENDS.Waited_Digit(self.keys.pop())
            if ends <= connects:
                return ENDS.Waited_LongestWait()
            party = types.Party(agent, None, f"sip:{agent}")
            leg = Leg(self, party, Direction.OUTBOUND, agent)
            leg.keys = [key for user in self.plan.users if user.name == agent for key in user.keys]
            return ENDS.Waited_Connected(leg)

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


def _person(user: User) -> Any:
    return SimpleNamespace(
        name=lambda: user.name,
        number=lambda: user.extension,
        mobile=lambda: None,
        presence=lambda: Presence[user.presence],
        skills=lambda: [],
    )
