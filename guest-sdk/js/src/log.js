// Lines for the person who wrote the script.

import { write } from "#log";

const line = (words) => words.map((word) => (typeof word === "string" ? word : shown(word))).join(" ");

function shown(word) {
  if (word instanceof Error) return `${word.name}: ${word.message}`;
  return JSON.stringify(word) ?? String(word);
}

export const log = (...words) => write("info", line(words));
log.debug = (...words) => write("debug", line(words));
log.info = log;
log.warn = (...words) => write("warn", line(words));
log.error = (...words) => write("error", line(words));

// An error with the lines where it was thrown, as it stands before the backtrace of a script that gives up.
export function logThrown(thrown) {
  const stack = String(thrown?.stack ?? "").trimEnd();
  const words = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `thrown: ${shown(thrown)}`;
  // Some engines begin the stack with the words, QuickJS does not.
  write("error", stack.startsWith(words) ? stack : stack ? `${words}\n${stack}` : words);
}
