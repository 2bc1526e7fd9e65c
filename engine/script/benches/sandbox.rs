//! What a decision of a script costs: a fresh sandbox, three host calls, drop; the same from its
//! tape; a bare sandbox for scale; and what a parked call holds.
//!
//! `cargo bench -p script`. Guests are those of the tests.

#![allow(missing_docs)] // criterion's macro makes a public function

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use exchange::{Answer, CallId, Command, Direction, LegInfo, LegNo, Party};
use script::{Asked, Limits, Sandboxes, Settings, Start, Tape, Version, World};

/// As the exchange's.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Answers at once, but never comes back from playing.
#[derive(Default)]
struct Prompt {
    /// Bytes of tape so far.
    tape: AtomicUsize,
}

impl World for Prompt {
    fn tape(&self, _call: CallId, bytes: &[u8]) {
        self.tape.fetch_add(bytes.len(), Ordering::Relaxed);
    }

    fn ask(&self, _call: CallId, command: Command) -> Asked<'_> {
        Box::pin(async move {
            match command {
                Command::Now => Answer::Instant(1_795_000_000.5),
                Command::KvGet { .. } => Answer::Value(Some(b"ana".to_vec())),
                Command::Play { .. } => std::future::pending().await,
                _ => Answer::Done,
            }
        })
    }
}

fn start(part: &str) -> Start {
    let party = Party { number: "+359888123456".into(), name: None, uri: "sip:rosa@x".into() };
    Start {
        call: CallId::new(1_795_000_000_000, 7),
        tenant: "acme".into(),
        script: "reception".into(),
        caller: LegInfo {
            leg: LegNo::CALLER,
            party,
            dialled: "700".into(),
            direction: Direction::Inbound,
            user: None,
            headers: Default::default(),
            language: "en".into(),
        },
        settings: format!("\"{part}\"").into(),
        seed: 4711,
        started: 1_795_000_000.0,
        ended: None,
        changed: None,
    }
}

fn actor(sandboxes: &Sandboxes) -> Version {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let cache = target.parent().expect("tmp lies in the target folder").join("guests");
    let packages = ["actor".to_owned()];
    let built =
        guest_build::build(guest_build::Source::Packages(&source, &packages), &target.join("guests"), &cache);
    let file = &built.expect("the guest builds")[0].file;
    let bytes = std::fs::read(file).expect("was just written");
    Version::new(sandboxes.compile(&bytes).expect("the guest passes the check"))
}

fn decisions(criterion: &mut Criterion) {
    let settings = Settings { per_tenant: u32::MAX, ..Settings::default() };
    let sandboxes = Sandboxes::new(settings).expect("this machine has room for the sandboxes");
    let version = actor(&sandboxes);
    let limits = Limits::call();
    let world = Arc::new(Prompt::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let run = || sandboxes.run_call(&version, start("decide"), world.clone(), &limits);

    criterion.bench_function("decision: fresh sandbox, three host calls, drop", |bench| {
        bench.iter_custom(|n| cpu_of(n, || drop(black_box(runtime.block_on(run())))));
    });
    let tape = runtime.block_on(run()).tape;
    let segment = Tape::read(&tape).expect("was just written").segments.remove(0);
    criterion.bench_function("decision: replayed from its tape", |bench| {
        let replay = || runtime.block_on(sandboxes.replay(&version, &segment, &limits));
        bench.iter_custom(|n| cpu_of(n, || drop(black_box(replay()))));
    });

    parked("rest", &sandboxes, &version, &Limits { rest: Duration::ZERO, ..limits.clone() });
    parked("keep their sandboxes", &sandboxes, &version, &limits);
}

/// What a call holds that waits for its caller, and what ending it takes.
fn parked(how: &str, sandboxes: &Sandboxes, version: &Version, limits: &Limits) {
    const PARKED: usize = 4_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let world = Arc::new(Prompt::default());
    let park = |calls: usize| {
        let run = |_| Box::pin(sandboxes.run_call(version, start("wait"), world.clone(), limits));
        let mut parked = Vec::with_capacity(calls);
        runtime.block_on(async {
            // As calls come in: those before have begun to rest, if they do, when the next ones begin.
            while parked.len() < calls {
                let before = parked.len();
                parked.extend((0..50.min(calls - before)).map(run));
                for _ in 0..2 {
                    for run in &mut parked[before..] {
                        let poll = |cx: &mut Context| Poll::Ready(run.as_mut().poll(cx).is_pending());
                        std::future::poll_fn(poll).await;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        parked
    };
    // What the pool keeps at hand for the next sandboxes is no call's.
    drop(park(100));
    let (before, taped) = (resident(), world.tape.load(Ordering::Relaxed));
    let begin = Instant::now();
    let parked = park(PARKED);
    let took = begin.elapsed();
    let after = resident();
    let [all, own] = [0, 1].map(|n| after[n].saturating_sub(before[n]) / PARKED);
    let tape = (world.tape.load(Ordering::Relaxed) - taped) / PARKED;
    let alive = sandboxes.alive();
    println!(
        "{PARKED} calls wait and {how}: {alive} sandboxes, {own} bytes each, {tape} of them tape \
         ({all} with shared pages), in {took:?}"
    );
    let begin = Instant::now();
    drop(parked);
    println!("dropped in {:?}", begin.elapsed());
}

/// CPU time of this thread, on which all of it happens: what else runs on the machine does not count.
fn cpu_of(times: u64, mut work: impl FnMut()) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let begin = now();
    (0..times).for_each(|_| work());
    now() - begin
}

/// Resident bytes of this process: all, and with pages mapped more than once counted once.
fn resident() -> [usize; 2] {
    let smaps = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    ["Rss:", "Pss:"].map(|name| {
        let line = smaps.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).map_or(0, |kb: usize| kb * 1024)
    })
}

criterion_group!(benches, decisions);
criterion_main!(benches);
