"""Waiting for an agent, and what agents do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._dial import End, end_of
from ._exchange import Err
from ._exchange import queue as exchange
from ._leg import Leg
from ._words import Busy, Failure, Unreachable, failed, millis, named, prompt, seconds, verb, word_of


class Refusal(Exception):
    """Why a caller may not wait: "full", "closed", "nobody", "too-long" or "other", with a detail for the last two."""

    _SAYS = {
        "full": "the queue is full",
        "closed": "the queue is closed",
        "nobody": "nobody serves the queue",
        "too-long": "the wait would be {} s",
    }

    def __init__(self, why: str, detail: Any = None) -> None:
        self.why = why
        self.detail = detail
        super().__init__(self._SAYS.get(why, "{}").format(detail))

    @property
    def failure(self) -> Failure:
        """As a script that does not catch it fails."""
        if self.why == "full":
            return Busy()
        return Unreachable() if self.why in ("closed", "nobody") else Failure(str(self))


@dataclass(frozen=True)
class Outlook:
    """How it looks in a queue; lengths in seconds."""

    waiting: int
    available: int
    serving: int
    longest: float
    expected: float | None


class Place:
    """A caller's place in a queue, kept until an agent is connected, it is left, or the call ends."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def position(self) -> int:
        """First is 1; 0 when the place is over."""
        return self._handle.position()

    @property
    def expected(self) -> float | None:
        """How long it will probably take still."""
        return seconds(self._handle.expected())

    @property
    def resumed(self) -> bool:
        """Whether the caller lost the call a moment ago, and has the old place again."""
        return self._handle.resumed()

    def wait(self, keys: str = "", hears: Any = None) -> End:
        """Waits: "connected" with an agent, "digit" with a key of `keys`, "asked" with a word of the strategy's,
        "longest-wait", "nobody", "other"."""
        return end_of(verb(self._handle.wait, keys, None if hears is None else prompt(hears)))

    def set_priority(self, priority: int) -> None:
        """Another priority from here on, -100 to 100."""
        verb(self._handle.set_priority, priority)

    def call_back(self, number: str) -> None:
        """Leaves the line and keeps the place: an agent is rung at its turn, then this number."""
        verb(self._handle.call_back, number)

    def leave(self) -> None:
        """Gives the place up."""
        self._handle.leave()


class queue:
    """Queues of the tenant."""

    @staticmethod
    def enter(
        caller: Leg, name: str, *, priority: int = 0, skills: dict[str, int] | None = None, longest: float = 0
    ) -> Place:
        """Takes a place; the caller is answered first. Raises `Refusal`."""
        caller.answer()
        try:
            return Place(exchange.enter(name, exchange.Entry(priority, list((skills or {}).items()), millis(longest))))
        except Err as error:
            value = error.value
        why, detail = word_of(type(value)), getattr(value, "value", None)
        raise failed(detail) if why == "failed" else Refusal(why, seconds(detail) if why == "too-long" else detail)

    @staticmethod
    def look(name: str) -> Outlook | None:
        """None when there is no such queue."""
        at = exchange.look(name)
        if at is None:
            return None
        return Outlook(at.waiting(), at.available(), at.serving(), seconds(at.longest()), seconds(at.expected()))


class agents:
    """What agents do."""

    @staticmethod
    def state(user: str) -> str | None:
        """"offline", "available", "offered", "talking", "wrap-up" or "paused"; None when there is no such agent."""
        return named(exchange.agent(user))

    @staticmethod
    def make_available(user: str) -> None:
        """Rung again, and no longer paused or in wrap-up."""
        verb(exchange.make_available, user)

    @staticmethod
    def pause(user: str, reason: str = "") -> None:
        """Not rung until made available."""
        verb(exchange.pause, user, reason)

    @staticmethod
    def sign_in(user: str, name: str) -> None:
        """Serves a queue from here on, besides those of the configuration."""
        verb(exchange.sign_in, user, name)

    @staticmethod
    def sign_out(user: str, name: str) -> None:
        """Serves it no longer, even one of the configuration."""
        verb(exchange.sign_out, user, name)
