//! `script`: a new project, the component of it, the check that an upload makes, and its log. The versions at the
//! exchange are in `versions`, the work at every save in `dev`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use ::script::{Sandboxes, Settings};
use clap::{Subcommand, ValueEnum};
use guest_build::{Kind, Language, Sdk, Source};
use serde_json::Value;

use super::api::{Api, escaped, rows};
use super::{Failed, Remote, dev, trial, versions};
use crate::flow;
use crate::simulation::scenario;

/// With the format of the file, since that is what one looks for.
static TEST_HELP: LazyLock<String> =
    LazyLock::new(|| format!("Example:\n  strowger script test mine\n\n{}", scenario::FORMAT));

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Write a project: a script of thirty lines with its test
    #[command(
        after_help = "Example:\n  strowger script new mine --lang js\n  strowger script new fair --kind queue\n  strowger script new promises --kind task"
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
    /// Run a script's own tests, play it the imaginary calls of calls.toml, and show what is not as it must be
    #[command(after_help = TEST_HELP.as_str())]
    Test(trial::Trial),
    /// Load a component: the next call runs it
    #[command(after_help = "Example:\n  strowger script push --tenant demo mine")]
    Push(versions::Push),
    /// List scripts and their versions
    #[command(after_help = "Example:\n  strowger script list --json")]
    List {
        #[command(flatten)]
        remote: Remote,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a script: its versions, who loaded them, how their calls fare
    #[command(after_help = "Example:\n  strowger script show mine")]
    Show(versions::Show),
    /// Give new calls to a version that is loaded, or a share of them
    #[command(
        after_help = "Example:\n  strowger script activate mine 8\n  strowger script activate mine 8 --canary 5%"
    )]
    Activate(versions::Activate),
    /// Give the canary all calls
    #[command(after_help = "Example:\n  strowger script promote mine")]
    Promote(versions::Named),
    /// End the canary, or give new calls to the version that had them before
    #[command(after_help = "Example:\n  strowger script rollback mine")]
    Rollback(versions::Named),
    /// Have calls that are up go on with another version, those that would have come to where they are on it
    #[command(after_help = "Example:\n  strowger script move mine")]
    Move(versions::Move),
    /// Run a version beside the active one, and show where it does something else
    #[command(
        after_help = "Example:\n  strowger script shadow mine 8\n  strowger script shadow mine\n  strowger script shadow mine --off"
    )]
    Shadow(versions::Shadow),
    /// Download the component of a version
    #[command(after_help = "Example:\n  strowger script pull mine 7 --out mine-7.wasm")]
    Pull(versions::Pull),
    /// Build, check, try and load a project at every save, and print its calls as they come
    #[command(after_help = "Example:\n  strowger script dev mine")]
    Dev(dev::Dev),
    /// Print what a script logs
    #[command(
        after_help = "Example:\n  strowger script logs mine --follow\n  strowger script logs mine --calls"
    )]
    Logs {
        /// The script
        name: String,
        /// Go on as lines come
        #[arg(long, short)]
        follow: bool,
        /// Print what its calls do as they do it, import by import
        #[arg(long, conflicts_with = "json")]
        calls: bool,
        #[command(flatten)]
        remote: Remote,
        /// Print lines as JSON
        #[arg(long)]
        json: bool,
    },
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
    /// Hears of each change of a call back
    Task,
}

pub(super) fn run(verb: Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::New { name, lang, kind } => new(&name, lang.into(), kind)?,
        Verb::Build { folder } => build(&folder)?,
        Verb::Check { path } => check(&path)?,
        Verb::Test(wanted) => return trial::run(&wanted),
        Verb::Push(push) => push.run()?,
        Verb::List { remote, json } => versions::list(&remote, json)?,
        Verb::Show(wanted) => wanted.run()?,
        Verb::Activate(wanted) => wanted.run()?,
        Verb::Promote(named) => named.promote()?,
        Verb::Rollback(named) => named.roll_back()?,
        Verb::Move(wanted) => wanted.run()?,
        Verb::Shadow(wanted) => return wanted.run(),
        Verb::Pull(wanted) => wanted.run()?,
        Verb::Dev(wanted) => return wanted.run(),
        Verb::Logs { name, calls: true, remote, .. } => dev::print_calls(&remote, &name)?,
        Verb::Logs { name, follow, remote, json, .. } => logs(&remote, &name, follow, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn new(name: &str, language: Language, kind: ScriptKind) -> Result<(), Failed> {
    let kind = match kind {
        ScriptKind::Call => Kind::Call,
        ScriptKind::Queue => Kind::Queue,
        ScriptKind::Task => Kind::Task,
    };
    let sdk = sdk();
    let sdk = sdk.as_deref().map_or(Sdk::Version(env!("CARGO_PKG_VERSION")), Sdk::Path);
    let folder = guest_build::new_project(Path::new(""), name, language, kind, sdk)?;
    println!(
        "{} is there; then:\n  strowger script build {name}\n  strowger script test {name}\n  strowger script push {name}",
        folder.display(),
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

pub(super) fn build(folder: &Path) -> Result<(), Failed> {
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

/// A component, and the name of its script; a flow's file is as good as the component that does what it says.
pub(super) fn component(path: &Path) -> Result<(String, Vec<u8>), Failed> {
    let whole = path
        .canonicalize()
        .map_err(|why| Failed(format!("{}: {why}; name a component or a project", path.display())))?;
    let name = whole.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if flow::is_one(&whole) {
        return Ok((name, super::flow::component(path)?));
    }
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
