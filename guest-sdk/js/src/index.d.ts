/**
 * Call scripts for the strowger telephone exchange.
 *
 * A script is straight-line code that runs once for every call: no callbacks, no state machine, no promises. A verb blocks
 * until it has happened; when the caller leaves, the verb that is waiting throws a {@link Failure} that is "hung-up", which
 * leaves the script. Lengths are seconds.
 *
 *     import { script, dial, bridge } from "@strowger/script";
 *
 *     export default script({
 *       onCall(caller, shop) {
 *         caller.answer();
 *         if (caller.menu("welcome", { keys: "12" }) === "1") return bridge(caller, dial(shop.sales, { forSecs: 20 }));
 *         caller.play("opening-hours");
 *       },
 *     });
 *
 * `strowger script build` makes a component of it; "@strowger/script/sim" has callers for unit tests in Node.
 *
 * @packageDocumentation
 */

/** Something to hear. */
export interface Prompt {
  readonly tag: "recording" | "text" | "digits" | "silence" | "tone" | "music" | "quantity" | "duration" | "position";
  readonly val: unknown;
}
/** One thing to hear or several; a string is the name of a recording. */
export type Say = string | Prompt | (string | Prompt)[];

/** A recording of the tenant by its name, in the leg's language where there is one. */
export declare function recording(name: string): Prompt;
/** Words to speak. */
export declare function text(words: string): Prompt;
/** Characters spoken one by one. */
export declare function digits(characters: string): Prompt;
/** Nothing, for so long. */
export declare function silence(secs: number): Prompt;
/** A tone of so many Hz (100 to 3400), for so long. */
export declare function tone(hertz: number, secs: number): Prompt;
/** Music on hold by name, for as long as nothing else is asked; the last of a list. */
export declare function music(name: string): Prompt;
/** A number with what is counted, in words; the noun in the singular: `quantity(3, "minute")`. */
export declare function quantity(number: number, noun: string): Prompt;
/** A length of time in words, rounded for the ear. */
export declare function duration(secs: number): Prompt;
/** A place in line as a sentence: "You are third in line."; the first is 1. */
export declare function position(place: number): Prompt;

/** Where a leg can be rung. */
export interface Target {
  readonly tag: "user" | "number" | "uri";
  readonly val: string;
}
/** One to ring or several together; a string, or a user of the directory, is a user of the tenant. */
export type Whom = string | Target | User | (string | Target | User)[];
/** A user of the tenant, by name or extension. */
export declare function user(name: string): Target;
/** A telephone number, through the tenant's trunks. */
export declare function number(number: string): Target;
/** A SIP URI. */
export declare function uri(uri: string): Target;

export type Why =
  | "hung-up"
  | "busy"
  | "no-answer"
  | "refused"
  | "unreachable"
  | "not-found"
  | "invalid"
  | "limit"
  | "timed-out"
  | "other";

/** Why a verb did not do what was asked. Thrown out of a script, it hands the call to the number's fallback. */
export declare class Failure extends Error {
  constructor(why: Why, detail?: string | number);
  readonly why: Why;
  /** The SIP status of a refusal; else a name, an argument, a limit or words. */
  readonly detail?: string | number;
  /** The SIP status that tells a caller so (RFC 3261 §21). */
  readonly sipStatus: number;
}

/** Someone on a call, as signalling gave it. */
export interface Party {
  /** E.164 with "+", or an extension; empty when withheld. */
  number: string;
  name?: string | null;
  uri: string;
}

/** One party's connection to the exchange. One that was dialled lives until it hangs up, is hung up, or the script returns. */
export declare class Leg {
  readonly party: Party;
  /** The far end's number. */
  readonly number: string;
  /** The number that was dialled, as it arrived. */
  readonly dialled: string;
  readonly direction: "inbound" | "outbound" | "internal";
  /** The tenant's user at the far end, by name, if it is one. */
  readonly user: string | null;
  /** The language of prompts, as BCP 47. */
  readonly language: string;
  /** A SIP header's values; none from sides that are not trusted. */
  header(name: string): string[];
  setLanguage(tag: string): void;
  /** Lets the caller hear that it rings (180), or something before answering (183). */
  ring(early?: string | Prompt): void;
  /** Answers; done already is no error. */
  answer(): void;
  /** Refuses an unanswered caller with a SIP status, 300 to 699. */
  reject(status: number, reason?: string): void;
  /** Refuses the caller with the status that says why; one who is answered already is hung up on. */
  decline(why: Failure): void;
  /** Plays, and waits until all is heard. Keys pressed meanwhile stay for the next `gather` or menu. */
  play(what: Say): void;
  /** Plays, and waits until all is heard or a key is pressed; the key stays for the next `gather` or menu. */
  playUntilKey(what: Say): void;
  /** Asks for up to `most` digits, 1 to 32. */
  gather(options: {
    most: number;
    prompt?: Say;
    /** "#" unless said; null for none. */
    terminator?: string | null;
    /** For the first key, from the end of the prompt; 6 unless said. */
    firstSecs?: number;
    /** Between keys; 3 unless said. */
    betweenSecs?: number;
  }): { digits: string; ended: "enough" | "terminator" | "time-out" };
  /** Plays a menu and asks for one key; "no-answer" is thrown when the tries are up. */
  menu(prompt: Say, options?: Menu): string;
  /** The same; null when the tries are up. */
  tryMenu(prompt: Say, options?: Menu): string | null;
  /** Records until so much silence, a key, or `mostSecs`. */
  recordMessage(options?: { mostSecs?: number; silenceSecs?: number }): { id: string; length: number };
  /** Records this leg and whoever it talks with from here on; answers the recording's name. */
  startRecording(): string;
  stopRecording(): void;
  /** Leaves out of the recording what is said from here on: a card number. */
  pauseRecording(): void;
  /** What is said is recorded again. */
  resumeRecording(): void;
  /** Sends keys and waits until they are sent: 0-9, *, #, A-D, and "," for a pause of half a second. */
  sendDigits(digits: string): void;
  /** Holds the leg and plays something to it. */
  hold(hears: string | Prompt): void;
  resume(): void;
  /** Ends the leg with a Q.850 cause (RFC 3326), 16 unless said. */
  hangUp(cause?: number): void;
}

export interface Menu {
  /** The keys that choose something; any of 0-9, * and # unless said. */
  keys?: string;
  /** How many times to ask again after a wrong key or none; 2 unless said. */
  retries?: number;
  /** For the key, from the end of the prompt; 6 unless said. */
  withinSecs?: number;
  /** Said before asking again. */
  onWrongKey?: Say;
  onSilence?: Say;
}

export interface Dial {
  /** In all; 30 unless said, at most 600. */
  forSecs?: number;
  /** Rings these as well, so long after the beginning, or earlier when all before them have failed. */
  then?: { afterSecs: number; targets: Whom }[];
  /** Rings one after the other, each alone and for so long. */
  oneByOneSecs?: number;
  /** Users on a call are passed over without ringing. */
  skipBusy?: boolean;
  /** Shown as the caller. */
  present?: Leg | Party;
  /** What the caller hears meanwhile, in place of what the far side sends. */
  ringback?: string | Prompt;
}
/** Rings one place or several together and waits for the first to answer; throws the best failure heard. */
export declare function dial(whom: Whom, options?: Dial): Leg;

/** Why a conversation ended. */
export type End = { why: "a-hung-up" | "b-hung-up" } | { why: "digit"; key: string } | { why: "other"; words: string };
/** Both talk until one of them hangs up. */
export declare function bridge(a: Leg, b: Leg): void;
/** Both talk until one of them hangs up, or `a` presses one of `keys`. */
export declare function bridgeUntil(a: Leg, b: Leg, keys: string): End;
/** As `bridgeUntil`, but the script decides about transfers. */
export declare function talk(a: Leg, b: Leg, keys?: string): End | { why: "transfer"; transfer: Transfer };
/** What a user's telephone asks by REFER (RFC 3515): that someone takes its place in a conversation. */
export declare class Transfer {
  /** Whether the second leg of `talk` asks, and not the first. */
  readonly byB: boolean;
  readonly to: Target;
  readonly attended: boolean;
  /** Does what was asked, or rings `to` in place of it; waits until someone has taken the place. */
  carryOut(options?: { to?: string | Target; ringSecs?: number }): void;
  refuse(status?: number): void;
}
/** The user who transferred the call last, by name. */
export declare function transferredBy(): string | null;
/** Waits until a leg of another call comes for this one; "busy" when someone is parked there. */
export declare function park(leg: Leg, slot: string, options?: { forSecs?: number; hears?: string | Prompt }): Leg;
/** Gives the caller's leg to the call that is parked in this slot. */
export declare function retrieve(slot: string): void;
/** Gives the caller's leg to the call that rings at this user's. */
export declare function pickUp(user: string): void;
/** Marks the call for the register: at most 32 marks, 64 bytes the key, 256 the value. */
export declare function tag(key: string, value: string | number): void;
/** Hands the call to another script of the tenant, or a shipped one; takes effect when this script returns. */
export declare function handOver(script: string, settings?: unknown): void;

/** A person or desk of the tenant. */
export interface User {
  name: string;
  number: string;
  mobile: string | null;
  presence: "offline" | "free" | "ringing" | "busy";
  skills: Record<string, number>;
}
export declare const directory: {
  /** A user by name or extension. */
  find(nameOrNumber: string): User | null;
  /** Everyone in a group, in the configuration's order. */
  group(name: string): User[];
  /** Who spoke with this number last, within so many days; 0 is today alone. */
  lastSpokeWith(number: string, days: number): User | null;
  /** Conversations with this number within so many days. */
  conversations(number: string, days: number): number;
};

export interface Contact {
  id: string;
  name: string;
  company: string | null;
  /** The user who looks after them. */
  owner: string | null;
  /** Another field by its name in the CRM. */
  field(name: string): string | null;
}
export declare const crm: {
  find(number: string): Contact | null;
  ownerOf(number: string): string | null;
  /** Writes a task down, for whoever looks after the contact unless said; `due`: seconds since 1970 UTC. Its id. */
  createTask(number: string, title: string, options?: { responsible?: string; due?: number }): string;
  /** An open task is done. */
  closeTask(id: string): void;
};

/** People and programs outside: what they are told is written down when this returns, and delivered for certain. */
export declare const notify: {
  /**
   * Tells a recipient of the tenant's configuration by name. The text's first line is the subject, at most 4 KiB in all;
   * `facts` stand beside those of the call, at most 32 of 1 KiB. Answers a receipt: the letter's name in the outbox.
   */
  send(to: string, text: string, facts?: Record<string, string | number>): string;
  /** Tells everyone who ticked "script"; the receipt is empty when nobody did. */
  tell(text: string, facts?: Record<string, string | number>): string;
};

/** A message in a box. */
export interface Message {
  /** Also a prompt: `caller.play(message.id)`. */
  id: string;
  /** E.164 with "+", or an extension; empty when withheld. */
  number: string;
  name: string | null;
  /** Seconds since 1970 UTC. */
  at: number;
  length: number;
  heard: boolean;
}
/** A box, as it was when looked up. Lengths are seconds. */
export interface Mailbox {
  name: string;
  /** The prompt that greets its callers, where somebody recorded one. */
  greeting: string | null;
  /** The longest message that it takes; so much quiet ends one, and what is shorter than `shortest` is none. */
  longest: number;
  silence: number;
  shortest: number;
  unheard: number;
  heard: number;
  /** It takes no further message. */
  full: boolean;
  /** Users who need no PIN on their own telephones. */
  owners: string[];
  /** "refused" is thrown for a wrong PIN, "limit" with "pin" for any after too many. */
  unlock(pin: string): void;
  /** Those that nobody has heard first, then the others; of each the oldest first. */
  messages(): Message[];
  /** The message was heard, and stays; "not-found" when it is gone. */
  keep(message: { id: string }): void;
  /** The message goes, and its recording with it. */
  delete(message: { id: string }): void;
  /** Greets with this recording of the call from now on; with null as if nobody had recorded one. */
  greetWith(recording: string | null): void;
}
/** What callers leave after `tag("box", name)` goes to that box by itself, also when they hang up while speaking. */
export declare const mailbox: {
  /** A box by its name, or a user's by the user's name or extension. */
  find(nameOrNumber: string): Mailbox | null;
};

export interface RequestOptions {
  /** GET unless said. */
  method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Put behind the URL, whatever is in them. */
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** In place of `body`, with the header that says so. */
  json?: unknown;
  /** How long the answer may take; the tenant's `http_time` unless said, and never longer. */
  withinSecs?: number;
  /** How many redirects are followed, 0 to 5; with 0 a redirect is the answer. */
  redirects?: number;
}
export interface Response {
  status: number;
  /** The status is 200 to 299. */
  ok: boolean;
  /** The first value of a header, by its name in any case. */
  header(name: string): string | null;
  bytes(): Uint8Array;
  text(): string;
  /** "other" is thrown when it is none. */
  json(): any;
}
/**
 * Servers outside, asked over HTTP: those that the tenant allows in [tenant.http]. A request waits for its answer and
 * throws "timed-out", "unreachable", "not-found", "invalid", or "limit" with the key of the tenant's configuration:
 * "http_allow" when the server is not allowed, "http_reach" when its address is private, or one of the limits.
 */
export declare const http: {
  send(url: string, options?: RequestOptions): Response;
  get(url: string, options?: RequestOptions): Response;
  post(url: string, json: unknown, options?: RequestOptions): Response;
};

export interface LocalTime {
  year: number;
  month: number;
  day: number;
  /** 1 is Monday. */
  weekday: number;
  hour: number;
  minute: number;
  second: number;
  offsetMinutes: number;
}
/** The tenant's clock, and chance. `Date` and `Math.random` are the call's too. */
export declare const clock: {
  /** Seconds since 1970 UTC, with the fraction. */
  now(): number;
  local(): LocalTime;
  timeIn(zone: string): LocalTime | null;
  /** The scheme in force by a calendar of the tenant; "not-found" is thrown when there is none. */
  scheme(calendar: string): string;
  /** From 0 up to and without `below`. */
  random(below: number): number;
  sleep(secs: number): void;
};

/** The tenant's own memory across calls: at most 64 KiB a value and 16 MiB a tenant. */
export declare const kv: {
  get(key: string): Uint8Array | null;
  getText(key: string): string | null;
  set(key: string, value: string | Uint8Array, options?: { keepSecs?: number }): void;
  /** Set only if it still is `was`; answers whether it was. */
  swap(key: string, was: string | Uint8Array | null, value: string | Uint8Array): boolean;
  /** Adds to a number kept as decimal text; answers the sum. */
  add(key: string, amount: number): number;
  delete(key: string): void;
};

/** Why a caller may not wait. */
export declare class Refusal extends Error {
  readonly why: "full" | "closed" | "nobody" | "too-long" | "other";
  /** Seconds with "too-long", a word with "other". */
  readonly detail?: string | number;
}
export interface Outlook {
  waiting: number;
  available: number;
  serving: number;
  longest: number;
  expected: number | null;
}
/** A caller's place in a queue, kept until an agent is connected, it is left, or the call ends. */
export declare class Place {
  /** First is 1; 0 when the place is over. */
  readonly position: number;
  readonly expected: number | null;
  /** Whether the caller lost the call a moment ago, and has the old place again. */
  readonly resumed: boolean;
  wait(
    keys?: string,
    options?: { hears?: string | Prompt },
  ):
    | { why: "connected"; agent: Leg }
    | { why: "digit"; key: string }
    | { why: "asked"; word: string }
    | { why: "longest-wait" | "nobody" }
    | { why: "other"; words: string };
  setPriority(priority: number): void;
  /** Leaves the line and keeps the place: an agent is rung at its turn, then this number. */
  callBack(number: string): void;
  leave(): void;
}
export declare const queue: {
  /** Takes a place; the caller is answered first. */
  enter(
    caller: Leg,
    queue: string,
    options?: { priority?: number; skills?: Record<string, number>; longestSecs?: number },
  ): Place;
  look(queue: string): Outlook | null;
};
export declare const agents: {
  state(user: string): "offline" | "available" | "offered" | "talking" | "wrap-up" | "paused" | null;
  makeAvailable(user: string): void;
  pause(user: string, reason?: string): void;
  signIn(user: string, queue: string): void;
  signOut(user: string, queue: string): void;
};

/** Lines for the person who wrote the script; `console` writes there too. */
export interface Log {
  (...words: unknown[]): void;
  debug(...words: unknown[]): void;
  info(...words: unknown[]): void;
  warn(...words: unknown[]): void;
  error(...words: unknown[]): void;
}
export declare const log: Log;

/** What there is to know when the call is over. */
export interface CallRecord {
  id: string;
  caller: Party;
  dialled: string;
  started: number;
  waited: number;
  talked: number;
  answeredBy: string | null;
  outcome: "answered" | "missed" | "abandoned" | "voicemail" | "rejected" | "failed";
  recordings: string[];
  tags: [string, string][];
}

/** The default export of a call script's module. */
export declare function script<Settings = any>(parts: {
  /** The call, from its arrival to its end. */
  onCall(caller: Leg, settings: Settings): void;
  /** After the call, in a sandbox of its own. */
  onEnded?(how: CallRecord): void;
}): Script;
export interface Script {
  onCall(caller: unknown): void;
  onEnded(record: unknown): void;
}
