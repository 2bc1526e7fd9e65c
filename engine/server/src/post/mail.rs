//! Mail (RFC 5321, RFC 5322): a conversation with the tenant's server for each message, over connections that are kept
//! for a while. A mail has plain text and a page of it, and the recordings it tells of where they are small enough.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use outbox::Report;

use super::delivery::{Delivery, later};
use crate::config::{MailSecurity, MailServer};
use crate::node::Node;

/// Bytes of all recordings in one mail; what does not fit is named only. Servers take 10 MB seldom, with base64.
const MOST_ATTACHED: u64 = 7 << 20;
/// Connections kept to one server.
const CONNECTIONS: u32 = 4;

type Mailer = AsyncSmtpTransport<Tokio1Executor>;

/// A connection pool for each tenant's server.
#[derive(Default)]
pub(super) struct Mailers {
    by_tenant: Mutex<HashMap<String, (Arc<MailServer>, Mailer)>>,
}

impl Mailers {
    pub async fn send(&self, node: &Node, delivery: &Delivery<'_>) -> Report {
        let Some((server, to)) = delivery.tenant.notify.mail.as_ref().zip(delivery.recipient.mail.as_ref())
        else {
            return Report::Refused(format!("{} gets no mail any more", delivery.recipient.name));
        };
        let mailer = match self.mailer(&delivery.tenant.name, server) {
            Ok(mailer) => mailer,
            Err(why) => return later(&format!("the mail server's configuration: {why}")),
        };
        let message = match message(node, delivery, server, to) {
            Ok(message) => message,
            Err(why) => return Report::Refused(format!("no mail can be made of it: {why}")),
        };
        match mailer.send(message).await {
            Ok(_) => Report::Delivered,
            Err(why) => report(&why),
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
    node: &Node,
    delivery: &Delivery<'_>,
    server: &MailServer,
    to: &Mailbox,
) -> Result<Message, lettre::error::Error> {
    let words = delivery.words();
    let (text, html) = (words.text(delivery.notices), words.html(delivery.notices));
    let both = MultiPart::alternative_plain_html(text, html);
    // RFC 3834 §5: nobody's holiday notice answers it.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let builder = Message::builder()
        .from(server.from.clone())
        .to(to.clone())
        .subject(words.subject_of(delivery.notices))
        // The same at each attempt, so that a mail that came twice can be told.
        .message_id(Some(format!("<{}@{}>", delivery.id, server.from.email.domain())))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    let attached = if delivery.recipient.attach { recordings(node, delivery) } else { Vec::new() };
    if attached.is_empty() {
        return builder.multipart(both);
    }
    builder.multipart(attached.into_iter().fold(MultiPart::mixed().multipart(both), MultiPart::singlepart))
}

/// The recordings that the notices tell of, as long as there is room.
fn recordings(node: &Node, delivery: &Delivery<'_>) -> Vec<SinglePart> {
    let names = delivery.notices.iter().flat_map(|(_, facts)| &facts.recordings);
    let mut room = MOST_ATTACHED;
    let mut parts = Vec::new();
    for name in names {
        let Some(kept) = node.recordings.find(&delivery.tenant.name, name).filter(|kept| kept.bytes <= room)
        else {
            continue;
        };
        // A recording that can't be read is named in the text all the same.
        let Ok(sound) = std::fs::read(&kept.path) else { continue };
        let Ok(kind) = ContentType::parse(kept.format.media_type()) else { continue };
        room -= kept.bytes;
        parts.push(Attachment::new(format!("{name}.{}", kept.format.extension())).body(sound, kind));
    }
    parts
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
