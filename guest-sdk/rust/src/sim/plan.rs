//! What a test writes down: the caller's plan, and who else there is.

use super::call::Call;
use super::mailbox::MessageBox;
use super::queue::{Contact, Line};
use super::server::Server;
use super::world::{self, World};
use crate::directory::Presence;
use crate::entry::OnCall;
use crate::leg::Leg;
use crate::words::{Failure, Prompt, Result};
use std::collections::VecDeque;
use std::time::Duration;

/// What a party does when it is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers(Duration),
    Rejects(Duration, u16),
    NeverAnswers,
}

/// What happens after it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    UntilHungUp,
    For(Duration),
}

/// A wish of whoever answered: so long after answering, to be replaced by this one.
pub(crate) type Wish = Option<(Duration, String)>;

/// A user of the tenant; unless told otherwise registered, free, and answering after two seconds.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) name: String,
    pub(crate) number: String,
    pub(crate) mobile: Option<String>,
    pub(crate) presence: Presence,
    pub(crate) skills: Vec<(String, u8)>,
    pub(crate) groups: Vec<String>,
    pub(crate) manner: Manner,
    pub(crate) talk: Talk,
    pub(crate) queues: Vec<String>,
    pub(crate) paused: Option<String>,
    pub(crate) transfers: Wish,
    pub(crate) presses: String,
}

/// How long it takes to reach for the telephone, unless told otherwise.
const ANSWERS_AFTER: Duration = Duration::from_secs(2);

impl User {
    /// A user by name.
    pub fn new(name: &str) -> User {
        User {
            name: name.to_owned(),
            number: String::new(),
            mobile: None,
            presence: Presence::Free,
            skills: Vec::new(),
            groups: Vec::new(),
            manner: Manner::Answers(ANSWERS_AFTER),
            talk: Talk::UntilHungUp,
            queues: Vec::new(),
            paused: None,
            transfers: None,
            presses: String::new(),
        }
    }

    /// The extension.
    pub fn number(mut self, extension: &str) -> User {
        extension.clone_into(&mut self.number);
        self
    }

    /// The mobile number.
    pub fn mobile(mut self, number: &str) -> User {
        self.mobile = Some(number.to_owned());
        self
    }

    /// In this group too.
    pub fn in_group(mut self, group: &str) -> User {
        self.groups.push(group.to_owned());
        self
    }

    /// Has this skill, level 1 to 100.
    pub fn skilled(mut self, skill: &str, level: u8) -> User {
        self.skills.push((skill.to_owned(), level));
        self
    }

    /// Answers after so long.
    pub fn answers_after(mut self, time: Duration) -> User {
        self.manner = Manner::Answers(time);
        self
    }

    /// Lets it ring.
    pub fn never_answers(mut self) -> User {
        self.manner = Manner::NeverAnswers;
        self
    }

    /// Refuses with a SIP status, 400 to 699, after so long.
    pub fn rejects_after(mut self, time: Duration, status: u16) -> User {
        self.manner = Manner::Rejects(time, status);
        self
    }

    /// Hangs up so long after answering.
    pub fn hangs_up_after(mut self, time: Duration) -> User {
        self.talk = Talk::For(time);
        self
    }

    /// Presses these keys when its telephone is asked for some, also when the caller has left: the first a moment
    /// ([`REACTION`](super::REACTION)) after the question begins, each further one half a second later. A question takes the
    /// keys that it needs, and leaves the rest to the next one.
    pub fn presses(mut self, keys: impl Into<String>) -> User {
        self.presses = keys.into();
        self
    }

    /// Asks, so long after answering, to be replaced by this user, or by this number of the test.
    pub fn transfers_after(mut self, time: Duration, to: &str) -> User {
        self.transfers = Some((time, to.to_owned()));
        self
    }

    /// Is being rung by another call.
    pub fn ringing(mut self) -> User {
        self.presence = Presence::Ringing;
        self
    }

    /// Is on a call already.
    pub fn busy(mut self) -> User {
        self.presence = Presence::Busy;
        self
    }

    /// Is an agent of this queue too.
    pub fn serves(mut self, queue: &str) -> User {
        self.queues.push(queue.to_owned());
        self
    }

    /// Is an agent who is paused for this reason.
    pub fn paused(mut self, reason: &str) -> User {
        self.paused = Some(reason.to_owned());
        self
    }

    /// Has no device registered.
    pub fn offline(mut self) -> User {
        self.presence = Presence::Offline;
        self
    }
}

/// A telephone number or SIP URI that can be reached; unless told otherwise it answers after two seconds. Numbers that a
/// test does not name are unreachable.
#[derive(Clone, Debug)]
pub struct Number {
    pub(crate) number: String,
    pub(crate) manner: Manner,
    pub(crate) talk: Talk,
    pub(crate) presses: String,
}

impl Number {
    /// A number, or a SIP URI.
    pub fn new(number: &str) -> Number {
        Number {
            number: number.to_owned(),
            manner: Manner::Answers(ANSWERS_AFTER),
            talk: Talk::UntilHungUp,
            presses: String::new(),
        }
    }

    /// Answers after so long.
    pub fn answers_after(mut self, time: Duration) -> Number {
        self.manner = Manner::Answers(time);
        self
    }

    /// Lets it ring.
    pub fn never_answers(mut self) -> Number {
        self.manner = Manner::NeverAnswers;
        self
    }

    /// Refuses with a SIP status, 400 to 699, after so long; 486 is busy.
    pub fn rejects_after(mut self, time: Duration, status: u16) -> Number {
        self.manner = Manner::Rejects(time, status);
        self
    }

    /// Hangs up so long after answering.
    pub fn hangs_up_after(mut self, time: Duration) -> Number {
        self.talk = Talk::For(time);
        self
    }

    /// Presses these keys when it is asked for some, as a [`User`] does.
    pub fn presses(mut self, keys: impl Into<String>) -> Number {
        self.presses = keys.into();
        self
    }
}

/// One line of the caller's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    IsAnswered,
    HearsRinging,
    Hears(Prompt),
    HearsMusic,
    HearsItself,
    TalksWith(String),
    IsRejected(u16),
    IsHungUp,
    FallsBack,
    IsHandedOverTo(String),
    Waits(Duration),
    Speaks(Duration),
    Presses(char),
    HangsUp(Duration),
}

/// A caller with a plan, and the world around it.
#[must_use = "nothing happens before .run(script)"]
pub struct Caller {
    pub(crate) number: String,
    pub(crate) name: Option<String>,
    pub(crate) dialled: String,
    pub(crate) at: String,
    pub(crate) zone: String,
    pub(crate) language: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) settings: String,
    pub(crate) users: Vec<User>,
    pub(crate) numbers: Vec<Number>,
    pub(crate) lengths: Vec<(Prompt, Duration)>,
    pub(crate) kept: Vec<(String, Vec<u8>)>,
    pub(crate) lines: Vec<(String, Line)>,
    pub(crate) calendars: Vec<(String, String)>,
    pub(crate) contacts: Result<Vec<Contact>>,
    pub(crate) servers: Vec<Server>,
    pub(crate) mailboxes: Vec<MessageBox>,
    pub(crate) spoken: Vec<(String, u32)>,
    pub(crate) transferred_by: Option<String>,
    pub(crate) parked: Vec<(String, String)>,
    pub(crate) retrieved: Option<(Duration, String)>,
    pub(crate) steps: VecDeque<Step>,
}

impl Caller {
    /// A caller by number; one of the tenant's users if it is the name or extension of a [`User`] of the test. "" is
    /// withheld.
    pub fn from(number: &str) -> Caller {
        Caller {
            number: number.to_owned(),
            name: None,
            dialled: "700".to_owned(),
            at: "2026-01-05 10:00".to_owned(),
            zone: "UTC".to_owned(),
            language: "en".to_owned(),
            headers: Vec::new(),
            settings: "{}".to_owned(),
            users: Vec::new(),
            numbers: Vec::new(),
            lengths: Vec::new(),
            kept: Vec::new(),
            lines: Vec::new(),
            calendars: Vec::new(),
            contacts: Ok(Vec::new()),
            servers: Vec::new(),
            mailboxes: Vec::new(),
            spoken: Vec::new(),
            transferred_by: None,
            parked: Vec::new(),
            retrieved: None,
            steps: VecDeque::new(),
        }
    }

    /// The display name sent.
    pub fn named(mut self, name: &str) -> Caller {
        self.name = Some(name.to_owned());
        self
    }

    /// The number dialled; "700" unless told.
    pub fn calls(mut self, number: &str) -> Caller {
        number.clone_into(&mut self.dialled);
        self
    }

    /// When, on the tenant's clock: "2026-11-27 23:58". Monday, 5 January 2026, ten o'clock unless told.
    pub fn at(mut self, local_time: &str) -> Caller {
        local_time.clone_into(&mut self.at);
        self
    }

    /// The tenant's time zone by its IANA name; UTC unless told.
    pub fn zone(mut self, name: &str) -> Caller {
        name.clone_into(&mut self.zone);
        self
    }

    /// The language of prompts to begin with; "en" unless told.
    pub fn in_language(mut self, tag: &str) -> Caller {
        tag.clone_into(&mut self.language);
        self
    }

    /// A SIP header of the call.
    pub fn with_header(mut self, name: &str, value: &str) -> Caller {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The script's settings, `json!({...})` usually.
    pub fn with_settings(mut self, settings: impl serde::Serialize) -> Caller {
        self.settings = serde_json::to_string(&settings).expect("settings become JSON");
        self
    }

    /// There is this user too.
    pub fn user(mut self, user: User) -> Caller {
        self.users.push(user);
        self
    }

    /// This number can be reached too.
    pub fn number(mut self, number: Number) -> Caller {
        self.numbers.push(number);
        self
    }

    /// There is this queue too.
    pub fn queue(mut self, name: &str, line: Line) -> Caller {
        self.lines.push((name.to_owned(), line));
        self
    }

    /// A calendar of the tenant, and the scheme in force by it.
    pub fn calendar(mut self, name: &str, scheme: &str) -> Caller {
        self.calendars.push((name.to_owned(), scheme.to_owned()));
        self
    }

    /// The tenant's CRM has this contact too.
    pub fn contact(mut self, contact: Contact) -> Caller {
        if let Ok(contacts) = &mut self.contacts {
            contacts.push(contact);
        }
        self
    }

    /// The tenant's CRM does not answer.
    pub fn crm_is_down(mut self) -> Caller {
        self.contacts = Err(Failure::TimedOut);
        self
    }

    /// This server outside can be asked too; the first that has the URL answers.
    pub fn server(mut self, server: Server) -> Caller {
        self.servers.push(server);
        self
    }

    /// There is this box for messages; any other is empty.
    pub fn mailbox(mut self, mailbox: MessageBox) -> Caller {
        self.mailboxes.push(mailbox);
        self
    }

    /// The caller spoke with this user earlier today.
    pub fn spoke_with(self, user: &str) -> Caller {
        self.spoke_with_days_ago(user, 0)
    }

    /// The caller spoke with this user so many days ago.
    pub fn spoke_with_days_ago(mut self, user: &str, days: u32) -> Caller {
        self.spoken.push((user.to_owned(), days));
        self
    }

    /// This recording or text lasts so long.
    pub fn prompt_lasts(mut self, prompt: impl Into<Prompt>, length: Duration) -> Caller {
        self.lengths.push((prompt.into(), length));
        self
    }

    /// An earlier call left this in the tenant's memory.
    pub fn remembered(mut self, key: &str, value: impl AsRef<[u8]>) -> Caller {
        self.kept.push((key.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// This user has transferred the caller here.
    pub fn transferred_by(mut self, user: &str) -> Caller {
        self.transferred_by = Some(user.to_owned());
        self
    }

    /// Somebody is parked in this slot already.
    pub fn parked(mut self, slot: &str, who: &str) -> Caller {
        self.parked.push((slot.to_owned(), who.to_owned()));
        self
    }

    /// When the script parks somebody, this user comes for them so long after.
    pub fn is_retrieved_by(mut self, user: &str, after: Duration) -> Caller {
        self.retrieved = Some((after, user.to_owned()));
        self
    }

    /// Expects to be answered.
    pub fn is_answered(self) -> Caller {
        self.then(Step::IsAnswered)
    }

    /// Expects a ringing tone.
    pub fn hears_ringing(self) -> Caller {
        self.then(Step::HearsRinging)
    }

    /// Expects to hear this, whatever is heard before it. What follows happens while it can be heard.
    pub fn hears(self, what: impl Into<Prompt>) -> Caller {
        self.then(Step::Hears(what.into()))
    }

    /// Expects music on hold, of any name.
    pub fn hears_music(self) -> Caller {
        self.then(Step::HearsMusic)
    }

    /// Expects to be bridged with itself.
    pub fn hears_itself(self) -> Caller {
        self.then(Step::HearsItself)
    }

    /// Expects to be bridged with this user, number or URI.
    pub fn talks_with(self, whom: &str) -> Caller {
        self.then(Step::TalksWith(whom.to_owned()))
    }

    /// Expects to be refused with this SIP status.
    pub fn is_rejected(self, status: u16) -> Caller {
        self.then(Step::IsRejected(status))
    }

    /// Expects that the exchange ends the call.
    pub fn is_hung_up(self) -> Caller {
        self.then(Step::IsHungUp)
    }

    /// Expects that the script fails, so that the number's fallback takes the call.
    pub fn falls_back(self) -> Caller {
        self.then(Step::FallsBack)
    }

    /// Expects to be handed over to another script.
    pub fn is_handed_over_to(self, script: &str) -> Caller {
        self.then(Step::IsHandedOverTo(script.to_owned()))
    }

    /// Presses keys, a moment ([`REACTION`](super::REACTION)) after what stands before; each further key half a second
    /// later.
    pub fn presses(mut self, keys: impl Into<String>) -> Caller {
        self.steps.extend(keys.into().chars().map(Step::Presses));
        self
    }

    /// Does nothing for so long.
    pub fn waits(self, time: Duration) -> Caller {
        self.then(Step::Waits(time))
    }

    /// Speaks for so long: into a recording, if one is being made.
    pub fn speaks_for(self, time: Duration) -> Caller {
        self.then(Step::Speaks(time))
    }

    /// Hangs up so long after what stands before.
    pub fn hangs_up_after(self, time: Duration) -> Caller {
        self.then(Step::HangsUp(time))
    }

    /// Hangs up at once.
    pub fn hangs_up(self) -> Caller {
        self.then(Step::HangsUp(Duration::ZERO))
    }

    /// Runs a script: the function under `#[call_script]`, with the settings of the plan if it takes any.
    ///
    /// # Panics
    /// With the call as a timeline, when the plan can't be followed to its end, or when the script fails and the plan
    /// does not say so.
    #[track_caller]
    pub fn run<A>(self, script: impl OnCall<A>) -> Call {
        world::enter(World::new(self));
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> Result {
            script.run(Leg(super::exchange::LegHandle(world::CALLER)))
        }));
        let world = world::leave();
        match ran {
            Ok(result) => world.finish(result),
            Err(panic) => {
                eprintln!("{world}");
                std::panic::resume_unwind(panic)
            }
        }
    }

    fn then(mut self, step: Step) -> Caller {
        self.steps.push_back(step);
        self
    }
}
