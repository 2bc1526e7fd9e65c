//! Mail (RFC 5321, RFC 5322): a conversation with the tenant's server for each message, over connections that are kept
//! for a while. A mail has plain text and a page of it, and the recordings it tells of where they are small enough, or else
//! a link to each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use notices::webhook::rfc3339;
use notices::{Facts, Occasion};
use outbox::Report;

use super::delivery::{Delivery, later};
use crate::config::{MailSecurity, MailServer};
use crate::node::Node;
use crate::recordings::Kept;

/// Bytes of all recordings in one mail; what does not fit is linked. Servers take 10 MB seldom, with base64.
const MOST_ATTACHED: u64 = 7 << 20;
/// So long a link in a mail is open.
const LINKED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Connections kept to one server.
const CONNECTIONS: u32 = 4;

type Mailer = AsyncSmtpTransport<Tokio1Executor>;

/// A connection pool for each tenant's server.
#[derive(Default)]
pub(super) struct Mailers {
    by_tenant: Mutex<HashMap<String, (Arc<MailServer>, Mailer)>>,
}

impl Mailers {
    /// Answers how it went, and which recordings went along.
    pub async fn send(&self, node: &Arc<Node>, delivery: &Delivery<'_>) -> (Report, Vec<String>) {
        let Some((server, to)) = delivery.tenant.notify.mail.as_ref().zip(delivery.recipient.mail.as_ref())
        else {
            let why = format!("{} gets no mail any more", delivery.recipient.name);
            return (Report::Refused(why), Vec::new());
        };
        let address = to.email.as_ref();
        if let Some(bounced) = node.post.bounces.of(&delivery.tenant.name, address) {
            let (at, why) = (rfc3339(bounced.at as f64 / 1000.0), bounced.why);
            let why = format!(
                "mail to {address} came back ({at}: {why}); strowger outbox lift {address}, when it is right"
            );
            return (Report::Refused(why), Vec::new());
        }
        let mailer = match self.mailer(&delivery.tenant.name, server) {
            Ok(mailer) => mailer,
            Err(why) => return (later(&format!("the mail server's configuration: {why}")), Vec::new()),
        };
        let Sounds { along, links } = sounds(node, delivery);
        let names = along.iter().map(|kept| kept.name.clone()).collect();
        let mut notices = delivery.notices.to_vec();
        for ((_, facts), names) in notices.iter_mut().zip(links) {
            facts.links = linked(node, delivery, names).await;
        }
        let message = match message(delivery, &notices, along, server, to) {
            Ok(message) => message,
            Err(why) => return (Report::Refused(format!("no mail can be made of it: {why}")), Vec::new()),
        };
        // What comes back goes to whoever collects it.
        let sender = server.bounces.clone().unwrap_or_else(|| server.from.email.clone());
        let sent = match Envelope::new(Some(sender), vec![to.email.clone()]) {
            Ok(envelope) => mailer.send_raw(&envelope, &message.formatted()).await,
            Err(why) => return (Report::Refused(format!("no mail can be made of it: {why}")), Vec::new()),
        };
        match sent {
            Ok(_) => (Report::Delivered, names),
            Err(why) => (report(&why), Vec::new()),
        }
    }

    /// The pool of this server; a new one when the configuration has changed.
    fn mailer(
        &self,
        tenant: &str,
        server: &Arc<MailServer>,
    ) -> Result<Mailer, lettre::transport::smtp::Error> {
        let mut mailers = self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, mailer)) = mailers.get(tenant)
            && known == server
        {
            return Ok(mailer.clone());
        }
        let mailer = connect(server)?;
        mailers.insert(tenant.to_owned(), (server.clone(), mailer.clone()));
        Ok(mailer)
    }
}

fn connect(server: &MailServer) -> Result<Mailer, lettre::transport::smtp::Error> {
    let parameters = || {
        let mut builder = TlsParameters::builder(server.host.clone());
        if let Some(pem) = &server.authorities {
            builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
        }
        builder.build()
    };
    let tls = match server.security {
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::None => Tls::None,
    };
    let builder = Mailer::builder_dangerous(&server.host)
        .port(server.port)
        .tls(tls)
        .timeout(Some(server.timeout))
        .pool_config(PoolConfig::new().max_size(CONNECTIONS));
    Ok(match &server.login {
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.expose().to_owned())).build()
        }
        None => builder.build(),
    })
}

fn message(
    delivery: &Delivery<'_>,
    notices: &[(Occasion, Facts)],
    along: Vec<Kept>,
    server: &MailServer,
    to: &Mailbox,
) -> Result<Message, lettre::error::Error> {
    let words = delivery.words();
    let (text, html) = (words.text(notices), words.html(notices));
    let both = MultiPart::alternative_plain_html(text, html);
    // RFC 3834 §5: nobody's holiday notice answers it.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let builder = Message::builder()
        .from(server.from.clone())
        .to(to.clone())
        .subject(words.subject_of(notices))
        // The same at each attempt, so that a mail that came twice can be told.
        .message_id(Some(format!("<{}@{}>", delivery.id, server.from.email.domain())))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    let attached: Vec<_> = along.iter().filter_map(attachment).collect();
    if attached.is_empty() {
        return builder.multipart(both);
    }
    builder.multipart(attached.into_iter().fold(MultiPart::mixed().multipart(both), MultiPart::singlepart))
}

/// The recordings that the notices tell of.
struct Sounds {
    /// Those that there is room for.
    along: Vec<Kept>,
    /// By notice the names of the others.
    links: Vec<Vec<String>>,
}

fn sounds(node: &Node, delivery: &Delivery<'_>) -> Sounds {
    let mut room = if delivery.recipient.attach { MOST_ATTACHED } else { 0 };
    let mut sounds = Sounds { along: Vec::new(), links: Vec::new() };
    for (_, facts) in delivery.notices {
        let there =
            facts.recordings.iter().filter_map(|name| node.recordings.find(&delivery.tenant.name, name));
        let mut links = Vec::new();
        for kept in there {
            if kept.bytes <= room {
                room -= kept.bytes;
                sounds.along.push(kept);
            } else {
                links.push(kept.name);
            }
        }
        sounds.links.push(links);
    }
    sounds
}

/// A recording that can't be read is named in the text all the same.
fn attachment(kept: &Kept) -> Option<SinglePart> {
    let sound = std::fs::read(&kept.path).ok()?;
    let kind = ContentType::parse(kept.format.media_type()).ok()?;
    Some(Attachment::new(format!("{}.{}", kept.name, kept.format.extension())).body(sound, kind))
}

/// Links to recordings, for this letter alone: those of an attempt that failed are taken back. None where it is not said
/// how others reach this exchange.
async fn linked(node: &Arc<Node>, delivery: &Delivery<'_>, names: Vec<String>) -> Vec<String> {
    let Some(url) = node.world().http.url.clone().filter(|_| !names.is_empty()) else { return Vec::new() };
    let (node, tenant, letter) =
        (node.clone(), delivery.tenant.name.clone(), format!("mail {}", delivery.id));
    let made = tokio::task::spawn_blocking(move || {
        let shares = &node.recordings.shares;
        let link = |name: &String| {
            let of_letter = shares.of_recording(&tenant, name).into_iter().filter(|share| share.by == letter);
            for share in of_letter {
                shares.revoke(&tenant, &share.id()).ok()?;
            }
            let (token, _) = shares.share(&tenant, name, LINKED_FOR, letter.clone()).ok()?;
            Some(format!("{url}/shared/{token}"))
        };
        names.iter().filter_map(link).collect()
    });
    made.await.unwrap_or_default()
}

/// What a server's refusal means (RFC 5321 §4.2.1): 5xx is for good, but for those that concern the login or the
/// protection, which a person repairs without touching the letter.
fn report(why: &lettre::transport::smtp::Error) -> Report {
    let mut said = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(inner) = cause {
        said.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    let login = ["530", "534", "535", "538", "454"];
    let code = why.status().map(|code| code.to_string()).unwrap_or_default();
    if why.is_permanent() && !login.contains(&code.as_str()) { Report::Refused(said) } else { later(&said) }
}
