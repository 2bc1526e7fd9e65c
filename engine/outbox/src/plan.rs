//! What is due next. Effects enter when they are on the disk, leave in [`Parcel`]s, and what became of a parcel
//! comes back as a [`Report`]; every change that must reach the disk leaves as an [`Order`].
//!
//! A destination that fails [`FAILURES_TO_OPEN`] times in a row is left alone for a while, whatever waits for
//! it, and then asked with one parcel; others go on meanwhile. Only what a person can repair is given up at
//! once; everything else is tried until its deadline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use exchange::CallId;

use crate::effect::{Effect, EffectId, Fate};
use crate::strand::{Ordinal, Strand, StrandKey, Waiting};
use crate::{
    FAILURES_TO_OPEN, FIRST_PAUSE, FIRST_REST, LONGEST_PAUSE, LONGEST_REST, MOST_BYTES, MOST_DEAD,
    MOST_TO_ONE, MOST_UNDER_WAY, MOST_WAITING, Millis,
};

/// Effects of a tenant that leave together; more than one only in a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Named in the report.
    pub number: u64,
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// In the order in which they were written; never empty.
    pub effects: Vec<EffectId>,
}

/// What became of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The other side has it.
    Delivered,
    /// The other side answered that it will never take it, or nobody knows how to send it: a person must look.
    Refused(String),
    /// It may work later.
    Failed {
        /// In words.
        why: String,
        /// The other side asks to be left alone for so long.
        after: Option<Millis>,
    },
}

/// What the plan wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Send this, and report.
    Send(Parcel),
    /// It is delivered, or a person dropped it: forget it.
    Erase(Arc<str>, EffectId),
    /// Write down how it went.
    Note(Arc<str>, EffectId, Fate),
    /// A dead letter, and there were [`MOST_DEAD`], or it was kept for as long as the tenant wishes: forget it.
    Discard(Arc<str>, EffectId),
}

/// The tenant's outbox takes no more now: which bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// [`MOST_WAITING`].
    Count,
    /// [`MOST_BYTES`].
    Bytes,
}

/// How a tenant's outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Effects that wait or are under way.
    pub waiting: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Dead letters.
    pub dead: usize,
}

#[derive(Debug, Default)]
struct Tenancy {
    waiting: usize,
    bytes: usize,
    dead: BTreeMap<Ordinal, Waiting>,
}

/// A tenant, and a destination of its: what one tenant's login spoils concerns no other.
type Place = (Arc<str>, Arc<str>);

/// A place that effects go to.
#[derive(Debug, Default)]
struct Destination {
    due: BTreeSet<(Millis, StrandKey)>,
    under_way: usize,
    /// In a row.
    failures: u32,
    /// Left alone until then.
    rests_until: Option<Millis>,
    rest: Millis,
}

/// Everything that waits.
#[derive(Debug)]
pub struct Plan {
    strands: HashMap<StrandKey, Strand>,
    places: HashMap<EffectId, (StrandKey, Ordinal)>,
    destinations: HashMap<Place, Destination>,
    tenants: HashMap<Arc<str>, Tenancy>,
    parcels: HashMap<u64, StrandKey>,
    /// Strands that are empty and rest, by the end of that.
    resting: BTreeSet<(Millis, StrandKey)>,
    sent: u64,
    chance: u64,
}

impl Plan {
    /// An empty one. `seed`: of the jitter.
    pub fn new(seed: u64) -> Self {
        Self {
            strands: HashMap::new(),
            places: HashMap::new(),
            destinations: HashMap::new(),
            tenants: HashMap::new(),
            parcels: HashMap::new(),
            resting: BTreeSet::new(),
            sent: 0,
            chance: seed,
        }
    }

    /// Takes room for effects that are about to be written, of so many stored bytes each: all of them or none.
    ///
    /// # Errors
    /// [`Full`]: nothing is taken.
    pub fn reserve(&mut self, tenant: &str, effects: &[usize]) -> Result<(), Full> {
        let tenancy = tenancy(&mut self.tenants, tenant);
        let bytes: usize = effects.iter().sum();
        if tenancy.waiting + effects.len() > MOST_WAITING {
            return Err(Full::Count);
        }
        if tenancy.bytes + bytes > MOST_BYTES {
            return Err(Full::Bytes);
        }
        tenancy.waiting += effects.len();
        tenancy.bytes += bytes;
        Ok(())
    }

    /// They were not written after all.
    pub fn release(&mut self, tenant: &str, effects: &[usize]) {
        let tenancy = tenancy(&mut self.tenants, tenant);
        tenancy.waiting = tenancy.waiting.saturating_sub(effects.len());
        tenancy.bytes = tenancy.bytes.saturating_sub(effects.iter().sum());
    }

    /// An effect for which there is room is on the disk.
    pub fn handle_kept(&mut self, tenant: &str, id: EffectId, effect: &Effect, bytes: usize) {
        self.insert(tenant, id, effect, bytes);
    }

    /// An effect was found on the disk at the start; it needs no room reserved, and is never refused.
    pub fn restore(&mut self, tenant: &str, id: EffectId, effect: &Effect, bytes: usize) {
        if effect.fate.dead {
            let waiting = waiting_of(effect, bytes);
            tenancy(&mut self.tenants, tenant).dead.insert((effect.written, id), waiting);
            return;
        }
        let tenancy = tenancy(&mut self.tenants, tenant);
        tenancy.waiting += 1;
        tenancy.bytes += bytes;
        self.insert(tenant, id, effect, bytes);
    }

    fn insert(&mut self, tenant: &str, id: EffectId, effect: &Effect, bytes: usize) {
        let tenant: Arc<str> = tenant.into();
        let key = match (&effect.digest, &effect.order) {
            (Some(digest), _) => StrandKey::Digest(tenant.clone(), digest.name.clone()),
            (None, Some(order)) => StrandKey::Order(tenant.clone(), order.clone()),
            (None, None) => StrandKey::Alone(id),
        };
        let ordinal = (effect.written, id);
        let every = effect.digest.as_ref().map(|digest| digest.every);
        let strand = self
            .strands
            .entry(key.clone())
            .or_insert_with(|| Strand::new(tenant, effect.destination.as_str().into(), every));
        strand.waiting.insert(ordinal, waiting_of(effect, bytes));
        self.places.insert(id, (key.clone(), ordinal));
        self.list(&key);
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, now: Millis, out: &mut Vec<Order>) {
        self.forget_rested(now);
        let mut names: Vec<Place> = self.destinations.keys().cloned().collect();
        names.sort(); // the same history must give the same orders
        // Those with the least under way first, so that none starves another at the bound of all.
        names.sort_by_key(|name| self.destinations.get(name).map_or(0, |there| there.under_way));
        for name in names {
            while let Some(key) = self.next_of(now, &name) {
                self.send(now, &key, out);
            }
        }
    }

    /// When something is due next; none when nothing can become so by itself.
    pub fn next_timeout(&self) -> Option<Millis> {
        let full = self.parcels.len() >= MOST_UNDER_WAY;
        let due = self.destinations.values().filter(|there| !full && there.has_room()).filter_map(|there| {
            let (first, _) = there.due.first()?;
            Some((*first).max(there.rests_until.unwrap_or(0)))
        });
        due.chain(self.resting.first().map(|(until, _)| *until)).min()
    }

    /// What became of a parcel. A report of one that is not under way is passed over.
    pub fn handle_report(&mut self, now: Millis, parcel: u64, report: Report, out: &mut Vec<Order>) {
        let Some(key) = self.parcels.remove(&parcel) else { return };
        let Some(strand) = self.strands.get_mut(&key) else { return };
        let taken = std::mem::take(&mut strand.under_way);
        let name = strand.place();
        if matches!(report, Report::Delivered) {
            strand.delivered(now);
        }
        let failed = matches!(report, Report::Failed { .. });
        if let Some(there) = self.destinations.get_mut(&name) {
            there.under_way = there.under_way.saturating_sub(1);
            there.note(now, failed, &mut self.chance);
        }
        match report {
            Report::Delivered => taken.iter().for_each(|ordinal| self.erase(*ordinal, out)),
            Report::Refused(why) => taken.iter().for_each(|ordinal| self.bury(now, *ordinal, &why, out)),
            Report::Failed { why, after } => {
                for ordinal in taken {
                    self.put_off(now, ordinal, &why, after, out);
                }
                self.bury_overdue(now, &name, &why, out);
            }
        }
        self.list(&key);
    }

    /// A person asks for another try of a dead letter, until this deadline. False when there is no such letter.
    pub fn retry(&mut self, tenant: &str, id: EffectId, effect: &Effect, out: &mut Vec<Order>) -> bool {
        let tenancy = tenancy(&mut self.tenants, tenant);
        let Some(was) = tenancy.dead.remove(&(effect.written, id)) else { return false };
        tenancy.waiting += 1;
        tenancy.bytes += was.bytes;
        out.push(Order::Note(tenant.into(), id, effect.fate.clone()));
        self.insert(tenant, id, effect, was.bytes);
        true
    }

    /// A person gives up an effect, dead or waiting. False when there is none, or it is under way now.
    pub fn drop_effect(&mut self, tenant: &str, id: EffectId, written: Millis, out: &mut Vec<Order>) -> bool {
        if tenancy(&mut self.tenants, tenant).dead.remove(&(written, id)).is_some() {
            out.push(Order::Erase(tenant.into(), id));
            return true;
        }
        let Some((key, ordinal)) = self.places.get(&id).cloned() else { return false };
        let Some(strand) = self.strands.get(&key) else { return false };
        if *strand.tenant != *tenant || strand.under_way.contains(&ordinal) {
            return false;
        }
        self.erase(ordinal, out);
        self.list(&key);
        true
    }

    /// Forgets a tenant's dead letters that were given up before `given_up`, and those of calls that are older than
    /// `calls`.
    pub fn forget_dead(&mut self, tenant: &str, given_up: Millis, calls: CallId, out: &mut Vec<Order>) {
        let Some(tenancy) = self.tenants.get_mut(tenant) else { return };
        tenancy.dead.retain(|(_, id), waiting| {
            let stays = waiting.next >= given_up && id.call.0 >= calls.0;
            if !stays {
                out.push(Order::Discard(tenant.into(), *id));
            }
            stays
        });
    }

    /// How a tenant's outbox is.
    pub fn standing(&self, tenant: &str) -> Standing {
        let found = self.tenants.get(tenant);
        found.map_or(Standing::default(), |it| Standing {
            waiting: it.waiting,
            bytes: it.bytes,
            dead: it.dead.len(),
        })
    }

    /// Destinations of a tenant that are left alone now, and until when.
    pub fn resting(&self, tenant: &str, now: Millis) -> Vec<(Arc<str>, Millis)> {
        let its = self.destinations.iter().filter(|((of, _), _)| **of == *tenant);
        let rests = |there: &Destination| there.rests_until.filter(|until| *until > now);
        let mut all: Vec<_> =
            its.filter_map(|((_, name), there)| Some((name.clone(), rests(there)?))).collect();
        all.sort();
        all
    }

    /// A strand of this destination from which something may leave now.
    fn next_of(&self, now: Millis, name: &Place) -> Option<StrandKey> {
        let there = self.destinations.get(name)?;
        let may = self.parcels.len() < MOST_UNDER_WAY
            && there.has_room()
            && there.rests_until.is_none_or(|until| until <= now);
        let (due, key) = there.due.first().filter(|_| may)?;
        (*due <= now).then(|| key.clone())
    }

    fn send(&mut self, now: Millis, key: &StrandKey, out: &mut Vec<Order>) {
        let Some(strand) = self.strands.get_mut(key) else { return };
        let effects = strand.take(now);
        self.sent += 1;
        let parcel = Parcel { number: self.sent, tenant: strand.tenant.clone(), effects };
        if let Some(there) = self.destinations.get_mut(&strand.place()) {
            there.under_way += 1;
        }
        self.parcels.insert(parcel.number, key.clone());
        self.list(key);
        out.push(Order::Send(parcel));
    }

    /// Puts a strand where its next moment is found, or forgets it.
    fn list(&mut self, key: &StrandKey) {
        let Some(strand) = self.strands.get_mut(key) else { return };
        let due = strand.due();
        let there = self.destinations.entry(strand.place()).or_default();
        if let Some(was) = strand.listed.take() {
            there.due.remove(&(was, key.clone()));
        }
        if let Some(due) = due {
            there.due.insert((due, key.clone()));
            strand.listed = Some(due);
        }
        match strand.rests_until() {
            Some(until) if until > 0 => {
                self.resting.insert((until, key.clone()));
            }
            Some(_) => self.forget(key),
            None => {}
        }
    }

    fn forget(&mut self, key: &StrandKey) {
        let Some(strand) = self.strands.remove(key) else { return };
        let name = strand.place();
        if self.destinations.get(&name).is_some_and(Destination::is_over) {
            self.destinations.remove(&name);
        }
    }

    fn forget_rested(&mut self, now: Millis) {
        while let Some((until, key)) = self.resting.first().cloned().filter(|(until, _)| *until <= now) {
            self.resting.remove(&(until, key.clone()));
            if self.strands.get(&key).is_some_and(|strand| strand.is_over(now)) {
                self.forget(&key);
            }
        }
    }

    /// Takes an effect out of everything; answers its tenant and what waited.
    fn remove(&mut self, ordinal: Ordinal) -> Option<(Arc<str>, Waiting)> {
        let (key, _) = self.places.remove(&ordinal.1)?;
        let strand = self.strands.get_mut(&key)?;
        let waiting = strand.waiting.remove(&ordinal)?;
        let tenant = strand.tenant.clone();
        let tenancy = tenancy(&mut self.tenants, &tenant);
        tenancy.waiting = tenancy.waiting.saturating_sub(1);
        tenancy.bytes = tenancy.bytes.saturating_sub(waiting.bytes);
        Some((tenant, waiting))
    }

    fn erase(&mut self, ordinal: Ordinal, out: &mut Vec<Order>) {
        if let Some((tenant, _)) = self.remove(ordinal) {
            out.push(Order::Erase(tenant, ordinal.1));
        }
    }

    fn bury(&mut self, now: Millis, ordinal: Ordinal, why: &str, out: &mut Vec<Order>) {
        let Some((tenant, waiting)) = self.remove(ordinal) else { return };
        let waiting = Waiting { next: now, ..waiting };
        let attempts = waiting.attempts + 1;
        let fate = Fate { attempts, next: now, why: why.to_owned(), dead: true };
        let dead = &mut tenancy(&mut self.tenants, &tenant).dead;
        dead.insert(ordinal, waiting);
        out.push(Order::Note(tenant.clone(), ordinal.1, fate));
        if dead.len() > MOST_DEAD
            && let Some(((_, oldest), _)) = dead.pop_first()
        {
            out.push(Order::Discard(tenant, oldest));
        }
    }

    /// An attempt failed: another one later, or none.
    fn put_off(
        &mut self,
        now: Millis,
        ordinal: Ordinal,
        why: &str,
        after: Option<Millis>,
        out: &mut Vec<Order>,
    ) {
        let Some((key, _)) = self.places.get(&ordinal.1).cloned() else { return };
        let Some(strand) = self.strands.get_mut(&key) else { return };
        let Some(waiting) = strand.waiting.get_mut(&ordinal) else { return };
        if now >= waiting.deadline {
            return self.bury(now, ordinal, why, out);
        }
        waiting.attempts += 1;
        let pause = pause(waiting.attempts, &mut self.chance).max(after.unwrap_or(0));
        // The last attempt is at the deadline itself.
        waiting.next = now.saturating_add(pause).min(waiting.deadline);
        let fate = Fate { attempts: waiting.attempts, next: waiting.next, why: why.to_owned(), dead: false };
        out.push(Order::Note(strand.tenant.clone(), ordinal.1, fate));
    }

    /// What waits for a destination that is left alone is not even tried: from its deadline on it is dead.
    fn bury_overdue(&mut self, now: Millis, name: &Place, why: &str, out: &mut Vec<Order>) {
        let resting = self.destinations.get(name).is_some_and(|there| there.rests_until.is_some());
        if !resting {
            return;
        }
        let strands = self.strands.iter().filter(|(_, strand)| strand.place() == *name);
        let mut overdue: Vec<(StrandKey, Ordinal)> = Vec::new();
        for (key, strand) in strands {
            let late = strand
                .waiting
                .iter()
                .filter(|(ordinal, waiting)| now >= waiting.deadline && !strand.under_way.contains(ordinal));
            overdue.extend(late.map(|(ordinal, _)| (key.clone(), *ordinal)));
        }
        overdue.sort_by_key(|(_, ordinal)| *ordinal);
        for (key, ordinal) in overdue {
            self.bury(now, ordinal, why, out);
            self.list(&key);
        }
    }
}

impl Destination {
    fn has_room(&self) -> bool {
        // One that did not answer is asked with one parcel.
        self.under_way < if self.rests_until.is_some() { 1 } else { MOST_TO_ONE }
    }

    fn is_over(&self) -> bool {
        self.due.is_empty() && self.under_way == 0 && self.failures == 0
    }

    fn note(&mut self, now: Millis, failed: bool, chance: &mut u64) {
        if !failed {
            (self.failures, self.rests_until, self.rest) = (0, None, 0);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        // What was under way when the others failed says nothing new.
        let told = self.rests_until.is_some_and(|until| now < until);
        if self.failures >= FAILURES_TO_OPEN && !told {
            self.rest = (self.rest * 2).clamp(FIRST_REST, LONGEST_REST);
            self.rests_until = Some(now + jittered(self.rest, chance));
        }
    }
}

fn tenancy<'a>(tenants: &'a mut HashMap<Arc<str>, Tenancy>, tenant: &str) -> &'a mut Tenancy {
    if !tenants.contains_key(tenant) {
        tenants.insert(tenant.into(), Tenancy::default());
    }
    tenants.get_mut(tenant).expect("inserted a line ago")
}

fn waiting_of(effect: &Effect, bytes: usize) -> Waiting {
    Waiting {
        next: effect.fate.next.max(effect.not_before),
        deadline: effect.deadline,
        attempts: effect.fate.attempts,
        bytes,
    }
}

/// Before the next attempt, after so many that failed.
fn pause(attempts: u32, chance: &mut u64) -> Millis {
    let doubled = FIRST_PAUSE << attempts.saturating_sub(1).min(20);
    jittered(doubled.min(LONGEST_PAUSE), chance)
}

/// Between a half and all of it, so that what failed together does not come back together.
fn jittered(pause: Millis, chance: &mut u64) -> Millis {
    pause / 2 + roll(chance) % (pause / 2 + 1)
}

/// SplitMix64.
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use exchange::CallId;
    use serde_json::Value;

    use super::*;
    use crate::Digest;

    fn id(number: u32) -> EffectId {
        EffectId { call: CallId(7), number }
    }

    fn effect(written: Millis) -> Effect {
        Effect {
            kind: "webhook".into(),
            recipient: "ana".into(),
            destination: "https://a.example".into(),
            occasion: "missed".into(),
            facts: Value::Null,
            order: None,
            digest: None,
            written,
            not_before: 0,
            deadline: 3_600_000,
            fate: Fate::default(),
        }
    }

    fn add(plan: &mut Plan, number: u32, effect: &Effect) {
        plan.reserve("acme", &[100]).expect("room");
        plan.handle_kept("acme", id(number), effect, 100);
    }

    /// What leaves now.
    fn sent(plan: &mut Plan, now: Millis) -> Vec<Parcel> {
        let mut out = Vec::new();
        plan.handle_timeout(now, &mut out);
        let parcel = |order| if let Order::Send(parcel) = order { Some(parcel) } else { None };
        out.into_iter().filter_map(parcel).collect()
    }

    fn report(plan: &mut Plan, now: Millis, parcel: &Parcel, report: Report) -> Vec<Order> {
        let mut out = Vec::new();
        plan.handle_report(now, parcel.number, report, &mut out);
        out
    }

    fn failed() -> Report {
        Report::Failed { why: "it does not answer".into(), after: None }
    }

    #[test]
    fn what_fails_is_tried_again_at_growing_pauses_until_its_deadline() {
        let mut plan = Plan::new(1);
        add(&mut plan, 1, &effect(0));
        let (mut now, mut attempts) = (0, Vec::new());
        let dead = loop {
            let parcels = sent(&mut plan, now);
            if let [parcel] = &parcels[..] {
                attempts.push(now);
                let orders = report(&mut plan, now, parcel, failed());
                let Some(Order::Note(_, _, fate)) = orders.first() else { panic!("not noted: {orders:?}") };
                if fate.dead {
                    break fate.clone();
                }
            }
            now = plan.next_timeout().expect("something is due");
        };
        let pauses: Vec<_> = attempts.windows(2).map(|two| two[1] - two[0]).collect();
        assert!((500..=1_000).contains(&pauses[0]) && (1_000..=2_000).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
        assert_eq!((attempts.last(), dead.attempts as usize), (Some(&3_600_000), attempts.len()));
        assert_eq!(plan.standing("acme"), Standing { waiting: 0, bytes: 0, dead: 1 });
        assert_eq!(plan.next_timeout(), None);
    }

    #[test]
    fn a_refusal_is_a_dead_letter_at_once_and_goes_when_a_person_says_so() {
        let mut plan = Plan::new(1);
        let it = effect(0);
        add(&mut plan, 1, &it);
        let parcel = sent(&mut plan, 0).remove(0);
        let orders = report(&mut plan, 5, &parcel, Report::Refused("410".into()));
        let fate = Fate { attempts: 1, next: 5, why: "410".into(), dead: true };
        assert_eq!(orders, [Order::Note("acme".into(), id(1), fate)]);
        let mut out = Vec::new();
        assert!(!plan.retry("other", id(1), &it, &mut out), "another tenant's");
        assert!(plan.retry("acme", id(1), &it, &mut out));
        assert_eq!(sent(&mut plan, 6)[0].effects, [id(1)]);
    }

    #[test]
    fn effects_of_one_order_leave_one_by_one_and_others_pass_them() {
        let mut plan = Plan::new(1);
        let ordered = |written| Effect { order: Some("+359".into()), ..effect(written) };
        add(&mut plan, 2, &ordered(20));
        add(&mut plan, 1, &ordered(10));
        add(&mut plan, 3, &effect(30));
        let first = sent(&mut plan, 100);
        assert_eq!(first.iter().map(|p| p.effects[0].number).collect::<Vec<_>>(), [3, 1]);
        report(&mut plan, 100, &first[1], failed());
        assert!(sent(&mut plan, 101).is_empty(), "the second waits for the first");
        let again = sent(&mut plan, 1_200).remove(0);
        assert_eq!(again.effects, [id(1)]);
        report(&mut plan, 1_300, &again, Report::Delivered);
        assert_eq!(sent(&mut plan, 1_300)[0].effects, [id(2)]);
    }

    #[test]
    fn the_first_of_a_digest_goes_at_once_and_the_rest_together() {
        let mut plan = Plan::new(1);
        let told = Effect { digest: Some(Digest { name: "ana".into(), every: 60_000 }), ..effect(0) };
        add(&mut plan, 1, &told);
        let first = sent(&mut plan, 0).remove(0);
        (2..=4).for_each(|number| add(&mut plan, number, &told));
        assert!(sent(&mut plan, 50).is_empty(), "one at a time");
        report(&mut plan, 100, &first, Report::Delivered);
        assert!(sent(&mut plan, 60_099).is_empty());
        assert_eq!(plan.next_timeout(), Some(60_100));
        assert_eq!(sent(&mut plan, 60_100)[0].effects, [id(2), id(3), id(4)]);
    }

    #[test]
    fn a_destination_that_is_down_is_asked_with_one_parcel_now_and_then() {
        let mut plan = Plan::new(1);
        (0..100).for_each(|number| add(&mut plan, number, &effect(0)));
        let other = Effect { destination: "https://b.example".into(), ..effect(0) };
        let (mut now, mut attempts) = (0, 0);
        while now < 600_000 {
            for parcel in sent(&mut plan, now) {
                attempts += 1;
                report(&mut plan, now, &parcel, failed());
            }
            now = plan.next_timeout().expect("they wait");
        }
        assert!((10..60).contains(&attempts), "{attempts} attempts in ten minutes");
        assert_eq!(plan.resting("acme", now - 1).len(), 1);
        add(&mut plan, 200, &other);
        assert!(sent(&mut plan, now - 1).iter().any(|p| p.effects == [id(200)]), "others go on");
    }

    #[test]
    fn a_full_outbox_takes_nothing_and_a_delivery_makes_room() {
        let mut plan = Plan::new(1);
        assert_eq!(plan.reserve("acme", &[MOST_BYTES, 1]), Err(Full::Bytes));
        (0..MOST_WAITING as u32).for_each(|number| add(&mut plan, number, &effect(0)));
        assert_eq!(plan.reserve("acme", &[1]), Err(Full::Count));
        assert_eq!(plan.reserve("other", &[1]), Ok(()), "another tenant has its own");
        let parcel = sent(&mut plan, 0).remove(0);
        report(&mut plan, 0, &parcel, Report::Delivered);
        assert_eq!(plan.reserve("acme", &[1]), Ok(()));
        plan.release("acme", &[1]);
        assert_eq!(plan.standing("acme").waiting, MOST_WAITING - 1);
    }

    #[test]
    fn one_dead_letter_too_many_costs_the_oldest() {
        let mut plan = Plan::new(1);
        let mut discarded = Vec::new();
        for number in 0..=MOST_DEAD as u32 {
            add(&mut plan, number, &effect(number.into()));
            let parcel = sent(&mut plan, 1_000_000).remove(0);
            let orders = report(&mut plan, 1_000_000, &parcel, Report::Refused("404".into()));
            discarded.extend(orders.into_iter().filter(|order| matches!(order, Order::Discard(..))));
        }
        assert_eq!(discarded, [Order::Discard("acme".into(), id(0))]);
        assert_eq!(plan.standing("acme").dead, MOST_DEAD);
    }

    #[test]
    fn dead_letters_are_forgotten_by_when_they_were_given_up_or_with_their_calls() {
        let mut plan = Plan::new(1);
        for number in 1..=3 {
            add(&mut plan, number, &effect(0));
            let parcel = sent(&mut plan, 0).remove(0);
            report(&mut plan, u64::from(number) * 1000, &parcel, Report::Refused("404".into()));
        }
        let mut out = Vec::new();
        // A person had the first tried again, which begins its time anew.
        assert!(plan.retry("acme", id(1), &effect(0), &mut out));
        let parcel = sent(&mut plan, 9000).remove(0);
        report(&mut plan, 9000, &parcel, Report::Refused("404".into()));
        out.clear();
        plan.forget_dead("acme", 3000, CallId(0), &mut out);
        plan.forget_dead("other", 3000, CallId(0), &mut out);
        assert_eq!(out, [Order::Discard("acme".into(), id(2))]);
        add(&mut plan, 4, &effect(0));
        plan.forget_dead("acme", 0, CallId(8), &mut out);
        assert_eq!(out[1..], [Order::Discard("acme".into(), id(1)), Order::Discard("acme".into(), id(3))]);
        assert_eq!(
            (plan.standing("acme").dead, plan.standing("acme").waiting),
            (0, 1),
            "what waits is not dead"
        );
    }
}
