//! `originate`, `listen`, `whisper` and `barge`: calls begun and joined from a shell.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::api::{Api, escaped};
use super::{Failed, Remote};

#[derive(Args)]
pub(super) struct Originate {
    #[command(flatten)]
    remote: Remote,
    /// Rung first: a user by name or extension, or a number outside
    #[arg(long)]
    from: String,
    /// Dialled when the first answers: an extension, a number of the tenant, or one outside
    #[arg(long)]
    to: String,
    /// The script that takes the call; without it the one that takes calls to the number
    #[arg(long)]
    script: Option<String>,
    /// Settings for the script, as JSON
    #[arg(long, requires = "script")]
    settings: Option<String>,
    /// How many seconds the first rings
    #[arg(long)]
    ring: Option<u16>,
}

#[derive(Args)]
pub(super) struct Supervise {
    #[command(flatten)]
    remote: Remote,
    /// The call, as `strowger originate` and the API name it
    call: String,
    /// The user whose telephones ring, by name or extension
    #[arg(long, required_unless_present = "number", conflicts_with = "number")]
    user: Option<String>,
    /// The number outside that rings
    #[arg(long)]
    number: Option<String>,
}

/// Begins a call and prints its id.
pub(super) fn originate(wanted: &Originate) -> Result<ExitCode, Failed> {
    let api = Api::new(&wanted.remote)?;
    let settings: Option<Value> = wanted.settings.as_deref().map(serde_json::from_str).transpose()?;
    let mut body = json!({ "from": wanted.from, "to": wanted.to });
    let more = [
        ("script", wanted.script.as_ref().map(|name| json!(name))),
        ("settings", settings),
        ("ring", wanted.ring.map(|seconds| json!(seconds))),
    ];
    for (key, value) in more {
        if let Some(value) = value {
            body[key] = value;
        }
    }
    let begun = api.post(&format!("{}/calls", api.tenant()?), &body)?;
    println!("{}", begun["id"].as_str().unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

/// `verb`: "listen", "whisper" or "barge".
pub(super) fn supervise(wanted: &Supervise, verb: &str) -> Result<ExitCode, Failed> {
    let api = Api::new(&wanted.remote)?;
    let body = match (&wanted.user, &wanted.number) {
        (Some(user), _) => json!({ "user": user }),
        (None, number) => json!({ "number": number }),
    };
    api.order(&format!("{}/calls/{}/{verb}", api.tenant()?, escaped(&wanted.call)), &body)?;
    Ok(ExitCode::SUCCESS)
}
