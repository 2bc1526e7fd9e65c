"""A reception: the reference script of the SDKs, the same in Rust, JavaScript, Python and C. It greets, gathers a key, rings
a group in stages, and takes a message when nobody can speak."""

from strowger_script import *


def on_call(caller, settings):
    log.info(f"{caller.number} calls {caller.dialled}")
    if clock.scheme("office") == "closed":
        return hand_over("strowger/voicemail", {"box": settings["group"]})
    caller.answer()
    key = caller.try_menu(settings["greeting"], keys="12", retries=1, on_wrong_key=text("No such key."))
    if key is None:
        return caller.play([text("Good-bye."), tone(330, 0.5)])
    tag("key", key)
    return parcel(caller) if key == "2" else sales(caller, settings["group"], settings.get("then"))


def parcel(caller):
    """Whoever knows the number of a parcel hears where it is."""
    pressed = caller.gather(6, "parcel-number", first=8).digits
    place = kv.get_text(f"parcel:{pressed}")
    if place is None:
        raise NotFound(f"parcel {pressed}")
    caller.play([digits(pressed), text(place)])


def sales(caller, group, then):
    """Rings everyone of the group who is free, then whoever else is set."""
    free = [user for user in directory.group(group) if user.presence == "free"]
    if not free:
        return take_message(caller, "Everyone is busy.")
    try:
        agent = dial(
            free,
            for_secs=25,
            then=[(10, number(then))] if then else None,
            skip_busy=True,
            present=caller,
            ringback=music("waiting"),
        )
    except HungUp:
        raise
    except Failure as why:
        log.warn(f"{group}: {why}")
        return take_message(caller, "Nobody answers.")
    tag("agent", agent.user or agent.number)
    if bridge_until(caller, agent, "*").why == "digit":
        agent.hang_up()
        caller.play(text("Thank you."))


def take_message(caller, why):
    caller.play([text(why), silence(0.25)])
    message = caller.record_message(most=60, silence=3)
    tag("message", message.id)
    kv.add("messages", 1)


def on_ended(how):
    kv.set("last", f"{how.caller.number} after {int(how.waited)} s")
