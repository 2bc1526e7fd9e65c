//! Hears of call backs: logs what became of which, and does to them what its settings say.

use strowger_script::prelude::*;
use strowger_script::tasks::*;

/// What to do.
#[settings]
struct Told {
    /// Who gets what is new.
    assign: Option<String>,
    /// At this event: trap, spin or fail.
    at: Option<String>,
    does: Option<String>,
}

#[task_script]
fn on_change(change: Change, told: Told) -> Result {
    let task = &change.task;
    let what = match &change.what {
        Event::Opened => "opened",
        Event::MissedAgain => "missed-again",
        Event::Late => "late",
        Event::Assigned => "assigned",
        Event::PutOff => "put-off",
        Event::Noted => "noted",
        Event::Closed(State::GivenUp) => "given-up",
        Event::Closed(State::Done) => "done",
        Event::Closed(_) => "reached",
        Event::Other(word) => word,
    };
    log!("{what} {} {} {}", task.number, task.missed, task.responsible.as_deref().unwrap_or("nobody"));
    kv::add(&format!("told/{what}"), 1)?;
    if told.at.as_deref() == Some(what) {
        match told.does.as_deref() {
            Some("trap") => panic!("as intended"),
            Some("spin") => loop {
                std::hint::spin_loop();
            },
            _ => return Err(Failure::Other("as intended".to_owned())),
        }
    }
    if let (Event::Opened, Some(user)) = (&change.what, &told.assign) {
        task.assign(user)?;
        task.note("promised")?;
        let by = task.due.map_or(clock::now() + 3600.0, |due| due + 3600.0);
        task.put_off(by)?;
    }
    Ok(())
}
