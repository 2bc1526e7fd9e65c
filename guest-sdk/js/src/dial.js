// Ringing others, letting them talk, and giving the call away.

import { call } from "#exchange";
import { Leg } from "./leg.js";
import { Failure, ending, millis, music, prompt, target, targets, verb } from "./words.js";

const RING_FOR = 30;
const PARKED_FOR = 120;

export function dial(whom, options = {}) {
  const { forSecs = RING_FOR, then = [], oneByOneSecs, skipBusy = false, present, ringback } = options;
  const stages = [{ after: 0, targets: targets(whom) }]
    .concat(then.map((stage) => ({ after: millis(stage.afterSecs), targets: targets(stage.targets) })))
    .filter((stage) => stage.targets.length > 0);
  if (stages.length === 0) throw new Failure("unreachable");
  const how = {
    timeout: millis(forSecs),
    ringback: ringback == null ? null : prompt(ringback),
    present: present instanceof Leg ? present.party : (present ?? null),
    skipBusy,
  };
  if (oneByOneSecs == null) return new Leg(verb(() => call.dial(stages, how)));
  return oneByOne(
    stages.flatMap((stage) => stage.targets),
    { ...how, timeout: millis(oneByOneSecs) },
  );
}

// How much a failure says of what happened, as a dial of several places weighs it.
const WEIGHT = { refused: 4, busy: 3, "no-answer": 2, limit: 1, "not-found": 1 };

function oneByOne(places, how) {
  let best = new Failure("unreachable");
  for (const place of places) {
    try {
      return new Leg(verb(() => call.dial([{ after: 0, targets: [place] }], how)));
    } catch (failure) {
      if (!(failure instanceof Failure) || failure.why === "hung-up") throw failure;
      if ((WEIGHT[failure.why] ?? 0) >= (WEIGHT[best.why] ?? 0)) best = failure;
    }
  }
  throw best;
}

const ENDS = { digit: "key", transfer: "transfer", other: "words" };

export function bridge(a, b) {
  verb(() => call.bridge(a.handle, b.handle, ""));
}

export function bridgeUntil(a, b, keys) {
  return ending(
    verb(() => call.bridge(a.handle, b.handle, keys)),
    ENDS,
  );
}

export function talk(a, b, keys = "") {
  const end = ending(
    verb(() => call.talk(a.handle, b.handle, keys)),
    ENDS,
  );
  return end.why === "transfer" ? { why: end.why, transfer: new Transfer(end.transfer) } : end;
}

export class Transfer {
  constructor(handle) {
    this.handle = handle;
  }
  get byB() {
    return this.handle.byB();
  }
  get to() {
    return this.handle.to();
  }
  get attended() {
    return this.handle.attended();
  }
  carryOut({ to, ringSecs = 20 } = {}) {
    verb(() => this.handle.carryOut(to == null ? null : target(to), millis(ringSecs)));
  }
  refuse(status = 603) {
    verb(() => this.handle.refuse(status));
  }
}

export const transferredBy = () => call.transferredBy() ?? null;

export function park(leg, slot, { forSecs = PARKED_FOR, hears = music("hold") } = {}) {
  return new Leg(verb(() => call.park(leg.handle, slot, millis(forSecs), prompt(hears))));
}
export function retrieve(slot) {
  verb(() => call.retrieve(slot));
}
export function pickUp(user) {
  verb(() => call.pickUp(user));
}
export function tag(key, value) {
  verb(() => call.tag(key, String(value)));
}
export function handOver(script, settings = {}) {
  verb(() => call.handOver(script, JSON.stringify(settings)));
}
