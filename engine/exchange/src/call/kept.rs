//! A call that outlives the process: what must be known of it beside its tape, and the way back. Its script
//! is rebuilt from the tape and asks once more what it had no answer to; so nothing is kept here of verbs
//! under way, of telephones that rang, or of keys that were pressed. Kept is who is there, where they
//! stand, and what the record would miss.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::supervisor::Mix;
use super::{Around, Call, Driver, Pending};
use crate::call::waiting::MOST_QUEUE_LEGS;
use crate::effect::{Cause, Fallback, LegKey, Route};
use crate::fallback::LastResort;
use crate::leg::{Leg, Served, State};
use crate::load::Seat;
use crate::queue::{CALL_BACK, Floor, KeptPlace};
use crate::verb::{
    Answer, CallId, CallRecord, Command, Direction, LegInfo, LegNo, LegRecord, Outcome, Party, Prompt, Waited,
};

/// Legs of a call that is taken up; one that says it has more is damaged.
const MOST_LEGS: usize = MOST_QUEUE_LEGS + 1_000;
/// A call cannot have begun so long ago, nor be from so far ahead: what says so is damaged.
const LONGEST: f64 = 366.0 * 24.0 * 3600.0;
/// How the record says that a telephone's leg was not known to the script when the exchange stopped.
const NOT_KNOWN: &str = "the exchange stopped";

/// What is known of a call besides its tape. Times are seconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptCall {
    /// The call.
    pub id: CallId,
    /// The tenant's name.
    pub tenant: String,
    /// When it arrived.
    pub started: f64,
    script: String,
    first_script: String,
    fallback: Vec<Fallback>,
    source: Option<String>,
    from: Party,
    dialled_number: String,
    direction: Direction,
    answered: Option<f64>,
    connected: Option<(f64, Option<String>)>,
    dialled: bool,
    message_left: bool,
    failure: Option<String>,
    version: String,
    tags: Vec<(String, String)>,
    recordings: Vec<String>,
    transferred_by: Option<String>,
    returns_to: Option<String>,
    promised: bool,
    calls_back: bool,
    places: u32,
    queue_legs: u32,
    last_resort: Option<InLastResort>,
    /// How many it has had.
    leg_count: u32,
    legs: Vec<KeptLeg>,
    place: Option<KeptPlace>,
}

/// A leg that was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KeptLeg {
    no: LegNo,
    up: bool,
    held: bool,
    info: LegInfo,
    record: LegRecord,
    recorded: Recorded,
    /// Queue, agent, and since when.
    served: Option<(String, String, f64)>,
}

/// Whether a leg is recorded; written as the flag that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Recorded {
    No,
    Yes,
    /// What is said now is left out.
    Paused,
}

/// How far the number's last resort had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum InLastResort {
    /// Somebody was rung, or a message was to be left: that begins anew.
    Trying,
    /// These two talk.
    Talking(LegNo, LegNo),
}

/// What a script asked and was answered, for each of a call's runs; the last one goes on.
pub type Past<'a> = [Vec<(&'a Command, &'a Answer)>];

impl KeptCall {
    /// The legs that are up.
    pub fn legs(&self) -> impl Iterator<Item = LegNo> {
        self.legs.iter().filter(|leg| leg.up).map(|leg| leg.no)
    }

    /// The tenant's user at the far end of a leg.
    pub fn user(&self, no: LegNo) -> Option<&str> {
        self.legs.iter().find(|leg| leg.no == no)?.info.user.as_deref()
    }

    /// Whether the last resort had taken over from the script.
    pub fn is_in_last_resort(&self) -> bool {
        self.last_resort.is_some()
    }

    /// The record of a call that nobody takes up: `ended` is when the exchange stopped, or the last that is
    /// known of it, and `why` what is said of its end.
    pub fn into_record(self, ended: f64, why: &str) -> CallRecord {
        let legs = self.legs.into_iter().map(|leg| LegRecord {
            ended: leg.record.ended.or(Some(ended)),
            end: if leg.up { why.into() } else { leg.record.end },
            ..leg.record
        });
        let mut legs: Vec<LegRecord> = legs.collect();
        legs.sort_by_key(|leg| leg.leg);
        let (voice, answered_by) = match self.connected {
            Some((at, who)) => (Some(at), who),
            None => (self.answered, None),
        };
        let length = |from: f64, to: f64| Duration::try_from_secs_f64(to - from).unwrap_or_default();
        let outcome = match voice {
            Some(_) if answered_by.is_some() => Outcome::Answered,
            _ if self.message_left => Outcome::Voicemail,
            _ if self.promised => Outcome::Missed,
            _ => Outcome::Failed,
        };
        CallRecord {
            id: self.id,
            tenant: self.tenant,
            direction: self.direction,
            from: self.from,
            dialled: self.dialled_number,
            source: self.source,
            script: self.first_script,
            version: self.version,
            started: self.started,
            answered: self.answered,
            ended,
            wait: length(self.started, voice.unwrap_or(ended)),
            talk: voice.map_or(Duration::ZERO, |voice| length(voice, ended)),
            outcome,
            answered_by,
            legs,
            tags: self.tags,
            recordings: self.recordings,
            failure: Some(self.failure.map_or_else(|| why.into(), |before| format!("{before}\n{why}"))),
        }
    }

    /// Marks that its scripts made since it was kept.
    pub fn tag_from(&mut self, past: &Past) {
        for (command, answer) in past.iter().flatten() {
            let (key, value) = match (command, answer) {
                (Command::Tag { key, value }, Answer::Done) => (key.as_str(), value),
                (Command::CallBack { number, .. }, Answer::Done) => {
                    self.promised = true;
                    (CALL_BACK, number)
                }
                _ => continue,
            };
            self.tags.retain(|(known, _)| known != key);
            self.tags.push((key.to_owned(), value.clone()));
        }
    }

    /// The caller's headers, which are on the tape and not kept twice.
    pub fn set_headers(&mut self, headers: Arc<[(String, String)]>) {
        let caller = |leg: &&mut KeptLeg| leg.no == LegNo::CALLER && leg.record.leg == LegNo::CALLER;
        if let Some(caller) = self.legs.iter_mut().find(caller) {
            caller.info.headers = headers;
        }
    }
}

impl Call {
    /// Another number whenever something has changed that is worth being kept; 0 while nothing is.
    pub fn mark(&self) -> u64 {
        if !self.caller().is_up() || matches!(self.driver, Driver::Origin { .. } | Driver::Nobody) {
            return 0;
        }
        let mut mark = 0xcbf2_9ce4_8422_2325_u64;
        let mut add =
            |number: u64| mark = (mark ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        for (no, leg) in self.legs.iter().enumerate().filter(|(_, leg)| leg.is_up()) {
            add(leg.key.0);
            let paused = leg.tap.as_ref().is_some_and(|tap| tap.paused);
            let served = u64::from(leg.served.is_some());
            add((no as u64) << 3 | u64::from(paused) << 2 | served << 1 | u64::from(leg.tap.is_some()));
        }
        add(self.standing_mark());
        let talking = self.last_resort_talks().map_or(0, |(_, b)| u64::from(b.0) + 1);
        add(talking << 32 | self.recordings.len() as u64);
        let flags = [
            self.connected.is_some(),
            self.dialled,
            self.message_left,
            self.promised,
            self.transferred_by.is_some(),
            self.returns_to.is_some(),
            matches!(self.driver, Driver::LastResort(_)),
        ];
        add(flags.iter().fold(0, |all, flag| all << 1 | u64::from(*flag)));
        mark.max(1)
    }

    fn last_resort_talks(&self) -> Option<(LegNo, LegNo)> {
        match (&self.driver, &self.pending) {
            (Driver::LastResort(_), Some(Pending::Bridge { a, b, .. })) => Some((*a, *b)),
            _ => None,
        }
    }

    /// What a restart must know of it; none while nobody is there, or nobody decides any more.
    pub fn keep(&self, now: Instant, wall: f64, floor: &Floor) -> Option<KeptCall> {
        if self.mark() == 0 {
            return None;
        }
        let wall_at = |at: Instant| wall - now.saturating_duration_since(at).as_secs_f64();
        let keep_leg = |(no, leg): (usize, &Leg)| KeptLeg {
            no: LegNo(no as u32),
            up: leg.is_up(),
            held: leg.held,
            info: LegInfo { headers: Default::default(), ..leg.info.clone() },
            record: leg.record.clone(),
            recorded: match &leg.tap {
                None => Recorded::No,
                Some(tap) if tap.paused => Recorded::Paused,
                Some(_) => Recorded::Yes,
            },
            served: leg
                .served
                .as_ref()
                .map(|served| (served.queue.clone(), served.agent.clone(), wall_at(served.since))),
        };
        let last_resort = matches!(self.driver, Driver::LastResort(_)).then(|| {
            self.last_resort_talks().map_or(InLastResort::Trying, |(a, b)| InLastResort::Talking(a, b))
        });
        let legs = self.legs.iter().enumerate().filter(|(_, leg)| leg.record.answered.is_some());
        Some(KeptCall {
            id: self.id,
            tenant: self.tenant.clone(),
            started: self.started,
            script: self.route.script.clone(),
            first_script: self.first_script.clone(),
            fallback: self.route.fallback.clone(),
            source: self.route.source.clone(),
            from: self.from.clone(),
            dialled_number: self.dialled_number.clone(),
            direction: self.direction,
            answered: self.answered,
            connected: self.connected.as_ref().map(|(at, who)| (wall_at(*at), who.clone())),
            dialled: self.dialled,
            message_left: self.message_left,
            failure: self.failure.clone(),
            version: self.version.clone(),
            tags: self.tags.clone(),
            recordings: self.recordings.clone(),
            transferred_by: self.transferred_by.clone(),
            returns_to: self.returns_to.clone(),
            promised: self.promised,
            calls_back: self.calls_back,
            places: self.places,
            queue_legs: self.queue_legs as u32,
            last_resort,
            leg_count: self.legs.len() as u32,
            legs: legs.map(keep_leg).collect(),
            place: self.keep_standing(now, wall, floor),
        })
    }

    /// The call as it was; none when what was kept contradicts itself. Its caller is up, its script or last
    /// resort is still to go on.
    pub fn restore(kept: KeptCall, around: &mut Around) -> Option<Self> {
        let count = kept.leg_count as usize;
        let caller_is_up = kept.legs().any(|no| no == LegNo::CALLER);
        if !caller_is_up || count > MOST_LEGS || kept.legs.iter().any(|leg| leg.no.0 as usize >= count) {
            return None;
        }
        let (now, today) = (around.now, around.wall);
        let times = [Some(kept.started), kept.answered, kept.connected.as_ref().map(|(at, _)| *at)];
        if times.into_iter().flatten().any(|at| !(-LONGEST..=LONGEST).contains(&(today - at))) {
            return None;
        }
        let at = |wall: f64| {
            let ago = Duration::try_from_secs_f64(today - wall).unwrap_or_default();
            now.checked_sub(ago).unwrap_or(now)
        };
        let limits = around.directory.limits(&kept.tenant);
        let arrived_at = at(kept.started);
        let mut known: HashMap<u32, KeptLeg> = kept.legs.into_iter().map(|leg| (leg.no.0, leg)).collect();
        let mut restore_leg = |no: u32| {
            let key = around.keys.leg(kept.id, LegNo(no));
            match known.remove(&no) {
                Some(leg) => answered(leg, key, &kept.tenant, &at),
                None => nobody(LegNo(no), key),
            }
        };
        let legs: Vec<Leg> = (0..count as u32).map(&mut restore_leg).collect();
        for seat in legs.iter().flat_map(|leg| &leg.seats) {
            around.load.rings(seat);
            around.load.talks(seat);
        }
        let route = Route {
            script: kept.script,
            settings: String::new(), // of a run that has them already
            fallback: kept.fallback,
            source: kept.source,
        };
        Some(Self {
            id: kept.id,
            tenant: kept.tenant,
            first_script: kept.first_script,
            route,
            legs,
            driver: Driver::Script,
            pending: None,
            handing_over: None,
            going_to: None,
            wish: None,
            transferred_by: kept.transferred_by,
            returns_to: kept.returns_to,
            elsewhere: None,
            from: kept.from,
            dialled_number: kept.dialled_number,
            direction: kept.direction,
            started: kept.started,
            arrived_at,
            end_at: (arrived_at + limits.call_length).max(around.now),
            most_legs: limits.legs_per_call as usize,
            answered: kept.answered,
            connected: kept.connected.map(|(wall, who)| (at(wall), who)),
            silent_since: None,
            dialled: kept.dialled,
            caller_left: false,
            rejected: false,
            message_left: kept.message_left,
            failure: kept.failure,
            version: kept.version,
            tags: kept.tags,
            announced: !kept.recordings.is_empty(),
            recordings: kept.recordings,
            typed: None,
            standing: None,
            promised: kept.promised,
            calls_back: kept.calls_back,
            places: kept.places,
            queue_legs: (kept.queue_legs as usize).min(count),
            supervisors: Vec::new(),
            supervised_until: None,
            mix: Mix::default(),
        })
    }

    /// Goes by the tape, which may have come further than what was kept, or not so far; then the last
    /// resort goes on, if it was that.
    pub fn catch_up(&mut self, past: &Past, kept: Resumed, around: &mut Around) {
        let Resumed { place, last_resort, recorded } = kept;
        let mut named = HashSet::from([LegNo::CALLER]);
        let mut hears: HashMap<LegNo, Prompt> = HashMap::new();
        let mut places = 0;
        for run in past {
            self.handing_over = None;
            named = HashSet::from([LegNo::CALLER]); // a new script knows nobody else
            hears.clear();
            for (command, answer) in run {
                self.remember(command, answer, &mut hears);
                match answer {
                    Answer::Leg(leg) => drop(named.insert(leg.leg)),
                    Answer::Waited(Waited::Connected(leg)) => drop(named.insert(leg.leg)),
                    Answer::Place { place, .. } => places = place.0,
                    _ => {}
                }
            }
        }
        let talking = match last_resort {
            Some(InLastResort::Talking(a, b)) => Some((a, b)),
            _ => None,
        };
        named.extend(talking.into_iter().flat_map(|(a, b)| [a, b]));
        for no in (0..self.legs.len() as u32).map(LegNo) {
            if self.leg(no).is_up() && !named.contains(&no) {
                self.hang_up(no, Cause::Q850(41), NOT_KNOWN, around);
            }
        }
        self.places = self.places.max(places);
        if let Some(place) = place.filter(|place| self.calls_back || place.no <= places) {
            self.stand_again(place, around);
        }
        for (no, paused) in recorded {
            if self.leg(no).is_up() {
                self.start_tap(no, paused, around);
            }
        }
        for (no, prompt) in hears {
            if self.legs.get(no.0 as usize).is_some_and(Leg::is_up) {
                self.play(no, vec![prompt], false, true, around);
            }
        }
        self.note("call.resumed", LegNo::CALLER, "the exchange was started again".into(), around);
        match last_resort {
            None => {}
            Some(InLastResort::Trying) => {
                self.driver = Driver::LastResort(LastResort::new(self.route.fallback.clone()));
                self.drive_last_resort(None, around);
            }
            Some(InLastResort::Talking(a, b)) => {
                self.driver = Driver::LastResort(LastResort::talking());
                let bridge = Command::Bridge { a, b, keys: String::new() };
                if let Some(answer) = self.begin(bridge, around) {
                    self.settle(answer, around);
                }
            }
        }
    }

    /// What a script did to its call that no leg shows.
    fn remember(&mut self, command: &Command, answer: &Answer, hears: &mut HashMap<LegNo, Prompt>) {
        match (command, answer) {
            (_, Answer::Failed(_)) => {}
            (Command::Tag { key, value }, _) => {
                let _ = self.tag(key.clone(), value.clone()); // it was taken before
            }
            (Command::CallBack { number, .. }, _) => {
                self.promised = true;
                let _ = self.tag(CALL_BACK.into(), number.clone());
            }
            (Command::HandOver { script, settings }, _) => {
                self.handing_over = Some((script.clone(), settings.clone()));
            }
            (Command::SetLanguage { leg, tag }, _) => {
                if let Some(leg) = self.legs.get_mut(leg.0 as usize) {
                    leg.info.language = tag.clone();
                }
            }
            (Command::Hold { leg, hears: what }, _) => drop(hears.insert(*leg, what.clone())),
            (Command::Resume { leg } | Command::Play { leg, .. } | Command::Gather { leg, .. }, _) => {
                hears.remove(leg);
            }
            (Command::Bridge { a, b, .. } | Command::Talk { a, b, .. }, _) => {
                hears.remove(a);
                hears.remove(b);
            }
            _ => {}
        }
    }
}

/// The part of what was kept that needs the whole call to be there.
pub struct Resumed {
    place: Option<KeptPlace>,
    last_resort: Option<InLastResort>,
    /// Which legs, and whether that is paused.
    recorded: Vec<(LegNo, bool)>,
}

impl Resumed {
    /// Takes it out of what was kept.
    pub fn of(kept: &mut KeptCall) -> Self {
        Self {
            place: kept.place.take(),
            last_resort: kept.last_resort,
            recorded: kept
                .legs
                .iter()
                .filter(|leg| leg.up && leg.recorded != Recorded::No)
                .map(|leg| (leg.no, leg.recorded == Recorded::Paused))
                .collect(),
        }
    }
}

/// A leg that somebody has answered, and may have left since.
fn answered(kept: KeptLeg, key: LegKey, tenant: &str, at: &impl Fn(f64) -> Instant) -> Leg {
    let user = kept.info.user.clone().map(|user| Seat::User { tenant: tenant.into(), user });
    let trunk = kept.record.trunk.clone().map(|trunk| Seat::Trunk { tenant: tenant.into(), trunk });
    let out = kept.record.trunk.clone().filter(|_| kept.info.direction == Direction::Outbound);
    let out = out.map(|trunk| Seat::TrunkOut { tenant: tenant.into(), trunk });
    Leg {
        key,
        state: if kept.up { State::Up } else { State::Ended },
        keys: Default::default(),
        playing: None,
        sounding: false,
        relayed: None,
        held: kept.held,
        seats: if kept.up { user.into_iter().chain(trunk).chain(out).collect() } else { Vec::new() },
        tap: None,
        served: kept.served.filter(|_| kept.up).map(|(queue, agent, since)| Served {
            queue,
            agent,
            since: at(since),
            until: None,
        }),
        info: LegInfo { leg: kept.no, ..kept.info },
        record: kept.record,
    }
}

/// Takes the number of a leg that nobody answered.
fn nobody(no: LegNo, key: LegKey) -> Leg {
    Leg {
        key,
        info: LegInfo {
            leg: no,
            party: Party::default(),
            dialled: String::new(),
            direction: Direction::Outbound,
            user: None,
            headers: Default::default(),
            language: String::new(),
        },
        state: State::Absent,
        keys: Default::default(),
        playing: None,
        sounding: false,
        relayed: None,
        held: false,
        seats: Vec::new(),
        tap: None,
        served: None,
        record: LegRecord {
            leg: no,
            party: String::new(),
            trunk: None,
            started: 0.0,
            answered: None,
            ended: None,
            end: String::new(),
            sip_call_id: String::new(),
        },
    }
}
