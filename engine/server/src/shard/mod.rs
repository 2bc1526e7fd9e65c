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
mod dialling;
mod figures;
mod gate;
mod identity;
mod inboxes;
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
pub use inboxes::Inboxes;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use exchange::{CallId, Effect, Exchange, LegKey, LegNo};
use jiff::Timestamp;
use media::Media;
use protocol::sip::flow::{Destination, Flow, Transport};
use protocol::sip::message::Message;
use protocol::sip::publications::Publications;
use protocol::sip::registrar::Registrar;
use protocol::sip::stack::{Output, SessionId, SessionTimers, Stack, StackConfig};
use protocol::sip::wire::ReadError;

use crate::archive;
use crate::config::{SipSettings, Trunk, World};
use crate::events::wall;
use crate::node::Node;
use crate::recovery::Found;
use crate::signalling::names::Place;
use crate::signalling::{Ear, Transports};
use crate::sounds::Sounds;
use calls::Held;
use inboxes::Input;
use lines::Lines;
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
            self.count_calls();
        }
        self.leave_runs();
        self.keep_last_figures();
    }

    /// Tells how many calls are up.
    fn count_calls(&self) {
        self.shards.live[self.number].store(self.exchange.len(), Ordering::Relaxed);
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
