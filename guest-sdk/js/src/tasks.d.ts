/**
 * Scripts that hear of each change of a call back: somebody whom nobody answered. A script of this kind is named in
 * `[tenant.missed]`. It runs off the way of calls, with a small budget; changes of one call back come to it one by one, in
 * their order, each once, or once more when the exchange stopped in the middle: what must not happen twice is to be
 * remembered by `change.id`. What the script itself changes it is not told. Moments are seconds since 1970 UTC.
 *
 *     import { directory, notify, taskScript } from "@strowger/script/tasks";
 *
 *     export default taskScript({
 *       onChange({ what, task }, settings) {
 *         if (what !== "late") return;
 *         notify.send(settings.manager, `Nobody has called ${task.number} back`);
 *         const next = directory.group(settings.group).find(({ name }) => name !== task.responsible);
 *         if (next) task.assign(next.name);
 *       },
 *     });
 *
 * @packageDocumentation
 */

export { Failure, clock, crm, directory, http, kv, log, mailbox, notify } from "./index.js";

/** How a task is; a word that is not in this list is one of a later exchange. */
export type State =
  | "open"
  | "reached-us-again"
  | "called-back-in-time"
  | "called-back-late"
  | "given-up"
  | "done"
  | (string & {});

/**
 * What became of a task. "late": the deadline is over, said once for each; "missed-again": the caller called in vain once
 * more; "put-off": another deadline; the last five: it is over, in the state of this name.
 */
export type Event =
  | "opened"
  | "missed-again"
  | "late"
  | "assigned"
  | "put-off"
  | "noted"
  | "reached-us-again"
  | "called-back-in-time"
  | "called-back-late"
  | "given-up"
  | "done"
  | (string & {});

/**
 * A task, as it was right after the change. Its verbs change the task as it is now; they throw a `Failure` "not-found" when
 * it is over by then.
 */
export declare class Task {
  /** Names it, also to `crm.closeTask`. */
  readonly id: string;
  readonly state: State;
  /** The caller's. */
  readonly number: string;
  /** The caller's; empty where none is known. */
  readonly name: string;
  /** The contact's id in the CRM. */
  readonly contact: string | null;
  /** What is to be done, in words. */
  readonly title: string;
  /** The user who is to do it. */
  readonly responsible: string | null;
  /** By when. */
  readonly due: number | null;
  /** Whether the deadline is over, or was when it was done. */
  readonly late: boolean;
  /** Since when. */
  readonly opened: number;
  /** When it was over. */
  readonly closed: number | null;
  /** Who ended it: a user, or whoever asked for it. */
  readonly closedBy: string | null;
  /** The number that the caller dialled last. */
  readonly dialled: string;
  /** The queue that the caller was in last. */
  readonly queue: string | null;
  /** How often the caller called in vain. */
  readonly missed: number;
  /** When the caller called last. */
  readonly last: number;
  /** The calls that it is about, at most the last 20. */
  readonly calls: string[];
  /** Recordings of those, by name. */
  readonly recordings: string[];
  /** What was written down, at most the last 20. */
  readonly notes: string[];
  /** This user, by name or extension, is to do it; throws "not-found" where there is none. */
  assign(user: string): void;
  /** It is to be done by then, and late again when that is over. */
  putOff(until: number): void;
  /** Writes something down for whoever looks at it: 1 to 512 bytes. */
  note(text: string): void;
  /** It is done. */
  finish(): void;
  /** Nobody will try any more. */
  giveUp(): void;
}

/** A change of a task. */
export interface Change {
  /** Names it. A change that is told once more has the same. */
  readonly id: string;
  /** When it happened. */
  readonly at: number;
  readonly what: Event;
  readonly task: Task;
}

/** What `taskScript` makes of a script's parts: for the exchange and for tests. */
export interface TaskScript {
  /** Called by the exchange and by `CallBack` of the simulator. */
  onChange(change: unknown): void;
}

/** The default export of a task script's module. */
export declare function taskScript<Settings = any>(parts: {
  /** A call back has changed. */
  onChange(change: Change, settings: Settings): void;
}): TaskScript;
