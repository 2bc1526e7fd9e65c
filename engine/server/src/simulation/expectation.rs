//! What must happen in an imaginary call, and how what happened differs from it.

use std::fmt::Write as _;

use exchange::Outcome;
use script::Finish;

use super::Played;
use crate::words;

/// What must happen. In texts, "*" stands for anything; what is none or empty is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// These imports and no others, in order; `settings` and `log` are left out.
    pub imports: Option<Vec<String>>,
    /// These imports in this order.
    pub contains: Vec<String>,
    /// None of these imports.
    pub never: Vec<String>,
    /// The caller hears these in this order.
    pub plays: Vec<String>,
    /// These are rung and no others, in order.
    pub rings: Option<Vec<String>>,
    /// These speak with the caller and no others, in order.
    pub talks_with: Option<Vec<String>>,
    /// What comes of the call.
    pub outcome: Option<Outcome>,
    /// How the script ends: "returned", "hung-up", "failed", "trapped", "handed-over".
    pub ends: Option<String>,
    /// The script that goes on.
    pub hands_over: Option<String>,
    /// The call has these marks.
    pub tags: Vec<(String, String)>,
    /// These lines are logged in this order.
    pub logs: Vec<String>,
    /// These are told outside in this order: "ana: missed call*".
    pub notices: Vec<String>,
    /// The tenant's scripts remember these.
    pub remembers: Vec<(String, String)>,
    /// The number to which a transfer sends the caller on.
    pub goes_on_to: Option<String>,
    /// What `on-ended` does.
    pub ended: Option<Box<Expectation>>,
}

impl Expectation {
    /// Everything that is not as it must be, each in a few lines; empty when all is.
    pub fn differences(&self, played: &Played) -> Vec<String> {
        let mut found = Vec::new();
        let asked: Vec<&str> = played.lines.iter().map(|line| line.asked.as_str()).collect();
        if let Some(wanted) = &self.imports {
            let told: Vec<&str> = asked.iter().copied().filter(|line| !is_aside(line)).collect();
            found.extend(exactly("imports", wanted, &told));
        }
        found.extend(in_order("imports", &self.contains, &asked));
        for pattern in &self.never {
            let against = asked.iter().find(|line| fits(pattern, line));
            found.extend(against.map(|line| format!("never \"{pattern}\", and there was: {line}")));
        }
        let heard: Vec<&str> = played.heard.iter().map(String::as_str).collect();
        found.extend(in_order("plays", &self.plays, &heard));
        for (what, wanted, were) in
            [("rings", &self.rings, &played.rung), ("talks_with", &self.talks_with, &played.talked)]
        {
            let were: Vec<&str> = were.iter().map(String::as_str).collect();
            found.extend(wanted.as_ref().and_then(|wanted| exactly(what, wanted, &were)));
        }
        if let Some(outcome) = self.outcome.filter(|outcome| *outcome != played.outcome) {
            found.push(format!("outcome: {}, and it was {}", outcome.name(), played.outcome.name()));
        }
        let ended = words::finish(&played.finish);
        if let Some(ends) = self.ends.as_deref().filter(|ends| *ends != end(&played.finish)) {
            found.push(format!("ends: {ends}, and it was {}: {ended}", end(&played.finish)));
        }
        if let Some(wanted) = &self.hands_over
            && !matches!(&played.finish, Finish::HandedOver { script, .. } if script == wanted)
        {
            found.push(format!("hands_over: {wanted}, and it was: {ended}"));
        }
        for (key, wanted) in &self.tags {
            match played.tags.iter().find(|(known, _)| known == key) {
                Some((_, value)) if fits(wanted, value) => {}
                Some((_, value)) => found.push(format!("tags: {key} = \"{wanted}\", and it was \"{value}\"")),
                None => found.push(format!("tags: {key} = \"{wanted}\", and there was no {key}")),
            }
        }
        for (what, wanted, were) in
            [("logs", &self.logs, &played.logs), ("notices", &self.notices, &played.notices)]
        {
            let were: Vec<&str> = were.iter().map(String::as_str).collect();
            found.extend(in_order(what, wanted, &were));
        }
        for (key, wanted) in &self.remembers {
            match played.kept.get(key).map(|value| String::from_utf8_lossy(value)) {
                Some(value) if fits(wanted, &value) => {}
                Some(value) => found.push(format!("remembers: {key} = \"{wanted}\", and it was \"{value}\"")),
                None => found.push(format!("remembers: {key} = \"{wanted}\", and there was no {key}")),
            }
        }
        if let Some(wanted) =
            self.goes_on_to.as_ref().filter(|wanted| played.goes_on_to.as_ref() != Some(wanted))
        {
            let went = played.goes_on_to.as_deref().unwrap_or("nowhere");
            found.push(format!("goes_on_to: {wanted}, and it was {went}"));
        }
        found.extend(self.after(played).into_iter().map(|told| format!("on-ended: {told}")));
        found
    }

    /// What is not as it must be in `on-ended`; that it fails where nothing is expected of it, at least.
    fn after(&self, played: &Played) -> Vec<String> {
        match (&self.ended, &played.ended) {
            (Some(expect), Some(ended)) => expect.differences(ended),
            (Some(_), None) => vec!["it is not run, because the call goes on elsewhere".to_owned()],
            (None, Some(ended)) if end(&ended.finish) != "returned" => vec![words::finish(&ended.finish)],
            (None, _) => Vec::new(),
        }
    }
}

/// Imports that decide nothing outside, and that a list of imports does not name.
fn is_aside(asked: &str) -> bool {
    asked == "settings" || asked.starts_with("log: ")
}

fn end(finish: &Finish) -> &'static str {
    match finish {
        Finish::Returned => "returned",
        Finish::HungUp => "hung-up",
        Finish::Failed(_) => "failed",
        Finish::Trapped { .. } | Finish::NoRoom | Finish::Suspended => "trapped",
        Finish::HandedOver { .. } => "handed-over",
    }
}

/// Whether a text is of this pattern, in which "*" stands for anything.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(begin) else { return false };
    // The shortest that "*" can stand for, then longer ones.
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
}

/// These, in this order, among others.
fn in_order(what: &str, wanted: &[String], were: &[&str]) -> Option<String> {
    let mut left = were.iter();
    let missing = wanted.iter().find(|pattern| !left.any(|text| fits(pattern, text)))?;
    let behind = wanted.iter().take_while(|pattern| pattern != &missing).last();
    let place = behind.map_or(String::new(), |behind| format!(" after \"{behind}\""));
    let all = if were.is_empty() { "nothing".to_owned() } else { were.join("\n      ") };
    Some(format!("{what}: there is no \"{missing}\"{place}; there was\n      {all}"))
}

/// These and no others: "-" is missing, "+" was not expected.
fn exactly(what: &str, wanted: &[String], were: &[&str]) -> Option<String> {
    if wanted.len() == were.len() && wanted.iter().zip(were).all(|(pattern, text)| fits(pattern, text)) {
        return None;
    }
    let mut told = format!("{what}: \"-\" was expected, \"+\" happened");
    // The longest common row: `longest[i][j]` of what is left behind i wanted and j that were.
    let mut longest = vec![vec![0_usize; were.len() + 1]; wanted.len() + 1];
    for i in (0..wanted.len()).rev() {
        for j in (0..were.len()).rev() {
            longest[i][j] = match fits(&wanted[i], were[j]) {
                true => 1 + longest[i + 1][j + 1],
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < wanted.len() || j < were.len() {
        // Writing to a string can't fail.
        let _ = match (wanted.get(i), were.get(j)) {
            (Some(pattern), Some(text)) if fits(pattern, text) => {
                (i, j) = (i + 1, j + 1);
                write!(told, "\n        {text}")
            }
            (Some(pattern), text) if text.is_none() || longest[i + 1][j] >= longest[i][j + 1] => {
                i += 1;
                write!(told, "\n      - {pattern}")
            }
            (_, Some(text)) => {
                j += 1;
                write!(told, "\n      + {text}")
            }
            (_, None) => break,
        };
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::timeline::Line;

    fn played(asked: &[&str]) -> Played {
        let line =
            |asked: &&str| Line { at: 0.0, asked: (*asked).to_owned(), answered: None, took: 0.0, cpu: 0.0 };
        Played {
            lines: asked.iter().map(line).collect(),
            finish: Finish::Returned,
            outcome: Outcome::Answered,
            length: Duration::ZERO,
            cpu: Duration::ZERO,
            heard: vec!["welcome".to_owned(), "menu".to_owned()],
            rung: vec!["ana".to_owned()],
            talked: Vec::new(),
            tags: vec![("wants".to_owned(), "sales".to_owned())],
            logs: Vec::new(),
            notices: vec!["ana: missed call\nfrom +359888123456".to_owned()],
            kept: [("last".to_owned(), b"+359888123456".to_vec())].into(),
            goes_on_to: None,
            ended: None,
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, is) in [
            ("play welcome", "play welcome", true),
            ("play *", "play welcome, menu", true),
            ("*menu", "play welcome, menu", true),
            ("dial * for 20 s", "dial user:ana for 20 s", true),
            ("dial * for 20 s", "dial user:ana for 30 s", false),
            ("play", "play welcome", false),
            ("*é*", "café au lait", true),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_thing_that_differs_is_shown_where_it_stands() {
        let played = played(&["settings", "answer", "play day", "dial user:ana for 20 s", "log: done"]);
        let wanted =
            |imports: &[&str]| Expectation { imports: Some(texts(imports)), ..Expectation::default() };
        assert!(wanted(&["answer", "play *", "dial user:ana*"]).differences(&played).is_empty());
        assert_eq!(
            wanted(&["answer", "play night", "dial user:ana*"]).differences(&played),
            ["imports: \"-\" was expected, \"+\" happened\n        answer\n      - play night\n      \
              + play day\n        dial user:ana for 20 s"]
        );
    }

    #[test]
    fn everything_that_is_not_as_it_must_be_is_told() {
        let expect = Expectation {
            contains: texts(&["play day", "answer"]),
            never: texts(&["dial *"]),
            plays: texts(&["menu"]),
            rings: Some(texts(&["boris"])),
            outcome: Some(Outcome::Missed),
            ends: Some("hung-up".to_owned()),
            hands_over: Some("strowger/ring".to_owned()),
            tags: vec![("wants".to_owned(), "help".to_owned()), ("vip".to_owned(), "*".to_owned())],
            ..Expectation::default()
        };
        let found = expect.differences(&played(&["answer", "play day", "dial user:ana for 20 s"]));
        let begins: Vec<_> = found.iter().map(|told| told.split([':', ' ']).next().unwrap_or("")).collect();
        assert_eq!(begins, ["imports", "never", "rings", "outcome", "ends", "hands_over", "tags", "tags"]);
        assert!(found[0].starts_with("imports: there is no \"answer\" after \"play day\""), "{}", found[0]);
    }

    #[test]
    fn what_on_ended_does_is_told_apart_and_that_it_fails_always() {
        let after = Expectation {
            notices: texts(&["ana: missed call*"]),
            remembers: vec![("last".to_owned(), "+3598*".to_owned()), ("first".to_owned(), "*".to_owned())],
            ..Expectation::default()
        };
        let expect = Expectation { ended: Some(Box::new(after)), ..Expectation::default() };
        let mut call = played(&["answer"]);
        assert_eq!(
            expect.differences(&call),
            ["on-ended: it is not run, because the call goes on elsewhere"]
        );
        call.ended = Some(Box::new(played(&["notify ana: missed call"])));
        assert_eq!(expect.differences(&call), ["on-ended: remembers: first = \"*\", and there was no first"]);
        assert!(Expectation::default().differences(&call).is_empty());
        let failed = Finish::Failed(exchange::Failure::NotFound("box".to_owned()));
        call.ended = Some(Box::new(Played { finish: failed, ..played(&[]) }));
        let told = Expectation::default().differences(&call);
        assert!(told.len() == 1 && told[0].starts_with("on-ended: ") && told[0].contains("box"), "{told:?}");
    }
}
