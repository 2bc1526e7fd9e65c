//! A line of thousands whom nobody serves: what it costs to tell each of them something. Time is virtual; a strategy
//! answers at once, and what it costs is not counted. The load of a queue that is served, its strategy included, is
//! `script`'s bench of that name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::strategy::{Admission, Announcement, KeyAction, Ranking};
use exchange::*;

/// A line in which nobody is served, and how often each caller in it is told something.
const IN_LINE: usize = 4_000;
const ANNOUNCED_EVERY: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(10);

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

/// A queue without agents.
fn company() -> Company {
    let second = Duration::from_secs(1);
    Company(Arc::new(QueuePlan {
        name: "sales".into(),
        strategy: "first".into(),
        settings: "{}".into(),
        weight: 1,
        agents: vec![],
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
    let company = company();
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
                            About::Admit { .. } => Decided::Admission(Admission::ComeIn),
                            About::Rank => Decided::Ranking(Ranking::default()),
                            About::ExpectedWait { .. } => Decided::Length(None),
                            About::OnDigit { .. } => Decided::KeyAction(KeyAction::Pass),
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
        headers: Default::default(),
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
