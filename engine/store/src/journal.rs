//! Tapes while their calls go on: entries are appended with a plain write, one for all that was gathered in
//! a moment, which outlives the process, and forgotten when the call is sealed.
//!
//! The journal is a row of segment files of framed entries, each with its length and checksum. A sealed
//! key's entries are dead; a segment leaves from the front of the row when nothing in it lives, and what
//! a long call has in the oldest segment is carried over to the newest, so the row stays short. On
//! opening, what was not sealed is read back: a cut or damaged end of a segment costs what lies behind
//! it there, and a tape is given up to its first gap. There is no fsync: a power cut may cost the last
//! moments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::store::at_most;
use crate::{MAX_KEY, StoreError};

/// New entries of a segment, after which the next one begins.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Segments in the row; at one more, the oldest is carried over.
const SEGMENTS: usize = 8;
/// The whole row; appending is refused with [`StoreError::Full`] above it. Only tapes of calls that are
/// up can fill it: 512 MiB are some 300,000 of them.
const JOURNAL_BYTES: u64 = 512 << 20;
/// Bytes that may be gathered before they are written whoever asks.
const GATHERED: usize = 256 << 10;
/// One entry: the largest answer that a script can get, with room to spare.
pub(crate) const MAX_ENTRY: usize = 1 << 20;

const HEAD: usize = 8;
const ENTRY: u8 = 0;
const SEALED: u8 = 1;

/// A folder of segments. Appending takes a lock for the time of one write.
#[derive(Debug)]
pub struct Journal(Mutex<Row>);

/// A tape that was going on when the process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// As it was given to [`Journal::append`].
    pub key: Vec<u8>,
    /// The entries in their order, without a gap from the first.
    pub entries: Vec<Vec<u8>>,
    /// Entries behind a gap were found and left out.
    pub cut: bool,
}

#[derive(Debug)]
struct Row {
    folder: PathBuf,
    /// Length in bytes by number; the last is the one that grows.
    segments: BTreeMap<u64, u64>,
    file: File,
    /// Frames for the last segment that are not written yet; its length counts them.
    gathered: Vec<u8>,
    /// Bytes appended to the last segment, without what was carried over.
    fresh: u64,
    /// The last write failed half-way and could not be taken back: the segment must end here.
    torn: bool,
    open: HashMap<Vec<u8>, Open>,
}

/// What a row holds of a key, as it is read back.
#[derive(Debug, Default)]
struct Found {
    entries: BTreeMap<u32, Vec<u8>>,
    segments: BTreeSet<u64>,
}

/// A key that is not sealed.
#[derive(Debug, Default)]
struct Open {
    /// The number that its next entry gets.
    next: u32,
    /// Where its entries are.
    segments: BTreeSet<u64>,
}

impl Journal {
    /// Opens or makes the folder; answers also what was not sealed, in no order. Such a key goes on where
    /// it was: append to it or seal it.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Unsealed>), StoreError> {
        let doing = "opening the journal";
        fs::create_dir_all(folder).map_err(StoreError::io(doing))?;
        let mut segments = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(StoreError::io(doing))? {
            let entry = entry.map_err(StoreError::io(doing))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".journal")?.parse::<u64>().ok());
            if let Some(number) = number {
                segments.insert(number, entry.metadata().map_err(StoreError::io(doing))?.len());
            }
        }
        let mut found: HashMap<Vec<u8>, Found> = HashMap::new();
        for number in segments.keys() {
            let bytes = fs::read(path(folder, *number)).map_err(StoreError::io(doing))?;
            for frame in frames(&bytes, *number) {
                if frame.kind == SEALED {
                    found.remove(frame.key);
                } else {
                    let tape = found.entry(frame.key.to_vec()).or_default();
                    tape.entries.insert(frame.nth, frame.bytes.to_vec());
                    tape.segments.insert(*number);
                }
            }
        }
        let number = segments.last_key_value().map_or(1, |(last, _)| last + 1);
        let file = new_segment(folder, number)?;
        segments.insert(number, 0);
        let mut open = HashMap::new();
        let mut unsealed = Vec::with_capacity(found.len());
        for (key, Found { entries, segments }) in found {
            let all = entries.len();
            let entries: Vec<Vec<u8>> = entries
                .into_iter()
                .zip(0..)
                .take_while(|((nth, _), due)| nth == due)
                .map(|((_, e), _)| e)
                .collect();
            let next = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            open.insert(key.clone(), Open { next, segments });
            unsealed.push(Unsealed { key, cut: entries.len() < all, entries });
        }
        let (folder, gathered) = (folder.to_owned(), Vec::new());
        let mut row = Row { folder, segments, file, gathered, fresh: 0, torn: false, open };
        // What lies behind a gap must not be taken for what is appended from here on.
        for tape in unsealed.iter().filter(|tape| tape.cut) {
            row.write(SEALED, 0, &tape.key, &[])?;
            row.open.remove(&tape.key);
            for (nth, entry) in (0..).zip(&tape.entries) {
                row.write(ENTRY, nth, &tape.key, entry)?;
                row.placed(&tape.key, nth);
            }
        }
        row.write_gathered()?;
        row.drop_dead()?;
        Ok((Self(Mutex::new(row)), unsealed))
    }

    /// Adds an entry to a key's tape. On Ok it outlives the process.
    pub fn append(&self, key: &[u8], entry: &[u8]) -> Result<(), StoreError> {
        self.gather(key, entry)?;
        self.write_gathered()
    }

    /// Adds an entry to a key's tape; it outlives the process from the next [`Journal::write_gathered`] on.
    /// One write for all that happens in a moment costs as much as one for each of it.
    pub fn gather(&self, key: &[u8], entry: &[u8]) -> Result<(), StoreError> {
        at_most("journal entry", entry.len(), MAX_ENTRY)?;
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(StoreError::BadKey);
        }
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        row.make_room()?;
        let nth = row.open.get(key).map_or(0, |open| open.next);
        row.write(ENTRY, nth, key, entry)?;
        row.placed(key, nth);
        Ok(())
    }

    /// Writes what was gathered. On an error it is lost: the tapes that it was of have a gap.
    pub fn write_gathered(&self) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_gathered()
    }

    /// The key's tape is kept elsewhere now, durably, or not wanted; its entries may go. Done also when
    /// there are none. Said with the next [`Journal::write_gathered`]: a process that ends before it finds
    /// the tape unsealed once more.
    pub fn seal(&self, key: &[u8]) -> Result<(), StoreError> {
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !row.open.contains_key(key) {
            return Ok(());
        }
        row.write(SEALED, 0, key, &[])?;
        row.open.remove(key);
        Ok(())
    }

    /// How many keys are not sealed.
    pub fn unsealed(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).open.len()
    }

    /// The length of all segments, in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes()
    }
}

impl Row {
    fn bytes(&self) -> u64 {
        self.segments.values().sum()
    }

    fn last(&self) -> u64 {
        *self.segments.last_key_value().expect("a row has a segment").0
    }

    /// Begins a new segment when the last is full, and keeps the row short.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if self.fresh >= SEGMENT_BYTES || self.torn {
            // Not what was asked for: whoever gathered it hears of it from the gap.
            if let Err(why) = self.write_gathered() {
                tracing::warn!(%why, "entries of the journal are lost");
            }
            let number = self.last() + 1;
            self.file = new_segment(&self.folder, number)?;
            self.segments.insert(number, 0);
            (self.fresh, self.torn) = (0, false);
            self.drop_dead()?;
            if self.segments.len() > SEGMENTS {
                self.carry_oldest()?;
            }
        }
        let bytes = self.bytes();
        if bytes >= JOURNAL_BYTES {
            return Err(StoreError::Full { free: 0, needed: bytes });
        }
        Ok(())
    }

    /// Removes segments from the front of the row for as long as nothing in them lives. Not from its
    /// middle: a later segment may say that an earlier one's entries are sealed.
    fn drop_dead(&mut self) -> Result<(), StoreError> {
        let oldest_alive = self.open.values().filter_map(|open| open.segments.first()).min().copied();
        let until = oldest_alive.unwrap_or(u64::MAX).min(self.last());
        while let Some((&number, _)) = self.segments.first_key_value()
            && number < until
        {
            fs::remove_file(path(&self.folder, number)).map_err(StoreError::io("removing a segment"))?;
            self.segments.remove(&number);
        }
        Ok(())
    }

    /// Writes what lives in the oldest segment once more, into the last, and removes the oldest.
    fn carry_oldest(&mut self) -> Result<(), StoreError> {
        let (&oldest, _) = self.segments.first_key_value().expect("a row has a segment");
        let bytes = fs::read(path(&self.folder, oldest)).map_err(StoreError::io("reading a segment"))?;
        let mut alive: BTreeMap<(&[u8], u32), &[u8]> = BTreeMap::new();
        for frame in frames(&bytes, oldest) {
            if frame.kind == SEALED {
                alive.retain(|(key, _), _| *key != frame.key);
            } else if self.open.get(frame.key).is_some_and(|open| open.segments.contains(&oldest)) {
                alive.insert((frame.key, frame.nth), frame.bytes);
            }
        }
        let fresh = self.fresh;
        for ((key, nth), entry) in alive {
            self.write(ENTRY, nth, key, entry)?;
            let last = self.last();
            if let Some(open) = self.open.get_mut(key) {
                open.segments.insert(last);
            }
        }
        self.fresh = fresh;
        // Before what it was carried from goes.
        self.write_gathered()?;
        for open in self.open.values_mut() {
            open.segments.remove(&oldest);
        }
        self.drop_dead()
    }

    /// One frame, gathered.
    fn write(&mut self, kind: u8, nth: u32, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        if self.gathered.len() >= GATHERED {
            self.write_gathered()?;
        }
        let length = 1 + 4 + 2 + key.len() + bytes.len();
        let begin = self.gathered.len();
        let frame = &mut self.gathered;
        frame.reserve(HEAD + length);
        frame.extend_from_slice(&u32::try_from(length).expect("entries are bounded").to_le_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.push(kind);
        frame.extend_from_slice(&nth.to_le_bytes());
        frame.extend_from_slice(&u16::try_from(key.len()).expect("keys are bounded").to_le_bytes());
        frame.extend_from_slice(key);
        frame.extend_from_slice(bytes);
        let crc = crc32fast::hash(&frame[begin + HEAD..]);
        frame[begin + 4..begin + HEAD].copy_from_slice(&crc.to_le_bytes());
        let last = self.last();
        *self.segments.get_mut(&last).expect("a row has a segment") += (HEAD + length) as u64;
        self.fresh += (HEAD + length) as u64;
        Ok(())
    }

    /// One write. What was written of it is taken back if the disk refuses the rest.
    fn write_gathered(&mut self) -> Result<(), StoreError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.gathered);
        let needed = self.gathered.len() as u64;
        self.gathered.clear();
        written.map_err(|error| {
            let last = self.last();
            let length = self.segments.get_mut(&last).expect("a row has a segment");
            *length -= needed;
            self.fresh = self.fresh.saturating_sub(needed);
            self.torn = self.file.set_len(*length).is_err();
            match error.kind() {
                std::io::ErrorKind::StorageFull => StoreError::Full { free: 0, needed },
                _ => StoreError::io("writing the journal")(error),
            }
        })
    }

    fn placed(&mut self, key: &[u8], nth: u32) {
        let last = self.last();
        let open = match self.open.get_mut(key) {
            Some(open) => open,
            None => self.open.entry(key.to_vec()).or_default(),
        };
        open.next = nth.saturating_add(1);
        open.segments.insert(last);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if let Err(why) = self.write_gathered() {
            tracing::warn!(%why, "entries of the journal are lost");
        }
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.journal"))
}

fn new_segment(folder: &Path, number: u64) -> Result<File, StoreError> {
    File::options()
        .append(true)
        .create_new(true)
        .open(path(folder, number))
        .map_err(StoreError::io("beginning a segment"))
}

struct Frame<'a> {
    kind: u8,
    nth: u32,
    key: &'a [u8],
    bytes: &'a [u8],
}

/// The frames of a segment up to the first that is cut or damaged.
fn frames(mut rest: &[u8], number: u64) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let read = read_frame(rest);
        match read {
            Some((frame, behind)) => {
                rest = behind;
                Some(frame)
            }
            None => {
                tracing::warn!(segment = number, bytes = rest.len(), "a journal segment ends in a cut entry");
                rest = &[];
                None
            }
        }
    })
}

fn read_frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (body, behind) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (&kind, body) = body.split_first()?;
    let (nth, body) = body.split_first_chunk::<4>()?;
    let (key_length, body) = body.split_first_chunk::<2>()?;
    let (key, bytes) = body.split_at_checked(u16::from_le_bytes(*key_length) as usize)?;
    Some((Frame { kind, nth: u32::from_le_bytes(*nth), key, bytes }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries_of(unsealed: &[Unsealed], key: &[u8]) -> Option<Vec<Vec<u8>>> {
        unsealed.iter().find(|tape| tape.key == key).map(|tape| tape.entries.clone())
    }

    #[test]
    fn what_is_not_sealed_comes_back_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(found, []);
        journal.append(b"a", b"1").unwrap();
        journal.append(b"b", b"1").unwrap();
        journal.append(b"a", b"2").unwrap();
        journal.seal(b"b").unwrap();
        drop(journal);

        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(
            found,
            [Unsealed { key: b"a".to_vec(), entries: vec![b"1".to_vec(), b"2".to_vec()], cut: false }]
        );
        journal.append(b"a", b"3").unwrap();
        journal.append(b"b", b"another life").unwrap();
        drop(journal);

        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(entries_of(&found, b"a").unwrap(), [b"1", b"2", b"3"]);
        assert_eq!(entries_of(&found, b"b").unwrap(), [b"another life"]);
        journal.seal(b"a").unwrap();
        journal.seal(b"b").unwrap();
        drop(journal);

        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(found, []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "dead segments are gone");
        assert_eq!(journal.bytes(), 0);
    }

    #[test]
    fn a_cut_tail_costs_the_entry_it_cuts_and_a_flipped_bit_what_lies_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        for entry in [b"first", b"secnd", b"third"] {
            journal.append(b"a", entry).unwrap();
        }
        drop(journal);
        let segment = path(folder.path(), 1);
        let whole = fs::read(&segment).unwrap();
        let frame = whole.len() / 3;
        let reopened = |bytes: &[u8]| {
            let place = tempfile::tempdir().unwrap();
            fs::write(path(place.path(), 1), bytes).unwrap();
            entries_of(&Journal::open(place.path()).unwrap().1, b"a").unwrap_or_default().len()
        };
        for cut in 0..=whole.len() {
            assert_eq!(reopened(&whole[..cut]), cut / frame, "cut at {cut}");
        }
        for byte in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << (byte % 8);
            assert_eq!(reopened(&flipped), byte / frame, "flipped at {byte}");
        }
    }

    #[test]
    fn what_was_gathered_outlives_the_process_once_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(b"sealed", b"1").unwrap();
        journal.gather(b"a", b"1").unwrap();
        journal.gather(b"b", b"1").unwrap();
        journal.write_gathered().unwrap();
        let length = journal.bytes();
        journal.gather(b"a", b"2").unwrap();
        journal.seal(b"sealed").unwrap();
        assert!(journal.bytes() > length, "counted at once");
        // A process that is killed runs no destructors.
        std::mem::forget(journal);
        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(entries_of(&found, b"a").unwrap(), [b"1"]);
        assert_eq!(entries_of(&found, b"b").unwrap(), [b"1"]);
        assert_eq!(entries_of(&found, b"sealed").unwrap(), [b"1"], "to be sealed once more");
        journal.gather(b"a", b"2").unwrap();
        drop(journal);
        let (_, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(entries_of(&found, b"a").unwrap(), [b"1", b"2"], "one that ends by itself loses nothing");
    }

    #[test]
    fn a_tape_is_given_up_to_its_first_gap() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=3_u64 {
            let (journal, _) = Journal::open(folder.path()).unwrap();
            journal.append(b"a", &number.to_le_bytes()).unwrap();
        }
        fs::write(path(folder.path(), 2), b"").unwrap();
        let first = 1_u64.to_le_bytes().to_vec();
        let (journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(found, [Unsealed { key: b"a".to_vec(), entries: vec![first.clone()], cut: true }]);
        journal.append(b"a", b"new").unwrap();
        drop(journal);
        let (_, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(
            entries_of(&found, b"a").unwrap(),
            [first, b"new".to_vec()],
            "what lay behind the gap is gone"
        );
    }

    #[test]
    fn a_long_call_is_carried_over_and_the_row_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(b"long", b"beginning").unwrap();
        let entry = vec![7; 256 * 1024];
        for call in 0..600_u32 {
            journal.append(&call.to_le_bytes(), &entry).unwrap();
            journal.seal(&call.to_le_bytes()).unwrap();
            if call % 100 == 0 {
                journal.append(b"long", &call.to_le_bytes()).unwrap();
            }
        }
        assert!(journal.bytes() <= (SEGMENTS as u64 + 1) * SEGMENT_BYTES, "{}", journal.bytes());
        assert_eq!(journal.unsealed(), 1);
        drop(journal);
        let (_, found) = Journal::open(folder.path()).unwrap();
        let mut expected = vec![b"beginning".to_vec()];
        expected.extend((0..6_u32).map(|n| (n * 100).to_le_bytes().to_vec()));
        assert_eq!(found, [Unsealed { key: b"long".to_vec(), entries: expected, cut: false }]);
    }

    #[test]
    fn entries_and_keys_have_their_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        assert!(matches!(journal.append(b"a", &vec![0; MAX_ENTRY + 1]), Err(StoreError::TooLarge { .. })));
        assert!(matches!(journal.append(b"", b""), Err(StoreError::BadKey)));
        assert!(matches!(journal.append(&[1; MAX_KEY + 1], b""), Err(StoreError::BadKey)));
        assert_eq!(journal.unsealed(), 0);
    }
}
