//! REGISTER sent to carriers: we are their telephone (RFC 3261 §10.2). When to ask again is the server's to decide.

use std::time::Instant;

use super::client::{Asking, Owner};
use super::{BindingId, Event, NewBinding, NotBound, Output, Stack};
use crate::sip::compose::{self, NewRequest, Sent};
use crate::sip::headers::HeaderName;
use crate::sip::message::{Message, Response};
use crate::sip::name_addr::NameAddr;
use crate::sip::transaction::key::ClientKey;
use crate::sip::wire;

/// What a registrar that says nothing else has registered us for (RFC 3261 §10.2.1.1 leaves it to the registrar; an
/// hour is what it suggests).
const UNSAID: u32 = 3600;

impl Stack {
    /// Asks a carrier's registrar to send calls here: `BindingAnswered`, or `BindingFailed`.
    pub fn bind(&mut self, now: Instant, new: NewBinding<'_>, out: &mut Vec<Output>) -> BindingId {
        let key = ClientKey { branch: self.ids.number(), cancel: false };
        let id = BindingId(key.branch);
        if self.is_full() {
            out.push(Output::Event(Event::BindingFailed { id }));
            return id;
        }
        let sent_by = self.config.advertised(&new.to);
        let contact =
            compose::contact(new.contact_user, new.to.transport, sent_by, new.registrar.starts_with("sips:"));
        let expires = new.expires.to_string();
        let headers = [
            ("Contact", contact.as_str()),
            ("Expires", expires.as_str()),
            ("User-Agent", self.config.user_agent.as_str()),
        ];
        let tag = self.ids.number();
        let request = NewRequest {
            method: "REGISTER",
            uri: new.registrar,
            to_transport: new.to.transport,
            sent_by,
            branch: &self.ids.branch(key.branch),
            cseq: new.cseq,
            authorization: &[],
            max_forwards: 70,
            routes: &[],
            from: &format!("<{}>;tag={}", new.address_of_record, self.ids.tag(tag)),
            call_id: &self.ids.tag(new.call_id),
            to: &format!("<{}>", new.address_of_record),
            headers: &headers,
            body: None,
        };
        let sent = request.write();
        let asking = Asking { to: new.to, owner: Owner::Binding(id), credentials: new.credentials };
        self.begin_client(now, key, sent, asking, out);
        id
    }
}

/// What a registrar has answered to the REGISTER that was sent: for how long our own Contact is bound, which it lists
/// among all that it has for the address of record (§10.3 step 8).
pub(super) fn read(response: &Response, sent: &Sent) -> Result<u32, NotBound> {
    let seconds = |name| response.headers.get(name).and_then(seconds);
    if !(200..300).contains(&response.status) {
        let (min_expires, retry_after) = (seconds(HeaderName::MinExpires), seconds(HeaderName::RetryAfter));
        return Err(NotBound { status: response.status, min_expires, retry_after });
    }
    let Ok(Message::Request(asked)) = wire::read(&sent.bytes) else { return Ok(UNSAID) };
    let ours = asked.headers.get(HeaderName::Contact).and_then(|contact| NameAddr::parse(contact).ok());
    let mut listed =
        response.headers.items(HeaderName::Contact).filter_map(|item| NameAddr::parse(item).ok());
    let ours = ours.and_then(|ours| listed.find(|contact| contact.uri.same_as(&ours.uri)));
    let wanted = asked.headers.get(HeaderName::Expires).and_then(self::seconds);
    Ok(match ours {
        // It is not listed after it was ended. Where it should be, some registrars write it their own way.
        None if wanted == Some(0) => 0,
        None => seconds(HeaderName::Expires).or(wanted).unwrap_or(UNSAID),
        Some(ours) => {
            let of_contact = ours.params.get("expires").and_then(self::seconds);
            of_contact.or_else(|| seconds(HeaderName::Expires)).or(wanted).unwrap_or(UNSAID)
        }
    })
}

/// Delta-seconds; what follows, as in `120;duration=3600` or `120 (maintenance)`, is left out (§20.33).
fn seconds(value: &str) -> Option<u32> {
    let digits = value.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}
