//! One queue of 200 agents on one core: 100 callers a second arrive, wait, talk 1.8 s and leave. Prints
//! the CPU of the exchange for one arrival with all that follows from it, and the latest offer after an
//! agent was free while somebody waited; then what an announcement costs in a line of thousands. Time is virtual; a strategy answers at once, and what it costs
//! is not counted.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::strategy::{Admission, Announcement, KeyAction, Offer, Ranking};
use exchange::*;

const AGENTS: usize = 200;
const ARRIVALS: u64 = 6_000;
/// A line in which nobody is served, and how often each caller in it is told something.
const IN_LINE: usize = 4_000;
const ANNOUNCED_EVERY: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(10);
/// With 200 ms to answer it keeps 200 agents a little busier than they can be, so that callers wait.
const TALK: Duration = Duration::from_millis(1_850);
const PICK_UP: Duration = Duration::from_millis(200);

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

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Arrives,
    Answers(LegKey),
    HangsUp(LegKey),
}

fn decide(question: &Question) -> Decided {
    match question.about {
        About::Admit { .. } => Decided::Admission(Admission::ComeIn),
        About::Rank => {
            let now = &question.snapshot;
            let free = now.agents.iter().filter(|agent| agent.free);
            let callers = now.waiting.iter().filter(|caller| !caller.offered);
            let offers = callers.zip(free).map(|(caller, agent)| Offer {
                caller: caller.id,
                agents: vec![agent.name.clone()],
                ring: Duration::from_secs(20),
            });
            Decided::Ranking(Ranking { offers: offers.collect(), again: None })
        }
        About::ExpectedWait { .. } => Decided::Length(None),
        About::Announce { .. } => Decided::Announcement(Announcement::default()),
        About::OnDigit { .. } => Decided::KeyAction(KeyAction::Pass),
    }
}

fn company(agents: usize) -> Company {
    let agents =
        (0..agents).map(|n| AgentPlan { user: format!("agent{n}"), level: 1, weight: 1, wrap_up: None });
    let second = Duration::from_secs(1);
    Company(Arc::new(QueuePlan {
        name: "sales".into(),
        strategy: "first".into(),
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

fn main() {
    serve();
    announce();
}

fn serve() {
    let company = company(AGENTS);
    let begin = Instant::now();
    let mut now = begin;
    let mut exchange = Exchange::new(now, 1_795_000_000.0, 1, 0);
    let mut out = Vec::new();
    exchange.people_changed(now, "shop", &company, &mut out);
    let mut next = BinaryHeap::from([Reverse((now, Next::Arrives))]);
    let mut callers: HashMap<CallId, LegKey> = HashMap::new();
    let (mut arrived, mut answered, mut decisions, mut most_waiting) = (0u64, 0u64, 0u64, 0usize);
    let (mut cpu, mut latest) = (Duration::ZERO, Duration::ZERO);
    // When the last agent became free while callers waited, and nobody has been rung since.
    let mut free_since: Option<Instant> = None;
    while let Some(Reverse((due, what))) = next.pop() {
        now = due;
        let step = Instant::now();
        match what {
            Next::Arrives => {
                let arrival = Arrival {
                    tenant: "shop".into(),
                    from: Party { number: format!("+3598{arrived:08}"), name: None, uri: "tel:1".into() },
                    dialled: "700".into(),
                    direction: Direction::Inbound,
                    user: None,
                    trunk: None,
                    headers: vec![],
                    language: "en".into(),
                    sip_call_id: "1".into(),
                    route: Route {
                        script: "s".into(),
                        settings: "{}".into(),
                        fallback: vec![],
                        source: None,
                    },
                };
                let (call, leg) = exchange.arrive(now, arrival, &company, &mut out);
                callers.insert(call, leg);
                arrived += 1;
                if arrived < ARRIVALS {
                    next.push(Reverse((now + BETWEEN, Next::Arrives)));
                }
            }
            Next::Answers(leg) => exchange.handle_event(now, leg, Event::Answered, &company, &mut out),
            Next::HangsUp(leg) => {
                exchange.handle_event(now, leg, Event::Ended, &company, &mut out);
                free_since = Some(now);
            }
        }
        cpu += step.elapsed();
        while !out.is_empty() {
            for effect in std::mem::take(&mut out) {
                let step = Instant::now();
                let mut asked = Duration::ZERO;
                match effect {
                    Effect::Decide { ticket, question, .. } => {
                        let before = Instant::now();
                        let answer = decide(&question);
                        drop(question);
                        asked = before.elapsed();
                        decisions += 1;
                        exchange.handle_decision(now, ticket, Ok(answer), &company, &mut out);
                    }
                    Effect::Start { call, .. } => {
                        let enter = Command::EnterQueue {
                            queue: "sales".into(),
                            priority: 0,
                            skills: vec![],
                            longest: Duration::ZERO,
                        };
                        exchange.handle_command(now, call, enter, &company, &mut out);
                    }
                    Effect::Reply { call, answer: Answer::Place { place, .. } } => {
                        let wait = Command::Wait { place, keys: String::new(), hears: None };
                        exchange.handle_command(now, call, wait, &company, &mut out);
                    }
                    Effect::Reply { call, answer: Answer::Waited(Waited::Connected(leg)) } => {
                        answered += 1;
                        let bridge = Command::Bridge { a: LegNo::CALLER, b: leg.leg, keys: String::new() };
                        exchange.handle_command(now, call, bridge, &company, &mut out);
                        next.push(Reverse((now + TALK, Next::HangsUp(callers[&call]))));
                    }
                    Effect::Reply { call, .. } => {
                        exchange.handle_finish(now, call, Finish::HungUp, &company, &mut out);
                    }
                    Effect::Signal(leg, Signal::Invite(_)) => {
                        if let Some(since) = free_since.take() {
                            // Virtual time does not pass while it computes: what it computed is the delay.
                            latest = latest.max(now.duration_since(since) + step.elapsed());
                        }
                        next.push(Reverse((now + PICK_UP, Next::Answers(leg))));
                    }
                    _ => {}
                }
                cpu += step.elapsed().saturating_sub(asked);
            }
        }
        latest = latest.max(step.elapsed());
        if arrived % 100 == 0 {
            most_waiting = most_waiting.max(exchange.queues(now, "shop")[0].waiting.len());
        }
    }
    assert_eq!(answered, ARRIVALS);
    assert!(exchange.is_empty());
    let each = cpu / ARRIVALS as u32;
    println!(
        "{ARRIVALS} arrivals at 100/s, {AGENTS} agents, up to {most_waiting} waiting, {decisions} decisions"
    );
    println!(
        "CPU for an arrival and all that follows: {each:?}; of one core at 100/s: {:.2} %",
        each.as_secs_f64() * 1e4
    );
    println!("longest step, an offer after an agent is free included: {latest:?}");
}

/// A line of thousands whom nobody serves, and what it costs to tell each of them something.
fn announce() {
    let company = company(0);
    let mut now = Instant::now();
    let mut exchange = Exchange::new(now, 1_795_000_000.0, 1, 0);
    let mut out = Vec::new();
    let (mut told, mut cpu) = (0u32, Duration::ZERO);
    let answer = |exchange: &mut Exchange, now: Instant, out: &mut Vec<Effect>, told: &mut u32| {
        while !out.is_empty() {
            for effect in std::mem::take(out) {
                match effect {
                    Effect::Decide { ticket, question, .. } => {
                        let decided = match question.about {
                            About::Announce { .. } => {
                                *told += 1;
                                let again = Some(ANNOUNCED_EVERY);
                                Decided::Announcement(Announcement { say: vec![Prompt::Position(1)], again })
                            }
                            _ => decide(&question),
                        };
                        exchange.handle_decision(now, ticket, Ok(decided), &company, out);
                    }
                    Effect::Start { call, .. } => {
                        let (queue, longest) = ("sales".into(), Duration::ZERO);
                        let enter = Command::EnterQueue { queue, priority: 0, skills: vec![], longest };
                        exchange.handle_command(now, call, enter, &company, out);
                    }
                    Effect::Reply { call, answer: Answer::Place { place, .. } } => {
                        let wait = Command::Wait { place, keys: String::new(), hears: None };
                        exchange.handle_command(now, call, wait, &company, out);
                    }
                    _ => {}
                }
            }
        }
    };
    let arrival = || Arrival {
        tenant: "shop".into(),
        from: Party { number: "+359888123456".into(), name: None, uri: "tel:1".into() },
        dialled: "700".into(),
        direction: Direction::Inbound,
        user: None,
        trunk: None,
        headers: vec![],
        language: "en".into(),
        sip_call_id: "1".into(),
        route: Route { script: "s".into(), settings: "{}".into(), fallback: vec![], source: None },
    };
    for _ in 0..IN_LINE {
        exchange.arrive(now, arrival(), &company, &mut out);
        answer(&mut exchange, now, &mut out, &mut told);
        now += BETWEEN;
    }
    told = 0;
    let until = now + ANNOUNCED_EVERY;
    while let Some(due) = exchange.next_timeout().filter(|due| *due < until) {
        now = due;
        let step = Instant::now();
        exchange.handle_timeout(now, &company, &mut out);
        answer(&mut exchange, now, &mut out, &mut told);
        cpu += step.elapsed();
    }
    println!("{told} announcements in a line of {IN_LINE}: CPU for each {:?}", cpu / told.max(1));
}
