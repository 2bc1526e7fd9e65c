//! `contact`: the tenant's own contacts from a shell.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, escaped, table};
use super::lists::cell;
use super::{Failed, Remote};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List contacts, or the one with a number
    #[command(after_help = "Example:\n  strowger contact list --number 0888123456")]
    List(List),
    /// Show one contact with its deals
    #[command(after_help = "Example:\n  strowger contact show 17")]
    Show(Named),
    /// Put a contact in the place of the one with this id
    #[command(
        after_help = "Example:\n  strowger contact put 17 --name Maria --number +359888123456 --owner ana"
    )]
    Put(Put),
    /// Forget a contact
    #[command(after_help = "Example:\n  strowger contact delete 17")]
    Delete(Named),
    /// Read contacts in from a table: number,name,company,owner and what else there is
    #[command(after_help = "Example:\n  strowger contact import contacts.csv")]
    Import(Import),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
    /// Only the one with this number, however it is written
    #[arg(long)]
    number: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Named {
    #[command(flatten)]
    remote: Remote,
    /// The contact's id
    id: String,
}

#[derive(Args)]
pub(super) struct Put {
    #[command(flatten)]
    named: Named,
    /// Their name
    #[arg(long)]
    name: String,
    /// A number of theirs; as often as there are numbers
    #[arg(long, required = true)]
    number: Vec<String>,
    /// Where they work
    #[arg(long)]
    company: Option<String>,
    /// The user who looks after them
    #[arg(long)]
    owner: Option<String>,
}

#[derive(Args)]
pub(super) struct Import {
    #[command(flatten)]
    remote: Remote,
    /// A file of comma-separated values
    file: PathBuf,
}

const COLUMNS: [(&str, &str); 5] =
    [("CONTACT", "id"), ("NAME", "name"), ("COMPANY", "company"), ("OWNER", "owner"), ("NUMBERS", "numbers")];

pub(super) fn run(verb: &Verb) -> Result<ExitCode, Failed> {
    match verb {
        Verb::List(wanted) => list(wanted)?,
        Verb::Show(named) => {
            let (api, path) = named.path()?;
            println!("{:#}", api.get(&path)?);
        }
        Verb::Put(put) => {
            let (api, path) = put.named.path()?;
            // What the command line does not say stays as it is.
            let mut card = api.get(&path).unwrap_or_else(|_| json!({}));
            card["name"] = json!(put.name);
            card["numbers"] = json!(put.number);
            for (key, value) in [("company", &put.company), ("owner", &put.owner)] {
                if value.is_some() {
                    card[key] = json!(value);
                }
            }
            api.put_json(&path, &card)?;
        }
        Verb::Delete(named) => {
            let (api, path) = named.path()?;
            api.change(Method::DELETE, &path, None)?;
        }
        Verb::Import(wanted) => {
            let table = std::fs::read(&wanted.file)
                .map_err(|why| Failed(format!("{}: {why}", wanted.file.display())))?;
            let api = Api::new(&wanted.remote)?;
            let answer = api.post_bytes(&format!("{}/contacts", api.tenant()?), "text/csv", table)?;
            println!("{} contacts read in", answer["imported"]);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All pages.
fn list(wanted: &List) -> Result<(), Failed> {
    let api = Api::new(&wanted.remote)?;
    let base = format!("{}/contacts?limit=500", api.tenant()?);
    let base = match &wanted.number {
        Some(number) => format!("{base}&number={}", escaped(number)),
        None => base,
    };
    let mut answer = api.get(&base)?;
    let mut contacts = page(&answer);
    while let Some(cursor) = answer["next"].as_str() {
        answer = api.get(&format!("{base}&cursor={}", escaped(cursor)))?;
        contacts.extend(page(&answer));
    }
    if wanted.json {
        println!("{:#}", json!({ "contacts": contacts }));
        return Ok(());
    }
    let row = |row: &Value| COLUMNS.iter().map(|(_, member)| cell(&row[*member])).collect::<Vec<_>>();
    let cells: Vec<_> = contacts.iter().map(row).collect();
    print!("{}", table(&COLUMNS.map(|(heading, _)| heading), &cells));
    Ok(())
}

fn page(answer: &Value) -> Vec<Value> {
    answer["contacts"].as_array().cloned().unwrap_or_default()
}

impl Named {
    fn path(&self) -> Result<(Api, String), Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/contacts/{}", api.tenant()?, escaped(&self.id));
        Ok((api, path))
    }
}
