//! The rows of a snapshot in a component: handles, and a question to the exchange for each thing looked at.
//!
//! Handles are never given back one by one: the sandbox ends with the answer, and all of them with it.

use crate::words::AgentState;
use std::cell::OnceCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::Duration;

#[allow(missing_docs, unsafe_code, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "queue-strategy",
        pub_export_macro: true,
        export_macro_name: "export_queue_strategy",
        default_bindings_module: "strowger_script::strategy::entry::bindings",
        runtime_path: "::wit_bindgen::rt",
        with: { "strowger:script/types@0.1.0": crate::host::types },
    });
}

use bindings::strowger::script::strategy as wit;

fn length(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

/// The queue.
pub struct SnapshotRow(ManuallyDrop<wit::Snapshot>);

/// A caller.
pub struct WaitingRow(ManuallyDrop<wit::Waiting>);

/// An agent; of the free ones by place, too, whose numbers come all at once.
pub struct AgentRow(ManuallyDrop<wit::Agent>, Option<(Rc<Figures>, usize)>);

/// The numbers of all free agents, each kind asked for when the first of it is looked at.
struct Figures {
    now: SnapshotRow,
    columns: [OnceCell<Vec<u32>>; 9],
}

impl Figures {
    fn of(&self, place: usize, figure: wit::Figure) -> u32 {
        let column = self.columns[figure as usize].get_or_init(|| self.now.0.free_figures(figure));
        column.get(place).copied().unwrap_or(0)
    }
}

impl SnapshotRow {
    /// The one that a question came with.
    #[allow(unsafe_code)]
    pub fn of(borrowed: &wit::Snapshot) -> Self {
        // SAFETY: the handle is valid until the question is answered, this row lives no longer, and it is never dropped.
        Self(ManuallyDrop::new(unsafe { wit::Snapshot::from_handle(borrowed.handle()) }))
    }
    pub fn queue(&self) -> String {
        self.0.queue()
    }
    pub fn settings(&self) -> String {
        self.0.settings()
    }
    pub fn seed(&self) -> u32 {
        self.0.seed()
    }
    pub fn last_answered(&self) -> Option<String> {
        self.0.last_answered()
    }
    pub fn service(&self) -> Duration {
        length(self.0.service())
    }
    pub fn waiting(&self) -> Vec<WaitingRow> {
        self.0.waiting().into_iter().map(|row| WaitingRow(ManuallyDrop::new(row))).collect()
    }
    pub fn agents(&self) -> Vec<AgentRow> {
        self.0.agents().into_iter().map(|row| AgentRow(ManuallyDrop::new(row), None)).collect()
    }
    pub fn in_line(&self, most: u32) -> Vec<WaitingRow> {
        self.0.in_line(most).into_iter().map(|row| WaitingRow(ManuallyDrop::new(row))).collect()
    }
    pub fn free(&self) -> Vec<AgentRow> {
        let figures = Rc::new(Figures { now: Self::of(&self.0), columns: Default::default() });
        let row = |(place, row)| AgentRow(ManuallyDrop::new(row), Some((figures.clone(), place)));
        self.0.free().into_iter().enumerate().map(row).collect()
    }
}

impl WaitingRow {
    /// The one that a question came with.
    #[allow(unsafe_code)]
    pub fn of(borrowed: &wit::Waiting) -> Self {
        // SAFETY: the handle is valid until the question is answered, this row lives no longer, and it is never dropped.
        Self(ManuallyDrop::new(unsafe { wit::Waiting::from_handle(borrowed.handle()) }))
    }
    pub fn id(&self) -> u32 {
        self.0.id()
    }
    pub fn number(&self) -> String {
        self.0.number()
    }
    pub fn priority(&self) -> i32 {
        self.0.priority()
    }
    pub fn skills(&self) -> Vec<(String, u8)> {
        self.0.skills()
    }
    pub fn waited(&self) -> Duration {
        length(self.0.waited())
    }
    pub fn position(&self) -> u32 {
        self.0.position()
    }
    pub fn expected(&self) -> Option<Duration> {
        self.0.expected().map(length)
    }
    pub fn last_agent(&self) -> Option<String> {
        self.0.last_agent()
    }
    pub fn tried(&self) -> Vec<String> {
        self.0.tried()
    }
    pub fn offered(&self) -> bool {
        self.0.offered()
    }
    pub fn anyone(&self) -> bool {
        self.0.anyone()
    }
}

impl AgentRow {
    pub fn name(&self) -> String {
        self.0.name()
    }
    pub fn state(&self) -> AgentState {
        self.0.state()
    }
    pub fn free(&self) -> bool {
        self.0.free()
    }
    /// The number from the column, or asked for this agent alone.
    fn figure(&self, figure: wit::Figure, alone: impl FnOnce(&wit::Agent) -> u32) -> u32 {
        match &self.1 {
            Some((figures, place)) => figures.of(*place, figure),
            None => alone(&self.0),
        }
    }
    pub fn free_for(&self) -> Duration {
        length(self.figure(wit::Figure::FreeFor, wit::Agent::free_for))
    }
    pub fn since_offered(&self) -> Duration {
        length(self.figure(wit::Figure::SinceOffered, wit::Agent::since_offered))
    }
    pub fn offered(&self) -> u32 {
        self.figure(wit::Figure::Offered, wit::Agent::offered)
    }
    pub fn answered(&self) -> u32 {
        self.figure(wit::Figure::Answered, wit::Agent::answered)
    }
    pub fn talked(&self) -> Duration {
        length(self.figure(wit::Figure::Talked, wit::Agent::talked))
    }
    pub fn signed_in_for(&self) -> Duration {
        length(self.figure(wit::Figure::SignedInFor, wit::Agent::signed_in_for))
    }
    pub fn missed_in_a_row(&self) -> u32 {
        self.figure(wit::Figure::MissedInARow, wit::Agent::missed_in_a_row)
    }
    pub fn level(&self) -> u8 {
        self.figure(wit::Figure::Level, |agent| agent.level().into()) as u8
    }
    pub fn weight(&self) -> u16 {
        self.figure(wit::Figure::Weight, |agent| agent.weight().into()) as u16
    }
    pub fn skills(&self) -> Vec<(String, u8)> {
        self.0.skills()
    }
}
