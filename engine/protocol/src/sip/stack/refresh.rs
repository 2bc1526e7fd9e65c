//! Session timers on the wire (RFC 4028): what our requests and answers say of them, 422 both ways, and the refresh
//! itself: UPDATE to whoever takes it, else a re-INVITE, whose description the owner writes.

use std::time::Instant;

use super::calls::end;
use super::client::Owner;
use super::requests::Content;
use super::{EndedBy, Event, Output, Stack};
use crate::sip::compose::ALLOW;
use crate::sip::headers::Headers;
use crate::sip::message::Response;
use crate::sip::session::{Offer, Session, State};
use crate::sip::session_timer::{OPTION, Timer, Wish};
use crate::sip::transaction::key::ClientKey;

impl Stack {
    /// Their request that refreshes: the timer is what both wish from its 2xx on. Answers Min-SE where what it wishes
    /// is too little.
    pub(super) fn asked_again(&self, session: &mut Session, headers: &Headers) -> Option<String> {
        let wished = self.config.timers?;
        let timer = session.timer.as_mut()?;
        let wish = Wish::read(headers);
        if wish.is_too_small(wished) {
            return Some(wished.least.to_string());
        }
        timer.agree(wish);
        None
    }

    /// A 2xx of ours to a request that refreshes goes now.
    pub(super) fn restart_timer(&self, now: Instant, session: &mut Session) {
        if let Some(timer) = session.timer.as_mut() {
            timer.start(now);
        }
    }

    /// It is our turn to ask.
    pub(super) fn refresh(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        if session.over {
            return;
        }
        let id = session.party.id;
        if !session.party.takes_updates {
            out.push(Output::Event(Event::RefreshDue { session: id }));
            return;
        }
        let State::Talking { dialog, .. } = &mut session.state else { return };
        let timers = timer_lines(session.timer.as_ref(), true);
        let mut headers = vec![("Contact", session.party.contact.as_str()), ("Allow", ALLOW)];
        headers.push(("Supported", OPTION));
        headers.extend(timers.iter().map(|(name, value)| (*name, value.as_str())));
        let content = Content::new("UPDATE", &headers);
        self.send_in_dialog(now, &session.party, dialog, content, Owner::Session(id), out);
    }

    /// Our UPDATE that refreshes has its final response, or will get none.
    pub(super) fn refreshed(
        &mut self,
        now: Instant,
        session: &mut Session,
        response: Option<&Response>,
        out: &mut Vec<Output>,
    ) {
        let Some(timer) = session.timer.as_mut() else { return };
        match response {
            Some(response) if response.is_success() => timer.agreed(now, &response.headers),
            Some(response) if response.status == 422 && timer.too_small(&response.headers) => {
                self.refresh(now, session, out);
            }
            // §10, RFC 3261 §12.2.1.2: nobody is there any more.
            None | Some(Response { status: 408 | 481, .. }) => {
                end(session, EndedBy::Timeout, None, out);
                self.send_bye(now, session, None, out);
            }
            // It does not take UPDATE after all.
            Some(Response { status: 405 | 501, .. }) => {
                session.party.takes_updates = false;
                self.refresh(now, session, out);
            }
            Some(_) => timer.refused(now),
        }
    }

    /// The re-INVITE of ours that `offer` was in has a final response other than 2xx and 422: a sign of life, or none.
    pub(super) fn refresh_refused(&self, now: Instant, session: &mut Session) {
        if let Some(timer) = session.timer.as_mut() {
            timer.refused(now);
        }
    }

    /// 422 to our INVITE or re-INVITE: again with a longer interval (§7.4). False if it is not worth it.
    pub(super) fn ask_longer(
        &mut self,
        now: Instant,
        session: &mut Session,
        key: ClientKey,
        response: &Response,
        out: &mut Vec<Output>,
    ) -> bool {
        if !session.still_wants(key)
            || !session.timer.as_mut().is_some_and(|timer| timer.too_small(&response.headers))
        {
            return false;
        }
        match &mut session.state {
            State::Talking { offer, .. } => {
                let Offer::Sent { sdp, .. } = offer else { return false };
                let sdp = sdp.take();
                *offer = Offer::Idle;
                self.send_reinvite(now, session, sdp, out);
            }
            State::Calling { .. } => {
                let Some(transaction) = self.clients.get(&key) else { return false };
                let next = transaction.sent.cseq + 1;
                let lines = timer_lines(session.timer.as_ref(), false);
                let lines: String =
                    lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let new = ClientKey { branch: self.ids.number(), cancel: false };
                let cseq = session.send_again(key, new, next);
                let credentials = session.party.credentials.clone();
                self.send_longer(now, (key, new), cseq, lines.as_bytes(), credentials, out);
            }
            State::Ringing { .. } | State::Ending { .. } => return false,
        }
        true
    }
}

/// What a request of ours says of timers; nothing where they are not wished.
pub(super) fn timer_lines(timer: Option<&Timer>, within: bool) -> Vec<(&'static str, String)> {
    let Some(timer) = timer else { return Vec::new() };
    let mut lines = vec![("Session-Expires", timer.session_expires(within))];
    lines.extend(timer.min_se().map(|least| ("Min-SE", least.to_string())));
    lines
}
