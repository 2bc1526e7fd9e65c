//! Interface `call`: legs, dialling, bridging, marks and handing over.

use exchange::{
    Answer, BridgeEnd, Command, Dial, Direction, EndOfDigits, Gather, LegInfo, LegNo, Stage, Transfer,
};
use wasmtime::component::Resource;

use super::types::{length, millis, prompts};
use super::{done, hand_out, look_up, verb};
use crate::bindings::call_script::strowger::script::call as wit;
use crate::guest::Guest;

/// A transfer that a script is to decide about.
pub struct TransferHandle {
    by_b: bool,
    wish: Transfer,
}

type Verb<T> = wasmtime::Result<Result<T, wit::Failure>>;

impl Guest {
    fn leg(&self, leg: &Resource<LegInfo>) -> wasmtime::Result<&LegInfo> {
        Ok(self.table.get(leg)?)
    }

    /// A new handle to the leg that came.
    fn leg_of(&mut self, answer: Answer) -> Verb<Resource<LegInfo>> {
        let leg = verb(answer, |answer| match answer {
            Answer::Leg(leg) => Some(*leg),
            _ => None,
        })?;
        match leg {
            Ok(leg) => hand_out(&mut self.table, leg).map(Ok),
            Err(failure) => Ok(Err(failure)),
        }
    }

    fn leg_no(&self, leg: &Resource<LegInfo>) -> wasmtime::Result<LegNo> {
        Ok(self.leg(leg)?.leg)
    }
}

impl wit::HostLeg for Guest {
    fn party(&mut self, leg: Resource<LegInfo>) -> wasmtime::Result<wit::Party> {
        Ok(self.leg(&leg)?.party.clone().into())
    }

    fn dialled(&mut self, leg: Resource<LegInfo>) -> wasmtime::Result<String> {
        Ok(self.leg(&leg)?.dialled.clone())
    }

    fn direction(&mut self, leg: Resource<LegInfo>) -> wasmtime::Result<wit::Direction> {
        Ok(match self.leg(&leg)?.direction {
            Direction::Inbound => wit::Direction::Inbound,
            Direction::Outbound => wit::Direction::Outbound,
            Direction::Internal => wit::Direction::Internal,
        })
    }

    fn user(&mut self, leg: Resource<LegInfo>) -> wasmtime::Result<Option<String>> {
        Ok(self.leg(&leg)?.user.clone())
    }

    fn header(&mut self, leg: Resource<LegInfo>, name: String) -> wasmtime::Result<Vec<String>> {
        let headers = &self.leg(&leg)?.headers;
        Ok(headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(&name)).map(|(_, v)| v.clone()).collect())
    }

    fn language(&mut self, leg: Resource<LegInfo>) -> wasmtime::Result<String> {
        Ok(self.leg(&leg)?.language.clone())
    }

    async fn set_language(&mut self, leg: Resource<LegInfo>, tag: String) -> Verb<()> {
        let command = Command::SetLanguage { leg: self.leg_no(&leg)?, tag: tag.clone() };
        let answer = self.ask(command).await?;
        if answer == Answer::Done {
            self.table.get_mut(&leg)?.language = tag;
        }
        done(answer)
    }

    async fn ring(&mut self, leg: Resource<LegInfo>, early: Option<wit::Prompt>) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::Ring { leg, early: early.map(Into::into) }).await?)
    }

    async fn answer(&mut self, leg: Resource<LegInfo>) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::Answer { leg }).await?)
    }

    async fn reject(&mut self, leg: Resource<LegInfo>, status: u16, reason: String) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::Reject { leg, status, reason }).await?)
    }

    async fn play(&mut self, leg: Resource<LegInfo>, what: Vec<wit::Prompt>, cut_by_key: bool) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::Play { leg, what: prompts(what), cut_by_key }).await?)
    }

    async fn gather(&mut self, leg: Resource<LegInfo>, options: wit::GatherOptions) -> Verb<wit::Gathered> {
        let leg = self.leg_no(&leg)?;
        let options = Gather {
            prompts: prompts(options.prompts),
            most: options.most,
            terminator: options.terminator,
            first: length(options.first),
            between: length(options.between),
        };
        verb(self.ask(Command::Gather { leg, options }).await?, |answer| match answer {
            Answer::Gathered { digits, ended } => {
                let ended = match ended {
                    EndOfDigits::Enough => wit::EndOfDigits::Enough,
                    EndOfDigits::Terminator => wit::EndOfDigits::Terminator,
                    EndOfDigits::TimeOut => wit::EndOfDigits::TimeOut,
                };
                Some(wit::Gathered { digits, ended })
            }
            _ => None,
        })
    }

    async fn record_message(
        &mut self,
        leg: Resource<LegInfo>,
        most: u32,
        silence: u32,
    ) -> Verb<wit::Recorded> {
        let leg = self.leg_no(&leg)?;
        let command = Command::RecordMessage { leg, most: length(most), silence: length(silence) };
        verb(self.ask(command).await?, |answer| match answer {
            Answer::Recorded { id, length } => Some(wit::Recorded { id, length: millis(length) }),
            _ => None,
        })
    }

    async fn start_recording(&mut self, leg: Resource<LegInfo>) -> Verb<String> {
        let leg = self.leg_no(&leg)?;
        verb(self.ask(Command::StartRecording { leg }).await?, |answer| match answer {
            Answer::Text(name) => Some(name),
            _ => None,
        })
    }

    async fn stop_recording(&mut self, leg: Resource<LegInfo>) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::StopRecording { leg }).await?)
    }

    async fn pause_recording(&mut self, leg: Resource<LegInfo>) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::PauseRecording { leg, paused: true }).await?)
    }

    async fn resume_recording(&mut self, leg: Resource<LegInfo>) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::PauseRecording { leg, paused: false }).await?)
    }

    async fn send_digits(&mut self, leg: Resource<LegInfo>, digits: String) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::SendDigits { leg, digits }).await?)
    }

    async fn hold(&mut self, leg: Resource<LegInfo>, hears: wit::Prompt) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::Hold { leg, hears: hears.into() }).await?)
    }

    async fn resume(&mut self, leg: Resource<LegInfo>) -> Verb<()> {
        let leg = self.leg_no(&leg)?;
        done(self.ask(Command::Resume { leg }).await?)
    }

    async fn hang_up(&mut self, leg: Resource<LegInfo>, cause: u16) -> wasmtime::Result<()> {
        let leg = self.leg_no(&leg)?;
        // A leg that is gone already is what was wished for.
        self.ask(Command::HangUp { leg, cause }).await.map(drop)
    }

    fn drop(&mut self, leg: Resource<LegInfo>) -> wasmtime::Result<()> {
        self.table.delete(leg)?;
        Ok(())
    }
}

impl wit::HostTransfer for Guest {
    fn by_b(&mut self, transfer: Resource<TransferHandle>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&transfer)?.by_b)
    }

    fn to(&mut self, transfer: Resource<TransferHandle>) -> wasmtime::Result<wit::Target> {
        Ok(self.table.get(&transfer)?.wish.to.clone().into())
    }

    fn attended(&mut self, transfer: Resource<TransferHandle>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&transfer)?.wish.attended)
    }

    async fn carry_out(
        &mut self,
        _: Resource<TransferHandle>,
        to: Option<wit::Target>,
        ring: u32,
    ) -> Verb<()> {
        done(self.ask(Command::CarryOut { to: to.map(Into::into), ring: length(ring) }).await?)
    }

    async fn refuse(&mut self, _: Resource<TransferHandle>, status: u16) -> Verb<()> {
        done(self.ask(Command::RefuseTransfer { status }).await?)
    }

    fn drop(&mut self, transfer: Resource<TransferHandle>) -> wasmtime::Result<()> {
        self.table.delete(transfer)?;
        Ok(())
    }
}

impl wit::Host for Guest {
    async fn dial(&mut self, stages: Vec<wit::Stage>, options: wit::DialOptions) -> Verb<Resource<LegInfo>> {
        let stages = stages.into_iter().map(|stage| Stage {
            after: length(stage.after),
            targets: stage.targets.into_iter().map(Into::into).collect(),
        });
        let command = Command::Dial(Dial {
            stages: stages.collect(),
            timeout: length(options.timeout),
            ringback: options.ringback.map(Into::into),
            present: options.present.map(Into::into),
            skip_busy: options.skip_busy,
        });
        let answer = self.ask(command).await?;
        self.leg_of(answer)
    }

    async fn bridge(
        &mut self,
        a: Resource<LegInfo>,
        b: Resource<LegInfo>,
        keys: String,
    ) -> Verb<wit::BridgeEnd> {
        let (a, b) = (self.leg_no(&a)?, self.leg_no(&b)?);
        verb(self.ask(Command::Bridge { a, b, keys }).await?, |answer| match answer {
            Answer::BridgeEnded(end) => Some(match end {
                BridgeEnd::AHungUp => wit::BridgeEnd::AHungUp,
                BridgeEnd::BHungUp => wit::BridgeEnd::BHungUp,
                BridgeEnd::Digit(key) => wit::BridgeEnd::Digit(key),
                BridgeEnd::Other(words) => wit::BridgeEnd::Other(words),
                BridgeEnd::Transfer(_) => return None,
            }),
            _ => None,
        })
    }

    async fn talk(&mut self, a: Resource<LegInfo>, b: Resource<LegInfo>, keys: String) -> Verb<wit::TalkEnd> {
        let (a, b) = (self.leg_no(&a)?, self.leg_no(&b)?);
        let end = verb(self.ask(Command::Talk { a, b, keys }).await?, |answer| match answer {
            Answer::BridgeEnded(end) => Some(end),
            _ => None,
        })?;
        Ok(match end {
            Err(failure) => Err(failure),
            Ok(BridgeEnd::AHungUp) => Ok(wit::TalkEnd::AHungUp),
            Ok(BridgeEnd::BHungUp) => Ok(wit::TalkEnd::BHungUp),
            Ok(BridgeEnd::Digit(key)) => Ok(wit::TalkEnd::Digit(key)),
            Ok(BridgeEnd::Other(words)) => Ok(wit::TalkEnd::Other(words)),
            Ok(BridgeEnd::Transfer(wish)) => {
                let handle = TransferHandle { by_b: wish.by == b, wish: *wish };
                Ok(wit::TalkEnd::Transfer(hand_out(&mut self.table, handle)?))
            }
        })
    }

    async fn transferred_by(&mut self) -> wasmtime::Result<Option<String>> {
        look_up(self.ask(Command::TransferredBy).await?, |answer| match answer {
            Answer::Name(name) => Some(name),
            _ => None,
        })
    }

    async fn park(
        &mut self,
        leg: Resource<LegInfo>,
        slot: String,
        most: u32,
        hears: wit::Prompt,
    ) -> Verb<Resource<LegInfo>> {
        let leg = self.leg_no(&leg)?;
        let command = Command::Park { leg, slot, most: length(most), hears: hears.into() };
        let answer = self.ask(command).await?;
        self.leg_of(answer)
    }

    async fn retrieve(&mut self, slot: String) -> Verb<()> {
        done(self.ask(Command::Retrieve { slot }).await?)
    }

    async fn pick_up(&mut self, user: String) -> Verb<()> {
        done(self.ask(Command::PickUp { user }).await?)
    }

    async fn tag(&mut self, key: String, value: String) -> Verb<()> {
        done(self.ask(Command::Tag { key, value }).await?)
    }

    async fn hand_over(&mut self, script: String, settings: String) -> Verb<()> {
        done(self.ask(Command::HandOver { script, settings }).await?)
    }
}
