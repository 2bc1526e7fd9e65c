//! Scripts in their sandboxes, against a world of answers given beforehand.

mod bounds;
mod calls;
mod replays;
mod slices;
mod strategies;
mod support;
mod uploads;
mod versions;
