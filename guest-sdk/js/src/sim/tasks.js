// A call back of which a script is told: what a test says of it, and what the script's verbs do to it.

import { decode } from "../utf8.js";
import { Caller } from "./index.js";
import { World, within } from "./world.js";

const NOTE = 512;
const ENDS = ["reached-us-again", "called-back-in-time", "called-back-late", "given-up", "done"];

const fails = (tag, val) => {
  throw { tag, val };
};

export class CallBack {
  #around;
  #task;
  constructor(number) {
    this.#around = Caller.from(number);
    this.#task = { number, name: "", responsible: null, due: null, dialled: "700", queue: null, missed: 1 };
    Object.assign(this.#task, { state: "open", closedBy: null, recordings: [], notes: [] });
  }
  static of(number) {
    return new CallBack(number);
  }
  #says(of) {
    Object.assign(this.#task, of);
    return this;
  }
  #there(change) {
    change(this.#around);
    return this;
  }
  named(name) {
    return this.#says({ name });
  }
  responsible(responsible) {
    return this.#says({ responsible });
  }
  due(due) {
    return this.#says({ due });
  }
  dialled(dialled) {
    return this.#says({ dialled });
  }
  inQueue(queue) {
    return this.#says({ queue });
  }
  missed(missed) {
    return this.#says({ missed });
  }
  closedBy(closedBy) {
    return this.#says({ closedBy });
  }
  recording(name) {
    return this.#says({ recordings: [...this.#task.recordings, name] });
  }
  noted(text) {
    return this.#says({ notes: [...this.#task.notes, text] });
  }
  withSettings(settings) {
    return this.#there((around) => around.withSettings(settings));
  }
  atTime(moment) {
    return this.#there((around) => around.atTime(moment));
  }
  there(party) {
    return this.#there((around) => around.there(party));
  }
  contact(number, contact) {
    return this.#there((around) => around.contact(number, contact));
  }
  server(url, answer) {
    return this.#there((around) => around.server(url, answer));
  }
  remembers(key, text) {
    return this.#there((around) => around.remembers(key, text));
  }
  tell(what, script) {
    return new Told(new World(this.#around), { ...this.#task }).tell(what, script);
  }
}

class Told {
  #world;
  #task;
  #changes = 0;
  constructor(world, task) {
    [this.#world, this.#task] = [world, task];
    this.#task.opened = world.clock.now();
  }
  get task() {
    const { state, responsible, due, notes } = this.#task;
    return { state, responsible, due, notes };
  }
  get timeline() {
    return this.#world.timeline;
  }
  get log() {
    return this.#world.log;
  }
  get notices() {
    return this.#world.notices;
  }
  remembers(key) {
    const value = this.#world.kept.get(key);
    return value === undefined ? null : decode(value);
  }

  tell(what, script) {
    const [world, task] = [this.#world, this.#task];
    if (ENDS.includes(what)) task.state = what;
    this.#changes += 1;
    world.note(`${what}: ${task.number}`);
    const [at, id] = [world.clock.now(), `simulated-task-change-${this.#changes}`];
    const change = { id: () => id, at: () => at, what: () => ({ tag: what }), task: () => this.#handle(what, at) };
    try {
      within(world, () => script.onChange(change));
    } catch (thrown) {
      const why = thrown?.tag ? `${thrown.tag} ${thrown.val ?? ""}` : (thrown.stack ?? thrown);
      throw new Error(`the script fails: ${why}\n${world.timeline.join("\n")}`);
    }
    return this;
  }

  // What an open task becomes by a verb.
  #becomes(line, change) {
    if (this.#task.state !== "open") fails("not-found", "the task is over");
    Object.assign(this.#task, change);
    this.#world.note(line);
  }

  #handle(what, at) {
    const is = { ...this.#task, id: "simulated-task", title: `Call back ${this.#task.number}`, contact: null };
    is.late = what === "late" || (is.due !== null && is.due < at);
    Object.assign(is, { last: is.opened, calls: ["simulated-call"], closed: is.state === "open" ? null : at });
    const handle = Object.fromEntries(Object.entries(is).map(([name, value]) => [name, () => value]));
    return {
      ...handle,
      state: () => ({ tag: is.state }),
      assign: (user) => {
        const found = this.#world.plan.users.find(({ name, number }) => name === user || number === user);
        if (!found) fails("not-found", user);
        this.#becomes(`assign ${found.name}`, { responsible: found.name });
      },
      putOff: (until) => {
        if (!(until > 0 && until < Infinity)) fails("invalid", "until: is no moment");
        this.#becomes(`put off until ${until}`, { due: until });
      },
      note: (text) => {
        const { length } = new TextEncoder().encode(text);
        if (length < 1 || length > NOTE) fails("invalid", `note: has ${length} bytes; write 1 to ${NOTE}`);
        this.#becomes(`note: ${text}`, { notes: [...this.#task.notes, text] });
      },
      finish: () => this.#becomes("finish", { state: "done", closedBy: "script" }),
      giveUp: () => this.#becomes("give up", { state: "given-up", closedBy: "script" }),
    };
  }
}
