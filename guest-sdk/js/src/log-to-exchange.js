// The log of a component, in both worlds.

import log from "strowger:script/log";

export const write = (level, line) => log.write(level, line);
