//! A leg as the wire knows it: its SIP session, its RTP stream, and what both sides agreed upon. The
//! exchange names legs, `protocol` names sessions, `media` names streams; here they are joined.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use exchange::{CallId, LegKey, LegNo, Token};
use media::StreamId;
use protocol::sdp::{Description, LocalMedia, Negotiated};
use protocol::sip::stack::{Invite, SessionId};

use super::places::Other;
use super::sound::Music;

/// One leg's ends.
pub(super) struct Line {
    pub call: CallId,
    pub no: LegNo,
    pub tenant: String,
    /// None once signalling has ended it.
    pub session: Option<SessionId>,
    /// None once its sound has been closed.
    pub stream: Option<StreamId>,
    /// Our side of the session description.
    pub local: Option<LocalMedia>,
    /// Whose sound it hears and who hears its; that leg's partner is this one, or it has found another.
    pub partner: Option<LegKey>,
    /// What was agreed last.
    pub negotiated: Option<Negotiated>,
    /// The answer to the caller's offer, for 183 and 200; none for a caller without an offer.
    pub answer: Option<Bytes>,
    /// The caller's offer, until it has heard our answer to it.
    pub offer: Option<Box<Description>>,
    /// The carrier, if the leg leads to one.
    pub trunk: Option<String>,
    /// The user at the far end, if it is known.
    pub user: Option<String>,
    /// Its INVITE, for a telephone that takes encrypted sound by its profile alone; none where none was offered on the side.
    pub insisting: Option<Box<Invite>>,
    /// Where else the leg's INVITE can go, as long as nobody has answered it.
    pub elsewhere: Option<Box<Elsewhere>>,
    /// What an INVITE that continues this call may carry.
    pub max_forwards: u8,
    /// Prompts are being read for this play; a stop or another play takes it back.
    pub loading: Option<Token>,
    /// The music heard last, and where it was left.
    pub music: Option<Music>,
}

impl Line {
    /// A leg without sound so far.
    pub fn new(
        call: CallId,
        no: LegNo,
        tenant: String,
        session: Option<SessionId>,
        trunk: Option<String>,
        max_forwards: u8,
    ) -> Self {
        Self {
            call,
            no,
            tenant,
            session,
            stream: None,
            local: None,
            partner: None,
            negotiated: None,
            answer: None,
            offer: None,
            trunk,
            user: None,
            insisting: None,
            elsewhere: None,
            max_forwards,
            loading: None,
            music: None,
        }
    }
}

/// The rest of the places of a domain (RFC 3263 §4.3), and the INVITE for them.
pub(super) struct Elsewhere {
    /// What is sent; its destination is the place that is tried.
    pub invite: Invite,
    pub places: VecDeque<Other>,
    /// When the place that is tried has kept silent for too long.
    pub silent_at: Instant,
}

/// All legs of a shard.
#[derive(Default)]
pub(super) struct Lines {
    by_leg: HashMap<LegKey, Line>,
    by_session: HashMap<SessionId, LegKey>,
    /// Those that can go elsewhere: mostly none.
    waiting: Vec<LegKey>,
}

impl Lines {
    pub fn insert(&mut self, leg: LegKey, line: Line) {
        if let Some(session) = line.session {
            self.by_session.insert(session, leg);
        }
        self.by_leg.insert(leg, line);
    }

    pub fn get(&self, leg: LegKey) -> Option<&Line> {
        self.by_leg.get(&leg)
    }

    /// From now on these two hear each other.
    pub fn join(&mut self, a: LegKey, b: LegKey) {
        for (leg, partner) in [(a, b), (b, a)] {
            self.by_leg.entry(leg).and_modify(|line| line.partner = Some(partner));
        }
    }

    /// Whom a leg hears, and who hears it.
    pub fn partner(&self, leg: LegKey) -> Option<&Line> {
        let partner = self.by_leg.get(&self.by_leg.get(&leg)?.partner?)?;
        (partner.partner == Some(leg)).then_some(partner)
    }

    pub fn get_mut(&mut self, leg: LegKey) -> Option<&mut Line> {
        self.by_leg.get_mut(&leg)
    }

    /// The leg is another one of its call, or belongs to another call.
    pub fn moved(&mut self, leg: LegKey, call: CallId, no: LegNo) {
        if let Some(line) = self.by_leg.get_mut(&leg) {
            (line.call, line.no) = (call, no);
        }
    }

    /// The leg of a session, with its line.
    pub fn of_session(&mut self, session: SessionId) -> Option<(LegKey, &mut Line)> {
        let leg = *self.by_session.get(&session)?;
        Some((leg, self.by_leg.get_mut(&leg)?))
    }

    /// The leg's INVITE is on its way.
    pub fn begin_session(&mut self, leg: LegKey, session: SessionId) {
        if let Some(line) = self.by_leg.get_mut(&leg) {
            line.session = Some(session);
            self.by_session.insert(session, leg);
        }
    }

    /// Sessions whose INVITE can go elsewhere when nothing is heard by then.
    pub fn silent(&self, now: Instant) -> Vec<SessionId> {
        let late = |line: &Line| line.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.silent_at <= now);
        self.waiting
            .iter()
            .filter(|leg| self.by_leg.get(leg).is_some_and(late))
            .filter_map(|leg| self.by_leg.get(leg)?.session)
            .collect()
    }

    /// When the next one is late.
    pub fn next_silent(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|leg| Some(self.by_leg.get(leg)?.elsewhere.as_ref()?.silent_at)).min()
    }

    /// There are other places for this leg.
    pub fn can_go_elsewhere(&mut self, leg: LegKey, elsewhere: Option<Box<Elsewhere>>) {
        self.waiting.retain(|waiting| *waiting != leg);
        if elsewhere.is_some() {
            self.waiting.push(leg);
        }
        if let Some(line) = self.by_leg.get_mut(&leg) {
            line.elsewhere = elsewhere;
        }
    }

    /// The session is over; the line goes when its sound is closed as well.
    pub fn end_session(&mut self, session: SessionId) -> Option<LegKey> {
        let leg = self.by_session.remove(&session)?;
        if let Some(line) = self.by_leg.get_mut(&leg) {
            line.session = None;
        }
        Some(leg)
    }

    /// Takes the stream away for closing; nothing is said to this leg any more.
    pub fn end_stream(&mut self, leg: LegKey) -> Option<StreamId> {
        self.by_leg.get_mut(&leg)?.stream.take()
    }

    /// Drops the line when both ends are gone.
    pub fn forget(&mut self, leg: LegKey) {
        if self.by_leg.get(&leg).is_some_and(|line| line.session.is_none() && line.stream.is_none()) {
            self.by_leg.remove(&leg);
            self.waiting.retain(|waiting| *waiting != leg);
        }
    }
}
