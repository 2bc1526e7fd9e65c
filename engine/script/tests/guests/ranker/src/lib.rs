//! A queue strategy: whoever waited longest for a call gets it, and a word in the queue's settings
//! makes it misbehave.

wit_bindgen::generate!({ world: "queue-strategy", path: "../../../../../wit" });

use strowger::script::{log, strategy};
use strowger::script::types::Prompt;

struct Ranker;

export!(Ranker);

impl Guest for Ranker {
    fn admit(now: &Snapshot, who: &Waiting) -> Admission {
        match now.waiting().len() {
            0..5 => Admission::ComeIn,
            _ => Admission::Other(format!("full for {}", who.number())),
        }
    }

    fn rank(now: &Snapshot) -> Ranking {
        if now.settings().contains("loop") {
            loop {
                std::hint::black_box(&now);
            }
        }
        let mut free: Vec<_> = now.agents().into_iter().filter(|agent| agent.free()).collect();
        free.sort_by_key(|agent| std::cmp::Reverse(agent.since_offered()));
        log::write(log::Level::Info, &format!("{} free in {}", free.len(), now.queue()));
        let pairs = now.waiting().into_iter().zip(free);
        let offer = |(who, agent): (Waiting, strategy::Agent)| strategy::Offer {
            caller: who.id(),
            agents: vec![agent.name()],
            ring: 15_000,
        };
        Ranking { offers: pairs.map(offer).collect(), again: Some(5_000) }
    }

    fn expected_wait(now: &Snapshot, who: &Waiting) -> Option<Millis> {
        let place = now.waiting().iter().position(|waiting| waiting.id() == who.id())?;
        Some(now.service() * place as u32)
    }

    fn announce(_now: &Snapshot, who: &Waiting, said: Millis) -> Announcement {
        let say = match said {
            0..30_000 => vec![],
            _ => vec![Prompt::Digits(who.id().to_string()), Prompt::Silence(500)],
        };
        Announcement { say, again: Some(30_000) }
    }

    fn on_digit(_now: &Snapshot, who: &Waiting, key: char) -> KeyAction {
        match key {
            '1' => KeyAction::Ask("call-back".into()),
            '2' => KeyAction::Say(vec![Prompt::Position(who.position())]),
            _ => KeyAction::Pass,
        }
    }
}
