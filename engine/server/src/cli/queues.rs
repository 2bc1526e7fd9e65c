//! `queue` and `agent`: who waits, who serves, and changing what agents do, from a shell.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, escaped, table};
use super::lists::{self, List, Of, cell};
use super::{Failed, Remote};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Queue {
    #[command(subcommand)]
    verb: Option<QueueVerb>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum QueueVerb {
    /// List queues: how many wait, and for how long
    List(List),
    /// Show who waits in a queue, what its agents are doing, and today's figures
    #[command(after_help = "Example:\n  strowger queue show sales --tenant acme")]
    Show(Named),
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Agent {
    #[command(subcommand)]
    verb: Option<AgentVerb>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum AgentVerb {
    /// List agents and what they are doing
    List(List),
    /// Show one agent
    #[command(after_help = "Example:\n  strowger agent show ana")]
    Show(Named),
    /// Ring this agent no more
    #[command(after_help = "Example:\n  strowger agent pause ana --reason lunch")]
    Pause {
        #[command(flatten)]
        agent: OnlyNamed,
        /// Why, at most 64 bytes
        #[arg(long)]
        reason: Option<String>,
    },
    /// Ring this agent again
    #[command(after_help = "Example:\n  strowger agent available ana")]
    Available(OnlyNamed),
    /// Let an agent serve a queue
    #[command(after_help = "Example:\n  strowger agent sign-in ana sales")]
    SignIn(Membership),
    /// Let an agent serve a queue no longer
    #[command(after_help = "Example:\n  strowger agent sign-out ana sales")]
    SignOut(Membership),
}

#[derive(Args)]
struct Named {
    #[command(flatten)]
    remote: Remote,
    /// The name
    name: String,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct OnlyNamed {
    #[command(flatten)]
    remote: Remote,
    /// The user, by name or extension
    name: String,
}

#[derive(Args)]
struct Membership {
    #[command(flatten)]
    agent: OnlyNamed,
    /// The queue
    queue: String,
}

pub(super) fn queue(wanted: &Queue) -> Result<ExitCode, Failed> {
    match &wanted.verb {
        None => lists::run(&wanted.list, Of::Queues),
        Some(QueueVerb::List(list)) => lists::run(list, Of::Queues),
        Some(QueueVerb::Show(named)) => show(named, "queues", print_queue),
    }
}

pub(super) fn agent(wanted: &Agent) -> Result<ExitCode, Failed> {
    match &wanted.verb {
        None => lists::run(&wanted.list, Of::Agents),
        Some(AgentVerb::List(list)) => lists::run(list, Of::Agents),
        Some(AgentVerb::Show(named)) => show(named, "agents", print_agent),
        Some(AgentVerb::Pause { agent, reason }) => {
            set_state(agent, &json!({ "state": "paused", "reason": reason }))
        }
        Some(AgentVerb::Available(agent)) => set_state(agent, &json!({ "state": "available" })),
        Some(AgentVerb::SignIn(membership)) => membership.change(reqwest::Method::PUT),
        Some(AgentVerb::SignOut(membership)) => membership.change(reqwest::Method::DELETE),
    }
}

fn show(named: &Named, kind: &str, print: fn(&Value)) -> Result<ExitCode, Failed> {
    let api = Api::new(&named.remote)?;
    let answer = api.get(&format!("{}/{kind}/{}", api.tenant()?, escaped(&named.name)))?;
    if named.json {
        println!("{answer:#}")
    } else {
        print(&answer)
    }
    Ok(ExitCode::SUCCESS)
}

fn set_state(agent: &OnlyNamed, state: &Value) -> Result<ExitCode, Failed> {
    let api = Api::new(&agent.remote)?;
    let path = format!("{}/agents/{}/state", api.tenant()?, escaped(&agent.name));
    api.change(reqwest::Method::PUT, &path, Some(state))?;
    Ok(ExitCode::SUCCESS)
}

impl Membership {
    fn change(&self, method: reqwest::Method) -> Result<ExitCode, Failed> {
        let api = Api::new(&self.agent.remote)?;
        let (queue, agent) = (escaped(&self.queue), escaped(&self.agent.name));
        api.change(method, &format!("{}/queues/{queue}/agents/{agent}", api.tenant()?), None)?;
        Ok(ExitCode::SUCCESS)
    }
}

const MEMBERS: [(&str, &str); 6] = [
    ("AGENT", "name"),
    ("STATE", "state"),
    ("REASON", "reason"),
    ("SINCE", "since"),
    ("LEVEL", "level"),
    ("WEIGHT", "weight"),
];

fn print_queue(queue: &Value) {
    match queue["configured"].as_bool() {
        Some(false) => {
            let promised = queue["waiting"].as_array().map_or(0, Vec::len);
            println!("{} is not configured; call backs promised: {promised}", cell(&queue["name"]));
        }
        _ => println!("{} by {}", cell(&queue["name"]), cell(&queue["strategy"])),
    }
    let waiting = [
        ("PLACE", "position"),
        ("NUMBER", "number"),
        ("WAITED", "waited"),
        ("EXPECTED", "expected"),
        ("PRIORITY", "priority"),
        ("RINGING", "offered"),
        ("CALL BACK", "call_back"),
        ("CALL", "call"),
    ];
    print_rows(&queue["waiting"], &waiting);
    print_rows(&queue["agents"], &MEMBERS);
    for (name, value) in queue["today"].as_object().into_iter().flatten() {
        println!("{:<16} {}", name.replace('_', " "), cell(value));
    }
}

fn print_agent(agent: &Value) {
    for (name, value) in agent.as_object().into_iter().flatten() {
        println!("{:<16} {}", name.replace('_', " "), cell(value));
    }
}

fn print_rows(rows: &Value, columns: &[(&str, &str)]) {
    let row = |row: &Value| columns.iter().map(|(_, member)| cell(&row[*member])).collect::<Vec<_>>();
    let rows: Vec<_> = rows.as_array().into_iter().flatten().map(row).collect();
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    println!("{}", table(&headings, &rows));
}
