//! What becomes of recordings with time: those that are too old, or more than a tenant may keep, are deleted, the oldest
//! first; those that a process did not come to encode are encoded. A recording goes with the record of its call. A message
//! in a box stays as long as it is there, also when its call is forgotten: whoever owns the box decides.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exchange::CallId;

use super::{Format, Kept, MESSAGE, Recordings, is_plain};
use crate::config::Keep;
use crate::node::Node;

/// Between two looks at all files.
const SWEEP: Duration = Duration::from_secs(600);
/// A file that was written so lately may still be.
const SETTLED: Duration = Duration::from_secs(10);

/// Keeps every tenant's recordings within their bounds, for as long as it is awaited.
pub async fn keep(node: Arc<Node>) {
    loop {
        let sweeping = node.clone();
        let swept = tokio::task::spawn_blocking(move || {
            for tenant in &sweeping.world().tenants {
                let held = sweeping.mailboxes.held(&tenant.name);
                let held = |name: &str| held.contains(name);
                let opus = tenant.recording.opus;
                sweeping.recordings.sweep(&tenant.name, &tenant.keep, opus, SystemTime::now(), held);
            }
            sweeping.recordings.shares.sweep();
        });
        if let Err(why) = swept.await {
            tracing::error!(%why, "the sweep of recordings failed");
        }
        tokio::time::sleep(SWEEP).await;
    }
}

impl Recordings {
    /// Deletes and encodes what is due of one tenant; answers what was deleted. `held`: what must stay.
    pub fn sweep(
        &self,
        tenant: &str,
        keep: &Keep,
        opus: bool,
        now: SystemTime,
        held: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut files = self.files(tenant);
        let is_settled = |kept: &Kept| now.duration_since(kept.modified).is_ok_and(|age| age >= SETTLED);
        if opus {
            let to_encode = |kept: &&Kept| {
                kept.format == Format::Wav && !kept.name.ends_with(MESSAGE) && is_settled(kept)
            };
            files.iter().filter(to_encode).for_each(|kept| self.encoder.offer(kept.path.clone()));
        }
        files.retain(|kept| !held(&kept.name));
        files.sort_by_key(|kept| kept.modified);
        let is_older = |age: Duration, most: Option<Duration>| most.is_some_and(|most| age > most);
        let mut bytes: u64 = files.iter().map(|kept| kept.bytes).sum();
        let mut deleted = Vec::new();
        for kept in files {
            let age = now.duration_since(kept.modified).unwrap_or_default();
            // A file is written anew when it is encoded; its call is as old as it is.
            let forgotten = since_call(&kept.name, now).unwrap_or(age);
            let too_old = is_older(age, keep.recordings) || is_older(forgotten, keep.records);
            let too_much = keep.recordings_size.is_some_and(|most| bytes > most) && is_settled(&kept);
            if !(too_old || too_much) {
                continue;
            }
            match fs::remove_file(&kept.path) {
                Ok(()) => {
                    bytes -= kept.bytes;
                    deleted.push(kept.name);
                }
                Err(why) => tracing::warn!(tenant, recording = kept.name, %why, "a recording is not deleted"),
            }
        }
        if !deleted.is_empty() {
            tracing::info!(tenant, count = deleted.len(), "recordings deleted as configured");
        }
        deleted
    }

    /// Every file of a tenant that is a recording.
    fn files(&self, tenant: &str) -> Vec<Kept> {
        let Ok(folder) = fs::read_dir(self.of(tenant)) else { return Vec::new() };
        let kept = |entry: fs::DirEntry| {
            let path = entry.path();
            let name = path.file_stem()?.to_str().filter(|name| is_plain(name))?.to_owned();
            let extension = path.extension()?.to_str()?;
            let format = Format::ALL.into_iter().find(|format| format.extension() == extension)?;
            let about = entry.metadata().ok()?;
            let modified = about.modified().ok()?;
            Some(Kept { name, path, format, bytes: about.len(), modified })
        };
        folder.filter_map(Result::ok).filter_map(kept).collect()
    }
}

/// How long ago the call began that a recording is of: its name begins with the call's id.
fn since_call(name: &str, now: SystemTime) -> Option<Duration> {
    let (call, _) = name.split_once('-')?;
    let began = UNIX_EPOCH + Duration::from_millis(call.parse::<CallId>().ok()?.millis());
    Some(now.duration_since(began).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recordings::shares::Shares;
    use store::{Options, Store};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// Files by name, age in days, and size.
    fn with(files: &[(&str, u32, usize)]) -> (tempfile::TempDir, Recordings, SystemTime) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store"), &Options::default()).expect("a store");
        let recordings =
            Recordings::open(folder.path(), Shares::open(store).expect("no links")).expect("a thread");
        let now = SystemTime::now();
        fs::create_dir_all(folder.path().join("recordings/acme")).expect("a folder");
        for (name, days, bytes) in files {
            let path = folder.path().join("recordings/acme").join(name);
            fs::write(&path, vec![0; *bytes]).expect("a file");
            let file = fs::File::options().write(true).open(&path).expect("the file");
            file.set_modified(now - *days * DAY).expect("its time");
        }
        (folder, recordings, now)
    }

    #[test]
    fn what_is_too_old_goes_and_a_message_in_a_box_stays() {
        let (_folder, recordings, now) = with(&[
            ("a-1.wav", 31, 10),
            ("b-1.ogg", 29, 10),
            ("c-1-message.wav", 400, 10),
            ("notes.txt", 400, 10),
        ]);
        let keep = Keep { recordings: Some(30 * DAY), ..Keep::default() };
        let deleted = recordings.sweep("acme", &keep, false, now, |name| name == "c-1-message");
        assert_eq!(deleted, ["a-1"]);
        assert!(recordings.find("acme", "b-1").is_some() && recordings.find("acme", "c-1-message").is_some());
        // Nobody holds it any more.
        assert_eq!(recordings.sweep("acme", &keep, false, now, |_| false), ["c-1-message"]);
    }

    #[test]
    fn of_a_call_that_is_forgotten_nothing_stays() {
        let (_folder, recordings, now) = with(&[("a-1.wav", 31, 10), ("b-1.wav", 29, 10)]);
        let keep = Keep { records: Some(30 * DAY), ..Keep::default() };
        assert_eq!(recordings.sweep("acme", &keep, false, now, |_| false), ["a-1"]);
        // One that was written anew as Opus this morning, of a call that is as old.
        let millis =
            |days: u32| (now - days * DAY).duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let of = |days: u32| format!("{}-1", CallId::new(millis(days) as u64, 7));
        let (old, young) = (of(31), of(29));
        let (_folder, recordings, now) =
            with(&[(&format!("{old}.ogg"), 0, 10), (&format!("{young}.ogg"), 0, 10)]);
        assert_eq!(recordings.sweep("acme", &keep, false, now, |_| false), [old]);
        assert!(recordings.find("acme", &young).is_some());
    }

    #[test]
    fn of_too_much_the_oldest_goes_first_and_what_is_being_written_stays() {
        let (_folder, recordings, now) =
            with(&[("new.wav", 0, 700), ("old.wav", 3, 400), ("older.ogg", 5, 400), ("middle.wav", 2, 100)]);
        let keep = Keep { recordings_size: Some(1_000), ..Keep::default() };
        assert_eq!(recordings.sweep("acme", &keep, false, now, |_| false), ["older", "old"]);
        let keep = Keep { recordings_size: Some(1), ..Keep::default() };
        assert_eq!(recordings.sweep("acme", &keep, false, now, |_| false), ["middle"]);
        assert!(recordings.find("acme", "new").is_some(), "it was written this moment");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_recording() {
        let (_folder, recordings, _) = with(&[("a.wav", 0, 1)]);
        assert!(recordings.find("acme", "a").is_some());
        for name in ["", "../acme/a", "a.wav", "a\0", "./a"] {
            assert!(recordings.find("acme", name).is_none(), "{name:?}");
        }
        assert!(recordings.find("other", "a").is_none());
        assert!(
            recordings.delete("acme", "a").expect("deleted")
                && !recordings.delete("acme", "a").expect("gone")
        );
    }
}
