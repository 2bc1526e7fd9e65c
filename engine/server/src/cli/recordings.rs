//! `strowger recording` and `strowger mailbox`: what was recorded, who may hear it, and what is in the boxes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, escaped, table};
use super::lists::cell;
use super::{Failed, Remote};

const DAY: u64 = 24 * 3600;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List recordings of calls that are over, the newest first
    #[command(after_help = "Example:\n  strowger recording list --number 123456 --json")]
    List(List),
    /// Make a link by which anybody hears a recording, and print it
    #[command(after_help = "Example:\n  strowger recording share 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1 --days 2")]
    Share(Share),
    /// List the links to a recording that are open
    #[command(after_help = "Example:\n  strowger recording shares 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1")]
    Shares(Named),
    /// Take a link back, by its id
    #[command(after_help = "Example:\n  strowger recording unshare 8f0c2a9d11e4b7a3")]
    Unshare(Named),
    /// Leave out of a call's recording what is said from here on
    #[command(after_help = "Example:\n  strowger recording pause 01KAG2M7V8Q4ZJ6T9X5B3N1C0D")]
    Pause(Named),
    /// Record again what is said on a call
    #[command(after_help = "Example:\n  strowger recording resume 01KAG2M7V8Q4ZJ6T9X5B3N1C0D")]
    Resume(Named),
    /// Delete a recording
    #[command(after_help = "Example:\n  strowger recording delete 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1")]
    Delete(Named),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
    /// Only of calls from, to or answered by this number, or one that ends so
    #[arg(long)]
    number: Option<String>,
    /// Only of calls that this user answered
    #[arg(long)]
    agent: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Share {
    #[command(flatten)]
    remote: Remote,
    /// The recording, as `strowger recording list` names it
    recording: String,
    /// How many days it is open
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
}

#[derive(Args)]
pub(super) struct Named {
    #[command(flatten)]
    remote: Remote,
    /// The recording, the link's id, or the call
    name: String,
}

#[derive(Args)]
pub(super) struct Mailbox {
    #[command(flatten)]
    remote: Remote,
    /// The box whose messages are listed; all boxes unless said
    mailbox: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Headings, and the member that each shows.
type Columns = &'static [(&'static str, &'static str)];

const RECORDINGS: Columns = &[
    ("RECORDING", "name"),
    ("STARTED", "started"),
    ("FROM", "from"),
    ("DIALLED", "dialled"),
    ("ANSWERED BY", "answered_by"),
    ("SECONDS", "seconds"),
    ("FORMAT", "format"),
];
const SHARES: Columns = &[("ID", "id"), ("EXPIRES", "expires"), ("BY", "by"), ("USES", "uses")];
const MAILBOXES: Columns = &[("MAILBOX", "name"), ("NEW", "unheard"), ("OLD", "heard"), ("USERS", "users")];
const MESSAGES: Columns =
    &[("MESSAGE", "id"), ("FROM", "number"), ("LEFT", "at"), ("SECONDS", "seconds"), ("HEARD", "heard")];

pub(super) fn run(verb: &Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::List(wanted) => list(wanted)?,
        Verb::Share(wanted) => {
            let api = Api::new(&wanted.remote)?;
            let path = format!("{}/recordings/{}/shares", api.tenant()?, escaped(&wanted.recording));
            let made = api.post(&path, &json!({ "open_for": wanted.days * DAY }))?;
            println!("{}", api.address(made["path"].as_str().unwrap_or_default()));
        }
        Verb::Shares(named) => {
            let (api, path) = named.path("recordings", "/shares")?;
            print(&api.get(&path)?, "shares", SHARES);
        }
        Verb::Unshare(named) => named.change(Method::DELETE, "shares", "")?,
        Verb::Pause(named) => named.change(Method::POST, "calls", "/recording/pause")?,
        Verb::Resume(named) => named.change(Method::POST, "calls", "/recording/resume")?,
        Verb::Delete(named) => named.change(Method::DELETE, "recordings", "")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// All pages of the list.
fn list(wanted: &List) -> Result<(), Failed> {
    let api = Api::new(&wanted.remote)?;
    let filters = [("number", &wanted.number), ("agent", &wanted.agent)];
    let filters =
        filters.into_iter().filter_map(|(key, value)| Some(format!("&{key}={}", escaped(value.as_ref()?))));
    let base = format!("{}/recordings?limit=500{}", api.tenant()?, filters.collect::<String>());
    let mut answer = api.get(&base)?;
    let mut all = answer["recordings"].as_array().cloned().unwrap_or_default();
    while let Some(cursor) = answer["next"].as_str() {
        answer = api.get(&format!("{base}&cursor={cursor}"))?;
        all.extend(answer["recordings"].as_array().into_iter().flatten().cloned());
    }
    if wanted.json {
        println!("{:#}", json!({ "recordings": all }));
        return Ok(());
    }
    for recording in &mut all {
        recording["from"] = recording["from"]["number"].take();
    }
    print(&json!({ "recordings": all }), "recordings", RECORDINGS);
    Ok(())
}

pub(super) fn mailbox(wanted: &Mailbox) -> Result<ExitCode, Failed> {
    let api = Api::new(&wanted.remote)?;
    let (behind, of, columns) = match &wanted.mailbox {
        None => (String::new(), "mailboxes", MAILBOXES),
        Some(name) => (format!("/{}", escaped(name)), "messages", MESSAGES),
    };
    let answer = api.get(&format!("{}/mailboxes{behind}", api.tenant()?))?;
    match wanted.json {
        true => println!("{answer:#}"),
        false => print(&answer, of, columns),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(answer: &Value, of: &str, columns: Columns) {
    let row = |row: &Value| columns.iter().map(|(_, member)| cell(&row[*member])).collect::<Vec<_>>();
    let cells: Vec<_> = answer[of].as_array().into_iter().flatten().map(row).collect();
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    print!("{}", table(&headings, &cells));
}

impl Named {
    fn path(&self, of: &str, behind: &str) -> Result<(Api, String), Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/{of}/{}{behind}", api.tenant()?, escaped(&self.name));
        Ok((api, path))
    }

    fn change(&self, method: Method, of: &str, behind: &str) -> Result<(), Failed> {
        let (api, path) = self.path(of, behind)?;
        api.change(method, &path, None)
    }
}
