//! Sends what is due, and says how it went: one task that waits for the plan's next moment, and one for each parcel
//! that is under way, as many as the plan allows.

use std::sync::Arc;
use std::time::Duration;

use notices::{Facts, Occasion, Words};
use outbox::{Effect, EffectId, Order, Parcel, Report};
use serde_json::json;

use super::mail::Mailers;
use super::request::Requests;
use crate::config::{Recipient, Tenant};
use crate::crm::deed;
use crate::events::wall_millis;
use crate::metrics::OfLetter;
use crate::node::Node;
use crate::tasks::telling;

/// The plan is asked so often at least: the wall clock may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Letters that are looked at for others of the same call: more than a call's end has.
const OF_A_CALL: usize = 1000;
/// Until what was delivered is written down, with room to spare.
const WRITTEN: Duration = Duration::from_millis(500);

/// Notices that go together, and to whom.
pub(super) struct Delivery<'a> {
    pub tenant: &'a Tenant,
    pub recipient: &'a Recipient,
    /// Of the first; the other side may know it from an earlier attempt.
    pub id: EffectId,
    pub notices: &'a [(Occasion, Facts)],
    /// The facts of the first, as they were written.
    pub facts: &'a serde_json::Value,
    /// When that was: seconds since 1970 UTC.
    pub written: f64,
}

impl Delivery<'_> {
    pub fn words(&self) -> Words<'_> {
        Words { language: self.recipient.language, zone: &self.tenant.timezone }
    }
}

/// Delivers for as long as it is awaited. What is under way when that ends is delivered again by the next process.
pub async fn deliver(node: Arc<Node>) {
    let couriers = Arc::new(Couriers { mailers: Mailers::default(), requests: Requests::new() });
    loop {
        let (parcels, next) = node.post.due();
        for parcel in parcels {
            let (node, couriers) = (node.clone(), couriers.clone());
            tokio::spawn(async move {
                let number = parcel.number;
                let (carrying, here) = (node.clone(), parcel);
                let carried = tokio::spawn(async move { couriers.carry(&carrying, here).await }).await;
                // A courier that failed must not keep what it carried.
                if let Err(why) = carried {
                    tracing::error!(%why, "a delivery broke off");
                    node.post.report(number, later("the exchange failed while sending it; its log says why"));
                }
            });
        }
        let rest =
            next.map_or(LONGEST_SLEEP, |next| Duration::from_millis(next.saturating_sub(wall_millis())));
        tokio::select! {
            () = node.post.bell.notified() => {}
            () = tokio::time::sleep(rest.min(LONGEST_SLEEP)) => {}
        }
    }
}

struct Couriers {
    mailers: Mailers,
    requests: Requests,
}

impl Couriers {
    async fn carry(&self, node: &Arc<Node>, parcel: Parcel) {
        let (report, kind) = match load(node, &parcel) {
            Ok(effects) => {
                let kind = effects[0].kind.clone();
                (self.send(node, &parcel, &effects).await, kind)
            }
            Err(report) => (report, String::new()),
        };
        tell(node, &parcel, &kind, &report);
        for order in node.post.report(parcel.number, report) {
            let (what, id) = match &order {
                Order::Note(_, id, fate) if fate.dead => ("outbox.dead", id),
                Order::Discard(_, id) => ("outbox.discarded", id),
                Order::Erase(_, id) => ("outbox.delivered", id),
                _ => continue,
            };
            node.events.publish(&parcel.tenant, what, json!({ "letter": id.to_string(), "kind": kind }));
        }
    }

    async fn send(&self, node: &Arc<Node>, parcel: &Parcel, effects: &[Effect]) -> Report {
        let first = &effects[0];
        let Some(tenant) = node.world().tenant(&parcel.tenant).cloned() else {
            return later("the tenant is not configured");
        };
        if first.kind == deed::KIND {
            return node.tell_crm(&tenant, parcel.effects[0], first).await;
        }
        if first.kind == telling::KIND {
            return node.tell_script(&tenant, parcel.effects[0], first).await;
        }
        let Some(recipient) = tenant.notify.recipient(&first.recipient).cloned() else {
            return Report::Refused(format!("there is no recipient \"{}\" any more", first.recipient));
        };
        let read = |effect: &Effect| {
            let facts = serde_json::from_value(effect.facts.clone()).ok()?;
            Some((Occasion::by_name(&effect.occasion)?, facts))
        };
        let Some(notices) = effects.iter().map(read).collect::<Option<Vec<(Occasion, Facts)>>>() else {
            return Report::Refused("what it tells can't be read".to_owned());
        };
        let delivery = Delivery {
            tenant: &tenant,
            recipient: &recipient,
            id: parcel.effects[0],
            notices: &notices,
            facts: &first.facts,
            written: first.written as f64 / 1000.0,
        };
        match first.kind.as_str() {
            "mail" => {
                let (report, along) = self.mailers.send(node, &delivery).await;
                if !along.is_empty() {
                    tokio::spawn(mailed(node.clone(), tenant.clone(), notices.clone(), along));
                }
                report
            }
            "sms" => self.requests.sms(&delivery).await,
            "webhook" => self.requests.webhook(&delivery).await,
            "chat" => self.requests.chat(&delivery).await,
            other => Report::Refused(format!("nobody knows how to send {other}")),
        }
    }
}

/// These messages have left with a mail: their boxes may not want to keep them, once everybody has got the mail. One that
/// somebody got a link to stays.
async fn mailed(node: Arc<Node>, tenant: Arc<Tenant>, notices: Vec<(Occasion, Facts)>, along: Vec<String>) {
    // By then it is written which letters were delivered.
    tokio::time::sleep(WRITTEN).await;
    let looked = tokio::task::spawn_blocking(move || {
        let messages = notices.iter().filter(|(occasion, _)| *occasion == Occasion::Voicemail);
        for (_, facts) in messages {
            let Ok(call) = facts.call.parse() else { continue };
            let first = EffectId { call, number: 0 };
            let rest =
                node.post.letters(&tenant.name, Some(false), Some(first), OF_A_CALL).unwrap_or_default();
            if !rest.iter().any(|letter| letter.id.call == call && letter.effect.kind == "mail") {
                let linked =
                    |name: &String| !node.recordings.shares.of_recording(&tenant.name, name).is_empty();
                let gone = facts.recordings.iter().filter(|name| along.contains(name) && !linked(name));
                gone.for_each(|name| node.message_mailed(&tenant, name));
            }
        }
    });
    if let Err(why) = looked.await {
        tracing::error!(%why, "messages that were mailed stay");
    }
}

/// The effects of a parcel as they are stored.
fn load(node: &Node, parcel: &Parcel) -> Result<Vec<Effect>, Report> {
    let mut effects = Vec::with_capacity(parcel.effects.len());
    for id in &parcel.effects {
        match node.post.letter(&parcel.tenant, *id) {
            Ok(Some(effect)) => effects.push(effect),
            Ok(None) => return Err(Report::Refused("it can't be found in the store".to_owned())),
            Err(why) => return Err(later(&why.to_string())),
        }
    }
    Ok(effects)
}

/// It may work at another time.
pub(super) fn later(why: &str) -> Report {
    Report::Failed { why: why.to_owned(), after: None }
}

fn tell(node: &Node, parcel: &Parcel, kind: &str, report: &Report) {
    let of = OfLetter { tenant: parcel.tenant.to_string(), kind: kind.to_owned() };
    let metrics = &node.metrics;
    match report {
        Report::Delivered => {
            metrics.letters_delivered.get_or_create(&of).inc_by(parcel.effects.len() as u64);
        }
        Report::Failed { why, .. } => {
            metrics.letters_failed.get_or_create(&of).inc();
            tracing::debug!(tenant = &*parcel.tenant, letter = %parcel.effects[0], kind, why, "not delivered yet");
        }
        Report::Refused(why) => {
            metrics.letters_failed.get_or_create(&of).inc();
            tracing::warn!(tenant = &*parcel.tenant, letter = %parcel.effects[0], kind, why, "a letter is refused");
        }
    }
}
