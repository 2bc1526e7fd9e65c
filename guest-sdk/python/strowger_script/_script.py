"""Where the exchange enters a script: what `strowger script build` makes of a module."""

from __future__ import annotations

import inspect
import json
import random
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from . import _exchange as exchange
from ._leg import Leg
from ._queue import Refusal
from ._words import Failure, named, seconds, variant_of


@dataclass(frozen=True)
class CallRecord:
    """What there is to know when the call is over; lengths in seconds."""

    id: str
    caller: Any
    dialled: str
    started: float
    waited: float
    talked: float
    answered_by: str | None
    #: "answered", "missed", "abandoned", "voicemail", "rejected" or "failed".
    outcome: str
    recordings: list[str]
    tags: list[tuple[str, str]]


def _record(of: Any) -> CallRecord:
    return CallRecord(
        of.id(),
        of.caller(),
        of.dialled(),
        of.started(),
        seconds(of.waited()),
        seconds(of.talked()),
        of.answered_by(),
        named(of.outcome()),
        of.recordings(),
        of.tags(),
    )


def run_call(module: ModuleType | Any, caller: Any) -> None:
    """Runs a script's `on_call(caller)`, or `on_call(caller, settings)`."""
    settings = json.loads(exchange.settings.get())
    leg = Leg(caller)
    if len(inspect.signature(module.on_call).parameters) > 1:
        module.on_call(leg, settings)
    else:
        module.on_call(leg)


def leaves_as_failure(part: Any, *arguments: Any) -> None:
    """A failure leaves the script as one of wit/. Anything else is the script's own mistake: Python writes its traceback to
    the log, and the script is stopped."""
    # The generator's state is the one of the build.
    random.seed(exchange.clock.random(2**32 - 1))
    try:
        part(*arguments)
    except Refusal as refusal:
        failure = refusal.failure
    except Failure as why:
        failure = why
    else:
        return
    raise exchange.Err(variant_of(failure))


def call_world(module: ModuleType) -> type:
    """The world of call scripts over a module with `on_call` and, if it likes, `on_ended`."""
    if not callable(getattr(module, "on_call", None)):
        raise TypeError(f"{module.__name__}.py has no on_call(caller, settings)")

    class WitWorld:
        def on_call(self, caller: Any) -> None:
            leaves_as_failure(run_call, module, caller)

        def on_ended(self, how: Any) -> None:
            after = getattr(module, "on_ended", None)
            if after is not None:
                leaves_as_failure(after, _record(how))

    return WitWorld


def task_world(module: ModuleType) -> type:
    """The world of task scripts over a module with `on_change`."""
    from .tasks import world

    return world(module)


def queue_world(module: ModuleType) -> type:
    """The world of queue strategies over a module with `rank` and, if it likes, the other four."""
    from .strategy import world

    return world(module)
