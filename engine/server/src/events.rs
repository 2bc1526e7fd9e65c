//! What happens, for those who watch: per tenant a row of numbered events that a reader can go on
//! reading where it stopped, and that wakes whoever waits for the next. The row is bounded; a reader
//! that fell behind is told how many it missed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

/// Events kept of one tenant; the oldest make room.
pub const KEPT: usize = 10_000;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Counts up by one within a tenant, from 1 at the start of the process; a reader that knows a
    /// number of an earlier process is told that it missed something.
    pub number: u64,
    /// Seconds since 1970 UTC.
    pub at: f64,
    /// "call.arrived", "script.failed", "user.registered" ...
    pub kind: &'static str,
    /// What it is about, as JSON: most events are never read, and those who read one read it once.
    pub data: Arc<str>,
}

impl Event {
    /// What it is about.
    pub fn data(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// What a reader gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Events that were dropped before the first of `events`.
    pub missed: u64,
    /// In order.
    pub events: Vec<Event>,
}

struct Row {
    events: VecDeque<Event>,
    last: u64,
    /// The number of the last event: changing it wakes readers.
    news: watch::Sender<u64>,
}

/// The rows of all tenants.
pub struct EventBus {
    rows: Mutex<HashMap<String, Row>>,
    kept: usize,
}

impl Default for EventBus {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl EventBus {
    /// Keeps so many events in each row.
    pub fn keeping(kept: usize) -> Self {
        Self { rows: Mutex::default(), kept }
    }

    /// Adds an event to a tenant's row. Never waits.
    pub fn publish(&self, tenant: &str, kind: &'static str, data: impl Serialize) {
        let at = wall();
        let data: Arc<str> = serde_json::to_string(&data).unwrap_or_else(|_| "null".into()).into();
        let kept = self.kept;
        self.with_row(tenant, |row| {
            row.last += 1;
            if row.events.len() == kept {
                row.events.pop_front();
            }
            row.events.push_back(Event { number: row.last, at, kind, data });
            row.news.send_replace(row.last);
        });
    }

    /// Adds what the exchange noted.
    pub fn note(&self, note: &exchange::Note) {
        #[derive(Serialize)]
        struct Told<'a> {
            call: String,
            leg: u32,
            about: &'a str,
        }
        let told = Told { call: note.call.to_string(), leg: note.leg.0, about: &note.about };
        self.publish(&note.tenant, note.kind, told);
    }

    /// The events of a tenant behind number `last`, at most `most`.
    pub fn read(&self, tenant: &str, last: u64, most: usize) -> Page {
        self.with_row(tenant, |row| {
            let first_kept = row.events.front().map_or(row.last + 1, |event| event.number);
            // A number from the future is one of an earlier process: all that is kept is news.
            let last = if last > row.last { 0 } else { last };
            let missed = first_kept.saturating_sub(last + 1);
            let skip = (last + 1).saturating_sub(first_kept) as usize;
            Page { missed, events: row.events.iter().skip(skip).take(most).cloned().collect() }
        })
    }

    /// The number of the tenant's last event, and news of later ones.
    pub fn watch(&self, tenant: &str) -> watch::Receiver<u64> {
        self.with_row(tenant, |row| row.news.subscribe())
    }

    /// Whether somebody waits for the row's news; a row that nobody ever watched is not made for the question.
    pub fn is_watched(&self, row: &str) -> bool {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get(row).is_some_and(|row| row.news.receiver_count() > 0)
    }

    fn with_row<T>(&self, tenant: &str, what: impl FnOnce(&mut Row) -> T) -> T {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if !rows.contains_key(tenant) {
            let row = Row { events: VecDeque::new(), last: 0, news: watch::Sender::new(0) };
            rows.insert(tenant.to_owned(), row);
        }
        what(rows.get_mut(tenant).expect("inserted a line ago"))
    }
}

/// Seconds since 1970 UTC.
pub fn wall() -> f64 {
    since_1970().as_secs_f64()
}

/// Milliseconds since 1970 UTC, as the store keeps moments.
pub fn wall_millis() -> u64 {
    since_1970().as_millis() as u64
}

/// A clock set before 1970 counts as 1970.
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(page: &Page) -> Vec<u64> {
        page.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped_and_tenants_are_apart() {
        let bus = EventBus::default();
        for n in 0..3 {
            bus.publish("a", "test", json!(n));
        }
        bus.publish("b", "test", json!(9));
        assert_eq!(numbers(&bus.read("a", 0, 2)), [1, 2]);
        assert_eq!(numbers(&bus.read("a", 2, 10)), [3]);
        assert_eq!(bus.read("a", 3, 10), Page::default());
        assert_eq!(numbers(&bus.read("b", 0, 10)), [1]);
    }

    #[test]
    fn a_reader_that_fell_behind_is_told_how_much_it_missed() {
        let bus = EventBus::default();
        for n in 0..KEPT + 5 {
            bus.publish("a", "test", json!(n));
        }
        let page = bus.read("a", 2, 1);
        assert_eq!((page.missed, numbers(&page)), (3, vec![6]));
        let after_restart = bus.read("a", 1_000_000, 1);
        assert_eq!((after_restart.missed, numbers(&after_restart)), (5, vec![6]));
    }

    #[test]
    fn whoever_waits_is_woken() {
        let bus = EventBus::default();
        let news = bus.watch("a");
        assert!(!news.has_changed().expect("the bus lives"));
        bus.publish("a", "test", json!(1));
        assert!(news.has_changed().expect("the bus lives"));
        assert!(bus.is_watched("a") && !bus.is_watched("b"));
        drop(news);
        assert!(!bus.is_watched("a"));
    }
}
