//! One queue of 200 agents on one core, its strategy in its sandbox: 100 callers a second arrive, wait, talk 1.85 s and
//! leave, a minute long. Prints for each shipped strategy what an arrival costs with all that follows from it, how much
//! of that the strategy is, and how late offers came: from the moment when both the agent was free and the caller there.
//! None may be later than 50 ms.
//!
//! `cargo bench -p script --bench queue_load`. There is one core for everything: what is computed takes its CPU time on
//! the virtual clock, decisions too, so that whatever comes meanwhile is late by it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::*;
use script::{Limits, Sandboxes, Settings, Version};
use shipped::{cpu, strategies};

mod shipped;

const AGENTS: usize = 200;
const ARRIVALS: u64 = 6_000;
const BETWEEN: Duration = Duration::from_millis(10);
/// With 200 ms to answer it keeps 200 agents a little busier than they can be, so that callers wait.
const TALK: Duration = Duration::from_millis(1_850);
const PICK_UP: Duration = Duration::from_millis(200);
/// What an agent who is free may be kept waiting.
const LATEST: Duration = Duration::from_millis(50);

struct Company(Arc<QueuePlan>);

impl Directory for Company {
    fn user(&self, _: &str, name: &str) -> Option<User> {
        Some(User { name: name.into(), number: name.into(), mobile: None, skills: vec![] })
    }
    fn group(&self, _: &str, _: &str) -> Vec<User> {
        vec![]
    }
    fn devices(&self, _: &str, user: &str) -> Vec<Device> {
        vec![Device(user.into())]
    }
    fn trunks(&self, _: &str) -> Vec<Trunk> {
        vec![]
    }
    fn limits(&self, _: &str) -> CallLimits {
        CallLimits {
            concurrent_calls: 100_000,
            calls_per_second: 100_000,
            call_length: Duration::from_secs(3600),
            legs_per_call: 64,
        }
    }
    fn queues(&self, _: &str) -> Vec<Arc<QueuePlan>> {
        vec![self.0.clone()]
    }
}

fn company() -> Company {
    let agents =
        (0..AGENTS).map(|n| AgentPlan { user: format!("agent{n}"), level: 1, weight: 1, wrap_up: None });
    let second = Duration::from_secs(1);
    Company(Arc::new(QueuePlan {
        name: "sales".into(),
        strategy: "shipped".into(),
        settings: "{}".into(),
        weight: 1,
        agents: agents.collect(),
        wrap_up: Duration::ZERO,
        handling: Duration::ZERO,
        most_waiting: 0,
        longest_wait: Duration::ZERO,
        resume: Duration::ZERO,
        max_missed: 0,
        after_busy: second,
        after_reject: second,
        after_no_answer: second,
        ring: 20 * second,
        mobile: false,
        music: Prompt::Music("hold".into()),
        call_back: None,
    }))
}

fn arrival(number: u64) -> Arrival {
    Arrival {
        tenant: "shop".into(),
        from: Party { number: format!("+3598{number:08}"), name: None, uri: "tel:1".into() },
        dialled: "700".into(),
        direction: Direction::Inbound,
        user: None,
        trunk: None,
        headers: Default::default(),
        language: "en".into(),
        sip_call_id: "1".into(),
        route: Route { script: "s".into(), settings: "{}".into(), fallback: vec![], source: None },
    }
}

/// The strategy, and how long it computed.
struct Strategy<'a> {
    sandboxes: &'a Sandboxes,
    version: &'a Version,
    limits: Limits,
    decisions: u32,
    took: Duration,
}

impl Strategy<'_> {
    fn decide(&mut self, question: &Question) -> Result<Decided, String> {
        let (sandboxes, version, limits, now) =
            (self.sandboxes, self.version, &self.limits, &question.snapshot);
        let begin = cpu();
        let decided = match question.about {
            About::Admit { who } => {
                sandboxes.admit(version, now, who, limits).map(|d| Decided::Admission(d.answer))
            }
            About::Rank => sandboxes.rank(version, now, limits).map(|d| Decided::Ranking(d.answer)),
            About::ExpectedWait { who } => {
                sandboxes.expected_wait(version, now, who, limits).map(|d| Decided::Length(d.answer))
            }
            About::Announce { who, said } => {
                sandboxes.announce(version, now, who, said, limits).map(|d| Decided::Announcement(d.answer))
            }
            About::OnDigit { who, key } => {
                sandboxes.on_digit(version, now, who, key, limits).map(|d| Decided::KeyAction(d.answer))
            }
        };
        self.took += cpu() - begin;
        self.decisions += 1;
        decided.map_err(|finish| format!("{finish:?}"))
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Arrives,
    Answers(LegKey),
    HangsUp(LegKey),
}

/// Since when an offer was possible, and to whom telephones ring.
#[derive(Default)]
struct Possible {
    /// When each agent was free last.
    free: HashMap<String, Instant>,
    /// When each caller came.
    came: HashMap<CallId, Instant>,
    rings: HashMap<LegKey, String>,
    /// How late each offer was.
    late: Vec<Duration>,
}

fn main() {
    let sandboxes = Sandboxes::new(Settings::default()).expect("this machine has room for the sandboxes");
    for (name, version) in strategies(&sandboxes) {
        // A machine that is busy with other things may stop a decision for longer than its limit.
        let limits = Limits { stretch: Duration::from_secs(1), ..Limits::strategy() };
        let strategy =
            Strategy { sandboxes: &sandboxes, version: &version, limits, decisions: 0, took: Duration::ZERO };
        serve(&name, strategy);
    }
}

fn serve(name: &str, mut strategy: Strategy) {
    let company = company();
    let begin = Instant::now();
    let mut exchange = Exchange::new(begin, 1_795_000_000.0, 1, 0);
    let mut out = Vec::new();
    exchange.people_changed(begin, "shop", &company, &mut out);
    let mut next = BinaryHeap::from([Reverse((begin, Next::Arrives))]);
    let mut callers: HashMap<CallId, LegKey> = HashMap::new();
    let mut agents: HashMap<LegKey, String> = HashMap::new();
    let mut possible = Possible::default();
    let (mut arrived, mut answered, mut most_waiting) = (0u64, 0u64, 0usize);
    let mut busy = Duration::ZERO;
    // Until then the core computes.
    let mut computes_until = begin;
    while let Some(Reverse((due, what))) = next.pop() {
        let now = due.max(computes_until);
        let started = cpu();
        let clock = || now + (cpu() - started);
        match what {
            Next::Arrives => {
                let (call, leg) = exchange.arrive(now, arrival(arrived), &company, &mut out);
                callers.insert(call, leg);
                possible.came.insert(call, due);
                arrived += 1;
                if arrived < ARRIVALS {
                    next.push(Reverse((due + BETWEEN, Next::Arrives)));
                }
            }
            Next::Answers(leg) => {
                // Another was first, and this one rings no longer.
                let Some(agent) = possible.rings.remove(&leg) else { continue };
                agents.insert(leg, agent);
                exchange.handle_event(now, leg, Event::Answered, &company, &mut out);
            }
            Next::HangsUp(leg) => exchange.handle_event(now, leg, Event::Ended, &company, &mut out),
        }
        while !out.is_empty() {
            for effect in std::mem::take(&mut out) {
                match effect {
                    Effect::Decide { ticket, question, .. } => {
                        let answer = strategy.decide(&question);
                        drop(question);
                        assert!(answer.is_ok(), "{name}: {answer:?}");
                        exchange.handle_decision(clock(), ticket, answer, &company, &mut out);
                    }
                    Effect::Start { call, .. } => {
                        let (queue, longest) = ("sales".into(), Duration::ZERO);
                        let enter = Command::EnterQueue { queue, priority: 0, skills: vec![], longest };
                        exchange.handle_command(clock(), call, enter, &company, &mut out);
                    }
                    Effect::Reply { call, answer: Answer::Place { place, .. } } => {
                        let wait = Command::Wait { place, keys: String::new(), hears: None };
                        exchange.handle_command(clock(), call, wait, &company, &mut out);
                    }
                    Effect::Reply { call, answer: Answer::Waited(Waited::Connected(leg)) } => {
                        answered += 1;
                        let bridge = Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() };
                        exchange.handle_command(clock(), call, bridge, &company, &mut out);
                        next.push(Reverse((clock() + TALK, Next::HangsUp(callers[&call]))));
                    }
                    Effect::Reply { call, .. } => {
                        exchange.handle_finish(clock(), call, Finish::HungUp, &company, &mut out);
                    }
                    Effect::Signal(leg, Signal::Invite(invite)) => {
                        let Destination::Device { user, .. } = &invite.to else { continue };
                        let free = possible.free.get(user).copied().unwrap_or(begin);
                        let since = free.max(possible.came[&invite.call]);
                        possible.late.push(clock().saturating_duration_since(since));
                        possible.rings.insert(leg, user.clone());
                        next.push(Reverse((clock() + PICK_UP, Next::Answers(leg))));
                    }
                    Effect::Signal(leg, Signal::HangUp(_)) => {
                        // A conversation is over when the caller hangs up, a telephone rings no longer from now on.
                        let over = agents.remove(&leg).map(|agent| (agent, due));
                        let over = over.or_else(|| possible.rings.remove(&leg).map(|agent| (agent, clock())));
                        possible.free.extend(over);
                    }
                    _ => {}
                }
            }
        }
        busy += cpu() - started;
        computes_until = clock();
        if arrived % 100 == 0 {
            most_waiting = most_waiting.max(exchange.queues(now, "shop")[0].waiting.len());
        }
    }
    assert_eq!(answered, ARRIVALS);
    assert!(exchange.is_empty());
    possible.late.sort();
    let late = &possible.late;
    let (usual, seldom, latest) = (late[late.len() / 2], late[late.len() * 99 / 100], late[late.len() - 1]);
    let each = busy / ARRIVALS as u32;
    println!("{name}: up to {most_waiting} of {ARRIVALS} callers waiting, {} offers", late.len());
    println!(
        "  CPU for an arrival and all that follows: {each:?}, {:.1} % of a core; {} decisions of {:?}",
        each.as_secs_f64() / BETWEEN.as_secs_f64() * 1e2,
        strategy.decisions,
        strategy.took / strategy.decisions.max(1)
    );
    println!("  offers late by {usual:?} usually, {seldom:?} for one in a hundred, {latest:?} at most");
    assert!(latest <= LATEST, "{name}: an offer was {latest:?} late");
}
