"""A leg: one party's connection to the exchange, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._exchange import call
from ._words import Failure, HungUp, NoAnswer, millis, named, prompt, prompts, seconds, verb

FIRST_KEY = 6.0
BETWEEN_KEYS = 3.0
#: Q.850 §2.2.5.
NORMAL_CLEARING = 16
KEYS = "0123456789*#"


@dataclass(frozen=True)
class Gathered:
    """What was pressed, and why the asking ended: "enough", "terminator" or "time-out"."""

    digits: str
    ended: str


@dataclass(frozen=True)
class Recorded:
    """A recording that was made: its name, which is something to hear too, and its length in seconds."""

    id: str
    length: float


class Leg:
    """One party's connection. One that was dialled lives until it hangs up, is hung up, or the script returns."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def party(self) -> Any:
        """The party at the far end: `number`, `name`, `uri`."""
        return self._handle.party()

    @property
    def number(self) -> str:
        """The far end's number: E.164 with "+", or an extension; empty when withheld."""
        return self._handle.party().number

    @property
    def dialled(self) -> str:
        """The number that was dialled, as it arrived."""
        return self._handle.dialled()

    @property
    def direction(self) -> str:
        """Where the leg came from: "inbound", "outbound" or "internal"."""
        return named(self._handle.direction())

    @property
    def user(self) -> str | None:
        """The tenant's user at the far end, by name, if it is one."""
        return self._handle.user()

    @property
    def language(self) -> str:
        """The language of prompts, as BCP 47: "en"."""
        return self._handle.language()

    def header(self, name: str) -> list[str]:
        """A SIP header's values; none from sides that are not trusted."""
        return self._handle.header(name)

    def set_language(self, tag: str) -> None:
        """Changes the language of prompts from here on."""
        verb(self._handle.set_language, tag)

    def ring(self, early: Any = None) -> None:
        """Lets the caller hear that it rings (180), or something before answering (183)."""
        verb(self._handle.ring, None if early is None else prompt(early))

    def answer(self) -> None:
        """Answers; done already is no error."""
        verb(self._handle.answer)

    def reject(self, status: int, reason: str = "") -> None:
        """Refuses an unanswered caller with a SIP status, 300 to 699."""
        verb(self._handle.reject, status, reason)

    def decline(self, why: Failure) -> None:
        """Refuses the caller with the status that says why; one who is answered already is hung up on."""
        try:
            self.reject(why.sip_status)
        except HungUp:
            raise
        except Failure:
            self.hang_up()

    def play(self, what: Any) -> None:
        """Plays, and waits until all is heard. Keys pressed meanwhile stay for the next `gather` or menu."""
        verb(self._handle.play, prompts(what), False)

    def play_until_key(self, what: Any) -> None:
        """Plays, and waits until all is heard or a key is pressed; the key stays for the next `gather` or menu."""
        verb(self._handle.play, prompts(what), True)

    def gather(
        self,
        most: int,
        prompt: Any = None,
        *,
        terminator: str | None = "#",
        first: float = FIRST_KEY,
        between: float = BETWEEN_KEYS,
    ) -> Gathered:
        """Asks for up to `most` digits, 1 to 32. `first`: seconds for the first key, from the end of the prompt."""
        options = call.GatherOptions(prompts(prompt), most, terminator, millis(first), millis(between))
        gathered = verb(self._handle.gather, options)
        return Gathered(gathered.digits, named(gathered.ended))

    def menu(self, prompt: Any, **options: Any) -> str:
        """As `try_menu`; `NoAnswer` when the tries are up."""
        key = self.try_menu(prompt, **options)
        if key is None:
            raise NoAnswer
        return key

    def try_menu(
        self,
        prompt: Any,
        *,
        keys: str = KEYS,
        retries: int = 2,
        within: float = FIRST_KEY,
        on_wrong_key: Any = None,
        on_silence: Any = None,
    ) -> str | None:
        """Plays a menu and asks for one of `keys`; None when the tries are up."""
        first = None
        for _ in range(retries + 1):
            said = prompts(first) + prompts(prompt)
            pressed = self.gather(1, said, terminator=None, first=within, between=within).digits
            if pressed and pressed in keys:
                return pressed
            first = on_wrong_key if pressed else on_silence
        return None

    def record_message(self, most: float = 120.0, silence: float = 4.0) -> Recorded:
        """Records until so much silence, a key, or `most` seconds."""
        made = verb(self._handle.record_message, millis(most), millis(silence))
        return Recorded(made.id, seconds(made.length))

    def start_recording(self) -> str:
        """Records this leg and whoever it talks with from here on; answers the recording's name."""
        return verb(self._handle.start_recording)

    def stop_recording(self) -> None:
        """Ends what `start_recording` began."""
        verb(self._handle.stop_recording)

    def pause_recording(self) -> None:
        """Leaves out of the recording what is said from here on: a card number."""
        verb(self._handle.pause_recording)

    def resume_recording(self) -> None:
        """What is said is recorded again."""
        verb(self._handle.resume_recording)

    def send_digits(self, digits: str) -> None:
        """Sends keys and waits until they are sent: 0-9, *, #, A-D, and "," for a pause of half a second."""
        verb(self._handle.send_digits, digits)

    def hold(self, hears: Any) -> None:
        """Holds the leg and plays something to it."""
        verb(self._handle.hold, prompt(hears))

    def resume(self) -> None:
        """Ends the hold."""
        verb(self._handle.resume)

    def hang_up(self, cause: int = NORMAL_CLEARING) -> None:
        """Ends the leg with a Q.850 cause (RFC 3326)."""
        self._handle.hang_up(cause)
