//! What calls to carriers tell of them, and what is told of such calls: a carrier that falters, a caller whom it may not be
//! shown, a call that is held back because of what it costs. How a carrier is, is kept in `trunks`.

use std::time::{Duration, Instant};

use exchange::{Destination as Goal, Event, Invite as Begin, LegKey, LegNo, Note};
use notices::Occasion;

use super::trunks::Turn;
use super::{Shard, trunks};
use crate::metrics::OfOutcome;

/// People hear of calls that are held back by one bound no more often than that.
const HELD_BACK_TOLD: Duration = Duration::from_secs(3600);

/// What a leg to a carrier saw of it.
pub(super) enum Seen {
    /// 101 to 199.
    Rings,
    /// 2xx.
    Answers,
    /// It rang until the time was up.
    RangOut,
    /// It took the call and did not ring within its time.
    DoesNotRing,
    /// 300 to 699; `silent`: it never spoke.
    Refuses { status: u16, silent: bool },
}

impl Shard {
    /// The carrier may not be shown who calls.
    pub(super) fn foreign_caller(&mut self, leg: LegKey, begin: &Begin) {
        let Goal::Trunk { trunk, .. } = &begin.to else { return };
        let told = serde_json::json!({ "trunk": trunk, "caller": begin.present.number });
        self.around.node.events.publish(&begin.tenant, "trunk.caller-refused", told);
        self.reports.push_back((leg, Event::Refused { status: 403, silent: false }));
    }

    /// A call to a carrier tells how the carrier is.
    pub(super) fn judge_trunk(&mut self, now: Instant, leg: LegKey, told: Seen) {
        let Some(line) = self.lines.get(leg) else { return };
        let Some(trunk) = line.trunk.clone().filter(|_| line.no != LegNo::CALLER) else { return };
        let tenant = line.tenant.clone();
        let (what, counts) = match told {
            Seen::Rings => (Some(trunks::Told::Carried), false),
            Seen::Answers => (Some(trunks::Told::Answered), true),
            Seen::RangOut => (None, true),
            Seen::DoesNotRing => (Some(trunks::Told::Failed("does not ring")), false),
            Seen::Refuses { silent: true, .. } => (Some(trunks::Told::Failed("no answer")), false),
            Seen::Refuses { status: 503, .. } => (Some(trunks::Told::Failed("503")), false),
            Seen::Refuses { status, .. } => (Some(trunks::Told::Carried), status != 487),
        };
        let turn = what.and_then(|what| self.trunks.told(now, &tenant, &trunk, what));
        let counted = if counts { self.trunks.counted(now, &tenant, &trunk) } else { None };
        for turn in [turn, counted].into_iter().flatten() {
            self.trunk_turned(&tenant, &trunk, &turn);
        }
    }

    pub(super) fn trunk_turned(&self, tenant: &str, trunk: &str, turn: &Turn) {
        let (kind, text, why, occasion) = match turn {
            Turn::Back => ("trunk.back", "carries calls again", "", Some(Occasion::TrunkBack)),
            Turn::Trial => ("trunk.trial", "is tried by the next call", "", None),
            Turn::Lost(why) => {
                let text = "is left alone; calls go to the next carrier";
                ("trunk.lost", text, why.as_str(), Some(Occasion::TrunkDown))
            }
        };
        if let Turn::Lost(_) = turn {
            let of = crate::metrics::OfTenant { tenant: tenant.into() };
            self.around.node.metrics.trunks_lost.get_or_create(&of).inc();
        }
        tracing::warn!(tenant, trunk, why, "{text}");
        let told = serde_json::json!({ "trunk": trunk, "reason": why });
        self.around.node.events.publish(tenant, kind, told);
        if let (Some(tenant), Some(occasion)) = (self.world.tenant(tenant), occasion) {
            self.around.node.post_trunk(tenant, trunk, occasion);
        }
    }

    /// A call to a carrier was held back: counted, and told to people once in a while.
    pub(super) fn held_back(&mut self, now: Instant, note: &Note) {
        let (bound, _) = note.about.split_once(':').unwrap_or((&note.about, ""));
        let of = OfOutcome { tenant: note.tenant.clone(), outcome: bound.to_owned() };
        self.around.node.metrics.calls_held_back.get_or_create(&of).inc();
        let key = (note.tenant.clone(), bound.to_owned());
        let told = self.told_held_back.get(&key);
        if told.is_none_or(|told| now.saturating_duration_since(*told) >= HELD_BACK_TOLD) {
            self.told_held_back.insert(key, now);
            tracing::warn!(tenant = note.tenant, about = note.about, "calls to carriers are held back");
            if let Some(tenant) = self.world.tenant(&note.tenant) {
                self.around.node.post_held_back(tenant, &note.about);
            }
        }
    }
}
