//! `sip ladder`: who sent what to whom, on one time axis.

use std::process::ExitCode;

use clap::Args;

use super::api::{Api, escaped};
use super::{Failed, Remote};
use crate::shards::Rung;

/// Narrower columns than this hide what is written on the arrows.
const LEAST_WIDTH: usize = 24;

/// Longer words are cut.
const LONGEST: usize = 60;

#[derive(Args)]
pub(super) struct Ladder {
    /// The call
    call_id: String,
    #[command(flatten)]
    remote: Remote,
    /// Print the rungs as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(ladder: &Ladder) -> Result<ExitCode, Failed> {
    let api = Api::new(&ladder.remote)?;
    let answer = api.get(&format!("{}/calls/{}/ladder", api.tenant()?, escaped(&ladder.call_id)))?;
    if ladder.json {
        println!("{answer:#}");
    } else {
        let rungs: Vec<Rung> = serde_json::from_value(answer["rungs"].clone())?;
        print!("{}", draw(&rungs));
    }
    Ok(ExitCode::SUCCESS)
}

/// Columns in the order in which they appear, the exchange's own beside each other; time counts in
/// seconds from the first rung.
fn draw(rungs: &[Rung]) -> String {
    let mut places: Vec<&str> = Vec::new();
    for place in rungs.iter().flat_map(|rung| [rung.from.as_str(), &rung.to]) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let longest = |rung: &Rung| shortened(&rung.what).chars().count() + 4;
    let width = rungs.iter().filter(|r| r.from != r.to).map(longest).max().unwrap_or(0).max(LEAST_WIDTH);
    let mut text = " ".repeat(10);
    for place in &places {
        text.push_str(&format!("{place:<width$}"));
    }
    let mut text = text.trim_end().to_owned() + "\n";
    let began = rungs.first().map_or(0.0, |rung| rung.at);
    for rung in rungs {
        let column = |place: &str| places.iter().position(|p| *p == place).unwrap_or(0);
        let (from, to) = (column(&rung.from), column(&rung.to));
        let mut line: Vec<char> =
            (0..places.len() * width).map(|n| if n % width == 0 { '|' } else { ' ' }).collect();
        let what = shortened(&rung.what);
        if from == to {
            let start = from * width + 2;
            line.truncate(start);
            line.extend(what.chars());
        } else {
            let (left, right) = (from.min(to) * width, from.max(to) * width);
            line[left + 1..right].fill('-');
            let middle = (left + right + 1).saturating_sub(what.chars().count()) / 2;
            for (n, letter) in what.chars().enumerate() {
                line[middle + n] = letter;
            }
            line[if to > from { right - 1 } else { left + 1 }] = if to > from { '>' } else { '<' };
        }
        let line: String = line.into_iter().collect();
        text.push_str(&format!("{:>8.3}  {}\n", rung.at - began, line.trim_end()));
    }
    text
}

fn shortened(what: &str) -> String {
    let plain = what.chars().map(|c| if c.is_control() { ' ' } else { c });
    match what.chars().count() {
        n if n > LONGEST => plain.take(LONGEST - 1).chain(['…']).collect(),
        _ => plain.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_at_who_received() {
        let rung = |at, from: &str, to: &str, what: &str| Rung {
            at,
            from: from.to_owned(),
            to: to.to_owned(),
            what: what.to_owned(),
        };
        let drawn = draw(&[
            rung(100.0, "ana", "exchange", "INVITE"),
            rung(100.25, "exchange", "exchange", "script: dial boris"),
            rung(100.5, "exchange", "boris", "INVITE"),
            rung(101.0, "boris", "exchange", "200 OK"),
        ]);
        let expected = "          ana                     exchange                boris
   0.000  |--------INVITE-------->|                       |
   0.250  |                       | script: dial boris
   0.500  |                       |--------INVITE-------->|
   1.000  |                       |<-------200 OK---------|
";
        assert_eq!(drawn, expected);
    }
}
