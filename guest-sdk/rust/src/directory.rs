//! People and devices of the tenant.

use crate::host;
use crate::words::Target;

/// What a person is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// No device is registered.
    Offline,
    /// Reachable and not on a call.
    Free,
    /// Being rung.
    Ringing,
    /// On a call.
    Busy,
}

/// A person or desk of the tenant, as they were when looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name in the configuration.
    pub name: String,
    /// The extension.
    pub number: String,
    /// The mobile number, if one is configured.
    pub mobile: Option<String>,
    /// What they were doing.
    pub presence: Presence,
    /// Skill and level, 1 to 100.
    pub skills: Vec<(String, u8)>,
}

impl From<User> for Target {
    fn from(user: User) -> Self {
        Target::User(user.name)
    }
}

impl From<&User> for Target {
    fn from(user: &User) -> Self {
        Target::User(user.name.clone())
    }
}

/// A user by name or extension.
pub fn find(name_or_number: &str) -> Option<User> {
    host::find_user(name_or_number)
}

/// Everyone in a group, in the configuration's order; empty when there is no such group.
pub fn group(name: &str) -> Vec<User> {
    host::group(name)
}

/// Who spoke with this number last, within so many days; 0 is today alone, 366 the most.
pub fn last_spoke_with(number: &str, days: u32) -> Option<User> {
    host::last_spoke_with(number, days)
}

/// Conversations with this number within so many days.
pub fn conversations(number: &str, days: u32) -> u32 {
    host::conversations(number, days)
}
