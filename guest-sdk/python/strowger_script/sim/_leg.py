"""A leg of a simulated call, as a handle of wit/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._wit import Direction, EndOfDigits, Gathered, Recorded, types

if TYPE_CHECKING:
    from ._plan import Party
    from ._world import World

CHARACTER = 0.5


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

    def play(self, what: list[Any], cut_by_key: bool) -> None:
        self._world.passes(0)
        self._world.hears(what, cut_by_key)

    def gather(self, options: Any) -> Any:
        world = self._world
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
