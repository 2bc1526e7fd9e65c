//! A queue strategy that imports WASI: what chance and the clock say there, in the words that it logs and prints.

#[path = "../../runtime/src/wasi.rs"]
mod outside;

wit_bindgen::generate!({ world: "queue-strategy", path: "../../../../../wit" });

use outside::wasi::cli::{exit, stderr, stdout};
use outside::wasi::clocks::{monotonic_clock, wall_clock};
use outside::wasi::random::random;
use strowger::script::log;

struct Ranks;

export!(Ranks);

impl Guest for Ranks {
    fn admit(_: &Snapshot, _: &Waiting) -> Admission {
        Admission::ComeIn
    }

    fn rank(now: &Snapshot) -> Ranking {
        if now.settings().contains("exit") {
            let _ = stderr::get_stderr().blocking_write_and_flush(b"no such agent\n");
            exit::exit(Err(()));
        }
        monotonic_clock::subscribe_duration(60_000_000_000).block();
        let _ = stdout::get_stdout().blocking_write_and_flush(b"before\nafter");
        let moment = wall_clock::now().seconds + monotonic_clock::now();
        log::write(log::Level::Info, &format!("{moment} {}", random::get_random_u64()));
        Ranking { offers: vec![], again: None }
    }

    fn expected_wait(_: &Snapshot, _: &Waiting) -> Option<Millis> {
        None
    }

    fn announce(_: &Snapshot, _: &Waiting, _: Millis) -> Announcement {
        Announcement { say: vec![], again: None }
    }

    fn on_digit(_: &Snapshot, _: &Waiting, _: char) -> KeyAction {
        KeyAction::Pass
    }
}
