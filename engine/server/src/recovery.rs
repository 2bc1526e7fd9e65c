//! Calls over `kill -9`: what is kept of a call's telephones while it goes on, how long the exchange was gone,
//! and which of the calls in the journal can be taken up. Taking up is each shard's own (`shard/recovery.rs`).
//!
//! What is kept stands in the journal between the entries of the call's tape, is written with them, and goes
//! with them when the call is sealed. A call that was never answered leaves nothing.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use exchange::{CallId, KeptCall, LegNo};
use protocol::sdp::{Codec, KeptMedia};
use protocol::sip::stack::KeptSession;
use script::Tape;
use script::tape::{self, Entry};
use serde::{Deserialize, Serialize};
use store::{StoreError, Unsealed};

use crate::archive;
use crate::events::wall;
use crate::facts;
use crate::node::Node;

/// In front of what is kept, so that another form can be told apart later.
const FORM: u8 = 3;
/// How often the exchange notes that it is there: a restart knows to this how long it was not.
const BEAT: Duration = Duration::from_secs(2);
/// The file that says so by the time of its last change, in the data folder.
const ALIVE: &str = "alive";

/// How the record of a call names its end.
const STOPPED: &str = "the exchange stopped while the call was up";

/// A call, and each of its legs that is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// As the exchange knows it.
    pub call: KeptCall,
    /// As the wire knows it.
    pub lines: Vec<KeptLine>,
}

/// A leg that is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptLine {
    /// Which of the call's.
    pub no: LegNo,
    /// Its dialog.
    pub session: KeptSession,
    /// Our side of its session description.
    pub media: KeptMedia,
    /// What it speaks.
    pub codec: Option<Codec>,
    /// The carrier, if it leads to one.
    pub trunk: Option<String>,
    /// What an INVITE that continues the call may carry.
    pub max_forwards: u8,
}

/// A call of the last process.
pub struct Found {
    /// What was kept of it.
    pub kept: Kept,
    /// As the journal has it.
    pub bytes: Vec<u8>,
    /// The same, read; none if its script had not begun.
    pub tape: Option<Tape>,
    /// Why it can't be taken up: its telephones are told that it is over, its record is sealed already.
    pub lost: Option<&'static str>,
}

impl Kept {
    /// As it stands in the journal.
    pub fn entry(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024);
        bytes.push(FORM);
        let bytes = postcard::to_extend(self, bytes).expect("texts and numbers can be written");
        tape::legs_entry(&bytes)
    }

    /// None when it is damaged, or of another form.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes.strip_prefix(&[FORM])?).ok()
    }
}

impl Found {
    /// Reads what the journal has; none where nothing was kept of the call but its tape.
    fn read(unsealed: &Unsealed) -> Option<Self> {
        let bytes = unsealed.entries.concat();
        let tape = Tape::read(&bytes).ok();
        let legs = match &tape {
            Some(tape) => tape.legs.clone(),
            // Its script had not begun.
            None => tape::entries(&bytes).into_iter().rev().find_map(|entry| match entry {
                Entry::Legs(legs) => Some(legs),
                _ => None,
            }),
        };
        let kept = Kept::read(&legs?)?;
        let cut = unsealed.cut || tape.as_ref().is_some_and(|tape| tape.cut);
        let lost = cut.then_some("its tape is damaged");
        Some(Self { kept, bytes, tape, lost })
    }

    /// The call.
    pub fn call(&self) -> CallId {
        self.kept.call.id
    }
}

/// Goes through what a killed process left: seals the calls that are over for good, and answers those with
/// telephones that are to hear of it or to go on.
pub fn find(node: &Arc<Node>, unsealed: Vec<Unsealed>) -> Result<Vec<Found>, StoreError> {
    let settings = node.world().node.clone();
    let gone = last_alive(&settings.data);
    let ended = gone.map_or_else(wall, |gone| wall() - gone.as_secs_f64());
    let too_late = match gone {
        _ if !settings.recover_calls => Some("calls are not taken up, as configured"),
        Some(gone) if gone <= settings.recover_within => None,
        _ => Some("the exchange was gone for too long"),
    };
    let mut all = Vec::new();
    for one in unsealed {
        // A record that is kept already was sealed by a process that ended before it could say so here.
        if node.store.get(&one.key)?.is_some() {
            node.journal.seal(&one.key)?;
            continue;
        }
        match Found::read(&one) {
            Some(mut found) => {
                found.lost = found.lost.or(too_late);
                if let Some(why) = found.lost {
                    close(node, &found, ended, why);
                }
                all.push(found);
            }
            None => archive::close_unkept(node, &one)?,
        }
    }
    Ok(all)
}

/// Seals the record of a call that nobody takes up. `ended`: seconds since 1970 UTC.
pub fn close(node: &Arc<Node>, found: &Found, ended: f64, why: &str) {
    let id = found.call();
    node.metrics.calls_lost.inc();
    tracing::warn!(call = %id, tenant = found.kept.call.tenant, why, "a call was lost when the exchange stopped");
    let mut kept = found.kept.call.clone();
    if let Some(tape) = &found.tape {
        kept.tag_from(&archive::past(tape));
    }
    let record = kept.into_record(ended, STOPPED);
    let (mut runs, open) = tape::runs(&found.bytes);
    runs.extend(open);
    let facts = found.tape.iter().flat_map(|tape| &tape.facts).flat_map(script::Fact::entry);
    runs.extend(facts);
    let told = move |result: Result<(), StoreError>| {
        if let Err(why) = result {
            tracing::error!(call = %id, %why, "the record of a lost call is not kept");
        }
    };
    let queue = found.tape.as_ref().map_or("", |tape| facts::queue_of(&tape.facts));
    archive::seal(node, &record, queue, &runs, &[], Box::new(told));
}

/// How long ago the last process said that it was there; none if no process ever did.
fn last_alive(data: &Path) -> Option<Duration> {
    let changed = data.join(ALIVE).metadata().and_then(|file| file.modified()).ok()?;
    Some(SystemTime::now().duration_since(changed).unwrap_or_default())
}

/// Says that this process is there, for as long as it is.
pub async fn beat(data: std::path::PathBuf) {
    let file = match File::options().create(true).truncate(false).write(true).open(data.join(ALIVE)) {
        Ok(file) => file,
        Err(why) => return tracing::error!(%why, "a restart will not know how long the exchange was gone"),
    };
    loop {
        if let Err(why) = file.set_modified(SystemTime::now()) {
            tracing::warn!(%why, "a restart will not know how long the exchange was gone");
        }
        tokio::time::sleep(BEAT).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use exchange::{
        Arrival, CallLimits, Command, Device, Direction, Directory, Exchange, Party, Route, Trunk, User,
    };

    use super::*;

    struct Nobody;

    impl Directory for Nobody {
        fn user(&self, _: &str, _: &str) -> Option<User> {
            None
        }

        fn group(&self, _: &str, _: &str) -> Vec<User> {
            Vec::new()
        }

        fn devices(&self, _: &str, _: &str) -> Vec<Device> {
            Vec::new()
        }

        fn trunks(&self, _: &str) -> Vec<Trunk> {
            Vec::new()
        }

        fn limits(&self, _: &str) -> CallLimits {
            let call_length = Duration::from_secs(3600);
            CallLimits { concurrent_calls: 10, calls_per_second: 10, call_length, legs_per_call: 64 }
        }
    }

    /// A call that was answered, as it is kept.
    fn kept(now: Instant) -> Kept {
        let mut exchange = Exchange::new(now, 1_795_000_000.0, 7, 0);
        let party =
            Party { number: "+359888123456".into(), name: None, uri: "sip:+359888123456@carrier".into() };
        let arrival = Arrival {
            tenant: "acme".into(),
            from: party,
            dialled: "700".into(),
            direction: Direction::Inbound,
            user: None,
            trunk: Some("carrier".into()),
            headers: Default::default(),
            language: "en".into(),
            sip_call_id: "abc".into(),
            route: Route { script: "menu".into(), settings: "{}".into(), fallback: Vec::new(), source: None },
        };
        let mut effects = Vec::new();
        let (id, _) = exchange.arrive(now, arrival, &Nobody, &mut effects);
        exchange.handle_command(now, id, Command::Answer { leg: LegNo::CALLER }, &Nobody, &mut effects);
        let (call, legs) = exchange.kept_call(now, id).expect("its caller was answered");
        assert_eq!(legs.len(), 1);
        Kept { call, lines: Vec::new() }
    }

    fn bytes(kept: &Kept) -> Vec<u8> {
        match tape::entries(&kept.entry()).pop() {
            Some(Entry::Legs(bytes)) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_another_form_is_not_taken_for_it() {
        let kept = kept(Instant::now());
        let bytes = bytes(&kept);
        assert_eq!(Kept::read(&bytes), Some(kept));
        assert!(bytes.len() < 400, "a call in a menu costs {} bytes without its dialog", bytes.len());
        assert_eq!(Kept::read(&[&[FORM + 1], &bytes[1..]].concat()), None);
        assert_eq!(Kept::read(&[]), None);
        for end in 0..bytes.len() {
            assert_eq!(Kept::read(&bytes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn whatever_bit_is_another_one_the_call_is_taken_up_or_refused_and_ends_by_its_time() {
        let now = Instant::now();
        let bytes = bytes(&kept(now));
        let mut taken = 0;
        for bit in 8..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let Some(Kept { call, .. }) = Kept::read(&damaged) else { continue };
            let (id, mut effects) = (call.id, Vec::new());
            let mut exchange = Exchange::new(now, 1_795_000_010.0, 9, 0);
            if exchange.restore_call(now, call, &[], &Nobody, &mut effects).is_none() {
                assert!(exchange.is_empty());
                continue;
            }
            taken += 1;
            exchange.handle_timeout(now + Duration::from_secs(3600), &Nobody, &mut effects);
            exchange.handle_finish(
                now + Duration::from_secs(3600),
                id,
                exchange::Finish::HungUp,
                &Nobody,
                &mut effects,
            );
            assert!(exchange.is_empty(), "bit {bit}");
        }
        assert!(taken > bytes.len(), "most bits are letters of names: {taken}");
    }
}
