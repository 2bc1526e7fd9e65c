//! Where the exchange enters a script: what `#[call_script]` calls. Scripts need nothing from here.

use crate::ended::CallRecord;
use crate::leg::Leg;
use crate::words::Result;
use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
pub use crate::host::bindings::{self, Guest};
/// A leg's handle as it enters the component.
#[cfg(target_arch = "wasm32")]
pub type RawLeg = bindings::strowger::script::call::Leg;
/// A record's handle as it enters the component.
#[cfg(target_arch = "wasm32")]
pub type RawRecord = bindings::strowger::script::ended::CallRecord;

/// A function that can take a call: of the caller's leg, or of the leg and the script's settings.
pub trait OnCall<Arguments> {
    /// Runs it, with the settings read.
    fn run(self, caller: Leg) -> Result;
}

impl<F: FnOnce(Leg) -> Result> OnCall<(Leg,)> for F {
    fn run(self, caller: Leg) -> Result {
        self(caller)
    }
}

impl<S: DeserializeOwned, F: FnOnce(Leg, S) -> Result> OnCall<(Leg, S)> for F {
    fn run(self, caller: Leg) -> Result {
        self(caller, crate::settings::read()?)
    }
}

/// Compiles when the functions are what a component would export: a native build has no exports to say so.
#[cfg(not(target_arch = "wasm32"))]
pub fn fits<A>(_: impl OnCall<A>, _: fn(CallRecord) -> Result) {}

/// What runs after the call when a script names nothing.
pub fn nothing_after(_: CallRecord) -> Result {
    Ok(())
}

/// The `on-call` export.
#[cfg(target_arch = "wasm32")]
pub fn on_call<A>(script: impl OnCall<A>, caller: RawLeg) -> Result {
    crate::host::log_panics();
    script.run(Leg(crate::host::LegHandle(caller)))
}

/// The `on-ended` export.
#[cfg(target_arch = "wasm32")]
pub fn on_ended(script: fn(CallRecord) -> Result, how: RawRecord) -> Result {
    crate::host::log_panics();
    script(crate::host::record(how))
}
