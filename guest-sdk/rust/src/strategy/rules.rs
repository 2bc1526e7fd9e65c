//! What every strategy does alike unless it has functions of its own: who may wait, what a waiting caller is told, what
//! keys do. All of it by the queue's settings; with none set everybody may wait, and nothing is announced.

use super::{Admission, Announcement, KeyAction, Snapshot, Waiting};
use crate::words::{Prompt, millis};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an agent rings unless the settings say.
pub const RING_FOR: Duration = Duration::from_secs(20);
/// The shortest time between two announcements: whoever waits wants to hear something else too.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
/// The exchange asks when its timer says so, which may be this much before or after the moment.
const SLACK: Duration = Duration::from_millis(500);

/// Settings that every shipped strategy takes beside its own, flattened into them:
///
/// ```
/// # use strowger_script::strategy::prelude::*;
/// #[settings]
/// struct Mine {
///     /// Mine alone.
///     #[serde(default)]
///     patience: u32,
///     /// Those of all strategies.
///     #[serde(flatten)]
///     rules: Rules,
/// }
/// ```
// Not `#[settings]`: whoever flattens it says which keys are unknown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(crate = "::strowger_script::serde", default)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(crate = "::strowger_script::schemars")
)]
pub struct Rules {
    /// How many seconds an agent rings; 20 unless set.
    pub ring: Option<u32>,
    /// As many callers may wait; the next one is refused as full.
    pub max_waiting: Option<u32>,
    /// What becomes of a caller when no agent is signed in, or all are paused.
    pub when_nobody: WhenNobody,
    /// Nobody waits: a caller for whom no agent is free at once is refused.
    pub only_if_free: bool,
    /// A caller who would probably wait longer than so many seconds is refused.
    pub longest_expected: Option<u32>,
    /// What a waiting caller is told, and when.
    pub announce: Option<Announcements>,
    /// Recordings, one after each announcement, in turn: opening hours, offers. Where nothing else is announced they
    /// are heard alone.
    pub messages: Vec<String>,
    /// What a key asks of the queue's script, by a word that the script knows: { "1" = "call-back", "2" =
    /// "voicemail" }.
    pub keys: BTreeMap<String, String>,
}

/// What becomes of a caller when nobody serves the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(crate = "::strowger_script::serde", rename_all = "snake_case")]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(crate = "::strowger_script::schemars")
)]
pub enum WhenNobody {
    /// The caller waits for someone to come.
    #[default]
    Wait,
    /// The caller is refused.
    Refuse,
}

/// When a waiting caller is told the place in line and the wait.
#[derive(Clone, Debug, Deserialize)]
#[serde(crate = "::strowger_script::serde", default, deny_unknown_fields)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(crate = "::strowger_script::schemars")
)]
pub struct Announcements {
    /// Seconds until the first; 0 is at once.
    pub first: u32,
    /// Seconds from one to the next; at least 5, and 0 is once only.
    pub every: u32,
    /// Recordings before everything else: "all-busy".
    pub before: Vec<String>,
    /// The place in line is told.
    pub position: bool,
    /// A recording for whoever is next, in place of the words for the first in line.
    pub next: Option<String>,
    /// The expected wait is told where it is known; not to whoever is next.
    pub wait: bool,
    /// A recording before the length of the wait.
    pub before_wait: String,
    /// Recordings after everything else: "press-1-to-be-called-back".
    pub after: Vec<String>,
}

impl Default for Announcements {
    fn default() -> Self {
        Self {
            first: 15,
            every: 45,
            before: Vec::new(),
            position: true,
            next: None,
            wait: true,
            before_wait: "expected-wait".to_owned(),
            after: Vec::new(),
        }
    }
}

impl Rules {
    /// How long an agent rings.
    pub fn ring(&self) -> Duration {
        self.ring.map_or(RING_FOR, |seconds| Duration::from_secs(seconds.into()))
    }

    /// Whether a caller may wait. `who` may stand in the snapshot already, and does not count among those who wait.
    pub fn admit(&self, now: &Snapshot, who: &Waiting) -> Admission {
        if let Some(most) = self.max_waiting {
            let me = who.id();
            let others = now.callers().iter().filter(|caller| caller.id() != me).count();
            if others >= most as usize {
                return Admission::Full;
            }
        }
        let wanted = who.skills();
        if self.when_nobody == WhenNobody::Refuse {
            let serves = |agent: &super::Agent| agent.serving() && agent.has(wanted);
            if !now.agents().iter().any(serves) {
                return Admission::Nobody;
            }
        }
        if self.only_if_free {
            let free = now.free_agents().iter().filter(|agent| agent.has(wanted)).count();
            // Whoever came before takes a free agent first.
            let me = who.id();
            let before = now.in_line(free + 1).iter().filter(|caller| caller.id() != me).count();
            if free <= before {
                return Admission::Nobody;
            }
        }
        if let Some((longest, expected)) = self.longest_expected.zip(who.expected())
            && expected > Duration::from_secs(longest.into())
        {
            return Admission::TooLong(expected);
        }
        Admission::ComeIn
    }

    /// What a caller is told now. `said`: since this was asked last; zero the first time.
    pub fn announce(&self, who: &Waiting, said: Duration) -> Announcement {
        let plain;
        let how = match &self.announce {
            Some(how) => how,
            None if self.messages.is_empty() => return Announcement::default(),
            None => {
                plain = Announcements { position: false, wait: false, ..Announcements::default() };
                &plain
            }
        };
        let waited = who.waited();
        let told = if said.is_zero() { 0 } else { how.moments(waited.saturating_sub(said)) };
        let due = how.moments(waited);
        let say = if due > told { self.words(how, who, due - 1) } else { Vec::new() };
        let again = how.moment(due).map(|next| next.saturating_sub(waited));
        Announcement { say, again }
    }

    /// The announcement of this number; the first is 0.
    fn words(&self, how: &Announcements, who: &Waiting, number: u32) -> Vec<Prompt> {
        let mut say: Vec<Prompt> = how.before.iter().map(Prompt::from).collect();
        let place = if how.position || how.wait { who.position() } else { 0 };
        match &how.next {
            Some(next) if how.position && place == 1 => say.push(next.into()),
            _ if how.position => say.push(Prompt::Position(place)),
            _ => {}
        }
        // The estimate means little to whoever is next: it ends with the first conversation that does.
        if how.wait
            && place > 1
            && let Some(expected) = who.expected()
        {
            say.extend([Prompt::from(&how.before_wait), Prompt::Duration(millis(expected))]);
        }
        say.extend(how.after.iter().map(Prompt::from));
        if !self.messages.is_empty() {
            say.push((&self.messages[number as usize % self.messages.len()]).into());
        }
        say
    }

    /// What a key does.
    pub fn on_digit(&self, key: char) -> KeyAction {
        match self.keys.get(key.encode_utf8(&mut [0; 4]) as &str) {
            Some(word) => KeyAction::Ask(word.clone()),
            None => KeyAction::Pass,
        }
    }
}

impl Announcements {
    /// How many moments there have been for one after so long a wait.
    fn moments(&self, waited: Duration) -> u32 {
        let Some(since) = (waited + SLACK).checked_sub(Duration::from_secs(self.first.into())) else {
            return 0;
        };
        match self.pause() {
            Some(pause) => u32::try_from(since.as_millis() / pause.as_millis()).map_or(u32::MAX, |n| n + 1),
            None => 1,
        }
    }

    /// When the announcement of this number is due; the first is 0.
    fn moment(&self, number: u32) -> Option<Duration> {
        let first = Duration::from_secs(self.first.into());
        match (number, self.pause()) {
            (0, _) => Some(first),
            (_, Some(pause)) => Some(first.saturating_add(pause.saturating_mul(number))),
            (_, None) => None,
        }
    }

    fn pause(&self) -> Option<Duration> {
        let pause = Duration::from_secs(self.every.into());
        (!pause.is_zero()).then(|| pause.max(SHORTEST_PAUSE))
    }
}
