//! A tenant's own memory across calls: the `kv` interface of `wit/` over the store. What is answered
//! as done is durable. A value lies under its tenant's prefix with the moment it expires; one that has
//! expired is as good as gone, and swept away now and then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use exchange::{Answer, Command, Failure};
use store::{Batch, Scan, Store, StoreError, layout};
use tokio::sync::oneshot;

use crate::events::wall_millis;

/// Bytes of a key; longer ones are invalid.
const LONGEST_KEY: usize = 256;
/// How often a change that crossed another one is tried again before it answers `timed-out`.
const TRIES: usize = 16;
/// Expired values removed in one sweep.
const SWEEP: usize = 1000;

/// What a tenant may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of one value; more answers `limit("kv_value")`.
    pub value: u64,
    /// Bytes of all keys and values; more answers `limit("kv_total")`.
    pub total: u64,
}

/// The memory of all tenants; clones share it.
#[derive(Clone)]
pub struct Memory {
    store: Store,
    /// Bytes of each tenant, counted when it is first written to.
    totals: Arc<Mutex<HashMap<String, u64>>>,
}

impl Memory {
    /// Over an open store.
    pub fn new(store: Store) -> Self {
        Self { store, totals: Arc::default() }
    }

    /// Carries out one of the `Kv` commands; others are not its business and answer `Failed`.
    pub async fn ask(&self, tenant: &str, room: Room, command: Command) -> Answer {
        let result = match command {
            Command::KvGet { key } => self.get(tenant, &key).map(Answer::Value),
            Command::KvSet { key, value, keep_seconds } => {
                let expires = keep_seconds.map_or(0, |seconds| wall_millis() + u64::from(seconds) * 1000);
                let change = |_: &Option<Vec<u8>>| Change::To(Some((value.clone(), expires)), Answer::Done);
                self.change(tenant, room, &key, change).await
            }
            Command::KvSwap { key, was, value } => {
                let change = |is: &Option<Vec<u8>>| match *is == was {
                    true => Change::To(Some((value.clone(), 0)), Answer::Swapped(true)),
                    false => Change::None(Answer::Swapped(false)),
                };
                self.change(tenant, room, &key, change).await
            }
            Command::KvAdd { key, amount } => {
                let change = |is: &Option<Vec<u8>>| match add(is.as_deref(), amount) {
                    Some(sum) => Change::To(Some((sum.to_string().into_bytes(), 0)), Answer::Sum(sum)),
                    None => Change::None(Answer::Failed(Failure::Invalid(
                        "key: not a number, or too large".into(),
                    ))),
                };
                self.change(tenant, room, &key, change).await
            }
            Command::KvDelete { key } => {
                self.change(tenant, room, &key, |_| Change::To(None, Answer::Done)).await
            }
            _ => Err(Failure::Other("not a verb of memory".into())),
        };
        result.unwrap_or_else(Answer::Failed)
    }

    fn get(&self, tenant: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        check(key)?;
        let stored = self.store.get(&layout::memory(tenant, key)).map_err(failure)?;
        Ok(stored.as_deref().and_then(alive).map(<[u8]>::to_vec))
    }

    /// Reads, decides, and writes only if nobody wrote in between.
    async fn change(
        &self,
        tenant: &str,
        room: Room,
        key: &str,
        decide: impl Fn(&Option<Vec<u8>>) -> Change,
    ) -> Result<Answer, Failure> {
        check(key)?;
        let at = layout::memory(tenant, key);
        for _ in 0..TRIES {
            let stored = self.store.get(&at).map_err(failure)?;
            let value = stored.as_deref().and_then(alive).map(<[u8]>::to_vec);
            let (to, answer) = match decide(&value) {
                Change::None(answer) => return Ok(answer),
                Change::To(to, answer) => (to, answer),
            };
            let old = stored.as_ref().map_or(0, |stored| size(key, stored.len()));
            let batch = Batch::new().require(at.clone(), stored);
            let (batch, new) = match to {
                None => (batch.delete(at.clone()), 0),
                Some((value, expires)) => {
                    if value.len() as u64 > room.value {
                        return Err(Failure::Limit("kv_value".into()));
                    }
                    let batch = match expires {
                        0 => batch,
                        at => batch.put(layout::expiry(at, tenant, key), []),
                    };
                    let stored = [&expires.to_be_bytes()[..], &value].concat();
                    let new = size(key, stored.len());
                    (batch.put(at.clone(), stored), new)
                }
            };
            self.take_room(tenant, room, old, new)?;
            match self.commit(batch).await {
                Ok(()) => return Ok(answer),
                Err(why) => {
                    self.give_back(tenant, old, new);
                    if !matches!(why, StoreError::Conflict) {
                        return Err(failure(why));
                    }
                }
            }
        }
        Err(Failure::TimedOut)
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        self.store.commit(batch, Box::new(move |result| drop(done.send(result))));
        wait.await.unwrap_or(Err(StoreError::Closed))
    }

    fn take_room(&self, tenant: &str, room: Room, old: u64, new: u64) -> Result<(), Failure> {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let total = match totals.get_mut(tenant) {
            Some(total) => total,
            None => {
                let counted = self.count(tenant).map_err(failure)?;
                totals.entry(tenant.into()).or_insert(counted)
            }
        };
        let after = total.saturating_sub(old) + new;
        if new > old && after > room.total {
            return Err(Failure::Limit("kv_total".into()));
        }
        *total = after;
        Ok(())
    }

    fn give_back(&self, tenant: &str, old: u64, new: u64) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(total) = totals.get_mut(tenant) {
            *total = (*total + old).saturating_sub(new);
        }
    }

    fn count(&self, tenant: &str) -> Result<u64, StoreError> {
        let mut scan = layout::memories(tenant);
        let mut total = 0;
        loop {
            let page = self.store.scan(&scan)?;
            total += page.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
            let Some((last, _)) = page.last() else { return Ok(total) };
            scan = layout::memories(tenant).behind(last);
        }
    }

    /// Removes what has expired; call it now and then, on a thread that may wait.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let expired: Scan = layout::expired(wall_millis()).limit(SWEEP);
        let mut swept = 0;
        for (note, _) in self.store.scan(&expired)? {
            let mut batch = Batch::new().delete(note.clone());
            if let Some((_, tenant, key)) = layout::read_expiry(&note) {
                let at = layout::memory(&tenant, &key);
                let stored = self.store.get(&at)?;
                if let Some(dead) = stored.filter(|stored| alive(stored).is_none()) {
                    let bytes = size(&key, dead.len());
                    batch = batch.require(at.clone(), Some(dead)).delete(at);
                    self.give_back(&tenant, 0, bytes);
                }
            }
            match self.store.commit_and_wait(batch) {
                Ok(()) => swept += 1,
                Err(StoreError::Conflict) => {} // written anew meanwhile; it has a new note
                Err(why) => return Err(why),
            }
        }
        Ok(swept)
    }
}

/// What becomes of a key.
enum Change {
    /// It stays; this is the answer.
    None(Answer),
    /// Its new value and when that expires (0: never), or nothing.
    To(Option<(Vec<u8>, u64)>, Answer),
}

/// The value inside what is stored, unless it has expired. Stored: 8 bytes of milliseconds since 1970
/// (0: never), then the value.
fn alive(stored: &[u8]) -> Option<&[u8]> {
    let (expires, value) = stored.split_first_chunk::<8>()?;
    let expires = u64::from_be_bytes(*expires);
    (expires == 0 || expires > wall_millis()).then_some(value)
}

fn add(is: Option<&[u8]>, amount: i32) -> Option<i32> {
    let is = match is {
        None => 0,
        Some(text) => std::str::from_utf8(text).ok()?.parse::<i32>().ok()?,
    };
    is.checked_add(amount)
}

fn size(key: &str, stored: usize) -> u64 {
    (key.len() + stored) as u64
}

fn check(key: &str) -> Result<(), Failure> {
    match key.len() {
        1..=LONGEST_KEY => Ok(()),
        _ => Err(Failure::Invalid("key: 1 to 256 bytes".into())),
    }
}

fn failure(why: StoreError) -> Failure {
    match why {
        StoreError::Busy => Failure::Limit("store".into()),
        StoreError::Full { .. } => Failure::Limit("disk".into()),
        other => Failure::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Options;

    const ROOM: Room = Room { value: 16, total: 200 };

    fn set(key: &str, value: &str) -> Command {
        Command::KvSet { key: key.into(), value: value.into(), keep_seconds: None }
    }

    fn memory(run: impl AsyncFnOnce(Memory)) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), &Options::default()).expect("a store");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(Memory::new(store)));
    }

    #[test]
    fn what_is_set_is_read_by_its_tenant_alone() {
        memory(async |memory| {
            let get = Command::KvGet { key: "a".into() };
            assert_eq!(memory.ask("x", ROOM, set("a", "1")).await, Answer::Done);
            assert_eq!(memory.ask("x", ROOM, get.clone()).await, Answer::Value(Some(b"1".to_vec())));
            assert_eq!(memory.ask("y", ROOM, get.clone()).await, Answer::Value(None));
            assert_eq!(memory.ask("x", ROOM, Command::KvDelete { key: "a".into() }).await, Answer::Done);
            assert_eq!(memory.ask("x", ROOM, get).await, Answer::Value(None));
        });
    }

    #[test]
    fn swap_and_add_decide_on_what_is_there() {
        memory(async |memory| {
            let swap = |was: Option<&str>, value: &str| Command::KvSwap {
                key: "k".into(),
                was: was.map(|was| was.as_bytes().to_vec()),
                value: value.into(),
            };
            assert_eq!(memory.ask("x", ROOM, swap(Some("0"), "1")).await, Answer::Swapped(false));
            assert_eq!(memory.ask("x", ROOM, swap(None, "1")).await, Answer::Swapped(true));
            let add = |amount| Command::KvAdd { key: "k".into(), amount };
            assert_eq!(memory.ask("x", ROOM, add(41)).await, Answer::Sum(42));
            let Answer::Failed(Failure::Invalid(_)) = memory.ask("x", ROOM, add(i32::MAX)).await else {
                panic!("the sum does not fit")
            };
        });
    }

    #[test]
    fn a_tenant_at_its_bound_is_told_which_and_keeps_what_it_has() {
        memory(async |memory| {
            let limit = |name: &str| Answer::Failed(Failure::Limit(name.into()));
            assert_eq!(memory.ask("x", ROOM, set("a", &"v".repeat(17))).await, limit("kv_value"));
            for n in 0..8 {
                assert_eq!(memory.ask("x", ROOM, set(&n.to_string(), &"v".repeat(16))).await, Answer::Done);
            }
            assert_eq!(memory.ask("x", ROOM, set("8", "v")).await, limit("kv_total"));
            assert_eq!(memory.ask("x", ROOM, Command::KvDelete { key: "0".into() }).await, Answer::Done);
            assert_eq!(memory.ask("x", ROOM, set("8", "v")).await, Answer::Done);
        });
    }

    #[test]
    fn what_has_expired_is_gone_and_swept() {
        memory(async |memory| {
            let gone = Command::KvSet { key: "a".into(), value: b"1".to_vec(), keep_seconds: Some(0) };
            assert_eq!(memory.ask("x", ROOM, gone).await, Answer::Done);
            assert_eq!(memory.ask("x", ROOM, Command::KvGet { key: "a".into() }).await, Answer::Value(None));
            assert_eq!(memory.sweep().expect("a sweep"), 1);
            assert_eq!(memory.store.scan(&layout::memories("x")).expect("a scan"), []);
        });
    }
}
