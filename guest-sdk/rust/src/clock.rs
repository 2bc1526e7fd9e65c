//! The tenant's clock, and chance. A script has no other: what these answered is written on the call's tape.

use crate::host;
use crate::words::{Failure, Result};
use std::time::Duration;

/// A moment on a wall clock, daylight saving included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// 1970 to 9999.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 1 is Monday, 7 is Sunday.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// East of UTC.
    pub offset_minutes: i32,
}

/// Seconds since 1970-01-01 UTC, with the fraction.
pub fn now() -> f64 {
    host::now()
}

/// Now in the tenant's time zone.
pub fn local_time() -> LocalTime {
    host::local_time()
}

/// Now in another time zone, by its IANA name ("Europe/Sofia"); none when there is no such zone.
pub fn time_in(zone: &str) -> Option<LocalTime> {
    host::time_in(zone)
}

/// The scheme in force by a calendar of the tenant: "open", "lunch", "holiday" ...
///
/// # Errors
/// [`Failure::NotFound`] when there is no such calendar.
pub fn scheme(calendar: &str) -> Result<String> {
    host::scheme(calendar).ok_or_else(|| Failure::NotFound(format!("calendar {calendar}")))
}

/// From 0 up to and without `below`; 0 when `below` is 0.
pub fn random(below: u32) -> u32 {
    host::random(below)
}

/// Waits.
///
/// # Errors
/// [`Failure::HungUp`] when the caller leaves meanwhile.
pub fn sleep(length: Duration) -> Result {
    host::sleep(length)
}
