//! The steps of a flow as a whole: do those exist that are named, can each be reached, does a caller have a say before
//! the flow comes round, and is what stands in braces known? Only steps that are written as the schema says are looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::section::hint;
use crate::misfits::{Misfit, Named, escaped, unescaped};

/// What a call waits in until somebody does something: a flow may come round through these.
const WAITS: [&str; 5] = ["menu", "gather", "ring", "transfer", "queue"];
/// What is known of every call; below "contact", "value" and "tag" is more.
const KNOWN: [&str; 6] = ["caller", "caller_name", "dialled", "language", "scheme", "user"];
/// What has names below it.
const BELOW: [&str; 3] = ["contact", "value", "tag"];
/// Steps whose settings are another script's, with braces of its own.
const OF_OTHERS: [&str; 2] = ["voicemail", "hand_over"];
/// Where a flow begins unless it says.
const START: &str = "start";

/// What is wrong with the flow as a whole; `named`: what it names.
pub(super) fn misfits(flow: &Value, named: &[Named]) -> Vec<Misfit> {
    let nothing = Map::new();
    let steps = flow["steps"].as_object().unwrap_or(&nothing);
    let mut found = Vec::new();
    let exists = |name: &str| steps.contains_key(name);
    let all = || steps.keys().map(String::as_str);
    for step in named.iter().filter(|named| named.kind == "step" && !exists(&named.name)) {
        let why = format!("there is no step \"{}\"; {}", step.name, hint(&step.name, all()));
        found.push(Misfit { place: step.place.clone(), why });
    }
    let start = flow["start"].as_str().unwrap_or(START);
    if flow.get("start").is_none() && !steps.is_empty() && !exists(start) {
        let why =
            format!("no step is named \"{START}\"; write start = \"...\", the step that a call begins with");
        found.push(Misfit { place: String::new(), why });
    }
    // What a wrong name was to lead to is not known.
    if found.is_empty() {
        ways(start, steps, named, &mut found);
    }
    let mut names: BTreeSet<&str> = KNOWN.into();
    names.extend(named.iter().filter(|named| named.kind == "new-name").map(|named| named.name.as_str()));
    for (name, step) in steps {
        let others = OF_OTHERS.iter().any(|key| step.get(key).is_some());
        if !others {
            braces(step, &place(name), &names, &mut found);
        }
        for (n, case) in step["choose"].as_array().into_iter().flatten().enumerate() {
            for condition in case["is"].as_object().into_iter().flat_map(Map::keys) {
                if !is_known(condition, &names) {
                    let place = format!("{}/choose/{n}/is/{}", place(name), escaped(condition));
                    found.push(unknown(place, condition, &names));
                }
            }
        }
    }
    found
}

/// Steps that no step leads to, and a round that nobody can leave.
fn ways(start: &str, steps: &Map<String, Value>, named: &[Named], found: &mut Vec<Misfit>) {
    let leads = leads(named);
    let reached = reached(start, &leads);
    for step in steps.keys().map(String::as_str).filter(|step| !reached.contains(step)) {
        let why = format!("no step leads to \"{step}\"; name it in one that does, or leave it out");
        found.push(Misfit { place: place(step), why });
    }
    if let Some(round) = round(steps, &leads) {
        let why = format!(
            "{} goes round without anybody having a say; lead it through a menu, or end it",
            round.join(" -> ")
        );
        found.push(Misfit { place: place(round[0]), why });
    }
}

fn place(step: &str) -> String {
    format!("/steps/{}", escaped(step))
}

/// Where each step leads.
fn leads(named: &[Named]) -> BTreeMap<String, Vec<&str>> {
    let mut leads: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for to in named.iter().filter(|named| named.kind == "step") {
        let mut parts = to.place.split('/').skip(1);
        if parts.next() == Some("steps")
            && let Some(from) = parts.next()
        {
            leads.entry(unescaped(from)).or_default().push(&to.name);
        }
    }
    leads
}

fn reached<'a>(start: &'a str, leads: &BTreeMap<String, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::from([start]);
    let mut ahead = vec![start];
    while let Some(step) = ahead.pop() {
        ahead.extend(leads.get(step).into_iter().flatten().filter(|next| reached.insert(next)));
    }
    reached
}

/// Steps that lead to each other and wait for nobody; the first such, from its first step back to that.
fn round<'a>(steps: &'a Map<String, Value>, leads: &BTreeMap<String, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let waits =
        |step: &str| steps.get(step).is_none_or(|step| WAITS.iter().any(|key| step.get(key).is_some()));
    let mut done = BTreeSet::new();
    for (start, _) in steps {
        // Depth first, with the way here on a stack of its own: (step, how many of its leads were looked at).
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((step, looked)) = way.last_mut() {
            let step = *step;
            let next = if waits(step) || done.contains(step) {
                None
            } else {
                leads.get(step).and_then(|leads| leads.get(*looked)).copied()
            };
            *looked += 1;
            match next {
                None => {
                    done.insert(step);
                    way.pop();
                }
                Some(next) if waits(next) => {}
                Some(next) => {
                    if let Some(begin) = way.iter().position(|(step, _)| *step == next) {
                        return Some(way[begin..].iter().map(|(step, _)| *step).chain([next]).collect());
                    }
                    way.push((next, 0));
                }
            }
        }
    }
    None
}

/// What stands in braces anywhere in a step, and is nothing that is known.
fn braces(value: &Value, place: &str, names: &BTreeSet<&str>, found: &mut Vec<Misfit>) {
    match value {
        Value::String(text) => {
            let inner = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            for (name, _) in
                inner.map(|(name, rest)| (name.trim(), rest)).filter(|(name, _)| !is_known(name, names))
            {
                found.push(unknown(place.to_owned(), name, names));
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(n, item)| braces(item, &format!("{place}/{n}"), names, found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, field)| {
                braces(field, &format!("{place}/{}", escaped(key)), names, found);
            });
        }
        _ => {}
    }
}

fn is_known(name: &str, names: &BTreeSet<&str>) -> bool {
    names.contains(name) || BELOW.contains(&name.split('.').next().unwrap_or(name))
}

fn unknown(place: String, name: &str, names: &BTreeSet<&str>) -> Misfit {
    let below = BELOW.map(|name| format!("{name}.NAME"));
    let hint = hint(name, names.iter().copied().chain(below.iter().map(String::as_str)));
    Misfit { place, why: format!("nothing is known as \"{name}\" here; {hint}, or gather it first") }
}
