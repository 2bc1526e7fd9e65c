//! `call`: one imaginary call, printed as a timeline. The script is the real one; the world around it is the
//! [`crate::simulation`]'s.

use std::path::PathBuf;
use std::process::ExitCode;

use ::script::Version;
use clap::Args;
use exchange::{Contact, Fetched};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use super::{Failed, script};
use crate::simulation::{self, Does, Others, Person, Played, RINGING, Scene, ServerScene, TALK, scenario};
use crate::words;

#[derive(Args)]
pub(super) struct Call {
    /// The component, or a project's folder
    script: PathBuf,
    /// Who calls
    #[arg(long, default_value = "+359888123456")]
    from: String,
    /// The number dialled
    #[arg(long, default_value = "700")]
    to: String,
    /// When: "2026-11-27 23:58"; now unless said
    #[arg(long)]
    at: Option<String>,
    /// The tenant's time zone
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// The keys that the caller presses, one after the other: 1,2; - for none where one is asked for
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    keys: Vec<String>,
    /// Users and numbers that answer, by name; whoever is rung first unless said
    #[arg(long, value_delimiter = ',')]
    answers: Option<Vec<String>>,
    /// Users and numbers that are on a call
    #[arg(long, value_delimiter = ',')]
    busy: Vec<String>,
    /// What the calendars say: office=closed,duty=ana; "open" unless said
    #[arg(long, value_delimiter = ',')]
    calendars: Vec<String>,
    /// Who spoke with the caller last
    #[arg(long)]
    spoke_with: Option<String>,
    /// Who looks after the caller in the CRM
    #[arg(long)]
    owner: Option<String>,
    /// What servers outside answer: https://crm.example/*={"vip":true}; others are not allowed
    #[arg(long, value_name = "URL=BODY")]
    server: Vec<String>,
    /// The number's settings: a JSON object
    #[arg(long, default_value = "{}")]
    settings: String,
    /// When the caller leaves, seconds after calling
    #[arg(long, default_value_t = 300)]
    hangs_up_after: u32,
    /// Print the timeline as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(call: &Call) -> Result<ExitCode, Failed> {
    let (name, bytes) = script::component(&call.script)?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&call.settings)
        .map_err(|why| Failed(format!("--settings is no JSON object: {why}")))?;
    let scene = scene(call)?;
    let sandboxes = script::sandboxes()?;
    let version = Version::new(sandboxes.compile(&bytes)?);
    let played = simulation::play(&sandboxes, &version, &name, &scene)?;
    if call.json {
        let told = json!({
            "script": name,
            "version": version.hash(),
            "from": scene.from,
            "to": scene.to,
            "at": scene.at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            "lines": played.lines,
            "finish": words::finish(&played.finish),
            "ended": played.ended.as_ref().map(|ended| {
                json!({ "lines": ended.lines, "finish": words::finish(&ended.finish) })
            }),
            "outcome": played.outcome.name(),
            "length": played.length.as_secs_f64(),
            "cpu": played.cpu.as_secs_f64(),
        });
        println!("{told:#}");
    } else {
        println!("{} calls {} at {}", scene.from, scene.to, scene.at.strftime("%Y-%m-%d %H:%M:%S %Z"));
        print_timeline(&played);
    }
    Ok(if played.finish.is_failure() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Every import, the end, and what it took.
pub(super) fn print_timeline(played: &Played) {
    for line in &played.lines {
        println!("{line}");
    }
    println!("{:>8.1} s             {}", played.length.as_secs_f64(), words::finish(&played.finish));
    if let Some(ended) = played.ended.as_ref().filter(|ended| !ended.lines.is_empty()) {
        println!("on-ended:");
        for line in &ended.lines {
            println!("{line}");
        }
        println!("{:>8.1} s             {}", ended.length.as_secs_f64(), words::finish(&ended.finish));
    }
    println!("{}; {} us of CPU in all", played.outcome.name(), played.cpu.as_micros());
}

fn scene(call: &Call) -> Result<Scene, Failed> {
    let answering = |name: &String| Person::new(name, Does::Answers(RINGING, TALK));
    let on_a_call = |name: &String| Person::new(name, Does::Busy);
    let people = call.busy.iter().map(on_a_call).chain(call.answers.iter().flatten().map(answering));
    let owner = |owner: &String| {
        let name = "Simulated Contact".to_owned();
        (
            None,
            Contact {
                id: "simulated-contact".to_owned(),
                name,
                owner: Some(owner.clone()),
                ..Contact::default()
            },
        )
    };
    // A URL may have "=" in its query, and JSON seldom begins with anything but these.
    let server = |said: &String| {
        let at = said.find("={").or(said.find("=[")).or(said.rfind('=')).unwrap_or(said.len());
        let (url, body) = (&said[..at], said.get(at + 1..).unwrap_or_default());
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let answer = Ok(Fetched { status: 200, headers, body: body.as_bytes().to_vec() });
        ServerScene { method: None, url: url.to_owned(), takes: std::time::Duration::ZERO, answer }
    };
    let calendars = call.calendars.iter().filter_map(|said| said.split_once('='));
    Ok(Scene {
        from: call.from.clone(),
        to: call.to.clone(),
        settings: call.settings.clone(),
        keys: call.keys.concat(),
        hangs_up_after: std::time::Duration::from_secs(call.hangs_up_after.into()),
        people: people.collect(),
        others: if call.answers.is_some() { Others::NeverAnswer } else { Others::Answer },
        calendars: calendars.map(|(name, scheme)| (name.to_owned(), scheme.to_owned())).collect(),
        contacts: call.owner.iter().map(owner).collect(),
        servers: call.server.iter().map(server).collect(),
        spoke_with: call.spoke_with.clone(),
        ..Scene::at(began(call)?)
    })
}

fn began(call: &Call) -> Result<Zoned, Failed> {
    let zone = TimeZone::get(&call.timezone)
        .map_err(|_| Failed(format!("\"{}\" is no time zone; write one like Europe/Sofia", call.timezone)))?;
    match &call.at {
        None => Ok(Timestamp::now().to_zoned(zone)),
        Some(at) => scenario::moment(at, &zone)
            .ok_or_else(|| Failed(format!("\"{at}\" is no moment; write one like \"2026-11-27 23:58\""))),
    }
}
