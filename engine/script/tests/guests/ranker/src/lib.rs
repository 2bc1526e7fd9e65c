//! A queue strategy: whoever waited longest for a call gets it, and a word in the queue's settings
//! makes it misbehave.

wit_bindgen::generate!({ world: "queue-strategy", path: "../../../../../wit" });

use strowger::script::log;

struct Ranker;

export!(Ranker);

impl Guest for Ranker {
    fn admit(now: &Snapshot, who: &Waiting) -> Admission {
        match now.waiting().len() {
            0..5 => Admission::ComeIn,
            _ => Admission::Refuse(format!("full for {}", who.number())),
        }
    }

    fn rank(now: &Snapshot) -> Vec<Offer> {
        if now.settings().contains("loop") {
            loop {
                std::hint::black_box(&now);
            }
        }
        let mut free: Vec<_> = now.agents().into_iter().filter(|agent| agent.free()).collect();
        free.sort_by_key(|agent| std::cmp::Reverse(agent.since_offered()));
        log::write(log::Level::Info, &format!("{} free in {}", free.len(), now.queue()));
        let pairs = now.waiting().into_iter().zip(free);
        pairs.map(|(who, agent)| Offer { caller: who.id(), agents: vec![agent.name()], ring: 15_000 }).collect()
    }

    fn expected_wait(now: &Snapshot, who: u32) -> Option<Millis> {
        let place = now.waiting().iter().position(|waiting| waiting.id() == who)?;
        Some(now.service() * place as u32)
    }

    fn announce(_now: &Snapshot, who: u32, last_said: Millis) -> Vec<Prompt> {
        if last_said < 30_000 { vec![] } else { vec![Prompt::Digits(who.to_string()), Prompt::Silence(500)] }
    }
}
