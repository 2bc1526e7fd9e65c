// The words of the interface: why not, what to hear, whom to ring, and lengths. Lengths are seconds here, fractions
// allowed, and milliseconds in wit/.

const SAYS = {
  "hung-up": () => "hung up",
  busy: () => "busy",
  "no-answer": () => "no answer",
  refused: (status) => `refused with ${status}`,
  unreachable: () => "unreachable",
  "not-found": (what) => `there is no ${what}`,
  invalid: (why) => `invalid: ${why}`,
  limit: (which) => `the limit ${which} is reached`,
  "timed-out": () => "timed out",
  other: (why) => why,
};

// RFC 3261 §21; a refusal has a status of its own.
const STATUS = { "hung-up": 487, busy: 486, "no-answer": 480, unreachable: 480, "not-found": 404, limit: 503 };

export class Failure extends Error {
  constructor(why, detail) {
    super(SAYS[why] ? SAYS[why](detail) : String(detail ?? why));
    this.name = "Failure";
    this.why = SAYS[why] ? why : "other";
    this.detail = detail;
  }

  get sipStatus() {
    return this.why === "refused" ? this.detail : (STATUS[this.why] ?? 500);
  }
}

// What an import threw is a variant of wit/; anything else is a mistake of the script's.
export function failed(thrown) {
  const { tag, val } = thrown?.payload ?? thrown ?? {};
  return tag in SAYS ? new Failure(tag, val) : thrown;
}

// Runs an import that can fail.
export function verb(ask) {
  try {
    return ask();
  } catch (thrown) {
    throw failed(thrown);
  }
}

// How wit/ has a failure.
export const variantOf = ({ why, detail }) =>
  why === "other" ? { tag: why, val: String(detail ?? "") } : { tag: why, val: detail };

const MOST_MILLIS = 2 ** 32 - 1;

export function millis(seconds) {
  if (typeof seconds !== "number" || !(seconds >= 0)) {
    throw new Failure("invalid", `${seconds} is no length in seconds`);
  }
  return Math.min(Math.round(seconds * 1000), MOST_MILLIS);
}

export const seconds = (millis) => (millis == null ? null : millis / 1000);

export const text = (words) => ({ tag: "text", val: String(words) });
export const recording = (name) => ({ tag: "recording", val: name });
export const digits = (characters) => ({ tag: "digits", val: String(characters) });
export const silence = (length) => ({ tag: "silence", val: millis(length) });
export const tone = (hertz, length) => ({ tag: "tone", val: [hertz, millis(length)] });
export const music = (name) => ({ tag: "music", val: name });
export const quantity = (number, noun) => ({ tag: "quantity", val: [number, noun] });
export const duration = (length) => ({ tag: "duration", val: millis(length) });
export const position = (place) => ({ tag: "position", val: place });

export const prompt = (what) => (typeof what === "string" ? recording(what) : what);
export const prompts = (what) => (what == null ? [] : [what].flat().map(prompt));

export const user = (name) => ({ tag: "user", val: name });
export const number = (number) => ({ tag: "number", val: number });
export const uri = (uri) => ({ tag: "uri", val: uri });

export function target(whom) {
  if (typeof whom === "string") return user(whom);
  return whom.tag ? whom : user(whom.name);
}
export const targets = (whom) => [whom].flat().map(target);

// What wit/ has as a variant with a payload, under a name of its own: { why: "digit", key: "1" }.
export const ending = ({ tag, val }, names) => (val == null ? { why: tag } : { why: tag, [names[tag] ?? "detail"]: val });
