//! The exchange of the town: stack and call control, joined as a shard joins them. Descriptions are the words "talk" and
//! "hold", queues ring all, and scripts are the few steps of [`Script`].

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::strategy::{Admission, Announcement, KeyAction, Offer, Ranking};
use exchange::*;
use protocol::sip::flow::{Destination as Place, Flow, Transport};
use protocol::sip::message::{Message, Request};
use protocol::sip::stack::{
    Admission as Admitted, Cause as Why, EndedBy, Event as Told, Gatekeeper, Invite as Call, Output, Peer,
    SessionId, Stack, StackConfig, With,
};
use protocol::sip::uri::Uri;

use crate::town::{Chance, HOUSE, OUTSIDE, PEOPLE, address, secs};

const TENANT: &str = "shop";
pub const PASSWORD: &str = "Zanzibar";

/// The tenant as call control sees it: each user has a telephone, and one carrier leads outside.
pub struct People {
    queues: Vec<Arc<QueuePlan>>,
}

impl Directory for People {
    fn user(&self, _: &str, name_or_number: &str) -> Option<User> {
        let (name, number) =
            PEOPLE.into_iter().find(|(name, number)| [*name, *number].contains(&name_or_number))?;
        Some(User { name: name.into(), number: number.into(), mobile: None, skills: vec![] })
    }

    fn group(&self, _: &str, _: &str) -> Vec<User> {
        vec![]
    }

    fn devices(&self, _: &str, user: &str) -> Vec<Device> {
        vec![Device(user.into())]
    }

    fn trunks(&self, _: &str) -> Vec<Trunk> {
        let (name, in_service) = ("carrier".into(), true);
        vec![Trunk { name, in_service, channels: 0, channels_in: 0, channels_out: 0, order: 0, weight: 0 }]
    }

    fn is_number(&self, _: &str, dialled: &str) -> bool {
        ["600", "700", "71"].contains(&dialled)
    }

    fn route(&self, _: &str, _: &str) -> Option<Route> {
        Some(route())
    }

    fn limits(&self, _: &str) -> CallLimits {
        let call_length = secs(3 * 3600);
        CallLimits { concurrent_calls: 1_000, calls_per_second: 1_000, call_length, legs_per_call: 64 }
    }

    fn queues(&self, _: &str) -> Vec<Arc<QueuePlan>> {
        self.queues.clone()
    }
}

fn route() -> Route {
    Route { script: "town".into(), settings: "{}".into(), fallback: vec![], source: None }
}

fn sales() -> QueuePlan {
    let agent = |user: &str| AgentPlan { user: user.into(), level: 1, weight: 1, wrap_up: None };
    QueuePlan {
        name: "sales".into(),
        strategy: "all".into(),
        settings: "{}".into(),
        weight: 1,
        agents: ["ana", "boris", "vera"].map(agent).into(),
        wrap_up: secs(2),
        handling: Duration::ZERO,
        most_waiting: 0,
        longest_wait: secs(300),
        resume: Duration::ZERO,
        max_missed: 0,
        after_busy: secs(2),
        after_reject: secs(2),
        after_no_answer: secs(2),
        ring: secs(15),
        mobile: false,
        music: Prompt::Music("queue".into()),
        call_back: None,
    }
}

/// All free agents ring for the first caller.
fn ring_all(question: &Question) -> Decided {
    match question.about {
        About::Admit { .. } => Decided::Admission(Admission::ComeIn),
        About::Rank => {
            let now = &question.snapshot;
            let first = now.waiting.iter().find(|caller| !caller.offered);
            let agents = now.agents.iter().filter(|agent| agent.free).map(|agent| agent.name.clone());
            let agents: Vec<String> = agents.collect();
            let offer = first.filter(|_| !agents.is_empty());
            let offers = offer.map(|caller| Offer { caller: caller.id, agents, ring: secs(15) });
            Decided::Ranking(Ranking { offers: offers.into_iter().collect(), again: None })
        }
        About::ExpectedWait { .. } => Decided::Length(None),
        About::Announce { .. } => Decided::Announcement(Announcement::default()),
        About::OnDigit { .. } => Decided::KeyAction(KeyAction::Pass),
    }
}

/// Telephones show the password of their user; the carrier is known by its address.
struct Door;

impl Gatekeeper for Door {
    fn admit(&self, flow: &Flow, _: &Request) -> Admitted {
        if flow.remote == address(OUTSIDE) {
            return Admitted::Trunk { tenant: TENANT.into(), name: "carrier".into() };
        }
        Admitted::Authenticate { tenant: TENANT.into(), realm: TENANT.into() }
    }

    fn password(&self, _: &str, user: &str) -> Option<Arc<str>> {
        PEOPLE.iter().any(|(name, _)| *name == user).then(|| PASSWORD.into())
    }
}

/// What a call's script does next.
#[derive(Clone, Copy)]
enum Doing {
    /// It rings somebody, waits in a queue or for a parked party.
    Looks,
    /// It retrieves whoever is parked, or else parks its caller.
    Retrieves,
    /// These talk.
    Talks { a: LegNo, b: LegNo },
    /// It carries a transfer out.
    Carries { a: LegNo, b: LegNo },
    /// It refuses one.
    Refuses { a: LegNo, b: LegNo },
}

pub struct House {
    pub stack: Stack,
    pub exchange: Exchange,
    people: People,
    chance: Chance,
    lines: HashMap<LegKey, SessionId>,
    legs: HashMap<SessionId, LegKey>,
    scripts: HashMap<CallId, Doing>,
    /// Scripts think for a moment.
    thinking: Vec<(Instant, CallId, Answer)>,
    /// Who hears whom.
    hears: HashMap<LegKey, LegKey>,
    reports: VecDeque<(LegKey, Event)>,
    effects: Vec<Effect>,
    outputs: Vec<Output>,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    pub begun: usize,
    pub over: usize,
    /// What came about, by kind.
    pub notes: HashMap<&'static str, usize>,
}

impl House {
    pub fn new(now: Instant, seed: u64) -> Self {
        let config = StackConfig {
            instance: b'h',
            advertised: vec![(Transport::Udp, address(HOUSE))],
            likely: Vec::new(),
            user_agent: "strowger".into(),
            timers: None,
        };
        let mut house = Self {
            stack: Stack::new(config, seed),
            exchange: Exchange::new(now, 1_795_000_000.0, seed, 0),
            people: People { queues: vec![Arc::new(sales())] },
            chance: Chance(seed ^ 0x5eed),
            lines: HashMap::new(),
            legs: HashMap::new(),
            scripts: HashMap::new(),
            thinking: Vec::new(),
            hears: HashMap::new(),
            reports: VecDeque::new(),
            effects: Vec::new(),
            outputs: Vec::new(),
            sent: Vec::new(),
            begun: 0,
            over: 0,
            notes: HashMap::new(),
        };
        house.exchange.people_changed(now, TENANT, &house.people, &mut house.effects);
        house.settle(now);
        house
    }

    /// A message arrives; what is sent for it.
    pub fn message(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: Message,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let flow = Flow { transport: Transport::Udp, local: address(HOUSE), remote: from, connection: 0 };
        self.stack.handle_message(now, flow, message, &Door, &mut self.outputs);
        self.settle(now)
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        if self.stack.next_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now, &mut self.outputs);
        }
        self.exchange.handle_timeout(now, &self.people, &mut self.effects);
        let due: Vec<_> = self.thinking.extract_if(.., |(at, ..)| *at <= now).collect();
        due.into_iter().for_each(|(_, call, answer)| self.think(now, call, answer));
        self.settle(now)
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let thinking = self.thinking.iter().map(|(at, ..)| *at);
        thinking.chain(self.stack.next_timeout()).chain(self.exchange.next_timeout()).min()
    }

    /// The dialogs that a lamp could name, as the values of Replaces.
    pub fn dialogs(&self) -> Vec<String> {
        let mut sessions: Vec<_> = self.legs.keys().copied().collect();
        sessions.sort();
        let name = |session: SessionId| {
            let (call_id, ours, theirs) = self.stack.dialog_name(session)?;
            Some(format!("{call_id};to-tag={ours};from-tag={theirs}"))
        };
        sessions.into_iter().filter_map(name).collect()
    }

    /// Call-IDs of the sessions that are not over.
    pub fn call_ids(&self) -> Vec<String> {
        let of = |session: &SessionId| Some(self.stack.dialog_name(*session)?.0.to_owned());
        self.legs.keys().filter_map(of).collect()
    }

    fn settle(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        loop {
            if !self.outputs.is_empty() {
                for output in std::mem::take(&mut self.outputs) {
                    match output {
                        Output::Send { to, bytes } => self.sent.push((to.remote, bytes.to_vec())),
                        Output::Event(event) => self.signalled(now, event),
                    }
                }
            } else if let Some((leg, event)) = self.reports.pop_front() {
                self.exchange.handle_event(now, leg, event, &self.people, &mut self.effects);
            } else if !self.effects.is_empty() {
                for effect in std::mem::take(&mut self.effects) {
                    self.carry_out(now, effect);
                }
            } else {
                break;
            }
        }
        self.check();
        std::mem::take(&mut self.sent)
    }

    /// What holds whenever nothing is left to be done.
    fn check(&self) {
        let legs: usize = self.exchange.calls().map(|call| call.legs).sum();
        assert_eq!(
            legs,
            self.lines.len(),
            "each leg that is not over has one session, and no session is over"
        );
        assert_eq!(self.lines.len(), self.legs.len());
        for (a, b) in &self.hears {
            assert_eq!(self.hears.get(b), Some(a), "whoever hears is heard");
            assert!(
                self.lines.contains_key(a) && self.exchange.leg(*a).is_some(),
                "nobody hears who is gone"
            );
        }
        for (leg, session) in &self.lines {
            assert!(self.exchange.leg(*leg).is_some(), "{session:?} belongs to a call");
        }
    }

    fn signalled(&mut self, now: Instant, event: Told) {
        match event {
            Told::Invited { session, request, peer, .. } => self.invited(now, session, &request, &peer),
            Told::Progress { session, status, sdp, .. } => {
                let event = match status {
                    100 => Event::Trying,
                    _ => Event::Ringing { early_media: sdp.is_some() },
                };
                self.report(session, event);
            }
            Told::Answered { session, .. } => self.report(session, Event::Answered),
            Told::Refused { session, status, cause, .. } => {
                self.report(session, Event::Refused { status, silent: cause != Why::Remote });
                self.forget(session);
            }
            Told::Reinvited { session, offer } => {
                let held = offer.as_deref() == Some(b"hold");
                self.stack.accept_reinvite(now, session, Some("talk".into()), &mut self.outputs);
                self.report(session, if held { Event::Held } else { Event::Resumed });
            }
            Told::Referred { session, to, with } => {
                let with = match with {
                    With::Nobody => None,
                    With::Session(session) => self.legs.get(&session).copied().or(Some(LegKey(0))),
                    With::Unknown => Some(LegKey(0)),
                };
                self.report(session, Event::Transfer { to: Target::Number(dialled(&to)), with });
            }
            Told::Ended { session, by, .. } => {
                if by != EndedBy::Local {
                    self.report(session, Event::Ended);
                }
                self.forget(session);
            }
            _ => {}
        }
    }

    fn report(&mut self, session: SessionId, event: Event) {
        if let Some(leg) = self.legs.get(&session) {
            self.reports.push_back((*leg, event));
        }
    }

    fn forget(&mut self, session: SessionId) {
        if let Some(leg) = self.legs.remove(&session) {
            self.lines.remove(&leg);
            self.part(leg);
        }
    }

    fn invited(&mut self, now: Instant, session: SessionId, request: &Request, peer: &Peer) {
        let place = match self.stack.replaces(request) {
            None => None,
            Some(place) => {
                let place = place.and_then(|place| self.legs.get(&place).copied().ok_or(481));
                match (place, peer) {
                    (Ok(place), Peer::User { .. }) => Some(place),
                    (Ok(_), Peer::Trunk { .. }) => return self.reject(now, session, 603),
                    (Err(status), _) => return self.reject(now, session, status),
                }
            }
        };
        let user = match peer {
            Peer::User { name, .. } => Some(name.to_string()),
            Peer::Trunk { .. } => None,
        };
        let from = request.from().expect("it was checked");
        let number = match &user {
            Some(user) => self.people.user(TENANT, user).map(|user| user.number).unwrap_or_default(),
            None => dialled(&from.uri),
        };
        let arrival = Arrival {
            tenant: TENANT.into(),
            from: Party { uri: format!("sip:{number}"), number, name: user.clone() },
            dialled: dialled(&request.uri),
            direction: if user.is_some() { Direction::Internal } else { Direction::Inbound },
            trunk: user.is_none().then(|| "carrier".into()),
            user,
            headers: Default::default(),
            language: "en".into(),
            sip_call_id: request.call_id().unwrap_or_default().into(),
            route: route(),
        };
        let arrived = match place {
            None => Ok(self.exchange.arrive(now, arrival, &self.people, &mut self.effects)),
            Some(place) => {
                self.exchange.arrive_in_place(now, arrival, place, &self.people, &mut self.effects)
            }
        };
        match arrived {
            Ok((_, leg)) => {
                self.begun += 1;
                self.lines.insert(leg, session);
                self.legs.insert(session, leg);
            }
            Err(_) => self.reject(now, session, 603),
        }
    }

    fn reject(&mut self, now: Instant, session: SessionId, status: u16) {
        self.stack.reject(now, session, status, "", &[], &mut self.outputs);
    }

    fn carry_out(&mut self, now: Instant, effect: Effect) {
        match effect {
            Effect::Start { call, caller, .. } => self.begin(now, call, &caller.dialled),
            Effect::Reply { call, answer } => {
                let later = self.chance.below(4) == 0;
                let moment = Duration::from_millis(if later { self.chance.below(400) } else { 0 });
                self.thinking.push((now + moment, call, answer));
            }
            Effect::Signal(leg, signal) => self.signal(now, leg, signal),
            Effect::Sound(leg, Sound::Relay(other)) => {
                for (a, b) in [(leg, other), (other, leg)] {
                    if let Some(before) = self.hears.insert(a, b).filter(|before| *before != b) {
                        self.hears.remove(&before);
                    }
                }
            }
            Effect::Sound(leg, Sound::Unrelay) => self.part(leg),
            Effect::Decide { ticket, question, .. } => {
                let decided = Ok(ring_all(&question));
                self.exchange.handle_decision(now, ticket, decided, &self.people, &mut self.effects);
            }
            Effect::Note(note) => *self.notes.entry(note.kind).or_default() += 1,
            Effect::Tell { kind: "queue.connected", about, .. } => {
                let kind = match about.iter().any(|(name, _)| *name == "rang") {
                    true => "queue.picked-up",
                    false => "queue.connected",
                };
                *self.notes.entry(kind).or_default() += 1;
            }
            Effect::Over(record) => {
                self.over += 1;
                self.scripts.remove(&record.id);
            }
            _ => {}
        }
    }

    fn part(&mut self, leg: LegKey) {
        if let Some(other) = self.hears.remove(&leg) {
            self.hears.remove(&other);
        }
    }

    fn signal(&mut self, now: Instant, leg: LegKey, signal: Signal) {
        if let Signal::Invite(begin) = signal {
            return self.invite(now, leg, &begin);
        }
        let Some(session) = self.lines.get(&leg).copied() else { return };
        let (stack, out) = (&mut self.stack, &mut self.outputs);
        match signal {
            Signal::Ring => stack.provisional(now, session, 180, "", None, out),
            Signal::EarlyMedia => stack.provisional(now, session, 183, "", Some("talk".into()), out),
            Signal::Answer => stack.answer(now, session, Some("talk".into()), out),
            Signal::Refuse { status, .. } => stack.reject(now, session, status, "", &[], out),
            Signal::HangUp(_) => {
                stack.hang_up(now, session, Some("Q.850;cause=16"), out);
                self.part(leg);
            }
            Signal::AcceptTransfer => stack.accept_refer(now, session, out),
            Signal::RefuseTransfer(status) => stack.refuse_refer(now, session, status, out),
            Signal::ReportTransfer(status) => stack.report_refer(now, session, status, out),
            Signal::Hold | Signal::Resume | Signal::Invite(_) => {}
        }
    }

    fn invite(&mut self, now: Instant, leg: LegKey, begin: &Invite) {
        let (user, at, is_device) = match &begin.to {
            Destination::Device { user, .. } => {
                let at = PEOPLE.iter().position(|(name, _)| name == user).expect("one of the town") + 1;
                (user.clone(), at, true)
            }
            Destination::Trunk { number, .. } => (number.clone(), OUTSIDE, false),
            Destination::Uri(uri) => panic!("nobody was sent to {uri}"),
        };
        let uri = format!("sip:{user}@{}", address(at));
        let call = Call {
            to: format!("<{uri}>"),
            request_uri: uri,
            from: format!("<sip:{}@{}>", begin.present.number, address(HOUSE).ip()),
            contact_user: String::new(),
            destination: Place::new(Transport::Udp, address(at)),
            keep_to_destination: is_device,
            route: vec![],
            headers: vec![],
            sdp: Some("talk".into()),
            credentials: None,
            call_id: None,
            max_forwards: 70,
        };
        let session = self.stack.invite(now, call, &mut self.outputs);
        self.lines.insert(leg, session);
        self.legs.insert(session, leg);
    }

    /// A script begins, by what was dialled.
    fn begin(&mut self, now: Instant, call: CallId, dialled: &str) {
        let ring = |stages: &[(u64, &[&str])]| {
            let stage = |(after, names): &(u64, &[&str])| Stage {
                after: secs(*after),
                targets: names.iter().map(|name| Target::User((*name).into())).collect(),
            };
            let stages = stages.iter().map(stage).collect();
            Dial { stages, timeout: secs(25), ringback: None, present: None, skip_busy: false }
        };
        let (doing, command) = match dialled {
            "600" => (Doing::Looks, Command::Dial(ring(&[(0, &["ana", "boris"]), (4, &["vera", "goran"])]))),
            "700" => {
                let (queue, longest) = ("sales".into(), Duration::ZERO);
                (Doing::Looks, Command::EnterQueue { queue, priority: 0, skills: vec![], longest })
            }
            "71" => (Doing::Retrieves, Command::Retrieve { slot: "71".into() }),
            _ => match (dialled.strip_prefix("*8"), self.people.user(TENANT, dialled)) {
                (Some(number), _) => {
                    let user = self.people.user(TENANT, number).map(|user| user.name).unwrap_or_default();
                    (Doing::Looks, Command::PickUp { user })
                }
                (None, Some(user)) => (Doing::Looks, Command::Dial(ring(&[(0, &[&user.name])]))),
                (None, None) => {
                    let mut dial = ring(&[(0, &[])]);
                    dial.stages[0].targets = vec![Target::Number(dialled.into())];
                    (Doing::Looks, Command::Dial(dial))
                }
            },
        };
        self.scripts.insert(call, doing);
        self.exchange.handle_command(now, call, command, &self.people, &mut self.effects);
    }

    /// A script goes on.
    fn think(&mut self, now: Instant, call: CallId, answer: Answer) {
        let Some(doing) = self.scripts.get(&call).copied() else { return };
        let asks = self.chance.below(3) == 0;
        let talk = |a: LegNo, b: LegNo, asks: bool| {
            let keys = String::new();
            let command = if asks { Command::Talk { a, b, keys } } else { Command::Bridge { a, b, keys } };
            (Doing::Talks { a, b }, command)
        };
        let refuse = |a, b, status| (Doing::Refuses { a, b }, Command::RefuseTransfer { status });
        let next = match (doing, answer) {
            (_, Answer::Failed(Failure::HungUp)) => Err(Finish::HungUp),
            (Doing::Retrieves, Answer::Failed(Failure::NotFound(_))) => {
                let (slot, hears) = ("71".into(), Prompt::Music("hold".into()));
                Ok((Doing::Looks, Command::Park { leg: LegNo::CALLER, slot, most: secs(30), hears }))
            }
            (_, Answer::Place { place, .. }) => {
                Ok((Doing::Looks, Command::Wait { place, keys: String::new(), hears: None }))
            }
            (Doing::Looks, Answer::Leg(leg) | Answer::Waited(Waited::Connected(leg))) => {
                Ok(talk(LegNo::CALLER, leg.leg, asks))
            }
            (Doing::Talks { a, b }, Answer::BridgeEnded(BridgeEnd::Transfer(_))) => {
                match self.chance.below(5) {
                    // It leaves whoever asked without an answer.
                    0 => Err(Finish::Returned),
                    1 => Ok(refuse(a, b, 603)),
                    _ => Ok((Doing::Carries { a, b }, Command::CarryOut { to: None, ring: secs(12) })),
                }
            }
            (Doing::Carries { a, b }, Answer::Failed(_)) => Ok(refuse(a, b, 480)),
            (Doing::Carries { a, b } | Doing::Refuses { a, b }, Answer::Done) => Ok(talk(a, b, true)),
            _ => Err(Finish::Returned),
        };
        match next {
            Ok((doing, command)) => {
                self.scripts.insert(call, doing);
                self.exchange.handle_command(now, call, command, &self.people, &mut self.effects);
            }
            Err(finish) => {
                self.scripts.remove(&call);
                self.exchange.handle_finish(now, call, finish, &self.people, &mut self.effects);
            }
        }
    }
}

fn dialled(uri: &Uri) -> String {
    match uri {
        Uri::Tel(tel) => tel.digits(),
        other => other.user().unwrap_or_default(),
    }
}
