//! Interface `ended`: the call's record, given to `on-ended`.

use exchange::{CallRecord, Outcome};
use wasmtime::component::Resource;

use super::types::millis;
use crate::bindings::call_script::strowger::script::ended as wit;
use crate::guest::Guest;

impl Guest {
    fn record(&self, record: &Resource<CallRecord>) -> wasmtime::Result<&CallRecord> {
        Ok(self.table.get(record)?)
    }
}

impl wit::HostCallRecord for Guest {
    fn id(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<String> {
        Ok(self.record(&record)?.id.to_string())
    }

    fn caller(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<wit::Party> {
        Ok(self.record(&record)?.from.clone().into())
    }

    fn dialled(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<String> {
        Ok(self.record(&record)?.dialled.clone())
    }

    fn started(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<f64> {
        Ok(self.record(&record)?.started)
    }

    fn waited(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<u32> {
        Ok(millis(self.record(&record)?.wait))
    }

    fn talked(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<u32> {
        Ok(millis(self.record(&record)?.talk))
    }

    fn answered_by(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<Option<String>> {
        Ok(self.record(&record)?.answered_by.clone())
    }

    fn outcome(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<wit::Outcome> {
        Ok(match self.record(&record)?.outcome {
            Outcome::Answered => wit::Outcome::Answered,
            Outcome::Missed => wit::Outcome::Missed,
            Outcome::Abandoned => wit::Outcome::Abandoned,
            Outcome::Voicemail => wit::Outcome::Voicemail,
            Outcome::Rejected => wit::Outcome::Rejected,
            Outcome::Failed => wit::Outcome::Failed,
        })
    }

    fn recordings(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<Vec<String>> {
        Ok(self.record(&record)?.recordings.clone())
    }

    fn tags(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.record(&record)?.tags.clone())
    }

    fn drop(&mut self, record: Resource<CallRecord>) -> wasmtime::Result<()> {
        self.table.delete(record)?;
        Ok(())
    }
}

impl wit::Host for Guest {}
