//! REFER inside a session (RFC 3515): the other side asks that someone takes its place, and hears by NOTIFY
//! how that goes. Who is meant, and whether it is done, is the owner's business. An attended transfer names
//! the session to be replaced in the URI's Replaces header (RFC 3891 §6.1, RFC 5589 §7). One REFER of a session
//! is under way at a time. REFER outside of a session, and refreshing its subscription, are not here.

use std::time::Instant;

use super::replaces::{LONGEST, Named};
use super::requests::Content;
use super::server::Reply;
use super::{Event, Output, SessionId, Stack, With};
use crate::sip::compose::ALLOW;
use crate::sip::grammar;
use crate::sip::headers::HeaderName;
use crate::sip::message::Request;
use crate::sip::name_addr::NameAddr;
use crate::sip::session::{Refer, Session, State};
use crate::sip::uri::Uri;

/// How long the implicit subscription lasts, in seconds: longer than any telephone rings (RFC 3515 §2.4.4).
const SUBSCRIBED: u32 = 600;

impl Stack {
    /// Their REFER; `server` waits for the response.
    pub(super) fn session_referred(
        &mut self,
        now: Instant,
        mut session: Box<Session>,
        server: u64,
        cseq: u32,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        let refusal = match &session.state {
            State::Ending { .. } => Some((481, "")),
            _ if session.over => Some((481, "")),
            State::Calling { .. } | State::Ringing { .. } => Some((403, "Not Before The Call Is Answered")),
            State::Talking { .. } if session.refer.is_some() => Some((491, "")),
            State::Talking { .. } => None,
        };
        let read = match refusal {
            Some(refusal) => Err(refusal),
            None => refer_to(request),
        };
        let uri = match read {
            Ok(uri) => uri,
            Err((status, reason)) => {
                self.respond(now, server, Reply { reason, ..Reply::new(status) }, out);
                return self.put(session);
            }
        };
        let with = match replaces(&uri) {
            None => With::Nobody,
            Some(replaces) => self.replaced(&replaces).map_or(With::Unknown, With::Session),
        };
        // RFC 4488 §4: it does not want to hear how it goes.
        let quiet = request.headers.get(HeaderName::Other("Refer-Sub")).is_some_and(|value| {
            value.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("false"))
        });
        // §2.4.6: from the second REFER of a dialog on, its number tells the subscriptions apart.
        let id = (session.refers > 0).then_some(cseq);
        session.refers = session.refers.saturating_add(1);
        session.refer = Some(Refer { server: Some(server), id, quiet });
        out.push(Output::Event(Event::Referred { session: session.party.id, to: uri, with }));
        self.put(session);
    }

    /// 202 to a REFER, and a first NOTIFY that it is being tried. [`report_refer`](Self::report_refer) ends it.
    pub fn accept_refer(&mut self, now: Instant, session: SessionId, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let Some(refer) = &mut session.refer
            && let Some(server) = refer.server.take()
        {
            let mut headers = vec![("Contact", session.party.contact.as_str()), ("Allow", ALLOW)];
            if refer.quiet {
                headers.push(("Refer-Sub", "false"));
            }
            self.respond(now, server, Reply { headers: &headers, ..Reply::new(202) }, out);
            self.send_progress(now, &mut session, 100, out);
        }
        self.put(session);
    }

    /// Refuses a REFER, 300 to 699; the session goes on.
    pub fn refuse_refer(&mut self, now: Instant, session: SessionId, status: u16, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if let Some(Refer { server: Some(server), .. }) = session.refer.take_if(|r| r.server.is_some()) {
            self.respond(now, server, Reply::new(status.clamp(300, 699)), out);
        }
        self.put(session);
    }

    /// How an accepted REFER goes: 101 to 699. A final status is the last word of it.
    pub fn report_refer(&mut self, now: Instant, session: SessionId, status: u16, out: &mut Vec<Output>) {
        let Some(mut session) = self.sessions.remove(&session) else { return };
        if session.refer.as_ref().is_some_and(|refer| refer.server.is_none()) {
            self.send_progress(now, &mut session, status.clamp(101, 699), out);
            if status >= 200 {
                session.refer = None;
            }
        }
        self.put(session);
    }

    /// This side ends the session: whoever was told that it is being tried hears that it is not any more (RFC 3515 §2.4.4).
    pub(super) fn close_refer(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        if session.refer.as_ref().is_some_and(|refer| refer.server.is_none()) {
            self.tell_progress(now, session, 487, out);
        }
        self.drop_refer(now, session, out);
    }

    /// The session ends: a REFER that still waits for its response gets one.
    pub(super) fn drop_refer(&mut self, now: Instant, session: &mut Session, out: &mut Vec<Output>) {
        if let Some(Refer { server: Some(server), .. }) = session.refer.take() {
            self.respond(now, server, Reply::new(487), out);
        }
    }

    fn send_progress(&mut self, now: Instant, session: &mut Session, status: u16, out: &mut Vec<Output>) {
        if !session.over {
            self.tell_progress(now, session, status, out);
        }
    }

    /// NOTIFY with the status as a fragment of a message (RFC 3420, RFC 3515 §2.4.5).
    fn tell_progress(&mut self, now: Instant, session: &mut Session, status: u16, out: &mut Vec<Output>) {
        let (Some(refer), State::Talking { dialog, .. }) = (&session.refer, &mut session.state) else {
            return;
        };
        if refer.quiet {
            return;
        }
        let event = refer.id.map_or("refer".to_owned(), |id| format!("refer;id={id}"));
        let state = match status {
            ..200 => format!("active;expires={SUBSCRIBED}"),
            _ => "terminated;reason=noresource".to_owned(),
        };
        let headers = [
            ("Contact", session.party.contact.as_str()),
            ("Event", event.as_str()),
            ("Subscription-State", state.as_str()),
        ];
        let fragment = format!("SIP/2.0 {status} {}\r\n", crate::sip::compose::reason_phrase(status));
        let body = Some(("message/sipfrag;version=2.0", fragment.as_bytes()));
        let content = Content { body, ..Content::new("NOTIFY", &headers) };
        let owner = super::client::Owner::Session(session.party.id);
        self.send_in_dialog(now, &session.party, dialog, content, owner, out);
    }

    /// The session whose dialog a Replaces names.
    fn replaced(&mut self, replaces: &str) -> Option<SessionId> {
        let id = self.named_by(&Named::read(replaces)?)?;
        self.sessions.get(&id).filter(|session| !session.over).map(|_| id)
    }
}

/// RFC 3515 §2.4.2: exactly one Refer-To.
fn refer_to(request: &Request) -> Result<Uri, (u16, &'static str)> {
    let mut all = request.headers.all(HeaderName::ReferTo);
    let (Some(value), None) = (all.next(), all.next()) else {
        return Err((400, "Exactly One Refer-To Is Needed"));
    };
    match NameAddr::parse(value).map(|to| to.uri) {
        Ok(uri @ (Uri::Sip(_) | Uri::Tel(_))) => Ok(uri),
        Ok(Uri::Other { .. }) => Err((416, "")),
        Err(_) => Err((400, "Unreadable Refer-To")),
    }
}

/// The Replaces header of a URI, unescaped.
fn replaces(uri: &Uri) -> Option<String> {
    let headers = &uri.as_sip()?.headers;
    let value = headers.split('&').find_map(|header| {
        let (name, value) = header.split_once('=')?;
        name.eq_ignore_ascii_case("Replaces").then_some(value)
    })?;
    let fits = value.len() <= LONGEST;
    Some(if fits { grammar::percent_decode(value).into_owned() } else { String::new() })
}
