//! Moving parties from call to call: transfers that a telephone asks for, parking, and picking up.

use crate::host;
use crate::leg::Leg;
use crate::words::*;
use std::time::Duration;

/// How long anyone is parked unless told otherwise.
pub const PARKED_FOR: Duration = Duration::from_secs(120);
/// What someone who is parked hears unless told otherwise.
const PARK_MUSIC: &str = "hold";

/// Why [`talk`] ended.
#[derive(Debug)]
pub enum TalkEnd {
    /// The first leg hung up.
    AHungUp,
    /// The second leg hung up.
    BHungUp,
    /// A key that the script listens for, pressed on the first leg.
    Digit(char),
    /// A telephone asks that someone else takes its place.
    Transfer(Transfer),
    /// Anything else, in words.
    Other(String),
}

/// What a user's telephone asks: that someone takes its place in the conversation. The other party hears music until the
/// script has decided; talking on refuses it.
#[derive(Debug)]
pub struct Transfer(pub(crate) host::TransferHandle);

impl Transfer {
    /// Whether the second leg of [`talk`] asks, and not the first.
    pub fn by_b(&self) -> bool {
        self.0.by_b()
    }

    /// Who is meant. A number may be the tenant's own, with a script that would take the call.
    pub fn to(&self) -> Target {
        self.0.to()
    }

    /// They have spoken with each other on a call of their own, and the two calls are to become one.
    pub fn attended(&self) -> bool {
        self.0.attended()
    }

    /// Does what was asked, ringing for so long; 1 s to 10 min. Waits until someone has taken the place: the leg of the
    /// one who asked is theirs from then on. A number takes the other party over, and this ends as hung up.
    pub fn carry_out(&self, ring: Duration) -> Result {
        self.0.carry_out(None, ring)
    }

    /// Rings someone else than was asked for.
    pub fn carry_out_to(&self, to: impl Into<Target>, ring: Duration) -> Result {
        self.0.carry_out(Some(&to.into()), ring)
    }

    /// Tells the telephone that it will not be, with a SIP status, 400 to 699.
    pub fn refuse(&self, status: u16) -> Result {
        self.0.refuse(status)
    }
}

/// Both talk as by [`bridge`](crate::bridge) until one of them hangs up, `a` presses one of `keys`, or one asks to be
/// replaced: the script decides about transfers.
///
/// ```
/// # use strowger_script::prelude::*;
/// use strowger_script::TalkEnd;
///
/// /// Nobody is transferred to a number outside.
/// fn on_call(caller: Leg) -> Result {
///     let agent = dial("ana").ring()?;
///     while let TalkEnd::Transfer(wish) = talk(&caller, &agent, "")? {
///         match wish.to() {
///             Target::User(_) => _ = wish.carry_out(20.secs()),
///             _ => wish.refuse(403)?,
///         }
///     }
///     Ok(())
/// }
/// # Caller::from("+359888123456").user(User::new("ana").transfers_after(5.secs(), "boris")).user(User::new("boris"))
/// #     .talks_with("ana").hears_music().talks_with("boris").hangs_up_after(5.secs()).run(on_call);
/// ```
pub fn talk(a: &Leg, b: &Leg, keys: &str) -> Result<TalkEnd> {
    host::talk(&a.0, &b.0, keys)
}

/// The user who transferred the call last, by name, if one did.
pub fn transferred_by() -> Option<String> {
    host::transferred_by()
}

/// Parks a leg in a slot of the tenant: music until someone comes for it by [`retrieve`].
///
/// ```
/// # use strowger_script::prelude::*;
/// # fn on_call(caller: Leg) -> Result {
/// let who = park(&caller, "71").for_time(60.secs()).wait()?;
/// bridge(&caller, &who)
/// # }
/// # Caller::from("+359888123456").is_retrieved_by("ana", 20.secs()).talks_with("ana").hangs_up_after(5.secs()).run(on_call);
/// ```
pub fn park<'a>(leg: &'a Leg, slot: &str) -> Park<'a> {
    Park { leg, slot: slot.to_owned(), most: PARKED_FOR, hears: Prompt::Music(PARK_MUSIC.to_owned()) }
}

/// A parking to be: made by [`park`], done by [`Park::wait`].
#[must_use = "nobody is parked before .wait()"]
pub struct Park<'a> {
    leg: &'a Leg,
    slot: String,
    most: Duration,
    hears: Prompt,
}

impl Park<'_> {
    /// How long at most: 1 s to 24 h, two minutes unless told.
    pub fn for_time(mut self, most: Duration) -> Self {
        self.most = most;
        self
    }

    /// What it hears, in place of music.
    pub fn hears(mut self, what: impl Into<Prompt>) -> Self {
        self.hears = what.into();
        self
    }

    /// Parks, and waits for the leg that comes.
    ///
    /// # Errors
    /// [`Failure::Busy`] when someone is parked there, [`Failure::NoAnswer`] when nobody came in time.
    pub fn wait(self) -> Result<Leg> {
        host::park(&self.leg.0, &self.slot, self.most, &self.hears).map(Leg)
    }
}

/// Connects the caller with whoever is parked in this slot: in that call, so that this script ends as hung up.
///
/// # Errors
/// [`Failure::NotFound`] when nobody is parked there; [`Failure::HungUp`] when the caller has gone over.
pub fn retrieve(slot: &str) -> Result {
    host::retrieve(slot)
}

/// Connects the caller with whoever calls this user, whose telephones ring no more: in that call, so that this script
/// ends as hung up.
///
/// # Errors
/// [`Failure::NotFound`] when nothing rings there; [`Failure::HungUp`] when the caller has gone over.
pub fn pick_up(user: &str) -> Result {
    host::pick_up(user)
}
