//! A shop with four users and two carriers, and a clock that a test turns by hand.
#![allow(dead_code)] // each file of tests uses a part of it

pub mod history;
pub mod office;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use exchange::*;

pub const LIMITS: CallLimits = CallLimits {
    concurrent_calls: 100,
    calls_per_second: 20,
    call_length: Duration::from_secs(3600),
    legs_per_call: 64,
};

pub struct Shop {
    pub devices: HashMap<&'static str, usize>,
    pub trunks: Vec<Trunk>,
    /// What every carrier may take until it rings.
    pub rings_within: Option<Duration>,
    pub limits: CallLimits,
    pub tolls: TollLimits,
    /// How conversations of the number 700 are recorded.
    pub recording: Option<RecordingPlan>,
}

impl Directory for Shop {
    fn user(&self, _: &str, name_or_number: &str) -> Option<User> {
        let people = [("ana", "101"), ("boris", "102"), ("vera", "103"), ("goran", "104")];
        let (name, number) =
            people.into_iter().find(|(a, b)| *a == name_or_number || *b == name_or_number)?;
        Some(User { name: name.into(), number: number.into(), mobile: None, skills: vec![] })
    }

    fn group(&self, tenant: &str, name: &str) -> Vec<User> {
        let members: &[&str] = if name == "sales" { &["ana", "boris", "vera"] } else { &[] };
        members.iter().filter_map(|name| self.user(tenant, name)).collect()
    }

    fn devices(&self, _: &str, user: &str) -> Vec<Device> {
        (0..self.devices.get(user).copied().unwrap_or(0)).map(|n| Device(format!("{user}/{n}"))).collect()
    }

    fn trunks(&self, _: &str) -> Vec<Trunk> {
        self.trunks.clone()
    }

    fn rings_within(&self, _: &str, _: &str) -> Option<Duration> {
        self.rings_within
    }

    fn may_call(&self, _: &str, number: &str) -> bool {
        !number.starts_with("+882")
    }

    fn is_vital(&self, _: &str, number: &str) -> bool {
        number == "112"
    }

    fn tolls(&self, _: &str) -> TollLimits {
        self.tolls
    }

    fn is_number(&self, _: &str, dialled: &str) -> bool {
        dialled == "700"
    }

    fn route(&self, _: &str, dialled: &str) -> Option<Route> {
        let script = if dialled == "700" { "menu" } else { "internal" };
        let (script, settings) = (script.to_string(), "{}".to_string());
        (dialled != "666").then(|| Route { script, settings, fallback: vec![], source: None })
    }

    fn recording(&self, _: &str, of: &Conversation<'_>) -> Option<RecordingPlan> {
        self.recording.clone().filter(|_| of.dialled == "700")
    }

    fn pause_keys(&self, _: &str) -> Option<String> {
        Some("*1".into())
    }

    fn limits(&self, _: &str) -> CallLimits {
        self.limits
    }
}

/// An exchange, its surroundings, and all that it wanted done and nobody looked at yet.
pub struct Scene {
    pub shop: Shop,
    pub exchange: Exchange,
    pub now: Instant,
    pub effects: Vec<Effect>,
    pub call: CallId,
    pub caller: LegKey,
}

impl Scene {
    /// A call from outside has just arrived for script "reception".
    pub fn with_call() -> Self {
        Self::with_fallback(vec![])
    }

    pub fn with_fallback(fallback: Vec<Fallback>) -> Self {
        let mut stage = Self::empty();
        let (call, caller) = stage.arrive(fallback);
        stage.call = call;
        stage.caller = caller;
        stage
    }

    /// No call is up.
    pub fn empty() -> Self {
        let now = Instant::now();
        Self {
            shop: Shop {
                devices: [("ana", 1), ("boris", 1), ("vera", 2)].into(),
                trunks: ["first", "second"].map(trunk).into(),
                rings_within: None,
                limits: LIMITS,
                tolls: TollLimits::default(),
                recording: None,
            },
            exchange: Exchange::new(now, 1_795_000_000.0, 7, 0),
            now,
            effects: vec![],
            call: CallId(0),
            caller: LegKey(0),
        }
    }

    pub fn arrive(&mut self, fallback: Vec<Fallback>) -> (CallId, LegKey) {
        let arrival = Arrival {
            tenant: "shop".into(),
            from: Party {
                number: "+359888123456".into(),
                name: None,
                uri: "sip:+359888123456@carrier".into(),
            },
            dialled: "700".into(),
            direction: Direction::Inbound,
            user: None,
            trunk: Some("first".into()),
            headers: Default::default(),
            language: "en".into(),
            sip_call_id: "abc".into(),
            route: Route { script: "reception".into(), settings: "{}".into(), fallback, source: None },
        };
        self.exchange.arrive(self.now, arrival, &self.shop, &mut self.effects)
    }

    /// A user of the tenant calls.
    pub fn arrive_from(&mut self, name: &str) -> (CallId, LegKey) {
        let user = self.shop.user("shop", name).expect("one of the shop's");
        let arrival = Arrival {
            tenant: "shop".into(),
            from: Party { number: user.number, name: Some(user.name.clone()), uri: format!("sip:{name}") },
            dialled: "102".into(),
            direction: Direction::Internal,
            user: Some(user.name),
            trunk: None,
            headers: Default::default(),
            language: "en".into(),
            sip_call_id: "def".into(),
            route: Route { script: "internal".into(), settings: "{}".into(), fallback: vec![], source: None },
        };
        self.exchange.arrive(self.now, arrival, &self.shop, &mut self.effects)
    }

    pub fn command(&mut self, command: Command) {
        self.exchange.handle_command(self.now, self.call, command, &self.shop, &mut self.effects);
    }

    /// A server outside has answered, or not.
    pub fn fetched(&mut self, answer: Answer) {
        self.exchange.handle_fetched(self.now, self.call, answer, &self.shop, &mut self.effects);
    }

    pub fn event(&mut self, leg: LegKey, event: Event) {
        self.exchange.handle_event(self.now, leg, event, &self.shop, &mut self.effects);
    }

    pub fn finish(&mut self, finish: Finish) {
        self.exchange.handle_finish(self.now, self.call, finish, &self.shop, &mut self.effects);
    }

    /// Turns the clock, stopping at every deadline on the way.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.exchange.next_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.exchange.handle_timeout(self.now, &self.shop, &mut self.effects);
        }
        self.now = until;
    }

    /// Everything since the last look.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The one answer among the effects since the last look.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut answers = self.take().into_iter().filter_map(|effect| match effect {
            Effect::Reply { answer, .. } => Some(answer),
            _ => None,
        });
        let answer = answers.next();
        assert!(answers.next().is_none(), "a command is answered once");
        answer
    }

    /// Who was invited since the last look: the leg and, in words, where to.
    pub fn invited(&mut self) -> Vec<(LegKey, String)> {
        let invites = self.take().into_iter().filter_map(|effect| match effect {
            Effect::Signal(key, Signal::Invite(invite)) => Some((key, where_to(&invite.to))),
            _ => None,
        });
        invites.collect()
    }

    pub fn signals(&mut self) -> Vec<(LegKey, Signal)> {
        let signals = self.take().into_iter().filter_map(|effect| match effect {
            Effect::Signal(key, signal) => Some((key, signal)),
            _ => None,
        });
        signals.collect()
    }

    pub fn record(&mut self) -> CallRecord {
        let over = self.take().into_iter().find_map(|effect| match effect {
            Effect::Over(record) => Some(*record),
            _ => None,
        });
        assert!(self.exchange.is_empty(), "nothing is kept of a call that is over");
        over.expect("the call is over")
    }
}

pub fn where_to(to: &Destination) -> String {
    match to {
        Destination::Device { device, .. } => device.0.clone(),
        Destination::Trunk { trunk, number } => format!("{number}@{trunk}"),
        Destination::Uri(uri) => uri.clone(),
    }
}

/// A carrier without bounds.
pub fn trunk(name: &str) -> Trunk {
    let name = name.into();
    Trunk { name, in_service: true, channels: 0, channels_in: 0, channels_out: 0, order: 0, weight: 0 }
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn user(name: &str) -> Target {
    Target::User(name.into())
}

/// Stages of users, each `after` so many seconds; 30 s in all.
pub fn dial(stages: &[(u64, &[&str])], skip_busy: bool) -> Command {
    Command::Dial(Dial {
        stages: stages
            .iter()
            .map(|(after, names)| Stage {
                after: secs(*after),
                targets: names.iter().map(|name| user(name)).collect(),
            })
            .collect(),
        timeout: secs(30),
        ringback: None,
        present: None,
        skip_busy,
    })
}

pub fn dial_number(number: &str) -> Command {
    Command::Dial(Dial {
        stages: vec![Stage { after: secs(0), targets: vec![Target::Number(number.into())] }],
        timeout: secs(30),
        ringback: None,
        present: None,
        skip_busy: false,
    })
}

pub fn failed(failure: Failure) -> Option<Answer> {
    Some(Answer::Failed(failure))
}
