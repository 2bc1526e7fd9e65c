//! `task` and `missed`: what is left to do for callers, from a shell.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, escaped, table};
use super::lists::cell;
use super::{Failed, Remote};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List tasks: what is open, or what was done
    #[command(after_help = "Example:\n  strowger task list --kind call-back --state closed")]
    List(List),
    /// Show one task with its calls
    #[command(after_help = "Example:\n  strowger task show 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1")]
    Show(Named),
    /// Write a task down
    #[command(
        after_help = "Example:\n  strowger task add +359888123456 \"Send the offer\" --responsible ana"
    )]
    Add(Add),
    /// Call back: the user's telephones ring first, then the caller is called with the company's number
    #[command(after_help = "Example:\n  strowger task call 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1 --user ana")]
    Call(Call),
    /// The task is done
    #[command(after_help = "Example:\n  strowger task done 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1")]
    Done(Named),
    /// Nobody will try any more
    #[command(after_help = "Example:\n  strowger task give-up 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1")]
    GiveUp(Named),
    /// Give a task to another user
    #[command(after_help = "Example:\n  strowger task assign 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1 --user boris")]
    Assign(Assign),
    /// Write something down of a task
    #[command(
        after_help = "Example:\n  strowger task note 01KAG2M7V8Q4ZJ6T9X5B3N1C0D-1 \"Prefers mornings\""
    )]
    Note(Note),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
    /// Open ones unless said
    #[arg(long, default_value = "open")]
    state: State,
    /// call-back, follow-up, call or other
    #[arg(long)]
    kind: Option<String>,
    /// Only this user's
    #[arg(long)]
    responsible: Option<String>,
    /// Only those about this number
    #[arg(long)]
    number: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Open,
    Closed,
}

#[derive(Args)]
pub(super) struct Missed {
    #[command(flatten)]
    remote: Remote,
    /// Only those whose deadline is over
    #[arg(long)]
    late: bool,
    /// Only this user's
    #[arg(long)]
    responsible: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Named {
    #[command(flatten)]
    remote: Remote,
    /// The task, as `strowger task list` names it
    task: String,
}

#[derive(Args)]
pub(super) struct Assign {
    #[command(flatten)]
    named: Named,
    /// Who is to do it
    #[arg(long)]
    user: String,
}

#[derive(Args)]
pub(super) struct Note {
    #[command(flatten)]
    named: Named,
    /// At most 512 bytes
    text: String,
}

#[derive(Args)]
pub(super) struct Call {
    #[command(flatten)]
    named: Named,
    /// Who calls; the one responsible unless said
    #[arg(long)]
    user: Option<String>,
    /// What the caller sees; the number that they dialled unless said
    #[arg(long)]
    show: Option<String>,
}

#[derive(Args)]
pub(super) struct Add {
    #[command(flatten)]
    remote: Remote,
    /// Whom it is about
    number: String,
    /// What is to be done
    title: String,
    /// Who is to do it; the contact's owner unless said
    #[arg(long)]
    responsible: Option<String>,
    /// By when, as 2026-11-23T10:00:00Z
    #[arg(long)]
    due: Option<String>,
}

const COLUMNS: [(&str, &str); 9] = [
    ("TASK", "id"),
    ("KIND", "kind"),
    ("STATE", "state"),
    ("NUMBER", "number"),
    ("TITLE", "title"),
    ("FOR", "responsible"),
    ("DUE", "due"),
    ("LATE", "late"),
    ("CLOSED BY", "closed_by"),
];
const MISSED: [(&str, &str); 9] = [
    ("TASK", "id"),
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("TIMES", "missed"),
    ("LAST", "last"),
    ("QUEUE", "queue"),
    ("FOR", "responsible"),
    ("BY", "due"),
    ("LATE", "late"),
];

pub(super) fn run(verb: &Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::List(wanted) => {
            let state = match wanted.state {
                State::Open => "open",
                State::Closed => "closed",
            };
            let filters =
                [("kind", &wanted.kind), ("responsible", &wanted.responsible), ("number", &wanted.number)];
            list(&wanted.remote, &format!("state={state}"), &filters, wanted.json, &COLUMNS)?;
        }
        Verb::Show(named) => {
            let (api, path) = named.path("")?;
            println!("{:#}", api.get(&path)?);
        }
        Verb::Add(add) => {
            let api = Api::new(&add.remote)?;
            let body = json!({ "number": add.number, "title": add.title, "responsible": add.responsible, "due": add.due });
            let task = api.post(&format!("{}/tasks", api.tenant()?), &body)?;
            println!("{}", cell(&task["id"]));
        }
        Verb::Call(call) => {
            let (api, path) = call.named.path("/call")?;
            let begun = api.post(&path, &json!({ "user": call.user, "show": call.show }))?;
            println!("{}", cell(&begun["id"]));
        }
        Verb::Done(named) => named.change(&json!({ "state": "done" }))?,
        Verb::GiveUp(named) => named.change(&json!({ "state": "given-up" }))?,
        Verb::Note(note) => note.named.change(&json!({ "note": note.text }))?,
        Verb::Assign(assign) => assign.named.change(&json!({ "responsible": assign.user }))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn missed(wanted: &Missed) -> Result<ExitCode, Failed> {
    let late = wanted.late.then(|| "true".to_owned());
    let filters = [("late", &late), ("responsible", &wanted.responsible)];
    list(&wanted.remote, "kind=call-back", &filters, wanted.json, &MISSED)?;
    Ok(ExitCode::SUCCESS)
}

/// All pages.
fn list(
    remote: &Remote,
    query: &str,
    filters: &[(&str, &Option<String>)],
    as_json: bool,
    columns: &[(&str, &str)],
) -> Result<(), Failed> {
    let api = Api::new(remote)?;
    let filter = |(key, value): &(&str, &Option<String>)| {
        value.as_ref().map(|value| format!("&{key}={}", escaped(value)))
    };
    let filters: String = filters.iter().filter_map(filter).collect();
    let base = format!("{}/tasks?limit=500&{query}{filters}", api.tenant()?);
    let mut answer = api.get(&base)?;
    let mut tasks = page(&answer);
    while let Some(cursor) = answer["next"].as_str() {
        answer = api.get(&format!("{base}&cursor={cursor}"))?;
        tasks.extend(page(&answer));
    }
    if as_json {
        answer["tasks"] = tasks.into();
        println!("{answer:#}");
        return Ok(());
    }
    let row = |row: &Value| columns.iter().map(|(_, member)| cell(&row[*member])).collect::<Vec<_>>();
    let cells: Vec<_> = tasks.iter().map(row).collect();
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    print!("{}", table(&headings, &cells));
    Ok(())
}

fn page(answer: &Value) -> Vec<Value> {
    answer["tasks"].as_array().cloned().unwrap_or_default()
}

impl Named {
    fn path(&self, behind: &str) -> Result<(Api, String), Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/tasks/{}{behind}", api.tenant()?, escaped(&self.task));
        Ok((api, path))
    }

    fn change(&self, body: &Value) -> Result<(), Failed> {
        let (api, path) = self.path("")?;
        api.change(Method::PATCH, &path, Some(body))
    }
}
