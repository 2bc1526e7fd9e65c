//! The rows of a snapshot in a component: what a strategy looks at of every caller or agent comes for all of them at once,
//! when the first of it is looked at; for the rest there are handles, and a question to the exchange for each.
//!
//! Handles are never given back one by one: the sandbox ends with the answer, and all of them with it.

use crate::words::AgentState;
use std::cell::{OnceCell, RefCell};
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
        with: { "strowger:script/types@0.1.1": crate::host::types },
    });
}

use bindings::strowger::script::strategy as wit;

/// Handles that are not given back.
fn kept<T>(handles: Vec<T>) -> Vec<ManuallyDrop<T>> {
    handles.into_iter().map(ManuallyDrop::new).collect()
}

fn length(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

/// The queue.
pub struct SnapshotRow {
    now: Now,
    /// Both lists of agents look at the same ones.
    all: OnceCell<Rc<All>>,
}

/// The handle of a snapshot, which others may hold as well.
struct Now(ManuallyDrop<wit::Snapshot>);

impl Now {
    #[allow(unsafe_code)]
    fn of(borrowed: &wit::Snapshot) -> Self {
        // SAFETY: the handle is valid until the question is answered, nobody holds it longer, and it is never dropped.
        Self(ManuallyDrop::new(unsafe { wit::Snapshot::from_handle(borrowed.handle()) }))
    }
}

/// A caller, by handle or by place in line.
pub struct WaitingRow(Who);

enum Who {
    Handle(ManuallyDrop<wit::Waiting>),
    InLine { line: Rc<Line>, place: usize },
}

/// The line: what strategies look at of every caller came with it, and the handles are asked for when more is.
struct Line {
    now: Now,
    most: u32,
    callers: Vec<(u32, bool, u32)>,
    handles: OnceCell<Vec<ManuallyDrop<wit::Waiting>>>,
}

impl WaitingRow {
    fn handle(&self) -> &wit::Waiting {
        match &self.0 {
            Who::Handle(handle) => handle,
            Who::InLine { line, place } => {
                &line.handles.get_or_init(|| kept(line.now.0.in_line(line.most)))[*place]
            }
        }
    }

    fn known(&self) -> Option<(u32, bool, u32)> {
        match &self.0 {
            Who::Handle(_) => None,
            Who::InLine { line, place } => Some(line.callers[*place]),
        }
    }
}

/// An agent, by place among all; and by place among the free, where those are few.
pub struct AgentRow {
    all: Rc<All>,
    place: usize,
    of_few: Option<usize>,
}

/// Up to so many free agents are asked for their names one by one, and not all agents at once for theirs.
const FEW: usize = 16;

/// All agents, one kind of thing of every one of them at once, asked for when the first of it is looked at.
struct All {
    now: Now,
    states: Vec<(AgentState, bool)>,
    names: OnceCell<Vec<String>>,
    figures: [OnceCell<Vec<u32>>; 9],
    skills: RefCell<Vec<(String, Vec<u8>)>>,
    handles: OnceCell<Vec<ManuallyDrop<wit::Agent>>>,
    free: OnceCell<Vec<ManuallyDrop<wit::Agent>>>,
}

impl SnapshotRow {
    /// The one that a question came with.
    pub fn of(borrowed: &wit::Snapshot) -> Self {
        Self { now: Now::of(borrowed), all: OnceCell::new() }
    }
    pub fn queue(&self) -> String {
        self.now.0.queue()
    }
    pub fn settings(&self) -> String {
        self.now.0.settings()
    }
    pub fn seed(&self) -> u32 {
        self.now.0.seed()
    }
    pub fn last_answered(&self) -> Option<String> {
        self.now.0.last_answered()
    }
    pub fn service(&self) -> Duration {
        length(self.now.0.service())
    }
    pub fn waiting(&self) -> Vec<WaitingRow> {
        kept(self.now.0.waiting()).into_iter().map(|handle| WaitingRow(Who::Handle(handle))).collect()
    }
    pub fn in_line(&self, most: u32) -> Vec<WaitingRow> {
        let (now, callers) = (Now::of(&self.now.0), self.now.0.line(most));
        let line = Rc::new(Line { now, most, callers, handles: OnceCell::new() });
        let row = |place| WaitingRow(Who::InLine { line: line.clone(), place });
        (0..line.callers.len()).map(row).collect()
    }
    fn all(&self) -> &Rc<All> {
        self.all.get_or_init(|| {
            Rc::new(All {
                now: Now::of(&self.now.0),
                states: self.now.0.states(),
                names: OnceCell::new(),
                figures: Default::default(),
                skills: RefCell::default(),
                handles: OnceCell::new(),
                free: OnceCell::new(),
            })
        })
    }
    pub fn agents(&self) -> Vec<AgentRow> {
        let all = self.all();
        (0..all.states.len()).map(|place| AgentRow { all: all.clone(), place, of_few: None }).collect()
    }
    pub fn free(&self) -> Vec<AgentRow> {
        let all = self.all();
        let free: Vec<_> = (0..all.states.len()).filter(|place| all.states[*place].1).collect();
        let few = free.len() <= FEW;
        let row = |(n, place)| AgentRow { all: all.clone(), place, of_few: few.then_some(n) };
        free.into_iter().enumerate().map(row).collect()
    }
}

impl WaitingRow {
    /// The one that a question came with.
    #[allow(unsafe_code)]
    pub fn of(borrowed: &wit::Waiting) -> Self {
        // SAFETY: the handle is valid until the question is answered, this row lives no longer, and it is never dropped.
        Self(Who::Handle(ManuallyDrop::new(unsafe { wit::Waiting::from_handle(borrowed.handle()) })))
    }
    pub fn id(&self) -> u32 {
        self.known().map_or_else(|| self.handle().id(), |(id, ..)| id)
    }
    pub fn number(&self) -> String {
        self.handle().number()
    }
    pub fn priority(&self) -> i32 {
        self.handle().priority()
    }
    pub fn skills(&self) -> Vec<(String, u8)> {
        self.handle().skills()
    }
    pub fn waited(&self) -> Duration {
        length(self.known().map_or_else(|| self.handle().waited(), |(.., waited)| waited))
    }
    pub fn position(&self) -> u32 {
        self.handle().position()
    }
    pub fn expected(&self) -> Option<Duration> {
        self.handle().expected().map(length)
    }
    pub fn last_agent(&self) -> Option<String> {
        self.handle().last_agent()
    }
    pub fn tried(&self) -> Vec<String> {
        self.handle().tried()
    }
    pub fn offered(&self) -> bool {
        self.handle().offered()
    }
    pub fn anyone(&self) -> bool {
        self.known().map_or_else(|| self.handle().anyone(), |(_, anyone, _)| anyone)
    }
}

impl AgentRow {
    fn figure(&self, figure: wit::Figure) -> u32 {
        let column = &self.all.figures[figure as usize];
        column.get_or_init(|| self.all.now.0.figures(figure))[self.place]
    }
    pub fn name(&self) -> String {
        let all = &self.all;
        match self.of_few {
            Some(n) => all.free.get_or_init(|| kept(all.now.0.free()))[n].name(),
            None => all.names.get_or_init(|| all.now.0.names())[self.place].clone(),
        }
    }
    pub fn state(&self) -> AgentState {
        self.all.states[self.place].0
    }
    pub fn free(&self) -> bool {
        self.all.states[self.place].1
    }
    pub fn free_for(&self) -> Duration {
        length(self.figure(wit::Figure::FreeFor))
    }
    pub fn since_offered(&self) -> Duration {
        length(self.figure(wit::Figure::SinceOffered))
    }
    pub fn offered(&self) -> u32 {
        self.figure(wit::Figure::Offered)
    }
    pub fn answered(&self) -> u32 {
        self.figure(wit::Figure::Answered)
    }
    pub fn talked(&self) -> Duration {
        length(self.figure(wit::Figure::Talked))
    }
    pub fn signed_in_for(&self) -> Duration {
        length(self.figure(wit::Figure::SignedInFor))
    }
    pub fn missed_in_a_row(&self) -> u32 {
        self.figure(wit::Figure::MissedInARow)
    }
    pub fn level(&self) -> u8 {
        self.figure(wit::Figure::Level) as u8
    }
    pub fn weight(&self) -> u16 {
        self.figure(wit::Figure::Weight) as u16
    }
    pub fn skills(&self) -> Vec<(String, u8)> {
        self.all.handles.get_or_init(|| kept(self.all.now.0.agents()))[self.place].skills()
    }
    pub fn skill(&self, name: &str) -> Option<u8> {
        let mut skills = self.all.skills.borrow_mut();
        let known = skills.iter().position(|(skill, _)| skill == name).unwrap_or_else(|| {
            skills.push((name.to_owned(), self.all.now.0.levels(name)));
            skills.len() - 1
        });
        Some(skills[known].1[self.place]).filter(|level| *level > 0)
    }
}
