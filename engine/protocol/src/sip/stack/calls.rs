//! What the other side asks of a session, and its silence (RFC 3261 §13.3, §14.2, §15.1.2).
//! Each function takes the session out, lets its state and the input decide, and puts it back.

use std::time::Instant;

use bytes::Bytes;

use super::server::{Received, Reply};
use super::update::allows;
use super::{EndedBy, Event, Output, Peer, SessionId, Stack, Unanswered, Who};
use crate::sip::compose;
use crate::sip::deadlines::{Armed, Deadlines};
use crate::sip::dialog::Dialog;
use crate::sip::flow::{Destination, Flow};
use crate::sip::headers::HeaderName;
use crate::sip::message::{Essentials, Request};
use crate::sip::method::Method;
use crate::sip::reliable::Reliable;
use crate::sip::session::{Due, Offer, Party, Session, State};
use crate::sip::session_timer::{Timer, Wish};

impl Stack {
    /// A new INVITE from someone who may.
    pub(super) fn session_invited(
        &mut self,
        now: Instant,
        received: Received,
        merged: Box<str>,
        peer: Peer,
        out: &mut Vec<Output>,
    ) {
        let Received { key, echo, flow, request, essentials } = received;
        let id = self.new_session_id();
        let tag = self.ids.tag(id.0);
        let dialog = match Dialog::uas(&request, &essentials, &tag) {
            Ok(dialog) => dialog,
            Err(error) => {
                let bytes = echo.response(400, &error.reason(), Some(&tag), &[], None);
                out.push(Output::Send { to: echo.back, bytes });
                return;
            }
        };
        let wish = self.config.timers.map(|wished| (wished, Wish::read(&request.headers)));
        if let Some((wished, wish)) = wish
            && wish.is_too_small(wished)
        {
            let least = wished.least.to_string();
            let bytes = echo.response(422, "", Some(&tag), &[("Min-SE", &least)], None);
            out.push(Output::Send { to: echo.back, bytes });
            return;
        }
        let destination = Destination::from(flow);
        let user = request.uri.user().unwrap_or_default();
        let secure = request.uri.scheme() == "sips";
        let contact = compose::contact(&user, flow.transport, self.config.advertised(&destination), secure);
        let server = self.begin_server(key, Some(merged), echo, Some(id), &tag, true);
        let timestamp = request.headers.get(HeaderName::Timestamp).map(Box::from);
        self.unanswered.push(Unanswered { server, since: now, timestamp });
        let party = Party {
            id,
            credentials: None,
            contact,
            destination,
            keep_to_destination: matches!(peer, Peer::User { .. }),
            takes_updates: allows(&request.headers),
        };
        let (cseq, reliable) = (essentials.cseq.number, Reliable::of(&request));
        let state = State::Ringing { server, cseq, dialog, refresh_at: None, reliable };
        self.put(Box::new(Session {
            party,
            over: false,
            refer: None,
            refers: 0,
            timer: wish.map(|(wished, wish)| Timer::asked(wished, wish)),
            armed: Armed::default(),
            state,
        }));
        let offer = body(&request.body);
        let event = Event::Invited { session: id, request: Box::new(request), flow, peer, offer };
        out.push(Output::Event(event));
    }

    /// INVITE, BYE, INFO, PRACK, UPDATE or REFER inside the dialog of a session.
    pub(super) fn session_asked(
        &mut self,
        now: Instant,
        id: SessionId,
        received: Received,
        out: &mut Vec<Output>,
    ) {
        let Received { key, echo, flow, request, essentials } = received;
        let Some(mut session) = self.sessions.remove(&id) else { return };
        let in_order = session
            .dialog_of(&essentials.call_id, essentials.from.tag())
            .is_some_and(|dialog| dialog.take_cseq(essentials.cseq.number).is_ok());
        if !in_order {
            // §12.2.2: it came after a later one.
            out.push(Output::Send {
                to: echo.back,
                bytes: echo.response(500, "Out of order", None, &[], None),
            });
            return self.put(session);
        }
        if session.party.keep_to_destination {
            // Behind a NAT the way back may have changed; this request shows the one that works.
            session.party.destination = flow.into();
        }
        let is_invite = request.method == Method::Invite;
        let server = self.begin_server(key, None, echo, Some(id), "", is_invite);
        match request.method {
            Method::Bye => {
                self.respond(now, server, Reply::new(200), out);
                let reason = request.headers.get(HeaderName::Reason).map(str::to_owned);
                self.session_hung_up(now, session, reason, out);
            }
            Method::Info if !matches!(session.state, State::Ending { .. }) => {
                self.respond(now, server, Reply::new(200), out);
                if !session.over {
                    let content_type = request.content_type().unwrap_or_default();
                    let event = Event::Info { session: id, content_type, body: request.body };
                    out.push(Output::Event(event));
                }
                self.put(session);
            }
            Method::Prack => self.session_pracked(now, session, server, &request, out),
            Method::Update => self.session_updated(now, session, server, &request, &essentials, out),
            Method::Refer => {
                self.session_referred(now, session, server, essentials.cseq.number, &request, out)
            }
            Method::Invite => {
                self.session_reinvited(now, session, server, essentials.cseq.number, request, out)
            }
            _ => {
                self.respond(now, server, Reply::new(481), out);
                self.put(session);
            }
        }
    }

    /// Their BYE, answered already.
    fn session_hung_up(
        &mut self,
        now: Instant,
        mut session: Box<Session>,
        reason: Option<String>,
        out: &mut Vec<Output>,
    ) {
        self.drop_refer(now, &mut session, out);
        self.drop_updates(now, &mut session, out);
        match &session.state {
            // §15.1.2: requests that still wait are answered 487.
            State::Ringing { server, .. } | State::Talking { offer: Offer::Received { server, .. }, .. } => {
                self.respond(now, *server, Reply::new(487), out);
            }
            // Two BYEs crossed: ours is answered too and then the session goes.
            State::Ending { .. } => return self.put(session),
            // A callee may not (§15), but nobody has a use for what it leaves.
            State::Calling { invite, .. } => {
                self.clients.remove(invite);
            }
            State::Talking { offer: Offer::Sent { invite, .. }, .. } => self.abandon(now, *invite),
            State::Talking { .. } => {}
        }
        end(&mut session, EndedBy::Remote, reason, out);
    }

    /// Their re-INVITE (§14.2).
    fn session_reinvited(
        &mut self,
        now: Instant,
        mut session: Box<Session>,
        server: u64,
        cseq: u32,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        if let Some(least) = self.asked_again(&mut session, &request.headers) {
            self.respond(now, server, Reply { headers: &[("Min-SE", &least)], ..Reply::new(422) }, out);
            return self.put(session);
        }
        match &mut session.state {
            State::Talking { dialog, offer, queued } => match offer {
                Offer::Idle | Offer::Backoff { .. } => {
                    match request.contact() {
                        Ok(contact) => dialog.refresh_target(contact.uri),
                        Err(error) => {
                            let reason = error.reason();
                            self.respond(now, server, Reply { reason: &reason, ..Reply::new(400) }, out);
                            return self.put(session);
                        }
                    }
                    if let Offer::Backoff { sdp, .. } = offer {
                        // Once theirs is through there is nothing left to collide with.
                        queued.get_or_insert(sdp.take());
                    }
                    *offer = Offer::Received { server, cseq, update: false };
                    self.respond(now, server, Reply::new(100), out);
                    let offer = body(&request.body);
                    out.push(Output::Event(Event::Reinvited { session: session.party.id, offer }));
                }
                Offer::Received { .. } => self.respond_later(now, server, out),
                // Ours is open: glare. Or our 2xx has not met its ACK (RFC 5407 §3.1.2).
                Offer::Sent { .. } | Offer::AckDue { .. } | Offer::Answered(_) => {
                    self.respond(now, server, Reply::new(491), out);
                }
            },
            State::Ringing { .. } => self.respond_later(now, server, out),
            State::Calling { .. } => self.respond(now, server, Reply::new(491), out),
            // RFC 5407 §3.1.4: our BYE ended the dialog.
            State::Ending { .. } => self.respond(now, server, Reply::new(481), out),
        }
        self.put(session);
    }

    /// Their CANCEL of the INVITE that `server` is; it has no final response yet.
    pub(super) fn session_cancelled(
        &mut self,
        now: Instant,
        id: SessionId,
        server: u64,
        reason: Option<String>,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        match &mut session.state {
            State::Ringing { server: ringing, .. } if *ringing == server => {
                self.drop_updates(now, &mut session, out);
                self.respond(now, server, Reply::new(487), out);
                end(&mut session, EndedBy::Cancelled, reason, out);
                return;
            }
            State::Talking { offer, .. } if matches!(*offer, Offer::Received { server: open, .. } if open == server) =>
            {
                self.respond(now, server, Reply::new(487), out);
                *offer = Offer::Idle;
                self.next_offer(now, &mut session, out);
            }
            _ => {}
        }
        self.put(session);
    }

    /// An ACK for a 2xx of ours (§13.3.1.4).
    pub(super) fn session_acked(
        &mut self,
        now: Instant,
        id: SessionId,
        flow: Flow,
        essentials: &Essentials,
        sdp: Bytes,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        if let State::Talking { offer, .. } = &mut session.state
            && let Offer::Answered(answered) = offer
            && answered.cseq == essentials.cseq.number
        {
            let then_bye = answered.then_bye.take();
            *offer = Offer::Idle;
            if session.party.keep_to_destination {
                session.party.destination = flow.into();
            }
            match then_bye {
                Some(reason) => self.send_bye(now, &mut session, reason.as_deref(), out),
                None => {
                    out.push(Output::Event(Event::Acked { session: id, sdp: body(&sdp) }));
                    self.next_offer(now, &mut session, out);
                }
            }
        }
        self.put(session);
    }

    /// The other side no longer knows the dialog, or no longer answers.
    pub(super) fn lose(&mut self, now: Instant, id: SessionId, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        if let State::Talking { .. } = session.state {
            end(&mut session, EndedBy::Timeout, None, out);
            self.send_bye(now, &mut session, None, out);
        }
        self.put(session);
    }

    pub(super) fn session_timeout(
        &mut self,
        now: Instant,
        at: Instant,
        id: SessionId,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        Deadlines::<Who>::woken(&mut session.armed, at);
        match session.handle_timeout(now) {
            Due::Nothing => {}
            Due::Repeat { server } => self.repeat_response(server, out),
            Due::NoAck { reason } => {
                // §13.3.1.4: the dialog is confirmed, and then ended.
                end(&mut session, EndedBy::Timeout, None, out);
                self.send_bye(now, &mut session, reason.as_deref(), out);
            }
            Due::Retry { sdp } => self.send_reinvite(now, &mut session, sdp, out),
            Due::Unacknowledged { server } => {
                return self.never_acknowledged(now, &mut session, server, out);
            }
            Due::RingsOn => self.send_reliably(now, &mut session, out),
            Due::Refresh => self.refresh(now, &mut session, out),
            Due::Expired => {
                // RFC 4028 §10.
                end(&mut session, EndedBy::Timeout, None, out);
                self.send_bye(now, &mut session, Some(EXPIRED), out);
            }
        }
        self.put(session);
    }
}

/// What the BYE says of a session that nobody asked for anew (RFC 3326).
const EXPIRED: &str = "SIP;cause=408;text=\"Session timer expired\"";

/// Tells the end of a session, once.
pub(super) fn end(session: &mut Session, by: EndedBy, reason: Option<String>, out: &mut Vec<Output>) {
    if !std::mem::replace(&mut session.over, true) {
        out.push(Output::Event(Event::Ended { session: session.party.id, by, reason }));
    }
}

pub(super) fn body(bytes: &Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then(|| bytes.clone())
}
