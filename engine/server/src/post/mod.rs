//! The outbox over the store: effects are written in one durable batch with whatever caused them, and forgotten when
//! they are delivered. What is due when is the [`outbox::Plan`]'s to say; [`delivery`] sends it, [`notice`] says who is
//! told of what.
//!
//! A row holds the effect as it was written, another one how it went so far; so a failed attempt writes a few bytes.

pub mod bounces;
pub mod delivery;
mod mail;
pub mod notice;
mod request;
mod smpp;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exchange::CallId;
use outbox::{Effect, EffectId, Fate, Full, Millis, Order, Parcel, Plan, Report, Standing};
use store::{Batch, Store, StoreError, layout};

use self::bounces::Bounces;
use crate::config::Keep;
use crate::events::wall_millis;

/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;
/// How long it may take until a delivery is forgotten, or given up: a kill within this time delivers it again.
const FORGETTING: Duration = Duration::from_millis(20);
/// The same for how often it failed, which costs an attempt at most.
const NOTING: Duration = Duration::from_millis(500);
/// Numbers below are those of calls' ends.
const FIRST_OF_SCRIPTS: u32 = 10_000;
/// Bytes of one effect as it is stored; a larger one is not taken.
pub const MOST_EFFECT: usize = 64 << 10;

/// Effects of all tenants that wait, and those that were given up.
pub struct Post {
    store: Store,
    plan: Mutex<Plan>,
    /// Where mail came back from.
    pub bounces: Bounces,
    /// The last number that a script's letter got.
    numbered: AtomicU32,
    /// Something changed when the next one is due.
    bell: tokio::sync::Notify,
}

/// Why effects are not taken.
#[derive(Debug)]
pub enum NotTaken {
    /// As many wait as may.
    Full(Full),
    /// One is larger than [`MOST_EFFECT`].
    TooLarge,
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(Full::Count) => write!(f, "{} letters wait already", outbox::MOST_WAITING),
            Self::Full(Full::Bytes) => {
                write!(f, "the letters that wait have {} bytes already", outbox::MOST_BYTES)
            }
            Self::TooLarge => write!(f, "a letter has more than {MOST_EFFECT} bytes"),
        }
    }
}

/// Effects for which there is room, on their way to the disk.
#[must_use = "tell Post::settle how the commit ended"]
#[derive(Debug)]
pub struct Posted {
    tenant: String,
    rows: Vec<(EffectId, Effect, usize)>,
}

/// Why a person's wish cannot be fulfilled.
#[derive(Debug)]
pub enum NoLetter {
    /// There is none, or it has gone.
    Unknown,
    /// It is being delivered now, or was not given up.
    Busy,
    /// The store can't.
    Store(StoreError),
}

impl From<StoreError> for NoLetter {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

/// An effect with its name.
#[derive(Debug)]
pub struct Letter {
    /// Also its idempotency key.
    pub id: EffectId,
    /// With its fate as it is now.
    pub effect: Effect,
}

impl Post {
    /// Reads what waits.
    ///
    /// # Errors
    /// When the store can't be read. A row that can't be understood is left alone and told.
    pub fn open(store: Store, seed: u64) -> Result<Self, StoreError> {
        let mut plan = Plan::new(seed);
        let mut scan = layout::effects();
        loop {
            let page = store.scan(&scan)?;
            let Some((last, _)) = page.last() else { break };
            scan = layout::effects().behind(last);
            for (key, value) in &page {
                let Some((tenant, call, number)) = layout::read_effect(key) else { continue };
                let id = EffectId { call: CallId(call), number };
                match read(&store, &tenant, id, value)? {
                    Some(effect) => plan.restore(&tenant, id, &effect, value.len()),
                    None => tracing::error!(tenant, %id, "a letter can't be read; it stays in the store"),
                }
            }
        }
        Ok(Self {
            bounces: Bounces::open(store.clone())?,
            store,
            plan: Mutex::new(plan),
            numbered: AtomicU32::new(wall_millis() as u32),
            bell: tokio::sync::Notify::new(),
        })
    }

    /// Takes room for effects and adds them to the batch of what caused them. [`Post::settle`] must hear how the commit
    /// of the batch ended.
    ///
    /// # Errors
    /// See [`NotTaken`]: the batch comes back as it was.
    pub fn put(
        &self,
        batch: Batch,
        tenant: &str,
        effects: Vec<(EffectId, Effect)>,
    ) -> Result<(Batch, Posted), (Batch, NotTaken)> {
        let mut rows = Vec::with_capacity(effects.len());
        let mut values = Vec::with_capacity(effects.len());
        for (id, effect) in effects {
            let value = row(&effect);
            if value.len() > MOST_EFFECT {
                return Err((batch, NotTaken::TooLarge));
            }
            rows.push((id, effect, value.len()));
            values.push(value);
        }
        let sizes: Vec<usize> = values.iter().map(Vec::len).collect();
        if let Err(full) = self.plan().reserve(tenant, &sizes) {
            return Err((batch, NotTaken::Full(full)));
        }
        let put = |batch: Batch, ((id, ..), value): (&(EffectId, Effect, usize), Vec<u8>)| {
            batch.put(layout::effect(tenant, id.call.0, id.number), value)
        };
        let batch = rows.iter().zip(values).fold(batch, put);
        Ok((batch, Posted { tenant: tenant.to_owned(), rows }))
    }

    /// The batch is on the disk, or is not and will not be.
    pub fn settle(&self, posted: Posted, kept: bool) {
        let Posted { tenant, rows } = posted;
        let mut plan = self.plan();
        if kept {
            for (id, effect, bytes) in &rows {
                plan.handle_kept(&tenant, *id, effect, *bytes);
            }
        } else {
            let sizes: Vec<usize> = rows.iter().map(|(_, _, bytes)| *bytes).collect();
            plan.release(&tenant, &sizes);
        }
        drop(plan);
        self.bell.notify_one();
    }

    /// Numbers for so many letters of one script: the first of them. They follow the clock, so that a call which goes on
    /// in another process never gets one twice.
    pub fn number(&self, count: u32) -> u32 {
        let clock = wall_millis() as u32; // comes round after 49 days, which no call lasts
        let number = |last: u32| {
            let ahead = clock.wrapping_sub(last) as i32 > 0;
            let number = if ahead { clock } else { last.wrapping_add(1) };
            number.max(FIRST_OF_SCRIPTS)
        };
        let next = |last| Some(number(last).wrapping_add(count.saturating_sub(1)));
        let last = self.numbered.fetch_update(Relaxed, Relaxed, next);
        number(last.unwrap_or_else(|last| last))
    }

    /// How a tenant's outbox is.
    pub fn standing(&self, tenant: &str) -> Standing {
        self.plan().standing(tenant)
    }

    /// Destinations of a tenant that failed and are left alone now, and until when.
    pub fn resting(&self, tenant: &str) -> Vec<(Arc<str>, Millis)> {
        self.plan().resting(tenant, wall_millis())
    }

    /// A tenant's letters behind `after`, in the order of their calls, at most `most`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn letters(
        &self,
        tenant: &str,
        dead: Option<bool>,
        after: Option<EffectId>,
        most: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let mut scan = layout::effects_of(tenant);
        if let Some(id) = after {
            scan = scan.behind(&layout::effect(tenant, id.call.0, id.number));
        }
        let mut letters = Vec::new();
        loop {
            let page = self.store.scan(&scan.clone().limit(most.max(100)))?;
            let Some((last, _)) = page.last() else { return Ok(letters) };
            scan = layout::effects_of(tenant).behind(last);
            for (key, value) in &page {
                let Some((_, call, number)) = layout::read_effect(key) else { continue };
                let id = EffectId { call: CallId(call), number };
                let Some(effect) = read(&self.store, tenant, id, value)? else { continue };
                if dead.is_none_or(|dead| effect.fate.dead == dead) {
                    letters.push(Letter { id, effect });
                    if letters.len() >= most {
                        return Ok(letters);
                    }
                }
            }
        }
    }

    /// One letter; none when it is delivered, or never was.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn letter(&self, tenant: &str, id: EffectId) -> Result<Option<Effect>, StoreError> {
        match self.store.get(&layout::effect(tenant, id.call.0, id.number))? {
            Some(value) => read(&self.store, tenant, id, &value),
            None => Ok(None),
        }
    }

    /// A dead letter is tried again at once, for as long as it was the first time. Durable when it returns; for a thread
    /// that may wait.
    ///
    /// # Errors
    /// See [`NoLetter`].
    pub fn retry(&self, tenant: &str, id: EffectId) -> Result<(), NoLetter> {
        let mut effect = self.letter(tenant, id)?.ok_or(NoLetter::Unknown)?;
        if !effect.fate.dead {
            return Err(NoLetter::Busy);
        }
        let now = wall_millis();
        effect.deadline = now + effect.deadline.saturating_sub(effect.written);
        effect.fate = Fate::default();
        let key = layout::effect(tenant, id.call.0, id.number);
        self.store.commit_and_wait(Batch::new().put(key, row(&effect)))?;
        let mut out = Vec::new();
        let known = self.plan().retry(tenant, id, &effect, &mut out);
        self.write(&out);
        self.bell.notify_one();
        if known { Ok(()) } else { Err(NoLetter::Busy) }
    }

    /// A letter is given up for good. For a thread that may wait.
    ///
    /// # Errors
    /// See [`NoLetter`].
    pub fn drop_letter(&self, tenant: &str, id: EffectId) -> Result<(), NoLetter> {
        let effect = self.letter(tenant, id)?.ok_or(NoLetter::Unknown)?;
        let mut out = Vec::new();
        if !self.plan().drop_effect(tenant, id, effect.written, &mut out) {
            return Err(NoLetter::Busy);
        }
        let batch = out.iter().fold(Batch::new(), with);
        self.bell.notify_one();
        Ok(self.store.commit_and_wait(batch)?)
    }

    /// Forgets a tenant's dead letters that it keeps no longer; answers how many. `now`: seconds since 1970 UTC. For a
    /// thread that may wait.
    ///
    /// # Errors
    /// When the store can't be written; they come back with the next start then, and go with its first sweep.
    pub fn sweep(&self, tenant: &str, keep: &Keep, now: f64) -> Result<u64, StoreError> {
        let before = |age: Duration| ((now - age.as_secs_f64()).max(0.0) * 1000.0) as Millis;
        let calls = keep.records.map_or(CallId(0), |age| CallId::new(before(age), 0));
        let mut out = Vec::new();
        self.plan().forget_dead(tenant, before(keep.dead_letters), calls, &mut out);
        if !out.is_empty() {
            self.store.commit_and_wait(out.iter().fold(Batch::new(), with))?;
        }
        Ok(out.len() as u64)
    }

    /// What is to be sent now, and when to ask again at the latest.
    fn due(&self) -> (Vec<Parcel>, Option<Millis>) {
        let mut out = Vec::new();
        let mut plan = self.plan();
        plan.handle_timeout(wall_millis(), &mut out);
        let parcel = |order| if let Order::Send(parcel) = order { Some(parcel) } else { None };
        (out.into_iter().filter_map(parcel).collect(), plan.next_timeout())
    }

    /// What became of a parcel; answers what was written down of it.
    fn report(&self, parcel: u64, report: Report) -> Vec<Order> {
        let mut out = Vec::new();
        let mut plan = self.plan();
        plan.handle_report(wall_millis(), parcel, report, &mut out);
        // Under the plan's lock, so that commits are in the order of what they tell.
        self.write(&out);
        drop(plan);
        self.bell.notify_one();
        out
    }

    fn write(&self, orders: &[Order]) {
        if orders.is_empty() {
            return;
        }
        let batch = orders.iter().fold(Batch::new(), with);
        let gone = orders.iter().any(|order| !matches!(order, Order::Note(_, _, fate) if !fate.dead));
        let told = |result: Result<(), StoreError>| {
            if let Err(why) = result {
                tracing::error!(%why, "how a delivery went is not written; a restart may repeat it");
            }
        };
        self.store.commit_within(batch, if gone { FORGETTING } else { NOTING }, Box::new(told));
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with(batch: Batch, order: &Order) -> Batch {
    match order {
        Order::Send(_) => batch,
        Order::Erase(tenant, id) | Order::Discard(tenant, id) => batch
            .delete(layout::effect(tenant, id.call.0, id.number))
            .delete(layout::fate(tenant, id.call.0, id.number)),
        Order::Note(tenant, id, fate) => {
            let text = serde_json::to_vec(fate).expect("plain data has a JSON form");
            batch.put(layout::fate(tenant, id.call.0, id.number), [&[FORM], &text[..]].concat())
        }
    }
}

fn row(effect: &Effect) -> Vec<u8> {
    let text = serde_json::to_vec(effect).expect("plain data has a JSON form");
    [&[FORM], &text[..]].concat()
}

/// An effect with how it went; none when it is of another form.
fn read(store: &Store, tenant: &str, id: EffectId, value: &[u8]) -> Result<Option<Effect>, StoreError> {
    let Some(mut effect) =
        value.strip_prefix(&[FORM]).and_then(|text| serde_json::from_slice::<Effect>(text).ok())
    else {
        return Ok(None);
    };
    let fate = store.get(&layout::fate(tenant, id.call.0, id.number))?;
    if let Some(fate) = fate.as_deref().and_then(|value| value.strip_prefix(&[FORM]))
        && let Ok(fate) = serde_json::from_slice(fate)
    {
        effect.fate = fate;
    }
    Ok(Some(effect))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::Options;

    use super::*;

    fn effect(written: Millis) -> Effect {
        Effect {
            kind: "webhook".into(),
            recipient: "crm".into(),
            destination: "http://127.0.0.1:1".into(),
            occasion: "missed".into(),
            facts: json!({ "number": "+359" }),
            order: None,
            digest: None,
            written,
            not_before: written,
            deadline: written + 60_000,
            fate: Fate::default(),
        }
    }

    fn id(number: u32) -> EffectId {
        EffectId { call: CallId::new(1_795_000_000_000, 1), number }
    }

    fn post(folder: &std::path::Path) -> Post {
        let store = Store::open(folder, &Options::default()).expect("a store");
        Post::open(store, 7).expect("an outbox")
    }

    fn keep(post: &Post, number: u32) {
        let (batch, posted) =
            post.put(Batch::new(), "acme", vec![(id(number), effect(wall_millis()))]).expect("room");
        post.store.commit_and_wait(batch).expect("kept");
        post.settle(posted, true);
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_with_how_it_went() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = post(folder.path());
        keep(&before, 1);
        keep(&before, 2);
        let (parcels, _) = before.due();
        assert_eq!(parcels.len(), 2);
        for parcel in &parcels {
            let report = match parcel.effects[..] == [id(1)] {
                true => Report::Refused("410 Gone".into()),
                false => Report::Delivered,
            };
            before.report(parcel.number, report);
        }
        drop(before); // the store commits what waits before it closes
        let after = post(folder.path());
        assert_eq!(after.standing("acme"), Standing { waiting: 0, bytes: 0, dead: 1 });
        let letters = after.letters("acme", Some(true), None, 10).expect("a list");
        assert_eq!((letters.len(), letters[0].id), (1, id(1)));
        assert_eq!(letters[0].effect.fate.why, "410 Gone");
        assert!(matches!(after.retry("other", id(1)), Err(NoLetter::Unknown)), "no tenant sees into another");
        after.retry("acme", id(1)).expect("tried again");
        assert!(matches!(after.retry("acme", id(1)), Err(NoLetter::Busy)), "it is not dead any more");
        let (parcels, _) = after.due();
        assert_eq!(parcels[0].effects, [id(1)]);
        assert!(matches!(after.drop_letter("acme", id(1)), Err(NoLetter::Busy)), "it is under way");
        after.report(parcels[0].number, Report::Refused("410 Gone".into()));
        after.drop_letter("acme", id(1)).expect("dropped");
        assert!(after.letters("acme", None, None, 10).expect("a list").is_empty());
    }

    #[test]
    fn a_dead_letter_is_kept_for_as_long_as_the_tenant_says() {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let folder = tempfile::tempdir().expect("a folder");
        let before = post(folder.path());
        (1..=2).for_each(|number| keep(&before, number));
        let (parcels, _) = before.due();
        before.report(parcels[0].number, Report::Refused("410 Gone".into()));
        drop(before);
        let post = post(folder.path());
        let now = wall_millis() as f64 / 1000.0;
        let keep = Keep { dead_letters: 2 * DAY, ..Keep::default() };
        let days = |days: f64| now + days * DAY.as_secs_f64();
        assert_eq!(post.sweep("acme", &keep, days(1.9)).expect("a sweep"), 0);
        assert_eq!(post.sweep("other", &keep, days(2.1)).expect("a sweep"), 0);
        assert_eq!(post.sweep("acme", &keep, days(2.1)).expect("a sweep"), 1);
        assert_eq!(post.standing("acme").dead, 0);
        let left = post.letters("acme", None, None, 10).expect("a list");
        assert_eq!(left.len(), 1, "what waits is not touched");
        // Or until its call is forgotten, which was in November 2026.
        let (parcels, _) = post.due();
        post.report(parcels[0].number, Report::Refused("410 Gone".into()));
        let records = |keep: Duration| Keep { records: Some(keep), ..Keep::default() };
        let call = 1_795_000_000.0;
        assert_eq!(post.sweep("acme", &records(2 * DAY), call).expect("a sweep"), 0);
        assert_eq!(post.sweep("acme", &records(DAY), call + 1.5 * DAY.as_secs_f64()).expect("a sweep"), 1);
        assert!(post.letters("acme", None, None, 10).expect("a list").is_empty());
    }

    #[test]
    fn what_was_not_written_takes_no_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let post = post(folder.path());
        let (_, posted) = post.put(Batch::new(), "acme", vec![(id(1), effect(1))]).expect("room");
        assert_eq!(post.standing("acme").waiting, 1);
        post.settle(posted, false);
        assert_eq!(post.standing("acme"), Standing::default());
        let large = Effect { facts: json!("x".repeat(MOST_EFFECT)), ..effect(1) };
        assert!(matches!(post.put(Batch::new(), "acme", vec![(id(1), large)]), Err((_, NotTaken::TooLarge))));
    }
}
