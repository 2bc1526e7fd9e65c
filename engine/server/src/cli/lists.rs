//! `tenant`, `number`, `user`, `queue`, `agent`, `trunk` and `ban`: what the API lists, as columns or as JSON.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::api::{Api, rows, table};
use super::{Failed, Remote};

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// What is listed.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Tenants,
    Numbers,
    Users,
    Queues,
    Agents,
    Trunks,
    Bans,
}

impl Of {
    fn path(self) -> &'static str {
        match self {
            Of::Tenants => "/v1/tenants",
            Of::Numbers => "/numbers",
            Of::Users => "/users",
            Of::Queues => "/queues",
            Of::Agents => "/agents",
            Of::Trunks => "/trunks",
            Of::Bans => "/v1/bans",
        }
    }

    /// Headings, and the member that each shows.
    fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Of::Tenants => {
                &[("TENANT", "name"), ("DOMAINS", "domains"), ("ZONE", "timezone"), ("USERS", "users")]
            }
            Of::Numbers => &[("NUMBER", "number"), ("SCRIPT", "script"), ("FALLBACK", "fallback")],
            Of::Users => {
                &[("USER", "name"), ("NUMBER", "number"), ("PRESENCE", "presence"), ("DEVICES", "contacts")]
            }
            Of::Queues => &[
                ("QUEUE", "name"),
                ("CONFIGURED", "configured"),
                ("STRATEGY", "strategy"),
                ("WAITING", "waiting"),
                ("LONGEST", "longest"),
                ("AGENTS", "agents"),
                ("AVAILABLE", "available"),
            ],
            Of::Agents => &[
                ("AGENT", "name"),
                ("STATE", "state"),
                ("REASON", "reason"),
                ("SINCE", "since"),
                ("QUEUES", "queues"),
                ("OFFERED", "offered"),
                ("ANSWERED", "answered"),
                ("MISSED", "missed_in_a_row"),
                ("TALKED", "talked"),
            ],
            Of::Trunks => &[
                ("TRUNK", "name"),
                ("ADDRESS", "address"),
                ("IN SERVICE", "in_service"),
                ("BREAKER", "breaker"),
                ("WHY", "reason"),
                ("REGISTERED", "registered"),
                ("WHY NOT", "not_registered"),
                ("IN USE", "channels_in_use"),
                ("CHANNELS", "channels"),
            ],
            Of::Bans => &[("ADDRESS", "address"), ("SECONDS LEFT", "seconds_left")],
        }
    }
}

pub(super) fn run(list: &List, of: Of) -> Result<ExitCode, Failed> {
    let api = Api::new(&list.remote)?;
    let base = if matches!(of, Of::Tenants | Of::Bans) { String::new() } else { api.tenant()? };
    let answer = api.get(&format!("{base}{}", of.path()))?;
    if list.json {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let columns = of.columns();
    let row = |row: &Value| columns.iter().map(|(_, member)| cell(&row[*member])).collect::<Vec<_>>();
    let cells: Vec<_> = rows(&answer).iter().map(row).collect();
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    print!("{}", table(&headings, &cells));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(device) => device.get("uri").map(cell).unwrap_or_default(),
        Value::Number(number) => number.to_string(),
    }
}
