//! Where the exchange tells a script: what `#[task_script]` calls. Scripts need nothing from here.

use super::Change;
use crate::words::Result;
use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
pub use crate::host::tasks::bindings::{self, Guest};
/// A change's handle as it enters the component.
#[cfg(target_arch = "wasm32")]
pub type RawChange = bindings::Change;

/// A function that can hear of a change: of the change, or of the change and the script's settings.
pub trait OnChange<Arguments> {
    /// Runs it, with the settings read.
    fn run(self, change: Change) -> Result;
}

impl<F: FnOnce(Change) -> Result> OnChange<(Change,)> for F {
    fn run(self, change: Change) -> Result {
        self(change)
    }
}

impl<S: DeserializeOwned, F: FnOnce(Change, S) -> Result> OnChange<(Change, S)> for F {
    fn run(self, change: Change) -> Result {
        self(change, crate::settings::read()?)
    }
}

/// Compiles when the function is what a component would export: a native build has no exports to say so.
#[cfg(not(target_arch = "wasm32"))]
pub fn fits<A>(_: impl OnChange<A>) {}

/// The `on-change` export.
#[cfg(target_arch = "wasm32")]
pub fn on_change<A>(script: impl OnChange<A>, change: RawChange) -> Result {
    crate::host::log_panics();
    script.run(crate::host::tasks::change(change))
}
