"""A queue at one moment."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from ._wit import types


def snapshot(
    *,
    queue: str = "queue",
    settings: Any = None,
    seed: int = 1,
    waiting: tuple[Any, ...] | list[Any] = (),
    agents: dict[str, dict[str, Any]] | None = None,
) -> Any:
    """A queue at one moment, for the table of a strategy's test; what is not given is usual, lengths are seconds."""
    from ..strategy import Snapshot

    lengths = {"waited", "expected", "free_for", "since_offered", "talked", "signed_in_for"}

    def handle(values: dict[str, Any]) -> Any:
        made = {name: value * 1000 if name in lengths and value is not None else value for name, value in values.items()}
        return SimpleNamespace(**{name: (lambda value: lambda: value)(value) for name, value in made.items()})

    callers = []
    for place, given in enumerate(waiting, 1):
        own = {"number": given} if isinstance(given, str) else given
        usual = {"id": place, "number": "", "priority": 0, "waited": 0, "position": place, "expected": None}
        callers.append(usual | {"last_agent": None, "tried": [], "offered": False, "anyone": True, "skills": []} | own)
    desks = []
    for name, own in (agents or {}).items():
        counts = dict.fromkeys(("offered", "answered", "talked", "signed_in_for", "missed_in_a_row"), 0)
        values = {"name": name, "state": "AVAILABLE", "free_for": 0, "since_offered": 0, "skills": []} | counts
        values |= {"level": 1, "weight": 1} | own
        free = values["state"] == "AVAILABLE"
        desks.append({"free": free} | values | {"state": types.AgentState[values["state"]]})
    line = sorted((one for one in callers if not one["offered"]), key=lambda one: -one["priority"])
    return Snapshot(
        SimpleNamespace(
            queue=lambda: queue,
            settings=lambda: json.dumps(settings or {}),
            seed=lambda: seed,
            last_answered=lambda: None,
            service=lambda: 0,
            waiting=lambda: [handle(one) for one in callers],
            in_line=lambda most: [handle(one) for one in line[:most]],
            agents=lambda: [handle(one) for one in desks],
            free=lambda: [handle(one) for one in desks if one["free"]],
        )
    )
