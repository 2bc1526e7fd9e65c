//! How long an INVITE with SDP takes: read, read with the headers that a server looks at, written.
//!
//! The house's target for reading is at most 2 us of CPU, typed headers included. Measured is this
//! thread's CPU time, so that a busy machine does not count.

#![allow(missing_docs)] // criterion_group! makes a public function without any.

use std::hint::black_box;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::sip::{Message, wire};

const INVITE: &[u8] = include_bytes!("../../../tests/vectors/realworld/rw01_invite_sdp.dat");

fn request() -> protocol::sip::Request {
    match wire::read(INVITE) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// CPU time of the calling thread in nanoseconds.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        // The kernel brings the figure up to date when the thread yields.
        std::thread::yield_now();
        let figures = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux keeps it");
        figures.split(' ').next().and_then(|first| first.parse().ok()).expect("nanoseconds come first")
    }

    fn end(&self, start: u64) -> u64 {
        self.start() - start
    }

    fn add(&self, a: &u64, b: &u64) -> u64 {
        a + b
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn parse(c: &mut Criterion<CpuTime>) {
    c.bench_function("invite: read", |b| b.iter(|| wire::read(black_box(INVITE))));
    c.bench_function("invite: read, top Via, From, To, CSeq, Call-ID, Contact", |b| {
        b.iter(|| {
            let Ok(Message::Request(request)) = wire::read(black_box(INVITE)) else { unreachable!() };
            let call_id = request.call_id().map(str::len);
            (request.top_via(), request.from(), request.to(), request.cseq(), request.contact(), call_id)
        })
    });
    c.bench_function("invite: read and check all", |b| {
        b.iter(|| {
            let Ok(Message::Request(request)) = wire::read(black_box(INVITE)) else { unreachable!() };
            request.check()
        })
    });
    let request = request();
    let mut out = Vec::with_capacity(2048);
    c.bench_function("invite: write", |b| {
        b.iter(|| {
            out.clear();
            black_box(&request).write(&mut out);
            out.len()
        })
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = parse
}
criterion_main!(benches);
