//! How calls and tapes look in JSON: times as RFC 3339 in the tenant's zone, lengths in seconds.

use std::time::Duration;

use exchange::{CallRecord, Direction, LiveCall, Outcome, Party};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use script::{Fact, Finish, Tape};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::records::{CATEGORY, VALUE, mark};

/// A call that is over.
#[derive(Serialize, ToSchema)]
pub(super) struct CallView {
    /// 26 characters; sorts by time.
    id: String,
    /// The tenant.
    tenant: String,
    /// "inbound", "outbound" or "internal".
    direction: &'static str,
    /// Who called.
    from: PartyView,
    /// The number dialled.
    dialled: String,
    /// The advertising source of the number.
    source: Option<String>,
    /// The script that took the call.
    script: String,
    /// Its version; empty when it was missing.
    version: String,
    /// When it arrived (RFC 3339).
    started: String,
    /// When the caller was answered.
    answered: Option<String>,
    /// When it ended.
    ended: String,
    /// Seconds from arrival until someone answered, or the end.
    wait: f64,
    /// Seconds from then until the last conversation ended; what an agent is asked after it is no talk.
    talk: f64,
    /// "answered", "missed", "abandoned", "voicemail", "rejected" or "failed".
    #[schema(value_type = String)]
    outcome: Outcome,
    /// The user or number that answered.
    answered_by: Option<String>,
    /// What it was about, as it was marked.
    category: Option<String>,
    /// What it was worth, in the tenant's currency.
    value: Option<f64>,
    /// Every leg, the caller's first.
    legs: Vec<LegView>,
    /// Marks of the script, and those above.
    tags: Vec<Tag>,
    /// Recordings made, by name.
    recordings: Vec<String>,
    /// What went wrong with the script.
    failure: Option<String>,
}

/// Someone on a call.
#[derive(Serialize, ToSchema)]
pub(super) struct PartyView {
    /// E.164 with "+", or an extension; empty when withheld.
    number: String,
    /// The display name.
    name: Option<String>,
    /// The SIP or tel URI.
    uri: String,
}

/// A leg of a call.
#[derive(Serialize, ToSchema)]
pub(super) struct LegView {
    /// 0 is the caller.
    leg: u32,
    /// The user's name, number or URI.
    party: String,
    /// Through which trunk.
    trunk: Option<String>,
    /// RFC 3339.
    started: String,
    /// RFC 3339.
    answered: Option<String>,
    /// RFC 3339.
    ended: Option<String>,
    /// How it ended.
    end: String,
    /// The SIP Call-ID.
    sip_call_id: String,
}

/// A mark of the script.
#[derive(Serialize, ToSchema)]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// A call that is up.
#[derive(Serialize, ToSchema)]
pub(super) struct LiveView {
    /// 26 characters; sorts by time.
    id: String,
    /// "inbound", "outbound" or "internal".
    direction: &'static str,
    /// Who calls.
    from: PartyView,
    /// The number dialled.
    dialled: String,
    /// The script that decides.
    script: String,
    /// Its version.
    version: String,
    /// When it arrived (RFC 3339).
    started: String,
    /// Legs that are not over.
    legs: usize,
}

pub(super) fn call(record: CallRecord, zone: &TimeZone) -> CallView {
    let category = mark(&record, CATEGORY).map(str::to_owned);
    let value = mark(&record, VALUE).and_then(|value| value.parse().ok());
    let legs = record.legs.into_iter().map(|leg| LegView {
        leg: leg.leg.0,
        party: leg.party,
        trunk: leg.trunk,
        started: time(leg.started, zone),
        answered: leg.answered.map(|at| time(at, zone)),
        ended: leg.ended.map(|at| time(at, zone)),
        end: leg.end,
        sip_call_id: leg.sip_call_id,
    });
    CallView {
        id: record.id.to_string(),
        tenant: record.tenant,
        direction: direction(record.direction),
        from: party(record.from),
        dialled: record.dialled,
        source: record.source,
        script: record.script,
        version: record.version,
        started: time(record.started, zone),
        answered: record.answered.map(|at| time(at, zone)),
        ended: time(record.ended, zone),
        wait: seconds(record.wait),
        talk: seconds(record.talk),
        outcome: record.outcome,
        answered_by: record.answered_by,
        category,
        value,
        legs: legs.collect(),
        tags: record.tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
        recordings: record.recordings,
        failure: record.failure,
    }
}

pub(super) fn live(call: LiveCall, zone: &TimeZone) -> LiveView {
    LiveView {
        id: call.id.to_string(),
        direction: direction(call.caller.direction),
        from: party(call.caller.party),
        dialled: call.caller.dialled,
        script: call.script,
        version: call.version,
        started: time(call.started, zone),
        legs: call.legs,
    }
}

/// A tape, readable: each run with what its script asked and was answered, and what became of the call beside.
pub(super) fn tape(tape: &Tape, zone: &TimeZone) -> Value {
    let runs = tape.segments.iter().map(|run| {
        let steps = run.steps.iter().map(|step| {
            json!({
                "at": f64::from(step.at_ms) / 1000.0,
                "asked": step.command,
                "took": f64::from(step.took_ms) / 1000.0,
                "answered": step.answer,
            })
        });
        json!({
            "script": run.start.script,
            "version": run.version,
            "started": time(run.start.started, zone),
            "export": run.start.export(),
            "change": run.start.changed,
            "settings": serde_json::from_str::<Value>(&run.start.settings).unwrap_or_default(),
            "steps": steps.collect::<Vec<_>>(),
            "finish": run.finish.as_ref().map(|(at, finish)| json!({ "at": seconds(*at), "how": ended(finish) })),
        })
    });
    let facts: Vec<_> = tape.facts.iter().map(|of| fact(of, zone)).collect();
    json!({ "runs": runs.collect::<Vec<_>>(), "facts": facts, "cut": tape.cut })
}

/// What became of a call in its queue.
fn fact(fact: &Fact, zone: &TimeZone) -> Value {
    let about: Map<String, Value> =
        fact.about.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    json!({ "at": time(fact.at, zone), "kind": fact.kind, "about": about })
}

fn ended(finish: &Finish) -> Value {
    match finish {
        Finish::Returned => json!("returned"),
        Finish::HungUp => json!("hung-up"),
        Finish::Failed(failure) => json!({ "failed": failure }),
        Finish::Trapped { kind, backtrace } => json!({ "trapped": kind.name(), "backtrace": backtrace }),
        Finish::HandedOver { script, .. } => json!({ "handed-over": script }),
        Finish::NoRoom => json!("no-room"),
        Finish::Suspended => json!("suspended"),
    }
}

pub(super) fn party(party: Party) -> PartyView {
    PartyView { number: party.number, name: party.name, uri: party.uri }
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Internal => "internal",
    }
}

fn seconds(length: Duration) -> f64 {
    length.as_millis() as f64 / 1000.0
}

/// Seconds since 1970 UTC as RFC 3339 with the zone's offset and milliseconds.
pub(super) fn time(at: f64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond((at * 1000.0) as i64).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_zones_offset() {
        let sofia = TimeZone::get("Europe/Sofia").unwrap();
        assert_eq!(time(1_795_000_000.5, &sofia), "2026-11-18T13:06:40.500+02:00");
        assert_eq!(time(1_780_000_000.0, &sofia), "2026-05-28T23:26:40.000+03:00");
    }
}
