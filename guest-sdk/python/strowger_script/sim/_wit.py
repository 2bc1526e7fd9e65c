"""What is needed of wit/, under the names that the bindings have in a component. Its functions are those of the world that
plays a call now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._world import World


@dataclass(frozen=True)
class Err(Exception):
    """A failure of wit/ on its way."""

    value: Any


def _variant(name: str, *cases: str) -> dict[str, type]:
    """The classes of a variant's cases; one that ends with "=" carries a value."""
    made = {}
    for case in cases:
        fields = ["value"] if case.endswith("=") else []
        made[f"{name}_{case.rstrip('=')}"] = make_dataclass(f"{name}_{case.rstrip('=')}", fields)
    return made


def case(variant: str, word: str) -> Any:
    """The case of a variant, by its word."""
    return make_dataclass(f"{variant}_{''.join(part.capitalize() for part in word.split('-'))}", [])()


def _enum(name: str, *cases: str) -> type[Enum]:
    return Enum(name, {case: number for number, case in enumerate(cases)})


types = SimpleNamespace(
    **_variant("Failure", "HungUp", "Busy", "NoAnswer", "Refused=", "Unreachable", "NotFound=", "Invalid=", "Limit="),
    **_variant("Failure", "TimedOut", "Other="),
    **_variant("Prompt", "Recording=", "Text=", "Digits=", "Silence=", "Tone=", "Music=", "Quantity=", "Duration="),
    **_variant("Prompt", "Position="),
    **_variant("Target", "User=", "Number=", "Uri="),
    Party=make_dataclass("Party", ["number", "name", "uri"]),
    AgentState=_enum("AgentState", "OFFLINE", "AVAILABLE", "OFFERED", "TALKING", "WRAP_UP", "PAUSED"),
)
ENDS = SimpleNamespace(
    **_variant("BridgeEnd", "AHungUp", "BHungUp", "Digit=", "Transfer="), **_variant("Waited", "Connected=", "Digit=", "LongestWait")
)
Presence = _enum("Presence", "OFFLINE", "FREE", "RINGING", "BUSY")
Direction = _enum("Direction", "INBOUND", "OUTBOUND", "INTERNAL")
EndOfDigits = _enum("EndOfDigits", "ENOUGH", "TERMINATOR", "TIME_OUT")
Gathered = make_dataclass("Gathered", ["digits", "ended"])
Recorded = make_dataclass("Recorded", ["id", "length"])

_playing: World | None = None


def play(world: World | None) -> World | None:
    """This world plays from here on; answers the one that did."""
    global _playing
    before, _playing = _playing, world
    return before


def _current() -> World:
    if _playing is None:
        raise RuntimeError("a verb was called outside of a simulated call; use Caller(...).run(script)")
    return _playing


def _of_world(*names: str) -> dict[str, Callable[..., Any]]:
    def ask(name: str) -> Callable[..., Any]:
        return lambda *arguments: getattr(_current(), name)(*arguments)

    return {name.split("_", 1)[1]: ask(name) for name in names}


call = SimpleNamespace(
    GatherOptions=make_dataclass("GatherOptions", ["prompts", "most", "terminator", "first", "between"]),
    Stage=make_dataclass("Stage", ["after", "targets"]),
    DialOptions=make_dataclass("DialOptions", ["timeout", "ringback", "present", "skip_busy"]),
    **_of_world("call_dial", "call_bridge", "call_talk", "call_transferred_by", "call_park", "call_retrieve"),
    **_of_world("call_pick_up", "call_tag", "call_hand_over"),
)
clock = SimpleNamespace(
    **_of_world("clock_now", "clock_local_time", "clock_time_in", "clock_scheme", "clock_random", "clock_sleep")
)
crm = SimpleNamespace(**_of_world("crm_find", "crm_create_task", "crm_close_task"))
directory = SimpleNamespace(
    **_of_world("directory_find", "directory_group", "directory_last_spoke_with", "directory_conversations")
)
ended = SimpleNamespace()
http = SimpleNamespace(
    Method=_enum("Method", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
    Request=make_dataclass("Request", ["method", "url", "headers", "body", "timeout", "redirects"]),
    **_of_world("http_fetch"),
)
kv = SimpleNamespace(**_of_world("kv_get", "kv_set", "kv_swap", "kv_add", "kv_delete"))
mailbox = SimpleNamespace(
    **_of_world("mailbox_find", "mailbox_unlock", "mailbox_messages", "mailbox_keep", "mailbox_delete", "mailbox_greet")
)
notify = SimpleNamespace(**_of_world("notify_send"))
queue = SimpleNamespace(
    Entry=make_dataclass("Entry", ["priority", "skills", "longest"]),
    **_of_world("queue_enter", "queue_look", "queue_agent", "queue_make_available", "queue_pause"),
    **_of_world("queue_sign_in", "queue_sign_out"),
)
settings = SimpleNamespace(**_of_world("settings_get"))
log = SimpleNamespace(Level=_enum("Level", "DEBUG", "INFO", "WARN", "ERROR"), **_of_world("log_write"))
