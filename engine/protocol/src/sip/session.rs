//! The INVITE usage of a dialog (RFC 3261 §13-§15): how far a call is, and whose offer is open.
//! A session knows states and deadlines; the [`Stack`](super::stack::Stack) sends and tells. SDP stays opaque.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::deadlines::Armed;
use super::dialog::Dialog;
use super::flow::Destination;
use super::reliable::{Early, Reliable, Resend};
use super::session_timer::{Tick, Timer};
use super::stack::{Credentials, SessionId};
use super::timers::{GIVE_UP, T1, T2};
use super::transaction::key::ClientKey;

/// RFC 3261 §13.3.1.1: a callee that still rings says so again before proxies give up (timer C, 3 minutes).
pub const PROVISIONAL_REFRESH: Duration = Duration::from_secs(60);
/// Phones behind one fork whose early dialogs are kept; further ones are heard but not kept.
pub const MAX_EARLY_DIALOGS: usize = 16;

/// One call's signalling with one party.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) party: Party,
    /// Its end was told; what is left is for the other side's sake.
    pub(crate) over: bool,
    /// A REFER of the other side that is not done.
    pub(crate) refer: Option<Refer>,
    /// REFERs so far.
    pub(crate) refers: u32,
    /// How long it is up without anyone asking again; none where timers are not wished.
    pub(crate) timer: Option<Timer>,
    pub(crate) armed: Armed,
    pub(crate) state: State,
}

/// What stays the same through a session.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) id: SessionId,
    pub(crate) credentials: Option<Credentials>,
    /// This side's Contact value.
    pub(crate) contact: String,
    /// Where requests go that have no better address.
    pub(crate) destination: Destination,
    /// They go there always.
    pub(crate) keep_to_destination: bool,
    /// The other side lists UPDATE in Allow.
    pub(crate) takes_updates: bool,
}

/// A REFER of the other side (RFC 3515 §2.4).
#[derive(Debug)]
pub(crate) struct Refer {
    /// Waits for our response; none once that is sent.
    pub(crate) server: Option<u64>,
    /// Tells its subscription from that of an earlier one.
    pub(crate) id: Option<u32>,
    /// No NOTIFY is wanted (RFC 4488).
    pub(crate) quiet: bool,
}

/// How far a call is.
#[derive(Debug)]
pub(crate) enum State {
    /// Our INVITE waits for its final response.
    Calling {
        invite: ClientKey,
        /// One for each phone that rang, by its tag.
        early: Vec<Early>,
        cancel: Cancel,
        /// The INVITE carried the offer.
        offered: bool,
    },
    /// Their INVITE, of this number in CSeq, waits for ours. `refresh_at`: when the last provisional response goes
    /// out again. `reliable`: of a caller who knows 100rel.
    Ringing {
        server: u64,
        cseq: u32,
        dialog: Dialog,
        refresh_at: Option<Instant>,
        reliable: Option<Box<Reliable>>,
    },
    /// A dialog is confirmed. `queued`: a re-INVITE of ours that has to wait; a later one takes its place.
    Talking { dialog: Dialog, offer: Offer, queued: Option<Option<Bytes>> },
    /// Our BYE waits for its response.
    Ending { dialog: Dialog },
}

/// How far giving up our INVITE is.
#[derive(Debug)]
pub(crate) enum Cancel {
    No,
    /// A CANCEL may not go before the first provisional response (§9.1).
    Wanted {
        reason: Option<String>,
    },
    Sent,
}

/// Whose offer is open in a confirmed dialog; one at a time (RFC 3264 §4).
#[derive(Debug)]
pub(crate) enum Offer {
    Idle,
    /// Our re-INVITE waits for its final response.
    Sent {
        invite: ClientKey,
        sdp: Option<Bytes>,
    },
    /// The 2xx of our INVITE carried an offer; our ACK will answer it.
    AckDue {
        invite: ClientKey,
    },
    /// Their re-INVITE waits for ours, or their UPDATE, which needs no ACK.
    Received {
        server: u64,
        cseq: u32,
        update: bool,
    },
    /// Our 2xx waits for its ACK, and is sent again until then on every transport (§13.3.1.4).
    Answered(Answered),
    /// Our re-INVITE met theirs; it goes again then (§14.1).
    Backoff {
        retry_at: Instant,
        sdp: Option<Bytes>,
    },
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) server: u64,
    /// The number in CSeq of the INVITE and its ACK.
    pub(crate) cseq: u32,
    pub(crate) resend_at: Instant,
    pub(crate) resend_after: Duration,
    pub(crate) give_up_at: Instant,
    /// Hang up as soon as the ACK is here (§15), with this Reason.
    pub(crate) then_bye: Option<Option<String>>,
}

impl Answered {
    pub(crate) fn new(now: Instant, server: u64, cseq: u32) -> Self {
        Self {
            server,
            cseq,
            resend_at: now + T1,
            resend_after: T1,
            give_up_at: now + GIVE_UP,
            then_bye: None,
        }
    }
}

/// What a session wants done when its time has come.
#[derive(Debug)]
pub(crate) enum Due {
    Nothing,
    /// The last response of this server transaction goes again.
    Repeat {
        server: u64,
    },
    /// No ACK ever came; a BYE goes, with this Reason.
    NoAck {
        reason: Option<String>,
    },
    /// The re-INVITE that met another.
    Retry {
        sdp: Option<Bytes>,
    },
    /// Nobody acknowledged a reliable response to this INVITE.
    Unacknowledged {
        server: u64,
    },
    /// A phone rings on, for a caller who hears so reliably.
    RingsOn,
    /// The session has to be asked for anew.
    Refresh,
    /// The other side has not asked for it anew.
    Expired,
}

impl Session {
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Ringing { refresh_at, reliable, .. } => {
                let unacknowledged = reliable.as_ref().and_then(|reliable| reliable.next_timeout());
                earlier(*refresh_at, unacknowledged)
            }
            State::Talking { offer, .. } => {
                let open = match offer {
                    Offer::Answered(answered) => Some(answered.resend_at.min(answered.give_up_at)),
                    Offer::Backoff { retry_at, .. } => Some(*retry_at),
                    Offer::Idle | Offer::Sent { .. } | Offer::AckDue { .. } | Offer::Received { .. } => None,
                };
                earlier(open, self.timer.as_ref().and_then(Timer::next_timeout))
            }
            State::Calling { .. } | State::Ending { .. } => None,
        }
    }

    /// One thing that is due; there may be more.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Due {
        match &mut self.state {
            State::Ringing { server, refresh_at, reliable, .. } => {
                match reliable.as_mut().map(|reliable| reliable.handle_timeout(now)) {
                    Some(Resend::GiveUp) => return Due::Unacknowledged { server: *server },
                    Some(Resend::Now) => return Due::Repeat { server: *server },
                    Some(Resend::NotYet) | None => {}
                }
                match (refresh_at, reliable) {
                    (Some(at), Some(reliable)) if now >= *at && reliable.has_begun() => {
                        *at = now + PROVISIONAL_REFRESH;
                        reliable.rings_on();
                        Due::RingsOn
                    }
                    (Some(at), _) if now >= *at => {
                        *at = now + PROVISIONAL_REFRESH;
                        Due::Repeat { server: *server }
                    }
                    _ => Due::Nothing,
                }
            }
            State::Talking { offer, .. } => match offer {
                Offer::Answered(answered) if now >= answered.give_up_at => {
                    Due::NoAck { reason: answered.then_bye.take().flatten() }
                }
                Offer::Answered(answered) if now >= answered.resend_at => {
                    answered.resend_after = (answered.resend_after * 2).min(T2);
                    answered.resend_at += answered.resend_after;
                    Due::Repeat { server: answered.server }
                }
                Offer::Backoff { retry_at, sdp } if now >= *retry_at => {
                    let sdp = sdp.take();
                    *offer = Offer::Idle;
                    Due::Retry { sdp }
                }
                _ => match self.timer.as_mut().map(|timer| timer.handle_timeout(now)) {
                    Some(Tick::Refresh) => Due::Refresh,
                    Some(Tick::Expired) => Due::Expired,
                    Some(Tick::NotYet) | None => Due::Nothing,
                },
            },
            State::Calling { .. } | State::Ending { .. } => Due::Nothing,
        }
    }

    /// The request of `key` was asked for a digest and is still worth sending.
    pub(crate) fn still_wants(&self, key: ClientKey) -> bool {
        match &self.state {
            State::Calling { invite, early, cancel: Cancel::No, .. } => *invite == key || !early.is_empty(),
            State::Calling { .. } => false,
            State::Ringing { .. } | State::Talking { .. } | State::Ending { .. } => true,
        }
    }

    /// The request of `old` goes again as `new`; answers its number in CSeq, which outside a dialog is `next`.
    pub(crate) fn send_again(&mut self, old: ClientKey, new: ClientKey, next: u32) -> u32 {
        match &mut self.state {
            State::Calling { invite, early, .. } => {
                if *invite == old {
                    *invite = new;
                    return next;
                }
                // A PRACK or an UPDATE: no number of any of its dialogs.
                let next = early.iter_mut().map(|early| early.dialog.next_cseq()).fold(next, u32::max);
                for early in early {
                    early.dialog.local_cseq = next;
                    for key in [&mut early.updates.ours, &mut early.prack].into_iter().flatten() {
                        *key = if *key == old { new } else { *key };
                    }
                }
                next
            }
            State::Ringing { dialog, reliable, .. } => {
                if let Some(reliable) = reliable {
                    reliable.updates.ours =
                        reliable.updates.ours.map(|ours| if ours == old { new } else { ours });
                }
                dialog.next_cseq()
            }
            State::Talking { dialog, offer, .. } => {
                if let Offer::Sent { invite, .. } = offer
                    && *invite == old
                {
                    *invite = new;
                }
                dialog.next_cseq()
            }
            State::Ending { dialog } => dialog.next_cseq(),
        }
    }

    /// A message of the other side, with this Call-ID and that side's tag, belongs here.
    pub(crate) fn dialog_of(&mut self, call_id: &str, remote_tag: Option<&str>) -> Option<&mut Dialog> {
        match &mut self.state {
            State::Calling { early, .. } => early
                .iter_mut()
                .map(|early| &mut early.dialog)
                .find(|dialog| dialog.is_of(call_id, remote_tag)),
            State::Ringing { dialog, .. } | State::Talking { dialog, .. } | State::Ending { dialog, .. } => {
                Some(dialog).filter(|dialog| dialog.is_of(call_id, remote_tag))
            }
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

impl Party {
    /// Where a request inside `dialog` goes: to the nearest route or the Contact (§12.2.1.1) where that is an
    /// address and no name. A private address named by a public peer is behind that peer's NAT and leads nowhere.
    pub(crate) fn next_hop(&self, dialog: &Dialog) -> Destination {
        let (transport, own) = (self.destination.transport, self.destination.remote);
        match dialog.next_hop() {
            Some(named) if named == (transport, own) => self.destination,
            Some((_, remote)) if is_private(remote.ip()) && !is_private(own.ip()) => self.destination,
            // RFC 5923 §6: who proved to be there on a connection is reached on it, whatever its port is.
            Some((named, remote))
                if named == transport
                    && named.is_secure()
                    && remote.ip() == own.ip()
                    && !self.keep_to_destination =>
            {
                Destination { remote, local: None, ..self.destination }
            }
            Some((transport, remote)) if !self.keep_to_destination => {
                Destination { authority: self.destination.authority, ..Destination::new(transport, remote) }
            }
            Some(_) | None => self.destination,
        }
    }
}

/// RFC 1918, RFC 6598, RFC 4193 and what never leaves a host or a link.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared
        }
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
    }
}
