//! What a durable commit costs: CPU time of the whole process per commit, and commits a second, by how
//! many are under way together, and by how many a second when they come evenly; then scans. `cargo bench -p store`; `TMPDIR` chooses the disk.
//!
//! The record is a registration's: a key of 40 bytes, a value of 200, one of 10,000 users at a time. A
//! REGISTER with digest, durable, is to cost at most 80 us of CPU; this is its part of that.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use store::{Batch, Engine, Options, Scan, Store, layout};

const USERS: u32 = 10_000;
const FOR: Duration = Duration::from_secs(2);

fn main() {
    println!("{:6} {:>10} {:>12} {:>14} {:>10}", "", "under way", "commits/s", "CPU us/commit", "a sync");
    for engine in [Engine::Sled, Engine::Redb] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options { engine, ..Options::default() };
        let store = Store::open(folder.path(), &options).expect("a new store opens");
        for under_way in [1, 32, 512] {
            commits(&store, engine, under_way);
        }
        for rate in [200, 1000, 5000] {
            paced(&store, engine, rate);
        }
        scans(&store, engine);
    }
}

fn commits(store: &Store, engine: Engine, under_way: usize) {
    let (heard, hears) = mpsc::channel();
    let before = store.figures();
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut sent = 0_u32;
    let mut done = 0_u32;
    while began.elapsed() < FOR || done < sent {
        while began.elapsed() < FOR && (sent - done) < under_way as u32 {
            let heard = heard.clone();
            let done = Box::new(move |result| heard.send(result).expect("the bench listens"));
            store.commit(registration(sent), done);
            sent += 1;
        }
        if done < sent {
            hears.recv().expect("a commit answers").expect("the disk takes it");
            done += 1;
        }
    }
    let took = began.elapsed();
    let used = cpu() - cpu_before;
    let groups = store.figures().groups - before.groups;
    println!(
        "{:6} {under_way:>10} {:>12.0} {:>14.1} {:>10.1}",
        engine.name(),
        f64::from(sent) / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / f64::from(sent),
        f64::from(sent) / groups as f64,
    );
}

/// So many a second, evenly, as telephones register. What it costs the bench itself to keep time is left
/// out.
fn paced(store: &Store, engine: Engine, rate: u32) {
    let (heard, hears) = mpsc::channel();
    let before = store.figures();
    let (began, cpu_before, own_before) = (Instant::now(), cpu(), own_cpu());
    let sent = rate * FOR.as_secs() as u32;
    let mut handing_over = Duration::ZERO;
    for n in 0..sent {
        let due = began + FOR * n / sent;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let heard = heard.clone();
        let at = own_cpu();
        store.commit(registration(n), Box::new(move |result| heard.send(result).expect("the bench listens")));
        handing_over += own_cpu() - at;
    }
    for _ in 0..sent {
        hears.recv().expect("a commit answers").expect("the disk takes it");
    }
    let used = (cpu() - cpu_before) - (own_cpu() - own_before) + handing_over;
    let groups = store.figures().groups - before.groups;
    println!(
        "{:6} {:>10} {rate:>12} {:>14.1} {:>10.1}",
        engine.name(),
        "paced",
        used.as_secs_f64() * 1e6 / f64::from(sent),
        f64::from(sent) / groups as f64,
    );
}

fn registration(n: u32) -> Batch {
    let user = format!("user{:05}", n.wrapping_mul(7919) % USERS);
    Batch::new().put(layout::registration("acme", &user, "sip:192.0.2.1:5060"), vec![n as u8; 200])
}

fn scans(store: &Store, engine: Engine) {
    let began = Instant::now();
    let mut read = 0;
    while began.elapsed() < FOR {
        read += store.scan(&Scan::prefix(*b"r").limit(1000)).expect("the store reads").len();
    }
    println!("{:6} scans {:.0} records/s", engine.name(), read as f64 / began.elapsed().as_secs_f64());
}

/// Of the whole process.
fn cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// Of this thread.
fn own_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
