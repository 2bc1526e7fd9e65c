//! The way to the shards from everywhere else: the inbox of each, what may lie in it, and the questions of the
//! API and the messages of signalling, which go to the shard whose they are.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use exchange::{
    AgentView, AgentWish, Answer, CallId, Command, Decided, Failure, LegKey, LiveCall, QueueView,
    Supervision, Target,
};
use media::Happening;
use protocol::sip::flow::{Flow, Transport};
use protocol::sip::ids::instance_of;
use protocol::sip::message::Message;
use protocol::sip::stack::{Package, RegisterId};
use protocol::sip::wire::ReadError;
use script::{Moved, Version};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::gate::Gate;
use super::mailbox::Mailbox;
use super::{INSTANCES, LEGS_PER_SHARD, Shard, Surroundings, registrations, running, sound};
use crate::config::World;
use crate::metrics::{OfEnd, OfTransport};
use crate::node::Node;
use crate::recovery::Found;
use crate::shards::{Asked, NotSet, Rung, Shards, TrunkState, UserState, Wanted};
use crate::signalling::{Ended, Inbox, Transports};
use crate::throttle::Pace;

/// How long a script may take until it waits, so that it can be moved to another version.
const MOVING: Duration = Duration::from_secs(5);
/// How long scripts may take to leave when the exchange stops.
const LEAVING: Duration = Duration::from_secs(2);

/// Something for a shard to do.
pub(super) enum Input {
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
    pub(super) boxes: Arc<[Mailbox<Input>]>,
    pub(super) gate: Arc<Gate>,
    node: Arc<Node>,
    transports: Arc<Transports>,
    /// Calls that are up, by shard.
    pub(super) live: Arc<[AtomicUsize]>,
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
    pub(super) fn hand(&self, number: usize, input: Input) -> bool {
        self.boxes.get(number).is_some_and(|mailbox| mailbox.send(input))
    }

    pub(super) fn ask(&self, number: usize, what: impl FnOnce(&mut Shard) + Send + 'static) {
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
        let (number, name) = (self.gate.shard_of(tenant, self.boxes.len()), tenant.to_owned());
        self.answer_of(number, move |shard| what(shard, &name))
    }

    /// Asks a shard, which is asked whether or not the answer is waited for; one that has stopped answers with nothing.
    fn answer_of<'a, T: Default + Send + 'static>(
        &'a self,
        number: usize,
        what: impl FnOnce(&mut Shard) -> T + Send + 'static,
    ) -> Asked<'a, T> {
        let (sender, receiver) = oneshot::channel();
        self.ask(number, move |shard| drop(sender.send(what(shard))));
        Box::pin(async move { receiver.await.unwrap_or_default() })
    }

    /// Whose message it is: by the letter of our tag or branch, else by the tenant.
    pub(super) fn shard_for(&self, flow: &Flow, message: &Message) -> usize {
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

    pub(super) fn offer(&self, number: usize, input: Input) {
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

    fn drain(&self) -> Asked<'_, ()> {
        let drain = |shard: &mut Shard| {
            shard.exchange.drain();
            // The answer of a call may have left in this moment, and what it counts not yet.
            shard.count_calls();
        };
        let drained: Vec<_> = (0..self.boxes.len()).map(|number| self.answer_of(number, drain)).collect();
        Box::pin(async move {
            for shard in drained {
                shard.await;
            }
        })
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
