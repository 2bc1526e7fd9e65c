//! An upload: a component that runs, or problems that each say what and where.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use script::{Sandboxes, Settings};

static SANDBOXES: LazyLock<Sandboxes> = LazyLock::new(|| {
    let settings = Settings { sandboxes: 8, per_tenant: 8, cache: None, ..Settings::default() };
    Sandboxes::new(settings).expect("a small pool can be laid out")
});

fuzz_target!(|bytes: &[u8]| {
    if let Err(refused) = SANDBOXES.compile(bytes) {
        assert!(!refused.problems.is_empty(), "a refusal says why");
    }
});
