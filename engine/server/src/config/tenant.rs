//! `[[tenant]]` and everything in it: what is there, and whether what one part names exists in
//! another.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use exchange::queue::MOST_QUEUES;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use protocol::sdp::Codec;
use protocol::sip::digest::Algorithm;
use script::Kind;

use super::calendar::calendar;
use super::crm::crm;
use super::keep::{Keep, keep};
use super::limits::Limits;
use super::mailbox::mailbox;
use super::missed::{Missed, missed};
use super::notify::notify;
use super::numbering::numbering;
use super::outside::outside;
use super::policy::{ScriptPolicy, policy};
use super::queue::queue;
use super::recording;
use super::section::{Mistake, Section, Text, hint};
use super::speech::{self, SpeechParts};
use super::srtp::srtp;
use super::stir::stir;
use super::tls;
use super::tolls::{Tolls, tolls};
use super::trunk::trunk;
use super::world::{
    Calls, FallbackTarget, Group, Number, Playlist, Role, ScriptFile, TenantParts, Token, User,
};
use crate::flow;
use crate::shipped::{self, SHIPPED};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads one `[[tenant]]`. Mistakes go to the section's source; what is answered makes sense only
/// if there were none.
pub(super) fn tenant(section: Section<'_, '_>) -> Option<TenantParts> {
    let name = section.required("name", "acme");
    if let Some(name) = name {
        check_name(&section, name, "acme");
    }
    let domains = domains(&section);
    let tls = section.section("tls").and_then(tls::shown);
    let timezone =
        section.text("timezone", "Europe/Sofia").map_or(Some(TimeZone::UTC), |text| zone(&section, text));
    let language = section.text("language", "en");
    if let Some(tag) = language.filter(|t| !is_language(t.value)) {
        section.mistake(
            tag.line,
            format!("\"{}\" is no language tag; write one like \"en\" or \"pt-BR\"", tag.value),
        );
    }
    let digest = digest(&section);
    let numbering = section.section("numbering").and_then(numbering);
    let tolls = section.section("tolls").map_or_else(Tolls::default, tolls);
    let stir = section.section("stir").map(stir);
    let srtp_of_users = srtp(&section);
    let codecs = codecs(&section);

    let users = section.sections("user");
    let groups = section.sections("group");
    let numbers = section.sections("number");
    let scripts = section.sections("script");
    let mut names = Names::new("user");
    let mut extensions = Names::new("number");
    let users: Vec<_> = users.into_iter().filter_map(|s| user(s, &mut names, &mut extensions)).collect();
    let mut script_names = Names::new("script");
    let scripts: Vec<_> = scripts.into_iter().filter_map(|s| script(s, &mut script_names)).collect();
    let known = Known {
        users: &users,
        scripts: &scripts,
        groups: section.names("group"),
        queues: section.names("queue"),
        calendars: section.names("calendar"),
        kinds: RefCell::default(),
    };
    let groups = groups_of(&section, groups, &known);
    for (_, file) in &scripts {
        file.iter().filter(|file| flow::is_one(file)).for_each(|file| check_flow(&section, file, &known));
    }
    let numbers: Vec<_> = numbers.into_iter().filter_map(|s| number(s, &known, &mut extensions)).collect();

    let mut trunk_names = Names::new("trunk");
    let signs = stir.as_ref().is_some_and(|stir| stir.signer.is_some());
    let trunks = section.sections("trunk").into_iter();
    let trunks = trunks.filter_map(|s| trunk(s, &mut trunk_names, signs)).collect();
    let mut queue_names = Names::new("queue");
    let queues =
        section.sections("queue").into_iter().filter_map(|s| queue(s, &groups, &known, &mut queue_names));
    let queues: Vec<_> = queues.collect();
    if let Some(beyond) = queues.get(MOST_QUEUES) {
        let what = format!("queue \"{}\" is one more than {MOST_QUEUES}; write fewer", beyond.name);
        section.mistake(section.line, what);
    }
    let crm = section.section("crm").and_then(|s| crm(s, &known)).unwrap_or_default();
    let queue_known: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
    let notify = notify(&section, language.map_or("en", |tag| tag.value), &queue_known);
    let missed = section.section("missed").map_or_else(Missed::default, |s| missed(s, &known, &queue_known));
    let number_known: Vec<&str> = numbers.iter().map(|number| number.number.as_str()).collect();
    let recording = section.section("recording");
    let recording = recording.map(|s| recording::recording(s, &known, &number_known, &queue_known));
    let mut box_names = Names::new("mailbox");
    let mailboxes = section.sections("mailbox").into_iter();
    let mailboxes = mailboxes.filter_map(|s| mailbox(s, &known, &mut box_names)).collect();
    let outside = section.section("http").map_or_else(Default::default, outside);
    let mut calendar_names = Names::new("calendar");
    let zone_of_calendars = timezone.clone().unwrap_or(TimeZone::UTC);
    let calendars = section.sections("calendar").into_iter();
    let calendars =
        calendars.filter_map(|s| calendar(s, &zone_of_calendars, &known, &mut calendar_names)).collect();
    let mut music_names = Names::new("music");
    let music = section.sections("music").into_iter().filter_map(|s| music(s, &mut music_names)).collect();
    let tokens = section.sections("token").into_iter().filter_map(|s| token(s, &known)).collect();
    let calls = section.section("calls").map_or_else(Calls::default, |s| calls(s, &known));
    let speech = section.section("speech").map_or_else(SpeechParts::default, speech::parts);
    let limits = section.section("limits").map_or_else(Limits::default, limits);
    let keep = section.section("keep").map_or_else(Keep::default, keep);
    let scripting = section.section("scripts").map_or_else(ScriptPolicy::default, policy);

    let language = language.map_or("en", |t| t.value).to_owned();
    let users = users.into_iter().map(|(user, _)| user).collect::<Vec<_>>();
    let users = join_groups(users, &groups);
    let scripts =
        scripts.into_iter().filter_map(|(name, file)| Some(ScriptFile { name, file: file? })).collect();
    section.finish();
    Some(TenantParts {
        name: name?.value.to_owned(),
        domains,
        tls,
        timezone: timezone?,
        language,
        numbering,
        tolls,
        stir,
        digest,
        srtp: srtp_of_users,
        codecs,
        speech,
        users,
        groups,
        trunks,
        scripts,
        numbers,
        queues,
        crm,
        missed,
        notify,
        recording: recording.unwrap_or_default(),
        mailboxes,
        outside,
        calendars,
        music,
        calls,
        limits,
        keep,
        scripting,
        tokens,
    })
}

impl Default for Calls {
    fn default() -> Self {
        Self { script: "strowger/internal".to_owned(), settings: "{}".to_owned() }
    }
}

/// What references are checked against.
pub(super) struct Known<'a> {
    users: &'a [(User, Vec<GroupName>)],
    scripts: &'a [(String, Option<std::path::PathBuf>)],
    groups: Vec<String>,
    queues: Vec<String>,
    calendars: Vec<String>,
    /// Of which world each script is that was looked at.
    kinds: RefCell<HashMap<String, Option<Kind>>>,
}

/// A group that a user says to be in, and the line.
type GroupName = (String, usize);

impl Known<'_> {
    pub fn check_user(&self, section: &Section<'_, '_>, name: &str, line: usize) {
        if !self.users.iter().any(|(u, _)| u.name == name) {
            let hint = hint(name, self.users.iter().map(|(u, _)| u.name.as_str()));
            section.mistake(line, format!("there is no user \"{name}\"; {hint}"));
        }
    }

    /// The tenant's own scripts.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &str> + Clone {
        self.scripts.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn has_calendar(&self, name: &str) -> bool {
        self.calendars.iter().any(|known| known == name)
    }

    /// The tenant's calendars, by name.
    pub(super) fn calendars(&self) -> impl Iterator<Item = &str> + Clone {
        self.calendars.iter().map(String::as_str)
    }

    /// What settings may name.
    fn names(&self) -> shipped::Names<'_> {
        fn own(names: &[String]) -> Option<Vec<&str>> {
            Some(names.iter().map(String::as_str).collect())
        }
        let people = self.users.iter().flat_map(|(user, _)| [user.name.as_str(), user.number.as_str()]);
        shipped::Names {
            scripts: Some(self.scripts().collect()),
            users: Some(people.collect()),
            groups: own(&self.groups),
            queues: own(&self.queues),
            calendars: own(&self.calendars),
        }
    }

    /// The user of this name or extension, or what to write.
    pub(super) fn user_of(&self, name_or_number: &str) -> Result<String, String> {
        let same = |user: &User| user.name == name_or_number || user.number == name_or_number;
        let found = self.users.iter().find(|(user, _)| same(user)).map(|(user, _)| user.name.clone());
        found.ok_or_else(|| {
            let hint = hint(name_or_number, self.users.iter().map(|(user, _)| user.name.as_str()));
            format!("there is no user \"{name_or_number}\"; {hint}")
        })
    }

    /// Whether there is this script, and is of this world as far as its file says.
    pub(super) fn check_script(&self, section: &Section<'_, '_>, script: Text<'_>, kind: Kind) {
        self.check_world(section, script, kind);
        let known = self.scripts().chain(SHIPPED.iter().map(|shipped| shipped.name));
        if !known.clone().any(|k| k == script.value) {
            let hint = hint(script.value, known);
            section.mistake(
                script.line,
                format!(
                    "there is no script \"{}\"; {hint}, or declare it with [[tenant.script]]",
                    script.value
                ),
            );
        }
    }

    /// Whether a script can stand where one of this world must: one that is not there, or comes by the API, may.
    pub(super) fn check_world(&self, section: &Section<'_, '_>, script: Text<'_>, kind: Kind) -> bool {
        let is = *self.kinds.borrow_mut().entry(script.value.to_owned()).or_insert_with_key(|name| {
            if let Some(shipped) = SHIPPED.iter().find(|shipped| shipped.name == name) {
                return Kind::of(shipped.component);
            }
            let (_, file) = self.scripts.iter().find(|(known, _)| known == name)?;
            let file = file.as_ref()?;
            if flow::is_one(file) { Some(Kind::Call) } else { Kind::of(&std::fs::read(file).ok()?) }
        });
        if let Some(is) = is.filter(|is| *is != kind) {
            let what = format!(
                "script \"{}\" is of world {}; name one of world {} here",
                script.value,
                is.world(),
                kind.world()
            );
            section.mistake(script.line, what);
            return false;
        }
        true
    }
}

/// Names that may stand only once in a tenant.
pub(super) struct Names<'a> {
    what: &'a str,
    seen: HashMap<String, usize>,
}

impl<'a> Names<'a> {
    pub fn new(what: &'a str) -> Self {
        Self { what, seen: HashMap::new() }
    }

    pub fn claim(&mut self, section: &Section<'_, '_>, name: Text<'_>) {
        if let Some(first) = self.seen.get(name.value) {
            let what = self.what;
            section.mistake(
                name.line,
                format!("{what} \"{}\" is already there in line {first}; write another {what}", name.value),
            );
        } else {
            self.seen.insert(name.value.to_owned(), name.line);
        }
    }
}

fn domains(section: &Section<'_, '_>) -> Vec<String> {
    let mut domains = Vec::new();
    for domain in section.texts("domains", r#"["acme.example"]"#).unwrap_or_default() {
        let lower = domain.value.to_ascii_lowercase();
        if !is_host(&lower) {
            section.mistake(
                domain.line,
                format!("\"{}\" is no domain; write a name like \"acme.example\" without port", domain.value),
            );
        }
        domains.push(lower.trim_matches(['[', ']']).to_owned());
    }
    domains
}

/// `codecs`, the best first; none if nothing is said.
pub(super) fn codecs(section: &Section<'_, '_>) -> Option<Arc<[Codec]>> {
    let texts = section.texts("codecs", r#"["opus", "g722", "pcmu", "pcma"]"#)?;
    let mut codecs = Vec::new();
    for text in &texts {
        match Codec::named(text.value) {
            Some(codec) if !codecs.contains(&codec) => codecs.push(codec),
            Some(_) => section.mistake(text.line, format!("\"{}\" stands there twice", text.value)),
            None => section.mistake(
                text.line,
                format!(
                    "no codec \"{}\" is known; write \"opus\", \"g722\", \"pcmu\" or \"pcma\"",
                    text.value
                ),
            ),
        }
    }
    if texts.is_empty() {
        section.mistake(
            section.line,
            "without a codec nobody is heard; leave \"codecs\" out for all".to_owned(),
        );
    }
    (!codecs.is_empty()).then(|| codecs.into())
}

/// The hashes of `digest`; MD5 alone unless said. RFC 8760 asks for SHA-256 beside it, but telephones in use (baresip
/// before 3, sipp before 3.7) give up on a challenge that they don't know where they should take the other.
fn digest(section: &Section<'_, '_>) -> Arc<[Algorithm]> {
    let example = r#"["SHA-256", "MD5"]"#;
    let Some(texts) = section.texts("digest", example) else { return [Algorithm::Md5].into() };
    let mut digest = Vec::new();
    for text in &texts {
        match Algorithm::ALL.into_iter().find(|known| known.as_str() == text.value) {
            Some(known) if digest.contains(&known) => {
                section.mistake(text.line, format!("\"{}\" is there twice; write it once", text.value));
            }
            Some(known) => digest.push(known),
            None => {
                let hint = hint(text.value, Algorithm::ALL.map(Algorithm::as_str));
                section.mistake(text.line, format!("there is no digest \"{}\"; {hint}", text.value));
            }
        }
    }
    if texts.is_empty() {
        section.mistake(section.line, format!("\"digest\" is empty; write digest = {example}"));
    }
    digest.into()
}

pub(super) fn zone(section: &Section<'_, '_>, text: Text<'_>) -> Option<TimeZone> {
    match TimeZone::get(text.value) {
        Ok(zone) => Some(zone),
        Err(_) => {
            let names: Vec<_> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
            let near = super::section::nearest(text.value, names.iter().map(String::as_str));
            let near = near.unwrap_or("Europe/Sofia");
            section.mistake(text.line, format!("\"{}\" is no time zone; write \"{near}\"", text.value));
            None
        }
    }
}

fn user(
    section: Section<'_, '_>,
    names: &mut Names<'_>,
    extensions: &mut Names<'_>,
) -> Option<(User, Vec<GroupName>)> {
    let name = section.required("name", "ana");
    if let Some(name) = name {
        check_name(&section, name, "ana");
        names.claim(&section, name);
    }
    let number = section.required("number", "101");
    if let Some(number) = number {
        if !is_short(number.value) {
            let what = format!("\"{}\" is no extension; write 1 to 15 digits like \"101\"", number.value);
            section.mistake(number.line, what);
        }
        extensions.claim(&section, number);
    }
    let mobile = section.text("mobile", "+359888000101");
    if let Some(mobile) = mobile.filter(|m| !is_e164(m.value)) {
        section.mistake(mobile.line, not_e164(mobile.value));
    }
    let password = section.secret("password");
    let skills = section.levels("skills", "{ sales = 5 }");
    let supervises = section.flag("supervises", false);
    let codecs = codecs(&section);
    let groups = section.texts("groups", r#"["sales"]"#).unwrap_or_default();
    let groups = groups.into_iter().map(|g| (g.value.to_owned(), g.line)).collect();
    section.finish();
    let user = User {
        name: name?.value.to_owned(),
        number: number?.value.to_owned(),
        password,
        mobile: mobile.map(|m| m.value.to_owned()),
        skills,
        groups: Vec::new(),
        supervises,
        codecs,
    };
    Some((user, groups))
}

/// Groups as declared, then the users that say to be in them.
fn groups_of(tenant: &Section<'_, '_>, sections: Vec<Section<'_, '_>>, known: &Known<'_>) -> Vec<Group> {
    let mut names = Names::new("group");
    let mut groups: Vec<Group> = Vec::new();
    for section in sections {
        let name = section.required("name", "sales");
        if let Some(name) = name {
            check_name(&section, name, "sales");
            names.claim(&section, name);
        }
        let members = section.texts("members", r#"["ana", "boris"]"#).unwrap_or_default();
        for member in &members {
            known.check_user(&section, member.value, member.line);
        }
        let members = members.into_iter().map(|m| m.value.to_owned()).collect();
        if let Some(name) = name {
            groups.push(Group { name: name.value.to_owned(), members });
        }
        section.finish();
    }
    for (user, wanted) in known.users {
        for (name, line) in wanted {
            match groups.iter_mut().find(|g| g.name == *name) {
                Some(group) if group.members.contains(&user.name) => {}
                Some(group) => group.members.push(user.name.clone()),
                None => {
                    let hint = hint(name, groups.iter().map(|g| g.name.as_str()));
                    tenant.mistake(
                        *line,
                        format!("there is no group \"{name}\"; {hint}, or declare it with [[tenant.group]]"),
                    );
                }
            }
        }
    }
    groups
}

fn join_groups(mut users: Vec<User>, groups: &[Group]) -> Vec<User> {
    for user in &mut users {
        user.groups =
            groups.iter().filter(|g| g.members.contains(&user.name)).map(|g| g.name.clone()).collect();
    }
    users
}

/// Name, and the file if the script is not pushed through the API.
fn script(section: Section<'_, '_>, names: &mut Names<'_>) -> Option<(String, Option<std::path::PathBuf>)> {
    let name = section.required("name", "reception");
    if let Some(name) = name {
        check_name(&section, name, "reception");
        names.claim(&section, name);
    }
    let file = section.text("file", "reception.wasm").map(|text| {
        let path = section.source.path(text.value);
        if !path.is_file() {
            section.mistake(
                text.line,
                format!("there is no file \"{}\"; write a path relative to this file", text.value),
            );
        }
        path
    });
    section.finish();
    Some((name?.value.to_owned(), file))
}

/// Tells what is wrong in a flow's file, by its own lines.
fn check_flow(section: &Section<'_, '_>, file: &std::path::Path, known: &Known<'_>) {
    // That it is missing was told.
    let Ok(text) = std::fs::read_to_string(file) else { return };
    for mistake in flow::read(&text, &known.names()).err().into_iter().flatten() {
        let mistake = Mistake { file: file.to_owned(), line: mistake.line, what: mistake.what };
        section.source.mistakes.borrow_mut().push(mistake);
    }
}

fn number(section: Section<'_, '_>, known: &Known<'_>, extensions: &mut Names<'_>) -> Option<Number> {
    let number = section.required("number", "+35921234567");
    if let Some(number) = number {
        if !is_e164(number.value) && !is_short(number.value) {
            section.mistake(number.line, not_e164(number.value));
        }
        extensions.claim(&section, number);
    }
    let script = section.required("script", "strowger/menu");
    if let Some(script) = script {
        known.check_script(&section, script, Kind::Call);
    }
    let settings = settings(&section, script.map_or("", |script| script.value), known);
    let source = section.text("source", "google-ads").map(|s| s.value.to_owned());
    let fallback = section.texts("fallback", r#"["user:ana", "tel:+359888000101", "voicemail:office"]"#);
    let fallback =
        fallback.unwrap_or_default().into_iter().filter_map(|t| fallback_target(&section, t, known));
    let fallback = fallback.collect();
    section.finish();
    Some(Number {
        number: number?.value.to_owned(),
        script: script?.value.to_owned(),
        settings,
        source,
        fallback,
    })
}

fn fallback_target(section: &Section<'_, '_>, text: Text<'_>, known: &Known<'_>) -> Option<FallbackTarget> {
    match text.value.split_once(':') {
        Some(("user", name)) => {
            known.check_user(section, name, text.line);
            Some(FallbackTarget::User(name.to_owned()))
        }
        Some(("tel", number)) if is_e164(number) || is_short(number) => {
            Some(FallbackTarget::Number(number.to_owned()))
        }
        Some(("tel", number)) => {
            section.mistake(text.line, not_e164(number));
            None
        }
        Some(("voicemail", mailbox)) if is_name(mailbox) => {
            Some(FallbackTarget::Voicemail(mailbox.to_owned()))
        }
        _ => {
            let what = format!(
                "\"{}\" is no fallback; write \"user:NAME\", \"tel:NUMBER\" or \"voicemail:NAME\"",
                text.value
            );
            section.mistake(text.line, what);
            None
        }
    }
}

/// Prompts of one playlist; one more is a mistake.
const MOST_PLAYED: usize = 64;

fn music(section: Section<'_, '_>, names: &mut Names<'_>) -> Option<Playlist> {
    let name = section.required("name", "hold");
    if let Some(name) = name {
        check_name(&section, name, "hold");
        names.claim(&section, name);
    }
    let example = r#"["waltz", "our-opening-hours"]"#;
    let play = section.texts("play", example).unwrap_or_default();
    if play.is_empty() || play.len() > MOST_PLAYED {
        section.mistake(
            section.line,
            format!("this music has {} prompts; write 1 to {MOST_PLAYED}: play = {example}", play.len()),
        );
    }
    section.finish();
    Some(Playlist {
        name: name?.value.to_owned(),
        play: play.into_iter().map(|p| p.value.to_owned()).collect(),
    })
}

fn calls(section: Section<'_, '_>, known: &Known<'_>) -> Calls {
    let script = section.text("script", "strowger/internal");
    if let Some(script) = script {
        known.check_script(&section, script, Kind::Call);
    }
    let settings = settings(&section, script.map_or("", |script| script.value), known);
    section.finish();
    Calls { script: script.map_or_else(|| Calls::default().script, |s| s.value.to_owned()), settings }
}

/// `settings`, as the script wants them: what a shipped one can't read is told here, not at the first call.
pub(super) fn settings(section: &Section<'_, '_>, script: &str, known: &Known<'_>) -> String {
    let settings = section.json("settings");
    for misfit in shipped::misfits(script, &settings, &known.names()) {
        let place = if misfit.place.is_empty() { String::new() } else { format!(" at {}", misfit.place) };
        section.mistake(
            section.line_within("settings", &misfit.place),
            format!("the settings of {script} do not fit{place}: {}", misfit.why),
        );
    }
    settings.to_string()
}

fn token(section: Section<'_, '_>, known: &Known<'_>) -> Option<Token> {
    let role = section.required("role", "developer").and_then(|text| {
        let role = text.value.parse().ok();
        if role.is_none() {
            let hint = hint(text.value, Role::NAMES);
            section.mistake(text.line, format!("there is no role \"{}\"; {hint}", text.value));
        }
        role
    });
    let user = section.text("user", "ana");
    if let Some(user) = user {
        known.check_user(&section, user.value, user.line);
    }
    let before = section.source.mistakes.borrow().len();
    let token = section.secret("token");
    if token.is_none() && section.source.mistakes.borrow().len() == before {
        section.mistake(section.line, "[[tenant.token]] has no token; write token_env = \"ACME_TOKEN\"");
    }
    section.finish();
    Some(Token { role: role?, user: user.map(|user| user.value.to_owned()), token: token? })
}

fn limits(section: Section<'_, '_>) -> Limits {
    let d = Limits::default();
    let count = |key: &str, range, default: u32| section.integer(key, range, u64::from(default)) as u32;
    let limits = Limits {
        concurrent_calls: count("concurrent_calls", 1..=100_000, d.concurrent_calls),
        calls_per_second: count("calls_per_second", 1..=10_000, d.calls_per_second),
        call_length: section.duration("call_length", 10 * SECOND..=DAY, d.call_length),
        legs_per_call: count("legs_per_call", 2..=1024, d.legs_per_call),
        contacts_per_user: count("contacts_per_user", 1..=100, d.contacts_per_user),
        requests_per_user: count("requests_per_user", 0..=100_000, d.requests_per_user),
        script_size: section.size("script_size", 1 << 10..=64 << 20, d.script_size),
        script_memory: section.size("script_memory", 1 << 20..=256 << 20, d.script_memory),
        script_cpu: section.duration("script_cpu", Duration::from_millis(1)..=5 * SECOND, d.script_cpu),
        script_rest: section.duration("script_rest", SECOND..=DAY, d.script_rest),
        script_cpu_per_second: section.duration(
            "script_cpu_per_second",
            Duration::from_millis(10)..=64 * SECOND,
            d.script_cpu_per_second,
        ),
        strategy_cpu: section.duration("strategy_cpu", Duration::from_millis(1)..=SECOND, d.strategy_cpu),
        host_calls: count("host_calls", 10..=10_000_000, d.host_calls),
        host_calls_per_second: count("host_calls_per_second", 1..=100_000, d.host_calls_per_second),
        kv_value: section.size("kv_value", 1..=1 << 20, d.kv_value),
        kv_total: section.size("kv_total", 1..=16 << 30, d.kv_total),
        log_line: section.size("log_line", 80..=64 << 10, d.log_line),
        log_call: section.size("log_call", 80..=16 << 20, d.log_call),
        http_time: section.duration("http_time", Duration::from_millis(100)..=60 * SECOND, d.http_time),
        http_request_size: section.size("http_request_size", 1 << 10..=512 << 10, d.http_request_size),
        http_response_size: section.size("http_response_size", 1 << 10..=2 << 20, d.http_response_size),
        http_per_call: count("http_per_call", 1..=10_000, d.http_per_call),
        http_per_second: count("http_per_second", 1..=10_000, d.http_per_second),
        http_at_once: count("http_at_once", 1..=1_000, d.http_at_once),
        prompt_size: section.size("prompt_size", 1 << 10..=256 << 20, d.prompt_size),
    };
    section.finish();
    limits
}

pub(super) fn check_name(section: &Section<'_, '_>, name: Text<'_>, example: &str) {
    if !is_name(name.value) {
        section.mistake(
            name.line,
            format!(
                "\"{}\" is no name; write 1 to 63 of a-z, 0-9, \"-\", \"_\" and \".\" like \"{example}\"",
                name.value
            ),
        );
    }
}

/// 1 to 63 of a-z, 0-9, "-", "_" and ".", beginning with a letter or digit: safe in URLs and files.
pub fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

/// "+" and 7 to 15 digits, the first not 0 (ITU-T E.164 §6.2).
pub(super) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// A number that means something inside the tenant only.
fn is_short(number: &str) -> bool {
    (1..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit() || b == b'*')
}

pub(super) fn not_e164(number: &str) -> String {
    format!(
        "\"{number}\" is no telephone number; write E.164 like \"+35921234567\", or a short one like \"700\""
    )
}

fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|p| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A DNS name, an IPv4 address, or an IPv6 address with or without brackets.
pub(super) fn is_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse::<std::net::IpAddr>().is_ok()
        || (!host.is_empty()
            && host.len() <= 253
            && host.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }))
}

/// A list of networks; what is none is a mistake.
pub(super) fn networks(section: &Section<'_, '_>, key: &str, example: &str) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in section.texts(key, example).unwrap_or_default() {
        match network(text.value) {
            Some(network) => networks.push(network),
            None => section.mistake(
                text.line,
                format!(
                    "\"{}\" is no network; write one like \"192.0.2.0/24\" or \"2001:db8::/32\"",
                    text.value
                ),
            ),
        }
    }
    networks
}

/// A network, or one address as a network of one.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}
