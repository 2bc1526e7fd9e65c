// Scripts that hear of call backs. What everything is and means: tasks.d.ts.

import "./console.js";
import { settings } from "./around.js";
import { run } from "./run.js";
import { verb } from "./words.js";

export { clock, crm, directory, kv } from "./around.js";
export { http } from "./http.js";
export { log } from "./log.js";
export { mailbox, notify } from "./messages.js";
export { Failure } from "./words.js";

const same = (value) => value;
const orNull = (value) => value ?? null;
// A variant of wit/ as its word.
const word = ({ tag, val }) => (tag === "other" ? val : tag);

const FIELDS = {
  id: same,
  state: word,
  number: same,
  name: same,
  contact: orNull,
  title: same,
  responsible: orNull,
  due: orNull,
  late: same,
  opened: same,
  closed: orNull,
  closedBy: orNull,
  dialled: same,
  queue: orNull,
  missed: same,
  last: same,
  calls: same,
  recordings: same,
  notes: same,
};

export class Task {
  #handle;
  constructor(handle) {
    this.#handle = handle;
    for (const [name, read] of Object.entries(FIELDS)) this[name] = read(handle[name]());
  }
  assign(user) {
    verb(() => this.#handle.assign(user));
  }
  putOff(until) {
    verb(() => this.#handle.putOff(until));
  }
  note(text) {
    verb(() => this.#handle.note(text));
  }
  finish() {
    verb(() => this.#handle.finish());
  }
  giveUp() {
    verb(() => this.#handle.giveUp());
  }
}

const changeOf = (handle) => ({
  id: handle.id(),
  at: handle.at(),
  what: word(handle.what()),
  task: new Task(handle.task()),
});

export function taskScript({ onChange }) {
  if (typeof onChange !== "function") {
    throw new TypeError("taskScript({ onChange(change, settings) { ... } }) has no onChange");
  }
  return { onChange: (change) => run(() => onChange(changeOf(change), settings())) };
}
