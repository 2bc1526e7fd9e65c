//! The non-INVITE server transaction: RFC 3261 §17.2.2 (figure 8), without 100 for other methods
//! (RFC 4320 §4.1).

use std::time::Instant;

use super::{ServerStep, Timeout};
use crate::sip::timers::TIMER_J;

/// One request received, other than INVITE and ACK.
#[derive(Debug)]
pub struct Server {
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing sent yet; copies of the request are absorbed.
    Trying,
    /// The final response was sent; copies are answered with it until timer J.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Server {
    /// A request has come.
    pub fn new(reliable: bool) -> Self {
        Self { reliable, state: State::Trying }
    }

    /// The final response is being sent. False if it must not be: one was sent before.
    #[must_use]
    pub fn handle_send(&mut self, now: Instant) -> bool {
        let first = matches!(self.state, State::Trying);
        if first {
            self.state = match self.reliable {
                true => State::Terminated,
                false => State::Completed { until: now + TIMER_J },
            };
        }
        first
    }

    /// The same request came again.
    pub fn handle_request(&mut self) -> ServerStep {
        match self.state {
            State::Completed { .. } => ServerStep::Repeat,
            State::Trying | State::Terminated => ServerStep::Absorb,
        }
    }

    /// The transport could not deliver the response.
    pub fn handle_transport_error(&mut self) {
        if let State::Completed { .. } = self.state {
            self.state = State::Terminated;
        }
    }

    /// To be called when [`next_timeout`](Self::next_timeout) has come; early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Timeout {
        if let State::Completed { until } = self.state
            && now >= until
        {
            self.state = State::Terminated;
        }
        Timeout::Nothing
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Completed { until } => Some(until),
            State::Trying | State::Terminated => None,
        }
    }

    /// Nothing will happen any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
