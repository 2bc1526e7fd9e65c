//! What comes of our INVITEs and re-INVITEs (RFC 3261 §13.2.2, §14.1): progress, answers from one phone or
//! several, refusals, silence.

use std::time::{Duration, Instant};

use super::calls::{body, end};
use super::client::Owner;
use super::requests::Content;
use super::update::allows;
use super::{Cause, EndedBy, Event, MAX_REDIRECTS, Output, SessionId, Stack};
use crate::sip::compose;
use crate::sip::dialog::Dialog;
use crate::sip::grammar;
use crate::sip::headers::HeaderName;
use crate::sip::message::{Contacts, Essentials, Response};
use crate::sip::name_addr::NameAddr;
use crate::sip::reliable::{Agreed, Early, rseq};
use crate::sip::session::{Cancel, MAX_EARLY_DIALOGS, Offer, Party, Session, State};
use crate::sip::timers::{GLARE_OTHER, GLARE_OWNER};
use crate::sip::transaction::key::ClientKey;

impl Stack {
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
        if response.status == 422 && self.ask_longer(now, &mut session, key, &response, out) {
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
                self.drop_updates(now, &mut session, out);
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
                self.refresh_refused(now, &mut session);
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
            && !early.iter().any(|early| early.dialog.remote_tag == tag)
            && let Some(transaction) = self.clients.get(&key)
            && let Ok(dialog) = Dialog::uac(&transaction.sent, &response, &essentials)
        {
            early.push(Early::new(dialog));
        }
        let reliable = rseq(&response).filter(|_| matches!(cancel, Cancel::No));
        match (early.iter_mut().find(|early| early.dialog.remote_tag == tag), reliable) {
            (Some(early), Some(rseq)) => {
                if !early.take_rseq(rseq) {
                    return;
                }
                early.hear(&response, true);
                self.send_prack(now, &session.party, early, (rseq, essentials.cseq.number), out);
            }
            (Some(early), None) => early.hear(&response, false),
            // RFC 3262 §4: without a dialog there is no PRACK, and without that nothing is heard.
            (None, Some(_)) => return,
            (None, None) => {}
        }
        match cancel {
            Cancel::Wanted { reason } => {
                let reason = reason.take();
                *cancel = Cancel::Sent;
                self.send_cancel(now, key, reason.as_deref(), out);
            }
            Cancel::No if response.status > 100 => {
                let (session, status) = (session.party.id, response.status);
                let event = Event::Progress { session, status, sdp: body(&response.body), tag: tag.into() };
                out.push(Output::Event(event));
            }
            Cancel::No | Cancel::Sent => {}
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
        let State::Calling { early, .. } = &mut session.state else { return };
        let Some(transaction) = self.clients.get(&key) else { return };
        // A 2xx without a Contact breaks §13.3.1.4, but the call is there: it goes on where the INVITE went.
        let Ok(mut dialog) = Dialog::uac(&transaction.sent, &response, &essentials) else { return };
        let mut sdp = body(&response.body);
        if let Some(early) = early.iter_mut().find(|early| early.dialog.remote_tag == dialog.remote_tag) {
            // §13.2.2.4: the route set and the target are those of the 2xx; the order of requests goes on.
            dialog.local_cseq = dialog.local_cseq.max(early.dialog.local_cseq);
            dialog.remote_cseq = early.dialog.remote_cseq;
            sdp = match early.agreed {
                // Some phones leave out of the 2xx what they have said before.
                Agreed::No => sdp.or(early.sdp.take()),
                // §13.2.1: what follows a reliable answer is ignored.
                Agreed::Yes => early.sdp.take(),
                Agreed::Anew => None,
            };
        }
        self.drop_updates(now, session, out);
        let State::Calling { cancel, offered, .. } = &mut session.state else { return };
        let (offered, given_up) = (*offered, !matches!(cancel, Cancel::No));
        if offered || given_up {
            self.send_ack(&session.party, &mut dialog, key, None, out);
        }
        session.party.takes_updates = allows(&response.headers);
        if let Some(timer) = session.timer.as_mut() {
            timer.agreed(now, &response.headers);
        }
        let contact = grammar::written(&dialog.remote_target);
        let offer = if offered || given_up { Offer::Idle } else { Offer::AckDue { invite: key } };
        session.state = State::Talking { dialog, offer, queued: None };
        if given_up {
            // The 2xx crossed our CANCEL (§9.1): the call exists and is ended at once.
            self.send_bye(now, session, None, out);
        } else {
            let session = session.party.id;
            out.push(Output::Event(Event::Answered { session, sdp, contact }));
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
        if let Some(timer) = session.timer.as_mut() {
            timer.agreed(now, &response.headers);
        }
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
                self.drop_updates(now, &mut session, out);
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
            takes_updates: false,
        };
        self.send_ack(&party, &mut dialog, key, None, out);
        self.send_in_dialog(now, &party, &mut dialog, Content::new("BYE", &[]), Owner::Nobody, out);
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
fn best_first(list: Vec<NameAddr>) -> Vec<String> {
    let preference = |contact: &NameAddr| {
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
