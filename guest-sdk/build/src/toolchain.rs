//! Where the standard library for `wasm32-unknown-unknown` comes from.
//!
//! rustup's target is the normal way. Where it can't be had, Debian's compiler comes with the library's source: it is
//! built once, in about a minute, and kept in the cache folder. `rustc --print target-libdir` names a folder even where
//! nothing is in it, so that what counts is a libstd in it.

use crate::{TARGET, runs};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's compiler and cargo, of the packages rustc-web and cargo-web.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Where rust-web-src puts the library's source, below the compiler's sysroot.
const LIBRARY_SOURCE: &str = "lib/rustlib/src/rust/library/std/Cargo.toml";

/// A standard library that was found or built, and how to build with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WasmStd {
    /// The compiler has the target (`rustup target add wasm32-unknown-unknown`).
    Installed,
    /// Debian's compiler with a library built from its source.
    Debian {
        /// Given to the compiler as `--sysroot`.
        sysroot: PathBuf,
        /// What links: rust-lld or wasm-ld.
        linker: PathBuf,
    },
}

impl fmt::Display for WasmStd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WasmStd::Installed => write!(f, "the compiler's own {TARGET} library"),
            WasmStd::Debian { sysroot, .. } => {
                write!(f, "a {TARGET} library built from Debian's rust-web-src in {}", sysroot.display())
            }
        }
    }
}

impl WasmStd {
    /// A cargo that builds for the target with this library.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Flags of the build around this one are for another target.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
        if let WasmStd::Debian { sysroot, linker } = self {
            let mut flags = OsString::from("--sysroot\u{1f}");
            flags.push(sysroot);
            cargo.env("RUSTC", DEBIAN_RUSTC);
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            cargo.env("CARGO_ENCODED_RUSTFLAGS", flags);
        }
        cargo
    }
}

/// Why there is no standard library for scripts.
#[derive(Debug)]
pub enum ToolchainError {
    /// Neither way is open.
    Nothing,
    /// Debian's packages are there, but nothing that links WebAssembly.
    NoLinker,
    /// Building the library failed; cargo has said why on standard error.
    StdBuild,
    /// A file of the cache could not be written: which, and why.
    Cache(PathBuf, std::io::Error),
}

impl fmt::Display for ToolchainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToolchainError::Nothing => write!(
                f,
                "no standard library for {TARGET}: run `rustup target add {TARGET}`, or on Debian `apt-get install \
                 rustc-web cargo-web rust-web-src lld`"
            ),
            ToolchainError::NoLinker => f.write_str("nothing links WebAssembly: run `apt-get install lld`"),
            ToolchainError::StdBuild => {
                f.write_str("the standard library did not build from rust-web-src; cargo says why above")
            }
            ToolchainError::Cache(file, error) => write!(f, "{}: {error}", file.display()),
        }
    }
}

impl std::error::Error for ToolchainError {}

/// Finds a standard library for scripts, or builds one below `cache`, once.
///
/// # Errors
/// See [`ToolchainError`]; what it shows says what to install.
pub fn wasm_std(cache: &Path) -> Result<WasmStd, ToolchainError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if answer(&rustc, &["--print", "target-libdir", "--target", TARGET])
        .is_some_and(|dir| has_std(Path::new(&dir)))
    {
        return Ok(WasmStd::Installed);
    }
    debian_std(cache)
}

/// The second way: Debian's compiler, and a library built from Debian's source of it.
fn debian_std(cache: &Path) -> Result<WasmStd, ToolchainError> {
    let rustc = OsString::from(DEBIAN_RUSTC);
    let sysroot_of_debian = answer(&rustc, &["--print", "sysroot"]).ok_or(ToolchainError::Nothing)?;
    if !Path::new(&sysroot_of_debian).join(LIBRARY_SOURCE).is_file() || !runs(Path::new(DEBIAN_CARGO)) {
        return Err(ToolchainError::Nothing);
    }
    let linker = linker().ok_or(ToolchainError::NoLinker)?;
    // The library fits one compiler only: the folder carries its version.
    let version = answer(&rustc, &["--version"]).ok_or(ToolchainError::Nothing)?;
    let version = version.split_whitespace().nth(1).unwrap_or("unknown");
    let sysroot = cache.join(format!("sysroot-{version}"));
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    if !has_std(&libraries) {
        build_std(cache, &libraries)?;
    }
    Ok(WasmStd::Debian { sysroot, linker })
}

/// Builds the standard library as the dependency of an empty crate, and puts its rlibs into `libraries`.
fn build_std(cache: &Path, libraries: &Path) -> Result<(), ToolchainError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| ToolchainError::Cache(path, error)
    };
    let empty = cache.join("empty");
    let source = empty.join("src");
    std::fs::create_dir_all(&source).map_err(at(&source))?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(empty.join("Cargo.toml"), manifest).map_err(at(&empty))?;
    std::fs::write(source.join("lib.rs"), "#![no_std]\n").map_err(at(&source))?;
    let target = empty.join("target");
    let status = Command::new(DEBIAN_CARGO)
        .current_dir(&empty)
        .args(["build", "--release", "--target", TARGET, "-Z", "build-std=std,panic_abort"])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        // Bitcode, because scripts link with LTO.
        .env("RUSTFLAGS", "-C embed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(ToolchainError::StdBuild);
    }
    let made = target.join(TARGET).join("release/deps");
    std::fs::create_dir_all(libraries).map_err(at(libraries))?;
    for entry in std::fs::read_dir(&made).map_err(at(&made))?.flatten() {
        let file = entry.file_name();
        let name = file.to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with("libempty") {
            std::fs::copy(entry.path(), libraries.join(&file)).map_err(at(&entry.path()))?;
        }
    }
    if has_std(libraries) { Ok(()) } else { Err(ToolchainError::StdBuild) }
}

/// Whether a standard library is in this folder.
fn has_std(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

/// rustup's rust-lld, or Debian's.
fn linker() -> Option<PathBuf> {
    let host = answer(&"rustc".into(), &["-vV"])
        .and_then(|all| all.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned)));
    let rustups = answer(&"rustc".into(), &["--print", "sysroot"])
        .zip(host)
        .map(|(sysroot, host)| Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld"));
    rustups.into_iter().chain(["/usr/bin/wasm-ld".into()]).find(|linker| linker.is_file())
}

/// What a program prints, trimmed; none when it fails.
fn answer(program: &OsString, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_libstd_is_no_library() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_std(folder.path()));
        assert!(!has_std(&folder.path().join("missing")));
        std::fs::write(folder.path().join("libcore-1.rlib"), "").unwrap();
        assert!(!has_std(folder.path()));
        std::fs::write(folder.path().join("libstd-1.rlib"), "").unwrap();
        assert!(has_std(folder.path()));
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_brings_it() {
        let said = ToolchainError::Nothing.to_string();
        assert!(said.contains("rustup target add wasm32-unknown-unknown"));
        assert!(said.contains("apt-get install rustc-web cargo-web rust-web-src lld"));
    }
}
