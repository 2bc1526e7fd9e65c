//! What goes in and out of a stack besides messages: settings, policy, commands' arguments and events.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::publish::PublishId;
use super::subscribe::{MessageId, Package, SubscriptionId};
use crate::sip::digest::Algorithm;
use crate::sip::flow::{Destination, Flow, Transport};
use crate::sip::message::Request;
pub use crate::sip::session_timer::SessionTimers;
use crate::sip::uri::Uri;

/// One INVITE session, from the first INVITE to the last answer of its BYE. The local tag of the session's
/// dialogs is this number written out, so it also finds the session of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// An OPTIONS sent to see whether someone answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(pub u64);

/// A REGISTER sent to a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub u64);

/// What a carrier is to know: where it finds us (RFC 3261 §10.2).
#[derive(Clone, Debug)]
pub struct NewBinding<'a> {
    /// The carrier's registrar, as `sip:carrier.example`: the Request-URI.
    pub registrar: &'a str,
    /// Whose calls we want, as `sip:acme@carrier.example`: To and From.
    pub address_of_record: &'a str,
    /// The user part of our Contact, which calls are then for.
    pub contact_user: &'a str,
    /// Where the registrar is.
    pub to: Destination,
    /// Seconds to ask for; 0 ends the registration.
    pub expires: u32,
    /// The same number in each REGISTER of one binding (§10.2.4).
    pub call_id: u64,
    /// Higher by two than in the one before, because a challenge takes one.
    pub cseq: u32,
    /// Shown when asked for.
    pub credentials: Option<Credentials>,
}

/// Why a carrier does not register us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBound {
    /// 300 to 699.
    pub status: u16,
    /// Seconds at least to ask for, with a 423 (§20.23).
    pub min_expires: Option<u32>,
    /// Seconds after which to ask again (§20.33).
    pub retry_after: Option<u32>,
}

/// A REGISTER that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegisterId(pub u64);

/// What a stack is told when it is made.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// The letter or digit that begins every branch, tag and Call-ID made here; one per stack.
    pub instance: u8,
    /// What Via and Contact say for each transport listened on. One not listed is sent from as it is.
    pub advertised: Vec<(Transport, SocketAddr)>,
    /// The same for sockets bound to every address, where nothing better is known.
    pub likely: Vec<(Transport, SocketAddr)>,
    /// User-Agent and Server.
    pub user_agent: String,
    /// How long a call may be up without anyone asking again (RFC 4028); none: as long as it likes.
    pub timers: Option<SessionTimers>,
}

impl StackConfig {
    /// Whether this side listens on that transport, so that what is sent over it can be answered.
    pub(super) fn speaks(&self, transport: Transport) -> bool {
        self.advertised.iter().chain(&self.likely).any(|(listed, _)| *listed == transport)
    }

    /// What stands in Via and Contact of a message to `to`: the address it leaves from where that is listed,
    /// else the listed one of its transport and, if there is such, of its family.
    pub(super) fn advertised(&self, to: &Destination) -> SocketAddr {
        let is_v6 = to.remote.ip().to_canonical().is_ipv6();
        let find = |list: &[(Transport, SocketAddr)]| {
            let listed = || list.iter().filter(|(transport, _)| *transport == to.transport);
            let found = listed()
                .find(|(_, addr)| Some(*addr) == to.local)
                .or_else(|| listed().find(|(_, addr)| addr.is_ipv6() == is_v6))
                .or_else(|| listed().next());
            found.map(|(_, addr)| *addr)
        };
        let own = to.local.filter(|local| !local.ip().is_unspecified());
        let found = find(&self.advertised).or(own).or_else(|| find(&self.likely)).or(to.local);
        found.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], to.transport.default_port())))
    }
}

/// Policy, given by the server and asked while a message is handled; swapped as a whole at a reload.
pub trait Gatekeeper {
    /// Who may be behind a request outside a dialog: INVITE and REGISTER.
    fn admit(&self, flow: &Flow, request: &Request) -> Admission;

    /// The password of a user of a tenant, none if there is no such user.
    fn password(&self, tenant: &str, user: &str) -> Option<Arc<str>>;

    /// Whether a user who has shown the password may ask for one thing more now; else it is 503. By default any.
    fn has_room(&self, _now: Instant, _tenant: &str, _user: &str) -> bool {
        true
    }

    /// What users of a tenant are asked to answer with, the best first. RFC 8760 §2.4 would offer SHA-256 and
    /// MD5 side by side, but telephones in use give up on any challenge that they don't know instead of
    /// taking the other (baresip before 3, sipp before 3.7), so SHA-256 is a tenant's choice.
    fn algorithms(&self, _tenant: &str) -> Arc<[Algorithm]> {
        [Algorithm::Md5].into()
    }
}

/// A gatekeeper's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A carrier, known by its address: no digest.
    Trunk {
        /// The tenant whose trunk it is.
        tenant: Arc<str>,
        /// The trunk's name.
        name: Arc<str>,
    },
    /// Whoever it is must show a user's password.
    Authenticate {
        /// The tenant whose users may.
        tenant: Arc<str>,
        /// The digest's realm.
        realm: Arc<str>,
    },
    /// Nobody of ours.
    Refuse {
        /// 403, 404 ...
        status: u16,
    },
}

/// Who sent a request, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// By a user's password.
    User {
        /// The user's tenant.
        tenant: Arc<str>,
        /// The user's name in the digest.
        name: Arc<str>,
    },
    /// By a carrier's address.
    Trunk {
        /// The trunk's tenant.
        tenant: Arc<str>,
        /// The trunk's name.
        name: Arc<str>,
    },
}

/// User and password for a digest that the other side may ask for.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: Arc<str>,
    /// The password; never printed.
    pub password: Arc<str>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.user)
    }
}

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The Request-URI: for a registered device its Contact.
    pub request_uri: String,
    /// The To header without a tag: `<sip:101@acme.example>`.
    pub to: String,
    /// The From header without a tag: `"Ana" <sip:101@acme.example>`.
    pub from: String,
    /// The user part of this side's Contact; empty for none.
    pub contact_user: String,
    /// Where the INVITE goes.
    pub destination: Destination,
    /// Later requests of the dialog go there too, whatever Contact the other side names: for registered
    /// devices, which may sit behind a NAT. Trunks want false.
    pub keep_to_destination: bool,
    /// Route header values, topmost first: a registration's Path, an outbound proxy.
    pub route: Vec<String>,
    /// More headers: `P-Asserted-Identity`, `Diversion` ...
    pub headers: Vec<(String, String)>,
    /// The offer; without one the other side makes it in its 2xx.
    pub sdp: Option<Bytes>,
    /// For 401 and 407.
    pub credentials: Option<Credentials>,
    /// Made here if none.
    pub call_id: Option<String>,
    /// 70 for a call of our own; one less than it came with for one passed on (RFC 3261 §16.6).
    pub max_forwards: u8,
}

/// What a stack wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Bytes to be sent: one datagram, one write, or one WebSocket frame.
    Send {
        /// Where.
        to: Destination,
        /// A whole message.
        bytes: Bytes,
    },
    /// Something happened.
    Event(Event),
}

/// What happened. Each session ends with exactly one [`Refused`](Event::Refused) or [`Ended`](Event::Ended);
/// after that its id names nothing.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call came in, for [`provisional`](super::Stack::provisional), [`answer`](super::Stack::answer) or
    /// [`reject`](super::Stack::reject). It gets 100 if none of these came before the stack is next asked
    /// what is due.
    Invited {
        /// The new session.
        session: SessionId,
        /// The INVITE.
        request: Box<Request>,
        /// How it came.
        flow: Flow,
        /// From whom.
        peer: Peer,
        /// Its body, if it has one.
        offer: Option<Bytes>,
    },
    /// 101-199 to our INVITE.
    Progress {
        /// The session.
        session: SessionId,
        /// 180, 183 ...
        status: u16,
        /// Its body, if it has one.
        sdp: Option<Bytes>,
        /// Which of the phones behind a fork: its To tag.
        tag: Box<str>,
    },
    /// 2xx to our INVITE. The ACK is sent, except after an INVITE without an offer: then `sdp` is one, and
    /// [`acknowledge`](super::Stack::acknowledge) brings the answer.
    Answered {
        /// The session.
        session: SessionId,
        /// Its body, if it has one.
        sdp: Option<Bytes>,
        /// The Contact's URI.
        contact: String,
    },
    /// 300-699 to our INVITE, or none. The session is over.
    Refused {
        /// The session.
        session: SessionId,
        /// As received; 408 for a time-out, 503 for an unreachable one.
        status: u16,
        /// The reason phrase, or the other side's Reason header where it sent one.
        reason: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// Who says so.
        cause: Cause,
        /// The URIs of a 3xx's Contacts, best first; at most [`MAX_REDIRECTS`].
        contacts: Vec<String>,
    },
    /// The ACK of our 2xx came, or the PRACK of a reliable response that carried our offer.
    Acked {
        /// The session.
        session: SessionId,
        /// Its body: the answer, where the offer was ours.
        sdp: Option<Bytes>,
    },
    /// The other side wants to change the session, by a re-INVITE, an UPDATE (RFC 3311) or, before it is answered, the
    /// offer in a PRACK: [`accept_reinvite`](super::Stack::accept_reinvite) or
    /// [`reject_reinvite`](super::Stack::reject_reinvite).
    Reinvited {
        /// The session.
        session: SessionId,
        /// None: it wants an offer from us.
        offer: Option<Bytes>,
    },
    /// Our re-INVITE or early UPDATE was accepted (and acknowledged, unless it had no offer; see `Answered`).
    ReinviteAnswered {
        /// The session.
        session: SessionId,
        /// The answer.
        sdp: Option<Bytes>,
    },
    /// Our re-INVITE or early UPDATE was refused; the session is as it was.
    ReinviteRefused {
        /// The session.
        session: SessionId,
        /// As received; a 491 is tried again by the stack first.
        status: u16,
    },
    /// The session has to be asked for anew, by a re-INVITE with its description as it is (RFC 4028 §7.4): the other
    /// side takes no UPDATE, which the stack would have sent by itself.
    RefreshDue {
        /// The session.
        session: SessionId,
    },
    /// INFO inside a session; answered with 200 already.
    Info {
        /// The session.
        session: SessionId,
        /// Content-Type.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// The other side asks by REFER that someone takes its place:
    /// [`accept_refer`](super::Stack::accept_refer) or [`refuse_refer`](super::Stack::refuse_refer).
    Referred {
        /// The session.
        session: SessionId,
        /// Who is meant: a `sip:` or `tel:` URI.
        to: Uri,
        /// The session to be replaced.
        with: With,
    },
    /// The session is over.
    Ended {
        /// The session.
        session: SessionId,
        /// Who ended it.
        by: EndedBy,
        /// The Reason header of its BYE or CANCEL (RFC 3326).
        reason: Option<String>,
    },
    /// A user registers: [`respond_register`](super::Stack::respond_register), after what it changes is kept.
    Register {
        /// For the response.
        id: RegisterId,
        /// The tenant.
        tenant: Arc<str>,
        /// The user, authenticated. Whether the To is that user's is the server's to judge.
        user: Arc<str>,
        /// The REGISTER.
        request: Box<Request>,
        /// How it came.
        flow: Flow,
    },
    /// A probe was answered, with whatever status: someone is there.
    ProbeAnswered {
        /// The probe.
        id: ProbeId,
        /// 200 to 699.
        status: u16,
    },
    /// A probe was not answered in 64*T1, or could not be sent.
    ProbeFailed {
        /// The probe.
        id: ProbeId,
    },
    /// A carrier's registrar has answered.
    BindingAnswered {
        /// The REGISTER.
        id: BindingId,
        /// For how many seconds we are registered; 0: not any more.
        answer: Result<u32, NotBound>,
    },
    /// A carrier's registrar did not answer in 64*T1, or could not be reached.
    BindingFailed {
        /// The REGISTER.
        id: BindingId,
    },
    /// A user wants to hear of something: [`accept_subscription`](super::Stack::accept_subscription) or
    /// [`refuse_subscription`](super::Stack::refuse_subscription), at once.
    Subscribed {
        /// The subscription.
        id: SubscriptionId,
        /// The tenant.
        tenant: Arc<str>,
        /// The user, authenticated.
        user: Arc<str>,
        /// Of whom.
        to: Uri,
        /// Of what.
        package: Package,
    },
    /// A subscription goes on, or is asked for the last time: [`notify`](super::Stack::notify) tells what there is.
    SubscribedAgain {
        /// The subscription.
        id: SubscriptionId,
    },
    /// A subscription is over; after that its id names nothing.
    Unsubscribed {
        /// The subscription.
        id: SubscriptionId,
    },
    /// A user sends a message: [`respond_message`](super::Stack::respond_message).
    Message {
        /// For the response.
        id: MessageId,
        /// The tenant.
        tenant: Arc<str>,
        /// The user, authenticated.
        user: Arc<str>,
        /// For whom.
        to: Uri,
        /// The media type.
        content_type: String,
        /// At most [`MOST_MESSAGE`](super::MOST_MESSAGE) bytes.
        body: Bytes,
    },
    /// A user's telephone says what its user does: [`respond_publish`](super::Stack::respond_publish), at once.
    Published {
        /// For the response.
        id: PublishId,
        /// The tenant.
        tenant: Arc<str>,
        /// The user, authenticated. Whether it is about that one is the server's to judge.
        user: Arc<str>,
        /// The PUBLISH.
        request: Box<Request>,
    },
    /// For logs and metrics.
    Security {
        /// What.
        what: Security,
        /// From where.
        flow: Flow,
    },
}

/// On which session the one who sent a REFER spoke with the one who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// On none: a blind transfer.
    Nobody,
    /// On this one: an attended transfer.
    Session(SessionId),
    /// On one that is not ours, or not any more.
    Unknown,
}

/// Why an INVITE was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The other side said so.
    Remote,
    /// The other side said nothing.
    Timeout,
    /// The transport could not reach it.
    Unreachable,
}

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The other side's BYE.
    Remote,
    /// The other side's CANCEL.
    Cancelled,
    /// An ACK, a PRACK, an answer or a refresh that never came.
    Timeout,
    /// Our [`hang_up`](super::Stack::hang_up) or [`reject`](super::Stack::reject).
    Local,
}

/// Something that a log should keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// A request without a digest of ours: the first try of every telephone, and all that one sends who looks for names.
    Challenged,
    /// A digest that does not fit: an unknown user or a wrong password.
    BadCredentials,
    /// The gatekeeper knows nobody there.
    Refused,
    /// A message that can't be read.
    Malformed,
    /// A bound was reached; the request got 503.
    Overload,
}

/// Contacts kept of a 3xx; more are ignored.
pub const MAX_REDIRECTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_address_that_answers_can_reach() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let listed =
            ["192.0.2.1:5060", "192.0.2.1:5070", "[2001:db8::1]:5060"].map(|addr| (Transport::Udp, at(addr)));
        let config = StackConfig {
            instance: b'a',
            advertised: listed.to_vec(),
            likely: Vec::new(),
            user_agent: String::new(),
            timers: None,
        };
        let to = |transport, remote: &str, local: Option<&str>| {
            config
                .advertised(&Destination { local: local.map(at), ..Destination::new(transport, at(remote)) })
        };
        assert_eq!(to(Transport::Udp, "192.0.2.9:5060", None), at("192.0.2.1:5060"));
        assert_eq!(to(Transport::Udp, "192.0.2.9:5060", Some("192.0.2.1:5070")), at("192.0.2.1:5070"));
        assert_eq!(
            to(Transport::Udp, "192.0.2.9:5060", Some("10.0.0.1:5060")),
            at("192.0.2.1:5060"),
            "behind NAT"
        );
        assert_eq!(to(Transport::Udp, "[2001:db8::9]:5060", None), at("[2001:db8::1]:5060"));
        assert_eq!(to(Transport::Tcp, "192.0.2.9:5060", Some("10.0.0.1:5060")), at("10.0.0.1:5060"));
    }

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials { user: "ana".into(), password: "Zanzibar".into() };
        assert!(!format!("{credentials:?}").contains("Zanzibar"));
    }
}
