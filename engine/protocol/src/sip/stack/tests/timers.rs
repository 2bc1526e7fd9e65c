//! Session timers (RFC 4028): whoever is gone is missed, though nobody speaks.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn timers(expires: u32, least: u32) -> Option<SessionTimers> {
    Some(SessionTimers { expires, least })
}

/// A call under these wishes of each side.
fn in_call(wishes: [Option<SessionTimers>; 2]) -> (Link, [SessionId; 2]) {
    let mut link = Link::new(1);
    for side in [ANA, BORIS] {
        link.stacks[side].config.timers = wishes[side];
    }
    let call = link.call();
    link.run(ms(1_000), &mut answers());
    assert!(link.count(ANA, "ACK") > 0, "{:?}", link.lines());
    let sessions = [call, link.sessions[BORIS][0]];
    (link, sessions)
}

fn says(link: &Link, side: usize, line: &str, what: &str) -> bool {
    link.text(side, line).contains(&format!("\r\n{what}\r\n"))
}

fn ends_well(mut link: Link, sessions: [SessionId; 2]) {
    link.ask(ANA, |stack, now, out| stack.hang_up(now, sessions[ANA], None, out));
    link.run_out(&mut nothing());
    assert_eq!(link.ends(BORIS), ["ended Remote"]);
    link.assert_empty();
}

#[test]
fn rfc4028_7_and_9_a_call_is_asked_for_anew_at_half_time_by_update() {
    let (mut link, sessions) = in_call([timers(1_800, 90), timers(600, 90)]);
    assert!(says(&link, ANA, "INVITE", "Session-Expires: 1800"));
    assert!(says(&link, BORIS, "200", "Session-Expires: 600;refresher=uac"), "{}", link.text(BORIS, "200"));
    assert!(says(&link, BORIS, "200", "Require: timer"));
    link.run(HOUR, &mut nothing());
    let at: Vec<_> = link.at(ANA, "UPDATE").iter().map(|at| at / 1_000).collect();
    assert_eq!(at, (1..=12).map(|nth| nth * 300).collect::<Vec<_>>());
    assert!(says(&link, ANA, "UPDATE", "Session-Expires: 600;refresher=uac"));
    assert_eq!(link.ends(ANA).len() + link.ends(BORIS).len(), 0);
    ends_well(link, sessions);
}

#[test]
fn rfc4028_10_a_side_that_vanished_is_missed_by_whoever_asks_and_by_whoever_waits() {
    let (mut link, _) = in_call([timers(1_800, 90), timers(1_800, 90)]);
    link.drops = Box::new(|_, _| true);
    link.run(HOUR, &mut nothing());
    let ended: Vec<_> = link
        .events
        .iter()
        .filter_map(|(at, side, event)| {
            matches!(event, Event::Ended { by: EndedBy::Timeout, .. }).then_some((*side, at / 1_000))
        })
        .collect();
    // 64*T1 after 900 s; and 32 s before the 1800th.
    assert_eq!(ended, [(ANA, 932), (BORIS, 1_768)]);
    assert!(says(&link, BORIS, "BYE", "Reason: SIP;cause=408;text=\"Session timer expired\""));
    link.run_out(&mut nothing());
    link.assert_empty();
}

#[test]
fn rfc4028_7_2_whoever_knows_no_timers_is_asked_all_the_same() {
    for who in [ANA, BORIS] {
        let mut wishes = [None, None];
        wishes[who] = timers(1_800, 90);
        let (mut link, sessions) = in_call(wishes);
        assert!(!link.text(BORIS, "200").contains("Session-Expires"));
        link.run(HOUR, &mut nothing());
        assert_eq!(link.count(who, "UPDATE"), 4, "{who} {:?}", link.lines());
        ends_well(link, sessions);
    }
}

#[test]
fn rfc4028_7_4_whoever_takes_no_update_gets_a_reinvite_of_the_owner_s() {
    let (mut link, sessions) = in_call([timers(1_800, 90), timers(1_800, 90)]);
    link.stacks[ANA].sessions.get_mut(&sessions[ANA]).unwrap().party.takes_updates = false;
    let mut owner: Owner = Box::new(|link, side, event| match event {
        Event::RefreshDue { session } => {
            let session = *session;
            link.ask(side, |stack, now, out| stack.reinvite(now, session, sdp("as it is"), out));
        }
        Event::Reinvited { session, .. } => {
            let session = *session;
            link.ask(side, |stack, now, out| stack.accept_reinvite(now, session, sdp("as it was"), out));
        }
        _ => {}
    });
    link.run(HOUR - ms(10_000), &mut owner);
    assert_eq!(link.at(ANA, "INVITE").len(), 1 + 3, "at the halves of three intervals");
    assert_eq!(link.count(ANA, "UPDATE"), 0);
    assert!(says(&link, ANA, "INVITE", "Session-Expires: 1800;refresher=uac"));
    assert_eq!(link.ends(BORIS), [""; 0]);
    ends_well(link, sessions);
}

#[test]
fn rfc4028_7_4_and_9_less_than_the_least_is_refused_and_asked_for_longer() {
    let (link, sessions) = in_call([timers(1_800, 90), timers(7_200, 3_600)]);
    assert_eq!(link.lines()[..5], ["a INVITE", "b 422", "a ACK", "a INVITE", "b 180"]);
    assert!(says(&link, BORIS, "422", "Min-SE: 3600"));
    assert!(
        says(&link, ANA, "INVITE", "Session-Expires: 3600") && says(&link, ANA, "INVITE", "Min-SE: 3600")
    );
    assert!(says(&link, ANA, "INVITE", "CSeq: 2 INVITE"));
    assert!(link.text(ANA, "INVITE").ends_with("\r\n\r\noffer"));
    assert!(says(&link, BORIS, "200", "Session-Expires: 3600;refresher=uac"));
    assert!(!link.text(ANA, "ACK").contains("Session-Expires"));
    ends_well(link, sessions);
}

#[test]
fn rfc4028_7_4_an_update_that_asks_for_too_little_is_sent_again() {
    let (mut link, sessions) = in_call([timers(1_800, 90), timers(1_800, 90)]);
    link.stacks[BORIS].config.timers = timers(7_200, 3_600); // a reload
    link.run(HOUR, &mut nothing());
    assert_eq!((link.count(BORIS, "422"), link.ends(ANA).len()), (1, 0), "{:?}", link.lines());
    assert!(says(&link, ANA, "UPDATE", "Session-Expires: 3600;refresher=uac"));
    ends_well(link, sessions);
}

/// The process that takes up a call goes on asking, and goes on waiting.
#[test]
fn rfc4028_10_another_process_misses_whoever_vanished_as_well() {
    for side in [ANA, BORIS] {
        let (mut link, sessions) = in_call([timers(1_800, 90), timers(1_800, 90)]);
        let kept = link.stacks[side].keep(sessions[side]).expect("a confirmed dialog");
        let config = StackConfig { ..link.stacks[side].config.clone() };
        link.stacks[side] = Stack::new(config, 99);
        link.stacks[side].restore(link.now, &kept, None).expect("the dialog is taken up");
        link.drops = Box::new(move |from, _| from != side);
        link.run(HOUR, &mut nothing());
        let ended = |(at, who, event): &(u64, usize, Event)| {
            (*who == side && matches!(event, Event::Ended { by: EndedBy::Timeout, .. })).then_some(at / 1_000)
        };
        let ended: Vec<_> = link.events.iter().filter_map(ended).collect();
        assert_eq!(ended, [[933, 1_769][side]], "{:?}", link.lines());
    }
}
