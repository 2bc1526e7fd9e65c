// Where the exchange enters a call script.

import "./console.js";
import { clock, settings } from "./around.js";
import { Leg } from "./leg.js";
import { logThrown } from "./log.js";
import { Refusal } from "./queue.js";
import { Failure, seconds, variantOf } from "./words.js";

export function script({ onCall, onEnded = () => {} }) {
  if (typeof onCall !== "function") throw new TypeError("script({ onCall(caller, settings) { ... } }) has no onCall");
  return {
    onCall: (caller) => run(() => onCall(new Leg(caller), settings())),
    onEnded: (record) => run(() => onEnded(recordOf(record))),
  };
}

// A failure leaves the script as one of wit/. Anything else thrown is the script's own mistake: it is logged with its
// stack and stops the script, and the number's fallback takes the call.
function run(part) {
  Math.random = () => clock.random(2 ** 32 - 1) / (2 ** 32 - 1);
  try {
    part();
  } catch (thrown) {
    const failure = thrown instanceof Refusal ? thrown.failure : thrown;
    if (failure instanceof Failure) throw variantOf(failure);
    logThrown(thrown);
    throw thrown;
  }
}

function recordOf(record) {
  return {
    id: record.id(),
    caller: record.caller(),
    dialled: record.dialled(),
    started: record.started(),
    waited: seconds(record.waited()),
    talked: seconds(record.talked()),
    answeredBy: record.answeredBy() ?? null,
    outcome: record.outcome(),
    recordings: record.recordings(),
    tags: record.tags(),
  };
}
