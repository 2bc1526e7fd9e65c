//! `replay`: recorded calls against another version of their script, or the same: one call, or all since a moment.
//! Nothing outside happens; the first import that differs is the finding.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use ::script::{Limits, Sandboxes, Segment, Tape, Verdict, Version};
use clap::Args;
use exchange::CallId;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::api::{Api, escaped, rows};
use super::{Failed, Remote, script};
use crate::http::TAPE_TYPE;
use crate::scripts::comparison::Difference;
use crate::shipped;

#[derive(Args)]
pub(super) struct Replay {
    /// The call
    #[arg(required_unless_present = "since", conflicts_with = "since")]
    call_id: Option<String>,
    /// All calls from then on: "2026-11-27 09:00", "today" or "yesterday" in the tenant's time zone, or RFC 3339; with --script those that the
    /// script took
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The component to play it to, or a project's folder; the version that took the call unless said
    #[arg(long)]
    script: Option<PathBuf>,
    /// The script that the component is a version of; the component's own name with --since, else the call's first script
    #[arg(long, requires = "script")]
    name: Option<String>,
    #[command(flatten)]
    remote: Remote,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(replay: &Replay) -> Result<ExitCode, Failed> {
    let api = Api::new(&replay.remote)?;
    let tenant = api.tenant()?;
    let given = replay.script.as_deref().map(script::component).transpose()?;
    let mut player = Player::new(&api, &tenant, given.as_ref().map(|(_, bytes)| bytes.as_slice()))?;
    if let Some(since) = &replay.since {
        let name = replay.name.as_ref().or(given.as_ref().map(|(name, _)| name));
        return player.all(replay, since, name.map(String::as_str));
    }
    let call = replay.call_id.as_deref().unwrap_or_default();
    let tape = player.tape(call)?;
    let first = tape.segments.first().map(|run| run.start.script.to_string());
    let name = given.as_ref().and(replay.name.clone().or(first));
    let findings = player.play(&tape, name.as_deref())?;
    if replay.json {
        let mut all = told(call, &findings);
        // No run depends on them, so nothing was compared.
        all["facts"] = tape.facts.iter().map(|fact| json!(fact)).collect();
        println!("{all:#}");
    } else {
        for finding in &findings {
            println!("{finding}");
        }
        if tape.cut {
            println!("the end of the tape is missing; what is there was compared");
        }
    }
    Ok(status(findings.iter().all(Finding::same)))
}

fn status(same: bool) -> ExitCode {
    if same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What came of one run of a tape.
struct Finding {
    /// The script and what it was asked: "mine on-call".
    run: String,
    verdict: Verdict,
}

impl Finding {
    fn same(&self) -> bool {
        matches!(self.verdict, Verdict::Same { .. })
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.run, said(&self.verdict))
    }
}

/// A call and its findings as JSON.
fn told(call: &str, findings: &[Finding]) -> Value {
    let one = |finding: &Finding| json!({ "run": finding.run, "same": finding.same(), "finding": said(&finding.verdict) });
    json!({ "call": call, "findings": findings.iter().map(one).collect::<Vec<_>>() })
}

/// Plays tapes to versions; each version is compiled once.
struct Player<'a> {
    api: &'a Api,
    tenant: &'a str,
    sandboxes: Sandboxes,
    runtime: Runtime,
    given: Option<Version>,
    recorded: HashMap<(String, String), Version>,
}

impl<'a> Player<'a> {
    fn new(api: &'a Api, tenant: &'a str, given: Option<&[u8]>) -> Result<Self, Failed> {
        let sandboxes = script::sandboxes()?;
        let given = given.map(|bytes| sandboxes.compile(bytes)).transpose()?.map(Version::new);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { api, tenant, sandboxes, runtime, given, recorded: HashMap::new() })
    }

    fn tape(&self, call: &str) -> Result<Tape, Failed> {
        let path = format!("{}/calls/{}/tape", self.tenant, escaped(call));
        Ok(Tape::read(&self.api.get_bytes(&path, TAPE_TYPE)?)?)
    }

    /// Plays the runs of a tape. `name`: only those of this script, because a call may have been handed over, and
    /// another version of one script says nothing of the others.
    fn play(&mut self, tape: &Tape, name: Option<&str>) -> Result<Vec<Finding>, Failed> {
        let mut findings = Vec::new();
        for run in tape.segments.iter().filter(|run| name.is_none_or(|name| *run.start.script == *name)) {
            let limits = Limits { memory: ::script::limits::MEMORY_PYTHON, ..run.start.limits() };
            let export = run.start.export();
            if self.given.is_none() {
                self.fetch(run)?;
            }
            let recorded = || self.recorded.get(&key(run));
            let version = self.given.as_ref().or_else(recorded).expect("a version that was fetched is kept");
            let verdict = self.runtime.block_on(self.sandboxes.replay(version, run, &limits));
            findings.push(Finding { run: format!("{} {export}", run.start.script), verdict });
        }
        Ok(findings)
    }

    /// The component that took the call, unless it is here.
    fn fetch(&mut self, run: &Segment) -> Result<(), Failed> {
        let key = key(run);
        if self.recorded.contains_key(&key) {
            return Ok(());
        }
        let (script, version) = (&key.0, &key.1);
        let component = match shipped::find(script) {
            Some(shipped) => shipped.component.to_vec(),
            None => {
                let path = format!("{}/scripts/{}/versions/{version}", self.tenant, escaped(script));
                self.api.get_bytes(&path, "application/wasm")?
            }
        };
        let version = Version::new(self.sandboxes.compile(&component)?);
        self.recorded.insert(key, version);
        Ok(())
    }

    /// Every call of the register from a moment on, the newest first; calls that part are printed, the others counted.
    /// That nothing could be compared is a failure: it must not read as "all the same".
    fn all(&mut self, replay: &Replay, since: &str, name: Option<&str>) -> Result<ExitCode, Failed> {
        let from = self.moment(since)?;
        let (mut same, mut parted, mut missing) = (0_u64, 0_u64, 0_u64);
        let mut calls = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.api.get(&format!(
                "{}/calls?from={}&limit={PAGE}{cursor}",
                self.tenant,
                escaped(&from)
            ))?;
            for call in rows(&page) {
                let id = call["id"].as_str().unwrap_or_default();
                let played = self.tape(id).and_then(|tape| self.play(&tape, name));
                match played {
                    Err(Failed(why)) => {
                        missing += 1;
                        eprintln!("{id}: not compared: {why}");
                    }
                    Ok(findings) if findings.is_empty() => {}
                    Ok(findings) => {
                        let all = findings.iter().all(Finding::same);
                        *(if all { &mut same } else { &mut parted }) += 1;
                        if replay.json {
                            calls.push(told(id, &findings));
                        } else {
                            findings
                                .iter()
                                .filter(|finding| !finding.same())
                                .for_each(|f| println!("{id} {f}"));
                        }
                    }
                }
            }
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={}", escaped(next));
        }
        if replay.json {
            println!(
                "{:#}",
                json!({ "since": from, "same": same, "parted": parted, "not_compared": missing, "calls": calls })
            );
        } else {
            let (calls, same, parted) = (grouped(same + parted + missing), grouped(same), grouped(parted));
            let missing =
                if missing == 0 { String::new() } else { format!(", {} not compared", grouped(missing)) };
            println!("{calls} calls: {same} the same, {parted} part{missing}");
        }
        if same + parted == 0 {
            let of = name.map_or(String::new(), |name| format!(" that {name} took"));
            return Err(Failed(format!(
                "there are no calls{of} since {from} to compare; write an earlier time"
            )));
        }
        Ok(status(parted == 0))
    }

    /// A moment as the API reads it: RFC 3339, or a date with or without a time in the tenant's zone.
    fn moment(&self, text: &str) -> Result<String, Failed> {
        if text.parse::<Timestamp>().is_ok() {
            return Ok(text.to_owned());
        }
        let list = self.api.get("/v1/tenants")?;
        let this = |tenant: &&Value| {
            tenant["name"].as_str().is_some_and(|name| self.tenant.ends_with(&format!("/{}", escaped(name))))
        };
        let zone =
            rows(&list).iter().find(this).and_then(|tenant| tenant["timezone"].as_str()).unwrap_or("UTC");
        let zone = TimeZone::get(zone)?;
        let today = || Timestamp::now().to_zoned(zone.clone()).date();
        let local = match text {
            "today" => today().at(0, 0, 0, 0),
            "yesterday" => today().yesterday()?.at(0, 0, 0, 0),
            text => text.parse::<DateTime>().map_err(|_| {
                Failed(format!(
                    "\"{text}\" is no moment; write one like \"2026-11-27 09:00\", today or yesterday"
                ))
            })?,
        };
        Ok(local.to_zoned(zone)?.timestamp().to_string())
    }
}

/// A script and the version that ran.
fn key(run: &Segment) -> (String, String) {
    (run.start.script.to_string(), run.version.to_string())
}

/// Calls that are asked for at once: as many as the API gives.
const PAGE: usize = 500;

/// What came of a run; where it parts, both sides beside each other.
fn said(verdict: &Verdict) -> String {
    if let Verdict::Same { steps } = verdict {
        return format!("same, {steps} steps");
    }
    // The call and the run are said by whoever prints this.
    let Some(difference) = Difference::of(CallId(0), "", verdict) else {
        return "no sandbox was free; nothing was compared".to_owned();
    };
    let Difference { step, recorded, now, backtrace, .. } = difference;
    let begins = if matches!(verdict, Verdict::Parts { .. }) { "parts at" } else { "ends differently after" };
    let width = recorded.lines().map(|line| line.chars().count()).max().unwrap_or(0).clamp(NARROW, WIDE);
    let mut text = format!("{begins} step {step}\n  {:<width$}  now", "recorded");
    let (mut left, mut right) = (recorded.lines(), now.lines());
    loop {
        let (left, right) = (left.next(), right.next());
        if left.is_none() && right.is_none() {
            break;
        }
        let line = format!("\n  {:<width$}  {}", left.unwrap_or_default(), right.unwrap_or_default());
        text.push_str(line.trim_end());
    }
    backtrace.lines().for_each(|line| text.push_str(&format!("\n    {line}")));
    text
}

/// Columns are so wide at least, and a longer line moves only its own neighbour.
const NARROW: usize = 30;
const WIDE: usize = 60;

/// Thousands with commas: 4,812.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

#[cfg(test)]
mod tests {
    use exchange::{Command, LegNo};

    use super::*;

    #[test]
    fn both_sides_of_the_first_difference_stand_beside_each_other() {
        let verdict = Verdict::Parts {
            step: 3,
            recorded: Some(Command::Answer { leg: LegNo::CALLER }),
            now: None,
            backtrace: "it returns here".to_owned(),
        };
        let expected = "parts at step 3\n  recorded                        now\n  \
                        answer                          it ends\n    it returns here";
        assert_eq!(said(&verdict), expected);
    }

    #[test]
    fn thousands_are_told_apart() {
        let told = [0, 999, 1_000, 4_812, 1_234_567].map(grouped);
        assert_eq!(told, ["0", "999", "1,000", "4,812", "1,234,567"]);
    }
}
