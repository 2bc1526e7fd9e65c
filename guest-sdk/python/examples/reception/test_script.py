import unittest

import script
from strowger_script import text
from strowger_script.sim import Caller, Telephone, User


def calls(*parties):
    caller = Caller("+359888123456").calendar("office", "open")
    caller.with_settings({"greeting": "welcome", "group": "sales", "then": "+359888000101"})
    for party in parties:
        caller.there(party)
    return caller


class Reception(unittest.TestCase):
    def test_whoever_presses_1_speaks_with_sales(self):
        ana = User("ana").in_group("sales").answers_after(4)
        boris = User("boris").in_group("sales").busy()
        plan = calls(ana, boris).hears("welcome").presses("1").hears_ringing().talks_with("ana").hangs_up_after(40)
        call = plan.run(script)
        self.assertEqual(call.tag("agent"), "ana")
        # A second to react, four until ana answers, forty of talk.
        self.assertEqual(call.length, 45)

    def test_when_nobody_answers_the_caller_leaves_a_message(self):
        ana = User("ana").in_group("sales").never_answers()
        mobile = Telephone("+359888000101").rejects_after(3, 603)
        plan = calls(ana, mobile).hears("welcome").presses("1").hears(text("Nobody answers.")).speaks_for(5)
        call = plan.run(script)
        self.assertEqual(call.tag("message"), "recording-1")
        self.assertEqual(call.log[-1], "sales: refused with 603")
        self.assertEqual(call.kept["messages"], b"1")

    def test_a_closed_office_hands_over(self):
        call = calls().calendar("office", "closed").is_handed_over_to("strowger/voicemail").run(script)
        self.assertEqual(call.handed_over[1], {"box": "sales"})

    def test_an_unknown_parcel_falls_back(self):
        calls().hears("welcome").presses("2").hears("parcel-number").presses("12#").falls_back().run(script)

    def test_a_plan_that_is_not_followed_says_what_is_left_of_it(self):
        with self.assertRaisesRegex(AssertionError, "never happened that the caller hears another"):
            calls().hears("another").run(script)


if __name__ == "__main__":
    unittest.main()
