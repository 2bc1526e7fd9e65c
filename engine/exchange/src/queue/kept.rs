//! Places that outlive the process, with the calls that wait in them: where a caller stood, since when, and
//! for how long still. Offers are not kept: telephones that rang are forgotten, and the strategy is asked anew.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::floor::{Floor, Moment};
use super::place::{Place, PlaceId, Stage};
use crate::verb::{CallId, Prompt};

/// A caller's place. Times are seconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptPlace {
    /// As the script knows it.
    pub no: u32,
    pub queue: String,
    pub music: Prompt,
    number: String,
    priority: i32,
    skills: Vec<(String, u8)>,
    entered: f64,
    resumed: bool,
    give_up_at: Option<f64>,
    /// Who answered, and after how long; the bridge is still to come.
    pub agent: Option<(String, Duration)>,
    /// That one's leg.
    pub connected: Option<u32>,
    /// The script knows it.
    pub fetched: bool,
    /// The call rings an agent who calls somebody back.
    call_back: bool,
}

impl Floor {
    /// What a restart must know of a place; none while it is only asked for.
    pub fn keep_place(&self, id: PlaceId, now: Instant, wall: f64) -> Option<KeptPlace> {
        let place = self.places.get(&id).filter(|place| place.stage != Stage::Entering)?;
        let since = |at: Instant| wall - now.saturating_duration_since(at).as_secs_f64();
        let until = |at: Instant| wall + at.saturating_duration_since(now).as_secs_f64();
        Some(KeptPlace {
            no: 0,
            queue: place.queue.to_string(),
            music: Prompt::Music(String::new()),
            number: place.number.clone(),
            priority: place.priority,
            skills: place.skills.clone(),
            entered: since(place.arrived),
            resumed: place.resumed,
            give_up_at: place.give_up_at.map(until),
            agent: match &place.stage {
                Stage::Connected { agent, waited } => Some((agent.to_string(), *waited)),
                Stage::Entering | Stage::Waiting => None,
            },
            connected: None,
            fetched: false,
            call_back: place.call_back.is_some(),
        })
    }

    /// A place of an earlier process: back in line where it was, or with the agent who has answered. None when
    /// the queue is configured no longer, or nobody is owed a call there any more.
    pub fn restore_place(
        &mut self,
        tenant: &str,
        call: CallId,
        kept: KeptPlace,
        m: &mut Moment,
    ) -> Option<PlaceId> {
        self.look_up(tenant, &kept.queue, m);
        let stage = match kept.agent {
            Some((agent, waited)) => Stage::Connected { agent: agent.as_str().into(), waited },
            None => Stage::Waiting,
        };
        if kept.call_back {
            return self.retake(tenant, call, &kept.queue, &kept.number, stage);
        }
        self.open_line(tenant, &kept.queue)?;
        let (tenant, queue) = self.names(tenant, &kept.queue)?;
        let id = PlaceId(self.next_id());
        let length = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let connected = stage != Stage::Waiting;
        let place = Place {
            tenant: tenant.clone(),
            queue: queue.clone(),
            call: Some(call),
            last_agent: m.directory.last_spoke_with(&tenant, &kept.number),
            number: kept.number,
            priority: kept.priority,
            skills: kept.skills,
            arrived: m.now.checked_sub(length(m.wall - kept.entered)).unwrap_or(m.now),
            resumed: kept.resumed,
            give_up_at: kept.give_up_at.and_then(|at| m.now.checked_add(length(at - m.wall))),
            stage,
            leases: Vec::new(),
            tried: Vec::new(),
            promise: None,
            call_back: None,
            listening: false,
            said: None,
            announce_at: None,
            asking_words: false,
            asking_key: false,
            keys: Default::default(),
            armed: None,
        };
        self.places.insert(id, place);
        if !connected {
            self.stand_in_line(id);
        }
        if let Some(line) = self.line_mut(&tenant, &queue) {
            line.today.entered += 1;
        }
        self.arm_place(id);
        self.stir(&tenant, &queue);
        Some(id)
    }

    /// The promise that this call is about to keep is in line again: it is this call's once more.
    fn retake(
        &mut self,
        tenant: &str,
        call: CallId,
        queue: &str,
        number: &str,
        stage: Stage,
    ) -> Option<PlaceId> {
        let ours = |(_, place): &(&PlaceId, &mut Place)| {
            *place.tenant == *tenant && *place.queue == *queue && place.owed() == Some(number)
        };
        let (id, place) = self.places.iter_mut().find(ours)?;
        let (id, waits) = (*id, stage == Stage::Waiting);
        if waits {
            return None; // nobody had answered: it is looked for somebody anew
        }
        place.call = Some(call);
        place.stage = stage;
        if let Some(line) = self.line_mut(tenant, queue) {
            line.callers.retain(|caller| *caller != id);
        }
        Some(id)
    }
}
