//! Who spoke with a number, and when: a row in the store for each conversation between somebody of the
//! tenant and a number, whoever called whom, sealed in the same batch as the call's record. So "whoever
//! spoke with this caller last" is one look, also after a restart, and is right as soon as the record is.

use exchange::{CallId, CallRecord};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use store::{Batch, Record, Store, StoreError, layout};

use crate::config::{Tenant, User};

/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;
/// A question goes back so many days at most.
pub const MOST_DAYS: u32 = 366;
/// Conversations that are counted; there may be more.
pub const MOST_COUNTED: usize = 1000;

/// What a row says beyond its key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Conversation {
    /// A user's name, or the number that someone of the tenant was reached at.
    with: String,
}

/// Adds a call's conversation to the batch of its record; nothing if nobody spoke with a number.
#[must_use]
pub fn put(batch: Batch, record: &CallRecord) -> Batch {
    let Some(Spoken { number, with, .. }) = conversation(record) else { return batch };
    let conversation = Conversation { with };
    let value =
        postcard::to_extend(&conversation, vec![FORM]).expect("a text has a form that can be written");
    batch.put(layout::conversation(&record.tenant, &number, record.id.0), value)
}

/// Takes a call's conversation out of the history.
#[must_use]
pub fn delete(batch: Batch, record: &CallRecord) -> Batch {
    let Some(Spoken { number, .. }) = conversation(record) else { return batch };
    batch.delete(layout::conversation(&record.tenant, &number, record.id.0))
}

/// Two who spoke with each other.
pub(crate) struct Spoken {
    /// Of the far side.
    pub number: String,
    /// Who spoke with it: a user's name, or a number.
    pub with: String,
    /// The tenant's side called.
    pub outbound: bool,
}

/// Who spoke with whom in a call.
pub(crate) fn conversation(record: &CallRecord) -> Option<Spoken> {
    let answered_by = record.answered_by.as_deref()?;
    let caller = record.legs.first()?;
    let answering = record.legs.iter().skip(1).find(|leg| leg.party == answered_by && leg.answered.is_some());
    // What goes over a trunk is a number; everything else is one of the tenant's own.
    let answered_outside = answering.is_some_and(|leg| leg.trunk.is_some());
    let outbound = caller.trunk.is_none() && answered_outside;
    let (number, with) = match (caller.trunk.is_some(), answered_outside) {
        // A user called out, or was rung first by the exchange.
        (false, true) => (answered_by, caller.party.as_str()),
        // A number called, and a user, or a mobile, answered.
        (true, _) => (record.from.number.as_str(), answered_by),
        // Inside the house.
        (false, false) => (record.from.number.as_str(), answered_by),
    };
    let number = plain(number);
    (!number.is_empty() && !with.is_empty()).then(|| Spoken { number, with: with.to_owned(), outbound })
}

/// The user whom a name or a mobile number means.
pub(crate) fn user_of<'t>(tenant: &'t Tenant, with: &str) -> Option<&'t User> {
    let by_mobile = || {
        let mobile = plain(with);
        tenant.users.iter().find(|user| user.mobile.as_deref().is_some_and(|own| plain(own) == mobile))
    };
    tenant.user_by_name(with).or_else(by_mobile).map(|user| &**user)
}

/// The user who spoke with a number last, `days` back at most: 0 is today by the tenant's clock. Of those
/// who are no longer configured nobody knows.
///
/// # Errors
/// When the store can't be read.
pub fn last_spoke_with<'t>(
    store: &Store,
    tenant: &'t Tenant,
    number: &str,
    days: u32,
    now: Timestamp,
) -> Result<Option<&'t User>, StoreError> {
    // A queue asks this on the thread that serves calls: the newest row nearly always says it, and the
    // others are read only when that one names nobody who is still there.
    for most in [1, MOST_COUNTED] {
        let rows = rows(store, tenant, number, days, now, most)?;
        if let Some(known) =
            rows.iter().filter_map(|(_, row)| read(row)).find_map(|with| user_of(tenant, &with))
        {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// How many conversations there were with a number, `days` back at most; at most [`MOST_COUNTED`].
///
/// # Errors
/// When the store can't be read.
pub fn conversations(
    store: &Store,
    tenant: &Tenant,
    number: &str,
    days: u32,
    now: Timestamp,
) -> Result<u32, StoreError> {
    Ok(rows(store, tenant, number, days, now, MOST_COUNTED)?.len() as u32)
}

/// The newest `most`, the newest first.
fn rows(
    store: &Store,
    tenant: &Tenant,
    number: &str,
    days: u32,
    now: Timestamp,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let since = CallId::new(since(now, &tenant.timezone, days), 0);
    let scan = layout::conversations_since(&tenant.name, &plain(number), since.0);
    store.scan(&scan.backward().limit(most))
}

/// The midnight at which the tenant's day began, `days` before today: milliseconds since 1970 UTC.
fn since(now: Timestamp, zone: &TimeZone, days: u32) -> u64 {
    let today = now.to_zoned(zone.clone()).date();
    let day = today.saturating_sub(i64::from(days.min(MOST_DAYS)).days());
    let midnight = day.to_zoned(zone.clone()).map_or(now, |midnight| midnight.timestamp());
    u64::try_from(midnight.as_millisecond()).unwrap_or(0)
}

/// A number without what is only written: "00359 88-12" is "+3598812".
fn plain(number: &str) -> String {
    let plain: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    match plain.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => plain,
    }
}

fn read(row: &[u8]) -> Option<String> {
    let (form, rest) = row.split_first()?;
    let conversation: Conversation = (*form == FORM).then(|| postcard::from_bytes(rest).ok()).flatten()?;
    Some(conversation.with)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use exchange::{Direction, LegNo, LegRecord, Outcome, Party};
    use store::Options;
    use tempfile::TempDir;

    use super::*;
    use crate::config;

    const CALLER: &str = "+359888123456";

    fn leg(no: u32, party: &str, trunk: bool, answered: bool) -> LegRecord {
        LegRecord {
            leg: LegNo(no),
            party: party.into(),
            trunk: trunk.then(|| "carrier".into()),
            started: 0.0,
            answered: answered.then_some(1.0),
            ended: Some(2.0),
            end: "hung up".into(),
            sip_call_id: String::new(),
        }
    }

    /// A call at a moment, by its legs: the caller's first.
    fn call(at: &str, from: &str, answered_by: Option<&str>, legs: Vec<LegRecord>) -> CallRecord {
        let at: Timestamp = at.parse().unwrap();
        CallRecord {
            id: CallId::new(at.as_millisecond() as u64, legs.len() as u128),
            from: Party { number: from.into(), ..Party::default() },
            answered_by: answered_by.map(str::to_owned),
            legs,
            ..template()
        }
    }

    pub(crate) fn inbound(at: &str, from: &str, answered_by: &str) -> CallRecord {
        let legs =
            vec![leg(0, from, true, true), leg(1, "vera", false, false), leg(2, answered_by, false, true)];
        call(at, from, Some(answered_by), legs)
    }

    struct World {
        store: Store,
        tenant: Arc<Tenant>,
        _folder: TempDir,
    }

    fn world() -> World {
        let text = "[[tenant]]\nname = \"acme\"\ntimezone = \"Europe/Sofia\"\n[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n[[tenant.user]]\nname = \"boris\"\nnumber = \"102\"\nmobile = \"+359888000102\"\n";
        let world = config::read(&[(PathBuf::from("x.toml"), text.to_owned())], &|_| None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &Options::default()).unwrap();
        World { store, tenant: world.tenant("acme").unwrap().clone(), _folder: folder }
    }

    impl World {
        fn seal(&self, record: CallRecord) {
            self.store.commit_and_wait(put(Batch::new(), &record)).unwrap();
        }

        fn last(&self, number: &str, days: u32, now: &str) -> Option<&str> {
            let found = last_spoke_with(&self.store, &self.tenant, number, days, now.parse().unwrap());
            found.unwrap().map(|user| user.name.as_str())
        }

        fn count(&self, days: u32, now: &str) -> u32 {
            conversations(&self.store, &self.tenant, CALLER, days, now.parse().unwrap()).unwrap()
        }
    }

    #[test]
    fn the_last_to_speak_is_found_whoever_called() {
        let world = world();
        assert_eq!(world.last(CALLER, 366, "2026-11-22T12:00:00Z"), None);
        world.seal(inbound("2026-11-20T10:00:00Z", CALLER, "ana"));
        assert_eq!(world.last("00359 888-123-456", 7, "2026-11-22T12:00:00Z"), Some("ana"));
        // Boris called back.
        let legs = vec![leg(0, "boris", false, true), leg(1, CALLER, true, true)];
        world.seal(call("2026-11-21T10:00:00Z", "102", Some(CALLER), legs));
        assert_eq!(world.last(CALLER, 7, "2026-11-22T12:00:00Z"), Some("boris"));
        assert_eq!(world.count(7, "2026-11-22T12:00:00Z"), 2);
        assert_eq!(world.last("+359888123457", 7, "2026-11-22T12:00:00Z"), None);
    }

    #[test]
    fn a_mobile_that_answered_is_its_user_and_who_left_the_company_is_passed_over() {
        let world = world();
        world.seal(inbound("2026-11-20T10:00:00Z", CALLER, "ana"));
        let legs = vec![leg(0, CALLER, true, true), leg(1, "+359888000102", true, true)];
        world.seal(call("2026-11-21T10:00:00Z", CALLER, Some("+359888000102"), legs));
        assert_eq!(world.last(CALLER, 7, "2026-11-22T12:00:00Z"), Some("boris"));
        world.seal(inbound("2026-11-22T10:00:00Z", CALLER, "peter"));
        assert_eq!(world.last(CALLER, 7, "2026-11-22T12:00:00Z"), Some("boris"));
        assert_eq!(world.count(0, "2026-11-22T12:00:00Z"), 1);
    }

    #[test]
    fn today_is_the_tenants_day() {
        let world = world();
        // Half past midnight of the 22nd in Sofia, where it is UTC+2.
        world.seal(inbound("2026-11-21T22:30:00Z", CALLER, "ana"));
        assert_eq!(world.last(CALLER, 0, "2026-11-22T21:59:59Z"), Some("ana"));
        assert_eq!(world.last(CALLER, 0, "2026-11-22T22:00:00Z"), None);
        assert_eq!(world.last(CALLER, 1, "2026-11-22T22:00:00Z"), Some("ana"));
        world.seal(inbound("2026-11-19T21:59:59Z", CALLER, "boris"));
        assert_eq!((world.count(1, "2026-11-21T22:30:01Z"), world.count(3, "2026-11-21T22:30:01Z")), (1, 2));
    }

    #[test]
    fn what_was_no_conversation_leaves_no_trace() {
        let world = world();
        let missed = vec![leg(0, CALLER, true, false), leg(1, "ana", false, false)];
        world.seal(call("2026-11-22T10:00:00Z", CALLER, None, missed));
        let withheld = vec![leg(0, "", true, true), leg(1, "ana", false, true)];
        world.seal(call("2026-11-22T10:01:00Z", "", Some("ana"), withheld));
        assert_eq!(world.count(366, "2026-11-22T12:00:00Z"), 0);
        assert_eq!(world.last("", 366, "2026-11-22T12:00:00Z"), None);
    }

    fn template() -> CallRecord {
        CallRecord {
            id: CallId(0),
            tenant: "acme".into(),
            direction: Direction::Inbound,
            from: Party::default(),
            dialled: "700".into(),
            source: None,
            script: "reception".into(),
            version: String::new(),
            started: 0.0,
            answered: None,
            ended: 2.0,
            wait: Duration::ZERO,
            talk: Duration::ZERO,
            outcome: Outcome::Answered,
            answered_by: None,
            legs: Vec::new(),
            tags: Vec::new(),
            recordings: Vec::new(),
            failure: None,
        }
    }
}
