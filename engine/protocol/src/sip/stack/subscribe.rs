//! Subscriptions (RFC 6665), the notifier's half, and messages outside of calls (RFC 3428). A SUBSCRIBE makes a dialog
//! of its own, in which NOTIFYs go one after the other, the latest in place of those that waited. What is told, and
//! to whom, is the owner's business. SUBSCRIBE inside a call and subscriptions of ours are not here.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{Asking, Owner};
use super::requests::Content;
use super::server::{Received, Reply};
use super::{Event, Output, Peer, Stack, Who};
use crate::sip::compose::{self, ALLOW, NewRequest};
use crate::sip::deadlines::{Armed, Deadlines};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Destination;
use crate::sip::headers::HeaderName;
use crate::sip::message::Request;
use crate::sip::pidf;
use crate::sip::session::Party;
use crate::sip::transaction::key::ClientKey;

/// Subscriptions of one stack. At the bound new ones get 503 and Retry-After.
pub const MAX_SUBSCRIPTIONS: usize = 20_000;
/// How long one lasts that does not say, and at most (RFC 4235 §3.4, RFC 3842 §3.4).
const LONGEST: u32 = 3_600;
/// Shorter ones get 423 (RFC 6665 §4.2.1.1), but for 0, which asks once.
const SHORTEST: u32 = 30;
/// RFC 3428 §8: a longer message belongs into a session; 413.
pub const MOST_MESSAGE: usize = 1_300;

/// One subscription; the number in the tag of its dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u64);

/// A MESSAGE that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Package {
    /// The calls of a user (RFC 4235): busy lamps.
    Dialog,
    /// Messages that wait (RFC 3842).
    MessageSummary,
    /// The telephones of a user (RFC 3680).
    Reg,
    /// Whether a user can be reached, and what that one does (RFC 3856).
    Presence,
}

impl Package {
    /// All, for Allow-Events.
    pub const ALLOWED: &str = "dialog, message-summary, reg, presence";

    fn parse(event: &str) -> Option<Self> {
        match event.split(';').next().unwrap_or_default().trim() {
            "dialog" => Some(Self::Dialog),
            "message-summary" => Some(Self::MessageSummary),
            "reg" => Some(Self::Reg),
            "presence" => Some(Self::Presence),
            _ => None,
        }
    }

    /// The media type of its notifications.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
            Self::Reg => "application/reginfo+xml",
            Self::Presence => pidf::MEDIA_TYPE,
        }
    }
}

/// A message to one telephone.
#[derive(Clone, Debug)]
pub struct NewMessage<'a> {
    /// The Request-URI: the telephone's Contact.
    pub request_uri: &'a str,
    /// The To value.
    pub to: &'a str,
    /// The From value, without a tag.
    pub from: &'a str,
    /// Where it goes.
    pub destination: Destination,
    /// As it came.
    pub content_type: &'a str,
    /// At most [`MOST_MESSAGE`] bytes.
    pub body: &'a [u8],
}

/// One that subscribed.
pub(super) struct Subscription {
    party: Party,
    dialog: Dialog,
    package: Package,
    /// The Event header, with its id if it has one.
    event: String,
    ends_at: Instant,
    /// The first SUBSCRIBE, which waits for its response.
    server: Option<u64>,
    /// The NOTIFY that waits for its response.
    open: Option<ClientKey>,
    /// What is to be told after that.
    waiting: Option<Bytes>,
    armed: Armed,
}

impl Stack {
    /// A SUBSCRIBE outside of a dialog.
    pub(super) fn subscribed(&mut self, now: Instant, received: Received, peer: Peer, out: &mut Vec<Output>) {
        let Received { key, echo, flow, request, essentials } = received;
        let id = self.new_session_id();
        let tag = self.ids.tag(id.0);
        let event = request.headers.get(HeaderName::Other("Event")).unwrap_or_default();
        let expires = expires(&request);
        let allowed = [("Allow-Events", Package::ALLOWED)];
        let least = SHORTEST.to_string();
        let too_short = [("Min-Expires", least.as_str())];
        let judged = match (&peer, Package::parse(event), Dialog::uas(&request, &essentials, &tag)) {
            (Peer::Trunk { .. }, ..) => Err((403, &[][..])),
            (_, None, _) => Err((489, &allowed[..])),
            (_, _, Err(_)) => Err((400, &[][..])),
            _ if (1..SHORTEST).contains(&expires) => Err((423, &too_short[..])),
            _ if self.subscriptions.len() >= MAX_SUBSCRIPTIONS => {
                Err((503, &[("Retry-After", super::RETRY_AFTER)][..]))
            }
            (Peer::User { tenant, name }, Some(package), Ok(dialog)) => {
                Ok((tenant.clone(), name.clone(), package, dialog))
            }
        };
        let (tenant, user, package, dialog) = match judged {
            Ok(judged) => judged,
            Err((status, headers)) => {
                let bytes = echo.response(status, "", Some(&tag), headers, None);
                return out.push(Output::Send { to: echo.back, bytes });
            }
        };
        let destination = Destination::from(flow);
        let contact = compose::contact(
            &request.uri.user().unwrap_or_default(),
            flow.transport,
            self.config.advertised(&destination),
            request.uri.scheme() == "sips",
        );
        let server = self.begin_server(key, None, echo, None, &tag, false);
        let party = Party {
            id,
            credentials: None,
            contact,
            destination,
            keep_to_destination: true,
            takes_updates: false,
        };
        let id = SubscriptionId(id.0);
        let subscription = Subscription {
            party,
            dialog,
            package,
            event: event.to_owned(),
            ends_at: now + Duration::from_secs(expires.into()),
            server: Some(server),
            open: None,
            waiting: None,
            armed: Armed::default(),
        };
        self.subscriptions.insert(id, Box::new(subscription));
        let to = request.uri;
        out.push(Output::Event(Event::Subscribed { id, tenant, user, to, package }));
    }

    /// A SUBSCRIBE inside a dialog: it is to last longer, or no longer.
    pub(super) fn subscribed_again(&mut self, now: Instant, received: Received, out: &mut Vec<Output>) {
        let Received { key, echo, flow, request, essentials } = received;
        let tag = essentials.to.tag().and_then(|tag| self.ids.read(tag));
        let id = SubscriptionId(tag.unwrap_or_default());
        let subscription = self.subscriptions.get_mut(&id);
        let subscription = subscription
            .filter(|subscription| subscription.dialog.is_of(&essentials.call_id, essentials.from.tag()));
        let Some(subscription) = subscription else {
            let bytes = echo.response(481, "", None, &[], None);
            return out.push(Output::Send { to: echo.back, bytes });
        };
        let expires = expires(&request);
        let refusal = match subscription.dialog.take_cseq(essentials.cseq.number) {
            Err(_) => Some(500),
            Ok(()) if (1..SHORTEST).contains(&expires) => Some(423),
            Ok(()) => None,
        };
        if let Some(status) = refusal {
            let least = SHORTEST.to_string();
            let headers = [("Min-Expires", least.as_str())];
            let headers = if status == 423 { &headers[..] } else { &[] };
            let bytes = echo.response(status, "", None, headers, None);
            return out.push(Output::Send { to: echo.back, bytes });
        }
        subscription.ends_at = now + Duration::from_secs(expires.into());
        subscription.party.destination = flow.into();
        if let Ok(contact) = request.contact() {
            subscription.dialog.refresh_target(contact.uri);
        }
        let contact = subscription.party.contact.clone();
        let server = self.begin_server(key, None, echo, None, "", false);
        self.respond_subscribe(now, server, expires, &contact, out);
        out.push(Output::Event(Event::SubscribedAgain { id }));
    }

    /// Takes a subscription that was asked for, and tells what there is. `body`: of its package's media type.
    pub fn accept_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        body: Bytes,
        out: &mut Vec<Output>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        if let Some(server) = subscription.server.take() {
            let left = subscription.ends_at.saturating_duration_since(now).as_secs() as u32;
            let contact = subscription.party.contact.clone();
            self.respond_subscribe(now, server, left, &contact, out);
            self.notify(now, id, body, out);
        }
    }

    /// Refuses a subscription that was asked for: 400 to 699.
    pub fn refuse_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        if let Some(server) =
            self.subscriptions.get_mut(&id).and_then(|subscription| subscription.server.take())
        {
            self.respond(now, server, Reply::new(status.clamp(400, 699)), out);
            self.subscriptions.remove(&id);
        }
    }

    /// Tells a subscriber what there is now. One whose time is up hears it for the last time.
    pub fn notify(&mut self, now: Instant, id: SubscriptionId, body: Bytes, out: &mut Vec<Output>) {
        let Some(mut subscription) = self.subscriptions.remove(&id) else { return };
        if subscription.open.is_some() && now < subscription.ends_at {
            subscription.waiting = Some(body);
        } else if self.send_notify(now, id, &mut subscription, Some(&body), out) {
            return out.push(Output::Event(Event::Unsubscribed { id }));
        }
        self.put_subscription(id, subscription);
    }

    /// Ends a subscription for reasons of our own: what it was about is no more.
    pub fn end_subscription(&mut self, now: Instant, id: SubscriptionId, out: &mut Vec<Output>) {
        let Some(mut subscription) = self.subscriptions.remove(&id) else { return };
        let headers = subscription.headers("terminated;reason=noresource");
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let content = Content::new("NOTIFY", &headers);
        self.send_in_dialog(now, &subscription.party, &mut subscription.dialog, content, Owner::Nobody, out);
        out.push(Output::Event(Event::Unsubscribed { id }));
    }

    /// Whether there is a subscription of this number; for whoever keeps something beside it.
    pub fn is_subscribed(&self, id: SubscriptionId) -> bool {
        self.subscriptions.contains_key(&id)
    }

    /// A NOTIFY of ours has its final response; `status` 0: it will get none.
    pub(super) fn notified(&mut self, now: Instant, id: SubscriptionId, status: u16, out: &mut Vec<Output>) {
        let Some(mut subscription) = self.subscriptions.remove(&id) else { return };
        // RFC 6665 §4.2.2: whoever refuses or does not answer is not told any more.
        if !(200..300).contains(&status) {
            return out.push(Output::Event(Event::Unsubscribed { id }));
        }
        subscription.open = None;
        if let Some(body) = subscription.waiting.take()
            && self.send_notify(now, id, &mut subscription, Some(&body), out)
        {
            return out.push(Output::Event(Event::Unsubscribed { id }));
        }
        self.put_subscription(id, subscription);
    }

    pub(super) fn subscription_timeout(
        &mut self,
        now: Instant,
        at: Instant,
        id: SubscriptionId,
        out: &mut Vec<Output>,
    ) {
        let Some(mut subscription) = self.subscriptions.remove(&id) else { return };
        Deadlines::<Who>::woken(&mut subscription.armed, at);
        if now >= subscription.ends_at {
            self.send_notify(now, id, &mut subscription, None, out);
            return out.push(Output::Event(Event::Unsubscribed { id }));
        }
        self.put_subscription(id, subscription);
    }

    /// True if that was the last.
    fn send_notify(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        subscription: &mut Subscription,
        body: Option<&Bytes>,
        out: &mut Vec<Output>,
    ) -> bool {
        let left = subscription.ends_at.saturating_duration_since(now).as_secs();
        let is_last = subscription.ends_at <= now;
        let state = match is_last {
            true => "terminated;reason=timeout".to_owned(),
            false => format!("active;expires={left}"),
        };
        let headers = subscription.headers(&state);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = body.map(|body| (subscription.package.content_type(), &body[..]));
        let content = Content { body, ..Content::new("NOTIFY", &headers) };
        let owner = if is_last { Owner::Nobody } else { Owner::Subscription(id) };
        let Subscription { party, dialog, open, .. } = subscription;
        *open = Some(self.send_in_dialog(now, party, dialog, content, owner, out));
        is_last
    }

    fn respond_subscribe(
        &mut self,
        now: Instant,
        server: u64,
        expires: u32,
        contact: &str,
        out: &mut Vec<Output>,
    ) {
        let expires = expires.to_string();
        let headers = [("Contact", contact), ("Expires", &expires), ("Allow", ALLOW)];
        self.respond(now, server, Reply { headers: &headers, ..Reply::new(200) }, out);
    }

    fn put_subscription(&mut self, id: SubscriptionId, mut subscription: Box<Subscription>) {
        let at = Some(subscription.ends_at);
        self.deadlines.arm(Who::Subscription(id), &mut subscription.armed, at);
        self.subscriptions.insert(id, subscription);
    }

    /// A MESSAGE outside of a dialog.
    pub(super) fn message_came(&mut self, received: Received, peer: Peer, tag: &str, out: &mut Vec<Output>) {
        let Received { key, echo, request, .. } = received;
        let too_long = request.body.len() > MOST_MESSAGE;
        let (tenant, user) = match peer {
            Peer::User { tenant, name } if !too_long => (tenant, name),
            _ => {
                let status = if too_long { 413 } else { 403 };
                let bytes = echo.response(status, "", Some(tag), &[], None);
                return out.push(Output::Send { to: echo.back, bytes });
            }
        };
        let id = MessageId(self.begin_server(key, None, echo, None, tag, false));
        let content_type = request.content_type().unwrap_or_else(|| "text/plain".to_owned());
        let (to, body) = (request.uri, request.body);
        out.push(Output::Event(Event::Message { id, tenant, user, to, content_type, body }));
    }

    /// The final response to a MESSAGE, once: 200 to 699.
    pub fn respond_message(&mut self, now: Instant, id: MessageId, status: u16, out: &mut Vec<Output>) {
        self.respond(now, id.0, Reply::new(status.clamp(200, 699)), out);
    }

    /// Sends a message to a telephone; what comes of it is not told.
    pub fn send_message(&mut self, now: Instant, message: NewMessage<'_>, out: &mut Vec<Output>) {
        if self.is_full() {
            return;
        }
        let key = ClientKey { branch: self.ids.number(), cancel: false };
        let (tag, call_id) = (self.ids.number(), self.ids.number());
        let to = message.destination;
        let request = NewRequest {
            method: "MESSAGE",
            uri: message.request_uri,
            to_transport: to.transport,
            sent_by: self.config.advertised(&to),
            branch: &self.ids.branch(key.branch),
            cseq: 1,
            authorization: &[],
            max_forwards: 70,
            routes: &[],
            from: &format!("{};tag={}", message.from, self.ids.tag(tag)),
            call_id: &self.ids.tag(call_id),
            to: message.to,
            headers: &[("User-Agent", self.config.user_agent.as_str())],
            body: Some((message.content_type, message.body)),
        };
        let sent = request.write();
        let asking = Asking { to, owner: Owner::Nobody, credentials: None };
        self.begin_client(now, key, sent, asking, out);
    }
}

impl Subscription {
    fn headers(&self, state: &str) -> [(&'static str, String); 4] {
        [
            ("Contact", self.party.contact.clone()),
            ("Event", self.event.clone()),
            ("Subscription-State", state.to_owned()),
            ("Allow", ALLOW.to_owned()),
        ]
    }
}

fn expires(request: &Request) -> u32 {
    let asked = request.expires().ok().flatten().map(|length| length.as_secs());
    asked.map_or(LONGEST, |seconds| seconds.min(LONGEST.into()) as u32)
}
