//! What a tenant's calls to carriers have cost within the hour, over a restart: read from the register at the start, so
//! whoever makes the process fall gains nothing by it. A number that was tried at one carrier after the other counts once;
//! calls that are up are not in the register yet, and count from when they end.

use std::time::{Duration, Instant};

use exchange::{CallRecord, TollLimits};

use super::Shard;
use crate::config::Tenant;
use crate::records::{self, Filter};

/// What counts is an hour; a call that ended in it may have begun that much before.
const LOOKED_BACK: Duration = Duration::from_secs(3 * 3600);
/// Records of a page.
const PAGE: usize = 1_000;
/// Records of a tenant at most: as many as its busiest hours have. Those before are forgiven.
const MOST_RECORDS: usize = 20_000;

impl Shard {
    /// Counts what the register says of the last hour, for tenants that have bounds.
    pub(super) fn restore_tolls(&mut self, now: Instant) {
        let (world, count) = (self.world.clone(), self.shards.boxes.len());
        for tenant in &world.tenants {
            if self.shards.gate.shard_of(&tenant.name, count) == self.number
                && tenant.tolls.limits != TollLimits::default()
            {
                self.restore_tolls_of(now, tenant);
            }
        }
    }

    fn restore_tolls_of(&mut self, now: Instant, tenant: &Tenant) {
        let wall = self.exchange.wall(now);
        let mut filter = Filter { from: Some(wall - LOOKED_BACK.as_secs_f64()), ..Filter::default() };
        let mut seen = 0;
        while seen < MOST_RECORDS {
            let page = match records::page(&self.around.node.store, &tenant.name, &filter, PAGE) {
                Ok(page) => page,
                Err(why) => {
                    return tracing::error!(tenant = &*tenant.name, %why, "what calls have cost can't be read");
                }
            };
            seen += page.records.len();
            for record in &page.records {
                self.count_record(now, wall, tenant, record);
            }
            if page.next.is_none() {
                return;
            }
            filter.before = page.next;
        }
    }

    fn count_record(&mut self, now: Instant, wall: f64, tenant: &Tenant, record: &CallRecord) {
        let Some(caller) = record.legs.first() else { return };
        let user = Some(&*caller.party)
            .filter(|party| caller.trunk.is_none() && tenant.user_by_name(party).is_some());
        let paid = record
            .legs
            .iter()
            .skip(1)
            .filter(|leg| leg.trunk.is_some() && !tenant.tolls.always.contains(&leg.party));
        let ago = |at: f64| Duration::try_from_secs_f64(wall - at).unwrap_or_default();
        let mut before = None;
        for leg in paid {
            // The next carrier for the same number.
            let again = before == Some(&leg.party);
            before = Some(&leg.party).filter(|_| leg.answered.is_none());
            if !again {
                self.exchange.restore_tolls(now, &record.tenant, user, ago(leg.started), 1, Duration::ZERO);
            }
            if let (Some(answered), Some(ended)) = (leg.answered, leg.ended) {
                let talked = Duration::try_from_secs_f64(ended - answered).unwrap_or_default();
                self.exchange.restore_tolls(now, &record.tenant, user, ago(ended), 0, talked);
            }
        }
    }
}
