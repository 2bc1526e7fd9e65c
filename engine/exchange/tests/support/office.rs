//! An office with queues: agents with telephones, a strategy that a test supplies, and a script that a
//! test plays. Questions to strategies are answered at once unless the test holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use exchange::strategy::*;
use exchange::*;

use super::*;

pub const NO_DELAY: Duration = Duration::ZERO;

#[derive(Clone)]
pub struct Person {
    pub devices: usize,
    pub mobile: Option<String>,
    pub skills: Vec<(String, u8)>,
}

#[derive(Default)]
pub struct House {
    pub people: BTreeMap<String, Person>,
    pub queues: Vec<Arc<QueuePlan>>,
    pub last: HashMap<String, String>,
    pub calls: u32,
}

impl Directory for House {
    fn user(&self, _: &str, name_or_number: &str) -> Option<User> {
        let person = self.people.get(name_or_number)?;
        Some(User {
            name: name_or_number.into(),
            number: format!("1{name_or_number}"),
            mobile: person.mobile.clone(),
            skills: person.skills.clone(),
        })
    }

    fn group(&self, _: &str, _: &str) -> Vec<User> {
        vec![]
    }

    fn devices(&self, _: &str, user: &str) -> Vec<Device> {
        let devices = self.people.get(user).map_or(0, |person| person.devices);
        (0..devices).map(|n| Device(format!("{user}/{n}"))).collect()
    }

    fn trunks(&self, _: &str) -> Vec<Trunk> {
        ["first", "second"].map(trunk).into()
    }

    fn limits(&self, _: &str) -> CallLimits {
        CallLimits { concurrent_calls: self.calls, calls_per_second: 10_000, ..LIMITS }
    }

    fn queues(&self, _: &str) -> Vec<Arc<QueuePlan>> {
        self.queues.clone()
    }

    fn last_spoke_with(&self, _: &str, number: &str) -> Option<String> {
        self.last.get(number).cloned()
    }
}

pub fn plan(name: &str, agents: &[&str]) -> QueuePlan {
    let agent = |user: &&str| AgentPlan { user: user.to_string(), level: 1, weight: 1, wrap_up: None };
    QueuePlan {
        name: name.into(),
        strategy: "strategy".into(),
        settings: "{}".into(),
        weight: 1,
        agents: agents.iter().map(agent).collect(),
        wrap_up: NO_DELAY,
        handling: NO_DELAY,
        most_waiting: 0,
        longest_wait: NO_DELAY,
        resume: NO_DELAY,
        max_missed: 0,
        after_busy: secs(5),
        after_reject: secs(10),
        after_no_answer: secs(15),
        ring: secs(20),
        mobile: false,
        music: Prompt::Music("queue".into()),
        call_back: None,
    }
}

pub type Strategy = fn(&Question) -> Result<Decided, String>;

/// Pairs callers by priority and arrival with free agents in the order of the snapshot.
pub fn in_order(question: &Question) -> Result<Decided, String> {
    let now = &question.snapshot;
    Ok(match question.about {
        About::Admit { .. } => Decided::Admission(Admission::ComeIn),
        About::Rank => {
            let mut callers: Vec<&Waiting> = now.waiting.iter().filter(|caller| !caller.offered).collect();
            callers.sort_by_key(|caller| caller.position);
            let mut free: Vec<&Agent> = now.agents.iter().filter(|agent| agent.free).collect();
            let mut offers = vec![];
            for caller in callers {
                let skilled = |agent: &&Agent| {
                    let has = |(skill, least): &(String, u8)| {
                        agent.skills.iter().any(|(name, level)| name == skill && level >= least)
                    };
                    caller.skills.iter().all(has)
                };
                let Some(at) = free.iter().position(skilled) else { continue };
                let agents = vec![free.remove(at).name.clone()];
                offers.push(Offer { caller: caller.id, agents, ring: secs(20) });
            }
            Decided::Ranking(Ranking { offers, again: None })
        }
        About::ExpectedWait { who } => Decided::Length(now.waiting[who].expected),
        About::Announce { .. } => Decided::Announcement(Announcement::default()),
        About::OnDigit { .. } => Decided::KeyAction(KeyAction::Pass),
    })
}

/// All free agents ring for the first caller.
pub fn ring_all(question: &Question) -> Result<Decided, String> {
    let About::Rank = question.about else { return in_order(question) };
    let now = &question.snapshot;
    let first = now.waiting.iter().filter(|caller| !caller.offered).min_by_key(|caller| caller.position);
    let agents: Vec<String> = now.agents.iter().filter(|agent| agent.free).map(|a| a.name.clone()).collect();
    let offer = first.map(|caller| Offer { caller: caller.id, agents, ring: secs(20) });
    Ok(Decided::Ranking(Ranking { offers: offer.into_iter().collect(), again: None }))
}

pub struct Office {
    pub house: House,
    pub exchange: Exchange,
    pub now: Instant,
    pub strategy: Strategy,
    /// Questions wait here instead of being answered.
    pub hold: bool,
    pub held: Vec<(u64, Question, String)>,
    /// What is kept of call backs, by queue and number.
    pub promises: BTreeMap<(String, String), KeptCallBack>,
    /// Promises that the disk has not answered yet; none: it answers at once.
    pub slow_disk: Option<Vec<(u64, (String, String))>>,
    /// All that was wanted and nobody looked at yet.
    pub effects: Vec<Effect>,
    callers: u32,
}

impl Office {
    /// Each of these has one telephone.
    pub fn new(people: &[&str], queues: Vec<QueuePlan>) -> Self {
        let now = Instant::now();
        let person = || Person { devices: 1, mobile: None, skills: vec![] };
        let mut office = Self {
            house: House {
                people: people.iter().map(|name| (name.to_string(), person())).collect(),
                queues: queues.into_iter().map(Arc::new).collect(),
                last: HashMap::new(),
                calls: 10_000,
            },
            exchange: Exchange::new(now, 1_795_000_000.0, 7, 0),
            now,
            strategy: in_order,
            hold: false,
            held: vec![],
            promises: BTreeMap::new(),
            slow_disk: None,
            effects: vec![],
            callers: 0,
        };
        office.people_changed();
        office
    }

    /// Carries on until nothing is left to be decided.
    pub fn decide(&mut self, out: Vec<Effect>) {
        let mut out = out;
        loop {
            let mut more = vec![];
            for effect in out {
                match effect {
                    Effect::Decide { ticket, question, strategy, .. } if self.hold => {
                        self.held.push((ticket, question, strategy));
                    }
                    Effect::Decide { ticket, question, .. } => {
                        let answer = (self.strategy)(&question);
                        self.exchange.handle_decision(self.now, ticket, answer, &self.house, &mut more);
                    }
                    Effect::KeepCallBack { ticket, tenant, kept } => {
                        assert_eq!(tenant, "shop");
                        let of = (kept.queue.clone(), kept.number.clone());
                        assert!(self.promises.insert(of.clone(), *kept).is_none(), "one promise at a time");
                        match &mut self.slow_disk {
                            Some(waiting) => waiting.push((ticket, of)),
                            None => {
                                self.exchange.handle_kept(self.now, ticket, Ok(()), &self.house, &mut more);
                            }
                        }
                    }
                    Effect::ForgetCallBack { queue, number, .. } => {
                        self.promises.remove(&(queue, number));
                    }
                    other => self.effects.push(other),
                }
            }
            if more.is_empty() {
                return;
            }
            out = more;
        }
    }

    /// The disk answers about the first promise that waits for it.
    pub fn disk_answers(&mut self, kept: Result<(), String>) {
        let waiting = self.slow_disk.as_mut().filter(|waiting| !waiting.is_empty());
        let Some((ticket, of)) = waiting.map(|waiting| waiting.remove(0)) else { return };
        if kept.is_err() {
            self.promises.remove(&of);
        }
        let mut out = vec![];
        self.exchange.handle_kept(self.now, ticket, kept, &self.house, &mut out);
        self.decide(out);
    }

    /// The process is killed, and another one begins with what was kept.
    pub fn restart(&mut self) {
        let wall = self.exchange.wall(self.now);
        self.exchange = Exchange::new(self.now, wall, 8, 0);
        self.held.clear();
        self.effects.clear();
        self.slow_disk.iter_mut().for_each(Vec::clear);
        self.people_changed();
        let mut kept: Vec<KeptCallBack> = self.promises.values().cloned().collect();
        kept.sort_by(|a, b| a.entered.total_cmp(&b.entered));
        for kept in kept {
            let mut out = vec![];
            self.exchange.restore_call_back(self.now, "shop", kept, &self.house, &mut out);
            self.decide(out);
        }
    }

    pub fn answer_held(&mut self, at: usize, answer: Result<Decided, String>) {
        let (ticket, ..) = self.held.remove(at);
        let mut out = vec![];
        self.exchange.handle_decision(self.now, ticket, answer, &self.house, &mut out);
        self.decide(out);
    }

    pub fn people_changed(&mut self) {
        let mut out = vec![];
        self.exchange.people_changed(self.now, "shop", &self.house, &mut out);
        self.decide(out);
    }

    pub fn set_agent(&mut self, user: &str, wish: AgentWish) -> Result<(), Failure> {
        let mut out = vec![];
        let done = self.exchange.set_agent(self.now, "shop", user, wish, &self.house, &mut out);
        self.decide(out);
        done
    }

    /// A call from outside, from a number of its own unless one is given.
    pub fn arrive(&mut self, number: Option<&str>) -> (CallId, LegKey) {
        self.callers += 1;
        let number = number.map_or_else(|| format!("+3598880{:05}", self.callers), Into::into);
        let arrival = Arrival {
            tenant: "shop".into(),
            from: Party { uri: format!("tel:{number}"), number, name: None },
            dialled: "700".into(),
            direction: Direction::Inbound,
            user: None,
            trunk: Some("first".into()),
            headers: Default::default(),
            language: "en".into(),
            sip_call_id: "abc".into(),
            route: Route {
                script: "reception".into(),
                settings: "{}".into(),
                fallback: vec![],
                source: None,
            },
        };
        let mut out = vec![];
        let arrived = self.exchange.arrive(self.now, arrival, &self.house, &mut out);
        self.decide(out);
        arrived
    }

    /// A user calls.
    pub fn arrive_from(&mut self, user: &str) -> (CallId, LegKey) {
        let mut out = vec![];
        let arrived = self.exchange.arrive(self.now, own_call(user), &self.house, &mut out);
        self.decide(out);
        arrived
    }

    /// A telephone of a user's comes to take the place of a leg (RFC 3891).
    pub fn comes_for(&mut self, user: &str, place: LegKey) -> Result<(CallId, LegKey), Failure> {
        let mut out = vec![];
        let came = self.exchange.arrive_in_place(self.now, own_call(user), place, &self.house, &mut out);
        self.decide(out);
        came
    }

    pub fn command(&mut self, call: CallId, command: Command) {
        let mut out = vec![];
        self.exchange.handle_command(self.now, call, command, &self.house, &mut out);
        self.decide(out);
    }

    pub fn event(&mut self, leg: LegKey, event: Event) {
        let mut out = vec![];
        self.exchange.handle_event(self.now, leg, event, &self.house, &mut out);
        self.decide(out);
    }

    pub fn finish(&mut self, call: CallId, finish: Finish) {
        let mut out = vec![];
        self.exchange.handle_finish(self.now, call, finish, &self.house, &mut out);
        self.decide(out);
    }

    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.exchange.next_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let mut out = vec![];
            self.exchange.handle_timeout(self.now, &self.house, &mut out);
            self.decide(out);
        }
        self.now = until;
    }

    /// A caller who enters a queue and waits there.
    pub fn caller_waits(&mut self, queue: &str) -> Caller {
        self.caller_waits_as(queue, None, 0)
    }

    pub fn caller_waits_as(&mut self, queue: &str, number: Option<&str>, priority: i32) -> Caller {
        let caller = self.caller_enters(queue, number, priority);
        self.command(caller.call, wait(caller.place, ""));
        caller
    }

    pub fn caller_enters(&mut self, queue: &str, number: Option<&str>, priority: i32) -> Caller {
        let (call, leg) = self.arrive(number);
        self.command(call, enter(queue, priority));
        let answer = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Reply { call: to, answer } if *to == call => Some(answer.clone()),
            _ => None,
        });
        let Some(Answer::Place { place, .. }) = answer else { panic!("{answer:?}") };
        Caller { call, leg, place }
    }

    /// The last answer to the call since the last look.
    pub fn answer(&self, call: CallId) -> Option<Answer> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Reply { call: to, answer } if *to == call => Some(answer.clone()),
            _ => None,
        })
    }

    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Who was rung since the last look: where to, the leg, and for which call.
    pub fn rung(&mut self) -> Vec<(String, LegKey, CallId)> {
        let invites = self.take().into_iter().filter_map(|effect| match effect {
            Effect::Signal(key, Signal::Invite(invite)) => Some((where_to(&invite.to), key, invite.call)),
            _ => None,
        });
        invites.collect()
    }

    /// Kinds of what was told since the last look, with one of the values.
    pub fn told(&self, kind: &str, name: &str) -> Vec<String> {
        let told = self.effects.iter().filter_map(|effect| match effect {
            Effect::Tell { kind: this, about, .. } if *this == kind => Some(
                about
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.clone())
                    .unwrap_or_default(),
            ),
            _ => None,
        });
        told.collect()
    }

    /// Records of calls that have ended since the last look.
    pub fn records(&self) -> Vec<CallRecord> {
        let over = self.effects.iter().filter_map(|effect| match effect {
            Effect::Over(record) => Some((**record).clone()),
            _ => None,
        });
        over.collect()
    }

    pub fn state(&self, user: &str) -> AgentState {
        let agents = self.exchange.agents(self.now, "shop");
        agents.into_iter().find(|agent| agent.user == user).expect("an agent").state
    }

    pub fn queue(&self, name: &str) -> QueueView {
        let queues = self.exchange.queues(self.now, "shop");
        queues.into_iter().find(|queue| queue.name == name).expect("a queue")
    }

    /// The caller's agent answers and both talk; answers the agent's leg.
    pub fn connect(&mut self, caller: &Caller, agent: LegKey) -> LegNo {
        self.event(agent, Event::Answered);
        let answer = self.answer(caller.call);
        let Some(Answer::Waited(Waited::Connected(leg))) = answer else { panic!("{answer:?}") };
        self.command(caller.call, Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() });
        leg.leg
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub call: CallId,
    pub leg: LegKey,
    pub place: PlaceNo,
}

/// What a user's telephone asks for.
fn own_call(user: &str) -> Arrival {
    Arrival {
        tenant: "shop".into(),
        from: Party { number: format!("1{user}"), name: Some(user.into()), uri: format!("sip:{user}") },
        dialled: "101".into(),
        direction: Direction::Internal,
        user: Some(user.into()),
        trunk: None,
        headers: Default::default(),
        language: "en".into(),
        sip_call_id: "own".into(),
        route: Route { script: "own".into(), settings: "{}".into(), fallback: vec![], source: None },
    }
}

pub fn enter(queue: &str, priority: i32) -> Command {
    Command::EnterQueue { queue: queue.into(), priority, skills: vec![], longest: NO_DELAY }
}

pub fn wait(place: PlaceNo, keys: &str) -> Command {
    Command::Wait { place, keys: keys.into(), hears: None }
}
