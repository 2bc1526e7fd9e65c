//! A version that runs beside the active one: each call of the active version is played to it from its tape when the
//! call's script is done, with nothing outside happening, and where it parts is kept. On a thread of its own, behind a
//! bounded queue: a call never waits for it. What was compared is forgotten at a restart; which version is a script's
//! shadow is not.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use script::{Sandboxes, Tape, Version};

use super::comparison::{Compared, Player, Report};
use crate::config::Tenant;

/// Calls that wait to be played; one more is counted as not compared.
pub const WAITING: usize = 256;

/// A call that a shadow is to be compared with.
pub(super) struct Played {
    pub tenant: Arc<Tenant>,
    pub script: String,
    pub version: Arc<Version>,
    pub tape: Vec<u8>,
}

/// Reports by tenant and script, with the hash of the shadow that they are about.
type Reports = Mutex<HashMap<(String, String), (String, Report)>>;

/// The shadows of all scripts.
pub(super) struct Shadows {
    waiting: SyncSender<Played>,
    reports: Arc<Reports>,
}

impl Shadows {
    /// Starts the thread, which ends with this.
    pub fn start(sandboxes: Arc<Sandboxes>) -> std::io::Result<Self> {
        let (waiting, calls) = sync_channel(WAITING);
        let reports = Arc::new(Reports::default());
        let kept = reports.clone();
        std::thread::Builder::new().name("shadow".into()).spawn(move || play(&sandboxes, &calls, &kept))?;
        Ok(Self { waiting, reports })
    }

    /// Takes a call on; never waits.
    pub fn compare(&self, played: Played) {
        if let Err(why) = self.waiting.try_send(played) {
            let (std::sync::mpsc::TrySendError::Full(played)
            | std::sync::mpsc::TrySendError::Disconnected(played)) = why;
            note(&self.reports, &played, Compared::Not);
        }
    }

    /// What was found of a script's shadow.
    pub fn report(&self, tenant: &str, script: &str, hash: &str) -> Report {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let found = reports.get(&(tenant.to_owned(), script.to_owned()));
        found.filter(|(known, _)| known == hash).map(|(_, report)| report.clone()).unwrap_or_default()
    }
}

fn play(sandboxes: &Sandboxes, calls: &Receiver<Played>, reports: &Reports) {
    let player = match Player::new(sandboxes) {
        Ok(player) => player,
        Err(why) => return tracing::error!(%why, "shadows can't run"),
    };
    for played in calls {
        let compared = match Tape::read(&played.tape) {
            Ok(tape) => player.play(&played.version, &tape, &played.script, &played.tenant),
            Err(_) => Compared::Not,
        };
        note(reports, &played, compared);
    }
}

fn note(reports: &Reports, played: &Played, compared: Compared) {
    let key = (played.tenant.name.to_string(), played.script.clone());
    let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
    let (hash, report) = reports.entry(key).or_default();
    if hash != played.version.hash() {
        (*hash, *report) = (played.version.hash().to_owned(), Report::default());
    }
    report.add(compared);
}
