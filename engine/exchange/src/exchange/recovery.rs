//! Calls over a restart: what is kept of one while it goes on, and the way back into a shard.

use std::cmp::Reverse;
use std::time::Instant;

use super::Exchange;
use crate::call::{Call, KeptCall, Past, Resumed};
use crate::directory::Directory;
use crate::effect::{Effect, LegKey};
use crate::verb::{CallId, LegNo};

impl Exchange {
    /// What a restart must know of a call beside its tape, and its legs that are up; none when it is over, or
    /// its caller is not answered yet.
    pub fn kept_call(&self, now: Instant, id: CallId) -> Option<(KeptCall, Vec<(LegNo, LegKey)>)> {
        let call = self.calls.get(&id)?;
        let kept = call.keep(now, self.wall(now), &self.floor)?;
        let keys = kept.legs().map(|no| (no, call.legs[no.0 as usize].key)).collect();
        Some((kept, keys))
    }

    /// Takes up a call of an earlier process, after the first `people_changed` of its tenant and after call
    /// backs are restored. `past` is what its tape has. Answers the keys of the legs that are up, and of
    /// them those that the tape does not know are told to end; none when what was kept makes no sense, or
    /// the call is here already. Whoever resumes the call's script does so after this; a call
    /// [in its last resort](KeptCall::is_in_last_resort) has none to resume.
    pub fn restore_call(
        &mut self,
        now: Instant,
        mut kept: KeptCall,
        past: &Past,
        directory: &dyn Directory,
        out: &mut Vec<Effect>,
    ) -> Option<Vec<(LegNo, LegKey)>> {
        let (id, wall) = (kept.id, self.wall(now));
        if self.calls.contains_key(&id) {
            return None;
        }
        let resumed = Resumed::of(&mut kept);
        let up: Vec<LegNo> = kept.legs().collect();
        let mut none = Vec::new();
        let call = Call::restore(kept, &mut self.around(now, wall, directory, &mut none))?;
        let keys = up.iter().map(|no| (*no, call.legs[no.0 as usize].key)).collect();
        self.tallies.entry(call.tenant.clone()).or_default().calls += 1;
        self.timers.extend(call.next_timeout().map(|due| Reverse((due, id))));
        self.calls.insert(id, call);
        self.step(now, id, directory, out, |call, around| call.catch_up(past, resumed, around));
        Some(keys)
    }
}
