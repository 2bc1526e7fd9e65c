//! Ringing others, and letting them talk.

use crate::host::{self, DialOptions, Stage};
use crate::leg::Leg;
use crate::words::*;
use std::time::Duration;

/// How long a dial rings unless told otherwise.
pub const RING_FOR: Duration = Duration::from_secs(30);

/// Rings one place or several together; the first to answer wins, the others are cancelled as answered elsewhere.
///
/// ```
/// # use strowger_script::prelude::*;
/// # fn on_call(caller: Leg) -> Result {
/// let agent = dial(["ana", "boris"]).then_after(15.secs(), number("+359888000101")).for_secs(40).ring()?;
/// bridge(&caller, &agent)
/// # }
/// # let call = Caller::from("+359888123456").user(User::new("ana").never_answers()).user(User::new("boris"))
/// #     .talks_with("boris").hangs_up_after(5.secs()).run(on_call);
/// # assert_eq!(call.outcome(), Outcome::Answered);
/// ```
pub fn dial(targets: impl IntoTargets) -> Dial {
    Dial {
        stages: vec![Stage { after: Duration::ZERO, targets: targets.into_targets() }],
        options: DialOptions { timeout: RING_FOR, ringback: None, present: None, skip_busy: false },
        each: None,
    }
}

/// A dial to be: made by [`dial`], done by [`Dial::ring`].
#[must_use = "nobody is rung before .ring()"]
#[derive(Clone, Debug)]
pub struct Dial {
    stages: Vec<Stage>,
    options: DialOptions,
    each: Option<Duration>,
}

impl Dial {
    /// How long it rings in all, stages included: 1 s to 10 min, 30 s unless told.
    pub fn for_time(mut self, time: Duration) -> Self {
        self.options.timeout = time;
        self
    }

    /// How many seconds it rings in all.
    pub fn for_secs(self, seconds: u32) -> Self {
        self.for_time(seconds.secs())
    }

    /// Rings these as well, so long after the beginning; earlier when all before them have failed.
    pub fn then_after(mut self, after: Duration, targets: impl IntoTargets) -> Self {
        self.stages.push(Stage { after, targets: targets.into_targets() });
        self
    }

    /// Rings one after the other, each alone and for so long; stages and the time in all count no more.
    pub fn one_by_one(mut self, each: Duration) -> Self {
        self.each = Some(each);
        self
    }

    /// Users on a call are passed over without ringing.
    pub fn skip_busy(mut self) -> Self {
        self.options.skip_busy = true;
        self
    }

    /// Shown to whoever is rung as the caller: a [`Party`], or a leg's. The caller itself unless told.
    pub fn present(mut self, as_party: impl Into<Party>) -> Self {
        self.options.present = Some(as_party.into());
        self
    }

    /// What the caller hears while it rings, in place of what the far side sends.
    pub fn ringback(mut self, hears: impl Into<Prompt>) -> Self {
        self.options.ringback = Some(hears.into());
        self
    }

    /// Rings, and waits for the first to answer.
    ///
    /// # Errors
    /// The best failure heard: any refusal before [`Failure::Busy`], busy before [`Failure::NoAnswer`], those before
    /// [`Failure::Unreachable`], which is also the answer when there is nobody to ring; [`Failure::HungUp`] when the
    /// caller leaves.
    pub fn ring(mut self) -> Result<Leg> {
        self.stages.retain(|stage| !stage.targets.is_empty());
        if self.stages.is_empty() {
            return Err(Failure::Unreachable);
        }
        let Some(each) = self.each else {
            return host::dial(self.stages, self.options).map(Leg);
        };
        let mut best = Failure::Unreachable;
        for target in self.stages.into_iter().flat_map(|stage| stage.targets) {
            let alone = vec![Stage { after: Duration::ZERO, targets: vec![target] }];
            match host::dial(alone, DialOptions { timeout: each, ..self.options.clone() }) {
                Ok(leg) => return Ok(Leg(leg)),
                Err(Failure::HungUp) => return Err(Failure::HungUp),
                Err(why) if rank(&why) >= rank(&best) => best = why,
                Err(_) => {}
            }
        }
        Err(best)
    }
}

/// How much a failure says of what happened, as a dial of several places weighs it.
pub(crate) fn rank(failure: &Failure) -> u8 {
    match failure {
        Failure::Refused(_) => 4,
        Failure::Busy => 3,
        Failure::NoAnswer => 2,
        Failure::Limit(_) | Failure::NotFound(_) => 1,
        _ => 0,
    }
}

/// Both talk until one of them hangs up. Answers `a` if it was not. A leg bridged with itself hears itself. Users may
/// transfer each other from their telephones: whoever comes takes the place of the one who asked; with
/// [`talk`](crate::talk) the script decides.
pub fn bridge(a: &Leg, b: &Leg) -> Result {
    host::bridge(&a.0, &b.0, "").map(drop)
}

/// Both talk until one of them hangs up, or `a` presses one of `keys`.
pub fn bridge_until(a: &Leg, b: &Leg, keys: &str) -> Result<BridgeEnd> {
    host::bridge(&a.0, &b.0, keys)
}

/// `dial(...).ring().and_bridge(&caller)`.
pub trait AndBridge {
    /// Bridges whoever answered with the caller.
    fn and_bridge(self, caller: &Leg) -> Result;
}

impl AndBridge for Result<Leg> {
    fn and_bridge(self, caller: &Leg) -> Result {
        bridge(caller, &self?)
    }
}

/// Marks the call for the register: at most 32 marks, 64 bytes the key, 256 the value.
pub fn tag(key: &str, value: &str) -> Result {
    host::tag(key, value)
}

/// Hands the call to another script of the tenant, or a shipped one ("strowger/menu"), with its settings: anything
/// that becomes JSON, `json!({...})` usually. Takes effect when this script returns; the legs that it dialled end.
pub fn hand_over(script: &str, settings: impl serde::Serialize) -> Result {
    host::hand_over(script, &serde_json::to_string(&settings)?)
}
