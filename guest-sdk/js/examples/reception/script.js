// A reception: the reference script of the SDKs, the same in Rust, JavaScript, Python and C. It greets, gathers a key, rings a
// group in stages, and takes a message when nobody can speak.

import {
  Failure,
  bridgeUntil,
  clock,
  dial,
  digits,
  directory,
  handOver,
  kv,
  log,
  music,
  number,
  script,
  silence,
  tag,
  text,
  tone,
} from "@strowger/script";

export default script({
  onCall(caller, settings) {
    log(`${caller.number} calls ${caller.dialled}`);
    if (clock.scheme("office") === "closed") return handOver("strowger/voicemail", { box: settings.group });
    caller.answer();
    const options = { keys: "12", retries: 1, onWrongKey: text("No such key.") };
    const key = caller.tryMenu(settings.greeting, options);
    if (key === null) return caller.play([text("Good-bye."), tone(330, 0.5)]);
    tag("key", key);
    return key === "2" ? parcel(caller) : sales(caller, settings);
  },

  onEnded(how) {
    kv.set("last", `${how.caller.number} after ${Math.floor(how.waited)} s`);
  },
});

// Whoever knows the number of a parcel hears where it is.
function parcel(caller) {
  const pressed = caller.gather({ most: 6, prompt: "parcel-number", firstSecs: 8 }).digits;
  const place = kv.getText(`parcel:${pressed}`);
  if (place === null) throw new Failure("not-found", `parcel ${pressed}`);
  caller.play([digits(pressed), text(place)]);
}

// Rings everyone of the group who is free, then whoever else is set.
function sales(caller, { group, then }) {
  const free = directory.group(group).filter((user) => user.presence === "free");
  if (free.length === 0) return takeMessage(caller, "Everyone is busy.");
  let agent;
  try {
    agent = dial(free, {
      forSecs: 25,
      then: then ? [{ afterSecs: 10, targets: number(then) }] : [],
      skipBusy: true,
      present: caller,
      ringback: music("waiting"),
    });
  } catch (why) {
    if (!(why instanceof Failure) || why.why === "hung-up") throw why;
    log.warn(`${group}: ${why.message}`);
    return takeMessage(caller, "Nobody answers.");
  }
  tag("agent", agent.user ?? agent.number);
  if (bridgeUntil(caller, agent, "*").why === "digit") {
    agent.hangUp();
    caller.play(text("Thank you."));
  }
}

function takeMessage(caller, why) {
  caller.play([text(why), silence(0.25)]);
  const message = caller.recordMessage({ mostSecs: 60, silenceSecs: 3 });
  tag("message", message.id);
  kv.add("messages", 1);
}
