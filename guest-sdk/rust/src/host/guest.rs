//! The imports of `wit/`, in a component.
//!
//! The types of its `types` interface are our own (`with` below); the few that belong to one function are turned into
//! ours here.

use super::{DialOptions, GatherOptions, Stage};
use crate::clock::LocalTime;
use crate::directory::{Presence, User};
use crate::ended::Outcome;
use crate::log::Level;
use crate::transfer::{TalkEnd, Transfer};
use crate::words::{
    BridgeEnd, Direction, EndOfDigits, Gathered, Party, Prompt, Recorded, Result, Target, millis,
};
use std::time::Duration;

#[allow(missing_docs, unsafe_code, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "call-script",
        pub_export_macro: true,
        export_macro_name: "export_call_script",
        default_bindings_module: "strowger_script::entry::bindings",
        runtime_path: "::wit_bindgen::rt",
        with: { "strowger:script/types@0.1.1": crate::host::types },
    });
}

use bindings::strowger::script as wit;

/// The interface's `types`, which are ours.
pub mod types {
    pub use crate::words::{AgentState, Failure, Party, Prompt, Target};
    pub type Millis = u32;
    pub type Instant = f64;
}

/// A leg's handle.
pub struct LegHandle(pub(crate) wit::call::Leg);

impl LegHandle {
    pub(crate) fn party(&self) -> Party {
        self.0.party()
    }
    pub(crate) fn dialled(&self) -> String {
        self.0.dialled()
    }
    pub(crate) fn direction(&self) -> Direction {
        match self.0.direction() {
            wit::call::Direction::Inbound => Direction::Inbound,
            wit::call::Direction::Outbound => Direction::Outbound,
            wit::call::Direction::Internal => Direction::Internal,
        }
    }
    pub(crate) fn user(&self) -> Option<String> {
        self.0.user()
    }
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        self.0.header(name)
    }
    pub(crate) fn language(&self) -> String {
        self.0.language()
    }
    pub(crate) fn set_language(&self, tag: &str) -> Result {
        self.0.set_language(tag)
    }
    pub(crate) fn ring(&self, early: Option<&Prompt>) -> Result {
        self.0.ring(early)
    }
    pub(crate) fn answer(&self) -> Result {
        self.0.answer()
    }
    pub(crate) fn reject(&self, status: u16, reason: &str) -> Result {
        self.0.reject(status, reason)
    }
    pub(crate) fn play(&self, what: &[Prompt], cut_by_key: bool) -> Result {
        self.0.play(what, cut_by_key)
    }
    pub(crate) fn gather(&self, how: GatherOptions) -> Result<Gathered> {
        let gathered = self.0.gather(&wit::call::GatherOptions {
            prompts: how.prompts,
            most: how.most,
            terminator: how.terminator,
            first: millis(how.first),
            between: millis(how.between),
        })?;
        let ended = match gathered.ended {
            wit::call::EndOfDigits::Enough => EndOfDigits::Enough,
            wit::call::EndOfDigits::Terminator => EndOfDigits::Terminator,
            wit::call::EndOfDigits::TimeOut => EndOfDigits::TimeOut,
        };
        Ok(Gathered { digits: gathered.digits, ended })
    }
    pub(crate) fn record_message(&self, most: Duration, silence: Duration) -> Result<Recorded> {
        let made = self.0.record_message(millis(most), millis(silence))?;
        Ok(Recorded { id: made.id, length: Duration::from_millis(made.length.into()) })
    }
    pub(crate) fn start_recording(&self) -> Result<String> {
        self.0.start_recording()
    }
    pub(crate) fn stop_recording(&self) -> Result {
        self.0.stop_recording()
    }
    pub(crate) fn pause_recording(&self) -> Result {
        self.0.pause_recording()
    }
    pub(crate) fn resume_recording(&self) -> Result {
        self.0.resume_recording()
    }
    pub(crate) fn send_digits(&self, digits: &str) -> Result {
        self.0.send_digits(digits)
    }
    pub(crate) fn hold(&self, hears: &Prompt) -> Result {
        self.0.hold(hears)
    }
    pub(crate) fn resume(&self) -> Result {
        self.0.resume()
    }
    pub(crate) fn hang_up(&self, cause: u16) {
        self.0.hang_up(cause)
    }
}

pub(crate) fn dial(stages: Vec<Stage>, how: DialOptions) -> Result<LegHandle> {
    let stages: Vec<_> = stages
        .into_iter()
        .map(|stage| wit::call::Stage { after: millis(stage.after), targets: stage.targets })
        .collect();
    let options = wit::call::DialOptions {
        timeout: millis(how.timeout),
        ringback: how.ringback,
        present: how.present,
        skip_busy: how.skip_busy,
    };
    wit::call::dial(&stages, &options).map(LegHandle)
}

pub(crate) fn bridge(a: &LegHandle, b: &LegHandle, keys: &str) -> Result<BridgeEnd> {
    Ok(match wit::call::bridge(&a.0, &b.0, keys)? {
        wit::call::BridgeEnd::AHungUp => BridgeEnd::AHungUp,
        wit::call::BridgeEnd::BHungUp => BridgeEnd::BHungUp,
        wit::call::BridgeEnd::Digit(key) => BridgeEnd::Digit(key),
        wit::call::BridgeEnd::Other(why) => BridgeEnd::Other(why),
    })
}

pub(crate) fn talk(a: &LegHandle, b: &LegHandle, keys: &str) -> Result<TalkEnd> {
    Ok(match wit::call::talk(&a.0, &b.0, keys)? {
        wit::call::TalkEnd::AHungUp => TalkEnd::AHungUp,
        wit::call::TalkEnd::BHungUp => TalkEnd::BHungUp,
        wit::call::TalkEnd::Digit(key) => TalkEnd::Digit(key),
        wit::call::TalkEnd::Transfer(wish) => TalkEnd::Transfer(Transfer(TransferHandle(wish))),
        wit::call::TalkEnd::Other(why) => TalkEnd::Other(why),
    })
}

/// A transfer's handle.
#[derive(Debug)]
pub struct TransferHandle(wit::call::Transfer);

impl TransferHandle {
    pub(crate) fn by_b(&self) -> bool {
        self.0.by_b()
    }
    pub(crate) fn to(&self) -> Target {
        self.0.to()
    }
    pub(crate) fn attended(&self) -> bool {
        self.0.attended()
    }
    pub(crate) fn carry_out(&self, to: Option<&Target>, ring: Duration) -> Result {
        self.0.carry_out(to, millis(ring))
    }
    pub(crate) fn refuse(&self, status: u16) -> Result {
        self.0.refuse(status)
    }
}

pub(crate) fn transferred_by() -> Option<String> {
    wit::call::transferred_by()
}

pub(crate) fn park(leg: &LegHandle, slot: &str, most: Duration, hears: &Prompt) -> Result<LegHandle> {
    wit::call::park(&leg.0, slot, millis(most), hears).map(LegHandle)
}

pub(crate) fn retrieve(slot: &str) -> Result {
    wit::call::retrieve(slot)
}

pub(crate) fn pick_up(user: &str) -> Result {
    wit::call::pick_up(user)
}

pub(crate) fn tag(key: &str, value: &str) -> Result {
    wit::call::tag(key, value)
}

pub(crate) fn hand_over(script: &str, settings: &str) -> Result {
    wit::call::hand_over(script, settings)
}

pub(crate) fn find_user(name_or_number: &str) -> Option<User> {
    wit::directory::find(name_or_number).map(user)
}

pub(crate) fn group(name: &str) -> Vec<User> {
    wit::directory::group(name).into_iter().map(user).collect()
}

pub(crate) fn last_spoke_with(number: &str, days: u32) -> Option<User> {
    wit::directory::last_spoke_with(number, days).map(user)
}

pub(crate) fn conversations(number: &str, days: u32) -> u32 {
    wit::directory::conversations(number, days)
}

fn user(handle: wit::directory::User) -> User {
    User {
        name: handle.name(),
        number: handle.number(),
        mobile: handle.mobile(),
        presence: match handle.presence() {
            wit::directory::Presence::Offline => Presence::Offline,
            wit::directory::Presence::Free => Presence::Free,
            wit::directory::Presence::Ringing => Presence::Ringing,
            wit::directory::Presence::Busy => Presence::Busy,
        },
        skills: handle.skills(),
    }
}

pub(crate) fn now() -> f64 {
    wit::clock::now()
}

pub(crate) fn local_time() -> LocalTime {
    local(wit::clock::local_time())
}

pub(crate) fn time_in(zone: &str) -> Option<LocalTime> {
    wit::clock::time_in(zone).map(local)
}

fn local(time: wit::clock::Local) -> LocalTime {
    LocalTime {
        year: time.year,
        month: time.month,
        day: time.day,
        weekday: time.weekday,
        hour: time.hour,
        minute: time.minute,
        second: time.second,
        offset_minutes: time.offset_minutes,
    }
}

pub(crate) fn scheme(calendar: &str) -> Option<String> {
    wit::clock::scheme(calendar)
}

pub(crate) fn random(below: u32) -> u32 {
    wit::clock::random(below)
}

pub(crate) fn sleep(length: Duration) -> Result {
    wit::clock::sleep(millis(length))
}

pub(crate) fn settings() -> String {
    wit::settings::get()
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    wit::kv::get(key)
}

pub(crate) fn kv_set(key: &str, value: &[u8], keep_seconds: Option<u32>) -> Result {
    wit::kv::set(key, value, keep_seconds)
}

pub(crate) fn kv_swap(key: &str, was: Option<&[u8]>, value: &[u8]) -> Result<bool> {
    wit::kv::swap(key, was, value)
}

pub(crate) fn kv_add(key: &str, amount: i32) -> Result<i32> {
    wit::kv::add(key, amount)
}

pub(crate) fn kv_delete(key: &str) -> Result {
    wit::kv::delete(key)
}

pub(crate) fn notify(to: &str, text: &str, facts: &[(&str, &str)]) -> Result<String> {
    let facts: Vec<_> = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    wit::notify::send(to, text, &facts)
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => wit::log::Level::Debug,
        Level::Info => wit::log::Level::Info,
        Level::Warn => wit::log::Level::Warn,
        Level::Error => wit::log::Level::Error,
    };
    wit::log::write(level, message)
}

pub(crate) fn record(handle: wit::ended::CallRecord) -> crate::ended::CallRecord {
    let length = |millis: u32| Duration::from_millis(millis.into());
    crate::ended::CallRecord {
        id: handle.id(),
        caller: handle.caller(),
        dialled: handle.dialled(),
        started: handle.started(),
        waited: length(handle.waited()),
        talked: length(handle.talked()),
        answered_by: handle.answered_by(),
        outcome: match handle.outcome() {
            wit::ended::Outcome::Answered => Outcome::Answered,
            wit::ended::Outcome::Missed => Outcome::Missed,
            wit::ended::Outcome::Abandoned => Outcome::Abandoned,
            wit::ended::Outcome::Voicemail => Outcome::Voicemail,
            wit::ended::Outcome::Rejected => Outcome::Rejected,
            wit::ended::Outcome::Failed => Outcome::Failed,
        },
        recordings: handle.recordings(),
        tags: handle.tags(),
    }
}

/// A panic becomes a trap, which has no words: they go to the script's log first.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
}
