"""The simulated exchange, and the SDK over it: timelines of what a caller hears and does."""

import unittest
from types import SimpleNamespace

from strowger_script import HungUp, NotFound, Refused, bridge, dial, kv, mailbox, notify, queue, tag, talk, transferred_by
from strowger_script.sim import CallBack, Caller, User


def script(on_call):
    """A script with this part alone."""
    return SimpleNamespace(on_call=on_call)


class Calls(unittest.TestCase):
    def test_a_transfer_is_the_scripts_to_carry_out_to_turn_elsewhere_or_to_refuse(self):
        seen = []

        def decides(caller, _settings):
            ana = dial("ana")
            while (end := talk(caller, ana)).why == "transfer":
                seen.append((end.transfer.by_b, end.transfer.to.value))
                if end.transfer.to.value == "boris":
                    end.transfer.carry_out("vera", ring=10)
                else:
                    end.transfer.refuse()
            seen.append(end.why)

        vera = User("vera").answers_after(3).transfers_after(7, "+1").hangs_up_after(20)
        plan = Caller("1").there(User("ana").transfers_after(5, "102")).there(User("boris").numbered("102")).there(vera)
        call = plan.talks_with("ana").talks_with("vera").is_hung_up().run(script(decides))
        self.assertEqual(seen, [(True, "boris"), (True, "+1"), "b-hung-up"])
        # Two until ana answers, five with ana, three until vera answers, twenty with vera.
        self.assertEqual(call.length, 30)

    def test_without_a_scripts_say_a_transfer_is_carried_out_and_one_that_fails_changes_nothing(self):
        def length(to, with_whom):
            ana = User("ana").transfers_after(5, to).hangs_up_after(60)
            plan = Caller("1").there(ana).there(User("boris").hangs_up_after(10))
            plan.talks_with("ana").talks_with(with_whom).is_hung_up()
            return plan.run(script(lambda caller, _: bridge(caller, dial("ana")))).length

        self.assertEqual(length("boris", "boris"), 2 + 5 + 2 + 10)
        self.assertEqual(length("+1", "ana"), 2 + 60)
        tells = script(lambda caller, _: caller.play(transferred_by()))
        Caller("1").transferred_by_user("ana").hears("ana").is_hung_up().run(tells)

    def test_whoever_answered_presses_a_key_when_the_caller_has_left(self):
        def asks(caller, _settings):
            ana = dial("ana")
            bridge(caller, ana)
            with self.assertRaises(HungUp):
                caller.play("good-bye")
            tag("category", ana.try_menu("what-was-it", keys="12", within=5, retries=1) or "none")

        def run(ana):
            return Caller("1").there(ana).talks_with("ana").hangs_up_after(30).run(script(asks))

        pressed = run(User("ana").presses("92"))
        self.assertEqual((pressed.tag("category"), pressed.length), ("2", 34))
        gone = run(User("ana").hangs_up_after(31).presses("12"))
        self.assertEqual((gone.tag("category"), gone.timeline[-1]), (None, "   33.0 s  ana hangs up"))

        def waits(caller, _settings):
            agent = queue.enter(caller, "sales").wait().agent
            bridge(caller, agent)
            agent.play("that-was-it")
            tag("category", agent.gather(most=3).digits)

        plan = Caller("1").there(User("ana").presses("12#")).queue("sales", agent="ana", after=4)
        served = plan.talks_with("ana").hangs_up_after(5).run(script(waits))
        self.assertEqual(served.tag("category"), "12")

    def test_a_box_is_unlocked_heard_and_emptied_and_people_are_told(self):
        def hears(caller, _settings):
            box = mailbox.find("101")
            with self.assertRaises(Refused):
                box.unlock("0000")
            box.unlock("1234")
            first, second = box.messages()
            self.assertEqual((box.name, box.unheard, box.heard, box.owners), ("ana", 1, 1, ["ana"]))
            self.assertEqual((first.id, first.heard, first.length, second.id), ("m-2", False, 10.0, "m-1"))
            caller.play(first.id)
            box.keep(first)
            box.delete(second)
            with self.assertRaises(NotFound):
                box.delete(second)
            box.greet_with("recording-1")
            self.assertEqual(mailbox.find("ana").greeting, "recording-1")
            notify.send("ana", "Heard\nby telephone", {"messages": 2})
            notify.tell("All heard")

        plan = Caller("1").there(User("ana").numbered("101"))
        plan.mailbox("ana", pin="1234", messages=[{"id": "m-1", "at": 1, "heard": True}, {"id": "m-2", "at": 2}])
        call = plan.hears("m-2").is_hung_up().run(script(hears))
        told = [("ana", "Heard\nby telephone", {"messages": "2"}), ("", "All heard", {})]
        self.assertEqual(call.notices, told)

    def test_a_task_script_hears_of_a_change_acts_on_the_task_and_what_is_over_stays_so(self):
        def hears(change, settings):
            task = change.task
            if change.what == "late":
                task.assign("boris")
                task.put_off(2_000_000_000.0)
                task.note(f"was {task.responsible}'s")
                notify.send(settings["manager"], f"{task.number} is late")
            if change.what == "done":
                with self.assertRaises(NotFound):
                    task.finish()
            if change.what == "assigned":
                with self.assertRaisesRegex(NotFound, "nobody"):
                    task.assign("nobody")
            kv.set("last", change.id)

        script = SimpleNamespace(on_change=hears)
        plan = CallBack("+359888123456").responsible("ana").with_settings({"manager": "vera"}).there(User("boris"))
        told = plan.tell("late", script)
        task = (told.task.state, told.task.responsible, told.task.due, told.task.notes)
        self.assertEqual(task, ("open", "boris", 2_000_000_000.0, ["was ana's"]))
        self.assertEqual([to for to, _, _ in told.notices], ["vera"])
        self.assertEqual(told.tell("assigned", script).tell("done", script).task.state, "done")
        self.assertEqual(told.remembers("last"), "simulated-task-change-3")
        with self.assertRaisesRegex(AssertionError, "the script fails: "):
            CallBack("+1").tell("opened", SimpleNamespace(on_change=lambda change: change.nothing))


if __name__ == "__main__":
    unittest.main()
