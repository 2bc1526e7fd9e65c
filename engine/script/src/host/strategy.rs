//! Interfaces `strategy` and `log` for queue strategies: a snapshot behind handles, and nothing that
//! waits.

use std::sync::Arc;

use exchange::Level;
use exchange::strategy::{Agent, Snapshot, Waiting};
use wasmtime::component::{Resource, ResourceTable};

use super::hand_out;
use super::types::millis;
use crate::bindings::call_script::strowger::script::types as types_wit;
use crate::bindings::queue_strategy::strowger::script::{log as log_wit, strategy as wit};
use crate::guest::{Caps, Stretch};
use crate::limits::Limits;

/// The snapshot behind the guest's handle.
pub struct SnapshotHandle(Arc<Snapshot>);

/// A caller of the snapshot, by place.
pub struct WaitingHandle(Arc<Snapshot>, usize);

/// An agent of the snapshot, by place.
pub struct AgentHandle(Arc<Snapshot>, usize);

/// What the store of a strategy holds, for one question.
pub(crate) struct Question {
    pub(crate) table: ResourceTable,
    pub(crate) caps: Caps,
    pub(crate) stretch: Stretch,
    pub(crate) log: Vec<(Level, String)>,
    log_line: usize,
    log_left: usize,
}

impl Question {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            table,
            caps: Caps::new(limits),
            stretch: Stretch::new(limits.stretch),
            log: Vec::new(),
            log_line: limits.log_line,
            log_left: limits.log,
        }
    }

    pub(crate) fn snapshot(&mut self, now: &Arc<Snapshot>) -> wasmtime::Result<Resource<SnapshotHandle>> {
        hand_out(&mut self.table, SnapshotHandle(now.clone()))
    }

    /// `place`: in the snapshot's list of callers.
    pub(crate) fn caller(
        &mut self,
        now: &Arc<Snapshot>,
        place: usize,
    ) -> wasmtime::Result<Resource<WaitingHandle>> {
        hand_out(&mut self.table, WaitingHandle(now.clone(), place))
    }

    fn now(&self, handle: &Resource<SnapshotHandle>) -> wasmtime::Result<&Arc<Snapshot>> {
        Ok(&self.table.get(handle)?.0)
    }

    fn who(&self, handle: &Resource<WaitingHandle>) -> wasmtime::Result<&Waiting> {
        let WaitingHandle(now, place) = self.table.get(handle)?;
        Ok(&now.waiting[*place])
    }

    fn agent(&self, handle: &Resource<AgentHandle>) -> wasmtime::Result<&Agent> {
        let AgentHandle(now, place) = self.table.get(handle)?;
        Ok(&now.agents[*place])
    }
}

impl wit::HostSnapshot for Question {
    fn queue(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<String> {
        Ok(self.now(&now)?.queue.clone())
    }

    fn settings(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<String> {
        Ok(self.now(&now)?.settings.clone())
    }

    fn seed(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<u32> {
        Ok(self.now(&now)?.seed)
    }

    fn last_answered(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.now(&now)?.last_answered.clone())
    }

    fn service(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.now(&now)?.service))
    }

    fn waiting(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<Vec<Resource<WaitingHandle>>> {
        let now = self.now(&now)?.clone();
        (0..now.waiting.len()).map(|place| self.caller(&now, place)).collect()
    }

    fn agents(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<Vec<Resource<AgentHandle>>> {
        let now = self.now(&now)?.clone();
        let handle = |place| hand_out(&mut self.table, AgentHandle(now.clone(), place));
        (0..now.agents.len()).map(handle).collect()
    }

    fn drop(&mut self, now: Resource<SnapshotHandle>) -> wasmtime::Result<()> {
        self.table.delete(now)?;
        Ok(())
    }
}

impl wit::HostWaiting for Question {
    fn id(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<u32> {
        Ok(self.who(&who)?.id)
    }

    fn number(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<String> {
        Ok(self.who(&who)?.number.clone())
    }

    fn priority(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<i32> {
        Ok(self.who(&who)?.priority)
    }

    fn skills(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Vec<(String, u8)>> {
        Ok(self.who(&who)?.skills.clone())
    }

    fn waited(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.who(&who)?.waited))
    }

    fn position(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<u32> {
        Ok(self.who(&who)?.position)
    }

    fn expected(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Option<u32>> {
        Ok(self.who(&who)?.expected.map(millis))
    }

    fn tried(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Vec<String>> {
        Ok(self.who(&who)?.tried.clone())
    }

    fn offered(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<bool> {
        Ok(self.who(&who)?.offered)
    }

    fn last_agent(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.who(&who)?.last_agent.clone())
    }

    fn drop(&mut self, who: Resource<WaitingHandle>) -> wasmtime::Result<()> {
        self.table.delete(who)?;
        Ok(())
    }
}

impl wit::HostAgent for Question {
    fn name(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<String> {
        Ok(self.agent(&agent)?.name.clone())
    }

    fn state(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<types_wit::AgentState> {
        Ok(self.agent(&agent)?.state.into())
    }

    fn signed_in_for(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent)?.signed_in_for))
    }

    fn free(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<bool> {
        Ok(self.agent(&agent)?.free)
    }

    fn free_for(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent)?.free_for))
    }

    fn since_offered(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent)?.since_offered))
    }

    fn offered(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(self.agent(&agent)?.offered)
    }

    fn answered(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(self.agent(&agent)?.answered)
    }

    fn talked(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(millis(self.agent(&agent)?.talked))
    }

    fn missed_in_a_row(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u32> {
        Ok(self.agent(&agent)?.missed_in_a_row)
    }

    fn level(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u8> {
        Ok(self.agent(&agent)?.level)
    }

    fn weight(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<u16> {
        Ok(self.agent(&agent)?.weight)
    }

    fn skills(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<Vec<(String, u8)>> {
        Ok(self.agent(&agent)?.skills.clone())
    }

    fn drop(&mut self, agent: Resource<AgentHandle>) -> wasmtime::Result<()> {
        self.table.delete(agent)?;
        Ok(())
    }
}

impl wit::Host for Question {}

impl types_wit::Host for Question {}

impl log_wit::Host for Question {
    fn write(&mut self, level: log_wit::Level, mut message: String) -> wasmtime::Result<()> {
        let level = match level {
            log_wit::Level::Debug => Level::Debug,
            log_wit::Level::Info => Level::Info,
            log_wit::Level::Warn => Level::Warn,
            log_wit::Level::Error => Level::Error,
        };
        let room = self.log_line.min(self.log_left);
        message.truncate(message.floor_char_boundary(room));
        if !message.is_empty() {
            self.log_left -= message.len();
            self.log.push((level, message));
        }
        Ok(())
    }
}
