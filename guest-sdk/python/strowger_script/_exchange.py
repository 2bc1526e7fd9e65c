"""The interfaces of wit/ in a component: the only module that imports them. Elsewhere the simulated exchange of `sim`
stands in their place, with the same names."""

from __future__ import annotations

from importlib import import_module
from typing import Any

try:
    from componentize_py_types import Err
    from wit_world.imports import log, types

    IN_COMPONENT = True
except ImportError:
    from .sim._wit import Err, log, types

    IN_COMPONENT = False

if IN_COMPONENT:

    def _interface(name: str) -> Any:
        """None in a world that has it not: a queue strategy has none of these, a task script no call."""
        try:
            return import_module(f"wit_world.imports.{name}")
        except ImportError:
            return None

    call, queue, ended = _interface("call"), _interface("queue"), _interface("ended")
    clock, kv, settings = _interface("clock"), _interface("kv"), _interface("settings")
    crm, directory, http = _interface("crm"), _interface("directory"), _interface("http")
    mailbox, notify = _interface("mailbox"), _interface("notify")
else:
    from .sim._wit import call, clock, crm, directory, ended, http, kv, mailbox, notify, queue, settings

__all__ = [
    "Err",
    "IN_COMPONENT",
    "call",
    "clock",
    "crm",
    "directory",
    "ended",
    "http",
    "kv",
    "log",
    "mailbox",
    "notify",
    "queue",
    "settings",
    "types",
]
