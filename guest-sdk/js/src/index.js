// Call scripts for the strowger telephone exchange. What everything is and means: index.d.ts.

export { clock, crm, directory, kv } from "./around.js";
export { bridge, bridgeUntil, dial, handOver, park, pickUp, retrieve, tag, talk, transferredBy } from "./dial.js";
export { http } from "./http.js";
export { log } from "./log.js";
export { mailbox, notify } from "./messages.js";
export { Refusal, agents, queue } from "./queue.js";
export { script } from "./script.js";
export {
  Failure,
  digits,
  duration,
  music,
  number,
  position,
  quantity,
  recording,
  silence,
  text,
  tone,
  uri,
  user,
} from "./words.js";
