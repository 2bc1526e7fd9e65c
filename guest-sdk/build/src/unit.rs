//! A project's tests in its own language, against the SDK's simulator: no component is built for them.

use std::path::Path;
use std::process::Command;

use crate::{BuildError, Language, c, tools};

/// What runs the project's own tests, to be started; none when it has none. What has to be compiled before, is.
///
/// # Errors
/// When the folder is no project, a tool is missing, or the tests do not compile.
pub fn unit_tests(project: &Path) -> Result<Option<Command>, BuildError> {
    let language = Language::of(project).ok_or_else(|| BuildError::NoProject(project.to_owned()))?;
    // Tools run in the project's folder, where another relative path would mean another place.
    let project = &std::path::absolute(project).map_err(|why| BuildError::File(project.to_owned(), why))?;
    language.put_sdk(project)?;
    let mut command = match language {
        Language::Rust => {
            let mut cargo = tools::interpreter("cargo", "Rust: https://rustup.rs")?;
            cargo.args(["test", "--quiet"]);
            cargo
        }
        Language::JavaScript | Language::TypeScript if has(project, ".test.ts") => {
            tools::run("tsc", tools::pinned("typescript")?.current_dir(project))?;
            let mut node = tools::node()?;
            node.args(["--test", "target/tests/"]);
            node
        }
        Language::JavaScript | Language::TypeScript if has(project, ".test.js") => {
            let mut node = tools::node()?;
            node.arg("--test");
            node
        }
        Language::Python if starts(project, "test") => {
            let mut python = tools::interpreter("python3", "apt-get install python3")?;
            python.args(["-m", "unittest"]);
            python
        }
        Language::C => match c::tests(project)? {
            Some(program) => Command::new(program),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    command.current_dir(project);
    Ok(Some(command))
}

/// Whether a file of the project's folder is named so at its end.
fn has(project: &Path, end: &str) -> bool {
    files(project).iter().any(|name| name.ends_with(end))
}

/// Whether a module of the project's folder is named so at its beginning.
fn starts(project: &Path, begin: &str) -> bool {
    files(project).iter().any(|name| name.starts_with(begin) && name.ends_with(".py"))
}

fn files(project: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(project).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
