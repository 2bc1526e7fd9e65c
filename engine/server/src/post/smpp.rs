//! Text messages over SMPP (3.4, which 5.0 servers speak too): a session as transmitter with the tenant's message centre,
//! kept while there is something to send. A text that one message has no room for goes in parts that the telephone puts
//! together (3GPP TS 23.040 §9.2.3.24.1), in GSM's own alphabet where it can be written in that and in UCS-2 otherwise.
//!
//! SMPP has no idempotency key: a centre that took a message and whose answer was lost gets it once more.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use outbox::Report;
use rusmpp::extra::concatenation::SubmitSmMultipartExt as _;
use rusmpp::pdus::{BindTransmitter, SubmitSm};
use rusmpp::types::COctetString;
use rusmpp::values::{InterfaceVersion, Npi, Ton};
use rusmpp::{CommandId, CommandStatus};
use rusmppc::error::Error;
use rusmppc::{Client, ConnectionBuilder, Event};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::delivery::later;
use crate::config::MessageCentre;

/// For one answer of a centre, and for the way to it.
const PATIENCE: Duration = Duration::from_secs(15);
/// A session on which nothing was sent for so long is ended.
const IDLE: Duration = Duration::from_secs(60);
/// How often a centre is asked whether it is still there (SMPP 3.4 §7.2).
const ENQUIRE: Duration = Duration::from_secs(20);
/// Characters of GSM's alphabet in one message (3GPP TS 23.038 §4); in SMPP each has a byte.
const SEPTETS: usize = 160;
/// Bytes of one PDU of a centre; more ends the session.
const LONGEST_PDU: usize = 64 << 10;

/// The sessions of all tenants.
#[derive(Default)]
pub(super) struct Centres {
    by_tenant: SyncMutex<HashMap<String, Arc<Session>>>,
}

/// With one centre; of a configuration that has changed it ends when it is idle.
struct Session {
    centre: MessageCentre,
    bound: Mutex<Option<Bound>>,
}

#[derive(Clone)]
struct Bound {
    client: Client,
    /// When something was sent last.
    used: Arc<SyncMutex<Instant>>,
}

impl Centres {
    /// Sends a text to a number with "+". `reference`: tells the parts of this message from those of another.
    pub async fn send(
        &self,
        tenant: &str,
        centre: &MessageCentre,
        to: &str,
        text: &str,
        reference: u8,
    ) -> Report {
        let messages = match messages(centre, to, text, reference) {
            Ok(messages) => messages,
            Err(why) => return Report::Refused(why),
        };
        let client = match self.session(tenant, centre).client().await {
            Ok(client) => client,
            Err(why) => return later(&format!("the message centre: {why}")),
        };
        for message in messages {
            if let Err(why) = client.submit_sm(message).await {
                return report(&why);
            }
        }
        Report::Delivered
    }

    fn session(&self, tenant: &str, centre: &MessageCentre) -> Arc<Session> {
        let mut sessions = self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(tenant)
            && session.centre == *centre
        {
            return session.clone();
        }
        let session = Arc::new(Session { centre: centre.clone(), bound: Mutex::default() });
        sessions.insert(tenant.to_owned(), session.clone());
        session
    }
}

impl Session {
    /// The session that there is, or a new one.
    async fn client(&self) -> Result<Client, String> {
        let mut bound = self.bound.lock().await;
        if let Some(there) = bound.as_ref().filter(|bound| bound.client.is_active()) {
            *there.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            return Ok(there.client.clone());
        }
        let new = timeout(PATIENCE, bind(&self.centre)).await;
        let new = new.map_err(|_| "no whole answer within the time".to_owned()).flatten()?;
        Ok(bound.insert(new).client.clone())
    }
}

async fn bind(centre: &MessageCentre) -> Result<Bound, String> {
    let stream = TcpStream::connect((centre.host.as_str(), centre.port)).await;
    let stream = stream.map_err(|why| why.to_string())?;
    let tls = if centre.secure { Some(secured(centre)?) } else { None };
    let builder = ConnectionBuilder::new()
        .max_command_length(LONGEST_PDU)
        .enquire_link_interval(ENQUIRE)
        .enquire_link_response_timeout(PATIENCE)
        .response_timeout(PATIENCE)
        .disable_interface_version_check();
    let (client, events) = match tls {
        None => {
            let (client, events) = builder.connected(stream);
            (client, events.boxed())
        }
        Some((tls, name)) => {
            let stream = tls.connect(name, stream).await.map_err(|why| why.to_string())?;
            let (client, events) = builder.connected(stream);
            (client, events.boxed())
        }
    };
    let used = Arc::new(SyncMutex::new(Instant::now()));
    tokio::spawn(listen(client.clone(), events, used.clone()));
    let word = |text: &str, what: &str| format!("{what} \"{text}\" is too long for SMPP");
    let request = BindTransmitter::builder()
        .system_id(
            COctetString::from_str(&centre.system_id).map_err(|_| word(&centre.system_id, "system_id"))?,
        )
        .password(
            COctetString::from_str(centre.password.expose())
                .map_err(|_| "the password is too long for SMPP".to_owned())?,
        )
        .system_type(
            COctetString::from_str(&centre.system_type)
                .map_err(|_| word(&centre.system_type, "system_type"))?,
        )
        .interface_version(InterfaceVersion::Smpp3_4)
        .build();
    if let Err(why) = client.bind_transmitter(request).await {
        let _ = client.close().await;
        return Err(format!("it does not take the login: {}", words(&why)));
    }
    Ok(Bound { client, used })
}

/// What a centre must show over TLS: a certificate of its name, by an authority of the tenant's or of the public ones.
fn secured(centre: &MessageCentre) -> Result<(TlsConnector, ServerName<'static>), String> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in centre.authorities.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem)) {
        let certificate = certificate.map_err(|why| format!("ca_file: {why}"))?;
        roots.add(certificate).map_err(|why| format!("ca_file: {why}"))?;
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|why| why.to_string())?.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(centre.host.clone()).map_err(|why| why.to_string())?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// Hears what a centre says of itself, and ends a session that nobody uses.
async fn listen(
    client: Client,
    mut events: impl Stream<Item = Event> + Unpin,
    used: Arc<SyncMutex<Instant>>,
) {
    loop {
        let until = *used.lock().unwrap_or_else(PoisonError::into_inner) + IDLE;
        match timeout_at(until, events.next()).await {
            Ok(Some(Event::Incoming(command))) if command.id() == CommandId::Unbind => {
                let _ = client.unbind_resp(command.sequence_number()).await;
                let _ = client.close().await;
            }
            Ok(Some(Event::Incoming(command))) => {
                let _ = client.generic_nack(command.sequence_number()).await;
            }
            Ok(Some(Event::Error(why))) => tracing::debug!(%why, "a session with a message centre"),
            Ok(None) => return,
            Err(_) if used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < IDLE => {}
            Err(_) => {
                let _ = client.unbind().await;
                let _ = client.close().await;
                return;
            }
        }
    }
}

/// The text as one message or several.
fn messages(centre: &MessageCentre, to: &str, text: &str, reference: u8) -> Result<Vec<SubmitSm>, String> {
    let address = |text: &str| {
        COctetString::from_str(text).map_err(|_| format!("\"{text}\" is too long for an address of SMPP"))
    };
    let (from, ton, npi) = origin(&centre.from);
    let message = SubmitSm::builder()
        .source_addr_ton(ton)
        .source_addr_npi(npi)
        .source_addr(address(from)?)
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(address(to.trim_start_matches('+'))?)
        .build();
    let gsm = |most| {
        let parts = message.clone().multipart(text).reference_u8(reference).max_short_message_size(most);
        parts.gsm7bit_unpacked().build().ok()
    };
    match gsm(SEPTETS) {
        Some(whole) if whole.len() == 1 => Ok(whole),
        // Each part's header takes seven septets, of which the library counts six.
        Some(_) => gsm(SEPTETS - 1).ok_or_else(|| "the text is too long for text messages".to_owned()),
        None => {
            let parts = message.multipart(text).reference_u8(reference).ucs2().build();
            parts.map_err(|why| format!("the text can't be sent as text messages: {why}"))
        }
    }
}

/// The sender, and of which kind it is (SMPP 3.4 §5.2.5): a number of the world, a short number, or a name.
fn origin(from: &str) -> (&str, Ton, Npi) {
    match from.strip_prefix('+') {
        Some(digits) => (digits, Ton::International, Npi::Isdn),
        None if from.bytes().all(|b| b.is_ascii_digit()) => (from, Ton::Unknown, Npi::Isdn),
        None => (from, Ton::Alphanumeric, Npi::Unknown),
    }
}

/// What speaks of this message is for good; whatever else a centre says may change.
fn report(why: &Error) -> Report {
    match why {
        Error::UnexpectedResponse { response }
            if matches!(response.status(), CommandStatus::EsmeRinvmsglen | CommandStatus::EsmeRinvdstadr) =>
        {
            Report::Refused(words(why))
        }
        _ => later(&words(why)),
    }
}

fn words(why: &Error) -> String {
    match why {
        Error::UnexpectedResponse { response } => {
            let status = response.status();
            format!("it answers {status:?} (0x{:08X})", u32::from(status))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn centre(from: &str) -> MessageCentre {
        MessageCentre {
            host: "127.0.0.1".into(),
            port: 2775,
            secure: false,
            authorities: None,
            system_id: "acme".into(),
            password: Secret::new("secret"),
            system_type: String::new(),
            from: from.into(),
        }
    }

    fn parts(text: &str) -> Vec<SubmitSm> {
        messages(&centre("Acme"), "+359888123456", text, 7).expect("it can be sent")
    }

    #[test]
    fn a_text_goes_in_as_many_messages_as_it_needs() {
        // 3GPP TS 23.038 §4, TS 23.040 §9.2.3.24.1: 160 septets or 70 code units alone, 153 or 67 in a part.
        for (text, expected) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("ж".repeat(134), 2),
            ("ж".repeat(135), 3),
        ] {
            assert_eq!(parts(&text).len(), expected, "{} of {:?}", text.chars().count(), text.chars().next());
        }
    }

    #[test]
    fn parts_of_a_message_name_it_and_their_place() {
        let sent = parts(&"a".repeat(200));
        // Length of the header, concatenation, its length, the message, how many, which.
        assert_eq!(sent[0].short_message().as_ref()[..6], [5, 0, 3, 7, 2, 1]);
        assert_eq!(sent[1].short_message().as_ref()[..6], [5, 0, 3, 7, 2, 2]);
    }

    #[test]
    fn a_sender_is_a_number_a_short_number_or_a_name() {
        assert_eq!(origin("+35921234567"), ("35921234567", Ton::International, Npi::Isdn));
        assert_eq!(origin("1917"), ("1917", Ton::Unknown, Npi::Isdn));
        assert_eq!(origin("Acme"), ("Acme", Ton::Alphanumeric, Npi::Unknown));
        assert!(messages(&centre("Acme"), &"+1".repeat(20), "x", 0).is_err());
    }
}
