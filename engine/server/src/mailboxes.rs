//! Messages in boxes: what was left where, whether somebody has heard it, and how many there are, in memory and in the
//! store. A message's sound is a recording of its call; who may leave and hear it is the configuration's and the
//! scripts' affair. A box's own greeting is a prompt of the tenant's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use exchange::{Answer, CallId, Failure, Inbox, MailboxAsk, Message, MessageLeft};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, Store, StoreError, layout};

use crate::config::{Mailbox, Tenant};
use crate::node::Node;
use crate::prompts::PromptRefused;

/// Boxes of one tenant with messages in them. A message for one more is a recording like any other.
pub const MOST_BOXES: usize = 10_000;
/// Wrong PINs of one box before it is locked, and for how long it is then.
const WRONG_PINS: u32 = 5;
const LOCKED: Duration = Duration::from_secs(15 * 60);
/// Boxes at which somebody tries PINs; when there are more, all is forgiven.
const MOST_TRIED: usize = 10_000;
/// A message may wait so long for others that go to the disk with it.
const PATIENCE: Duration = Duration::from_millis(20);
/// What a greeting's prompt is called: this and the box's name.
const GREETING: &str = "greeting-";
/// RFC 9110 §15.5.4, as a script is told of a wrong PIN.
const FORBIDDEN: u16 = 403;

/// A message as it is kept; its recording names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The call it was left in.
    pub call: CallId,
    /// Who called: E.164 with "+", or an extension; empty when withheld.
    pub number: String,
    /// Their name, when one was sent.
    pub name: Option<String>,
    /// When it was left: seconds since 1970 UTC.
    pub at: f64,
    /// Seconds.
    pub length: f64,
    /// Whether somebody has heard it.
    pub heard: bool,
    /// Until when the caller was promised a call back, as the script says it.
    pub call_back_by: Option<String>,
}

/// How many messages a box has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Nobody has heard them.
    pub unheard: u32,
    /// Heard and kept.
    pub heard: u32,
}

/// Why a message could not be changed.
#[derive(Debug)]
pub enum NoMessage {
    /// There is none: 404.
    Unknown,
    /// It could not be written: 503 or 507.
    Store(StoreError),
}

impl fmt::Display for NoMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such message"),
            Self::Store(why) => why.fmt(f),
        }
    }
}

/// By recording, which begins with the call's id: in the order of time.
type Messages = BTreeMap<String, Left>;

/// The boxes of all tenants.
pub struct Mailboxes {
    store: Store,
    /// By tenant, then by box.
    kept: RwLock<HashMap<String, BTreeMap<String, Messages>>>,
    /// Wrong PINs, and when the last one was, by tenant and box.
    tried: Mutex<HashMap<(String, String), (u32, Instant)>>,
}

impl Mailboxes {
    /// Reads what is kept.
    ///
    /// # Errors
    /// When the store can't be read. A row that can't be understood is left alone and told.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut kept: HashMap<String, BTreeMap<String, Messages>> = HashMap::new();
        let mut scan = layout::messages();
        loop {
            let page = store.scan(&scan)?;
            let Some((last, _)) = page.last() else { break };
            scan = layout::messages().behind(last);
            for (key, value) in &page {
                let Some((tenant, inbox, recording)) = layout::read_message(key) else { continue };
                match serde_json::from_slice(value) {
                    Ok(left) => {
                        kept.entry(tenant).or_default().entry(inbox).or_default().insert(recording, left);
                    }
                    Err(why) => tracing::error!(tenant, inbox, recording, %why, "a message can't be read"),
                }
            }
        }
        Ok(Self { store, kept: RwLock::new(kept), tried: Mutex::default() })
    }

    /// A message was left: it is in its box from here on, and durable a moment later. Too short a one, or one that a box
    /// has no room for, stays a recording of its call. Answers the counts of the box.
    pub fn leave(&self, tenant: &Tenant, left: &MessageLeft) -> Option<(Mailbox, Counts)> {
        let rules = tenant.mailbox(left.mailbox.as_deref()?)?;
        if left.length < rules.shortest {
            return None;
        }
        let message = Left {
            call: left.call,
            number: left.from.number.clone(),
            name: left.from.name.clone(),
            at: left.at,
            length: left.length.as_secs_f64(),
            heard: false,
            call_back_by: left.call_back_by.clone(),
        };
        let counts = {
            let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
            let boxes = kept.entry(tenant.name.to_string()).or_default();
            if !boxes.contains_key(&rules.name) && boxes.len() >= MOST_BOXES {
                tracing::warn!(tenant = &*tenant.name, inbox = rules.name, "there are too many boxes");
                return None;
            }
            let messages = boxes.entry(rules.name.clone()).or_default();
            if messages.len() >= rules.most {
                tracing::warn!(tenant = &*tenant.name, inbox = rules.name, "the box is full");
                return None;
            }
            messages.insert(left.recording.clone(), message.clone());
            counts(messages)
        };
        let batch = put(Batch::new(), &tenant.name, &rules.name, &left.recording, &message);
        let (tenant, recording) = (tenant.name.clone(), left.recording.clone());
        let told = move |result: Result<(), StoreError>| {
            if let Err(why) = result {
                tracing::error!(tenant = &*tenant, recording, %why, "a message is not kept; a restart loses it");
            }
        };
        self.store.commit_within(batch, PATIENCE, Box::new(told));
        Some((rules, counts))
    }

    /// The recordings that are messages in a tenant's boxes, and must stay.
    pub fn held(&self, tenant: &str) -> HashSet<String> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(tenant).into_iter().flat_map(BTreeMap::values).flat_map(BTreeMap::keys).cloned().collect()
    }

    /// How many messages there are in a box.
    pub fn counts(&self, tenant: &str, inbox: &str) -> Counts {
        self.with(tenant, inbox, |messages| messages.map(counts).unwrap_or_default())
    }

    /// A tenant's boxes with messages in them, by name.
    pub fn list(&self, tenant: &str) -> Vec<(String, Counts)> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let boxes = kept.get(tenant).into_iter().flatten();
        boxes.map(|(name, messages)| (name.clone(), counts(messages))).collect()
    }

    /// The messages of a box with their recordings, in the order of time.
    pub fn messages(&self, tenant: &str, inbox: &str) -> Vec<(String, Left)> {
        let all =
            |messages: &Messages| messages.iter().map(|(id, left)| (id.clone(), left.clone())).collect();
        self.with(tenant, inbox, |messages| messages.map(all).unwrap_or_default())
    }

    fn with<T>(&self, tenant: &str, inbox: &str, look: impl FnOnce(Option<&Messages>) -> T) -> T {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        look(kept.get(tenant).and_then(|boxes| boxes.get(inbox)))
    }

    /// Marks a message as heard, or as new again. Durable when it returns; for a thread that may wait.
    ///
    /// # Errors
    /// See [`NoMessage`].
    pub fn mark(&self, tenant: &str, inbox: &str, id: &str, heard: bool) -> Result<Counts, NoMessage> {
        let (message, counts) = {
            let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
            let messages = kept.get_mut(tenant).and_then(|boxes| boxes.get_mut(inbox));
            let messages = messages.ok_or(NoMessage::Unknown)?;
            let message = messages.get_mut(id).ok_or(NoMessage::Unknown)?;
            message.heard = heard;
            (message.clone(), counts(messages))
        };
        let batch = put(Batch::new(), tenant, inbox, id, &message);
        self.store.commit_and_wait(batch).map_err(NoMessage::Store)?;
        Ok(counts)
    }

    /// Takes a message out of its box. Durable when it returns; for a thread that may wait.
    ///
    /// # Errors
    /// See [`NoMessage`].
    pub fn take(&self, tenant: &str, inbox: &str, id: &str) -> Result<Counts, NoMessage> {
        let counts = {
            let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
            let boxes = kept.get_mut(tenant).ok_or(NoMessage::Unknown)?;
            let messages = boxes.get_mut(inbox).ok_or(NoMessage::Unknown)?;
            messages.remove(id).ok_or(NoMessage::Unknown)?;
            let counts = counts(messages);
            if messages.is_empty() {
                boxes.remove(inbox);
            }
            counts
        };
        let batch = Batch::new().delete(layout::message(tenant, inbox, id));
        self.store.commit_and_wait(batch).map_err(NoMessage::Store)?;
        Ok(counts)
    }

    /// The box that a message is in.
    pub fn box_of(&self, tenant: &str, id: &str) -> Option<String> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(tenant)?.iter().find(|(_, messages)| messages.contains_key(id));
        found.map(|(inbox, _)| inbox.clone())
    }

    /// Whether a PIN opens a box; `None` while it is locked, since somebody tries.
    fn unlock(&self, tenant: &str, rules: &Mailbox, pin: &str, now: Instant) -> Option<bool> {
        let mut tried = self.tried();
        let key = (tenant.to_owned(), rules.name.clone());
        let (wrong, last) = tried.get(&key).copied().unwrap_or((0, now));
        let wrong = if now.saturating_duration_since(last) >= LOCKED { 0 } else { wrong };
        if wrong >= WRONG_PINS {
            return None;
        }
        let right = rules.pin.as_ref().is_some_and(|known| known.matches(pin));
        if right {
            tried.remove(&key);
        } else {
            if tried.len() >= MOST_TRIED {
                tried.clear();
            }
            tried.insert(key, (wrong + 1, now));
        }
        Some(right)
    }

    fn tried(&self) -> MutexGuard<'_, HashMap<(String, String), (u32, Instant)>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The prompt by which a box greets.
pub fn greeting(inbox: &str) -> String {
    format!("{GREETING}{inbox}")
}

fn counts(messages: &Messages) -> Counts {
    let heard = messages.values().filter(|message| message.heard).count() as u32;
    Counts { unheard: messages.len() as u32 - heard, heard }
}

fn put(batch: Batch, tenant: &str, inbox: &str, id: &str, message: &Left) -> Batch {
    let value = serde_json::to_vec(message).expect("plain data has a JSON form");
    batch.put(layout::message(tenant, inbox, id), value)
}

impl Node {
    /// A caller has left a message.
    pub fn message_left(&self, left: &MessageLeft) {
        let world = self.world();
        let Some(tenant) = world.tenant(&left.tenant) else { return };
        if let Some((rules, counts)) = self.mailboxes.leave(tenant, left) {
            self.tell_mailbox(&left.tenant, &rules.name, counts);
        }
    }

    /// What is in a box has changed.
    fn tell_mailbox(&self, tenant: &str, inbox: &str, counts: Counts) {
        let told = json!({ "mailbox": inbox, "unheard": counts.unheard, "heard": counts.heard });
        self.events.publish(tenant, "mailbox.changed", told);
        if let Some(shards) = self.shards() {
            shards.messages_changed(tenant, inbox);
        }
    }

    /// Marks a message as heard, or as new again. For a thread that may wait.
    ///
    /// # Errors
    /// See [`NoMessage`].
    pub fn mark_message(&self, tenant: &str, inbox: &str, id: &str, heard: bool) -> Result<(), NoMessage> {
        let counts = self.mailboxes.mark(tenant, inbox, id, heard)?;
        self.tell_mailbox(tenant, inbox, counts);
        Ok(())
    }

    /// Deletes a message and its sound. For a thread that may wait.
    ///
    /// # Errors
    /// See [`NoMessage`].
    pub fn delete_message(&self, tenant: &str, inbox: &str, id: &str) -> Result<(), NoMessage> {
        let counts = self.mailboxes.take(tenant, inbox, id)?;
        if let Err(why) = self.recordings.delete(tenant, id) {
            tracing::warn!(tenant, recording = id, %why, "a message's sound stays");
        }
        self.tell_mailbox(tenant, inbox, counts);
        Ok(())
    }

    /// A mail has left with the sound of this message: its box may not want to keep it.
    pub fn message_mailed(&self, tenant: &Tenant, id: &str) {
        let Some(inbox) = self.mailboxes.box_of(&tenant.name, id) else { return };
        if tenant.mailbox(&inbox).is_some_and(|rules| rules.delete_after_mail)
            && let Err(why) = self.delete_message(&tenant.name, &inbox, id)
        {
            tracing::warn!(tenant = &*tenant.name, recording = id, %why, "a message that was mailed stays");
        }
    }

    /// Greets a box's callers with a recording, or as if nobody had recorded a greeting. For a thread that may wait.
    fn greet(&self, tenant: &Arc<Tenant>, inbox: &str, recording: Option<&str>) -> Result<(), Failure> {
        let store = |why: StoreError| Failure::Other(why.to_string());
        let Some(recording) = recording else {
            return self.prompts.delete(&tenant.name, &greeting(inbox)).map(drop).map_err(store);
        };
        let missing = || Failure::NotFound(recording.to_owned());
        let path = self.recordings.find_wav(&tenant.name, recording).ok_or_else(missing)?;
        let wav = std::fs::read(path).map_err(|_gone| missing())?;
        let refused = |why: PromptRefused| Failure::Invalid(format!("recording: {why}"));
        self.prompts.put(tenant, &greeting(inbox), &wav).map(drop).map_err(refused)
    }

    /// What a script asks of a box. For a thread that may wait.
    pub fn ask_mailbox(&self, tenant: &Arc<Tenant>, ask: MailboxAsk) -> Answer {
        let done = |result: Result<(), Failure>| result.map_or_else(Answer::Failed, |()| Answer::Done);
        let changed = |id: String, result: Result<(), NoMessage>| {
            done(result.map_err(|why| match why {
                NoMessage::Unknown => Failure::NotFound(id),
                NoMessage::Store(why) => Failure::Other(why.to_string()),
            }))
        };
        match ask {
            MailboxAsk::Find { name_or_number } => {
                Answer::Inbox(tenant.mailbox(&name_or_number).map(|rules| Box::new(self.seen(tenant, rules))))
            }
            MailboxAsk::Unlock { inbox, pin } => {
                let Some(rules) = tenant.mailbox(&inbox) else {
                    return Answer::Failed(Failure::NotFound(inbox));
                };
                match self.mailboxes.unlock(&tenant.name, &rules, &pin, Instant::now()) {
                    Some(true) => Answer::Done,
                    Some(false) => Answer::Failed(Failure::Refused(FORBIDDEN)),
                    None => {
                        tracing::warn!(tenant = &*tenant.name, inbox, "somebody tries the PINs of a mailbox");
                        Answer::Failed(Failure::Limit("pin".to_owned()))
                    }
                }
            }
            MailboxAsk::Messages { inbox } => {
                let mut messages = self.mailboxes.messages(&tenant.name, &inbox);
                messages.sort_by_key(|(_, message)| message.heard);
                let message = |(id, left): (String, Left)| Message {
                    id,
                    number: left.number,
                    name: left.name,
                    at: left.at,
                    length: Duration::try_from_secs_f64(left.length).unwrap_or_default(),
                    heard: left.heard,
                };
                Answer::Messages(messages.into_iter().map(message).collect())
            }
            MailboxAsk::Keep { inbox, id } => {
                let marked = self.mark_message(&tenant.name, &inbox, &id, true);
                changed(id, marked)
            }
            MailboxAsk::Delete { inbox, id } => {
                let deleted = self.delete_message(&tenant.name, &inbox, &id);
                changed(id, deleted)
            }
            MailboxAsk::Greet { inbox, recording } => {
                let Some(rules) = tenant.mailbox(&inbox) else {
                    return Answer::Failed(Failure::NotFound(inbox));
                };
                done(self.greet(tenant, &rules.name, recording.as_deref()))
            }
        }
    }

    fn seen(&self, tenant: &Tenant, rules: Mailbox) -> Inbox {
        let Counts { unheard, heard } = self.mailboxes.counts(&tenant.name, &rules.name);
        let prompt = greeting(&rules.name);
        Inbox {
            greeting: self.prompts.describe(&tenant.name, &prompt).map(|_| prompt),
            name: rules.name,
            longest: rules.longest,
            silence: rules.silence,
            shortest: rules.shortest,
            unheard,
            heard,
            full: (unheard + heard) as usize >= rules.most,
            owners: rules.users,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use store::Options;

    fn rules(pin: Option<&str>) -> Mailbox {
        Mailbox {
            name: "office".to_owned(),
            users: Vec::new(),
            pin: pin.map(Secret::new),
            longest: Duration::from_secs(120),
            silence: Duration::from_secs(4),
            shortest: Duration::from_secs(1),
            most: 2,
            delete_after_mail: false,
        }
    }

    fn left(n: u64) -> Left {
        Left {
            call: CallId::new(1_795_000_000_000 + n, 1),
            number: "+359888123456".to_owned(),
            name: None,
            at: 1_795_000_000.0 + n as f64,
            length: 5.0,
            heard: false,
            call_back_by: None,
        }
    }

    fn keep(boxes: &Mailboxes, id: &str, n: u64) {
        boxes.store.commit_and_wait(put(Batch::new(), "acme", "office", id, &left(n))).expect("kept");
    }

    #[test]
    fn messages_and_what_was_heard_survive_a_restart_and_no_tenant_sees_another_s() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let store = Store::open(folder.path(), &Options::default()).expect("a store");
            Mailboxes::open(store).expect("boxes")
        };
        let boxes = open();
        keep(&boxes, "a-1-message", 1);
        keep(&boxes, "b-1-message", 2);
        drop(boxes);

        let boxes = open();
        assert_eq!(boxes.counts("acme", "office"), Counts { unheard: 2, heard: 0 });
        assert_eq!(boxes.counts("other", "office"), Counts::default());
        let marked = boxes.mark("acme", "office", "a-1-message", true).expect("marked");
        assert_eq!(marked, Counts { unheard: 1, heard: 1 });
        for (tenant, inbox, id) in
            [("other", "office", "b-1-message"), ("acme", "x", "b-1-message"), ("acme", "office", "c")]
        {
            assert!(matches!(boxes.take(tenant, inbox, id), Err(NoMessage::Unknown)));
        }
        assert!(boxes.held("acme").contains("b-1-message") && boxes.held("other").is_empty());
        boxes.take("acme", "office", "b-1-message").expect("taken");
        drop(boxes);

        let boxes = open();
        let messages = boxes.messages("acme", "office");
        assert_eq!(messages, [("a-1-message".to_owned(), Left { heard: true, ..left(1) })]);
        assert_eq!(boxes.box_of("acme", "a-1-message").as_deref(), Some("office"));
    }

    #[test]
    fn a_box_is_locked_for_a_while_after_some_wrong_pins_and_a_right_one_opens_it_no_sooner() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), &Options::default()).expect("a store");
        let (boxes, now) = (Mailboxes::open(store).expect("boxes"), Instant::now());
        let rules = rules(Some("4711"));
        assert_eq!(boxes.unlock("acme", &rules, "4711", now), Some(true));
        for _ in 0..WRONG_PINS {
            assert_eq!(boxes.unlock("acme", &rules, "0000", now), Some(false));
        }
        assert_eq!(boxes.unlock("acme", &rules, "4711", now), None);
        assert_eq!(
            boxes.unlock("other", &rules, "4711", now),
            Some(true),
            "another tenant's box of this name"
        );
        assert_eq!(boxes.unlock("acme", &rules, "4711", now + LOCKED), Some(true));
        assert_eq!(
            boxes.unlock("acme", &self::rules(None), "", now + LOCKED),
            Some(false),
            "no PIN opens nothing"
        );
    }
}
