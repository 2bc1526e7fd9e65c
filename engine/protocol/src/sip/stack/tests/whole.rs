//! Whole calls over bad networks: reliable ringing, an UPDATE before the answer, hours of talk with session timers and
//! changes from both sides, and the end; with loss, delay, copies and messages that overtake each other. A seed
//! that fails is printed.

use super::*;

/// Both owners do what a shard would.
fn talks() -> Owner {
    Box::new(|link, side, event| match event {
        Event::Invited { session, .. } => {
            let session = *session;
            link.ask(side, |stack, now, out| stack.provisional(now, session, 183, "", sdp("early"), out));
        }
        Event::Reinvited { session, .. } => {
            let session = *session;
            link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("taken"), out));
        }
        Event::RefreshDue { session } => {
            let session = *session;
            link.ask(side, |stack, now, out| stack.reinvite(now, session, sdp("as it is"), out));
        }
        _ => {}
    })
}

#[test]
fn a_call_of_hours_over_a_bad_network_has_one_dialog_and_one_end() {
    const SEEDS: u64 = 400;
    let mut set_up = 0;
    for seed in 1..=SEEDS {
        let mut link = Link::lossy(seed, [1, 5, 10, 15][seed as usize % 4]);
        for side in [ANA, BORIS] {
            link.stacks[side].config.timers =
                (link.random(4) > 0).then(|| SessionTimers { expires: 600 + 300 * side as u32, least: 90 });
        }
        let call = link.call();
        for _ in 0..30 {
            link.run(ms(1_000), &mut talks());
            if !link.sessions[BORIS].is_empty() {
                break;
            }
        }
        for _ in 0..3 {
            let (side, wait) = (link.random(2) as usize, 500 + link.random(3_000));
            if let Some(session) = link.sessions[side].first().copied() {
                let codec = Bytes::from_static(b"codec");
                link.ask(side, |stack, now, out| stack.update(now, session, &codec, out));
            }
            link.run(ms(wait), &mut talks());
        }
        if let Some(session) = link.sessions[BORIS].first().copied() {
            link.ask(BORIS, |stack, now, out| stack.answer(now, session, sdp("early"), out));
        }
        link.run(ms(40_000), &mut talks());
        let answered =
            link.events.iter().filter(|(_, _, event)| matches!(event, Event::Answered { .. })).count();
        assert!(answered <= 1 && link.sessions[BORIS].len() <= 1, "seed {seed}: {:?}", link.lines());
        set_up += answered;
        for _ in 0..6 {
            let (side, wait) = (link.random(2) as usize, 60_000 + link.random(900_000));
            if let Some(session) = link.sessions[side].first().copied() {
                link.ask(side, |stack, now, out| stack.reinvite(now, session, sdp("hold"), out));
            }
            link.run(ms(wait), &mut talks());
        }
        let ends = link.random(2) as usize;
        let session = link.sessions[ends].first().copied().unwrap_or(call);
        link.ask(ends, |stack, now, out| stack.hang_up(now, session, None, out));
        link.run(ms(120_000), &mut talks());
        for side in [ANA, BORIS] {
            for session in link.sessions[side].clone() {
                link.ask(side, |stack, now, out| stack.hang_up(now, session, None, out));
            }
        }
        link.run_out(&mut nothing());
        link.assert_empty();
        for side in [ANA, BORIS] {
            assert_eq!(link.ends(side).len(), link.sessions[side].len(), "seed {seed}: {:?}", link.events);
        }
    }
    assert!(set_up * 100 >= SEEDS as usize * 99, "{set_up} of {SEEDS} calls were set up");
}
