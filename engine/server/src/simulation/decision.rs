//! A queue's strategy in `calls.toml`: a `[[decision]]` is a queue at one moment, and who must ring.

use std::sync::Arc;
use std::time::Duration;

use exchange::AgentState;
use exchange::strategy::{Agent, Ranking, Snapshot, Waiting};

use crate::config::section::{Item, Section, hint};

/// The longest that a file may give: of a wait, a pause, a conversation.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Of a conversation, unless said.
const SERVICE: Duration = Duration::from_secs(180);
const STATES: [(&str, AgentState); 6] = [
    ("available", AgentState::Available),
    ("offline", AgentState::Offline),
    ("offered", AgentState::Offered),
    ("talking", AgentState::Talking),
    ("wrap-up", AgentState::WrapUp),
    ("paused", AgentState::Paused),
];

/// A queue at one moment, and what must come of it.
#[derive(Debug)]
pub struct Decision {
    /// What it is about, in words.
    pub name: String,
    /// Where it stands in the file.
    pub line: usize,
    /// The queue.
    pub now: Arc<Snapshot>,
    /// Who must ring, offer by offer; several who ring together are joined by "+".
    pub rings: Vec<String>,
}

impl Decision {
    /// Reads one.
    pub(super) fn read(section: Section<'_, '_>) -> Option<Self> {
        let name = section.required("name", "whoever waited longest rings");
        let settings = section.json("settings").to_string();
        let waiting: Vec<Waiting> = section
            .items("waiting", r#"["+359888123456", { number = "+359888654321", priority = 5 }]"#)
            .into_iter()
            .zip(1..)
            .map(|(item, id)| caller(item, id))
            .collect();
        let agents: Vec<Agent> = section.sections("agent").into_iter().filter_map(agent).collect();
        let service = section.duration("service", Duration::ZERO..=DAY, SERVICE);
        let last_answered = section.text("last_answered", "ana").map(|text| text.value.to_owned());
        let line = section.line;
        let rings = section.texts("rings", r#"["ana", "boris"]"#);
        if rings.is_none() {
            section.mistake(line, "this decision expects nothing; write rings = [\"ana\"], or [] for nobody");
        }
        section.finish();
        let mut now = Snapshot { settings, waiting, agents, service, last_answered, ..Snapshot::default() };
        now.queue = "queue".to_owned();
        place(&mut now.waiting);
        Some(Self {
            name: name?.value.to_owned(),
            line,
            now: Arc::new(now),
            rings: rings?.into_iter().map(|text| text.value.to_owned()).collect(),
        })
    }

    /// What is not as it must be.
    pub fn differences(&self, ranking: &Ranking) -> Vec<String> {
        let rings: Vec<_> = ranking.offers.iter().map(|offer| offer.agents.join("+")).collect();
        if rings == self.rings {
            return Vec::new();
        }
        vec![format!("{} must ring, and {} do", told(&self.rings), told(&rings))]
    }
}

fn told(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// Places by priority, then in the file's order.
fn place(waiting: &mut [Waiting]) {
    let mut order: Vec<usize> = (0..waiting.len()).collect();
    order.sort_by_key(|n| std::cmp::Reverse(waiting[*n].priority));
    for (place, n) in order.into_iter().enumerate() {
        waiting[n].position = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
    }
}

fn caller(item: Item<'_, '_>, id: u32) -> Waiting {
    let section = match item {
        Item::Text(number) => return Waiting { id, number: number.value.to_owned(), ..Waiting::default() },
        Item::Section(section) => section,
    };
    let tried = section.texts("tried", r#"["ana"]"#).unwrap_or_default();
    let priority = section.integer("priority", 0..=100, 0);
    let waiting = Waiting {
        id,
        number: section
            .text("number", "+359888123456")
            .map_or_else(String::new, |text| text.value.to_owned()),
        priority: i32::try_from(priority).unwrap_or(0),
        waited: section.duration("waited", Duration::ZERO..=DAY, Duration::ZERO),
        skills: section.levels("skills", "{ bg = 3 }"),
        last_agent: section.text("last_agent", "ana").map(|text| text.value.to_owned()),
        tried: tried.into_iter().map(|text| text.value.to_owned()).collect(),
        offered: section.flag("offered", false),
        ..Waiting::default()
    };
    section.finish();
    waiting
}

fn agent(section: Section<'_, '_>) -> Option<Agent> {
    let name = section.required("name", "ana");
    let state = section.text("state", "available").map_or(AgentState::Available, |text| {
        let found = STATES.iter().find(|(name, _)| *name == text.value);
        if found.is_none() {
            let hint = hint(text.value, STATES.map(|(name, _)| name));
            section.mistake(text.line, format!("there is no state \"{}\"; {hint}", text.value));
        }
        found.map_or(AgentState::Available, |(_, state)| *state)
    });
    let length = |key| section.duration(key, Duration::ZERO..=DAY, Duration::ZERO);
    let count = |key| u32::try_from(section.integer(key, 0..=1_000_000, 0)).unwrap_or(0);
    let agent = Agent {
        name: name.map_or_else(String::new, |name| name.value.to_owned()),
        state,
        free: section.flag("free", state == AgentState::Available),
        free_for: length("free_for"),
        since_offered: length("since_offered"),
        offered: count("offered"),
        answered: count("answered"),
        talked: length("talked"),
        signed_in_for: length("signed_in_for"),
        missed_in_a_row: count("missed_in_a_row"),
        level: u8::try_from(section.integer("level", 1..=100, 1)).unwrap_or(1),
        weight: u16::try_from(section.integer("weight", 1..=1000, 1)).unwrap_or(1),
        skills: section.levels("skills", "{ bg = 3 }"),
    };
    section.finish();
    name.map(|_| agent)
}
