//! What the other side does to a session: answers, requests, silence (RFC 3261 §13, §14, §15).
//! Each function takes the session out, lets its state and the input decide, and puts it back.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{Asking, Owner};
use super::server::{Received, Reply};
use super::{Cause, EndedBy, Event, MAX_REDIRECTS, Output, Peer, SessionId, Stack};
use crate::sip::compose::{self, ALLOW, NewRequest, Sent};
use crate::sip::deadlines::{Armed, Deadlines};
use crate::sip::dialog::Dialog;
use crate::sip::flow::{Destination, Flow};
use crate::sip::headers::HeaderName;
use crate::sip::message::{Contacts, Essentials, Request, Response};
use crate::sip::method::Method;
use crate::sip::session::{
    Answered, Cancel, Due, MAX_EARLY_DIALOGS, Offer, PROVISIONAL_REFRESH, Party, Session, State,
};
use crate::sip::timers::{GIVE_UP, GLARE_OTHER, GLARE_OWNER};
use crate::sip::transaction::key::ClientKey;

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
        let destination = Destination::from(flow);
        let user = request.uri.user().unwrap_or_default();
        let contact = compose::contact(&user, flow.transport, self.config.advertised(&destination));
        let server = self.begin_server(key, Some(merged), echo, Some(id), &tag, true);
        self.respond(now, server, Reply::new(100), out);
        let party = Party {
            id,
            credentials: None,
            contact,
            destination,
            keep_to_destination: matches!(peer, Peer::User { .. }),
        };
        let state = State::Ringing { server, dialog, refresh_at: None };
        self.put(Box::new(Session { party, over: false, armed: Armed::default(), state }));
        let offer = body(&request.body);
        let event = Event::Invited { session: id, request: Box::new(request), flow, peer, offer };
        out.push(Output::Event(event));
    }

    /// INVITE, BYE or INFO inside the dialog of a session.
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
        let id = session.party.id;
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
            State::Talking { .. } => {}
        }
        end(&mut session, EndedBy::Remote, reason, out);
        // Of an INVITE of ours that still waits, the answer finds no session, and is then only acknowledged.
        debug_assert!(!self.sessions.contains_key(&id));
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
        match &mut session.state {
            State::Talking { dialog, offer, queued } => match offer {
                Offer::Idle | Offer::Backoff { .. } => {
                    if let Offer::Backoff { sdp, .. } = offer {
                        // Once theirs is through there is nothing left to collide with.
                        queued.get_or_insert(sdp.take());
                    }
                    match request.contact() {
                        Ok(contact) => dialog.refresh_target(contact.uri),
                        Err(error) => {
                            *offer = Offer::Idle;
                            self.respond(
                                now,
                                server,
                                Reply { reason: &error.reason(), ..Reply::new(400) },
                                out,
                            );
                            return self.put(session);
                        }
                    }
                    *offer = Offer::Received { server, cseq };
                    self.respond(now, server, Reply::new(100), out);
                    let offer = body(&request.body);
                    out.push(Output::Event(Event::Reinvited { session: session.party.id, offer }));
                }
                Offer::Received { .. } => {
                    let wait = (self.ids.number() % 11).to_string();
                    self.respond(
                        now,
                        server,
                        Reply { headers: &[("Retry-After", &wait)], ..Reply::new(500) },
                        out,
                    );
                }
                // Ours is open: glare. Or our 2xx has not met its ACK (RFC 5407 §3.1.2).
                Offer::Sent { .. } | Offer::AckDue { .. } | Offer::Answered(_) => {
                    self.respond(now, server, Reply::new(491), out);
                }
            },
            State::Ringing { .. } => {
                let wait = (self.ids.number() % 11).to_string();
                self.respond(
                    now,
                    server,
                    Reply { headers: &[("Retry-After", &wait)], ..Reply::new(500) },
                    out,
                );
            }
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

    /// A response to an INVITE or re-INVITE of ours, new to its transaction.
    pub(super) fn invite_answered(
        &mut self,
        now: Instant,
        id: SessionId,
        key: ClientKey,
        response: Response,
        essentials: Essentials,
        out: &mut Vec<Output>,
    ) {
        let success = response.is_success();
        let tag = essentials.to.tag().unwrap_or_default();
        if success
            && let Some(transaction) = self.clients.get(&key)
            && transaction.has_ack(tag)
        {
            // §13.2.2.4: each copy of a 2xx gets its ACK again.
            return transaction.acknowledge_again(tag, out);
        }
        let waits = |session: &Session| match &session.state {
            State::Calling { invite, .. } => *invite == key,
            State::Talking { offer: Offer::Sent { invite, .. }, .. } => *invite == key,
            State::Ending { dialog } => success && dialog.remote_tag == tag,
            // An answer that is due to the 2xx before: its copy is not another phone.
            State::Talking { dialog, .. } => success && dialog.remote_tag == tag,
            State::Ringing { .. } => false,
        };
        let Some(mut session) = self.sessions.remove(&id) else {
            return if success {
                self.refuse_fork(now, key, &response, &essentials, out)
            };
        };
        if !waits(&session) {
            if success {
                self.refuse_fork(now, key, &response, &essentials, out);
            }
            return self.put(session);
        }
        match (&mut session.state, response.status) {
            (State::Calling { .. }, 100..=199) => {
                self.call_progressed(now, &mut session, key, response, essentials, out)
            }
            (State::Calling { .. }, 200..=299) => {
                self.call_answered(now, &mut session, key, response, essentials, out);
            }
            (State::Calling { .. }, _) => {
                refused(&mut session, response, out);
                return;
            }
            (State::Talking { offer: Offer::Sent { .. }, .. }, 100..=199) => {}
            (State::Talking { offer: Offer::Sent { .. }, .. }, 200..=299) => {
                self.reinvite_answered(now, &mut session, key, response, out);
            }
            (State::Talking { dialog, offer, .. }, 491) if matches!(offer, Offer::Sent { .. }) => {
                let owner = self.ids.read(&dialog.call_id).is_some();
                let (least, most) = if owner { GLARE_OWNER } else { GLARE_OTHER };
                // §14.1: in units of 10 ms.
                let units = (most - least).as_millis() as u64 / 10 + 1;
                let wait = least + Duration::from_millis(self.ids.number() % units * 10);
                if let Offer::Sent { sdp, .. } = offer {
                    *offer = Offer::Backoff { retry_at: now + wait, sdp: sdp.take() };
                }
            }
            // §14.1, §12.2.1.2: the dialog is no more.
            (State::Talking { offer: Offer::Sent { .. }, .. }, 408 | 481) => {
                end(&mut session, EndedBy::Timeout, None, out);
                self.send_bye(now, &mut session, None, out);
            }
            (State::Talking { offer, .. }, status) if matches!(offer, Offer::Sent { .. }) => {
                *offer = Offer::Idle;
                out.push(Output::Event(Event::ReinviteRefused { session: id, status }));
                self.next_offer(now, &mut session, out);
            }
            // A BYE of ours crossed this 2xx; it is acknowledged all the same.
            (State::Ending { dialog }, 200..=299) => {
                let mut dialog = dialog.clone();
                self.send_ack(&session.party, &mut dialog, key, None, out);
            }
            _ => {}
        }
        self.put(session);
    }

    fn call_progressed(
        &mut self,
        now: Instant,
        session: &mut Session,
        key: ClientKey,
        response: Response,
        essentials: Essentials,
        out: &mut Vec<Output>,
    ) {
        let State::Calling { early, cancel, .. } = &mut session.state else { return };
        let tag = essentials.to.tag().unwrap_or_default();
        if !tag.is_empty()
            && early.len() < MAX_EARLY_DIALOGS
            && !early.iter().any(|dialog| dialog.remote_tag == tag)
            && let Some(transaction) = self.clients.get(&key)
            && let Ok(dialog) = Dialog::uac(&transaction.sent, &response, &essentials)
        {
            early.push(dialog);
        }
        match cancel {
            Cancel::Wanted { reason } => {
                let reason = reason.take();
                *cancel = Cancel::Sent { give_up_at: now + GIVE_UP };
                self.send_cancel(now, key, reason.as_deref(), out);
            }
            Cancel::No if response.status > 100 => {
                let (session, status) = (session.party.id, response.status);
                let event = Event::Progress { session, status, sdp: body(&response.body), tag: tag.into() };
                out.push(Output::Event(event));
            }
            Cancel::No | Cancel::Sent { .. } => {}
        }
    }

    fn call_answered(
        &mut self,
        now: Instant,
        session: &mut Session,
        key: ClientKey,
        response: Response,
        essentials: Essentials,
        out: &mut Vec<Output>,
    ) {
        let State::Calling { early, cancel, offered, .. } = &mut session.state else { return };
        let Some(transaction) = self.clients.get(&key) else { return };
        // A 2xx without a Contact breaks §13.3.1.4, but the call is there: it goes on where the INVITE went.
        let Ok(mut dialog) = Dialog::uac(&transaction.sent, &response, &essentials) else { return };
        if let Some(early) = early.iter().find(|early| early.remote_tag == dialog.remote_tag) {
            // §13.2.2.4: the route set and the target are those of the 2xx; the order of requests goes on.
            dialog.local_cseq = dialog.local_cseq.max(early.local_cseq);
            dialog.remote_cseq = early.remote_cseq;
        }
        let (offered, given_up) = (*offered, !matches!(cancel, Cancel::No));
        if offered || given_up {
            self.send_ack(&session.party, &mut dialog, key, None, out);
        }
        let contact = dialog.remote_target.to_string();
        let offer = if offered || given_up { Offer::Idle } else { Offer::AckDue { invite: key } };
        session.state = State::Talking { dialog, offer, queued: None };
        if given_up {
            // The 2xx crossed our CANCEL (§9.1): the call exists and is ended at once.
            self.send_bye(now, session, None, out);
        } else {
            let session = session.party.id;
            out.push(Output::Event(Event::Answered { session, sdp: body(&response.body), contact }));
        }
    }

    fn reinvite_answered(
        &mut self,
        now: Instant,
        session: &mut Session,
        key: ClientKey,
        response: Response,
        out: &mut Vec<Output>,
    ) {
        let State::Talking { dialog, offer, .. } = &mut session.state else { return };
        let Offer::Sent { sdp, .. } = offer else { return };
        if let Ok(contact) = response.contact() {
            dialog.refresh_target(contact.uri);
        }
        let offered = sdp.is_some();
        *offer = if offered { Offer::Idle } else { Offer::AckDue { invite: key } };
        if offered {
            self.send_ack(&session.party, dialog, key, None, out);
        }
        let event = Event::ReinviteAnswered { session: session.party.id, sdp: body(&response.body) };
        out.push(Output::Event(event));
        self.next_offer(now, session, out);
    }

    /// An INVITE or re-INVITE of ours that nobody answered.
    pub(super) fn invite_failed(
        &mut self,
        now: Instant,
        id: SessionId,
        key: ClientKey,
        cause: Cause,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        match &mut session.state {
            State::Calling { invite, .. } if *invite == key => {
                if !session.over {
                    out.push(Output::Event(failed(id, cause)));
                }
                return;
            }
            State::Talking { offer, .. } if matches!(*offer, Offer::Sent { invite, .. } if invite == key) => {
                *offer = Offer::Idle;
                match cause {
                    // §14.1: as if a 408 had come.
                    Cause::Timeout => {
                        end(&mut session, EndedBy::Timeout, None, out);
                        self.send_bye(now, &mut session, None, out);
                    }
                    Cause::Remote | Cause::Unreachable => {
                        out.push(Output::Event(Event::ReinviteRefused { session: id, status: 503 }));
                        self.next_offer(now, &mut session, out);
                    }
                }
            }
            _ => {}
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
        Deadlines::<super::Who>::woken(&mut session.armed, at);
        match session.handle_timeout(now) {
            Due::Nothing => {}
            Due::Repeat { server } => self.repeat_response(server, out),
            Due::NoAck => {
                // §13.3.1.4: the dialog is confirmed, and then ended.
                end(&mut session, EndedBy::Timeout, None, out);
                self.send_bye(now, &mut session, None, out);
            }
            Due::Forget { invite } => {
                self.clients.remove(&invite);
                return;
            }
            Due::Retry { sdp } => self.send_reinvite(now, &mut session, sdp, out),
        }
        self.put(session);
    }

    /// One more phone behind a fork answered: acknowledged and hung up (§13.2.2.4).
    fn refuse_fork(
        &mut self,
        now: Instant,
        key: ClientKey,
        response: &Response,
        essentials: &Essentials,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.clients.get(&key) else { return };
        let Ok(mut dialog) = Dialog::uac(&transaction.sent, response, essentials) else { return };
        let party = Party {
            id: SessionId(0),
            credentials: None,
            contact: String::new(),
            destination: transaction.destination(),
            keep_to_destination: false,
        };
        self.send_ack(&party, &mut dialog, key, None, out);
        self.send_in_dialog(now, &party, &mut dialog, Content::new("BYE", &[]), Owner::Nobody, out);
    }

    /// The ACK of a 2xx (§13.2.2.4), kept by the INVITE's transaction for copies of it.
    pub(super) fn send_ack(
        &mut self,
        party: &Party,
        dialog: &mut Dialog,
        invite: ClientKey,
        sdp: Option<&[u8]>,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.clients.get(&invite) else { return };
        let (cseq, authorization) = (transaction.sent.cseq, transaction.sent.authorization().to_vec());
        let branch = self.ids.number();
        let body = sdp.map(|sdp| ("application/sdp", sdp));
        let content = Content { authorization: &authorization, body, ..Content::new("ACK", &[]) };
        let (to, ack) = self.write_in_dialog(party, dialog, cseq, branch, content);
        out.push(Output::Send { to, bytes: ack.bytes.clone() });
        if let Some(transaction) = self.clients.get_mut(&invite) {
            transaction.keep_ack(&dialog.remote_tag, to, ack.bytes);
        }
    }

    pub(super) fn send_bye(
        &mut self,
        now: Instant,
        session: &mut Session,
        reason: Option<&str>,
        out: &mut Vec<Output>,
    ) {
        let State::Talking { dialog, .. } = &mut session.state else { return };
        let reason = reason.map(|reason| ("Reason", reason));
        let owner = Owner::Session(session.party.id);
        self.send_in_dialog(now, &session.party, dialog, Content::new("BYE", reason.as_slice()), owner, out);
        session.state = State::Ending { dialog: dialog.clone() };
    }

    pub(super) fn send_cancel(
        &mut self,
        now: Instant,
        invite: ClientKey,
        reason: Option<&str>,
        out: &mut Vec<Output>,
    ) {
        let Some(transaction) = self.clients.get(&invite) else { return };
        let (sent, to) = (transaction.sent.cancellation(reason), transaction.destination());
        let asking = Asking { to, owner: Owner::Nobody, credentials: None };
        self.begin_client(now, ClientKey { cancel: true, ..invite }, sent, asking, out);
    }

    pub(super) fn send_reinvite(
        &mut self,
        now: Instant,
        session: &mut Session,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let State::Talking { dialog, offer, queued } = &mut session.state else { return };
        if !matches!(offer, Offer::Idle) {
            *queued = Some(sdp);
            return;
        }
        let headers = [("Contact", session.party.contact.as_str()), ("Allow", ALLOW)];
        let owner = Owner::Session(session.party.id);
        let body = sdp.as_deref().map(|sdp| ("application/sdp", sdp));
        let content = Content { body, ..Content::new("INVITE", &headers) };
        let invite = self.send_in_dialog(now, &session.party, dialog, content, owner, out);
        *offer = Offer::Sent { invite, sdp };
    }

    /// A re-INVITE of ours that had to wait goes, if nothing else is open.
    pub(super) fn next_offer(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        if let State::Talking { offer: Offer::Idle, queued, .. } = &mut session.state
            && let Some(sdp) = queued.take()
        {
            self.send_reinvite(now, session, sdp, out);
        }
    }

    /// A request inside a dialog, other than ACK; answers its transaction.
    pub(super) fn send_in_dialog(
        &mut self,
        now: Instant,
        party: &Party,
        dialog: &mut Dialog,
        content: Content<'_>,
        owner: Owner,
        out: &mut Vec<Output>,
    ) -> ClientKey {
        let key = ClientKey { branch: self.ids.number(), cancel: false };
        let cseq = dialog.next_cseq();
        let (to, sent) = self.write_in_dialog(party, dialog, cseq, key.branch, content);
        self.begin_client(now, key, sent, Asking { to, owner, credentials: party.credentials.clone() }, out);
        key
    }

    fn write_in_dialog(
        &self,
        party: &Party,
        dialog: &Dialog,
        cseq: u32,
        branch: u64,
        content: Content<'_>,
    ) -> (Destination, Sent) {
        let to = party.next_hop(dialog);
        let (uri, routes) = dialog.way();
        let mut headers = Vec::with_capacity(content.headers.len() + 1);
        headers.extend_from_slice(content.headers);
        headers.push(("User-Agent", self.config.user_agent.as_str()));
        let request = NewRequest {
            method: content.method,
            uri: &uri,
            to_transport: to.transport,
            sent_by: self.config.advertised(&to),
            branch: &self.ids.branch(branch),
            cseq,
            authorization: content.authorization,
            max_forwards: 70,
            routes: &routes,
            from: &dialog.local,
            call_id: &dialog.call_id,
            to: &dialog.remote,
            headers: &headers,
            body: content.body,
        };
        (to, request.write())
    }
}

/// What a request inside a dialog says beyond the dialog.
pub(super) struct Content<'a> {
    pub(super) method: &'static str,
    pub(super) authorization: &'a [u8],
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Option<(&'a str, &'a [u8])>,
}

impl<'a> Content<'a> {
    pub(super) fn new(method: &'static str, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { method, authorization: &[], headers, body: None }
    }
}

/// Tells the end of a session, once.
pub(super) fn end(session: &mut Session, by: EndedBy, reason: Option<String>, out: &mut Vec<Output>) {
    if !std::mem::replace(&mut session.over, true) {
        out.push(Output::Event(Event::Ended { session: session.party.id, by, reason }));
    }
}

pub(super) fn failed(session: SessionId, cause: Cause) -> Event {
    let status = if cause == Cause::Timeout { 408 } else { 503 };
    let reason = compose::reason_phrase(status).to_owned();
    Event::Refused { session, status, reason, retry_after: None, cause, contacts: Vec::new() }
}

fn refused(session: &mut Session, response: Response, out: &mut Vec<Output>) {
    if std::mem::replace(&mut session.over, true) {
        return;
    }
    let contacts = match response.contacts() {
        Ok(Contacts::List(list)) if (300..400).contains(&response.status) => best_first(list),
        _ => Vec::new(),
    };
    let reason = match response.headers.get(HeaderName::Reason) {
        Some(reason) => reason.to_owned(),
        None => response.reason.clone(),
    };
    out.push(Output::Event(Event::Refused {
        session: session.party.id,
        status: response.status,
        reason,
        retry_after: retry_after(&response),
        cause: Cause::Remote,
        contacts,
    }));
}

/// §20.10: `q` from 0 to 1, 1 if none is said.
fn best_first(list: Vec<crate::sip::NameAddr>) -> Vec<String> {
    let preference = |contact: &crate::sip::NameAddr| {
        let q =
            contact.params.get("q").and_then(|q| q.parse::<f32>().ok()).filter(|q| (0.0..=1.0).contains(q));
        (q.unwrap_or(1.0) * 1_000.0) as u16
    };
    let mut list = list;
    list.sort_by_key(|contact| std::cmp::Reverse(preference(contact)));
    list.iter().take(MAX_REDIRECTS).map(|contact| contact.uri.to_string()).collect()
}

/// §20.33: seconds, and maybe a comment or parameters behind them.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers.get(HeaderName::RetryAfter)?;
    let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

fn body(bytes: &Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then(|| bytes.clone())
}

pub(super) fn ringing(now: Instant) -> Option<Instant> {
    Some(now + PROVISIONAL_REFRESH)
}

pub(super) fn answered(now: Instant, server: u64, cseq: u32) -> Offer {
    Offer::Answered(Answered::new(now, server, cseq))
}
