//! The configuration: TOML, one file or a folder with one per tenant, read into a [`World`].
//!
//! Every mistake is told at once, each as `file:line: what is wrong; write ...`; a world with a
//! mistake is no world, so a reload changes all or nothing. Paths in a file are relative to its
//! folder, and secrets may stand in the environment or in files of their own.

mod calendar;
mod crm;
mod demo;
mod keep;
mod limits;
mod mailbox;
mod missed;
mod notify;
mod numbering;
mod outside;
mod policy;
mod queue;
mod recording;
pub(crate) mod section;
mod speech;
mod srtp;
mod stir;
mod tenant;
mod tls;
mod tolls;
mod traces;
mod trunk;
mod world;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use demo::{Demo, demo};
pub use keep::Keep;
pub use limits::Limits;
pub use mailbox::Mailbox;
pub use missed::Missed;
pub use notify::{
    HttpTemplate, MailSecurity, MailServer, MessageCentre, Notify, Recipient, SmsService, Webhook,
};
pub use numbering::{Notation, Numbering, TrunkNumbers};
pub use outside::{Outside, Server};
pub use policy::{Refuse, ScriptPolicy};
pub use recording::Recording;
pub use section::Mistake;
pub use speech::{HttpMethod, HttpSpeech, Speech, SpeechAnswer, SpeechEngine, SpeechSettings};
pub use stir::Stir;
pub use tenant::is_name;
pub use tolls::Tolls;
pub use traces::TraceSettings;
pub use world::*;

use crate::signalling::Limits as ConnectionLimits;
use crate::throttle::Rate;
use section::{Section, Source, Text};

/// A file larger than this is not read: nobody writes it by hand.
const MOST_BYTES: u64 = 8 << 20;

/// Tenants in one process; a further one is a mistake.
const MOST_TENANTS: usize = 10_000;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Why there is no world: each mistake, by file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads the file, or every `*.toml` of the folder, with secrets from this process's environment.
///
/// # Errors
/// Every mistake found, sorted by file and line.
pub fn load(path: &Path) -> Result<World, Mistakes> {
    let files =
        files(path).map_err(|what| Mistakes(vec![Mistake { file: path.to_owned(), line: 0, what }]))?;
    read(&files, &|name| std::env::var(name).ok())
}

/// Builds the world from files already read: path and text of each.
///
/// # Errors
/// As [`load`].
pub fn read(files: &[(PathBuf, String)], env: &dyn Fn(&str) -> Option<String>) -> Result<World, Mistakes> {
    let mut mistakes = Vec::new();
    let mut parts = Parts::default();
    for (file, text) in files {
        let source = Source { file, text, env, mistakes: RefCell::default() };
        source.read(|section| parts.read(section));
        mistakes.append(&mut source.mistakes.into_inner());
    }
    let world = parts.join(files.first().map(|(file, _)| file.as_path()), &mut mistakes);
    mistakes.sort();
    mistakes.dedup();
    match world {
        Some(world) if mistakes.is_empty() => Ok(world),
        _ => Err(Mistakes(mistakes)),
    }
}

/// What the files have given so far, and where.
#[derive(Default)]
struct Parts {
    node: Option<NodeSettings>,
    sip: Option<SipSettings>,
    media: Option<MediaSettings>,
    http: Option<HttpSettings>,
    speech: Option<SpeechSettings>,
    traces: Option<Option<TraceSettings>>,
    tenants: Vec<(TenantParts, Place)>,
}

/// A file and a line.
type Place = (PathBuf, usize);

impl Parts {
    fn read(&mut self, root: Section<'_, '_>) {
        once(&root, "node", &mut self.node, node);
        once(&root, "sip", &mut self.sip, sip);
        once(&root, "media", &mut self.media, media);
        once(&root, "http", &mut self.http, http);
        once(&root, "speech", &mut self.speech, speech::settings);
        once(&root, "traces", &mut self.traces, traces::traces);
        for section in root.sections("tenant") {
            let place = (root.source.file.to_owned(), section.line);
            self.tenants.extend(tenant::tenant(section).map(|tenant| (tenant, place)));
        }
        root.finish();
    }

    /// Checks what only all files together show.
    fn join(self, first_file: Option<&Path>, mistakes: &mut Vec<Mistake>) -> Option<World> {
        let sound_so_far = mistakes.is_empty();
        let mut names: HashMap<String, Place> = HashMap::new();
        let mut domains: HashMap<String, Place> = HashMap::new();
        let mut tell = |(file, line): &Place, what: String| {
            mistakes.push(Mistake { file: file.clone(), line: *line, what });
        };
        for (tenant, place) in &self.tenants {
            if let Some((file, line)) = names.insert(tenant.name.clone(), place.clone()) {
                let first = format!("{}:{line}", file.display());
                tell(place, format!("tenant \"{}\" is already in {first}; write another name", tenant.name));
            }
            for domain in &tenant.domains {
                if let Some((file, line)) = domains.insert(domain.clone(), place.clone()) {
                    let first = format!("{}:{line}", file.display());
                    tell(
                        place,
                        format!(
                            "domain \"{domain}\" already belongs to the tenant in {first}; write another domain"
                        ),
                    );
                }
            }
        }
        let http = self.http.unwrap_or_default();
        let mut tokens: Vec<&Secret> = http.operator_token.iter().collect();
        for (tenant, place) in &self.tenants {
            for Token { token, .. } in &tenant.tokens {
                if tokens.contains(&token) {
                    tell(
                        place,
                        format!(
                            "a token of tenant \"{}\" is in use twice; write a token of its own for each",
                            tenant.name
                        ),
                    );
                }
                tokens.push(token);
            }
        }
        if self.tenants.is_empty() && sound_so_far {
            let file = first_file?.to_owned();
            tell(&(file, 0), "there is no tenant; write [[tenant]] with a name and domains".to_owned());
        } else if self.tenants.len() > MOST_TENANTS {
            tell(
                &self.tenants[MOST_TENANTS].1,
                format!("there are more than {MOST_TENANTS} tenants; write fewer"),
            );
        }
        let data = first_file.and_then(Path::parent).unwrap_or(Path::new("")).join("data");
        let node = self.node.unwrap_or_else(|| NodeSettings::at(data));
        let speech = self.speech.unwrap_or_default();
        let tenants = self.tenants.into_iter().map(|(parts, _)| Tenant::new(parts, &speech.shared));
        let tenants = tenants.map(Arc::new).collect();
        Some(World::new(
            node,
            self.sip.unwrap_or_default(),
            self.media.unwrap_or_default(),
            http,
            speech,
            self.traces.flatten(),
            tenants,
        ))
    }
}

/// Reads a section that may stand in one file only.
fn once<T>(root: &Section<'_, '_>, key: &str, place: &mut Option<T>, read: fn(Section<'_, '_>) -> T) {
    let Some(section) = root.section(key) else { return };
    if place.is_some() {
        root.mistake(section.line, format!("[{key}] is already in another file; write it in one of them"));
    }
    *place = Some(read(section));
}

fn node(section: Section<'_, '_>) -> NodeSettings {
    let data = section.text("data", "data").map_or("data", |t| t.value);
    let default = NodeSettings::at(section.source.path(data));
    let store = match section.text("store", "sled") {
        None | Some(Text { value: "sled", .. }) => StoreKind::Sled,
        Some(Text { value: "redb", .. }) => StoreKind::Redb,
        Some(other) => {
            let hint = section::hint(other.value, ["sled", "redb"]);
            section.mistake(other.line, format!("there is no store \"{}\"; {hint}", other.value));
            StoreKind::Sled
        }
    };
    let settings = NodeSettings {
        store,
        drain: section.duration("drain", Duration::ZERO..=24 * HOUR, default.drain),
        shards: Some(section.integer("shards", 1..=256, 0) as usize).filter(|n| *n > 0),
        sandboxes: section.integer("sandboxes", 1..=100_000, default.sandboxes as u64) as usize,
        recover_calls: section.flag("recover_calls", default.recover_calls),
        recover_within: section.duration("recover_within", SECOND..=HOUR, default.recover_within),
        compile: script::Bounds {
            memory: section.size("compile_memory", 64 << 20..=64 << 30, default.compile.memory),
            cpu: section.duration("compile_cpu", SECOND..=HOUR, default.compile.cpu),
            time: section.duration("compile_time", SECOND..=HOUR, default.compile.time),
        },
        data: default.data,
    };
    section.finish();
    settings
}

fn banning(section: Section<'_, '_>) -> Banning {
    let default = Banning::default();
    let banning = Banning {
        after: section.integer("after", 0..=10_000, default.after.into()) as u32,
        length: section.duration("for", SECOND..=24 * HOUR, default.length),
        never: tenant::networks(&section, "never", r#"["10.0.0.0/8"]"#),
    };
    section.finish();
    banning
}

/// What one address may send: an office of thousands of telephones whose power is back, and no more.
const THROTTLE: Rate = Rate { per_second: 400, burst: 4_000 };

fn throttle(section: Section<'_, '_>) -> Rate {
    let per_second = section.integer("messages_per_second", 0..=1_000_000, THROTTLE.per_second.into()) as u32;
    let usual = (u64::from(per_second) * 10).max(1);
    let rate = Rate { per_second, burst: section.integer("burst", 1..=10_000_000, usual) as u32 };
    section.finish();
    rate
}

impl NodeSettings {
    /// The defaults, with state in `data`.
    pub fn at(data: PathBuf) -> Self {
        Self {
            data,
            store: StoreKind::Sled,
            drain: 30 * SECOND,
            shards: None,
            sandboxes: 8000,
            recover_calls: true,
            recover_within: 60 * SECOND,
            compile: script::Bounds::default(),
        }
    }
}

/// RFC 4028 §5: no session is asked for more often.
const LEAST_SESSION: Duration = Duration::from_secs(90);

fn sip(section: Section<'_, '_>) -> SipSettings {
    let default = SipSettings::default();
    let example = r#"["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]"#;
    let mut listen: Vec<Listen> = Vec::new();
    let texts = section.texts("listen", example);
    for text in texts.iter().flatten() {
        match listen_at(text.value) {
            Ok(at) if listen.contains(&at) => {
                section.mistake(text.line, format!("\"{at}\" is there twice; write it once"))
            }
            Ok(at) => listen.push(at),
            Err(what) => section.mistake(text.line, what),
        }
    }
    match texts {
        None => listen = default.listen,
        Some(texts) if texts.is_empty() => {
            section.mistake(section.line, format!("\"listen\" is empty; write listen = {example}"));
        }
        Some(_) => {}
    }
    let advertise = section.text("advertise", "203.0.113.7");
    if let Some(text) = advertise {
        let unspecified = text.value.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        if unspecified || !tenant::is_host(text.value) {
            section.mistake(
                text.line,
                format!(
                    "\"{}\" is no address that others can reach; write one like \"203.0.113.7\" without port",
                    text.value
                ),
            );
        }
    }
    let mut dns = Vec::new();
    for text in section.texts("dns", r#"["192.0.2.53"]"#).unwrap_or_default() {
        let address = text.value.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        match address.or_else(|_| text.value.parse()) {
            Ok(address) => dns.push(address),
            Err(_) => section.mistake(
                text.line,
                format!("\"{}\" is no address; write one like \"192.0.2.53\"", text.value),
            ),
        }
    }
    let settings = SipSettings {
        listen,
        dns,
        advertise: advertise.map(|a| a.value.trim_matches(['[', ']']).to_owned()),
        expires_min: section.duration("expires_min", SECOND..=HOUR, default.expires_min),
        expires_max: section.duration("expires_max", 60 * SECOND..=24 * HOUR, default.expires_max),
        session_expires: section.duration(
            "session_expires",
            Duration::ZERO..=24 * HOUR,
            default.session_expires,
        ),
        session_expires_min: section.duration(
            "session_expires_min",
            LEAST_SESSION..=HOUR,
            default.session_expires_min,
        ),
        bans: section.section("bans").map(banning).unwrap_or_default(),
        throttle: section.section("throttle").map_or(default.throttle, throttle),
        tls: section.section("tls").and_then(tls::shown),
        srtp_keys_unsecured: section.flag("srtp_keys_unsecured", false),
        connections: tls::connections(&section),
    };
    if !section.has("tls") {
        tls::check_shown(&section, &settings.listen, settings.tls.as_ref());
    }
    if !settings.session_expires.is_zero() && settings.session_expires < settings.session_expires_min {
        section.mistake(
            section.line,
            "\"session_expires\" is shorter than \"session_expires_min\"; write it longer, or 0 for no limit",
        );
    }
    if settings.expires_min > settings.expires_max {
        section.mistake(section.line, "\"expires_min\" is longer than \"expires_max\"; write it shorter");
    }
    section.finish();
    settings
}

impl Default for SipSettings {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        let listen = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, address });
        Self {
            listen: listen.to_vec(),
            advertise: None,
            expires_min: 60 * SECOND,
            expires_max: HOUR,
            dns: Vec::new(),
            session_expires: HOUR / 2,
            session_expires_min: LEAST_SESSION,
            bans: Banning::default(),
            throttle: THROTTLE,
            tls: None,
            srtp_keys_unsecured: false,
            connections: ConnectionLimits::default(),
        }
    }
}

fn listen_at(text: &str) -> Result<Listen, String> {
    let (name, address) = text.split_once(':').unwrap_or_default();
    let (transport, port) = match name {
        "udp" => (Transport::Udp, 5060),
        "tcp" => (Transport::Tcp, 5060),
        "tls" => (Transport::Tls, 5061),
        "ws" => (Transport::Ws, 8088),
        "wss" => (Transport::Wss, 8443),
        _ => return Err(format!("\"{text}\" names no transport; write one like \"udp:0.0.0.0:5060\"")),
    };
    let address = address.parse().map_err(|_| {
        format!("\"{text}\" has no address and port; write one like \"{name}:0.0.0.0:{port}\"")
    })?;
    Ok(Listen { transport, address })
}

fn media(section: Section<'_, '_>) -> MediaSettings {
    let default = MediaSettings::default();
    let ports = match section.text("ports", "16384-32767") {
        None => default.ports,
        Some(text) => ports(text.value).unwrap_or_else(|what| {
            section.mistake(text.line, what);
            default.ports
        }),
    };
    let listen = match section.text("listen", "0.0.0.0") {
        None => default.listen,
        Some(text) => text.value.parse().unwrap_or_else(|_| {
            section.mistake(
                text.line,
                format!("\"{}\" is no IP address; write one like \"0.0.0.0\"", text.value),
            );
            default.listen
        }),
    };
    let settings = MediaSettings {
        ports,
        listen,
        threads: Some(section.integer("threads", 1..=256, 0) as usize).filter(|n| *n > 0),
        silence: section.duration("silence", Duration::ZERO..=24 * HOUR, default.silence),
    };
    section.finish();
    settings
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            ports: 16384..=32767,
            listen: Ipv4Addr::UNSPECIFIED.into(),
            threads: None,
            silence: 60 * SECOND,
        }
    }
}

/// Fewer ports than this carry no call: two legs need RTP and RTCP each.
const LEAST_PORTS: u16 = 4;

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text
        .split_once('-')
        .and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
    match range {
        None => Err(format!("\"{text}\" is no port range; write one like \"16384-32767\"")),
        Some((low, _)) if low < 1024 => Err(format!("port {low} is reserved; write a range above 1023")),
        Some((low, high)) if high < low => Err(format!("\"{text}\" runs backwards; write \"{high}-{low}\"")),
        Some((low, high)) if high - low + 1 < LEAST_PORTS => {
            Err(format!("\"{text}\" carries no call; write a range of at least {LEAST_PORTS} ports"))
        }
        Some((low, high)) => Ok(low..=high),
    }
}

fn http(section: Section<'_, '_>) -> HttpSettings {
    let mut settings = HttpSettings::default();
    if let Some(text) = section.text("listen", "127.0.0.1:8080") {
        match text.value.parse() {
            Ok(address) => settings.listen = address,
            Err(_) => section.mistake(
                text.line,
                format!("\"{}\" is no address and port; write one like \"127.0.0.1:8080\"", text.value),
            ),
        }
    }
    if let Some(text) = section.text("url", "https://pbx.acme.example") {
        let url = reqwest::Url::parse(text.value);
        match url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none()) {
            true => settings.url = Some(text.value.trim_end_matches('/').to_owned()),
            false => section.mistake(
                text.line,
                format!("\"{}\" is no address; write one like \"https://pbx.acme.example\"", text.value),
            ),
        }
    }
    settings.operator_token = section.secret("token");
    section.finish();
    settings
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), url: None, operator_token: None }
    }
}

/// Path and text of the file, or of each `*.toml` in the folder by name.
fn files(path: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let unreadable =
        |e: std::io::Error| format!("cannot be read: {e}; write the path of a TOML file or a folder of them");
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|e| e == "toml") {
                paths.push(file);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err("has no *.toml file; write one".to_owned());
        }
    } else {
        paths.push(path.to_owned());
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let size = std::fs::metadata(&path).map_err(unreadable)?.len();
        if size > MOST_BYTES {
            return Err(format!(
                "{} is larger than {} MiB; write a smaller file",
                path.display(),
                MOST_BYTES >> 20
            ));
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        files.push((path, text));
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
