//! Queues, agents and contacts of `wit/`, in a component.

use super::guest::bindings::strowger::script as wit;
use super::{Entry, LegHandle};
use crate::crm::Contact;
use crate::leg::Leg;
use crate::queue::{Outlook, Refusal};
use crate::words::{AgentState, Prompt, Result, Waited, millis};
use std::time::Duration;

/// A place's handle.
pub struct PlaceHandle(wit::queue::Place);

impl PlaceHandle {
    pub(crate) fn position(&self) -> u32 {
        self.0.position()
    }
    pub(crate) fn expected(&self) -> Option<Duration> {
        self.0.expected().map(length)
    }
    pub(crate) fn resumed(&self) -> bool {
        self.0.resumed()
    }
    pub(crate) fn wait(&self, keys: &str, hears: Option<&Prompt>) -> Result<Waited> {
        Ok(match self.0.wait(keys, hears)? {
            wit::queue::Waited::Connected(leg) => Waited::Connected(Leg(LegHandle(leg))),
            wit::queue::Waited::Digit(key) => Waited::Digit(key),
            wit::queue::Waited::Asked(word) => Waited::Asked(word),
            wit::queue::Waited::LongestWait => Waited::LongestWait,
            wit::queue::Waited::Nobody => Waited::Nobody,
            wit::queue::Waited::Other(why) => Waited::Other(why),
        })
    }
    pub(crate) fn set_priority(&self, priority: i32) -> Result {
        self.0.set_priority(priority)
    }
    pub(crate) fn call_back(&self, number: &str) -> Result {
        self.0.call_back(number)
    }
    pub(crate) fn leave(&self) {
        self.0.leave()
    }
}

/// A contact's handle, for the fields that are not asked for at once.
pub struct Fields(wit::crm::Contact);

impl Fields {
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.0.field(name)
    }
}

pub(crate) fn enter_queue(entry: Entry) -> Result<PlaceHandle, Refusal> {
    let how =
        wit::queue::Entry { priority: entry.priority, skills: entry.skills, longest: millis(entry.longest) };
    wit::queue::enter(&entry.queue, &how).map(PlaceHandle).map_err(|refusal| match refusal {
        wit::queue::Refusal::Full => Refusal::Full,
        wit::queue::Refusal::Closed => Refusal::Closed,
        wit::queue::Refusal::Nobody => Refusal::Nobody,
        wit::queue::Refusal::TooLong(wait) => Refusal::TooLong(length(wait)),
        wit::queue::Refusal::Failed(failure) => Refusal::Failed(failure),
        wit::queue::Refusal::Other(why) => Refusal::Other(why),
    })
}

pub(crate) fn look_at_queue(queue: &str) -> Option<Outlook> {
    let seen = wit::queue::look(queue)?;
    Some(Outlook {
        waiting: seen.waiting(),
        available: seen.available(),
        serving: seen.serving(),
        longest: length(seen.longest()),
        expected: seen.expected().map(length),
    })
}

pub(crate) fn agent_state(user: &str) -> Option<AgentState> {
    wit::queue::agent(user)
}

pub(crate) fn make_available(user: &str) -> Result {
    wit::queue::make_available(user)
}

pub(crate) fn pause(user: &str, reason: &str) -> Result {
    wit::queue::pause(user, reason)
}

pub(crate) fn sign_in(user: &str, queue: &str) -> Result {
    wit::queue::sign_in(user, queue)
}

pub(crate) fn sign_out(user: &str, queue: &str) -> Result {
    wit::queue::sign_out(user, queue)
}

pub(crate) fn find_contact(number: &str) -> Result<Option<Contact>> {
    Ok(wit::crm::find(number)?.map(|handle| Contact {
        id: handle.id(),
        name: handle.name(),
        company: handle.company(),
        owner: handle.owner(),
        fields: Fields(handle),
    }))
}

pub(crate) fn create_task(
    number: &str,
    title: &str,
    responsible: Option<&str>,
    due: Option<f64>,
) -> Result<String> {
    wit::crm::create_task(number, title, responsible, due)
}

pub(crate) fn close_task(id: &str) -> Result {
    wit::crm::close_task(id)
}

fn length(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}
