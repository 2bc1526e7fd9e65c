//! One call: its legs, the one verb that its script waits in, and what is kept for the record. A
//! script has at most one command under way, so a call is a small machine: a command begins, events
//! move it on, an answer ends it. When the script is done or has failed, [`LastResort`] or the end
//! takes its place.

use std::time::{Duration, Instant};

use crate::dial::{Attempt, Dialling, TRUNK_SILENCE, failure_of, is_carriers_fault};
use crate::directory::{Device, Directory};
use crate::effect::{
    Arrival, Cause, Destination, Effect, Event, Invite, LegKey, Note, Route, Signal, Sound, Token,
};
use crate::exchange::{Finish, Keys};
use crate::fallback::LastResort;
use crate::gather::{Asking, Step};
use crate::leg::{Leg, State};
use crate::load::{Load, Seat};
use crate::verb::{
    Answer, BridgeEnd, CallId, CallRecord, Command, Direction, EndOfDigits, Failure, LegInfo, LegNo,
    LegRecord, Outcome, Party, Prompt, Target, UserInfo,
};

/// Legs that one call may ever have; a dial that needs more answers `limit("legs")`.
const MOST_LEGS: usize = 256;
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
    pub keys: &'a mut Keys,
    pub out: &'a mut Vec<Effect>,
}

/// Who says what comes next.
enum Driver {
    Script,
    LastResort(LastResort),
    Nobody,
}

/// The command under way.
enum Pending {
    Play { leg: LegNo, token: Token },
    Gather { leg: LegNo, asking: Asking },
    Message { leg: LegNo, token: Token, name: String },
    SendDigits { leg: LegNo, token: Token },
    Dial(Box<Dialling>),
    Bridge { a: LegNo, b: LegNo, keys: String },
    Sleep { until: Instant },
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
    direction: Direction,
    pub started: f64,
    arrived_at: Instant,
    answered: Option<f64>,
    /// When the first conversation began, and with whom.
    connected: Option<(Instant, Option<String>)>,
    dialled: bool,
    caller_left: bool,
    rejected: bool,
    message_left: bool,
    failure: Option<String>,
    pub version: String,
    tags: Vec<(String, String)>,
    recordings: Vec<String>,
}

impl Call {
    pub fn new(id: CallId, key: LegKey, arrival: Arrival, around: &mut Around) -> Self {
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
        let caller = Leg {
            key,
            info,
            state: State::Arrived { early: false },
            keys: Default::default(),
            playing: None,
            relayed: None,
            held: false,
            seats,
            tap: None,
            record,
        };
        let mut call = Self {
            id,
            tenant: arrival.tenant,
            first_script: arrival.route.script.clone(),
            route: arrival.route,
            legs: vec![caller],
            driver: Driver::Script,
            pending: None,
            handing_over: None,
            direction: arrival.direction,
            started: around.wall,
            arrived_at: around.now,
            answered: None,
            connected: None,
            dialled: false,
            caller_left: false,
            rejected: false,
            message_left: false,
            failure: None,
            version: String::new(),
            tags: Vec::new(),
            recordings: Vec::new(),
        };
        let about = format!("{} -> {}", call.caller().info.party.number, call.caller().info.dialled);
        call.note("call.arrived", LegNo::CALLER, about, around);
        call.start(around);
        call
    }

    fn start(&mut self, around: &mut Around) {
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
        match self.pending.as_ref()? {
            Pending::Gather { asking, .. } => asking.next_timeout(),
            Pending::Dial(dialling) => dialling.next_timeout(),
            Pending::Sleep { until } => Some(*until),
            _ => None,
        }
    }

    // Commands.

    /// A command of the script. Answers by `Effect::Reply`, now or later.
    pub fn handle_command(&mut self, command: Command, around: &mut Around) {
        if !matches!(self.driver, Driver::Script) {
            return; // a script that was given up on; its sandbox is being dropped
        }
        if let Some(answer) = self.begin(command, around) {
            self.settle(answer, around);
        }
    }

    /// Hands an answer to whoever decides, until a command has to wait.
    fn settle(&mut self, answer: Answer, around: &mut Around) {
        match &self.driver {
            Driver::Script => around.out.push(Effect::Reply { call: self.id, answer }),
            Driver::LastResort(_) => self.drive_last_resort(Some(answer), around),
            Driver::Nobody => {}
        }
    }

    fn drive_last_resort(&mut self, mut answer: Option<Answer>, around: &mut Around) {
        while let Driver::LastResort(last_resort) = &mut self.driver {
            let Some(command) = last_resort.next(answer.take()) else {
                return self.close(480, around);
            };
            answer = self.begin(command, around);
            if answer.is_none() {
                return;
            }
        }
    }

    /// Starts a command; answers at once unless it has to wait.
    fn begin(&mut self, command: Command, around: &mut Around) -> Option<Answer> {
        let answer = self.try_begin(command, around);
        answer.unwrap_or_else(|failure| Some(Answer::Failed(failure)))
    }

    fn try_begin(&mut self, command: Command, around: &mut Around) -> Result<Option<Answer>, Failure> {
        let done = Ok(Some(Answer::Done));
        if self.pending.is_some() {
            return Err(Failure::Other("another verb is under way".into()));
        }
        match command {
            Command::Tag { key, value } => {
                self.tag(key, value)?;
                done
            }
            Command::HandOver { script, settings } => {
                self.handing_over = Some((script, settings));
                done
            }
            Command::FindUser { name_or_number } => {
                let user = around.directory.user(&self.tenant, &name_or_number);
                Ok(Some(Answer::Users(user.into_iter().map(|user| self.user_info(user, around)).collect())))
            }
            Command::Group { name } => {
                let users = around.directory.group(&self.tenant, &name);
                Ok(Some(Answer::Users(users.into_iter().map(|user| self.user_info(user, around)).collect())))
            }
            Command::HangUp { leg, cause } => {
                self.live(leg)?;
                self.hang_up(leg, Cause::Q850(cause), "hung up", around);
                done
            }
            // Everything below has to do with the caller; without one it ends as hung up.
            _ if self.caller_left => Err(Failure::HungUp),
            Command::SetLanguage { leg, tag } => {
                let leg = self.live(leg)?;
                leg.info.language = tag;
                done
            }
            Command::Ring { leg, early } => {
                let key = self.live(leg)?.key;
                match (self.leg(leg).state, early) {
                    (State::Arrived { .. }, Some(prompt)) => {
                        self.open_early(leg, around);
                        self.play(leg, vec![prompt], false, true, around);
                    }
                    (State::Arrived { early: false }, None) => {
                        around.out.push(Effect::Signal(key, Signal::Ring));
                    }
                    _ => {}
                }
                done
            }
            Command::Answer { leg } => {
                self.live(leg)?;
                self.answer(leg, around);
                done
            }
            Command::Reject { leg, status, reason } => {
                let State::Arrived { .. } = self.live(leg)?.state else {
                    return Err(Failure::Invalid("leg: it is answered; hang up instead".into()));
                };
                if !(300..=699).contains(&status) {
                    return Err(Failure::Invalid("status: 300 to 699".into()));
                }
                self.rejected = true;
                self.refuse(status, reason, around);
                done
            }
            Command::Play { leg, what, cut_by_key } => {
                self.hearing(leg, around)?;
                if what.is_empty() || cut_by_key && !self.leg(leg).keys.is_empty() {
                    return done;
                }
                let token = self.play(leg, what, cut_by_key, false, around);
                self.pending = Some(Pending::Play { leg, token });
                Ok(None)
            }
            Command::Gather { leg, options } => {
                if !(1..=32).contains(&options.most) {
                    return Err(Failure::Invalid("most: 1 to 32 digits".into()));
                }
                self.hearing(leg, around)?;
                let mut asking = Asking::new(options, around.now);
                let at = leg.0 as usize;
                if let Step::Ended(ended) = asking.take_ahead(&mut self.legs[at].keys, around.now) {
                    return Ok(Some(Answer::Gathered { digits: asking.into_digits(), ended }));
                }
                if asking.is_prompting() {
                    self.play(leg, asking.prompts().to_vec(), true, false, around);
                }
                self.pending = Some(Pending::Gather { leg, asking });
                Ok(None)
            }
            Command::RecordMessage { leg, most, silence } => {
                self.hearing(leg, around)?;
                let token = around.keys.token();
                let name = self.name_recording();
                let key = self.leg(leg).key;
                around
                    .out
                    .push(Effect::Sound(key, Sound::Record { token, name: name.clone(), most, silence }));
                self.pending = Some(Pending::Message { leg, token, name });
                Ok(None)
            }
            Command::StartRecording { leg } => {
                self.live(leg)?;
                if let Some(name) = &self.leg(leg).tap {
                    return Ok(Some(Answer::Text(name.clone())));
                }
                let name = self.name_recording();
                let leg = self.live(leg)?;
                leg.tap = Some(name.clone());
                around.out.push(Effect::Sound(leg.key, Sound::Tap { name: name.clone() }));
                self.recordings.push(name.clone());
                Ok(Some(Answer::Text(name)))
            }
            Command::StopRecording { leg } => {
                let leg = self.live(leg)?;
                if leg.tap.take().is_some() {
                    around.out.push(Effect::Sound(leg.key, Sound::Untap));
                }
                done
            }
            Command::SendDigits { leg, digits } => {
                if digits.is_empty() {
                    return done;
                }
                if digits.len() > 64 || !digits.chars().all(|key| "0123456789*#ABCD,".contains(key)) {
                    return Err(Failure::Invalid("digits: up to 64 of 0-9, *, #, A-D and \",\"".into()));
                }
                let key = self.live(leg)?.key;
                if !self.leg(leg).is_up() {
                    return Err(Failure::Invalid("leg: not answered".into()));
                }
                let token = around.keys.token();
                around.out.push(Effect::Sound(key, Sound::SendDigits { token, digits }));
                self.pending = Some(Pending::SendDigits { leg, token });
                Ok(None)
            }
            Command::Hold { leg, hears } => {
                let key = self.live(leg)?.key;
                if !self.leg(leg).is_up() {
                    return Err(Failure::Invalid("leg: not answered".into()));
                }
                around.out.push(Effect::Signal(key, Signal::Hold));
                self.play(leg, vec![hears], false, true, around);
                done
            }
            Command::Resume { leg } => {
                let key = self.live(leg)?.key;
                self.stop(leg, around);
                around.out.push(Effect::Signal(key, Signal::Resume));
                done
            }
            Command::Dial(options) => {
                self.dialled = true;
                let mut dialling = Dialling::new(options, around.now)?;
                if let Some(prompt) = dialling.options.ringback.clone() {
                    self.open_early(LegNo::CALLER, around);
                    self.play(LegNo::CALLER, vec![prompt], false, true, around);
                    dialling.rings = true;
                }
                self.pending = Some(Pending::Dial(Box::new(dialling)));
                Ok(self.advance_dial(around))
            }
            Command::Bridge { a, b, keys } => self.begin_bridge(a, b, keys, around),
            Command::Sleep { length } => {
                self.pending = Some(Pending::Sleep { until: around.now + length });
                Ok(None)
            }
            // The server answers these itself; one that comes here is its mistake, not the script's.
            Command::Now
            | Command::LocalTime
            | Command::TimeIn { .. }
            | Command::Random { .. }
            | Command::Settings
            | Command::KvGet { .. }
            | Command::KvSet { .. }
            | Command::KvSwap { .. }
            | Command::KvAdd { .. }
            | Command::KvDelete { .. }
            | Command::Log { .. } => Err(Failure::Other("not a verb of calls".into())),
        }
    }

    fn begin_bridge(
        &mut self,
        a: LegNo,
        b: LegNo,
        keys: String,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        self.live(b)?;
        self.live(a)?;
        if !self.leg(b).is_up() && a != b {
            return Err(Failure::Invalid("b: not answered".into()));
        }
        self.stop(a, around);
        self.stop(b, around);
        self.answer(a, around);
        self.relay(a, b, around);
        if self.connected.is_none() {
            let who = (a != b).then(|| self.leg(b).record.party.clone());
            self.connected = Some((around.now, who));
        }
        let about = self.leg(b).record.party.clone();
        self.note("call.bridged", b, about, around);
        let ahead = self.leg(a).keys.iter().position(|key| keys.contains(*key));
        if let Some(key) = ahead.and_then(|at| self.legs[a.0 as usize].keys.remove(at)) {
            self.unrelay(a, around);
            return Ok(Some(Answer::BridgeEnded(BridgeEnd::Digit(key))));
        }
        self.pending = Some(Pending::Bridge { a, b, keys });
        Ok(None)
    }

    // Events.

    /// Something that signalling or sound reports of one of the legs.
    pub fn handle_event(&mut self, no: LegNo, event: Event, around: &mut Around) {
        if self.leg(no).is_over() {
            return;
        }
        let answer = match event {
            Event::Trying => {
                if let Some(Pending::Dial(dialling)) = &mut self.pending
                    && let Some(attempt) = dialling.attempts.iter_mut().find(|attempt| attempt.leg == no)
                {
                    attempt.silent_at = None;
                }
                None
            }
            Event::Ringing { early_media } => {
                self.handle_ringing(no, early_media, around);
                None
            }
            Event::Answered => self.handle_answered(no, around),
            Event::Refused { status, silent } => self.handle_refused(no, status, silent, around),
            Event::Ended => self.handle_ended(no, "hung up", around),
            Event::MediaTimeout => {
                let key = self.leg(no).key;
                around.out.push(Effect::Signal(key, Signal::HangUp(Cause::Q850(41))));
                self.handle_ended(no, "no sound", around)
            }
            Event::Held => {
                self.handle_hold(no, true, around);
                None
            }
            Event::Resumed => {
                self.handle_hold(no, false, around);
                None
            }
            Event::Digit(key) => self.handle_digit(no, key, around),
            Event::PlayEnded(token) => self.handle_play_ended(no, token, around),
            Event::DigitsSent(token) => match self.pending {
                Some(Pending::SendDigits { leg, token: ours }) if leg == no && ours == token => {
                    self.pending = None;
                    Some(Answer::Done)
                }
                _ => None,
            },
            Event::Recorded { token, length } => self.handle_recorded(no, token, length),
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    fn handle_ringing(&mut self, no: LegNo, early_media: bool, around: &mut Around) {
        let Some(Pending::Dial(dialling)) = &mut self.pending else { return };
        let alone = dialling.attempts.len() == 1;
        let own_tone = dialling.options.ringback.is_none();
        let Some(attempt) = dialling.attempts.iter_mut().find(|attempt| attempt.leg == no) else { return };
        attempt.silent_at = None;
        let first = !std::mem::replace(&mut dialling.rings, true);
        // One phone's own announcement is worth hearing; two at once would be noise.
        let pass_on = early_media && alone && own_tone && dialling.early.is_none();
        if pass_on {
            dialling.early = Some(no);
        }
        let party = self.leg(no).record.party.clone();
        self.note("leg.ringing", no, party, around);
        if pass_on {
            self.stop(LegNo::CALLER, around);
            self.open_early(LegNo::CALLER, around);
            self.relay(LegNo::CALLER, no, around);
        } else if first && own_tone {
            let caller = self.caller();
            let effect = match caller.state {
                State::Arrived { early: false } => Effect::Signal(caller.key, Signal::Ring),
                _ => Effect::Sound(caller.key, Sound::Ringback),
            };
            around.out.push(effect);
        }
    }

    fn handle_answered(&mut self, no: LegNo, around: &mut Around) -> Option<Answer> {
        let Some(Pending::Dial(dialling)) = &mut self.pending else { return None };
        dialling.take_attempt(no)?;
        let others: Vec<LegNo> = dialling.attempts.drain(..).map(|attempt| attempt.leg).collect();
        let early = dialling.early;
        self.pending = None;
        for other in others {
            self.hang_up(other, Cause::AnsweredElsewhere, "answered elsewhere", around);
        }
        if early.is_some() {
            self.unrelay(LegNo::CALLER, around);
        }
        self.stop(LegNo::CALLER, around);
        let leg = &mut self.legs[no.0 as usize];
        leg.state = State::Up;
        leg.record.answered = Some(around.wall);
        leg.seats.iter().for_each(|seat| around.load.talks(seat));
        let info = leg.info.clone();
        let party = leg.record.party.clone();
        self.note("leg.answered", no, party, around);
        Some(Answer::Leg(Box::new(info)))
    }

    fn handle_refused(
        &mut self,
        no: LegNo,
        status: u16,
        silent: bool,
        around: &mut Around,
    ) -> Option<Answer> {
        self.end_leg(no, &format!("{status}"), around);
        let Some(Pending::Dial(dialling)) = &mut self.pending else { return None };
        let attempt = dialling.take_attempt(no)?;
        if dialling.early == Some(no) {
            dialling.early = None;
            self.unrelay(LegNo::CALLER, around);
        }
        self.replace_attempt(attempt, status, silent, around);
        self.advance_dial(around)
    }

    fn handle_ended(&mut self, no: LegNo, why: &str, around: &mut Around) -> Option<Answer> {
        if self.leg(no).state == State::Dialling {
            return self.handle_refused(no, 487, false, around);
        }
        let partner = self.leg(no).relayed;
        self.end_leg(no, why, around);
        if let Some(partner) = partner {
            self.legs[partner.0 as usize].relayed = None;
        }
        let by_caller = no == LegNo::CALLER;
        if by_caller {
            self.caller_left = true;
        }
        let concerns = match self.pending.as_ref()? {
            Pending::Play { leg, .. }
            | Pending::Gather { leg, .. }
            | Pending::Message { leg, .. }
            | Pending::SendDigits { leg, .. } => *leg == no || by_caller,
            Pending::Dial(_) | Pending::Sleep { .. } => by_caller,
            Pending::Bridge { a, b, .. } => *a == no || *b == no || by_caller,
        };
        if !concerns {
            return None;
        }
        match self.pending.take()? {
            Pending::Bridge { a, b, .. } if a == no || b == no => {
                let end = if a == no { BridgeEnd::AHungUp } else { BridgeEnd::BHungUp };
                Some(Answer::BridgeEnded(end))
            }
            Pending::Dial(dialling) => {
                for attempt in dialling.attempts {
                    self.hang_up(attempt.leg, Cause::Q850(16), "caller left", around);
                }
                Some(Answer::Failed(Failure::HungUp))
            }
            // A message that was being left is kept; its recording is closed with the leg.
            Pending::Message { name, .. } => {
                self.keep_message(name);
                Some(Answer::Failed(Failure::HungUp))
            }
            _ => Some(Answer::Failed(Failure::HungUp)),
        }
    }

    fn handle_hold(&mut self, no: LegNo, held: bool, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if std::mem::replace(&mut leg.held, held) == held {
            return;
        }
        let Some(Pending::Bridge { a, b, .. }) = self.pending else { return };
        if a == b || (no != a && no != b) {
            return;
        }
        let other = if no == a { b } else { a };
        if held {
            self.unrelay(no, around);
            self.play(other, vec![Prompt::Music(HOLD_MUSIC.into())], false, true, around);
        } else if !self.leg(other).held {
            self.stop(other, around);
            self.relay(a, b, around);
        }
        let kind = if held { "leg.held" } else { "leg.resumed" };
        self.note(kind, no, String::new(), around);
    }

    fn handle_digit(&mut self, no: LegNo, key: char, around: &mut Around) -> Option<Answer> {
        match &mut self.pending {
            Some(Pending::Gather { leg, asking }) if *leg == no => {
                let was_prompting = asking.is_prompting();
                let step = asking.handle_key(key, around.now);
                if was_prompting {
                    self.stop(no, around);
                }
                if let Step::Ended(ended) = step {
                    return self.end_gather(ended);
                }
                None
            }
            Some(Pending::Bridge { a, keys, .. }) if *a == no && keys.contains(key) => {
                self.pending = None;
                self.unrelay(no, around);
                Some(Answer::BridgeEnded(BridgeEnd::Digit(key)))
            }
            Some(Pending::Bridge { a, .. }) if *a == no => None, // part of the conversation
            Some(Pending::Message { leg, .. }) if *leg == no => {
                let key = self.leg(no).key;
                around.out.push(Effect::Sound(key, Sound::EndRecord));
                None
            }
            _ => {
                self.legs[no.0 as usize].push_key(key);
                None
            }
        }
    }

    fn handle_play_ended(&mut self, no: LegNo, token: Token, around: &mut Around) -> Option<Answer> {
        let leg = &mut self.legs[no.0 as usize];
        if leg.playing != Some(token) {
            return None;
        }
        leg.playing = None;
        match &mut self.pending {
            Some(Pending::Play { leg, token: ours }) if *leg == no && *ours == token => {
                self.pending = None;
                Some(Answer::Done)
            }
            Some(Pending::Gather { leg, asking }) if *leg == no => {
                asking.handle_prompts_ended(around.now);
                None
            }
            _ => None,
        }
    }

    fn handle_recorded(&mut self, no: LegNo, token: Token, length: Duration) -> Option<Answer> {
        match self.pending.take() {
            Some(Pending::Message { leg, token: ours, name }) if leg == no && ours == token => {
                self.keep_message(name.clone());
                Some(Answer::Recorded { id: name, length })
            }
            other => {
                self.pending = other;
                None
            }
        }
    }

    pub fn handle_timeout(&mut self, around: &mut Around) {
        let answer = match &mut self.pending {
            Some(Pending::Gather { asking, .. }) => match asking.handle_timeout(around.now) {
                Step::Ended(ended) => self.end_gather(ended),
                Step::More => None,
            },
            Some(Pending::Sleep { until }) if *until <= around.now => {
                self.pending = None;
                Some(Answer::Done)
            }
            Some(Pending::Dial(_)) => self.advance_dial(around),
            _ => None,
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    fn end_gather(&mut self, ended: EndOfDigits) -> Option<Answer> {
        match self.pending.take() {
            Some(Pending::Gather { asking, .. }) => {
                Some(Answer::Gathered { digits: asking.into_digits(), ended })
            }
            _ => None,
        }
    }

    // Dialling.

    /// Starts what is due; answers when nobody is left to ring or the time is up.
    fn advance_dial(&mut self, around: &mut Around) -> Option<Answer> {
        loop {
            let Some(Pending::Dial(dialling)) = &mut self.pending else { return None };
            if dialling.give_up_at <= around.now {
                return self.give_up_dial(around);
            }
            if let Some(no) = dialling.silent_attempt(around.now) {
                let attempt = dialling.take_attempt(no)?;
                self.hang_up(no, Cause::Q850(102), "silent", around);
                self.replace_attempt(attempt, 408, true, around);
                continue;
            }
            match dialling.next_stage(around.now) {
                Some(targets) => targets.into_iter().for_each(|target| self.ring_target(target, around)),
                None if dialling.is_exhausted() => return self.give_up_dial(around),
                None => return None,
            }
        }
    }

    fn give_up_dial(&mut self, around: &mut Around) -> Option<Answer> {
        let Some(Pending::Dial(mut dialling)) = self.pending.take() else { return None };
        for attempt in std::mem::take(&mut dialling.attempts) {
            dialling.note_failure(Failure::NoAnswer);
            self.hang_up(attempt.leg, Cause::Q850(19), "no answer", around);
        }
        if dialling.early.is_some() {
            self.unrelay(LegNo::CALLER, around);
        }
        if dialling.rings && self.caller().state != (State::Arrived { early: false }) {
            self.stop(LegNo::CALLER, around);
        }
        Some(Answer::Failed(dialling.best_failure()))
    }

    fn note_failure(&mut self, failure: Failure) {
        if let Some(Pending::Dial(dialling)) = &mut self.pending {
            dialling.note_failure(failure);
        }
    }

    fn ring_target(&mut self, target: Target, around: &mut Around) {
        match target {
            Target::User(name) => {
                let Some(user) = around.directory.user(&self.tenant, &name) else {
                    return self.note_failure(Failure::NotFound(name));
                };
                if self.caller().info.user.as_deref() == Some(&user.name) {
                    return self.note_failure(Failure::Busy); // one does not ring oneself
                }
                let seat = Seat::User { tenant: self.tenant.clone(), user: user.name.clone() };
                let skip =
                    matches!(&self.pending, Some(Pending::Dial(dialling)) if dialling.options.skip_busy);
                if skip && around.load.taken(&seat) > 0 {
                    return self.note_failure(Failure::Busy);
                }
                let devices = around.directory.devices(&self.tenant, &user.name);
                if devices.is_empty() {
                    return self.note_failure(Failure::Unreachable);
                }
                for Device(device) in devices {
                    let to = Destination::Device { user: user.name.clone(), device: Device(device) };
                    let party = Party {
                        number: user.number.clone(),
                        name: Some(user.name.clone()),
                        uri: format!("sip:{}", user.name),
                    };
                    self.begin_leg(to, party, Some(user.name.clone()), vec![seat.clone()], None, around);
                }
            }
            Target::Number(number) => {
                let trunks = around.directory.trunks(&self.tenant).into_iter().filter(|t| t.in_service);
                let spare = trunks.map(|trunk| trunk.name).collect();
                self.ring_number(number, spare, around);
            }
            Target::Uri(uri) => {
                let party = Party { number: String::new(), name: None, uri: uri.clone() };
                self.begin_leg(Destination::Uri(uri), party, None, Vec::new(), None, around);
            }
        }
    }

    /// Rings a number at the first carrier of these that has a channel free.
    fn ring_number(
        &mut self,
        number: String,
        mut spare: std::collections::VecDeque<String>,
        around: &mut Around,
    ) {
        let channels = |name: &str| {
            let trunks = around.directory.trunks(&self.tenant);
            trunks.into_iter().find(|trunk| trunk.name == name).map_or(0, |trunk| trunk.channels)
        };
        while let Some(trunk) = spare.pop_front() {
            let seat = Seat::Trunk { tenant: self.tenant.clone(), trunk: trunk.clone() };
            let most = channels(&trunk);
            if most > 0 && around.load.taken(&seat) >= most {
                continue;
            }
            let party = Party { number: number.clone(), name: None, uri: format!("tel:{number}") };
            let to = Destination::Trunk { trunk, number: number.clone() };
            return self.begin_leg(to, party, None, vec![seat], Some((number, spare)), around);
        }
        self.note_failure(Failure::Unreachable);
    }

    /// After a failed attempt: the next carrier, or a failure noted.
    fn replace_attempt(&mut self, attempt: Attempt, status: u16, silent: bool, around: &mut Around) {
        match attempt.spare {
            Some((number, spare)) if is_carriers_fault(status, silent) && !spare.is_empty() => {
                self.note_failure(failure_of(status, silent));
                self.ring_number(number, spare, around);
            }
            _ => self.note_failure(failure_of(status, silent)),
        }
    }

    fn begin_leg(
        &mut self,
        to: Destination,
        party: Party,
        user: Option<String>,
        seats: Vec<Seat>,
        spare: Option<(String, std::collections::VecDeque<String>)>,
        around: &mut Around,
    ) {
        if self.legs.len() >= MOST_LEGS {
            return self.note_failure(Failure::Limit("legs".into()));
        }
        let Some(Pending::Dial(dialling)) = &mut self.pending else { return };
        let no = LegNo(self.legs.len() as u32);
        let key = around.keys.leg(self.id, no);
        let present = dialling.options.present.clone().unwrap_or_else(|| self.legs[0].info.party.clone());
        let silent_at = spare.as_ref().map(|_| around.now + TRUNK_SILENCE);
        dialling.attempts.push(Attempt { leg: no, spare, silent_at });
        seats.iter().for_each(|seat| around.load.rings(seat));
        let trunk = match &to {
            Destination::Trunk { trunk, .. } => Some(trunk.clone()),
            _ => None,
        };
        let shown = [user.as_deref(), Some(&party.number), Some(&party.uri)];
        let shown = shown.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default().to_string();
        self.legs.push(Leg {
            key,
            info: LegInfo {
                leg: no,
                dialled: party.number.clone(),
                party,
                direction: Direction::Outbound,
                user,
                headers: Vec::new(),
                language: self.legs[0].info.language.clone(),
            },
            state: State::Dialling,
            keys: Default::default(),
            playing: None,
            relayed: None,
            held: false,
            seats,
            tap: None,
            record: LegRecord {
                leg: no,
                party: shown,
                trunk,
                started: around.wall,
                answered: None,
                ended: None,
                end: String::new(),
                sip_call_id: String::new(),
            },
        });
        let invite = Invite { tenant: self.tenant.clone(), call: self.id, to, present };
        around.out.push(Effect::Signal(key, Signal::Invite(Box::new(invite))));
    }

    // The end of the script, and of the call.

    /// The script returned, failed, or could not be run.
    pub fn handle_finish(&mut self, finish: Finish, around: &mut Around) {
        if !matches!(self.driver, Driver::Script) {
            return;
        }
        if let Some(Pending::Dial(dialling)) = self.pending.take() {
            for attempt in dialling.attempts {
                self.hang_up(attempt.leg, Cause::Q850(16), "hung up", around);
            }
        }
        self.end_dialled_legs(around);
        match finish {
            Finish::Returned => match self.handing_over.take() {
                Some((script, settings)) if !self.caller_left => {
                    self.route.script = script;
                    self.route.settings = settings;
                    self.stop(LegNo::CALLER, around);
                    self.start(around);
                }
                _ => self.close(480, around),
            },
            Finish::HungUp => self.close(480, around),
            Finish::Failed { why } => {
                self.note("script.failed", LegNo::CALLER, why.clone(), around);
                self.failure = Some(why);
                if self.caller().is_over() {
                    return self.close(480, around);
                }
                self.stop(LegNo::CALLER, around);
                self.driver = Driver::LastResort(LastResort::new(self.route.fallback.clone()));
                self.drive_last_resort(None, around);
            }
        }
    }

    /// Ends the call from outside: a manager's wish or the exchange's own end.
    pub fn handle_hang_up(&mut self, around: &mut Around) {
        let caller = self.caller();
        if caller.is_over() {
            return;
        }
        if let State::Arrived { .. } = caller.state {
            self.refuse(480, "Temporarily Unavailable".into(), around);
        } else {
            around.out.push(Effect::Signal(caller.key, Signal::HangUp(Cause::Q850(16))));
        }
        if let Some(answer) = self.handle_ended(LegNo::CALLER, "ended by the exchange", around) {
            self.settle(answer, around);
        }
    }

    /// Nobody decides any more: every leg ends.
    fn close(&mut self, status: u16, around: &mut Around) {
        if let Driver::LastResort(last) = &self.driver
            && let Some(name) = last.message_box().filter(|_| self.message_left)
        {
            self.tags.push(("voicemail".into(), name.into()));
        }
        self.driver = Driver::Nobody;
        self.pending = None;
        self.end_dialled_legs(around);
        if !self.caller().is_over() {
            match self.caller().state {
                State::Arrived { .. } => self.refuse(status, "Temporarily Unavailable".into(), around),
                _ => self.hang_up(LegNo::CALLER, Cause::Q850(16), "hung up", around),
            }
        }
    }

    fn end_dialled_legs(&mut self, around: &mut Around) {
        for at in 1..self.legs.len() {
            if !self.legs[at].is_over() {
                self.hang_up(LegNo(at as u32), Cause::Q850(16), "hung up", around);
            }
        }
    }

    /// What is kept of the call, once it is over.
    pub fn record(&self, around: &Around) -> CallRecord {
        let first_voice = match &self.connected {
            Some((at, _)) => Some(*at),
            None => self
                .answered
                .map(|wall| self.arrived_at + Duration::from_secs_f64((wall - self.started).max(0.0))),
        };
        let outcome = if self.message_left && self.connected.is_none() {
            Outcome::Voicemail
        } else if self.connected.is_some() {
            Outcome::Answered
        } else if self.rejected {
            Outcome::Rejected
        } else if self.failure.is_some() {
            Outcome::Failed
        } else if self.caller_left {
            Outcome::Abandoned
        } else if self.dialled || self.answered.is_none() {
            Outcome::Missed
        } else {
            Outcome::Answered
        };
        let end = first_voice.unwrap_or(around.now);
        CallRecord {
            id: self.id,
            tenant: self.tenant.clone(),
            direction: self.direction,
            from: self.caller().info.party.clone(),
            dialled: self.caller().info.dialled.clone(),
            source: self.route.source.clone(),
            script: self.first_script.clone(),
            version: self.version.clone(),
            started: self.started,
            answered: self.answered,
            ended: around.wall,
            wait: end.saturating_duration_since(self.arrived_at),
            talk: around.now.saturating_duration_since(end),
            outcome,
            answered_by: self.connected.as_ref().and_then(|(_, who)| who.clone()),
            legs: self.legs.iter().map(|leg| leg.record.clone()).collect(),
            tags: self.tags.clone(),
            recordings: self.recordings.clone(),
            failure: self.failure.clone(),
        }
    }

    // Small steps that several verbs take.

    fn leg(&self, no: LegNo) -> &Leg {
        &self.legs[no.0 as usize]
    }

    /// The leg, if it exists and is not over.
    fn live(&mut self, no: LegNo) -> Result<&mut Leg, Failure> {
        let leg = self.legs.get_mut(no.0 as usize);
        let leg = leg.ok_or_else(|| Failure::Invalid(format!("leg: there is no leg {}", no.0)))?;
        if leg.is_over() { Err(Failure::HungUp) } else { Ok(leg) }
    }

    /// Makes sure that the leg can hear, with early media if it is not answered.
    fn hearing(&mut self, no: LegNo, around: &mut Around) -> Result<(), Failure> {
        match self.live(no)?.state {
            State::Arrived { .. } => self.open_early(no, around),
            State::Dialling => return Err(Failure::Invalid("leg: not answered".into())),
            State::Up | State::Ended => {}
        }
        self.stop(no, around);
        Ok(())
    }

    fn open_early(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if leg.state == (State::Arrived { early: false }) {
            leg.state = State::Arrived { early: true };
            around.out.push(Effect::Signal(leg.key, Signal::EarlyMedia));
        }
    }

    fn answer(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        if let State::Arrived { .. } = leg.state {
            leg.state = State::Up;
            leg.record.answered = Some(around.wall);
            around.out.push(Effect::Signal(leg.key, Signal::Answer));
            self.answered = Some(around.wall);
            self.note("call.answered", no, String::new(), around);
        }
    }

    fn refuse(&mut self, status: u16, reason: String, around: &mut Around) {
        let key = self.caller().key;
        around.out.push(Effect::Signal(key, Signal::Refuse { status, reason }));
        self.end_leg(LegNo::CALLER, &status.to_string(), around);
    }

    fn hang_up(&mut self, no: LegNo, cause: Cause, why: &str, around: &mut Around) {
        let partner = self.leg(no).relayed;
        let key = self.leg(no).key;
        around.out.push(Effect::Signal(key, Signal::HangUp(cause)));
        self.end_leg(no, why, around);
        if let Some(partner) = partner {
            self.legs[partner.0 as usize].relayed = None;
        }
    }

    fn end_leg(&mut self, no: LegNo, why: &str, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        let talked = no == LegNo::CALLER || leg.is_up();
        leg.state = State::Ended;
        leg.relayed = None;
        leg.record.ended = Some(around.wall);
        leg.record.end = why.into();
        for seat in std::mem::take(&mut leg.seats) {
            around.load.leaves(&seat, talked);
        }
        self.note("leg.ended", no, why.into(), around);
    }

    fn play(
        &mut self,
        no: LegNo,
        what: Vec<Prompt>,
        cut_by_key: bool,
        looped: bool,
        around: &mut Around,
    ) -> Token {
        let token = around.keys.token();
        let leg = &mut self.legs[no.0 as usize];
        leg.playing = Some(token);
        let language = leg.info.language.clone();
        around.out.push(Effect::Sound(leg.key, Sound::Play { token, what, language, cut_by_key, looped }));
        token
    }

    /// Stops whatever the leg hears, the ringing tone included.
    fn stop(&mut self, no: LegNo, around: &mut Around) {
        let leg = &mut self.legs[no.0 as usize];
        leg.playing = None;
        if !matches!(leg.state, State::Arrived { early: false } | State::Ended) {
            around.out.push(Effect::Sound(leg.key, Sound::Stop));
        }
    }

    fn relay(&mut self, a: LegNo, b: LegNo, around: &mut Around) {
        self.legs[a.0 as usize].relayed = Some(b);
        self.legs[b.0 as usize].relayed = Some(a);
        around.out.push(Effect::Sound(self.leg(a).key, Sound::Relay(self.leg(b).key)));
    }

    fn unrelay(&mut self, no: LegNo, around: &mut Around) {
        if let Some(partner) = self.legs[no.0 as usize].relayed.take() {
            self.legs[partner.0 as usize].relayed = None;
            around.out.push(Effect::Sound(self.leg(no).key, Sound::Unrelay));
        }
    }

    fn tag(&mut self, key: String, value: String) -> Result<(), Failure> {
        if key.is_empty() || key.len() > TAG_KEY || value.len() > TAG_VALUE {
            return Err(Failure::Invalid("tag: 1 to 64 bytes the key, at most 256 the value".into()));
        }
        if let Some((_, old)) = self.tags.iter_mut().find(|(k, _)| *k == key) {
            *old = value;
        } else if self.tags.len() < MOST_TAGS {
            self.tags.push((key, value));
        } else {
            return Err(Failure::Limit("tags".into()));
        }
        Ok(())
    }

    fn user_info(&self, user: crate::directory::User, around: &Around) -> UserInfo {
        let registered = !around.directory.devices(&self.tenant, &user.name).is_empty();
        let presence = around.load.presence(&self.tenant, &user.name, registered);
        UserInfo { name: user.name, number: user.number, mobile: user.mobile, presence, skills: user.skills }
    }

    /// Recordings are named by their call, so nobody can guess or overwrite another's.
    fn name_recording(&self) -> String {
        format!("{}-{}", self.id, self.recordings.len() + 1)
    }

    fn keep_message(&mut self, name: String) {
        self.message_left = true;
        self.recordings.push(name);
    }

    fn note(&self, kind: &'static str, leg: LegNo, about: String, around: &mut Around) {
        around.out.push(Effect::Note(Note { tenant: self.tenant.clone(), call: self.id, kind, leg, about }));
    }
}
