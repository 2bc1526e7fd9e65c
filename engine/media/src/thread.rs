//! A media thread: epoll over its streams' sockets, a queue of messages, and the [`Core`]'s clock.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io;

use crate::command::{Command, StreamId};
use crate::core::Core;
use crate::handshakes::Reply;
use crate::slots::Slots;
use crate::spares::{Spare, Spares};
use crate::stream::Stream;

/// What a thread is told.
pub(crate) enum Message {
    Open {
        id: StreamId,
        owner: u64,
        rtp: UdpSocket,
        rtcp: UdpSocket,
    },
    Command(StreamId, Command),
    /// Of the handshake for its keys.
    Handshake(StreamId, Reply),
    /// The first is heard by the second from now on.
    Join(StreamId, StreamId),
    /// A stream is on its way from another thread: what is for it waits here.
    Expect(StreamId),
    /// A stream goes to that thread.
    Leave(StreamId, usize),
    /// It comes.
    Arrive(Box<Stream<UdpSocket>>),
    /// It was closed before it could leave.
    Absent(StreamId),
    /// Close all and end.
    Stop,
}

/// The way to a thread.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: Sender<Message>,
    wake: OwnedFd,
    /// Messages were left since it was rung.
    left: AtomicBool,
    /// Whether the thread is told already that messages wait.
    woken: AtomicBool,
    /// Whether the thread's wheel turns, as the thread tells it: it looks at every turn, so that nobody need wake it.
    turning: AtomicBool,
    /// Streams opened on it or on their way to it.
    pub load: AtomicUsize,
}

impl Inbox {
    pub fn new() -> io::Result<(Self, Receiver<Message>)> {
        // Its length is checked where commands come in; what threads tell each other is bounded by
        // the streams they have.
        let (messages, waiting) = crossbeam_channel::unbounded();
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let [left, woken, turning] = [const { AtomicBool::new(false) }; 3];
        Ok((Self { messages, wake, left, woken, turning, load: AtomicUsize::new(0) }, waiting))
    }

    /// Messages that wait.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Leaves a message, which is seen when the inbox is rung. It is lost only when the thread is gone.
    pub fn leave(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            self.left.store(true, Ordering::SeqCst);
        }
    }

    /// Has the thread see what was left, if anything was, within 20 ms: no sound of ours begins or ends sooner.
    pub fn ring(&self) {
        let looks_soon = || self.turning.load(Ordering::SeqCst) && self.len() < MANY;
        if self.left.swap(false, Ordering::SeqCst) && !looks_soon() {
            self.wake();
        }
    }

    /// Leaves a message and has it seen at once.
    pub fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            self.wake();
        }
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            let _ = io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

/// Names the wake-up among the sockets, which are named `slot << 1`, RTCP with 1 more.
const WAKE: u64 = u64::MAX;

/// Sockets served between two looks at the clock.
const EVENTS: usize = 64;

/// The longest datagram read; what is longer is cut, and refused as no RTP or passed over.
pub(crate) const MAX_DATAGRAM: usize = 2048;

/// So many messages don't wait for the wheel: as when all calls of a killed process are taken up.
const MANY: usize = 1024;

/// Commands that wait for one stream that is on its way; those after are left out.
const MAX_EARLY: usize = 256;

/// A thread that is woken more often than this takes a rest before it looks again, so that it finds
/// several packets at once: waking costs as much as a packet. Nobody hears a millisecond.
const REST: Duration = Duration::from_millis(1);

pub(crate) struct Thread {
    index: usize,
    inboxes: Arc<[Inbox]>,
    waiting: Receiver<Message>,
    slots: Arc<Slots>,
    spares: Arc<Spares>,
    epoll: OwnedFd,
    core: Core<UdpSocket>,
    /// What waits for streams that are on their way.
    expected: HashMap<StreamId, Vec<Message>>,
}

impl Thread {
    pub fn new(
        index: usize,
        inboxes: Arc<[Inbox]>,
        waiting: Receiver<Message>,
        slots: Arc<Slots>,
        spares: Arc<Spares>,
        core: Core<UdpSocket>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &inboxes[index].wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        Ok(Self { index, inboxes, waiting, slots, spares, epoll, core, expected: HashMap::new() })
    }

    /// Until told to stop.
    pub fn run(mut self) {
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let mut bytes = [0; MAX_DATAGRAM];
        let mut rested_at = Instant::now();
        loop {
            let (told, turning) = (&self.inboxes[self.index].turning, self.core.is_turning());
            if told.load(Ordering::Relaxed) != turning {
                told.store(turning, Ordering::SeqCst);
                // What was left before that was told may have woken nobody.
                if !turning && !self.handle_messages(Instant::now()) {
                    return self.core.finish();
                }
            }
            let timeout = self.core.next_timeout().map(|at| {
                let left = at.saturating_duration_since(Instant::now());
                Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
            });
            let ready = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
                Ok((ready, _)) => ready,
                Err(_) => &mut [],
            };
            let now = Instant::now();
            let names = ready.iter().map(|event| event.data.u64());
            if names.clone().any(|name| name == WAKE) {
                let inbox = &self.inboxes[self.index];
                let _ = io::read(&inbox.wake, &mut [0; 8]);
                // From here on whoever leaves a message wakes us again.
                inbox.woken.store(false, Ordering::SeqCst);
            }
            // What was commanded before a packet was sent is done before the packet is read.
            if !self.handle_messages(now) {
                return self.core.finish();
            }
            for name in names.filter(|name| *name != WAKE) {
                self.receive(now, name, &mut bytes);
            }
            if self.core.next_timeout().is_some_and(|at| at <= now) {
                self.core.handle_timeout(now);
            }
            if now.saturating_duration_since(rested_at) < REST && ready.len() < EVENTS {
                std::thread::sleep(REST);
                rested_at = Instant::now();
            } else {
                rested_at = now;
            }
        }
    }

    /// One datagram; if there are more, epoll says so again.
    fn receive(&mut self, now: Instant, name: u64, bytes: &mut [u8; MAX_DATAGRAM]) {
        let slot = (name >> 1) as u32;
        let Some(stream) = self.core.at(slot) else { return };
        let is_rtcp = name & 1 == 1;
        let socket = if is_rtcp { &stream.rtcp } else { &stream.rtp };
        let Ok((length, from)) = socket.recv_from(bytes) else { return };
        if is_rtcp {
            self.core.handle_rtcp(now, slot, from, &mut bytes[..length]);
        } else {
            self.core.handle_rtp(now, slot, from, &mut bytes[..length]);
        }
    }

    /// False when it is time to end.
    fn handle_messages(&mut self, now: Instant) -> bool {
        while let Ok(message) = self.waiting.try_recv() {
            if matches!(message, Message::Stop) {
                for id in self.core.ids() {
                    self.close(now, id);
                }
                return false;
            }
            self.handle_message(now, message);
        }
        true
    }

    fn handle_message(&mut self, now: Instant, message: Message) {
        let for_stream = match &message {
            Message::Command(id, _)
            | Message::Handshake(id, _)
            | Message::Join(id, _)
            | Message::Leave(id, _) => Some(*id),
            // It is to come, go and come again: the second coming waits with what is to be done between.
            Message::Expect(id) if self.expected.contains_key(id) => Some(*id),
            _ => None,
        };
        if let Some(id) = for_stream {
            if let Some(early) = self.expected.get_mut(&id) {
                let may_be_left_out =
                    matches!(&message, Message::Command(_, command) if !matches!(command, Command::Close));
                if early.len() < MAX_EARLY || !may_be_left_out {
                    early.push(message);
                }
                return;
            }
            // It left: what was sent here meanwhile follows it.
            if let Some(thread) = self.slots.thread(id).filter(|thread| *thread != self.index)
                && self.core.stream(id).is_none()
            {
                self.inboxes[thread].send(message);
                return;
            }
        }
        match message {
            Message::Open { id, owner, rtp, rtcp } => {
                if self.watch(id, &rtp, &rtcp).is_ok() {
                    self.core.open(now, id, owner, rtp, rtcp);
                } else {
                    drop((rtp, rtcp));
                    self.slots.release(id);
                    self.inboxes[self.index].load.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Message::Command(id, Command::Close) => self.close(now, id),
            Message::Command(id, command) => self.core.handle_command(now, id, command),
            Message::Handshake(id, reply) => self.core.handle_handshake(now, id, reply),
            Message::Join(id, to) => self.core.join(id, to),
            Message::Expect(id) => {
                self.expected.insert(id, Vec::new());
            }
            Message::Leave(id, thread) => {
                let answer = match self.core.remove(id) {
                    Some(stream) => {
                        unwatch(&self.epoll, &stream.rtp, &stream.rtcp);
                        self.inboxes[self.index].load.fetch_sub(1, Ordering::Relaxed);
                        Message::Arrive(stream)
                    }
                    None => Message::Absent(id),
                };
                self.inboxes[thread].send(answer);
            }
            Message::Arrive(stream) => {
                let id = stream.id;
                // Its sockets are open, and were watched before: it can't fail but for memory.
                let _ = self.watch(id, &stream.rtp, &stream.rtcp);
                self.inboxes[self.index].load.fetch_add(1, Ordering::Relaxed);
                self.core.arrive(stream);
                self.handle_expected(now, id);
            }
            // A thread that it was to go on to is told so as well.
            Message::Absent(id) => self.handle_expected(now, id),
            Message::Stop => {}
        }
    }

    /// What waited for a stream, now that it is here, or known to be closed.
    fn handle_expected(&mut self, now: Instant, id: StreamId) {
        for message in self.expected.remove(&id).into_iter().flatten() {
            self.handle_message(now, message);
        }
    }

    fn watch(&self, id: StreamId, rtp: &UdpSocket, rtcp: &UdpSocket) -> io::Result<()> {
        let name = u64::from(id.slot) << 1;
        epoll::add(&self.epoll, rtp, EventData::new_u64(name), EventFlags::IN)?;
        epoll::add(&self.epoll, rtcp, EventData::new_u64(name | 1), EventFlags::IN)
    }

    /// Its sockets rest, or are closed before its ports are free.
    fn close(&mut self, now: Instant, id: StreamId) {
        self.core.close(now, id, |rtp, rtcp| {
            unwatch(&self.epoll, &rtp, &rtcp);
            self.slots.rest(id);
            if let Some(spare) = self.spares.put(now, Spare { id, rtp, rtcp }) {
                drop(spare);
                self.slots.release(id);
            }
            self.inboxes[self.index].load.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// The sockets of a stream that goes elsewhere or ends; those that are not watched any more stay so.
fn unwatch(epoll: &OwnedFd, rtp: &UdpSocket, rtcp: &UdpSocket) {
    let _ = epoll::delete(epoll, rtp);
    let _ = epoll::delete(epoll, rtcp);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the thread was told that messages wait.
    fn was_woken(inbox: &Inbox) -> bool {
        io::read(&inbox.wake, &mut [0; 8]).is_ok()
    }

    #[test]
    fn a_turning_wheel_is_left_alone_until_a_thousand_messages_wait() {
        let (inbox, _waiting) = Inbox::new().expect("there is an eventfd");
        inbox.turning.store(true, Ordering::SeqCst);
        for waiting in 1..MANY {
            inbox.leave(Message::Expect(StreamId { slot: 0, turn: 0 }));
            inbox.ring();
            assert!(!was_woken(&inbox), "{waiting} wait for its next turn");
        }
        inbox.leave(Message::Expect(StreamId { slot: 0, turn: 0 }));
        assert!(!was_woken(&inbox), "nobody rang");
        inbox.ring();
        assert!(was_woken(&inbox));
        inbox.ring();
        assert!(!was_woken(&inbox), "nothing was left since");
    }

    #[test]
    fn a_wheel_at_rest_is_woken_for_the_first_message_and_once() {
        let (inbox, _waiting) = Inbox::new().expect("there is an eventfd");
        for wakes in [true, false] {
            inbox.leave(Message::Stop);
            inbox.ring();
            assert_eq!(was_woken(&inbox), wakes, "it has not looked since");
        }
        // As the thread does when it looks.
        inbox.woken.store(false, Ordering::SeqCst);
        inbox.leave(Message::Stop);
        inbox.ring();
        assert!(was_woken(&inbox));
    }
}
