//! A new project for a script: Cargo.toml, a script of thirty lines with its test, imaginary calls, README.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes calls.
    Call,
    /// Says who rings next in a queue.
    Queue,
}

/// Where the new project finds the SDK.
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
    /// A file could not be written: which, and why.
    File(PathBuf, io::Error),
}

impl fmt::Display for NewProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NewProjectError::BadName(name) => {
                write!(f, "{name:?} is no script's name: use a-z, 0-9 and \"-\", a letter first, at most 64")
            }
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
pub fn new_project(dir: &Path, name: &str, kind: Kind, sdk: Sdk<'_>) -> Result<PathBuf, NewProjectError> {
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
    let source = project.join("src");
    std::fs::create_dir_all(&source).map_err(|error| NewProjectError::File(source.clone(), error))?;
    let (readme, script) = match kind {
        Kind::Call => (include_str!("../template/call.md.in"), include_str!("../template/call.rs.in")),
        Kind::Queue => (include_str!("../template/queue.md.in"), include_str!("../template/queue.rs.in")),
    };
    let files = [
        ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
        ("README.md", readme),
        (".gitignore", "/target\n"),
        ("src/lib.rs", script),
    ];
    let calls = (kind == Kind::Call).then_some(("calls.toml", include_str!("../template/calls.toml.in")));
    let lock = lock.as_deref().map(|lock| ("Cargo.lock", lock));
    for (file, text) in files.into_iter().chain(calls).chain(lock) {
        let path = project.join(file);
        let text = text.replace("@NAME@", name).replace("@SDK@", &sdk);
        std::fs::write(&path, text).map_err(|error| NewProjectError::File(path, error))?;
    }
    Ok(project)
}
