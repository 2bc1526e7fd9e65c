//! `[[tenant.notify]]`: who is told of what, by which way; and the ways: `[tenant.mail]`, a server that takes mail,
//! and `[tenant.sms]`, one that takes text messages.

use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use notices::{Language, Occasion, QuietHours, Template, webhook};

use super::section::{Section, Text, hint};
use super::speech::headers;
use super::tenant::{Names, check_name};
use super::world::Secret;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Recipients of one tenant; one more is a mistake.
const MOST_RECIPIENTS: usize = 1_000;
/// Where text messages go unless `url` says otherwise.
const TWILIO: &str = "https://api.twilio.com";
/// Of message centres, as IANA has it.
const SMPP_PORT: u16 = 2775;

/// Who is told, and by what.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    /// `[[tenant.notify]]`
    pub recipients: Vec<Arc<Recipient>>,
    /// `[tenant.mail]`
    pub mail: Option<Arc<MailServer>>,
    /// `[tenant.sms]`
    pub sms: Option<Arc<SmsService>>,
}

impl Notify {
    /// A recipient by name.
    pub fn recipient(&self, name: &str) -> Option<&Arc<Recipient>> {
        self.recipients.iter().find(|recipient| recipient.name == name)
    }
}

/// Someone, or some program, that is told.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// `name`
    pub name: String,
    /// `events`
    pub occasions: Vec<Occasion>,
    /// `queues`: only what happened there; all if empty.
    pub queues: Vec<String>,
    /// `numbers`: only calls to these; all if empty.
    pub numbers: Vec<String>,
    /// `boxes`: only messages in these; all if empty.
    pub boxes: Vec<String>,
    /// `language`; the tenant's unless said.
    pub language: Language,
    /// `quiet`: what happens then is told afterwards. Webhooks are no people and are told at once.
    pub quiet: Option<QuietHours>,
    /// `digest`: after a notice further ones wait so long, and go together. Zero: each on its own.
    pub digest: Duration,
    /// `deadline`: what could not be delivered by then is a dead letter.
    pub deadline: Duration,
    /// `mail`
    pub mail: Option<Mailbox>,
    /// `attach`: recordings are attached to mails, and otherwise named.
    pub attach: bool,
    /// `sms`: a number with "+".
    pub sms: Option<String>,
    /// `text`: in place of our own words in text messages and chats.
    pub text: Option<Template>,
    /// `webhook`
    pub webhook: Option<Webhook>,
    /// `[tenant.notify.chat]`
    pub chat: Option<HttpTemplate>,
}

/// A program that is told.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `webhook`
    pub url: String,
    /// `secret`, and `previous_secret` while it changes; unsigned if empty.
    pub secrets: Vec<webhook::Secret>,
}

/// A request in a shape of its own.
#[derive(Debug, Clone)]
pub struct HttpTemplate {
    /// `url`
    pub url: Template,
    /// `content_type` of the body.
    pub content_type: String,
    /// `body`; its values are escaped as its type asks for.
    pub body: Template,
    /// `[[...header]]`: name and value.
    pub headers: Vec<(String, Secret)>,
}

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq)]
pub struct MailServer {
    /// Of `server`.
    pub host: String,
    /// Of `server`.
    pub port: u16,
    /// `security`
    pub security: MailSecurity,
    /// `user` and `password`
    pub login: Option<(String, Secret)>,
    /// `from`
    pub from: Mailbox,
    /// `bounces`: the address of the envelope, where a mail that can't be delivered after all is sent back to; that of
    /// `from` unless set.
    pub bounces: Option<Address>,
    /// `ca_file`: certificates, in PEM, that are trusted besides those of the world.
    pub authorities: Option<Vec<u8>>,
    /// `timeout`: for each step of the conversation.
    pub timeout: Duration,
}

/// How a conversation with a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// From the first byte (RFC 8314 §3.3).
    Tls,
    /// From STARTTLS on (RFC 3207); a server that has it not gets no mail.
    StartTls,
    /// Not at all: for a server on this machine.
    None,
}

/// A service that takes text messages.
#[derive(Debug, Clone)]
pub enum SmsService {
    /// `kind = "twilio"`: the Messages resource of Twilio's REST API, and of those who took over its shape.
    Twilio {
        /// Up to and without "/2010-04-01".
        base: String,
        /// `account`
        account: String,
        /// `token`
        token: Secret,
        /// `from`: a number with "+", or a name where the carriers allow it.
        from: String,
    },
    /// `kind = "smpp"`: a message centre of a carrier's.
    Smpp(MessageCentre),
    /// `kind = "http"`: any other, by a template with `{to}` and `{text}`.
    Http(HttpTemplate),
}

/// A message centre that is spoken to in SMPP.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageCentre {
    /// From `url`: its name or address.
    pub host: String,
    /// From `url`; 2775 unless it says another.
    pub port: u16,
    /// "smpps": TLS from the first byte.
    pub secure: bool,
    /// `ca_file`: PEM of authorities besides the public ones.
    pub authorities: Option<Vec<u8>>,
    /// `system_id`: at most 15 characters (SMPP 3.4 §5.2.1).
    pub system_id: String,
    /// `password`: at most 8.
    pub password: Secret,
    /// `system_type`: at most 12; none.
    pub system_type: String,
    /// `from`: a number with "+", a short number, or a name.
    pub from: String,
}

/// Reads the three sections.
pub(super) fn notify(tenant: &Section<'_, '_>, language: &str, queues: &[&str]) -> Notify {
    let mail = tenant.section("mail").and_then(mail_server).map(Arc::new);
    let sms = tenant.section("sms").and_then(sms_service).map(Arc::new);
    let ways = (mail.is_some() || tenant.has("mail"), sms.is_some() || tenant.has("sms"));
    let mut names = Names::new("recipient");
    let sections = tenant.sections("notify");
    if let Some(beyond) = sections.get(MOST_RECIPIENTS) {
        tenant.mistake(beyond.line, format!("there are more than {MOST_RECIPIENTS} recipients; write fewer"));
    }
    let recipients = sections.into_iter().filter_map(|s| recipient(s, language, queues, ways, &mut names));
    Notify { recipients: recipients.map(Arc::new).collect(), mail, sms }
}

fn recipient(
    section: Section<'_, '_>,
    language: &str,
    queues: &[&str],
    (has_mail, has_sms): (bool, bool),
    names: &mut Names<'_>,
) -> Option<Recipient> {
    let name = section.required("name", "ana");
    if let Some(name) = name {
        check_name(&section, name, "ana");
        names.claim(&section, name);
    }
    let example = r#"["missed", "abandoned", "voicemail"]"#;
    let events = section.texts("events", example);
    if events.as_ref().is_none_or(Vec::is_empty) {
        section.mistake(section.line, format!("{} hears of nothing; write events = {example}", section.name));
    }
    let mut occasions = Vec::new();
    for event in events.into_iter().flatten() {
        match Occasion::by_name(event.value) {
            Some(occasion) if occasions.contains(&occasion) => {
                section.mistake(event.line, format!("\"{}\" is there twice; write it once", event.value));
            }
            Some(occasion) => occasions.push(occasion),
            None => {
                let hint = hint(event.value, Occasion::ALL.map(Occasion::name));
                section.mistake(event.line, format!("there is no event \"{}\"; {hint}", event.value));
            }
        }
    }
    let only = section.texts("queues", r#"["sales"]"#).unwrap_or_default();
    for queue in only.iter().filter(|queue| !queues.contains(&queue.value)) {
        let hint = hint(queue.value, queues.iter().copied());
        section.mistake(queue.line, format!("there is no queue \"{}\"; {hint}", queue.value));
    }
    let numbers = section.texts("numbers", r#"["+35921234567"]"#).unwrap_or_default();
    let boxes = section.texts("boxes", r#"["office"]"#).unwrap_or_default();
    let quiet = section.text("quiet", "22:00-08:00").and_then(|text| {
        let read = text.value.parse::<QuietHours>();
        read.map_err(|why| section.mistake(text.line, format!("\"{}\": {why}", text.value))).ok()
    });
    let mail = section.text("mail", "ana@acme.example").and_then(|text| mailbox(&section, text));
    let sms = section.text("sms", "+359888000101");
    if let Some(text) = sms.filter(|text| !is_e164(text.value)) {
        let what = format!("\"{}\" is no number; write one like \"+359888000101\"", text.value);
        section.mistake(text.line, what);
    }
    for (needed, there, way) in [(mail.is_some(), has_mail, "mail"), (sms.is_some(), has_sms, "sms")] {
        if needed && !there {
            let what = format!("nobody takes {way} for this tenant; write [tenant.{way}]");
            section.mistake(section.line, what);
        }
    }
    let webhook = webhook(&section);
    let chat = section.section("chat").and_then(|chat| {
        let read = request(&chat, "{\"text\": \"{text}\"}", &["text", "subject", "number"]);
        chat.finish();
        read
    });
    if mail.is_none() && sms.is_none() && webhook.is_none() && chat.is_none() && !section.has("mail") {
        let what = format!("{} has no way to be told; write mail, sms, webhook or chat", section.name);
        section.mistake(section.line, what);
    }
    let recipient = Recipient {
        name: name.map_or_else(String::new, |name| name.value.to_owned()),
        occasions,
        queues: only.iter().map(|queue| queue.value.to_owned()).collect(),
        numbers: numbers.iter().map(|number| number.value.to_owned()).collect(),
        boxes: boxes.iter().map(|name| name.value.to_owned()).collect(),
        language: Language::of(section.text("language", "bg").map_or(language, |text| text.value)),
        quiet,
        digest: section.duration("digest", Duration::ZERO..=DAY, MINUTE),
        deadline: section.duration("deadline", MINUTE..=30 * DAY, DAY),
        mail,
        attach: section.flag("attach", true),
        sms: sms.map(|text| text.value.to_owned()),
        text: section.text("text", "{subject}, {time}").and_then(|text| template(&section, text)),
        webhook,
        chat,
    };
    section.finish();
    Some(recipient)
}

fn webhook(section: &Section<'_, '_>) -> Option<Webhook> {
    let url = section.text("webhook", "https://crm.acme.example/hooks/calls");
    let secrets = ["secret", "previous_secret"].map(|key| (key, section.secret(key)));
    let mut read = Vec::new();
    for (key, secret) in secrets {
        let Some(secret) = secret else { continue };
        match webhook::Secret::read(secret.expose()) {
            Some(secret) => read.push(secret),
            None => {
                let what = format!("\"{key}\" signs nothing; write whsec_ and base64 of 24 to 64 bytes");
                section.mistake(section.line, what);
            }
        }
    }
    let url = url?;
    check_url(section, url, url.value);
    Some(Webhook { url: url.value.to_owned(), secrets: read })
}

/// Reads `url`, `content_type`, `body` and headers. `must`: the body or the address has at least one of these.
fn request(section: &Section<'_, '_>, example: &str, must: &[&str]) -> Option<HttpTemplate> {
    let url = section.required("url", "https://chat.acme.example/send");
    let body = section.required("body", example);
    let content_type =
        section.text("content_type", "application/json").map_or("application/json", |t| t.value);
    let headers = headers(section, "CHAT_TOKEN");
    let address = url.and_then(|text| template(section, text));
    if let Some((text, address)) = url.zip(address.as_ref()) {
        check_url(section, text, &address.fill(notices::Escape::Percent, |_| "x".to_owned()));
    }
    let body = body.and_then(|text| template(section, text));
    if let Some((url, body)) = address.as_ref().zip(body.as_ref())
        && !must.iter().any(|field| url.has(field) || body.has(field))
    {
        section
            .mistake(section.line, format!("nothing says what to tell; write {{{}}} in \"body\"", must[0]));
    }
    Some(HttpTemplate { url: address?, content_type: content_type.to_owned(), body: body?, headers })
}

fn mail_server(section: Section<'_, '_>) -> Option<MailServer> {
    let server = section.required("server", "smtp.acme.example:587");
    let parts = server.and_then(|text| {
        let parts =
            text.value.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let parts = parts.filter(|(host, port)| *port > 0 && !host.is_empty());
        if parts.is_none() {
            let what = format!("\"{}\" is no server; write one like \"smtp.acme.example:587\"", text.value);
            section.mistake(text.line, what);
        }
        parts
    });
    let security = match section.text("security", "starttls") {
        None => MailSecurity::StartTls,
        Some(text) => match text.value {
            "tls" => MailSecurity::Tls,
            "starttls" => MailSecurity::StartTls,
            "none" => MailSecurity::None,
            other => {
                let hint = hint(other, ["tls", "starttls", "none"]);
                section.mistake(text.line, format!("there is no security \"{other}\"; {hint}"));
                MailSecurity::StartTls
            }
        },
    };
    let user = section.text("user", "exchange@acme.example");
    let password = section.secret("password");
    if user.is_some() != password.is_some()
        && !["password_file", "password_env"].iter().any(|key| section.has(key))
    {
        section.mistake(section.line, "a login is a \"user\" and a \"password_env\"; write both or none");
    }
    let from =
        section.required("from", "Acme <exchange@acme.example>").and_then(|text| mailbox(&section, text));
    let bounces = section.text("bounces", "bounces@acme.example").and_then(|text| mailbox(&section, text));
    let bounces = bounces.map(|mailbox| mailbox.email);
    let authorities = authorities(&section);
    let timeout = section.duration("timeout", SECOND..=MINUTE, 10 * SECOND);
    section.finish();
    let (host, port) = parts?;
    let login = user.map(|user| user.value.to_owned()).zip(password);
    Some(MailServer {
        host: host.to_owned(),
        port,
        security,
        login,
        from: from?,
        bounces,
        authorities,
        timeout,
    })
}

fn sms_service(section: Section<'_, '_>) -> Option<SmsService> {
    let kind = section.required("kind", "twilio")?;
    let service = match kind.value {
        "twilio" => {
            let url = section.text("url", TWILIO);
            if let Some(url) = url {
                check_url(&section, url, url.value);
            }
            let base = url.map_or(TWILIO, |url| url.value).trim_end_matches('/').to_owned();
            let account = section.required("account", "AC0123456789abcdef0123456789abcdef");
            let before = section.source.mistakes.borrow().len();
            let token = section.secret("token");
            if token.is_none() && section.source.mistakes.borrow().len() == before {
                section
                    .mistake(section.line, "this account has no token; write token_env = \"TWILIO_TOKEN\"");
            }
            let from = section.required("from", "+35921234567");
            let account = account.map(|text| text.value.to_owned());
            account.zip(token).zip(from).map(|((account, token), from)| SmsService::Twilio {
                base,
                account,
                token,
                from: from.value.to_owned(),
            })
        }
        "http" => request(&section, r#"{"to": "{to}", "text": "{text}"}"#, &["to"]).map(SmsService::Http),
        "smpp" => message_centre(&section).map(SmsService::Smpp),
        other => {
            let hint = hint(other, ["twilio", "smpp", "http"]);
            section.mistake(kind.line, format!("there is no SMS service of kind \"{other}\"; {hint}"));
            None
        }
    };
    section.finish();
    service
}

fn message_centre(section: &Section<'_, '_>) -> Option<MessageCentre> {
    let url = section.required("url", "smpp://smsc.example:2775");
    let place = url.and_then(|text| {
        let read = reqwest::Url::parse(text.value).ok();
        let read = read.filter(|url| matches!(url.scheme(), "smpp" | "smpps"));
        let place = read.and_then(|url| {
            let host = url.host_str().filter(|host| !host.is_empty())?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Some((host, url.port().unwrap_or(SMPP_PORT), url.scheme() == "smpps"))
        });
        if place.is_none() {
            let what = format!(
                "\"{}\" is no message centre; write one like \"smpp://smsc.example:2775\"",
                text.value
            );
            section.mistake(text.line, what);
        }
        place
    });
    let short = |text: Text<'_>, key: &str, most: usize| {
        if text.value.len() > most || !text.value.is_ascii() {
            section.mistake(text.line, format!("\"{key}\" has at most {most} characters of ASCII in SMPP"));
        }
        text.value.to_owned()
    };
    let system_id = section.required("system_id", "acme").map(|text| short(text, "system_id", 15));
    let system_type = section.text("system_type", "VMA").map(|text| short(text, "system_type", 12));
    let from = section.required("from", "+35921234567").map(|text| short(text, "from", 20));
    let before = section.source.mistakes.borrow().len();
    let password = section.secret("password");
    match &password {
        Some(password) if password.expose().len() > 8 => {
            section.mistake(section.line, "the password has at most 8 characters in SMPP");
        }
        None if section.source.mistakes.borrow().len() == before => {
            section
                .mistake(section.line, "this login has no password; write password_env = \"SMPP_PASSWORD\"");
        }
        _ => {}
    }
    let authorities = authorities(section);
    let (host, port, secure) = place?;
    Some(MessageCentre {
        host,
        port,
        secure,
        authorities,
        system_id: system_id?,
        password: password?,
        system_type: system_type.unwrap_or_default(),
        from: from?,
    })
}

/// `ca_file`: certificates of authorities, in PEM.
fn authorities(section: &Section<'_, '_>) -> Option<Vec<u8>> {
    section.text("ca_file", "ca.pem").and_then(|text| {
        let read = std::fs::read(section.source.path(text.value));
        read.map_err(|why| section.mistake(text.line, format!("\"{}\" cannot be read: {why}", text.value)))
            .ok()
    })
}

fn template(section: &Section<'_, '_>, text: Text<'_>) -> Option<Template> {
    let read = Template::read(text.value);
    let told = read.map_err(|unknown| {
        section.mistake(text.line, format!("{unknown}; {}", hint(&unknown.0, notices::FIELDS)));
    });
    told.ok()
}

fn mailbox(section: &Section<'_, '_>, text: Text<'_>) -> Option<Mailbox> {
    let read = text.value.parse::<Mailbox>();
    if read.is_err() {
        let what = format!("\"{}\" is no mail address; write one like \"ana@acme.example\"", text.value);
        section.mistake(text.line, what);
    }
    read.ok()
}

fn check_url(section: &Section<'_, '_>, text: Text<'_>, url: &str) {
    let good = |url: reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if !reqwest::Url::parse(url).is_ok_and(good) {
        let what = format!("\"{}\" is no address; write one like \"https://acme.example/hook\"", text.value);
        section.mistake(text.line, what);
    }
}

/// ITU-T E.164 §6: at most 15 digits.
fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{said_in_tenant, world};
    use super::*;

    #[test]
    fn recipients_and_the_ways_to_them_are_read() {
        let world = world(
            r#"
[[tenant]]
name = "a"
language = "bg"
  [[tenant.user]]
  name = "ana"
  number = "101"
  [[tenant.queue]]
  name = "sales"
  agents = ["ana"]
  [tenant.mail]
  server = "127.0.0.1:2525"
  security = "none"
  from = "Acme <exchange@acme.example>"
  [tenant.sms]
  kind = "twilio"
  account = "AC1"
  token = "secret"
  from = "+35921234567"
  [[tenant.notify]]
  name = "ana"
  events = ["abandoned", "voicemail"]
  queues = ["sales"]
  mail = "ana@acme.example"
  sms = "+359888000101"
  quiet = "22:00-08:00"
  digest = "5 min"
  [[tenant.notify]]
  name = "crm"
  events = ["ended"]
  webhook = "https://crm.acme.example/hook"
  secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"#,
        );
        let notify = &world.tenant("a").unwrap().notify;
        let ana = notify.recipient("ana").expect("ana");
        assert_eq!(ana.occasions, [Occasion::Abandoned, Occasion::Voicemail]);
        assert_eq!((ana.language, ana.digest), (Language::Bulgarian, 5 * MINUTE));
        assert_eq!(notify.recipient("crm").unwrap().webhook.as_ref().unwrap().secrets.len(), 1);
        assert!(!format!("{notify:?}").contains("secret\""), "secrets are not printed");
        let Some(SmsService::Twilio { base, .. }) = notify.sms.as_deref() else { panic!("twilio") };
        assert_eq!(base, TWILIO);
    }

    #[test]
    fn mistakes_in_notices_are_told() {
        assert_eq!(
            said_in_tenant(
                "[[tenant.notify]]\nname = \"ana\"\nevents = [\"mised\"]\nmail = \"ana@acme.example\""
            ),
            [
                "x.toml:4: nobody takes mail for this tenant; write [tenant.mail]",
                r#"x.toml:6: there is no event "mised"; write "missed""#,
            ]
        );
        assert_eq!(
            said_in_tenant(
                "[[tenant.notify]]\nname = \"c\"\nevents = [\"missed\"]\n[tenant.notify.chat]\nurl = \"https://c.example/{dialed}\"\nbody = \"{nmber}\""
            ),
            [
                r#"x.toml:4: [[tenant.notify]] has no way to be told; write mail, sms, webhook or chat"#,
                r#"x.toml:8: there is no field {dialed}; write "dialled""#,
                r#"x.toml:9: there is no field {nmber}; write "number""#,
            ]
        );
        assert_eq!(
            said_in_tenant("[tenant.mail]\nserver = \"smtp\"\nsecurity = \"ssl\"\nfrom = \"nobody\""),
            [
                r#"x.toml:5: "smtp" is no server; write one like "smtp.acme.example:587""#,
                r#"x.toml:6: there is no security "ssl"; write "tls""#,
                r#"x.toml:7: "nobody" is no mail address; write one like "ana@acme.example""#,
            ]
        );
    }
}
