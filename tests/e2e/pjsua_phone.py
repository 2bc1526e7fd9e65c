#!/usr/bin/env python3
"""A telephone made of pjsua2, driven by one JSON object a line on standard input, telling what happens by
one JSON object a line on standard output. It plays a WAV file to the far side, round and round, and keeps
what it hears in another. Everything runs on one thread, which looks after pjsua2 and standard input in turn.

    pjsua_phone.py ADDRESS PORT PLAY.wav HEARD.wav [udp|tcp|tls]

Commands: register {domain, server, user, password}; call {uri, header} (name and value, if any); answer {code};
hangup {code}; dtmf {digits}; hold; resume; speak {codecs} (asks anew with these alone); transfer {uri}; consult {uri}
(holds the call and makes another); join (transfers the held call to the other one); watch {uri} (subscribes to
presence); says {activity, note} (publishes away, busy, nothing, or "offline"); quit. Without `register` the phone
calls and is called unregistered.
Events: ready, registered {code}, ringing {from, subject}, state {state, code, reason}, dtmf {digit}, media {active,
direction}, cancelled {reason}, message {text, from}, transfer {code, final}, buddy {open, activity, text}, error
{what}, bye.
"""

import ctypes
import json
import os
import select
import sys
import xml.etree.ElementTree

import pjsua2 as pj

# The longest time between two looks at standard input.
TURN_MS = 10


def tell(event, **more):
    os.write(1, (json.dumps({"event": event, **more}) + "\n").encode())


def header(message, name):
    """The first value of a header in a SIP message, or an empty string."""
    for line in message.split("\r\n\r\n")[0].split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def load_digests():
    """pjsua2 looks its digest algorithms up in the OpenSSL 1.0 that its wheel brings, which knows none before
    it is told to; only TLS would tell it."""
    with open("/proc/self/maps") as maps:
        libraries = {line.split()[-1] for line in maps if "libcrypto" in line and "pjsua2" in line}
    for library in libraries:
        tell_all = getattr(ctypes.CDLL(library), "OPENSSL_add_all_algorithms_noconf", None)
        if tell_all is not None:
            tell_all()


class Call(pj.Call):
    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone.account, call_id)
        self.phone = phone

    def onCallState(self, prm):
        info = self.getInfo()
        tell("state", state=info.stateText, code=info.lastStatusCode, reason=info.lastReason)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            if self.phone.talk is self:
                self.phone.talk = None
            if self.phone.held is self:
                self.phone.held = None
            self.phone.gone.append(self)

    def onCallMediaState(self, prm):
        info = self.getInfo()
        for media in info.media:
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            active = media.status == pj.PJSUA_CALL_MEDIA_ACTIVE
            if active:
                sound = self.getAudioMedia(media.index)
                self.phone.player.startTransmit(sound)
                sound.startTransmit(self.phone.recorder)
            tell("media", active=active, direction=media.dir)

    def onCallTransferStatus(self, prm):
        tell("transfer", code=prm.statusCode, final=prm.finalNotify)

    def onDtmfDigit(self, prm):
        tell("dtmf", digit=prm.digit)

    def onCallTsxState(self, prm):
        state = prm.e.body.tsxState
        if state.type == pj.PJSIP_EVENT_RX_MSG and state.src.rdata.info.startswith("Request msg CANCEL"):
            tell("cancelled", reason=header(state.src.rdata.wholeMsg, "reason"))


class Buddy(pj.Buddy):
    # Its getInfo() ends the process (std::bad_alloc) before the first NOTIFY, so the document is read here.
    def onBuddyEvSubState(self, prm):
        state = prm.e.body.tsxState
        message = state.src.rdata.wholeMsg if state.type == pj.PJSIP_EVENT_RX_MSG else ""
        head, _, body = message.partition("\r\n\r\n")
        if not head.startswith("NOTIFY ") or not body.strip():
            return
        document = xml.etree.ElementTree.fromstring(body)
        words = {element.tag.rpartition("}")[2]: (element.text or "") for element in document.iter()}
        activities = [activity.tag.rpartition("}")[2] for activity in document.iterfind(".//{*}activities/*")]
        tell("buddy", open=words["basic"] == "open", activity=" ".join(activities), text=words.get("note", ""))


class Account(pj.Account):
    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    def onRegState(self, prm):
        tell("registered", code=prm.code, expires=prm.expiration)

    def onInstantMessage(self, prm):
        tell("message", text=prm.msgBody, **{"from": prm.fromUri})

    def onIncomingCall(self, prm):
        call = Call(self.phone, prm.callId)
        if self.phone.talk is not None:
            op = pj.CallOpParam()
            op.statusCode = 486
            call.hangup(op)
            self.phone.gone.append(call)
            return
        self.phone.talk = call
        op = pj.CallOpParam()
        op.statusCode = 180
        call.answer(op)
        subject = header(prm.rdata.wholeMsg, "subject")
        tell("ringing", subject=subject, **{"from": call.getInfo().remoteUri})


class Phone:
    def __init__(self, address, port, play, heard, transport="udp"):
        self.address, self.port, self.transport = address, port, transport
        self.talk, self.held, self.gone, self.buddies = None, None, [], []
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.logConfig.level = int(os.environ.get("PJSUA_LOG", "0"))
        config.logConfig.consoleLevel = config.logConfig.level
        config.medConfig.clockRate = 8000
        config.medConfig.sndClockRate = 8000
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        self.endpoint.libInit(config)
        way = pj.TransportConfig()
        way.port, way.boundAddress, way.publicAddress = port, address, address
        kind = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}[transport]
        if transport == "tls":
            way.tlsConfig.CaListFile = os.environ["PJSUA_AUTHORITY"]
            way.tlsConfig.verifyServer = True
            if "PJSUA_CERTIFICATE" in os.environ:
                way.tlsConfig.certFile = os.environ["PJSUA_CERTIFICATE"]
                way.tlsConfig.privKeyFile = os.environ["PJSUA_KEY"]
                way.tlsConfig.verifyClient = way.tlsConfig.requireClientCert = True
        self.endpoint.transportCreate(kind, way)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        for codec in self.endpoint.codecEnum2():
            wanted = {"PCMA/8000/1": 130, "PCMU/8000/1": 129}
            self.endpoint.codecSetPriority(codec.codecId, wanted.get(codec.codecId, 0))
        only = os.environ.get("PJSUA_ONLY_CODEC")
        best = only or os.environ.get("PJSUA_CODEC")
        if only:
            for codec in self.endpoint.codecEnum2():
                self.endpoint.codecSetPriority(codec.codecId, 0)
        if best:
            self.endpoint.codecSetPriority(best, 140)
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(play)
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(heard)
        self.account = None
        self.open_account("sip:%s@%s:%d" % (os.environ.get("PJSUA_NUMBER", "phone"), address, port))
        tell("ready")

    def open_account(self, identity, registrar="", user="", password=""):
        config = pj.AccountConfig()
        config.idUri = identity
        config.regConfig.registrarUri = registrar
        config.regConfig.timeoutSec = 120
        config.regConfig.retryIntervalSec = 0
        config.natConfig.contactRewriteUse = 0
        config.natConfig.sdpNatRewriteUse = 0
        config.mediaConfig.transportConfig.boundAddress = self.address
        config.mediaConfig.transportConfig.publicAddress = self.address
        config.mediaConfig.transportConfig.port = self.port + 2
        # Encrypted sound, with keys in the description or by DTLS; whatever carries the description.
        srtp = os.environ.get("PJSUA_SRTP")
        if srtp:
            config.mediaConfig.srtpUse = {"optional": 1, "mandatory": 2, "dtls": 2}[srtp]
            config.mediaConfig.srtpSecureSignaling = 0
            config.mediaConfig.srtpOpt.keyings.clear()
            config.mediaConfig.srtpOpt.keyings.append(1 if srtp == "dtls" else 0)
            if "PJSUA_SUITE" in os.environ:
                suite = pj.SrtpCrypto()
                suite.name = os.environ["PJSUA_SUITE"]
                config.mediaConfig.srtpOpt.cryptos.append(suite)
        if self.transport == "tls" and not registrar:
            # Without one, pjsua2 names the address of its listener as it sees it, which is 127.0.0.1.
            config.sipConfig.contactForced = "<%s;transport=tls>" % identity
        config.presConfig.publishEnabled = "PJSUA_PUBLISHES" in os.environ and bool(registrar)
        if registrar:
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
        account = Account(self)
        account.create(config)
        if self.account is not None:
            self.account.shutdown()
        self.account = account

    def through(self, uri):
        return uri if self.transport == "udp" else uri + ";transport=" + self.transport

    def do(self, command):
        verb = command["do"]
        op = pj.CallOpParam(True)
        if verb == "register":
            self.open_account("sip:%s@%s" % (command["user"], command["domain"]),
                              self.through("sip:" + command["server"]), command["user"], command["password"])
        elif verb == "call":
            self.talk = Call(self)
            op.opt.videoCount = 0
            if "header" in command:
                header = pj.SipHeader()
                header.hName, header.hValue = command["header"]
                op.txOption.headers.append(header)
            self.talk.makeCall(self.through(command["uri"]), op)
        elif verb == "answer":
            # Whoever comes too late finds that it rings no longer.
            if self.talk is not None:
                op.statusCode = command.get("code", 200)
                self.talk.answer(op)
        elif verb == "hangup":
            if self.talk is not None:
                op.statusCode = command.get("code", 603)
                self.talk.hangup(op)
        elif verb == "dtmf":
            self.talk.dialDtmf(command["digits"])
        elif verb == "hold":
            self.talk.setHold(op)
        elif verb == "resume":
            op.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.talk.reinvite(op)
        elif verb == "speak":
            for codec in self.endpoint.codecEnum2():
                priority = 140 if codec.codecId in command["codecs"] else 0
                self.endpoint.codecSetPriority(codec.codecId, priority)
            self.talk.reinvite(op)
        elif verb == "transfer":
            self.talk.xfer(self.through(command["uri"]), op)
        elif verb == "consult":
            self.held = self.talk
            self.held.setHold(op)
            self.talk = Call(self)
            op = pj.CallOpParam(True)
            op.opt.videoCount = 0
            self.talk.makeCall(self.through(command["uri"]), op)
        elif verb == "watch":
            config = pj.BuddyConfig()
            config.uri, config.subscribe = self.through(command["uri"]), True
            buddy = Buddy()
            buddy.create(self.account, config)
            self.buddies.append(buddy)
        elif verb == "says":
            status = pj.PresenceStatus()
            offline = command["activity"] == "offline"
            status.status = pj.PJSUA_BUDDY_STATUS_OFFLINE if offline else pj.PJSUA_BUDDY_STATUS_ONLINE
            activities = {"away": pj.PJRPID_ACTIVITY_AWAY, "busy": pj.PJRPID_ACTIVITY_BUSY}
            status.activity = activities.get(command["activity"], pj.PJRPID_ACTIVITY_UNKNOWN)
            status.note = command["note"]
            self.account.setOnlineStatus(status)
        elif verb == "join":
            self.held.xferReplaces(self.talk, op)
        else:
            tell("error", what="no such command: " + verb)

    def run(self):
        rest = b""
        while True:
            self.endpoint.libHandleEvents(TURN_MS)
            self.gone.clear()
            if not select.select([0], [], [], 0)[0]:
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if command["do"] == "quit":
                    return
                try:
                    self.do(command)
                except pj.Error as why:
                    tell("error", what=why.info())

    def close(self):
        # Letting go of the recorder writes the length into its file.
        self.talk = self.held = None
        self.gone.clear()
        self.buddies.clear()
        self.endpoint.hangupAllCalls()
        self.recorder = None
        self.player = None
        self.account.shutdown()
        self.account = None
        self.endpoint.libDestroy()
        tell("bye")


if __name__ == "__main__":
    load_digests()
    phone = Phone(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], *sys.argv[5:6])
    phone.run()
    phone.close()
