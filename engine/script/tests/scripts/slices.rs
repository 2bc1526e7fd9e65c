//! Runs on a thread that has other things to do: whoever computes is cut and goes on elsewhere.

use std::task::Poll;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use script::slice::{LONGEST, Sliced, slice};
use script::{Finish, RUNS_ELSEWHERE, TrapKind, limits};

use crate::support::*;

/// One slice of a run.
async fn a_slice_of<T>(run: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Sliced<T> {
    std::future::poll_fn(|cx| Poll::Ready(slice(|| run.as_mut().poll(cx)))).await
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[tokio::test]
async fn a_guest_that_spins_keeps_the_thread_no_longer_than_a_slice() {
    let sandboxes = sandboxes();
    let world = Puppet::obliging();
    // The clock may come late on a busy machine; not always.
    let mut shortest = Duration::MAX;
    for _ in 0..10 {
        let spinner = actor(&sandboxes);
        let mut spinning = Box::pin(run(&sandboxes, &spinner, "loop", &world));
        let before = thread_cpu();
        assert_eq!(a_slice_of(&mut spinning).await, Sliced::Cut);
        shortest = shortest.min(thread_cpu() - before);
        let elsewhere = (0..).take_while(|_| spinner.begins_elsewhere()).count();
        assert_eq!(elsewhere, RUNS_ELSEWHERE as usize, "its next runs begin elsewhere, not all for ever");
        // Elsewhere it has its whole time, and no more.
        let ended = spinning.await;
        assert_eq!(trap_kind(&ended.finish), Some(TrapKind::OutOfTime));
        assert!(ended.cpu >= limits::STRETCH, "{:?}", ended.cpu);
    }
    assert!(shortest <= LONGEST, "{shortest:?}");
}

#[tokio::test]
async fn a_guest_that_only_asks_is_never_cut() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let world = Puppet::obliging();
    let mut deciding = Box::pin(run(&sandboxes, &actor, "menu", &world));
    let ended = loop {
        match a_slice_of(&mut deciding).await {
            Sliced::Ready(ended) => break ended,
            Sliced::Waiting => tokio::task::yield_now().await,
            Sliced::Cut => panic!("a menu computes for microseconds"),
        }
    };
    assert_eq!(ended.finish, Finish::Returned);
    assert!(!actor.begins_elsewhere());
}

#[tokio::test]
async fn what_was_cut_goes_on_where_it_was() {
    let sandboxes = sandboxes();
    let version = actor(&sandboxes);
    let world = Puppet::obliging();
    // The same flood, whole and in slices: the tape of each says the same.
    let whole = run(&sandboxes, &version, "flood", &world).await;
    let again = Puppet::obliging();
    let mut sliced = Box::pin(run(&sandboxes, &version, "flood", &again));
    let ended = loop {
        match a_slice_of(&mut sliced).await {
            Sliced::Ready(ended) => break ended,
            Sliced::Waiting | Sliced::Cut => {}
        }
    };
    assert_eq!(ended.finish.clone(), whole.finish);
    assert_eq!(again.asked(), world.asked());
}
