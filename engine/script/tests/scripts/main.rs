//! Scripts in their sandboxes, against a world of answers given beforehand.

mod bounds;
mod calls;
mod changes;
mod floats;
#[path = "../../../exchange/tests/support/mod.rs"]
mod floor;
mod histories;
mod released;
mod replays;
mod rests;
mod runtimes;
mod slices;
mod strategies;
mod support;
mod uploads;
mod versions;
