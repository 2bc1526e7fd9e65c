"""Queue strategies: who rings next, as a function. A strategy is asked with a snapshot of its queue and keeps nothing; the
same snapshot gives the same answer. Looking at an agent or a caller asks the exchange then, and not before. Lengths are
seconds.

    from strowger_script.strategy import Snapshot, pair_up

    def rank(now: Snapshot):
        agents = sorted(now.free_agents(), key=lambda agent: -agent.since_offered)
        return pair_up(now.waiting_by_priority(), agents)

Besides `rank(now)` a module may have `admit(now, who)`, `expected_wait(now, who)`, `announce(now, who, said)` and
`on_digit(now, who, key)`.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ._words import digits, duration, millis, music, named, position, prompts, quantity, seconds, silence, text, tone

__all__ = [
    "Agent",
    "Announcement",
    "Offer",
    "Ranking",
    "Snapshot",
    "Waiting",
    "digits",
    "duration",
    "music",
    "pair_up",
    "position",
    "quantity",
    "silence",
    "text",
    "tone",
]

RING_FOR = 20.0


def _same(value: Any) -> Any:
    return value


class _Reader:
    """Attributes over a handle: each asks the exchange when it is looked at."""

    _read: dict[str, Any] = {}

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        read = self._read.get(name)
        if read is None:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        return read(getattr(self._handle, name)())


class Waiting(_Reader):
    """A caller in the queue: `id`, `number`, `priority` (higher goes first), `skills` (asked for, with the least level of
    each), `waited`, `position` (first is 1), `expected`, `last_agent`, `tried` (agents rung before), `offered` (whether
    agents are being rung now), `anyone` (whether any free agent will do)."""

    _read = {
        "id": _same,
        "number": _same,
        "priority": _same,
        "skills": dict,
        "waited": seconds,
        "position": _same,
        "expected": seconds,
        "last_agent": _same,
        "tried": _same,
        "offered": _same,
        "anyone": _same,
    }


class Agent(_Reader):
    """An agent who serves the queue: `name`, `state`, `free`, `free_for`, `since_offered`, `offered`, `answered`, `talked`,
    `signed_in_for`, `missed_in_a_row`, `level` (1 is asked first), `weight`, `skills`. Counts are today's."""

    _read = {
        "name": _same,
        "state": named,
        "free": _same,
        "free_for": seconds,
        "since_offered": seconds,
        "offered": _same,
        "answered": _same,
        "talked": seconds,
        "signed_in_for": seconds,
        "missed_in_a_row": _same,
        "level": _same,
        "weight": _same,
        "skills": dict,
    }


class Snapshot:
    """A queue at one moment."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self._handle.queue()

    @property
    def settings(self) -> Any:
        """The queue's settings, read."""
        return json.loads(self._handle.settings())

    @property
    def seed(self) -> int:
        """For choices by chance: the same seed, the same choice."""
        return self._handle.seed()

    @property
    def last_answered(self) -> str | None:
        """The agent who answered last."""
        return self._handle.last_answered()

    @property
    def service(self) -> float:
        """Mean length of a conversation lately, wrap-up included."""
        return seconds(self._handle.service())

    def callers(self) -> list[Waiting]:
        """All callers in order of arrival, those for whom somebody is rung too."""
        return [Waiting(handle) for handle in self._handle.waiting()]

    def waiting_by_priority(self, most: int = 2**32 - 1) -> list[Waiting]:
        """The first so many callers for whom nobody is rung now, by priority, then arrival."""
        return [Waiting(handle) for handle in self._handle.in_line(most)]

    def agents(self) -> list[Agent]:
        """All agents of the queue in the configuration's order, whatever they do."""
        return [Agent(handle) for handle in self._handle.agents()]

    def free_agents(self) -> list[Agent]:
        """The agents to whom a call can be offered now."""
        return [Agent(handle) for handle in self._handle.free()]


@dataclass(frozen=True)
class Offer:
    """Ring these agents, by name, together for this caller, by id."""

    caller: int
    agents: list[str]
    ring: float = RING_FOR


@dataclass(frozen=True)
class Ranking:
    """Who rings for whom, and after how many seconds to ask again if nothing happens before."""

    offers: list[Offer]
    again: float | None = None


@dataclass(frozen=True)
class Announcement:
    """What to say to a caller now, and after how many seconds to ask again."""

    say: Any = None
    again: float | None = None


def pair_up(callers: list[Waiting], agents: list[Agent | str], ring: float = RING_FOR) -> list[Offer]:
    """The first caller gets the first agent, the second the second, and so on."""
    name = lambda agent: agent if isinstance(agent, str) else agent.name  # noqa: E731
    return [Offer(caller.id, [name(agent)], ring) for caller, agent in zip(callers, agents)]


def world(module: ModuleType) -> type:
    """The world of queue strategies over a module; what is raised in it is written to the log, and longest-idle takes the
    decision."""
    from wit_world.imports import strategy as wit

    if not callable(getattr(module, "rank", None)):
        raise TypeError(f"{module.__name__}.py has no rank(now)")
    admissions = {
        "come-in": wit.Admission_ComeIn,
        "full": wit.Admission_Full,
        "closed": wit.Admission_Closed,
        "nobody": wit.Admission_Nobody,
    }

    def again(length: float | None) -> int | None:
        return None if length is None else millis(length)

    class WitWorld:
        def rank(self, now: Any) -> Any:
            # The generator's state is the one of the build.
            random.seed(now.seed())
            ranking = module.rank(Snapshot(now))
            if not isinstance(ranking, Ranking):
                ranking = Ranking(list(ranking))
            offers = [wit.Offer(offer.caller, offer.agents, millis(offer.ring)) for offer in ranking.offers]
            return wit.Ranking(offers, again(ranking.again))

        def admit(self, now: Any, who: Any) -> Any:
            part = getattr(module, "admit", None)
            answer = "come-in" if part is None else part(Snapshot(now), Waiting(who))
            if isinstance(answer, (int, float)):
                return wit.Admission_TooLong(millis(answer))
            return admissions[answer]() if answer in admissions else wit.Admission_Other(answer)

        def expected_wait(self, now: Any, who: Any) -> int | None:
            part = getattr(module, "expected_wait", None)
            return who.expected() if part is None else again(part(Snapshot(now), Waiting(who)))

        def announce(self, now: Any, who: Any, said: int) -> Any:
            part = getattr(module, "announce", None)
            answer = Announcement() if part is None else part(Snapshot(now), Waiting(who), seconds(said))
            answer = answer or Announcement()
            return wit.Announcement(prompts(answer.say), again(answer.again))

        def on_digit(self, now: Any, who: Any, key: str) -> Any:
            part = getattr(module, "on_digit", None)
            answer = None if part is None else part(Snapshot(now), Waiting(who), key)
            if answer is None:
                return wit.KeyAction_Pass()
            return wit.KeyAction_Ask(answer) if isinstance(answer, str) else wit.KeyAction_Say(prompts(answer))

    return WitWorld
