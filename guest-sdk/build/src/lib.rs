//! Builds scripts into components. For Rust it finds a standard library for `wasm32-unknown-unknown`, runs cargo, and makes
//! a component of the core module that comes out; for JavaScript, Python and C it runs the tools of each (`language`).
//!
//! `strowger script build` and the bin of this crate are thin over it. It knows nothing of what a component may import;
//! the exchange checks that at upload.

mod c;
mod language;
mod project;
mod sdk;
mod toolchain;
mod tools;
mod unit;
mod worlds;

pub use language::Language;
pub use project::{Kind, NewProjectError, Sdk, new_project};
pub use toolchain::{ToolchainError, WasmStd, wasm_std};
pub use tools::{ToolError, pinned};
pub use unit::unit_tests;

use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The only target that scripts are built for: it has no system interface, so nothing but strowger's is imported.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Cargo's profile for scripts, given on the command line so that a project needs none: small before fast, because
/// a script's work is a few microseconds between two verbs, and every live call holds its memory.
const PROFILE: [&str; 7] = [
    "profile.guest.inherits='release'",
    "profile.guest.opt-level='s'",
    "profile.guest.lto=true",
    "profile.guest.codegen-units=1",
    "profile.guest.panic='abort'",
    "profile.guest.debug=false",
    "profile.guest.incremental=false",
];

/// What is to be built.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The package in this folder.
    Project(&'a Path),
    /// These packages of the workspace in this folder.
    Packages(&'a Path, &'a [String]),
}

/// A component that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The folder's name of its package: the script's name.
    pub name: String,
    /// The component.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Nothing had changed since it was written before.
    pub fresh: bool,
}

/// Why nothing was built.
#[derive(Debug)]
pub enum BuildError {
    /// No standard library for the target; the text says what to install.
    Toolchain(ToolchainError),
    /// Cargo could not be started.
    Cargo(std::io::Error),
    /// Cargo refused: it has said why on standard error.
    Compile,
    /// The project is no `cdylib`: `[lib] crate-type = ["cdylib", "rlib"]` is missing in its Cargo.toml.
    NoModule(PathBuf),
    /// The module is no component: which, and why.
    Componentize(PathBuf, ComponentizeError),
    /// The folder is no project of any language that is known.
    NoProject(PathBuf),
    /// A file of the project says something that can't be: which, and what.
    Project(PathBuf, String),
    /// A tool of another language is missing, or refused the script.
    Tool(ToolError),
    /// A file could not be read or written: which, and why.
    File(PathBuf, std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Toolchain(error) => error.fmt(f),
            BuildError::Cargo(error) => {
                write!(f, "cargo does not start ({error}); install Rust from https://rustup.rs")
            }
            BuildError::Compile => f.write_str("the script does not compile; cargo says why above"),
            BuildError::NoModule(project) => write!(
                f,
                "{} makes no WebAssembly module; write [lib] crate-type = [\"cdylib\", \"rlib\"] in its Cargo.toml",
                project.display()
            ),
            BuildError::Componentize(module, error) => write!(f, "{}: {error}", module.display()),
            BuildError::NoProject(folder) => write!(
                f,
                "{} is no script's project: it has no Cargo.toml, package.json, pyproject.toml or script.c; strowger \
                 script new makes one",
                folder.display()
            ),
            BuildError::Project(file, what) => write!(f, "{}: {what}", file.display()),
            BuildError::Tool(error) => error.fmt(f),
            BuildError::File(file, error) => write!(f, "{}: {error}", file.display()),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<ToolchainError> for BuildError {
    fn from(error: ToolchainError) -> Self {
        BuildError::Toolchain(error)
    }
}

/// Why a core module is no component, in the encoder's words.
#[derive(Debug, PartialEq, Eq)]
pub struct ComponentizeError(pub(crate) String);

impl fmt::Display for ComponentizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no component can be made of it: {}", self.0)
    }
}

impl std::error::Error for ComponentizeError {}

/// Makes a component of a core module that was compiled with wit-bindgen, and validates it.
///
/// # Errors
/// When the module carries no interface, or imports or exports something that its interface does not have.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&worlds::of_the_exports(module))
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| ComponentizeError(format!("{error:#}")))
}

/// Builds, and writes `out/NAME.wasm` for each package, NAME being its folder's name. A project is of the language whose
/// file it has ([`Language::of`]); packages are Rust. What has not changed since is left as it is. Cargo works in a folder of its own below `cache`, so that it never waits for a build around this one.
///
/// # Errors
/// See [`BuildError`]; components built before a failure stay written.
pub fn build(source: Source<'_>, out: &Path, cache: &Path) -> Result<Vec<Built>, BuildError> {
    // Tools run in the project's folder, where another relative path would mean another place.
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|error| BuildError::File(path.to_owned(), error));
    let (cache, out) = (&absolute(cache)?, &absolute(out)?);
    if let Source::Project(folder) = source {
        match Language::of(folder) {
            None => return Err(BuildError::NoProject(folder.to_owned())),
            Some(Language::Rust) => {}
            Some(language) => return Ok(vec![language::build(language, &absolute(folder)?, out, cache)?]),
        }
    }
    let std = wasm_std(cache)?;
    let folder = match source {
        Source::Project(folder) | Source::Packages(folder, _) => folder,
    };
    let mut cargo = std.cargo();
    cargo.current_dir(folder).arg("build").args(["--target", TARGET, "--profile", "guest", "--lib"]);
    for setting in PROFILE {
        cargo.args(["--config", setting]);
    }
    if let Source::Packages(_, packages) = source {
        cargo.args(packages.iter().flat_map(|package| ["-p", package]));
    }
    cargo.arg("--target-dir").arg(cache.join("cargo"));
    cargo.args(["--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let done = cargo.spawn().and_then(|child| child.wait_with_output()).map_err(BuildError::Cargo)?;
    if !done.status.success() {
        return Err(BuildError::Compile);
    }
    let modules = modules(&String::from_utf8_lossy(&done.stdout));
    if modules.is_empty() {
        return Err(BuildError::NoModule(folder.to_owned()));
    }
    std::fs::create_dir_all(out).map_err(|error| BuildError::File(out.to_owned(), error))?;
    modules.into_iter().map(|module| write_component(module, out)).collect()
}

/// A core module that cargo made or found up to date.
struct Module {
    name: String,
    file: PathBuf,
    fresh: bool,
}

/// Reads the modules from what cargo says of its artifacts, one JSON object a line.
fn modules(messages: &str) -> Vec<Module> {
    let module = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        if message["reason"] != "compiler-artifact" {
            return None;
        }
        let file = message["filenames"]
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .find(|f| f.ends_with(".wasm"))?;
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
        Some(Module {
            name: folder.file_name()?.to_str()?.to_owned(),
            file: file.into(),
            fresh: message["fresh"].as_bool().unwrap_or(false),
        })
    };
    messages.lines().filter_map(module).collect()
}

fn write_component(module: Module, out: &Path) -> Result<Built, BuildError> {
    let file = out.join(&module.name).with_extension("wasm");
    if module.fresh && is_newer(&file, &module.file) {
        let size = std::fs::metadata(&file).map_or(0, |meta| meta.len());
        return Ok(Built { name: module.name, file, size, fresh: true });
    }
    let core = std::fs::read(&module.file).map_err(|error| BuildError::File(module.file.clone(), error))?;
    let component =
        componentize(&core).map_err(|error| BuildError::Componentize(module.file.clone(), error))?;
    // Written beside and renamed, so that whoever embeds or loads it never sees half of it.
    let beside = file.with_extension(format!("wasm.{}", std::process::id()));
    std::fs::write(&beside, &component)
        .and_then(|()| std::fs::rename(&beside, &file))
        .map_err(|error| BuildError::File(file.clone(), error))?;
    Ok(Built { name: module.name, file, size: component.len() as u64, fresh: false })
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    matches!((modified(file), modified(than)), (Some(file), Some(than)) if file >= than)
}

/// Whether a program runs at all.
fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_no_component() {
        assert!(componentize(b"not wasm").is_err());
        // An empty module is valid wasm (core specification §5.5.16), and exports nothing of any world.
        let empty = b"\0asm\x01\0\0\0";
        assert!(componentize(empty).is_ok_and(|component| component[..8] == *b"\0asm\x0d\0\x01\0"));
    }

    #[test]
    fn cargo_names_the_modules_it_made() {
        let said = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/w/scripts/echo/Cargo.toml","fresh":true,"#,
            r#""filenames":["/t/libscript_echo.rlib","/t/script_echo.wasm"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/r/serde/Cargo.toml","fresh":true,"filenames":["/t/s.rlib"]}"#,
            "\nnot json\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = modules(said);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].fresh), ("echo", true));
        assert_eq!(found[0].file, Path::new("/t/script_echo.wasm"));
    }
}
