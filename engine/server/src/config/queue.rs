//! `[[tenant.queue]]`: who serves it, the strategy that decides, and the times that callers and agents get.

use std::sync::Arc;
use std::time::Duration;

use exchange::queue::{MOST_AGENTS, MOST_WAITING};
use exchange::{AgentPlan, Prompt, QueuePlan};
use script::Kind;

use super::section::{Item, Section, Text, hint};
use super::tenant::{Known, Names, check_name, settings};
use super::world::Group;
use crate::shipped::SHIPPED;

/// What ranks where nobody says otherwise.
const STRATEGY: &str = "strowger/queue-longest-idle";
/// How the names of shipped strategies begin.
const STRATEGIES: &str = "strowger/queue-";
/// What a group's name is told apart by, where users are named.
const GROUP: &str = "group:";
/// Heard while waiting where nobody says otherwise.
const MUSIC: &str = "hold";

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads one queue.
pub(super) fn queue(
    section: Section<'_, '_>,
    groups: &[Group],
    known: &Known<'_>,
    names: &mut Names<'_>,
) -> Option<Arc<QueuePlan>> {
    let name = section.required("name", "sales");
    if let Some(name) = name {
        check_name(&section, name, "sales");
        names.claim(&section, name);
    }
    let strategy = section.text("strategy", STRATEGY);
    if let Some(strategy) = strategy {
        check_strategy(&section, strategy, known);
    }
    let settings = settings(&section, strategy.map_or(STRATEGY, |strategy| strategy.value), known);
    let agents = agents(&section, groups, known);
    let call_back = section.text("call_back", "strowger/call-back");
    if let Some(script) = call_back {
        known.check_script(&section, script, Kind::Call);
    }
    let seconds = |key: &str, most: Duration, default: u32| {
        section.duration(key, Duration::ZERO..=most, default * SECOND)
    };
    let plan = QueuePlan {
        name: name.map_or("", |name| name.value).to_owned(),
        strategy: strategy.map_or(STRATEGY, |strategy| strategy.value).to_owned(),
        settings,
        weight: section.integer("weight", 1..=1000, 1) as u16,
        agents,
        wrap_up: seconds("wrap_up", HOUR, 0),
        handling: seconds("handling", 24 * HOUR, 0),
        most_waiting: section.integer("most_waiting", 1..=MOST_WAITING as u64, MOST_WAITING as u64) as u32,
        longest_wait: seconds("longest_wait", 24 * HOUR, 0),
        resume: seconds("resume", HOUR, 0),
        max_missed: section.integer("max_missed", 0..=1000, 3) as u32,
        after_busy: seconds("after_busy", HOUR, 30),
        after_reject: seconds("after_reject", HOUR, 30),
        after_no_answer: seconds("after_no_answer", HOUR, 10),
        ring: section.duration("ring", SECOND..=600 * SECOND, 20 * SECOND),
        mobile: section.flag("mobile", false),
        music: Prompt::Music(section.text("music", MUSIC).map_or(MUSIC, |music| music.value).to_owned()),
        call_back: call_back.map(|script| script.value.to_owned()),
    };
    section.finish();
    name.map(|_| Arc::new(plan))
}

fn check_strategy(section: &Section<'_, '_>, strategy: Text<'_>, known: &Known<'_>) {
    if !known.check_world(section, strategy, Kind::Strategy) {
        return;
    }
    let shipped = SHIPPED.iter().map(|shipped| shipped.name).filter(|name| name.starts_with(STRATEGIES));
    let strategies = known.scripts().chain(shipped);
    if !strategies.clone().any(|known| known == strategy.value) {
        let hint = hint(strategy.value, strategies);
        section.mistake(
            strategy.line,
            format!(
                "there is no strategy \"{}\"; {hint}, or declare it with [[tenant.script]]",
                strategy.value
            ),
        );
    }
}

/// `agents = ["ana", { name = "boris", level = 2 }, "group:sales"]`. A member of a group that is named by itself has
/// what is said of it there.
fn agents(section: &Section<'_, '_>, groups: &[Group], known: &Known<'_>) -> Vec<AgentPlan> {
    let mut agents: Vec<AgentPlan> = Vec::new();
    let mut members: Vec<AgentPlan> = Vec::new();
    for item in section.items("agents", r#"["ana", { name = "boris", level = 2 }]"#) {
        let (name, plan) = match item {
            Item::Text(name) => {
                (name, AgentPlan { user: name.value.to_owned(), level: 1, weight: 1, wrap_up: None })
            }
            Item::Section(table) => {
                let name = table.required("name", "boris");
                let wrap_up = table.duration("wrap_up", Duration::ZERO..=HOUR, Duration::ZERO);
                let wrap_up = table.has("wrap_up").then_some(wrap_up);
                let plan = AgentPlan {
                    user: name.map_or("", |name| name.value).to_owned(),
                    level: table.integer("level", 1..=100, 1) as u8,
                    weight: table.integer("weight", 1..=1000, 1) as u16,
                    wrap_up,
                };
                table.finish();
                let Some(name) = name else { continue };
                (name, plan)
            }
        };
        if let Some(group) = name.value.strip_prefix(GROUP) {
            match groups.iter().find(|known| known.name == group) {
                Some(group) => members.extend(
                    group.members.iter().map(|user| AgentPlan { user: user.clone(), ..plan.clone() }),
                ),
                None => {
                    let hint = hint(group, groups.iter().map(|group| group.name.as_str()));
                    section.mistake(name.line, format!("there is no group \"{group}\"; {hint}"));
                }
            }
        } else if agents.iter().any(|agent| agent.user == plan.user) {
            section.mistake(name.line, format!("agent \"{}\" is there twice; write it once", name.value));
        } else {
            known.check_user(section, name.value, name.line);
            agents.push(plan);
        }
    }
    for member in members {
        if !agents.iter().any(|agent| agent.user == member.user) {
            agents.push(member);
        }
    }
    if agents.len() > MOST_AGENTS {
        let what = format!("{} has {} agents; write at most {MOST_AGENTS}", section.name, agents.len());
        section.mistake(section.line, what);
    }
    agents
}
