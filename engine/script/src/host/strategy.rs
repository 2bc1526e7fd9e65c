//! Interfaces `strategy` and `log` for queue strategies: a snapshot behind handles, and nothing that
//! waits.

use std::cmp::Reverse;
use std::sync::Arc;

use exchange::Level;
use exchange::strategy::{Agent, Snapshot, Waiting};
use wasmtime::component::Resource;

use super::Wasi;
use super::types::millis;
use crate::bindings::call_script::strowger::script::types as types_wit;
use crate::bindings::queue_strategy::strowger::script::{log as log_wit, strategy as wit};
use crate::guest::{Bounded, Caps, Stop, Stretch};
use crate::limits::{self, Limits};
use crate::tape::TrapKind;

/// Stands for the snapshot; a question has one.
pub struct SnapshotHandle;

/// Stands for a caller of the snapshot. A handle's number is the caller's place in it, so that five hundred
/// of them cost no table of our own; a guest can't make one up.
pub struct WaitingHandle;

/// Stands for an agent of the snapshot, by place like a caller.
pub struct AgentHandle;

/// What the store of a strategy holds, for one question.
pub(crate) struct Question {
    now: Arc<Snapshot>,
    pub(crate) caps: Caps,
    pub(crate) stretch: Stretch,
    pub(crate) wasi: Wasi,
    pub(crate) log: Vec<(Level, String)>,
    log_line: usize,
    log_left: usize,
    handles_left: usize,
}

impl Bounded for Question {
    fn caps(&mut self) -> &mut Caps {
        &mut self.caps
    }

    fn stretch(&mut self) -> &mut Stretch {
        &mut self.stretch
    }
}

impl Question {
    pub(crate) fn new(now: &Arc<Snapshot>, limits: &Limits) -> Self {
        Self {
            now: now.clone(),
            caps: Caps::new(limits),
            stretch: Stretch::new(limits.stretch),
            wasi: Wasi::new(now.seed.into(), limits),
            log: Vec::new(),
            log_line: limits.log_line,
            log_left: limits.log,
            handles_left: limits.handles,
        }
    }

    /// For the guest to borrow, or to own where its export says so.
    pub(crate) fn snapshot() -> Resource<SnapshotHandle> {
        Resource::new_own(0)
    }

    /// As the snapshot. `place`: in the snapshot's list of callers.
    pub(crate) fn caller(place: usize) -> Resource<WaitingHandle> {
        Resource::new_own(place as u32)
    }

    /// Handles for the guest to own, by places in one of the snapshot's lists; the bound ends the run.
    fn hand_out<T: 'static>(
        &mut self,
        places: impl ExactSizeIterator<Item = u32>,
    ) -> wasmtime::Result<Vec<Resource<T>>> {
        let left = self.handles_left.checked_sub(places.len());
        self.handles_left = left.ok_or(Stop::Limit(TrapKind::TooManyHandles))?;
        Ok(places.map(Resource::new_own).collect())
    }

    /// Places of the first so many callers for whom nobody is rung, by priority, then arrival.
    fn first_in_line(&self, most: u32) -> Vec<u32> {
        let waiting = &self.now.waiting;
        let mut line: Vec<u32> =
            (0..waiting.len() as u32).filter(|place| !waiting[*place as usize].offered).collect();
        // Callers stand in order of arrival, which decides between equals.
        let turn = |place: &u32| (Reverse(waiting[*place as usize].priority), *place);
        let most = most as usize;
        if most < line.len() {
            line.select_nth_unstable_by_key(most, turn);
            line.truncate(most);
        }
        line.sort_unstable_by_key(turn);
        line
    }

    fn who(&self, handle: &Resource<WaitingHandle>) -> &Waiting {
        &self.now.waiting[handle.rep() as usize]
    }

    fn agent(&self, handle: &Resource<AgentHandle>) -> &Agent {
        &self.now.agents[handle.rep() as usize]
    }
}

fn anyone(who: &Waiting) -> bool {
    who.skills.is_empty() && who.tried.is_empty()
}

fn figure(agent: &Agent, of: wit::Figure) -> u32 {
    match of {
        wit::Figure::FreeFor => millis(agent.free_for),
        wit::Figure::SinceOffered => millis(agent.since_offered),
        wit::Figure::Offered => agent.offered,
        wit::Figure::Answered => agent.answered,
        wit::Figure::Talked => millis(agent.talked),
        wit::Figure::SignedInFor => millis(agent.signed_in_for),
        wit::Figure::MissedInARow => agent.missed_in_a_row,
        wit::Figure::Level => agent.level.into(),
        wit::Figure::Weight => agent.weight.into(),
    }
}

impl wit::HostSnapshot for Question {
    fn queue(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<String> {
        Ok(self.now.queue.clone())
    }

    fn settings(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<String> {
        Ok(self.now.settings.clone())
    }

    fn seed(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<u32> {
        Ok(self.now.seed)
    }

    fn last_answered(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.now.last_answered.clone())
    }

    fn service(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.now.service))
    }

    fn waiting(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<Vec<Resource<WaitingHandle>>> {
        self.hand_out(0..self.now.waiting.len() as u32)
    }

    fn agents(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<Vec<Resource<AgentHandle>>> {
        self.hand_out(0..self.now.agents.len() as u32)
    }

    fn in_line(
        &mut self,
        _: Resource<SnapshotHandle>,
        most: u32,
    ) -> wasmtime::Result<Vec<Resource<WaitingHandle>>> {
        let line = self.first_in_line(most);
        self.hand_out(line.into_iter())
    }

    fn line(&mut self, _: Resource<SnapshotHandle>, most: u32) -> wasmtime::Result<Vec<(u32, bool, u32)>> {
        let of = |place: u32| {
            let who = &self.now.waiting[place as usize];
            (who.id, anyone(who), millis(who.waited))
        };
        Ok(self.first_in_line(most).into_iter().map(of).collect())
    }

    fn names(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<Vec<String>> {
        Ok(self.now.agents.iter().map(|agent| agent.name.clone()).collect())
    }

    fn states(
        &mut self,
        _: Resource<SnapshotHandle>,
    ) -> wasmtime::Result<Vec<(types_wit::AgentState, bool)>> {
        Ok(self.now.agents.iter().map(|agent| (agent.state.into(), agent.free)).collect())
    }

    fn figures(&mut self, _: Resource<SnapshotHandle>, of: wit::Figure) -> wasmtime::Result<Vec<u32>> {
        Ok(self.now.agents.iter().map(|agent| figure(agent, of)).collect())
    }

    fn levels(&mut self, _: Resource<SnapshotHandle>, skill: String) -> wasmtime::Result<Vec<u8>> {
        let level = |agent: &Agent| agent.skills.iter().find(|(name, _)| *name == skill).map_or(0, |s| s.1);
        Ok(self.now.agents.iter().map(level).collect())
    }

    fn free(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<Vec<Resource<AgentHandle>>> {
        let agents = &self.now.agents;
        let free: Vec<u32> = (0..agents.len() as u32).filter(|place| agents[*place as usize].free).collect();
        self.hand_out(free.into_iter())
    }

    fn free_figures(&mut self, _: Resource<SnapshotHandle>, of: wit::Figure) -> wasmtime::Result<Vec<u32>> {
        let free = self.now.agents.iter().filter(|agent| agent.free);
        Ok(free.map(|agent| figure(agent, of)).collect())
    }

    fn drop(&mut self, _: Resource<SnapshotHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl wit::HostWaiting for Question {
    fn id(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<u32> {
        Ok(self.who(&who).id)
    }

    fn number(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<String> {
        Ok(self.who(&who).number.clone())
    }

    fn priority(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<i32> {
        Ok(self.who(&who).priority)
    }

    fn skills(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Vec<(String, u8)>> {
        Ok(self.who(&who).skills.clone())
    }

    fn waited(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.who(&who).waited))
    }

    fn position(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<u32> {
        Ok(self.who(&who).position)
    }

    fn expected(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Option<u32>> {
        Ok(self.who(&who).expected.map(millis))
    }

    fn tried(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Vec<String>> {
        Ok(self.who(&who).tried.clone())
    }

    fn offered(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<bool> {
        Ok(self.who(&who).offered)
    }

    fn anyone(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<bool> {
        Ok(anyone(self.who(&who)))
    }

    fn last_agent(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.who(&who).last_agent.clone())
    }

    fn drop(&mut self, _: Resource<WaitingHandle>) -> wasmtime::Result<()> {
        self.handles_left += 1;
        Ok(())
    }
}

impl wit::HostAgent for Question {
    fn name(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<String> {
        Ok(self.agent(&agent).name.clone())
    }

    fn state(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<types_wit::AgentState> {
        Ok(self.agent(&agent).state.into())
    }

    fn signed_in_for(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent).signed_in_for))
    }

    fn free(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<bool> {
        Ok(self.agent(&agent).free)
    }

    fn free_for(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent).free_for))
    }

    fn since_offered(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent).since_offered))
    }

    fn offered(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(self.agent(&agent).offered)
    }

    fn answered(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(self.agent(&agent).answered)
    }

    fn talked(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent).talked))
    }

    fn missed_in_a_row(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(self.agent(&agent).missed_in_a_row)
    }

    fn level(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u8> {
        Ok(self.agent(&agent).level)
    }

    fn weight(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u16> {
        Ok(self.agent(&agent).weight)
    }

    fn skills(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<Vec<(String, u8)>> {
        Ok(self.agent(&agent).skills.clone())
    }

    fn drop(&mut self, _: Resource<AgentHandle>) -> wasmtime::Result<()> {
        self.handles_left += 1;
        Ok(())
    }
}

impl wit::Host for Question {}

impl types_wit::Host for Question {}

impl log_wit::Host for Question {
    fn write(&mut self, level: log_wit::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log_wit::Level::Debug => Level::Debug,
            log_wit::Level::Info => Level::Info,
            log_wit::Level::Warn => Level::Warn,
            log_wit::Level::Error => Level::Error,
        };
        self.log_output();
        self.write_line(level, message);
        Ok(())
    }
}

impl Question {
    fn write_line(&mut self, level: Level, mut message: String) {
        let room = self.log_line.min(self.log_left);
        message.truncate(message.floor_char_boundary(room));
        if !message.is_empty() {
            self.log_left -= message.len();
            self.log.push((level, message));
        }
    }

    /// Logs the lines that were written to standard output and error.
    fn log_output(&mut self) {
        while let Some((level, message)) = self.wasi.next_line() {
            self.write_line(level, message);
        }
    }

    /// The guest has answered or was stopped: what it wrote last is logged too.
    pub(crate) fn end_output(&mut self) {
        self.wasi.end_lines();
        self.log_output();
    }

    /// The errors that it logged last, a line each.
    pub(crate) fn last_words(&self) -> String {
        let calm =
            self.log.iter().rposition(|(level, _)| *level != Level::Error).map_or(0, |place| place + 1);
        let lines: Vec<_> = self.log[calm..].iter().map(|(_, message)| message.as_str()).collect();
        let mut words = lines.join("\n");
        words.truncate(words.floor_char_boundary(limits::LAST_WORDS));
        words
    }
}
