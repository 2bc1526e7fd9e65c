//! A call script that imports WASI, as one does that a language's runtime is in.

#[path = "wasi.rs"]
mod outside;

wit_bindgen::generate!({ world: "call-script", path: "../../../../../wit" });

use outside::wasi::cli::{environment, exit, stderr, stdin, stdout};
use outside::wasi::clocks::{monotonic_clock, wall_clock};
use outside::wasi::filesystem::preopens;
use outside::wasi::io::poll;
use outside::wasi::random::random;
use strowger::script::call::tag;
use strowger::script::{clock, settings};

struct Runtime;

export!(Runtime);

impl Guest for Runtime {
    fn on_call(_: Leg) -> Result<(), Failure> {
        match settings::get().trim_matches('"') {
            "clocks" => clocks(),
            "chance" => {
                tag("drawn", &random::get_random_u64().to_string())?;
                tag("bytes", &format!("{:?}", random::get_random_bytes(9)))?;
                tag("own", &clock::random(1_000_000).to_string())
            }
            "greedy" => tag("bytes", &random::get_random_bytes(1 << 40).len().to_string()),
            "print" => {
                write("hello ");
                write("world\nand\n\nagain");
                tag("then", "this")?;
                stderr::get_stderr().blocking_write_and_flush(b"oh").map_err(|_| Failure::TimedOut)
            }
            "babble" => {
                (0..2_000).for_each(|_| write(&"x".repeat(99)));
                Ok(())
            }
            "traceback" => {
                let words = b"Traceback\n  line 7\nValueError: boom\n";
                let _ = stderr::get_stderr().blocking_write_and_flush(words);
                exit::exit(Err(()));
                Ok(())
            }
            "surroundings" => {
                let nothing = stdin::get_stdin().blocking_read(10);
                tag("stdin", if nothing.is_err() { "closed" } else { "open" })?;
                tag("files", &preopens::get_directories().len().to_string())?;
                tag("environment", &environment::get_environment().len().to_string())?;
                tag("arguments", &environment::get_arguments().len().to_string())?;
                tag("folder", &format!("{:?}", environment::initial_cwd()))
            }
            other => Err(Failure::Invalid(other.into())),
        }
    }

    fn on_ended(_: CallRecord) -> Result<(), Failure> {
        Ok(())
    }
}

fn write(text: &str) {
    let out = stdout::get_stdout();
    assert!(out.check_write().is_ok_and(|room| room >= text.len() as u64));
    out.blocking_write_and_flush(text.as_bytes()).expect("output never fails");
}

fn clocks() -> Result<(), Failure> {
    let wall = || {
        let now = wall_clock::now();
        format!("{}.{:03}", now.seconds, now.nanoseconds / 1_000_000)
    };
    let begun = monotonic_clock::now();
    tag("began", &wall())?;
    let (long, short) =
        (monotonic_clock::subscribe_duration(3_000_000_000), monotonic_clock::subscribe_duration(1_500_000_001));
    tag("ready", &format!("{} {}", long.ready(), short.ready()))?;
    tag("first", &format!("{:?}", poll::poll(&[&long, &short])))?;
    long.block();
    tag("slept", &((monotonic_clock::now() - begun) / 1_000_000).to_string())?;
    tag("ends", &wall())
}
