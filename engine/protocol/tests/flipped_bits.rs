//! Every vector with bytes changed, cut, doubled and moved by a seeded generator, given to whatever
//! reads bytes from outside: nothing panics, and what is read can be written and read again. The
//! same as the fuzz targets do, without their tools, for a bounded number of times.

#[path = "../../../tests/fuzz/src/lib.rs"]
mod exercise;

use std::path::{Path, PathBuf};

/// Changed messages made of each vector.
const ROUNDS: usize = 150;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the vectors are there") {
        let path = entry.expect("the folder can be read").path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// Changes one to eight places: a bit, a byte with a meaning in SIP, a cut, a piece twice.
fn change(bytes: &mut Vec<u8>, chance: &mut Chance) {
    const TELLING: &[u8] = b"\r\n \t:;,<>\"\\@%?=/[]*0\0\xff";
    for _ in 0..=chance.below(8) {
        if bytes.is_empty() {
            return;
        }
        let at = chance.below(bytes.len());
        match chance.below(6) {
            0 | 1 => bytes[at] ^= 1 << chance.below(8),
            2 => bytes[at] = TELLING[chance.below(TELLING.len())],
            3 => bytes.insert(at, TELLING[chance.below(TELLING.len())]),
            4 => bytes.truncate(at),
            _ => {
                let end = (at + chance.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = chance.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

fn run(seed: u64, exercise: impl Fn(&[u8]), seeds: Vec<Vec<u8>>) {
    let mut chance = Chance(seed);
    for original in seeds {
        exercise(&original);
        for round in 0..ROUNDS {
            let mut bytes = original.clone();
            change(&mut bytes, &mut chance);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| exercise(&bytes)));
            assert!(result.is_ok(), "seed {seed}, round {round}: {shown:?}");
        }
    }
}

fn vectors() -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| e == "dat" || e == "sip"));
    paths.sort();
    assert!(paths.len() >= 87, "all vectors are there");
    paths.iter().map(|path| std::fs::read(path).expect("a vector can be read")).collect()
}

#[test]
fn changed_messages_cause_no_panic() {
    run(3261, exercise::sip, vectors());
}

#[test]
fn changed_descriptions_cause_no_panic() {
    let bodies = vectors().into_iter().filter_map(|bytes| {
        let head = bytes.windows(5).position(|w| w == b"\r\nv=0")?;
        Some(bytes[head + 2..].to_vec())
    });
    run(8866, exercise::sdp, bodies.collect());
}

#[test]
fn changed_packets_cause_no_panic() {
    let rtp = {
        let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4];
        packet.extend([0xd5; 160]);
        packet
    };
    let event = vec![0x80, 0xe5, 0, 2, 0, 0, 0, 160, 1, 2, 3, 4, 5, 0x8a, 3, 0x20];
    let extended =
        vec![0xb1, 8, 0, 3, 0, 0, 1, 64, 1, 2, 3, 4, 9, 9, 9, 9, 0, 1, 0, 1, 7, 7, 7, 7, 1, 1, 2, 2];
    // A sender report with one block, and a BYE.
    let mut report = vec![0x81, 200, 0, 12, 1, 2, 3, 4];
    report.extend([0x11; 20]);
    report.extend([0, 0, 0, 7]);
    report.extend([0x22; 20]);
    report.extend([0x81, 203, 0, 1, 1, 2, 3, 4]);
    run(3550, exercise::rtp, [rtp, event, extended, report].into_iter().cycle().take(40).collect());
}
