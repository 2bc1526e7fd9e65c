//! One call: its legs, the one verb that its script waits in, and what is kept for the record. A
//! script has at most one command under way, so a call is a small machine: a command begins, events
//! move it on, an answer ends it. When the script is done or has failed, [`LastResort`] or the end
//! takes its place.

mod ending;
mod kept;
mod meeting;
mod origin;
mod recording;
mod reports;
mod ringing;
mod steps;
mod supervisor;
mod transfer;
mod verbs;
mod waiting;

use std::time::{Duration, Instant};

use crate::dial::Dialling;
use crate::directory::Directory;
use crate::effect::{Arrival, Effect, LegKey, Route, Token};
use crate::exchange::Keys;
use crate::fallback::LastResort;
use crate::gather::Asking;
use crate::leg::{Leg, State};
use crate::load::{Load, Seat};
use crate::queue::{Floor, Moment};
use crate::tolls::Tolls;
use crate::verb::{CallId, Direction, LegInfo, LegNo, LegRecord, Party, Prompt};
pub(crate) use kept::Resumed;
pub use kept::{KeptCall, Past};
pub(crate) use meeting::{Elsewhere, Given};
use transfer::Wish;

use supervisor::{Mix, Supervisor};
use waiting::Standing;

/// Marks of one call, and their sizes in bytes.
const MOST_TAGS: usize = 32;
const TAG_KEY: usize = 64;
const TAG_VALUE: usize = 256;
/// Music for whoever is on hold, unless the script says otherwise.
const HOLD_MUSIC: &str = "hold";

/// What a call needs of the shard around it, for the length of one step.
pub(crate) struct Around<'a> {
    pub now: Instant,
    /// Seconds since 1970 UTC.
    pub wall: f64,
    pub directory: &'a dyn Directory,
    pub load: &'a mut Load,
    pub tolls: &'a mut Tolls,
    pub keys: &'a mut Keys,
    pub floor: &'a mut Floor,
    pub out: &'a mut Vec<Effect>,
}

impl Around<'_> {
    /// The queues, and what they need of the shard.
    fn floor(&mut self) -> (&mut Floor, Moment<'_>) {
        let (now, wall) = (self.now, self.wall);
        let moment = Moment { now, wall, directory: self.directory, load: self.load, out: self.out };
        (self.floor, moment)
    }
}

/// Who says what comes next.
enum Driver {
    /// Nobody yet: the exchange rings for a caller; the token of whoever asked for it.
    Origin {
        token: Option<Token>,
    },
    Script,
    LastResort(LastResort),
    Nobody,
}

/// The command under way.
enum Pending {
    Play {
        leg: LegNo,
        token: Token,
    },
    Gather {
        leg: LegNo,
        asking: Asking,
    },
    Message {
        leg: LegNo,
        token: Token,
        name: String,
        begun: Instant,
        /// The quiet that ends it, which is no part of what was said.
        silence: Duration,
    },
    SendDigits {
        leg: LegNo,
        token: Token,
    },
    Dial(Box<Dialling>),
    /// `asks`: the script decides about transfers itself.
    Bridge {
        a: LegNo,
        b: LegNo,
        keys: String,
        asks: bool,
    },
    Sleep {
        until: Instant,
    },
    /// A server outside is asked.
    Fetch {
        until: Instant,
    },
    /// The one who is to take a place in a conversation rings.
    Transfer(Box<Dialling>),
    Park {
        leg: LegNo,
        slot: String,
        until: Instant,
    },
    /// Another call is being asked; it answers within the same step of the shard.
    Elsewhere,
    /// The queue's strategy is asked whether the caller may wait.
    Enter,
    /// It is asked how long.
    Length,
    /// A call back is being kept.
    Promise,
    Wait {
        keys: String,
        hears: Prompt,
    },
}

pub(crate) struct Call {
    pub id: CallId,
    pub tenant: String,
    pub route: Route,
    /// Who took the call before any hand-over.
    first_script: String,
    pub legs: Vec<Leg>,
    driver: Driver,
    pending: Option<Pending>,
    handing_over: Option<(String, String)>,
    /// The caller was transferred to a number with a script of its own, which goes on.
    going_to: Option<Route>,
    /// What a telephone asked for and is not done yet.
    wish: Option<Wish>,
    transferred_by: Option<String>,
    /// Who has the party back if it reaches nobody where it was sent.
    returns_to: Option<String>,
    /// What has to do with another call.
    pub elsewhere: Option<Elsewhere>,
    /// Who called whom, whoever is in the caller's place now.
    from: Party,
    dialled_number: String,
    direction: Direction,
    pub started: f64,
    arrived_at: Instant,
    /// The tenant's longest call ends then.
    end_at: Instant,
    most_legs: usize,
    answered: Option<f64>,
    /// When the first conversation began, and with whom.
    connected: Option<(Instant, Option<String>)>,
    /// When the last conversation ended, or the caller left without one.
    silent_since: Option<Instant>,
    dialled: bool,
    caller_left: bool,
    rejected: bool,
    message_left: bool,
    failure: Option<String>,
    pub version: String,
    tags: Vec<(String, String)>,
    recordings: Vec<String>,
    /// The parties were told that they are recorded.
    announced: bool,
    /// The last keys that someone pressed while talking, and who.
    typed: Option<(LegNo, String)>,
    /// The caller's place in a queue, and the agents who ring for it.
    standing: Option<Standing>,
    /// The caller was promised a call back.
    promised: bool,
    /// It looks for an agent who calls somebody back, or has found one.
    calls_back: bool,
    /// Places that the call has had.
    places: u32,
    /// Legs that were begun for queues: they are counted apart.
    queue_legs: usize,
    supervisors: Vec<Supervisor>,
    /// Until then a conversation is expected to go on.
    supervised_until: Option<Instant>,
    /// Who hears others than their partner, as sound was told last.
    mix: Mix,
}

impl Call {
    /// A call whose caller goes over to another call at once.
    pub fn in_place(id: CallId, key: LegKey, arrival: Arrival, around: &mut Around) -> Self {
        let mut call = Self::with_caller(id, key, arrival, around);
        call.driver = Driver::Nobody;
        let about = format!("{} -> {}", call.caller().info.party.number, call.caller().info.dialled);
        call.note("call.arrived", LegNo::CALLER, about, around);
        call
    }

    pub fn new(id: CallId, key: LegKey, arrival: Arrival, around: &mut Around) -> Self {
        let mut call = Self::with_caller(id, key, arrival, around);
        let about = format!("{} -> {}", call.caller().info.party.number, call.caller().info.dialled);
        call.note("call.arrived", LegNo::CALLER, about, around);
        call.start(around);
        call
    }

    fn with_caller(id: CallId, key: LegKey, arrival: Arrival, around: &mut Around) -> Self {
        let limits = around.directory.limits(&arrival.tenant);
        let info = LegInfo {
            leg: LegNo::CALLER,
            party: arrival.from,
            dialled: arrival.dialled,
            direction: arrival.direction,
            user: arrival.user.clone(),
            headers: arrival.headers,
            language: arrival.language,
        };
        let tenant = &arrival.tenant;
        let seats: Vec<Seat> =
            (arrival.user.map(|user| Seat::User { tenant: tenant.clone(), user }).into_iter())
                .chain(arrival.trunk.clone().map(|trunk| Seat::Trunk { tenant: tenant.clone(), trunk }))
                .collect();
        for seat in &seats {
            around.load.rings(seat);
            around.load.talks(seat); // a caller is busy from the moment it dials
        }
        let record = LegRecord {
            leg: LegNo::CALLER,
            party: info.user.clone().unwrap_or_else(|| info.party.number.clone()),
            trunk: arrival.trunk,
            started: around.wall,
            answered: None,
            ended: None,
            end: String::new(),
            sip_call_id: arrival.sip_call_id,
        };
        let (from, dialled_number) = (info.party.clone(), info.dialled.clone());
        let caller = Leg {
            key,
            info,
            state: State::Arrived { early: false },
            keys: Default::default(),
            playing: None,
            sounding: false,
            relayed: None,
            held: false,
            seats,
            tap: None,
            served: None,
            record,
        };
        Self {
            id,
            tenant: arrival.tenant,
            first_script: arrival.route.script.clone(),
            route: arrival.route,
            legs: vec![caller],
            driver: Driver::Script,
            pending: None,
            handing_over: None,
            going_to: None,
            wish: None,
            transferred_by: None,
            returns_to: None,
            elsewhere: None,
            from,
            dialled_number,
            direction: arrival.direction,
            started: around.wall,
            arrived_at: around.now,
            end_at: around.now + limits.call_length,
            most_legs: limits.legs_per_call as usize,
            answered: None,
            connected: None,
            silent_since: None,
            dialled: false,
            caller_left: false,
            rejected: false,
            message_left: false,
            failure: None,
            version: String::new(),
            tags: Vec::new(),
            recordings: Vec::new(),
            announced: false,
            typed: None,
            standing: None,
            promised: false,
            calls_back: false,
            places: 0,
            queue_legs: 0,
            supervisors: Vec::new(),
            supervised_until: None,
            mix: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, around: &mut Around) {
        around.out.push(Effect::Start {
            call: self.id,
            tenant: self.tenant.clone(),
            script: self.route.script.clone(),
            settings: self.route.settings.clone(),
            caller: Box::new(self.caller().info.clone()),
        });
    }

    pub fn caller(&self) -> &Leg {
        &self.legs[0]
    }

    /// Whether every leg is over and nobody decides any more.
    pub fn is_over(&self) -> bool {
        matches!(self.driver, Driver::Nobody) && self.legs.iter().all(Leg::is_over)
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let waiting = match self.pending.as_ref() {
            Some(Pending::Gather { asking, .. }) => asking.next_timeout(),
            Some(Pending::Dial(dialling) | Pending::Transfer(dialling)) => dialling.next_timeout(),
            Some(Pending::Sleep { until } | Pending::Fetch { until } | Pending::Park { until, .. }) => {
                Some(*until)
            }
            _ => None,
        };
        let end = (!self.caller().is_over()).then_some(self.end_at);
        waiting.into_iter().chain(end).chain(self.supervisors_timeout()).chain(self.standing_timeout()).min()
    }
}
