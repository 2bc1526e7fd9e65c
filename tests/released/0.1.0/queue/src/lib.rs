//! A queue strategy that looks at all that there is.

wit_bindgen::generate!({ world: "queue-strategy", path: "../strowger.wit" });

use strowger::script::strategy::{Agent, Figure, Offer};
use strowger::script::types::Prompt;
use strowger::script::log;

struct Released;

export!(Released);

impl Guest for Released {
    fn admit(now: &Snapshot, who: &Waiting) -> Admission {
        match (now.waiting().len(), who.number().as_str()) {
            (0..5, _) => Admission::ComeIn,
            (_, "") => Admission::Closed,
            _ => Admission::Full,
        }
    }

    fn rank(now: &Snapshot) -> Ranking {
        let seen = format!(
            "{} {} {} {:?} {} {:?} {:?} {:?}",
            now.queue(),
            now.settings(),
            now.names().join("+"),
            now.figures(Figure::Answered),
            now.line(3).len() + now.in_line(3).len() + now.states().len(),
            now.free_figures(Figure::SinceOffered),
            now.levels("bg"),
            now.last_answered()
        );
        log::write(log::Level::Info, &seen);
        let mut free = now.free();
        free.sort_by_key(|agent| (agent.level(), std::cmp::Reverse(agent.since_offered()), busy(agent)));
        let mut waiting = now.waiting();
        waiting.sort_by_key(|who| (std::cmp::Reverse(who.priority()), who.position()));
        let offer = |(who, agent): (Waiting, Agent)| Offer { caller: who.id(), agents: vec![agent.name()], ring: 15_000 };
        let pairs = waiting.into_iter().filter(|who| !who.offered() && who.tried().is_empty()).zip(free);
        Ranking { offers: pairs.map(offer).collect(), again: Some(5_000) }
    }

    fn expected_wait(now: &Snapshot, who: &Waiting) -> Option<Millis> {
        who.expected().or(Some(now.service() * who.position()))
    }

    fn announce(_now: &Snapshot, who: &Waiting, said: Millis) -> Announcement {
        let say = if said == 0 { Vec::new() } else { vec![Prompt::Position(who.position())] };
        Announcement { say, again: Some(30_000) }
    }

    fn on_digit(_now: &Snapshot, _who: &Waiting, key: char) -> KeyAction {
        match key {
            '1' => KeyAction::Ask("call-back".into()),
            '2' => KeyAction::Say(vec![Prompt::Silence(500)]),
            _ => KeyAction::Pass,
        }
    }
}

/// Whatever else an agent is known by.
fn busy(agent: &Agent) -> (u32, u32, u32, u32, u32, u32, u16, usize) {
    (
        agent.offered(),
        agent.answered(),
        agent.talked(),
        agent.signed_in_for(),
        agent.missed_in_a_row(),
        agent.free_for(),
        agent.weight(),
        agent.skills().len(),
    )
}
