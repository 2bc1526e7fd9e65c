//! Call scripts, queue strategies and task scripts for the strowger telephone exchange. Strategies are in [`strategy`],
//! scripts that hear of call backs in [`tasks`]; the rest is for call scripts.
//!
//! A script is straight-line code that runs once for every call: no callbacks, no state machine, no `async`. A verb
//! blocks until it has happened; when the caller leaves, the verb that is waiting fails with
//! [`Failure::HungUp`] and `?` leaves the script.
//!
//! ```
//! use strowger_script::prelude::*;
//!
//! /// Who answers for the shop.
//! #[settings]
//! struct Shop {
//!     /// The user or extension for sales.
//!     sales: String,
//! }
//!
//! #[call_script]
//! fn on_call(caller: Leg, shop: Shop) -> Result {
//!     caller.answer()?;
//!     match caller.menu("welcome").keys("12").ask()? {
//!         '1' => dial(shop.sales).for_secs(20).ring().and_bridge(&caller),
//!         _ => caller.play("opening-hours"),
//!     }
//! }
//!
//! // A test is a caller: plain `cargo test`, no exchange, no waiting.
//! Caller::from("+359888123456")
//!     .with_settings(json!({ "sales": "ana" }))
//!     .user(User::new("ana").answers_after(4.secs()))
//!     .hears("welcome")
//!     .presses('1')
//!     .talks_with("ana")
//!     .hangs_up_after(40.secs())
//!     .run(on_call);
//! ```
//!
//! Built for `wasm32-unknown-unknown` (`strowger script build`) the crate speaks to the exchange through the interfaces
//! of `wit/` and imports nothing else; built natively it speaks to the simulated exchange of [`sim`], which is how
//! scripts are tested.

pub mod agents;
pub mod clock;
pub mod crm;
pub mod directory;
pub mod ended;
#[doc(hidden)]
pub mod entry;
pub mod http;
pub mod kv;
pub mod log;
pub mod mailbox;
pub mod notify;
pub mod queue;
pub mod settings;
#[cfg(not(target_arch = "wasm32"))]
pub mod sim;
pub mod strategy;
pub mod tasks;
pub mod week;

mod dial;
#[cfg(target_arch = "wasm32")]
mod heap;
mod host;
mod leg;
mod routing;
mod say;
mod transfer;
mod words;

// What the attributes write names this crate from outside.
extern crate self as strowger_script;

#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub use schemars;
#[doc(hidden)]
pub use serde;
pub use serde_json;

pub use dial::{AndBridge, Dial, RING_FOR, bridge, bridge_until, dial, hand_over, tag};
pub use leg::{BETWEEN_KEYS, FIRST_KEY, Gather, Leg, Menu, NORMAL_CLEARING};
pub use routing::{Category, Next, Places};
pub use say::{Say, say_all};
pub use strowger_script_macros::{call_script, queue_strategy, settings};
pub use transfer::{PARKED_FOR, Park, TalkEnd, Transfer, park, pick_up, retrieve, talk, transferred_by};
pub use words::*;

/// What a script is written with: `use strowger_script::prelude::*;`.
pub mod prelude {
    pub use crate::clock::{self, LocalTime};
    pub use crate::directory::{self, Presence};
    pub use crate::ended::{CallRecord, Outcome};
    pub use crate::log::Level;
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::sim::{Caller, Contact, Line, MessageBox, Number, Server, User};
    pub use crate::words::*;
    pub use crate::{
        AndBridge, Category, Dial, Leg, Next, Places, Say, agents, bridge, bridge_until, crm, dial,
        hand_over, http, kv, log, mailbox, notify, park, pick_up, queue, retrieve, say_all, tag, talk,
        transferred_by,
    };
    pub use serde_json::{Value, json};
    pub use strowger_script_macros::{call_script, settings};
}
