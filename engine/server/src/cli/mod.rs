//! The command line. Exit status 0 done, 1 it failed (one line says why and what to do), 2 usage;
//! `--json` on everything that prints a list.

mod api;
mod contacts;
mod control;
mod dev;
mod export;
mod flow;
mod ladder;
mod lists;
mod outbox;
mod queues;
mod recordings;
mod replay;
mod script;
mod serve;
mod simulate;
mod tasks;
mod trial;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use store::Unsealed;

use crate::config;
use crate::node::{Node, StartError};
use crate::shards::Shards;

/// Starts the shards over an open node; `unsealed` are the tapes of calls that were up when the
/// process ended last.
pub type StartShards = fn(&Arc<Node>, Vec<Unsealed>) -> Result<Arc<dyn Shards>, StartError>;

/// A telephone exchange in which every routing decision is a WebAssembly component of the tenant.
#[derive(Parser)]
#[command(
    name = "strowger",
    version,
    after_help = "Example:\n  strowger serve\nruns the demo world and says how to call it."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the exchange; without a configuration: the demo world
    #[command(after_help = "Example:\n  strowger serve --config /etc/strowger.toml --data /var/lib/strowger")]
    Serve(serve::Serve),
    /// Tell every mistake in a configuration, with file, line and what to write
    #[command(after_help = "Example:\n  strowger check --config strowger.toml")]
    Check {
        /// The file, or the folder with one file per tenant
        #[arg(long, default_value = "strowger.toml")]
        config: PathBuf,
    },
    /// Write, build, check and load scripts
    #[command(
        after_help = "Example:\n  strowger script new mine && strowger script build mine && strowger script push mine"
    )]
    Script {
        #[command(subcommand)]
        verb: script::Verb,
    },
    /// Write, check, try and load call flows: what happens in a call, in one file, without programming
    #[command(
        after_help = "Example:\n  strowger flow new sales && strowger flow check sales.toml && strowger flow push sales.toml"
    )]
    Flow {
        #[command(subcommand)]
        verb: flow::Verb,
    },
    /// Simulate one call and print it as a timeline
    #[command(
        after_help = "Example:\n  strowger call --from +359888123456 --to 700 --at '2026-11-27 23:58' --keys 1,2 mine/target/mine.wasm"
    )]
    Call(simulate::Call),
    /// Run recorded calls against another version: same, or where it parts
    #[command(
        after_help = "Example:\n  strowger replay 01KAG2M7V8Q4ZJ6T9X5B3N1C0D --script mine/target/mine.wasm\n  strowger replay --since '2026-11-27 09:00' --script mine"
    )]
    Replay(replay::Replay),
    /// Begin a call: ring one side, and connect it with the other when it answers
    #[command(after_help = "Example:\n  strowger originate --from ana --to +359888123456")]
    Originate(control::Originate),
    /// Let a supervisor hear a call
    #[command(after_help = "Example:\n  strowger listen 01KAG2M7V8Q4ZJ6T9X5B3N1C0D --user vera")]
    Listen(control::Supervise),
    /// Let a supervisor hear a call and be heard by the agent alone
    #[command(after_help = "Example:\n  strowger whisper 01KAG2M7V8Q4ZJ6T9X5B3N1C0D --user vera")]
    Whisper(control::Supervise),
    /// Let a supervisor join a call: all hear all
    #[command(after_help = "Example:\n  strowger barge 01KAG2M7V8Q4ZJ6T9X5B3N1C0D --user vera")]
    Barge(control::Supervise),
    /// Look at signalling
    #[command(after_help = "Example:\n  strowger sip ladder 01KAG2M7V8Q4ZJ6T9X5B3N1C0D")]
    Sip {
        #[command(subcommand)]
        verb: Sip,
    },
    /// List tenants
    #[command(after_help = "Example:\n  strowger tenant --json")]
    Tenant(lists::List),
    /// List numbers and the scripts that take their calls
    #[command(after_help = "Example:\n  strowger number --tenant acme")]
    Number(lists::List),
    /// List users, what they are doing and where they are registered
    #[command(after_help = "Example:\n  strowger user --tenant acme")]
    User(lists::List),
    /// List queues, or show one: who waits, who serves
    #[command(after_help = "Example:\n  strowger queue show sales --tenant acme")]
    Queue(queues::Queue),
    /// List agents, show one, pause them, sign them in and out
    #[command(after_help = "Example:\n  strowger agent pause ana --reason lunch --tenant acme")]
    Agent(queues::Agent),
    /// Write the register to a file, for a spreadsheet or a data tool: a row a call
    #[command(
        after_help = "Example:\n  strowger export november.csv --from 2026-11-01T00:00:00+02:00\n  strowger export orders.parquet --category order"
    )]
    Export(export::Export),
    /// Contacts of the tenant's own CRM: list, show, put, forget, read in from a table
    #[command(
        alias = "contacts",
        after_help = "Example:\n  strowger contact import contacts.csv --tenant acme"
    )]
    Contact {
        #[command(subcommand)]
        verb: contacts::Verb,
    },
    /// What is left to do for callers: list it, end it, give it to another one, call back
    #[command(alias = "tasks", after_help = "Example:\n  strowger task list --responsible ana")]
    Task {
        #[command(subcommand)]
        verb: tasks::Verb,
    },
    /// List callers whom nobody answered and nobody called back yet
    #[command(after_help = "Example:\n  strowger missed --late\n\nTo call one back: strowger task call TASK")]
    Missed(tasks::Missed),
    /// Recordings: list them, share one by a link, pause one that is made
    #[command(
        after_help = "Example:\n  strowger recording list --number 123456\n  strowger recording share 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1 --days 2"
    )]
    Recording {
        #[command(subcommand)]
        verb: recordings::Verb,
    },
    /// List mailboxes, or the messages in one
    #[command(after_help = "Example:\n  strowger mailbox ana --tenant acme")]
    Mailbox(recordings::Mailbox),
    /// Notices on their way: list them, try a dead one again, give one up
    #[command(after_help = "Example:\n  strowger outbox list --state dead --tenant acme")]
    Outbox {
        #[command(subcommand)]
        verb: outbox::Verb,
    },
    /// Compiles a component for the exchange that started it
    #[command(hide = true)]
    CompileComponent { arguments: Vec<String> },
    /// List trunks and how they are
    #[command(after_help = "Example:\n  strowger trunk --tenant acme")]
    Trunk(lists::List),
    /// List addresses that are not heard because they tried passwords or looked for names
    #[command(after_help = "Example:\n  strowger ban\n\nTo hear one again: DELETE /v1/bans/ADDRESS")]
    Ban(lists::List),
}

#[derive(Subcommand)]
enum Sip {
    /// One call as a ladder: SIP, script and sound on one time axis
    #[command(after_help = "Example:\n  strowger sip ladder 01KAG2M7V8Q4ZJ6T9X5B3N1C0D")]
    Ladder(ladder::Ladder),
}

/// Where the exchange is, and as whom to ask.
#[derive(Args, Clone)]
struct Remote {
    /// The exchange's HTTP API
    #[arg(long, env = "STROWGER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A bearer token; the demo's own is found in its data folder
    #[arg(long, env = "STROWGER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The tenant; not needed where there is only one
    #[arg(long, env = "STROWGER_TENANT")]
    tenant: Option<String>,
}

/// Why a verb failed: one line that says what to do.
#[derive(Debug)]
struct Failed(String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(why: E) -> Self {
        Self(why.to_string())
    }
}

/// Runs the command line of this process.
pub fn main(start: StartShards) -> ExitCode {
    // Usage mistakes end the process here, with status 2 and what is wrong.
    let cli = Cli::parse();
    match run(cli.verb, start) {
        Ok(status) => status,
        Err(Failed(why)) => {
            eprintln!("strowger: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb, start: StartShards) -> Result<ExitCode, Failed> {
    match verb {
        Verb::Serve(serve) => serve::run(serve, start),
        Verb::Check { config } => check(&config),
        Verb::Script { verb } => script::run(verb),
        Verb::Flow { verb } => flow::run(verb),
        Verb::Call(call) => simulate::run(&call),
        Verb::Replay(replay) => replay::run(&replay),
        Verb::Originate(wanted) => control::originate(&wanted),
        Verb::Listen(wanted) => control::supervise(&wanted, "listen"),
        Verb::Whisper(wanted) => control::supervise(&wanted, "whisper"),
        Verb::Barge(wanted) => control::supervise(&wanted, "barge"),
        Verb::Sip { verb: Sip::Ladder(ladder) } => ladder::run(&ladder),
        Verb::Tenant(list) => lists::run(&list, lists::Of::Tenants),
        Verb::Number(list) => lists::run(&list, lists::Of::Numbers),
        Verb::User(list) => lists::run(&list, lists::Of::Users),
        Verb::Queue(wanted) => queues::queue(&wanted),
        Verb::Agent(wanted) => queues::agent(&wanted),
        Verb::Export(wanted) => export::run(&wanted),
        Verb::Contact { verb } => contacts::run(&verb),
        Verb::Task { verb } => tasks::run(&verb),
        Verb::Missed(wanted) => tasks::missed(&wanted),
        Verb::Recording { verb } => recordings::run(&verb),
        Verb::Mailbox(wanted) => recordings::mailbox(&wanted),
        Verb::Outbox { verb } => outbox::run(&verb),
        Verb::Trunk(list) => lists::run(&list, lists::Of::Trunks),
        Verb::Ban(list) => lists::run(&list, lists::Of::Bans),
        Verb::CompileComponent { arguments } => Ok(::script::compile_for_parent(&arguments)),
    }
}

fn check(file: &std::path::Path) -> Result<ExitCode, Failed> {
    let world = config::load(file)?;
    let count = |of: fn(&config::Tenant) -> usize| world.tenants.iter().map(|t| of(t)).sum::<usize>();
    println!(
        "{} is right: {} tenants, {} users, {} numbers, {} queues, {} trunks",
        file.display(),
        world.tenants.len(),
        count(|t| t.users.len()),
        count(|t| t.numbers.len()),
        count(|t| t.queues.len()),
        count(|t| t.trunks.len()),
    );
    for tenant in &world.tenants {
        for trunk in tenant.trunks.iter().filter(|trunk| trunk.register.is_some()) {
            println!(
                "note: trunk {} of {}: \"register\" is kept, but no REGISTER is sent yet",
                trunk.name, tenant.name
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
