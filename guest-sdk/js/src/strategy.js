// Queue strategies: who rings next, as a function of a snapshot. What everything is and means: strategy.d.ts.

import "./console.js";
import { logThrown } from "./log.js";
import { millis, prompts, seconds } from "./words.js";

export { log } from "./log.js";
export { digits, duration, music, position, quantity, recording, silence, text, tone } from "./words.js";

const RING_FOR = 20;

export class Snapshot {
  #handle;
  constructor(handle) {
    this.#handle = handle;
  }
  get queue() {
    return this.#handle.queue();
  }
  get settings() {
    return JSON.parse(this.#handle.settings());
  }
  get seed() {
    return this.#handle.seed();
  }
  get lastAnswered() {
    return this.#handle.lastAnswered() ?? null;
  }
  get service() {
    return seconds(this.#handle.service());
  }
  callers() {
    return this.#handle.waiting().map((handle) => new Waiting(handle));
  }
  waitingByPriority(most = 2 ** 32 - 1) {
    return this.#handle.inLine(most).map((handle) => new Waiting(handle));
  }
  agents() {
    return this.#handle.agents().map((handle) => new Agent(handle));
  }
  freeAgents() {
    return this.#handle.free().map((handle) => new Agent(handle));
  }
}

// A class of getters over a handle: each asks the exchange when it is looked at. `read`: what becomes of an answer.
function reader(read) {
  class Reader {
    #handle;
    constructor(handle) {
      this.#handle = handle;
    }
    ask(name) {
      return read[name](this.#handle[name]());
    }
  }
  for (const name of Object.keys(read)) {
    Object.defineProperty(Reader.prototype, name, {
      get() {
        return this.ask(name);
      },
    });
  }
  return Reader;
}

const asItIs = (value) => value;
const orNull = (value) => value ?? null;

export const Waiting = reader({
  id: asItIs,
  number: asItIs,
  priority: asItIs,
  skills: Object.fromEntries,
  waited: seconds,
  position: asItIs,
  expected: seconds,
  lastAgent: orNull,
  tried: asItIs,
  offered: asItIs,
  anyone: asItIs,
});

export const Agent = reader({
  name: asItIs,
  state: asItIs,
  free: asItIs,
  freeFor: seconds,
  sinceOffered: seconds,
  offered: asItIs,
  answered: asItIs,
  talked: seconds,
  signedInFor: seconds,
  missedInARow: asItIs,
  level: asItIs,
  weight: asItIs,
  skills: Object.fromEntries,
});

export function pairUp(callers, agents, ringSecs = RING_FOR) {
  const pairs = callers.slice(0, agents.length);
  return pairs.map((caller, place) => ({ caller, agents: [agents[place]], ringSecs }));
}

const offer = ({ caller, agents, ringSecs = RING_FOR }) => ({
  caller: typeof caller === "number" ? caller : caller.id,
  agents: [agents].flat().map((agent) => (typeof agent === "string" ? agent : agent.name)),
  ring: millis(ringSecs),
});

const again = (againSecs) => (againSecs == null ? null : millis(againSecs));

function ranking(answer) {
  const { offers, againSecs } = Array.isArray(answer) ? { offers: answer } : answer;
  return { offers: offers.map(offer), again: again(againSecs) };
}

function admission(answer = "come-in") {
  if (typeof answer !== "string") return { tag: "too-long", val: millis(answer.tooLongSecs) };
  return ["come-in", "full", "closed", "nobody"].includes(answer) ? { tag: answer } : { tag: "other", val: answer };
}

function action(answer) {
  if (answer?.say != null) return { tag: "say", val: prompts(answer.say) };
  return answer?.ask != null ? { tag: "ask", val: answer.ask } : { tag: "pass" };
}

export function strategy(parts) {
  const { rank, admit = () => "come-in", expectedWait, announce = () => null, onDigit = () => null } = parts;
  if (typeof rank !== "function") throw new TypeError("strategy({ rank(now) { ... } }) has no rank");
  const now = (handle) => new Snapshot(handle);
  const who = (handle) => new Waiting(handle);
  const wait = expectedWait ?? ((_, caller) => caller.expected);
  return {
    ranked: (snapshot) => ranking(rank(snapshot)).offers,
    rank: (snapshot) => told(() => ranking(rank(now(snapshot)))),
    admit: (snapshot, caller) => told(() => admission(admit(now(snapshot), who(caller)))),
    expectedWait: (snapshot, caller) => told(() => again(wait(now(snapshot), who(caller)))),
    announce: (snapshot, caller, said) =>
      told(() => {
        const answer = announce(now(snapshot), who(caller), seconds(said)) ?? {};
        return { say: prompts(answer.say), again: again(answer.againSecs) };
      }),
    onDigit: (snapshot, caller, key) => told(() => action(onDigit(now(snapshot), who(caller), key))),
  };
}

// What is thrown stands in the log, and longest-idle takes the decision.
function told(part) {
  try {
    return part();
  } catch (thrown) {
    logThrown(thrown);
    throw thrown;
  }
}
