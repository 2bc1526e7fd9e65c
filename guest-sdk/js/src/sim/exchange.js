// The interfaces of wit/ in Node: they ask the call that is simulated.

import { playing } from "./world.js";

const from = (part, names) => Object.fromEntries(names.map((name) => [name, (...args) => playing()[part][name](...args)]));

export const call = from("call", ["dial", "bridge", "talk", "transferredBy", "park", "retrieve", "pickUp", "tag", "handOver"]);
export const clock = from("clock", ["now", "localTime", "timeIn", "scheme", "random", "sleep"]);
export const crm = from("crm", ["find", "createTask", "closeTask"]);
export const directory = from("directory", ["find", "group", "lastSpokeWith", "conversations"]);
export const http = from("http", ["fetch"]);
export const kv = from("kv", ["get", "set", "swap", "add", "delete"]);
export const mailbox = from("mailbox", ["find", "unlock", "messages", "keep", "delete", "greet"]);
export const notify = from("notify", ["send"]);
export const queue = from("queue", ["enter", "look", "agent", "makeAvailable", "pause", "signIn", "signOut"]);
export const settings = from("settings", ["get"]);
