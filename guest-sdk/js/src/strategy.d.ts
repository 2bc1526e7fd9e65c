/**
 * Queue strategies: who rings next, as a function. A strategy is asked with a snapshot of its queue and keeps nothing; the
 * same snapshot gives the same answer. Looking at an agent or a caller asks the exchange then, and not before. Lengths are
 * seconds.
 *
 *     import { strategy, pairUp } from "@strowger/script/strategy";
 *
 *     export default strategy({
 *       rank: (now) => pairUp(now.waitingByPriority(), now.freeAgents().sort((a, b) => b.sinceOffered - a.sinceOffered)),
 *     });
 *
 * @packageDocumentation
 */

import type { Log, Prompt, Say } from "./index.js";

export { digits, duration, music, position, quantity, recording, silence, text, tone } from "./index.js";
export declare const log: Log;

/** A queue at one moment. */
export declare class Snapshot {
  /** The queue's name. */
  readonly queue: string;
  /** The queue's settings, read. */
  readonly settings: any;
  /** For choices by chance: the same seed, the same choice. */
  readonly seed: number;
  /** The agent who answered last. */
  readonly lastAnswered: string | null;
  /** Mean length of a conversation lately, wrap-up included. */
  readonly service: number;
  /** All callers in order of arrival, those for whom somebody is rung too. */
  callers(): Waiting[];
  /** The first so many callers for whom nobody is rung now, by priority, then arrival. */
  waitingByPriority(most?: number): Waiting[];
  /** All agents of the queue in the configuration's order, whatever they do. */
  agents(): Agent[];
  /** The agents to whom a call can be offered now. */
  freeAgents(): Agent[];
}

/** A caller in the queue. */
export declare class Waiting {
  /** Names the caller in this snapshot. */
  readonly id: number;
  readonly number: string;
  /** Higher goes first. */
  readonly priority: number;
  /** Skills asked for, and the least level of each. */
  readonly skills: Record<string, number>;
  readonly waited: number;
  /** The place in line: first is 1. */
  readonly position: number;
  /** The exchange's own estimate of the rest of the wait. */
  readonly expected: number | null;
  /** Whoever spoke with this number last. */
  readonly lastAgent: string | null;
  /** Agents that were rung for this caller before, in order. */
  readonly tried: string[];
  /** Whether agents are being rung for the caller now. */
  readonly offered: boolean;
  /** Whether any free agent will do: no skills are asked for, and nobody was rung before. */
  readonly anyone: boolean;
}

/** An agent who serves the queue. */
export declare class Agent {
  readonly name: string;
  readonly state: "offline" | "available" | "offered" | "talking" | "wrap-up" | "paused";
  /** Whether a call can be offered now. */
  readonly free: boolean;
  /** Since the last call ended. */
  readonly freeFor: number;
  /** Since a call was last offered. */
  readonly sinceOffered: number;
  /** Calls offered today. */
  readonly offered: number;
  /** Calls answered today. */
  readonly answered: number;
  readonly talked: number;
  readonly signedInFor: number;
  readonly missedInARow: number;
  /** The tier: 1 is asked first. */
  readonly level: number;
  /** The share in a weighted queue, 1 to 1000. */
  readonly weight: number;
  /** Skill and level, 1 to 100. */
  readonly skills: Record<string, number>;
}

/** Ring these agents together for this caller. */
export interface Offer {
  caller: Waiting | number;
  agents: Agent | string | (Agent | string)[];
  /** 20 unless said. */
  ringSecs?: number;
}

/** The first caller gets the first agent, the second the second, and so on. */
export declare function pairUp(callers: Waiting[], agents: (Agent | string)[], ringSecs?: number): Offer[];

export interface Strategy {
  /** Who rings for whom; `againSecs`: asked again after this if nothing happens before. */
  rank(now: Snapshot): Offer[] | { offers: Offer[]; againSecs?: number };
  /** May this caller wait? "come-in", "full", "closed", "nobody", a word of your own, or too long; come in unless said. */
  admit?(now: Snapshot, who: Waiting): string | { tooLongSecs: number };
  /** How long the caller will probably wait still; the exchange's estimate unless said. */
  expectedWait?(now: Snapshot, who: Waiting): number | null;
  /** What to say to the caller now, and when to ask again; nothing unless said. `saidSecs` ago it was asked last. */
  announce?(now: Snapshot, who: Waiting, saidSecs: number): { say?: Say; againSecs?: number } | null;
  /** What a key does: nothing, say something, or a word for the script. */
  onDigit?(now: Snapshot, who: Waiting, key: string): { say: Say } | { ask: string } | null;
}

/** The default export of a strategy's module. */
export declare function strategy(parts: Strategy): {
  /** For tests: who would be rung for whom at this moment, agents by name, ringing in milliseconds. */
  ranked(now: Snapshot): { caller: number; agents: string[]; ring: number }[];
};
export type { Prompt, Say };
