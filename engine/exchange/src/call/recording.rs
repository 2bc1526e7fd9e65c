//! What is recorded of a call: conversations as the tenant, a script or a person wishes, paused while a card number is
//! said, and messages that callers leave. Where the files lie and how long they stay is the server's affair.

use std::time::Duration;

use super::{Around, Call, Pending};
use crate::directory::Conversation;
use crate::effect::{Effect, MessageLeft, Sound};
use crate::leg::Tap;
use crate::verb::{Failure, LegNo};

/// The mark that names the box of a message.
const BOX: &str = "box";
/// The mark of a call in which what is recorded is no message: a box's owner speaks.
const GREETING: &str = "greeting";
/// The mark that says until when its caller is to be called back.
const CALL_BACK_BY: &str = "call-back-by";
/// Keys that are remembered of someone who talks; no code is longer.
const MOST_TYPED: usize = 8;

impl Call {
    /// Two begin to talk: they are recorded if the tenant wishes so, and hear that they are.
    pub(super) fn record_as_wished(&mut self, a: LegNo, b: LegNo, around: &mut Around) {
        if a == b || [a, b].iter().any(|no| self.leg(*no).tap.is_some()) {
            return;
        }
        let served = [a, b].into_iter().find_map(|no| self.leg(no).served.as_ref());
        let queue = served.map(|served| served.queue.as_str()).or_else(|| self.queue_joined());
        let users = [a, b].map(|no| self.leg(no).info.user.as_deref());
        let of = Conversation { dialled: &self.dialled_number, queue, users };
        let Some(plan) = around.directory.recording(&self.tenant, &of) else { return };
        self.start_tap(a, false, around);
        if let Some(prompt) = plan.announce.filter(|_| !self.announced) {
            self.announced = true;
            for no in [a, b] {
                self.play(no, vec![prompt.clone()], false, false, around);
            }
        }
    }

    /// Records a leg and whoever it talks with from here on; answers the recording's name, also of one that runs.
    pub(super) fn start_tap(&mut self, no: LegNo, paused: bool, around: &mut Around) -> String {
        if let Some(tap) = &self.leg(no).tap {
            return tap.name.clone();
        }
        let name = format!("{}-{}", self.id, self.recordings.len() + 1);
        let leg = &mut self.legs[no.0 as usize];
        leg.tap = Some(Tap { name: name.clone(), paused: false });
        around.out.push(Effect::Sound(leg.key, Sound::Tap { name: name.clone() }));
        self.recordings.push(name.clone());
        self.note("recording.started", no, name.clone(), around);
        self.pause_tap(no, paused, around);
        name
    }

    pub(super) fn end_tap(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if leg.tap.take().is_some() {
            around.out.push(Effect::Sound(leg.key, Sound::Untap));
        }
    }

    pub(super) fn pause_tap(&mut self, no: LegNo, paused: bool, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        let Some(tap) = leg.tap.as_mut().filter(|tap| tap.paused != paused) else { return };
        tap.paused = paused;
        let name = tap.name.clone();
        around.out.push(Effect::Sound(leg.key, Sound::PauseTap(paused)));
        let kind = if paused { "recording.paused" } else { "recording.resumed" };
        self.note(kind, no, name, around);
    }

    /// Somebody outside of the call wants what is said left out, or recorded again.
    ///
    /// # Errors
    /// `Invalid`: nothing is recorded now.
    pub fn pause_recordings(&mut self, paused: bool, around: &mut Around) -> Result<(), Failure> {
        let recorded = self.recorded();
        recorded.iter().for_each(|no| self.pause_tap(*no, paused, around));
        if recorded.is_empty() { Err(Failure::Invalid("nothing is recorded now".into())) } else { Ok(()) }
    }

    /// A key of a user who talks may be the last of those that pause a recording.
    pub(super) fn handle_typed(&mut self, no: LegNo, key: char, around: &mut Around) {
        let talks = matches!(&self.pending, Some(Pending::Bridge { a, b, .. }) if no == *a || no == *b);
        let recorded = self.recorded();
        if !talks || recorded.is_empty() || self.leg(no).info.user.is_none() {
            return;
        }
        let Some(code) = around.directory.pause_keys(&self.tenant) else { return };
        let mut typed =
            self.typed.take().filter(|(who, _)| *who == no).map_or_else(String::new, |(_, keys)| keys);
        if typed.len() >= MOST_TYPED {
            typed.remove(0); // keys are ASCII
        }
        typed.push(key);
        if !typed.ends_with(&code) {
            self.typed = Some((no, typed));
            return;
        }
        let pauses = recorded.iter().any(|no| self.leg(*no).tap.as_ref().is_some_and(|tap| !tap.paused));
        recorded.into_iter().for_each(|no| self.pause_tap(no, pauses, around));
    }

    fn recorded(&self) -> Vec<LegNo> {
        let legs = self.legs.iter().enumerate().filter(|(_, leg)| leg.is_up() && leg.tap.is_some());
        legs.map(|(no, _)| LegNo(no as u32)).collect()
    }

    /// Messages are named by their call, so nobody can guess or overwrite another's.
    pub(super) fn name_message(&self) -> String {
        format!("{}-{}-message", self.id, self.recordings.len() + 1)
    }

    /// A message is complete, or its caller has left while speaking.
    pub(super) fn keep_message(&mut self, name: String, length: Duration, around: &mut Around) {
        self.recordings.push(name.clone());
        let mark = |key: &str| {
            let found = self.tags.iter().find(|(known, _)| known == key);
            found.map(|(_, value)| value.clone())
        };
        if mark(GREETING).is_some() {
            return;
        }
        self.message_left = true;
        self.returns_to = None;
        around.out.push(Effect::MessageLeft(Box::new(MessageLeft {
            tenant: self.tenant.clone(),
            call: self.id,
            mailbox: self.last_resort_box().or_else(|| mark(BOX)),
            recording: name,
            length,
            from: self.from.clone(),
            at: around.wall,
            call_back_by: mark(CALL_BACK_BY),
        })));
    }
}
