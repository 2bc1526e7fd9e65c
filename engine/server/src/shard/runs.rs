//! Scripts on the shard's own thread. A run begins here and goes on here as long as it only decides,
//! asks and waits, which is what scripts do: waking another thread for it would cost more than the
//! script. One that computes for longer than a slice ([`script::slice`]) is moved to the threads of
//! the scripts with all that it has, and later runs of its version begin there.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use exchange::CallId;
use script::slice::{Sliced, slice};

use super::{Inboxes, Input, Shard};

/// A run of a script, to its end and the telling of it.
pub(super) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The runs on this thread.
#[derive(Default)]
pub(super) struct Runs {
    by_number: HashMap<u64, Here>,
    /// The number that the next one gets.
    next: u64,
}

struct Here {
    /// None for a run after its call's end.
    call: Option<CallId>,
    run: Run,
    bell: Arc<Bell>,
}

/// Wakes a run: by an input of the shard, one at a time.
struct Bell {
    shards: Inboxes,
    shard: usize,
    run: u64,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.shards.boxes[self.shard].push(Input::Run(self.run));
        }
    }
}

impl Shard {
    /// A run begins: here, unless `elsewhere`.
    pub(super) fn begin_run(&mut self, call: Option<CallId>, run: Run, elsewhere: bool) {
        if elsewhere {
            drop(self.around.node.script_runtime.spawn(run));
            return;
        }
        let number = self.runs.next;
        self.runs.next += 1;
        let (shards, shard) = (self.shards.clone(), self.number);
        let bell = Arc::new(Bell { shards, shard, run: number, rung: AtomicBool::new(false) });
        bell.wake_by_ref();
        self.runs.by_number.insert(number, Here { call, run, bell });
    }

    /// A slice of a run that has something to go on with.
    pub(super) fn go_on(&mut self, number: u64) {
        let Some(mut here) = self.runs.by_number.remove(&number) else { return };
        here.bell.rung.store(false, Ordering::Release);
        let waker = Waker::from(here.bell.clone());
        let run = &mut here.run;
        let poll = || slice(|| run.as_mut().poll(&mut Context::from_waker(&waker)));
        // A fault of the engine's in one guest's run is that call's, and no other's.
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Sliced::Ready(())) => {}
            Ok(Sliced::Waiting) => drop(self.runs.by_number.insert(number, here)),
            Ok(Sliced::Cut) => drop(self.around.node.script_runtime.spawn(here.run)),
            Err(_) => {
                if let Some(call) = here.call {
                    self.fail(call, "the engine broke off".into());
                }
            }
        }
    }

    /// The shard stops: what still runs ends elsewhere.
    pub(super) fn leave_runs(&mut self) {
        for (_, here) in self.runs.by_number.drain() {
            drop(self.around.node.script_runtime.spawn(here.run));
        }
    }
}
