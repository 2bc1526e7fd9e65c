//! A call that the exchange begins itself: someone is rung first, and whoever answers becomes the
//! caller, for whom the script then runs as for any other. Until then leg 0 only holds the place, so
//! that legs keep their numbers and a record has someone to name.

use super::{Around, Call, Driver};
use crate::effect::{Effect, LegKey, Origin, Token};
use crate::leg::State;
use crate::verb::{Answer, CallId, Command, Dial, Direction, Failure, LegNo, Party, Stage, Target};

impl Call {
    /// A call without a caller; [`Call::ring_origin`] looks for one.
    pub fn originate(id: CallId, key: LegKey, origin: &Origin, around: &mut Around) -> Self {
        let first = origin.ring.first().map(|target| known_as(target, &origin.tenant, around));
        let (party, shown) = first.unwrap_or_default();
        let arrival = crate::effect::Arrival {
            tenant: origin.tenant.clone(),
            from: party,
            dialled: origin.dialled.clone(),
            direction: Direction::Outbound,
            user: None,
            trunk: None,
            headers: Default::default(),
            language: origin.language.clone(),
            sip_call_id: String::new(),
            route: origin.route.clone(),
        };
        let mut call = Self::with_caller(id, key, arrival, around);
        call.driver = Driver::Origin { token: origin.token };
        call.legs[0].state = State::Absent;
        call.legs[0].record.party = shown;
        let about = format!("{} -> {}", call.legs[0].record.party, origin.dialled);
        call.note("call.originated", LegNo::CALLER, about, around);
        call
    }

    /// Rings all who may become the caller.
    pub fn ring_origin(&mut self, origin: Origin, around: &mut Around) {
        let dial = Dial {
            stages: vec![Stage { after: std::time::Duration::ZERO, targets: origin.ring }],
            timeout: origin.timeout,
            ringback: None,
            present: Some(origin.present),
            skip_busy: false,
        };
        if let Some(answer) = self.begin(Command::Dial(dial), around) {
            self.settle(answer, around);
        }
    }

    /// Someone answered and is the caller from here on, or nobody did.
    pub(super) fn origin_settled(&mut self, token: Option<Token>, answer: Answer, around: &mut Around) {
        self.dialled = false; // the script has dialled nobody yet
        match answer {
            Answer::Leg(winner) => {
                self.become_caller(winner.leg, around);
                self.driver = Driver::Script;
                self.start(around);
            }
            answer => {
                let why = match answer {
                    Answer::Failed(why) => why,
                    _ => Failure::Unreachable,
                };
                self.note("call.unanswered", LegNo::CALLER, why.to_string(), around);
                around.out.push(Effect::OriginFailed { call: self.id, token, why });
                self.close(480, around);
            }
        }
    }

    /// The leg changes places with the one that stood for the caller.
    pub(super) fn become_caller(&mut self, winner: LegNo, around: &mut Around) {
        let dialled = std::mem::take(&mut self.legs[0].info.dialled);
        self.take_place(LegNo::CALLER, winner, around);
        let caller = &mut self.legs[0];
        caller.info.dialled = dialled;
        caller.record.leg = LegNo::CALLER;
        self.from = caller.info.party.clone();
        self.answered = Some(around.wall);
        self.note("call.answered", LegNo::CALLER, String::new(), around);
    }

    /// Gives up ringing for a caller.
    pub(super) fn give_up_origin(&mut self, around: &mut Around) {
        if self.standing.is_some() {
            self.unring(around);
            return self.settle(Answer::Failed(Failure::NoAnswer), around);
        }
        if let Some(answer) = self.give_up_dial(around) {
            self.settle(answer, around);
        }
    }
}

/// Who a target is, and by which name a record has it.
fn known_as(target: &Target, tenant: &str, around: &Around) -> (Party, String) {
    match target {
        Target::User(name) => match around.directory.user(tenant, name) {
            Some(user) => {
                let uri = format!("sip:{}", user.name);
                (Party { number: user.number, name: Some(user.name.clone()), uri }, user.name)
            }
            None => (Party::default(), name.clone()),
        },
        Target::Number(number) => {
            (Party { number: number.clone(), name: None, uri: format!("tel:{number}") }, number.clone())
        }
        Target::Uri(uri) => (Party { number: String::new(), name: None, uri: uri.clone() }, uri.clone()),
    }
}
