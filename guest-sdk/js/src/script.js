// Where the exchange enters a call script.

import "./console.js";
import { settings } from "./around.js";
import { Leg } from "./leg.js";
import { Refusal } from "./queue.js";
import { run } from "./run.js";
import { seconds } from "./words.js";

export function script({ onCall, onEnded = () => {} }) {
  if (typeof onCall !== "function") throw new TypeError("script({ onCall(caller, settings) { ... } }) has no onCall");
  return {
    onCall: (caller) => run(() => onCall(new Leg(caller), settings()), failureOf),
    onEnded: (record) => run(() => onEnded(recordOf(record)), failureOf),
  };
}

// A queue's refusal carries its failure.
const failureOf = (thrown) => (thrown instanceof Refusal ? thrown.failure : thrown);

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
