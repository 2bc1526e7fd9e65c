//! A call that was simulated, for a test to look at.

use super::world::{World, seconds};
use crate::ended::{CallRecord, Outcome};
use crate::words::Result;
use serde_json::Value;
use std::time::Duration;

/// A call that was simulated.
pub struct Call {
    world: World,
    result: Result,
    record: CallRecord,
}

impl Call {
    pub(crate) fn new(world: World, result: Result, record: CallRecord) -> Call {
        Call { world, result, record }
    }

    /// What the script returned.
    pub fn result(&self) -> &Result {
        &self.result
    }

    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        self.record.outcome
    }

    /// What the register would keep.
    pub fn record(&self) -> &CallRecord {
        &self.record
    }

    /// How long it took, in virtual time.
    pub fn length(&self) -> Duration {
        self.world.now
    }

    /// What the script marked the call with under this key, the last time.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.record.tags.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The script that the call was handed over to, and its settings.
    pub fn handed_over(&self) -> Option<(&str, Value)> {
        let (script, settings) = self.world.handed_over.as_ref()?;
        Some((script, serde_json::from_str(settings).unwrap_or_default()))
    }

    /// The queue that will call back, and the number.
    pub fn called_back(&self) -> Option<(&str, &str)> {
        self.world.called_back.as_ref().map(|(queue, number)| (queue.as_str(), number.as_str()))
    }

    /// Why an agent is paused; none when not.
    pub fn paused(&self, agent: &str) -> Option<&str> {
        self.world.find(agent)?.paused.as_deref()
    }

    /// The queues that an agent serves.
    pub fn serves(&self, agent: &str) -> &[String] {
        self.world.find(agent).map_or(&[], |user| &user.queues)
    }

    /// The language of prompts at the end.
    pub fn language(&self) -> &str {
        &self.world.language
    }

    /// What the tenant remembers under a key.
    pub fn remembers(&self, key: &str) -> Option<&[u8]> {
        self.world.kept.get(key).map(|(value, _)| value.as_slice())
    }

    /// What the script logged.
    pub fn log(&self) -> &[String] {
        &self.world.log
    }

    /// What happened, a line each: seconds since the call began, and what.
    pub fn timeline(&self) -> Vec<String> {
        self.world.timeline.iter().map(|(at, what)| format!("{} {what}", seconds(*at))).collect()
    }

    /// Runs what `#[call_script(ended = ...)]` names, with this call's record.
    pub fn then(self, on_ended: fn(CallRecord) -> Result) -> Result {
        super::world::enter(self.world);
        let result = on_ended(self.record);
        super::world::leave();
        result
    }
}
