// A leg: one party's connection to the exchange, and what can be asked of it.

import { Failure, millis, prompt, prompts, seconds, verb } from "./words.js";

const FIRST_KEY = 6;
const BETWEEN_KEYS = 3;
const NORMAL_CLEARING = 16; // Q.850 §2.2.5
const KEYS = "0123456789*#";

export class Leg {
  constructor(handle) {
    this.handle = handle;
  }

  get party() {
    return this.handle.party();
  }
  get number() {
    return this.handle.party().number;
  }
  get dialled() {
    return this.handle.dialled();
  }
  get direction() {
    return this.handle.direction();
  }
  get user() {
    return this.handle.user() ?? null;
  }
  get language() {
    return this.handle.language();
  }
  header(name) {
    return this.handle.header(name);
  }

  setLanguage(tag) {
    verb(() => this.handle.setLanguage(tag));
  }
  ring(early) {
    verb(() => this.handle.ring(early == null ? null : prompt(early)));
  }
  answer() {
    verb(() => this.handle.answer());
  }
  reject(status, reason = "") {
    verb(() => this.handle.reject(status, reason));
  }
  decline(why) {
    try {
      this.reject(why.sipStatus ?? 500);
    } catch (failure) {
      if (failure.why === "hung-up") throw failure;
      this.hangUp();
    }
  }
  play(what) {
    verb(() => this.handle.play(prompts(what), false));
  }
  playUntilKey(what) {
    verb(() => this.handle.play(prompts(what), true));
  }

  gather({ prompt = [], most = 1, terminator = "#", firstSecs = FIRST_KEY, betweenSecs = BETWEEN_KEYS } = {}) {
    const options = {
      prompts: prompts(prompt),
      most,
      terminator,
      first: millis(firstSecs),
      between: millis(betweenSecs),
    };
    return verb(() => this.handle.gather(options));
  }

  menu(prompt, options) {
    const key = this.tryMenu(prompt, options);
    if (key === null) throw new Failure("no-answer");
    return key;
  }

  tryMenu(prompt, { keys = KEYS, retries = 2, withinSecs = FIRST_KEY, onWrongKey = [], onSilence = [] } = {}) {
    let first = [];
    for (let asked = 0; asked <= retries; asked++) {
      const said = [...prompts(first), ...prompts(prompt)];
      const { digits } = this.gather({
        prompt: said,
        terminator: null,
        firstSecs: withinSecs,
        betweenSecs: withinSecs,
      });
      if (digits && keys.includes(digits)) return digits;
      first = digits ? onWrongKey : onSilence;
    }
    return null;
  }

  recordMessage({ mostSecs = 120, silenceSecs = 4 } = {}) {
    const { id, length } = verb(() => this.handle.recordMessage(millis(mostSecs), millis(silenceSecs)));
    return { id, length: seconds(length) };
  }
  startRecording() {
    return verb(() => this.handle.startRecording());
  }
  stopRecording() {
    verb(() => this.handle.stopRecording());
  }
  pauseRecording() {
    verb(() => this.handle.pauseRecording());
  }
  resumeRecording() {
    verb(() => this.handle.resumeRecording());
  }
  sendDigits(digits) {
    verb(() => this.handle.sendDigits(digits));
  }
  hold(hears) {
    verb(() => this.handle.hold(prompt(hears)));
  }
  resume() {
    verb(() => this.handle.resume());
  }
  hangUp(cause = NORMAL_CLEARING) {
    this.handle.hangUp(cause);
  }
}

