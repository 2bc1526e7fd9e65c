//! What a stack's owner can ask of it. A verb that does not fit its session's state, or names a session that is
//! over, does nothing: the other side may always have been faster, and its event is on the way.

use std::time::Instant;

use bytes::Bytes;

use super::answers::failed;
use super::calls::end;
use super::client::{Asking, Owner};
use super::refresh::timer_lines;
use super::requests::Content;
use super::server::Reply;
use super::{Cause, EndedBy, Invite, Output, ProbeId, SessionId, Stack};
use crate::sip::compose::{self, ALLOW, NewRequest};
use crate::sip::deadlines::Armed;
use crate::sip::flow::Destination;
use crate::sip::reliable::Agreed;
use crate::sip::session::{Answered, Cancel, Offer, PROVISIONAL_REFRESH, Party, Session, State};
use crate::sip::session_timer::{self, Timer};
use crate::sip::transaction::key::ClientKey;

impl Stack {
    /// Calls someone. Then `Progress`, and `Answered` or `Refused`. At a bound, `Refused` with 503 comes at once.
    pub fn invite(&mut self, now: Instant, invite: Invite, out: &mut Vec<Output>) -> SessionId {
        let id = self.new_session_id();
        if self.is_full() {
            out.push(Output::Event(failed(id, Cause::Unreachable)));
            return id;
        }
        let (tag, to) = (self.ids.tag(id.0), invite.destination);
        let sent_by = self.config.advertised(&to);
        let secure = invite.request_uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"));
        let contact = compose::contact(&invite.contact_user, to.transport, sent_by, secure);
        let key = ClientKey { branch: self.ids.number(), cancel: false };
        let call_id = match invite.call_id {
            Some(call_id) => call_id,
            None => {
                let number = self.ids.number();
                self.ids.tag(number)
            }
        };
        let mut headers = vec![
            ("Contact", contact.as_str()),
            ("Allow", ALLOW),
            ("Supported", self.extensions(invite.sdp.is_some())),
            ("User-Agent", self.config.user_agent.as_str()),
        ];
        let timer = self.config.timers.map(Timer::asking);
        let timers = timer_lines(timer.as_ref(), false);
        headers.extend(timers.iter().map(|(name, value)| (*name, value.as_str())));
        headers.extend(invite.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let request = NewRequest {
            method: "INVITE",
            uri: &invite.request_uri,
            to_transport: to.transport,
            sent_by,
            branch: &self.ids.branch(key.branch),
            cseq: 1,
            authorization: &[],
            max_forwards: invite.max_forwards,
            routes: &invite.route,
            from: &format!("{};tag={tag}", invite.from),
            call_id: &call_id,
            to: &invite.to,
            headers: &headers,
            body: invite.sdp.as_deref().map(|sdp| ("application/sdp", sdp)),
        };
        let sent = request.write();
        let party = Party {
            id,
            credentials: invite.credentials.clone(),
            contact,
            destination: to,
            keep_to_destination: invite.keep_to_destination,
            takes_updates: false,
        };
        let offered = invite.sdp.is_some();
        let state = State::Calling { invite: key, early: Vec::new(), cancel: Cancel::No, offered };
        let asking = Asking { to, owner: Owner::Session(id), credentials: invite.credentials };
        self.begin_client(now, key, sent, asking, out);
        self.put(Box::new(Session {
            party,
            over: false,
            refer: None,
            refers: 0,
            timer,
            armed: Armed::default(),
            state,
        }));
        id
    }

    /// The ACK of a 2xx that carried an offer, with the answer.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        session: SessionId,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let State::Talking { dialog, offer, .. } = &mut session.state
            && let Offer::AckDue { invite } = *offer
        {
            *offer = Offer::Idle;
            self.send_ack(&session.party, dialog, invite, sdp.as_deref(), out);
            self.next_offer(now, &mut session, out);
        }
        self.put(session);
    }

    /// 101-199 to an incoming call, with early media or without. Repeated each minute until the call is taken
    /// or refused (§13.3.1.1). An empty reason is the usual phrase.
    pub fn provisional(
        &mut self,
        now: Instant,
        session: SessionId,
        status: u16,
        reason: &str,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let State::Ringing { server, refresh_at, reliable, .. } = &mut session.state
            && (101..200).contains(&status)
        {
            *refresh_at = Some(now + PROVISIONAL_REFRESH);
            if reliable.as_mut().is_some_and(|reliable| reliable.take(status, reason, &sdp)) {
                self.send_reliably(now, &mut session, out);
                return self.put(session);
            }
            let headers = [("Contact", session.party.contact.as_str()), ("Allow", ALLOW)];
            self.respond(
                now,
                *server,
                Reply { reason, headers: &headers, sdp: sdp.as_deref(), ..Reply::new(status) },
                out,
            );
        }
        self.put(session);
    }

    /// Takes an incoming call: 200, repeated until its ACK; then `Acked`. No ACK in 64*T1: `Ended` by `Timeout`.
    pub fn answer(&mut self, now: Instant, session: SessionId, sdp: Option<Bytes>, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        match &mut session.state {
            // RFC 3262 §3: a description that it may contradict is not acknowledged yet.
            State::Ringing { reliable: Some(reliable), .. } if reliable.holds_answer() => {
                reliable.answer.get_or_insert(sdp);
            }
            State::Ringing { .. } => self.send_answer(now, &mut session, sdp, out),
            _ => {}
        }
        self.put(session);
    }

    /// 200 to the INVITE of a session that rings.
    pub(super) fn send_answer(
        &mut self,
        now: Instant,
        session: &mut Session,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let State::Ringing { server, cseq, dialog, reliable, .. } = &session.state else { return };
        let (server, cseq, dialog) = (*server, *cseq, dialog.clone());
        let said = reliable.as_ref().is_some_and(|reliable| reliable.agreed == Agreed::Anew);
        self.drop_updates(now, session, out);
        self.restart_timer(now, session);
        self.send_ok(now, session, server, sdp.filter(|_| !said), out);
        let offer = Offer::Answered(Answered::new(now, server, cseq));
        session.state = State::Talking { dialog, offer, queued: None };
    }

    /// Refuses an incoming call, 300 to 699; `Ended` by `Local` comes at once. `headers`: Retry-After, Reason,
    /// Contact of a 3xx ...
    pub fn reject(
        &mut self,
        now: Instant,
        session: SessionId,
        status: u16,
        reason: &str,
        headers: &[(String, String)],
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        let State::Ringing { server, .. } = session.state else { return self.put(session) };
        self.drop_updates(now, &mut session, out);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.respond(
            now,
            server,
            Reply { reason, headers: &headers, ..Reply::new(status.clamp(300, 699)) },
            out,
        );
        end(&mut session, EndedBy::Local, None, out);
    }

    /// Ends a session in whatever state: CANCEL, 480, or BYE, as soon as each is allowed (§9.1, §15). `Ended` by
    /// `Local` comes at once; what the other side still needs is seen to. `reason`: a Reason value (RFC 3326),
    /// as `SIP;cause=200;text="Call completed elsewhere"`.
    pub fn hang_up(&mut self, now: Instant, session: SessionId, reason: Option<&str>, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if session.over {
            return self.put(session);
        }
        self.drop_updates(now, &mut session, out);
        match &mut session.state {
            State::Calling { invite, cancel, .. } => {
                let invite = *invite;
                if self.clients.get(&invite).is_some_and(|transaction| transaction.is_proceeding()) {
                    *cancel = Cancel::Sent;
                    self.send_cancel(now, invite, reason, out);
                } else {
                    *cancel = Cancel::Wanted { reason: reason.map(str::to_owned) };
                }
                end(&mut session, EndedBy::Local, None, out);
            }
            State::Ringing { server, .. } => {
                let headers = reason.map(|reason| ("Reason", reason));
                self.respond(now, *server, Reply { headers: headers.as_slice(), ..Reply::new(480) }, out);
                end(&mut session, EndedBy::Local, None, out);
                return;
            }
            State::Talking { dialog, offer, .. } => {
                match offer {
                    // §15: not before the ACK, or the end of waiting for it.
                    Offer::Answered(answered) => {
                        answered.then_bye = Some(reason.map(str::to_owned));
                        end(&mut session, EndedBy::Local, None, out);
                        return self.put(session);
                    }
                    Offer::AckDue { invite } => {
                        let invite = *invite;
                        self.send_ack(&session.party, dialog, invite, None, out);
                    }
                    Offer::Idle | Offer::Sent { .. } | Offer::Received { .. } | Offer::Backoff { .. } => {}
                }
                end(&mut session, EndedBy::Local, None, out);
                self.send_bye(now, &mut session, reason, out);
            }
            State::Ending { .. } => {}
        }
        self.put(session);
    }

    /// Changes a session by an offer, or asks for one. Waits while another offer is open; a later one takes the
    /// place of one that waits. Then `ReinviteAnswered` or `ReinviteRefused`.
    pub fn reinvite(&mut self, now: Instant, session: SessionId, sdp: Option<Bytes>, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if !session.over {
            self.send_reinvite(now, &mut session, sdp, out);
        }
        self.put(session);
    }

    /// 200 to the other side's re-INVITE, repeated until its ACK; then `Acked`. To an UPDATE, or to the offer in a
    /// PRACK, 200 and no more.
    pub fn accept_reinvite(
        &mut self,
        now: Instant,
        session: SessionId,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if !self.accept_early(now, &mut session, &sdp, out)
            && let State::Talking { offer: Offer::Received { server, cseq, update }, .. } = session.state
        {
            self.restart_timer(now, &mut session);
            self.send_ok(now, &session, server, sdp, out);
            if let State::Talking { offer, .. } = &mut session.state {
                *offer = if update { Offer::Idle } else { Offer::Answered(Answered::new(now, server, cseq)) };
            }
            self.next_offer(now, &mut session, out);
        }
        self.put(session);
    }

    /// Refuses the other side's re-INVITE or UPDATE, 300 to 699; the session stays as it was. `headers`: Warning ...
    pub fn reject_reinvite(
        &mut self,
        now: Instant,
        session: SessionId,
        status: u16,
        headers: &[(String, String)],
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = Reply { headers: &headers, ..Reply::new(status.clamp(300, 699)) };
        if !self.reject_early(now, &mut session, &reply, out)
            && let State::Talking { offer, .. } = &mut session.state
            && let Offer::Received { server, .. } = *offer
        {
            *offer = Offer::Idle;
            self.respond(now, server, reply, out);
            self.next_offer(now, &mut session, out);
        }
        self.put(session);
    }

    /// INFO inside a confirmed session. Its answer is not told; a session that the other side does not know ends.
    pub fn info(
        &mut self,
        now: Instant,
        session: SessionId,
        content_type: &str,
        body: &[u8],
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let State::Talking { dialog, .. } = &mut session.state
            && !session.over
        {
            let owner = Owner::Session(session.party.id);
            let content = Content { body: Some((content_type, body)), ..Content::new("INFO", &[]) };
            self.send_in_dialog(now, &session.party, dialog, content, owner, out);
        }
        self.put(session);
    }

    /// OPTIONS, to see whether someone is there: `ProbeAnswered` with any status, or `ProbeFailed`.
    pub fn probe(
        &mut self,
        now: Instant,
        destination: Destination,
        uri: &str,
        out: &mut Vec<Output>,
    ) -> ProbeId {
        let key = ClientKey { branch: self.ids.number(), cancel: false };
        let id = ProbeId(key.branch);
        if self.is_full() {
            out.push(Output::Event(super::Event::ProbeFailed { id }));
            return id;
        }
        let sent_by = self.config.advertised(&destination);
        let contact = compose::contact("", destination.transport, sent_by, false);
        let (tag, call_id) = (self.ids.number(), self.ids.number());
        let headers = [
            ("Contact", contact.as_str()),
            ("Accept", "application/sdp"),
            ("User-Agent", self.config.user_agent.as_str()),
        ];
        let request = NewRequest {
            method: "OPTIONS",
            uri,
            to_transport: destination.transport,
            sent_by,
            branch: &self.ids.branch(key.branch),
            cseq: 1,
            authorization: &[],
            max_forwards: 70,
            routes: &[],
            from: &format!("{contact};tag={}", self.ids.tag(tag)),
            call_id: &self.ids.tag(call_id),
            to: &format!("<{uri}>"),
            headers: &headers,
            body: None,
        };
        let sent = request.write();
        let asking = Asking { to: destination, owner: Owner::Probe(id), credentials: None };
        self.begin_client(now, key, sent, asking, out);
        id
    }

    /// 200 to an INVITE, re-INVITE or UPDATE.
    pub(super) fn send_ok(
        &mut self,
        now: Instant,
        session: &Session,
        server: u64,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let user_agent = self.config.user_agent.clone();
        let mut headers = vec![
            ("Contact", session.party.contact.as_str()),
            ("Allow", ALLOW),
            ("Supported", self.extensions(true)),
            ("Server", user_agent.as_str()),
        ];
        let timer = session.timer.as_ref().and_then(Timer::answer);
        if let Some((expires, must)) = &timer {
            headers.push(("Session-Expires", expires));
            if *must {
                headers.push(("Require", session_timer::OPTION));
            }
        }
        self.respond(now, server, Reply { headers: &headers, sdp: sdp.as_deref(), ..Reply::new(200) }, out);
    }
}
