//! Flow: a call, step by step, as its settings describe it, for people who do not program. Every step has a name, does
//! one thing (say, menu, ring, queue ...) and names the step that follows; each is a few lines of what the SDK has, so
//! a flow that has outgrown its file goes on as a script.
//!
//! Words, marks and places may have names of what is known in braces: "{caller}", "{order}" ([`known`]). A call takes
//! at most [`MOST_STEPS`] steps; the exchange refuses a flow that goes round without anybody having a say in it.

mod known;
mod run;
mod step;

use known::Known;
use run::{Run, Then};
use std::collections::BTreeMap;
use step::Step;
use strowger_script::prelude::*;

/// Settings of `strowger/flow`: a call flow.
#[settings]
pub struct Flow {
    /// The language of prompts to begin with, as BCP 47: "bg"; the tenant's unless set.
    pub language: Option<String>,
    /// The step that a call begins with.
    #[serde(default = "start")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(extend("format" = "step")))]
    pub start: String,
    /// Texts by name, as "{value.NAME}" in words, marks and places: what differs where several numbers have one flow.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// The steps, by the names that others go to them by.
    // Read when the call comes to it: most calls see few of them.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "BTreeMap<String, Step>"))]
    pub steps: BTreeMap<String, Value>,
}

/// Steps that one call takes; then the script fails, and the number's fallback has the call.
const MOST_STEPS: usize = 200;

fn start() -> String {
    "start".to_owned()
}

#[call_script]
fn on_call(caller: Leg, flow: Flow) -> Result {
    if let Some(language) = &flow.language {
        caller.set_language(language)?;
    }
    let mut run = Run { caller: &caller, known: Known::new(&caller, &flow.values) };
    let mut at = flow.start.clone();
    for _ in 0..MOST_STEPS {
        let step = flow.steps.get(&at).ok_or_else(|| Failure::NotFound(format!("step {at:?}")))?;
        let step = Step::read(step).map_err(|why| Failure::Invalid(format!("step {at:?}: {why}")))?;
        match run.take(&step)? {
            Then::Step(next) => at = next,
            Then::Over => return Ok(()),
        }
    }
    Err(Failure::Limit(format!("{MOST_STEPS} steps of a flow")))
}

#[cfg(test)]
mod tests;
