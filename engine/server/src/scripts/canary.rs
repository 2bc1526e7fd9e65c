//! When a canary has shown that it is worse: more of its runs fail than of the active version's, or its decisions take
//! longer. Judged from the figures since the canary began, after so many calls that chance is no explanation.

use std::time::Duration;

use script::{Fares, Trial};

/// A canary whose share of failures is greater by more than this is worse.
pub const MORE_FAILURES: f64 = 0.01;
/// A canary whose 99 of 100 runs compute so many times as long is worse,
pub const LONGER: f64 = 1.5;
/// if that is so much longer at least: below, the machine's other work decides.
pub const LONGER_BY: Duration = Duration::from_millis(2);

/// Why the canary is rolled back, in words; none while it is as good as the other, or has not taken `least` calls.
pub fn worse(trial: &Trial, least: u32) -> Option<String> {
    let (canary, others) = (&trial.fares, &trial.others);
    if canary.ended < u64::from(least) {
        return None;
    }
    if failing(canary) > failing(others) + MORE_FAILURES {
        return Some(format!(
            "{} of its {} runs failed, and {} of {} of the active version's",
            canary.failures, canary.ended, others.failures, others.ended
        ));
    }
    // Without as many others there is nothing to compare with.
    let compared = others.ended >= u64::from(least);
    let longer = canary.p99.as_secs_f64() > others.p99.as_secs_f64() * LONGER;
    (compared && longer && canary.p99 > others.p99 + LONGER_BY).then(|| {
        format!(
            "99 of 100 of its runs compute for up to {:.1} ms, and {:.1} ms of the active version's",
            canary.p99.as_secs_f64() * 1e3,
            others.p99.as_secs_f64() * 1e3
        )
    })
}

fn failing(fares: &Fares) -> f64 {
    if fares.ended == 0 { 0.0 } else { fares.failures as f64 / fares.ended as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(canary: (u64, u64, u64), others: (u64, u64, u64)) -> Trial {
        let fares = |(ended, failures, p99): (u64, u64, u64)| Fares {
            ended,
            failures,
            p99: Duration::from_millis(p99),
            ..Fares::default()
        };
        Trial {
            canary: "b".to_owned(),
            share: 500,
            fares: fares(canary),
            active: "a".to_owned(),
            others: fares(others),
        }
    }

    #[test]
    fn a_canary_is_worse_when_it_fails_more_often_or_computes_longer() {
        for (what, canary, others, is_worse) in [
            ("too few calls", (49, 49, 1), (900, 0, 1), false),
            ("as good", (50, 0, 1), (900, 0, 1), false),
            ("all fail", (50, 50, 1), (900, 0, 1), true),
            ("one of fifty fails", (50, 1, 1), (900, 0, 1), true),
            ("the others fail as well", (50, 1, 1), (900, 18, 1), false),
            ("it computes longer", (50, 0, 9), (900, 0, 4), true),
            ("a little longer", (50, 0, 2), (900, 0, 1), false),
            ("nothing to compare with", (50, 0, 9), (3, 0, 4), false),
        ] {
            assert_eq!(worse(&trial(canary, others), 50).is_some(), is_worse, "{what}");
        }
    }
}
