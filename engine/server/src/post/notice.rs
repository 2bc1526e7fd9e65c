//! Who is told of what: what happened is compared with what each recipient of the tenant ticked, and becomes an effect
//! for every way to them. A call to one of the tenant's numbers is told once, by the most telling of its occasions that
//! the recipient ticked; calls among users, and to the outside, are nobody's news.

use exchange::queue::CALL_BACK;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use exchange::{CallId, CallRecord, Contact, Direction, Failure, LegInfo, Outcome};
use notices::{Facts, Occasion};
use outbox::{Digest, Effect, EffectId, Fate, Millis};
use store::{Batch, StoreError};

use super::{NotTaken, Posted};
use crate::config::{Recipient, SmsService, Tenant};
use crate::events::wall_millis;
use crate::metrics::OfTenant;
use crate::node::Node;
use crate::tasks::Task;

/// Letters that one run of a script may write, since some of them cost money; a further one answers `limit("notices")`.
const MOST_OF_RUN: u32 = 100;
/// Bytes of a script's text; a longer one is invalid.
const LONGEST_TEXT: usize = 4 << 10;
/// Names and values beside it; more are invalid.
const MOST_FACTS: usize = 32;
/// Bytes of each; a longer one is invalid.
const LONGEST_FACT: usize = 1 << 10;
/// Why a place in line ended whose caller was to be called back.
const TOO_LATE: &str = "too-late";
/// The call's end is told under numbers from here on, so that they never meet those of its scripts.
const FIRST_OF_END: u32 = 1_000;
/// The same of what is told when a call back is late: a thousand recipients have four ways each.
const FIRST_OF_LATE: u32 = 5_000;

/// What a call's end is to others; none for calls that are nobody's news. `queue`: the last one that the caller was in.
/// `contact`: who has a number.
pub fn of_call(
    tenant: &Tenant,
    record: &CallRecord,
    queue: &str,
    contact: impl FnOnce(&str) -> Option<Contact>,
) -> Vec<(EffectId, Effect)> {
    let number = tenant.number(&record.dialled);
    // A message for a user is news whichever way it came.
    let message = record.outcome == Outcome::Voicemail;
    if record.direction == Direction::Outbound || (number.is_none() && !message) {
        return Vec::new();
    }
    let promised = record.tags.iter().any(|(key, _)| key == CALL_BACK);
    let telling = match record.outcome {
        _ if promised => Some(Occasion::CallBackPromised),
        Outcome::Missed => Some(Occasion::Missed),
        Outcome::Abandoned => Some(Occasion::Abandoned),
        Outcome::Voicemail => Some(Occasion::Voicemail),
        Outcome::Failed => Some(Occasion::Failed),
        Outcome::Answered | Outcome::Rejected => None,
    };
    let ended = number.map(|_| Occasion::Ended);
    let occasions: Vec<Occasion> = telling.into_iter().chain(ended).collect();
    let number = number.map_or(record.dialled.as_str(), |number| number.number.as_str());
    let told = |recipient: &Recipient| {
        let there = recipient.queues.is_empty() || recipient.queues.iter().any(|name| name == queue);
        let this = recipient.numbers.is_empty() || recipient.numbers.iter().any(|of| of == number);
        let box_of = |(key, _): &&(String, String)| key == "box" || key == "voicemail";
        let inbox = record.tags.iter().rev().find(box_of).map(|(_, name)| name);
        let theirs = recipient.boxes.is_empty() || inbox.is_some_and(|name| recipient.boxes.contains(name));
        let ticked = |occasion: &&Occasion| {
            recipient.occasions.contains(occasion) && (**occasion != Occasion::Voicemail || theirs)
        };
        occasions.iter().find(ticked).copied().filter(|_| there && this)
    };
    if !tenant.notify.recipients.iter().any(|recipient| told(recipient).is_some()) {
        return Vec::new();
    }
    let facts = facts(record, queue, contact(&record.from.number));
    effects(tenant, record.id, FIRST_OF_END, &facts, told)
}

/// The facts of a call that is over.
fn facts(record: &CallRecord, queue: &str, contact: Option<Contact>) -> Facts {
    let name = contact.as_ref().map(|contact| contact.name.clone()).filter(|name| !name.is_empty());
    let told = |(key, value): &&(String, String)| key != CALL_BACK && !(key == "queue" && value == queue);
    let marks = record.tags.iter().filter(told).cloned();
    // A caller whom only a script had answered has waited all the while.
    let spoken =
        record.answered_by.is_some() || matches!(record.outcome, Outcome::Answered | Outcome::Voicemail);
    let (waited, talked) =
        if spoken { (record.wait, Some(record.talk)) } else { (record.wait + record.talk, None) };
    Facts {
        call: record.id.to_string(),
        number: record.from.number.clone(),
        name: name.or_else(|| record.from.name.clone()).unwrap_or_default(),
        company: contact.and_then(|contact| contact.company).unwrap_or_default(),
        dialled: record.dialled.clone(),
        at: record.started,
        waited: Some(waited.as_secs_f64()),
        talked: talked.map(|length| length.as_secs_f64()),
        queue: queue.to_owned(),
        agent: record.answered_by.clone().unwrap_or_default(),
        outcome: record.outcome.name().to_owned(),
        source: record.source.clone().unwrap_or_default(),
        recordings: record.recordings.clone(),
        more: marks.collect(),
        ..Facts::default()
    }
}

/// An effect for every way to everyone whom `told` names an occasion for.
fn effects(
    tenant: &Tenant,
    call: CallId,
    first: u32,
    facts: &Facts,
    told: impl Fn(&Recipient) -> Option<Occasion>,
) -> Vec<(EffectId, Effect)> {
    let now = wall_millis();
    let facts_text = serde_json::to_value(facts).expect("plain data has a JSON form");
    let mut all = Vec::new();
    for recipient in &tenant.notify.recipients {
        let Some(occasion) = told(recipient) else { continue };
        for (kind, destination) in ways(tenant, recipient) {
            let id = EffectId { call, number: first + all.len() as u32 };
            let effect = Effect {
                recipient: recipient.name.clone(),
                destination,
                occasion: occasion.name().to_owned(),
                facts: facts_text.clone(),
                written: now,
                deadline: now + recipient.deadline.as_millis() as Millis,
                fate: Fate::default(),
                ..arranged(tenant, recipient, kind, call, now)
            };
            all.push((id, effect));
        }
    }
    all
}

/// How a notice takes its turn: people have quiet hours and digests; text messages and chats keep their order, and
/// webhooks that of each call.
fn arranged(tenant: &Tenant, recipient: &Recipient, kind: &str, call: CallId, now: Millis) -> Effect {
    let to_people = kind != "webhook";
    let of = format!("{kind} {}", recipient.name);
    let every = recipient.digest.as_millis() as Millis;
    let digest = (to_people && every > 0).then(|| Digest { name: of.clone(), every });
    let order = match kind {
        "webhook" => Some(format!("{of} {call}")),
        "mail" => None,
        _ => Some(of),
    };
    let quiet = recipient.quiet.filter(|_| to_people);
    let over = quiet.and_then(|quiet| {
        let at = jiff::Timestamp::from_millisecond(now as i64).ok()?;
        u64::try_from(quiet.over(at, &tenant.timezone).as_millisecond()).ok()
    });
    Effect {
        kind: kind.to_owned(),
        recipient: String::new(),
        destination: String::new(),
        occasion: String::new(),
        facts: serde_json::Value::Null,
        order: order.filter(|_| digest.is_none()),
        digest,
        written: now,
        not_before: over.unwrap_or(now),
        deadline: 0,
        fate: Fate::default(),
    }
}

/// The ways to a recipient, and what is at the other end of each.
fn ways(tenant: &Tenant, recipient: &Recipient) -> Vec<(&'static str, String)> {
    let origin = |url: &str| {
        let url = reqwest::Url::parse(url).ok();
        url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    };
    let mut ways = Vec::new();
    if let Some((mail, _)) = tenant.notify.mail.as_ref().zip(recipient.mail.as_ref()) {
        ways.push(("mail", format!("smtp://{}:{}", mail.host, mail.port)));
    }
    if let Some((sms, _)) = tenant.notify.sms.as_ref().zip(recipient.sms.as_ref()) {
        ways.push((
            "sms",
            match &**sms {
                SmsService::Twilio { base, .. } => origin(base),
                SmsService::Smpp(centre) => format!("smpp://{}:{}", centre.host, centre.port),
                SmsService::Http(http) => origin(&http.url.fill(notices::Escape::Percent, |_| String::new())),
            },
        ));
    }
    if let Some(webhook) = &recipient.webhook {
        ways.push(("webhook", origin(&webhook.url)));
    }
    if let Some(chat) = &recipient.chat {
        ways.push(("chat", origin(&chat.url.fill(notices::Escape::Percent, |_| String::new()))));
    }
    ways
}

/// Who is told that somebody was not called back in time.
pub fn of_late_task(tenant: &Tenant, task: &Task) -> Vec<(EffectId, Effect)> {
    let facts = Facts {
        call: task.call.to_string(),
        number: task.number.clone(),
        name: task.name.clone(),
        dialled: task.dialled.clone(),
        at: task.last,
        queue: task.queue.clone(),
        agent: task.responsible.clone().unwrap_or_default(),
        ..Facts::default()
    };
    let told = |recipient: &Recipient| {
        let there = recipient.queues.is_empty() || recipient.queues.contains(&task.queue);
        let this = recipient.numbers.is_empty() || recipient.numbers.contains(&task.dialled);
        let ticked = recipient.occasions.contains(&Occasion::CallBackLate);
        (there && this && ticked).then_some(Occasion::CallBackLate)
    };
    effects(tenant, task.call, FIRST_OF_LATE, &facts, told)
}

/// What a script has to tell: `to` is a recipient's name, or empty for everyone who ticked "script". `number`: which of
/// the call's effects is the first.
pub fn of_script(
    tenant: &Tenant,
    call: CallId,
    number: u32,
    to: &str,
    facts: &Facts,
) -> Vec<(EffectId, Effect)> {
    let told = |recipient: &Recipient| match to {
        "" => recipient.occasions.contains(&Occasion::Script),
        name => recipient.name == name,
    };
    effects(tenant, call, number, facts, |recipient| told(recipient).then_some(Occasion::Script))
}

/// What a script's letters say of its call. `contact`: who calls.
pub fn of_caller(contact: Option<Contact>, call: CallId, caller: &LegInfo, started: f64) -> Facts {
    let name = contact.as_ref().map(|contact| contact.name.clone()).filter(|name| !name.is_empty());
    Facts {
        call: call.to_string(),
        number: caller.party.number.clone(),
        name: name.or_else(|| caller.party.name.clone()).unwrap_or_default(),
        company: contact.and_then(|contact| contact.company).unwrap_or_default(),
        dialled: caller.dialled.clone(),
        at: started,
        ..Facts::default()
    }
}

impl Node {
    /// Writes what a script has to tell; durable when it returns. `letters`: those of the run so far. Answers the first
    /// letter's name, or nothing when nobody wants to hear.
    pub async fn post_of_script(
        &self,
        tenant: &Tenant,
        call: CallId,
        to: &str,
        about: Facts,
        letters: &AtomicU32,
    ) -> Result<String, Failure> {
        if about.text.len() > LONGEST_TEXT {
            return Err(Failure::Invalid(format!("text: more than {LONGEST_TEXT} bytes")));
        }
        let too_long =
            |(name, value): &(String, String)| name.len() > LONGEST_FACT || value.len() > LONGEST_FACT;
        if about.more.len() > MOST_FACTS || about.more.iter().any(too_long) {
            return Err(Failure::Invalid(format!(
                "facts: at most {MOST_FACTS} of {LONGEST_FACT} bytes each"
            )));
        }
        let mut effects = of_script(tenant, call, 0, to, &about);
        let count = effects.len() as u32;
        if letters.fetch_add(count, Relaxed) + count > MOST_OF_RUN {
            return Err(Failure::Limit("notices".into()));
        }
        let first = self.post.number(count);
        effects.iter_mut().for_each(|(id, _)| id.number += first);
        let Some(receipt) = effects.first().map(|(id, _)| id.to_string()) else { return Ok(String::new()) };
        let (batch, posted) = self.post.put(Batch::new(), &tenant.name, effects).map_err(|(_, why)| {
            self.not_taken(&tenant.name, &why);
            Failure::Limit("outbox".into())
        })?;
        let (done, wait) = tokio::sync::oneshot::channel();
        self.store.commit(batch, Box::new(move |result| drop(done.send(result))));
        let result = wait.await.unwrap_or(Err(StoreError::Closed));
        self.post.settle(posted, result.is_ok());
        result.map(|()| receipt).map_err(|why| Failure::Other(format!("the letter is not kept: {why}")))
    }

    /// Adds notices to the batch of what they tell of. What does not fit is counted and told, and the batch goes on
    /// without: a call's record is not lost for a notice.
    pub fn post_with(
        &self,
        batch: Batch,
        tenant: &str,
        effects: Vec<(EffectId, Effect)>,
    ) -> (Batch, Option<Posted>) {
        if effects.is_empty() {
            return (batch, None);
        }
        match self.post.put(batch, tenant, effects) {
            Ok((batch, posted)) => (batch, Some(posted)),
            Err((batch, why)) => {
                self.not_taken(tenant, &why);
                (batch, None)
            }
        }
    }

    /// A notice could not be taken.
    pub fn not_taken(&self, tenant: &str, why: &NotTaken) {
        self.metrics.letters_refused.get_or_create(&OfTenant { tenant: tenant.into() }).inc();
        tracing::error!(tenant, %why, "a notice is not taken");
        self.events.publish(tenant, "outbox.full", serde_json::json!({ "why": why.to_string() }));
    }

    /// Tells of a carrier that stopped answering, or answers again. Never waits.
    pub fn post_trunk(self: &std::sync::Arc<Self>, tenant: &Tenant, trunk: &str, occasion: Occasion) {
        let now = wall_millis();
        let facts = Facts { trunk: trunk.to_owned(), at: now as f64 / 1000.0, ..Facts::default() };
        self.post_at_once(tenant, &facts, occasion);
    }

    /// Tells that calls to carriers are held back. Never waits. `why`: which bound, and the number.
    pub fn post_held_back(self: &std::sync::Arc<Self>, tenant: &Tenant, why: &str) {
        let now = wall_millis();
        let facts = Facts { text: why.to_owned(), at: now as f64 / 1000.0, ..Facts::default() };
        self.post_at_once(tenant, &facts, Occasion::HeldBack);
    }

    /// Tells of a caller who left a queue's line, if that is one who was promised a call back and did not get it in time.
    /// Never waits.
    pub fn post_late(self: &std::sync::Arc<Self>, tenant: &Tenant, about: &[(&'static str, String)]) {
        let of = |name: &str| about.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        if of("reason") != TOO_LATE {
            return;
        }
        let waited: f64 = of("waited").parse().unwrap_or_default();
        let number = of("number");
        let contact = self.known_contact(tenant, number);
        let facts = Facts {
            number: number.to_owned(),
            name: contact.as_ref().map(|contact| contact.name.clone()).unwrap_or_default(),
            company: contact.and_then(|contact| contact.company).unwrap_or_default(),
            at: wall_millis() as f64 / 1000.0 - waited,
            waited: Some(waited),
            queue: of("queue").to_owned(),
            ..Facts::default()
        };
        self.post_at_once(tenant, &facts, Occasion::CallBackLate);
    }

    /// Tells of something that no call's end carries. Never waits.
    pub fn post_at_once(self: &std::sync::Arc<Self>, tenant: &Tenant, facts: &Facts, occasion: Occasion) {
        // No call caused it: an id of its own, whose chance is that of the hasher's keys.
        let chance =
            std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), &facts.trunk);
        let id = CallId::new(wall_millis(), chance.into());
        let ticked = |recipient: &Recipient| {
            let there = facts.queue.is_empty()
                || recipient.queues.is_empty()
                || recipient.queues.contains(&facts.queue);
            (there && recipient.occasions.contains(&occasion)).then_some(occasion)
        };
        let effects = effects(tenant, id, 1, facts, ticked);
        let (batch, Some(posted)) = self.post_with(Batch::new(), &tenant.name, effects) else { return };
        let node = self.clone();
        let kept = move |result: Result<(), StoreError>| {
            if let Err(why) = &result {
                node.metrics.store_failures.inc();
                tracing::error!(%why, "a notice is not kept");
            }
            node.post.settle(posted, result.is_ok());
        };
        self.store.commit(batch, Box::new(kept));
    }
}
