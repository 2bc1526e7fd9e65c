//! `script test`: the project's tests in its own language are run, and the imaginary calls of `calls.toml` are played to
//! the script; what is not as it must be is shown, with the call's timeline.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::script::{Kind, Limits, Sandboxes, Version};
use clap::Args;
use guest_build::Language;
use serde_json::{Value, json};

use super::simulate::print_timeline;
use super::{Failed, script};
use crate::shipped;
use crate::simulation::{self, Played, scenario};
use crate::words;

/// The file that is looked for in a folder; `NAME.calls.toml` beside it are others.
const FILE: &str = "calls.toml";

#[derive(Args)]
pub(super) struct Trial {
    /// A project's folder, a component, or a file of imaginary calls
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Only calls in whose name this stands, and no tests in the script's own language
    #[arg(long)]
    only: Option<String>,
    /// Print the timeline of every call
    #[arg(long, short)]
    verbose: bool,
    /// Print what came of the calls as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(trial: &Trial) -> Result<ExitCode, Failed> {
    let units = if trial.only.is_none() { units(&trial.path, trial.json)? } else { None };
    let files = match files(&trial.path) {
        Err(_) if units.is_some() => Vec::new(),
        files => files?,
    };
    let sandboxes = script::sandboxes()?;
    let mut tried = Vec::new();
    for file in files {
        tried.extend(try_file(&sandboxes, &file, trial.only.as_deref())?);
    }
    let failed = tried.iter().filter(|tried| !tried.differences.is_empty()).count();
    if trial.json {
        let calls: Vec<Value> = tried.iter().map(Tried::told).collect();
        let passed = tried.len() - failed;
        println!(
            "{:#}",
            json!({ "passed": passed, "failed": failed, "calls": calls, "own_tests_passed": units })
        );
    } else {
        tried.iter().for_each(|tried| tried.print(trial.verbose));
        println!("{} as they must be, {failed} not", tried.len() - failed);
        if units == Some(false) {
            println!("tests in the script's own language fail: above");
        }
    }
    if tried.is_empty() && units.is_none() {
        return Err(Failed(format!(
            "no call has \"{}\" in its name; write less of it",
            trial.only.as_deref().unwrap_or_default()
        )));
    }
    Ok(if failed == 0 && units != Some(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a project's tests in its own language pass; none when there are none. What they print is seen, on standard
/// error when it must stay out of the way.
fn units(path: &Path, aside: bool) -> Result<Option<bool>, Failed> {
    if !path.is_dir() || Language::of(path).is_none() {
        return Ok(None);
    }
    let Some(mut tests) = guest_build::unit_tests(path)? else { return Ok(None) };
    if aside {
        tests.stdout(std::io::stderr());
    }
    let status = tests.status();
    let status = status.map_err(|why| Failed(format!("{}: {why}", tests.get_program().display())))?;
    Ok(Some(status.success()))
}

/// The files of imaginary calls that a path means.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, Failed> {
    let extension = path.extension().unwrap_or_default();
    if extension == "toml" {
        return Ok(vec![path.to_owned()]);
    }
    if extension == "wasm" {
        let beside = path.with_extension(FILE);
        return if beside.is_file() { Ok(vec![beside]) } else { Err(none(&beside)) };
    }
    let entries = std::fs::read_dir(path).map_err(|why| Failed(format!("{}: {why}", path.display())))?;
    let is_one = |name: &str| name == FILE || name.ends_with(&format!(".{FILE}"));
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.file_name().and_then(|name| name.to_str()).is_some_and(is_one))
        .collect();
    found.sort();
    if found.is_empty() { Err(none(&path.join(FILE))) } else { Ok(found) }
}

fn none(file: &Path) -> Failed {
    Failed(format!("there is no {}; strowger script test --help says how to write it", file.display()))
}

/// A call that was played.
pub(super) struct Tried {
    file: PathBuf,
    line: usize,
    name: String,
    differences: Vec<String>,
    /// None: it was a strategy's decision.
    played: Option<Played>,
}

impl Trial {
    /// The calls beside a flow's file.
    pub fn of_flow(file: &Path, only: Option<String>, verbose: bool) -> Self {
        Self { path: file.with_extension(FILE), only, verbose, json: false }
    }
}

impl Tried {
    /// Nothing was other than it must be.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    pub fn print(&self, verbose: bool) {
        let name = &self.name;
        if self.passed() {
            let took = self.played.as_ref().map_or_else(String::new, |played| {
                format!(" ({} imports, {:.1} s)", played.lines.len(), played.length.as_secs_f64())
            });
            println!("ok    {name}{took}");
        } else {
            println!("FAIL  {name} ({}:{})", self.file.display(), self.line);
            self.differences.iter().for_each(|told| println!("    {told}"));
        }
        if let Some(played) = self.played.as_ref().filter(|_| verbose || !self.passed()) {
            print_timeline(played);
        }
    }

    fn told(&self) -> Value {
        json!({
            "file": self.file.display().to_string(),
            "line": self.line,
            "name": self.name,
            "passed": self.passed(),
            "differences": self.differences,
            "lines": self.played.as_ref().map(|played| &played.lines),
            "ended": self.played.as_ref().and_then(|played| Some(&played.ended.as_ref()?.lines)),
            "outcome": self.played.as_ref().map(|played| played.outcome.name()),
        })
    }
}

/// Plays the calls of a file to the component that it is for.
pub(super) fn try_file(sandboxes: &Sandboxes, file: &Path, only: Option<&str>) -> Result<Vec<Tried>, Failed> {
    let text = std::fs::read_to_string(file).map_err(|why| Failed(format!("{}: {why}", file.display())))?;
    let read = scenario::read(file, &text).map_err(|mistakes| Failed(mistakes.to_string()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (name, bytes) = match read.script.as_deref() {
        Some(named) if named.starts_with("strowger/") => {
            let shipped = shipped::find(named);
            let shipped = shipped
                .ok_or_else(|| Failed(format!("{}: there is no script \"{named}\"", file.display())))?;
            (named.to_owned(), shipped.component.to_vec())
        }
        Some(named) => script::component(&folder.join(named))?,
        // NAME.calls.toml is for NAME.wasm where that stands beside it.
        None => {
            let beside = file.with_extension("").with_extension("wasm");
            script::component(if beside.is_file() { &beside } else { folder })?
        }
    };
    let version = Version::new(sandboxes.compile(&bytes)?);
    let (calls, decisions, changes) =
        (!read.calls.is_empty(), !read.decisions.is_empty(), !read.changes.is_empty());
    let (kind, has, fits) = match version.component().kind() {
        Kind::Call => ("a call script", "[[call]]", calls && !decisions && !changes),
        Kind::Strategy => ("a queue's strategy", "[[decision]]", decisions && !calls && !changes),
        Kind::Task => ("a task script", "[[change]]", changes && !calls && !decisions),
    };
    if !fits {
        return Err(Failed(format!("{name} is {kind}; {} must have {has} and nothing else", file.display())));
    }
    let mut tried = Vec::new();
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    for call in read.calls.iter().filter(|call| wanted(&call.name)) {
        let played = simulation::play(sandboxes, &version, &name, &call.scene)?;
        tried.push(Tried {
            file: file.to_owned(),
            line: call.line,
            name: call.name.clone(),
            differences: call.expect.differences(&played),
            played: Some(played),
        });
    }
    for (told, change) in read.changes.iter().filter(|(told, _)| wanted(&told.name)) {
        let played = simulation::tell(sandboxes, &version, &name, &told.scene, change)?;
        let mut differences = told.expect.differences(&played);
        if told.expect.ends.is_none()
            && let Some((why, _)) = words::failed(&played.finish)
        {
            differences.push(why);
        }
        tried.push(Tried {
            file: file.to_owned(),
            line: told.line,
            name: told.name.clone(),
            differences,
            played: Some(played),
        });
    }
    for decision in read.decisions.iter().filter(|decision| wanted(&decision.name)) {
        let limits = Limits { memory: ::script::limits::MEMORY_PYTHON, ..Limits::strategy() };
        let differences = match sandboxes.rank(&version, &decision.now, &limits) {
            Ok(decided) => decision.differences(&decided.answer),
            Err(finish) => vec![words::finish(&finish)],
        };
        tried.push(Tried {
            file: file.to_owned(),
            line: decision.line,
            name: decision.name.clone(),
            differences,
            played: None,
        });
    }
    Ok(tried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_that_are_shipped_do_what_their_files_of_calls_say() {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
        let sandboxes = script::sandboxes().expect("sandboxes for a test");
        let mut count = 0;
        for shipped in shipped::SHIPPED {
            let name = shipped.name.trim_start_matches("strowger/");
            let file = scripts.join(name).join(FILE);
            if !file.is_file() {
                continue;
            }
            let tried = try_file(&sandboxes, &file, None).unwrap_or_else(|Failed(why)| panic!("{why}"));
            for call in &tried {
                assert!(call.passed(), "{name}: {}: {:#?}", call.name, call.differences);
            }
            count += tried.len();
        }
        assert!(count >= 10, "only {count} calls were played");
    }

    #[test]
    fn a_strategys_decisions_are_compared_with_who_must_ring() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(FILE);
        let agents = "[[decision.agent]]\nname = \"ana\"\nsince_offered = 30\n[[decision.agent]]\nname = \"boris\"\nsince_offered = 90\n\
                      [[decision.agent]]\nname = \"vera\"\nstate = \"talking\"\n";
        let decision = |rings: &str| {
            format!("[[decision]]\nname = \"a\"\nwaiting = [\"+359888123456\"]\nrings = {rings}\n{agents}")
        };
        let text = format!(
            "script = \"strowger/queue-longest-idle\"\n{}{}",
            decision("[\"boris\"]"),
            decision("[\"ana\"]")
        );
        std::fs::write(&file, text).expect("a file");
        let sandboxes = script::sandboxes().expect("sandboxes for a test");
        let tried = try_file(&sandboxes, &file, None).unwrap_or_else(|Failed(why)| panic!("{why}"));
        let differences: Vec<_> = tried.iter().map(|tried| tried.differences.clone()).collect();
        assert_eq!(differences, [vec![], vec!["ana must ring, and boris do".to_owned()]]);
        std::fs::write(
            &file,
            "script = \"strowger/queue-longest-idle\"\n[[call]]\nname = \"a\"\n[call.expect]\nrings = []\n",
        )
        .expect("a file");
        let Err(Failed(why)) = try_file(&sandboxes, &file, None) else { panic!("a strategy takes no calls") };
        assert!(why.contains("must have [[decision]]"), "{why}");
    }
}
