//! The INVITE client transaction: RFC 3261 §17.1.1 (figure 5) with the Accepted state of RFC 6026 §7.2.
//! The ACK of a 2xx belongs to the dialog and is not sent here; nor does Proceeding end by itself before the
//! transaction is abandoned: whoever rings decides how long.

use std::time::{Duration, Instant};

use super::{ClientStep, Timeout};
use crate::sip::timers::{GIVE_UP, TIMER_A, TIMER_B, TIMER_D, TIMER_M};

/// One INVITE sent.
#[derive(Debug)]
pub struct InviteClient {
    reliable: bool,
    /// Nobody wants it any more.
    abandoned: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing heard yet. `resend_at` is timer A (UDP only), `give_up_at` timer B.
    Calling {
        resend_at: Option<Instant>,
        resend_after: Duration,
        give_up_at: Instant,
    },
    /// The called party decides how long this lasts. `give_up_at`: of an abandoned one (§9.1).
    Proceeding {
        give_up_at: Option<Instant>,
    },
    /// Acknowledge repeated 3xx-6xx until timer D.
    Completed {
        until: Instant,
    },
    /// Pass on repeated 2xx until timer M (RFC 6026 §7.2).
    Accepted {
        until: Instant,
    },
    Terminated,
}

impl InviteClient {
    /// The INVITE is sent at `now`; `reliable` says that the transport repeats lost bytes by itself.
    pub fn new(now: Instant, reliable: bool) -> Self {
        let resend_at = (!reliable).then_some(now + TIMER_A);
        Self {
            reliable,
            abandoned: false,
            state: State::Calling { resend_at, resend_after: TIMER_A, give_up_at: now + TIMER_B },
        }
    }

    /// A response of this transaction, `status` 100 to 699.
    pub fn handle_response(&mut self, now: Instant, status: u16) -> ClientStep {
        match (&self.state, status) {
            (State::Calling { .. }, 100..=199) => {
                self.state = State::Proceeding { give_up_at: self.abandoned.then_some(now + GIVE_UP) };
                ClientStep::Deliver
            }
            (State::Proceeding { .. }, 100..=199) => ClientStep::Deliver,
            (State::Calling { .. } | State::Proceeding { .. }, 200..=299) => {
                self.state = State::Accepted { until: now + TIMER_M };
                ClientStep::Deliver
            }
            (State::Calling { .. } | State::Proceeding { .. }, 300..) => {
                self.state = match self.reliable {
                    true => State::Terminated,
                    false => State::Completed { until: now + TIMER_D },
                };
                ClientStep::DeliverAndAcknowledge
            }
            (State::Completed { .. }, 300..) => ClientStep::Acknowledge,
            (State::Accepted { .. }, 200..=299) => ClientStep::Deliver,
            // RFC 3261 §17.1.1.2 and RFC 6026 §8.4: anything else is late or makes no sense.
            (State::Calling { .. } | State::Proceeding { .. }, 0..=99)
            | (State::Completed { .. } | State::Accepted { .. } | State::Terminated, _) => ClientStep::Absorb,
        }
    }

    /// It was cancelled, or its dialog has ended: without a final response it is given up after 64*T1 (§9.1).
    pub fn abandon(&mut self, now: Instant) {
        self.abandoned = true;
        if let State::Proceeding { give_up_at } = &mut self.state {
            give_up_at.get_or_insert(now + GIVE_UP);
        }
    }

    /// The transport could not deliver; the transaction is over (RFC 6026 §7.2 spares Accepted).
    /// True if its user has to hear of it.
    pub fn handle_transport_error(&mut self) -> bool {
        match self.state {
            State::Calling { .. } | State::Proceeding { .. } => {
                self.state = State::Terminated;
                true
            }
            State::Completed { .. } => {
                self.state = State::Terminated;
                false
            }
            State::Accepted { .. } | State::Terminated => false,
        }
    }

    /// To be called when [`next_timeout`](Self::next_timeout) has come; early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Timeout {
        match &mut self.state {
            State::Calling { give_up_at, .. } | State::Proceeding { give_up_at: Some(give_up_at) }
                if now >= *give_up_at =>
            {
                self.state = State::Terminated;
                Timeout::GaveUp
            }
            State::Calling { resend_at: Some(at), resend_after, .. } if now >= *at => {
                *resend_after *= 2;
                *at += *resend_after;
                Timeout::Repeat
            }
            State::Completed { until } | State::Accepted { until } if now >= *until => {
                self.state = State::Terminated;
                Timeout::Nothing
            }
            _ => Timeout::Nothing,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Calling { resend_at, give_up_at, .. } => {
                Some(resend_at.map_or(give_up_at, |at| at.min(give_up_at)))
            }
            State::Completed { until } | State::Accepted { until } => Some(until),
            State::Proceeding { give_up_at } => give_up_at,
            State::Terminated => None,
        }
    }

    /// No final response yet: a CANCEL makes sense once a provisional one has come (§9.1).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Nothing will happen any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
