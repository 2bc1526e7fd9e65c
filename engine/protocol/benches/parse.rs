//! How long an INVITE with SDP takes: read, read with the headers that a server looks at, written.
//!
//! The house's target for reading is at most 2 us of CPU, typed headers included.

#![allow(missing_docs)] // criterion_group! makes a public function without any.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use protocol::sip::{Message, wire};

const INVITE: &[u8] = include_bytes!("../../../tests/vectors/realworld/rw01_invite_sdp.dat");

fn request() -> protocol::sip::Request {
    match wire::read(INVITE) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn parse(c: &mut Criterion) {
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

criterion_group!(benches, parse);
criterion_main!(benches);
