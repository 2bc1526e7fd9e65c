//! `[[tenant.mailbox]]`: boxes for messages. Every user has one, by the user's name, and every group one for its members;
//! a script may name any other. What is written here says what is different of one.
//!
//! ```toml
//! [[tenant.mailbox]]
//! name = "office"
//! users = ["ana", "boris"]     # hear it from their telephones without a PIN
//! pin = "4711"                 # everybody else
//! longest = 180
//! delete_after_mail = true     # where [[tenant.notify]] has sent it with `attach`
//! ```

use std::time::Duration;

use super::section::Section;
use super::tenant::{Known, Names, check_name, is_name};
use super::world::{Secret, Tenant};

const SECOND: Duration = Duration::from_secs(1);
/// Messages that a box may be allowed.
const MOST_MESSAGES: u64 = 1_000;
/// Keys of a PIN.
const PIN: std::ops::RangeInclusive<usize> = 4..=16;

/// A box for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// `name`
    pub name: String,
    /// `users`: who needs no PIN, by name.
    pub users: Vec<String>,
    /// `pin`: nobody else hears it by telephone without one.
    pub pin: Option<Secret>,
    /// `longest` message.
    pub longest: Duration,
    /// `silence` that ends a message.
    pub silence: Duration,
    /// `shortest`: what is shorter is no message.
    pub shortest: Duration,
    /// `most` messages; when there are as many, the box is full.
    pub most: usize,
    /// `delete_after_mail`: a message that was mailed with its sound is not kept.
    pub delete_after_mail: bool,
}

impl Mailbox {
    fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            users: Vec::new(),
            pin: None,
            longest: 120 * SECOND,
            silence: 4 * SECOND,
            shortest: SECOND,
            most: 100,
            delete_after_mail: false,
        }
    }
}

impl Tenant {
    /// The box of this name, or of the user with this name or extension, or of a group; none when it is no name of a box.
    pub fn mailbox(&self, name_or_number: &str) -> Option<Mailbox> {
        let user = self.user(name_or_number).map(|user| user.name.as_str());
        let name = user.unwrap_or(name_or_number);
        let known = self.mailboxes.iter().find(|mailbox| mailbox.name == name).cloned();
        let mut mailbox = known.or_else(|| is_name(name).then(|| Mailbox::plain(name)))?;
        let members = self.group(name).into_iter().flat_map(|group| group.members.iter().map(String::as_str));
        for owner in user.into_iter().chain(members) {
            if !mailbox.users.iter().any(|known| known == owner) {
                mailbox.users.push(owner.to_owned());
            }
        }
        Some(mailbox)
    }
}

/// Reads one box.
pub(super) fn mailbox(section: Section<'_, '_>, known: &Known<'_>, names: &mut Names<'_>) -> Option<Mailbox> {
    let name = section.required("name", "office");
    if let Some(name) = name {
        check_name(&section, name, "office");
        names.claim(&section, name);
    }
    let users = section.texts("users", r#"["ana"]"#).unwrap_or_default();
    users.iter().for_each(|user| known.check_user(&section, user.value, user.line));
    let pin = section.secret("pin");
    let is_pin = |pin: &str| PIN.contains(&pin.len()) && pin.bytes().all(|key| key.is_ascii_digit());
    if pin.as_ref().is_some_and(|pin| !is_pin(pin.expose())) {
        let (least, most) = (PIN.start(), PIN.end());
        section.mistake(
            section.line,
            format!("the pin of {} is none; write {least} to {most} digits", section.name),
        );
    }
    let plain = Mailbox::plain(name.map_or("", |name| name.value));
    let mailbox = Mailbox {
        users: users.into_iter().map(|user| user.value.to_owned()).collect(),
        pin,
        longest: section.duration("longest", SECOND..=3600 * SECOND, plain.longest),
        silence: section.duration("silence", SECOND..=60 * SECOND, plain.silence),
        shortest: section.duration("shortest", Duration::ZERO..=60 * SECOND, plain.shortest),
        most: section.integer("most", 1..=MOST_MESSAGES, plain.most as u64) as usize,
        delete_after_mail: section.flag("delete_after_mail", false),
        ..plain
    };
    section.finish();
    name.map(|_| mailbox)
}
