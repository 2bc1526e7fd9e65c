//! One trace of one call, made of its record and its tape when it is over: a span for the call, for each run of a script
//! below it, for each import below that, and for each leg, below the dial that rang it. What became of the call in a
//! queue and in a dial's stages are events. So nothing is measured twice, and a call that nobody traces costs nothing.
//!
//! The call's id is the trace's id. Numbers and words of callers are left out, unless the configuration asks for them.

use exchange::{Answer, CallId, CallRecord, Command, Direction, Failure, LegRecord};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use script::{Fact, Finish, Segment, Step, Tape};

use crate::words;

/// Spans of one trace; the root says how many more there would be.
const MOST_SPANS: usize = 2_000;
/// A longer text is cut.
const LONGEST_TEXT: usize = 1_024;

/// What a span's id is made of, besides its place: two of one trace never share one.
#[derive(Clone, Copy)]
enum Of {
    Call,
    Run,
    Import,
    Fetch,
    Leg,
}

/// The id of the span of a script's `nth` request to a server outside, from 0, in the run that began at `started`: known
/// while the request is made, so that it can be sent along.
pub fn fetch_id(started: f64, nth: u32) -> [u8; 8] {
    id(Of::Fetch, started.to_bits(), nth.into())
}

/// The value of a `traceparent` header (W3C Trace Context §3.2).
pub fn traceparent(call: CallId, span: [u8; 8]) -> String {
    format!("00-{:032x}-{:016x}-01", call.0, u64::from_be_bytes(span))
}

/// The spans of a call, the root first. `words`: with what was asked and answered, as the timeline has it.
pub fn of(record: &CallRecord, tape: Option<&Tape>, words: bool) -> Vec<Span> {
    let call = record.id;
    let root = id(Of::Call, 0, 0);
    let mut spans = vec![of_call(record, tape, root)];
    let mut left_out = 0_u64;
    let mut dials = Vec::new();
    for (number, run) in tape.into_iter().flat_map(|tape| &tape.segments).enumerate() {
        let parent = id(Of::Run, number as u64, 0);
        spans.push(of_run(call, run, root, parent));
        let mut fetches = 0;
        for (place, step) in run.steps.iter().enumerate() {
            let own = match step.command {
                Command::Fetch(_) => fetch_id(run.start.started, fetches),
                _ => id(Of::Import, number as u64, place as u64),
            };
            fetches += u32::from(matches!(step.command, Command::Fetch(_)));
            let span = of_import(call, run, step, (parent, own), words);
            if let Command::Dial(_) = step.command {
                dials.push((span.start_time_unix_nano, span.end_time_unix_nano, own));
            }
            if spans.len() < MOST_SPANS {
                spans.push(span);
            } else {
                left_out += 1;
            }
        }
    }
    for leg in &record.legs {
        let began = nanos(leg.started);
        let dial = dials.iter().find(|(from, to, _)| (*from..=*to).contains(&began));
        spans.push(of_leg(record, leg, dial.map_or(root, |(.., id)| *id), words));
    }
    if left_out > 0 {
        spans[0].attributes.push(attribute("strowger.spans.left_out", &left_out.to_string()));
    }
    spans
}

fn of_call(record: &CallRecord, tape: Option<&Tape>, own: [u8; 8]) -> Span {
    let direction = match record.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Internal => "internal",
    };
    let facts = tape.into_iter().flat_map(|tape| &tape.facts);
    Span {
        kind: SpanKind::Server.into(),
        attributes: vec![
            attribute("strowger.call", &record.id.to_string()),
            attribute("strowger.tenant", &record.tenant),
            attribute("strowger.direction", direction),
            attribute("strowger.dialled", &record.dialled),
            attribute("strowger.script", &record.script),
            attribute("strowger.version", &record.version),
            attribute("strowger.outcome", record.outcome.name()),
        ],
        events: facts.map(decided).collect(),
        status: record.failure.as_deref().map(failed),
        ..span(record.id, "call", ([0; 8], own), record.started, record.ended)
    }
}

/// Who was offered the call, and by which strategy.
fn decided(fact: &Fact) -> Event {
    let told = [
        "queue", "agents", "agent", "strategy", "version", "reason", "position", "free", "waiting", "waited",
    ];
    let about = fact.about.iter().filter(|(name, _)| told.contains(&name.as_str()));
    Event {
        time_unix_nano: nanos(fact.at),
        name: fact.kind.clone(),
        attributes: about.map(|(name, value)| attribute(&format!("strowger.{name}"), value)).collect(),
        ..Event::default()
    }
}

fn of_run(call: CallId, run: &Segment, parent: [u8; 8], own: [u8; 8]) -> Span {
    let begun = run.start.started;
    let last =
        || run.steps.last().map_or(0.0, |step| f64::from(step.at_ms) + f64::from(step.took_ms)) / 1000.0;
    let length = run.finish.as_ref().map_or_else(last, |(length, _)| length.as_secs_f64());
    let status = match run.finish.as_ref().map(|(_, finish)| finish) {
        Some(Finish::Trapped { kind, .. }) => Some(failed(kind.name())),
        Some(Finish::Failed(why)) => Some(failed(&why.to_string())),
        Some(Finish::NoRoom) => Some(failed("no sandbox was free")),
        Some(Finish::Suspended) => Some(failed("suspended")),
        Some(Finish::Returned | Finish::HungUp | Finish::HandedOver { .. }) | None => None,
    };
    let export = run.start.export();
    Span {
        attributes: vec![
            attribute("strowger.script", &run.start.script),
            attribute("strowger.version", &run.version),
            attribute("strowger.export", export),
        ],
        status,
        ..span(call, &format!("{} {export}", run.start.script), (parent, own), begun, begun + length)
    }
}

fn of_import(call: CallId, run: &Segment, step: &Step, ids: ([u8; 8], [u8; 8]), words: bool) -> Span {
    let begun = run.start.started + f64::from(step.at_ms) / 1000.0;
    let ended = begun + f64::from(step.took_ms) / 1000.0;
    let mut attributes = Vec::new();
    if words {
        attributes.push(attribute("strowger.asked", &words::command(&step.command)));
        attributes.extend(words::answer(&step.answer).map(|told| attribute("strowger.answered", &told)));
    }
    let mut events = Vec::new();
    let mut kind = SpanKind::Internal;
    match (&step.command, &step.answer) {
        (Command::Dial(dial), _) => {
            for stage in &dial.stages {
                events.push(Event {
                    time_unix_nano: nanos(begun + stage.after.as_secs_f64()),
                    name: "stage".to_owned(),
                    attributes: vec![attribute("strowger.targets", &stage.targets.len().to_string())],
                    ..Event::default()
                });
            }
            // A stage that was never reached began nothing.
            events.retain(|event| event.time_unix_nano <= nanos(ended));
        }
        (Command::Fetch(fetch), answer) => {
            kind = SpanKind::Client;
            attributes.push(attribute("http.request.method", fetch.method.name()));
            attributes.push(attribute("url.full", words::without_query(&fetch.url)));
            if let Answer::Fetched(fetched) = answer {
                attributes.push(attribute("http.response.status_code", &fetched.status.to_string()));
            }
        }
        _ => {}
    }
    let status = match &step.answer {
        // The caller's way to end a call is no mistake.
        Answer::Failed(Failure::HungUp) => None,
        Answer::Failed(why) => Some(failed(&why.to_string())),
        _ => None,
    };
    Span {
        kind: kind.into(),
        attributes,
        events,
        status,
        ..span(call, words::import(&step.command), ids, begun, ended)
    }
}

fn of_leg(record: &CallRecord, leg: &LegRecord, parent: [u8; 8], words: bool) -> Span {
    let mut attributes = vec![
        attribute("strowger.leg", &leg.leg.0.to_string()),
        attribute("strowger.end", &leg.end),
        attribute("strowger.sip_call_id", &leg.sip_call_id),
    ];
    attributes.extend(leg.trunk.as_deref().map(|trunk| attribute("strowger.trunk", trunk)));
    attributes.extend(words.then(|| attribute("strowger.party", &leg.party)));
    let answered = leg.answered.map(|at| Event {
        time_unix_nano: nanos(at),
        name: "answered".to_owned(),
        ..Event::default()
    });
    Span {
        attributes,
        events: answered.into_iter().collect(),
        ..span(
            record.id,
            "leg",
            (parent, id(Of::Leg, leg.leg.0.into(), 0)),
            leg.started,
            leg.ended.unwrap_or(record.ended),
        )
    }
}

/// `ids`: the parent's, and its own. Times are seconds since 1970 UTC.
fn span(call: CallId, name: &str, ids: ([u8; 8], [u8; 8]), begun: f64, ended: f64) -> Span {
    let parent = if ids.0 == [0; 8] { Vec::new() } else { ids.0.to_vec() };
    Span {
        trace_id: call.0.to_be_bytes().to_vec(),
        span_id: ids.1.to_vec(),
        parent_span_id: parent,
        name: name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanos(begun),
        end_time_unix_nano: nanos(ended.max(begun)),
        ..Span::default()
    }
}

/// Never 0, which would be no span's (W3C Trace Context §3.2.2.4).
fn id(of: Of, first: u64, second: u64) -> [u8; 8] {
    // The finishing of SplitMix64, as far as needed to spread places over all ids.
    let mix = |seed: u64, value: u64| {
        let mut mixed = seed.wrapping_add(value).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    mix(mix(mix(0, of as u64), first), second).max(1).to_be_bytes()
}

fn nanos(seconds: f64) -> u64 {
    // A cast stays within what fits.
    (seconds * 1e9) as u64
}

fn failed(why: &str) -> Status {
    let why = why.lines().next().unwrap_or_default();
    Status { code: StatusCode::Error.into(), message: cut(why) }
}

pub(super) fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(cut(value))) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST_TEXT)].to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use exchange::{Dial, Fetch, FetchMethod, Fetched, LegNo, Outcome, Party, Stage, Target};

    use super::*;

    const BEGUN: f64 = 1_795_000_000.0;

    fn step(at_ms: u32, command: Command, took_ms: u32, answer: Answer) -> Step {
        Step { at_ms, command, took_ms, answer }
    }

    fn leg(no: u32, started: f64) -> LegRecord {
        LegRecord {
            leg: LegNo(no),
            party: "+359888000101".into(),
            trunk: None,
            started,
            answered: Some(started + 2.0),
            ended: Some(started + 4.0),
            end: "hung up".into(),
            sip_call_id: format!("{no}@here"),
        }
    }

    /// A call whose script asks a server and rings somebody, and which is 9 s long.
    fn call() -> (CallRecord, Tape) {
        let record = CallRecord {
            id: CallId::new(1_795_000_000_000, 7),
            tenant: "acme".into(),
            direction: Direction::Inbound,
            from: Party { number: "+359888123456".into(), ..Party::default() },
            dialled: "700".into(),
            source: None,
            script: "mine".into(),
            version: "abc".into(),
            started: BEGUN,
            answered: None,
            ended: BEGUN + 9.0,
            wait: Duration::ZERO,
            talk: Duration::ZERO,
            outcome: Outcome::Missed,
            answered_by: None,
            legs: vec![leg(0, BEGUN), leg(1, BEGUN + 3.5)],
            tags: Vec::new(),
            recordings: Vec::new(),
            failure: None,
        };
        let fetch = Fetch {
            method: FetchMethod::Get,
            url: "https://crm.example/who?number=%2B359888123456".into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::ZERO,
            redirects: 0,
        };
        let stage = |after, user: &str| Stage {
            after: Duration::from_secs(after),
            targets: vec![Target::User(user.into())],
        };
        let dial = Dial {
            stages: vec![stage(0, "ana"), stage(2, "boris"), stage(60, "vera")],
            timeout: Duration::from_secs(90),
            ringback: None,
            present: None,
            skip_busy: false,
        };
        let mut start = crate::scripts::comparison::tests::start();
        (start.call, start.started) = (record.id, BEGUN + 1.0);
        let steps = vec![
            step(0, Command::Answer { leg: LegNo::CALLER }, 1, Answer::Done),
            step(
                5,
                Command::Fetch(Box::new(fetch)),
                250,
                Answer::Fetched(Box::new(Fetched { status: 503, ..Fetched::default() })),
            ),
            step(2_000, Command::Dial(dial), 6_000, Answer::Failed(Failure::NoAnswer)),
        ];
        let finish = Some((Duration::from_millis(8_000), Finish::Failed(Failure::NoAnswer)));
        let fact = Fact {
            at: BEGUN + 2.0,
            kind: "queue.offered".into(),
            about: vec![("agents".into(), "ana".into()), ("number".into(), "+359888123456".into())],
        };
        let segment = Segment { start, version: "abc".into(), steps, finish };
        (record, Tape { segments: vec![segment], facts: vec![fact], legs: None, cut: false })
    }

    /// Milliseconds from the beginning of the call.
    fn millis(at: u64) -> u64 {
        (at - nanos(BEGUN) + 500_000) / 1_000_000
    }

    #[test]
    fn a_call_is_one_tree_of_spans_with_the_times_of_its_tape() {
        let (record, tape) = call();
        let spans = of(&record, Some(&tape), false);
        let parent = |span: &Span| {
            spans
                .iter()
                .find(|above| above.span_id == span.parent_span_id)
                .map_or("-", |above| above.name.as_str())
                .to_owned()
        };
        let told: Vec<_> = spans
            .iter()
            .map(|span| {
                (
                    span.name.as_str(),
                    parent(span),
                    millis(span.start_time_unix_nano),
                    millis(span.end_time_unix_nano),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("call", "-".to_owned(), 0, 9_000),
                ("mine on-call", "call".to_owned(), 1_000, 9_000),
                ("call.answer", "mine on-call".to_owned(), 1_000, 1_001),
                ("http.fetch", "mine on-call".to_owned(), 1_005, 1_255),
                ("call.dial", "mine on-call".to_owned(), 3_000, 9_000),
                ("leg", "call".to_owned(), 0, 4_000),
                ("leg", "call.dial".to_owned(), 3_500, 7_500),
            ]
        );
        assert!(spans.iter().all(|span| span.trace_id == record.id.0.to_be_bytes()));
        let ids: HashSet<_> = spans.iter().map(|span| &span.span_id).collect();
        assert_eq!(ids.len(), spans.len());
        // A stage that was reached began; the third was not.
        let stages: Vec<_> = spans[4].events.iter().map(|event| millis(event.time_unix_nano)).collect();
        assert_eq!(stages, [3_000, 5_000]);
        let failed: Vec<_> =
            spans.iter().filter(|span| span.status.is_some()).map(|span| span.name.as_str()).collect();
        assert_eq!(failed, ["mine on-call", "call.dial"]);
        assert_eq!(spans[0].events[0].name, "queue.offered");
    }

    #[test]
    fn a_server_that_was_asked_was_told_the_span_that_asked_it() {
        let (record, tape) = call();
        let sent = traceparent(record.id, fetch_id(tape.segments[0].start.started, 0));
        // W3C Trace Context §3.2.2: version, 16 bytes, 8 bytes, flags, all in lower-case hexadecimal.
        let parts: Vec<_> = sent.split('-').collect();
        assert_eq!((parts[0], parts[1].len(), parts[2].len(), parts[3]), ("00", 32, 16, "01"));
        let spans = of(&record, Some(&tape), false);
        let fetch = spans.iter().find(|span| span.name == "http.fetch").expect("it is there");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!((hex(&fetch.trace_id), hex(&fetch.span_id)), (parts[1].to_owned(), parts[2].to_owned()));
    }

    #[test]
    fn callers_numbers_are_told_only_where_that_is_wished() {
        let (record, tape) = call();
        let number = |spans: &[Span]| format!("{spans:?}").contains("359888");
        assert!(!number(&of(&record, Some(&tape), false)));
        assert!(number(&of(&record, Some(&tape), true)));
    }

    #[test]
    fn a_call_with_too_many_imports_says_how_many_are_left_out() {
        let (record, mut tape) = call();
        tape.segments[0].steps = vec![step(1, Command::Now, 0, Answer::Instant(0.0)); 5_000];
        let spans = of(&record, Some(&tape), false);
        assert_eq!(spans.len(), MOST_SPANS + record.legs.len());
        let left_out = (5_000 + 2 - MOST_SPANS).to_string();
        assert!(spans[0].attributes.contains(&attribute("strowger.spans.left_out", &left_out)));
    }
}
