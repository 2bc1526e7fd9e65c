//! A caller in a queue: music and announcements, keys, and the agents' telephones that ring for the
//! place. They ring beside whatever the script does with the caller; the one who answers first ends its
//! `play` or `gather` early and is what its next `wait` returns. Who is offered what is the queue's to
//! say (`queue/floor.rs`).

use std::time::{Duration, Instant};

use super::{Around, Call, Driver, HOLD_MUSIC, Pending};
use crate::dial::{DIAL_TIME, Dialling};
use crate::effect::{Cause, Event};
use crate::leg::{Leg, Served};
use crate::queue::{AgentWish, Entry, Floor, KeptPlace, Leaving, Miss, Order, PlaceId, Ringing};
use crate::queue::{CALL_BACK, PROMISED_IN};
use crate::verb::{
    Answer, CallId, Command, Dial, EndOfDigits, Failure, LegInfo, LegNo, Party, PlaceNo, Prompt, Stage,
    Target, Waited,
};

/// Legs that queues may ever begin for one call; then its place is over.
pub(super) const MOST_QUEUE_LEGS: usize = 4_000;
/// An agent who answered hears music for so long at most before the script waits again; then the place
/// returns to the line.
const UNFETCHED: Duration = Duration::from_secs(10);

/// The caller's place, as its call sees it.
pub(super) struct Standing {
    no: PlaceNo,
    id: PlaceId,
    queue: String,
    /// Unless the script wishes something else.
    music: Prompt,
    /// What the caller heard while waiting last: it goes on when the script waits again for a key.
    heard: Option<Prompt>,
    rung: Vec<Rung>,
    connected: Option<Connected>,
    /// What the next `wait` returns.
    asked: Option<String>,
    over: Option<Waited>,
}

/// An agent whose telephones ring.
struct Rung {
    agent: String,
    dialling: Box<Dialling>,
}

/// An agent who answered and is not bridged yet.
struct Connected {
    leg: LegNo,
    agent: String,
    /// Until then the script has to fetch the leg; none once it has.
    fetch_by: Option<Instant>,
}

impl Call {
    /// The queue in which an agent has answered for the caller.
    pub(super) fn queue_joined(&self) -> Option<&str> {
        let standing = self.standing.as_ref().filter(|standing| standing.connected.is_some());
        standing.map(|standing| standing.queue.as_str())
    }

    /// A verb of interface `queue`.
    pub(super) fn begin_queue(
        &mut self,
        command: Command,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        let done = Ok(Some(Answer::Done));
        match command {
            Command::EnterQueue { queue, priority, skills, longest } => {
                match &self.standing {
                    Some(standing) if standing.over.is_none() && standing.connected.is_none() => {
                        return Err(Failure::Invalid("queue: the caller has a place; leave it first".into()));
                    }
                    _ => self.leave_line(Leaving::Left, around),
                }
                let number = self.caller().info.party.number.clone();
                let entry = Entry { queue: queue.clone(), number, priority, skills, longest };
                let (call, tenant) = (self.id, self.tenant.clone());
                let (floor, mut moment) = around.floor();
                let id = match floor.enter(&tenant, call, entry, &mut moment) {
                    Ok(id) => id,
                    Err(refusal) => return Ok(Some(Answer::RefusedEntry(refusal))),
                };
                self.places += 1;
                let no = PlaceNo(self.places);
                self.standing = Some(Standing::new(no, id, queue));
                self.pending = Some(Pending::Enter);
                Ok(None)
            }
            Command::LookAtQueue { queue } => {
                let (floor, mut moment) = around.floor();
                Ok(Some(Answer::Outlook(floor.look(&self.tenant, &queue, &mut moment))))
            }
            Command::Position { place } => {
                let position = self.standing(place).map_or(0, |standing| around.floor.position(standing.id));
                Ok(Some(Answer::Count(position)))
            }
            Command::ExpectedWait { place } => {
                let Ok(id) = self.standing(place).map(|standing| standing.id) else {
                    return Ok(Some(Answer::Length(None)));
                };
                let (floor, mut moment) = around.floor();
                if !floor.ask_length(id, &mut moment) {
                    return Ok(Some(Answer::Length(None)));
                }
                self.pending = Some(Pending::Length);
                Ok(None)
            }
            Command::Wait { place, keys, hears } => self.begin_wait(place, keys, hears, around),
            Command::SetPriority { place, priority } => {
                let id = self.standing(place)?.id;
                around.floor.set_priority(id, priority)?;
                done
            }
            Command::CallBack { place, number } => {
                let id = self.standing(place)?.id;
                let language = self.caller().info.language.clone();
                let (floor, mut moment) = around.floor();
                floor.promise(id, self.id, number, language, &mut moment)?;
                self.pending = Some(Pending::Promise);
                Ok(None)
            }
            Command::LeaveQueue { place } => {
                if self.standing(place).is_ok() {
                    self.leave_line(Leaving::Left, around);
                }
                done
            }
            Command::AgentState { user } => {
                let (floor, mut moment) = around.floor();
                Ok(Some(Answer::AgentState(floor.agent_state(&self.tenant, &user, &mut moment))))
            }
            Command::MakeAvailable { user } => self.wish(user, AgentWish::Available, around),
            Command::Pause { user, reason } => self.wish(user, AgentWish::Paused { reason }, around),
            Command::SignIn { user, queue } => self.wish(user, AgentWish::SignIn { queue }, around),
            Command::SignOut { user, queue } => self.wish(user, AgentWish::SignOut { queue }, around),
            _ => Err(Failure::Other("not a verb of queues".into())),
        }
    }

    fn wish(
        &mut self,
        user: String,
        wish: AgentWish,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        let (floor, mut moment) = around.floor();
        floor.set_agent(&self.tenant, &user, wish, &mut moment)?;
        Ok(Some(Answer::Done))
    }

    /// The place of this number, if the call has it still.
    fn standing(&self, place: PlaceNo) -> Result<&Standing, Failure> {
        let over = || Failure::Invalid("place: it is over".into());
        self.standing.as_ref().filter(|standing| standing.no == place).ok_or_else(over)
    }

    fn begin_wait(
        &mut self,
        place: PlaceNo,
        keys: String,
        hears: Option<Prompt>,
        around: &mut Around,
    ) -> Result<Option<Answer>, Failure> {
        self.standing(place)?;
        self.answer(LegNo::CALLER, around);
        if let Some(waited) = self.what_happened()? {
            return Ok(Some(Answer::Waited(waited)));
        }
        // Keys pressed ahead: the first that the script wants, the others are the strategy's.
        while let Some(key) = self.legs[0].keys.pop_front() {
            if keys.contains(key) {
                return Ok(Some(Answer::Waited(Waited::Digit(key))));
            }
            let id = self.standing(place)?.id;
            let (floor, mut moment) = around.floor();
            floor.key(id, key, &mut moment);
        }
        let Some(standing) = &mut self.standing else { return Ok(None) };
        let (id, hears) = (standing.id, hears.unwrap_or_else(|| standing.music.clone()));
        let same = standing.heard.replace(hears.clone()).as_ref() == Some(&hears);
        self.pending = Some(Pending::Wait { keys, hears });
        if !same || !self.caller().sounding {
            self.play_music(around);
        }
        let (floor, mut moment) = around.floor();
        floor.listen(id, true, &mut moment);
        Ok(None)
    }

    /// What the script is told at once when it waits.
    fn what_happened(&mut self) -> Result<Option<Waited>, Failure> {
        let Some(standing) = &mut self.standing else { return Ok(None) };
        if let Some(waited) = standing.over.take() {
            self.standing = None;
            return Ok(Some(waited));
        }
        match &mut standing.connected {
            Some(Connected { fetch_by: None, .. }) => {
                Err(Failure::Invalid("place: the script has the agent's leg; bridge it".into()))
            }
            Some(Connected { leg, fetch_by, .. }) => {
                *fetch_by = None;
                let info = self.legs[leg.0 as usize].info.clone();
                Ok(Some(Waited::Connected(Box::new(info))))
            }
            None => Ok(standing.asked.take().map(Waited::Asked)),
        }
    }

    /// What the waiting caller hears between announcements.
    pub(super) fn play_music(&mut self, around: &mut Around) {
        if let Some(Pending::Wait { hears, .. }) = &self.pending {
            let hears = hears.clone();
            self.play(LegNo::CALLER, vec![hears], false, true, around);
        }
    }

    /// A key while waiting: the script's, or the strategy's.
    pub(super) fn handle_waiting_key(&mut self, key: char, around: &mut Around) -> Option<Answer> {
        match &self.pending {
            Some(Pending::Wait { keys, .. }) if keys.contains(key) => {
                self.end_wait(Waited::Digit(key), around)
            }
            _ => {
                let id = self.standing.as_ref()?.id;
                let (floor, mut moment) = around.floor();
                floor.key(id, key, &mut moment);
                None
            }
        }
    }

    /// Answers the script if it waits. What plays goes on until the script plays something else.
    fn end_wait(&mut self, waited: Waited, around: &mut Around) -> Option<Answer> {
        let Some(Pending::Wait { .. }) = self.pending else { return None };
        self.pending = None;
        if let Some(id) = self.standing.as_ref().map(|standing| standing.id) {
            let (floor, mut moment) = around.floor();
            floor.listen(id, false, &mut moment);
        }
        Some(Answer::Waited(waited))
    }

    /// What the queue wants of this call.
    pub fn handle_order(&mut self, id: PlaceId, order: Order, around: &mut Around) {
        let Some(standing) = self.standing.as_mut().filter(|standing| standing.id == id) else { return };
        let answer = match order {
            Order::Admit(admitted) => {
                standing.music = admitted.music;
                let place = standing.no;
                self.dialled = true; // a caller whom nobody answers was missed
                self.answer(LegNo::CALLER, around);
                self.end_pending(|pending| matches!(pending, Pending::Enter))
                    .then_some(Answer::Place { place, resumed: admitted.resumed })
            }
            Order::Refuse(refusal) => {
                self.standing = None;
                self.end_pending(|pending| matches!(pending, Pending::Enter))
                    .then_some(Answer::RefusedEntry(refusal))
            }
            Order::Ring(ringing) => {
                self.ring_agents(id, ringing, around);
                None
            }
            Order::Withdraw(agent) => {
                self.stop_agent(&agent, around);
                None
            }
            Order::Say(what) => {
                if let Some(Pending::Wait { .. }) = self.pending {
                    self.play(LegNo::CALLER, what, false, false, around);
                }
                None
            }
            Order::Ask(word) => match self.pending {
                Some(Pending::Wait { .. }) => self.end_wait(Waited::Asked(word), around),
                _ => {
                    standing.asked = Some(word);
                    None
                }
            },
            Order::Tell(length) => self
                .end_pending(|pending| matches!(pending, Pending::Length))
                .then_some(Answer::Length(length)),
            Order::Promised(done) => {
                let answer = match done {
                    Ok(number) => {
                        self.stop_agents(Cause::Q850(16), "called back later", around);
                        self.standing = None;
                        self.mark_promise(number);
                        Answer::Done
                    }
                    Err(why) => Answer::Failed(why),
                };
                self.end_pending(|pending| matches!(pending, Pending::Promise)).then_some(answer)
            }
            Order::Over(waited) => {
                standing.over = Some(waited);
                self.stop_agents(Cause::Q850(16), "the wait is over", around);
                self.tell_over()
            }
            Order::GiveUp => {
                self.stop_agents(Cause::Q850(16), "no answer", around);
                self.standing = None;
                Some(Answer::Failed(Failure::NoAnswer))
            }
        };
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    fn end_pending(&mut self, is_it: impl FnOnce(&Pending) -> bool) -> bool {
        let ends = self.pending.as_ref().is_some_and(is_it);
        if ends {
            self.pending = None;
        }
        ends
    }

    /// The place is over by the queue's word; the script hears of it now or when it waits next.
    fn tell_over(&mut self) -> Option<Answer> {
        if let Driver::Origin { .. } = self.driver {
            self.standing = None;
            return Some(Answer::Failed(Failure::NoAnswer));
        }
        match self.pending {
            Some(Pending::Wait { .. }) => {
                self.pending = None;
                let standing = self.standing.take()?;
                standing.over.map(Answer::Waited)
            }
            Some(Pending::Length) => {
                self.pending = None;
                Some(Answer::Length(None))
            }
            Some(Pending::Promise) => {
                self.pending = None;
                Some(Answer::Failed(Failure::Invalid("place: it is over".into())))
            }
            _ => None,
        }
    }

    /// The register shows that somebody is to be called back.
    fn mark_promise(&mut self, number: String) {
        self.promised = true;
        let _ = self.tag(CALL_BACK.into(), number); // a call that has all the marks it may goes without
    }

    /// This call looks for an agent who will call back for a place.
    pub fn stand_for(&mut self, id: PlaceId, queue: String, promised_in: CallId) {
        self.standing = Some(Standing::new(PlaceNo(0), id, queue));
        self.calls_back = true;
        self.tags.push((PROMISED_IN.into(), promised_in.to_string()));
    }

    /// It looked for an agent to call somebody back, and nobody has answered.
    pub fn is_fruitless(&self) -> bool {
        self.calls_back && self.answered.is_none()
    }

    fn ring_agents(&mut self, id: PlaceId, ringing: Ringing, around: &mut Around) {
        for agent in ringing.agents {
            let target = match around.directory.user(&self.tenant, &agent) {
                Some(user) if ringing.mobile && around.directory.devices(&self.tenant, &agent).is_empty() => {
                    user.mobile.map(Target::Number)
                }
                Some(user) => Some(Target::User(user.name)),
                None => None,
            };
            let dial = Dial {
                stages: vec![Stage { after: Duration::ZERO, targets: target.into_iter().collect() }],
                timeout: ringing.time.clamp(*DIAL_TIME.start(), *DIAL_TIME.end()),
                ringback: None,
                present: self.shown_to_agents(),
                skip_busy: false,
            };
            let began = match Dialling::new(dial, LegNo::CALLER, around.now) {
                Ok(mut dialling) => {
                    dialling.agent = Some(agent.to_string());
                    self.beside(Box::new(dialling), around, Self::advance_dial)
                }
                Err(why) => Err(Answer::Failed(why)),
            };
            self.keep_ringing(id, agent.to_string(), began, around);
        }
    }

    /// An agent's telephones ring on, or have failed.
    fn keep_ringing(
        &mut self,
        id: PlaceId,
        agent: String,
        dial: Result<Box<Dialling>, Answer>,
        around: &mut Around,
    ) {
        let Some(standing) = self.standing.as_mut().filter(|standing| standing.id == id) else { return };
        let miss = match dial {
            Ok(dialling) => return standing.rung.push(Rung { agent, dialling }),
            Err(Answer::Failed(Failure::Limit(_))) => {
                standing.over = Some(Leaving::TooManyLegs.waited());
                let (floor, mut moment) = around.floor();
                floor.leave(id, Leaving::TooManyLegs, &mut moment);
                self.stop_agents(Cause::Q850(16), "too many legs", around);
                if let Some(answer) = self.tell_over() {
                    self.settle(answer, around);
                }
                return;
            }
            Err(Answer::Failed(Failure::Busy)) => Miss::Busy,
            Err(Answer::Failed(Failure::Refused(_))) => Miss::Rejected,
            Err(Answer::Failed(Failure::NoAnswer)) => Miss::NoAnswer,
            Err(_) => Miss::Unreachable,
        };
        let (floor, mut moment) = around.floor();
        floor.missed(id, &agent, miss, &mut moment);
    }

    /// The legs of agents that ring for the place.
    pub(super) fn rung(&self) -> impl Iterator<Item = LegNo> {
        let rung = self.standing.iter().flat_map(|standing| &standing.rung);
        rung.flat_map(|rung| rung.dialling.attempts.iter().map(|attempt| attempt.leg))
    }

    /// Which agent's leg it is, if it rings for the place.
    pub(super) fn rung_by(&self, no: LegNo) -> Option<usize> {
        let rings = |rung: &Rung| rung.dialling.attempts.iter().any(|attempt| attempt.leg == no);
        self.standing.as_ref()?.rung.iter().position(rings)
    }

    /// Something that signalling reports of an agent's leg that rings.
    pub(super) fn handle_agent(&mut self, at: usize, no: LegNo, event: Event, around: &mut Around) {
        let Some(standing) = &mut self.standing else { return };
        let id = standing.id;
        let step = match event {
            Event::Trying | Event::Ringing { .. } => {
                let rings = matches!(event, Event::Ringing { .. });
                standing.rung[at].dialling.heard(no, rings);
                if rings {
                    self.note("leg.ringing", no, self.leg(no).record.party.clone(), around);
                }
                return;
            }
            Event::Answered => Step::Answered,
            Event::Refused { status, silent } => Step::Refused(status, silent),
            Event::Ended => Step::Refused(487, false),
            _ => return,
        };
        let Rung { agent, dialling } = standing.rung.swap_remove(at);
        let dial = self.beside(dialling, around, |call, around| match step {
            Step::Answered => call.handle_answered(no, around),
            Step::Refused(status, silent) => call.handle_refused(no, status, silent, around),
        });
        match (dial, step) {
            // A telephone that forwards (302) does not want the call; a queue does not follow it.
            (Err(Answer::Failed(Failure::Unreachable)), Step::Refused(status @ 300..=399, _)) => {
                self.keep_ringing(id, agent, Err(Answer::Failed(Failure::Refused(status))), around);
            }
            (Err(Answer::Leg(leg)), _) => self.agent_answered(id, agent, *leg, around),
            (dial, _) => self.keep_ringing(id, agent, dial, around),
        }
    }

    /// The first agent to answer. Whatever the caller hears ends, and the script gets the leg.
    fn agent_answered(&mut self, id: PlaceId, agent: String, leg: LegInfo, around: &mut Around) {
        self.stop_agents(Cause::AnsweredElsewhere, "answered elsewhere", around);
        let (floor, mut moment) = around.floor();
        floor.answered(id, &agent, &mut moment);
        let Some(standing) = &mut self.standing else { return };
        if let Driver::Origin { .. } = self.driver {
            standing.connected = Some(Connected { leg: LegNo::CALLER, agent, fetch_by: None });
            return self.settle(Answer::Leg(Box::new(leg)), around);
        }
        self.give_agent(agent, leg, around);
    }

    /// Somebody comes for the caller in place of an agent whose telephone rings, and is to the queue who answered.
    pub(super) fn pick_up_from_agent(&mut self, at: usize, leg: Leg, around: &mut Around) {
        let Some(standing) = &self.standing else { return };
        let (id, rang) = (standing.id, standing.rung[at].agent.clone());
        let no = self.adopt(leg, around);
        let (info, who) = (self.leg(no).info.clone(), self.leg(no).record.party.clone());
        self.note("call.picked-up", no, who.clone(), around);
        self.stop_agents(Cause::AnsweredElsewhere, "answered elsewhere", around);
        let user = info.user.clone().unwrap_or(who);
        let (floor, mut moment) = around.floor();
        floor.picked_up(id, &rang, &user, &mut moment);
        self.give_agent(user, info, around);
    }

    /// Whoever answered for the caller is the script's.
    fn give_agent(&mut self, agent: String, leg: LegInfo, around: &mut Around) {
        let Some(standing) = &mut self.standing else { return };
        let no = leg.leg;
        standing.connected = Some(Connected { leg: no, agent, fetch_by: Some(around.now + UNFETCHED) });
        let music = standing.music.clone();
        let answer = match self.pending {
            Some(Pending::Wait { .. }) => {
                standing.connected.iter_mut().for_each(|connected| connected.fetch_by = None);
                self.pending = None;
                Some(Answer::Waited(Waited::Connected(Box::new(leg))))
            }
            Some(Pending::Play { leg: LegNo::CALLER, .. }) => {
                self.pending = None;
                Some(Answer::Done)
            }
            Some(Pending::Gather { leg: LegNo::CALLER, .. }) => self.end_gather(EndOfDigits::TimeOut),
            _ => None,
        };
        let waits = matches!(answer, Some(Answer::Waited(_)));
        if answer.is_some() {
            self.stop(LegNo::CALLER, around);
        }
        if !waits {
            self.play(no, vec![music], false, true, around);
        }
        if let Some(answer) = answer {
            self.settle(answer, around);
        }
    }

    /// A bridge: with the agent it ends the place as answered; with anyone else the caller needs it no
    /// longer.
    pub(super) fn join_agent(&mut self, a: LegNo, b: LegNo, around: &mut Around) {
        let Some(standing) = &mut self.standing else { return };
        let with_agent = |connected: &Connected| connected.leg == a || connected.leg == b;
        if a != b && standing.connected.as_ref().is_some_and(with_agent) {
            let Some(Standing { id, queue, connected: Some(connected), .. }) = self.standing.take() else {
                return;
            };
            let since = around.now;
            let served = Served { queue, agent: connected.agent, since, until: None };
            self.legs[connected.leg.0 as usize].served = Some(served);
            let (floor, mut moment) = around.floor();
            floor.bridged(id, &mut moment);
        } else if a != b && (a == LegNo::CALLER || b == LegNo::CALLER) {
            self.leave_line(Leaving::Left, around);
        }
    }

    /// After a leg ended: the caller's, or the agent's before the bridge.
    pub(super) fn tend_standing(&mut self, no: LegNo, why: &str, around: &mut Around) {
        let Some(standing) = &mut self.standing else { return };
        if standing.connected.as_ref().is_some_and(|connected| connected.leg == no) {
            standing.connected = None;
            let id = standing.id;
            if no == LegNo::CALLER {
                self.standing = None; // the agent was this call's caller; the place goes on without it
            }
            let (floor, mut moment) = around.floor();
            floor.lost(id, &mut moment);
        } else if no == LegNo::CALLER {
            let lost = why == "hung up" || why == "no sound";
            self.leave_line(if lost { Leaving::Abandoned } else { Leaving::Left }, around);
        }
    }

    /// The place is given up, with all that was begun for it.
    pub(super) fn leave_line(&mut self, why: Leaving, around: &mut Around) {
        self.stop_agents(Cause::Q850(16), "the caller left", around);
        let Some(standing) = self.standing.take() else { return };
        if let Some(Connected { leg, fetch_by: Some(_), .. }) = standing.connected
            && !self.leg(leg).is_over()
        {
            self.hang_up(leg, Cause::Q850(16), "the caller left", around);
        }
        let (floor, mut moment) = around.floor();
        if let Some(number) = floor.leave(standing.id, why, &mut moment) {
            self.mark_promise(number);
        }
    }

    /// Agents' telephones ring no longer; what the queue knows of it is the caller's matter.
    pub(super) fn stop_agents(&mut self, cause: Cause, why: &str, around: &mut Around) {
        let rung = self.standing.as_mut().map(|standing| std::mem::take(&mut standing.rung));
        for attempt in rung.into_iter().flatten().flat_map(|rung| rung.dialling.attempts) {
            self.hang_up(attempt.leg, cause, why, around);
        }
    }

    fn stop_agent(&mut self, agent: &str, around: &mut Around) {
        let Some(standing) = &mut self.standing else { return };
        let Some(at) = standing.rung.iter().position(|rung| rung.agent == agent) else { return };
        for attempt in standing.rung.swap_remove(at).dialling.attempts {
            self.hang_up(attempt.leg, Cause::Q850(16), "withdrawn", around);
        }
    }

    /// Another number whenever the place is another one, or somebody has answered for it.
    pub(super) fn standing_mark(&self) -> u64 {
        let Some(standing) = &self.standing else { return 0 };
        let connected = standing.connected.as_ref().map_or(0, |connected| u64::from(connected.leg.0) + 1);
        (standing.id.0 << 16 ^ connected) << 1 | u64::from(standing.over.is_some())
    }

    /// The place, for a restart.
    pub(super) fn keep_standing(&self, now: Instant, wall: f64, floor: &Floor) -> Option<KeptPlace> {
        let standing = self.standing.as_ref().filter(|standing| standing.over.is_none())?;
        let mut kept = floor.keep_place(standing.id, now, wall)?;
        kept.no = standing.no.0;
        kept.music = standing.music.clone();
        kept.connected = standing.connected.as_ref().map(|connected| connected.leg.0);
        kept.fetched = standing.connected.as_ref().is_some_and(|connected| connected.fetch_by.is_none());
        Some(kept)
    }

    /// Back in line, where the caller was. A queue that is gone tells the script so.
    pub(super) fn stand_again(&mut self, kept: KeptPlace, around: &mut Around) {
        let (no, queue, music) = (PlaceNo(kept.no), kept.queue.clone(), kept.music.clone());
        let is_up = |leg: &u32| self.legs.get(*leg as usize).is_some_and(Leg::is_up);
        let leg = kept.connected.filter(is_up).map(LegNo);
        let fetch_by = (!kept.fetched).then(|| around.now + UNFETCHED);
        let agent = kept.agent.as_ref().map(|(agent, _)| agent.clone());
        let lost = kept.agent.is_some() && leg.is_none();
        let (call, tenant) = (self.id, self.tenant.clone());
        let (floor, mut moment) = around.floor();
        let place = floor.restore_place(&tenant, call, kept, &mut moment);
        let mut standing = Standing::new(no, place.unwrap_or(PlaceId(0)), queue);
        standing.music = music;
        match (place, leg.zip(agent)) {
            (Some(_), Some((leg, agent))) => standing.connected = Some(Connected { leg, agent, fetch_by }),
            (Some(id), None) if lost => {
                let (floor, mut moment) = around.floor();
                floor.lost(id, &mut moment); // the agent is gone, the caller waits on
            }
            (Some(_), None) => {}
            (None, _) => standing.over = Some(Leaving::Nobody.waited()),
        }
        self.standing = Some(standing);
    }

    /// Someone wants no agent to be looked for now; the place waits on without this call.
    pub(super) fn unring(&mut self, around: &mut Around) {
        self.stop_agents(Cause::Q850(16), "no answer", around);
        let Some(standing) = self.standing.take() else { return };
        let (floor, mut moment) = around.floor();
        floor.unring(standing.id, &mut moment);
    }

    /// When telephones have rung long enough, or the script had time enough to fetch its agent.
    pub(super) fn standing_timeout(&self) -> Option<Instant> {
        let standing = self.standing.as_ref()?;
        let rung = standing.rung.iter().filter_map(|rung| rung.dialling.next_timeout());
        let fetch_by = standing.connected.as_ref().and_then(|connected| connected.fetch_by);
        rung.chain(fetch_by).min()
    }

    /// Does what is due with the agents' telephones.
    pub(super) fn handle_standing_timeout(&mut self, around: &mut Around) {
        let now = around.now;
        let is_due = |rung: &Rung| rung.dialling.next_timeout().is_some_and(|due| due <= now);
        while let Some(standing) = &mut self.standing
            && let Some(at) = standing.rung.iter().position(is_due)
        {
            let id = standing.id;
            let Rung { agent, dialling } = standing.rung.swap_remove(at);
            let dial = self.beside(dialling, around, Self::advance_dial);
            self.keep_ringing(id, agent, dial, around);
        }
        if let Some(Standing { connected: Some(Connected { leg, fetch_by: Some(by), .. }), .. }) =
            &self.standing
            && *by <= around.now
        {
            let leg = *leg;
            self.hang_up(leg, Cause::Q850(16), "not bridged", around);
            self.tend_standing(leg, "not bridged", around);
        }
    }

    /// Agents see the caller; the one to be called back, if there is no caller yet.
    fn shown_to_agents(&self) -> Option<Party> {
        let Driver::Origin { .. } = self.driver else { return None };
        let number = self.caller().info.dialled.clone();
        Some(Party { uri: format!("tel:{number}"), number, name: None })
    }
}

#[derive(Clone, Copy)]
enum Step {
    Answered,
    Refused(u16, bool),
}

impl Standing {
    fn new(no: PlaceNo, id: PlaceId, queue: String) -> Self {
        let music = Prompt::Music(HOLD_MUSIC.into());
        Self { no, id, queue, music, heard: None, rung: Vec::new(), connected: None, asked: None, over: None }
    }
}
