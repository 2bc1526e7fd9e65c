//! `[tenant.missed]`: who calls back whom nobody answered, and by when.
//!
//! ```toml
//! [tenant.missed]
//! by = "10:00"                  # on the next business day; no deadline without
//! calendar = "office"           # business days are those on which it says `open` at that time
//! responsible = "vera"          # where the caller has no owner and the queue nobody
//! queues = { sales = "ana" }    # who is responsible for a queue's callers
//! script = "promises"           # a task script, which hears of each change of a call back
//! settings = { sms = "manager" }
//! ```

use std::time::Duration;

use jiff::civil::Time;

use script::Kind;

use super::section::{Section, hint};
use super::tenant::{Known, settings};

const HOUR: Duration = Duration::from_secs(3600);
/// A longer wait is no promise any more.
const MOST_DAYS: u32 = 366;

/// How missed callers are kept track of.
#[derive(Debug, Clone)]
pub struct Missed {
    /// `keep`: whether they are.
    pub keep: bool,
    /// `by`: the time of the next business day.
    pub by: Option<Time>,
    /// `calendar`
    pub calendar: Option<String>,
    /// `open`: the scheme of business hours.
    pub open: String,
    /// `responsible`: a user.
    pub responsible: Option<String>,
    /// `queues`: queue and user.
    pub queues: Vec<(String, String)>,
    /// `give_up_after`: who could not be reached by then is left alone.
    pub give_up_after: Duration,
    /// `follow_up`: whether an owner gets a task when another one spoke with their customer.
    pub follow_up: bool,
    /// `script`: hears of each change of a call back.
    pub script: Option<String>,
    /// `settings` of that script, a JSON object.
    pub settings: String,
}

impl Default for Missed {
    fn default() -> Self {
        Self {
            keep: true,
            by: None,
            calendar: None,
            open: "open".to_owned(),
            responsible: None,
            queues: Vec::new(),
            give_up_after: 30 * 24 * HOUR,
            follow_up: true,
            script: None,
            settings: "{}".to_owned(),
        }
    }
}

impl Missed {
    /// Who is responsible for a caller of this queue that has no owner.
    pub fn responsible_for(&self, queue: &str) -> Option<&str> {
        let own = self.queues.iter().find(|(name, _)| name == queue).map(|(_, user)| user.as_str());
        own.or(self.responsible.as_deref())
    }
}

/// Reads the section.
pub(super) fn missed(section: Section<'_, '_>, known: &Known<'_>, queues: &[&str]) -> Missed {
    let defaults = Missed::default();
    let by = section.text("by", "10:00").and_then(|text| {
        let read = text.value.split_once(':').and_then(|(hour, minute)| {
            let two = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
            Time::new(two(hour)?, two(minute)?, 0, 0).ok()
        });
        if read.is_none() {
            section.mistake(
                text.line,
                format!("\"{}\" is no time of day; write one like \"10:00\"", text.value),
            );
        }
        read
    });
    let calendar = section.text("calendar", "office");
    if let Some(text) = calendar.filter(|text| !known.has_calendar(text.value)) {
        let hint = hint(text.value, known.calendars());
        section.mistake(text.line, format!("there is no calendar \"{}\"; {hint}", text.value));
    }
    let responsible = section.text("responsible", "vera");
    if let Some(text) = responsible {
        known.check_user(&section, text.value, text.line);
    }
    let of_queues = section.texts_by_name("queues", "{ sales = \"ana\" }");
    for (queue, user) in &of_queues {
        let line = section.line_within("queues", &format!("/{queue}"));
        if !queues.contains(&queue.as_str()) {
            let hint = hint(queue, queues.iter().copied());
            section.mistake(line, format!("there is no queue \"{queue}\"; {hint}"));
        }
        known.check_user(&section, user, line);
    }
    let script = section.text("script", "promises");
    if let Some(script) = script {
        known.check_script(&section, script, Kind::Task);
    } else if section.has("settings") {
        let what = "settings are for a script; name it: script = \"promises\"";
        section.mistake(section.line_within("settings", ""), what.to_owned());
    }
    let settings = settings(&section, script.map_or("", |script| script.value), known);
    let missed = Missed {
        keep: section.flag("keep", defaults.keep),
        by,
        calendar: calendar.map(|text| text.value.to_owned()),
        open: section.text("open", "open").map_or(defaults.open, |text| text.value.to_owned()),
        responsible: responsible.map(|text| text.value.to_owned()),
        queues: of_queues,
        give_up_after: section.duration(
            "give_up_after",
            HOUR..=MOST_DAYS * 24 * HOUR,
            defaults.give_up_after,
        ),
        follow_up: section.flag("follow_up", defaults.follow_up),
        script: script.map(|script| script.value.to_owned()),
        settings,
    };
    section.finish();
    missed
}

#[cfg(test)]
mod tests {
    use super::super::tests::{said_in_tenant, world};
    use super::*;

    #[test]
    fn who_calls_back_is_read() {
        let world = world(
            "[[tenant]]\nname = \"a\"\n[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n[[tenant.user]]\nname = \"vera\"\nnumber = \"102\"\n\
             [[tenant.queue]]\nname = \"sales\"\nagents = [\"ana\"]\n[[tenant.calendar]]\nname = \"office\"\ndefault = \"closed\"\n\
             [tenant.missed]\nby = \"10:00\"\ncalendar = \"office\"\nresponsible = \"vera\"\nqueues = { sales = \"ana\" }\n",
        );
        let missed = &world.tenant("a").expect("a").missed;
        assert_eq!((missed.by, missed.keep), (Some(Time::constant(10, 0, 0, 0)), true));
        assert_eq!(
            (missed.responsible_for("sales"), missed.responsible_for("")),
            (Some("ana"), Some("vera"))
        );
    }

    #[test]
    fn a_script_of_another_world_is_told_wherever_it_stands() {
        let world = world(
            "[[tenant]]\nname = \"a\"\n[tenant.missed]\nscript = \"strowger/promises\"\nsettings = { group = \"all\" }\n",
        );
        let missed = &world.tenant("a").expect("a").missed;
        assert_eq!(missed.script.as_deref(), Some("strowger/promises"));
        assert_eq!(missed.settings, "{\"group\":\"all\"}");
        let told = said_in_tenant(
            "[[tenant.number]]\nnumber = \"700\"\nscript = \"strowger/promises\"\n[tenant.missed]\nscript = \"strowger/echo\"\n\
             [[tenant.queue]]\nname = \"sales\"\nstrategy = \"strowger/echo\"\n",
        );
        assert_eq!(
            told,
            [
                "x.toml:6: script \"strowger/promises\" is of world task-script; name one of world call-script here",
                "x.toml:8: script \"strowger/echo\" is of world call-script; name one of world task-script here",
                "x.toml:11: script \"strowger/echo\" is of world call-script; name one of world queue-strategy here",
            ]
        );
        let told = said_in_tenant("[tenant.missed]\nsettings = { group = \"all\" }\n");
        assert_eq!(told, ["x.toml:5: settings are for a script; name it: script = \"promises\""]);
        let told = said_in_tenant(
            "[tenant.missed]\nscript = \"strowger/promises\"\nsettings = { groop = \"all\" }\n",
        );
        assert!(told.len() == 1 && told[0].contains("groop"), "{told:?}");
    }

    #[test]
    fn mistakes_in_who_calls_back_are_told() {
        let told = said_in_tenant(
            "[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n[tenant.missed]\nby = \"25:00\"\ncalendar = \"office\"\nresponsible = \"anna\"\nqueues = { sales = \"ana\" }",
        );
        assert_eq!(
            told,
            [
                "x.toml:8: \"25:00\" is no time of day; write one like \"10:00\"",
                "x.toml:9: there is no calendar \"office\"; there is none yet",
                "x.toml:10: there is no user \"anna\"; write \"ana\"",
                "x.toml:11: there is no queue \"sales\"; there is none yet",
            ]
        );
    }
}
