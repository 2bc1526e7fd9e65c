//! A task script that does what its settings say.

wit_bindgen::generate!({ world: "task-script", path: "../../../../../wit" });

use strowger::script::tasks::Event;
use strowger::script::{kv, log, settings};

struct Tasker;

export!(Tasker);

impl Guest for Tasker {
    fn on_change(change: Change) -> Result<(), Failure> {
        let task = change.task();
        match settings::get().trim_matches('"') {
            "tell" => {
                let what = match change.what() {
                    Event::GivenUp => "given up",
                    Event::Other(_) => "other",
                    _ => "something else",
                };
                let said = format!("{} {what} {} {:?}", change.id(), task.number(), task.due());
                log::write(log::Level::Info, &said);
            }
            "assign" => {
                task.assign("ana")?;
                task.put_off(1_795_000_900.5)?;
                task.note("promised")?;
            }
            "moment" => task.put_off(f64::NAN)?,
            "finish" => task.finish()?,
            "ask" => (0..u32::MAX).try_for_each(|_| kv::add("n", 1).map(drop))?,
            "trap" => panic!("as intended"),
            other => return Err(Failure::Invalid(other.into())),
        }
        Ok(())
    }
}
