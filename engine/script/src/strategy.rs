//! Queue strategies seen from the engine: a snapshot goes in as plain data, an answer comes out.
//!
//! Each question runs in a sandbox of its own that is dropped with the answer, so a strategy can keep
//! nothing and change nothing. What was asked and answered is for the caller's tape; nothing here
//! writes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::strategy::{Admission, Announcement, KeyAction, Offer, Ranking, Snapshot};
use exchange::{Level, Refusal};
use wasmtime::Store;
use wasmtime::component::Resource;

use crate::bindings::queue_strategy::strowger::script::strategy as strategy_wit;
use crate::bindings::queue_strategy::{self, QueueStrategy};
use crate::host::types::length;
use crate::host::{self, Question};
use crate::library::Version;
use crate::limits::Limits;
use crate::sandbox::{End, Ready, Sandboxes, not_started, stopped};
use crate::tape::Finish;

/// What all questions count as in [`crate::stalls`].
const QUESTION: &str = "question";

/// A strategy's answer, and what it logged on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<T> {
    /// The answer.
    pub answer: T,
    /// Lines that the strategy wrote, cut to the limits.
    pub log: Vec<(Level, String)>,
    /// Time on its thread.
    pub took: Duration,
}

impl Sandboxes {
    /// May this caller wait? `who`, like everywhere below: the caller's place in `now.waiting`. Blocks
    /// for as long as the limits' stretch, as all questions to a strategy.
    pub fn admit(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        who: usize,
        limits: &Limits,
    ) -> Result<Decision<Admission>, Finish> {
        self.question_about(version, now, who, limits, |strategy, store, snapshot, who| {
            use queue_strategy::Admission as Wit;
            Ok(match strategy.call_admit(store, snapshot, who)? {
                Wit::ComeIn => Admission::ComeIn,
                Wit::Full => Admission::Refuse(Refusal::Full),
                Wit::Closed => Admission::Refuse(Refusal::Closed),
                Wit::Nobody => Admission::Refuse(Refusal::Nobody),
                Wit::TooLong(wait) => Admission::Refuse(Refusal::TooLong(length(wait))),
                Wit::Other(word) => Admission::Refuse(Refusal::Other(word)),
            })
        })
    }

    /// Who rings next, for whom.
    pub fn rank(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        limits: &Limits,
    ) -> Result<Decision<Ranking>, Finish> {
        self.question(version, now, limits, |strategy, store, snapshot| {
            let ranking = strategy.call_rank(store, snapshot)?;
            let offer = |offer: strategy_wit::Offer| Offer {
                caller: offer.caller,
                agents: offer.agents,
                ring: length(offer.ring),
            };
            let offers = ranking.offers.into_iter().map(offer).collect();
            Ok(Ranking { offers, again: ranking.again.map(length) })
        })
    }

    /// How long the caller will probably wait still.
    pub fn expected_wait(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        who: usize,
        limits: &Limits,
    ) -> Result<Decision<Option<Duration>>, Finish> {
        self.question_about(version, now, who, limits, |strategy, store, snapshot, who| {
            Ok(strategy.call_expected_wait(store, snapshot, who)?.map(length))
        })
    }

    /// What to say to the caller now. `said`: since it was asked last, 0 the first time.
    pub fn announce(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        who: usize,
        said: Duration,
        limits: &Limits,
    ) -> Result<Decision<Announcement>, Finish> {
        self.question_about(version, now, who, limits, |strategy, store, snapshot, who| {
            let said = host::types::millis(said);
            let announcement = strategy.call_announce(store, snapshot, who, said)?;
            Ok(Announcement {
                say: host::types::prompts(announcement.say),
                again: announcement.again.map(length),
            })
        })
    }

    /// What a key does that the waiting caller pressed.
    pub fn on_digit(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        who: usize,
        key: char,
        limits: &Limits,
    ) -> Result<Decision<KeyAction>, Finish> {
        self.question_about(version, now, who, limits, |strategy, store, snapshot, who| {
            use queue_strategy::KeyAction as Wit;
            Ok(match strategy.call_on_digit(store, snapshot, who, key)? {
                Wit::Pass => KeyAction::Pass,
                Wit::Say(words) => KeyAction::Say(host::types::prompts(words)),
                Wit::Ask(word) => KeyAction::Ask(word),
            })
        })
    }

    fn question_about<T>(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        who: usize,
        limits: &Limits,
        ask: impl FnOnce(
            &QueueStrategy,
            &mut Store<Question>,
            Resource<SnapshotOf>,
            Resource<WaitingOf>,
        ) -> wasmtime::Result<T>,
    ) -> Result<Decision<T>, Finish> {
        if who >= now.waiting.len() {
            return Err(not_started("the caller is not in the snapshot"));
        }
        self.question(version, now, limits, |strategy, store, snapshot| {
            ask(strategy, store, snapshot, Question::caller(who))
        })
    }

    fn question<T>(
        &self,
        version: &Version,
        now: &Arc<Snapshot>,
        limits: &Limits,
        ask: impl FnOnce(&QueueStrategy, &mut Store<Question>, Resource<SnapshotOf>) -> wasmtime::Result<T>,
    ) -> Result<Decision<T>, Finish> {
        let Ready::Strategy(ready) = &version.component().ready else {
            return Err(not_started("the component is not a queue strategy"));
        };
        let stalls = version.stalls.as_ref();
        if stalls.is_some_and(|stalls| !stalls.lets_begin(QUESTION, &now.settings)) {
            version.figures.note_suspended();
            return Err(Finish::Suspended);
        }
        let _running = version.figures.begin();
        let _computing = self.clock.begin();
        let begin = Instant::now();
        let mut store = self.store(Question::new(now, limits), limits);
        let answer = ready
            .instantiate(&mut store)
            .and_then(|strategy| ask(&strategy, &mut store, Question::snapshot()));
        let took = begin.elapsed();
        let question = store.data_mut();
        question.end_output();
        let memory = question.caps.used();
        let answer = match answer {
            Ok(answer) => Ok(Decision { answer, log: std::mem::take(&mut question.log), took }),
            // There is no answer for the log to go with, so what the guest said of it stands in the backtrace.
            Err(error) => match stopped(error, question.caps.refused, &question.last_words()) {
                End::Finish(finish) => Err(finish),
                End::Parted { .. } | End::Rests => unreachable!("a strategy has no tape"),
            },
        };
        let finish = answer.as_ref().err().unwrap_or(&Finish::Returned);
        version.figures.note(took, memory, finish);
        if let Some(stalls) = stalls {
            stalls.note(QUESTION, &now.settings, finish);
        }
        answer
    }
}

type SnapshotOf = crate::host::strategy::SnapshotHandle;
type WaitingOf = crate::host::strategy::WaitingHandle;
