//! What calls leave behind is kept for as long as their tenant says (`[tenant.keep]`), and then removed, oldest first:
//! records with everything about their call (its files go by [`crate::recordings`], at the same age), tapes and ladders by their age, and tapes by the room they take.
//!
//! An id begins with its call's time, so what is too old is one range of keys. A sweep reads and removes a page at a time,
//! and each page is one commit: stopped anywhere, the next sweep goes on where this one was. A call that is up has none of
//! this yet; its tape is in the journal until it is over.

use std::time::Duration;

use exchange::CallId;
use store::{Batch, Scan, Store, StoreError, layout};

use crate::config::Keep;
use crate::history;
use crate::records;

/// Rows that are read, and removed, at once.
const PAGE: usize = 200;

/// What a sweep of one tenant found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Records removed, each with everything about its call.
    pub records: u64,
    /// Parts of tapes removed, because of their age or of the room they took. Nearly all tapes have one part.
    pub tapes: u64,
    /// Bytes of the tapes that stay.
    pub tape_bytes: u64,
}

/// Removes what a tenant keeps no longer; call it now and then, on a thread that may wait. `now`: seconds since 1970 UTC.
///
/// # Errors
/// When the store can't be read or written; what was removed until then is.
pub fn sweep(store: &Store, tenant: &str, keep: &Keep, now: f64) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    if let Some(records) = keep.records {
        swept.records = forget(store, tenant, before(now, records))?;
    }
    let too_old = before(now, keep.tapes);
    swept.tapes = remove(store, &layout::tapes_before(tenant, too_old))?;
    remove(store, &layout::ladders_before(tenant, too_old))?;
    let (bytes, full) = measure(store, tenant, keep.tapes_size)?;
    swept.tape_bytes = bytes;
    if let Some(full) = full {
        swept.tapes += remove(store, &layout::tapes_before(tenant, full))?;
        remove(store, &layout::ladders_before(tenant, full))?;
    }
    Ok(swept)
}

/// The first id that is not older.
fn before(now: f64, age: Duration) -> u128 {
    let millis = (now - age.as_secs_f64()).max(0.0) * 1000.0;
    CallId::new(millis as u64, 0).0
}

/// Removes the records of calls before `until` and everything about these calls.
fn forget(store: &Store, tenant: &str, until: u128) -> Result<u64, StoreError> {
    // Their tapes and ladders, of which there may be fewer, lie in the same range.
    remove(store, &layout::tapes_before(tenant, until))?;
    remove(store, &layout::ladders_before(tenant, until))?;
    remove_each(
        store,
        &layout::done_tasks_before(tenant, until),
        |batch, key| match layout::read_done_task(key) {
            Some((call, number)) => batch.delete(layout::task_elsewhere(tenant, call, number)),
            None => batch,
        },
    )?;
    let mut forgotten = 0;
    loop {
        let page = store.scan(&layout::calls_between(tenant, 0, until).limit(PAGE))?;
        if page.is_empty() {
            return Ok(forgotten);
        }
        let batch = page.iter().fold(Batch::new(), |batch, (key, value)| {
            // A record that can't be read names nobody; its row goes all the same.
            match records::read(value) {
                Ok(record) => history::delete(batch, &record).delete(key.clone()),
                Err(_) => batch.delete(key.clone()),
            }
        });
        store.commit_and_wait(batch)?;
        forgotten += page.len() as u64;
    }
}

/// Removes every row of a scan.
fn remove(store: &Store, scan: &Scan) -> Result<u64, StoreError> {
    remove_each(store, scan, |batch, _| batch)
}

/// The same, each with what `also` adds of it to the batch.
fn remove_each(store: &Store, scan: &Scan, also: impl Fn(Batch, &[u8]) -> Batch) -> Result<u64, StoreError> {
    let scan = scan.clone().limit(PAGE);
    let mut removed = 0;
    loop {
        let page = store.scan(&scan)?;
        if page.is_empty() {
            return Ok(removed);
        }
        removed += page.len() as u64;
        let batch = page.into_iter().fold(Batch::new(), |batch, (key, _)| also(batch, &key).delete(key));
        store.commit_and_wait(batch)?;
    }
}

/// The bytes of a tenant's tapes, the newest first, up to `most`; and where there are more, the id below which tapes have
/// no room.
fn measure(store: &Store, tenant: &str, most: u64) -> Result<(u64, Option<u128>), StoreError> {
    let mut scan = layout::tapes_before(tenant, u128::MAX).backward().limit(PAGE);
    // Whole tapes, and the parts of the one that is being read.
    let (mut whole, mut parts, mut call) = (0, 0, u128::MAX);
    loop {
        let page = store.scan(&scan)?;
        let Some((last, _)) = page.last() else { return Ok((whole + parts, None)) };
        let behind = scan.clone().behind(last);
        for (key, value) in &page {
            let of = layout::read_tape(key).unwrap_or_default();
            if of != call {
                (whole, parts, call) = (whole + parts, 0, of);
            }
            parts += (key.len() + value.len()) as u64;
            if whole + parts > most {
                return Ok((whole, Some(call.saturating_add(1))));
            }
        }
        scan = behind;
    }
}

#[cfg(test)]
mod tests {
    use exchange::CallRecord;
    use store::Options;
    use tempfile::TempDir;

    use super::*;
    use crate::history::tests::inbound;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    /// A moment in November 2026.
    const NOW: f64 = 1_795_000_000.0;
    /// Of each tape.
    const BYTES: usize = 1000;

    fn id(tenant: &str, days_ago: u32) -> CallId {
        CallId::new((NOW * 1000.0) as u64 - u64::from(days_ago) * 86_400_000 + 1, tenant.len() as u128)
    }

    /// Ten calls of a tenant, the newest a day old, each with everything that a call leaves behind; and one of another
    /// tenant that is as old as the oldest.
    fn ten_days() -> (Store, TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), &Options::default()).expect("a store");
        for (tenant, days) in (1..=10).map(|days| ("acme", days)).chain([("acme2", 10)]) {
            let call = inbound("2026-11-20T10:00:00Z", "+359888123456", "ana");
            let record = CallRecord { id: id(tenant, days), tenant: tenant.into(), ..call };
            let batch = history::put(records::put(Batch::new(), &record), &record);
            let batch = batch.put(layout::ladder(tenant, record.id.0), "[]");
            let batch = layout::put_tape(batch, tenant, record.id.0, &[7; BYTES]);
            let batch = batch
                .put(layout::done_task(tenant, record.id.0, 1), "{}")
                .put(layout::task_elsewhere(tenant, record.id.0, 1), "900")
                .put(layout::open_task(tenant, record.id.0, 2), "{}");
            store.commit_and_wait(batch).expect("a commit");
        }
        (store, folder)
    }

    /// How many tasks of a tenant are done, are named elsewhere, and are open.
    fn tasks_left(store: &Store, tenant: &str) -> [usize; 3] {
        let keys = [
            |tenant: &str, call| layout::done_task(tenant, call, 1),
            |tenant: &str, call| layout::task_elsewhere(tenant, call, 1),
            |tenant: &str, call| layout::open_task(tenant, call, 2),
        ];
        let there = |key: Vec<u8>| store.get(&key).expect("a read").is_some();
        keys.map(|key| (1..=10).filter(|days| there(key(tenant, id(tenant, *days).0))).count())
    }

    /// How many records, tapes, ladders and conversations of a tenant there are.
    fn left(store: &Store, tenant: &str) -> [usize; 4] {
        [
            layout::calls(tenant),
            layout::tapes_before(tenant, u128::MAX),
            layout::ladders_before(tenant, u128::MAX),
            layout::conversations_since(tenant, "+359888123456", 0),
        ]
        .map(|scan| store.scan(&scan).expect("a page").len())
    }

    #[test]
    fn nothing_young_is_removed_by_default() {
        let (store, _folder) = ten_days();
        let swept = sweep(&store, "acme", &Keep::default(), NOW).expect("a sweep");
        assert_eq!((swept.records, swept.tapes), (0, 0));
        assert!(swept.tape_bytes >= 10 * BYTES as u64, "{swept:?}");
        assert_eq!(left(&store, "acme"), [10; 4]);
    }

    #[test]
    fn a_tape_that_is_too_old_goes_with_its_ladder_and_leaves_the_record() {
        let (store, _folder) = ten_days();
        let keep = Keep { tapes: 4 * DAY, ..Keep::default() };
        assert_eq!(sweep(&store, "acme", &keep, NOW).expect("a sweep").tapes, 6);
        assert_eq!(left(&store, "acme"), [10, 4, 4, 10]);
        assert!(layout::tape(&store, "acme", id("acme", 4).0).expect("a read").is_some());
        assert!(layout::tape(&store, "acme", id("acme", 5).0).expect("a read").is_none());
        assert_eq!(left(&store, "acme2"), [1; 4], "another tenant's call is as old");
        assert_eq!(sweep(&store, "acme", &keep, NOW).expect("a sweep").tapes, 0);
    }

    #[test]
    fn the_oldest_tapes_make_room() {
        let (store, _folder) = ten_days();
        let keep = Keep { tapes_size: 3 * BYTES as u64 + 500, ..Keep::default() };
        let swept = sweep(&store, "acme", &keep, NOW).expect("a sweep");
        assert_eq!((swept.tapes, left(&store, "acme")), (7, [10, 3, 3, 10]));
        assert!(swept.tape_bytes <= keep.tapes_size, "{swept:?}");
        assert!(layout::tape(&store, "acme", id("acme", 1).0).expect("a read").is_some());
    }

    #[test]
    fn a_tape_of_several_parts_stays_whole_or_goes() {
        let (store, _folder) = ten_days();
        let (long, newest) = (vec![7; 3 * store::MAX_VALUE], CallId::new((NOW * 1000.0) as u64, 0));
        store.commit_and_wait(layout::put_tape(Batch::new(), "acme", newest.0, &long)).expect("a commit");
        let keep = Keep { tapes_size: 2 * store::MAX_VALUE as u64, ..Keep::default() };
        let swept = sweep(&store, "acme", &keep, NOW).expect("a sweep");
        assert_eq!((swept.tapes, swept.tape_bytes), (13, 0));
        assert_eq!(layout::tape(&store, "acme", newest.0).expect("a read"), None);
    }

    #[test]
    fn a_forgotten_call_leaves_nothing() {
        let (store, _folder) = ten_days();
        let keep = Keep { records: Some(2 * DAY), ..Keep::default() };
        assert_eq!(sweep(&store, "acme", &keep, NOW).expect("a sweep").records, 8);
        assert_eq!((left(&store, "acme"), left(&store, "acme2")), ([2; 4], [1; 4]));
        // What is still to do is still to do.
        assert_eq!((tasks_left(&store, "acme"), tasks_left(&store, "acme2")), ([2, 2, 10], [1, 1, 1]));
    }
}
