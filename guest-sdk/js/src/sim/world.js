// The simulated exchange: virtual time, a caller who follows a plan, and the parties around. Prompts take their nominal time.

import { decode, encode } from "../utf8.js";
import { Failure } from "../words.js";
import { lines } from "./log.js";
import { mailboxes } from "./mailbox.js";
import { bridge, talk } from "./moves.js";

const RECORDING = 2;
const CHARACTER = 0.5;
const REACTION = 1;
const BETWEEN_KEYS = 0.5;

let current = null;

export function playing() {
  if (current === null) throw new Error("a verb was called outside of a simulated call; use Caller...run(script)");
  return current;
}

// Runs `part` with a world around it, and leaves it whatever happens.
export function within(world, part) {
  const [before, write] = [current, lines.write];
  current = world;
  lines.write = (level, line) => world.note(`${level}: ${line}`, world.log.push(line));
  try {
    return part();
  } finally {
    current = before;
    lines.write = write;
  }
}

const fails = (tag, val) => {
  throw { tag, val };
};

export class World {
  constructor(plan) {
    this.plan = plan;
    this.steps = [...plan.steps];
    this.now = 0;
    this.callerAt = 0;
    this.keys = [];
    this.left = false;
    this.timeline = [];
    this.log = [];
    this.tags = [];
    this.notices = [];
    this.kept = new Map(Object.entries(plan.remembered).map(([key, text]) => [key, encode(text)]));
    this.handedOver = null;
    this.drawn = 0;
    this.caller = this.leg({ number: plan.number, name: null, uri: `tel:${plan.number}` }, "inbound", plan.user);
    const world = this;
    this.call = {
      dial: (stages, options) => world.dial(stages, options),
      bridge: (a, b, keys) => bridge(world, a, b, keys),
      talk: (a, b, keys) => talk(world, a, b, keys),
      transferredBy: () => plan.transferredBy,
      park: (_leg, slot, most) => (world.note(`park in ${slot}`), world.passes(most / 1000), fails("no-answer")),
      retrieve: (slot) => fails("not-found", slot),
      pickUp: (user) => fails("not-found", user),
      tag: (key, value) => world.note(`tag ${key} = ${value}`, world.tags.push([key, value])),
      handOver(script, settings) {
        world.note(`hand over to ${script}`);
        world.handedOver = { script, settings: JSON.parse(settings) };
      },
    };
    this.clock = {
      now: () => plan.at.getTime() / 1000 + world.now,
      localTime: () => local(new Date(plan.at.getTime() + world.now * 1000)),
      timeIn: () => local(new Date(plan.at.getTime() + world.now * 1000)),
      scheme: (calendar) => plan.calendars[calendar] ?? null,
      random: (below) => (below === 0 ? 0 : world.drawn++ % below),
      sleep: (millis) => world.passes(millis / 1000),
    };
    this.crm = {
      find: (number) => contact(plan.contacts[number]),
      createTask(number, title, responsible) {
        world.note(`task${responsible ? ` for ${responsible}` : ""} about ${number}: ${title}`);
        return "simulated-task";
      },
      closeTask: (id) => world.note(`task ${id} is done`),
    };
    this.mailbox = mailboxes(world);
    this.notify = {
      send(to, text, facts) {
        world.note(`notify ${to || "everyone"}: ${text.split("\n")[0]}`);
        world.notices.push({ to, text, facts: Object.fromEntries(facts) });
        return "simulated-letter";
      },
    };
    this.http = { fetch: (request) => world.fetch(request) };
    this.directory = {
      find: (name) => person(plan.users.find((user) => user.name === name || user.number === name)),
      group: (name) => plan.users.filter((user) => user.groups.includes(name)).map(person),
      lastSpokeWith: () => person(plan.users.find((user) => user.name === plan.spokeWith)),
      conversations: () => (plan.spokeWith ? 1 : 0),
    };
    this.kv = {
      get: (key) => world.kept.get(key) ?? null,
      set: (key, value) => world.note(`set ${key} = ${decode(value)}`, world.kept.set(key, value)),
      swap(key, was, value) {
        const is = world.kept.get(key);
        const same = was === null ? is === undefined : is !== undefined && decode(is) === decode(was);
        if (same) world.kept.set(key, value);
        return same;
      },
      add(key, amount) {
        const sum = Number(world.kept.has(key) ? decode(world.kept.get(key)) : "0") + amount;
        if (!Number.isInteger(sum)) fails("invalid", "key: not a number");
        world.kept.set(key, encode(String(sum)));
        return sum;
      },
      delete: (key) => void world.kept.delete(key),
    };
    this.queue = {
      enter: (name, entry) => world.enter(name, entry),
      look: (name) => outlook(plan.lines[name]),
      agent: (user) => (plan.users.some(({ name }) => name === user) ? "available" : null),
      makeAvailable: (user) => world.note(`make ${user} available`),
      pause: (user, reason) => world.note(`pause ${user}: ${reason}`),
      signIn: (user, name) => world.note(`sign ${user} in to ${name}`),
      signOut: (user, name) => world.note(`sign ${user} out of ${name}`),
    };
    this.settings = { get: () => JSON.stringify(plan.settings) };
  }

  note(line) {
    this.timeline.push(`${this.now.toFixed(1).padStart(7)} s  ${line}`);
  }

  // Something that the plan may wait for.
  happens(kind, what) {
    const next = this.steps[0];
    if (next?.kind === kind && (next.what === undefined || next.what === what)) {
      this.steps.shift();
      this.callerAt = this.now;
      this.note(`  the caller: ${describe(next)}`);
    }
  }

  // What the caller does next, and when; nothing while it waits for something.
  act() {
    while (this.steps[0]?.kind === "waits") this.callerAt += this.steps.shift().secs;
    const next = this.steps[0];
    if (next?.kind === "presses") return { ...next, at: this.callerAt + (next.first ? REACTION : BETWEEN_KEYS) };
    return next?.kind === "hangs up" ? { ...next, at: this.callerAt + next.secs } : null;
  }

  fetch({ method, url, timeout }) {
    this.note(`asks ${method.toUpperCase()} ${url}`);
    const server = this.plan.servers.find((server) => fits(server.url, url));
    if (!server) fails("limit", "http_allow");
    const { status = 200, headers = {}, body = "", after = 0, fails: why } = server;
    const late = timeout > 0 && after * 1000 > timeout;
    this.passes(late ? timeout / 1000 : after);
    if (late || why) fails(late ? "timed-out" : why);
    const same = (name) => Object.entries(headers).filter(([known]) => known.toLowerCase() === name.toLowerCase());
    return {
      status: () => status,
      header: (name) => same(name).map(([, value]) => value),
      body: () => encode(typeof body === "string" ? body : JSON.stringify(body)),
    };
  }

  // Time goes by, for so long, or until a key that `stops` accepts; the caller may leave meanwhile.
  passes(length, stops = () => false) {
    if (this.left) fails("hung-up");
    const until = this.now + length;
    for (;;) {
      const act = this.act();
      if (act === null || act.at > until) {
        if (until === Infinity) this.ends("the call would go on for ever: say what the caller does");
        this.now = until;
        return null;
      }
      this.steps.shift();
      this.now = Math.max(this.now, act.at);
      this.callerAt = this.now;
      this.note(`  the caller: ${describe(act)}`);
      if (act.kind === "hangs up") {
        this.left = true;
        fails("hung-up");
      }
      this.keys.push(act.key);
      if (stops(act.key)) return act.key;
    }
  }

  ends(why) {
    throw new Error(`${why}\n${this.timeline.join("\n")}\nwhat is left of the plan: ${this.steps.map(describe).join(", ")}`);
  }

  hears(prompts, cut) {
    for (const prompt of prompts) {
      if (cut && this.keys.length > 0) return;
      this.note(`plays ${heard(prompt)}`);
      this.happens("hears", JSON.stringify(prompt));
      if (prompt.tag === "music") this.happens("hears music");
      this.passes(nominal(prompt), () => cut);
    }
  }

  // Time goes by beside a leg that is not the caller's, and that may hang up. A caller who has left is not waited for.
  passesBeside(leg, length) {
    const { who, hangsUpAt = Infinity } = leg;
    if (hangsUpAt <= this.now) fails("hung-up");
    const until = Math.min(this.now + length, hangsUpAt);
    if (!this.left) this.passes(until - this.now);
    else if (until < Infinity) this.now = until;
    if (until < hangsUpAt) return;
    // Nobody listens to what never ends.
    this.note(`${who} hangs up`);
    leg.hangsUpAt = this.now;
    fails("hung-up");
  }

  playBeside(leg, what) {
    what.forEach((prompt) => this.note(`plays ${heard(prompt)} to ${leg.who}`));
    this.passesBeside(leg, what.reduce((length, prompt) => length + nominal(prompt), 0));
  }

  gatherBeside(leg, { prompts, most, terminator, first, between }) {
    prompts.forEach((prompt) => this.note(`plays ${heard(prompt)} to ${leg.who}`));
    const keys = leg.keys ?? [];
    let digits = "";
    let until = this.now + prompts.reduce((length, prompt) => length + nominal(prompt), first / 1000);
    let next = this.now + REACTION;
    while (digits.length < most) {
      const presses = keys.length > 0 && next <= until;
      this.passesBeside(leg, (presses ? next : until) - this.now);
      if (!presses) return this.gathered(digits, "time-out");
      const key = keys.shift();
      this.note(`${leg.who} presses ${key}`);
      if (key === terminator) return this.gathered(digits, "terminator");
      digits += key;
      until = this.now + between / 1000;
      next = this.now + BETWEEN_KEYS;
    }
    return this.gathered(digits, "enough");
  }

  leg(party, direction, user) {
    const world = this;
    const isCaller = direction === "inbound";
    return {
      who: user ?? party.number,
      party: () => party,
      dialled: () => (isCaller ? world.plan.dialled : party.number),
      direction: () => direction,
      user: () => user ?? null,
      header: () => [],
      language: () => world.plan.language,
      setLanguage: (tag) => (world.plan.language = tag),
      ring: (early) => (world.happens("hears ringing"), early && world.hears([early], false)),
      answer: () => (world.passes(0), world.note("answer"), world.happens("is answered")),
      reject(status) {
        world.passes(0);
        world.note(`reject ${status}`);
        world.happens("is rejected", status);
        world.left = true;
      },
      play(what, cut) {
        if (!isCaller) return world.playBeside(this, what);
        world.passes(0);
        world.hears(what, cut);
      },
      gather(options) {
        return isCaller ? world.gather(options) : world.gatherBeside(this, options);
      },
      recordMessage(most, silence) {
        world.note("record a message");
        const speaks = world.steps[0]?.kind === "speaks" ? world.steps.shift().secs : 0;
        const length = Math.min(most / 1000, speaks);
        world.callerAt = world.now + length;
        world.passes(Math.min(most / 1000, speaks + silence / 1000), () => true);
        return { id: "recording-1", length: length * 1000 };
      },
      startRecording: () => "recording-1",
      stopRecording: () => {},
      pauseRecording: () => world.note("the recording pauses"),
      resumeRecording: () => world.note("the recording goes on"),
      sendDigits: (digits) => world.passes(digits.length * CHARACTER),
      hold: (hears) => hears.tag === "music" && world.happens("hears music"),
      resume: () => {},
      hangUp() {
        world.note(`hang up ${isCaller ? "the caller" : party.number}`);
        if (!isCaller) return;
        world.happens("is hung up");
        world.left = true;
      },
    };
  }

  gather({ prompts, most, terminator, first, between }) {
    this.passes(0);
    this.hears(prompts, true);
    let digits = "";
    while (digits.length < most) {
      if (this.keys.length === 0) {
        const limit = (digits === "" ? first : between) / 1000;
        if (this.passes(limit, () => true) === null) return this.gathered(digits, "time-out");
      }
      const key = this.keys.shift();
      if (key === terminator) return this.gathered(digits, "terminator");
      digits += key;
    }
    return this.gathered(digits, "enough");
  }

  gathered(digits, ended) {
    this.note(`gathered "${digits}", ${ended}`);
    return { digits, ended };
  }

  // Who answers first, or the best failure: each target either answers, fails, or lets it ring.
  dial(stages, { timeout, skipBusy }) {
    this.passes(0);
    const limit = timeout / 1000;
    let [answers, failed, allFailedAt] = [null, [], 0];
    for (const { after, targets } of stages) {
      const begins = failed.length > 0 && allFailedAt < Infinity ? Math.min(after / 1000, allFailedAt) : after / 1000;
      for (const target of targets) {
        const party = this.plan.find(target);
        const manner = party?.manner(skipBusy) ?? { fails: "unreachable", after: 0 };
        const at = begins + manner.after;
        if (manner.fails) {
          failed.push({ tag: manner.fails, val: manner.status, at });
          allFailedAt = Math.max(allFailedAt, at);
        } else {
          allFailedAt = Infinity;
          if (at < limit && (answers === null || at < answers.at)) answers = { at, party, target };
        }
      }
    }
    this.note(`dial ${stages.flatMap(({ targets }) => targets.map(({ val }) => val)).join(", ")}`);
    this.happens("hears ringing");
    if (answers) {
      this.passes(answers.at);
      this.note(`${answers.target.val} answers`);
      const { val, tag } = answers.target;
      const party = { number: answers.party.number || val, name: null, uri: `sip:${val}` };
      const { talks = Infinity, transfers, keys = "" } = answers.party;
      return Object.assign(this.leg(party, "outbound", tag === "user" ? val : null), {
        hangsUpAt: this.now + talks,
        transfersAt: transfers ? this.now + transfers.after : Infinity,
        transfersTo: transfers?.to,
        keys: [...keys],
      });
    }
    this.passes(Math.min(limit, allFailedAt));
    const order = ["refused", "busy", "no-answer", "unreachable"];
    if (allFailedAt > limit) failed.push({ tag: "no-answer" });
    const best = failed.sort((a, b) => order.indexOf(a.tag) - order.indexOf(b.tag))[0] ?? { tag: "unreachable" };
    this.note(`nobody answers: ${best.tag}`);
    return fails(best.tag, best.val);
  }

  enter(name, { longest }) {
    const line = this.plan.lines[name];
    if (!line) fails("failed", { tag: "not-found", val: name });
    if (line.refuses) fails(line.refuses);
    const [entered, ends] = [this.now, this.now + (longest / 1000 || 600)];
    const connects = line.agent ? entered + line.after : Infinity;
    this.note(`enters the queue ${name}`);
    return {
      position: () => 1,
      expected: () => (connects === Infinity ? null : Math.max(0, (connects - this.now) * 1000)),
      resumed: () => false,
      setPriority: () => {},
      callBack: (number) => this.note(`call back to ${number}`),
      leave: () => {},
      wait: (keys) => {
        this.happens("hears music");
        const key = this.passes(Math.max(0, Math.min(connects, ends) - this.now), (key) => keys.includes(key));
        if (key !== null) return { tag: "digit", val: this.keys.pop() };
        if (ends <= connects) return { tag: "longest-wait" };
        const party = { number: line.agent, name: null, uri: `sip:${line.agent}` };
        const known = this.plan.find({ tag: "user", val: line.agent });
        const agent = this.leg(party, "outbound", line.agent);
        return { tag: "connected", val: Object.assign(agent, { keys: [...(known?.keys ?? "")] }) };
      },
    };
  }

  // What the script threw, or nothing: checks the rest of the plan.
  finish(thrown) {
    if (this.handedOver) this.happens("is handed over to", this.handedOver.script);
    const failure = thrown?.tag ? new Failure(thrown.tag, thrown.val) : thrown;
    if (failure && failure.why !== "hung-up") {
      this.note(`the script fails: ${failure.message}`);
      if (this.steps[0]?.kind !== "falls back") this.ends(`the script fails: ${failure.stack ?? failure}`);
      this.happens("falls back");
    }
    if (!this.left && !this.handedOver) this.happens("is hung up");
    while (["waits", "hangs up"].includes(this.steps[0]?.kind)) this.steps.shift();
    if (this.steps.length > 0) this.ends(`it never happened that the caller ${describe(this.steps[0])}`);
  }
}

const describe = ({ kind, what, key, secs, says }) => [kind, says ?? what ?? key ?? (secs && `${secs} s`)].filter(Boolean).join(" ");
const heard = ({ tag, val }) => (tag === "recording" ? val : `${tag} ${val}`);

function nominal({ tag, val }) {
  if (tag === "silence") return val / 1000;
  if (tag === "tone") return val[1] / 1000;
  if (tag === "digits") return val.length * CHARACTER;
  return tag === "music" ? Infinity : RECORDING;
}

function person(user) {
  if (!user) return null;
  const answers = { ...user, skills: Object.entries(user.skills) };
  const names = ["name", "number", "mobile", "presence", "skills"];
  return Object.fromEntries(names.map((name) => [name, () => answers[name]]));
}

const contact = (known) =>
  known
    ? {
        id: () => known.id ?? "contact-1",
        name: () => known.name ?? "",
        company: () => known.company ?? null,
        owner: () => known.owner ?? null,
        field: (name) => known.fields?.[name] ?? null,
      }
    : null;

const fits = (pattern, url) =>
  new RegExp(`^${pattern.split("*").map((part) => part.replace(/[^\w]/g, "\\$&")).join(".*")}$`, "s").test(url);

const outlook = (line) =>
  line
    ? {
        waiting: () => 0,
        available: () => (line.agent ? 1 : 0),
        serving: () => (line.agent ? 1 : 0),
        longest: () => 0,
        expected: () => (line.agent ? line.after * 1000 : null),
      }
    : null;

const local = (date) => ({
  year: date.getUTCFullYear(),
  month: date.getUTCMonth() + 1,
  day: date.getUTCDate(),
  weekday: date.getUTCDay() || 7,
  hour: date.getUTCHours(),
  minute: date.getUTCMinutes(),
  second: date.getUTCSeconds(),
  offsetMinutes: 0,
});
