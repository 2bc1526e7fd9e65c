//! Transfers, parking and picking up, simulated: what `wit/` promises of them, for the one call that there is.

use super::exchange::{LegHandle, converse};
use super::plan::Talk;
use super::world::{FOR_EVER, Passed, Percept, World, with};
use crate::directory::Presence;
use crate::host::{DialOptions, Stage};
use crate::transfer::{TalkEnd, Transfer};
use crate::words::{BridgeEnd, Failure, Party, Prompt, Result, Target};
use std::time::Duration;

/// A transfer's handle: whether the second leg asks.
#[derive(Debug)]
pub struct TransferHandle {
    by_b: bool,
}

impl TransferHandle {
    /// The wish that ended a conversation whose second leg is this.
    pub(crate) fn asked(b: &LegHandle) -> TransferHandle {
        TransferHandle { by_b: with(|world| world.wish.as_ref().is_some_and(|(by, _)| *by == b.0)) }
    }

    pub(crate) fn by_b(&self) -> bool {
        self.by_b
    }

    pub(crate) fn to(&self) -> Target {
        with(|world| world.wish.clone()).map_or_else(|| Target::User(String::new()), |(_, to)| to)
    }

    pub(crate) fn attended(&self) -> bool {
        false
    }

    pub(crate) fn carry_out(&self, to: Option<&Target>, ring: Duration) -> Result {
        with(|world| {
            let (by, asked) = world.wish.clone().ok_or_else(no_wish)?;
            let stages = vec![Stage { after: Duration::ZERO, targets: vec![to.cloned().unwrap_or(asked)] }];
            let hears = Some(Prompt::Music("hold".to_owned()));
            let how = DialOptions { timeout: ring, ringback: hears, present: None, skip_busy: false };
            let came = world.dial(stages, how)?;
            world.legs.swap(by, came);
            world.legs[came].alive = false;
            world.wish = None;
            let line = format!("{} takes the place of {}", world.legs[by].label, world.legs[came].label);
            world.note(line);
            Ok(())
        })
    }

    pub(crate) fn refuse(&self, status: u16) -> Result {
        with(|world| {
            let (by, _) = world.wish.take().ok_or_else(no_wish)?;
            world.note(format!("{} may not transfer: {status}", world.legs[by].label));
            Ok(())
        })
    }
}

fn no_wish() -> Failure {
    Failure::Invalid("no transfer is asked for".to_owned())
}

impl World {
    /// Whether one of these legs asks now to be replaced.
    pub(crate) fn take_wish(&mut self, legs: &[usize]) -> bool {
        let now = self.now;
        let due = |leg: &&usize| self.legs[**leg].transfers_at.as_ref().is_some_and(|(at, _)| *at <= now);
        let Some(leg) = legs.iter().find(due).copied() else { return false };
        let Some((_, to)) = self.legs[leg].transfers_at.take() else { return false };
        self.note(format!("{} asks for a transfer to {to}", self.legs[leg].label));
        let known = self.find(&to).map(|user| Target::User(user.name.clone()));
        self.wish = Some((leg, known.unwrap_or(Target::Number(to))));
        true
    }
}

pub(crate) fn talk(a: &LegHandle, b: &LegHandle, keys: &str) -> Result<TalkEnd> {
    Ok(match converse(a, b, keys)? {
        None => TalkEnd::Transfer(Transfer(TransferHandle::asked(b))),
        Some(BridgeEnd::AHungUp) => TalkEnd::AHungUp,
        Some(BridgeEnd::BHungUp) => TalkEnd::BHungUp,
        Some(BridgeEnd::Digit(key)) => TalkEnd::Digit(key),
        Some(BridgeEnd::Other(why)) => TalkEnd::Other(why),
    })
}

pub(crate) fn transferred_by() -> Option<String> {
    with(|world| world.transferred_by.clone())
}

pub(crate) fn park(leg: &LegHandle, slot: &str, most: Duration, hears: &Prompt) -> Result<LegHandle> {
    if slot.is_empty() || slot.len() > 32 {
        return Err(Failure::Invalid("slot: 1 to 32 bytes".to_owned()));
    }
    leg.answer()?;
    with(|world| {
        if world.parked.iter().any(|(taken, _)| taken == slot) {
            return Err(Failure::Busy);
        }
        world.note(format!("parked in {slot}"));
        world.perceive(Percept::Sound(hears.clone()));
        let coming = world.retrieved.clone().filter(|(after, _)| *after < most);
        let until = world.now + coming.as_ref().map_or(most, |(after, _)| *after);
        let passed = world.pass(until, false);
        world.quiet();
        match (passed, coming) {
            (Passed::CallerLeft, _) => Err(Failure::HungUp),
            (_, None) => Err(Failure::NoAnswer),
            (_, Some((_, who))) => {
                world.note(format!("{who} retrieves {slot}"));
                let party = Party { number: String::new(), name: Some(who.clone()), uri: String::new() };
                Ok(LegHandle(world.answered_leg(party, Some(who.clone()), who, Talk::UntilHungUp)))
            }
        }
    })
}

pub(crate) fn retrieve(slot: &str) -> Result {
    let parked = with(|world| world.parked.iter().find(|(taken, _)| taken == slot).cloned());
    let (_, who) = parked.ok_or_else(|| Failure::NotFound(slot.to_owned()))?;
    go_over(who)
}

pub(crate) fn pick_up(user: &str) -> Result {
    let rings = with(|world| world.find(user).is_some_and(|user| user.presence == Presence::Ringing));
    if !rings {
        return Err(Failure::NotFound(user.to_owned()));
    }
    go_over(format!("whoever calls {user}"))
}

/// The caller talks in another call until it hangs up.
fn go_over(with_whom: String) -> Result {
    LegHandle(super::world::CALLER).answer()?;
    with(|world| {
        world.talked_from.get_or_insert(world.now);
        world.answered_by.get_or_insert_with(|| with_whom.clone());
        world.perceive(Percept::Talk(with_whom));
        world.pass(FOR_EVER, false);
        world.legs[super::world::CALLER].alive = false;
    });
    Err(Failure::HungUp)
}
