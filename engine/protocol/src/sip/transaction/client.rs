//! The non-INVITE client transaction: RFC 3261 §17.1.2 (figure 6).

use std::time::{Duration, Instant};

use super::{ClientStep, Timeout};
use crate::sip::timers::{T2, TIMER_E, TIMER_F, TIMER_K};

/// One request sent, other than INVITE and ACK.
#[derive(Debug)]
pub struct Client {
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing heard yet. `resend_at` is timer E (UDP only), `give_up_at` timer F.
    Trying {
        resend_at: Option<Instant>,
        resend_after: Duration,
        give_up_at: Instant,
    },
    /// A provisional response was heard: repeated each T2, still given up at timer F.
    Proceeding {
        resend_at: Option<Instant>,
        give_up_at: Instant,
    },
    /// Absorb repeated responses until timer K.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Client {
    /// The request is sent at `now`; `reliable` says that the transport repeats lost bytes by itself.
    pub fn new(now: Instant, reliable: bool) -> Self {
        let resend_at = (!reliable).then_some(now + TIMER_E);
        Self {
            reliable,
            state: State::Trying { resend_at, resend_after: TIMER_E, give_up_at: now + TIMER_F },
        }
    }

    /// A response of this transaction, `status` 100 to 699.
    pub fn handle_response(&mut self, now: Instant, status: u16) -> ClientStep {
        match (&self.state, status) {
            (&State::Trying { resend_at, give_up_at, .. }, 100..=199) => {
                self.state = State::Proceeding { resend_at, give_up_at };
                ClientStep::Deliver
            }
            (State::Proceeding { .. }, 100..=199) => ClientStep::Deliver,
            (State::Trying { .. } | State::Proceeding { .. }, 200..) => {
                self.state = match self.reliable {
                    true => State::Terminated,
                    false => State::Completed { until: now + TIMER_K },
                };
                ClientStep::Deliver
            }
            // §17.1.2.2: repeated responses end here.
            (State::Completed { .. } | State::Terminated, _) | (_, 0..=99) => ClientStep::Absorb,
        }
    }

    /// The transport could not deliver. True if the transaction's user has to hear of it.
    pub fn handle_transport_error(&mut self) -> bool {
        let waiting = matches!(self.state, State::Trying { .. } | State::Proceeding { .. });
        self.state = State::Terminated;
        waiting
    }

    /// To be called when [`next_timeout`](Self::next_timeout) has come; early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Timeout {
        match &mut self.state {
            State::Trying { give_up_at, .. } | State::Proceeding { give_up_at, .. } if now >= *give_up_at => {
                self.state = State::Terminated;
                Timeout::GaveUp
            }
            State::Trying { resend_at: Some(at), resend_after, .. } if now >= *at => {
                *resend_after = (*resend_after * 2).min(T2);
                *at += *resend_after;
                Timeout::Repeat
            }
            State::Proceeding { resend_at: Some(at), .. } if now >= *at => {
                *at += T2;
                Timeout::Repeat
            }
            State::Completed { until } if now >= *until => {
                self.state = State::Terminated;
                Timeout::Nothing
            }
            _ => Timeout::Nothing,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Trying { resend_at, give_up_at, .. } | State::Proceeding { resend_at, give_up_at } => {
                Some(resend_at.map_or(give_up_at, |at| at.min(give_up_at)))
            }
            State::Completed { until } => Some(until),
            State::Terminated => None,
        }
    }

    /// Nothing will happen any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
