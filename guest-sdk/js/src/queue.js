// Waiting for an agent, and what agents do.

import { queue as exchange } from "#exchange";
import { Leg } from "./leg.js";
import { Failure, ending, failed, millis, prompt, seconds, verb } from "./words.js";

const SAYS = {
  full: () => "the queue is full",
  closed: () => "the queue is closed",
  nobody: () => "nobody serves the queue",
  "too-long": (wait) => `the wait would be ${wait} s`,
  other: (word) => word,
};

// As a script that does not catch it fails.
const FAILURES = { full: "busy", closed: "unreachable", nobody: "unreachable" };

export class Refusal extends Error {
  constructor(why, detail) {
    super(SAYS[why] ? SAYS[why](detail) : why);
    this.name = "Refusal";
    this.why = why;
    this.detail = detail;
  }

  get failure() {
    return FAILURES[this.why] ? new Failure(FAILURES[this.why]) : new Failure("other", this.message);
  }
}

function refused(thrown) {
  const { tag, val } = thrown?.payload ?? thrown ?? {};
  if (tag === "failed") return failed(val);
  return tag in SAYS ? new Refusal(tag, tag === "too-long" ? seconds(val) : val) : failed(thrown);
}

function enter(caller, name, { priority = 0, skills = {}, longestSecs = 0 } = {}) {
  caller.answer();
  const entry = { priority, skills: Object.entries(skills), longest: millis(longestSecs) };
  try {
    return new Place(exchange.enter(name, entry));
  } catch (thrown) {
    throw refused(thrown);
  }
}

const ENDS = { connected: "agent", digit: "key", asked: "word", other: "words" };

export class Place {
  constructor(handle) {
    this.handle = handle;
  }
  get position() {
    return this.handle.position();
  }
  get expected() {
    return seconds(this.handle.expected());
  }
  get resumed() {
    return this.handle.resumed();
  }
  wait(keys = "", { hears } = {}) {
    const end = ending(
      verb(() => this.handle.wait(keys, hears == null ? null : prompt(hears))),
      ENDS,
    );
    return end.why === "connected" ? { why: end.why, agent: new Leg(end.agent) } : end;
  }
  setPriority(priority) {
    verb(() => this.handle.setPriority(priority));
  }
  callBack(number) {
    verb(() => this.handle.callBack(number));
  }
  leave() {
    this.handle.leave();
  }
}

function look(name) {
  const outlook = exchange.look(name);
  if (outlook == null) return null;
  return {
    waiting: outlook.waiting(),
    available: outlook.available(),
    serving: outlook.serving(),
    longest: seconds(outlook.longest()),
    expected: seconds(outlook.expected()),
  };
}

export const queue = { enter, look };

export const agents = {
  state: (user) => exchange.agent(user) ?? null,
  makeAvailable: (user) => verb(() => exchange.makeAvailable(user)),
  pause: (user, reason = "") => verb(() => exchange.pause(user, reason)),
  signIn: (user, name) => verb(() => exchange.signIn(user, name)),
  signOut: (user, name) => verb(() => exchange.signOut(user, name)),
};
