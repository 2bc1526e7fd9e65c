"""Plays what is new in a box, and tells its owner."""

from strowger_script import *


def on_call(caller, settings):
    box = mailbox.find(settings["box"])
    if box is None:
        caller.reject(404)
        return
    caller.answer()
    box.unlock(caller.gather(4, prompt="pin").digits)
    for message in box.messages():
        if message.heard:
            box.delete(message)
            continue
        who = message.name or message.number
        caller.play([message.id, text(f"{message.length:g} s from {who} at {message.at:g}")])
        box.keep(message)
        crm.close_task(crm.create_task(message.number, "call back", box.owners[0], message.at + 60))
    box.greet_with("recording-9" if box.greeting is None else None)
    notify.send(box.owners[0], f"Heard\n{box.unheard} of {box.longest:g} s", {"caller": caller.number})
    notify.tell("Heard")
