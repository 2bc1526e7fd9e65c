//! All streams of one thread, and what they do together. Time, datagrams and commands come in, datagrams
//! leave through the streams' sockets and events through the callback: nothing here waits, and
//! nothing here is a socket, so that tests run it on their own time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::rtp::dtmf::KeyEvent;

use crate::command::{Command, CutBy, EndOfRecording, Event, StreamId};
use crate::handshakes::{HandshakesHandle, Reply};
use crate::media::Media;
use crate::recorder::Limits;
use crate::stream::{Context, Heard, Socket, Stream};
use crate::writer::WriterHandle;

/// The wheel: one turn of it is a packet of every stream that sends by itself.
pub(crate) const FRAME_TIME: Duration = Duration::from_millis(20);

/// Frames that a late thread makes up for; when it is later, time is left out.
const MAX_CATCH_UP: u32 = 10;

/// How often reports, time-outs and idle recordings are looked at.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

pub(crate) struct Core<S> {
    context: Context,
    /// By slot.
    streams: Vec<Option<Box<Stream<S>>>>,
    /// How many of them there are.
    count: usize,
    /// Slots of streams that the wheel turns for.
    ticking: Vec<u32>,
    /// None while nothing ticks.
    next_frame: Option<Instant>,
    next_housekeeping: Instant,
    chance: u64,
}

impl<S: Socket> Core<S> {
    /// `slots`: how many there are in the process. `wall`: since 1970, at `now`.
    pub fn new(
        (now, wall): (Instant, Duration),
        slots: usize,
        timeout: Duration,
        seed: u64,
        events: Arc<dyn Fn(Event) + Send + Sync>,
        writer: WriterHandle,
        handshakes: HandshakesHandle,
    ) -> Self {
        Self {
            context: Context { now, wall, events, writer, unwritten: Vec::new(), timeout, handshakes },
            streams: std::iter::repeat_with(|| None).take(slots).collect(),
            count: 0,
            ticking: Vec::new(),
            next_frame: None,
            next_housekeeping: now + HOUSEKEEPING,
            chance: seed,
        }
    }

    pub fn open(&mut self, now: Instant, id: StreamId, owner: u64, rtp: S, rtcp: S) {
        self.advance(now);
        let chance = &mut self.chance;
        let stream = Stream::new(now, id, owner, rtp, rtcp, || {
            // SplitMix64: every number of the seed's sequence differs.
            *chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*chance ^ (*chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        self.insert(Box::new(stream));
    }

    /// A stream comes from another thread. Those who are to hear it may have been told already.
    pub fn arrive(&mut self, stream: Box<Stream<S>>) {
        let id = stream.id;
        self.insert(stream);
        let waits = |stream: &Stream<S>| stream.heard.contains(&id) || stream.peer == Some(id);
        let ears = self.streams.iter().flatten().filter(|stream| waits(stream));
        let ears: Vec<_> = ears.map(|ear| ear.id).collect();
        for ear in ears {
            self.settle(ear);
            if self.stream(ear).is_some_and(|ear| ear.heard.contains(&id)) {
                self.listen(ear, id);
            }
        }
    }

    fn insert(&mut self, mut stream: Box<Stream<S>>) {
        let slot = stream.id.slot;
        stream.ticking = false;
        if let Some(place) = self.streams.get_mut(slot as usize) {
            self.count += usize::from(place.is_none());
            *place = Some(stream);
            self.tick_if_needed(slot);
        }
    }

    /// A stream goes to another thread, whole; the one it was joined to is alone now.
    pub fn remove(&mut self, id: StreamId) -> Option<Box<Stream<S>>> {
        self.stream(id)?;
        self.part(id);
        self.hear(id, Vec::new());
        let mut stream = self.streams[id.slot as usize].take();
        stream.iter_mut().for_each(|stream| stream.audience.clear());
        self.count -= 1;
        self.ticking.retain(|slot| *slot != id.slot);
        self.rest_if_idle();
        stream
    }

    pub fn stream(&mut self, id: StreamId) -> Option<&mut Stream<S>> {
        self.streams.get_mut(id.slot as usize)?.as_deref_mut().filter(|stream| stream.id == id)
    }

    /// The stream of a slot, for whoever reads its socket.
    pub fn at(&self, slot: u32) -> Option<&Stream<S>> {
        self.streams.get(slot as usize)?.as_deref()
    }

    pub fn ids(&self) -> Vec<StreamId> {
        self.streams.iter().flatten().map(|stream| stream.id).collect()
    }

    /// What came to the port of RTP; `bytes` is used to unprotect it and to pass it on.
    pub fn handle_rtp(&mut self, now: Instant, slot: u32, from: SocketAddr, bytes: &mut [u8]) {
        self.advance(now);
        let Some(Some(stream)) = self.streams.get_mut(slot as usize) else { return };
        let Some(length) = stream.admit_rtp(&self.context, from, bytes) else { return };
        let bytes = &mut bytes[..length];
        let mut keys = Vec::new();
        let heard = stream.handle_rtp(&self.context, from, bytes, |key| keys.push(key));
        let straight = stream.straight;
        // A key that was begun must be ended by the clock if its end is lost; what is decoded is heard by it.
        let ticks = stream.decoding.is_some() || matches!(heard, Heard::Key(..));
        if let Some(peer) = straight.and_then(|peer| self.stream(peer)) {
            pass(now, heard, peer, bytes);
        }
        if !keys.is_empty() {
            self.handle_keys(slot, &keys, true);
        }
        if ticks {
            self.tick_if_needed(slot);
        }
    }

    fn handle_keys(&mut self, slot: u32, keys: &[KeyEvent], came_as_event: bool) {
        let Some(Some(stream)) = self.streams.get_mut(slot as usize) else { return };
        keys.iter().for_each(|key| stream.handle_key(&mut self.context, *key));
        let (clock, peer) = (stream.events_clock(), stream.peer);
        let Some(peer) = peer.filter(|_| came_as_event) else { return };
        // Events of another clock can't be passed on as they are.
        let anew = self.stream(peer).is_some_and(|peer| peer.events_clock() != clock);
        for key in keys {
            if let KeyEvent::Began(key) = key {
                self.say_key(peer, *key, anew);
            }
        }
    }

    fn say_key(&mut self, id: StreamId, key: char, always: bool) {
        if let Some(Some(stream)) = self.streams.get_mut(id.slot as usize)
            && stream.id == id
        {
            stream.say_key(&self.context, key, always);
            self.tick_if_needed(id.slot);
        }
    }

    pub fn handle_rtcp(&mut self, now: Instant, slot: u32, from: SocketAddr, bytes: &mut [u8]) {
        self.advance(now);
        if let Some(Some(stream)) = self.streams.get_mut(slot as usize) {
            stream.handle_rtcp(&self.context, from, bytes);
        }
    }

    /// What the handshake for a stream's keys has to say.
    pub fn handle_handshake(&mut self, now: Instant, id: StreamId, reply: Reply) {
        self.advance(now);
        if let Some(Some(stream)) = self.streams.get_mut(id.slot as usize)
            && stream.id == id
        {
            stream.handle_handshake(&self.context, reply);
        }
    }

    /// A command, but [`Command::Relay`], which is [`Core::join`], and [`Command::Close`], which is
    /// [`Core::close`]. Nothing happens when the stream is gone.
    pub fn handle_command(&mut self, now: Instant, id: StreamId, command: Command) {
        self.advance(now);
        let command = match command {
            Command::Unrelay => return self.part(id),
            Command::Hear { whom } => return self.hear(id, whom),
            command => command,
        };
        let Some(stream) = self.stream(id) else { return };
        let peer = stream.peer;
        let heard: Vec<_> = match command {
            Command::Tap { .. } => stream.told_to_hear.iter().copied().chain(peer).collect(),
            _ => Vec::new(),
        };
        let theirs = heard.into_iter().filter_map(|heard| Some(self.stream(heard)?.rate())).max();
        let Some(Some(stream)) = self.streams.get_mut(id.slot as usize) else { return };
        let context = &mut self.context;
        let settles = matches!(command, Command::Negotiated(_) | Command::Tap { .. } | Command::Untap);
        match command {
            Command::Negotiated(agreed) => stream.negotiated(context, agreed),
            Command::Play { token, what, cut_by_key, repeat } => {
                stream.play(context, token, what, cut_by_key, repeat)
            }
            Command::Stop => stream.end_play(context, Some(CutBy::Command)),
            Command::SendDigits { token, digits } => stream.send_digits(context, Some(token), &digits),
            Command::Digit { digit, duration } => {
                stream.handle_key(context, KeyEvent::Began(digit));
                stream.handle_key(context, KeyEvent::Ended(digit, duration));
                if let Some(peer) = peer.filter(|peer| *peer != id) {
                    self.say_key(peer, digit, true);
                }
            }
            Command::Record { token, name, most, silence, stop_on_key } => {
                let limits = Limits { most: Some(most), silence, stop_on_key, adds: false };
                stream.record(context, token, name, limits);
            }
            Command::StopRecord => stream.end_message(context, EndOfRecording::Command),
            Command::Tap { token, name, mono } => {
                stream.tap(context, token, name, mono, theirs.unwrap_or_default())
            }
            Command::PauseTap(paused) => stream.pause_tap(paused),
            Command::Untap => stream.end_tap(context),
            Command::Relay { .. } | Command::Unrelay | Command::Hear { .. } | Command::Close => {}
        }
        if settles {
            self.settle(id);
            peer.into_iter().for_each(|peer| self.settle(peer));
        }
        self.tick_if_needed(id.slot);
    }

    /// From now on `id` is heard by `to`; whoever either was joined to before is alone. Both ways are
    /// joined by calling it for both.
    pub fn join(&mut self, id: StreamId, to: StreamId) {
        let Some(stream) = self.stream(id) else { return };
        if stream.peer == Some(to) {
            return;
        }
        self.part(id);
        if let Some(stream) = self.stream(id) {
            stream.joined(Some(to));
            self.settle(id);
            self.settle(to);
        }
    }

    /// From now on `id` hears these added up; with none of them, whoever it is joined to.
    pub fn hear(&mut self, id: StreamId, mut whom: Vec<StreamId>) {
        whom.retain(|heard| *heard != id);
        whom.sort_unstable();
        whom.dedup();
        whom.truncate(Media::MAX_HEARD);
        if let Some(stream) = self.stream(id) {
            stream.told_to_hear = whom;
            self.settle(id);
        }
    }

    /// How `id` hears: the packets of whoever it is joined to, where both speak one codec, or the sum of whomever
    /// it was told to hear, or of that one alone, decoded and written anew.
    fn settle(&mut self, id: StreamId) {
        let Some(stream) = self.stream(id) else { return };
        let (peer, codec, taps, before) =
            (stream.peer, stream.codec(), stream.taps_decoded(), stream.heard.clone());
        let mut mixed = stream.told_to_hear.clone();
        let theirs = peer.and_then(|peer| self.stream(peer)).and_then(|peer| peer.codec());
        if let (true, Some(peer), Some(own), Some(theirs)) = (mixed.is_empty(), peer, codec, theirs)
            && !theirs.passes_to(own)
        {
            mixed.push(peer);
        }
        let heard = match peer {
            Some(peer) if mixed.is_empty() && taps => vec![peer],
            _ => mixed.clone(),
        };
        let Some(stream) = self.stream(id) else { return };
        stream.hear(&mixed);
        stream.heard = heard.clone();
        for gone in before.iter().filter(|gone| !heard.contains(gone)) {
            if let Some(gone) = self.stream(*gone) {
                gone.audience.retain(|ear| *ear != id);
            }
        }
        heard.into_iter().for_each(|heard| self.listen(id, heard));
        self.straighten(id);
        peer.into_iter().for_each(|peer| self.straighten(peer));
        self.tick_if_needed(id.slot);
    }

    /// `ear` wants what `id` says decoded, as soon as that is here.
    fn listen(&mut self, ear: StreamId, id: StreamId) {
        if let Some(stream) = self.stream(id)
            && !stream.audience.contains(&ear)
            && stream.audience.len() < Media::MAX_HEARD
        {
            stream.audience.push(ear);
        }
    }

    /// Whether what `id` says goes straight through to the one it is joined to.
    fn straighten(&mut self, id: StreamId) {
        let Some(peer) = self.stream(id).map(|stream| stream.peer) else { return };
        let straight = peer.filter(|peer| self.stream(*peer).is_none_or(|peer| !peer.is_mixing()));
        if let Some(stream) = self.stream(id) {
            stream.straight = straight;
        }
    }

    /// Nobody hears `id`, and `id` hears nobody.
    fn part(&mut self, id: StreamId) {
        let Some(stream) = self.stream(id) else { return };
        let peer = stream.peer;
        stream.joined(None);
        self.settle(id);
        if let Some(peer) = peer.and_then(|peer| self.stream(peer))
            && peer.peer == Some(id)
        {
            peer.joined(None);
            let peer = peer.id;
            self.settle(peer);
        }
    }

    /// Ends a stream, gives its sockets to `then`, and tells that it is closed: who hears that finds the
    /// ports free. Does nothing when the stream is gone already.
    pub fn close(&mut self, now: Instant, id: StreamId, then: impl FnOnce(S, S)) {
        self.advance(now);
        let Some(mut stream) = self.remove(id) else { return };
        let closed = stream.close(&mut self.context);
        let Stream { rtp, rtcp, .. } = *stream;
        then(rtp, rtcp);
        (self.context.events)(closed);
    }

    /// The last of the recordings goes to the writer, however long that takes: the thread ends.
    pub fn finish(self) {
        self.context.unwritten.into_iter().for_each(|job| self.context.writer.send(job));
    }

    /// When [`Core::handle_timeout`] is due; none when there are no streams.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.count == 0 && self.context.unwritten.is_empty() {
            return None;
        }
        Some(self.next_frame.map_or(self.next_housekeeping, |frame| frame.min(self.next_housekeeping)))
    }

    /// Whether [`Core::handle_timeout`] is due every 20 ms.
    pub fn is_turning(&self) -> bool {
        self.next_frame.is_some()
    }

    /// Turns the wheel as far as it should be, and keeps house.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let mut turns = 0;
        while let Some(frame) = self.next_frame
            && frame <= now
        {
            turns += 1;
            if turns > MAX_CATCH_UP {
                self.next_frame = Some(now + FRAME_TIME);
                break;
            }
            // The next is counted from when this was due, so that lateness never adds up.
            self.next_frame = Some(frame + FRAME_TIME);
            self.turn();
        }
        if self.next_housekeeping <= now {
            self.next_housekeeping = now + HOUSEKEEPING;
            for stream in self.streams.iter_mut().flatten() {
                stream.handle_timeout(&mut self.context);
            }
            for job in std::mem::take(&mut self.context.unwritten) {
                if let Err(job) = self.context.writer.try_send(job) {
                    self.context.unwritten.push(job);
                }
            }
        }
    }

    fn turn(&mut self) {
        let mut keys = Vec::new();
        // All have said what they say in these 20 ms before anyone hears it.
        for index in 0..self.ticking.len() {
            self.say_frame(self.ticking[index], &mut keys);
        }
        let mut index = 0;
        while let Some(slot) = self.ticking.get(index).copied() {
            let Some(Some(stream)) = self.streams.get_mut(slot as usize) else {
                self.ticking.swap_remove(index);
                continue;
            };
            stream.ticking = stream.handle_frame(&mut self.context, |key| keys.push(key));
            match stream.ticking {
                true => index += 1,
                false => drop(self.ticking.swap_remove(index)),
            }
            if !keys.is_empty() {
                self.handle_keys(slot, &keys, true);
                keys.clear();
            }
        }
        self.rest_if_idle();
    }

    /// The wheel stands while it turns for nobody, and begins anew with whoever comes next.
    fn rest_if_idle(&mut self) {
        if self.ticking.is_empty() {
            self.next_frame = None;
        }
    }

    /// What a stream says in these 20 ms goes to whoever wants it decoded.
    fn say_frame(&mut self, slot: u32, keys: &mut Vec<KeyEvent>) {
        let now = self.context.now;
        let Some(Some(stream)) = self.streams.get_mut(slot as usize) else { return };
        if stream.decoding.is_none() {
            return;
        }
        stream.decode_frame(now, |key| keys.push(key));
        if let Some(mut decoding) = stream.decoding.take() {
            let (id, audience) = (stream.id, stream.audience.len());
            for at in 0..audience {
                let ear = self.at(slot).and_then(|stream| stream.audience.get(at).copied());
                if let Some(ear) = ear.and_then(|ear| self.stream(ear)) {
                    ear.hear_frame(now, id, &mut decoding);
                }
            }
            if let Some(Some(stream)) = self.streams.get_mut(slot as usize) {
                stream.decoding = Some(decoding);
            }
        }
        if !keys.is_empty() {
            self.handle_keys(slot, keys, false);
            keys.clear();
        }
    }

    /// The wheel turns for a stream from now on, if it must.
    fn tick_if_needed(&mut self, slot: u32) {
        let Some(Some(stream)) = self.streams.get_mut(slot as usize) else { return };
        if stream.ticking || !stream.needs_frames() {
            return;
        }
        stream.ticking = true;
        self.ticking.push(slot);
        if self.next_frame.is_none() {
            self.next_frame = Some(self.context.now);
        }
    }

    fn advance(&mut self, now: Instant) {
        self.context.wall += now.saturating_duration_since(self.context.now);
        self.context.now = self.context.now.max(now);
    }
}

fn pass<S: Socket>(now: Instant, heard: Heard, to: &mut Stream<S>, bytes: &mut [u8]) {
    match heard {
        Heard::Nothing => {}
        Heard::Sound(packet, codec) => to.pass_sound(now, &packet, codec, bytes),
        Heard::Comfort(packet) => to.pass_comfort(now, &packet, bytes),
        Heard::Key(packet, clock) => to.pass_key(now, &packet, clock, bytes),
    }
}

#[cfg(test)]
pub(crate) mod tests;
