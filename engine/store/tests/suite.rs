//! One suite for both databases under the store: what is acknowledged stays, whole and in order, through
//! `kill -9`, cut files, flipped bits and a full disk.
//!
//! Cases that a process must not survive, or that need limits of its own, run this same program again as
//! a child (the test `child`, told what to do by an environment variable). Random cases print their seed;
//! `STORE_SEED` repeats one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use store::{Batch, Engine, Journal, MAX_KEY, MAX_VALUE, Options, QUEUE, Scan, Store, StoreError, layout};

macro_rules! both {
    ($($case:ident),* $(,)?) => {
        mod sled {
            $(#[test] fn $case() { super::$case(store::Engine::Sled) })*
        }
        mod redb {
            $(#[test] fn $case() { super::$case(store::Engine::Redb) })*
        }
    };
}

both!(
    a_scan_is_ordered_both_ways_and_pages_without_gap_or_repeat,
    a_batch_happens_whole_and_its_last_word_on_a_key_wins,
    a_required_value_decides_whether_a_batch_is_taken,
    bounds_are_refused_by_name,
    what_waits_is_bounded_and_what_was_taken_is_finished_on_close,
    everything_is_there_after_closing_and_opening,
    a_folder_belongs_to_one_store_at_a_time,
    acknowledged_writes_survive_kill_9_at_random_points,
    a_cut_file_is_noticed,
    a_flipped_bit_is_noticed,
    accepted_loss_opens_what_can_be_read,
    a_full_disk_refuses_writes_reads_on_and_recovers,
    a_database_that_fails_in_mid_write_reads_on_and_recovers,
);

// Order, atomicity, bounds.

fn a_scan_is_ordered_both_ways_and_pages_without_gap_or_repeat(engine: Engine) {
    let (_folder, store) = fresh(engine);
    let mut batch = Batch::new();
    for n in (0..1000_u32).rev() {
        batch = batch.put(key(b"a", n), n.to_le_bytes());
    }
    store.commit_and_wait(batch.put(*b"`", *b"before").put(*b"b", *b"after")).unwrap();

    let forward: Vec<u32> = paged(&store, Scan::prefix(*b"a").limit(7));
    assert_eq!(forward, (0..1000).collect::<Vec<_>>());
    let backward: Vec<u32> = paged(&store, Scan::prefix(*b"a").backward().limit(7));
    assert_eq!(backward, (0..1000).rev().collect::<Vec<_>>());
    let range = paged(&store, Scan::range(key(b"a", 300), key(b"a", 303)));
    assert_eq!(range, [300, 301, 302]);
    assert_eq!(paged(&store, Scan::range(key(b"a", 303), key(b"a", 300))), []);
    assert_eq!(store.scan(&Scan::prefix(*b"")).unwrap().len(), 1002, "the store's own records are not shown");
    assert_eq!(store.scan(&Scan::prefix(*b"a").limit(0)).unwrap(), []);
}

fn a_batch_happens_whole_and_its_last_word_on_a_key_wins(engine: Engine) {
    let (_folder, store) = fresh(engine);
    store.commit_and_wait(Batch::new().put(*b"gone", *b"1").put(*b"kept", *b"1")).unwrap();
    store
        .commit_and_wait(
            Batch::new()
                .delete(*b"gone")
                .put(*b"kept", *b"2")
                .put(*b"kept", *b"3")
                .put(*b"back", *b"x")
                .delete(*b"back")
                .delete(*b"never"),
        )
        .unwrap();
    assert_eq!(store.scan(&Scan::prefix(*b"")).unwrap(), [(b"kept".to_vec(), b"3".to_vec())]);
    assert_eq!(store.get(b"gone").unwrap(), None);
    store.commit_and_wait(Batch::new().put(*b"empty", *b"")).unwrap();
    assert_eq!(store.get(b"empty").unwrap(), Some(vec![]));
}

fn a_required_value_decides_whether_a_batch_is_taken(engine: Engine) {
    let (_folder, store) = fresh(engine);
    let add = |was: Option<&[u8]>, now: &[u8]| {
        Batch::new().require(*b"sum", was.map(<[u8]>::to_vec)).put(*b"sum", now)
    };
    store.commit_and_wait(add(None, b"1")).unwrap();
    assert!(matches!(store.commit_and_wait(add(None, b"9")), Err(StoreError::Conflict)));
    store.commit_and_wait(add(Some(b"1"), b"2")).unwrap();
    assert_eq!(store.get(b"sum").unwrap(), Some(b"2".to_vec()));

    // Of many that rest upon the same value and are joined into one commit, one is taken.
    let (heard, hears) = mpsc::channel();
    for _ in 0..50 {
        let heard = heard.clone();
        store.commit(add(Some(b"2"), b"3"), Box::new(move |result| heard.send(result).unwrap()));
    }
    let taken = (0..50).filter(|_| hears.recv().unwrap().is_ok()).count();
    assert_eq!(taken, 1);
}

fn bounds_are_refused_by_name(engine: Engine) {
    let (_folder, store) = fresh(engine);
    let large = vec![1; MAX_VALUE + 1];
    assert!(matches!(
        store.commit_and_wait(Batch::new().put(*b"k", large)),
        Err(StoreError::TooLarge { what: "value", .. })
    ));
    let many = (0..250_u32).fold(Batch::new(), |batch, n| batch.put(key(b"k", n), vec![0; MAX_VALUE]));
    assert!(matches!(store.commit_and_wait(many), Err(StoreError::TooLarge { what: "batch", .. })));
    for bad in [vec![], vec![0, 1], vec![b'a'; MAX_KEY + 1]] {
        assert!(matches!(store.get(&bad), Err(StoreError::BadKey)));
        assert!(matches!(store.commit_and_wait(Batch::new().put(bad, *b"")), Err(StoreError::BadKey)));
    }
    assert_eq!(store.figures().refused, 5);

    let longest = vec![b'a'; MAX_KEY];
    store.commit_and_wait(Batch::new().put(longest.clone(), vec![9; MAX_VALUE])).unwrap();
    assert_eq!(store.get(&longest).unwrap(), Some(vec![9; MAX_VALUE]));
}

fn what_waits_is_bounded_and_what_was_taken_is_finished_on_close(engine: Engine) {
    let (folder, store) = fresh(engine);
    // The store's thread is held inside the first answer while the queue fills behind it.
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    store.commit(
        Batch::new().put(*b"first", *b""),
        Box::new(move |_| {
            began.send(()).unwrap();
            held.recv().unwrap();
        }),
    );
    begun.recv().unwrap();
    let (heard, hears) = mpsc::channel();
    for n in 0..QUEUE as u32 + 10 {
        let heard = heard.clone();
        let done = Box::new(move |result: Result<(), StoreError>| heard.send((n, result)).unwrap());
        store.commit(Batch::new().put(key(b"n", n), *b""), done);
    }
    for n in 0..10 {
        let (refused, result) = hears.recv().unwrap();
        assert_eq!(refused, QUEUE as u32 + n);
        assert!(matches!(result, Err(StoreError::Busy)), "{result:?}");
    }
    release.send(()).unwrap();
    drop(store);
    drop(heard);
    let finished = hears.iter().inspect(|(n, result)| assert!(result.is_ok(), "{n}: {result:?}")).count();
    assert_eq!(finished, QUEUE);
    let store = open(engine, folder.path()).unwrap();
    assert_eq!(paged_keys(&store, Scan::prefix(*b"n")), QUEUE);
}

fn everything_is_there_after_closing_and_opening(engine: Engine) {
    let (folder, store) = fresh(engine);
    let tape: Vec<u8> = (0..16 << 20_u32).map(|n: u32| (n ^ n >> 8) as u8).collect();
    // The longest tape that there can be, sealed with its record.
    let record = Batch::new().put(layout::call("acme", 7), *b"record");
    store.commit_and_wait(layout::put_tape(record, "acme", 7, &tape)).unwrap();
    drop(store);
    let store = open(engine, folder.path()).unwrap();
    assert!(layout::tape(&store, "acme", 7).unwrap() == Some(tape));
    assert_eq!(layout::tape(&store, "acme", 8).unwrap(), None);
    assert_eq!(store.get(&layout::call("acme", 7)).unwrap(), Some(b"record".to_vec()));
}

fn a_folder_belongs_to_one_store_at_a_time(engine: Engine) {
    let (folder, store) = fresh(engine);
    assert!(matches!(open(engine, folder.path()), Err(StoreError::InUse)));
    store.commit_and_wait(Batch::new().put(*b"a", *b"1")).unwrap();
}

// kill -9.

const KILLS: u32 = 8;

fn acknowledged_writes_survive_kill_9_at_random_points(engine: Engine) {
    let mut chance = Chance::new("kill -9");
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let mut child = start_child(engine, folder.path(), "write-pairs", "exec");
        let kill_at = acknowledged + 1 + chance.below(2000) as u32;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some(n) = line.strip_prefix("ack ") else { continue };
            acknowledged = n.parse().unwrap();
            if acknowledged >= kill_at {
                break;
            }
        }
        // What was acknowledged between the line read last and the kill is checked by the pairs alone.
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open(engine, folder.path())
            .unwrap_or_else(|error| panic!("round {round}, {acknowledged} acknowledged: {error}"));
        assert!(acknowledged >= kill_at, "round {round}: the child ended early");
        let left = all(&store, Scan::prefix(*b"l"));
        let right = all(&store, Scan::prefix(*b"r"));
        assert_eq!(left.len(), right.len(), "round {round}: a pair was torn");
        for n in 0..left.len() as u32 {
            assert_eq!(left.get(&key(b"l", n)), Some(&pair_value(n)), "round {round}");
            assert_eq!(right.get(&key(b"r", n)), Some(&pair_value(n)), "round {round}");
        }
        assert!(left.len() as u32 > acknowledged, "round {round}: {} of {acknowledged}", left.len());
        assert_eq!(store.scan(&Scan::prefix(*b"moving")).unwrap().len(), 1, "round {round}");
    }
}

/// Pairs of records, each with the next number, and one record that moves from key to key; several
/// batches are under way at any time. Says so when one is acknowledged.
fn write_pairs(store: &Store) {
    const UNDER_WAY: usize = 64;
    let begin = paged_keys(store, Scan::prefix(*b"l")) as u32;
    let (heard, hears) = mpsc::channel();
    let mut out = std::io::stdout();
    let mut under_way = 0;
    for n in begin.. {
        let batch = Batch::new()
            .put(key(b"l", n), pair_value(n))
            .put(key(b"r", n), pair_value(n))
            .delete(key(b"moving", n.wrapping_sub(1)))
            .put(key(b"moving", n), *b"here");
        let heard = heard.clone();
        let done = Box::new(move |result: Result<(), StoreError>| heard.send((n, result)).unwrap());
        store.commit(batch, done);
        under_way += 1;
        while under_way >= UNDER_WAY {
            let (n, result) = hears.recv().unwrap();
            result.unwrap();
            writeln!(out, "ack {n}").unwrap();
            under_way -= 1;
        }
    }
}

#[test]
fn journal_entries_survive_kill_9() {
    let mut chance = Chance::new("kill -9 of a journal");
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_child(Engine::default(), folder.path(), "append", "exec");
    let kill_at = 1 + chance.below(20_000);
    let mut appended = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(n) = line.strip_prefix("ack ") else { continue };
        appended = n.parse().unwrap();
        if appended >= kill_at {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(appended >= kill_at, "the child ended early");
    let (_, unsealed) = Journal::open(folder.path()).unwrap();
    let [tape] = unsealed.as_slice() else { panic!("one tape was going on: {}", unsealed.len()) };
    assert_eq!((tape.key.as_slice(), tape.cut), (b"going on".as_slice(), false));
    assert!(tape.entries.len() as u64 > appended, "{} of {appended}", tape.entries.len());
    for (n, entry) in (0_u64..).zip(&tape.entries) {
        assert_eq!(entry, &n.to_le_bytes());
    }
}

fn append(folder: &Path) {
    let (journal, _) = Journal::open(folder).unwrap();
    let mut out = std::io::stdout();
    for n in 0_u64.. {
        journal.append(b"going on", &n.to_le_bytes()).unwrap();
        writeln!(out, "ack {n}").unwrap();
    }
}

/// Of a length and content that follow from the number; now and then near the largest.
fn pair_value(n: u32) -> Vec<u8> {
    let length = if n.is_multiple_of(97) { MAX_VALUE - n as usize % 1000 } else { n as usize * 31 % 700 };
    (0..length as u32).map(|i| (i ^ n) as u8).collect()
}

// Damage.

const CUTS: u32 = 40;
const FLIPS: u32 = 150;

fn a_cut_file_is_noticed(engine: Engine) {
    let mut chance = Chance::new("cuts");
    let (folder, expected) = with_history(engine);
    let mut refused = 0;
    for round in 0..CUTS {
        let copy = copied(folder.path());
        let (file, length) = any_file(copy.path(), &mut chance);
        // Half of the cuts are near the end, where a torn write would be.
        let most = if round % 2 == 0 { length } else { length.min(8192) };
        let cut = 1 + chance.below(most);
        std::fs::File::options().write(true).open(&file).unwrap().set_len(length - cut).unwrap();
        let what = format!("{} cut by {cut} of {length}", file.display());
        refused += u32::from(!opens_right_or_says_why(engine, copy.path(), &expected, &what));
    }
    assert!(refused > 0, "no cut hit anything");
}

fn a_flipped_bit_is_noticed(engine: Engine) {
    let mut chance = Chance::new("flips");
    let (folder, expected) = with_history(engine);
    let mut refused = 0;
    for _ in 0..FLIPS {
        let copy = copied(folder.path());
        let (what, _) = flip(copy.path(), &mut chance);
        refused += u32::from(!opens_right_or_says_why(engine, copy.path(), &expected, &what));
    }
    assert!(refused > 0, "no flip hit anything");
}

fn accepted_loss_opens_what_can_be_read(engine: Engine) {
    let mut chance = Chance::new("accepted loss");
    let (folder, expected) = with_history(engine);
    let mut refused = 0;
    while refused < 10 {
        let copy = copied(folder.path());
        let (what, _) = flip(copy.path(), &mut chance);
        if opens_right_or_says_why(engine, copy.path(), &expected, &what) {
            continue;
        }
        refused += 1;
        let options = Options { accept_loss: true, ..options(engine) };
        let store = open_quietly(copy.path(), &options).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (key, value) in all(&store, Scan::prefix(*b"")) {
            let known = expected.versions.get(&key).is_some_and(|versions| versions.contains(&value));
            assert!(known, "{what}: {} was never written", key.escape_ascii());
        }
        store.commit_and_wait(Batch::new().put(*b"new", *b"1")).unwrap();
        drop(store);
        let store = open(engine, copy.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(store.get(b"new").unwrap(), Some(b"1".to_vec()));
    }
}

/// What a damaged store must still give, or refuse to give.
struct History {
    last: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Every value that a key ever had.
    versions: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

/// A store that has been opened several times, its records rewritten and some removed.
fn with_history(engine: Engine) -> (tempfile::TempDir, History) {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History { last: BTreeMap::new(), versions: BTreeMap::new() };
    // The last session is long, so that most of a log is younger than the last snapshot of it.
    for (session, commits) in (0..).zip([10, 10, 60_u32]) {
        let store = open(engine, folder.path()).unwrap();
        for commit in 0..commits {
            let mut batch = Batch::new();
            for n in 0..40 {
                let key = key(b"h", (commit * 40 + n * 7) % 2000);
                if (n + session) % 9 == 0 {
                    history.last.remove(&key);
                    batch = batch.delete(key);
                } else {
                    let value = vec![(session * 10 + commit) as u8; 100 + n as usize * 20];
                    history.versions.entry(key.clone()).or_default().push(value.clone());
                    history.last.insert(key.clone(), value.clone());
                    batch = batch.put(key, value);
                }
            }
            store.commit_and_wait(batch).unwrap();
        }
    }
    (folder, history)
}

/// Whether the store opens and gives exactly what was acknowledged. If not it must have said so.
fn opens_right_or_says_why(engine: Engine, folder: &Path, expected: &History, what: &str) -> bool {
    let store = match open_quietly(folder, &options(engine)) {
        Ok(store) => store,
        Err(_) => return false,
    };
    match store.scan(&Scan::prefix(*b"")) {
        Ok(found) => {
            let found: BTreeMap<_, _> = found.into_iter().collect();
            assert!(found == expected.last, "{what}: it opened, silently wrong");
            true
        }
        Err(_) => false,
    }
}

fn open_quietly(folder: &Path, options: &Options) -> Result<Store, StoreError> {
    catch_unwind(AssertUnwindSafe(|| Store::open(folder, options))).expect("a panic came out of the store")
}

fn flip(folder: &Path, chance: &mut Chance) -> (String, u64) {
    let (file, length) = any_file(folder, chance);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = chance.below(length);
    bytes[at as usize] ^= 1 << chance.below(8);
    std::fs::write(&file, bytes).unwrap();
    (format!("{} flipped at {at} of {length}", file.display()), at)
}

/// A file with something in it. Most often a large one, since that is where the records are.
fn any_file(folder: &Path, chance: &mut Chance) -> (PathBuf, u64) {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                folders.push(entry.path());
            } else if about.len() > 0 {
                files.push((entry.path(), about.len()));
            }
        }
    }
    files.sort();
    if chance.below(4) == 0 {
        files.swap_remove(chance.below(files.len() as u64) as usize)
    } else {
        files.into_iter().max_by_key(|(_, length)| *length).unwrap()
    }
}

fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        std::fs::create_dir_all(copy.path().join(&inner)).unwrap();
        for entry in std::fs::read_dir(folder.join(&inner)).unwrap() {
            let entry = entry.unwrap();
            let inner = inner.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(inner);
            } else {
                std::fs::copy(entry.path(), copy.path().join(inner)).unwrap();
            }
        }
    }
    copy
}

// A full disk.

/// On a disk of 24 MiB of its own, in a mount namespace of its own.
fn a_full_disk_refuses_writes_reads_on_and_recovers(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let shell = format!(
        "exec unshare --mount --map-root-user sh -c 'mount -t tmpfs -o size=24m none {} && exec \"$@\"' sh",
        folder.path().display()
    );
    expect_recovery(start_child(engine, folder.path(), "full-disk", &shell));
}

fn full_disk(engine: Engine, folder: &Path) {
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).unwrap();
    let options = Options { keep_free: 4 << 20, ..options(engine) };
    let store = Store::open(&folder.join("store"), &options).unwrap();
    let (taken, error) = fill(&store, 0);
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(taken > 0);
    check_filled(&store, taken);
    std::fs::remove_file(ballast).unwrap();
    store.commit_and_wait(Batch::new().put(key(b"f", taken), filler(taken))).unwrap();
    check_filled(&store, taken + 1);
    drop(store);
    check_filled(&Store::open(&folder.join("store"), &options).unwrap(), taken + 1);
    println!("recovered");
}

/// No file may grow past 6 MiB, so the database itself is refused in the middle of a commit.
fn a_database_that_fails_in_mid_write_reads_on_and_recovers(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let shell = "trap '' XFSZ; ulimit -S -f 12288; exec";
    expect_recovery(start_child(engine, folder.path(), "file-limit", shell));
}

fn file_limit(engine: Engine, folder: &Path) {
    let store = open(engine, folder).unwrap();
    let (taken, error) = fill(&store, 0);
    assert!(!matches!(error, StoreError::Full { .. }), "the disk is not full: {error}");
    assert!(taken > 0);
    check_filled(&store, taken);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let more = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, more).unwrap();
    store.commit_and_wait(Batch::new().put(key(b"f", taken), filler(taken))).unwrap();
    check_filled(&store, taken + 1);
    drop(store);
    check_filled(&open(engine, folder).unwrap(), taken + 1);
    println!("recovered");
}

/// Writes until it is refused.
fn fill(store: &Store, from: u32) -> (u32, StoreError) {
    for n in from..10_000 {
        if let Err(error) = store.commit_and_wait(Batch::new().put(key(b"f", n), filler(n))) {
            return (n, error);
        }
    }
    panic!("it was never refused");
}

/// Hard to compress and different each time.
fn filler(n: u32) -> Vec<u8> {
    let mut chance = Chance(u64::from(n) + 1);
    (0..4096).flat_map(|_| chance.next().to_le_bytes()).collect()
}

/// Every acknowledged record is there; the one that was refused may be.
fn check_filled(store: &Store, taken: u32) {
    for n in 0..taken {
        assert_eq!(store.get(&key(b"f", n)).unwrap(), Some(filler(n)), "{n} of {taken}");
    }
}

fn expect_recovery(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("recovered"), "{}\n{said}", output.status);
}

// Children.

/// This program again, as the test `child`. `shell` ends in what runs its arguments.
fn start_child(engine: Engine, folder: &Path, what: &str, shell: &str) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{shell} \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("STORE_CHILD", what)
        .env("STORE_ENGINE", engine.name())
        .env("STORE_FOLDER", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn child() {
    let Ok(what) = std::env::var("STORE_CHILD") else { return };
    let engine: Engine = std::env::var("STORE_ENGINE").unwrap().parse().unwrap();
    let folder = PathBuf::from(std::env::var("STORE_FOLDER").unwrap());
    match what.as_str() {
        "write-pairs" => write_pairs(&open(engine, &folder).unwrap()),
        "append" => append(&folder),
        "full-disk" => full_disk(engine, &folder),
        "file-limit" => file_limit(engine, &folder),
        other => panic!("no such child: {other}"),
    }
}

// Small words.

fn fresh(engine: Engine) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(engine, folder.path()).unwrap();
    (folder, store)
}

fn options(engine: Engine) -> Options {
    Options {
        engine,
        keep_free: 1 << 20,
        cache_bytes: 16 << 20,
        pace: Duration::from_micros(500),
        ..Options::default()
    }
}

fn open(engine: Engine, folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder, &options(engine))
}

fn key(kind: &[u8], n: u32) -> Vec<u8> {
    [kind, &n.to_be_bytes()].concat()
}

/// All records of a scan, page by page, as the numbers they hold.
fn paged(store: &Store, scan: Scan) -> Vec<u32> {
    let mut numbers = Vec::new();
    pages(store, scan, |_, value| numbers.push(u32::from_le_bytes(value.try_into().unwrap())));
    numbers
}

fn paged_keys(store: &Store, scan: Scan) -> usize {
    let mut count = 0;
    pages(store, scan, |_, _| count += 1);
    count
}

fn all(store: &Store, scan: Scan) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = BTreeMap::new();
    pages(store, scan, |key, value| {
        records.insert(key, value);
    });
    records
}

fn pages(store: &Store, mut scan: Scan, mut each: impl FnMut(Vec<u8>, Vec<u8>)) {
    loop {
        let page = store.scan(&scan).unwrap();
        let Some((last, _)) = page.last() else { return };
        scan = scan.behind(last);
        page.into_iter().for_each(|(key, value)| each(key, value));
    }
}

/// Numbers that follow from a printed seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn new(what: &str) -> Self {
        let seed = std::env::var("STORE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64
        });
        println!("{what}: STORE_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}
