//! A shard: one thread that owns the calls of its tenants, and with them a SIP stack, a registrar and
//! the health of carriers. Everything enters through one bounded inbox, is handled to its end, and
//! leaves as bytes, media commands, script runs and sealed records; nothing here waits for anyone.
//!
//! A tenant lives whole on one shard. Messages inside a dialog find theirs by the letter that begins
//! every tag and branch made here; others by the tenant they are for.

mod bindings;
mod calls;
mod carriers;
mod desk;
mod figures;
mod gate;
mod identity;
mod lines;
mod mailbox;
mod people;
mod places;
mod presence;
mod probes;
mod promises;
mod protection;
mod queues;
mod recovery;
mod registrations;
mod replacing;
mod running;
mod runs;
mod screen;
mod sound;
mod spending;
mod trunks;
mod watchers;

pub(crate) use desk::run_beside;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use exchange::{
    AgentView, AgentWish, Answer, CallId, Command, Decided, Effect, Exchange, Failure, LegKey, LegNo,
    LiveCall, QueueView, Supervision, Target,
};
use jiff::Timestamp;
use media::{Happening, Media};
use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::ids::instance_of;
use protocol::sip::message::Message;
use protocol::sip::publications::Publications;
use protocol::sip::registrar::Registrar;
use protocol::sip::stack::{Output, Package, RegisterId, SessionId, SessionTimers, Stack, StackConfig};
use protocol::sip::wire::ReadError;
use script::{Moved, Version};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::archive;
use crate::config::{SipSettings, Trunk, World};
use crate::events::wall;
use crate::metrics::{OfEnd, OfTransport};
use crate::node::Node;
use crate::recovery::Found;
use crate::shards::{Asked, NotSet, Rung, Shards, TrunkState, UserState, Wanted};
use crate::signalling::names::Place;
use crate::signalling::{Ear, Ended, Inbox, Transports};
use crate::sounds::Sounds;
use crate::throttle::Pace;
use calls::Held;
use gate::Gate;
use lines::Lines;
use mailbox::Mailbox;
use people::People;
use queues::Days;
use recovery::Recovery;
use running::Running;
use runs::Runs;
use trunks::{Configured, Trunks};
use watchers::Watchers;

/// Inputs handled before timers and sockets are looked at again.
const BATCH: usize = 256;
/// Timers are looked at this often at most: waking for each of a call's would cost more than all they do.
/// The shortest of SIP is 500 ms (RFC 3261 §17.1.1.1, T1).
const GRAIN: Duration = Duration::from_millis(10);
/// How long a telephone may ring on that a killed process has rung; RFC 3261 §16.6 has proxies give up then.
const RINGING: Duration = Duration::from_secs(180);
/// How often the wall clock is asked, which may be set or drift while the process runs.
const CLOCK: Duration = Duration::from_secs(60);
/// How long a script may take until it waits, so that it can be moved to another version.
const MOVING: Duration = Duration::from_secs(5);
/// How long scripts may take to leave when the exchange stops.
const LEAVING: Duration = Duration::from_secs(2);
/// Leg keys of one shard, so that a key tells its shard.
const LEGS_PER_SHARD: u32 = 48;

/// What every shard uses and none owns.
pub struct Surroundings {
    /// Store, scripts, prompts, events and figures.
    pub node: Arc<Node>,
    /// Sockets of signalling.
    pub transports: Arc<Transports>,
    /// Sockets and threads of sound.
    pub media: Media,
    /// Prompts by name.
    pub sounds: Sounds,
    /// What Via, Contact and SDP say for each address that is listened on.
    pub advertised: Vec<(Transport, SocketAddr)>,
    /// The same for sockets bound to every address, where no better one is known.
    pub likely: Vec<(Transport, SocketAddr)>,
    /// The host that stands in From and To where a tenant has no domain.
    pub host: String,
}

/// Something for a shard to do.
enum Input {
    Message(Flow, Box<Message>),
    /// A message of a source that asks too much.
    Excess(Flow, Box<Message>),
    Unreadable(Flow, Box<ReadError>),
    FlowFailed(Flow),
    Media(media::Event),
    /// A script's command; the answer goes back by itself.
    Command(CallId, Command, oneshot::Sender<Answer>),
    /// What a server outside answered a script, or why it did not.
    Fetched(CallId, Answer),
    /// A script's run on the shard's thread can go on.
    Run(u64),
    /// A script's run ended.
    Finished(CallId, Box<running::Ended>),
    /// Prompts were read: play them unless something else was asked meanwhile.
    Sounds {
        leg: LegKey,
        play: Box<sound::Play>,
    },
    /// A registration is durable, or could not be kept.
    Registered {
        id: RegisterId,
        kept: registrations::Kept,
    },
    /// A strategy has answered, or not.
    Decided(u64, Result<Decided, String>),
    /// A promised call back is on the disk, or could not be kept.
    Kept(u64, Result<(), String>),
    /// The name that a leg goes to was looked up, whatever came of it.
    Located {
        leg: LegKey,
        begin: Box<exchange::Invite>,
    },
    /// Something that needs the whole shard: a question of the API, a reload.
    Ask(Box<dyn FnOnce(&mut Shard) + Send>),
    Stop,
}

/// The inbox of every shard, for those who hand something in. Clones lead to the same shards.
#[derive(Clone)]
pub struct Inboxes {
    boxes: Arc<[Mailbox<Input>]>,
    gate: Arc<Gate>,
    node: Arc<Node>,
    transports: Arc<Transports>,
    /// Calls that are up, by shard.
    live: Arc<[AtomicUsize]>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Inboxes {
    /// Makes the inboxes, so that sockets and media threads can be given them before shards run.
    /// At most 36: one letter or digit each.
    pub fn new(count: usize, node: &Arc<Node>, transports: &Arc<Transports>) -> io::Result<Self> {
        let count = count.clamp(1, INSTANCES.len());
        Ok(Self {
            boxes: (0..count).map(|_| Mailbox::new()).collect::<io::Result<_>>()?,
            gate: Arc::new(Gate::new(
                node.world(),
                transports.certificates(),
                node.metrics.sip_throttled.clone(),
            )),
            transports: transports.clone(),
            node: node.clone(),
            live: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            threads: Arc::default(),
        })
    }

    /// Starts a thread per shard. `seed`: all chance of all shards. `found`: calls that the last process left.
    pub fn start(
        &self,
        surroundings: &Arc<Surroundings>,
        seed: u64,
        mut found: Vec<Found>,
    ) -> io::Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..self.boxes.len() {
            let ear = surroundings.transports.ear(number, self.boxes.len(), self.boxes[number].bell())?;
            let shard = Shard::new(number, self.clone(), surroundings.clone(), seed);
            let name = format!("shard-{number}");
            let count = self.boxes.len();
            let ours = |found: &mut Found| self.gate.shard_of(&found.kept.call.tenant, count) == number;
            let found: Vec<Found> = found.extract_if(.., ours).collect();
            threads.push(std::thread::Builder::new().name(name).spawn(move || shard.run(ear, found))?);
        }
        Ok(())
    }

    /// What the media plane reports; belongs into [`media::Media::start`].
    pub fn heard(&self, event: media::Event) {
        let Some(mailbox) = self.boxes.get(event.owner as usize >> LEGS_PER_SHARD) else { return };
        match event.what {
            // Nothing is done about it but counting.
            Happening::Closed(_) => mailbox.leave(Input::Media(event)),
            _ => mailbox.send(Input::Media(event)),
        };
    }

    /// Something for a shard that must not be lost; false when the shard has stopped.
    fn hand(&self, number: usize, input: Input) -> bool {
        self.boxes.get(number).is_some_and(|mailbox| mailbox.send(input))
    }

    fn ask(&self, number: usize, what: impl FnOnce(&mut Shard) + Send + 'static) {
        self.hand(number, Input::Ask(Box::new(what)));
    }

    fn ask_all(&self, what: impl Fn(&mut Shard) + Send + Clone + 'static) {
        (0..self.boxes.len()).for_each(|number| self.ask(number, what.clone()));
    }

    /// Asks the shard of a tenant; a shard that has stopped answers with nothing.
    fn answer<'a, T: Default + Send + 'static>(
        &'a self,
        tenant: &str,
        what: impl FnOnce(&mut Shard, &str) -> T + Send + 'static,
    ) -> Asked<'a, T> {
        let (sender, receiver) = oneshot::channel();
        let (number, name) = (self.gate.shard_of(tenant, self.boxes.len()), tenant.to_owned());
        self.ask(number, move |shard| drop(sender.send(what(shard, &name))));
        Box::pin(async move { receiver.await.unwrap_or_default() })
    }

    /// Whose message it is: by the letter of our tag or branch, else by the tenant.
    fn shard_for(&self, flow: &Flow, message: &Message) -> usize {
        if self.boxes.len() == 1 {
            return 0;
        }
        let ours = match message {
            Message::Response(response) => {
                response.top_via().ok().and_then(|via| via.branch().and_then(instance_of))
            }
            Message::Request(request) => request.to_tag().and_then(instance_of),
        };
        let known = ours.and_then(|letter| INSTANCES.iter().position(|instance| *instance == letter));
        match (known, message) {
            (Some(number), _) if number < self.boxes.len() => number,
            (_, Message::Request(request)) => match self.gate.tenant_of(flow, request) {
                Some(tenant) => self.gate.shard_of(&tenant, self.boxes.len()),
                None => 0,
            },
            _ => 0,
        }
    }

    fn offer(&self, number: usize, input: Input) {
        if !self.boxes[number].offer(input) {
            self.node.metrics.sip_dropped.inc();
        }
    }
}

impl Shards for Inboxes {
    fn calls(&self, tenant: &str) -> Asked<'_, Vec<LiveCall>> {
        self.answer(tenant, |shard, tenant| {
            let mut calls: Vec<_> = shard.exchange.calls().filter(|call| call.tenant == tenant).collect();
            calls.sort_by_key(|call| call.id);
            calls
        })
    }

    fn originate(&self, tenant: &str, wanted: Wanted) -> Asked<'_, Result<CallId, Failure>> {
        let asked =
            self.answer(tenant, move |shard, tenant| Some(shard.originate(Instant::now(), tenant, wanted)));
        Box::pin(async move { asked.await.unwrap_or(Err(Failure::Unreachable)) })
    }

    fn supervise(
        &self,
        tenant: &str,
        call: CallId,
        who: Target,
        mode: Supervision,
    ) -> Asked<'_, Result<(), Failure>> {
        let asked = self.answer(tenant, move |shard, tenant| {
            let now = Instant::now();
            let done = shard.with_people(|exchange, people, effects| {
                exchange.supervise(now, tenant, call, who, mode, people, effects)
            });
            shard.settle(now);
            Some(done)
        });
        Box::pin(async move { asked.await.unwrap_or_else(|| Err(Failure::NotFound("call".into()))) })
    }

    fn pause_recordings(&self, tenant: &str, call: CallId, paused: bool) -> Asked<'_, Result<(), Failure>> {
        let asked = self.answer(tenant, move |shard, tenant| {
            let now = Instant::now();
            let done = shard.with_people(|exchange, people, effects| {
                exchange.pause_recordings(now, tenant, call, paused, people, effects)
            });
            shard.settle(now);
            Some(done)
        });
        Box::pin(async move { asked.await.unwrap_or_else(|| Err(Failure::NotFound("call".into()))) })
    }

    fn move_call(&self, tenant: &str, call: CallId, to: Arc<Version>) -> Asked<'_, Option<Moved>> {
        let name = tenant.to_owned();
        let found = self.answer(tenant, move |shard, tenant| shard.reins(tenant, call));
        Box::pin(async move {
            let moved = match timeout(MOVING, found.await?.move_to(to.clone())).await {
                Ok(moved) => moved.ok()?,
                Err(_) => Moved::Stays("it has not waited since it was asked".into()),
            };
            if moved == Moved::There {
                self.answer(&name, move |shard, _| shard.call_moved(call, to)).await;
            }
            Some(moved)
        })
    }

    fn hang_up(&self, tenant: &str, call: CallId) -> Asked<'_, bool> {
        self.answer(tenant, move |shard, tenant| {
            let there = shard.exchange.calls().any(|live| live.id == call && live.tenant == tenant);
            if there {
                shard.hang_up(Instant::now(), call);
            }
            there
        })
    }

    fn users(&self, tenant: &str) -> Asked<'_, Vec<UserState>> {
        self.answer(tenant, |shard, tenant| shard.users(tenant))
    }

    fn queues(&self, tenant: &str) -> Asked<'_, Vec<QueueView>> {
        self.answer(tenant, |shard, tenant| shard.exchange.queues(Instant::now(), tenant))
    }

    fn agents(&self, tenant: &str) -> Asked<'_, Vec<AgentView>> {
        self.answer(tenant, |shard, tenant| shard.exchange.agents(Instant::now(), tenant))
    }

    fn set_agent(&self, tenant: &str, user: &str, wish: AgentWish) -> Asked<'_, Result<(), NotSet>> {
        let (reply, answer) = oneshot::channel();
        let (number, name) = (self.gate.shard_of(tenant, self.boxes.len()), tenant.to_owned());
        let user = user.to_owned();
        self.ask(number, move |shard| shard.set_agent(Instant::now(), &name, &user, wish, reply));
        Box::pin(async move { answer.await.unwrap_or(Err(NotSet::Refused(Failure::Unreachable))) })
    }

    fn messages_changed(&self, tenant: &str, user: &str) {
        let (number, name) = (self.gate.shard_of(tenant, self.boxes.len()), tenant.to_owned());
        let user = user.to_owned();
        self.ask(number, move |shard| {
            let now = Instant::now();
            shard.tell_watchers(now, &name, &user, Package::MessageSummary);
            shard.settle(now);
        });
    }

    fn ask_strategies(&self, tenant: &str) {
        let (number, name) = (self.gate.shard_of(tenant, self.boxes.len()), tenant.to_owned());
        self.ask(number, move |shard| shard.people_changed(Instant::now(), &name));
    }

    fn trunks(&self, tenant: &str) -> Asked<'_, Vec<TrunkState>> {
        self.answer(tenant, |shard, tenant| shard.trunk_states(tenant))
    }

    fn ladder(&self, tenant: &str, call: CallId) -> Asked<'_, Option<Vec<Rung>>> {
        self.answer(tenant, move |shard, tenant| shard.ladder_so_far(tenant, call))
    }

    fn reload(&self, world: Arc<World>) {
        self.transports.reconfigure(&world);
        self.gate.swap(world);
        self.ask_all(Shard::reconfigure);
    }

    fn drain(&self) {
        self.ask_all(|shard| shard.exchange.drain());
    }

    fn live(&self) -> usize {
        self.live.iter().map(|live| live.load(Ordering::Relaxed)).sum()
    }

    fn ready(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.len() == self.boxes.len() && threads.iter().all(|thread| !thread.is_finished())
    }

    fn stop(&self) {
        self.ask_all(|shard| {
            shard.exchange.drain();
            let calls: Vec<CallId> = shard.exchange.calls().map(|call| call.id).collect();
            calls.into_iter().for_each(|call| shard.hang_up(Instant::now(), call));
        });
        // Scripts hear of it and leave; a moment is enough for those that will.
        let until = Instant::now() + LEAVING;
        while self.live() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        for mailbox in self.boxes.iter() {
            mailbox.send(Input::Stop);
            mailbox.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Inbox for Inboxes {
    fn hears(&self, from: IpAddr) -> bool {
        self.node.hears(from)
    }

    fn pace(&self, from: IpAddr) -> Pace {
        self.node.pace(from)
    }

    fn message(&self, flow: Flow, message: Message) {
        let number = self.shard_for(&flow, &message);
        self.offer(number, Input::Message(flow, Box::new(message)));
    }

    fn unreadable(&self, flow: Flow, error: ReadError) {
        self.offer(0, Input::Unreadable(flow, Box::new(error)));
    }

    fn flow_failed(&self, flow: Flow) {
        for number in 0..self.boxes.len() {
            self.offer(number, Input::FlowFailed(flow));
        }
    }

    fn opened(&self, transport: Transport) {
        self.node.metrics.sip_connections.get_or_create(&OfTransport::new(transport)).inc();
    }

    fn ended(&self, transport: Transport, why: Ended) {
        let metrics = &self.node.metrics;
        metrics.sip_connections.get_or_create(&OfTransport::new(transport)).dec();
        metrics.sip_connections_ended.get_or_create(&OfEnd::new(transport, why)).inc();
    }
}

/// How an answer begins that promises something: a call that was answered goes on after a kill, so what that takes is
/// written before it is said.
const SUCCESS: &[u8] = b"SIP/2.0 2";

/// What begins every tag and branch of a shard's stack, by its number.
const INSTANCES: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// One thread's share of the exchange.
pub(crate) struct Shard {
    number: usize,
    shards: Inboxes,
    around: Arc<Surroundings>,
    world: Arc<World>,
    stack: Stack,
    exchange: Exchange,
    registrar: Registrar,
    rush: registrations::Rush,
    trunks: Trunks,
    bindings: bindings::Bindings,
    /// Where what is asked of carriers went.
    asked: HashMap<u64, Place>,
    lines: Lines,
    running: HashMap<CallId, Running>,
    runs: Runs,
    recovery: Recovery,
    watchers: Watchers,
    publications: Publications,
    /// The calls of the SIP Call-IDs of callers.
    foreign_ids: HashMap<Box<str>, CallId>,
    /// What the stack wants done.
    outputs: Vec<Output>,
    /// What leaves when the turn's tapes are written: the first 2xx, and what comes after it.
    leaving: Vec<(Destination, Bytes)>,
    /// What the exchange wants done.
    effects: Vec<Effect>,
    /// What the exchange is to hear.
    reports: VecDeque<(LegKey, exchange::Event)>,
    /// Calls from carriers that wait for a certificate.
    held: HashMap<SessionId, Held>,
    /// When people were last told that calls of a tenant are held back, and by which bound.
    told_held_back: HashMap<(String, String), Instant>,
    /// When the wall clock was last asked.
    clock_read: Instant,
    /// Of the tenants that have queues.
    days: Days,
    /// When one of them ends.
    next_day: Instant,
    /// Today's figures, as the store has them.
    written: figures::Written,
    stopping: bool,
}

impl Shard {
    fn new(number: usize, shards: Inboxes, around: Arc<Surroundings>, seed: u64) -> Self {
        let now = Instant::now();
        let seed = seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let config = StackConfig {
            instance: INSTANCES[number],
            advertised: around.advertised.clone(),
            likely: around.likely.clone(),
            user_agent: concat!("strowger/", env!("CARGO_PKG_VERSION")).into(),
            timers: None,
        };
        let world = shards.gate.world();
        Self {
            number,
            stack: Stack::new(config, seed),
            exchange: Exchange::new(now, wall(), seed.rotate_left(32), (number as u64) << LEGS_PER_SHARD),
            registrar: Registrar::new(registrations::settings(&world)),
            rush: registrations::Rush::new(now),
            shards,
            around,
            world,
            trunks: Trunks::default(),
            bindings: bindings::Bindings::default(),
            asked: HashMap::new(),
            lines: Lines::default(),
            running: HashMap::new(),
            runs: Runs::default(),
            recovery: Recovery::default(),
            watchers: Watchers::default(),
            publications: Publications::new(seed.rotate_left(17)),
            foreign_ids: HashMap::new(),
            outputs: Vec::new(),
            leaving: Vec::new(),
            effects: Vec::new(),
            reports: VecDeque::new(),
            held: HashMap::new(),
            told_held_back: HashMap::new(),
            clock_read: now,
            days: Days::default(),
            next_day: now,
            written: figures::Written::default(),
            stopping: false,
        }
    }

    fn run(mut self, mut ear: Ear, found: Vec<Found>) {
        let runtime = self.around.node.script_runtime.clone();
        let _inside = runtime.enter(); // the clock that scripts wait by
        self.restore_registrations(Instant::now());
        self.restore_agents();
        self.reconfigure();
        self.restore_figures();
        self.restore_tolls(Instant::now());
        self.restore_call_backs(Instant::now());
        self.take_up_calls(Instant::now(), found);
        self.stack.expect_orphans(Instant::now() + RINGING);
        let shards = self.shards.clone();
        let mailbox = &shards.boxes[self.number];
        let mut batch = Vec::new();
        let mut timers_at = Instant::now();
        while !self.stopping {
            let until = self.next_timeout().map(|at| at.max(timers_at + GRAIN));
            let until = if mailbox.doze() { until } else { Some(timers_at) };
            let datagrams = ear.wait(until);
            self.read_clock(Instant::now());
            if datagrams {
                let node = self.around.node.clone();
                ear.read(|from| node.pace(from), |flow, read, busy| self.datagram(flow, read, busy));
            }
            // What one input causes often comes back as another, from the script or from itself.
            for _ in 0..BATCH {
                mailbox.take(&mut batch);
                if batch.is_empty() {
                    break;
                }
                for (nth, input) in batch.drain(..).enumerate() {
                    let now = Instant::now();
                    if nth > 0 && nth % BATCH == 0 {
                        self.handle_timeout(now);
                    }
                    self.handle(now, input);
                }
            }
            let now = Instant::now();
            if self.next_timeout().is_some_and(|at| at <= now) {
                timers_at = now;
                self.handle_timeout(now);
            }
            self.around.media.ring();
            self.keep_calls(now);
            archive::end_turn(&self.around.node);
            for (to, bytes) in self.leaving.drain(..) {
                self.around.transports.send(&to, bytes);
            }
            shards.live[self.number].store(self.exchange.len(), Ordering::Relaxed);
        }
        self.leave_runs();
        self.keep_last_figures();
    }

    /// What a socket of this shard's has received: for itself, or for another.
    /// `busy`: its source asks too much.
    fn datagram(&mut self, flow: Flow, read: Result<Message, ReadError>, busy: bool) {
        let number = match &read {
            Ok(message) => self.shards.shard_for(&flow, message),
            Err(_) => self.number,
        };
        let input = match read {
            Ok(message) if busy => Input::Excess(flow, Box::new(message)),
            Ok(message) => Input::Message(flow, Box::new(message)),
            Err(error) => Input::Unreadable(flow, Box::new(error)),
        };
        if number == self.number {
            self.handle(Instant::now(), input);
        } else {
            self.shards.offer(number, input);
        }
    }

    fn read_clock(&mut self, now: Instant) {
        if now.saturating_duration_since(self.clock_read) > CLOCK {
            self.clock_read = now;
            self.exchange.set_wall(now, wall());
            self.begin_days(now);
        }
    }

    fn hang_up(&mut self, now: Instant, call: CallId) {
        self.with_people(|exchange, people, effects| exchange.hang_up(now, call, people, effects));
        self.settle(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let all = [
            self.stack.next_timeout(),
            self.exchange.next_timeout(),
            self.registrar.next_timeout(),
            self.trunks.next_timeout(),
            self.bindings.next_timeout(),
            Some(self.next_day),
            self.written.next_timeout(),
            self.next_given_up(),
            self.lines.next_silent(),
            self.publications.next_timeout(),
        ];
        all.into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next_day {
            self.begin_days(now);
        }
        self.keep_figures(now);
        self.stack.handle_timeout(now, &mut self.outputs);
        self.with_people(|exchange, people, effects| exchange.handle_timeout(now, people, effects));
        self.expire_registrations(now);
        self.expire_publications(now);
        self.give_up(now);
        self.leave_silent_places(now);
        self.probe_trunks(now);
        self.register_with_trunks(now);
        self.settle(now);
    }

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Message(flow, message) => {
                self.trace_arrival(now, &message);
                self.around.node.metrics.sip_received.inc();
                let gate = self.shards.gate.clone();
                self.stack.handle_message(now, flow, *message, &*gate, &mut self.outputs);
            }
            Input::Excess(flow, message) => {
                self.around.node.metrics.sip_received.inc();
                let gate = self.shards.gate.clone();
                self.stack.handle_excess(now, flow, *message, &*gate, &mut self.outputs);
            }
            Input::Unreadable(flow, error) => {
                self.around.node.metrics.sip_malformed.inc();
                self.stack.handle_unreadable(flow, *error, &mut self.outputs);
            }
            Input::FlowFailed(flow) => {
                self.stack.handle_flow_failed(now, flow, &mut self.outputs);
                self.lose_flows(now, &flow);
            }
            Input::Media(event) => self.heard(now, event),
            Input::Command(call, command, reply) => {
                if let Some(running) = self.running.get_mut(&call) {
                    running.waiting = Some(reply);
                    self.with_people(|exchange, people, effects| {
                        exchange.handle_command(now, call, command, people, effects);
                    });
                }
            }
            Input::Fetched(call, answer) => {
                self.with_people(|exchange, people, effects| {
                    exchange.handle_fetched(now, call, answer, people, effects);
                });
            }
            Input::Run(number) => self.go_on(number),
            Input::Finished(call, ended) => self.script_ended(now, call, *ended),
            Input::Sounds { leg, play } => self.sounds_ready(now, leg, *play),
            Input::Registered { id, kept } => self.registration_kept(now, id, kept),
            Input::Decided(ticket, answer) => self.decided(now, ticket, answer),
            Input::Kept(ticket, kept) => self.call_back_kept(now, ticket, kept),
            Input::Located { leg, begin } => self.begin(now, leg, *begin, true),
            Input::Ask(what) => what(self),
            Input::Stop => self.stopping = true,
        }
        self.settle(now);
    }

    /// Carries out everything that is wanted, until nobody wants anything more.
    fn settle(&mut self, now: Instant) {
        loop {
            if !self.outputs.is_empty() {
                for output in std::mem::take(&mut self.outputs) {
                    match output {
                        Output::Send { to, bytes } => {
                            self.trace_departure(now, &bytes);
                            self.around.node.metrics.sip_sent.inc();
                            if self.leaving.is_empty() && !bytes.starts_with(SUCCESS) {
                                self.around.transports.send(&to, bytes);
                            } else {
                                self.leaving.push((to, bytes));
                            }
                        }
                        Output::Event(event) => self.signalled(now, event),
                    }
                }
            } else if let Some((leg, event)) = self.reports.pop_front() {
                self.with_people(|exchange, people, effects| {
                    exchange.handle_event(now, leg, event, people, effects);
                });
            } else if !self.effects.is_empty() {
                for effect in std::mem::take(&mut self.effects) {
                    self.carry_out(now, effect);
                }
            } else {
                self.light_lamps(now);
                if self.outputs.is_empty() {
                    return;
                }
            }
        }
    }

    /// The exchange with what it may ask and where its effects go.
    fn with_people<T>(&mut self, step: impl FnOnce(&mut Exchange, &People, &mut Vec<Effect>) -> T) -> T {
        let (world, store) = (&self.world, &self.around.node.store);
        let people = People { world, registrar: &self.registrar, trunks: &self.trunks, store };
        step(&mut self.exchange, &people, &mut self.effects)
    }

    /// Goes by the configuration of the gate.
    fn reconfigure(&mut self) {
        self.world = self.shards.gate.world();
        let (number, count, gate) = (self.number, self.shards.boxes.len(), self.shards.gate.clone());
        let world = self.world.clone();
        self.stack.set_timers(timers(&world.sip));
        let ours = world.tenants.iter().filter(|tenant| gate.shard_of(&tenant.name, count) == number);
        let trunks = ours.clone().flat_map(|tenant| {
            tenant.trunks.iter().map(|trunk| Configured {
                tenant: tenant.name.to_string(),
                name: trunk.name.clone(),
                probe: trunk.probe,
                breaker: trunk.breaker,
            })
        });
        let now = Instant::now();
        self.trunks.configure(now, trunks);
        let bindings = ours.clone().flat_map(|tenant| {
            let registers = |trunk: &Arc<Trunk>| {
                let expires = trunk.register.as_ref()?.expires.as_secs() as u32;
                Some((tenant.name.to_string(), trunk.name.clone(), expires))
            };
            tenant.trunks.iter().filter_map(registers).collect::<Vec<_>>()
        });
        // The hasher's keys are the system's chance: no other exchange has these Call-IDs.
        self.bindings.configure(now, bindings, || RandomState::new().build_hasher().finish());
        self.days.configure(Timestamp::now(), ours.clone());
        self.begin_days(now);
        // Those without queues are told too: they may have had some.
        let names: Vec<_> = ours.map(|tenant| tenant.name.clone()).collect();
        for tenant in names {
            self.with_people(|exchange, people, effects| {
                exchange.people_changed(now, &tenant, people, effects);
            });
        }
        self.settle(now);
    }

    fn carry_out(&mut self, now: Instant, effect: Effect) {
        match effect {
            Effect::Start { call, tenant, script, settings, caller } => {
                self.know_caller(call);
                self.start_script(call, &tenant, &script, &settings, *caller);
            }
            // Until someone answers no leg is the caller's.
            Effect::Begun { call, tenant } => self.keep_running(call, LegKey(0), &tenant, Vec::new(), ""),
            Effect::OriginFailed { .. } => {} // its note and its record say all
            Effect::Reply { call, answer } => {
                let waiting = self.running.get_mut(&call).and_then(|running| running.waiting.take());
                if let Some(waiting) = waiting {
                    let _ = waiting.send(answer); // a run that was dropped wants no answer
                }
            }
            Effect::Signal(leg, signal) => self.signal(now, leg, signal),
            Effect::Moved { leg, call, no } => {
                self.lines.moved(leg, call, no);
                if let Some(running) = self.running.get_mut(&call).filter(|_| no == LegNo::CALLER) {
                    running.caller = leg;
                }
            }
            Effect::Sound(leg, sound) => self.sound(now, leg, sound),
            Effect::Note(note) => {
                if note.kind == "call.held-back" {
                    self.held_back(now, &note);
                }
                self.around.node.events.note(&note);
            }
            Effect::Decide { ticket, tenant, queue, strategy, question } => {
                self.decide(ticket, tenant, queue, strategy, question);
            }
            Effect::KeepAgent { tenant, user, kept } => {
                self.keep_agent(&tenant, &user, &kept, Box::new(|_| {}));
            }
            Effect::KeepCallBack { ticket, tenant, kept } => self.keep_call_back(ticket, &tenant, &kept),
            Effect::ForgetCallBack { tenant, queue, number } => {
                self.forget_call_back(&tenant, &queue, &number);
            }
            Effect::Tell { tenant, kind, about } => self.tell(&tenant, kind, about),
            Effect::MessageLeft(left) => self.around.node.message_left(&left),
            Effect::Keep { call } => self.keep_later(call),
            Effect::Over(record) => self.call_over(*record),
            Effect::Fruitless { call } => self.attempt_over(call),
        }
    }
}

/// What is wished of session timers; none where calls may be up as long as they like.
fn timers(sip: &SipSettings) -> Option<SessionTimers> {
    let seconds = |length: Duration| u32::try_from(length.as_secs()).unwrap_or(u32::MAX);
    let (expires, least) = (seconds(sip.session_expires), seconds(sip.session_expires_min));
    (expires > 0).then_some(SessionTimers { expires, least })
}

/// The first line of a message that we wrote.
fn first_line(bytes: &Bytes) -> String {
    let end = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len().min(120));
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
