//! What became of a call in its queue: told as events, kept on the call's tape, and drawn on its ladder, which reads it
//! from there.

use exchange::CallId;
use script::{Fact, Tape};
use store::{StoreError, layout};

use crate::archive;
use crate::node::Node;
use crate::shards::Rung;

/// Bytes of facts on one call's tape, some two thousand of them; the last one says that further ones are left out.
const MOST_BYTES: usize = 256 << 10;
/// That one's kind.
const LEFT_OUT: &str = "facts.left-out";
/// Of a version's hash, enough to know it by.
const SHORT_HASH: usize = 8;

/// The facts of a call that is up.
#[derive(Default)]
pub struct Facts {
    told: Vec<Fact>,
    bytes: usize,
    /// So many are in the journal.
    kept: usize,
}

impl Facts {
    /// Those of a call that is taken up, which the journal has.
    pub fn restored(told: Vec<Fact>) -> Self {
        Self { bytes: told.iter().map(|fact| fact.entry().len()).sum(), kept: told.len(), told }
    }

    /// Adds one, as long as there is room.
    pub fn add(&mut self, fact: Fact) {
        if self.bytes >= MOST_BYTES {
            return;
        }
        self.bytes += fact.entry().len();
        self.told.push(match self.bytes {
            n if n < MOST_BYTES => fact,
            _ => Fact { kind: LEFT_OUT.to_owned(), about: Vec::new(), ..fact },
        });
    }

    /// Puts those into the journal that are not there yet. For calls that end with [`archive::seal`] only, which takes
    /// them out again.
    pub fn keep(&mut self, node: &Node, tenant: &str, call: CallId) {
        let new = &self.told[self.kept..];
        self.kept = self.told.len();
        if !new.is_empty()
            && let Err(why) = archive::gather(node, tenant, call, &entries(new))
        {
            tracing::warn!(%call, %why, "facts of the queue not written; a crash would lose them");
        }
    }

    /// As they stand on the tape.
    pub fn entries(&self) -> Vec<u8> {
        entries(&self.told)
    }

    /// The last queue that the caller was in; empty for one who was in none.
    pub fn queue(&self) -> &str {
        queue_of(&self.told)
    }

    /// As they stand on the ladder.
    pub fn rungs(&self) -> impl Iterator<Item = Rung> {
        self.told.iter().filter_map(rung)
    }
}

/// The last queue that a call's facts speak of.
pub fn queue_of(facts: &[Fact]) -> &str {
    let entered = facts.iter().rev().find(|fact| fact.kind == "queue.entered");
    let queue = entered.and_then(|fact| fact.about.iter().find(|(name, _)| name == "queue"));
    queue.map_or("", |(_, queue)| queue)
}

fn entries(facts: &[Fact]) -> Vec<u8> {
    facts.iter().flat_map(Fact::entry).collect()
}

/// The call that an event is about, and what its tape says of it; none for what is not about one call.
pub fn of_event(at: f64, kind: &str, about: &[(&str, String)]) -> Option<(CallId, Fact)> {
    let (_, call) = about.iter().find(|(name, _)| *name == "call")?;
    let about = about.iter().filter(|(name, _)| *name != "call");
    let about = about.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Some((call.parse().ok()?, Fact { at, kind: kind.to_owned(), about }))
}

/// The ladder of a call that is over: what was drawn while it was up, and the facts on its tape.
pub fn ladder(node: &Node, tenant: &str, call: CallId) -> Result<Option<Vec<Rung>>, StoreError> {
    let drawn = archive::ladder(node, tenant, call)?;
    let tape = layout::tape(&node.store, tenant, call.0)?;
    let facts = tape.and_then(|tape| Tape::read(&tape).ok()).map_or(Vec::new(), |tape| tape.facts);
    let told: Vec<Rung> = facts.iter().filter_map(rung).collect();
    Ok(match drawn {
        None if told.is_empty() => None,
        drawn => Some(in_order(drawn.unwrap_or_default(), told)),
    })
}

/// Rungs on one time axis.
pub fn in_order(mut rungs: Vec<Rung>, told: impl IntoIterator<Item = Rung>) -> Vec<Rung> {
    rungs.extend(told);
    rungs.sort_by(|a, b| a.at.total_cmp(&b.at));
    rungs
}

/// What a ladder says of a fact, in the queue's own column.
fn rung(fact: &Fact) -> Option<Rung> {
    let of = |name: &str| value(fact, name).unwrap_or_default();
    let what = match fact.kind.as_str() {
        "queue.entered" => format!("enters, number {} in line{}", of("position"), decided_by(fact)),
        "queue.refused" => format!("may not wait: {}{}", of("reason"), decided_by(fact)),
        "queue.offered" => format!("{} to ring{}", of("agents"), decided_by(fact)),
        "queue.missed" => format!("{} missed it: {}", of("agent"), of("reason")),
        "queue.announced" => format!("hears {}{}", of("say"), decided_by(fact)),
        "queue.key" => format!("key {}: {}{}", of("key"), of("action"), decided_by(fact)),
        "queue.connected" => {
            let instead = value(fact, "rang").map(|rang| format!(", picked up from {rang}"));
            format!("{} answered after {} s{}", of("agent"), of("waited"), instead.unwrap_or_default())
        }
        "queue.call-back" => format!("{} will be called back", of("number")),
        "queue.called-back" => format!("called back by {} after {} s", of("agent"), of("waited")),
        "queue.left" => format!("leaves after {} s: {}", of("waited"), of("reason")),
        LEFT_OUT => "further ones are left out".to_owned(),
        _ => return None,
    };
    let column = format!("queue {}", of("queue")).trim_end().to_owned();
    Some(Rung { at: fact.at, from: column.clone(), to: column, what })
}

/// The strategy and its version, and among how many it chose.
fn decided_by(fact: &Fact) -> String {
    let Some(strategy) = value(fact, "strategy") else { return String::new() };
    let version = value(fact, "version")
        .map_or(String::new(), |hash| format!(" {}", hash.get(..SHORT_HASH).unwrap_or(hash)));
    let among = match (value(fact, "free"), value(fact, "waiting")) {
        (Some(free), Some(waiting)) => format!(", {free} free, {waiting} waiting"),
        _ => String::new(),
    };
    format!(" (by {strategy}{version}{among})")
}

fn value<'f>(fact: &'f Fact, name: &str) -> Option<&'f str> {
    fact.about.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(at: f64, kind: &str, about: &[(&str, &str)]) -> Fact {
        let about = about.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Fact { at, kind: kind.to_owned(), about }
    }

    #[test]
    fn an_event_about_a_call_is_a_fact_of_that_call_and_others_are_of_none() {
        let call = CallId::new(1_795_000_000_000, 7);
        let about = [("queue", "sales".to_owned()), ("call", call.to_string()), ("agent", "ana".to_owned())];
        let expected = fact(5.0, "queue.missed", &[("queue", "sales"), ("agent", "ana")]);
        assert_eq!(of_event(5.0, "queue.missed", &about), Some((call, expected)));
        assert_eq!(of_event(5.0, "agent.state", &[("agent", "ana".to_owned())]), None);
    }

    #[test]
    fn a_ladder_says_who_was_rung_and_who_decided_so() {
        let offered = fact(
            5.0,
            "queue.offered",
            &[
                ("queue", "sales"),
                ("agents", "ana, boris"),
                ("strategy", "strowger/queue-random"),
                ("version", "0123456789abcdef"),
                ("free", "3"),
                ("waiting", "2"),
            ],
        );
        let drawn = rung(&offered).unwrap();
        assert_eq!(drawn.what, "ana, boris to ring (by strowger/queue-random 01234567, 3 free, 2 waiting)");
        assert_eq!((drawn.at, drawn.from.as_str(), drawn.to.as_str()), (5.0, "queue sales", "queue sales"));
        let missed = fact(6.0, "queue.missed", &[("queue", "sales"), ("agent", "ana"), ("reason", "busy")]);
        assert_eq!(rung(&missed).unwrap().what, "ana missed it: busy");
        assert_eq!(rung(&fact(6.0, "something.new", &[])), None, "what is not understood is not drawn");
    }

    #[test]
    fn a_call_s_facts_have_a_bound_and_say_when_it_is_reached() {
        let mut facts = Facts::default();
        let long = "x".repeat(1000);
        for n in 0..1000 {
            facts.add(fact(f64::from(n), "queue.announced", &[("queue", "sales"), ("say", &long)]));
        }
        assert!(facts.entries().len() <= MOST_BYTES);
        let rungs: Vec<_> = facts.rungs().collect();
        assert!(rungs.len() > 200, "{}", rungs.len());
        assert_eq!(rungs.last().unwrap().what, "further ones are left out");
        assert_eq!(rungs.iter().filter(|rung| rung.what == "further ones are left out").count(), 1);
    }
}
