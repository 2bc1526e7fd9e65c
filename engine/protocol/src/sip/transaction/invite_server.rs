//! The INVITE server transaction: RFC 3261 §17.2.1 (figure 7) with the Accepted state of RFC 6026 §7.1.
//! 100 Trying is the owner's to send, so there is no wait of 200 ms here. A 2xx is repeated by the
//! session (§13.3.1.4), not by the transaction.

use std::time::{Duration, Instant};

use super::{ServerStep, Timeout};
use crate::sip::timers::{T2, TIMER_G, TIMER_H, TIMER_I, TIMER_L};

/// One INVITE received.
#[derive(Debug)]
pub struct InviteServer {
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No final response yet; this side decides how long that lasts.
    Proceeding,
    /// A 3xx-6xx was sent. `resend_at` is timer G (UDP only), `give_up_at` timer H.
    Completed {
        resend_at: Option<Instant>,
        resend_after: Duration,
        give_up_at: Instant,
    },
    /// The ACK has come; its copies are absorbed until timer I.
    Confirmed {
        until: Instant,
    },
    /// A 2xx was sent; copies of the INVITE are absorbed until timer L (RFC 6026 §7.1).
    Accepted {
        until: Instant,
    },
    Terminated,
}

impl InviteServer {
    /// An INVITE has come; its owner answers within 200 ms, if only with 100.
    pub fn new(reliable: bool) -> Self {
        Self { reliable, state: State::Proceeding }
    }

    /// A response is being sent, `status` 100 to 699. False if it must not be: a final one was sent before.
    #[must_use]
    pub fn handle_send(&mut self, now: Instant, status: u16) -> bool {
        match (&self.state, status) {
            (State::Proceeding, 100..=199) => true,
            (State::Proceeding, 200..=299) => {
                self.state = State::Accepted { until: now + TIMER_L };
                true
            }
            (State::Proceeding, _) => {
                let resend_at = (!self.reliable).then_some(now + TIMER_G);
                self.state = State::Completed { resend_at, resend_after: TIMER_G, give_up_at: now + TIMER_H };
                true
            }
            // RFC 6026 §7.1: the session repeats its 2xx through this state.
            (State::Accepted { .. }, 200..=299) => true,
            (
                State::Accepted { .. }
                | State::Completed { .. }
                | State::Confirmed { .. }
                | State::Terminated,
                _,
            ) => false,
        }
    }

    /// The same INVITE came again.
    pub fn handle_invite(&mut self) -> ServerStep {
        match self.state {
            State::Proceeding | State::Completed { .. } => ServerStep::Repeat,
            // RFC 6026 §7.1: absorbed; the session repeats its 2xx by its own clock.
            State::Accepted { .. } | State::Confirmed { .. } | State::Terminated => ServerStep::Absorb,
        }
    }

    /// The ACK of a 3xx-6xx came.
    pub fn handle_ack(&mut self, now: Instant) -> ServerStep {
        if let State::Completed { .. } = self.state {
            self.state = match self.reliable {
                true => State::Terminated,
                false => State::Confirmed { until: now + TIMER_I },
            };
        }
        ServerStep::Absorb
    }

    /// The transport could not deliver a response. RFC 6026 §7.1: whoever sent a 2xx goes on.
    pub fn handle_transport_error(&mut self) {
        if let State::Completed { .. } = self.state {
            self.state = State::Terminated;
        }
    }

    /// To be called when [`next_timeout`](Self::next_timeout) has come; early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Timeout {
        match &mut self.state {
            State::Completed { give_up_at, .. } if now >= *give_up_at => {
                self.state = State::Terminated;
                Timeout::GaveUp
            }
            State::Completed { resend_at: Some(at), resend_after, .. } if now >= *at => {
                *resend_after = (*resend_after * 2).min(T2);
                *at += *resend_after;
                Timeout::Repeat
            }
            State::Confirmed { until } | State::Accepted { until } if now >= *until => {
                self.state = State::Terminated;
                Timeout::Nothing
            }
            _ => Timeout::Nothing,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Completed { resend_at, give_up_at, .. } => {
                Some(resend_at.map_or(give_up_at, |at| at.min(give_up_at)))
            }
            State::Confirmed { until } | State::Accepted { until } => Some(until),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// No final response was sent yet: a CANCEL still counts (§9.2).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// A 2xx was sent: an ACK that comes now is the session's (§13.3.1.4), even on the INVITE's branch.
    pub fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// Nothing will happen any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
