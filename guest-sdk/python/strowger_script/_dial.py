"""Ringing others, letting them talk, and giving the call away."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ._exchange import call
from ._leg import Leg
from ._words import Failure, HungUp, Unreachable, millis, music, prompt, target, targets, verb, word_of

RING_FOR = 30.0
PARKED_FOR = 120.0

#: How much a failure says of what happened, as a dial of several places weighs it.
_WEIGHT = {"refused": 4, "busy": 3, "no-answer": 2, "limit": 1, "not-found": 1}


def dial(
    whom: Any,
    *,
    for_secs: float = RING_FOR,
    then: list[tuple[float, Any]] | None = None,
    one_by_one: float | None = None,
    skip_busy: bool = False,
    present: Any = None,
    ringback: Any = None,
) -> Leg:
    """Rings one place or several together and waits for the first to answer.

    `then`: rings these as well, each so many seconds after the beginning, or earlier when all before have failed.
    `one_by_one`: rings one after the other, each alone and for so long. `present`: shown as the caller, a leg or a party.

    Raises the best failure heard: any refusal before busy, busy before no answer, those before unreachable.
    """
    stages = [call.Stage(0, targets(whom))]
    stages += [call.Stage(millis(after), targets(more)) for after, more in then or []]
    stages = [stage for stage in stages if stage.targets]
    if not stages:
        raise Unreachable
    party = present.party if isinstance(present, Leg) else present
    hears = None if ringback is None else prompt(ringback)
    if one_by_one is None:
        return Leg(verb(call.dial, stages, call.DialOptions(millis(for_secs), hears, party, skip_busy)))
    options = call.DialOptions(millis(one_by_one), hears, party, skip_busy)
    best: Failure = Unreachable()
    for place in (place for stage in stages for place in stage.targets):
        try:
            return Leg(verb(call.dial, [call.Stage(0, [place])], options))
        except HungUp:
            raise
        except Failure as failure:
            if _WEIGHT.get(failure.why, 0) >= _WEIGHT.get(best.why, 0):
                best = failure
    raise best


@dataclass(frozen=True)
class End:
    """Why a conversation or a wait ended: a word, and what came with it."""

    why: str
    #: With "digit".
    key: str | None = None
    #: With "transfer".
    transfer: Transfer | None = None
    #: With "connected": the agent's leg.
    agent: Leg | None = None
    #: With "asked" and "other".
    words: str | None = None


class Transfer:
    """What a user's telephone asks by REFER (RFC 3515): that someone takes its place in a conversation."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def by_b(self) -> bool:
        """Whether the second leg of `talk` asks, and not the first."""
        return self._handle.by_b()

    @property
    def to(self) -> Any:
        """Who is meant."""
        return self._handle.to()

    @property
    def attended(self) -> bool:
        """They have spoken with each other already, and the two calls are to become one."""
        return self._handle.attended()

    def carry_out(self, to: Any = None, ring: float = 20.0) -> None:
        """Does what was asked, or rings `to` in place of it; waits until someone has taken the place."""
        verb(self._handle.carry_out, None if to is None else target(to), millis(ring))

    def refuse(self, status: int = 603) -> None:
        """Tells the telephone that it will not be."""
        verb(self._handle.refuse, status)


def end_of(value: Any) -> End:
    """A variant of wit/ that says why something ended."""
    why = word_of(type(value))
    what = getattr(value, "value", None)
    match why:
        case "digit":
            return End(why, key=what)
        case "transfer":
            return End(why, transfer=Transfer(what))
        case "connected":
            return End(why, agent=Leg(what))
        case _:
            return End(why, words=what)


def bridge(a: Leg, b: Leg) -> None:
    """Both talk until one of them hangs up. A leg bridged with itself hears itself."""
    verb(call.bridge, a._handle, b._handle, "")


def bridge_until(a: Leg, b: Leg, keys: str) -> End:
    """Both talk until one of them hangs up ("a-hung-up", "b-hung-up"), or `a` presses one of `keys` ("digit")."""
    return end_of(verb(call.bridge, a._handle, b._handle, keys))


def talk(a: Leg, b: Leg, keys: str = "") -> End:
    """As `bridge_until`, but the script decides about transfers ("transfer")."""
    return end_of(verb(call.talk, a._handle, b._handle, keys))


def transferred_by() -> str | None:
    """The user who transferred the call last, by name, if one did."""
    return call.transferred_by()


def park(leg: Leg, slot: str, *, for_secs: float = PARKED_FOR, hears: Any = None) -> Leg:
    """Waits until a leg of another call comes for this one; `Busy` when someone is parked there."""
    sound = music("hold") if hears is None else prompt(hears)
    return Leg(verb(call.park, leg._handle, slot, millis(for_secs), sound))


def retrieve(slot: str) -> None:
    """Gives the caller's leg, answered, to the call that is parked in this slot."""
    verb(call.retrieve, slot)


def pick_up(user: str) -> None:
    """Gives the caller's leg, answered, to the call that rings at this user's."""
    verb(call.pick_up, user)


def tag(key: str, value: str) -> None:
    """Marks the call for the register: at most 32 marks, 64 bytes the key, 256 the value."""
    verb(call.tag, key, str(value))


def hand_over(script: str, settings: Any = None) -> None:
    """Hands the call to another script of the tenant, or a shipped one; takes effect when this script returns."""
    compact = json.dumps({} if settings is None else settings, ensure_ascii=False, separators=(",", ":"))
    verb(call.hand_over, script, compact)
