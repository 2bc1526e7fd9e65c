import assert from "node:assert/strict";
import { test } from "node:test";

import { text } from "@strowger/script";
import { Caller, Telephone, User } from "@strowger/script/sim";

import reception from "./script.js";

const calls = () =>
  Caller.from("+359888123456")
    .withSettings({ greeting: "welcome", group: "sales", then: "+359888000101" })
    .calendar("office", "open")
    .there(new User("ana").inGroup("sales").answersAfter(4))
    .there(new User("boris").inGroup("sales").busy());

test("whoever presses 1 speaks with sales", () => {
  const call = calls().hears("welcome").presses("1").hearsRinging().talksWith("ana").hangsUpAfter(40).run(reception);
  assert.equal(call.tag("agent"), "ana");
  // A second to react, four until ana answers, forty of talk.
  assert.equal(call.length, 45);
});

test("when nobody answers the caller leaves a message", () => {
  const silent = Caller.from("+359888123456")
    .withSettings({ greeting: "welcome", group: "sales", then: "+359888000101" })
    .calendar("office", "open")
    .there(new User("ana").inGroup("sales").neverAnswers())
    .there(new Telephone("+359888000101").rejectsAfter(3, 603));
  const call = silent.hears("welcome").presses("1").hears(text("Nobody answers.")).speaksFor(5).run(reception);
  assert.equal(call.tag("message"), "recording-1");
  assert.deepEqual(call.log.at(-1), "sales: refused with 603");
  assert.equal(call.remembers("messages"), "1");
});

test("a closed office hands over", () => {
  const call = calls().calendar("office", "closed").isHandedOverTo("strowger/voicemail").run(reception);
  assert.deepEqual(call.handedOver.settings, { box: "sales" });
});

test("an unknown parcel falls back", () => {
  calls().hears("welcome").presses("2").hears("parcel-number").presses("12#").fallsBack().run(reception);
});
