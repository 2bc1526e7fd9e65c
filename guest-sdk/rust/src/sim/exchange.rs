//! The imports of `wit/`, simulated: every verb as the interface promises it, on the world of this thread's call.

use super::world::{CALLER, FOR_EVER, KEY_INTERVAL, Passed, Percept, REACTION, World, with};
use crate::clock::LocalTime;
use crate::directory::User;
use crate::host::{DialOptions, GatherOptions, Stage};
use crate::log::Level;
use crate::words::{BridgeEnd, Direction, EndOfDigits, Failure, Gathered, Party, Prompt, Recorded, Result};
use jiff::tz::TimeZone;
use std::time::Duration;

/// One key sent, and the pause of a ",".
const KEY_SENT: Duration = Duration::from_millis(200);
const PAUSE_SENT: Duration = Duration::from_millis(500);
/// How long whoever a telephone asks for rings.
const TRANSFER_RING: Duration = Duration::from_secs(20);
/// Marks of a call: how many, the longest key, the longest value.
const TAGS: (usize, usize, usize) = (32, 64, 256);
/// The longest value in the tenant's memory, and the longest key.
const VALUE: usize = 64 * 1024;
const KEY: usize = 256;

/// A leg's handle: its number in the world.
pub struct LegHandle(pub(crate) usize);

impl LegHandle {
    pub(crate) fn party(&self) -> Party {
        with(|world| world.legs[self.0].party.clone())
    }

    pub(crate) fn dialled(&self) -> String {
        with(
            |world| {
                if self.0 == CALLER { world.dialled.clone() } else { world.legs[self.0].party.number.clone() }
            },
        )
    }

    pub(crate) fn direction(&self) -> Direction {
        with(|world| match (self.0, &world.legs[self.0].user) {
            (CALLER, Some(_)) => Direction::Internal,
            (CALLER, None) => Direction::Inbound,
            _ => Direction::Outbound,
        })
    }

    pub(crate) fn user(&self) -> Option<String> {
        with(|world| world.legs[self.0].user.clone())
    }

    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        with(|world| {
            let headers = if self.0 == CALLER { world.headers.as_slice() } else { &[] };
            let named = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.clone()).collect()
        })
    }

    pub(crate) fn language(&self) -> String {
        with(|world| world.language.clone())
    }

    pub(crate) fn set_language(&self, tag: &str) -> Result {
        if tag.is_empty() {
            return Err(Failure::Invalid("language: an empty tag".to_owned()));
        }
        with(|world| tag.clone_into(&mut world.language));
        Ok(())
    }

    pub(crate) fn ring(&self, early: Option<&Prompt>) -> Result {
        self.alive(|world| {
            world.perceive(early.map_or(Percept::Ringing, |prompt| Percept::Sound(prompt.clone())));
            Ok(())
        })
    }

    pub(crate) fn answer(&self) -> Result {
        self.alive(|world| {
            world.answer();
            Ok(())
        })
    }

    pub(crate) fn reject(&self, status: u16, reason: &str) -> Result {
        self.alive(|world| {
            if world.answered_at.is_some() || self.0 != CALLER {
                return Err(Failure::Invalid("reject: the leg is answered".to_owned()));
            }
            if !(300..700).contains(&status) {
                return Err(Failure::Invalid(format!("status: {status} is not 300 to 699")));
            }
            world.rejected = Some(status);
            if !reason.is_empty() {
                world.note(format!("reason: {reason}"));
            }
            world.perceive(Percept::Rejected(status));
            world.legs[CALLER].alive = false;
            Ok(())
        })
    }

    pub(crate) fn play(&self, what: &[Prompt], cut_by_key: bool) -> Result {
        if self.0 != CALLER {
            return self.there(|world| world.play_beside(self.0, what));
        }
        self.alive(|world| match world.play(what, cut_by_key) {
            Passed::CallerLeft => Err(Failure::HungUp),
            Passed::TimeUp | Passed::Key => Ok(()),
        })
    }

    pub(crate) fn gather(&self, how: GatherOptions) -> Result<Gathered> {
        if !(1..=32).contains(&how.most) {
            return Err(Failure::Invalid(format!("most: {} is not 1 to 32", how.most)));
        }
        if self.0 != CALLER {
            return self.there(|world| world.gather_beside(self.0, how));
        }
        self.alive(|world| world.gather(how))
    }

    pub(crate) fn record_message(&self, most: Duration, silence: Duration) -> Result<Recorded> {
        self.alive(|world| {
            let begin = world.now;
            world.note("a message is being recorded");
            loop {
                let quiet_from = world.plan.speaks_until().max(begin);
                let end = (begin + most).min(quiet_from + silence);
                let passed = world.pass(end, true);
                let still_speaking = world.plan.speaks_until().max(begin) + silence > world.now;
                match passed {
                    Passed::TimeUp if world.now < begin + most && still_speaking => {}
                    Passed::Key => {
                        world.keys.pop_front();
                        break;
                    }
                    Passed::TimeUp => break,
                    // What was said until then is kept.
                    Passed::CallerLeft => {
                        world.new_recording();
                        world.message_left = true;
                        return Err(Failure::HungUp);
                    }
                }
            }
            let id = world.new_recording();
            world.message_left = true;
            Ok(Recorded { id, length: world.now - begin })
        })
    }

    pub(crate) fn start_recording(&self) -> Result<String> {
        self.alive(|world| Ok(world.new_recording()))
    }

    pub(crate) fn stop_recording(&self) -> Result {
        self.alive(|_| Ok(()))
    }

    pub(crate) fn pause_recording(&self) -> Result {
        self.alive(|world| {
            world.note("the recording pauses");
            Ok(())
        })
    }

    pub(crate) fn resume_recording(&self) -> Result {
        self.alive(|world| {
            world.note("the recording goes on");
            Ok(())
        })
    }

    pub(crate) fn send_digits(&self, digits: &str) -> Result {
        if let Some(wrong) = digits.chars().find(|key| !"0123456789*#ABCD,".contains(*key)) {
            return Err(Failure::Invalid(format!("digits: {wrong:?} is no key")));
        }
        self.alive(|world| {
            self.up(world)?;
            world.note(format!("{} is sent {digits}", world.legs[self.0].label));
            let length =
                digits.chars().map(|key| if key == ',' { PAUSE_SENT } else { KEY_SENT }).sum::<Duration>();
            not_left(world.pass(world.now + length, false))
        })
    }

    pub(crate) fn hold(&self, hears: &Prompt) -> Result {
        self.alive(|world| {
            self.up(world)?;
            if self.0 == CALLER {
                world.perceive(Percept::Sound(hears.clone()));
            }
            Ok(())
        })
    }

    pub(crate) fn resume(&self) -> Result {
        self.alive(|_| Ok(()))
    }

    pub(crate) fn hang_up(&self, _cause: u16) {
        with(|world| {
            if std::mem::replace(&mut world.legs[self.0].alive, false) {
                match self.0 {
                    CALLER => world.perceive(Percept::HungUp),
                    other => world.note(format!("{} is hung up", world.legs[other].label)),
                }
            }
        })
    }

    fn up(&self, world: &World) -> Result {
        if self.0 == CALLER && world.answered_at.is_none() {
            return Err(Failure::Invalid("leg: not answered".to_owned()));
        }
        Ok(())
    }

    /// Does something with a leg that is there, in a call whose caller is.
    fn alive<T>(&self, what: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        self.there(|world| if world.legs[CALLER].alive { what(world) } else { Err(Failure::HungUp) })
    }

    /// Does something with a leg that is there, whether the caller is or not.
    fn there<T>(&self, what: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        with(|world| {
            let leg = &mut world.legs[self.0];
            leg.alive &= leg.hangs_up_at.is_none_or(|at| at > world.now);
            if leg.alive { what(world) } else { Err(Failure::HungUp) }
        })
    }
}

fn not_left(passed: Passed) -> Result {
    if passed == Passed::CallerLeft { Err(Failure::HungUp) } else { Ok(()) }
}

impl World {
    fn answer(&mut self) {
        if self.answered_at.is_none() {
            self.answered_at = Some(self.now);
            self.perceive(Percept::Answered);
        }
    }

    /// Plays to the caller until the end, or a key if keys cut it; music has no end.
    fn play(&mut self, what: &[Prompt], cut_by_key: bool) -> Passed {
        for prompt in what {
            if cut_by_key && !self.keys.is_empty() {
                return Passed::Key;
            }
            // An agent who answers for the caller's place in a queue ends the playing.
            let agent_at = self.agent_at().unwrap_or(FOR_EVER);
            if agent_at <= self.now {
                return Passed::TimeUp;
            }
            self.perceive(Percept::Sound(prompt.clone()));
            let end = self.length(prompt).map_or(FOR_EVER, |length| self.now + length);
            let passed = self.pass(end.min(agent_at), cut_by_key);
            self.quiet();
            if passed != Passed::TimeUp {
                return passed;
            }
        }
        Passed::TimeUp
    }

    /// Plays to whoever else is on the call.
    fn play_beside(&mut self, leg: usize, what: &[Prompt]) -> Result {
        let length = self.length_of(what);
        self.pass_beside(leg, self.now.saturating_add(length))
    }

    fn length_of(&self, what: &[Prompt]) -> Duration {
        let each = what.iter().map(|prompt| self.length(prompt).unwrap_or(FOR_EVER));
        each.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Asks whoever else is on the call for keys.
    fn gather_beside(&mut self, leg: usize, how: GatherOptions) -> Result<Gathered> {
        let mut digits = String::new();
        let mut until = self.now.saturating_add(self.length_of(&how.prompts)).saturating_add(how.first);
        let mut next = self.now + REACTION;
        loop {
            let key = self.legs[leg].presses.front().copied().filter(|_| next <= until);
            self.pass_beside(leg, key.map_or(until, |_| next))?;
            let Some(key) = key else { return Ok(Gathered { digits, ended: EndOfDigits::TimeOut }) };
            self.legs[leg].presses.pop_front();
            self.note(format!("{} presses {key}", self.legs[leg].label));
            if how.terminator == Some(key) {
                return Ok(Gathered { digits, ended: EndOfDigits::Terminator });
            }
            digits.push(key);
            if digits.len() == usize::from(how.most) {
                return Ok(Gathered { digits, ended: EndOfDigits::Enough });
            }
            until = self.now.saturating_add(how.between);
            next = self.now + KEY_INTERVAL;
        }
    }

    fn gather(&mut self, how: GatherOptions) -> Result<Gathered> {
        // A key pressed ahead leaves nothing of the prompts to be heard.
        if self.keys.is_empty() {
            not_left(self.play(&how.prompts, true))?;
        }
        let mut digits = String::new();
        let mut until = self.now.saturating_add(how.first);
        loop {
            match self.pass(until.min(self.agent_at().unwrap_or(FOR_EVER)), true) {
                Passed::CallerLeft => return Err(Failure::HungUp),
                Passed::TimeUp => return Ok(Gathered { digits, ended: EndOfDigits::TimeOut }),
                Passed::Key => {}
            }
            let key = self.keys.pop_front().expect("a key ended the waiting");
            if how.terminator == Some(key) {
                return Ok(Gathered { digits, ended: EndOfDigits::Terminator });
            }
            digits.push(key);
            if digits.len() == usize::from(how.most) {
                return Ok(Gathered { digits, ended: EndOfDigits::Enough });
            }
            until = self.now.saturating_add(how.between);
        }
    }

    fn new_recording(&mut self) -> String {
        let id = format!("recording-{}", self.recordings.len() + 1);
        self.recordings.push(id.clone());
        id
    }
}

pub(crate) fn dial(stages: Vec<Stage>, how: DialOptions) -> Result<LegHandle> {
    with(|world| {
        if !world.legs[CALLER].alive {
            return Err(Failure::HungUp);
        }
        world.dial(stages, how).map(LegHandle)
    })
}

pub(crate) use super::moves::{TransferHandle, park, pick_up, retrieve, talk, transferred_by};

/// Transfers are carried out as asked.
pub(crate) fn bridge(a: &LegHandle, b: &LegHandle, keys: &str) -> Result<BridgeEnd> {
    loop {
        match converse(a, b, keys)? {
            Some(end) => return Ok(end),
            None => _ = TransferHandle::asked(b).carry_out(None, TRANSFER_RING),
        }
    }
}

/// Both talk; none when one of them asks to be replaced.
pub(crate) fn converse(a: &LegHandle, b: &LegHandle, keys: &str) -> Result<Option<BridgeEnd>> {
    b.alive(|_| Ok(()))?;
    a.alive(|world| {
        world.wish = None;
        if a.0 == CALLER || b.0 == CALLER {
            world.answer();
        }
        let other = &world.legs[if a.0 == CALLER { b.0 } else { a.0 }];
        let with = other.user.clone().unwrap_or_else(|| other.label.clone());
        let ahead = world.keys.iter().position(|key| keys.contains(*key));
        let mut pressed_ahead = std::mem::take(&mut world.keys);
        world.talked_from.get_or_insert(world.now);
        world.silent_since = None;
        if a.0 == b.0 {
            world.perceive(Percept::Itself);
        } else {
            world.answered_by.get_or_insert_with(|| with.clone());
            world.perceive(Percept::Talk(with));
        }
        let first_end = |world: &World| {
            let ends = [a.0, b.0].into_iter().filter_map(|leg| world.legs[leg].hangs_up_at);
            let wishes =
                [a.0, b.0].into_iter().filter_map(|leg| Some(world.legs[leg].transfers_at.as_ref()?.0));
            ends.chain(wishes).min().unwrap_or(FOR_EVER)
        };
        let ended = loop {
            if let Some(key) = ahead.and_then(|at| pressed_ahead.remove(at)) {
                break BridgeEnd::Digit(key);
            }
            match world.pass(first_end(world), true) {
                Passed::CallerLeft if b.0 == CALLER && a.0 != CALLER => break BridgeEnd::BHungUp,
                Passed::CallerLeft => break BridgeEnd::AHungUp,
                // A key that nobody listens for goes to the other side.
                Passed::Key => match world.keys.pop_front() {
                    Some(key) if keys.contains(key) => break BridgeEnd::Digit(key),
                    _ => {}
                },
                Passed::TimeUp if world.take_wish(&[a.0, b.0]) => {
                    world.keys = pressed_ahead;
                    world.quiet();
                    return Ok(None);
                }
                Passed::TimeUp => {
                    let is_over = |leg: usize| world.legs[leg].hangs_up_at.is_some_and(|at| at <= world.now);
                    let gone = if is_over(a.0) { a.0 } else { b.0 };
                    world.legs[gone].alive = false;
                    world.note(format!("{} hangs up", world.legs[gone].label));
                    break if gone == a.0 { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp };
                }
            }
        };
        world.keys = pressed_ahead;
        world.silent_since = Some(world.now);
        world.quiet();
        Ok(Some(ended))
    })
}

pub(crate) fn tag(key: &str, value: &str) -> Result {
    with(|world| {
        if key.is_empty() || key.len() > TAGS.1 || value.len() > TAGS.2 {
            return Err(Failure::Invalid(format!(
                "tag: the key has 1 to {} bytes, the value {}",
                TAGS.1, TAGS.2
            )));
        }
        if world.tags.len() == TAGS.0 && !world.tags.iter().any(|(known, _)| known == key) {
            return Err(Failure::Limit("tags".to_owned()));
        }
        world.tags.retain(|(known, _)| known != key);
        world.tags.push((key.to_owned(), value.to_owned()));
        Ok(())
    })
}

pub(crate) fn hand_over(script: &str, settings: &str) -> Result {
    with(|world| world.handed_over = Some((script.to_owned(), settings.to_owned())));
    Ok(())
}

pub(crate) fn find_user(name_or_number: &str) -> Option<User> {
    with(|world| world.find(name_or_number).map(|user| seen(world, user)))
}

pub(crate) fn group(name: &str) -> Vec<User> {
    with(|world| {
        let members = world.users.iter().filter(|user| user.groups.iter().any(|group| group == name));
        members.map(|user| seen(world, user)).collect()
    })
}

/// A user as a script sees them now.
pub(super) fn seen(world: &World, user: &super::User) -> User {
    User {
        name: user.name.clone(),
        number: user.number.clone(),
        mobile: user.mobile.clone(),
        presence: world.presence(user),
        skills: user.skills.clone(),
    }
}

pub(crate) fn now() -> f64 {
    with(|world| world.started + world.now.as_secs_f64())
}

pub(crate) fn local_time() -> LocalTime {
    with(|world| wall_clock(world, world.zone.clone()))
}

pub(crate) fn time_in(zone: &str) -> Option<LocalTime> {
    with(|world| Some(wall_clock(world, TimeZone::get(zone).ok()?)))
}

fn wall_clock(world: &World, zone: TimeZone) -> LocalTime {
    let time = world.wall_clock(zone);
    LocalTime {
        year: time.year().into(),
        month: time.month().unsigned_abs(),
        day: time.day().unsigned_abs(),
        weekday: time.weekday().to_monday_one_offset().unsigned_abs(),
        hour: time.hour().unsigned_abs(),
        minute: time.minute().unsigned_abs(),
        second: time.second().unsigned_abs(),
        offset_minutes: time.offset().seconds() / 60,
    }
}

pub(crate) fn random(below: u32) -> u32 {
    with(|world| {
        // xorshift32: the same chances in every run of a test.
        world.chance ^= world.chance << 13;
        world.chance ^= world.chance >> 17;
        world.chance ^= world.chance << 5;
        world.chance.checked_rem(below).unwrap_or(0)
    })
}

pub(crate) fn sleep(length: Duration) -> Result {
    with(|world| not_left(world.pass(world.now + length, false)))
}

pub(crate) fn settings() -> String {
    with(|world| world.settings.clone())
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    check_key(key)?;
    with(|world| {
        let now = world.now;
        world.kept.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        Ok(world.kept.get(key).map(|(value, _)| value.clone()))
    })
}

pub(crate) fn kv_set(key: &str, value: &[u8], keep_seconds: Option<u32>) -> Result {
    check_key(key)?;
    if value.len() > VALUE {
        return Err(Failure::Limit("kv value".to_owned()));
    }
    with(|world| {
        let until = keep_seconds.map(|seconds| world.now + Duration::from_secs(seconds.into()));
        world.kept.insert(key.to_owned(), (value.to_vec(), until));
        Ok(())
    })
}

pub(crate) fn kv_swap(key: &str, was: Option<&[u8]>, value: &[u8]) -> Result<bool> {
    if kv_get(key)?.as_deref() != was {
        return Ok(false);
    }
    kv_set(key, value, None)?;
    Ok(true)
}

pub(crate) fn kv_add(key: &str, amount: i32) -> Result<i32> {
    let not_a_number = || Failure::Invalid(format!("{key}: not a number"));
    let before = match kv_get(key)? {
        Some(value) => {
            std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).ok_or_else(not_a_number)?
        }
        None => 0i32,
    };
    let sum = before.checked_add(amount).ok_or_else(|| Failure::Limit("kv number".to_owned()))?;
    kv_set(key, sum.to_string().as_bytes(), None)?;
    Ok(sum)
}

pub(crate) fn kv_delete(key: &str) -> Result {
    check_key(key)?;
    with(|world| world.kept.remove(key));
    Ok(())
}

fn check_key(key: &str) -> Result {
    if key.is_empty() || key.len() > KEY {
        return Err(Failure::Invalid(format!("key: {} bytes, not 1 to {KEY}", key.len())));
    }
    Ok(())
}

pub(crate) fn notify(to: &str, text: &str, _facts: &[(&str, &str)]) -> Result<String> {
    with(|world| {
        let to = if to.is_empty() { "everyone" } else { to };
        world.note(format!("notify {to}: {}", text.lines().next().unwrap_or_default()));
        Ok("simulated-letter".to_owned())
    })
}

pub(crate) fn log(level: Level, message: &str) {
    with(|world| {
        world.note(format!("log {level:?}: {message}").replace("log Info: ", "log: "));
        world.log.push(message.to_owned());
    })
}
