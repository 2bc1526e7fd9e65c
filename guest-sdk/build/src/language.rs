//! Components of scripts in other languages than Rust: which language a project is in, and what each one's tools are told.
//!
//! The tools take seconds, so what was built is kept beside a key of everything that decides it: the sources, the SDK, the
//! interface and the versions of the tools.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::project::Kind;
use crate::tools::{self, ToolError};
use crate::{BuildError, Built, c, sdk};

pub(crate) const WIT: &str = include_str!("../../../wit/strowger.wit");

/// Folders of a project that are no source of its script.
const NO_SOURCE: [&str; 5] = ["target", "node_modules", "__pycache__", "strowger_script", "strowger"];

/// What a script is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// With a Cargo.toml.
    Rust,
    /// With a package.json.
    JavaScript,
    /// The same, with types.
    TypeScript,
    /// With a pyproject.toml.
    Python,
    /// With a script.c.
    C,
}

impl Language {
    /// By the file that a project of the language has; JavaScript for TypeScript too, which is built alike.
    pub fn of(project: &Path) -> Option<Self> {
        let marks = [
            ("Cargo.toml", Self::Rust),
            ("package.json", Self::JavaScript),
            ("pyproject.toml", Self::Python),
            ("script.c", Self::C),
        ];
        marks.into_iter().find(|(mark, _)| project.join(mark).is_file()).map(|(_, language)| language)
    }

    /// Puts the language's SDK where the project looks for it.
    pub(crate) fn put_sdk(self, project: &Path) -> Result<(), BuildError> {
        let (files, folder) = match self {
            Self::Rust => return Ok(()),
            Self::JavaScript | Self::TypeScript => {
                (sdk::JAVASCRIPT, project.join("node_modules/@strowger/script"))
            }
            Self::Python => (sdk::PYTHON, project.to_owned()),
            Self::C => (sdk::C, project.join("strowger")),
        };
        sdk::put(files, &folder).map_err(|(path, error)| BuildError::File(path, error))
    }

    /// What decides a component besides the project.
    fn tools(self) -> String {
        let (packages, files): (&[&str], _) = match self {
            Self::Rust => (&[], &[][..]),
            Self::JavaScript | Self::TypeScript => (&["componentize-qjs", "esbuild"], sdk::JAVASCRIPT),
            Self::Python => (&["componentize-py"], sdk::PYTHON),
            Self::C => (&[], sdk::C),
        };
        let sdk: String = files.iter().flat_map(|(path, text)| [*path, *text]).collect();
        format!("{}{WIT}{sdk}{}", env!("CARGO_PKG_VERSION"), tools::versions(packages))
    }
}

/// Builds the component of a project into `out`; works in a folder of its own below `cache`.
pub(crate) fn build(
    language: Language,
    project: &Path,
    out: &Path,
    cache: &Path,
) -> Result<Built, BuildError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |error| BuildError::File(path, error)
    };
    let name = project.file_name().and_then(|name| name.to_str()).unwrap_or("script").to_owned();
    language.put_sdk(project)?;
    let file = out.join(&name).with_extension("wasm");
    let key_file = out.join(&name).with_extension("key");
    let key = key(language, project)?;
    if let Ok(there) = std::fs::metadata(&file)
        && std::fs::read_to_string(&key_file).is_ok_and(|kept| kept == key)
    {
        return Ok(Built { name, file, size: there.len(), fresh: true });
    }
    static BUILDS: AtomicU64 = AtomicU64::new(0);
    let number = BUILDS.fetch_add(1, Ordering::Relaxed);
    let work = cache.join("languages").join(format!("{name}-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(work.join("wit")).map_err(file_error(&work))?;
    std::fs::create_dir_all(out).map_err(file_error(out))?;
    let wit = work.join("wit/strowger.wit");
    std::fs::write(&wit, WIT).map_err(file_error(&wit))?;
    let built = match language {
        Language::Rust => unreachable!("cargo builds Rust"),
        Language::JavaScript | Language::TypeScript => javascript(project, &work),
        Language::Python => python(project, &work),
        Language::C => c::build(project, &work),
    };
    let built = built.and_then(|component| {
        // The key last, so that it never stands beside another component.
        let beside = file.with_extension(format!("wasm.{}", std::process::id()));
        std::fs::write(&beside, &component)
            .and_then(|()| std::fs::rename(&beside, &file))
            .and_then(|()| std::fs::write(&key_file, &key))
            .map_err(file_error(&file))?;
        Ok(Built { name, file, size: component.len() as u64, fresh: false })
    });
    let _ = std::fs::remove_dir_all(&work);
    built
}

/// SHA-256 in hex of everything that decides what comes out.
fn key(language: Language, project: &Path) -> Result<String, BuildError> {
    let mut sources = files(project, &NO_SOURCE)?;
    sources.retain(|path| path.extension().is_none_or(|end| end != "wasm" && end != "key"));
    sources.sort();
    let mut hash = Sha256::new();
    hash.update(language.tools());
    for path in sources {
        let bytes = std::fs::read(&path).map_err(|error| BuildError::File(path.clone(), error))?;
        hash.update(path.strip_prefix(project).unwrap_or(&path).to_string_lossy().as_bytes());
        hash.update(bytes.len().to_le_bytes());
        hash.update(&bytes);
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// The files below a folder, without those of folders that are left out or hidden.
fn files(below: &Path, left_out: &[&str]) -> Result<Vec<PathBuf>, BuildError> {
    let mut files = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| BuildError::File(folder, error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !entry.path().is_dir() {
                files.push(entry.path());
            } else if !left_out.contains(&&*name) && !name.starts_with('.') {
                folders.push(entry.path());
            }
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|error| BuildError::File(path.to_owned(), error))
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    std::fs::write(path, text).map_err(|error| BuildError::File(path.to_owned(), error))
}

fn kind_named(word: Option<&str>, file: &Path) -> Result<Kind, BuildError> {
    match word {
        None | Some("call") => Ok(Kind::Call),
        Some("queue") => Ok(Kind::Queue),
        Some("task") => Ok(Kind::Task),
        Some(other) => Err(BuildError::Project(
            file.to_owned(),
            format!("kind of strowger is \"{other}\"; write \"call\", \"queue\" or \"task\""),
        )),
    }
}

/// esbuild makes one file of the script, its packages and the SDK, and JavaScript of TypeScript; componentize-qjs puts it
/// into QuickJS, with the state that it has once it is read.
fn javascript(project: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let manifest = project.join("package.json");
    let package: Value = serde_json::from_slice(&read(&manifest)?)
        .map_err(|error| BuildError::Project(manifest.clone(), error.to_string()))?;
    let kind = kind_named(package["strowger"]["kind"].as_str(), &manifest)?;
    let main = project.join(package["main"].as_str().unwrap_or("script.js"));
    if !main.is_file() {
        let what = format!("there is no {}; write it, or name another as \"main\"", main.display());
        return Err(BuildError::Project(manifest, what));
    }
    let exports = match kind {
        Kind::Call => "onCall, onEnded",
        Kind::Queue => "admit, rank, expectedWait, announce, onDigit",
        Kind::Task => "onChange",
    };
    let main = serde_json::to_string(&main.to_string_lossy()).expect("a path is a string");
    let entry = work.join("entry.js");
    write(&entry, &format!("import script from {main};\nexport const {{ {exports} }} = script;\n"))?;
    let bundle = work.join("script.js");
    let mut esbuild = tools::pinned("esbuild")?;
    esbuild.current_dir(project).arg(&entry).args(["--bundle", "--format=esm", "--platform=neutral"]);
    // Which interfaces are imported: a component may import no other than its world has.
    let conditions = if kind == Kind::Task { "strowger,strowger-tasks" } else { "strowger" };
    esbuild.args(["--main-fields=module,main", "--external:strowger:*"]);
    esbuild.arg(format!("--conditions={conditions}"));
    esbuild.args(["--log-level=warning", "--legal-comments=none", "--target=es2023"]);
    let bundled = work.join("bundled.json");
    esbuild.arg(format!("--outfile={}", bundle.display())).arg(format!("--metafile={}", bundled.display()));
    // The entry lies elsewhere, and finds the project's packages all the same.
    esbuild.env("NODE_PATH", project.join("node_modules"));
    tools::run("esbuild", &mut esbuild)?;
    let wit = work.join("wit/strowger.wit");
    write(&wit, &owning_exports(&String::from_utf8_lossy(&read(&wit)?)))?;
    let component = work.join("script.wasm");
    let mut qjs = tools::pinned("componentize-qjs")?;
    qjs.current_dir(work).args(["--wit", "wit", "--js", "script.js", "-n", kind.world(), "--sync"]);
    qjs.arg("-o").arg(&component);
    tools::run("componentize-qjs", &mut qjs)?;
    let after = kind != Kind::Call || mention("onEnded", own_inputs(project, &bundled, &entry)?)?;
    made(&component, after)
}

/// What went into a bundle, without the SDK and the entry.
fn own_inputs(project: &Path, bundled: &Path, entry: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let told: Value = serde_json::from_slice(&read(bundled)?)
        .map_err(|error| BuildError::Project(bundled.to_owned(), error.to_string()))?;
    let inputs = told["inputs"].as_object().into_iter().flatten();
    let paths = inputs.map(|(path, _)| project.join(path));
    let entry = entry.canonicalize().ok();
    let own = |path: &PathBuf| {
        !path.to_string_lossy().contains("node_modules/@strowger/script/")
            && path.canonicalize().ok() != entry
    };
    Ok(paths.filter(own).collect())
}

/// Whether a word is in one of these files. A script that has a function by it can't do without.
fn mention(word: &str, files: Vec<PathBuf>) -> Result<bool, BuildError> {
    for file in files {
        if read(&file)?.windows(word.len()).any(|text| text == word.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The component that was made. One without a function for the end of a call says so behind, as the Rust SDK has it say: by a
/// custom section without content, whose name is shorter than 128 bytes.
fn made(component: &Path, after: bool) -> Result<Vec<u8>, BuildError> {
    let mut component = read(component)?;
    if !after {
        let name = b"strowger:nothing-after";
        component.extend([0, name.len() as u8 + 1, name.len() as u8]);
        component.extend(name);
    }
    Ok(component)
}

/// `wit/` with exports that own what they are given. The runtime of JavaScript gives back what is lent to it after the answer,
/// and the component model wants it before; the exchange gives or lends, as the component says.
fn owning_exports(wit: &str) -> String {
    let owning = |line: &str| match line.trim_start().starts_with("export ") {
        true => line.replace("borrow<snapshot>", "snapshot").replace("borrow<waiting>", "waiting"),
        false => line.to_owned(),
    };
    wit.lines().flat_map(|line| [owning(line), "\n".to_owned()]).collect()
}

/// componentize-py puts the script and the modules beside it into Python, with the state that it has once they are read.
fn python(project: &Path, work: &Path) -> Result<Vec<u8>, BuildError> {
    let manifest = project.join("pyproject.toml");
    let text = String::from_utf8_lossy(&read(&manifest)?).into_owned();
    let settings: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| BuildError::Project(manifest.clone(), error.to_string()))?;
    let settings = settings.get("tool").and_then(|tool| tool.get("strowger"));
    let word = |key: &str| settings.and_then(|s| s.get(key)).and_then(toml::Value::as_str);
    let kind = kind_named(word("kind"), &manifest)?;
    let module = word("main").unwrap_or("script");
    if !project.join(module).with_extension("py").is_file() {
        let what = format!("there is no {module}.py; write it, or name another as main of [tool.strowger]");
        return Err(BuildError::Project(manifest, what));
    }
    let world = match kind {
        Kind::Call => "call_world",
        Kind::Queue => "queue_world",
        Kind::Task => "task_world",
    };
    let entry = format!(
        "import {module}\nfrom strowger_script._script import {world}\n\nWitWorld = {world}({module})\n"
    );
    write(&work.join("strowger_entry.py"), &entry)?;
    let component = work.join("script.wasm");
    let mut py = tools::pinned("componentize-py")?;
    py.current_dir(work).args(["-q", "-d", "wit", "-w", kind.world(), "componentize", "strowger_entry"]);
    py.arg("-p").arg(work).arg("-p").arg(project).arg("-o").arg(&component);
    // Nothing of an environment around this one.
    py.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
    tools::run("componentize-py", &mut py)?;
    let after = kind != Kind::Call || mention("on_ended", own_modules(project)?)?;
    made(&component, after)
}

/// The modules that a script in Python can import, without the SDK.
fn own_modules(project: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut modules = files(project, &["strowger_script", "__pycache__"])?;
    modules.retain(|path| path.extension().is_some_and(|end| end == "py"));
    Ok(modules)
}

impl From<ToolError> for BuildError {
    fn from(error: ToolError) -> Self {
        Self::Tool(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_own_and_imports_borrow() {
        let wit = owning_exports(WIT);
        let exports: Vec<&str> = wit.lines().filter(|line| line.contains(" export ")).collect();
        assert!(exports.iter().any(|line| line.contains("now: snapshot, who: waiting")), "{exports:?}");
        assert!(!exports.iter().any(|line| line.contains("borrow<")), "{exports:?}");
        assert_eq!(wit.lines().count(), WIT.lines().count());
        assert!(wit_parser::Resolve::default().push_str("strowger.wit", &wit).is_ok());
    }

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_project_is_of_the_language_whose_file_it_has() {
        for (file, language) in [
            ("Cargo.toml", Language::Rust),
            ("package.json", Language::JavaScript),
            ("pyproject.toml", Language::Python),
            ("script.c", Language::C),
        ] {
            assert_eq!(Language::of(project(&[(file, "")]).path()), Some(language));
        }
        assert_eq!(Language::of(project(&[("notes.txt", "")]).path()), None);
    }

    #[test]
    fn what_decides_a_component_is_in_its_key() {
        let folder = project(&[("package.json", "{}"), ("script.js", "1")]);
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        let key = |language| key(language, folder.path()).unwrap();
        let first = key(Language::JavaScript);
        assert_ne!(first, key(Language::Python));
        std::fs::create_dir(path("target")).unwrap();
        std::fs::write(path("target/script.wasm"), "built").unwrap();
        assert_eq!(first, key(Language::JavaScript));
        std::fs::write(path("script.js"), "2").unwrap();
        let second = key(Language::JavaScript);
        assert_ne!(first, second);
        std::fs::write(path("more.js"), "").unwrap();
        assert_ne!(second, key(Language::JavaScript));
    }

    #[test]
    fn a_project_that_is_not_whole_is_told_what_is_missing() {
        let work = tempfile::tempdir().unwrap();
        let folder = project(&[("package.json", r#"{ "strowger": { "kind": "fax" } }"#)]);
        let said = javascript(folder.path(), work.path()).unwrap_err().to_string();
        assert!(
            said.ends_with("kind of strowger is \"fax\"; write \"call\", \"queue\" or \"task\""),
            "{said}"
        );
        let folder = project(&[("package.json", r#"{ "main": "src/main.ts" }"#)]);
        let said = javascript(folder.path(), work.path()).unwrap_err().to_string();
        assert!(said.contains("src/main.ts; write it, or name another as \"main\""), "{said}");
        let folder = project(&[("pyproject.toml", "[tool.strowger]\nmain = \"main\"\n")]);
        let said = python(folder.path(), work.path()).unwrap_err().to_string();
        assert!(said.contains("there is no main.py"), "{said}");
    }
}
