"""Simulated conversations, and transfers that one of two parties asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._wit import ENDS, Err, call, types

if TYPE_CHECKING:
    from ._leg import Leg
    from ._world import World

RING = 20_000


def bridge(world: World, a: Leg, b: Leg, keys: str) -> Any:
    """Both talk, and transfers are carried out as asked; if one fails, they go on as they were."""
    while True:
        end = talk(world, a, b, keys)
        if not isinstance(end, ENDS.BridgeEnd_Transfer):
            return end
        try:
            end.value.carry_out(None, RING)
        except Err as err:
            if isinstance(err.value, types.Failure_HungUp):
                raise


def talk(world: World, a: Leg, b: Leg, keys: str) -> Any:
    world.passes(0)
    other = b if a is world.caller else a
    world.note(f"bridged with {other.who}")
    world.happens("talks with", other.who)
    until = min(other.hangs_up_at, other.transfers_at)
    other_left, caller_left = ENDS.BridgeEnd_BHungUp(), ENDS.BridgeEnd_AHungUp()
    if other is a and other is not b:
        other_left, caller_left = caller_left, other_left
    try:
        key = world.passes(max(0.0, until - world.now), lambda key: key in keys)
    except Err:
        return caller_left
    if key is not None:
        return ENDS.BridgeEnd_Digit(world.keys.pop())
    if other.hangs_up_at <= other.transfers_at:
        return other_left
    return ENDS.BridgeEnd_Transfer(Transfer(world, other, other is b))


class Transfer:
    """A transfer's handle."""

    def __init__(self, world: World, by: Leg, by_b: bool) -> None:
        self._world, self._by, self._by_b, self._open = world, by, by_b, True
        user = world.plan.find(types.Target_User(by.transfers_to))
        self._to = types.Target_User(user.name) if user else types.Target_Number(by.transfers_to)
        world.note(f"{by.who} asks for a transfer to {self._to.value}")
        by.transfers_at = float("inf")

    def by_b(self) -> bool:
        return self._by_b

    def to(self) -> Any:
        return self._to

    def attended(self) -> bool:
        return False

    def _decide(self) -> None:
        if not self._open:
            raise Err(types.Failure_Invalid("no transfer is asked for"))
        self._open = False

    def carry_out(self, to: Any, ring: int) -> None:
        self._decide()
        self._world.happens("hears music")
        stages = [call.Stage(0, [to or self._to])]
        came = self._world.call_dial(stages, call.DialOptions(ring, None, None, False))
        self._world.note(f"{came.who} takes the place of {self._by.who}")
        # The script holds this leg and goes on with it.
        vars(self._by).update(vars(came))

    def refuse(self, status: int) -> None:
        self._decide()
        self._world.note(f"{self._by.who} may not transfer: {status}")
