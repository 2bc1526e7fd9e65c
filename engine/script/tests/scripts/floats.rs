//! Arithmetic is the same on every processor, NaNs included: a tape that was written on one is replayed on another.

use exchange::Command;
use script::{Finish, Verdict};

use crate::support::*;

/// Of each operation the digest of all bits that come of it, as x86-64 and aarch64 have them.
const RECKONED: [(&str, &str); 37] = [
    ("f64.add", "fbc1b4830c50fc5d"),
    ("f64.sub", "3df2d41b95ba939d"),
    ("f64.mul", "7ac066d53d264495"),
    ("f64.div", "3b869ad8d6530191"),
    ("f64.sqrt", "ba21873aa3e3c4d5"),
    ("f64.ceil", "b3740df8d2ebffa5"),
    ("f64.floor", "afc81dc8f940bea5"),
    ("f64.trunc", "4f75b876b6d255a5"),
    ("f64.nearest", "1aad1d4f3a70e465"),
    ("f64.promote", "2eaea9b606bf5105"),
    ("f32.add", "9693d85587670c25"),
    ("f32.sub", "5902a092761da7a5"),
    ("f32.mul", "e55bdb57ef84a015"),
    ("f32.div", "0bddef5a203af525"),
    ("f32.sqrt", "21c02f8c4fc17fc5"),
    ("f32.ceil", "e5b5b7f1a1de4145"),
    ("f32.floor", "13cf5a6e7136c145"),
    ("f32.trunc", "053a19e549aa0145"),
    ("f32.nearest", "426ddd35f919a8c5"),
    ("f32.demote", "86dc15f5609f3045"),
    ("f64x2.add", "fbc1b4830c50fc5d"),
    ("f64x2.sub", "85c4fb034fead09d"),
    ("f64x2.mul", "7ac066d53d264495"),
    ("f64x2.div", "01f3d8369e0b4599"),
    ("f64x2.min", "5fc9a50ebba59c65"),
    ("f64x2.max", "8130888c7e6fcba5"),
    ("f64x2.sqrt", "3edd39df46ac002d"),
    ("f64x2.nearest", "323734fec11db605"),
    ("f64x2.promote", "9ad6efa568bc2a45"),
    ("f32x4.add", "fe90a0608509b3a9"),
    ("f32x4.sub", "f30002e63993be65"),
    ("f32x4.mul", "7eb6ad6bf15c9e7d"),
    ("f32x4.div", "cdfa4bd077e45469"),
    ("f32x4.min", "170ed6dfcc714521"),
    ("f32x4.max", "7c4fadcb9b812331"),
    ("f32x4.sqrt", "6190074236ec88e5"),
    ("f32x4.nearest", "fdda795b4e6a0475"),
];

#[tokio::test]
async fn every_operation_leaves_the_same_bits_and_one_nan_on_every_processor() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let world = Puppet::obliging();
    let run = run(&sandboxes, &actor, "reckon", &world).await;
    assert_eq!(run.finish, Finish::Returned);
    let lines: Vec<String> = world.asked().into_iter().filter_map(line).collect();
    assert_eq!(lines.len(), RECKONED.len());
    for (line, (operation, digest)) in lines.iter().zip(RECKONED) {
        let [said, nans, others, bits] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!((said, others, bits), (operation, "0", digest), "{line}");
        assert_ne!(nans, "0", "{line}");
    }
    let segment = script::Tape::read(&run.tape).expect("it was just written").segments.remove(0);
    let verdict = sandboxes.replay(&actor, &segment, &unhurried()).await;
    assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() });
}

fn line(command: Command) -> Option<String> {
    match command {
        Command::Log { message, .. } => Some(message),
        _ => None,
    }
}
