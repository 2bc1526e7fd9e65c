//! The record of an imaginary call, as the script's `on-ended` gets it.

use std::sync::PoisonError;

use exchange::{CallRecord, Direction};
use script::{Start, Version};

use super::Played;
use super::exchange::Simulated;
use crate::words;

/// Of a call that is over. Legs are left out, of which `wit/` tells a script nothing.
pub(super) fn record(start: &Start, version: &Version, played: &Played, world: &Simulated) -> CallRecord {
    let state = world.state.lock().unwrap_or_else(PoisonError::into_inner);
    let connected = state.connected.unwrap_or(played.length);
    let silent = state.silent_since.unwrap_or(played.length);
    let failed = played.finish.is_failure();
    CallRecord {
        id: start.call,
        tenant: start.tenant.to_string(),
        direction: Direction::Inbound,
        from: start.caller.party.clone(),
        dialled: start.caller.dialled.clone(),
        source: None,
        script: start.script.to_string(),
        version: version.hash().to_owned(),
        started: start.started,
        answered: state.answered.map(|at| start.started + at.as_secs_f64()),
        ended: start.started + played.length.as_secs_f64(),
        wait: connected,
        talk: silent.saturating_sub(connected),
        outcome: played.outcome,
        answered_by: played.talked.first().cloned(),
        legs: Vec::new(),
        tags: played.tags.clone(),
        recordings: state.recordings.clone(),
        failure: failed.then(|| words::finish(&played.finish)),
    }
}
