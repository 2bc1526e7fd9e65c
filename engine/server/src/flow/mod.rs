//! Call flows as people write them: a file in TOML or JSON that says what `strowger/flow` does with a call, checked as a
//! whole, every mistake with its line, and made a version of a script: the code of `strowger/flow` that carries the flow.

mod graph;
mod position;

use std::fmt;

use script::sections;
use serde_json::Value;

use crate::misfits::{Misfit, Named};
use crate::shipped::{self, Names};
use position::Positions;

/// The shipped script that interprets flows.
pub const SCRIPT: &str = "strowger/flow";

/// A flow that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The settings of [`SCRIPT`]: a JSON object.
    pub settings: String,
    /// The recordings that it plays, each with the first line that does.
    pub recordings: Vec<(String, usize)>,
}

/// Something wrong in a flow's file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to write.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

/// Whether a file is a flow's and not a component's, by its name.
pub fn is_one(file: &std::path::Path) -> bool {
    file.extension().is_some_and(|extension| extension == "toml" || extension == "json")
}

/// Reads a flow's file. One that begins with "{" is JSON, any other TOML. `names`: what it may name.
///
/// # Errors
/// What is wrong, in the order of lines.
pub fn read(text: &str, names: &Names<'_>) -> Result<Flow, Vec<Mistake>> {
    if text.len() > sections::LONGEST_SETTINGS {
        let what =
            format!("a flow has at most {} bytes; this has {}", sections::LONGEST_SETTINGS, text.len());
        return Err(vec![Mistake { line: 1, column: 1, what }]);
    }
    let (value, positions) = position::read(text)?;
    let (misfits, named) = shipped::look_through(SCRIPT, &value, names);
    if misfits.is_empty() {
        let settings = value.to_string();
        return Ok(Flow { settings, recordings: recordings(&named, &positions) });
    }
    let mut mistakes: Vec<_> =
        misfits.into_iter().map(|misfit| positions.mistake(&misfit.place, misfit.why)).collect();
    mistakes.sort();
    Err(mistakes)
}

fn recordings(named: &[Named], positions: &Positions<'_>) -> Vec<(String, usize)> {
    let mut recordings: Vec<(String, usize)> = Vec::new();
    for prompt in named.iter().filter(|named| named.kind == "prompt") {
        recordings.push((prompt.name.clone(), positions.mistake(&prompt.place, String::new()).line));
    }
    recordings.sort_by_key(|(_, line)| *line);
    let mut known = std::collections::HashSet::new();
    recordings.retain(|(name, _)| known.insert(name.clone()));
    recordings
}

/// What is wrong with a flow besides what its schema says.
pub(crate) fn misfits(flow: &Value, named: &[Named]) -> Vec<Misfit> {
    graph::misfits(flow, named)
}

/// A version of a script that does what a flow says; `text`: as it was written.
pub fn component(flow: &Flow, text: &str) -> Vec<u8> {
    let code = shipped::find(SCRIPT).map_or(&[][..], |shipped| shipped.component);
    sections::carrying(code, &flow.settings, text)
}

/// The text that a component was made from by [`component`]; none when it was not.
pub fn text_of(component: &[u8]) -> Option<&str> {
    sections::carried(component).source
}

#[cfg(test)]
mod tests;
