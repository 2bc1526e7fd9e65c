"""Call scripts for the strowger telephone exchange.

A script is straight-line code that runs once for every call: no callbacks, no state machine, no `async`. A verb blocks
until it has happened; when the caller leaves, the verb that is waiting raises `HungUp`, which leaves the script. Lengths
are seconds.

    from strowger_script import *

    def on_call(caller, settings):
        caller.answer()
        match caller.menu("welcome", keys="12"):
            case "1":
                bridge(caller, dial(settings["sales"], for_secs=20))
            case _:
                caller.play("opening-hours")

`strowger script build` makes a component of it. Modules must be imported at the top of the script: they are read when
it is built. `strowger_script.sim` has callers for unit tests.
"""

from ._around import Contact, User, clock, crm, directory, kv, log
from ._dial import (
    End,
    Transfer,
    bridge,
    bridge_until,
    dial,
    hand_over,
    park,
    pick_up,
    retrieve,
    tag,
    talk,
    transferred_by,
)
from ._http import Response, http
from ._leg import Gathered, Leg, Recorded
from ._messages import Mailbox, Message, mailbox, notify
from ._queue import Outlook, Place, Refusal, agents, queue
from ._script import CallRecord
from ._words import (
    Busy,
    Failure,
    HungUp,
    Invalid,
    Limit,
    NoAnswer,
    NotFound,
    Refused,
    TimedOut,
    Unreachable,
    digits,
    duration,
    music,
    number,
    position,
    quantity,
    recording,
    silence,
    text,
    tone,
    uri,
    user,
)

__all__ = [name for name in dir() if not name.startswith("_")]
