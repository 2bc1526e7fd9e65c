//! An imaginary change of a call back: a task script is told of it as it would be by the exchange, in the world of a
//! [`Scene`] in which nobody calls.

use std::sync::{Arc, Mutex, PoisonError};

use exchange::{CallId, TaskChange, TaskEvent, TaskInfo, TaskState};
use script::{Sandboxes, Start, Version};

use super::exchange::{Simulated, State};
use super::scenario::moment;
use super::{Played, Scene, caller, virtually};
use crate::config::section::{Section, hint};

/// What can become of a call back.
const EVENTS: [TaskEvent; 11] = [
    TaskEvent::Opened,
    TaskEvent::MissedAgain,
    TaskEvent::Late,
    TaskEvent::Assigned,
    TaskEvent::PutOff,
    TaskEvent::Noted,
    TaskEvent::Closed(TaskState::ReachedUsAgain),
    TaskEvent::Closed(TaskState::CalledBackInTime),
    TaskEvent::Closed(TaskState::CalledBackLate),
    TaskEvent::Closed(TaskState::GivenUp),
    TaskEvent::Closed(TaskState::Done),
];
/// Names the task of every change.
const TASK: &str = "simulated-task";

/// Reads what a `[[change]]` says of the task; its caller is the scene's.
pub(super) fn read(section: &Section<'_, '_>, scene: &Scene) -> Option<TaskChange> {
    let what = section.required("what", "late")?;
    let Some(event) = EVENTS.into_iter().find(|event| event.name() == what.value) else {
        let hint = hint(what.value, EVENTS.map(TaskEvent::name));
        section.mistake(what.line, format!("nothing like \"{}\" becomes of a call back; {hint}", what.value));
        return None;
    };
    let word = |key, example| section.text(key, example).map(|text| text.value.to_owned());
    let list = |key, example| {
        let texts = section.texts(key, example).unwrap_or_default();
        texts.into_iter().map(|text| text.value.to_owned()).collect::<Vec<_>>()
    };
    let due = section.text("due", "2026-11-27 10:00").and_then(|text| {
        let due = moment(text.value, scene.at.time_zone());
        if due.is_none() {
            let what = format!("\"{}\" is no moment; write one like \"2026-11-27 10:00\"", text.value);
            section.mistake(text.line, what);
        }
        due.map(|due| due.timestamp().as_millisecond() as f64 / 1000.0)
    });
    let at = scene.at.timestamp().as_millisecond() as f64 / 1000.0;
    let state = if let TaskEvent::Closed(state) = event { state } else { TaskState::Open };
    let task = TaskInfo {
        id: TASK.to_owned(),
        state,
        number: scene.from.clone(),
        name: word("called", "Maria").unwrap_or_default(),
        contact: None,
        title: format!("Call back {}", scene.from),
        responsible: word("responsible", "ana"),
        due,
        late: event == TaskEvent::Late || due.is_some_and(|due| due < at),
        opened: at,
        closed: (state != TaskState::Open).then_some(at),
        closed_by: word("closed_by", "ana"),
        dialled: scene.to.clone(),
        queue: word("in_queue", "sales"),
        missed: u32::try_from(section.integer("missed", 1..=100_000, 1)).unwrap_or(1),
        last: at,
        calls: vec![CallId::new(scene.at.timestamp().as_millisecond().unsigned_abs(), 0).to_string()],
        recordings: list("recordings", r#"["message"]"#),
        notes: list("notes", r#"["prefers mornings"]"#),
    };
    Some(TaskChange { id: format!("{TASK}-change-1"), at, event, task })
}

/// Tells the script `name` of a change.
pub fn tell(
    sandboxes: &Sandboxes,
    version: &Version,
    name: &str,
    scene: &Scene,
    change: &TaskChange,
) -> std::io::Result<Played> {
    let start = Start {
        call: change.task.calls.last().and_then(|call| call.parse().ok()).unwrap_or(CallId::new(0, 0)),
        tenant: "simulated".into(),
        script: name.into(),
        caller: caller(scene),
        settings: scene.settings.as_str().into(),
        seed: 1,
        started: change.at,
        ended: None,
        changed: Some(Box::new(change.clone())),
    };
    let world = Arc::new(Simulated { scene: scene.clone(), state: Mutex::new(State::of_nobody(scene)) });
    let limits = virtually(start.limits());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = runtime.block_on(sandboxes.run_call(version, start, world.clone(), &limits));
    let mut state = world.state.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(state.over(run.finish, run.cpu))
}
