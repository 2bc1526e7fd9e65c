//! One leg's RTP and RTCP: what it does with a packet, with 20 ms of time, and with a command that
//! concerns it alone. Its sockets are behind [`Socket`], so that all of it runs without any. What two
//! streams do together is the [`crate::core`]'s.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::rtp::comfort;
use protocol::rtp::dtmf::{EventReceiver, KeyEvent, Payload};
use protocol::rtp::inband::Detector;
use protocol::rtp::receiver::Verdict;
use protocol::rtp::resample::Resampler;
use protocol::rtp::rtcp::{self, Reporter};
use protocol::rtp::wire::HEADER;
use protocol::rtp::{CLOCK, FRAME, Header, Packet, Rate, Receiver, Sender, g711};
use protocol::sdp::{Codec, Negotiated};

use crate::border::{Border, Came};
use crate::codec::{Encoder, MOST_PAYLOAD};
use crate::command::{CutBy, EndOfRecording, Event, Happening, Repeat, Sound, Stats, StreamId};
use crate::decoding::Decoding;
use crate::digits::{Digits, Frame};
use crate::handshakes::{HandshakesHandle, Reply};
use crate::media::Media;
use crate::mixer::Mixer;
use crate::player::Player;
use crate::recorder::{Limits, Recorder, Side, is_file_name};
use crate::writer::{Ended, Job, WriterHandle};

/// Samples in 20 ms of the highest rate.
const MOST_FRAME: usize = 960;

/// Frames of a recording that are further apart than this are not of one sound.
const APART: Duration = Duration::from_millis(30);

/// Where datagrams leave.
pub(crate) trait Socket {
    /// Best effort, without waiting: a datagram that can't be sent now is a lost one.
    fn send(&self, bytes: &[u8], to: SocketAddr);
}

impl Socket for std::net::UdpSocket {
    fn send(&self, bytes: &[u8], to: SocketAddr) {
        let _ = self.send_to(bytes, to);
    }
}

/// What streams of one thread share.
pub(crate) struct Context {
    pub now: Instant,
    /// Since 1970.
    pub wall: Duration,
    pub events: Arc<dyn Fn(Event) + Send + Sync>,
    pub writer: WriterHandle,
    /// Last jobs of recordings that the writer was too busy for; they are tried again.
    pub unwritten: Vec<Job>,
    pub timeout: Duration,
    pub handshakes: HandshakesHandle,
}

impl Context {
    fn write_last(&mut self, job: Job) {
        if let Err(job) = self.writer.try_send(job) {
            self.unwritten.push(job);
        }
    }
}

pub(crate) struct Stream<S> {
    pub id: StreamId,
    pub owner: u64,
    pub rtp: S,
    pub rtcp: S,
    /// Whoever this stream is joined to.
    pub peer: Option<StreamId>,
    /// The same, where its packets go straight through: that one speaks its codec and hears nobody else.
    pub straight: Option<StreamId>,
    /// Those who want its sound decoded.
    pub audience: Vec<StreamId>,
    /// Whom it was told to hear in place of its peer.
    pub told_to_hear: Vec<StreamId>,
    /// Whose sound it wants decoded: those that it mixes, or a peer whose sound it records.
    pub heard: Vec<StreamId>,
    /// What this stream hears in place of its peer's packets.
    mixer: Option<Box<Mixer>>,
    /// What it says, as long as someone wants that decoded.
    pub decoding: Option<Box<Decoding>>,
    /// While it sends sound of its own.
    encoder: Option<Encoder>,
    /// Where it hears others at the rate of its tap, which is higher than its own.
    to_own: Option<Band>,
    /// Of decodings that are over.
    concealed: u64,
    late: u64,
    /// Whether the wheel turns for it.
    pub ticking: bool,
    agreed: Option<Negotiated>,
    border: Border,
    /// When the silence that ends in a time-out began, unless packets came since.
    quiet_since: Instant,
    /// Told once for this silence.
    told: bool,
    heard_before: bool,
    receiver: Receiver,
    sender: Sender,
    reporter: Reporter,
    /// Where the far side's RTCP came from.
    rtcp_source: Option<SocketAddr>,
    keys: EventReceiver,
    /// Only while telephone events are not negotiated.
    detector: Option<Box<Detector>>,
    player: Option<Player>,
    digits: VecDeque<Digits>,
    waiting_digits: usize,
    message: Option<Box<Recorder>>,
    tap: Option<Box<Recorder>>,
    /// What is said on a leg in frames of 20 ms, for the tap.
    said: Said,
}

/// What a tap has of the frames that a leg hears.
#[derive(Default)]
struct Said {
    timestamp: u32,
    at: Option<Instant>,
    /// Brings frames that it makes itself to the rate of the tap.
    band: Option<Band>,
}

/// Frames of one rate as frames of another.
struct Band {
    from: Rate,
    to: Rate,
    resampler: Resampler,
    frame: Vec<i16>,
}

impl Band {
    /// The frame at another rate. What was there before goes on, as long as the rates are the same.
    fn brought<'a>(band: &'a mut Option<Band>, frame: &[i16], from: Rate, to: Rate) -> &'a [i16] {
        let band = match band.take().filter(|band| (band.from, band.to) == (from, to)) {
            Some(known) => band.insert(known),
            None => band.insert(Band { from, to, resampler: Resampler::new(from, to), frame: Vec::new() }),
        };
        band.resampler.resample(frame, &mut band.frame);
        &band.frame
    }
}

impl Said {
    /// 20 ms that the far side hears, at the rate of the tap.
    fn tell(&mut self, now: Instant, tap: &mut Recorder, frame: &[i16]) {
        let begins = self.at.is_none_or(|at| now.saturating_duration_since(at) > APART);
        self.at = Some(now);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        tap.handle_samples(now, Side::Said, self.timestamp, begins, frame.iter().copied());
    }

    /// The same at any rate.
    fn tell_at(&mut self, now: Instant, tap: &mut Recorder, frame: &[i16], rate: Rate) {
        let mut band = self.band.take();
        match rate == tap.rate() {
            true => self.tell(now, tap, frame),
            false => self.tell(now, tap, Band::brought(&mut band, frame, rate, tap.rate())),
        }
        self.band = band;
    }
}

/// What a packet is, for the one who passes it on.
pub(crate) enum Heard {
    /// Nothing to pass on.
    Nothing,
    /// Sound of this codec, in these bytes.
    Sound(Packet, Codec),
    /// Comfort noise (RFC 3389).
    Comfort(Packet),
    /// A packet of a telephone event, whose duration counts by this clock.
    Key(Packet, u32),
}

impl<S: Socket> Stream<S> {
    /// `chance`: makes SSRC, sequence number and timestamp.
    pub fn new(
        now: Instant,
        id: StreamId,
        owner: u64,
        rtp: S,
        rtcp: S,
        mut chance: impl FnMut() -> u64,
    ) -> Self {
        let numbers = chance();
        Self {
            id,
            owner,
            rtp,
            rtcp,
            peer: None,
            straight: None,
            audience: Vec::new(),
            told_to_hear: Vec::new(),
            heard: Vec::new(),
            mixer: None,
            decoding: None,
            encoder: None,
            to_own: None,
            concealed: 0,
            late: 0,
            ticking: false,
            agreed: None,
            border: Border::new(id),
            quiet_since: now,
            told: false,
            heard_before: false,
            receiver: Receiver::new(now),
            sender: Sender::new((numbers >> 32) as u32, numbers as u16 >> 1, chance() as u32),
            reporter: Reporter::new(now, chance()),
            rtcp_source: None,
            keys: EventReceiver::default(),
            detector: None,
            player: None,
            digits: VecDeque::new(),
            waiting_digits: 0,
            message: None,
            tap: None,
            said: Said::default(),
        }
    }

    pub fn negotiated(&mut self, context: &Context, agreed: Negotiated) {
        if let Some(before) = self.agreed
            && before.remote != agreed.remote
            && !agreed.remote.ip().is_unspecified()
        {
            self.receiver.unlock();
            self.rtcp_source = None;
        }
        self.border.agreed(&agreed, &context.handshakes);
        // Only one of the two ways is listened for.
        self.detector = agreed.receives.events.is_none().then(Box::default);
        self.sender.set_clock(agreed.codec.clock());
        self.receiver.set_clock(agreed.codec.clock());
        self.keys.set_clock(agreed.events_clock);
        if self.agreed.is_none_or(|before| (before.codec, before.opus) != (agreed.codec, agreed.opus)) {
            self.encoder = None;
            self.player.iter_mut().for_each(|player| player.set_rate(agreed.rate()));
        }
        if self.decoding.as_ref().is_some_and(|decoding| !decoding.is_for(&agreed)) {
            self.end_decoding();
        }
        self.agreed = Some(agreed);
        self.set_mixing_rate();
        self.quiet_since = context.now;
        self.told = false;
    }

    /// A datagram came to the port of RTP: the length of the RTP packet that is in the bytes now, if it was one.
    pub fn admit_rtp(&mut self, context: &Context, from: SocketAddr, bytes: &mut [u8]) -> Option<usize> {
        match self.border.handle_rtp(from, bytes, &self.rtp, &context.handshakes) {
            Came::Rtp(length) => return Some(length),
            Came::Rtcp(length) => self.hear_report(context, from, &bytes[..length]),
            Came::Moved => self.receiver.unlock(),
            Came::Done => {}
            Came::Nothing => self.receiver.ignore(),
        }
        None
    }

    /// An RTP packet arrived. Keys that it begins or ends are told to `keys`.
    pub fn handle_rtp(
        &mut self,
        context: &Context,
        from: SocketAddr,
        bytes: &[u8],
        mut keys: impl FnMut(KeyEvent),
    ) -> Heard {
        let Some(agreed) = &self.agreed else {
            self.receiver.ignore();
            return Heard::Nothing;
        };
        let Ok(packet) = Packet::read(bytes) else {
            self.receiver.ignore();
            return Heard::Nothing;
        };
        let Verdict::Accept { new_source } = self.receiver.handle_packet(context.now, from, &packet.header)
        else {
            return Heard::Nothing;
        };
        if new_source {
            self.keys.reset(&mut keys);
            if !self.heard_before {
                self.heard_before = true;
                self.tell(context, Happening::FirstPacket);
            }
        }
        if !agreed.direction.receives() {
            return Heard::Nothing;
        }
        let payload = packet.payload(bytes);
        if Some(packet.header.payload_type) == agreed.receives.events {
            if let Some(payload) = Payload::read(payload) {
                self.keys.handle_packet(context.now, packet.header.timestamp, payload, keys);
            }
            return Heard::Key(packet, agreed.events_clock);
        }
        let codec = agreed.codec;
        if packet.header.payload_type != agreed.receives.audio {
            // Many send it without a word about it.
            if packet.header.payload_type != comfort::PAYLOAD_TYPE || codec.clock() != CLOCK {
                return Heard::Nothing;
            }
            if let Some(decoding) = &mut self.decoding {
                decoding.put_comfort(context.now, &packet.header, payload);
            }
            return Heard::Comfort(packet);
        }
        if self.has_listeners() {
            self.listen(context.now, &packet.header, new_source, payload);
        }
        Heard::Sound(packet, codec)
    }

    fn has_listeners(&self) -> bool {
        self.detector.is_some() || self.message.is_some() || self.tap.is_some() || !self.audience.is_empty()
    }

    /// Sound for whoever listens beside the way to the peer. A recording of 8 kHz takes each packet of G.711 as it
    /// comes: it has its own order, and half a second for late ones.
    fn listen(&mut self, now: Instant, header: &Header, new_source: bool, payload: &[u8]) {
        let Some(agreed) = &self.agreed else { return };
        if agreed.codec.is_g711() {
            let table = g711::samples(agreed.codec);
            let samples = || payload.iter().map(|octet| table[usize::from(*octet)]);
            let recorders = [&mut self.message, &mut self.tap].into_iter().flatten();
            for recorder in recorders.filter(|recorder| recorder.rate() == Rate::Narrow) {
                recorder.handle_samples(now, Side::Heard, header.timestamp, new_source, samples());
            }
        }
        if self.is_decoded() {
            self.decoding
                .get_or_insert_with(|| Box::new(Decoding::new(now, agreed)))
                .put(now, header, payload);
        }
    }

    /// Whether someone wants what it says decoded and in time.
    fn is_decoded(&self) -> bool {
        let is_g711 = self.agreed.is_none_or(|agreed| agreed.codec.is_g711());
        let records_frames = |recorder: &Recorder| !is_g711 || recorder.rate() != Rate::Narrow;
        !self.audience.is_empty()
            || self.detector.is_some()
            || [&self.message, &self.tap].into_iter().flatten().any(|recorder| records_frames(recorder))
    }

    fn end_decoding(&mut self) {
        if let Some(decoding) = self.decoding.take() {
            self.concealed += decoding.concealed;
            self.late += decoding.late();
        }
    }

    /// 20 ms of what it says are due: for its recordings, and for keys said as tones.
    pub fn decode_frame(&mut self, now: Instant, keys: impl FnMut(KeyEvent)) {
        if !self.is_decoded() {
            return self.end_decoding();
        }
        let Some(decoding) = &mut self.decoding else { return };
        decoding.next(now);
        if let Some(detector) = &mut self.detector {
            detector.handle_samples(decoding.at(Rate::Narrow).iter().copied(), keys);
        }
        let is_g711 = self.agreed.is_none_or(|agreed| agreed.codec.is_g711());
        let timestamp = decoding.timestamp();
        let recorders = [&mut self.message, &mut self.tap].into_iter().flatten();
        for recorder in recorders.filter(|recorder| !is_g711 || recorder.rate() != Rate::Narrow) {
            let samples = decoding.at(recorder.rate()).iter().copied();
            recorder.handle_samples(now, Side::Heard, timestamp, timestamp == FRAME as u32, samples);
        }
    }

    /// 20 ms of one whose sound it wants.
    pub fn hear_frame(&mut self, now: Instant, from: StreamId, decoding: &mut Decoding) {
        let taps = self.peer == Some(from) && self.is_passing();
        match &mut self.mixer {
            Some(mixer) if mixer.hears(from) => {
                let rate = mixer.rate();
                mixer.add(decoding.at(rate));
            }
            Some(_) => {}
            None if taps => {
                if let Some(tap) = &mut self.tap {
                    self.said.tell(now, tap, decoding.at(tap.rate()));
                }
            }
            None => {}
        }
    }

    /// Whether its tap takes what it hears as 20 ms that are decoded, and not as packets of G.711.
    pub fn taps_decoded(&self) -> bool {
        let is_g711 = self.agreed.is_none_or(|agreed| agreed.codec.is_g711());
        self.tap.as_ref().is_some_and(|tap| !is_g711 || tap.rate() != Rate::Narrow)
    }

    /// What is agreed with its far side.
    pub fn codec(&self) -> Option<Codec> {
        self.agreed.map(|agreed| agreed.codec)
    }

    /// Ticks a second of the durations of its telephone events.
    pub fn events_clock(&self) -> u32 {
        self.agreed.map_or(CLOCK, |agreed| agreed.events_clock)
    }

    /// Of the sound that it hears and says.
    pub fn rate(&self) -> Rate {
        self.agreed.map_or(Rate::Narrow, |agreed| agreed.rate())
    }

    /// Others are heard at the rate of whoever gets the most of it: its far side, or its tap.
    fn set_mixing_rate(&mut self) {
        let taps = self.tap.as_ref().map_or(Rate::Narrow, |tap| tap.rate());
        let rate = self.rate().max(taps);
        self.mixer.iter_mut().for_each(|mixer| mixer.set_rate(rate));
    }

    /// Whether relayed packets can be sent now: not while something of our own is.
    fn is_passing(&self) -> bool {
        self.player.is_none() && self.digits.is_empty()
    }

    /// Sends the peer's sound, in place: `bytes` hold its packet.
    pub fn pass_sound(&mut self, now: Instant, packet: &Packet, codec: Codec, bytes: &mut [u8]) {
        let Some(agreed) = self.agreed.filter(|agreed| agreed.direction.sends()) else { return };
        if !self.is_passing() {
            return;
        }
        if !codec.passes_to(agreed.codec) {
            return;
        }
        let length = packet.end - packet.start;
        let Some(header) = self.sender.pass(now, &packet.header, agreed.sends.audio, length) else { return };
        g711::transcode(codec, agreed.codec, &mut bytes[packet.start..packet.end]);
        let begin = header.write_before(bytes, packet.start);
        self.send(&agreed, &bytes[begin..packet.end]);
        let taps = |tap: &&mut Box<Recorder>| agreed.codec.is_g711() && tap.rate() == Rate::Narrow;
        if let Some(tap) = self.tap.as_mut().filter(taps) {
            let table = g711::samples(agreed.codec);
            let samples = bytes[packet.start..packet.end].iter().map(|octet| table[usize::from(*octet)]);
            tap.handle_samples(now, Side::Said, header.timestamp, header.marker, samples);
        }
    }

    /// Sends the peer's comfort noise: a far side that does not know it passes it over (RFC 3550 §5.1).
    pub fn pass_comfort(&mut self, now: Instant, packet: &Packet, bytes: &mut [u8]) {
        if self.agreed.is_some_and(|agreed| agreed.codec.clock() == CLOCK) {
            self.pass_as(now, packet, comfort::PAYLOAD_TYPE, bytes);
        }
    }

    /// Sends a packet of the peer's key, if this side has telephone events of the same clock.
    pub fn pass_key(&mut self, now: Instant, packet: &Packet, clock: u32, bytes: &mut [u8]) {
        let events = self.agreed.filter(|agreed| agreed.events_clock == clock);
        if let Some(events) = events.and_then(|agreed| agreed.sends.events) {
            self.pass_as(now, packet, events, bytes);
        }
    }

    fn pass_as(&mut self, now: Instant, packet: &Packet, payload_type: u8, bytes: &mut [u8]) {
        let sends = self.agreed.filter(|agreed| agreed.direction.sends() && self.is_passing());
        let Some(agreed) = sends else { return };
        let length = packet.end - packet.start;
        if let Some(header) = self.sender.pass(now, &packet.header, payload_type, length) {
            let begin = header.write_before(bytes, packet.start);
            self.send(&agreed, &bytes[begin..packet.end]);
        }
    }

    /// Sends the peer's key, if this side has no telephone events to pass on or sends sound of its own;
    /// `always` even if not, since the key did not come as one.
    pub fn say_key(&mut self, context: &Context, key: char, always: bool) {
        let Some(agreed) = &self.agreed else { return };
        if always || agreed.sends.events.is_none() || self.mixer.is_some() {
            let mut text = [0; 4];
            self.send_digits(context, None, key.encode_utf8(&mut text));
        }
    }

    /// Another source will be passed on, or none.
    pub fn joined(&mut self, peer: Option<StreamId>) {
        self.peer = peer;
        self.sender.switch();
    }

    /// Hears these added up from now on, or nobody but its peer.
    pub fn hear(&mut self, whom: &[StreamId]) {
        let rate = self.rate();
        match &mut self.mixer {
            Some(mixer) if !whom.is_empty() => mixer.set_sources(whom),
            None if whom.is_empty() => {}
            _ => {
                self.mixer = (!whom.is_empty()).then(|| Box::new(Mixer::new(whom, rate)));
                self.sender.switch();
                self.set_mixing_rate();
            }
        }
    }

    /// Whether it hears others than its peer, or its peer together with others.
    pub fn is_mixing(&self) -> bool {
        self.mixer.is_some()
    }

    /// A key began or ended, however it was heard.
    pub fn handle_key(&mut self, context: &mut Context, key: KeyEvent) {
        match key {
            KeyEvent::Began(key) => {
                if self.player.as_ref().is_some_and(|player| player.cut_by_key) {
                    self.end_play(context, Some(CutBy::Key(key)));
                }
                if self.message.as_ref().is_some_and(|message| message.stop_on_key) {
                    self.end_message(context, EndOfRecording::Key(key));
                }
            }
            KeyEvent::Ended(digit, duration) => self.tell(context, Happening::Digit { digit, duration }),
        }
    }

    pub fn play(
        &mut self,
        context: &Context,
        token: u64,
        mut what: Vec<Sound>,
        cut_by_key: bool,
        repeat: Option<Repeat>,
    ) {
        self.end_play(context, Some(CutBy::Command));
        what.truncate(Media::MAX_SOUNDS);
        self.sender.switch();
        self.player = Some(Player::new(token, what, cut_by_key, repeat, self.rate()));
    }

    pub fn end_play(&mut self, context: &Context, cut_by: Option<CutBy>) {
        if let Some(player) = self.player.take() {
            self.sender.switch();
            self.tell(context, Happening::PlayEnded { token: player.token, cut_by });
        }
    }

    pub fn send_digits(&mut self, context: &Context, token: Option<u64>, digits: &str) {
        let room = Media::MAX_DIGITS - self.waiting_digits;
        let digits: String = digits.chars().take(room).collect();
        if digits.is_empty() {
            token.into_iter().for_each(|token| self.tell(context, Happening::DigitsSent { token }));
            return;
        }
        let as_events = self.agreed.is_some_and(|agreed| agreed.sends.events.is_some());
        let digits = match as_events {
            true => Digits::events(token, &digits, self.events_clock()),
            false => Digits::tones(token, &digits, self.rate()),
        };
        self.waiting_digits += digits.count;
        self.digits.push_back(digits);
    }

    pub fn record(&mut self, context: &mut Context, token: u64, name: String, limits: Limits) {
        self.end_message(context, EndOfRecording::Command);
        self.message = self.recorder(context, token, name, (self.rate(), 1), limits);
    }

    pub fn end_message(&mut self, context: &mut Context, why: EndOfRecording) {
        if let Some(message) = self.message.take() {
            context.write_last(message.end(context.now, why));
        }
    }

    /// `theirs`: the rate of whom it hears.
    pub fn tap(&mut self, context: &mut Context, token: u64, name: String, mono: bool, theirs: Rate) {
        self.end_tap(context);
        let limits = Limits { adds: mono, ..Limits::default() };
        let layout = (self.rate().max(theirs), if mono { 1 } else { 2 });
        self.tap = self.recorder(context, token, name, layout, limits);
        self.set_mixing_rate();
    }

    pub fn pause_tap(&mut self, paused: bool) {
        self.tap.iter_mut().for_each(|tap| tap.paused = paused);
    }

    pub fn end_tap(&mut self, context: &mut Context) {
        if let Some(tap) = self.tap.take() {
            context.write_last(tap.end(context.now, EndOfRecording::Command));
            self.set_mixing_rate();
        }
    }

    fn recorder(
        &self,
        context: &Context,
        token: u64,
        name: String,
        layout: (Rate, usize),
        limits: Limits,
    ) -> Option<Box<Recorder>> {
        if !is_file_name(&name) {
            let (length, ended_by) = (Duration::ZERO, EndOfRecording::Failed);
            self.tell(context, Happening::Recorded { token, name, length, ended_by });
            return None;
        }
        let file = Ended { owner: self.owner, stream: self.id, token, name };
        Some(Box::new(Recorder::new(context.now, file, layout, limits, context.writer.clone())))
    }

    /// What came on the RTCP port.
    pub fn handle_rtcp(&mut self, context: &Context, from: SocketAddr, bytes: &mut [u8]) {
        match self.border.handle_rtcp(bytes) {
            Some(length) => self.hear_report(context, from, &bytes[..length]),
            None => self.receiver.ignore(),
        }
    }

    /// What the handshake for this stream's keys has to say.
    pub fn handle_handshake(&mut self, context: &Context, reply: Reply) {
        match reply {
            Reply::Send(to, bytes) => self.rtp.send(&bytes, to),
            Reply::Keys { ours, theirs } => self.border.keyed(ours, theirs),
            Reply::NoKeys => self.tell(context, Happening::NoKeys),
        }
    }

    fn hear_report(&mut self, context: &Context, from: SocketAddr, bytes: &[u8]) {
        let known = [self.receiver.source(), self.agreed.and_then(|agreed| agreed.remote_rtcp)];
        let is_theirs =
            self.border.is_guarded() || known.into_iter().flatten().any(|known| known.ip() == from.ip());
        let ssrc = self.sender.ssrc();
        if is_theirs && self.reporter.handle_packet(context.now, context.wall, ssrc, bytes).is_ok() {
            self.rtcp_source = Some(from);
        } else {
            self.receiver.ignore();
        }
    }

    /// 20 ms pass. Answers whether the wheel must go on turning for this stream.
    pub fn handle_frame(&mut self, context: &mut Context, mut keys: impl FnMut(KeyEvent)) -> bool {
        self.keys.handle_timeout(context.now, &mut keys);
        let (rate, mut frame) = (self.rate(), [0; MOST_FRAME]);
        // Time passes for those who are heard, whether there is room for them or not.
        if let Some(mixer) = &mut self.mixer {
            let mixed = mixer.rate();
            let frame = &mut frame[..mixed.frame()];
            mixer.next(frame);
            if self.is_passing() {
                self.send_sound(context.now, frame, mixed);
            }
        }
        let frame = &mut frame[..rate.frame()];
        match self.digits.front_mut().map(|digits| digits.next(frame)) {
            Some(Frame::Event(payload, begins)) => self.send_event(context.now, payload, begins),
            Some(Frame::Sound) => self.send_sound(context.now, frame, rate),
            Some(Frame::Nothing) => {}
            Some(Frame::Done) => {
                self.sender.switch();
                if let Some(done) = self.digits.pop_front() {
                    self.waiting_digits -= done.count;
                    done.token
                        .into_iter()
                        .for_each(|token| self.tell(context, Happening::DigitsSent { token }));
                }
            }
            None if self.player.is_some() => self.play_frame(context, frame),
            None => {}
        }
        if let Some(why) = self.message.as_mut().and_then(|message| message.handle_timeout(context.now)) {
            self.end_message(context, why);
        }
        let needs_frames = self.needs_frames();
        if !needs_frames {
            self.encoder = None;
        }
        needs_frames
    }

    /// Whether something of this stream depends on 20 ms passing.
    pub fn needs_frames(&self) -> bool {
        self.player.is_some()
            || self.mixer.is_some()
            || self.decoding.is_some()
            || !self.digits.is_empty()
            || self.message.is_some()
            || self.keys.next_timeout().is_some()
    }

    fn play_frame(&mut self, context: &Context, frame: &mut [i16]) {
        let Some(player) = &mut self.player else { return };
        let filled = player.fill(frame);
        frame[filled..].fill(0);
        if filled > 0 {
            self.send_sound(context.now, frame, self.rate());
        }
        if filled < frame.len() {
            self.end_play(context, None);
        }
    }

    /// 20 ms at a rate that is its own, or that of its tap.
    fn send_sound(&mut self, now: Instant, frame: &[i16], rate: Rate) {
        let Some(agreed) = self.agreed.filter(|agreed| agreed.direction.sends()) else { return };
        let own = agreed.rate();
        if self.encoder.is_none() {
            self.encoder = Encoder::new(&agreed);
        }
        let Some(encoder) = &mut self.encoder else { return };
        let mut bytes = [0; HEADER + MOST_PAYLOAD];
        let brought = match rate == own {
            true => frame,
            false => Band::brought(&mut self.to_own, frame, rate, own),
        };
        let length = encoder.encode(brought, &mut bytes[HEADER..]);
        if length == 0 {
            return self.sender.skip(now);
        }
        let header = self.sender.next(now, agreed.sends.audio, length);
        header.write_before(&mut bytes, HEADER);
        self.send(&agreed, &bytes[..HEADER + length]);
        let Some(tap) = &mut self.tap else { return };
        if agreed.codec.is_g711() && tap.rate() == Rate::Narrow {
            tap.handle_samples(now, Side::Said, header.timestamp, header.marker, frame.iter().copied());
        } else {
            self.said.tell_at(now, tap, frame, rate);
        }
    }

    fn send_event(&mut self, now: Instant, payload: Payload, begins: bool) {
        let Some(agreed) = self.agreed.filter(|agreed| agreed.direction.sends()) else { return };
        // Renegotiated away in the middle of a key: it is left unsaid.
        let Some(events) = agreed.sends.events else { return };
        let mut bytes = [0; HEADER + 4];
        bytes[HEADER..].copy_from_slice(&payload.write());
        self.sender.event(now, events, begins).write_before(&mut bytes, HEADER);
        self.send(&agreed, &bytes);
    }

    /// Several times a second: reports, recordings, and whether the far side is still there.
    pub fn handle_timeout(&mut self, context: &mut Context) {
        if let Some(tap) = &mut self.tap {
            tap.handle_timeout(context.now);
        }
        let Some(agreed) = self.agreed else { return };
        let mut out = [0; rtcp::MAX_BYTES];
        let (now, wall) = (context.now, context.wall);
        let length = self.reporter.handle_timeout(now, wall, &self.sender, &mut self.receiver, &mut out);
        if let (Some(length), Some(remote)) = (length, self.remote_rtcp(&agreed)) {
            self.border.send_rtcp(&self.rtp, &self.rtcp, &out[..length], remote);
        }
        if let Some(heard_at) = self.receiver.heard_at()
            && heard_at > self.quiet_since
        {
            self.quiet_since = heard_at;
            self.told = false;
        }
        if !agreed.direction.receives() {
            // Nothing is to be heard; the far side has the whole time after the hold.
            self.quiet_since = now;
        } else if !self.told && now.saturating_duration_since(self.quiet_since) >= context.timeout {
            self.told = true;
            self.tell(context, Happening::Timeout);
        }
    }

    /// Ends all that goes on, says BYE, and answers what is to be told once the sockets are closed.
    pub fn close(&mut self, context: &mut Context) -> Event {
        self.end_play(context, Some(CutBy::Command));
        self.end_message(context, EndOfRecording::Command);
        self.end_tap(context);
        self.end_decoding();
        if let Some(agreed) = self.agreed
            && let Some(remote) = self.remote_rtcp(&agreed)
            && !self.reporter.is_over()
            && (self.sender.packets() > 0 || self.heard_before)
        {
            let mut out = [0; rtcp::MAX_BYTES];
            let (now, wall) = (context.now, context.wall);
            let length = self.reporter.write_bye(now, wall, &self.sender, &mut self.receiver, &mut out);
            self.border.send_rtcp(&self.rtp, &self.rtcp, &out[..length], remote);
        }
        self.border.close(&context.handshakes);
        let stats = Stats {
            received: self.receiver.received(),
            lost: self.receiver.lost(),
            jitter: self.receiver.jitter(),
            sent: u64::from(self.sender.packets()),
            ignored: self.receiver.ignored(),
            lost_there: self.reporter.heard_there().lost,
            forged: self.border.forged,
            replayed: self.border.replayed,
            codec: self.codec(),
            concealed: self.concealed,
            late: self.late,
        };
        Event { owner: self.owner, stream: self.id, what: Happening::Closed(stats) }
    }

    fn send(&mut self, agreed: &Negotiated, packet: &[u8]) {
        let to = self.remote(agreed);
        self.border.send_rtp(&self.rtp, packet, to);
    }

    /// Where the far side is heard from, else where it said it is.
    fn remote(&self, agreed: &Negotiated) -> SocketAddr {
        self.receiver.source().unwrap_or(agreed.remote)
    }

    fn remote_rtcp(&self, agreed: &Negotiated) -> Option<SocketAddr> {
        let said = agreed.remote_rtcp?;
        Some(match (self.rtcp_source, self.receiver.source()) {
            (Some(source), _) => source,
            (None, Some(source)) if agreed.mux => source,
            // Behind a NAT, by the habit of neighbouring ports.
            (None, Some(source)) if source != agreed.remote => {
                SocketAddr::new(source.ip(), source.port().checked_add(1)?)
            }
            _ => said,
        })
    }

    fn tell(&self, context: &Context, what: Happening) {
        (context.events)(Event { owner: self.owner, stream: self.id, what });
    }
}
