//! Reliable provisional responses (RFC 3262): ours sent in their row, the PRACKs that acknowledge them, and the
//! PRACKs that we send. Whether a caller's script rings or plays is the owner's business, as it is without them.

use std::time::Instant;

use super::calls::{body, end};
use super::client::Owner;
use super::requests::Content;
use super::server::Reply;
use super::{EndedBy, Event, Output, SessionId, Stack};
use crate::sip::compose::ALLOW;
use crate::sip::message::Request;
use crate::sip::reliable::{Agreed, Early, Updates, rack};
use crate::sip::session::{Offer, Party, Session, State};
use crate::sip::transaction::key::ClientKey;

impl Stack {
    /// Whether the caller of a session that is not answered hears provisional responses reliably: then one may carry
    /// an offer, where the INVITE had none, and [`Acked`](Event::Acked) brings the answer.
    pub fn rings_reliably(&self, session: SessionId) -> bool {
        let state = self.sessions.get(&session).map(|session| &session.state);
        matches!(state, Some(State::Ringing { reliable: Some(_), .. }))
    }

    /// The next response of the row goes, if none waits for its PRACK.
    pub(super) fn send_reliably(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        let State::Ringing { server, reliable: Some(reliable), .. } = &mut session.state else { return };
        let Some((rseq, next)) = reliable.next(now, self.ids.number()) else { return };
        let rseq = rseq.to_string();
        let headers = [
            ("Contact", session.party.contact.as_str()),
            ("Allow", ALLOW),
            ("Require", crate::sip::reliable::OPTION),
            ("RSeq", rseq.as_str()),
        ];
        let (reason, sdp) = (next.reason.as_str(), next.sdp.as_deref());
        self.respond(now, *server, Reply { reason, headers: &headers, sdp, ..Reply::new(next.status) }, out);
    }

    /// Their PRACK; `server` waits for the response.
    pub(super) fn session_pracked(
        &mut self,
        now: Instant,
        mut session: Box<Session>,
        server: u64,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        let id = session.party.id;
        let rack = rack(request);
        let (status, waits) = match (&mut session.state, rack) {
            (State::Ringing { cseq, reliable: Some(reliable), .. }, Some((rseq, of))) if *cseq == of => {
                let sdp = body(&request.body);
                let answers = reliable.wants_answer();
                if !reliable.acknowledged(rseq, sdp.is_some()) {
                    (481, false)
                } else if answers {
                    out.push(Output::Event(Event::Acked { session: id, sdp }));
                    (200, false)
                } else if sdp.is_none() {
                    (200, false)
                } else if reliable.agreed != Agreed::No && reliable.updates.is_quiet() {
                    // §5: once all is answered the PRACK may bring an offer.
                    reliable.updates.theirs = Some(server);
                    out.push(Output::Event(Event::Reinvited { session: id, offer: sdp }));
                    (200, true)
                } else {
                    (488, false)
                }
            }
            // §3: what was answered since needs no PRACK any more, but may get one.
            (State::Talking { offer: Offer::Answered(answered), .. }, Some((_, of)))
                if answered.cseq == of =>
            {
                (200, false)
            }
            (_, Some(_)) => (481, false),
            (_, None) => (400, false),
        };
        if !waits {
            self.respond(now, server, Reply::new(status), out);
        }
        if status == 200 {
            self.after_prack(now, &mut session, out);
        }
        self.put(session);
    }

    /// What waited for an acknowledgement goes: the 2xx, else the next of the row.
    fn after_prack(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        let State::Ringing { reliable: Some(reliable), .. } = &mut session.state else { return };
        match reliable.answer.take() {
            Some(sdp) => self.send_answer(now, session, sdp, out),
            None => self.send_reliably(now, session, out),
        }
    }

    /// §3: a reliable response that nobody acknowledged.
    pub(super) fn never_acknowledged(
        &mut self,
        now: Instant,
        session: &mut Session,
        server: u64,
        out: &mut Vec<Output>,
    ) {
        self.drop_updates(now, session, out);
        self.respond(now, server, Reply::new(504), out);
        end(session, EndedBy::Timeout, None, out);
    }

    /// The PRACK of a response to our INVITE, which has this number in CSeq (§4).
    pub(super) fn send_prack(
        &mut self,
        now: Instant,
        party: &Party,
        early: &mut Early,
        (rseq, cseq): (u32, u32),
        out: &mut Vec<Output>,
    ) {
        let rack = format!("{rseq} {cseq} INVITE");
        let headers = [("RAck", rack.as_str())];
        let owner = Owner::Session(party.id);
        let content = Content::new("PRACK", &headers);
        early.prack = Some(self.send_in_dialog(now, party, &mut early.dialog, content, owner, out));
    }

    /// Our PRACK has its final response, or will get none; then the INVITE will hear of it.
    pub(super) fn prack_answered(&mut self, id: SessionId, key: ClientKey) {
        if let Some(State::Calling { early, .. }) =
            self.sessions.get_mut(&id).map(|session| &mut session.state)
        {
            for early in early {
                early.prack.take_if(|prack| *prack == key);
            }
        }
    }
}

impl Updates {
    /// None is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.theirs.is_none() && self.ours.is_none()
    }
}
