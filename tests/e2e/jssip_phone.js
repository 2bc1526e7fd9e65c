// A telephone made of JsSIP without a browser: signalling over WebSocket, and no sound. Driven by one JSON object a
// line on standard input, telling what happens by one JSON object a line on standard output.
//
//     node --experimental-websocket jssip_phone.js URL DOMAIN USER PASSWORD
//
// Commands: register, unregister, options {uri}, message {uri, text}, call {uri}, refuse {code}, quit.
// Events: connected, disconnected, registered, failed {code}, options {code}, message {code}, ringing {from},
// ended {cause, code}.
"use strict";

const readline = require("node:readline");
const { createRequire } = require("node:module");

const tell = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");

// What a browser offers: the codecs of WebRTC, and SRTP keyed by DTLS (RFC 8827 §6.5) as its only profile.
const OFFER = [
  "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8", "c=IN IP4 0.0.0.0", "a=mid:0", "a=sendrecv", "a=rtcp-mux",
  "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=setup:actpass",
  "a=fingerprint:sha-256 " + Array(32).fill("AB").join(":"),
  "a=rtpmap:111 opus/48000/2", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "",
].join("\r\n");

// As much of WebRTC as signalling needs.
globalThis.window = globalThis;
globalThis.RTCPeerConnection = class {
  constructor() {
    this.signalingState = "stable";
    this.iceGatheringState = "complete";
    this.localDescription = null;
  }
  addEventListener() {}
  removeEventListener() {}
  addTrack() {}
  getSenders() { return []; }
  async createOffer() { return { type: "offer", sdp: OFFER }; }
  async setLocalDescription(description) { this.localDescription = description; }
  async setRemoteDescription() {}
  close() { this.signalingState = "closed"; }
};
globalThis.RTCSessionDescription = class {
  constructor(description) { Object.assign(this, description); }
};

const JsSIP = createRequire(process.env.JSSIP + "/")("jssip");
if (process.env.JSSIP_LOG) JsSIP.debug.enable("JsSIP:*");
const [url, domain, user, password] = process.argv.slice(2);
const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)],
  uri: `sip:${user}@${domain}`,
  password,
  register: false,
  session_timers: false,
});
let session = null;
const code = (response) => (response && response.status_code) || 0;

phone.on("connected", () => tell("connected"));
phone.on("disconnected", (e) => tell("disconnected", { error: !!e.error }));
phone.on("registered", (e) => tell("registered", { code: code(e.response) }));
phone.on("registrationFailed", (e) => tell("failed", { code: code(e.response) }));
phone.on("newRTCSession", (e) => {
  session = e.session;
  if (e.originator === "remote") tell("ringing", { from: session.remote_identity.uri.user });
  const over = (why) => tell("ended", { cause: why.cause, code: code(why.message) });
  session.on("failed", over);
  session.on("ended", over);
});

const answers = (event) => ({
  eventHandlers: {
    succeeded: (e) => tell(event, { code: code(e.response) }),
    failed: (e) => tell(event, { code: code(e.response) }),
  },
});
const verbs = {
  register: () => phone.register(),
  unregister: () => phone.unregister(),
  options: (c) => phone.sendOptions(c.uri, undefined, answers("options")),
  message: (c) => phone.sendMessage(c.uri, c.text, answers("message")),
  call: (c) => phone.call(c.uri, { mediaConstraints: { audio: false, video: false } }),
  refuse: (c) => session.terminate({ status_code: c.code }),
  quit: () => process.exit(0),
};
readline.createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    verbs[command.do](command);
  })
  .on("close", () => process.exit(0));
phone.start();
