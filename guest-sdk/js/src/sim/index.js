// Tests of scripts in Node: a test is a caller with a plan. What everything is and means: index.d.ts.

export { test } from "node:test";

import { Snapshot } from "../strategy.js";
import { prompt } from "../words.js";
import { World, within } from "./world.js";

export { CallBack } from "./tasks.js";

const ANSWERS_AFTER = 2;

class Party {
  constructor(name) {
    this.name = name;
    this.does = { after: ANSWERS_AFTER };
    this.presence = "free";
  }
  answersAfter(secs) {
    this.does = { after: secs };
    return this;
  }
  neverAnswers() {
    this.does = { after: Infinity };
    return this;
  }
  rejectsAfter(secs, status) {
    this.does = status === 486 ? { fails: "busy", after: secs } : { fails: "refused", status, after: secs };
    return this;
  }
  hangsUpAfter(secs) {
    this.talks = secs;
    return this;
  }
  presses(keys) {
    this.keys = keys;
    return this;
  }
  transfersAfter(secs, to) {
    this.transfers = { after: secs, to };
    return this;
  }
  manner(skipBusy) {
    if (this.presence === "offline") return { fails: "unreachable", after: 0 };
    return this.presence === "busy" && skipBusy ? { fails: "busy", after: 0 } : this.does;
  }
}

export class User extends Party {
  number = "";
  mobile = null;
  groups = [];
  skills = {};
  numbered(extension) {
    this.number = extension;
    return this;
  }
  inGroup(group) {
    this.groups.push(group);
    return this;
  }
  busy() {
    this.presence = "busy";
    return this;
  }
  offline() {
    this.presence = "offline";
    return this;
  }
}

export class Telephone extends Party {
  number = this.name;
}

export class Caller {
  constructor(number) {
    this.number = number;
    this.user = null;
    this.dialled = "700";
    this.at = new Date("2026-01-05T10:00:00Z");
    this.language = "en";
    this.settings = {};
    this.users = [];
    this.telephones = [];
    this.calendars = {};
    this.contacts = {};
    this.servers = [];
    this.lines = {};
    this.mailboxes = {};
    this.remembered = {};
    this.transferredBy = null;
    this.spokeWith = null;
    this.steps = [];
  }
  static from(number) {
    return new Caller(number);
  }
  #with(change) {
    change();
    return this;
  }
  #then(kind, rest = {}) {
    return this.#with(() => this.steps.push({ kind, ...rest }));
  }

  calls(number) {
    return this.#with(() => (this.dialled = number));
  }
  atTime(moment) {
    return this.#with(() => (this.at = new Date(`${moment.replace(" ", "T")}Z`)));
  }
  withSettings(settings) {
    return this.#with(() => (this.settings = settings));
  }
  there(party) {
    return this.#with(() => (party instanceof User ? this.users : this.telephones).push(party));
  }
  calendar(name, scheme) {
    return this.#with(() => (this.calendars[name] = scheme));
  }
  contact(number, contact) {
    return this.#with(() => (this.contacts[number] = contact));
  }
  server(url, answer) {
    return this.#with(() => this.servers.push({ url, ...answer }));
  }
  queue(name, line) {
    return this.#with(() => (this.lines[name] = { after: 20, ...line }));
  }
  mailbox(name, box = {}) {
    return this.#with(() => (this.mailboxes[name] = box));
  }
  transferredByUser(name) {
    return this.#with(() => (this.transferredBy = name));
  }
  remembers(key, text) {
    return this.#with(() => (this.remembered[key] = text));
  }
  spokeWithUser(name) {
    return this.#with(() => (this.spokeWith = name));
  }

  isAnswered() {
    return this.#then("is answered");
  }
  hears(what) {
    const says = typeof what === "string" ? what : `${what.tag} ${what.val}`;
    return this.#then("hears", { what: JSON.stringify(prompt(what)), says });
  }
  hearsMusic() {
    return this.#then("hears music");
  }
  hearsRinging() {
    return this.#then("hears ringing");
  }
  talksWith(whom) {
    return this.#then("talks with", { what: whom });
  }
  isRejected(status) {
    return this.#then("is rejected", { what: status });
  }
  isHungUp() {
    return this.#then("is hung up");
  }
  isHandedOverTo(script) {
    return this.#then("is handed over to", { what: script });
  }
  fallsBack() {
    return this.#then("falls back");
  }
  presses(keys) {
    return this.#with(() => [...keys].forEach((key, place) => this.#then("presses", { key, first: place === 0 })));
  }
  speaksFor(secs) {
    return this.#then("speaks", { secs });
  }
  waits(secs) {
    return this.#then("waits", { secs });
  }
  hangsUpAfter(secs) {
    return this.#then("hangs up", { secs });
  }

  find({ tag, val }) {
    if (tag === "user") return this.users.find(({ name, number }) => name === val || number === val);
    return this.telephones.find(({ number }) => number === val);
  }

  run(script) {
    const world = new World(this);
    let thrown;
    within(world, () => {
      try {
        script.onCall(world.caller);
      } catch (error) {
        thrown = error;
      }
    });
    world.finish(thrown);
    return {
      log: world.log,
      timeline: world.timeline,
      handedOver: world.handedOver,
      notices: world.notices,
      length: world.now,
      tag: (key) => world.tags.findLast(([name]) => name === key)?.[1],
      remembers: (key) => (world.kept.has(key) ? new TextDecoder().decode(world.kept.get(key)) : null),
    };
  }
}

// Handles over plain values: what is a length in `lengths` is given in seconds.
function handles(values, lengths) {
  const answer = (name, value) => (lengths.includes(name) && value !== null ? value * 1000 : value);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, () => answer(name, value)]));
}

export function snapshot({ queue = "queue", settings = {}, seed = 1, waiting = [], agents = {}, ...rest } = {}) {
  const callers = waiting.map((caller, place) => {
    const given = typeof caller === "string" ? { number: caller } : caller;
    const usual = { id: place + 1, number: "", priority: 0, waited: 0, position: place + 1, expected: null };
    const values = { ...usual, lastAgent: null, tried: [], offered: false, anyone: true, ...given };
    return { ...values, skills: Object.entries(values.skills ?? {}) };
  });
  const desks = Object.entries(agents).map(([name, agent]) => {
    const usual = { state: "available", freeFor: 0, sinceOffered: 0, offered: 0, answered: 0, talked: 0 };
    const values = { name, ...usual, signedInFor: 0, missedInARow: 0, level: 1, weight: 1, ...agent };
    return { free: values.state === "available", ...values, skills: Object.entries(values.skills ?? {}) };
  });
  const caller = (values) => handles(values, ["waited", "expected"]);
  const desk = (values) => handles(values, ["freeFor", "sinceOffered", "talked", "signedInFor"]);
  const line = callers.filter(({ offered }) => !offered).sort((a, b) => b.priority - a.priority);
  return new Snapshot({
    queue: () => queue,
    settings: () => JSON.stringify(settings),
    seed: () => seed,
    lastAnswered: () => rest.lastAnswered ?? null,
    service: () => (rest.service ?? 0) * 1000,
    waiting: () => callers.map(caller),
    inLine: (most) => line.slice(0, most).map(caller),
    agents: () => desks.map(desk),
    free: () => desks.filter(({ free }) => free).map(desk),
  });
}
