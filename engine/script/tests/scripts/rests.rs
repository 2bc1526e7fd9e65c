//! A run that waits for long gives its sandbox back, and nobody can tell from what it does.

use std::sync::Arc;
use std::time::Duration;

use exchange::{CallId, Command};
use script::{
    Asked, Finish, Limits, Moved, Reins, Run, Sandboxes, Start, Tape, Verdict, Version, World, tape,
};
use tokio::time::{advance, sleep};

use crate::support::*;

/// Takes ten seconds for whatever a caller hears or does.
struct Slow(Arc<Puppet>);

impl World for Slow {
    fn ask(&self, call: CallId, command: Command) -> Asked<'_> {
        let long = matches!(
            command,
            Command::Play { .. } | Command::Gather { .. } | Command::Dial(_) | Command::Bridge { .. }
        );
        Box::pin(async move {
            if long {
                sleep(Duration::from_secs(10)).await;
            }
            self.0.ask(call, command).await
        })
    }

    fn tape(&self, call: CallId, bytes: &[u8]) {
        self.0.tape(call, bytes);
    }
}

async fn slowly(sandboxes: &Sandboxes, actor: &Version, part: &str, rest: Duration) -> (Run, Arc<Puppet>) {
    let puppet = Puppet::obliging();
    let limits = Limits { rest, ..unhurried() };
    let run = sandboxes.run_call(actor, start(part), Arc::new(Slow(puppet.clone())), &limits).await;
    (run, puppet)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_rests_does_what_one_does_that_stays() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    for (part, rests) in [("menu", 3), ("chance", 0), ("babble", 0), ("unreachable", 0), ("fail", 0)] {
        let (stayed, by_who_stayed) = slowly(&sandboxes, &actor, part, Duration::from_secs(60)).await;
        let (rested, by_who_rested) = slowly(&sandboxes, &actor, part, Duration::from_secs(5)).await;
        assert_eq!((stayed.rests, rested.rests), (0, rests), "{part}");
        assert_eq!(stayed.finish, rested.finish, "{part}");
        // Nothing was asked twice, and the tapes are those of the same call.
        assert_eq!(by_who_stayed.asked()[..], by_who_rested.asked()[..], "{part}");
        assert_eq!(stayed.tape, rested.tape, "{part}");
        assert_eq!(*by_who_rested.tape.lock().unwrap(), rested.tape, "{part}");
        let segment = Tape::read(&rested.tape).unwrap().segments.remove(0);
        let steps = segment.steps.len();
        assert_eq!(sandboxes.replay(&actor, &segment, &unhurried()).await, Verdict::Same { steps }, "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_rests_has_no_sandbox() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let nobody = Puppet::new(|_| None);
    let mut call = Box::pin(run(&sandboxes, &actor, "wait", &nobody));
    until_it_waits(&mut call).await;
    assert_eq!(sandboxes.alive(), 1);
    advance(Limits::call().rest + Duration::from_millis(1)).await;
    until_it_waits(&mut call).await;
    assert_eq!((sandboxes.alive(), actor.figures().running), (0, 1));
    drop(call);
    assert_eq!(actor.figures().running, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_what_it_was_resumed_with() {
    let sandboxes = sandboxes();
    let actor = actor(&sandboxes);
    let whole = slowly(&sandboxes, &actor, "menu", Duration::from_secs(60)).await.0;
    let segment = Tape::read(&whole.tape).unwrap().segments.remove(0);
    let past = segment.steps[..2].to_vec();
    let world = Arc::new(Slow(Puppet::obliging()));
    let limits = Limits { rest: Duration::from_secs(5), ..unhurried() };
    let run = sandboxes.resume(&actor, segment.start.clone(), past, world.clone(), &limits).await;
    assert_eq!((run.finish, run.rests), (Finish::Returned, 3));
    let asked = segment.steps[2..].iter().map(|step| &step.command);
    assert!(asked.eq(world.0.asked().iter()));
}

#[tokio::test(start_paused = true)]
async fn where_no_sandbox_is_free_who_waited_longest_gives_its_own() {
    let sandboxes = with(|settings| {
        settings.sandboxes = 2;
        settings.per_tenant = 2;
    });
    let actor = actor(&sandboxes);
    let sandboxes = Arc::new(sandboxes);
    let call = |tenant: &'static str| {
        let (sandboxes, actor) = (sandboxes.clone(), actor.clone());
        let world = Arc::new(Slow(Puppet::obliging()));
        let limits = Limits { rest: Duration::from_secs(3_600), ..unhurried() };
        let start = Start { tenant: tenant.into(), ..start("menu") };
        tokio::spawn(async move { sandboxes.run_call(&actor, start, world, &limits).await })
    };
    let calls: Vec<_> = ["one", "one", "one", "two", "three"].map(call).into();
    let mut rests = 0;
    for call in calls {
        let run = call.await.unwrap();
        assert_eq!(run.finish, Finish::Returned);
        rests += run.rests;
    }
    assert!(rests >= 3, "three more than there are sandboxes, so as many had to rest: {rests}");
    assert_eq!(sandboxes.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_the_middle_goes_on_with_another_version_that_would_have_come_there() {
    let sandboxes = Arc::new(sandboxes());
    let first = actor(&sandboxes);
    // The same component comes to the same place. The later one asks another question at the third step.
    let (same, later) = (actor(&sandboxes), Arc::new(Version::new(compile(&sandboxes, "actor-later"))));
    for (after, to, goes) in [(5, &same, true), (15, &same, true), (5, &later, false), (15, &later, false)] {
        let world = Arc::new(Held { slow: Slow(Puppet::obliging()), reins: Arc::default() });
        let (run, version, held) = (sandboxes.clone(), first.clone(), world.clone());
        let limits = Limits { rest: Duration::from_secs(60), ..unhurried() };
        let call = tokio::spawn(async move { run.run_call(&version, start("menu"), held, &limits).await });
        sleep(Duration::from_secs(after)).await;
        let moved = world.reins.move_to(to.clone()).await.unwrap();
        assert_eq!(moved == Moved::There, goes, "after {after} s: {moved}");
        assert_eq!((to.figures().running, first.figures().running), (goes.into(), (!goes).into()));
        let run = call.await.unwrap();
        assert_eq!((&run.finish, run.rests), (&Finish::Returned, 1));
        // The caller noticed nothing: everything was asked once.
        let segment = Tape::read(&run.tape).unwrap().segments.remove(0);
        let asked = segment.steps.iter().map(|step| &step.command);
        let of_the_world = asked.filter(|command| !matches!(command, Command::Settings));
        assert!(of_the_world.eq(world.slow.0.asked().iter()));
        let noted = tape::entries(&run.tape).into_iter().filter_map(|entry| match entry {
            tape::Entry::Moved { version, .. } => Some(version),
            _ => None,
        });
        let expected = goes.then(|| to.hash().to_owned());
        assert!(noted.eq(expected));
        assert_eq!(*world.slow.0.tape.lock().unwrap(), run.tape);
        let verdict = sandboxes.replay(if goes { to } else { &first }, &segment, &unhurried()).await;
        assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() });
    }
}

/// A slow world that keeps hold of the run.
struct Held {
    slow: Slow,
    reins: Arc<Reins>,
}

impl World for Held {
    fn ask(&self, call: CallId, command: Command) -> Asked<'_> {
        self.slow.ask(call, command)
    }

    fn reins(&self) -> Option<Arc<Reins>> {
        Some(self.reins.clone())
    }

    fn tape(&self, call: CallId, bytes: &[u8]) {
        self.slow.tape(call, bytes);
    }
}
