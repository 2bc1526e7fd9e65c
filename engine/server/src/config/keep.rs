//! `[tenant.keep]`: how long what calls leave behind is kept. It is removed by [`crate::retention`], oldest first.

use std::time::Duration;

use super::section::Section;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Nothing is kept by its age for longer than ten years; what has no bound is kept for ever.
const LONGEST: Duration = Duration::from_secs(3660 * 24 * 3600);

/// How long a tenant keeps what its calls left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// `records`: a call this long over is forgotten altogether: its record, its place in the history of its number, its
    /// tape and its ladder. For ever unless it is set.
    pub records: Option<Duration>,
    /// `tapes`: the tape and the ladder of a call this old are removed; its record stays.
    pub tapes: Duration,
    /// `tapes_size`: when the tapes of all calls take more room, the oldest are removed.
    pub tapes_size: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { records: None, tapes: 90 * DAY, tapes_size: 1 << 30 }
    }
}

/// Reads `[tenant.keep]`.
pub(super) fn keep(section: Section<'_, '_>) -> Keep {
    let d = Keep::default();
    let keep = Keep {
        records: section.has("records").then(|| section.duration("records", DAY..=LONGEST, LONGEST)),
        tapes: section.duration("tapes", DAY..=LONGEST, d.tapes),
        tapes_size: section.size("tapes_size", 1 << 20..=1 << 40, d.tapes_size),
    };
    section.finish();
    keep
}
