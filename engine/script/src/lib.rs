//! Runs scripts: the host side of `wit/`, on wasmtime.
//!
//! A script is a component. [`Sandboxes::compile`] checks it against `wit/` and compiles it,
//! a [`Library`] says which version takes a tenant's next call, and [`Sandboxes::run_call`] runs one
//! call in a sandbox of its own: every import becomes an [`exchange::Command`] that a [`World`]
//! answers, and what it answered is written on the call's tape ([`tape`]). From the tape a run can be
//! played again ([`Sandboxes::replay`]) or gone on with ([`Sandboxes::resume`]); so a run that waits for long gives its
//! sandbox back and is rebuilt when its answer is there ([`Limits::rest`]), on another version if that is wished
//! ([`Reins::move_to`]).
//!
//! What calls, legs and queues are is not known here, and neither is where tapes and components are
//! kept.

mod apart;
pub mod background;
mod bindings;
mod check;
mod clock;
mod compiled;
mod figures;
mod guest;
mod host;
mod library;
pub mod limits;
mod reins;
mod replay;
mod rest;
mod room;
mod sandbox;
pub mod sections;
pub mod slice;
mod stalls;
mod strategy;
pub mod tape;

pub use apart::{Apart, Bounds, COMPILE_CPU, COMPILE_MEMORY, COMPILE_TIME, compile_for_parent};
pub use check::{Kind, Problem, Refused};
pub use compiled::KEPT as KEPT_COMPILED;
pub use figures::{Fares, TRAP_PLACES};
pub use guest::{Asked, World};
pub use library::{
    KEPT_VERSIONS, Library, Listed, NoVersion, RUNS_ELSEWHERE, SCRIPTS, SHARES, Trial, Version,
};
pub use limits::Limits;
pub use reins::{Moved, Reins};
pub use replay::Verdict;
pub use sandbox::{Component, NoEngine, Run, Sandboxes, Settings};
pub use strategy::Decision;
pub use tape::{Fact, Finish, Segment, Start, Step, Tape, TrapKind};
