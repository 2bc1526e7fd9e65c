//! `[tenant.keep]`: how long what calls leave behind is kept. It is removed by [`crate::retention`], oldest first.

use std::time::Duration;

use super::section::Section;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Nothing is kept by its age for longer than ten years; what has no bound is kept for ever.
const LONGEST: Duration = Duration::from_secs(3660 * 24 * 3600);

/// How long a tenant keeps what its calls left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// `records`: a call this old is forgotten altogether: its record, its place in the history of its number, its tape,
    /// its ladder, its recordings and the tasks of it that are over; what is open, and a message in a box, stay until
    /// somebody is done with them. For ever unless it is set.
    pub records: Option<Duration>,
    /// `tapes`: the tape and the ladder of a call this old are removed; its record stays.
    pub tapes: Duration,
    /// `tapes_size`: when the tapes of all calls take more room, the oldest are removed.
    pub tapes_size: u64,
    /// `recordings`: older files are deleted, though the call's record may stay; with the record at the latest.
    pub recordings: Option<Duration>,
    /// `recordings_size`: when all files take more room, the oldest are deleted; without a bound unless it is set.
    pub recordings_size: Option<u64>,
    /// `dead_letters`: what could not be told is forgotten so long after it was given up; with the record of its call at
    /// the latest.
    pub dead_letters: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            records: None,
            tapes: 90 * DAY,
            tapes_size: 1 << 30,
            recordings: None,
            recordings_size: None,
            dead_letters: 90 * DAY,
        }
    }
}

/// Reads `[tenant.keep]`.
pub(super) fn keep(section: Section<'_, '_>) -> Keep {
    let d = Keep::default();
    let days = |key: &str| section.has(key).then(|| section.duration(key, DAY..=LONGEST, LONGEST));
    let size = section.has("recordings_size");
    let keep = Keep {
        records: days("records"),
        recordings: days("recordings"),
        recordings_size: size.then(|| section.size("recordings_size", 1 << 20..=1 << 50, 1 << 50)),
        dead_letters: section.duration("dead_letters", DAY..=LONGEST, d.dead_letters),
        tapes: section.duration("tapes", DAY..=LONGEST, d.tapes),
        tapes_size: section.size("tapes_size", 1 << 20..=1 << 40, d.tapes_size),
    };
    section.finish();
    keep
}
