//! `script`: a new project, the component of it, the check that an upload makes, and the versions at
//! the exchange.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use ::script::{Sandboxes, Settings};
use clap::{Args, Subcommand, ValueEnum};
use guest_build::{Kind, Language, Sdk, Source};
use serde_json::{Value, json};

use super::api::{Api, escaped, rows, table};
use super::{Failed, Remote, trial};
use crate::simulation::scenario;

/// A version is printed up to here; as much is enough to name one.
const SHORT: usize = 12;

/// With the format of the file, since that is what one looks for.
static TEST_HELP: LazyLock<String> =
    LazyLock::new(|| format!("Example:\n  strowger script test mine\n\n{}", scenario::FORMAT));

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Write a project: a script of thirty lines with its test
    #[command(
        after_help = "Example:\n  strowger script new mine --lang js\n  strowger script new fair --kind queue"
    )]
    New {
        /// The script's name, and the folder's
        name: String,
        /// The language
        #[arg(long, value_enum, default_value = "rust")]
        lang: Lang,
        /// What it is for
        #[arg(long, value_enum, default_value = "call")]
        kind: ScriptKind,
    },
    /// Build the component of a project
    #[command(after_help = "Example:\n  strowger script build mine")]
    Build {
        /// The project's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Check a component as an upload would
    #[command(after_help = "Example:\n  strowger script check mine")]
    Check {
        /// A component, or a project's folder
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// Play the imaginary calls of calls.toml to a script, and show what is not as it must be
    #[command(after_help = TEST_HELP.as_str())]
    Test(trial::Trial),
    /// Load a component: the next call runs it
    #[command(after_help = "Example:\n  strowger script push --tenant demo mine")]
    Push(Push),
    /// List scripts and their versions
    #[command(after_help = "Example:\n  strowger script list --json")]
    List {
        #[command(flatten)]
        remote: Remote,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give new calls to a version that is loaded
    #[command(after_help = "Example:\n  strowger script activate mine 3f2a9c")]
    Activate {
        /// The script
        name: String,
        /// The version, or its beginning
        version: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Give new calls to the version that had them before
    #[command(after_help = "Example:\n  strowger script rollback mine")]
    Rollback {
        /// The script
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Print what a script logs
    #[command(after_help = "Example:\n  strowger script logs mine --follow")]
    Logs {
        /// The script
        name: String,
        /// Go on as lines come
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        remote: Remote,
        /// Print lines as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct Push {
    /// A component, or a project's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The script's name; the file's or folder's unless said
    #[arg(long)]
    name: Option<String>,
    /// Load it, but give it no calls yet
    #[arg(long)]
    no_activate: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Lang {
    Rust,
    /// JavaScript
    Js,
    /// TypeScript
    Ts,
    Python,
    C,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Js => Self::JavaScript,
            Lang::Ts => Self::TypeScript,
            Lang::Python => Self::Python,
            Lang::C => Self::C,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ScriptKind {
    /// Takes calls
    Call,
    /// Says who rings next in a queue
    Queue,
}

pub(super) fn run(verb: Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::New { name, lang, kind } => new(&name, lang.into(), kind)?,
        Verb::Build { folder } => build(&folder)?,
        Verb::Check { path } => check(&path)?,
        Verb::Test(wanted) => return trial::run(&wanted),
        Verb::Push(push) => push.run()?,
        Verb::List { remote, json } => list(&remote, json)?,
        Verb::Activate { name, version, remote } => {
            let api = Api::new(&remote)?;
            let path = format!("{}/scripts/{}", api.tenant()?, escaped(&name));
            let version = whole(&api.get(&path)?, &version)?;
            activate(&api, &path, &name, &version)?;
        }
        Verb::Rollback { name, remote } => {
            let api = Api::new(&remote)?;
            let path = format!("{}/scripts/{}", api.tenant()?, escaped(&name));
            let script = api.get(&path)?;
            let previous = script["previous"].as_str();
            let previous =
                previous.ok_or_else(|| Failed(format!("{name} has no earlier version to go back to")))?;
            activate(&api, &path, &name, previous)?;
        }
        Verb::Logs { name, follow, remote, json } => logs(&remote, &name, follow, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn new(name: &str, language: Language, kind: ScriptKind) -> Result<(), Failed> {
    let kind = match kind {
        ScriptKind::Call => Kind::Call,
        ScriptKind::Queue => Kind::Queue,
    };
    let sdk = sdk();
    let sdk = sdk.as_deref().map_or(Sdk::Version(env!("CARGO_PKG_VERSION")), Sdk::Path);
    let folder = guest_build::new_project(Path::new(""), name, language, kind, sdk)?;
    println!(
        "{} is there{}; then:\n  strowger script build {name}\n  strowger script push {name}",
        folder.display(),
        match language {
            Language::Rust => ". Its test runs with cargo test",
            Language::JavaScript => ". Its test runs with node --test",
            Language::Python => ". Its test runs with python3 -m unittest",
            Language::TypeScript | Language::C => "",
        }
    );
    Ok(())
}

/// The SDK's folder: what STROWGER_SDK names, else that of the repository around this binary or the working directory,
/// else that of the one that the binary was compiled in.
fn sdk() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("STROWGER_SDK") {
        return Some(named.into());
    }
    let around = [std::env::current_exe(), std::env::current_dir()].into_iter().flatten();
    let repositories = around.flat_map(|place| place.ancestors().map(Path::to_owned).collect::<Vec<_>>());
    let compiled_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sdks = repositories.chain([compiled_in]).map(|repository| repository.join("guest-sdk/rust"));
    sdks.find(|sdk| sdk.join("Cargo.toml").is_file())?.canonicalize().ok()
}

fn build(folder: &Path) -> Result<(), Failed> {
    let folder = folder.canonicalize().map_err(|why| Failed(format!("{}: {why}", folder.display())))?;
    for built in guest_build::build(Source::Project(&folder), &folder.join("target"), &cache())? {
        println!("{} ({} bytes)", built.file.display(), built.size);
    }
    Ok(())
}

/// Where the standard library for scripts is kept once it was built, and cargo works.
fn cache() -> PathBuf {
    let below =
        |variable: &str, rest: &str| std::env::var_os(variable).map(|value| PathBuf::from(value).join(rest));
    below("CARGO_TARGET_DIR", "guests")
        .or_else(|| below("XDG_CACHE_HOME", "strowger/guests"))
        .or_else(|| below("HOME", ".cache/strowger/guests"))
        .unwrap_or_else(|| std::env::temp_dir().join("strowger-guests"))
}

/// A component, and the name of its script.
pub(super) fn component(path: &Path) -> Result<(String, Vec<u8>), Failed> {
    let whole = path
        .canonicalize()
        .map_err(|why| Failed(format!("{}: {why}; name a component or a project", path.display())))?;
    let name = whole.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let file = if whole.is_dir() { whole.join("target").join(&name).with_extension("wasm") } else { whole };
    let bytes = std::fs::read(&file)
        .map_err(|why| Failed(format!("{}: {why}; build it with strowger script build", file.display())))?;
    Ok((name, bytes))
}

/// Sandboxes enough for one script at a time, in any language.
pub(super) fn sandboxes() -> Result<Sandboxes, Failed> {
    let memory = ::script::limits::MEMORY_PYTHON;
    let settings =
        Settings { sandboxes: 4, per_tenant: 4, memory, component: 64 << 20, ..Settings::default() };
    Ok(Sandboxes::new(settings)?)
}

fn check(path: &Path) -> Result<(), Failed> {
    let (name, bytes) = component(path)?;
    let component = sandboxes()?.compile(&bytes)?;
    println!("{name} is right: {} bytes, version {}", component.size(), component.hash());
    for import in component.imports() {
        println!("  imports {import}");
    }
    for export in component.exports() {
        println!("  exports {export}");
    }
    Ok(())
}

impl Push {
    fn run(self) -> Result<(), Failed> {
        let (found, bytes) = component(&self.path)?;
        let name = self.name.unwrap_or(found);
        let api = Api::new(&self.remote)?;
        let query = if self.no_activate { "?activate=false" } else { "" };
        let loaded = api.put(&format!("{}/scripts/{}{query}", api.tenant()?, escaped(&name)), bytes)?;
        let takes = if loaded["active"] == true {
            "takes the next call"
        } else {
            "is loaded, and takes no calls yet"
        };
        println!("{name} {} {takes}", loaded["version"].as_str().unwrap_or_default());
        Ok(())
    }
}

fn list(remote: &Remote, as_json: bool) -> Result<(), Failed> {
    let api = Api::new(remote)?;
    let answer = api.get(&format!("{}/scripts", api.tenant()?))?;
    if as_json {
        println!("{answer:#}");
        return Ok(());
    }
    let mut cells = Vec::new();
    for script in rows(&answer) {
        for version in script["versions"].as_array().into_iter().flatten() {
            let text = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
            cells.push(vec![
                script["name"].as_str().unwrap_or_default().to_owned(),
                text("version").chars().take(SHORT).collect(),
                if version["active"] == true { "yes" } else { "" }.to_owned(),
                text("uploaded"),
                version["calls"].to_string(),
                version["failures"].to_string(),
            ]);
        }
    }
    print!("{}", table(&["SCRIPT", "VERSION", "ACTIVE", "LOADED", "CALLS", "FAILURES"], &cells));
    Ok(())
}

fn activate(api: &Api, path: &str, name: &str, version: &str) -> Result<(), Failed> {
    api.post(&format!("{path}/activate"), &json!({ "version": version }))?;
    println!("{name} {version} takes the next call");
    Ok(())
}

/// The whole of a version that was written shortened.
fn whole(script: &Value, short: &str) -> Result<String, Failed> {
    let versions = script["versions"].as_array().into_iter().flatten();
    let fitting: Vec<_> =
        versions.filter_map(|v| v["version"].as_str()).filter(|version| version.starts_with(short)).collect();
    match fitting[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(Failed(format!("there is no version {short}; strowger script list shows them"))),
        _ => Err(Failed(format!("{} versions begin with {short}; write more of it", fitting.len()))),
    }
}

fn logs(remote: &Remote, name: &str, follow: bool, as_json: bool) -> Result<(), Failed> {
    let api = Api::new(remote)?;
    let path = format!("{}/scripts/{}/logs", api.tenant()?, escaped(name));
    let print = |line: &Value| {
        if as_json {
            println!("{line}");
        } else {
            let data = &line["data"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            println!(
                "{} {} {} {}",
                text(&line["at"]),
                text(&data["call"]),
                text(&data["level"]),
                text(&data["message"])
            );
        }
    };
    for line in rows(&api.get(&path)?) {
        print(line);
    }
    if follow {
        for line in BufReader::new(api.follow(&path)?).lines() {
            if let Some(data) = line?.strip_prefix("data: ") {
                print(&serde_json::from_str(data)?);
            }
        }
    }
    Ok(())
}
