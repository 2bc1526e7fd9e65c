//! What enters the exchange beside commands, and what leaves it. The server carries an [`Effect`] out
//! through `protocol` (signal), `media` (sound) and `script`, and turns what they report into an
//! [`Event`]. Neither names a socket, a codec or a SIP message.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::directory::Device;
use crate::queue::{KeptAgent, KeptCallBack, Question};
use crate::verb::{Answer, CallId, CallRecord, Direction, Failure, LegInfo, LegNo, Party, Prompt, Target};

/// A leg among all of a shard; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct LegKey(pub u64);

/// Names a sound that was started, so that a late report of an older one is told apart.
pub type Token = u64;

/// A call that reached a tenant, with the route that the configuration gives it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The tenant's name.
    pub tenant: String,
    /// Who calls.
    pub from: Party,
    /// The number dialled, as it arrived.
    pub dialled: String,
    /// From a trunk or from a user.
    pub direction: Direction,
    /// The user who calls, by name.
    pub user: Option<String>,
    /// The trunk it came through.
    pub trunk: Option<String>,
    /// Header names in lower case, from trusted sides only.
    pub headers: Arc<[(String, String)]>,
    /// BCP 47.
    pub language: String,
    /// The SIP Call-ID, for the record.
    pub sip_call_id: String,
    /// Who decides.
    pub route: Route,
}

/// A call that the exchange begins: someone is rung first and becomes its caller.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The tenant's name.
    pub tenant: String,
    /// Rung together, the first to answer is the caller; at most 64.
    pub ring: Vec<Target>,
    /// How long they ring: 1 s to 10 min.
    pub timeout: Duration,
    /// Shown to them as who calls: the other side, usually.
    pub present: Party,
    /// What the caller's leg says it dialled: for the script, and for the record.
    pub dialled: String,
    /// BCP 47.
    pub language: String,
    /// Who decides once someone has answered.
    pub route: Route,
    /// Given back in `Effect::OriginFailed`.
    pub token: Option<Token>,
}

/// Which script takes a call, with what, and who takes it when the script can't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The script's name.
    pub script: String,
    /// JSON.
    pub settings: String,
    /// Rung one after the other when the script fails.
    pub fallback: Vec<Fallback>,
    /// The number's advertising source.
    pub source: Option<String>,
}

/// One direction of last resort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fallback {
    /// Ring this.
    Ring(Target),
    /// Take a message for this box.
    Voicemail(String),
}

/// What signalling and sound report of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The far side has the INVITE (100).
    Trying,
    /// 180, or 183 with sound if `early_media`.
    Ringing {
        /// A session description came with it.
        early_media: bool,
    },
    /// 200 to an INVITE of ours.
    Answered,
    /// A final refusal of an INVITE of ours.
    Refused {
        /// The SIP status; 408 stands for no answer at all, 503 for an unreachable address.
        status: u16,
        /// The far side never spoke: time-out or transport error.
        silent: bool,
    },
    /// 300-399 to an INVITE of ours: it is to be rung elsewhere, at the first of these that was not yet.
    Redirected {
        /// The SIP status.
        status: u16,
        /// The best first.
        to: Vec<Target>,
    },
    /// The leg is over: BYE, CANCEL, or the wire's end.
    Ended,
    /// The far side put us on hold.
    Held,
    /// The far side took us off hold.
    Resumed,
    /// A key, however it was signalled.
    Digit(char),
    /// A sound ended by itself or by a key.
    PlayEnded(Token),
    /// The keys are out.
    DigitsSent(Token),
    /// A message recording ended.
    Recorded {
        /// Of the recording.
        token: Token,
        /// Its length.
        length: Duration,
    },
    /// No sound has come for too long.
    MediaTimeout,
    /// The far side asks that someone else takes its place (REFER). Answered by
    /// [`Signal::AcceptTransfer`] or [`Signal::RefuseTransfer`].
    Transfer {
        /// Who: a user's or a telephone number as dialled, or an address elsewhere.
        to: Target,
        /// The leg on which it spoke with them before, for an attended transfer.
        with: Option<LegKey>,
    },
}

/// What the exchange wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run this script for the call.
    Start {
        /// The call.
        call: CallId,
        /// The tenant's name.
        tenant: String,
        /// The script's name.
        script: String,
        /// JSON.
        settings: String,
        /// The caller's leg.
        caller: Box<LegInfo>,
    },
    /// The exchange begins a call of its own accord, to call somebody back: what follows speaks of it.
    Begun {
        /// The call.
        call: CallId,
        /// The tenant's name.
        tenant: String,
    },
    /// Nobody answered a call that the exchange began; its record follows, unless it was to call somebody
    /// back: then `Effect::Fruitless` does.
    OriginFailed {
        /// The call.
        call: CallId,
        /// Of the [`Origin`].
        token: Option<Token>,
        /// As a dial fails.
        why: Failure,
    },
    /// The command that the call's script waits in has this answer.
    Reply {
        /// The call.
        call: CallId,
        /// Its answer.
        answer: Answer,
    },
    /// Something for signalling.
    Signal(LegKey, Signal),
    /// The leg is another one of its call from now on, or belongs to another call.
    Moved {
        /// Keeps its key.
        leg: LegKey,
        /// The call that it belongs to now.
        call: CallId,
        /// Which of that call's legs.
        no: LegNo,
    },
    /// Something for the media plane.
    Sound(LegKey, Sound),
    /// Something happened that people may want to see.
    Note(Note),
    /// A queue's strategy is asked; `Exchange::handle_decision` wants its answer.
    Decide {
        /// Named in the answer.
        ticket: u64,
        /// The tenant's name.
        tenant: String,
        /// The queue's name.
        queue: String,
        /// The strategy's name.
        strategy: String,
        /// What is asked.
        question: Question,
    },
    /// What must be known of an agent after a restart, for `Exchange::restore_agent`.
    KeepAgent {
        /// The tenant's name.
        tenant: String,
        /// The user's name.
        user: String,
        /// In place of what was kept before.
        kept: KeptAgent,
    },
    /// A call back is asked for, and promised once it is kept for `Exchange::restore_call_back`;
    /// `Exchange::handle_kept` wants to hear how that went.
    KeepCallBack {
        /// Named in the answer.
        ticket: u64,
        /// The tenant's name.
        tenant: String,
        /// In place of what was kept of the same number in the same queue.
        kept: Box<KeptCallBack>,
    },
    /// It was done, is too old, or was not promised after all.
    ForgetCallBack {
        /// The tenant's name.
        tenant: String,
        /// The queue's name.
        queue: String,
        /// The number that was to be called.
        number: String,
    },
    /// Something happened in a queue or to an agent that people may want to see.
    Tell {
        /// The tenant's name.
        tenant: String,
        /// "queue.entered", "queue.refused", "queue.offered", "queue.missed", "queue.connected", "queue.left",
        /// "queue.call-back", "queue.called-back", "queue.announced", "queue.key", "queue.closed", "agent.state",
        /// "strategy.failed", "offer.refused".
        kind: &'static str,
        /// Names and values: "queue", "call", "agent", "reason" ...
        about: Vec<(&'static str, String)>,
    },
    /// A message was left: it belongs to a box from now on.
    MessageLeft(Box<MessageLeft>),
    /// Something of the call has changed that a restart must know: `Exchange::kept_call` says what there is now.
    Keep {
        /// The call.
        call: CallId,
    },
    /// The call is over; every leg has ended or been told to.
    Over(Box<CallRecord>),
    /// An attempt to call somebody back is over and no agent answered it. It leaves no record, since the
    /// promise goes on; what was told of it says all.
    Fruitless {
        /// The call.
        call: CallId,
    },
}

/// A message that a caller has left, also one who hung up while speaking.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageLeft {
    /// The tenant's name.
    pub tenant: String,
    /// The call.
    pub call: CallId,
    /// The box: what the call was marked with as "box", or the last resort's; none when no box was meant.
    pub mailbox: Option<String>,
    /// The recording's name.
    pub recording: String,
    /// What was said, without the quiet that ended it.
    pub length: Duration,
    /// Who called.
    pub from: Party,
    /// When it was complete: seconds since 1970 UTC.
    pub at: f64,
    /// Until when the caller is to be called back, as the call was marked with.
    pub call_back_by: Option<String>,
}

/// What signalling must do with a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// 180.
    Ring,
    /// 183 with a session description.
    EarlyMedia,
    /// 200.
    Answer,
    /// A final refusal of an arriving call.
    Refuse {
        /// 300 to 699.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
    /// Begin a leg.
    Invite(Box<Invite>),
    /// End a leg in whatever state it is: CANCEL, BYE or a refusal.
    HangUp(Cause),
    /// re-INVITE, sendonly.
    Hold,
    /// re-INVITE, sendrecv.
    Resume,
    /// 202 to its REFER, and a first word that it is being tried.
    AcceptTransfer,
    /// A refusal of its REFER: 400 to 699.
    RefuseTransfer(u16),
    /// How the transfer went, which ends it: 200, or why not.
    ReportTransfer(u16),
}

/// A leg to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The tenant's name.
    pub tenant: String,
    /// The call, for the record and the trace.
    pub call: CallId,
    /// Where to.
    pub to: Destination,
    /// Shown as the caller.
    pub present: Party,
}

/// Where an INVITE goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A registered contact.
    Device {
        /// The user's name.
        user: String,
        /// Which of the contacts.
        device: Device,
    },
    /// A number at a carrier.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The number.
        number: String,
    },
    /// An address as it is.
    Uri(String),
}

/// Why a leg is ended by us (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A Q.850 cause; 16 is normal clearing.
    Q850(u16),
    /// `SIP;cause=200`: another one answered, so no missed call is shown.
    AnsweredElsewhere,
}

impl Cause {
    /// A timer ran out: a carrier said nothing at all.
    pub const SILENT: Self = Self::Q850(102);
    /// "No user responding": a carrier took the call, and rang nobody in the time that it has for that.
    pub const DOES_NOT_RING: Self = Self::Q850(18);
    /// It rang, and nobody answered.
    pub const NO_ANSWER: Self = Self::Q850(19);
}

/// What the media plane must do with a leg's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Play these in turn; `Event::PlayEnded` when done.
    Play {
        /// Named in the report.
        token: Token,
        /// In turn.
        what: Vec<Prompt>,
        /// The leg's language.
        language: String,
        /// A key ends it.
        cut_by_key: bool,
        /// Again from the start, until stopped.
        looped: bool,
    },
    /// The tone of a phone that rings, until stopped.
    Ringback,
    /// Stop what plays.
    Stop,
    /// What comes here goes there, and back; with itself: an echo.
    Relay(LegKey),
    /// Ends the relay, both ways.
    Unrelay,
    /// Hears these added up from now on, in place of its partner; with none of them its partner again.
    Hear(Vec<LegKey>),
    /// Send keys; `Event::DigitsSent` when done.
    SendDigits {
        /// Named in the report.
        token: Token,
        /// 0-9, *, #, A-D and "," for half a second.
        digits: String,
    },
    /// Record a message; `Event::Recorded` when it ends.
    Record {
        /// Named in the report.
        token: Token,
        /// The recording's name.
        name: String,
        /// At most so long.
        most: Duration,
        /// Ends it, if not zero.
        silence: Duration,
    },
    /// End the message recording.
    EndRecord,
    /// Record both directions from here on.
    Tap {
        /// The recording's name.
        name: String,
    },
    /// The recording goes on and leaves out what is said, or hears it again.
    PauseTap(bool),
    /// Ends that.
    Untap,
}

/// Something that people may want to see: one line of the event stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// The tenant's name.
    pub tenant: String,
    /// The call.
    #[serde(serialize_with = "as_text")]
    pub call: CallId,
    /// "call.arrived", "call.originated", "call.unanswered", "call.answered", "call.bridged", "call.listened",
    /// "call.whispered", "call.barged", "call.transferring", "call.transferred", "call.coming-back", "call.parked",
    /// "call.retrieved", "call.picked-up", "call.ended", "leg.ringing", "script.failed" ...
    pub kind: &'static str,
    /// The leg it is about.
    #[serde(serialize_with = "as_number")]
    pub leg: LegNo,
    /// Who, why, or what, in words.
    pub about: String,
}

fn as_text<S: serde::Serializer>(call: &CallId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(call)
}

fn as_number<S: serde::Serializer>(leg: &LegNo, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u32(leg.0)
}
