// The simulated exchange, and the SDK over it: timelines of what a caller hears and does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, bridge, dial, http, kv, mailbox, notify, number, queue, script, silence, tag, talk, transferredBy } from "@strowger/script";
import { CallBack, Caller, Telephone, User, snapshot } from "@strowger/script/sim";
import { pairUp } from "@strowger/script/strategy";
import { taskScript } from "@strowger/script/tasks";

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

test("whoever answered presses a key when the caller has left", () => {
  const asks = script({
    onCall(caller) {
      const ana = dial("ana");
      bridge(caller, ana);
      assert.throws(() => caller.play("good-bye"), { why: "hung-up" });
      tag("category", ana.tryMenu("what-was-it", { keys: "12", withinSecs: 5, retries: 1 }) ?? "none");
    },
  });
  const run = (ana) => Caller.from("1").there(ana).talksWith("ana").hangsUpAfter(30).run(asks);
  const pressed = run(new User("ana").presses("92"));
  assert.equal(pressed.tag("category"), "2");
  assert.equal(pressed.length, 34);
  const gone = run(new User("ana").hangsUpAfter(31).presses("12"));
  assert.equal(gone.tag("category"), undefined);
  assert.equal(gone.timeline.at(-1), "   33.0 s  ana hangs up");

  const waits = script({
    onCall(caller) {
      const { agent } = queue.enter(caller, "sales").wait();
      bridge(caller, agent);
      agent.play("that-was-it");
      tag("category", agent.gather({ most: 3 }).digits);
    },
  });
  const served = Caller.from("1").there(new User("ana").presses("12#")).queue("sales", { agent: "ana", after: 4 });
  assert.equal(served.talksWith("ana").hangsUpAfter(5).run(waits).tag("category"), "12");
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

test("a transfer is the script's to carry out, to turn elsewhere, or to refuse", () => {
  const seen = [];
  const decides = script({
    onCall(caller) {
      const ana = dial("ana");
      for (;;) {
        const end = talk(caller, ana);
        seen.push(end.why === "transfer" ? `${end.transfer.byB} ${end.transfer.to.val}` : end.why);
        if (end.why !== "transfer") return;
        if (end.transfer.to.val === "boris") end.transfer.carryOut({ to: "vera", ringSecs: 10 });
        else end.transfer.refuse();
      }
    },
  });
  const call = Caller.from("1")
    .there(new User("ana").transfersAfter(5, "102"))
    .there(new User("boris").numbered("102"))
    .there(new User("vera").answersAfter(3).transfersAfter(7, "+1").hangsUpAfter(20))
    .talksWith("ana")
    .talksWith("vera")
    .isHungUp()
    .run(decides);
  assert.deepEqual(seen, ["true boris", "true +1", "b-hung-up"]);
  // Two until ana answers, five with ana, three until vera answers, twenty with vera.
  assert.equal(call.length, 30);
});

test("without a script's say a transfer is carried out, and one that fails changes nothing", () => {
  const connects = script({ onCall: (caller) => bridge(caller, dial("ana")) });
  const run = (to) =>
    Caller.from("1")
      .there(new User("ana").transfersAfter(5, to).hangsUpAfter(60))
      .there(new User("boris").hangsUpAfter(10))
      .talksWith("ana")
      .talksWith(to === "boris" ? "boris" : "ana")
      .isHungUp()
      .run(connects).length;
  assert.equal(run("boris"), 2 + 5 + 2 + 10);
  assert.equal(run("+1"), 2 + 60);
  const asks = script({ onCall: (caller) => caller.play(transferredBy()) });
  Caller.from("1").transferredByUser("ana").hears("ana").isHungUp().run(asks);
});

test("a box is unlocked, heard and emptied, and people are told", () => {
  const hears = script({
    onCall(caller) {
      const box = mailbox.find("101");
      assert.throws(() => box.unlock("0000"), { why: "refused", detail: 403 });
      box.unlock("1234");
      const [first, second] = box.messages();
      assert.deepEqual([box.name, box.unheard, box.heard, box.owners], ["ana", 1, 1, ["ana"]]);
      assert.deepEqual([first.id, first.heard, first.length, second.id], ["m-2", false, 10, "m-1"]);
      caller.play(first.id);
      box.keep(first);
      box.delete(second);
      assert.throws(() => box.delete(second), { why: "not-found", detail: "m-1" });
      box.greetWith("recording-1");
      assert.equal(mailbox.find("ana").greeting, "recording-1");
      assert.equal(mailbox.find("nobody").unlock.length, 1);
      notify.send("ana", "Heard\nby telephone", { messages: 2 });
      notify.tell("All heard");
    },
  });
  const messages = [{ id: "m-1", at: 1, heard: true }, { id: "m-2", at: 2 }];
  const call = Caller.from("1")
    .there(new User("ana").numbered("101"))
    .mailbox("ana", { pin: "1234", messages })
    .hears("m-2")
    .isHungUp()
    .run(hears);
  assert.deepEqual(call.notices, [
    { to: "ana", text: "Heard\nby telephone", facts: { messages: "2" } },
    { to: "", text: "All heard", facts: {} },
  ]);
});

test("a task script hears of a change, acts on the task, and what is over stays so", () => {
  const hears = taskScript({
    onChange({ id, what, task }, settings) {
      if (what === "late") {
        task.assign("boris");
        task.putOff(2_000_000_000);
        task.note(`was ${task.responsible}'s`);
        notify.send(settings.manager, `${task.number} is late`);
      }
      if (what === "done") assert.throws(() => task.finish(), { why: "not-found" });
      if (what === "assigned") assert.throws(() => task.assign("nobody"), { why: "not-found", detail: "nobody" });
      kv.set("last", id);
    },
  });
  const told = CallBack.of("+359888123456")
    .responsible("ana")
    .withSettings({ manager: "vera" })
    .there(new User("boris"))
    .tell("late", hears);
  assert.deepEqual(told.task, { state: "open", responsible: "boris", due: 2_000_000_000, notes: ["was ana's"] });
  assert.equal(told.notices[0].to, "vera");
  assert.equal(told.tell("assigned", hears).tell("done", hears).task.state, "done");
  assert.equal(told.remembers("last"), "simulated-task-change-3");
  const fails = taskScript({ onChange: () => null.number });
  assert.throws(() => CallBack.of("+1").tell("opened", fails), /the script fails: TypeError/);
});
