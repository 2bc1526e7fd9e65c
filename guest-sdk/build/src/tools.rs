//! The tools of other languages: which versions, where they are looked for, and what to say when one is missing.
//!
//! A tool is installed into a folder of its own that carries its version, below `languages` of the cache folder
//! (STROWGER_CACHE, else `~/.cache/strowger`), so that a new version never meets an old one. Clang is Debian's, or whichever
//! is found first.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PINNED: &str = include_str!("../tools.txt");

/// Debian's packages for scripts in C.
const FOR_C: &str = "clang lld wasi-libc libclang-rt-14-dev-wasm32";

/// Debian's packages for their tests.
const FOR_TESTS_IN_C: &str = "gcc libc6-dev";

/// Why a tool did not do its work.
#[derive(Debug)]
pub enum ToolError {
    /// It is not installed: its name, and the commands that bring it.
    Missing(String, String),
    /// It could not be started: its path, and why.
    NotStarted(PathBuf, std::io::Error),
    /// It refused the script: its name, and what it said.
    Refused(String, String),
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name, bring) => write!(f, "{name} is missing; install it:\n{bring}"),
            Self::NotStarted(path, error) => write!(f, "{} does not start: {error}", path.display()),
            Self::Refused(name, said) => write!(f, "{}\n{name} refuses the script", said.trim_end()),
        }
    }
}

impl std::error::Error for ToolError {}

/// One line of `tools.txt`.
struct Pinned {
    registry: &'static str,
    package: &'static str,
    version: &'static str,
    program: &'static str,
}

impl Pinned {
    fn of(package: &str) -> Self {
        let lines = PINNED.lines().filter(|line| !line.starts_with('#'));
        let mut tools = lines.filter_map(|line| {
            let mut words = line.split_whitespace();
            let (registry, package, version) = (words.next()?, words.next()?, words.next()?);
            Some(Self { registry, package, version, program: words.next().unwrap_or(package) })
        });
        tools.find(|tool| tool.package == package).expect("every tool stands in tools.txt")
    }

    fn folder(&self) -> PathBuf {
        languages().join(format!("{}-{}", self.package, self.version))
    }

    fn program(&self) -> PathBuf {
        let below = if self.registry == "npm" { "node_modules/.bin" } else { "bin" };
        self.folder().join(below).join(self.program)
    }

    fn how_to_install(&self) -> String {
        let folder = self.folder();
        let (folder, package, version) = (folder.display(), self.package, self.version);
        match self.registry {
            "npm" => format!("  npm install --prefix {folder} {package}@{version}"),
            _ => format!("  python3 -m venv {folder} && {folder}/bin/pip install {package}=={version}"),
        }
    }
}

/// Where tools are installed.
fn languages() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("STROWGER_CACHE")
        .or_else(|| variable("HOME").map(|home| home.join(".cache/strowger")))
        .unwrap_or_else(|| std::env::temp_dir().join("strowger"))
        .join("languages")
}

/// A pinned tool, ready to be started.
///
/// # Errors
/// When it is not installed.
pub fn pinned(package: &str) -> Result<Command, ToolError> {
    let tool = Pinned::of(package);
    let program = tool.program();
    if !program.exists() {
        return Err(ToolError::Missing(format!("{package} {}", tool.version), tool.how_to_install()));
    }
    if tool.registry == "npm" {
        node()?;
    }
    Ok(Command::new(program))
}

/// What decides what comes out of these tools, for the key of what was built.
pub(crate) fn versions(packages: &[&str]) -> String {
    packages
        .iter()
        .map(|package| Pinned::of(package))
        .map(|p| format!("{} {}\n", p.package, p.version))
        .collect()
}

/// Clang, with what it needs for WebAssembly.
///
/// # Errors
/// When clang, its linker or wasi-libc are not there.
pub(crate) fn clang() -> Result<Command, ToolError> {
    let missing = |name: &str| {
        ToolError::Missing(name.into(), format!("  apt-get install --no-install-recommends {FOR_C}"))
    };
    for program in ["clang", "wasm-ld"] {
        if !crate::runs(Path::new(program)) {
            return Err(missing(program));
        }
    }
    if !Path::new("/usr/include/wasm32-wasi/stdlib.h").is_file() {
        return Err(missing("wasi-libc"));
    }
    Ok(Command::new("clang"))
}

/// The machine's own C compiler: what CC names, with what CFLAGS says, else `cc`.
///
/// # Errors
/// When it is not there.
pub(crate) fn cc() -> Result<Command, ToolError> {
    let named = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    if !crate::runs(Path::new(&named)) {
        let bring = format!("  apt-get install --no-install-recommends {FOR_TESTS_IN_C}");
        return Err(ToolError::Missing(named, bring));
    }
    let mut cc = Command::new(named);
    cc.args(std::env::var("CFLAGS").unwrap_or_default().split_whitespace());
    Ok(cc)
}

/// Node.js.
///
/// # Errors
/// When it is not there.
pub(crate) fn node() -> Result<Command, ToolError> {
    interpreter("node", "Node.js 20 or later: apt-get install nodejs npm, or https://nodejs.org")
}

/// An interpreter that is there already, where the script was written.
///
/// # Errors
/// When it is not there, with what to do.
pub(crate) fn interpreter(name: &str, bring: &str) -> Result<Command, ToolError> {
    if crate::runs(Path::new(name)) {
        return Ok(Command::new(name));
    }
    Err(ToolError::Missing(name.into(), format!("  {bring}")))
}

/// Runs a tool to its end.
///
/// # Errors
/// With all that it said, when it did not succeed.
pub(crate) fn run(name: &str, tool: &mut Command) -> Result<(), ToolError> {
    let output = tool
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ToolError::NotStarted(tool.get_program().into(), error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(ToolError::Refused(name.into(), String::from_utf8_lossy(&said).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_the_command_that_brings_it() {
        let qjs = Pinned::of("componentize-qjs");
        let bring = qjs.how_to_install();
        assert!(bring.contains(&format!("npm install --prefix {}", qjs.folder().display())), "{bring}");
        assert!(bring.ends_with(&format!("componentize-qjs@{}", qjs.version)), "{bring}");
        assert!(qjs.program().ends_with("node_modules/.bin/componentize-qjs"));
        assert!(Pinned::of("typescript").program().ends_with("node_modules/.bin/tsc"));
        let py = Pinned::of("componentize-py").how_to_install();
        assert!(py.contains("pip install componentize-py=="), "{py}");
    }
}
