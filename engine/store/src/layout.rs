//! Where everything lies: the keys of every kind of record, in one place.
//!
//! A key is a letter for its kind and then its parts. A text part ends with 0x00 0x01 (a zero inside it
//! is written as 0x00 0xFF), so that no tenant's keys begin with another's and prefixes can be scanned;
//! numbers are big-endian, so that they sort. Values are encoded by whoever owns them.
//!
//! | key | value |
//! |---|---|
//! | `a` tenant user | what of an agent outlives a restart: a pause, queues signed in to and out of |
//! | `b` tenant queue number | a call back that was promised |
//! | `c` tenant call | the call's record; ids begin with their time, so a scan backwards is newest first |
//! | `d` tenant contact | a contact of the tenant's own CRM |
//! | `e` tenant number | an event of the tenant's stream, by its sequence number |
//! | `f` tenant call number | how an effect outside went so far |
//! | `g` tenant hash | a link to a recording |
//! | `h` tenant number call | a conversation with a number: with whom, in the order of time |
//! | `i` tenant call number | a task that is open |
//! | `j` tenant | the token that the tenant's CRM gave in place of the configured one, sealed |
//! | `k` tenant key | a script's own memory: the moment it expires, and the value |
//! | `l` tenant call | what a call did on the wire, line by line |
//! | `m` tenant box recording | a message in a box |
//! | `n` tenant suffix digits contact | whose a number is, by its last digits |
//! | `o` tenant call number | an effect outside that waits for its delivery, or was given up |
//! | `p` tenant prompt | a prompt's description; its sound is a blob |
//! | `q` tenant queue | a queue's figures of its last day |
//! | `r` tenant user contact | a registered contact |
//! | `s` tenant script | which version is active, and since when |
//! | `t` tenant call part | a sealed tape, in parts of at most [`MAX_VALUE`]; behind them, each under a number, runs that came later |
//! | `u` tenant call number | what a task is called in the tenant's other CRM |
//! | `v` tenant script number | a version's description; its component is a blob |
//! | `w` tenant user | an agent's work of their last day |
//! | `x` moment tenant key | what in `k` expires when, in the order of time |
//! | `y` tenant call number | a task that is done, in the order of time |
//! | `z` tenant address | a mail address from which mail came back |

use crate::{Batch, MAX_VALUE, Scan, Store, StoreError};

/// What is kept of an agent.
pub fn agent(tenant: &str, user: &str) -> Vec<u8> {
    Key::new(b'a').text(tenant).text(user).0
}

/// What is kept of all agents of all tenants; [`read_agent`] tells whose.
pub fn agents() -> Scan {
    Scan::prefix(Key::new(b'a').0)
}

/// Reads an agent's key back: tenant, user.
pub fn read_agent(key: &[u8]) -> Option<(String, String)> {
    let (tenant, rest) = read_text(key.strip_prefix(b"a")?)?;
    let (user, rest) = read_text(rest)?;
    rest.is_empty().then_some((tenant, user))
}

/// A promised call back.
pub fn call_back(tenant: &str, queue: &str, number: &str) -> Vec<u8> {
    Key::new(b'b').text(tenant).text(queue).text(number).0
}

/// All promised call backs of all tenants; [`read_call_back`] tells whose.
pub fn call_backs() -> Scan {
    Scan::prefix(Key::new(b'b').0)
}

/// Reads a call back's key back: tenant, queue, number.
pub fn read_call_back(key: &[u8]) -> Option<(String, String, String)> {
    let (tenant, rest) = read_text(key.strip_prefix(b"b")?)?;
    let (queue, rest) = read_text(rest)?;
    let (number, rest) = read_text(rest)?;
    rest.is_empty().then_some((tenant, queue, number))
}

/// A call's record. `call`: its id's bits.
pub fn call(tenant: &str, call: u128) -> Vec<u8> {
    Key::new(b'c').text(tenant).bytes(&call.to_be_bytes()).0
}

/// All call records of a tenant, in the order of time.
pub fn calls(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'c').text(tenant).0)
}

/// The call records of a tenant with ids in `from..to`.
pub fn calls_between(tenant: &str, from: u128, to: u128) -> Scan {
    Scan::range(call(tenant, from), call(tenant, to))
}

/// The ladders of a tenant's calls with ids below `until`.
pub fn ladders_before(tenant: &str, until: u128) -> Scan {
    Scan::range(ladder(tenant, 0), ladder(tenant, until))
}

/// What a call did on the wire.
pub fn ladder(tenant: &str, call: u128) -> Vec<u8> {
    Key::new(b'l').text(tenant).bytes(&call.to_be_bytes()).0
}

/// An event of a tenant's stream.
pub fn event(tenant: &str, number: u64) -> Vec<u8> {
    Key::new(b'e').text(tenant).bytes(&number.to_be_bytes()).0
}

/// The events of a tenant from `number` on.
pub fn events_from(tenant: &str, number: u64) -> Scan {
    Scan::range(event(tenant, number), [Key::new(b'e').text(tenant).0, vec![0xff; 9]].concat())
}

/// A conversation with a number. `call`: its id's bits.
pub fn conversation(tenant: &str, number: &str, call: u128) -> Vec<u8> {
    Key::new(b'h').text(tenant).text(number).bytes(&call.to_be_bytes()).0
}

/// The conversations with a number in calls with ids of `from` and later.
pub fn conversations_since(tenant: &str, number: &str, from: u128) -> Scan {
    let all = Key::new(b'h').text(tenant).text(number).0;
    Scan::range(conversation(tenant, number, from), [all, vec![0xff; 17]].concat())
}

/// The token that a tenant's CRM gave.
pub fn token(tenant: &str) -> Vec<u8> {
    Key::new(b'j').text(tenant).0
}

/// A key of a tenant's own memory.
pub fn memory(tenant: &str, key: &str) -> Vec<u8> {
    Key::new(b'k').text(tenant).text(key).0
}

/// All of a tenant's own memory.
pub fn memories(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'k').text(tenant).0)
}

/// Notes that a tenant's key expires; `millis` since 1970 UTC.
pub fn expiry(millis: u64, tenant: &str, key: &str) -> Vec<u8> {
    Key::new(b'x').bytes(&millis.to_be_bytes()).text(tenant).text(key).0
}

/// Everything that has expired by `millis`.
pub fn expired(millis: u64) -> Scan {
    Scan::range(Key::new(b'x').0, Key::new(b'x').bytes(&millis.saturating_add(1).to_be_bytes()).0)
}

/// Reads an expiry key back: the moment, the tenant, the tenant's key.
pub fn read_expiry(key: &[u8]) -> Option<(u64, String, String)> {
    let (millis, rest) = key.strip_prefix(b"x")?.split_first_chunk::<8>()?;
    let (tenant, rest) = read_text(rest)?;
    let (name, rest) = read_text(rest)?;
    rest.is_empty().then_some((u64::from_be_bytes(*millis), tenant, name))
}

/// An effect outside. `call`: the bits of the id of the call that caused it; `number`: which of that call's.
pub fn effect(tenant: &str, call: u128, number: u32) -> Vec<u8> {
    Key::new(b'o').text(tenant).bytes(&call.to_be_bytes()).bytes(&number.to_be_bytes()).0
}

/// All effects of all tenants; [`read_effect`] tells which.
pub fn effects() -> Scan {
    Scan::prefix(Key::new(b'o').0)
}

/// All effects of a tenant, in the order of their calls.
pub fn effects_of(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'o').text(tenant).0)
}

/// Reads an effect's key back: tenant, call, number.
pub fn read_effect(key: &[u8]) -> Option<(String, u128, u32)> {
    let (tenant, rest) = read_text(key.strip_prefix(b"o")?)?;
    let (call, number) = rest.split_first_chunk::<16>()?;
    Some((tenant, u128::from_be_bytes(*call), u32::from_be_bytes(number.try_into().ok()?)))
}

/// How an effect went so far; nothing under it while there is nothing to tell.
pub fn fate(tenant: &str, call: u128, number: u32) -> Vec<u8> {
    Key::new(b'f').text(tenant).bytes(&call.to_be_bytes()).bytes(&number.to_be_bytes()).0
}

/// A mail address from which mail came back.
pub fn bounce(tenant: &str, address: &str) -> Vec<u8> {
    Key::new(b'z').text(tenant).text(address).0
}

/// All such addresses of all tenants; [`read_bounce`] tells whose.
pub fn bounces() -> Scan {
    Scan::prefix(Key::new(b'z').0)
}

/// Reads such a key back: tenant, address.
pub fn read_bounce(key: &[u8]) -> Option<(String, String)> {
    let (tenant, rest) = read_text(key.strip_prefix(b"z")?)?;
    let (address, rest) = read_text(rest)?;
    rest.is_empty().then_some((tenant, address))
}

/// A contact of the tenant's own CRM.
pub fn contact(tenant: &str, id: &str) -> Vec<u8> {
    Key::new(b'd').text(tenant).text(id).0
}

/// All contacts of a tenant, in the order of their ids.
pub fn contacts(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'd').text(tenant).0)
}

/// Whose a number is. `suffix`: its last digits.
pub fn contact_number(tenant: &str, suffix: &str, digits: &str, contact: &str) -> Vec<u8> {
    Key::new(b'n').text(tenant).text(suffix).text(digits).text(contact).0
}

/// The numbers with these last digits; [`read_contact_number`] tells which, and whose.
pub fn contact_numbers(tenant: &str, suffix: &str) -> Scan {
    Scan::prefix(Key::new(b'n').text(tenant).text(suffix).0)
}

/// Reads a number's key back: its digits, and the contact.
pub fn read_contact_number(key: &[u8]) -> Option<(String, String)> {
    let (_, rest) = read_text(key.strip_prefix(b"n")?)?;
    let (_, rest) = read_text(rest)?;
    let (digits, rest) = read_text(rest)?;
    let (contact, rest) = read_text(rest)?;
    rest.is_empty().then_some((digits, contact))
}

/// An open task. `call`: the bits of the id of the call that caused it; `number`: which of that call's.
pub fn open_task(tenant: &str, call: u128, number: u32) -> Vec<u8> {
    Key::new(b'i').text(tenant).bytes(&call.to_be_bytes()).bytes(&number.to_be_bytes()).0
}

/// The open tasks of all tenants; [`read_open_task`] tells whose.
pub fn open_tasks() -> Scan {
    Scan::prefix(Key::new(b'i').0)
}

/// Reads an open task's key back: the tenant.
pub fn read_open_task(key: &[u8]) -> Option<String> {
    Some(read_text(key.strip_prefix(b"i")?)?.0)
}

/// A task that is done.
pub fn done_task(tenant: &str, call: u128, number: u32) -> Vec<u8> {
    Key::new(b'y').text(tenant).bytes(&call.to_be_bytes()).bytes(&number.to_be_bytes()).0
}

/// The tasks of a tenant that are done, in the order of the calls that caused them.
pub fn done_tasks(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'y').text(tenant).0)
}

/// Those of calls with ids below `until`.
pub fn done_tasks_before(tenant: &str, until: u128) -> Scan {
    Scan::range(done_task(tenant, 0, 0), done_task(tenant, until, 0))
}

/// Reads a done task's key back: the bits of the call's id, and which of its tasks.
pub fn read_done_task(key: &[u8]) -> Option<(u128, u32)> {
    let (_, rest) = read_text(key.strip_prefix(b"y")?)?;
    let (call, number) = rest.split_first_chunk::<16>()?;
    Some((u128::from_be_bytes(*call), u32::from_be_bytes(number.try_into().ok()?)))
}

/// What a task is called in the tenant's other CRM.
pub fn task_elsewhere(tenant: &str, call: u128, number: u32) -> Vec<u8> {
    Key::new(b'u').text(tenant).bytes(&call.to_be_bytes()).bytes(&number.to_be_bytes()).0
}

/// A prompt's description.
pub fn prompt(tenant: &str, name: &str) -> Vec<u8> {
    Key::new(b'p').text(tenant).text(name).0
}

/// All prompts of a tenant.
pub fn prompts(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'p').text(tenant).0)
}

/// A queue's figures.
pub fn figures(tenant: &str, queue: &str) -> Vec<u8> {
    Key::new(b'q').text(tenant).text(queue).0
}

/// The figures of all queues of a tenant; [`read_name`] tells which.
pub fn figures_of(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'q').text(tenant).0)
}

/// An agent's work.
pub fn work(tenant: &str, user: &str) -> Vec<u8> {
    Key::new(b'w').text(tenant).text(user).0
}

/// The work of all agents of a tenant; [`read_name`] tells whose.
pub fn work_of(tenant: &str) -> Scan {
    Scan::prefix(Key::new(b'w').text(tenant).0)
}

/// Reads back what a key of something of a tenant's is named: the queue, the user.
pub fn read_name(key: &[u8]) -> Option<String> {
    let (_, rest) = read_text(key.get(1..)?)?;
    let (name, rest) = read_text(rest)?;
    rest.is_empty().then_some(name)
}

/// A registered contact of a user.
pub fn registration(tenant: &str, user: &str, contact: &str) -> Vec<u8> {
    Key::new(b'r').text(tenant).text(user).text(contact).0
}

/// All contacts of all tenants; [`read_registration`] tells whose.
pub fn registrations() -> Scan {
    Scan::prefix(Key::new(b'r').0)
}

/// Reads a registration's key back: tenant, user, contact.
pub fn read_registration(key: &[u8]) -> Option<(String, String, String)> {
    let (tenant, rest) = read_text(key.strip_prefix(b"r")?)?;
    let (user, rest) = read_text(rest)?;
    let (contact, rest) = read_text(rest)?;
    rest.is_empty().then_some((tenant, user, contact))
}

/// A link to a recording, by the hash of its secret part.
pub fn share(tenant: &str, hash: &[u8; 32]) -> Vec<u8> {
    Key::new(b'g').text(tenant).bytes(hash).0
}

/// All links of all tenants.
pub fn shares() -> Scan {
    Scan::prefix(Key::new(b'g').0)
}

/// A message in a box.
pub fn message(tenant: &str, inbox: &str, recording: &str) -> Vec<u8> {
    Key::new(b'm').text(tenant).text(inbox).text(recording).0
}

/// All messages of all tenants; [`read_message`] tells which.
pub fn messages() -> Scan {
    Scan::prefix(Key::new(b'm').0)
}

/// Reads a message's key back: tenant, box, recording.
pub fn read_message(key: &[u8]) -> Option<(String, String, String)> {
    let (tenant, rest) = read_text(key.strip_prefix(b"m")?)?;
    let (inbox, rest) = read_text(rest)?;
    let (recording, rest) = read_text(rest)?;
    rest.is_empty().then_some((tenant, inbox, recording))
}

/// A script's state.
pub fn script(tenant: &str, name: &str) -> Vec<u8> {
    Key::new(b's').text(tenant).text(name).0
}

/// All scripts of all tenants.
pub fn scripts() -> Scan {
    Scan::prefix(Key::new(b's').0)
}

/// A version of a script.
pub fn version(tenant: &str, script: &str, number: u32) -> Vec<u8> {
    Key::new(b'v').text(tenant).text(script).bytes(&number.to_be_bytes()).0
}

/// All versions of a script, the oldest first.
pub fn versions(tenant: &str, script: &str) -> Scan {
    Scan::prefix(Key::new(b'v').text(tenant).text(script).0)
}

/// Adds a call's tape to a batch, in as many parts as it needs.
#[must_use]
pub fn put_tape(batch: Batch, tenant: &str, call: u128, tape: &[u8]) -> Batch {
    tape.chunks(MAX_VALUE).enumerate().fold(batch, |batch, (part, bytes)| {
        let part = u32::try_from(part).unwrap_or(u32::MAX);
        batch.put(tape_prefix(tenant, call).bytes(&part.to_be_bytes()).0, bytes)
    })
}

/// The part of a tape behind which stand runs that came after the call.
const LATER: u32 = u32::MAX;

/// Adds a run that came after a call to the call's tape, behind all that is there. `number`: of the run; they stand in
/// the order of their numbers, and one of the same number takes the place of the one before.
#[must_use]
pub fn put_later_run(batch: Batch, tenant: &str, call: u128, number: u32, run: &[u8]) -> Batch {
    run.chunks(MAX_VALUE).enumerate().fold(batch, |batch, (part, bytes)| {
        let part = u8::try_from(part).unwrap_or(u8::MAX);
        batch.put(later_prefix(tenant, call).bytes(&number.to_be_bytes()).bytes(&[part]).0, bytes)
    })
}

/// The parts of the runs that came after a call; [`read_later_run`] tells which.
pub fn later_runs(tenant: &str, call: u128) -> Scan {
    Scan::prefix(later_prefix(tenant, call).0)
}

/// Reads the key of a part of a later run back: the run's number.
pub fn read_later_run(key: &[u8]) -> Option<u32> {
    let (_, rest) = read_text(key.strip_prefix(b"t")?)?;
    let rest = rest.get(16..)?.strip_prefix(&LATER.to_be_bytes())?;
    let (number, part) = rest.split_first_chunk::<4>()?;
    (part.len() == 1).then(|| u32::from_be_bytes(*number))
}

fn later_prefix(tenant: &str, call: u128) -> Key {
    tape_prefix(tenant, call).bytes(&LATER.to_be_bytes())
}

/// A call's tape, whole; none when there is none.
pub fn tape(store: &Store, tenant: &str, call: u128) -> Result<Option<Vec<u8>>, StoreError> {
    let parts = store.scan(&Scan::prefix(tape_prefix(tenant, call).0))?;
    Ok((!parts.is_empty()).then(|| parts.into_iter().flat_map(|(_, bytes)| bytes).collect()))
}

/// The parts of the tapes of a tenant's calls with ids below `until`; [`read_tape`] tells whose.
pub fn tapes_before(tenant: &str, until: u128) -> Scan {
    Scan::range(tape_prefix(tenant, 0).0, tape_prefix(tenant, until).0)
}

/// Reads the key of a tape's part back: the call.
pub fn read_tape(key: &[u8]) -> Option<u128> {
    let (_, rest) = read_text(key.strip_prefix(b"t")?)?;
    let (call, part) = rest.split_first_chunk::<16>()?;
    (part.len() == 4 || read_later_run(key).is_some()).then(|| u128::from_be_bytes(*call))
}

fn tape_prefix(tenant: &str, call: u128) -> Key {
    Key::new(b't').text(tenant).bytes(&call.to_be_bytes())
}

/// Bytes that keys are usually within; longer ones make room as they grow.
const USUAL_KEY: usize = 64;

struct Key(Vec<u8>);

impl Key {
    fn new(kind: u8) -> Self {
        let mut key = Vec::with_capacity(USUAL_KEY);
        key.push(kind);
        Self(key)
    }

    fn text(mut self, text: &str) -> Self {
        let mut rest = text.as_bytes();
        while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
            self.0.extend_from_slice(&rest[..=zero]);
            self.0.push(0xff);
            rest = &rest[zero + 1..];
        }
        self.0.extend_from_slice(rest);
        self.0.extend_from_slice(&[0, 1]);
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// Reads a text part from the front; answers it and what follows.
fn read_text(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut text = Vec::new();
    loop {
        let (first, rest) = bytes.split_first()?;
        match (first, rest.first()) {
            (0, Some(0xff)) => {
                text.push(0);
                bytes = &rest[1..];
            }
            (0, Some(1)) => return Some((String::from_utf8(text).ok()?, &rest[1..])),
            (0, _) => return None,
            (byte, _) => {
                text.push(*byte);
                bytes = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tenant_sees_into_another_whatever_it_is_called() {
        let tenants = ["a", "ab", "a\0", "a\0b", "", "\u{ff}"];
        for one in tenants {
            for other in tenants.into_iter().filter(|other| *other != one) {
                let Scan { from, to, .. } = calls(one);
                let key = call(other, 0);
                assert!(!(key >= from && Some(key) < to), "{one:?} sees {other:?}");
            }
        }
        assert_ne!(memory("a", "b\0c"), registration("a", "b", "c"));
        assert_ne!(version("a", "b\0", 1), version("a", "b", 1));
    }

    #[test]
    fn calls_sort_by_their_ids_and_expiries_by_their_time() {
        assert!(call("acme", 255) < call("acme", 256));
        assert!(call("acme", u128::MAX) < call("acmf", 0));
        assert!(expiry(1 << 40, "a", "z") < expiry((1 << 40) + 1, "a", "a"));
        let Scan { from, to, .. } = expired(1000);
        let within = |key: Vec<u8>| key >= from && Some(key) < to;
        assert!(within(expiry(1000, "a", "k")) && !within(expiry(1001, "a", "k")));
        let Scan { from, to, .. } = events_from("a", 7);
        let within = |key: Vec<u8>| key >= from && Some(key) < to;
        assert!(within(event("a", 7)) && within(event("a", u64::MAX)));
        let Scan { from, to, .. } = conversations_since("a", "+359", 7);
        let talk = |number: &str, call| Some(conversation("a", number, call));
        let within_talks = |key: Option<Vec<u8>>| key.as_ref() >= Some(&from) && key < to;
        assert!(within_talks(talk("+359", 7)) && within_talks(talk("+359", u128::MAX)));
        assert!(!within_talks(talk("+359", 6)) && !within_talks(talk("+3592", 7)));
        assert!(!within(event("a", 6)) && !within(event("b", 7)));
    }

    #[test]
    fn a_later_run_stands_behind_the_tape_and_before_the_next_calls() {
        let rows = |batch: Batch| batch.changes.into_iter().map(|change| change.key).collect::<Vec<_>>();
        let tape = rows(put_tape(Batch::new(), "acme", 7, &[1; MAX_VALUE + 1]));
        let first = rows(put_later_run(Batch::new(), "acme", 7, 9, &[2; MAX_VALUE + 1]));
        let second = rows(put_later_run(Batch::new(), "acme", 7, 10, &[3]));
        let next = rows(put_tape(Batch::new(), "acme", 8, &[4]));
        let all = [tape, first.clone(), second, next].concat();
        assert!(all.is_sorted() && all.len() == 6);
        assert_eq!(all.iter().map(|key| read_tape(key)).collect::<Vec<_>>(), [7, 7, 7, 7, 7, 8].map(Some));
        let later: Vec<_> = all.iter().map(|key| read_later_run(key)).collect();
        assert_eq!(later, [None, None, Some(9), Some(9), Some(10), None]);
    }

    #[test]
    fn keys_read_back() {
        let parts = ("acme", "ana\0", "sip:ana@192.0.2.1");
        let read = read_registration(&registration(parts.0, parts.1, parts.2)).unwrap();
        assert_eq!((read.0.as_str(), read.1.as_str(), read.2.as_str()), parts);
        assert_eq!(read_agent(&agent("acme", "ana\0")), Some(("acme".into(), "ana\0".into())));
        assert_eq!(read_agent(&registration("a", "b", "c")), None);
        let parts = ("acme", "sales\0", "+359888000001");
        let read = read_call_back(&call_back(parts.0, parts.1, parts.2)).unwrap();
        assert_eq!((read.0.as_str(), read.1.as_str(), read.2.as_str()), parts);
        assert_eq!(read_call_back(&agent("acme", "ana")), None);
        assert_eq!(read_effect(&effect("ac\0me", 7 << 80, 9)), Some(("ac\0me".into(), 7 << 80, 9)));
        assert_eq!(read_effect(&fate("acme", 7, 9)), None);
        assert_eq!(read_bounce(&bounce("ac\0me", "a@b.c")), Some(("ac\0me".into(), "a@b.c".into())));
        assert_eq!(read_bounce(&registration("a", "b", "c")), None);
        let number = contact_number("acme", "8123456", "359888123456", "17\0");
        assert_eq!(read_contact_number(&number), Some(("359888123456".into(), "17\0".into())));
        assert_eq!(read_open_task(&open_task("ac\0me", 7, 9)), Some("ac\0me".into()));
        assert_eq!(read_done_task(&done_task("acme", 7, 9)), Some((7, 9)));
        assert_eq!((read_contact_number(b"n"), read_open_task(&done_task("acme", 7, 9))), (None, None));
        assert_eq!(read_name(&figures("acme", "sales\0")).as_deref(), Some("sales\0"));
        assert_eq!((read_name(b""), read_name(&call_back("a", "b", "c"))), (None, None));
        assert_eq!(read_expiry(&expiry(9, "a", "")), Some((9, "a".into(), String::new())));
        assert_eq!(read_expiry(&registration("a", "b", "c")), None);
        assert_eq!(read_registration(b"r"), None);
        assert_eq!(read_registration(b"ra\0b"), None);
        assert_eq!(read_registration(b"ra\0\x01b\0\x01c\0\x01d"), None);
    }
}
