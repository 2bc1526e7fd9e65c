"""A leg of a simulated call, as a handle of wit/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._wit import Direction, EndOfDigits, Err, Gathered, Recorded, types

if TYPE_CHECKING:
    from ._plan import Party
    from ._world import World

CHARACTER = 0.5
REACTION = 1.0
BETWEEN_KEYS = 0.5
RECORDING = 2.0


def nominal(prompt: Any) -> float:
    """How long a prompt is heard."""
    value = prompt.value
    if isinstance(prompt, types.Prompt_Silence):
        return value / 1000
    if isinstance(prompt, types.Prompt_Tone):
        return value[1] / 1000
    if isinstance(prompt, types.Prompt_Digits):
        return len(value) * CHARACTER
    return float("inf") if isinstance(prompt, types.Prompt_Music) else RECORDING


class Leg:
    """A leg's handle."""

    def __init__(self, world: World, party: Any, direction: Any, user: str | None, by: Party | None = None) -> None:
        self._world = world
        self._party = party
        self._direction = direction
        self._user = user
        self.hangs_up_at = world.now + by.talks if by else float("inf")
        self.transfers_at = world.now + by.transfers[0] if by else float("inf")
        self.transfers_to = by.transfers[1] if by else ""
        self.keys = list(by.keys) if by else []
        self.who = user or party.number

    def party(self) -> Any:
        return self._party

    def dialled(self) -> str:
        return self._world.plan.dialled if self._direction is Direction.INBOUND else self._party.number

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

    def _plays(self, what: list[Any]) -> float:
        """To whoever is not the caller; how long it takes."""
        for prompt in what:
            self._world.note(f"plays {prompt.value} to {self.who}")
        return sum(map(nominal, what))

    def _passes(self, length: float) -> None:
        """Time goes by beside a leg that is not the caller's, and that may hang up. A caller who has left is not waited for."""
        world = self._world
        if self.hangs_up_at <= world.now:
            raise Err(types.Failure_HungUp())
        until = min(world.now + length, self.hangs_up_at)
        if not world.left:
            world.passes(until - world.now)
        elif until < float("inf"):
            world.now = until
        if until < self.hangs_up_at:
            return
        # Nobody listens to what never ends.
        world.note(f"{self.who} hangs up")
        self.hangs_up_at = world.now
        raise Err(types.Failure_HungUp())

    def play(self, what: list[Any], cut_by_key: bool) -> None:
        if self is not self._world.caller:
            return self._passes(self._plays(what))
        self._world.passes(0)
        self._world.hears(what, cut_by_key)

    def _gather(self, options: Any) -> Any:
        """Keys of whoever is not the caller."""
        world = self._world
        pressed, ended = "", EndOfDigits.ENOUGH
        until = world.now + self._plays(options.prompts) + options.first / 1000
        presses_at = world.now + REACTION
        while len(pressed) < options.most:
            presses = bool(self.keys) and presses_at <= until
            self._passes((presses_at if presses else until) - world.now)
            if not presses:
                ended = EndOfDigits.TIME_OUT
                break
            key = self.keys.pop(0)
            world.note(f"{self.who} presses {key}")
            if key == options.terminator:
                ended = EndOfDigits.TERMINATOR
                break
            pressed += key
            until, presses_at = world.now + options.between / 1000, world.now + BETWEEN_KEYS
        world.note(f'gathered "{pressed}"')
        return Gathered(pressed, ended)

    def gather(self, options: Any) -> Any:
        world = self._world
        if self is not world.caller:
            return self._gather(options)
        world.passes(0)
        world.hears(options.prompts, True)
        pressed, ended = "", EndOfDigits.ENOUGH
        while len(pressed) < options.most:
            limit = (options.between if pressed else options.first) / 1000
            if not world.keys and world.passes(limit, lambda _: True) is None:
                ended = EndOfDigits.TIME_OUT
                break
            key = world.keys.pop(0)
            if key == options.terminator:
                ended = EndOfDigits.TERMINATOR
                break
            pressed += key
        world.note(f'gathered "{pressed}"')
        return Gathered(pressed, ended)

    def record_message(self, most: int, silence: int) -> Any:
        world = self._world
        world.note("record a message")
        speaks = world.steps.pop(0).what if world.steps and world.steps[0].kind == "speaks" else 0.0
        world.caller_at = world.now + speaks
        world.passes(min(most / 1000, speaks + silence / 1000), lambda _: True)
        return Recorded("recording-1", int(min(most / 1000, speaks) * 1000))

    def start_recording(self) -> str:
        return "recording-1"

    def stop_recording(self) -> None:
        pass

    def pause_recording(self) -> None:
        self._world.note("the recording pauses")

    def resume_recording(self) -> None:
        self._world.note("the recording goes on")

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
