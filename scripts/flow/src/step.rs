//! The steps of a flow, as they are written. Which one it is says the key that only it has.

use std::collections::BTreeMap;
use strowger_script::prelude::*;
use strowger_script::serde::Deserialize;
use strowger_script::week::{Days, Hours};

/// What one step does.
#[derive(Debug)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(strowger_script::schemars::JsonSchema),
    schemars(crate = "strowger_script::schemars", untagged)
)]
pub enum Step {
    Say(SayStep),
    Menu(MenuStep),
    Gather(GatherStep),
    Hours(HoursStep),
    Choose(ChooseStep),
    Ring(RingStep),
    Transfer(TransferStep),
    Queue(QueueStep),
    Voicemail(VoicemailStep),
    HandOver(HandOverStep),
    Tag(TagStep),
    Language(LanguageStep),
    Record(RecordStep),
    HangUp(HangUpStep),
}

impl Step {
    /// Reads a step: the first of these keys that it has says which.
    pub fn read(step: &Value) -> Result<Step, String> {
        fn of<T: for<'de> Deserialize<'de>>(step: &Value) -> Result<T, String> {
            T::deserialize(step).map_err(|why| why.to_string())
        }
        let has = |key: &str| step.get(key).is_some();
        Ok(match () {
            // It may have a `say` too.
            () if has("transfer") => Step::Transfer(of(step)?),
            () if has("say") => Step::Say(of(step)?),
            () if has("menu") => Step::Menu(of(step)?),
            () if has("gather") => Step::Gather(of(step)?),
            () if has("hours") => Step::Hours(of(step)?),
            () if has("choose") => Step::Choose(of(step)?),
            () if has("ring") => Step::Ring(of(step)?),
            () if has("queue") => Step::Queue(of(step)?),
            () if has("voicemail") => Step::Voicemail(of(step)?),
            () if has("hand_over") => Step::HandOver(of(step)?),
            () if has("tag") => Step::Tag(of(step)?),
            () if has("language") => Step::Language(of(step)?),
            () if has("record") => Step::Record(of(step)?),
            () if has("hang_up") => Step::HangUp(of(step)?),
            () => return Err("it does nothing".to_owned()),
        })
    }
}

/// The name of a step to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "strowger_script::serde", transparent)]
pub struct Name(pub String);

#[cfg(not(target_arch = "wasm32"))]
impl strowger_script::schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StepName".into()
    }

    fn json_schema(_: &mut strowger_script::schemars::SchemaGenerator) -> strowger_script::schemars::Schema {
        strowger_script::schemars::json_schema!({
            "type": "string", "format": "step", "description": "A step of this flow, by its name.",
        })
    }
}

/// Where to ring, as in [`Places`]; what is known may stand in it in braces.
#[derive(Clone, Debug, Deserialize)]
#[serde(crate = "strowger_script::serde", transparent)]
pub struct Place(pub String);

#[cfg(not(target_arch = "wasm32"))]
impl strowger_script::schemars::JsonSchema for Place {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut strowger_script::schemars::SchemaGenerator) -> strowger_script::schemars::Schema {
        strowger_script::schemars::json_schema!({
            "type": "string", "format": "place",
            "pattern": "^((user|group|mobiles?|tel|sips?):.+|[^:]+)$",
            "description": "Write \"user:ana\" or \"ana\" (by name or extension), \"group:sales\", \"mobile:ana\", \
                            \"mobiles:sales\", \"tel:+359888000101\", \"sip:desk@example.com\".",
        })
    }
}

/// One thing to say, or several, one after the other.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(strowger_script::schemars::JsonSchema),
    schemars(crate = "strowger_script::schemars")
)]
#[serde(crate = "strowger_script::serde", untagged)]
pub enum Says {
    Several(Vec<Say>),
    One(Say),
}

/// Say something.
#[settings]
pub struct SayStep {
    /// What: a recording by its name, or words by language.
    pub say: Says,
    /// What follows; the call ends unless set.
    pub then: Option<Name>,
}

/// Ask for a key and go where it leads. Wrong keys and silence are asked again a few times.
#[settings]
pub struct MenuStep {
    /// What says what can be chosen.
    pub menu: Says,
    /// Where to go, by the key or keys pressed: "1", "42", "*".
    pub keys: BTreeMap<String, Name>,
    /// How many times to ask again after a wrong key or none.
    #[serde(default = "twice")]
    pub retries: u32,
    /// How many seconds to wait for the first key, counted from the end of what is said.
    #[serde(default = "six")]
    pub wait: u32,
    /// How many seconds to wait for a further key, where choices have several.
    #[serde(default = "three")]
    pub between: u32,
    /// Said after keys that choose nothing.
    pub wrong_key: Option<Says>,
    /// Said when no key comes.
    pub no_key: Option<Says>,
    /// Where to go when it was asked often enough; the call ends unless set.
    pub otherwise: Option<Name>,
}

/// Ask for digits and keep them under a name: "{order}" in later steps.
#[settings]
pub struct GatherStep {
    /// The name.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(extend("format" = "new-name"), regex(pattern = "^[a-z][a-z0-9_]*$")))]
    pub gather: String,
    /// What asks for them.
    pub prompts: Says,
    /// As many at least, 1 to 32.
    #[serde(default = "one")]
    pub least: u8,
    /// As many at most, 1 to 32; fewer end with # or a pause.
    #[serde(default = "sixteen")]
    pub most: u8,
    /// How many times to ask again after too few.
    #[serde(default = "twice")]
    pub retries: u32,
    /// How many seconds to wait for the first, counted from the end of what is said.
    #[serde(default = "six")]
    pub wait: u32,
    /// How many seconds to wait for the next.
    #[serde(default = "three")]
    pub between: u32,
    /// Said after too few, before asking again.
    pub too_few: Option<Says>,
    /// What follows.
    pub then: Name,
    /// Where to go when it was asked often enough; the call ends unless set.
    pub otherwise: Option<Name>,
}

/// Look at a calendar.
#[settings]
pub struct HoursStep {
    /// The tenant's calendar, by name.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(extend("format" = "calendar")))]
    pub hours: String,
    /// Where to go, by the scheme that counts now: "open", "lunch", "holiday" ... One with a rota says "duty:ana": its
    /// scheme is "duty", and "{user}" is ana from then on.
    pub schemes: BTreeMap<String, Name>,
    /// Where to go when another counts.
    pub otherwise: Name,
}

/// Go where the first condition that holds leads.
#[settings]
pub struct ChooseStep {
    /// The conditions.
    pub choose: Vec<Case>,
    /// Where to go when none holds.
    pub otherwise: Name,
}

/// Conditions that must all hold, and where that leads.
#[settings]
pub struct Case {
    /// What is known, by name, is one of these: `{ caller = ["+3592*", "+3593*"], language = "bg" }`, `{ contact.vip = "yes" }`,
    /// `{ value.campaign = "tv" }`. "*" stands for anything, "" is what is not known.
    #[serde(default)]
    pub is: BTreeMap<String, Pattern>,
    /// It is one of these days of the week by the tenant's clock: "mon-fri", "sat,sun".
    pub days: Option<Days>,
    /// It is that late by the tenant's clock: "09:00-18:00", "22:00-06:00".
    pub time: Option<Hours>,
    /// So many callers wait at most in a queue, and somebody serves it: `{ sales = 5 }`.
    #[serde(default)]
    pub queues: BTreeMap<String, u32>,
    /// Where to go then.
    pub then: Name,
}

/// What something is to be.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(strowger_script::schemars::JsonSchema),
    schemars(crate = "strowger_script::schemars")
)]
#[serde(crate = "strowger_script::serde", untagged)]
pub enum Pattern {
    /// This, where "*" is anything.
    One(String),
    /// One of these.
    Several(Vec<String>),
    /// What is known below this name.
    Below(BTreeMap<String, Pattern>),
}

/// Ring people; whoever answers first talks with the caller, and then the call is over.
#[settings]
pub struct RingStep {
    /// Who rings.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(length(max = 64)))]
    pub ring: Vec<Place>,
    /// How many seconds in all, 1 to 600; one by one, how many each.
    #[serde(default = "half_a_minute")]
    pub seconds: u32,
    /// One after the other, and not all together.
    #[serde(default)]
    pub one_by_one: bool,
    /// Users who are on a call are passed over without ringing.
    #[serde(default = "yes")]
    pub skip_busy: bool,
    /// Music by name for the caller to hear in place of ringing.
    pub music: Option<String>,
    /// Where to go when all are busy; `otherwise` unless set.
    pub busy: Option<Name>,
    /// Where to go when nobody answers; the caller is refused as busy or unavailable unless set.
    pub otherwise: Option<Name>,
}

/// Put the caller through to one place, and then the call is over.
#[settings]
pub struct TransferStep {
    /// Where: "user:ana", "tel:+359888000101" through the trunks, "sip:desk@example.com".
    pub transfer: Place,
    /// How many seconds it rings, 1 to 600.
    #[serde(default = "half_a_minute")]
    pub seconds: u32,
    /// Said first, for which the caller is answered.
    pub say: Option<Says>,
    /// Where to go when nobody answers; the caller is refused as busy or unavailable unless set.
    pub otherwise: Option<Name>,
}

/// Wait for an agent of a queue; after the conversation the call is over.
#[settings]
pub struct QueueStep {
    /// The queue, by name.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(extend("format" = "queue")))]
    pub queue: String,
    /// Higher goes first: -100 to 100.
    #[serde(default)]
    pub priority: i32,
    /// Skills that the agent must have, and the least level of each, 1 to 100.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// The longest wait in seconds; the queue's own unless set.
    pub longest: Option<u32>,
    /// Music by name while waiting; the queue's own unless set.
    pub music: Option<String>,
    /// Where keys lead, out of the queue.
    #[serde(default)]
    pub keys: BTreeMap<char, Name>,
    /// Where words of the queue's strategy lead that it makes of keys: "voicemail".
    #[serde(default)]
    pub words: BTreeMap<String, Name>,
    /// Keeping the place and being called back at its turn, by a key or the strategy's word "call-back".
    pub call_back: Option<CallBack>,
    /// Where to go for one reason alone: "full", "closed", "nobody", "too-long", "longest-wait", or a word of the strategy's.
    #[serde(default)]
    pub otherwise_by: BTreeMap<String, Name>,
    /// Where to go when the caller may not wait, or has waited as long as one may; the number's fallback has the call
    /// unless set.
    pub otherwise: Option<Name>,
}

/// A call back at the caller's turn, to the number that calls.
#[settings]
pub struct CallBack {
    /// The key.
    pub key: Option<char>,
    /// What follows, to tell the caller; the call ends unless set.
    pub then: Option<Name>,
}

/// Take a message, and then the call is over.
#[settings]
pub struct VoicemailStep {
    /// Settings of `strowger/voicemail`: `{ box = "sales" }`.
    pub voicemail: Value,
}

/// Hand the call over to another script, or another flow.
#[settings]
pub struct HandOverStep {
    /// Which.
    pub hand_over: HandOver,
}

/// A script and its settings.
#[settings]
pub struct HandOver {
    /// A script of the tenant, or a shipped one: "strowger/ring".
    pub script: String,
    /// Its settings.
    #[serde(default = "nothing")]
    pub settings: Value,
}

/// Mark the call for the register.
#[settings]
pub struct TagStep {
    /// The marks: `{ campaign = "tv", order = "{order}" }`.
    pub tag: BTreeMap<String, String>,
    /// What follows.
    pub then: Name,
}

/// Change the language of prompts.
#[settings]
pub struct LanguageStep {
    /// As BCP 47: "bg".
    pub language: String,
    /// What follows.
    pub then: Name,
}

/// Record the call from here on, or no longer.
#[settings]
pub struct RecordStep {
    /// Whether.
    pub record: bool,
    /// What follows.
    pub then: Name,
}

/// End the call.
#[settings]
pub struct HangUpStep {
    /// `true`, or for a caller who was not answered yet the SIP status to be refused with: 486 is busy.
    pub hang_up: How,
}

/// How a call ends.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(strowger_script::schemars::JsonSchema),
    schemars(crate = "strowger_script::schemars")
)]
#[serde(crate = "strowger_script::serde", untagged)]
pub enum How {
    Refused(#[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 300, max = 699)))] u16),
    Simply(#[cfg_attr(not(target_arch = "wasm32"), schemars(extend("const" = true)))] bool),
}

fn one() -> u8 {
    1
}

fn sixteen() -> u8 {
    16
}

fn twice() -> u32 {
    2
}

fn six() -> u32 {
    6
}

fn three() -> u32 {
    3
}

fn half_a_minute() -> u32 {
    30
}

fn yes() -> bool {
    true
}

fn nothing() -> Value {
    json!({})
}
