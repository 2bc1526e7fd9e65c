//! The shipped strategies for benches, compiled, and the clock that they are measured by.

use std::path::{Path, PathBuf};
use std::time::Duration;

use script::{Sandboxes, Version};

/// Every strategy of `scripts/`, by name.
pub fn strategies(sandboxes: &Sandboxes) -> Vec<(String, Version)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let cache = target.parent().expect("tmp lies in the target folder").join("guests");
    let folders = std::fs::read_dir(workspace.join("scripts")).expect("scripts/ is there");
    let mut packages: Vec<_> = folders
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("queue-"))
        .map(|name| format!("script-{name}"))
        .collect();
    packages.sort();
    let source = guest_build::Source::Packages(&workspace, &packages);
    let mut built =
        guest_build::build(source, &target.join("shipped"), &cache).expect("the strategies build");
    built.sort_by(|one, other| one.name.cmp(&other.name));
    let version = |built: guest_build::Built| {
        let bytes = std::fs::read(&built.file).expect("was just written");
        let component = sandboxes.compile(&bytes).expect("the strategy passes the check");
        (built.name, Version::new(component))
    };
    built.into_iter().map(version).collect()
}

/// CPU time of this thread so far: what else runs on the machine does not count.
pub fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
