// What people outside are told, and the boxes that keep what callers said.

import * as exchange from "#exchange";
import { seconds, verb } from "./words.js";

const told = (to, text, facts = {}) =>
  verb(() => exchange.notify.send(to, text, Object.entries(facts).map(([name, value]) => [name, String(value)])));

export const notify = {
  send: told,
  tell: (text, facts) => told("", text, facts),
};

const message = (kept) => ({
  id: kept.id(),
  number: kept.number(),
  name: kept.name() ?? null,
  at: kept.at(),
  length: seconds(kept.length()),
  heard: kept.heard(),
});

function find(nameOrNumber) {
  const box = exchange.mailbox.find(nameOrNumber);
  if (box == null) return null;
  const name = box.name();
  return {
    name,
    greeting: box.greeting() ?? null,
    longest: seconds(box.longest()),
    silence: seconds(box.silence()),
    shortest: seconds(box.shortest()),
    unheard: box.unheard(),
    heard: box.heard(),
    full: box.full(),
    owners: box.owners(),
    unlock: (pin) => verb(() => exchange.mailbox.unlock(name, pin)),
    messages: () => verb(() => exchange.mailbox.messages(name)).map(message),
    keep: ({ id }) => verb(() => exchange.mailbox.keep(name, id)),
    delete: ({ id }) => verb(() => exchange.mailbox.delete(name, id)),
    greetWith: (recording) => verb(() => exchange.mailbox.greet(name, recording)),
  };
}

export const mailbox = { find };
