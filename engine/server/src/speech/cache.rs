//! Spoken words on disk, each file under the hash of what was said and by whom, within a bound of bytes:
//! what was used the longest ago goes. A file that was lost or damaged is simply spoken again.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// The folder and what is known of it.
pub struct Cache {
    folder: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Size, and when it was used last, as counted by `clock`.
    by_path: HashMap<PathBuf, (u64, u64)>,
    by_use: BTreeMap<u64, PathBuf>,
    bytes: u64,
    clock: u64,
}

impl Cache {
    /// Looks at what an earlier process left: the time of change stands for the last use.
    pub fn open(folder: PathBuf) -> Self {
        let mut found: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(about) if about.is_file() && path.extension().is_some_and(|end| end == "wav") => {
                    found.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), path, about.len()));
                }
                // What was being written when the process ended.
                Ok(about) if about.is_file() => drop(std::fs::remove_file(&path)),
                _ => {}
            }
        }
        found.sort();
        let mut kept = Kept::default();
        found.into_iter().for_each(|(_, path, size)| kept.put(path, size));
        Self { folder, kept: Mutex::new(kept) }
    }

    /// Where the sound of something lies, or would lie. `what`: everything that makes it sound so.
    pub fn path(&self, what: &[&str]) -> PathBuf {
        let mut hash = Sha256::new();
        for part in what {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let name: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension("wav")
    }

    /// A name beside `path` for what is not whole yet.
    pub fn unfinished(path: &Path) -> PathBuf {
        path.with_extension("tmp")
    }

    /// The folder, made if it is not there.
    pub fn folder(&self) -> io::Result<&Path> {
        std::fs::create_dir_all(&self.folder)?;
        Ok(&self.folder)
    }

    /// The file was used; false if it was never kept.
    pub fn touch(&self, path: &Path) -> bool {
        let mut kept = self.kept();
        let Some(size) = kept.by_path.get(path).map(|(size, _)| *size) else { return false };
        kept.put(path.to_owned(), size);
        true
    }

    /// Keeps a file, whole or not at all, and lets others go if all are more than `most` bytes.
    pub fn put(&self, path: &Path, wav: &[u8], most: u64) -> io::Result<()> {
        self.folder()?;
        let unfinished = Self::unfinished(path);
        std::fs::write(&unfinished, wav).and_then(|()| std::fs::rename(&unfinished, path)).inspect_err(
            |_| {
                let _ = std::fs::remove_file(&unfinished);
            },
        )?;
        let gone = {
            let mut kept = self.kept();
            kept.put(path.to_owned(), wav.len() as u64);
            kept.shrink(most)
        };
        for path in gone {
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }

    /// Forgets a file that turned out to be no sound.
    pub fn forget(&self, path: &Path) {
        self.kept().remove(path);
        let _ = std::fs::remove_file(path);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, path: PathBuf, size: u64) {
        self.remove(&path);
        self.clock += 1;
        self.bytes += size;
        self.by_use.insert(self.clock, path.clone());
        self.by_path.insert(path, (size, self.clock));
    }

    fn remove(&mut self, path: &Path) {
        if let Some((size, used)) = self.by_path.remove(path) {
            self.by_use.remove(&used);
            self.bytes -= size;
        }
    }

    fn shrink(&mut self, most: u64) -> Vec<PathBuf> {
        let mut gone = Vec::new();
        while self.bytes > most
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.remove(&oldest);
            gone.push(oldest);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_the_longest_ago_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(folder.path().join("speech"));
        let [a, b, c] = ["a", "b", "c"].map(|text| cache.path(&["voice", text]));
        for path in [&a, &b] {
            cache.put(path, &[0; 400], 1000).expect("room");
        }
        assert!(cache.touch(&a));
        cache.put(&c, &[0; 400], 1000).expect("room");
        assert_eq!([a.exists(), b.exists(), c.exists()], [true, false, true]);
        assert!(!cache.touch(&b));
    }

    #[test]
    fn a_restart_knows_what_is_there_and_clears_what_is_not_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(folder.path().to_owned());
        let [a, b] = ["a", "b"].map(|text| cache.path(&[text]));
        cache.put(&a, &[0; 400], 1000).expect("room");
        std::fs::write(Cache::unfinished(&b), b"RIFF").expect("a file");
        let cache = Cache::open(folder.path().to_owned());
        assert!(cache.touch(&a) && !Cache::unfinished(&b).exists());
        cache.put(&b, &[0; 400], 500).expect("room");
        assert!(!a.exists() && b.exists());
    }

    #[test]
    fn parts_are_not_taken_for_one_another() {
        let cache = Cache::open(PathBuf::from("nowhere"));
        assert_ne!(cache.path(&["ab", "c"]), cache.path(&["a", "bc"]));
    }
}
