//! A configuration file: a world, or mistakes that each name a line of it.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let files = [(PathBuf::from("fuzz.toml"), text.to_owned())];
    let lines = text.lines().count() + 1;
    match server::config::read(&files, &|_| None) {
        Ok(world) => {
            for tenant in &world.tenants {
                assert!(world.tenant(&tenant.name).is_some());
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty(), "a refusal says why");
            for mistake in &mistakes.0 {
                assert!(mistake.line <= lines && !mistake.what.is_empty(), "{mistake}");
            }
        }
    }
});
