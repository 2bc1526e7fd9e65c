//! The words of a notice in English, Bulgarian and Russian: a subject, lines of plain text, a simple HTML page and
//! one line for a text message. Numbers stand with units that have no plural, so that no grammar is needed here.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::facts::Facts;
use crate::occasion::Occasion;

/// Notices in a text message that are named; of the others their number is told.
const NAMED: usize = 3;
/// Characters of a text message; the rest is cut. Five parts of 70, as languages beyond Latin get.
const LONGEST_LINE: usize = 335;

/// A language with words here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Bulgarian.
    Bulgarian,
    /// Russian.
    Russian,
}

impl Language {
    /// By a BCP 47 tag; English where there are no words.
    pub fn of(tag: &str) -> Self {
        match tag.split('-').next().unwrap_or_default() {
            "bg" => Self::Bulgarian,
            "ru" => Self::Russian,
            _ => Self::English,
        }
    }

    fn choose(self, en: &'static str, bg: &'static str, ru: &'static str) -> &'static str {
        match self {
            Self::English => en,
            Self::Bulgarian => bg,
            Self::Russian => ru,
        }
    }
}

/// Notices in words.
pub struct Words<'a> {
    /// Whose language.
    pub language: Language,
    /// Whose clock.
    pub zone: &'a TimeZone,
}

impl Words<'_> {
    /// What happened, as one line.
    pub fn subject(&self, occasion: Occasion, facts: &Facts) -> String {
        let who = self.who(facts);
        let of = |en, bg, ru| self.language.choose(en, bg, ru);
        let (before, about, behind) = match occasion {
            Occasion::Missed => {
                (of("Missed call from ", "Пропуснато обаждане от ", "Пропущенный звонок от "), who, "")
            }
            Occasion::Abandoned => (
                "",
                who,
                of(
                    " hung up while waiting",
                    " затвори, без да дочака",
                    ": повесил трубку, не дождавшись ответа",
                ),
            ),
            Occasion::Voicemail => (of("Message from ", "Съобщение от ", "Сообщение от "), who, ""),
            Occasion::Failed => {
                (of("Call failed: ", "Неуспешно обаждане: ", "Звонок не состоялся: "), who, "")
            }
            Occasion::CallBackPromised => (
                of("Call back promised: ", "Обещано обратно обаждане: ", "Обещан обратный звонок: "),
                who,
                "",
            ),
            Occasion::CallBackLate => (
                of("Call back is late: ", "Закъсняло обратно обаждане: ", "Обратный звонок просрочен: "),
                who,
                "",
            ),
            Occasion::TrunkDown => (
                of("Trunk is down: ", "Линията не отговаря: ", "Линия не отвечает: "),
                facts.trunk.clone(),
                "",
            ),
            Occasion::TrunkBack => (
                of("Trunk is back: ", "Линията отново работи: ", "Линия снова работает: "),
                facts.trunk.clone(),
                "",
            ),
            Occasion::HeldBack => (
                of(
                    "Calls outside are held back: ",
                    "Спират се обаждания навън: ",
                    "Звонки наружу остановлены: ",
                ),
                facts.text.clone(),
                "",
            ),
            Occasion::Ended => (of("Call ended: ", "Приключено обаждане: ", "Звонок завершён: "), who, ""),
            Occasion::Script if facts.text.is_empty() => {
                (of("Notice: ", "Известие: ", "Уведомление: "), who, "")
            }
            Occasion::Script => ("", facts.text.lines().next().unwrap_or_default().to_owned(), ""),
        };
        one_line(&format!("{before}{about}{behind}"))
    }

    /// Name and number of whoever called.
    pub fn who(&self, facts: &Facts) -> String {
        match (facts.name.as_str(), facts.number.as_str()) {
            ("", "") => self.language.choose("a withheld number", "скрит номер", "скрытый номер").to_owned(),
            ("", number) => number.to_owned(),
            (name, "") => name.to_owned(),
            (name, number) => format!("{name} ({number})"),
        }
    }

    /// When it began, on the tenant's clock.
    pub fn time(&self, at: f64) -> String {
        let moment = Timestamp::from_millisecond((at * 1000.0) as i64).unwrap_or_default();
        let format = self.language.choose("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S");
        moment.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// A length of time: "40 s", "2 min 5 s".
    pub fn length(&self, seconds: f64) -> String {
        let seconds = seconds.max(0.0).round() as u64;
        let (minute, second) =
            (self.language.choose("min", "мин", "мин"), self.language.choose("s", "с", "с"));
        match (seconds / 60, seconds % 60) {
            (0, s) => format!("{s} {second}"),
            (m, 0) => format!("{m} {minute}"),
            (m, s) => format!("{m} {minute} {s} {second}"),
        }
    }

    /// Names and values, those that there are.
    pub fn rows(&self, facts: &Facts) -> Vec<(String, String)> {
        let of = |en, bg, ru| self.language.choose(en, bg, ru).to_owned();
        let mut rows = Vec::new();
        let mut row = |name: String, value: String| {
            if !value.is_empty() {
                rows.push((name, value));
            }
        };
        row(of("Number", "Номер", "Номер"), facts.number.clone());
        row(of("Name", "Име", "Имя"), facts.name.clone());
        row(of("Company", "Фирма", "Компания"), facts.company.clone());
        row(of("Time", "Време", "Время"), self.time(facts.at));
        row(of("Number dialled", "Набран номер", "Набранный номер"), facts.dialled.clone());
        row(of("Queue", "Опашка", "Очередь"), facts.queue.clone());
        row(of("Waited", "Чакане", "Ожидание"), facts.waited.map(|s| self.length(s)).unwrap_or_default());
        let talked = facts.talked.filter(|seconds| *seconds > 0.0);
        row(of("Talked", "Разговор", "Разговор"), talked.map(|s| self.length(s)).unwrap_or_default());
        row(of("Answered by", "Отговорил", "Ответил"), facts.agent.clone());
        row(of("Source", "Източник", "Источник"), facts.source.clone());
        row(of("Trunk", "Линия", "Линия"), facts.trunk.clone());
        row(of("Recording", "Запис", "Запись"), facts.recordings.join(", "));
        for (name, value) in &facts.more {
            row(name.clone(), value.clone());
        }
        row(of("Call", "Обаждане", "Звонок"), facts.call.clone());
        rows
    }

    fn listen(&self) -> &'static str {
        self.language.choose("Listen", "Прослушване", "Прослушать")
    }

    /// The subject of one notice, or of several together.
    pub fn subject_of(&self, notices: &[(Occasion, Facts)]) -> String {
        match notices {
            [(occasion, facts)] => self.subject(*occasion, facts),
            several => {
                format!("{}: {}", self.language.choose("Notices", "Известия", "Уведомления"), several.len())
            }
        }
    }

    /// The plain text of a mail.
    pub fn text(&self, notices: &[(Occasion, Facts)]) -> String {
        let one = |(occasion, facts): &(Occasion, Facts)| {
            let mut text = self.subject(*occasion, facts) + "\n";
            if facts.text.contains('\n') {
                text += &format!("{}\n", facts.text.trim_end());
            }
            for (name, value) in self.rows(facts) {
                text += &format!("{name}: {}\n", one_line(&value));
            }
            for link in &facts.links {
                text += &format!("{}: {link}\n", self.listen());
            }
            text
        };
        notices.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    /// The same as a page.
    pub fn html(&self, notices: &[(Occasion, Facts)]) -> String {
        let mut page = String::from("<!DOCTYPE html><html><body style=\"font-family:sans-serif\">");
        for (occasion, facts) in notices {
            page += &format!("<h3>{}</h3>", escaped(&self.subject(*occasion, facts)));
            if facts.text.contains('\n') {
                page += &format!("<pre>{}</pre>", escaped(&facts.text));
            }
            page += "<table>";
            for (name, value) in self.rows(facts) {
                page += &format!(
                    "<tr><td style=\"padding-right:1em;color:#666\">{}</td><td>{}</td></tr>",
                    escaped(&name),
                    escaped(&value)
                );
            }
            page += "</table>";
            for link in &facts.links {
                page += &format!("<p><a href=\"{}\">{}</a></p>", escaped(link), self.listen());
            }
        }
        page + "</body></html>"
    }

    /// One line for a text message.
    pub fn line(&self, notices: &[(Occasion, Facts)]) -> String {
        let one = |(occasion, facts): &(Occasion, Facts)| {
            let mut parts = vec![self.subject(*occasion, facts), self.time(facts.at)];
            if !facts.dialled.is_empty() {
                parts.push(format!("→ {}", facts.dialled));
            }
            if let Some(waited) = facts.waited {
                let waited = self.length(waited);
                parts.push(format!("{} {waited}", self.language.choose("waited", "чакане", "ожидание")));
            }
            parts.join(", ")
        };
        let told = match notices {
            [only] => one(only),
            several => {
                let named: Vec<_> = several
                    .iter()
                    .take(NAMED)
                    .map(|(occasion, facts)| self.subject(*occasion, facts))
                    .collect();
                let more = if several.len() > NAMED { "; ..." } else { "" };
                format!("{}. {}{more}", self.subject_of(several), named.join("; "))
            }
        };
        match told.char_indices().nth(LONGEST_LINE) {
            Some((end, _)) => told[..end].to_owned(),
            None => told,
        }
    }

    /// A field of a [`crate::Template`]; empty for one that the facts don't have.
    pub fn field(&self, field: &str, notices: &[(Occasion, Facts)]) -> String {
        let Some((occasion, facts)) = notices.first() else { return String::new() };
        let length = |seconds: Option<f64>| seconds.map(|s| self.length(s)).unwrap_or_default();
        match field {
            "occasion" => occasion.name().to_owned(),
            "subject" => self.subject_of(notices),
            "text" => self.line(notices),
            "who" => self.who(facts),
            "number" => facts.number.clone(),
            "name" => facts.name.clone(),
            "company" => facts.company.clone(),
            "time" => self.time(facts.at),
            "dialled" => facts.dialled.clone(),
            "waited" => length(facts.waited),
            "talked" => length(facts.talked),
            "queue" => facts.queue.clone(),
            "agent" => facts.agent.clone(),
            "trunk" => facts.trunk.clone(),
            "call" => facts.call.clone(),
            _ => String::new(),
        }
    }
}

/// Without line breaks, which would end a header.
fn one_line(text: &str) -> String {
    text.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            call: "01KAG2M7V8Q4ZJ6T9X5B3N1C0D".into(),
            number: "+359888123456".into(),
            name: "Мария <Иванова>".into(),
            dialled: "+35921234567".into(),
            at: 1_795_000_000.0,
            waited: Some(40.4),
            queue: "sales".into(),
            ..Facts::default()
        }
    }

    fn words(language: Language, tell: impl FnOnce(&Words<'_>)) {
        let zone = TimeZone::get("Europe/Sofia").expect("a zone");
        tell(&Words { language, zone: &zone });
    }

    #[test]
    fn whoever_gave_up_is_told_with_number_name_time_number_dialled_and_wait() {
        let notice = [(Occasion::Abandoned, facts())];
        for language in [Language::English, Language::Bulgarian, Language::Russian] {
            words(language, |words| {
                for text in [words.text(&notice), words.line(&notice)] {
                    for part in ["+359888123456", "Мария", "13:06:40", "+35921234567", "40 "] {
                        assert!(text.contains(part), "{language:?} misses {part}: {text}");
                    }
                }
            });
        }
    }

    #[test]
    fn what_others_wrote_cannot_break_a_header_or_a_page() {
        words(Language::English, |words| {
            let name = "x\r\nBcc: all@example\r\n".to_owned();
            let notice = [(Occasion::Missed, Facts { name, ..facts() })];
            assert!(!words.subject_of(&notice).contains(['\r', '\n']));
            let page = words.html(&[(Occasion::Missed, facts())]);
            assert!(page.contains("Мария &lt;Иванова&gt;") && !page.contains("<Иванова>"), "{page}");
        });
    }

    #[test]
    fn a_flood_is_one_line_that_says_how_many() {
        words(Language::Russian, |words| {
            let flood = vec![(Occasion::Missed, facts()); 150];
            let line = words.line(&flood);
            assert!(line.starts_with("Уведомления: 150."), "{line}");
            assert!(line.chars().count() <= LONGEST_LINE);
            assert_eq!(words.text(&flood).matches("+359888123456").count(), 300, "a mail names all of them");
        });
    }

    #[test]
    fn lengths_have_units() {
        words(Language::English, |words| {
            assert_eq!([0.4, 59.6, 125.0].map(|s| words.length(s)), ["0 s", "1 min", "2 min 5 s"]);
        });
    }
}
