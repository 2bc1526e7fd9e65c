//! Who is rung and who talks, and how many channels of a carrier are taken: counts kept as legs begin
//! and end, so that "is boris busy?" costs one look-up.

use std::collections::HashMap;

use crate::verb::Presence;

/// What a leg occupies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Seat {
    User {
        tenant: String,
        user: String,
    },
    Trunk {
        tenant: String,
        trunk: String,
    },
    /// Beside that, of a leg that we began.
    TrunkOut {
        tenant: String,
        trunk: String,
    },
}

#[derive(Clone, Copy, Default)]
struct Count {
    ringing: u32,
    talking: u32,
}

#[derive(Default)]
pub(crate) struct Load {
    seats: HashMap<Seat, Count>,
    /// Users whose count is another since this was last taken.
    pub changed: Vec<Seat>,
}

impl Load {
    /// A leg rings at this seat.
    pub fn rings(&mut self, seat: &Seat) {
        self.seats.entry(seat.clone()).or_default().ringing += 1;
        self.note(seat);
    }

    /// A leg that rang talks now.
    pub fn talks(&mut self, seat: &Seat) {
        let count = self.seats.entry(seat.clone()).or_default();
        count.ringing = count.ringing.saturating_sub(1);
        count.talking += 1;
        self.note(seat);
    }

    /// A leg left; `talked` says which of the two it did.
    pub fn leaves(&mut self, seat: &Seat, talked: bool) {
        let Some(count) = self.seats.get_mut(seat) else { return };
        let which = if talked { &mut count.talking } else { &mut count.ringing };
        *which = which.saturating_sub(1);
        if count.ringing == 0 && count.talking == 0 {
            self.seats.remove(seat);
        }
        self.note(seat);
    }

    fn note(&mut self, seat: &Seat) {
        if let Seat::User { .. } = seat {
            self.changed.push(seat.clone());
        }
    }

    /// Legs at this seat: how many ring, how many talk.
    pub fn legs(&self, seat: &Seat) -> (u32, u32) {
        self.seats.get(seat).map_or((0, 0), |count| (count.ringing, count.talking))
    }

    /// Legs at this seat, ringing or talking.
    pub fn taken(&self, seat: &Seat) -> u32 {
        self.seats.get(seat).map_or(0, |count| count.ringing + count.talking)
    }

    /// What a user is doing; `registered` tells free from offline.
    pub fn presence(&self, tenant: &str, user: &str, registered: bool) -> Presence {
        let seat = Seat::User { tenant: tenant.into(), user: user.into() };
        match self.seats.get(&seat) {
            Some(count) if count.talking > 0 => Presence::Busy,
            Some(_) => Presence::Ringing,
            None if registered => Presence::Free,
            None => Presence::Offline,
        }
    }

    /// Whether nothing is counted: true when no call is up.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }
}
