//! Sessions as carriers want them: reliable ringing, changes before the answer, session timers.

use std::time::Duration;

use tests::sipp::{Sipp, UAC, UAC_PRACK, UAS, UAS_PRACK};

use crate::world::{LATER, World};

const A_SECOND: Duration = Duration::from_secs(1);

/// The one that calls insists on PRACK and a timer; the one that is called rings reliably and changes its codec by
/// UPDATE before it answers. Neither hears of what the other does.
#[test]
fn rfc3262_rfc3311_rfc4028_carriers_ring_reliably_and_agree_on_a_timer() {
    let mut far = None;
    let mut world = World::with(|net| {
        let at = net.sip();
        far = Some(at);
        format!(
            "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  \
             settings = {{ does = \"ring\", number = \"+35921110000\" }}\n  \
             [[tenant.trunk]]\n  name = \"far\"\n  address = \"sip:{at}\"\n  probe = 0\n"
        )
    });
    let far = far.expect("an address");
    // Calls go to the tenant's carriers in turn; the first is the one that calls, and has no room for them.
    let called = Sipp::scenario(UAS_PRACK, far).trace().start();
    let report = world.carrier_plays(UAC_PRACK, "900").calls(1, 1).talks(A_SECOND).trace().run(LATER);
    let called = called.stop();
    assert_eq!(called.successful, 1, "{}\n{}\n{}", called.said, called.messages, report.messages);
    report.assert_all(1);
    let call = world.exchange.calls(1).remove(0);
    assert_eq!(call["outcome"], "answered", "{call}");
}

/// Who calls is what a trusted carrier asserts, and the next one is told so; whoever wants to be private is withheld.
#[test]
fn rfc3325_rfc5806_a_call_that_goes_on_says_who_calls_and_whom_it_was_for() {
    let mut far = None;
    let world = World::with(|net| {
        let at = net.sip();
        far = Some(at);
        format!(
            "  [[tenant.number]]\n  number = \"900\"\n  script = \"behave\"\n  \
             settings = {{ does = \"ring\", number = \"+35921110000\" }}\n  \
             [[tenant.trunk]]\n  name = \"far\"\n  address = \"sip:{at}\"\n  probe = 0\n  \
             identity = \"p-asserted-identity\"\n  sent_on = [\"diversion\", \"history-info\"]\n"
        )
    });
    let far = far.expect("an address");
    let invited = |more: &str| {
        let asserted =
            format!("Max-Forwards: 70\n    P-Asserted-Identity: <sip:+359888999999@a.example>\n{more}");
        let scenario = UAC.replacen("Max-Forwards: 70\n", &asserted, 1);
        let called = Sipp::scenario(UAS, far).trace().start();
        world.carrier_plays(&scenario, "900").calls(1, 1).talks(A_SECOND).run(LATER).assert_all(1);
        called.stop().messages
    };
    let open = invited("");
    for line in [
        "P-Asserted-Identity: <sip:+359888999999@",
        "Diversion: <sip:900@",
        ";reason=unconditional;counter=1",
        "History-Info: <sip:900@",
        "index=1.1;mp=1",
    ] {
        assert!(open.contains(line), "{line} is not in\n{open}");
    }
    assert!(open.contains("\nFrom: <sip:+359888999999@"), "{open}");
    let private = invited("    Privacy: id\n");
    assert!(private.contains("From: \"Anonymous\" <sip:anonymous@anonymous.invalid>"), "{private}");
    assert!(private.contains("\nPrivacy: id") && !private.contains("359888999999"), "{private}");
}
