//! `guest-build all [--out DIR [NAME...]]`: every script that the repository ships, and every guest that its tests need, as
//! components, or those of these names. What has not changed is not built again. The repository is the one around the package that cargo runs, else
//! around the working directory; not the one that this program was compiled in, because target folders outlive clones.
//! `guest-build project FOLDER`: the component of one project in any language, into its `target` folder.

use guest_build::{Source, build, wasm_std};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Below the workspace: where the packages are that become components, and how the names of packages begin that the
/// names of their folders end.
const FOLDERS: [(&str, &str); 2] = [("scripts", "script-"), ("tests/guests", "guest-")];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (out, names) = match &words[..] {
        ["all"] => (None, &[][..]),
        ["all", "--out", out, names @ ..] => (Some(PathBuf::from(out)), names),
        ["project", folder] => return answer(project(Path::new(folder))),
        _ => {
            eprintln!("usage: guest-build all [--out DIR [NAME...]] | project FOLDER");
            return ExitCode::from(2);
        }
    };
    answer(run(out, names))
}

fn answer(done: Result<(), String>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("guest-build: {why}");
            ExitCode::FAILURE
        }
    }
}

fn project(folder: &Path) -> Result<(), String> {
    let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let out = folder.join("target");
    for built in build(Source::Project(&folder), &out, &out).map_err(|error| error.to_string())? {
        println!("{} ({} bytes)", built.file.display(), built.size);
    }
    Ok(())
}

fn run(out: Option<PathBuf>, names: &[&str]) -> Result<(), String> {
    let workspace = repository()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let cache = target.join("guests");
    let out = out
        .or_else(|| std::env::var_os("STROWGER_GUESTS").map(PathBuf::from))
        .unwrap_or_else(|| workspace.join("target/guests"));
    println!("guests: {}", wasm_std(&cache).map_err(|error| error.to_string())?);
    let mut packages = packages(&workspace)?;
    let is_of =
        |package: &str, name: &str| FOLDERS.iter().any(|(_, prefix)| package == format!("{prefix}{name}"));
    packages.retain(|package| names.is_empty() || names.iter().any(|name| is_of(package, name)));
    for built in
        build(Source::Packages(&workspace, &packages), &out, &cache).map_err(|error| error.to_string())?
    {
        let how = if built.fresh { "as before" } else { "built" };
        println!("  {:9} {:20} {:6} bytes", how, built.name, built.size);
    }
    Ok(())
}

/// The nearest folder that holds `wit/` and the scripts, of those around the package that cargo runs (`cargo run` says
/// which) and then around the working directory.
fn repository() -> Result<PathBuf, String> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    let around = package.iter().chain(&here).flat_map(|folder| folder.ancestors());
    let found = around
        .filter(|folder| folder.join("wit/strowger.wit").is_file())
        .find(|folder| folder.join(FOLDERS[0].0).is_dir());
    found
        .map(Path::to_owned)
        .ok_or_else(|| "there is no wit/strowger.wit here or above; run it inside the repository".to_owned())
}

/// The packages in the folders, by name.
fn packages(workspace: &Path) -> Result<Vec<String>, String> {
    let mut packages = Vec::new();
    for (folder, prefix) in FOLDERS {
        let Ok(entries) = std::fs::read_dir(workspace.join(folder)) else { continue };
        let folders = entries.flatten().filter(|entry| entry.path().join("Cargo.toml").is_file());
        packages.extend(folders.map(|entry| format!("{prefix}{}", entry.file_name().to_string_lossy())));
    }
    packages.sort();
    if packages.is_empty() {
        return Err(format!("no scripts in {}", workspace.display()));
    }
    Ok(packages)
}
