//! The versions of a script at the exchange: load one, give it all calls or a share of them, run it beside the active
//! one, go back, download it again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::api::{Api, escaped, rows, table};
use super::{Failed, Remote, flow, script};
use crate::scripts::signature;

/// A version's hash is printed up to here; as much is enough to name one.
const SHORT: usize = 12;
/// Folders of a project in which nobody writes by hand.
pub(super) const MADE: [&str; 4] = ["target", ".git", "node_modules", "__pycache__"];

#[derive(Args)]
pub(super) struct Push {
    /// A component, a flow's file, or a project's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The script's name; the file's or folder's unless said
    #[arg(long)]
    name: Option<String>,
    /// Load it, but give it no calls yet
    #[arg(long)]
    no_activate: bool,
    /// Give it a share of the calls: 5%
    #[arg(long, value_name = "PERCENT", conflicts_with = "no_activate", value_parser = percent)]
    canary: Option<f64>,
    /// A short name for the version
    #[arg(long)]
    label: Option<String>,
    /// What has changed
    #[arg(long)]
    notes: Option<String>,
    /// Sign it with this private key: openssl genpkey -algorithm ed25519 -out key.pem
    #[arg(long, value_name = "KEY.pem")]
    sign: Option<PathBuf>,
    /// Though it does something else than was recorded, and the tenant's policy refuses that
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Activate {
    /// The script
    name: String,
    /// The version's number, label or hash, or the beginning of that
    version: String,
    /// Give it a share of the calls in place of all: 5%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    canary: Option<f64>,
    /// Though it does something else than was recorded, and the tenant's policy refuses that
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Named {
    /// The script
    name: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Show {
    /// The script
    name: String,
    #[command(flatten)]
    remote: Remote,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Shadow {
    /// The script
    name: String,
    /// The version that runs beside the active one from now on
    version: Option<String>,
    /// No version runs beside the active one from now on
    #[arg(long, conflicts_with = "version")]
    off: bool,
    #[command(flatten)]
    remote: Remote,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Pull {
    /// The script
    name: String,
    /// The version's number, label or hash, or the beginning of that
    version: String,
    /// The file to write; NAME.wasm unless said
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Move {
    /// The script
    name: String,
    /// The version's number, label or hash, or the beginning of that; the active one unless said
    version: Option<String>,
    /// Only this call
    #[arg(long)]
    call: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// "5%" or "5".
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    number.parse().map_err(|_| "write a share of the calls like 5%".to_owned())
}

impl Push {
    /// As `script dev` loads a project.
    pub fn of_project(path: &Path, name: Option<String>, remote: &Remote) -> Self {
        Self {
            path: path.to_owned(),
            name,
            no_activate: false,
            canary: None,
            label: None,
            notes: None,
            sign: None,
            force: false,
            remote: remote.clone(),
        }
    }

    pub fn run(&self) -> Result<(), Failed> {
        let (name, loaded) = self.load()?;
        let (number, version) = (&loaded["number"], loaded["version"].as_str().unwrap_or_default());
        let takes = match (loaded["active"] == true, self.canary) {
            (true, _) => "takes the next call".to_owned(),
            (false, Some(share)) => format!("takes {share} % of the calls"),
            (false, None) => "is loaded, and takes no calls yet".to_owned(),
        };
        println!("{name} {number} {version} {takes}");
        for note in loaded["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            println!("note: {note}");
        }
        Ok(())
    }

    /// Answers the script's name, and what the exchange says.
    pub fn load(&self) -> Result<(String, Value), Failed> {
        let (found, media_type, bytes) = match flow::text(&self.path)? {
            Some((name, media_type, text)) => (name, media_type, text.into_bytes()),
            None => {
                let (name, bytes) = script::component(&self.path)?;
                (name, "application/wasm", bytes)
            }
        };
        let name = self.name.clone().unwrap_or(found);
        let api = Api::new(&self.remote)?;
        let signature = self.sign.as_deref().map(|key| {
            let text =
                std::fs::read_to_string(key).map_err(|why| Failed(format!("{}: {why}", key.display())))?;
            let wrong = "it is no ed25519 key; make one with openssl genpkey -algorithm ed25519 -out key.pem";
            signature::sign(&text, &bytes).map_err(|_| Failed(format!("{}: {wrong}", key.display())))
        });
        let signature = signature.transpose()?;
        let source = if self.path.is_dir() { Some(source_hash(&self.path)?) } else { None };
        let canary = self.canary.map(|share| share.to_string());
        let asked = [
            ("activate", self.no_activate.then(|| "false".to_owned())),
            ("force", self.force.then(|| "true".to_owned())),
            ("canary", canary),
            ("label", self.label.clone()),
            ("notes", self.notes.clone()),
            ("source", source),
        ];
        let asked =
            asked.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_ref()?))));
        let query = asked.collect::<Vec<_>>().join("&");
        let path = format!("{}/scripts/{}?{query}", api.tenant()?, escaped(&name));
        Ok((name, api.put(&path, media_type, bytes, signature.as_deref())?))
    }
}

/// SHA-256 of a project's files, each with its path, in the order of paths; what is made from them is left out.
fn source_hash(folder: &Path) -> Result<String, Failed> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        let bytes = std::fs::read(&file).map_err(|why| Failed(format!("{}: {why}", file.display())))?;
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failed> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let made = MADE.iter().any(|made| entry.file_name() == *made);
        if kind.is_dir() && !made {
            collect(&path, files)?;
        } else if kind.is_file() && path.extension().is_none_or(|extension| extension != "wasm") {
            files.push(path);
        }
    }
    Ok(())
}

/// Where a script is in the API.
fn place(api: &Api, name: &str) -> Result<String, Failed> {
    Ok(format!("{}/scripts/{}", api.tenant()?, escaped(name)))
}

pub(super) fn list(remote: &Remote, as_json: bool) -> Result<(), Failed> {
    let api = Api::new(remote)?;
    let answer = api.get(&format!("{}/scripts", api.tenant()?))?;
    if as_json {
        println!("{answer:#}");
        return Ok(());
    }
    let scripts = rows(&answer).iter();
    let cells: Vec<_> = scripts.flat_map(|script| cells(script, script["name"].as_str())).collect();
    print!("{}", table(&HEADINGS, &cells));
    Ok(())
}

const HEADINGS: [&str; 9] =
    ["SCRIPT", "NO", "VERSION", "STATE", "LABEL", "LOADED", "BY", "CALLS", "FAILURES"];

/// A row for each version, the newest first.
fn cells(script: &Value, name: Option<&str>) -> Vec<Vec<String>> {
    let versions = script["versions"].as_array().into_iter().flatten().rev();
    let row = |version: &Value| {
        let text = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
        vec![
            name.unwrap_or_default().to_owned(),
            version["number"].to_string(),
            text("version").chars().take(SHORT).collect(),
            text("state"),
            text("label"),
            text("uploaded"),
            text("loaded_by"),
            version["calls"].to_string(),
            version["failures"].to_string(),
        ]
    };
    versions.map(row).collect()
}

impl Show {
    pub fn run(&self) -> Result<(), Failed> {
        let api = Api::new(&self.remote)?;
        let script = api.get(&place(&api, &self.name)?)?;
        if self.json {
            println!("{script:#}");
            return Ok(());
        }
        print!("{}", table(&HEADINGS, &cells(&script, Some(&self.name))));
        for version in script["versions"].as_array().into_iter().flatten().rev() {
            self.print_version(version);
        }
        print_canary(&script);
        if let Some(shadow) = script["shadow"].as_str() {
            println!("\n{} runs beside the active one: strowger script shadow {}", short(shadow), self.name);
        }
        Ok(())
    }

    fn print_version(&self, version: &Value) {
        let text = |key: &str| version[key].as_str();
        let told = [("notes", "notes"), ("source", "sources"), ("signed_by", "signed by")];
        let told: Vec<_> = told.iter().filter_map(|(key, said)| Some((said, text(key)?))).collect();
        let traps: Vec<_> = version["traps"].as_array().into_iter().flatten().collect();
        if told.is_empty() && traps.is_empty() && version["calls"] == 0 {
            return;
        }
        println!("\n{} {} {}", self.name, version["number"], text("version").unwrap_or_default());
        for (said, what) in told {
            println!("  {said}: {what}");
        }
        if version["calls"] != 0 {
            println!(
                "  a run computes for {} ms, 99 of 100 for up to {} ms, and holds up to {} KiB",
                millis(&version["decision_p50"]),
                millis(&version["decision_p99"]),
                version["memory"].as_u64().unwrap_or(0) >> 10
            );
        }
        for trap in traps {
            println!("  {} times: {}", trap["count"], trap["place"].as_str().unwrap_or_default());
        }
    }
}

fn print_canary(script: &Value) {
    let canary = &script["canary"];
    if canary.is_object() {
        println!(
            "\n{} takes {} % of the calls as a canary: {} of {} runs failed, 99 of 100 computed for up to {} ms; the \
             active version's: {} of {}, {} ms. It is judged from {} calls on.",
            short(canary["version"].as_str().unwrap_or_default()),
            canary["share"],
            canary["failures"],
            canary["calls"],
            millis(&canary["decision_p99"]),
            canary["active_failures"],
            canary["active_calls"],
            millis(&canary["active_decision_p99"]),
            canary["judged_after"],
        );
    }
    let rolled_back = &script["rolled_back"];
    if rolled_back.is_object() {
        let text = |key: &str| rolled_back[key].as_str().unwrap_or_default();
        println!("\n{} was rolled back at {}: {}", short(text("version")), text("at"), text("reason"));
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(SHORT).collect()
}

fn millis(seconds: &Value) -> String {
    format!("{:.2}", seconds.as_f64().unwrap_or(0.0) * 1e3)
}

impl Activate {
    pub fn run(&self) -> Result<(), Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/activate", place(&api, &self.name)?);
        let wanted = json!({ "version": self.version, "canary": self.canary, "force": self.force });
        let script = api.post(&path, &wanted)?;
        match self.canary {
            Some(share) => println!("{} {} takes {share} % of the calls", self.name, self.version),
            None => say_active(&self.name, &script),
        }
        Ok(())
    }
}

fn say_active(name: &str, script: &Value) {
    println!("{name} {} takes the next call", script["active"].as_str().unwrap_or_default());
}

impl Named {
    pub fn promote(&self) -> Result<(), Failed> {
        let api = Api::new(&self.remote)?;
        let script = api.post(&format!("{}/promote", place(&api, &self.name)?), &json!({}))?;
        say_active(&self.name, &script);
        Ok(())
    }

    /// With a canary, its calls go back to the active version; without one, all calls to the version before.
    pub fn roll_back(&self) -> Result<(), Failed> {
        let api = Api::new(&self.remote)?;
        let path = place(&api, &self.name)?;
        let script = api.get(&path)?;
        let to = if script["canary"].is_object() { &script["active"] } else { &script["previous"] };
        let to = to.as_str();
        let to = to.ok_or_else(|| Failed(format!("{} has no earlier version to go back to", self.name)))?;
        // What took calls before may take them again, whatever was recorded since.
        let script = api.post(&format!("{path}/activate"), &json!({ "version": to }))?;
        say_active(&self.name, &script);
        Ok(())
    }
}

impl Move {
    pub fn run(&self) -> Result<(), Failed> {
        let api = Api::new(&self.remote)?;
        let calls = format!("{}/calls", api.tenant()?);
        let live = api.get(&format!("{calls}?live=true"))?;
        let wanted = |call: &&Value| {
            call["script"] == *self.name && self.call.as_ref().is_none_or(|id| call["id"] == **id)
        };
        let mut moved = 0;
        for call in rows(&live).iter().filter(wanted) {
            let id = call["id"].as_str().unwrap_or_default();
            match api.post(&format!("{calls}/{id}/move"), &json!({ "version": self.version })) {
                Ok(_) => moved += 1,
                Err(Failed(why)) => println!("{id}: {why}"),
            }
        }
        println!("{moved} of {} calls go on with it", rows(&live).iter().filter(wanted).count());
        Ok(())
    }
}

impl Shadow {
    pub fn run(&self) -> Result<ExitCode, Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/shadow", place(&api, &self.name)?);
        let found = match (&self.version, self.off) {
            (None, false) => api.get(&path)?,
            (version, _) => api.put_json(&path, &json!({ "version": version }))?,
        };
        if self.json {
            println!("{found:#}");
            return Ok(ExitCode::SUCCESS);
        }
        let Some(version) = found["version"].as_str() else {
            println!("no version runs beside the active one");
            return Ok(ExitCode::SUCCESS);
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for difference in found["differences"].as_array().into_iter().flatten() {
            println!(
                "{} {} parts at step {}\n  the active one: {}\n  this one:       {}",
                text(&difference["call"]),
                text(&difference["run"]),
                difference["step"],
                text(&difference["recorded"]),
                text(&difference["now"])
            );
        }
        let (same, parted, not) = (&found["same"], &found["parted"], &found["not_compared"]);
        println!(
            "{} runs beside the active one: {same} calls the same, {parted} part, {not} not compared",
            short(version)
        );
        Ok(if *parted == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Pull {
    pub fn run(&self) -> Result<(), Failed> {
        let api = Api::new(&self.remote)?;
        let path = format!("{}/versions/{}/component", place(&api, &self.name)?, escaped(&self.version));
        let bytes = api.get_bytes(&path, "application/wasm")?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.wasm", self.name)));
        std::fs::write(&out, &bytes).map_err(|why| Failed(format!("{}: {why}", out.display())))?;
        println!("{} ({} bytes)", out.display(), bytes.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_sources_is_of_what_is_written_by_hand() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("it is in the folder")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        };
        write("src/lib.rs", "fn on_call() {}");
        let hash = || source_hash(folder.path()).unwrap_or_else(|Failed(why)| panic!("{why}"));
        let first = hash();
        assert_eq!(first.len(), 64);
        write("target/mine.wasm", "made");
        write("mine.wasm", "made");
        assert_eq!(hash(), first);
        write("src/lib.rs", "fn on_call() { }");
        assert_ne!(hash(), first);
    }
}
