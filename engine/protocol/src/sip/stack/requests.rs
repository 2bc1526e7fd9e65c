//! What is sent inside a session: ACK, BYE, CANCEL, re-INVITE, and the writing of any request of a dialog
//! (RFC 3261 §12.2.1.1).

use std::time::Instant;

use bytes::Bytes;

use super::client::{Asking, Owner};
use super::refresh::timer_lines;
use super::server::Reply;
use super::{Output, Stack};
use crate::sip::compose::{ALLOW, NewRequest, Sent};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Destination;
use crate::sip::session::{Offer, Party, Session, State};
use crate::sip::transaction::key::ClientKey;

impl Stack {
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
        self.close_refer(now, session, out);
        let State::Talking { dialog, offer, .. } = &mut session.state else { return };
        match offer {
            Offer::Sent { invite, .. } => self.abandon(now, *invite),
            Offer::Received { server, .. } => self.respond(now, *server, Reply::new(487), out),
            Offer::Idle | Offer::AckDue { .. } | Offer::Answered(_) | Offer::Backoff { .. } => {}
        }
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
        self.abandon(now, invite);
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
        let timers = timer_lines(session.timer.as_ref(), true);
        let mut headers = vec![("Contact", session.party.contact.as_str()), ("Allow", ALLOW)];
        if !timers.is_empty() {
            headers.push(("Supported", crate::sip::session_timer::OPTION));
            headers.extend(timers.iter().map(|(name, value)| (*name, value.as_str())));
        }
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

    pub(super) fn write_in_dialog(
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
