//! The worlds in `examples/`: each is a configuration that `strowger check` finds nothing wrong with.

use std::path::Path;
use std::process::Command;

#[test]
fn every_example_is_a_sound_configuration() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in ["black-friday", "clinic", "helpdesk"] {
        let config = examples.join(name).join("strowger.toml");
        let checked = Command::new(env!("CARGO_BIN_EXE_strowger"))
            .args(["check", "--config"])
            .arg(&config)
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{name}: {said}");
    }
}
