// A browser's telephone: JsSIP in a page of headless Chromium, which brings WebRTC: a microphone that plays a file, DTLS,
// ICE and SRTP of its own. Driven by one JSON object a line on standard input, telling what happens by one JSON object a
// line on standard output. The page is served from here, and Chromium is spoken to by its DevTools protocol.
//
//     node --experimental-websocket browser_phone.js URL DOMAIN USER PASSWORD MICROPHONE.wav
//
// Commands: register, call {uri}, answer, hangup, hold, unhold, press {key}, listen {hz, seconds}, quit.
// Events: connected, disconnected, registered, failed {code}, ringing {from}, confirmed, held, unheld, ended {cause},
// listened {heard}, for how many seconds the loudest of what was heard was that frequency, error {what}.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const [url, domain, user, password, microphone] = process.argv.slice(2);
// With BROWSER_LOG all that JsSIP and Chromium say goes into that file.
const log = (line) => process.env.BROWSER_LOG && fs.appendFileSync(process.env.BROWSER_LOG, line + "\n");
const tell = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");

// JsSIP and what it requires, as one script for the page.
function bundle(entry) {
  const modules = {};
  const add = (file) => {
    if (modules[file]) return;
    const text = fs.readFileSync(file, "utf8");
    const requires = {};
    modules[file] = { text, requires };
    if (file.endsWith(".json")) return;
    const here = createRequire(file);
    for (const [, name] of text.matchAll(/require\(["']([^"']+)["']\)/g)) {
      // A browser has no such module of node's own; what is taken then is the package of that name.
      let found;
      try { found = here.resolve(name.startsWith("node:") ? name : `${name}${name === "events" ? "/" : ""}`); } catch { continue; }
      if (!path.isAbsolute(found)) continue;
      if (found.endsWith("debug/src/index.js")) found = found.replace("index.js", "browser.js");
      requires[name] = found;
      add(found);
    }
  };
  add(entry);
  const each = Object.entries(modules).map(([file, { text, requires }]) => {
    const body = file.endsWith(".json") ? `module.exports = ${text}` : text;
    return `${JSON.stringify(file)}: [function (module, exports, require) {${body}\n}, ${JSON.stringify(requires)}]`;
  });
  return `const process = { env: {} }; const all = {${each.join(",\n")}}; const made = {};
    const load = (file) => {
      if (!made[file]) {
        const module = made[file] = { exports: {} };
        all[file][0].call(module.exports, module, module.exports, (name) => load(all[file][1][name]));
      }
      return made[file].exports;
    };
    globalThis.JsSIP = load(${JSON.stringify(entry)});`;
}

// Runs in the page.
function phone(url, domain, user, password) {
  const say = (event, more = {}) => globalThis.tell(JSON.stringify({ event, ...more }));
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(url)],
    uri: `sip:${user}@${domain}`,
    password,
    register: false,
    session_timers: false,
  });
  const code = (response) => (response && response.status_code) || 0;
  // A tone is what these would take away as noise.
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const options = { mediaConstraints: { audio, video: false }, pcConfig: { iceServers: [] } };
  let session = null, analyser = null;
  const hear = (connection) => connection.addEventListener("track", (e) => {
    const stream = e.streams[0] || new MediaStream([e.track]);
    // Sound that comes flows only where something plays it.
    const player = new Audio();
    player.srcObject = stream;
    player.play();
    const context = new AudioContext();
    analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    // Each look is at what is heard then, not at what was before.
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(stream).connect(analyser);
  });
  ua.on("connected", () => say("connected"));
  ua.on("disconnected", () => say("disconnected"));
  ua.on("registered", (e) => say("registered", { code: code(e.response) }));
  ua.on("registrationFailed", (e) => say("failed", { code: code(e.response) }));
  ua.on("newRTCSession", (e) => {
    session = e.session;
    if (session.connection) hear(session.connection);
    session.on("peerconnection", (e) => hear(e.peerconnection));
    if (e.originator === "remote") say("ringing", { from: session.remote_identity.uri.user });
    session.on("confirmed", () => say("confirmed"));
    session.on("hold", () => say("held"));
    session.on("unhold", () => say("unheld"));
    const over = (why) => say("ended", { cause: why.cause, code: code(why.message) });
    session.on("failed", over);
    session.on("ended", over);
  });
  const listen = (hz, seconds) => {
    const bins = new Float32Array(analyser.frequencyBinCount);
    const width = analyser.context.sampleRate / analyser.fftSize;
    const look = 100;
    let heard = 0, looks = 0;
    const timer = setInterval(() => {
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins));
      if (bins[loudest] > -60 && Math.abs(loudest * width - hz) < 30) heard += look / 1000;
      if (++looks * look >= seconds * 1000) {
        clearInterval(timer);
        say("listened", { heard });
      }
    }, look);
  };
  const verbs = {
    register: () => ua.register(),
    call: (c) => ua.call(c.uri, options),
    answer: () => session.answer(options),
    hangup: () => session.terminate(),
    hold: () => session.hold(),
    unhold: () => session.unhold(),
    press: (c) => session.sendDTMF(c.key, { transportType: "RFC2833" }),
    listen: (c) => listen(c.hz, c.seconds),
  };
  globalThis.command = (c) => {
    try { verbs[c.do](c); } catch (why) { say("error", { what: String(why) }); }
  };
  if (globalThis.location.hash === "#log") JsSIP.debug.enable("JsSIP:*");
  ua.start();
}

const jssip = createRequire(process.env.JSSIP + "/").resolve("jssip");
const script = `${bundle(jssip)}\n(${phone})(${[url, domain, user, password].map((word) => JSON.stringify(word)).join(", ")});`;
const server = http.createServer((request, response) => {
  const isScript = request.url === "/phone.js";
  response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
  response.end(isScript ? script : '<!doctype html><meta charset="utf-8"><script src="/phone.js"></script>');
});
// Beside the microphone, in the test's own folder.
const folder = path.join(path.dirname(microphone), "profile");
fs.mkdirSync(folder);
let chromium = null;
const quit = () => {
  if (chromium) chromium.kill("SIGKILL");
  process.exit(0);
};

server.listen(0, "127.0.0.1", () => {
  // A test kills this program by its process id, and Chromium is not to outlive it.
  chromium = spawn("setpriv", [
    "--pdeathsig", "KILL", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    `--use-file-for-fake-audio-capture=${microphone}`, "--autoplay-policy=no-user-gesture-required",
    // The network of a test is all on this machine.
    "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
    `--user-data-dir=${folder}`, "--remote-debugging-port=0", "about:blank",
  ], { stdio: ["ignore", "ignore", "pipe"] });
  readline.createInterface({ input: chromium.stderr }).on("line", (line) => {
    const found = line.match(/^DevTools listening on (ws:.*)$/);
    if (found) drive(found[1]);
    log(line);
  });
});

async function drive(address) {
  const devtools = new WebSocket(address);
  await new Promise((open) => devtools.addEventListener("open", open));
  const waiting = new Map();
  let count = 0;
  const ask = (method, params = {}, sessionId = undefined) => new Promise((answered) => {
    waiting.set(++count, answered);
    devtools.send(JSON.stringify({ id: count, method, params, sessionId }));
  });
  devtools.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (message.id) {
      waiting.get(message.id)(message.result);
      waiting.delete(message.id);
    } else if (message.method === "Runtime.bindingCalled") {
      process.stdout.write(message.params.payload + "\n");
    } else if (message.method === "Runtime.exceptionThrown") {
      const { text, exception } = message.params.exceptionDetails;
      tell("error", { what: `${text} ${(exception && exception.description) || ""}` });
    } else if (message.method === "Runtime.consoleAPICalled") {
      log(message.params.args.map((arg) => arg.value).join(" "));
    }
  });
  const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
  await ask("Runtime.enable", {}, sessionId);
  await ask("Page.enable", {}, sessionId);
  await ask("Runtime.addBinding", { name: "tell" }, sessionId);
  const hash = process.env.BROWSER_LOG ? "#log" : "";
  await ask("Page.navigate", { url: `http://127.0.0.1:${server.address().port}/${hash}` }, sessionId);
  readline.createInterface({ input: process.stdin })
    .on("line", (line) => {
      if (JSON.parse(line).do === "quit") return quit();
      ask("Runtime.evaluate", { expression: `command(${line})`, userGesture: true }, sessionId);
    })
    .on("close", quit);
}
process.on("SIGTERM", quit);
