// What a script throws, as the exchange hears of it.

import { clock } from "./around.js";
import { logThrown } from "./log.js";
import { Failure, variantOf } from "./words.js";

// A failure leaves the script as one of wit/. Anything else thrown is the script's own mistake: it is logged with its
// stack and stops the script. `unwrap`: the failure in what carries one.
export function run(part, unwrap = (thrown) => thrown) {
  Math.random = () => clock.random(2 ** 32 - 1) / (2 ** 32 - 1);
  try {
    part();
  } catch (thrown) {
    const failure = unwrap(thrown);
    if (failure instanceof Failure) throw variantOf(failure);
    logThrown(thrown);
    throw thrown;
  }
}
