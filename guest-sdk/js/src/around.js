// What a script can ask about the tenant: people, contacts, time, memory.

import * as exchange from "#exchange";
import { decode, encode } from "./utf8.js";
import { Failure, millis, verb } from "./words.js";

function person(user) {
  return (
    user && {
      name: user.name(),
      number: user.number(),
      mobile: user.mobile() ?? null,
      presence: user.presence(),
      skills: Object.fromEntries(user.skills()),
    }
  );
}

export const directory = {
  find: (nameOrNumber) => person(exchange.directory.find(nameOrNumber)) ?? null,
  group: (name) => exchange.directory.group(name).map(person),
  lastSpokeWith: (number, days) => person(exchange.directory.lastSpokeWith(number, days)) ?? null,
  conversations: (number, days) => exchange.directory.conversations(number, days),
};

function find(number) {
  const contact = verb(() => exchange.crm.find(number));
  if (contact == null) return null;
  return {
    id: contact.id(),
    name: contact.name(),
    company: contact.company() ?? null,
    owner: contact.owner() ?? null,
    field: (name) => contact.field(name) ?? null,
  };
}

export const crm = {
  find,
  ownerOf: (number) => find(number)?.owner ?? null,
  createTask: (number, title, { responsible, due } = {}) =>
    verb(() => exchange.crm.createTask(number, title, responsible, due)),
  closeTask: (id) => verb(() => exchange.crm.closeTask(id)),
};

export const clock = {
  now: () => exchange.clock.now(),
  local: () => exchange.clock.localTime(),
  timeIn: (zone) => exchange.clock.timeIn(zone) ?? null,
  scheme(calendar) {
    const scheme = exchange.clock.scheme(calendar);
    if (scheme == null) throw new Failure("not-found", `calendar ${calendar}`);
    return scheme;
  },
  random: (below) => exchange.clock.random(below),
  sleep: (length) => verb(() => exchange.clock.sleep(millis(length))),
};

const bytes = (value) => (typeof value === "string" ? encode(value) : value);

export const kv = {
  get: (key) => verb(() => exchange.kv.get(key)) ?? null,
  getText(key) {
    const value = kv.get(key);
    return value === null ? null : decode(value);
  },
  set: (key, value, { keepSecs = null } = {}) => verb(() => exchange.kv.set(key, bytes(value), keepSecs)),
  swap: (key, was, value) => verb(() => exchange.kv.swap(key, was == null ? null : bytes(was), bytes(value))),
  add: (key, amount) => verb(() => exchange.kv.add(key, amount)),
  delete: (key) => verb(() => exchange.kv.delete(key)),
};

export function settings() {
  return JSON.parse(exchange.settings.get());
}
