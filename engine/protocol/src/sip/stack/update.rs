//! UPDATE (RFC 3311): a session is changed before it is answered, or asked for anew when it is up. An offer in one is
//! told like that of a re-INVITE and answered by the same verbs; one without is answered here.

use std::time::Instant;

use bytes::Bytes;

use super::calls::body;
use super::client::Owner;
use super::requests::Content;
use super::server::Reply;
use super::{Event, Output, SessionId, Stack};
use crate::sip::compose::ALLOW;
use crate::sip::headers::HeaderName;
use crate::sip::message::{Essentials, Request, Response};
use crate::sip::reliable::{Agreed, Updates};
use crate::sip::session::{Offer, Session, State};
use crate::sip::transaction::key::ClientKey;

/// What becomes of their UPDATE.
enum Verdict {
    /// Nothing of the session changes but what every UPDATE refreshes.
    Done,
    /// The owner is asked.
    Ask,
    /// Our offer is open (§5.2).
    Glare,
    /// Theirs is open.
    Later,
    Gone,
}

impl Stack {
    /// Their UPDATE; `server` waits for the response.
    pub(super) fn session_updated(
        &mut self,
        now: Instant,
        mut session: Box<Session>,
        server: u64,
        request: &Request,
        essentials: &Essentials,
        out: &mut Vec<Output>,
    ) {
        let (id, offer) = (session.party.id, body(&request.body));
        if let Some(least) = self.asked_again(&mut session, &request.headers) {
            self.respond(now, server, Reply { headers: &[("Min-SE", &least)], ..Reply::new(422) }, out);
            return self.put(session);
        }
        let verdict = match &mut session.state {
            _ if session.over => Verdict::Gone,
            State::Ending { .. } => Verdict::Gone,
            State::Talking { offer: open, .. } => match (open, &offer) {
                (_, None) => Verdict::Done,
                (open @ (Offer::Idle | Offer::Backoff { .. }), Some(_)) => {
                    // Its number in CSeq is not asked for: no ACK follows.
                    let before = std::mem::replace(open, Offer::Received { server, cseq: 0, update: true });
                    if let (Offer::Backoff { sdp, .. }, State::Talking { queued, .. }) =
                        (before, &mut session.state)
                    {
                        queued.get_or_insert(sdp);
                    }
                    Verdict::Ask
                }
                (Offer::Received { .. }, Some(_)) => Verdict::Later,
                (Offer::Sent { .. } | Offer::AckDue { .. } | Offer::Answered(_), Some(_)) => Verdict::Glare,
            },
            State::Ringing { reliable, .. } => match (reliable, &offer) {
                (_, None) => Verdict::Done,
                (Some(reliable), Some(_)) if reliable.agreed != Agreed::No => {
                    ask(&mut reliable.updates, server)
                }
                // §5.2: its INVITE's offer has no answer yet.
                (_, Some(_)) => Verdict::Later,
            },
            State::Calling { early, .. } => {
                let tag = essentials.from.tag().unwrap_or_default();
                match (early.iter_mut().find(|early| early.dialog.remote_tag == tag), &offer) {
                    (_, None) => Verdict::Done,
                    (Some(early), Some(_)) if early.agreed != Agreed::No => ask(&mut early.updates, server),
                    (_, Some(_)) => Verdict::Glare,
                }
            }
        };
        match verdict {
            Verdict::Done | Verdict::Ask => {
                // §5.2: it names where later requests go.
                let dialog = session.dialog_of(&essentials.call_id, essentials.from.tag());
                if let (Some(dialog), Ok(contact)) = (dialog, request.contact()) {
                    dialog.refresh_target(contact.uri);
                }
            }
            Verdict::Glare | Verdict::Later | Verdict::Gone => {}
        }
        match verdict {
            Verdict::Done => {
                self.restart_timer(now, &mut session);
                self.send_ok(now, &session, server, None, out);
            }
            Verdict::Ask => out.push(Output::Event(Event::Reinvited { session: id, offer })),
            Verdict::Glare => self.respond(now, server, Reply::new(491), out),
            Verdict::Later => self.respond_later(now, server, out),
            Verdict::Gone => self.respond(now, server, Reply::new(481), out),
        }
        self.put(session);
    }

    /// 500 to a request that came before the one before it was answered (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn respond_later(&mut self, now: Instant, server: u64, out: &mut Vec<Output>) {
        let wait = (self.ids.number() % 11).to_string();
        self.respond(now, server, Reply { headers: &[("Retry-After", &wait)], ..Reply::new(500) }, out);
    }

    /// Changes a session that is not answered yet by an offer. False if it can't be now: nothing is agreed reliably,
    /// an offer is open, or the other side takes no UPDATE. Then `ReinviteAnswered` or `ReinviteRefused`.
    pub fn update(&mut self, now: Instant, session: SessionId, sdp: &Bytes, out: &mut Vec<Output>) -> bool {
        let Some(mut session) = self.sessions.remove(&session) else { return false };
        let (owner, over) = (Owner::Session(session.party.id), session.over);
        let headers = [("Contact", session.party.contact.clone()), ("Allow", ALLOW.to_owned())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let content = Content { body: Some(("application/sdp", sdp)), ..Content::new("UPDATE", &headers) };
        let takes_updates = session.party.takes_updates;
        let place = match &mut session.state {
            State::Ringing { dialog, reliable: Some(reliable), .. }
                if takes_updates && reliable.agreed != Agreed::No =>
            {
                Some((dialog, &mut reliable.updates))
            }
            State::Calling { early, .. } => early
                .iter_mut()
                .rev()
                .find(|early| early.takes_updates && early.agreed != Agreed::No && early.prack.is_none())
                .map(|early| (&mut early.dialog, &mut early.updates)),
            _ => None,
        };
        let goes = match place {
            Some((dialog, updates)) if updates.is_quiet() && !over => {
                updates.ours = Some(self.send_in_dialog(now, &session.party, dialog, content, owner, out));
                true
            }
            _ => false,
        };
        self.put(session);
        goes
    }

    /// The final response to an UPDATE of ours; none when nobody answered.
    pub(super) fn update_answered(
        &mut self,
        now: Instant,
        id: SessionId,
        key: ClientKey,
        response: Option<&Response>,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        let status = response.map_or(408, |response| response.status);
        let ours = match &mut session.state {
            State::Calling { early, .. } => early
                .iter_mut()
                .find(|early| early.updates.ours == Some(key))
                .map(|early| (&mut early.updates, &mut early.agreed)),
            State::Ringing { reliable: Some(reliable), .. } if reliable.updates.ours == Some(key) => {
                Some((&mut reliable.updates, &mut reliable.agreed))
            }
            State::Talking { .. } => {
                self.refreshed(now, &mut session, response, out);
                None
            }
            _ => None,
        };
        if let Some((updates, agreed)) = ours {
            updates.ours = None;
            let event = match response.filter(|response| response.is_success()) {
                Some(response) => {
                    *agreed = Agreed::Anew;
                    Event::ReinviteAnswered { session: id, sdp: body(&response.body) }
                }
                None => Event::ReinviteRefused { session: id, status },
            };
            out.push(Output::Event(event));
        }
        self.put(session);
    }

    /// The owner's answer to an UPDATE of theirs before the call was answered. False: there is none.
    pub(super) fn accept_early(
        &mut self,
        now: Instant,
        session: &mut Session,
        sdp: &Option<Bytes>,
        out: &mut Vec<Output>,
    ) -> bool {
        let theirs = match &mut session.state {
            State::Ringing { reliable: Some(reliable), .. } => {
                reliable.updates.theirs.take().inspect(|_| reliable.agreed = Agreed::Anew)
            }
            State::Calling { early, .. } => early
                .iter_mut()
                .find_map(|early| early.updates.theirs.take().inspect(|_| early.agreed = Agreed::Anew)),
            _ => None,
        };
        if let Some(server) = theirs {
            self.send_ok(now, session, server, sdp.clone(), out);
        }
        theirs.is_some()
    }

    /// A session ends, or is answered: UPDATEs of theirs that still wait for their response get one.
    pub(super) fn drop_updates(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        for server in theirs(session) {
            self.respond(now, server, Reply::new(487), out);
        }
    }

    /// The owner does not take what their UPDATE offers; the session goes on as it was. False: there is none.
    pub(super) fn reject_early(
        &mut self,
        now: Instant,
        session: &mut Session,
        reply: &Reply<'_>,
        out: &mut Vec<Output>,
    ) -> bool {
        let all = theirs(session);
        for server in &all {
            let Reply { status, reason, headers, .. } = *reply;
            self.respond(now, *server, Reply { status, reason, headers, sdp: None }, out);
        }
        !all.is_empty()
    }
}

/// Takes out what waits.
fn theirs(session: &mut Session) -> Vec<u64> {
    match &mut session.state {
        State::Ringing { reliable: Some(reliable), .. } => {
            reliable.updates.theirs.take().into_iter().collect()
        }
        State::Calling { early, .. } => {
            early.iter_mut().filter_map(|early| early.updates.theirs.take()).collect()
        }
        _ => Vec::new(),
    }
}

fn ask(updates: &mut Updates, server: u64) -> Verdict {
    match updates {
        Updates { ours: Some(_), .. } => Verdict::Glare,
        Updates { theirs: Some(_), .. } => Verdict::Later,
        quiet => {
            quiet.theirs = Some(server);
            Verdict::Ask
        }
    }
}

/// Whether a message's Allow names UPDATE (RFC 3311 §4).
pub(super) fn allows(headers: &crate::sip::headers::Headers) -> bool {
    headers.lists(HeaderName::Allow, "UPDATE")
}
