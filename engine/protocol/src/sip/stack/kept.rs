//! Sessions that outlive the stack that made them: what another process must know of a confirmed dialog
//! (RFC 3261 §12) to go on with it, and the way back into a stack. What was under way is not kept: no
//! transaction, no open offer, no REFER; the other side repeats what it still wants, or gets 481 for it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::client::Owner;
use super::requests::Content;
use super::{Credentials, Output, SessionId, Stack};
use crate::sip::deadlines::Armed;
use crate::sip::dialog::Dialog;
use crate::sip::flow::{Destination, Flow, Transport};
use crate::sip::grammar;
use crate::sip::headers::HeaderName;
use crate::sip::message::{Essentials, Response};
use crate::sip::method::Method;
use crate::sip::name_addr::NameAddr;
use crate::sip::session::{Offer, Party, Session, State};
use crate::sip::session_timer::Timer;
use crate::sip::uri::Uri;

/// Requests that may have been sent since a session was kept: its numbers go on so far behind the kept one.
/// Gaps are allowed (RFC 3261 §12.2.2), a number that was used already is not.
const CSEQ_GAP: u32 = 1_000;
/// RFC 3261 §8.1.1.5: below 2^31.
const MOST_CSEQ: u32 = (1 << 31) - 1;

/// A confirmed dialog, and the way to its other side. Holds no password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSession {
    call_id: String,
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) local_cseq: u32,
    remote_cseq: Option<u32>,
    pub(super) remote_target: String,
    route_set: Vec<String>,
    contact: String,
    transport: Transport,
    to: SocketAddr,
    from: Option<SocketAddr>,
    keep_to_destination: bool,
    takes_updates: bool,
    /// Of its timer: seconds, whether we ask again, and whether the other side knows of timers.
    timer: Option<(u32, bool, bool)>,
}

/// Why a session can't be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRestored {
    /// A value is not what it must be.
    Unreadable,
    /// Its tag is of a stack with another letter, to which its messages go.
    NotOurs,
    /// It is here.
    Known,
    /// There are as many sessions as may be.
    Full,
}

impl fmt::Display for NotRestored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the dialog can't be read",
            Self::NotOurs => "the dialog is another stack's",
            Self::Known => "the dialog is here already",
            Self::Full => "there are too many sessions",
        })
    }
}

impl std::error::Error for NotRestored {}

impl KeptSession {
    /// The SIP Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Where its requests went.
    pub fn remote(&self) -> SocketAddr {
        self.to
    }

    /// How its messages went.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// They went on a connection, which ended with the process that had it.
    pub fn was_connected(&self) -> bool {
        self.transport.is_reliable()
    }
}

impl Stack {
    /// What another stack must know of a session; none unless its dialog is confirmed and not over.
    pub fn keep(&self, session: SessionId) -> Option<KeptSession> {
        let session = self.sessions.get(&session).filter(|session| !session.over)?;
        let State::Talking { dialog, .. } = &session.state else { return None };
        let Party { contact, destination, keep_to_destination, takes_updates, .. } = &session.party;
        Some(KeptSession {
            call_id: dialog.call_id.clone(),
            local: dialog.local.clone(),
            remote: dialog.remote.clone(),
            local_cseq: dialog.local_cseq,
            remote_cseq: dialog.remote_cseq,
            remote_target: grammar::written(&dialog.remote_target),
            route_set: dialog.route_set.clone(),
            contact: contact.clone(),
            transport: destination.transport,
            to: destination.remote,
            from: destination.local,
            keep_to_destination: *keep_to_destination,
            takes_updates: *takes_updates,
            timer: session.timer.map(|timer| timer.keep()),
        })
    }

    /// Takes up a session of an earlier stack with this one's letter, under the id that it had. Whether the
    /// other side still knows it shows with the first request; a re-INVITE tells where sound goes now. A
    /// connection ended with the process that had it: requests go where the dialog says, on a new one.
    pub fn restore(
        &mut self,
        now: Instant,
        kept: &KeptSession,
        credentials: Option<Credentials>,
    ) -> Result<SessionId, NotRestored> {
        let tag_of = |value: &str| {
            let read = NameAddr::parse(value).map_err(|_| NotRestored::Unreadable)?;
            Ok(read.tag().unwrap_or_default().to_owned())
        };
        let id = SessionId(self.ids.read(&tag_of(&kept.local)?).ok_or(NotRestored::NotOurs)?);
        let remote_target = Uri::parse(&kept.remote_target).map_err(|_| NotRestored::Unreadable)?;
        let local_cseq = kept.local_cseq.checked_add(CSEQ_GAP).filter(|number| *number <= MOST_CSEQ);
        if self.sessions.contains_key(&id) {
            return Err(NotRestored::Known);
        }
        if self.is_full() {
            return Err(NotRestored::Full);
        }
        let dialog = Dialog {
            call_id: kept.call_id.clone(),
            local: kept.local.clone(),
            remote: kept.remote.clone(),
            remote_tag: tag_of(&kept.remote)?,
            local_cseq: local_cseq.ok_or(NotRestored::Unreadable)?,
            remote_cseq: kept.remote_cseq,
            remote_target,
            route_set: kept.route_set.clone(),
        };
        let destination = Destination { local: kept.from, ..Destination::new(kept.transport, kept.to) };
        let party = Party {
            id,
            credentials,
            contact: kept.contact.clone(),
            destination,
            keep_to_destination: kept.keep_to_destination && !kept.transport.is_reliable(),
            takes_updates: kept.takes_updates,
        };
        self.put(Box::new(Session {
            party,
            over: false,
            refer: None,
            refers: 0,
            timer: kept.timer.map(|kept| Timer::restore(now, kept)),
            armed: Armed::default(),
            state: State::Talking { dialog, offer: Offer::Idle, queued: None },
        }));
        Ok(id)
    }

    /// Who has to prove to be there when requests of a secured session go on a new connection, as the owner of the
    /// connections numbers them.
    pub fn set_authority(&mut self, session: SessionId, authority: u32) {
        if let Some(session) = self.sessions.get_mut(&session)
            && session.party.destination.transport.is_secure()
        {
            session.party.destination.authority = authority;
        }
    }

    /// The other side has come back on this flow: requests of the session go there from now on.
    pub fn redirect(&mut self, session: SessionId, flow: Flow) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.party.destination = flow.into();
            session.party.keep_to_destination = true;
        }
    }

    /// Until then a telephone may answer that rings for an INVITE of an earlier stack with this one's letter: it is
    /// hung up at once, and not left to wait for an ACK that nobody sends.
    pub fn expect_orphans(&mut self, until: Instant) {
        self.orphans_until = Some(until);
    }

    /// A response to a request that this stack did not send. The 2xx of an INVITE began a call that nobody has a
    /// use for (§13.2.2.4).
    pub(super) fn refuse_orphan(
        &mut self,
        now: Instant,
        response: &Response,
        essentials: &Essentials,
        out: &mut Vec<Output>,
    ) {
        let expected = self.orphans_until.is_some_and(|until| now < until);
        if !expected || !response.is_success() || essentials.cseq.method != Method::Invite {
            return;
        }
        // A late copy for a call that goes on is none.
        let ours = essentials.from.tag().and_then(|tag| self.ids.read(tag)).map(SessionId);
        let (Some(id), Ok(contact)) = (ours, response.contact()) else { return };
        if self.sessions.contains_key(&id) {
            return;
        }
        let text = |name| response.headers.get(name).unwrap_or_default().to_owned();
        let mut routes: Vec<String> =
            response.headers.items(HeaderName::RecordRoute).map(str::to_owned).collect();
        routes.reverse();
        let mut dialog = Dialog {
            call_id: essentials.call_id.clone(),
            local: text(HeaderName::From),
            remote: text(HeaderName::To),
            remote_tag: essentials.to.tag().unwrap_or_default().to_owned(),
            local_cseq: essentials.cseq.number,
            remote_cseq: None,
            remote_target: contact.uri,
            route_set: routes,
        };
        let Some((transport, remote)) = dialog.next_hop() else { return };
        let party = Party {
            id,
            credentials: None,
            contact: String::new(),
            destination: Destination::new(transport, remote),
            keep_to_destination: false,
            takes_updates: false,
        };
        let branch = self.ids.number();
        let cseq = essentials.cseq.number;
        let (to, ack) = self.write_in_dialog(&party, &dialog, cseq, branch, Content::new("ACK", &[]));
        out.push(Output::Send { to, bytes: ack.bytes });
        self.send_in_dialog(now, &party, &mut dialog, Content::new("BYE", &[]), Owner::Nobody, out);
    }
}
