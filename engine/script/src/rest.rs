//! A run that rests: while it waits for long, its sandbox is given back, and it is rebuilt from its tape when the answer
//! is there.
//!
//! What it waits for is held beside its fiber, so it goes on when the fiber is gone. A guest that is rebuilt asks
//! everything again and is answered from the tape, up to the answer for which it waited. It rests when it has waited
//! for [`Limits::rest`](crate::Limits::rest), earlier where its sandbox is wanted by another run, and when it is to go on
//! with another version, which then is what is rebuilt.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use exchange::{Answer, Command, Failure};
use tokio::time::{Instant, sleep, timeout};

use crate::guest::{Guest, World, millis};
use crate::limits::{self, Limits, REST_STEPS};
use crate::reins::{Reins, Wish};
use crate::room::Room;
use crate::tape::{Start, Step, TrapKind, Writer};

/// What a guest needs for that.
pub(crate) struct Rest {
    /// None for one that keeps its sandbox.
    room: Option<Arc<Room>>,
    reins: Arc<Reins>,
    /// What it waits for.
    waiting: Option<Waiting>,
    /// The steps of before, when it was resumed with some that are not in its own part of the tape.
    earlier: Vec<Step>,
}

impl Rest {
    pub(crate) fn new(reins: Option<Arc<Reins>>) -> Self {
        Self { room: None, reins: reins.unwrap_or_default(), waiting: None, earlier: Vec::new() }
    }
}

/// Why a run rests no longer.
pub(crate) enum Roused {
    /// The answer is there and on the tape, unless that is full.
    Answered(Result<(), TrapKind>),
    /// It is to go on with another version.
    Wished(Wish),
}

/// What is left of a guest meanwhile.
struct Resting {
    /// None where its tape begins with it.
    start: Option<Box<Start>>,
    world: Option<Arc<dyn World>>,
    writer: Writer,
    began: Instant,
    rest: Rest,
}

impl Resting {
    /// The guest as it was.
    fn rise(self, limits: &Limits) -> Box<Guest> {
        let start = self.start.map(|start| *start).or_else(|| self.writer.start());
        // Whether the tape has one was looked at before.
        let mut guest = Guest::new(start.unwrap_or_else(Start::of_nobody), Vec::new(), self.world, limits);
        (guest.writer, guest.began, guest.rest) = (self.writer, self.began, self.rest);
        Box::new(guest)
    }
}

struct Waiting {
    /// From the start of the run.
    asked_at: Duration,
    answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
}

impl Guest {
    /// From here on it gives its sandbox back where it can.
    pub(crate) fn may_rest(&mut self, room: &Arc<Room>) {
        self.rest.room = Some(room.clone());
        self.rest.earlier = self.past.iter().cloned().collect();
    }

    pub(crate) fn reins(&self) -> Arc<Reins> {
        self.rest.reins.clone()
    }

    /// Whether it waits and has no sandbox.
    pub(crate) fn rests(&self) -> bool {
        self.rest.waiting.is_some()
    }

    /// A script that cleans up has its time already, and one with a long tape is not worth it.
    pub(crate) fn can_rest(&self, command: &Command) -> bool {
        self.rest.room.is_some()
            && self.cleaning_up.is_none()
            && self.calls <= REST_STEPS
            && limits::waits_long(command)
    }

    /// Asks the world and waits for its answer, in the sandbox as long as that may be.
    pub(crate) async fn wait(
        &mut self,
        world: Arc<dyn World>,
        command: Command,
        asked_at: Duration,
    ) -> Answer {
        let (call, limit) = (self.start.call, limits::wait(&command));
        // What is moved on within a future keeps its room in it: in a box that is little.
        let command = Box::new(command);
        let answer = Box::pin(async move {
            let answer = timeout(limit, world.ask(call, *command)).await;
            answer.unwrap_or(Answer::Failed(Failure::TimedOut))
        });
        let (room, reins) = (self.rest.room.clone(), self.rest.reins.clone());
        let _waits = room.map(|room| room.wait(&self.start.tenant, &reins));
        let mut long = pin!(sleep(self.limits.rest));
        let waiting = self.rest.waiting.insert(Waiting { asked_at, answer });
        let answer = poll_fn(|cx| {
            let answer = waiting.answer.as_mut().poll(cx);
            if answer.is_pending() && (reins.pulled(cx.waker()) || long.as_mut().poll(cx).is_ready()) {
                reins.rest();
            }
            answer
        });
        let answer = answer.await;
        self.rest.waiting = None;
        answer
    }

    /// Without a sandbox: waits on, until it becomes the guest that goes on with the answer.
    pub(crate) async fn rest(self: Box<Self>, limits: &Limits) -> (Box<Self>, Roused) {
        let mut resting = self.lie_down();
        let reins = resting.rest.reins.clone();
        let Some(waiting) = &mut resting.rest.waiting else {
            return (resting.rise(limits), Roused::Answered(Err(TrapKind::Engine)));
        };
        let asked_at = waiting.asked_at;
        let answer = poll_fn(|cx| match waiting.answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending if reins.pulled(cx.waker()) => {
                reins.wish().map_or(Poll::Pending, |wish| Poll::Ready(Err(wish)))
            }
            Poll::Pending => Poll::Pending,
        });
        let answer = answer.await;
        let mut guest = resting.rise(limits);
        match answer {
            Ok(answer) => {
                let written = guest.write_answer(asked_at, &answer);
                (Box::new(guest.again()), Roused::Answered(written))
            }
            Err(wish) => (guest, Roused::Wished(wish)),
        }
    }

    fn lie_down(self: Box<Self>) -> Resting {
        let Self { start, world, mut writer, began, rest, .. } = *self;
        writer.shrink();
        let start = writer.start().is_none().then(|| Box::new(start));
        Resting { start, world, writer, began, rest }
    }

    /// What has happened so far, to be played to another version; and what that must ask then.
    pub(crate) fn so_far(&self, limits: &Limits) -> (Box<Self>, Option<Command>) {
        let again = Self::new(self.start.clone(), self.past_so_far(), None, limits);
        (Box::new(again), self.writer.asking())
    }

    /// Notes on the tape that it goes on with this version.
    pub(crate) fn moved(&mut self, version: &str) {
        let at_ms = millis(self.elapsed());
        let bytes = self.writer.moved(at_ms, version);
        if let Some(world) = &self.world {
            world.tape(self.start.call, bytes);
        }
    }

    fn past_so_far(&self) -> Vec<Step> {
        self.rest.earlier.iter().cloned().chain(self.writer.steps()).collect()
    }

    fn again(self) -> Self {
        let past = self.past_so_far();
        let mut again = Self::new(self.start, past, self.world, &self.limits);
        self.rest.reins.go_on();
        again.rest = Rest { waiting: None, ..self.rest };
        again.writer = self.writer;
        again.began = self.began;
        again
    }
}
