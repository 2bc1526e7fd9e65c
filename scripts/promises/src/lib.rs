//! Promises: whoever is to be called back is somebody's. A call back that has nobody goes to the members of a group in
//! turn; one that is late goes to the next of them, with more time, and the manager is told; so is one that was given up.

use std::time::Duration;

use strowger_script::prelude::*;
use strowger_script::tasks::*;

/// Settings of `strowger/promises`.
#[settings]
pub struct Promises {
    /// Of `[[tenant.notify]]`, by name: who is told of call backs that are late or were given up.
    pub manager: Option<String>,
    /// Call backs that have nobody, and those that are late, go to the members of this group in turn.
    pub group: Option<String>,
    /// How many minutes the next one has when a call back was late, 1 to 10080.
    #[serde(default = "an_hour")]
    pub minutes: u32,
}

fn an_hour() -> u32 {
    60
}

/// The longest that the next one has, in minutes: a week.
const LONGEST: u32 = 7 * 24 * 60;
/// Until then a change may be told once more.
const TOLD_AGAIN_WITHIN: Duration = Duration::from_secs(2 * 24 * 3600);

#[task_script]
fn on_change(change: Change, promises: Promises) -> Result {
    let task = &change.task;
    match &change.what {
        Event::Opened if task.responsible.is_none() => {
            promises.give_to_next(&change)?;
        }
        Event::Late => {
            let next = promises.give_to_next(&change)?;
            let had = task.responsible.as_deref().unwrap_or("nobody");
            let goes = next.map_or_else(String::new, |next| format!("; now it is {next}'s"));
            promises.tell(&format!("{} was not called back in time: it was {had}'s{goes}", task.who()))?;
        }
        Event::Closed(State::GivenUp) => {
            promises.tell(&format!("{} was never called back, after {} calls", task.who(), task.missed))?;
        }
        _ => {}
    }
    Ok(())
}

impl Promises {
    /// The task is the next one's, who has time for it; none where nobody else is there. Whose it became is remembered,
    /// so that a change which is told once more goes to the same.
    fn give_to_next(&self, change: &Change) -> Result<Option<String>> {
        let Some(group) = &self.group else { return Ok(None) };
        let task = &change.task;
        let given = format!("promises/{}", change.id);
        let next = match kv::get_text(&given)? {
            Some(next) => next,
            None => {
                let Some(next) = next_of(group, task.responsible.as_deref())? else { return Ok(None) };
                kv::set_for(&given, &next, TOLD_AGAIN_WITHIN)?;
                next
            }
        };
        let given = task.assign(&next).and_then(|()| match change.what {
            Event::Late => task.put_off(clock::now() + f64::from(self.minutes.clamp(1, LONGEST)) * 60.0),
            _ => Ok(()),
        });
        match given {
            Ok(()) => Ok(Some(next)),
            // Somebody has called back meanwhile.
            Err(Failure::NotFound(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    fn tell(&self, text: &str) -> Result {
        match &self.manager {
            Some(manager) => notify::send(manager, text).map(drop),
            None => Ok(()),
        }
    }
}

/// Whose turn it is: who has a telephone at hand before who has not, and never the one who had it.
fn next_of(group: &str, had: Option<&str>) -> Result<Option<String>> {
    let mut others = directory::group(group);
    others.retain(|user| Some(user.name.as_str()) != had);
    if others.iter().any(|user| user.presence != Presence::Offline) {
        others.retain(|user| user.presence != Presence::Offline);
    }
    if others.is_empty() {
        return Ok(None);
    }
    let turn = kv::add(&format!("promises/turn/{group}"), 1)?;
    let place = turn.rem_euclid(i32::try_from(others.len()).unwrap_or(i32::MAX));
    Ok(others.get(usize::try_from(place).unwrap_or(0)).map(|user| user.name.clone()))
}

#[cfg(test)]
mod tests;
