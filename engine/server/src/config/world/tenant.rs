//! A tenant as configured, with its people, numbers and scripts.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use exchange::QueuePlan;
use jiff::tz::TimeZone;
use protocol::sdp::{Codec, Srtp};
use protocol::sip::digest::Algorithm;

use super::{CertificateFiles, Secret, Token, Trunk};
use crate::calendar::Calendar;
use crate::config::keep::Keep;
use crate::config::limits::Limits;
use crate::config::mailbox::Mailbox;
use crate::config::missed::Missed;
use crate::config::notify::Notify;
use crate::config::numbering::Numbering;
use crate::config::outside::Outside;
use crate::config::policy::ScriptPolicy;
use crate::config::recording::Recording;
use crate::config::speech::{Speech, SpeechParts};
use crate::config::stir::Stir;
use crate::config::tolls::Tolls;
use crate::crm::Crm;

/// A company on this exchange. Nothing in it is visible to another.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// `name`: 1 to 63 of a-z, 0-9, "-", "_" and ".".
    pub name: Arc<str>,
    /// `domains`: SIP domains, in lower case.
    pub domains: Vec<String>,
    /// `[tenant.tls]`: shown to whoever asks for one of the domains.
    pub tls: Option<CertificateFiles>,
    /// `timezone`: an IANA name.
    pub timezone: TimeZone,
    /// `language` of prompts: BCP 47.
    pub language: String,
    /// `[tenant.numbering]`: how numbers are dialled where the tenant is; none: every number is as it is.
    pub numbering: Option<Numbering>,
    /// `[tenant.tolls]`
    pub tolls: Tolls,
    /// `[tenant.stir]`
    pub stir: Option<Arc<Stir>>,
    /// `digest`: the hashes that users may prove their passwords with (RFC 8760), the best first; never empty.
    pub digest: Arc<[Algorithm]>,
    /// `srtp`: whether the sound of its users is encrypted.
    pub srtp: Srtp,
    /// `codecs`: those that calls may have, in the order in which they are offered; never empty.
    pub codecs: Arc<[Codec]>,
    /// `[tenant.speech]`, and what it leaves out as `[speech]` has it.
    pub speech: Arc<Speech>,
    /// `[[tenant.user]]`
    pub users: Vec<Arc<User>>,
    /// `[[tenant.group]]`, members in the order they ring.
    pub groups: Vec<Group>,
    /// `[[tenant.trunk]]`, in the order they are tried.
    pub trunks: Vec<Arc<Trunk>>,
    /// `[[tenant.script]]`
    pub scripts: Vec<ScriptFile>,
    /// `[[tenant.number]]`
    pub numbers: Vec<Arc<Number>>,
    /// `[[tenant.queue]]`
    pub queues: Vec<Arc<QueuePlan>>,
    /// `[tenant.crm]`
    pub crm: Crm,
    /// `[tenant.missed]`
    pub missed: Missed,
    /// `[[tenant.notify]]`, `[tenant.mail]` and `[tenant.sms]`
    pub notify: Notify,
    /// `[tenant.recording]`
    pub recording: Recording,
    /// `[[tenant.mailbox]]`
    pub mailboxes: Vec<Mailbox>,
    /// `[tenant.http]`
    pub outside: Arc<Outside>,
    /// `[[tenant.calendar]]`
    pub calendars: Vec<Calendar>,
    /// `[[tenant.music]]`
    pub music: Vec<Playlist>,
    /// `[tenant.calls]`
    pub calls: Calls,
    /// `[tenant.limits]`
    pub limits: Limits,
    /// `[tenant.keep]`
    pub keep: Keep,
    /// `[tenant.scripts]`
    pub scripting: ScriptPolicy,
    /// `[[tenant.token]]`
    pub tokens: Vec<Token>,
    user_by_name: HashMap<String, usize>,
    user_by_number: HashMap<String, usize>,
    number_by_digits: HashMap<String, usize>,
}

/// A tenant before its look-ups are built: the same fields as [`Tenant`], which see.
#[derive(Debug)]
#[allow(missing_docs)]
pub(in crate::config) struct TenantParts {
    pub name: String,
    pub domains: Vec<String>,
    pub tls: Option<CertificateFiles>,
    pub timezone: TimeZone,
    pub language: String,
    pub numbering: Option<Numbering>,
    pub tolls: Tolls,
    pub stir: Option<Arc<Stir>>,
    pub digest: Arc<[Algorithm]>,
    pub srtp: Srtp,
    pub codecs: Option<Arc<[Codec]>>,
    pub speech: SpeechParts,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub trunks: Vec<Trunk>,
    pub scripts: Vec<ScriptFile>,
    pub numbers: Vec<Number>,
    pub queues: Vec<Arc<QueuePlan>>,
    pub crm: Crm,
    pub missed: Missed,
    pub notify: Notify,
    pub recording: Recording,
    pub mailboxes: Vec<Mailbox>,
    pub outside: Outside,
    pub calendars: Vec<Calendar>,
    pub music: Vec<Playlist>,
    pub calls: Calls,
    pub limits: Limits,
    pub keep: Keep,
    pub scripting: ScriptPolicy,
    pub tokens: Vec<Token>,
}

impl Tenant {
    /// `speech`: the engine of a tenant that names none.
    pub(in crate::config) fn new(parts: TenantParts, speech: &Speech) -> Self {
        let users: Vec<_> = parts.users.into_iter().map(Arc::new).collect();
        let numbers: Vec<_> = parts.numbers.into_iter().map(Arc::new).collect();
        Tenant {
            name: parts.name.into(),
            domains: parts.domains,
            tls: parts.tls,
            timezone: parts.timezone,
            language: parts.language,
            numbering: parts.numbering,
            tolls: parts.tolls,
            stir: parts.stir,
            digest: parts.digest,
            srtp: parts.srtp,
            codecs: parts.codecs.unwrap_or_else(|| Codec::ALL.into()),
            speech: Arc::new(parts.speech.over(speech)),
            user_by_name: users.iter().enumerate().map(|(i, u)| (u.name.clone(), i)).collect(),
            user_by_number: users.iter().enumerate().map(|(i, u)| (u.number.clone(), i)).collect(),
            number_by_digits: numbers.iter().enumerate().map(|(i, n)| (n.number.clone(), i)).collect(),
            users,
            groups: parts.groups,
            trunks: parts.trunks.into_iter().map(Arc::new).collect(),
            scripts: parts.scripts,
            numbers,
            queues: parts.queues,
            crm: parts.crm,
            missed: parts.missed,
            notify: parts.notify,
            recording: parts.recording,
            mailboxes: parts.mailboxes,
            outside: Arc::new(parts.outside),
            calendars: parts.calendars,
            music: parts.music,
            calls: parts.calls,
            limits: parts.limits,
            keep: parts.keep,
            scripting: parts.scripting,
            tokens: parts.tokens,
        }
    }

    /// The codecs of a leg that leads to this trunk, or else to a telephone of this user.
    pub fn codecs(&self, trunk: Option<&str>, user: Option<&str>) -> &[Codec] {
        let own = match trunk {
            Some(name) => self.trunk(name).and_then(|trunk| trunk.codecs.as_deref()),
            None => user.and_then(|name| self.user_by_name(name)?.codecs.as_deref()),
        };
        own.unwrap_or(&self.codecs)
    }

    /// A user by the name they register with.
    pub fn user_by_name(&self, name: &str) -> Option<&Arc<User>> {
        self.user_by_name.get(name).map(|i| &self.users[*i])
    }

    /// A user by name or by extension.
    pub fn user(&self, name_or_number: &str) -> Option<&Arc<User>> {
        self.user_by_name(name_or_number)
            .or_else(|| self.user_by_number.get(name_or_number).map(|i| &self.users[*i]))
    }

    /// A configured number as a carrier or a user dials it: as written, or without visual
    /// separators, or in international form without the "+" or with "00" in its place.
    pub fn number(&self, dialled: &str) -> Option<&Arc<Number>> {
        let plain: String = dialled.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        let found = |digits: &str| self.number_by_digits.get(digits).map(|i| &self.numbers[*i]);
        found(&plain)
            .or_else(|| found(&format!("+{plain}")))
            .or_else(|| plain.strip_prefix("00").and_then(|rest| found(&format!("+{rest}"))))
    }

    /// A number as a carrier writes it, in E.164 where the tenant's numbering reads it.
    pub fn heard(&self, trunk: &Trunk, number: &str) -> String {
        match &self.numbering {
            Some(numbering) => numbering.read(trunk.numbers.incoming, number),
            None => number.to_owned(),
        }
    }

    /// A number as a carrier wants it.
    pub fn written(&self, trunk: &Trunk, number: &str) -> String {
        match &self.numbering {
            Some(numbering) => numbering.write(trunk.numbers.outgoing, number),
            None => number.to_owned(),
        }
    }

    /// The same of a number that is called: with the trunk's prefix.
    pub fn called(&self, trunk: &Trunk, number: &str) -> String {
        format!("{}{}", trunk.numbers.prefix, self.written(trunk, number))
    }

    /// Whether a number is one of those that the carrier knows as the tenant's; every one is where it names none.
    pub fn owns(&self, trunk: &Trunk, number: &str) -> bool {
        let e164 = self.numbering.as_ref().and_then(|numbering| numbering.e164(number));
        let number = e164.as_deref().unwrap_or(number);
        trunk.own_numbers.is_empty()
            || trunk.own_numbers.iter().any(|own| match own.strip_suffix('*') {
                Some(beginning) => number.starts_with(beginning),
                None => number == own,
            })
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }

    /// A calendar by name.
    pub fn calendar(&self, name: &str) -> Option<&Calendar> {
        self.calendars.iter().find(|c| c.name == name)
    }

    /// A queue by name.
    pub fn queue(&self, name: &str) -> Option<&Arc<QueuePlan>> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// Music by name.
    pub fn music(&self, name: &str) -> Option<&Playlist> {
        self.music.iter().find(|m| m.name == name)
    }

    /// A trunk by name.
    pub fn trunk(&self, name: &str) -> Option<&Arc<Trunk>> {
        self.trunks.iter().find(|t| t.name == name)
    }
}

/// A person or a desk: a SIP account, an agent, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// `name`: also the SIP user name and digest user.
    pub name: String,
    /// `number`: the extension, digits only.
    pub number: String,
    /// `password`; without one the user cannot register.
    pub password: Option<Secret>,
    /// `mobile`: E.164.
    pub mobile: Option<String>,
    /// `skills`: name and level, 1 to 100, by name.
    pub skills: Vec<(String, u8)>,
    /// Every group the user is in.
    pub groups: Vec<String>,
    /// `supervises`: may be added to others' conversations by telephone (Join, RFC 3911).
    pub supervises: bool,
    /// `codecs`: those that calls with the user's telephones may have, in the order in which they are offered; the tenant's if
    /// none.
    pub codecs: Option<Arc<[Codec]>>,
}

/// Users that ring together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `name`
    pub name: String,
    /// User names: `members` first, then users whose `groups` name this one.
    pub members: Vec<String>,
}

/// Music and messages, heard in turn while waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// `name`
    pub name: String,
    /// `play`: prompts by name, and texts that are no name; what nobody recorded is spoken.
    pub play: Vec<String>,
}

/// A component of the tenant under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptFile {
    /// `name`
    pub name: String,
    /// `file`: relative to the file that names it.
    pub file: PathBuf,
}

/// A number that carriers send here, or a short one dialled inside the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// `number`: E.164 with "+", or a short one.
    pub number: String,
    /// `script`: a tenant's script, or a shipped one as "strowger/NAME".
    pub script: String,
    /// `settings`: JSON, an object.
    pub settings: String,
    /// `source`: the advertising source, for reports.
    pub source: Option<String>,
    /// `fallback`: tried in order when the script fails.
    pub fallback: Vec<FallbackTarget>,
}

/// Where a call goes when its script cannot decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FallbackTarget {
    /// `user:ana`
    User(String),
    /// `tel:+359888000101`
    Number(String),
    /// `voicemail:office`
    Voicemail(String),
}

impl fmt::Display for FallbackTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FallbackTarget::User(name) => write!(f, "user:{name}"),
            FallbackTarget::Number(number) => write!(f, "tel:{number}"),
            FallbackTarget::Voicemail(mailbox) => write!(f, "voicemail:{mailbox}"),
        }
    }
}

/// What a call between users, or from a user to the outside, asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// `script`
    pub script: String,
    /// `settings`: JSON, an object.
    pub settings: String,
}
