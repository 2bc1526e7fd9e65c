//! The SDKs of other languages than Rust, carried in the program, so that a project builds wherever the exchange runs.
//!
//! A build puts the SDK into the project, where the language's own tools look for it; what is there of another version is
//! replaced. The folder is ignored by git.

use std::io;
use std::path::{Path, PathBuf};

/// A file of an SDK: its path below the SDK's folder, and what is in it.
pub(crate) type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal, $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../", $folder, "/", $path)))),+]
    };
}

/// `guest-sdk/js`.
pub(crate) const JAVASCRIPT: &[File] = files!(
    "js",
    "package.json",
    "README.md",
    "src/around.js",
    "src/console.js",
    "src/dial.js",
    "src/exchange-of-tasks.js",
    "src/exchange.js",
    "src/http.js",
    "src/index.d.ts",
    "src/index.js",
    "src/leg.js",
    "src/log-to-exchange.js",
    "src/log.js",
    "src/messages.js",
    "src/queue.js",
    "src/run.js",
    "src/script.js",
    "src/sim/exchange.js",
    "src/sim/index.d.ts",
    "src/sim/index.js",
    "src/sim/log.js",
    "src/sim/mailbox.js",
    "src/sim/moves.js",
    "src/sim/tasks.js",
    "src/sim/world.js",
    "src/strategy.d.ts",
    "src/strategy.js",
    "src/tasks.d.ts",
    "src/tasks.js",
    "src/utf8.js",
    "src/words.js",
);

/// `guest-sdk/python`.
pub(crate) const PYTHON: &[File] = files!(
    "python",
    "strowger_script/__init__.py",
    "strowger_script/_around.py",
    "strowger_script/_dial.py",
    "strowger_script/_exchange.py",
    "strowger_script/_http.py",
    "strowger_script/_leg.py",
    "strowger_script/_messages.py",
    "strowger_script/_queue.py",
    "strowger_script/_script.py",
    "strowger_script/_words.py",
    "strowger_script/py.typed",
    "strowger_script/sim/__init__.py",
    "strowger_script/sim/_leg.py",
    "strowger_script/sim/_mailbox.py",
    "strowger_script/sim/_moves.py",
    "strowger_script/sim/_plan.py",
    "strowger_script/sim/_snapshot.py",
    "strowger_script/sim/_tasks.py",
    "strowger_script/sim/_wit.py",
    "strowger_script/sim/_world.py",
    "strowger_script/strategy.py",
    "strowger_script/tasks.py",
);

/// `guest-sdk/c`.
pub(crate) const C: &[File] = files!(
    "c",
    "strowger.h",
    "strowger.c",
    "strowger_queue.h",
    "strowger_queue.c",
    "strowger_tasks.h",
    "tasks_of_wit.h",
    "strowger_words.h",
    "words_of_wit.h",
    "plain_words.h",
    "plain_calls.h",
    "plain_queues.h",
    "call_script.h",
    "call_script.c",
    "queue_strategy.h",
    "queue_strategy.c",
    "task_script.h",
    "task_script.c",
    "sim/strowger_queue_sim.h",
    "sim/strowger_queue_sim.c",
    "sim/strowger_tasks_sim.h",
    "sim/strowger_tasks_sim.c",
    "sim/strowger_sim.h",
    "sim/strowger_sim.c",
    "sim/strowger_test.h",
    "sim/strowger_test.c",
    "sim/mailbox.c",
    "sim/world.h",
    "sim/world.c",
);

/// Writes an SDK below `folder`, as far as it is not there.
///
/// # Errors
/// Names the file that could not be written.
pub(crate) fn put(sdk: &[File], folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    for (path, text) in sdk {
        let path = folder.join(path);
        if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| (path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every file below a folder of `guest-sdk` whose path passes.
    fn below(folder: &str, passes: fn(&str) -> bool) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        let (mut found, mut folders) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if passes(&name) {
                    found.insert(name);
                }
            }
        }
        found
    }

    #[test]
    fn every_file_of_an_sdk_is_carried() {
        let carried = |sdk: &[File]| sdk.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>();
        let js = below("js", |path| path.starts_with("src/") || !path.contains('/'));
        assert_eq!(carried(JAVASCRIPT), js);
        let python = |path: &str| path.starts_with("strowger_script/") && !path.contains("__pycache__");
        assert_eq!(carried(PYTHON), below("python", python));
        let c = |path: &str| {
            (path.ends_with(".h") || path.ends_with(".c"))
                && (!path.contains('/') || path.starts_with("sim/"))
        };
        assert_eq!(carried(C), below("c", c));
    }
}
