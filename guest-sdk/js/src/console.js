// QuickJS has no console; what is written there is for the script's log.

import { log } from "./log.js";

if (typeof globalThis.console === "undefined") {
  globalThis.console = { debug: log.debug, log, info: log.info, warn: log.warn, error: log.error };
}
