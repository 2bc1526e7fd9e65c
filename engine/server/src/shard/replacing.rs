//! A telephone that takes the place of another one (RFC 3891): an attended transfer to a third telephone, or pickup from a
//! busy lamp; and one that is added to a conversation (RFC 3911), of a user who supervises. Which dialog is meant is the
//! stack's to say, and how a leg goes from call to call the exchange's.

use std::time::Instant;

use exchange::{Arrival, Direction, Event, Failure, LegNo};
use protocol::sip::stack::{Peer, SessionId};

use super::calls::{Held, MAX_FORWARDS};
use super::dialling::{dialled, route};
use super::lines::Line;
use super::{Shard, identity};

/// What a telephone wants of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Its place (RFC 3891).
    Replace,
    /// To talk and hear along (RFC 3911).
    Join,
}

impl Shard {
    /// A telephone of a user takes the place of another one (RFC 3891): it picks up what rings there, or goes on with what
    /// is said there; or it joins in. Whose dialog it is it knows by its tags, which nobody can guess, and which whoever
    /// watches a lamp knows: so only a user who supervises may join.
    pub(super) fn invited_to(
        &mut self,
        now: Instant,
        session: SessionId,
        invited: &Held,
        aim: Aim,
        place: Result<SessionId, u16>,
    ) {
        let Held { request, flow, peer, offer } = invited;
        let world = self.world.clone();
        let place = place.and_then(|place| match (peer, self.lines.of_session(place)) {
            (Peer::User { tenant, name }, Some((leg, line))) if *line.tenant == **tenant => {
                let known = world.tenant(tenant).map(|tenant| (tenant, name, leg));
                known.ok_or(481)
            }
            (Peer::User { .. }, _) => Err(481),
            (Peer::Trunk { .. }, _) => Err(603),
        });
        let (tenant, user, place) = match place {
            Ok(place) => place,
            Err(status) => return self.stack.reject(now, session, status, "", &[], &mut self.outputs),
        };
        let supervises = tenant.user_by_name(user).is_some_and(|user| user.supervises);
        if aim == Aim::Join && !supervises {
            return self.stack.reject(now, session, 403, "", &[], &mut self.outputs);
        }
        let protection = self.protection(tenant, None, flow.transport);
        let offer =
            match self.judge_offer(flow, &protection, offer.as_ref(), tenant.codecs(None, Some(&**user))) {
                Ok(offer) => offer,
                Err(refusal) => return self.refuse_offer(now, session, refusal),
            };
        let dialled = dialled(&request.uri);
        let Some(route) = route(tenant, &dialled, true) else { return };
        let arrival = Arrival {
            tenant: tenant.name.to_string(),
            from: identity::caller(request, tenant, Some(user), false),
            dialled,
            direction: Direction::Internal,
            user: Some(user.to_string()),
            trunk: None,
            headers: Default::default(),
            language: tenant.language.clone(),
            sip_call_id: request.call_id().unwrap_or_default().to_string(),
            route,
        };
        let arrived = self.with_people(|exchange, people, effects| match aim {
            Aim::Replace => exchange.arrive_in_place(now, arrival, place, people, effects),
            Aim::Join => exchange.arrive_beside(now, arrival, place, people, effects),
        });
        let (call, leg) = match arrived {
            Ok(arrived) => arrived,
            Err(why) => {
                let status = match (why, aim) {
                    (Failure::Limit(_), _) => 503,
                    (_, Aim::Replace) => 603,
                    // RFC 3911 §4: it can't be a conference.
                    (_, Aim::Join) => 488,
                };
                return self.stack.reject(now, session, status, "", &[], &mut self.outputs);
            }
        };
        let max_forwards = request.max_forwards().ok().flatten().unwrap_or(MAX_FORWARDS);
        let line = Line::new(
            call,
            LegNo::CALLER,
            tenant.name.to_string(),
            Some(session),
            None,
            max_forwards.saturating_sub(1),
        );
        self.lines.insert(leg, Line { user: Some(user.to_string()), ..line });
        self.begin_trace(now, call, leg, &tenant.name, request, flow);
        if !self.open_stream(leg, flow.remote, None, offer, protection) {
            self.stack.reject(now, session, 503, "No Media Ports", &[], &mut self.outputs);
            self.reports.push_back((leg, Event::Ended));
        }
    }
}
