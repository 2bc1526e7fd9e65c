//! Streams whose sound is encrypted, beside those whose is not.

use protocol::sdp::{Fingerprint, IceCredentials};
use protocol::srtp::{Inbound, MAX_OVERHEAD, MasterKey, Outbound, Suite};

use super::*;
use crate::handshakes::Reply;

const HELLO: [u8; 3] = [22, 0xfe, 0xff];

fn key(n: u8) -> MasterKey {
    MasterKey::new(Suite::AesCm128HmacSha1_80, &[n; 30]).unwrap()
}

/// The far side of a leg whose sound is encrypted: what it sends with, what it hears with.
struct Far {
    outbound: Outbound,
    inbound: Inbound,
}

impl Far {
    fn new(ours: MasterKey, theirs: MasterKey) -> Self {
        Self { outbound: Outbound::new(theirs), inbound: Inbound::new(ours) }
    }

    fn protect(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut out = vec![0; packet.len() + MAX_OVERHEAD];
        let length = self.outbound.protect_rtp(packet, &mut out).unwrap();
        out.truncate(length);
        out
    }
}

impl World {
    fn secure(&mut self, leg: usize, security: Security) {
        self.legs[leg].agreed.security = security;
        self.command(leg, Command::Negotiated(self.legs[leg].agreed));
    }

    fn datagram(&mut self, leg: usize, bytes: &[u8]) {
        let (at, slot, from) = (self.at(self.now), self.legs[leg].id.slot, self.legs[leg].agreed.remote);
        self.core.handle_rtp(at, slot, from, &mut bytes.to_vec());
    }

    /// What was sent to a leg's far side since asked last, as it was on the wire.
    fn wire(&mut self, leg: usize) -> Vec<Vec<u8>> {
        self.legs[leg].rtp.0.borrow_mut().drain(..).map(|(bytes, _)| bytes).collect()
    }

    fn stats(&mut self, leg: usize) -> crate::Stats {
        self.core.close(self.at(self.now), self.legs[leg].id, |_, _| ());
        match self.happened().pop() {
            Some(Happening::Closed(stats)) => stats,
            other => panic!("{other:?}"),
        }
    }
}

fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&[0; 12][..], payload].concat();
    let timestamp = u32::from(sequence) * 160;
    Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 77 }.write_before(&mut bytes, 12);
    bytes
}

#[test]
fn rfc3711_an_encrypted_leg_and_a_plain_one_hear_each_other() {
    let mut world = World::new(&[PCMU, PCMU]);
    let mut far = Far::new(key(1), key(2));
    world.secure(0, Security::Keys { ours: key(1), theirs: key(2) });
    world.join(0, 1);
    world.prove(1);
    for n in 1..5 {
        let wire = far.protect(&packet(n, &[n as u8; 160]));
        world.datagram(0, &wire);
    }
    let heard = world.heard(1);
    assert_eq!(heard.iter().map(|(_, payload, _)| payload[0]).collect::<Vec<_>>(), [2, 3, 4]);
    world.wire(0);
    world.say(1, &[9; 160]);
    let mut wire = world.wire(0).remove(0);
    assert_ne!(wire[12..172], [9; 160]);
    assert_eq!(far.inbound.unprotect_rtp(&mut wire), Ok(172));
    assert_eq!(wire[12..172], [9; 160]);

    // What it plays is encrypted too.
    world.command(0, play(1, tone(40), false));
    world.pass(60);
    let wires = world.wire(0);
    assert_eq!(wires.len(), 2);
    for mut wire in wires {
        assert_eq!(far.inbound.unprotect_rtp(&mut wire), Ok(172));
    }
}

#[test]
fn who_has_another_key_or_says_the_same_twice_is_counted_and_not_heard() {
    let mut world = World::new(&[PCMU, PCMU]);
    let (mut far, mut stranger) = (Far::new(key(1), key(2)), Far::new(key(1), key(3)));
    world.secure(0, Security::Keys { ours: key(1), theirs: key(2) });
    world.join(0, 1);
    for n in 1..5 {
        let plain = packet(n, &[1; 160]);
        world.datagram(0, &plain);
        let forged = stranger.protect(&plain);
        world.datagram(0, &forged);
        let wire = far.protect(&plain);
        world.datagram(0, &wire);
        world.datagram(0, &wire);
    }
    assert_eq!(world.heard(1).len(), 3, "the first proves the source");
    let stats = world.stats(0);
    assert_eq!((stats.forged, stats.replayed, stats.received), (8, 4, 3));
}

#[test]
fn rfc4568_7_1_4_a_new_key_of_theirs_is_heard_and_ours_goes_on_in_its_window() {
    let mut world = World::new(&[PCMU, PCMU]);
    let (mut before, mut after) = (Far::new(key(1), key(2)), Far::new(key(1), key(4)));
    world.secure(0, Security::Keys { ours: key(1), theirs: key(2) });
    world.join(0, 1);
    world.prove(1);
    world.say(1, &[9; 160]);
    assert!(before.inbound.unprotect_rtp(&mut world.wire(0).remove(0)).is_ok());
    let hello = before.protect(&packet(1, &[1; 160]));
    world.datagram(0, &hello);

    world.secure(0, Security::Keys { ours: key(1), theirs: key(4) });
    for n in 2..4 {
        let wire = after.protect(&packet(n, &[2; 160]));
        world.datagram(0, &wire);
    }
    assert_eq!(world.heard(1).last().expect("something is heard").1, [2; 160]);
    let late = before.protect(&packet(9, &[1; 160]));
    world.datagram(0, &late);
    assert_eq!(world.heard(1).len(), 0, "the old key is no key any more");
    world.say(1, &[9; 160]);
    assert!(before.inbound.unprotect_rtp(&mut world.wire(0).remove(0)).is_ok());
}

#[test]
fn rfc3711_3_4_reports_are_encrypted_and_rfc5761_come_and_go_on_one_port() {
    for mux in [false, true] {
        let mut world = World::new(&[PCMU]);
        let mut far = Far::new(key(1), key(2));
        world.legs[0].agreed.mux = mux;
        world.secure(0, Security::Keys { ours: key(1), theirs: key(2) });
        for n in 1..4 {
            let wire = far.protect(&packet(n, &[1; 160]));
            world.datagram(0, &wire);
        }
        world.command(0, play(1, tone(20_000), false));
        world.pass(15_000);
        let rtp = world.wire(0);
        let (reports, others): (Vec<_>, Vec<_>) =
            rtp.into_iter().partition(|bytes| (200..=204).contains(&bytes[1]));
        assert_eq!(others.len(), 751, "from 0 to 15 000 ms");
        let own: Vec<_> = world.legs[0].rtcp.0.borrow_mut().drain(..).map(|(bytes, _)| bytes).collect();
        let reports = if mux { reports } else { own };
        assert!(!reports.is_empty() && (mux || world.legs[0].rtcp.0.borrow().is_empty()));
        for mut report in reports {
            assert!(far.inbound.unprotect_rtcp(&mut report).is_ok());
        }
        let empty = [0x80, 201, 0, 1, 0, 0, 0, 77];
        let mut wire = vec![0; empty.len() + MAX_OVERHEAD];
        let length = far.outbound.protect_rtcp(&empty, &mut wire).unwrap();
        let (at, slot, from) = (world.at(world.now), world.legs[0].id.slot, world.legs[0].agreed.remote);
        match mux {
            true => world.core.handle_rtp(at, slot, from, &mut wire[..length]),
            false => world.core.handle_rtcp(at, slot, from, &mut wire[..length]),
        }
        let stats = world.stats(0);
        // The first packet proved the source.
        assert_eq!((stats.ignored, stats.forged), (1, 0), "mux {mux}");
    }
}

#[test]
fn rfc5763_nothing_is_said_before_the_handshake_is_done_and_a_stranger_takes_no_part_where_ice_is() {
    let fingerprint = Fingerprint([5; 32]);
    let ice = IceCredentials { fragment: *b"abcdefgh", password: [b'x'; 24] };
    for ice in [None, Some(ice)] {
        let mut world = World::new(&[PCMU]);
        world.secure(0, Security::Dtls { fingerprint, active: false, ice });
        world.command(0, play(1, tone(1000), false));
        world.pass(40);
        assert!(world.wire(0).is_empty());
        world.datagram(0, &HELLO);
        assert_eq!(world.told.try_iter().count(), usize::from(ice.is_none()));
        if ice.is_some() {
            continue;
        }
        let reply = Reply::Keys { ours: key(1), theirs: key(2) };
        world.core.handle_handshake(world.at(world.now), world.legs[0].id, reply);
        world.pass(40);
        let mut far = Far::new(key(1), key(2));
        assert!(world.wire(0).into_iter().all(|mut wire| far.inbound.unprotect_rtp(&mut wire).is_ok()));
        // The same again begins no other handshake; another certificate ends this one.
        world.secure(0, Security::Dtls { fingerprint, active: false, ice });
        assert_eq!(world.told.try_iter().count(), 0);
        world.wire(0);
        world.pass(20);
        assert!(!world.wire(0).is_empty());
        world.secure(0, Security::Dtls { fingerprint: Fingerprint([6; 32]), active: true, ice });
        let told: Vec<_> = world.told.try_iter().collect();
        assert!(matches!(told[..], [Told::End(_), Told::Begin(..)]), "{told:?}");
        world.pass(20);
        assert!(world.wire(0).is_empty(), "the old keys are gone");
    }
}

#[test]
fn a_handshake_that_comes_to_nothing_is_told() {
    let mut world = World::new(&[PCMU]);
    let security = Security::Dtls { fingerprint: Fingerprint([5; 32]), active: false, ice: None };
    world.secure(0, security);
    world.core.handle_handshake(world.at(0), world.legs[0].id, Reply::NoKeys);
    assert_eq!(world.happened(), [Happening::NoKeys]);
}
