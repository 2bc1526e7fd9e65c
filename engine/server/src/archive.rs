//! What is kept of calls: while one is up its tape is in the journal, written as it goes; when it is
//! over, record, tape and ladder are sealed in one durable batch. A call that a killed process left
//! behind is found in the journal at the next start, and goes on or is sealed as failed, with the tape
//! it had ([`crate::recovery`]). Notices of a call's end are in the same batch: whoever is to be told is
//! told of every call that there is a record of.
//!
//! How a record is written and listed is in [`crate::records`].

use std::sync::Arc;
use std::time::Duration;

use exchange::queue::CALL_BACK;
use exchange::{Answer, CallId, CallRecord, Command, LegNo, LegRecord, Outcome};
use outbox::{Effect, EffectId};
use script::{Step, Tape};
use store::{Batch, Done, StoreError, Unsealed, layout};

use crate::facts;
use crate::history;
use crate::node::Node;
use crate::post::notice;
use crate::records;
use crate::shards::Rung;
use crate::tasks::{self, Change, Open, aftermath};

/// Arrows of one call's ladder; the last one says that further ones are left out.
pub const MOST_RUNGS: usize = 400;

/// How long a record may wait for others that go to the disk with it; until then the journal has it.
const PATIENCE: Duration = Duration::from_millis(250);

/// The same for a record that comes with notices.
const PATIENCE_OF_NOTICES: Duration = Duration::from_millis(10);

/// Seals a call that a killed process left with nothing but its tape: nobody had answered it.
pub fn close_unkept(node: &Node, unsealed: &Unsealed) -> Result<(), StoreError> {
    let bytes = unsealed.entries.concat();
    if let Some(record) = interrupted(&bytes) {
        tracing::warn!(call = %record.id, tenant = record.tenant, "a call was cut off when the exchange stopped");
        let queue = Tape::read(&bytes).map(|tape| facts::queue_of(&tape.facts).to_owned());
        let queue = queue.unwrap_or_default();
        let kept = node.tasks.with(&record.tenant, |open| {
            let (batch, effects, _) = left(node, &record, &queue, open, batch_of(&record, &bytes, &[]));
            let (batch, posted) = node.post_with(batch, &record.tenant, effects);
            let kept = node.store.commit_and_wait(batch);
            if let Some(posted) = posted {
                node.post.settle(posted, kept.is_ok());
            }
            kept
        });
        kept?;
    }
    node.journal.seal(&unsealed.key)
}

/// What the runs on a tape asked and were answered, as the exchange goes by it when it takes a call up.
pub fn past<'t>(tape: &'t Tape) -> Vec<Vec<(&'t Command, &'t Answer)>> {
    let asked = |step: &'t Step| (&step.command, &step.answer);
    tape.segments.iter().map(|segment| segment.steps.iter().map(asked).collect()).collect()
}

/// Adds to the tape of a call that is up. On Ok it outlives the process; what a script does in a slice of a
/// shard does so from the end of the shard's turn on ([`end_turn`]), which is before anyone waits.
pub fn append(node: &Node, tenant: &str, call: CallId, bytes: &[u8]) -> Result<(), StoreError> {
    let key = layout::call(tenant, call.0);
    if script::slice::is_on() { node.journal.gather(&key, bytes) } else { node.journal.append(&key, bytes) }
}

/// The same for what a shard adds itself, in any moment of its turn.
pub fn gather(node: &Node, tenant: &str, call: CallId, bytes: &[u8]) -> Result<(), StoreError> {
    node.journal.gather(&layout::call(tenant, call.0), bytes)
}

/// A shard has done what there was to do: the tapes of that are written.
pub fn end_turn(node: &Node) {
    if let Err(why) = node.journal.write_gathered() {
        tracing::warn!(%why, "tapes not written; a crash would lose them");
    }
}

/// Keeps what there is of a call that is over, with the notices of it; `done` hears when it is durable. `queue`: the
/// last one that the caller was in.
pub fn seal(node: &Arc<Node>, record: &CallRecord, queue: &str, tape: &[u8], ladder: &[Rung], done: Done) {
    let batch = batch_of(record, tape, ladder);
    node.tasks.with(&record.tenant, |open| {
        let (batch, effects, changes) = left(node, record, queue, open, batch);
        // People wait for a notice, and nobody for a record alone.
        let patience = if effects.is_empty() { PATIENCE } else { PATIENCE_OF_NOTICES };
        let (batch, posted) = node.post_with(batch, &record.tenant, effects);
        let key = layout::call(&record.tenant, record.id.0);
        let (journal, tenant) = (node.clone(), record.tenant.clone());
        let sealed: Done = Box::new(move |result| {
            if result.is_ok() {
                if let Err(why) = journal.journal.seal(&key) {
                    tracing::warn!(%why, "tape not sealed in the journal; it is kept twice");
                }
                journal.tell_tasks(&tenant, &changes);
            }
            if let Some(posted) = posted {
                journal.post.settle(posted, result.is_ok());
            }
            done(result);
        });
        node.store.commit_within(batch, patience, sealed);
    });
}

/// What a call that is over leaves beside its record: who is told of it, and what is to do. `open`: the tenant's tasks.
fn left(
    node: &Node,
    record: &CallRecord,
    queue: &str,
    open: &mut Open,
    batch: Batch,
) -> (Batch, Vec<(EffectId, Effect)>, Vec<Change>) {
    let world = node.world();
    let Some(tenant) = world.tenant(&record.tenant) else { return (batch, Vec::new(), Vec::new()) };
    let contact = |number: &str| node.known_contact(tenant, number);
    let mut effects = notice::of_call(tenant, record, queue, contact);
    let changes = aftermath::of_call(tenant, record, queue, open, contact);
    effects.extend(node.told_of(tenant, &changes));
    effects.extend(node.deed_of_call(tenant, record, queue));
    (tasks::put(batch, &record.tenant, &changes), effects, changes)
}

/// Puts a longer tape in the place of the one that was sealed.
pub fn add_tape(node: &Node, tenant: &str, call: CallId, tape: &[u8]) {
    let batch = layout::put_tape(Batch::new(), tenant, call.0, tape);
    let told = move |result: Result<(), StoreError>| {
        if let Err(why) = result {
            tracing::warn!(%call, %why, "what the script did after the call is not on its tape");
        }
    };
    node.store.commit_within(batch, PATIENCE, Box::new(told));
}

/// Runs after a call that are kept with its tape; the oldest makes room.
const MOST_LATER_RUNS: usize = 16;

/// Adds a run that came after a call to its tape, under a number; one of the same number takes the place of the one
/// before. Reads the store: for a thread that may wait.
pub fn add_later_run(node: &Node, tenant: &str, call: CallId, number: u32, run: &[u8]) {
    let kept = || -> Result<(), StoreError> {
        let there = node.store.scan(&layout::later_runs(tenant, call.0))?;
        let number_of = |key: &[u8]| layout::read_later_run(key).unwrap_or_default();
        let mut numbers: Vec<u32> = there.iter().map(|(key, _)| number_of(key)).collect();
        numbers.dedup();
        numbers.retain(|known| *known != number);
        let gone = &numbers[..(numbers.len() + 1).saturating_sub(MOST_LATER_RUNS)];
        let goes = |key: &[u8]| number_of(key) == number || gone.contains(&number_of(key));
        let batch = there
            .iter()
            .filter(|(key, _)| goes(key))
            .fold(Batch::new(), |batch, (key, _)| batch.delete(key.clone()));
        node.store.commit_and_wait(layout::put_later_run(batch, tenant, call.0, number, run))
    };
    if let Err(why) = kept() {
        tracing::warn!(%call, %why, "what a script did after the call is not on its tape");
    }
}

/// What was drawn of a call's ladder, if the call is over.
pub fn ladder(node: &Node, tenant: &str, call: CallId) -> Result<Option<Vec<Rung>>, StoreError> {
    let bytes = node.store.get(&layout::ladder(tenant, call.0))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn batch_of(record: &CallRecord, tape: &[u8], ladder: &[Rung]) -> Batch {
    let (tenant, call) = (&record.tenant, record.id.0);
    let batch = history::put(records::put(Batch::new(), record), record);
    let batch = match ladder {
        [] => batch,
        rungs => {
            let text = serde_json::to_vec(rungs).expect("plain data has a JSON form");
            batch.put(layout::ladder(tenant, call), text)
        }
    };
    layout::put_tape(batch, tenant, call, tape)
}

/// The record of a call that nobody ended, from what its tape says.
fn interrupted(tape: &[u8]) -> Option<CallRecord> {
    let tape = script::Tape::read(tape).ok()?;
    let first = tape.segments.first()?;
    let start = &first.start;
    let last = tape.segments.iter().flat_map(|segment| &segment.steps).last();
    let ended = start.started + last.map_or(0.0, |step| f64::from(step.at_ms + step.took_ms) / 1000.0);
    let caller = &start.caller;
    let mut tags: Vec<(String, String)> = Vec::new();
    let mut promised = false;
    for step in tape.segments.iter().flat_map(|segment| &segment.steps) {
        let (key, value) = match (&step.command, &step.answer) {
            (Command::Tag { key, value }, Answer::Done) => (key.as_str(), value),
            (Command::CallBack { number, .. }, Answer::Done) => {
                promised = true;
                (CALL_BACK, number)
            }
            _ => continue,
        };
        tags.retain(|(known, _)| known != key);
        tags.push((key.to_owned(), value.clone()));
    }
    Some(CallRecord {
        id: start.call,
        tenant: start.tenant.to_string(),
        direction: caller.direction,
        from: caller.party.clone(),
        dialled: caller.dialled.clone(),
        source: None,
        script: start.script.to_string(),
        version: first.version.clone(),
        started: start.started,
        answered: None,
        ended,
        wait: std::time::Duration::ZERO,
        talk: std::time::Duration::ZERO,
        outcome: if promised { Outcome::Missed } else { Outcome::Failed },
        answered_by: None,
        legs: vec![LegRecord {
            leg: LegNo::CALLER,
            party: caller.party.number.clone(),
            trunk: None,
            started: start.started,
            answered: None,
            ended: Some(ended),
            end: "the exchange stopped".into(),
            sip_call_id: String::new(),
        }],
        tags,
        recordings: Vec::new(),
        failure: Some("the exchange stopped while the call was up".into()),
    })
}
