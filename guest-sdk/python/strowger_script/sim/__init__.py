"""Tests of scripts: a test is a caller with a plan, in virtual time.

    import unittest
    import script
    from strowger_script.sim import Caller, User

    class Reception(unittest.TestCase):
        def test_whoever_presses_1_speaks_with_sales(self):
            Caller("+359888123456").with_settings({"sales": "ana"}).there(User("ana").answers_after(4)) \\
                .hears("welcome").presses("1").talks_with("ana").hangs_up_after(40).run(script)

`run` raises `AssertionError` with the call as a timeline when the plan can't be followed to its end, or when the script fails
and the plan does not say so. Lengths are seconds. Outside of a component this package stands for the exchange.
"""

from __future__ import annotations

from ._plan import Call, Caller, Telephone, User
from ._snapshot import snapshot
from ._tasks import CallBack, Told

__all__ = ["Call", "CallBack", "Caller", "Telephone", "Told", "User", "snapshot"]
