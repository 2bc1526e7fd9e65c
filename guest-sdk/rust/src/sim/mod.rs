//! A simulated exchange: a script is run against a caller with a plan, in virtual time, in a plain `cargo test`.
//!
//! The plan is what the caller expects and does, in order. An expectation waits until it comes true; an action follows
//! a moment after what stands before it. When the plan can't go on, because the call ended or because nothing would
//! ever happen any more, the test fails and prints the call as a timeline.
//!
//! ```
//! use strowger_script::prelude::*;
//!
//! fn on_call(caller: Leg) -> Result {
//!     caller.answer()?;
//!     match caller.menu("welcome").keys("13").ask()? {
//!         '3' => caller.play(["please-wait".into(), music("waltz")]),
//!         _ => caller.play("good-bye"),
//!     }
//! }
//!
//! let call = Caller::from("+359888123456")
//!     .calls("700")
//!     .at("2026-11-27 23:58")
//!     .hears("welcome")
//!     .presses('3')
//!     .hears_music()
//!     .hangs_up_after(40.secs())
//!     .run(on_call);
//! assert_eq!(call.outcome(), Outcome::Abandoned);
//! assert_eq!(call.timeline(), [
//!     "0.0 +359888123456 calls 700",
//!     "0.0 answered",
//!     "0.0 hears welcome",
//!     "1.0 presses 3",
//!     "1.0 hears please-wait",
//!     "4.0 hears music waltz",
//!     "44.0 hangs up",
//! ]);
//! ```
//!
//! What is simulated is what `wit/` promises, and no more: no sound, no SIP, no limits on time or memory. Recordings
//! last [`PROMPT_LENGTH`] unless told otherwise.

mod call;
mod dial;
pub(crate) mod exchange;
pub(crate) mod mailbox;
mod moves;
mod plan;
pub(crate) mod queue;
pub(crate) mod server;
pub(crate) mod tasks;
mod world;

pub use call::Call;
pub use mailbox::MessageBox;
pub use plan::{Caller, Number, User};
pub use queue::{Contact, Line};
pub use server::Server;
pub use tasks::{CallBack, Told};
pub use world::{PROMPT_LENGTH, REACTION};
