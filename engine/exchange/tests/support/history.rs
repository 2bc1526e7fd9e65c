//! A random history of an office with queues: callers arrive, leave and press keys, agents come, go and make
//! calls of their own, telephones answer, refuse, ignore and cross our CANCEL, strategies are swapped, queues
//! come and go with reloads, the disk is slow. After every step [`History::check`] looks at what must never
//! be. Who decides is given: a strategy that a test makes up, or the shipped ones in their sandboxes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use exchange::*;

use super::office::*;
use super::*;

pub const PEOPLE: [&str; 6] = ["ana", "boris", "vera", "goran", "dora", "emil"];
/// Seconds within which everybody is served who stood in line.
const SERVED_BY: usize = 600;
pub const QUEUES: [&str; 3] = ["sales", "service", "vip"];

/// splitmix64.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[self.below(all.len())])
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ring {
    Ringing,
    Up,
    Over,
}

struct Phone {
    user: Option<String>,
    call: CallId,
    ring: Ring,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Beginning,
    Entering,
    Playing,
    Waiting,
    Bridging,
    CallingBack,
    Dialling,
    Nothing,
}

struct Script {
    leg: LegKey,
    calls_back: bool,
    doing: Doing,
    place: PlaceNo,
    agent: Option<LegNo>,
    answer: Option<Answer>,
}

/// What the strategy of that name says.
pub type Decides = Box<dyn FnMut(&mut Chance, &str, &Question) -> Result<Decided, String>>;

pub struct History {
    pub office: Office,
    pub chance: Chance,
    decides: Decides,
    /// Hears all that is told.
    pub witness: fn(&str, &[(&str, String)]),
    /// Swapped for one another by reloads.
    strategies: Vec<String>,
    phones: BTreeMap<LegKey, Phone>,
    scripts: BTreeMap<CallId, Script>,
    own: BTreeMap<CallId, (LegKey, String)>,
    /// Calls whose caller stands in line, by what was told.
    in_line: BTreeSet<String>,
    entered: usize,
    ended: usize,
    /// Offers that somebody else took.
    pub picked_up: usize,
    plans: Vec<QueuePlan>,
}

pub fn plans() -> Vec<QueuePlan> {
    let mut sales = plan("sales", &["ana", "boris", "vera", "goran"]);
    (sales.wrap_up, sales.max_missed, sales.resume) = (secs(3), 4, secs(20));
    let mut service = plan("service", &["vera", "goran", "dora"]);
    (service.longest_wait, service.mobile, service.most_waiting) = (secs(40), true, 6);
    let mut vip = plan("vip", &["ana", "dora", "emil"]);
    (vip.weight, vip.ring) = (10, secs(8));
    vec![sales, service, vip]
}

impl History {
    /// `strategies`: names that queues have in turn.
    pub fn new(seed: u64, plans: Vec<QueuePlan>, strategies: Vec<String>, decides: Decides) -> Self {
        let mut office = Office::new(&PEOPLE, plans.clone());
        office.hold = true;
        office.slow_disk = Some(vec![]);
        office.house.people.get_mut("goran").unwrap().devices = 2;
        office.house.people.get_mut("dora").unwrap().mobile = Some("+359888000105".into());
        office.people_changed();
        Self {
            office,
            chance: Chance(seed),
            phones: BTreeMap::new(),
            scripts: BTreeMap::new(),
            own: BTreeMap::new(),
            in_line: BTreeSet::new(),
            entered: 0,
            ended: 0,
            picked_up: 0,
            plans,
            decides,
            witness: |_, _| {},
            strategies,
        }
    }

    pub fn step(&mut self) {
        match self.chance.below(100) {
            0..10 => self.arrive(),
            10..13 => {
                let callers: Vec<LegKey> = self.scripts.values().map(|script| script.leg).collect();
                if let Some(leg) = self.chance.of(&callers).copied() {
                    self.end_phone(leg);
                    let event = if self.chance.percent(80) { Event::Ended } else { Event::MediaTimeout };
                    self.office.event(leg, event);
                }
            }
            13..18 => {
                let callers: Vec<LegKey> = self.scripts.values().map(|script| script.leg).collect();
                if let Some(leg) = self.chance.of(&callers).copied() {
                    let key = if self.chance.percent(50) { '1' } else { '5' };
                    self.office.event(leg, Event::Digit(key));
                }
            }
            18..42 => self.telephone(),
            42..65 => self.script_acts(),
            65..80 => self.strategy_answers(),
            80..87 => self.agent_wishes(),
            87..89 => {
                let name = *self.chance.of(&PEOPLE).unwrap();
                let devices = self.chance.below(3);
                self.office.house.people.get_mut(name).unwrap().devices = devices;
                self.office.people_changed();
            }
            89 => self.reload(),
            90..92 => self.own_call(),
            92..94 => self.pick_up(),
            94..96 => {
                let kept = if self.chance.percent(90) { Ok(()) } else { Err("no space is left".into()) };
                self.office.disk_answers(kept);
            }
            _ => {
                let time = Duration::from_millis(self.chance.below(6_000) as u64);
                self.office.pass(time);
            }
        }
        self.notice();
    }

    fn arrive(&mut self) {
        if self.scripts.len() >= 25 {
            return;
        }
        let number = format!("+35988800{:04}", self.chance.below(12));
        let (call, leg) = self.office.arrive(Some(&number));
        let script = Script {
            leg,
            calls_back: false,
            doing: Doing::Beginning,
            place: PlaceNo(0),
            agent: None,
            answer: Some(Answer::Done),
        };
        self.scripts.insert(call, script);
    }

    fn own_call(&mut self) {
        if let Some((call, (leg, _))) = self.own.pop_first() {
            self.office.event(leg, Event::Ended);
            self.office.finish(call, Finish::HungUp);
            return;
        }
        let user = self.chance.of(&PEOPLE).unwrap().to_string();
        let (call, leg) = self.office.arrive_from(&user);
        self.own.insert(call, (leg, user));
    }

    /// Somebody's telephone comes for one that rings, talks, or is none of ours any more.
    fn pick_up(&mut self) {
        let legs: Vec<LegKey> = self.phones.keys().copied().collect();
        let recent = &legs[legs.len().saturating_sub(12)..];
        let Some(place) = self.chance.of(recent).copied() else { return };
        let user = *self.chance.of(&PEOPLE).unwrap();
        let talks = |phone: &Phone| phone.ring == Ring::Up && phone.user.as_deref() == Some(user);
        if self.own.values().any(|(_, own)| own == user) || self.phones.values().any(talks) {
            return; // a telephone at a time
        }
        if self.phones[&place].user.is_none() {
            return; // a customer's, who is called back
        }
        let (call, ring) = (self.phones[&place].call, self.phones[&place].ring);
        let (_, leg) = match self.office.comes_for(user, place) {
            Ok(came) => came,
            Err(why) => return assert_eq!(why, Failure::NotFound("leg".into())),
        };
        assert!(ring != Ring::Over, "nobody is there any more");
        let script =
            self.scripts.get_mut(&call).expect("who calls back is not there before somebody answers");
        if script.leg == place {
            script.leg = leg;
        }
        self.phones.insert(leg, Phone { user: Some(user.into()), call, ring: Ring::Up });
        self.picked_up += usize::from(ring == Ring::Ringing);
    }

    /// A telephone does something, also one that is none of ours any more.
    fn telephone(&mut self) {
        let legs: Vec<LegKey> = self.phones.keys().copied().collect();
        let recent = &legs[legs.len().saturating_sub(12)..];
        let Some(leg) = self.chance.of(recent).copied() else { return };
        let ring = self.phones[&leg].ring;
        let event = match (ring, self.chance.below(10)) {
            (Ring::Ringing, 0..5) => Event::Answered,
            (Ring::Ringing, 5) => Event::Ringing { early_media: false },
            (Ring::Ringing, n) => {
                Event::Refused { status: [486, 603, 302, 503][n % 4], silent: self.chance.percent(10) }
            }
            (Ring::Up, 0..7) => return,
            (Ring::Up, _) => Event::Ended,
            (Ring::Over, n) => [Event::Answered, Event::Ended, Event::Trying][n % 3].clone(), // crossed
        };
        match event {
            Event::Answered if ring == Ring::Ringing => self.phones.get_mut(&leg).unwrap().ring = Ring::Up,
            Event::Refused { .. } | Event::Ended => self.end_phone(leg),
            _ => {}
        }
        self.office.event(leg, event);
    }

    fn end_phone(&mut self, leg: LegKey) {
        if let Some(phone) = self.phones.get_mut(&leg) {
            phone.ring = Ring::Over;
        }
    }

    fn agent_wishes(&mut self) {
        let user = *self.chance.of(&PEOPLE).unwrap();
        let queue = self.chance.of(&QUEUES).unwrap().to_string();
        let wish = match self.chance.below(10) {
            0..5 => AgentWish::Available,
            5..7 => AgentWish::Paused { reason: "lunch".into() },
            7..9 => AgentWish::SignIn { queue },
            _ => AgentWish::SignOut { queue },
        };
        let _ = self.office.set_agent(user, wish); // a queue may be away just now
    }

    fn reload(&mut self) {
        let mut plans = self.plans.clone();
        if self.chance.percent(40) {
            plans.remove(self.chance.below(3));
        }
        if self.chance.percent(40)
            && let Some(plan) = plans.first_mut()
        {
            plan.agents.reverse();
        }
        for plan in &mut plans {
            if self.chance.percent(40)
                && let Some(strategy) = self.chance.of(&self.strategies)
            {
                plan.strategy = strategy.clone();
            }
        }
        self.office.house.queues = plans.into_iter().map(Arc::new).collect();
        self.office.people_changed();
    }

    fn strategy_answers(&mut self) {
        if self.office.held.is_empty() {
            return;
        }
        let at = self.chance.below(self.office.held.len());
        let (_, question, strategy) = &self.office.held[at];
        let answer = (self.decides)(&mut self.chance, strategy, question);
        self.office.answer_held(at, answer);
    }

    fn script_acts(&mut self) {
        let ready: Vec<CallId> = self
            .scripts
            .iter()
            .filter(|(_, script)| script.answer.is_some())
            .map(|(call, _)| *call)
            .collect();
        if let Some(call) = self.chance.of(&ready).copied() {
            self.act(call);
        }
    }

    fn act(&mut self, call: CallId) {
        let Some(script) = self.scripts.get_mut(&call) else { return };
        let Some(answer) = script.answer.take() else { return };
        let (doing, place, chance) = (script.doing, script.place, &mut self.chance);
        let (next, command) = match (doing, answer) {
            (Doing::Beginning, _) if script.calls_back => {
                (Doing::Dialling, Some(dial_number("+359888111111")))
            }
            (Doing::Beginning, _) => {
                let (queue, priority) = (*chance.of(&QUEUES).unwrap(), chance.below(3) as i32);
                (Doing::Entering, Some(enter(queue, priority)))
            }
            (Doing::Entering, Answer::Place { place, .. }) => {
                script.place = place;
                match chance.below(10) {
                    0 => {
                        let what = vec![Prompt::Text("welcome".into())];
                        (Doing::Playing, Some(Command::Play { leg: LegNo::CALLER, what, cut_by_key: false }))
                    }
                    1 => (Doing::Playing, Some(Command::Sleep { length: secs(12) })),
                    2 => {
                        let options = Gather {
                            prompts: vec![],
                            most: 3,
                            terminator: None,
                            first: secs(5),
                            between: secs(5),
                        };
                        (Doing::Playing, Some(Command::Gather { leg: LegNo::CALLER, options }))
                    }
                    _ => (Doing::Waiting, Some(wait(place, "1"))),
                }
            }
            (Doing::Playing, _) => (Doing::Waiting, Some(wait(place, "1"))),
            (Doing::Waiting, Answer::Waited(Waited::Connected(leg))) => {
                script.agent = Some(leg.leg);
                match chance.below(20) {
                    0 => (Doing::Nothing, None),
                    1 => (Doing::Playing, Some(Command::HangUp { leg: leg.leg, cause: 16 })),
                    _ => {
                        let bridge = Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() };
                        (Doing::Bridging, Some(bridge))
                    }
                }
            }
            (Doing::Waiting, Answer::Waited(Waited::Digit(_))) => match chance.below(10) {
                0..4 => (Doing::Waiting, Some(wait(place, "1"))),
                4..8 => {
                    let number = format!("+35988877{:04}", chance.below(20));
                    (Doing::CallingBack, Some(Command::CallBack { place, number }))
                }
                8 => (Doing::Playing, Some(Command::SetPriority { place, priority: 7 })),
                _ => (Doing::Beginning, Some(Command::LeaveQueue { place })),
            },
            (Doing::Waiting, Answer::Waited(Waited::Asked(_))) => (Doing::Waiting, Some(wait(place, "1"))),
            // The agent vanished before the bridge: the place is there still, unless the caller left too.
            (Doing::Bridging, Answer::Failed(_)) => (Doing::Waiting, Some(wait(place, ""))),
            (Doing::Dialling, Answer::Leg(leg)) => {
                let bridge = Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() };
                (Doing::Nothing, Some(bridge))
            }
            _ => (Doing::Nothing, None),
        };
        script.doing = next;
        match command {
            Some(command) => self.office.command(call, command),
            None => {
                let failed = self.chance.percent(10);
                self.scripts.get_mut(&call).unwrap().doing = Doing::Nothing;
                let how = if failed { Finish::Failed { why: "trap".into() } } else { Finish::Returned };
                self.office.finish(call, how);
            }
        }
    }

    /// Looks at what was wanted.
    fn notice(&mut self) {
        for effect in self.office.take() {
            match effect {
                Effect::Signal(leg, Signal::Invite(invite)) => {
                    let user = match &invite.to {
                        Destination::Device { user, .. } => Some(user.clone()),
                        Destination::Trunk { number, .. } if number == "+359888000105" => Some("dora".into()),
                        _ => None,
                    };
                    self.phones.insert(leg, Phone { user, call: invite.call, ring: Ring::Ringing });
                }
                Effect::Signal(leg, Signal::HangUp(_) | Signal::Refuse { .. }) => self.end_phone(leg),
                Effect::Reply { call, answer } => {
                    let Some(script) = self.scripts.get_mut(&call) else { continue };
                    assert!(script.answer.replace(answer).is_none(), "a command is answered once");
                }
                Effect::Start { call, script, .. } if script == "strowger/call-back" => {
                    let up = |phone: &Phone| phone.call == call && phone.ring == Ring::Up;
                    let leg = self.phones.iter().find(|(_, phone)| up(phone)).map(|(leg, _)| *leg);
                    let leg = leg.expect("somebody answered");
                    let script = Script {
                        leg,
                        calls_back: true,
                        doing: Doing::Beginning,
                        place: PlaceNo(0),
                        agent: None,
                        answer: Some(Answer::Done),
                    };
                    self.scripts.insert(call, script);
                }
                Effect::Over(record) => self.over(record.id),
                Effect::Fruitless { call } => {
                    assert!(!self.scripts.contains_key(&call), "what a script decided has a record");
                    self.over(call);
                }
                Effect::Tell { kind, about, .. } => self.told(kind, &about),
                _ => {}
            }
        }
    }

    fn over(&mut self, call: CallId) {
        self.scripts.remove(&call);
        let left = self.phones.iter().find(|(_, phone)| phone.call == call && phone.ring != Ring::Over);
        let left = left.map(|(leg, phone)| (leg, &phone.user, phone.ring));
        assert!(left.is_none(), "a telephone is left over: {left:?} of {call}");
        self.phones.retain(|_, phone| phone.call != call);
    }

    fn told(&mut self, kind: &str, about: &[(&str, String)]) {
        (self.witness)(kind, about);
        let of = |name: &str| about.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        match (kind, of("call")) {
            ("queue.entered", Some(call)) => {
                self.entered += 1;
                assert!(self.in_line.insert(call), "a call has one place");
            }
            ("queue.connected" | "queue.call-back", Some(call)) => {
                self.in_line.remove(&call);
            }
            ("queue.missed", Some(call)) if of("reason").as_deref() == Some("vanished") => {
                self.in_line.insert(call);
            }
            ("queue.left" | "queue.called-back", call) => {
                self.ended += 1;
                call.map(|call| self.in_line.remove(&call));
            }
            _ => {}
        }
    }

    pub fn check(&self) {
        let mut rung: HashMap<&str, BTreeSet<CallId>> = HashMap::new();
        let mut up: HashMap<&str, BTreeSet<CallId>> = HashMap::new();
        let mut agents_of: HashMap<CallId, usize> = HashMap::new();
        for phone in self.phones.values() {
            let Some(user) = phone.user.as_deref() else { continue };
            match phone.ring {
                Ring::Ringing => drop(rung.entry(user).or_default().insert(phone.call)),
                Ring::Up => {
                    up.entry(user).or_default().insert(phone.call);
                    *agents_of.entry(phone.call).or_default() += 1;
                }
                Ring::Over => {}
            }
        }
        for (call, (_, user)) in &self.own {
            up.entry(user).or_default().insert(*call);
        }
        for (call, agents) in agents_of {
            assert!(agents <= 1, "{call}: a caller has one agent at most");
        }
        for (user, calls) in &rung {
            assert!(calls.len() == 1, "{user} is offered {} callers", calls.len());
            assert!(!up.contains_key(user), "{user} is offered a call while on another");
        }
        let mut offered: BTreeMap<String, Option<CallId>> = BTreeMap::new();
        let mut waiting = BTreeSet::new();
        for queue in self.office.exchange.queues(self.office.now, "shop") {
            for (at, caller) in queue.waiting.iter().enumerate() {
                assert_eq!(caller.position as usize, at + 1);
                if !caller.call_back {
                    assert!(
                        waiting.insert(caller.call.expect("a call").to_string()),
                        "one place for one call"
                    );
                }
                for agent in &caller.offered {
                    assert!(offered.insert(agent.clone(), caller.call).is_none(), "{agent} is in two offers");
                }
            }
            let today = queue.today;
            let over = today.answered + today.abandoned + today.overflowed + today.called_back + today.left;
            assert!(over <= today.entered);
        }
        assert_eq!(waiting, self.in_line, "nobody's place is lost, and nobody has one who should not");
        for (agent, call) in &offered {
            assert_eq!(self.office.state(agent), AgentState::Offered);
            let calls = rung.get(agent.as_str());
            assert!(
                calls.is_some_and(|calls| Some(*calls.first().unwrap()) == *call),
                "{agent}: an offer rings"
            );
        }
        for user in rung.keys() {
            assert!(offered.contains_key(*user), "{user}: who rings has an offer");
        }
        for agent in self.office.exchange.agents(self.office.now, "shop") {
            let talks = up.contains_key(agent.user.as_str());
            assert_eq!(agent.state == AgentState::Talking, talks, "{}: {:?}", agent.user, agent.state);
        }
    }

    /// Strategies come to their senses: whoever waits and can be served now is.
    pub fn calm(&mut self) {
        self.office.people_changed(); // whatever a mad one had decided is asked again
        for _ in 0..20 {
            self.office.disk_answers(Ok(()));
            while !self.office.held.is_empty() {
                let answer = in_order(&self.office.held[0].1);
                self.office.answer_held(0, answer);
            }
            PEOPLE.iter().for_each(|user| drop(self.office.set_agent(user, AgentWish::Available)));
            self.notice();
            if self.office.held.is_empty() {
                break;
            }
        }
        for queue in self.office.exchange.queues(self.office.now, "shop") {
            let unserved = queue.waiting.iter().filter(|caller| caller.offered.is_empty()).count();
            let idle = queue.agents.iter().filter(|agent| agent.state == AgentState::Available).count();
            assert!(unserved == 0 || idle == 0, "{}: {unserved} wait while {idle} are free", queue.name);
        }
    }

    /// Everyone is there and answers, whoever has a call ends it after a second: nobody starves, however the
    /// strategies choose.
    pub fn serve(&mut self) {
        for person in self.office.house.people.values_mut() {
            person.devices = person.devices.max(1);
        }
        // Queues that were away are back: whoever was promised a call back there waits still.
        let away = |plan: &&QueuePlan| !self.office.house.queues.iter().any(|known| known.name == plan.name);
        let away: Vec<_> = self.plans.iter().filter(away).cloned().map(Arc::new).collect();
        self.office.house.queues.extend(away);
        self.office.people_changed();
        for queue in QUEUES {
            PEOPLE.iter().for_each(|user| {
                let _ = self.office.set_agent(user, AgentWish::SignIn { queue: queue.into() });
            });
        }
        for (call, (leg, _)) in std::mem::take(&mut self.own) {
            self.office.event(leg, Event::Ended);
            self.office.finish(call, Finish::HungUp);
        }
        for _ in 0..SERVED_BY {
            self.office.disk_answers(Ok(()));
            while !self.office.held.is_empty() {
                let (_, question, strategy) = &self.office.held[0];
                let answer = (self.decides)(&mut self.chance, strategy, question);
                self.office.answer_held(0, answer);
            }
            self.notice();
            let line = self.office.exchange.queues(self.office.now, "shop");
            let arriving = [Doing::Beginning, Doing::Entering, Doing::CallingBack];
            let settled = self.scripts.values().all(|script| !arriving.contains(&script.doing));
            if settled && line.iter().all(|queue| queue.waiting.is_empty()) {
                return;
            }
            let phones: Vec<(LegKey, Ring)> = self.phones.iter().map(|(leg, p)| (*leg, p.ring)).collect();
            for (leg, ring) in phones {
                match ring {
                    // One that answered before this may have ended it, or had it taken away.
                    Ring::Ringing
                        if self.phones.get(&leg).is_some_and(|phone| phone.ring == Ring::Ringing) =>
                    {
                        self.phones.get_mut(&leg).unwrap().ring = Ring::Up;
                        self.office.event(leg, Event::Answered);
                    }
                    Ring::Up if self.phones.get(&leg).is_some_and(|phone| phone.ring == Ring::Up) => {
                        let script = self.scripts.get(&self.phones[&leg].call);
                        if script.is_some_and(|script| script.doing == Doing::Nothing || script.leg != leg) {
                            self.end_phone(leg);
                            self.office.event(leg, Event::Ended);
                        }
                    }
                    _ => {}
                }
                self.notice();
            }
            let ready: Vec<CallId> = self.scripts.keys().copied().collect();
            ready.into_iter().for_each(|call| self.act(call));
            self.office.pass(secs(1));
            self.notice();
            self.check();
        }
        let line = self.office.exchange.queues(self.office.now, "shop");
        let waiting: Vec<_> = line.iter().map(|queue| (&queue.strategy, &queue.waiting)).collect();
        panic!("somebody starves: {waiting:#?}");
    }

    /// The process is killed and begins again: whoever was promised a call back is in line, and nobody else.
    pub fn restart(&mut self) {
        self.scripts.clear();
        self.phones.clear();
        self.own.clear();
        self.in_line.clear();
        self.office.restart();
        self.notice();
        let line = self.office.exchange.queues(self.office.now, "shop");
        let of = |queue: &QueueView| -> Vec<(String, String)> {
            queue.waiting.iter().map(|caller| (queue.name.clone(), caller.number.clone())).collect()
        };
        let restored: BTreeSet<_> = line.iter().flat_map(of).collect();
        let promised: BTreeSet<_> = self.office.promises.keys().cloned().collect();
        assert_eq!(restored, promised, "those of a queue that is away just now too");
        self.entered = self.ended + restored.len();
        self.check();
    }

    /// Everyone leaves. Answers how many callers there were.
    pub fn end(mut self) -> usize {
        for (call, (leg, _)) in std::mem::take(&mut self.own) {
            self.office.event(leg, Event::Ended);
            self.office.finish(call, Finish::HungUp);
        }
        // Nobody answers any more, so call backs grow too old.
        PEOPLE.iter().for_each(|user| {
            let _ = self.office.set_agent(user, AgentWish::Paused { reason: "night".into() });
        });
        self.notice();
        let calls: Vec<(CallId, LegKey)> = self.scripts.iter().map(|(call, s)| (*call, s.leg)).collect();
        for (call, leg) in calls {
            self.end_phone(leg);
            self.office.event(leg, Event::Ended);
            self.office.finish(call, Finish::HungUp);
            self.notice();
        }
        self.office.slow_disk = None;
        self.office.pass(secs(9 * 3600));
        self.notice();
        self.check();
        assert!(self.office.promises.is_empty(), "what is over is forgotten");
        assert!(self.office.exchange.is_empty(), "nothing is left");
        assert_eq!(self.entered, self.ended, "every caller came to one end");
        for queue in self.office.exchange.queues(self.office.now, "shop") {
            assert_eq!(queue.waiting, []);
        }
        self.entered
    }
}
