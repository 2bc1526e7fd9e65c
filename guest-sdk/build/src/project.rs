//! A new project for a script: a script of thirty lines with its test, imaginary calls, decisions or changes, README, and what its language's
//! tools read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::{BuildError, Language};

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes calls.
    Call,
    /// Says who rings next in a queue.
    Queue,
    /// Hears of call backs.
    Task,
}

impl Kind {
    /// The world's name in `wit/`.
    pub(crate) fn world(self) -> &'static str {
        match self {
            Self::Call => "call-script",
            Self::Queue => "queue-strategy",
            Self::Task => "task-script",
        }
    }
}

/// Where a new project in Rust finds the SDK; others carry theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk<'a> {
    /// The crate's folder.
    Path(&'a Path),
    /// The crate's version.
    Version(&'a str),
}

/// Why no project was made.
#[derive(Debug)]
pub enum NewProjectError {
    /// A name is 1 to 64 of a-z, 0-9 and "-", beginning with a letter.
    BadName(String),
    /// Something is there already.
    Exists(PathBuf),
    /// The language's SDK could not be put there.
    Sdk(Box<BuildError>),
    /// A file could not be written: which, and why.
    File(PathBuf, io::Error),
}

impl fmt::Display for NewProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NewProjectError::BadName(name) => {
                write!(f, "{name:?} is no script's name: use a-z, 0-9 and \"-\", a letter first, at most 64")
            }
            NewProjectError::Sdk(error) => error.fmt(f),
            NewProjectError::Exists(path) => write!(f, "{} is there already", path.display()),
            NewProjectError::File(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for NewProjectError {}

/// Longest name of a script.
const LONGEST_NAME: usize = 64;

/// Writes a project that builds and passes its test into `dir`/`name`, and answers its folder. With an SDK in a
/// repository it begins with the versions that the repository has of everything: those it was tested with, and those
/// that are on this machine already.
///
/// # Errors
/// See [`NewProjectError`]; nothing is overwritten.
pub fn new_project(
    dir: &Path,
    name: &str,
    language: Language,
    kind: Kind,
    sdk: Sdk<'_>,
) -> Result<PathBuf, NewProjectError> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.chars().all(letters)
        || name.len() > LONGEST_NAME
    {
        return Err(NewProjectError::BadName(name.to_owned()));
    }
    let project = dir.join(name);
    if project.exists() {
        return Err(NewProjectError::Exists(project));
    }
    let lock = match sdk {
        Sdk::Path(path) => std::fs::read_to_string(path.join("../../Cargo.lock")).ok(),
        Sdk::Version(_) => None,
    };
    let sdk = match sdk {
        Sdk::Path(path) => format!("{{ path = {:?} }}", path.display().to_string()),
        Sdk::Version(version) => format!("{version:?}"),
    };
    let files = files(language, kind);
    // The same script in every language, so the same calls, decisions or changes.
    let calls = match kind {
        Kind::Call => include_str!("../template/calls.toml.in"),
        Kind::Queue => include_str!("../template/queue.calls.toml.in"),
        Kind::Task => include_str!("../template/task.calls.toml.in"),
    };
    let lock = lock.as_deref().filter(|_| language == Language::Rust).map(|lock| ("Cargo.lock", lock));
    for (file, text) in files.iter().copied().chain([("calls.toml", calls)]).chain(lock) {
        let path = project.join(file);
        let text = text.replace("@NAME@", name).replace("@SDK@", &sdk);
        let written = std::fs::create_dir_all(path.parent().unwrap_or(&project))
            .and_then(|()| std::fs::write(&path, text));
        written.map_err(|error| NewProjectError::File(path, error))?;
    }
    language.put_sdk(&project).map_err(|error| NewProjectError::Sdk(Box::new(error)))?;
    Ok(project)
}

/// Where each file of a new project goes, and its text.
fn files(language: Language, kind: Kind) -> &'static [(&'static str, &'static str)] {
    macro_rules! template {
        ($($place:literal = $file:literal),+ $(,)?) => {
            &[$(($place, include_str!(concat!("../template/", $file)))),+]
        };
    }
    match (language, kind) {
        (Language::Rust, Kind::Call) => template!(
            "Cargo.toml" = "Cargo.toml.in",
            "README.md" = "call.md.in",
            ".gitignore" = "gitignore.in",
            "src/lib.rs" = "call.rs.in",
        ),
        (Language::Rust, Kind::Queue) => template!(
            "Cargo.toml" = "Cargo.toml.in",
            "README.md" = "queue.md.in",
            ".gitignore" = "gitignore.in",
            "src/lib.rs" = "queue.rs.in",
        ),
        (Language::Rust, Kind::Task) => template!(
            "Cargo.toml" = "Cargo.toml.in",
            "README.md" = "task.md.in",
            ".gitignore" = "gitignore.in",
            "src/lib.rs" = "task.rs.in",
        ),
        (Language::JavaScript, Kind::Call) => template!(
            "package.json" = "js/call.package.json.in",
            "README.md" = "js/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.js" = "js/call.js.in",
            "script.test.js" = "js/call.test.js.in",
        ),
        (Language::JavaScript, Kind::Queue) => template!(
            "package.json" = "js/queue.package.json.in",
            "README.md" = "js/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.js" = "js/queue.js.in",
            "script.test.js" = "js/queue.test.js.in",
        ),
        (Language::JavaScript, Kind::Task) => template!(
            "package.json" = "js/task.package.json.in",
            "README.md" = "js/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.js" = "js/task.js.in",
            "script.test.js" = "js/task.test.js.in",
        ),
        (Language::TypeScript, Kind::Call) => template!(
            "package.json" = "js/call.ts.package.json.in",
            "tsconfig.json" = "js/tsconfig.json.in",
            "README.md" = "js/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.ts" = "js/call.ts.in",
            "script.test.ts" = "js/call.test.ts.in",
        ),
        (Language::TypeScript, Kind::Queue) => template!(
            "package.json" = "js/queue.ts.package.json.in",
            "tsconfig.json" = "js/tsconfig.json.in",
            "README.md" = "js/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.ts" = "js/queue.ts.in",
            "script.test.ts" = "js/queue.test.ts.in",
        ),
        (Language::TypeScript, Kind::Task) => template!(
            "package.json" = "js/task.ts.package.json.in",
            "tsconfig.json" = "js/tsconfig.json.in",
            "README.md" = "js/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.ts" = "js/task.ts.in",
            "script.test.ts" = "js/task.test.ts.in",
        ),
        (Language::Python, Kind::Call) => template!(
            "pyproject.toml" = "python/call.pyproject.toml.in",
            "README.md" = "python/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.py" = "python/call.py.in",
            "test_script.py" = "python/call_test.py.in",
        ),
        (Language::Python, Kind::Queue) => template!(
            "pyproject.toml" = "python/queue.pyproject.toml.in",
            "README.md" = "python/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.py" = "python/queue.py.in",
            "test_script.py" = "python/queue_test.py.in",
        ),
        (Language::Python, Kind::Task) => template!(
            "pyproject.toml" = "python/task.pyproject.toml.in",
            "README.md" = "python/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.py" = "python/task.py.in",
            "test_script.py" = "python/task_test.py.in",
        ),
        (Language::C, Kind::Call) => template!(
            "README.md" = "c/README.md.in",
            ".gitignore" = "gitignore.in",
            "script.c" = "c/call.c.in",
            "script_test.c" = "c/call_test.c.in",
        ),
        (Language::C, Kind::Task) => template!(
            "README.md" = "c/task.README.md.in",
            ".gitignore" = "gitignore.in",
            "script.c" = "c/task.c.in",
            "script_test.c" = "c/task_test.c.in",
        ),
        (Language::C, Kind::Queue) => template!(
            "README.md" = "c/queue.README.md.in",
            ".gitignore" = "gitignore.in",
            "script.c" = "c/queue.c.in",
            "script_test.c" = "c/queue_test.c.in",
        ),
    }
}
