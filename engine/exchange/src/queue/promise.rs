//! Call backs that were promised. A caller who is told "we call you back" must be called, whatever
//! happens to this process: the promise is kept where a restart finds it before the script hears of it,
//! and forgotten when the place is over. It holds for [`KEPT`] at most. A kill between the conversation
//! and the forgetting has the customer called a second time, which is better than never.

use std::time::{Duration, Instant};

use super::MOST_CALL_BACKS;
use super::floor::{Floor, Moment, Order};
use super::place::{CallBack, Place, PlaceId, Promise, Stage};
use super::plan::KeptCallBack;
use crate::effect::Effect;
use crate::verb::{CallId, Failure};

/// How long a call back is kept in line.
const KEPT: Duration = Duration::from_secs(8 * 3600);
/// The longest number, in bytes.
const MOST_NUMBER: usize = 64;

impl Floor {
    /// The caller wants to be called back: promised once it is kept, which `Order::Promised` tells.
    pub fn promise(
        &mut self,
        id: PlaceId,
        promised_in: CallId,
        number: String,
        language: String,
        m: &mut Moment,
    ) -> Result<(), Failure> {
        let over = || Failure::Invalid("place: it is over".into());
        let place = self.places.get(&id).filter(|place| place.is_waiting()).ok_or_else(over)?;
        if number.is_empty() || number.len() > MOST_NUMBER {
            return Err(Failure::Invalid("number: 1 to 64 characters".into()));
        }
        let ours = |other: &&Place| other.tenant == place.tenant && other.queue == place.queue;
        let owed = || self.places.values().filter(ours).filter_map(Place::owed);
        if owed().any(|other| *other == *number) {
            return Err(Failure::Invalid("number: it is called back already".into()));
        }
        if owed().count() >= MOST_CALL_BACKS {
            return Err(Failure::Limit("call_backs".into()));
        }
        let place = self.places.get_mut(&id).expect("it was there a line ago");
        let kept = KeptCallBack {
            queue: place.queue.to_string(),
            number: number.clone(),
            promised_in,
            language: language.clone(),
            priority: place.priority,
            skills: place.skills.clone(),
            entered: m.wall - m.now.saturating_duration_since(place.arrived).as_secs_f64(),
            until: m.wall + KEPT.as_secs_f64(),
        };
        let call_back = CallBack { promised_in, language, until: m.now + KEPT };
        place.promise = Some(Promise { number, call_back });
        let tenant = place.tenant.to_string();
        m.out.push(Effect::KeepCallBack { ticket: id.0, tenant, kept: Box::new(kept) });
        Ok(())
    }

    /// The promise is where a restart finds it, or can't be kept there.
    pub fn handle_kept(&mut self, ticket: u64, kept: Result<(), String>, m: &mut Moment) {
        let id = PlaceId(ticket);
        let Some(place) = self.places.get_mut(&id).filter(|place| place.promise.is_some()) else { return };
        let call = place.call;
        let done = match kept {
            Ok(()) if place.is_waiting() => self.fulfil_promise(id, m).ok_or(Failure::TimedOut),
            Ok(()) => {
                let promise = place.promise.take();
                let (tenant, queue) = (place.tenant.to_string(), place.queue.to_string());
                m.out.extend(promise.map(|Promise { number, .. }| Effect::ForgetCallBack {
                    tenant,
                    queue,
                    number,
                }));
                Err(Failure::Invalid("place: an agent has answered".into()))
            }
            Err(why) => {
                place.promise = None;
                Err(Failure::Other(format!("the call back is not kept: {why}")))
            }
        };
        self.orders.extend(call.map(|call| (call, id, Order::Promised(done))));
    }

    /// The place stays in line without its call. Answers the number that is called back.
    pub(super) fn fulfil_promise(&mut self, id: PlaceId, m: &mut Moment) -> Option<String> {
        let place = self.places.get_mut(&id)?;
        let Promise { number, call_back } = place.promise.take()?;
        let (tenant, queue) = (place.tenant.clone(), place.queue.clone());
        let call = place.call.take();
        let leases = std::mem::take(&mut place.leases);
        place.number = number.clone();
        place.call_back = Some(call_back);
        place.give_up_at = None;
        place.listening = false;
        place.keys.clear();
        self.release_leases(&tenant, leases, m);
        let mut about = vec![("queue", queue.to_string()), ("number", number.clone())];
        about.extend(call.map(|call| ("call", call.to_string())));
        m.tell(&tenant, "queue.call-back", about);
        self.arm_place(id);
        self.stir(&tenant, &queue);
        Some(number)
    }

    /// The place is over: nobody is called back for it any more.
    pub(super) fn forget_promise(&self, place: &Place, m: &mut Moment) {
        if let Some(number) = place.owed() {
            m.out.push(Effect::ForgetCallBack {
                tenant: place.tenant.to_string(),
                queue: place.queue.to_string(),
                number: number.to_owned(),
            });
        }
    }

    /// A promise of an earlier process: back into the line, where it was. If the queue is configured no longer the
    /// line waits for it to be.
    pub fn restore_call_back(&mut self, tenant: &str, kept: KeptCallBack, m: &mut Moment) {
        self.look_up(tenant, &kept.queue, m);
        let known = self.names(tenant, &kept.queue);
        let (tenant, queue) = known.unwrap_or_else(|| self.open_closed(tenant, &kept.queue));
        let known = |place: &Place| {
            place.tenant == tenant && place.queue == queue && place.owed() == Some(kept.number.as_str())
        };
        if self.places.values().any(known) {
            return;
        }
        let id = PlaceId(self.next_id());
        let length = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let arrived = m.now.checked_sub(length(m.wall - kept.entered)).unwrap_or(m.now);
        let until: Instant = m.now + length(kept.until - m.wall).min(KEPT);
        let call_back = CallBack { promised_in: kept.promised_in, language: kept.language, until };
        let place = Place {
            tenant: tenant.clone(),
            queue: queue.clone(),
            call: None,
            last_agent: m.directory.last_spoke_with(&tenant, &kept.number),
            number: kept.number,
            priority: kept.priority,
            skills: kept.skills,
            arrived,
            resumed: false,
            give_up_at: None,
            stage: Stage::Waiting,
            leases: Vec::new(),
            tried: Vec::new(),
            promise: None,
            call_back: Some(call_back),
            listening: false,
            said: None,
            announce_at: None,
            asking_words: false,
            asking_key: false,
            keys: Default::default(),
            armed: None,
        };
        self.places.insert(id, place);
        self.stand_in_line(id);
        if let Some(line) = self.line_mut(&tenant, &queue) {
            line.today.entered += 1;
        }
        self.arm_place(id);
        self.stir(&tenant, &queue);
    }
}
