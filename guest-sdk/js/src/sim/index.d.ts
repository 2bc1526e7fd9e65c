/**
 * Tests of scripts in Node: a test is a caller with a plan, in virtual time.
 *
 *     Caller.from("+359888123456")
 *       .withSettings({ sales: "ana" })
 *       .there(new User("ana").answersAfter(4))
 *       .hears("welcome").presses("1").talksWith("ana").hangsUpAfter(40)
 *       .run(script);
 *
 * `run` throws with the call as a timeline when the plan can't be followed to its end, or when the script fails and the plan
 * does not say so. Lengths are seconds.
 *
 * @packageDocumentation
 */
import type { Contact, Message, Prompt, Script, Why } from "../index.js";
import type { Snapshot } from "../strategy.js";
import type { Event, State, TaskScript } from "../tasks.js";

declare class Party {
  /** 2 unless said. */
  answersAfter(secs: number): this;
  neverAnswers(): this;
  /** With a SIP status, 400 to 699; 486 is busy. */
  rejectsAfter(secs: number, status: number): this;
  /** So long after answering. */
  hangsUpAfter(secs: number): this;
  /**
   * When its telephone is asked for keys, also when the caller has left: a second after the question begins; each further key
   * half a second later. A question takes what it needs, and leaves the rest to the next one.
   */
  presses(keys: string): this;
  /** Asks, so long after answering, that this user or number takes its place. */
  transfersAfter(secs: number, to: string): this;
}
/** A user of the tenant, registered and free unless said. */
export declare class User extends Party {
  constructor(name: string);
  numbered(extension: string): this;
  inGroup(group: string): this;
  busy(): this;
  offline(): this;
}
/** A telephone number or SIP URI; others are unreachable. */
export declare class Telephone extends Party {
  constructor(number: string);
}

/** What a server outside answers: 200 and nothing unless said. */
export interface ServerAnswer {
  status?: number;
  headers?: Record<string, string>;
  /** A text, or anything else as JSON. */
  body?: unknown;
  /** Seconds until the answer. */
  after?: number;
  /** In place of an answer: "timed-out", "unreachable" ... */
  fails?: Why;
}

/** A box and what is in it; what is left out is usual. */
export interface Box {
  /** Without one it can't be unlocked; its owners need none. */
  pin?: string;
  owners?: string[];
  greeting?: string;
  longest?: number;
  silence?: number;
  shortest?: number;
  full?: boolean;
  messages?: ({ id: string } & Partial<Message>)[];
}

export declare class Caller {
  static from(number: string): Caller;
  /** The number dialled; "700" unless said. */
  calls(number: string): this;
  /** "2026-11-27 23:58", UTC; Monday, 5 January 2026, ten o'clock unless said. */
  atTime(moment: string): this;
  withSettings(settings: unknown): this;
  there(party: User | Telephone): this;
  calendar(name: string, scheme: string): this;
  contact(number: string, contact: Partial<Contact>): this;
  /** A server outside, the first that has the URL ("*" stands for anything); others are not allowed. */
  server(url: string, answer: ServerAnswer): this;
  queue(name: string, line: { agent?: string; after?: number; refuses?: string }): this;
  /** What an earlier call left in the tenant's memory. */
  remembers(key: string, text: string): this;
  spokeWithUser(name: string): this;
  /** A box of this name. One that no test names is there too, empty. */
  mailbox(name: string, box?: Box): this;
  /** This user has transferred the caller here. */
  transferredByUser(name: string): this;

  isAnswered(): this;
  hears(what: string | Prompt): this;
  hearsMusic(): this;
  hearsRinging(): this;
  talksWith(whom: string): this;
  isRejected(status: number): this;
  isHungUp(): this;
  isHandedOverTo(script: string): this;
  /** Expects that the script fails. */
  fallsBack(): this;
  /** A second after what stands before; each further key half a second later. */
  presses(keys: string): this;
  speaksFor(secs: number): this;
  waits(secs: number): this;
  hangsUpAfter(secs: number): this;

  run(script: Script): {
    log: string[];
    timeline: string[];
    handedOver: { script: string; settings: any } | null;
    /** Who was told what; `to` is empty for everyone. */
    notices: { to: string; text: string; facts: Record<string, string> }[];
    length: number;
    tag(key: string): string | undefined;
    remembers(key: string): string | null;
  };
}

/** A call back of whoever called from this number, once, and nobody answered; and the world around it. */
export declare class CallBack {
  static of(number: string): CallBack;
  /** The caller's name. */
  named(name: string): this;
  /** The user who is to do it. */
  responsible(user: string): this;
  /** By when: seconds since 1970 UTC. */
  due(at: number): this;
  /** The number dialled; "700" unless said. */
  dialled(number: string): this;
  inQueue(queue: string): this;
  /** How often the caller called in vain. */
  missed(times: number): this;
  /** Who ends it, where what is told is an end. */
  closedBy(who: string): this;
  recording(name: string): this;
  /** What was written down before. */
  noted(text: string): this;
  withSettings(settings: unknown): this;
  /** "2026-11-27 23:58", UTC. */
  atTime(moment: string): this;
  there(party: User | Telephone): this;
  contact(number: string, contact: Partial<Contact>): this;
  server(url: string, answer: ServerAnswer): this;
  remembers(key: string, text: string): this;
  /** Tells a script what became of it; throws when the script fails. */
  tell(what: Event, script: TaskScript): Told;
}

/** What a script that was told of a change has done. */
export interface Told {
  /** How the task is now. */
  readonly task: { state: State; responsible: string | null; due: number | null; notes: string[] };
  /** What the script was told and what it did, a line each, with the time. */
  readonly timeline: string[];
  readonly log: string[];
  readonly notices: { to: string; text: string; facts: Record<string, string> }[];
  remembers(key: string): string | null;
  /** Tells it what became of the task next. */
  tell(what: Event, script: TaskScript): Told;
}

/** A test for `node --test`: the `test` of node:test, for scripts whose types are checked without Node's. */
export declare function test(name: string, body: () => void): void;

/** A queue at one moment, for the table of a strategy's test; what is not given is usual. */
export declare function snapshot(values?: {
  queue?: string;
  settings?: unknown;
  seed?: number;
  waiting?: (string | { [field: string]: unknown })[];
  agents?: Record<string, { [field: string]: unknown }>;
  lastAnswered?: string;
  service?: number;
}): Snapshot;
