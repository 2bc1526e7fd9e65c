//! What a stack's owner can ask of it. A verb that does not fit its session's state, or names a session that is
//! over, does nothing: the other side may always have been faster, and its event is on the way.

use std::time::Instant;

use bytes::Bytes;

use super::answers::failed;
use super::calls::end;
use super::client::{Asking, Owner};
use super::requests::Content;
use super::server::Reply;
use super::{Cause, EndedBy, Invite, Output, ProbeId, SessionId, Stack};
use crate::sip::compose::{self, ALLOW, NewRequest};
use crate::sip::deadlines::Armed;
use crate::sip::flow::Destination;
use crate::sip::session::{Answered, Cancel, Offer, PROVISIONAL_REFRESH, Party, Session, State};
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
        let contact = compose::contact(&invite.contact_user, to.transport, sent_by);
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
            ("User-Agent", self.config.user_agent.as_str()),
        ];
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
        if let State::Ringing { server, refresh_at, .. } = &mut session.state
            && (101..200).contains(&status)
        {
            *refresh_at = Some(now + PROVISIONAL_REFRESH);
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
        if let State::Ringing { server, dialog, .. } = &session.state {
            let (server, dialog) = (*server, dialog.clone());
            self.send_ok(now, &session.party, server, sdp, out);
            let cseq = dialog.remote_cseq.unwrap_or_default();
            let offer = Offer::Answered(Answered::new(now, server, cseq));
            session.state = State::Talking { dialog, offer, queued: None };
        }
        self.put(session);
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

    /// 200 to the other side's re-INVITE, repeated until its ACK; then `Acked`.
    pub fn accept_reinvite(
        &mut self,
        now: Instant,
        session: SessionId,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let State::Talking { offer, .. } = &mut session.state
            && let Offer::Received { server, cseq } = *offer
        {
            self.send_ok(now, &session.party, server, sdp, out);
            *offer = Offer::Answered(Answered::new(now, server, cseq));
        }
        self.put(session);
    }

    /// Refuses the other side's re-INVITE, 300 to 699; the session stays as it was.
    pub fn reject_reinvite(
        &mut self,
        now: Instant,
        session: SessionId,
        status: u16,
        reason: &str,
        out: &mut Vec<Output>,
    ) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let State::Talking { offer, .. } = &mut session.state
            && let Offer::Received { server, .. } = *offer
        {
            *offer = Offer::Idle;
            self.respond(now, server, Reply { reason, ..Reply::new(status.clamp(300, 699)) }, out);
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
        let contact = compose::contact("", destination.transport, sent_by);
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

    fn send_ok(
        &mut self,
        now: Instant,
        party: &Party,
        server: u64,
        sdp: Option<Bytes>,
        out: &mut Vec<Output>,
    ) {
        let user_agent = self.config.user_agent.clone();
        let headers =
            [("Contact", party.contact.as_str()), ("Allow", ALLOW), ("Server", user_agent.as_str())];
        self.respond(now, server, Reply { headers: &headers, sdp: sdp.as_deref(), ..Reply::new(200) }, out);
    }
}
