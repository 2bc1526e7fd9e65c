//! `flow`: a call flow's file, from its first lines to the exchange. Its versions there are a script's.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::api::{Api, escaped};
use super::{Failed, Remote, trial, versions};
use crate::config::{self, is_name};
use crate::flow::{self, Flow};
use crate::shipped::{self, Names};

/// A flow that works, with what one needs to go on from there.
const TEMPLATE: &str = include_str!("../flow/template.toml");
/// Calls to it.
const CALLS: &str = include_str!("../flow/template.calls.toml");

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Write a flow to start from, and calls to try it with
    #[command(after_help = "Example:\n  strowger flow new sales")]
    New {
        /// The flow's name, and the file's
        name: String,
    },
    /// Tell every mistake in a flow, with line, column and what to write
    #[command(
        after_help = "Example:\n  strowger flow check sales.toml\n  strowger flow check sales.toml --config strowger.toml --tenant acme"
    )]
    Check {
        /// The flow: TOML or JSON
        file: PathBuf,
        /// The configuration that its queues, users and calendars are in; else they are checked when it is pushed
        #[arg(long)]
        config: Option<PathBuf>,
        /// The tenant; not needed where there is only one
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Play the imaginary calls of NAME.calls.toml to a flow, and show what is not as it must be
    #[command(after_help = "Example:\n  strowger flow test sales.toml")]
    Test {
        /// The flow
        file: PathBuf,
        /// Only calls in whose name this stands
        #[arg(long)]
        only: Option<String>,
        /// Print the timeline of every call
        #[arg(long, short)]
        verbose: bool,
    },
    /// Load a flow: the next call to its numbers goes by it. Versions, canaries and going back are a script's
    #[command(
        after_help = "Example:\n  strowger flow push sales.toml\n  strowger flow push sales.toml --canary 5%\n  strowger script rollback sales"
    )]
    Push(versions::Push),
    /// Download a version of a flow as it was written
    #[command(after_help = "Example:\n  strowger flow pull sales 7 --out sales-7.toml")]
    Pull {
        /// The flow
        name: String,
        /// The version's number, label or hash, or the beginning of that
        version: String,
        /// The file to write; printed unless said
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Print the JSON Schema of flows, for editors that complete by it
    #[command(after_help = "Example:\n  strowger flow schema > flow.schema.json")]
    Schema,
}

pub(super) fn run(verb: Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::New { name } => new(&name)?,
        Verb::Check { file, config, tenant } => check(&file, config.as_deref(), tenant.as_deref())?,
        Verb::Test { file, only, verbose } => {
            return trial::run(&trial::Trial::of_flow(&file, only, verbose));
        }
        Verb::Push(push) => push.run()?,
        Verb::Pull { name, version, out, remote } => pull(&name, &version, out.as_deref(), &remote)?,
        Verb::Schema => print!("{}", shipped::find(flow::SCRIPT).map_or("", |shipped| shipped.schema)),
    }
    Ok(ExitCode::SUCCESS)
}

fn new(name: &str) -> Result<(), Failed> {
    if !is_name(name) {
        return Err(Failed(format!(
            "\"{name}\" is no name; write 1 to 63 of a-z, 0-9, \"-\", \"_\" and \".\""
        )));
    }
    let (flow, calls) = (format!("{name}.toml"), format!("{name}.calls.toml"));
    for file in [&flow, &calls] {
        if Path::new(file).exists() {
            return Err(Failed(format!("{file} is there already; write another name")));
        }
    }
    std::fs::write(&flow, TEMPLATE.replace("@NAME@", name))?;
    std::fs::write(&calls, CALLS.replace("@NAME@", name))?;
    println!(
        "{flow} is there, and calls to it in {calls}; then:\n  strowger flow test {flow}\n  strowger flow push {flow}"
    );
    Ok(())
}

fn check(file: &Path, config: Option<&Path>, tenant: Option<&str>) -> Result<(), Failed> {
    let flow = match config {
        None => read(file, &Names::default())?.0,
        Some(config) => {
            let world = config::load(config)?;
            let tenants = world.tenants.iter().filter(|known| tenant.is_none_or(|name| *known.name == *name));
            let mut tenants = tenants.collect::<Vec<_>>().into_iter();
            let (Some(tenant), None) = (tenants.next(), tenants.next()) else {
                let names: Vec<_> = world.tenants.iter().map(|tenant| &*tenant.name).collect();
                return Err(Failed(format!("say which tenant: --tenant {}", names.join(" | "))));
            };
            // What was pushed is not in the configuration; what is there says nothing of other scripts.
            read(file, &Names { scripts: None, ..Names::of(tenant, &[]) })?.0
        }
    };
    println!("{} is right", file.display());
    if !flow.recordings.is_empty() {
        let names: Vec<_> = flow.recordings.iter().map(|(name, _)| name.as_str()).collect();
        println!("it plays the recordings {}", names.join(", "));
    }
    Ok(())
}

fn pull(name: &str, version: &str, out: Option<&Path>, remote: &Remote) -> Result<(), Failed> {
    let api = Api::new(remote)?;
    let path = format!("{}/scripts/{}/versions/{}/flow", api.tenant()?, escaped(name), escaped(version));
    let text = api.get_bytes(&path, "text/plain")?;
    match out {
        Some(file) => {
            std::fs::write(file, &text).map_err(|why| Failed(format!("{}: {why}", file.display())))?
        }
        None => print!("{}", String::from_utf8_lossy(&text)),
    }
    Ok(())
}

/// The name, the media type and the text of a flow's file; none when it is something else.
pub(super) fn text(file: &Path) -> Result<Option<(String, &'static str, String)>, Failed> {
    if !flow::is_one(file) {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file).map_err(|why| Failed(format!("{}: {why}", file.display())))?;
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    Ok(Some((name, if is_json { "application/json" } else { "application/toml" }, text)))
}

/// The component that does what a flow's file says.
pub(super) fn component(file: &Path) -> Result<Vec<u8>, Failed> {
    let (flow, text) = read(file, &Names::default())?;
    Ok(flow::component(&flow, &text))
}

fn read(file: &Path, names: &Names<'_>) -> Result<(Flow, String), Failed> {
    let (_, _, text) = text(file)?
        .ok_or_else(|| Failed(format!("{} is no flow; write it in a .toml or .json file", file.display())))?;
    let flow = flow::read(&text, names).map_err(|mistakes| {
        let told: Vec<_> = mistakes.iter().map(|mistake| format!("{}:{mistake}", file.display())).collect();
        Failed(told.join("\n"))
    })?;
    Ok((flow, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flow_to_start_from_is_right_and_does_what_its_calls_say() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("sales.toml");
        std::fs::write(&file, TEMPLATE.replace("@NAME@", "sales")).expect("a file");
        let calls = folder.path().join("sales.calls.toml");
        std::fs::write(&calls, CALLS.replace("@NAME@", "sales")).expect("a file");
        let sandboxes = super::super::script::sandboxes().expect("sandboxes for a test");
        let tried = trial::try_file(&sandboxes, &calls, None).unwrap_or_else(|Failed(why)| panic!("{why}"));
        assert!(
            tried.len() >= 4 && tried.iter().all(trial::Tried::passed),
            "strowger flow test shows what differs"
        );
    }
}
