//! The runs of scripts, and for each a desk that carries its commands to whoever can answer: the clock,
//! calendars, history, contacts and the tenant's memory at once, everything else the call's shard.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use exchange::{
    Answer, CallId, CallRecord, Command, Failure, Fetch, Fetched, Level, LocalTime, Presence, TaskAsk,
    UserInfo,
};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use notices::Facts;
use prometheus_client::metrics::histogram::Histogram;
use script::tape::{self, Entry};
use script::{Limits, Reins, Run, Start, Step, Version, World};
use serde_json::json;
use store::{Store, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::running::First;
use super::runs;
use super::{Inboxes, Input};
use crate::archive;
use crate::config::{Tenant, User};
use crate::events::wall;
use crate::history;
use crate::memory::Room;
use crate::metrics::OfScript;
use crate::node::{Node, log_row};
use crate::outside;
use crate::post::notice;
use crate::tasks::{self, Draft, NoTask, State, TaskId, Wish};
use crate::timeline::Line;
use crate::words;

/// Tasks that one run of a script may write down; a further one answers `limit("tasks")`.
const MOST_TASKS: u32 = 20;

/// The run of a call's script, after what it did in an earlier process; `done` hears how it ended.
#[allow(clippy::too_many_arguments)]
pub(super) fn run(
    node: &Arc<Node>,
    tenant: Arc<Tenant>,
    version: Arc<Version>,
    start: Start,
    past: Vec<Step>,
    shard: (Inboxes, usize),
    reins: Arc<Reins>,
    done: impl FnOnce(Run) + Send + 'static,
) -> runs::Run {
    let limits = tenant.limits.of_run(Limits::call());
    let began = (!past.is_empty()).then_some(start.started);
    let fetches = past.iter().filter(|step| matches!(step.command, Command::Fetch(_))).count();
    let fetches = AtomicU32::new(u32::try_from(fetches).unwrap_or(u32::MAX));
    let desk = Desk { reins: Some(reins), began, fetches, ..Desk::new(node, tenant, &start, Some(shard)) };
    let node = node.clone();
    // What is moved on within a future keeps its room in it for as long as the call is up: in a box that is little.
    let begin = Box::new((start, past, desk));
    Box::pin(async move {
        let (start, past, desk) = *begin;
        done(node.scripts.sandboxes.resume(&version, start, past, Arc::new(desk), &limits).await);
    })
}

/// What the `on-ended` of whoever took a call first begins with.
pub(super) fn start_of_ended(tenant: &Tenant, first: &First, record: &CallRecord) -> Start {
    Start {
        call: record.id,
        tenant: tenant.name.clone(),
        script: first.script.clone(),
        caller: first.caller.clone(),
        settings: first.settings.clone(),
        seed: record.id.0 as u64 ^ 1,
        started: record.ended,
        ended: Some(Box::new(record.clone())),
        changed: None,
    }
}

/// A run beside calls, of `on-ended` or `on-change`, as `start` says: no leg is there to speak of.
pub(crate) fn run_beside(
    node: &Arc<Node>,
    tenant: Arc<Tenant>,
    version: Arc<Version>,
    start: Start,
) -> impl Future<Output = Run> + Send + use<> {
    let limits = tenant.limits.of_run(start.limits());
    let desk = Arc::new(Desk::new(node, tenant, &start, None));
    let node = node.clone();
    async move { node.scripts.sandboxes.run_call(&version, start, desk, &limits).await }
}

/// One run's way to the world.
struct Desk {
    tenant: Arc<Tenant>,
    script: Arc<str>,
    node: Arc<Node>,
    /// Where the call is; none after its end, and where there is none.
    shard: Option<(Inboxes, usize)>,
    /// It hears of changes of tasks: not of those that it makes itself.
    hears_changes: bool,
    /// The hold on the run; none after the call's end.
    reins: Option<Arc<Reins>>,
    /// When the run began, seconds since 1970 UTC, if that was in another process: its tape goes on by that time.
    began: Option<f64>,
    /// Letters that the run has written.
    letters: AtomicU32,
    /// Tasks that the run wrote down.
    tasks: AtomicU32,
    /// What a letter says of the call; none where nobody can be told anything.
    about: Option<Box<Facts>>,
    /// Somebody watched the script's calls when the run began: what it does is told them.
    watched: bool,
    /// Nanoseconds that the script computed before its last import.
    computed: AtomicU64,
    /// When the run began: seconds since 1970 UTC.
    started: f64,
    /// Requests to servers outside.
    fetches: AtomicU32,
    /// Hears of all of them.
    decisions: Histogram,
}

impl World for Desk {
    fn ask(&self, call: CallId, command: Command) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        match command {
            Command::Now => ready(Answer::Instant(Timestamp::now().as_nanosecond() as f64 / 1e9)),
            Command::LocalTime => ready(Answer::LocalTime(Some(local(&self.tenant.timezone)))),
            Command::TimeIn { zone } => {
                ready(Answer::LocalTime(TimeZone::get(&zone).ok().map(|zone| local(&zone))))
            }
            Command::Scheme { calendar } => {
                let calendar = self.tenant.calendar(&calendar);
                ready(Answer::Word(calendar.map(|calendar| calendar.scheme(Timestamp::now()))))
            }
            Command::LastSpokeWith { number, days } => Box::pin(async move {
                let found = self.look_up(call, move |store, tenant| {
                    let user = history::last_spoke_with(store, tenant, &number, days, Timestamp::now())?;
                    Ok(user.map(|user| user.name.clone()))
                });
                match found.await {
                    // What they are doing now is known where calls are.
                    Some(name_or_number) => self.ask(call, Command::FindUser { name_or_number }).await,
                    None => Answer::Users(Vec::new()),
                }
            }),
            Command::Conversations { number, days } => Box::pin(async move {
                let found = self.look_up(call, move |store, tenant| {
                    history::conversations(store, tenant, &number, days, Timestamp::now())
                });
                Answer::Count(found.await)
            }),
            Command::FindContact { number } => Box::pin(async move {
                let found = self.node.find_contact(&self.tenant, &number).await;
                found.map_or_else(Answer::Failed, |contact| Answer::Contact(contact.map(Box::new)))
            }),
            Command::CreateTask { number, title, responsible, due_ms } => {
                let due = due_ms.map(|millis| millis as f64 / 1000.0);
                Box::pin(async move { self.create_task(Draft { number, title, responsible, due }).await })
            }
            Command::CloseTask { id } => Box::pin(async move { self.ask_task(&id, TaskAsk::Finish).await }),
            Command::Task { id, ask } => Box::pin(async move { self.ask_task(&id, ask).await }),
            Command::FindUser { .. } | Command::Group { .. } if self.shard.is_none() => {
                Box::pin(self.ask_people(command))
            }
            Command::Sleep { length } if self.shard.is_none() => Box::pin(async move {
                tokio::time::sleep(length).await;
                Answer::Done
            }),
            Command::Notify { to, text, facts } => {
                Box::pin(async move { self.notify(call, &to, text, facts).await })
            }
            Command::Fetch(fetch) => Box::pin(self.fetch(call, *fetch)),
            Command::Mailbox(ask) => Box::pin(async move {
                let (node, tenant) = (self.node.clone(), self.tenant.clone());
                let asked = self.node.script_runtime.spawn_blocking(move || node.ask_mailbox(&tenant, *ask));
                asked.await.unwrap_or_else(|why| Answer::Failed(Failure::Other(why.to_string())))
            }),
            Command::Log { level, message } => {
                self.log(call, level, &message);
                ready(Answer::Done)
            }
            Command::KvGet { .. }
            | Command::KvSet { .. }
            | Command::KvSwap { .. }
            | Command::KvAdd { .. }
            | Command::KvDelete { .. } => Box::pin(async move {
                let limits = &self.tenant.limits;
                let room = Room { value: limits.kv_value, total: limits.kv_total };
                self.node.memory.ask(&self.tenant.name, room, command).await
            }),
            command => Box::pin(self.ask_shard(call, command)),
        }
    }

    fn elapsed(&self, _call: CallId) -> Option<Duration> {
        Some(Duration::try_from_secs_f64(wall() - self.began?).unwrap_or_default())
    }

    fn computed(&self, _call: CallId, time: Duration) {
        self.decisions.observe(time.as_secs_f64());
        if self.watched {
            self.computed.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn reins(&self) -> Option<Arc<Reins>> {
        self.reins.clone()
    }

    fn tape(&self, call: CallId, bytes: &[u8]) {
        if self.watched {
            self.tell(call, bytes);
        }
        if self.shard.is_some()
            && let Err(why) = archive::append(&self.node, &self.tenant.name, call, bytes)
        {
            tracing::warn!(%call, %why, "tape not written; a crash would lose it");
        }
    }
}

impl Desk {
    fn new(node: &Arc<Node>, tenant: Arc<Tenant>, start: &Start, shard: Option<(Inboxes, usize)>) -> Self {
        let watched = node.timelines.is_watched(&log_row(&tenant.name, &start.script));
        let tells = !tenant.notify.recipients.is_empty();
        let about = tells.then(|| {
            let contact = node.known_contact(&tenant, &start.caller.party.number);
            Box::new(notice::of_caller(contact, start.call, &start.caller, start.started))
        });
        let (node, script) = (node.clone(), start.script.clone());
        let of = OfScript { tenant: tenant.name.to_string(), script: script.to_string() };
        let decisions = node.metrics.script_decision.get_or_create(&of).clone();
        Self {
            tenant,
            script,
            node,
            shard,
            hears_changes: start.changed.is_some(),
            reins: None,
            began: None,
            letters: AtomicU32::new(0),
            tasks: AtomicU32::new(0),
            about,
            watched,
            computed: AtomicU64::new(0),
            started: start.started,
            fetches: AtomicU32::new(0),
            decisions,
        }
    }

    /// Tells those who watch what is new on the tape.
    fn tell(&self, call: CallId, bytes: &[u8]) {
        let call = call.to_string();
        for entry in tape::entries(bytes) {
            let (kind, data) = match entry {
                Entry::Began { start, version } => (
                    "script.began",
                    json!({
                        "call": call,
                        "export": start.export(),
                        "version": version,
                        "from": start.caller.party.number,
                        "dialled": start.caller.dialled,
                    }),
                ),
                Entry::Step(step) => {
                    let computed = Duration::from_nanos(self.computed.load(Ordering::Relaxed));
                    ("script.import", json!({ "call": call, "line": Line::of(&step, computed) }))
                }
                Entry::Moved { at_ms, version } => (
                    "script.moved",
                    json!({ "call": call, "at": f64::from(at_ms) / 1000.0, "version": version }),
                ),
                // The shard's, and none of a run.
                Entry::Fact(_) | Entry::Legs(_) => continue,
                Entry::Ended { at_ms, finish } => (
                    "script.ended",
                    json!({ "call": call, "at": f64::from(at_ms) / 1000.0, "finish": words::finish(&finish) }),
                ),
            };
            self.node.timelines.publish(&log_row(&self.tenant.name, &self.script), kind, data);
        }
    }

    /// Writes letters down; what is answered is durable.
    async fn notify(&self, call: CallId, to: &str, text: String, facts: Vec<(String, String)>) -> Answer {
        let known = to.is_empty() || self.tenant.notify.recipient(to).is_some();
        let Some(about) = self.about.as_deref().filter(|_| known) else {
            let nobody = Failure::NotFound(to.to_owned());
            return if to.is_empty() { Answer::Text(String::new()) } else { Answer::Failed(nobody) };
        };
        let about = Facts { text, more: facts, ..about.clone() };
        match self.node.post_of_script(&self.tenant, call, to, about, &self.letters).await {
            Ok(receipt) => Answer::Text(receipt),
            Err(why) => Answer::Failed(why),
        }
    }

    /// Writes a task down; what is answered is durable.
    async fn create_task(&self, draft: Draft) -> Answer {
        if self.tasks.fetch_add(1, Ordering::Relaxed) >= MOST_TASKS {
            return Answer::Failed(Failure::Limit("tasks".to_owned()));
        }
        match self.node.add_task(&self.tenant, draft).await {
            Ok(task) => Answer::Text(task.id().to_string()),
            Err(why) => Answer::Failed(Failure::Invalid(why)),
        }
    }

    /// Changes an open task; what is answered is durable.
    async fn ask_task(&self, id: &str, ask: TaskAsk) -> Answer {
        let unknown = || Answer::Failed(Failure::NotFound(id.to_owned()));
        let invalid = |why: &str| Answer::Failed(Failure::Invalid(why.to_owned()));
        let Ok(task) = id.parse::<TaskId>() else { return unknown() };
        let mut wish = Wish { untold: self.hears_changes, ..Wish::default() };
        match ask {
            TaskAsk::Assign { user } => match self.tenant.user(&user) {
                Some(user) => wish.responsible = Some(user.name.clone()),
                None => return Answer::Failed(Failure::NotFound(user)),
            },
            TaskAsk::PutOff { until_ms } => match tasks::moment(until_ms as f64 / 1000.0) {
                Some(until) => wish.due = Some(until.as_millisecond() as f64 / 1000.0),
                None => return invalid("until: is no moment; write one in the years that calendars know"),
            },
            TaskAsk::Note { text } => match tasks::check_note(&text) {
                Ok(()) => wish.note = Some(text),
                Err(why) => return invalid(&why),
            },
            TaskAsk::Finish => wish.state = Some(State::Done),
            TaskAsk::GiveUp => wish.state = Some(State::GivenUp),
        }
        match self.node.change_task(&self.tenant, task, wish, &self.script).await {
            Ok(_) => Answer::Done,
            Err(NoTask::Unknown) => unknown(),
            Err(NoTask::Store(why)) => Answer::Failed(Failure::Other(format!("it is not kept: {why}"))),
        }
    }

    /// Asks a server outside, on a thread that is not the shard's. The call waits for it where calls are: there it is
    /// known when the caller leaves.
    async fn fetch(&self, call: CallId, fetch: Fetch) -> Answer {
        let limits = &self.tenant.limits;
        let asked = if fetch.timeout.is_zero() { limits.http_time } else { fetch.timeout };
        let fetch = Fetch { timeout: asked.min(limits.http_time), ..fetch };
        let waits = Fetch { url: String::new(), headers: Vec::new(), body: Vec::new(), ..fetch };
        let begun = Instant::now();
        let mut asking = JoinSet::new();
        let nth = self.fetches.fetch_add(1, Ordering::Relaxed);
        if nth < limits.http_per_call {
            let parent = self.node.traces.parent(call, self.started, nth);
            let (node, tenant) = (self.node.clone(), self.tenant.clone());
            asking.spawn_on(
                async move {
                    node.fetcher.fetch(&tenant.name, &tenant.outside, &tenant.limits, fetch, parent).await
                },
                &self.node.script_runtime,
            );
        }
        let asked = async {
            let failed = || Err(Failure::Limit("http_per_call".to_owned()));
            asking
                .join_next()
                .await
                .map_or_else(failed, |done| done.unwrap_or_else(|why| Err(Failure::Other(why.to_string()))))
        };
        let fetched = match &self.shard {
            None => asked.await,
            Some((shards, number)) => {
                let mut told = pin!(self.ask_shard(call, Command::Fetch(Box::new(waits))));
                tokio::select! {
                    biased;
                    answer = &mut told => fetched(answer),
                    answer = asked => {
                        let answer = answer.map_or_else(Answer::Failed, |fetched| Answer::Fetched(Box::new(fetched)));
                        shards.boxes[*number].push(Input::Fetched(call, answer));
                        fetched(told.await)
                    }
                }
            }
        };
        self.node.metrics.note_fetch(&self.tenant.name, outside::outcome(&fetched), begun.elapsed());
        fetched.map_or_else(Answer::Failed, |fetched| Answer::Fetched(Box::new(fetched)))
    }

    /// People, where no call asks for them: what they do is known by all shards together.
    async fn ask_people(&self, command: Command) -> Answer {
        let tenant = &self.tenant;
        let users: Vec<_> = match &command {
            Command::Group { name } => {
                let members = tenant.group(name).map_or(&[][..], |group| &group.members);
                members.iter().filter_map(|name| tenant.user_by_name(name)).collect()
            }
            Command::FindUser { name_or_number } => tenant.user(name_or_number).into_iter().collect(),
            _ => Vec::new(),
        };
        if users.is_empty() {
            return Answer::Users(Vec::new());
        }
        let seen = match self.node.shards() {
            Some(shards) => shards.users(&tenant.name).await,
            None => Vec::new(),
        };
        let presence = |name: &str| {
            let seen = seen.iter().find(|seen| seen.name == name);
            seen.map_or(Presence::Offline, |seen| seen.presence)
        };
        let info = |user: &Arc<User>| UserInfo {
            name: user.name.clone(),
            number: user.number.clone(),
            mobile: user.mobile.clone(),
            presence: presence(&user.name),
            skills: user.skills.clone(),
        };
        Answer::Users(users.into_iter().map(info).collect())
    }

    async fn ask_shard(&self, call: CallId, command: Command) -> Answer {
        let gone = Answer::Failed(Failure::HungUp);
        let Some((shards, number)) = &self.shard else { return gone };
        let (reply, answer) = oneshot::channel();
        if !shards.boxes[*number].push(Input::Command(call, command, reply)) {
            return gone;
        }
        answer.await.unwrap_or(gone)
    }

    /// Reads the store on a thread that may wait. A store that can't be read knows of nobody; the call
    /// goes on.
    async fn look_up<T: Default + Send + 'static>(
        &self,
        call: CallId,
        read: impl FnOnce(&Store, &Tenant) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        let (node, tenant) = (self.node.clone(), self.tenant.clone());
        let reading = self.node.script_runtime.spawn_blocking(move || read(&node.store, &tenant));
        let found = reading.await.map_err(|why| why.to_string());
        found.and_then(|read| read.map_err(|why| why.to_string())).unwrap_or_else(|why| {
            tracing::error!(%call, tenant = &*self.tenant.name, why, "history can't be read");
            T::default()
        })
    }

    fn log(&self, call: CallId, level: Level, message: &str) {
        let row = log_row(&self.tenant.name, &self.script);
        let data = json!({ "call": call.to_string(), "level": level.name(), "message": message });
        self.node.logs.publish(&row, "script.log", data);
    }
}

fn fetched(answer: Answer) -> Result<Fetched, Failure> {
    match answer {
        Answer::Fetched(fetched) => Ok(*fetched),
        Answer::Failed(why) => Err(why),
        other => Err(Failure::Other(format!("{other:?}"))),
    }
}

fn ready<'a>(answer: Answer) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
    Box::pin(std::future::ready(answer))
}

fn local(zone: &TimeZone) -> LocalTime {
    let now: Zoned = Timestamp::now().to_zoned(zone.clone());
    LocalTime {
        year: now.year().into(),
        month: now.month() as u8,
        day: now.day() as u8,
        weekday: now.weekday().to_monday_one_offset() as u8,
        hour: now.hour() as u8,
        minute: now.minute() as u8,
        second: now.second() as u8,
        offset_minutes: now.offset().seconds() / 60,
    }
}
