//! Call records in the store: how they are written, and the register that people read, newest first,
//! by pages.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use exchange::{CallId, CallRecord, Outcome};
use store::{Batch, Scan, Store, StoreError, layout};

/// In front of each record, so that another form can be told apart later.
const FORM: u8 = 1;

/// The mark that says what a call was about: a script's, or of whoever spoke.
pub const CATEGORY: &str = "category";
/// The mark that says what it was worth: a number, in the tenant's currency.
pub const VALUE: &str = "value";

/// Records looked at for one page; a page that finds too few ends there, with a cursor to go on.
const MOST_LOOKED_AT: usize = 10_000;

/// Records read from the store at once.
const CHUNK: usize = 500;

/// Adds a call's record to a batch.
#[must_use]
pub fn put(batch: Batch, record: &CallRecord) -> Batch {
    let value = postcard::to_extend(record, vec![FORM]).expect("a record has nothing that cannot be written");
    batch.put(layout::call(&record.tenant, record.id.0), value)
}

/// A call's record; none when the call is unknown or not over.
pub fn get(store: &Store, tenant: &str, call: CallId) -> Result<Option<CallRecord>, StoreError> {
    store.get(&layout::call(tenant, call.0))?.map(|bytes| read(&bytes)).transpose()
}

/// What a call is marked with by this key; of several marks the last.
pub fn mark<'r>(record: &'r CallRecord, key: &str) -> Option<&'r str> {
    record.tags.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

/// Marks of calls that are over change one after the other, so that none is lost.
#[derive(Default)]
pub struct Marking(Mutex<()>);

impl Marking {
    /// Puts marks in the place of those with their keys, or takes these away where there is no value. Answers the record as
    /// it is now; none when there is none. Durable when it returns; for a thread that may wait.
    ///
    /// # Errors
    /// When the store can't.
    pub fn mark(
        &self,
        store: &Store,
        tenant: &str,
        call: CallId,
        marks: &[(&str, Option<String>)],
    ) -> Result<Option<CallRecord>, StoreError> {
        let _one = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut record) = get(store, tenant, call)? else { return Ok(None) };
        for (key, value) in marks {
            record.tags.retain(|(known, _)| known != key);
            record.tags.extend(value.clone().map(|value| ((*key).to_owned(), value)));
        }
        store.commit_and_wait(put(Batch::new(), &record))?;
        Ok(Some(record))
    }
}

/// What a reader of the register looks for; none matches everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Arrived then or later: seconds since 1970 UTC.
    pub from: Option<f64>,
    /// Arrived before.
    pub to: Option<f64>,
    /// The caller's, the dialled or the answering number, whole or its end.
    pub number: Option<String>,
    /// Who answered, by name.
    pub agent: Option<String>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// What it was about.
    pub category: Option<String>,
    /// The advertising source of the number dialled.
    pub source: Option<String>,
    /// Something of it was recorded.
    pub recorded: bool,
    /// Calls that were listed after this one on the page before.
    pub before: Option<CallId>,
}

/// A page of the register.
#[derive(Debug, PartialEq)]
pub struct Page {
    /// Newest first.
    pub records: Vec<CallRecord>,
    /// Where the next page goes on; none at the end.
    pub next: Option<CallId>,
}

/// The newest `most` records that the filter lets through.
pub fn page(store: &Store, tenant: &str, filter: &Filter, most: usize) -> Result<Page, StoreError> {
    let Range { start, end } = filter.ids();
    if start >= end {
        return Ok(Page { records: Vec::new(), next: None });
    }
    let mut scan = layout::calls_between(tenant, start, end).backward().limit(CHUNK);
    let mut page = Page { records: Vec::new(), next: None };
    let mut looked_at = 0;
    loop {
        let found = store.scan_on_disk(&scan)?;
        let Some((last, _)) = found.last() else { return Ok(page) };
        let (last, whole) = (last.clone(), found.len() == CHUNK);
        for (_, value) in found {
            let record = read(&value)?;
            let id = record.id;
            looked_at += 1;
            if filter.lets_through(&record) {
                page.records.push(record);
            }
            if page.records.len() >= most || looked_at >= MOST_LOOKED_AT {
                page.next = Some(id);
                return Ok(page);
            }
        }
        if !whole {
            return Ok(page);
        }
        scan = Scan::behind(scan, &last);
    }
}

impl Filter {
    /// The ids that can match: an id begins with the call's time.
    fn ids(&self) -> Range<u128> {
        let at = |seconds: f64| CallId::new((seconds * 1000.0).clamp(0.0, 2f64.powi(48) - 1.0) as u64, 0).0;
        let end = self.to.map_or(u128::MAX, at).min(self.before.map_or(u128::MAX, |id| id.0));
        self.from.map_or(0, at)..end
    }

    fn lets_through(&self, record: &CallRecord) -> bool {
        let about = |number: &String| {
            let answered = record.answered_by.as_deref().unwrap_or_default();
            [record.from.number.as_str(), &record.dialled, answered]
                .iter()
                .any(|n| n.ends_with(number.as_str()))
        };
        (!self.recorded || !record.recordings.is_empty())
            && self.outcome.is_none_or(|outcome| outcome == record.outcome)
            && self.category.as_deref().is_none_or(|category| mark(record, CATEGORY) == Some(category))
            && self.source.as_ref().is_none_or(|source| record.source.as_ref() == Some(source))
            && self.agent.as_ref().is_none_or(|agent| record.answered_by.as_ref() == Some(agent))
            && self.number.as_ref().is_none_or(about)
    }
}

/// A record from its row.
pub(crate) fn read(bytes: &[u8]) -> Result<CallRecord, StoreError> {
    let record = bytes.strip_prefix(&[FORM]).and_then(|bytes| postcard::from_bytes(bytes).ok());
    record.ok_or_else(|| StoreError::Corrupt("a call record cannot be read".to_owned()))
}
