// The simulated exchange, and the SDK over it: timelines of what a caller hears and does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, bridge, dial, http, kv, number, queue, script, silence } from "@strowger/script";
import { Caller, Telephone, User, snapshot } from "@strowger/script/sim";
import { pairUp } from "@strowger/script/strategy";

import { decode, encode } from "../src/utf8.js";

test("a stage begins early when all before it have failed", () => {
  const staged = script({
    onCall(caller) {
      caller.answer();
      bridge(caller, dial("ana", { then: [{ afterSecs: 15, targets: number("+1") }], forSecs: 40 }));
    },
  });
  const call = Caller.from("1")
    .there(new User("ana").rejectsAfter(3, 480))
    .there(new Telephone("+1").answersAfter(2).hangsUpAfter(10))
    .talksWith("+1")
    .isHungUp()
    .run(staged);
  assert.equal(call.length, 15);
});

test("one by one tells the best failure", () => {
  const tries = script({ onCall: () => dial(["ana", "boris", "vera"], { oneByOneSecs: 5 }) });
  const run = () =>
    Caller.from("1")
      .there(new User("ana").neverAnswers())
      .there(new User("boris").rejectsAfter(1, 486))
      .fallsBack()
      .run(tries);
  assert.match(run().timeline.at(-2), /the script fails: busy/);
});

test("a queue connects, and a key is heard", () => {
  const waits = script({
    onCall(caller) {
      const place = queue.enter(caller, "sales");
      assert.deepEqual(place.wait("1"), { why: "digit", key: "1" });
      const { why, agent } = place.wait();
      assert.equal(why, "connected");
      bridge(caller, agent);
    },
  });
  const caller = Caller.from("1").queue("sales", { agent: "ana", after: 20 });
  caller.hearsMusic().presses("1").talksWith("ana").hangsUpAfter(5).run(waits);
});

test("a plan that is not followed says what is left of it", () => {
  const answers = script({ onCall: (caller) => caller.answer() });
  assert.throws(() => Caller.from("1").hears("welcome").run(answers), /never happened that the caller hears welcome/);
  const fails = script({ onCall: () => null.number });
  assert.throws(() => Caller.from("1").isHungUp().run(fails), /the script fails: TypeError/);
});

test("lengths that make no sense are told", () => {
  assert.throws(() => silence(-1), Failure);
  assert.throws(() => silence("3"), { why: "invalid" });
});

test("what is remembered is text in UTF-8", () => {
  for (const text of ["", "abc", "größe ✓", "𝒳 𐍈", "\0"]) {
    assert.deepEqual(encode(text), new TextEncoder().encode(text));
    assert.equal(decode(encode(text)), text);
  }
  for (const bytes of [[0xff], [0xc0, 0x80], [0xe2, 0x9c], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xc3]]) {
    assert.match(decode(Uint8Array.from(bytes)), /\ufffd/);
  }
  const remembers = script({ onCall: () => kv.set("size", "✓") });
  assert.equal(Caller.from("1").isHungUp().run(remembers).remembers("size"), "✓");
});

test("a snapshot is a table", () => {
  const now = snapshot({
    waiting: ["+1", { number: "+2", priority: 5 }],
    agents: { ana: { sinceOffered: 30 }, boris: { sinceOffered: 90 }, vera: { state: "talking" } },
  });
  const free = now.freeAgents().sort((a, b) => b.sinceOffered - a.sinceOffered);
  const offers = pairUp(now.waitingByPriority(), free);
  assert.deepEqual(
    offers.map(({ caller, agents }) => [caller.number, agents[0].name]),
    [["+2", "boris"], ["+1", "ana"]],
  );
});

test("a server that is there answers, and others are not allowed", () => {
  const found = [];
  const asks = script({
    onCall() {
      const answer = http.post("https://crm.example/who", { number: "101" }, { query: { "a b": "ж&" } });
      found.push(answer.status, answer.ok, answer.header("x-tier"), answer.header("x-none"), answer.json().vip);
      for (const url of ["https://crm.example/slow", "https://evil.example/"]) {
        try {
          http.get(url, { withinSecs: 2 });
        } catch ({ why, detail }) {
          found.push(why, detail);
        }
      }
    },
  });
  const call = Caller.from("1")
    .server("https://crm.example/slow", { after: 9 })
    .server("https://crm.example/*", { status: 201, headers: { "X-Tier": "gold" }, body: { vip: true } })
    .isHungUp()
    .run(asks);
  assert.deepEqual(found, [201, true, "gold", null, true, "timed-out", undefined, "limit", "http_allow"]);
  assert.equal(call.length, 2);
  assert.match(call.timeline.join("\n"), /asks POST https:\/\/crm\.example\/who\?a%20b=%D0%B6%26/);
});
