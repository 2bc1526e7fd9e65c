"""The words of the interface: why not, what to hear, whom to ring, and lengths. Lengths are seconds here, fractions
allowed, and milliseconds in wit/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, TypeVar

from ._exchange import Err, types

T = TypeVar("T")

_MOST_MILLIS = 2**32 - 1


class Failure(Exception):
    """Why a verb did not do what was asked. Let it leave the script, or catch the ones that you can act on."""

    #: The word of wit/: "hung-up", "busy" ...
    why = "other"
    #: The SIP status that tells a caller so (RFC 3261 §21).
    sip_status = 500
    _says = "{}"

    def __init__(self, detail: Any = None) -> None:
        #: What was not found, refused with, invalid or limited; None where there is nothing to say.
        self.detail = detail
        super().__init__(self._says.format(detail))


class HungUp(Failure):
    """The leg is gone, or the caller left: let it end the script."""

    why, sip_status, _says = "hung-up", 487, "hung up"


class Busy(Failure):
    """Whoever was rung is on a call, or all of them are."""

    why, sip_status, _says = "busy", 486, "busy"


class NoAnswer(Failure):
    """It rang until the time was up; or a menu asked until its tries were up."""

    why, sip_status, _says = "no-answer", 480, "no answer"


class Refused(Failure):
    """The far side refused: `detail` is its SIP status, 400 to 699."""

    why, _says = "refused", "refused with {}"

    def __init__(self, detail: int) -> None:
        super().__init__(detail)
        self.sip_status = detail


class Unreachable(Failure):
    """No registered device, no trunk in service."""

    why, sip_status, _says = "unreachable", 480, "unreachable"


class NotFound(Failure):
    """What was named does not exist: `detail` is its name."""

    why, sip_status, _says = "not-found", 404, "there is no {}"


class Invalid(Failure):
    """The arguments make no sense: `detail` says which, and why."""

    why, _says = "invalid", "invalid: {}"


class Limit(Failure):
    """One of the tenant's limits was reached: `detail` is its name."""

    why, sip_status, _says = "limit", 503, "the limit {} is reached"


class TimedOut(Failure):
    """The engine gave up waiting for something inside itself."""

    why, _says = "timed-out", "timed out"


_FAILURES = {kind.why: kind for kind in (HungUp, Busy, NoAnswer, Refused, Unreachable, NotFound, Invalid, Limit, TimedOut)}


def word_of(case: type) -> str:
    """The word of wit/ for the class of a variant's case: "hung-up" for Failure_HungUp."""
    name = case.__name__.split("_", 1)[-1]
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _case(variant: str, why: str) -> Any:
    """The class of a variant's case, by its word."""
    return getattr(types, f"{variant}_{''.join(part.capitalize() for part in why.split('-'))}")


def failed(value: Any) -> Failure:
    """A failure of wit/ as an exception."""
    kind = _FAILURES.get(word_of(type(value)), Failure)
    return kind(getattr(value, "value", None))


def variant_of(failure: Failure) -> Any:
    """An exception as a failure of wit/."""
    case = _case("Failure", failure.why)
    if failure.why == "refused":
        return case(failure.detail)
    if failure.why in ("not-found", "invalid", "limit"):
        return case(str(failure.detail))
    return case(str(failure)) if failure.why == "other" else case()


def verb(ask: Callable[..., T], *arguments: Any) -> T:
    """Runs an import that can fail."""
    try:
        return ask(*arguments)
    except Err as error:
        why = failed(error.value)
    raise why


def millis(seconds: float) -> int:
    """A length as wit/ has it."""
    if not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise Invalid(f"{seconds!r} is no length in seconds")
    return min(round(seconds * 1000), _MOST_MILLIS)


def seconds(length: int | None) -> float | None:
    """A length of wit/, in seconds."""
    return None if length is None else length / 1000


def named(value: Enum | None) -> str | None:
    """A case of an enumeration of wit/, by its word: "wrap-up"."""
    return None if value is None else value.name.lower().replace("_", "-")


def recording(name: str) -> Any:
    """A recording of the tenant by its name; a str where something to hear is wanted means the same."""
    return types.Prompt_Recording(name)


def text(words: str) -> Any:
    """Words to speak."""
    return types.Prompt_Text(words)


def digits(characters: str) -> Any:
    """Characters spoken one by one."""
    return types.Prompt_Digits(str(characters))


def silence(length: float) -> Any:
    """Nothing to hear, for so long."""
    return types.Prompt_Silence(millis(length))


def tone(hertz: int, length: float) -> Any:
    """A tone of so many Hz (100 to 3400), for so long."""
    return types.Prompt_Tone((hertz, millis(length)))


def music(name: str) -> Any:
    """Music on hold by name, for as long as nothing else is asked; the last of a list."""
    return types.Prompt_Music(name)


def quantity(number: int, noun: str) -> Any:
    """A number with what is counted, in words; the noun in the singular: `quantity(3, "minute")`."""
    return types.Prompt_Quantity((number, noun))


def duration(length: float) -> Any:
    """A length of time in words, rounded for the ear."""
    return types.Prompt_Duration(millis(length))


def position(place: int) -> Any:
    """A place in line as a sentence: "You are third in line."; the first is 1."""
    return types.Prompt_Position(place)


def prompt(what: Any) -> Any:
    """Something to hear; a str is the name of a recording."""
    return recording(what) if isinstance(what, str) else what


def prompts(what: Any) -> list[Any]:
    """One thing to hear or several, in their order; nothing for None."""
    if what is None:
        return []
    if isinstance(what, (list, tuple)):
        return [prompt(one) for one in what]
    return [prompt(what)]


def user(name: str) -> Any:
    """A user of the tenant, by name or extension; a str where somebody to ring is wanted means the same."""
    return types.Target_User(name)


def number(number: str) -> Any:
    """A telephone number, through the tenant's trunks."""
    return types.Target_Number(number)


def uri(uri: str) -> Any:
    """A SIP URI, reached directly."""
    return types.Target_Uri(uri)


def target(whom: Any) -> Any:
    """Somebody to ring; a str or a user of the directory is a user of the tenant."""
    if isinstance(whom, str):
        return user(whom)
    name = getattr(whom, "name", None)
    return user(name) if isinstance(name, str) else whom


def targets(whom: Any) -> list[Any]:
    """One to ring or several."""
    if isinstance(whom, Iterable) and not isinstance(whom, str):
        return [target(one) for one in whom]
    return [target(whom)]
