"""The interfaces of wit/ in a component: the only module that imports them. Elsewhere the simulated exchange of `sim`
stands in their place, with the same names."""

from __future__ import annotations

try:
    from componentize_py_types import Err
    from wit_world.imports import log, types

    IN_COMPONENT = True
except ImportError:
    from .sim._wit import Err, log, types

    IN_COMPONENT = False

if IN_COMPONENT:
    try:
        from wit_world.imports import call, clock, crm, directory, ended, http, kv, mailbox, notify, queue, settings
    except ImportError:
        # The world of queue strategies has none of these.
        call = clock = crm = directory = ended = http = kv = mailbox = notify = queue = settings = None
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
