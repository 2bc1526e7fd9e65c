//! Questions to strategies: when one is asked, what its answer does, and what happens without one. One
//! ranking of a queue is under way at a time, and one among queues that share agents, the heaviest
//! first. A strategy that fails or answers too late has longest-idle take that decision.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agent::Name;
use super::decision::{About, Decided, Question};
use super::floor::{Admitted, Due, Floor, Moment, Order, Room};
use super::place::{Place, PlaceId, Stage};
use super::snapshot::Shown;
use super::{DECISION_TIME, Leaving};
use crate::effect::Effect;
use crate::strategy::{Admission, Announcement, KeyAction, Snapshot};
use crate::verb::{CallId, Prompt};

/// Rankings of others after which a queue is asked whatever its weight.
const MOST_PASSED_OVER: u8 = 8;
/// The soonest that a strategy can ask for an announcement again.
const LEAST_AGAIN: Duration = Duration::from_secs(1);

/// How the engine's own decision is named.
const LONGEST_IDLE: &str = "longest-idle";
/// Why an answer of the wrong kind is none.
const ANOTHER: &str = "it answered another question";

/// What was asked about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Admit(PlaceId),
    Rank,
    Length(PlaceId),
    Words(PlaceId),
    Key(PlaceId, char),
}

/// A question under way.
pub(super) struct Asked {
    pub tenant: Name,
    pub queue: Name,
    pub strategy: String,
    /// Of the strategy, once it is known.
    pub version: Option<String>,
    pub kind: Kind,
    pub snapshot: Arc<Snapshot>,
    /// The callers of the snapshot.
    pub ids: Arc<[PlaceId]>,
    due: Instant,
}

impl Asked {
    /// Who decided, for those who ask why.
    pub fn decided_by(&self) -> Vec<(&'static str, String)> {
        let mut by = vec![("strategy", self.strategy.clone())];
        by.extend(self.version.clone().map(|version| ("version", version)));
        by
    }
}

impl Floor {
    /// Which version of its strategy answers a question.
    pub fn set_version(&mut self, ticket: u64, version: &str) {
        if let Some(asked) = self.tickets.get_mut(&ticket) {
            asked.version = Some(version.into());
        }
    }

    /// Asks the queue's strategy. Answers false if there is nothing to ask about any more.
    pub(super) fn ask(&mut self, tenant: &Name, queue: &Name, kind: Kind, m: &mut Moment) -> bool {
        let shown = match kind {
            Kind::Admit(id) => self.snapshot(tenant, queue, Some(id), m),
            Kind::Rank => self.snapshot(tenant, queue, None, m),
            // Nothing is offered by these.
            Kind::Length(id) | Kind::Words(id) | Kind::Key(id, _) => {
                self.recent_snapshot(tenant, queue, id, m)
            }
        };
        let Some(Shown { snapshot, ids }) = shown else { return false };
        let who = |id: PlaceId| ids.iter().position(|known| *known == id);
        let about = match kind {
            Kind::Admit(id) => who(id).map(|who| About::Admit { who }),
            Kind::Rank => Some(About::Rank),
            Kind::Length(id) => who(id).map(|who| About::ExpectedWait { who }),
            Kind::Words(id) => {
                let said = self.places.get(&id).and_then(|place| place.said);
                let said = said.map_or(Duration::ZERO, |said| m.now.saturating_duration_since(said));
                who(id).map(|who| About::Announce { who, said })
            }
            Kind::Key(id, key) => who(id).map(|who| About::OnDigit { who, key }),
        };
        let Some(about) = about else { return false };
        let ticket = self.next_id();
        let Some(line) = self.line_mut(tenant, queue) else { return false };
        if kind == Kind::Rank {
            line.ranking = Some(ticket);
            line.dirty = false;
            line.passed_over = 0;
        }
        let strategy = line.plan.strategy.clone();
        let due = m.now + DECISION_TIME;
        m.out.push(Effect::Decide {
            ticket,
            tenant: tenant.to_string(),
            queue: queue.to_string(),
            strategy: strategy.clone(),
            question: Question { snapshot: snapshot.clone(), about },
        });
        self.timers.push(Reverse((due, Due::Ticket(ticket))));
        let (tenant, queue) = (tenant.clone(), queue.clone());
        self.tickets
            .insert(ticket, Asked { tenant, queue, strategy, version: None, kind, snapshot, ids, due });
        true
    }

    pub(super) fn ask_words(&mut self, id: PlaceId, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        place.announce_at = None;
        place.asking_words = true;
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let asked = self.ask(&tenant, &queue, Kind::Words(id), m);
        if let Some(place) = self.places.get_mut(&id) {
            place.asking_words = asked;
            place.said = Some(m.now);
        }
    }

    pub(super) fn ask_key(&mut self, id: PlaceId, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        if place.asking_key || !place.is_waiting() {
            return;
        }
        let Some(key) = place.keys.pop_front() else { return };
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let asked = self.ask(&tenant, &queue, Kind::Key(id, key), m);
        if let Some(place) = self.places.get_mut(&id) {
            place.asking_key = asked;
        }
    }

    /// No answer in time.
    pub(super) fn handle_late(&mut self, ticket: u64, m: &mut Moment) {
        if self.tickets.get(&ticket).is_some_and(|asked| asked.due <= m.now) {
            self.handle_decision(ticket, Err("no answer in time".into()), m);
        }
    }

    /// The strategy's answer, or why there is none.
    pub fn handle_decision(&mut self, ticket: u64, answer: Result<Decided, String>, m: &mut Moment) {
        let Some(asked) = self.tickets.remove(&ticket) else { return };
        match asked.kind {
            Kind::Admit(id) => {
                let pick = |decided| match decided {
                    Decided::Admission(admission) => Some(admission),
                    _ => None,
                };
                let admission = or_tell(answer, pick, &asked, m).unwrap_or(Admission::ComeIn);
                self.admit(id, admission, &asked, m);
            }
            Kind::Rank => {
                if let Some(line) = self.line_mut(&asked.tenant, &asked.queue)
                    && line.ranking == Some(ticket)
                {
                    line.ranking = None;
                    self.stirred.insert(asked.tenant.clone());
                }
                match answer {
                    Ok(Decided::Ranking(ranking)) => self.apply(ranking, &asked, m),
                    Ok(_) => self.fall_back(ANOTHER, &asked, m),
                    Err(why) => self.fall_back(&why, &asked, m),
                }
            }
            Kind::Length(id) => {
                let pick = |decided| match decided {
                    Decided::Length(length) => Some(length),
                    _ => None,
                };
                let who = asked.ids.iter().position(|known| *known == id);
                let own = who.and_then(|who| asked.snapshot.waiting[who].expected);
                let length = or_tell(answer, pick, &asked, m).unwrap_or(own);
                if let Some(call) = self.places.get(&id).and_then(|place| place.call) {
                    self.orders.push_back((call, id, Order::Tell(length)));
                }
            }
            Kind::Words(id) => {
                let pick = |decided| match decided {
                    Decided::Announcement(words) => Some(words),
                    _ => None,
                };
                let words = or_tell(answer, pick, &asked, m).unwrap_or_default();
                self.announce(id, words, &asked, m);
            }
            Kind::Key(id, key) => {
                let pick = |decided| match decided {
                    Decided::KeyAction(action) => Some(action),
                    _ => None,
                };
                let action = or_tell(answer, pick, &asked, m).unwrap_or(KeyAction::Pass);
                let Some(place) = self.places.get_mut(&id) else { return };
                place.asking_key = false;
                if let Some(call) = place.call.filter(|_| place.is_waiting()) {
                    let (does, order) = match action {
                        KeyAction::Pass => ("nothing".to_owned(), None),
                        KeyAction::Say(what) => (format!("say {}", heard(&what)), Some(Order::Say(what))),
                        KeyAction::Ask(word) => (format!("ask for {word}"), Some(Order::Ask(word))),
                    };
                    let mut about = about_caller(place, call);
                    about.extend([("key", key.to_string()), ("action", does)]);
                    about.extend(asked.decided_by());
                    m.tell(&asked.tenant, "queue.key", about);
                    self.orders.extend(order.map(|order| (call, id, order)));
                }
                self.ask_key(id, m);
            }
        }
    }

    /// Longest-idle takes the decision.
    pub(super) fn fall_back(&mut self, why: &str, asked: &Asked, m: &mut Moment) {
        tell_failure(asked, why, m);
        let by = [("strategy", LONGEST_IDLE.into()), ("in-place-of", asked.strategy.clone())];
        self.longest_idle(&asked.tenant, &asked.queue, &by, m);
    }

    fn admit(&mut self, id: PlaceId, admission: Admission, asked: &Asked, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let Some(call) = place.call else { return };
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let mut about = about_caller(place, call);
        about.extend(asked.decided_by());
        match admission {
            Admission::Refuse(refusal) => {
                self.finish_entry(id, m);
                if let Some(line) = self.line_mut(&tenant, &queue) {
                    line.today.refused += 1;
                }
                about.push(("reason", super::place::refusal_name(&refusal)));
                m.tell(&tenant, "queue.refused", about);
                self.orders.push_back((call, id, Order::Refuse(refusal)));
            }
            Admission::ComeIn => {
                place.stage = Stage::Waiting;
                let resumed = place.resumed;
                self.stand_in_line(id);
                let Some(line) = self.line_mut(&tenant, &queue) else { return };
                line.entering -= 1;
                line.today.entered += 1;
                let music = line.plan.music.clone();
                about.push(("position", self.position(id).to_string()));
                m.tell(&tenant, "queue.entered", about);
                self.orders.push_back((call, id, Order::Admit(Admitted { resumed, music })));
                self.arm_place(id);
                self.stir(&tenant, &queue);
            }
        }
    }

    /// A place that never was one.
    pub(super) fn finish_entry(&mut self, id: PlaceId, m: &mut Moment) {
        self.leave(id, Leaving::Left, m);
    }

    /// Puts a waiting caller where its arrival belongs.
    pub(super) fn stand_in_line(&mut self, id: PlaceId) {
        let Some(place) = self.places.get(&id) else { return };
        let (tenant, queue, arrived) = (place.tenant.clone(), place.queue.clone(), place.arrived);
        let Some(line) = self.rooms.get_mut(&tenant).and_then(|room| room.lines.get_mut(&queue)) else {
            return;
        };
        let places = &self.places;
        let at = line.callers.partition_point(|other| (places[other].arrived, *other) < (arrived, id));
        line.callers.insert(at, id);
    }

    fn announce(&mut self, id: PlaceId, words: Announcement, asked: &Asked, m: &mut Moment) {
        let Some(place) = self.places.get_mut(&id) else { return };
        place.asking_words = false;
        place.announce_at = words.again.map(|again| m.now + again.max(LEAST_AGAIN));
        if let Some(call) = place.call.filter(|_| place.is_waiting() && !words.say.is_empty()) {
            let mut about = about_caller(place, call);
            about.push(("say", heard(&words.say)));
            about.extend(asked.decided_by());
            m.tell(&asked.tenant, "queue.announced", about);
            self.orders.push_back((call, id, Order::Say(words.say)));
        }
        self.arm_place(id);
    }

    /// Asks every queue that has something to decide, and may.
    pub fn pump(&mut self, m: &mut Moment) {
        while let Some(tenant) = self.stirred.pop_first() {
            while let Some(queue) = self.rooms.get_mut(&tenant).and_then(Room::next_to_ask) {
                self.ask(&tenant, &queue, Kind::Rank, m);
            }
        }
    }
}

impl Room {
    /// The queue that is asked next, if one can be.
    fn next_to_ask(&mut self) -> Option<Name> {
        let dirty: Vec<Name> =
            self.lines.iter().filter(|(_, line)| line.dirty).map(|(name, _)| name.clone()).collect();
        let mut candidates = Vec::new();
        for name in dirty {
            let line = &self.lines[&name];
            let can_offer = !line.callers.is_empty()
                && line.members.iter().any(|member| self.is_free_for(line, &member.user));
            if !can_offer {
                self.lines.get_mut(&name)?.dirty = false;
            } else if !self.lines.values().any(|other| other.group == line.group && other.ranking.is_some()) {
                let first = (line.passed_over < MOST_PASSED_OVER, Reverse(line.plan.weight), name);
                candidates.push((first, line.group));
            }
        }
        let ((_, _, name), group) = candidates.into_iter().min()?;
        for line in self.lines.values_mut().filter(|line| line.dirty && line.group == group) {
            line.passed_over = line.passed_over.saturating_add(1);
        }
        Some(name)
    }
}

/// Whom an event is about.
fn about_caller(place: &Place, call: CallId) -> Vec<(&'static str, String)> {
    vec![("queue", place.queue.to_string()), ("call", call.to_string()), ("number", place.number.clone())]
}

/// Prompts in a line.
fn heard(what: &[Prompt]) -> String {
    what.iter().map(Prompt::to_string).collect::<Vec<_>>().join(", ")
}

/// What the strategy answered, if it did; the manager is told if it did not.
fn or_tell<T>(
    answer: Result<Decided, String>,
    pick: impl FnOnce(Decided) -> Option<T>,
    asked: &Asked,
    m: &mut Moment,
) -> Option<T> {
    let why = match answer {
        Ok(decided) => match pick(decided) {
            Some(answer) => return Some(answer),
            None => ANOTHER.into(),
        },
        Err(why) => why,
    };
    tell_failure(asked, &why, m);
    None
}

fn tell_failure(asked: &Asked, why: &str, m: &mut Moment) {
    let question = match asked.kind {
        Kind::Admit(_) => "admit",
        Kind::Rank => "rank",
        Kind::Length(_) => "expected-wait",
        Kind::Words(_) => "announce",
        Kind::Key(..) => "on-digit",
    };
    let about = vec![
        ("queue", asked.queue.to_string()),
        ("strategy", asked.strategy.clone()),
        ("question", question.into()),
        ("reason", why.into()),
    ];
    m.tell(&asked.tenant, "strategy.failed", about);
}
