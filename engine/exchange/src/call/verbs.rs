//! What a script asks of its call: each command is checked against the state of its leg and answered
//! at once, or becomes the one that the call waits in.

use super::{Around, Call, Driver, Elsewhere, Pending};
use crate::dial::Dialling;
use crate::effect::{Cause, Effect, Signal, Sound};
use crate::gather::{Asking, Step};
use crate::leg::State;
use crate::verb::{Answer, BridgeEnd, Command, Failure, LegNo};

impl Call {
    /// A command of the script. Answers by `Effect::Reply`, now or later.
    pub fn handle_command(&mut self, command: Command, around: &mut Around) {
        if !matches!(self.driver, Driver::Script) {
            return; // a script that was given up on; its sandbox is being dropped
        }
        if let Some(answer) = self.begin(command, around) {
            self.settle(answer, around);
        }
    }

    /// Hands an answer to whoever decides, until a command has to wait.
    pub(super) fn settle(&mut self, answer: Answer, around: &mut Around) {
        if let Answer::BridgeEnded(_) = answer {
            self.end_conversation(around.now);
        }
        match &self.driver {
            Driver::Script => around.out.push(Effect::Reply { call: self.id, answer }),
            Driver::LastResort(_) => self.drive_last_resort(Some(answer), around),
            Driver::Origin { token } => self.origin_settled(*token, answer, around),
            Driver::Nobody => {}
        }
    }

    pub(super) fn drive_last_resort(&mut self, mut answer: Option<Answer>, around: &mut Around) {
        while let Driver::LastResort(last_resort) = &mut self.driver {
            let Some(command) = last_resort.next(answer.take()) else {
                return self.close(480, around);
            };
            answer = self.begin(command, around);
            if answer.is_none() {
                return;
            }
        }
    }

    /// Starts a command; answers at once unless it has to wait.
    pub(super) fn begin(&mut self, command: Command, around: &mut Around) -> Option<Answer> {
        let answer = self.try_begin(command, around);
        answer.unwrap_or_else(|failure| Some(Answer::Failed(failure)))
    }

    pub(super) fn try_begin(
        &mut self,
        command: Command,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        let done = Ok(Some(Answer::Done));
        if self.pending.is_some() {
            return Err(Failure::Other("another verb is under way".into()));
        }
        let of_another = matches!(
            &command,
            Command::Play { leg, .. } | Command::Gather { leg, .. } if *leg != LegNo::CALLER
        );
        match command {
            Command::Tag { key, value } => {
                self.tag(key, value)?;
                done
            }
            Command::HandOver { script, settings } => {
                self.handing_over = Some((script, settings));
                done
            }
            Command::TransferredBy => Ok(Some(Answer::Name(self.transferred_by.clone()))),
            Command::FindUser { name_or_number } => {
                let user = around.directory.user(&self.tenant, &name_or_number);
                Ok(Some(Answer::Users(user.into_iter().map(|user| self.user_info(user, around)).collect())))
            }
            Command::Group { name } => {
                let users = around.directory.group(&self.tenant, &name);
                Ok(Some(Answer::Users(users.into_iter().map(|user| self.user_info(user, around)).collect())))
            }
            // The caller belongs to another script already, and this one has only to leave.
            _ if self.going_to.is_some() => Err(Failure::HungUp),
            // The one who sent the caller here is rung when this script is done.
            Command::HangUp { leg: LegNo::CALLER, .. } if self.returns_to.is_some() => done,
            Command::HangUp { leg, cause } => {
                self.live(leg)?;
                self.hang_up(leg, Cause::Q850(cause), "hung up", around);
                self.tend_standing(leg, "hung up by the script", around);
                done
            }
            Command::LeaveQueue { .. } | Command::Position { .. } if self.caller_left => {
                self.begin_queue(command, around)
            }
            // Everything below has to do with the caller; without one it ends as hung up. Whoever answered can still be
            // asked what the call was about.
            _ if self.caller_left && !of_another => Err(Failure::HungUp),
            Command::SetLanguage { leg, tag } => {
                let leg = self.live(leg)?;
                leg.info.language = tag;
                done
            }
            Command::Ring { leg, early } => {
                let key = self.live(leg)?.key;
                match (self.leg(leg).state, early) {
                    (State::Arrived { .. }, Some(prompt)) => {
                        self.open_early(leg, around);
                        self.play(leg, vec![prompt], false, true, around);
                    }
                    (State::Arrived { early: false }, None) => {
                        around.out.push(Effect::Signal(key, Signal::Ring));
                    }
                    _ => {}
                }
                done
            }
            Command::Answer { leg } => {
                self.live(leg)?;
                self.answer(leg, around);
                done
            }
            Command::Reject { leg, status, reason } => {
                let State::Arrived { .. } = self.live(leg)?.state else {
                    return Err(Failure::Invalid("leg: it is answered; hang up instead".into()));
                };
                if !(300..=699).contains(&status) {
                    return Err(Failure::Invalid("status: 300 to 699".into()));
                }
                self.rejected = true;
                self.refuse(status, reason, around);
                done
            }
            Command::Play { leg, what, cut_by_key } => {
                self.hearing(leg, around)?;
                if what.is_empty() || cut_by_key && !self.leg(leg).keys.is_empty() {
                    return done;
                }
                let token = self.play(leg, what, cut_by_key, false, around);
                self.pending = Some(Pending::Play { leg, token });
                Ok(None)
            }
            Command::Gather { leg, options } => {
                if !(1..=32).contains(&options.most) {
                    return Err(Failure::Invalid("most: 1 to 32 digits".into()));
                }
                self.hearing(leg, around)?;
                let mut asking = Asking::new(options, around.now);
                let at = leg.0 as usize;
                if let Step::Ended(ended) = asking.take_ahead(&mut self.legs[at].keys, around.now) {
                    return Ok(Some(Answer::Gathered { digits: asking.into_digits(), ended }));
                }
                if asking.is_prompting() {
                    self.play(leg, asking.prompts().to_vec(), true, false, around);
                }
                self.pending = Some(Pending::Gather { leg, asking });
                Ok(None)
            }
            Command::RecordMessage { leg, most, silence } => {
                self.hearing(leg, around)?;
                let token = around.keys.token();
                let name = self.name_message();
                let key = self.leg(leg).key;
                around
                    .out
                    .push(Effect::Sound(key, Sound::Record { token, name: name.clone(), most, silence }));
                self.pending = Some(Pending::Message { leg, token, name, begun: around.now, silence });
                Ok(None)
            }
            Command::StartRecording { leg } => {
                self.live(leg)?;
                Ok(Some(Answer::Text(self.start_tap(leg, false, around))))
            }
            Command::StopRecording { leg } => {
                self.live(leg)?;
                self.end_tap(leg, around);
                done
            }
            Command::PauseRecording { leg, paused } => {
                self.live(leg)?;
                self.pause_tap(leg, paused, around);
                done
            }
            Command::SendDigits { leg, digits } => {
                if digits.is_empty() {
                    return done;
                }
                if digits.len() > 64 || !digits.chars().all(|key| "0123456789*#ABCD,".contains(key)) {
                    return Err(Failure::Invalid("digits: up to 64 of 0-9, *, #, A-D and \",\"".into()));
                }
                let key = self.live(leg)?.key;
                if !self.leg(leg).is_up() {
                    return Err(Failure::Invalid("leg: not answered".into()));
                }
                let token = around.keys.token();
                around.out.push(Effect::Sound(key, Sound::SendDigits { token, digits }));
                self.pending = Some(Pending::SendDigits { leg, token });
                Ok(None)
            }
            Command::Hold { leg, hears } => {
                let key = self.live(leg)?.key;
                if !self.leg(leg).is_up() {
                    return Err(Failure::Invalid("leg: not answered".into()));
                }
                around.out.push(Effect::Signal(key, Signal::Hold));
                self.play(leg, vec![hears], false, true, around);
                done
            }
            Command::Resume { leg } => {
                let key = self.live(leg)?.key;
                self.stop(leg, around);
                around.out.push(Effect::Signal(key, Signal::Resume));
                done
            }
            Command::Dial(options) => {
                self.dialled = true;
                let mut dialling = Dialling::new(options, LegNo::CALLER, around.now)?;
                if let Some(prompt) = dialling.options.ringback.clone() {
                    self.open_early(LegNo::CALLER, around);
                    self.play(LegNo::CALLER, vec![prompt], false, true, around);
                    dialling.rings = true;
                }
                self.pending = Some(Pending::Dial(Box::new(dialling)));
                Ok(self.advance_dial(around))
            }
            Command::Bridge { a, b, keys } => self.begin_bridge(a, b, keys, false, around),
            Command::Talk { a, b, keys } => self.begin_bridge(a, b, keys, true, around),
            Command::CarryOut { to, ring } => self.begin_transfer(to, ring, around),
            Command::RefuseTransfer { status } => {
                if !(400..=699).contains(&status) {
                    return Err(Failure::Invalid("status: 400 to 699".into()));
                }
                self.give_up_wish(status, around);
                done
            }
            Command::Park { leg, slot, most, hears } => self.begin_park(leg, slot, most, hears),
            Command::Retrieve { slot } => self.begin_elsewhere(Elsewhere::Retrieve(slot)),
            Command::PickUp { user } => self.begin_elsewhere(Elsewhere::PickUp(user)),
            Command::Sleep { length } => {
                self.pending = Some(Pending::Sleep { until: around.now + length });
                Ok(None)
            }
            Command::Fetch(fetch) => {
                self.pending = Some(Pending::Fetch { until: around.now + fetch.timeout });
                Ok(None)
            }
            // The server answers these itself; one that comes here is its mistake, not the script's.
            Command::Now
            | Command::LocalTime
            | Command::TimeIn { .. }
            | Command::Random { .. }
            | Command::Settings
            | Command::KvGet { .. }
            | Command::KvSet { .. }
            | Command::KvSwap { .. }
            | Command::KvAdd { .. }
            | Command::KvDelete { .. }
            | Command::Scheme { .. }
            | Command::LastSpokeWith { .. }
            | Command::Conversations { .. }
            | Command::FindContact { .. }
            | Command::CreateTask { .. }
            | Command::CloseTask { .. }
            | Command::Task { .. }
            | Command::Notify { .. }
            | Command::Mailbox(_)
            | Command::Log { .. } => Err(Failure::Other("not a verb of calls".into())),
            Command::EnterQueue { .. }
            | Command::LookAtQueue { .. }
            | Command::Position { .. }
            | Command::ExpectedWait { .. }
            | Command::Wait { .. }
            | Command::SetPriority { .. }
            | Command::CallBack { .. }
            | Command::LeaveQueue { .. }
            | Command::AgentState { .. }
            | Command::MakeAvailable { .. }
            | Command::Pause { .. }
            | Command::SignIn { .. }
            | Command::SignOut { .. } => self.begin_queue(command, around),
        }
    }

    pub(super) fn begin_bridge(
        &mut self,
        a: LegNo,
        b: LegNo,
        keys: String,
        asks: bool,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        // Whoever asked for a transfer that did not come about hears so, and goes on talking.
        self.give_up_wish(603, around);
        self.live(b)?;
        self.live(a)?;
        if !self.leg(b).is_up() && a != b {
            return Err(Failure::Invalid("b: not answered".into()));
        }
        self.answer(a, around);
        self.join(a, b, around);
        self.returns_to = None;
        self.join_agent(a, b, around);
        self.begin_conversation(a, b);
        if self.connected.is_none() {
            let who = (a != b).then(|| self.leg(b).record.party.clone());
            self.connected = Some((around.now, who));
        }
        let about = self.leg(b).record.party.clone();
        self.note("call.bridged", b, about, around);
        let ahead = self.leg(a).keys.iter().position(|key| keys.contains(*key));
        if let Some(key) = ahead.and_then(|at| self.legs[a.0 as usize].keys.remove(at)) {
            self.unrelay(a, around);
            return Ok(Some(Answer::BridgeEnded(BridgeEnd::Digit(key))));
        }
        self.pending = Some(Pending::Bridge { a, b, keys, asks });
        Ok(None)
    }
}
