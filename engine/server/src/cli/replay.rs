//! `replay`: a recorded call against another version of its script, or the same. Nothing outside
//! happens; the first import that differs is the finding.

use std::path::PathBuf;
use std::process::ExitCode;

use ::script::{Limits, Tape, Verdict, Version};
use clap::Args;
use serde_json::{Value, json};

use super::api::{Api, escaped};
use super::{Failed, Remote, script, words};
use crate::http::TAPE_TYPE;
use crate::shipped;

#[derive(Args)]
pub(super) struct Replay {
    /// The call
    call_id: String,
    /// The component to play it to, or a project's folder; the version that took the call unless said
    #[arg(long)]
    script: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(replay: &Replay) -> Result<ExitCode, Failed> {
    let api = Api::new(&replay.remote)?;
    let tenant = api.tenant()?;
    let bytes = api.get_bytes(&format!("{tenant}/calls/{}/tape", escaped(&replay.call_id)), TAPE_TYPE)?;
    let tape = Tape::read(&bytes)?;
    let sandboxes = script::sandboxes()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let given = replay.script.as_deref().map(script::component).transpose()?;
    let first = tape.segments.first().map(|run| run.start.script.clone());
    let mut findings = Vec::new();
    let mut same = true;
    for run in &tape.segments {
        // A call may have been handed over: another version of its first script says nothing of those.
        if given.is_some() && Some(&run.start.script) != first.as_ref() {
            continue;
        }
        let component = match &given {
            Some((_, bytes)) => bytes.clone(),
            None => recorded(&api, &tenant, &run.start.script, &run.version)?,
        };
        let version = Version::new(sandboxes.compile(&component)?);
        let limits = if run.start.ended.is_some() { Limits::ended() } else { Limits::call() };
        let verdict = runtime.block_on(sandboxes.replay(&version, run, &limits));
        same &= matches!(verdict, Verdict::Same { .. });
        let export = if run.start.ended.is_some() { "on-ended" } else { "on-call" };
        findings.push((format!("{} {export}", run.start.script), verdict));
    }
    if replay.json {
        let found = |(run, verdict): &(String, Verdict)| json!({ "run": run, "same": matches!(verdict, Verdict::Same { .. }), "finding": said(verdict) });
        let all: Vec<Value> = findings.iter().map(found).collect();
        println!("{:#}", json!({ "call": replay.call_id, "findings": all }));
    } else {
        for (run, verdict) in &findings {
            println!("{run}: {}", said(verdict));
        }
        if tape.cut {
            println!("the end of the tape is missing; what is there was compared");
        }
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The component that took the call.
fn recorded(api: &Api, tenant: &str, script: &str, version: &str) -> Result<Vec<u8>, Failed> {
    if let Some(shipped) = shipped::find(script) {
        return Ok(shipped.component.to_vec());
    }
    api.get_bytes(&format!("{tenant}/scripts/{}/versions/{version}", escaped(script)), "application/wasm")
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same { steps } => format!("same, {steps} steps"),
        Verdict::Parts { step, recorded, now, backtrace } => {
            let word = |command: &Option<exchange::Command>| command.as_ref().map(words::command);
            let recorded = word(recorded).unwrap_or_else(|| "it had ended".to_owned());
            let now = word(now).unwrap_or_else(|| "it ends".to_owned());
            format!(
                "parts at step {step}\n  recorded: {recorded}\n  now:      {now}\n  {}",
                backtrace.replace('\n', "\n  ")
            )
        }
        Verdict::EndsDifferently { steps, recorded, now } => format!(
            "ends differently after {steps} steps\n  recorded: {}\n  now:      {}",
            words::finish(recorded),
            words::finish(now)
        ),
        Verdict::NoRoom => "no sandbox was free; nothing was compared".to_owned(),
    }
}
