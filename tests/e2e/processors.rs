//! One exchange on machines of two kinds: what the one wrote the other reads, and a call recorded on one is the same call
//! when it is played on the other, to the last bit of what its script reckoned.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::exchange::binary;

use crate::world::{SOON, World, mark};

const A_SECOND: Duration = Duration::from_secs(1);
/// A binary for another processor is run by an emulator.
const PATIENCE: Duration = Duration::from_secs(60);

/// Marks its calls with what the processor makes of arithmetic on NaNs, and logs the bits of it.
const RECKONS: &str = r#"
  [[tenant.number]]
  number = "900"
  script = "behave"
  settings = { does = "reckon" }
"#;

#[test]
#[ignore = "needs a binary for another processor, which STROWGER_OTHER_BIN names: make aarch64"]
fn a_call_of_one_processor_is_the_same_on_another() {
    let other = std::env::var_os("STROWGER_OTHER_BIN").expect("STROWGER_OTHER_BIN names the other binary");
    let (here, other) = (binary(), PathBuf::from(other));
    assert_ne!(here, other, "the same binary twice shows nothing");
    let mut world = World::with(|_| RECKONS.to_owned());
    world.is_called(3);
    world.replays(3, &[&here, &other]);
    world.gives_scripts_time();
    // The data folder moves to the other machine, with all scripts and calls.
    world.moves_to(&other);
    world.replays(3, &[&other]);
    world.is_called(6);
    world.replays(6, &[&here, &other]);
    world.moves_to(&here);
    world.replays(6, &[&here, &other]);
}

impl World {
    /// The menu, the echo and the script that reckons are called once each; `in_all` with those before.
    fn is_called(&mut self, in_all: usize) {
        for number in ["700", "702", "900"] {
            self.carrier_calls(number).calls(1, 1).talks(A_SECOND).run(PATIENCE).assert_all(1);
        }
        let calls = self.exchange.calls(in_all);
        for call in calls.iter().filter(|call| call["dialled"] == "900") {
            assert!(mark(call, "nans").is_some_and(|nans| nans != "0"), "{call}");
            assert_eq!(mark(call, "others"), Some("0"), "{call}");
        }
        assert!(calls.iter().all(|call| call["failure"].is_null()), "{calls:?}");
    }

    /// Every call is played by each of these binaries, and is the same.
    fn replays(&mut self, calls: usize, binaries: &[&Path]) {
        for call in self.exchange.calls(calls) {
            let id = call["id"].as_str().expect("a call has an id");
            for binary in binaries {
                let (status, said, why) = self.exchange.cli_of(binary, &["replay", id]);
                assert_eq!(status, 0, "{} of {call}: {said}{why}", binary.display());
                println!("{} {}: {}", call["dialled"], binary.display(), said.trim().replace('\n', "; "));
            }
        }
    }

    /// From the next start on: an emulator takes longer to translate a script than a script may compute.
    fn gives_scripts_time(&self) {
        let file = self.exchange.folder().join("strowger.toml");
        let config = fs::read_to_string(&file).expect("it was written");
        let more = config.replace("  [tenant.limits]\n", "  [tenant.limits]\n  script_cpu = \"2 s\"\n");
        assert_ne!(config, more);
        fs::write(&file, more).expect("it can be written");
    }

    fn moves_to(&mut self, binary: &Path) {
        self.exchange.ask_to_stop();
        let status = self.exchange.process().exit(SOON);
        assert_eq!(status.code(), Some(0));
        self.exchange.start_again_as(binary);
    }
}
