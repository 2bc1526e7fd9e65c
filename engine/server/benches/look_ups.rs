//! What it takes to know a caller among many: who spoke with a number last, and whose a number is, in a store with so many
//! conversations and contacts. Both are asked while a telephone rings, on the thread that serves calls, and may take 1 ms.
//!
//!     cargo bench -p server --bench look_ups [-- 10000000 [1000000] [redb]]
//!
//! The first number is of conversations, the second of contacts, which take six times as long to load; as many unless said.
//! `TMPDIR` chooses the disk. Numbers are asked in no order, one in ten of them unknown, and every row of the store is as
//! likely as any other, so that most answers come from the disk's pages and few from what was read a moment ago.
//!
//! With 200,000 of each, on two cores of an EPYC that six compilers shared, median and slowest hundredth: who spoke last 5.1 and
//! 27 µs on sled, 3.3 and 7.6 µs on redb; whose a number is 9.5 and 60 µs on sled, 7.6 and 42 µs on redb; loaded in 98 s by sled
//! and in 70 s by redb. One answer in 240 at most took more than 1 ms then; the tail is to be measured on a quiet machine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use exchange::{CallId, CallRecord, Direction, LegNo, LegRecord, Outcome, Party};
use jiff::Timestamp;
use server::config;
use server::crm::contacts::{self, Writing};
use server::crm::table::Contacts;
use server::history;
use store::{Batch, Engine, Options, Store};

/// Conversations, and contacts, unless said.
const RECORDS: u64 = 200_000;
/// Conversations with one number.
const WITH_ONE: u64 = 5;
/// Conversations in one commit, and contacts in one table.
const AT_ONCE: u64 = 5_000;
/// Questions of each kind.
const QUESTIONS: u64 = 100_000;
/// 2026-11-22, in milliseconds since 1970; the first conversation was half a year before.
const NOW: i64 = 1_795_305_600_000;
const HALF_A_YEAR: u64 = 182 * 24 * 3_600_000;
/// What a look-up may take.
const MOST: Duration = Duration::from_millis(1);

fn main() {
    let said: Vec<String> = std::env::args().skip(1).filter(|said| !said.starts_with("--")).collect();
    let mut counts = said.iter().filter_map(|said| said.parse().ok());
    let records = counts.next().unwrap_or(RECORDS);
    let people = counts.next().unwrap_or(records);
    let engine = if said.iter().any(|said| said == "redb") { Engine::Redb } else { Engine::Sled };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path(), &Options { engine, ..Options::default() }).expect("a store");
    let text = "[[tenant]]\nname = \"acme\"\n[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n\
                [[tenant.user]]\nname = \"boris\"\nnumber = \"102\"\n";
    let world = config::read(&[(PathBuf::from("bench.toml"), text.to_owned())], &|_| None).expect("a world");
    let tenant = world.tenant("acme").expect("the tenant");
    println!("{} with {records} conversations and {people} contacts", engine.name());

    let began = Instant::now();
    converse(&store, records);
    println!("  conversations loaded in {:.0} s", began.elapsed().as_secs_f64());
    let now = Timestamp::from_millisecond(NOW).expect("a moment");
    let numbers = records.div_ceil(WITH_ONE);
    ask("who spoke with a number last", numbers, |nth| {
        let last = history::last_spoke_with(&store, tenant, &number(nth), 366, now).expect("a read");
        last.map(|user| user.name.clone())
    });

    let began = Instant::now();
    meet(&store, people);
    println!("  contacts loaded in {:.0} s", began.elapsed().as_secs_f64());
    ask("whose a number is", people, |nth| {
        let found = contacts::find(&store, &tenant.name, &number(nth)).expect("a read");
        found.map(|card| card.name)
    });
}

/// The n-th caller's number: all differ, and none follows its neighbour.
fn number(nth: u64) -> String {
    // Odd, so that it meets every number below 2^30 once.
    format!("+359{:010}", nth.wrapping_mul(0x9E37_79B9) & 0x3FFF_FFFF)
}

/// Conversations as they come in half a year, each in the batch of a record.
fn converse(store: &Store, records: u64) {
    let numbers = records.div_ceil(WITH_ONE);
    for first in (0..records).step_by(AT_ONCE as usize) {
        let of = first..(first + AT_ONCE).min(records);
        let batch = of.fold(Batch::new(), |batch, nth| {
            let millis = NOW as u64 - HALF_A_YEAR + HALF_A_YEAR / records * nth;
            let agent = if nth % 3 == 0 { "ana" } else { "boris" };
            history::put(batch, &conversation(CallId::new(millis, nth.into()), &number(nth % numbers), agent))
        });
        store.commit_and_wait(batch).expect("the disk takes it");
    }
}

fn conversation(id: CallId, from: &str, with: &str) -> CallRecord {
    let leg = |no, party: &str, outside: bool| LegRecord {
        leg: LegNo(no),
        party: party.to_owned(),
        trunk: outside.then(|| "carrier".to_owned()),
        started: 0.0,
        answered: Some(1.0),
        ended: Some(2.0),
        end: String::new(),
        sip_call_id: String::new(),
    };
    CallRecord {
        id,
        tenant: "acme".to_owned(),
        direction: Direction::Inbound,
        from: Party { number: from.to_owned(), ..Party::default() },
        dialled: "700".to_owned(),
        source: None,
        script: String::new(),
        version: String::new(),
        started: 0.0,
        answered: Some(1.0),
        ended: 2.0,
        wait: Duration::ZERO,
        talk: Duration::ZERO,
        outcome: Outcome::Answered,
        answered_by: Some(with.to_owned()),
        legs: vec![leg(0, from, true), leg(1, with, false)],
        tags: Vec::new(),
        recordings: Vec::new(),
        failure: None,
    }
}

/// Contacts by tables, as a company brings them.
fn meet(store: &Store, records: u64) {
    let writing = Writing::default();
    for first in (0..records).step_by(AT_ONCE as usize) {
        let rows = first..(first + AT_ONCE).min(records);
        let rows = rows.map(|nth| format!("{nth},{},Caller {nth},Company {},ana\n", number(nth), nth / 7));
        let table = std::iter::once("id,number,name,company,owner\n".to_owned()).chain(rows);
        let table = Contacts::read(&table.collect::<String>(), |owner| Ok(owner.to_owned()));
        writing.import(store, "acme", table.expect("a table")).expect("the disk takes it");
    }
}

/// Asks for numbers of which so many are known, and says what it took.
fn ask(what: &str, known: u64, look: impl Fn(u64) -> Option<String>) {
    let mut took = Vec::with_capacity(QUESTIONS as usize);
    for question in 0..QUESTIONS {
        // A walk over all of them in long steps; every tenth is nobody's.
        let nth = question.wrapping_mul(0x2545_F491_4F6C_DD1D) % known;
        let nth = if question % 10 == 9 { known + nth } else { nth };
        let began = Instant::now();
        let found = std::hint::black_box(look(nth));
        took.push(began.elapsed());
        assert_eq!(found.is_some(), nth < known, "{what}: {nth}");
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let within = took.iter().filter(|took| **took <= MOST).count() as f64 / took.len() as f64;
    println!(
        "  {what}: p50 {:?}  p99 {:?}  p99.9 {:?}  max {:?}; {:.3} % within {MOST:?}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        within * 100.0
    );
}
