//! `outbox`: what waits for its delivery, and what was given up, from a shell.

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::Value;

use super::api::{Api, escaped, table};
use super::lists::cell;
use super::{Failed, Remote};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List letters: what waits, and what was given up
    #[command(after_help = "Example:\n  strowger outbox list --state dead")]
    List(List),
    /// Show one letter with its facts
    #[command(after_help = "Example:\n  strowger outbox show 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1000")]
    Show(Named),
    /// Try a dead letter again
    #[command(after_help = "Example:\n  strowger outbox retry 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1000")]
    Retry(Named),
    /// Give a letter up for good
    #[command(after_help = "Example:\n  strowger outbox drop 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1000")]
    Drop(Named),
    /// List addresses that mail came back from: nothing is mailed there any more
    #[command(after_help = "Example:\n  strowger outbox bounces")]
    Bounces(Bounces),
    /// Tell of a mail that came back, read from the standard input
    #[command(after_help = "Example, of a mail server's aliases:\n  \
        bounces: \"|strowger outbox bounced --url https://pbx.acme.example --tenant acme\"")]
    Bounced(Bounced),
    /// Mail to an address again
    #[command(after_help = "Example:\n  strowger outbox lift ana@acme.example")]
    Lift(Lift),
}

#[derive(Args)]
pub(super) struct Bounces {
    #[command(flatten)]
    remote: Remote,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Bounced {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Lift {
    #[command(flatten)]
    remote: Remote,
    /// The address, as `strowger outbox bounces` names it
    address: String,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
    /// Only these
    #[arg(long)]
    state: Option<State>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Waiting,
    Dead,
}

#[derive(Args)]
pub(super) struct Named {
    #[command(flatten)]
    remote: Remote,
    /// The letter, as `strowger outbox list` names it
    letter: String,
}

const COLUMNS: [(&str, &str); 8] = [
    ("LETTER", "id"),
    ("KIND", "kind"),
    ("FOR", "recipient"),
    ("EVENT", "event"),
    ("STATE", "state"),
    ("FAILED", "attempts"),
    ("NEXT", "next"),
    ("WHY", "why"),
];

pub(super) fn run(verb: &Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::List(wanted) => list(wanted)?,
        Verb::Show(named) => {
            let (api, path) = named.path("")?;
            println!("{:#}", api.get(&path)?);
        }
        Verb::Retry(named) => {
            let (api, path) = named.path("/retry")?;
            api.change(Method::POST, &path, None)?;
        }
        Verb::Drop(named) => {
            let (api, path) = named.path("")?;
            api.change(Method::DELETE, &path, None)?;
        }
        Verb::Bounces(wanted) => bounces(wanted)?,
        Verb::Bounced(wanted) => {
            let api = Api::new(&wanted.remote)?;
            let mut mail = Vec::new();
            std::io::stdin().lock().read_to_end(&mut mail)?;
            let told = api.post_bytes(&format!("{}/bounces", api.tenant()?), "message/rfc822", mail)?;
            for bounce in told["bounces"].as_array().into_iter().flatten() {
                println!("{} is not mailed to any more: {}", cell(&bounce["address"]), cell(&bounce["why"]));
            }
        }
        Verb::Lift(wanted) => {
            let api = Api::new(&wanted.remote)?;
            let path = format!("{}/bounces/{}", api.tenant()?, escaped(&wanted.address));
            api.change(Method::DELETE, &path, None)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All pages of the outbox.
fn list(wanted: &List) -> Result<(), Failed> {
    let api = Api::new(&wanted.remote)?;
    let state = match wanted.state {
        None => "",
        Some(State::Waiting) => "&state=waiting",
        Some(State::Dead) => "&state=dead",
    };
    let base = format!("{}/outbox?limit=500{state}", api.tenant()?);
    let mut answer = api.get(&base)?;
    let mut letters = page(&answer);
    while let Some(cursor) = answer["next"].as_str() {
        answer = api.get(&format!("{base}&cursor={cursor}"))?;
        letters.extend(page(&answer));
    }
    if wanted.json {
        answer["letters"] = letters.into();
        println!("{answer:#}");
        return Ok(());
    }
    let row = |row: &Value| COLUMNS.iter().map(|(_, member)| cell(&row[*member])).collect::<Vec<_>>();
    let cells: Vec<_> = letters.iter().map(row).collect();
    print!("{}", table(&COLUMNS.map(|(heading, _)| heading), &cells));
    for resting in answer["resting"].as_array().into_iter().flatten() {
        println!(
            "{} does not answer; tried again at {}",
            cell(&resting["destination"]),
            cell(&resting["until"])
        );
    }
    Ok(())
}

/// Where mail came back from.
fn bounces(wanted: &Bounces) -> Result<(), Failed> {
    let api = Api::new(&wanted.remote)?;
    let answer = api.get(&format!("{}/bounces", api.tenant()?))?;
    if wanted.json {
        println!("{answer:#}");
        return Ok(());
    }
    let members = ["address", "at", "why"];
    let row = |row: &Value| members.iter().map(|member| cell(&row[*member])).collect::<Vec<_>>();
    let cells: Vec<_> = answer["bounces"].as_array().into_iter().flatten().map(row).collect();
    print!("{}", table(&["ADDRESS", "SINCE", "WHY"], &cells));
    Ok(())
}

fn page(answer: &Value) -> Vec<Value> {
    answer["letters"].as_array().cloned().unwrap_or_default()
}

impl Named {
    fn path(&self, behind: &str) -> Result<(Api, String), Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/outbox/{}{behind}", api.tenant()?, escaped(&self.letter));
        Ok((api, path))
    }
}
