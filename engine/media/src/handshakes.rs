//! DTLS-SRTP (RFC 5763, RFC 5764): the handshakes out of which the keys of streams come, on a thread of their own, since
//! one takes a thousand times as long as a packet. dimpl has the protocol; here are who may take part (the certificate
//! whose fingerprint the description said), how many at once, and for how long. An association is kept for a
//! while after its keys are there, for a far side that missed the last flight; what else is said on it is not heard.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use protocol::sdp::Fingerprint;
use protocol::srtp::{MasterKey, Suite};

use crate::command::StreamId;

/// Handshakes at once; whoever comes then is not answered, and asks again (RFC 6347 §4.2.4).
const MAX_HANDSHAKES: usize = 1024;
/// What may wait for the thread; datagrams beyond are lost, as the network loses some.
const MAX_WAITING: usize = 4096;
/// From the first datagram to the keys; then the stream is told that there will be none.
const HANDSHAKE_TIME: Duration = Duration::from_secs(20);
/// How long an association is kept that is done: a far side repeats its last flight for a few seconds.
const DONE_TIME: Duration = Duration::from_secs(30);
/// No timer is due sooner than that; dimpl names the present where it has nothing to wait for.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
/// Associations that one stream may begin and spoil, by whatever arrives; then there will be no keys.
const MAX_TRIES: u32 = 8;
/// Most that a handshake's datagrams have.
const MTU: usize = 1200;
/// What a full output buffer grows to at most.
const MAX_OUTPUT: usize = 64 * 1024;

/// Whose handshake, and how it should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party {
    pub id: StreamId,
    /// What their certificate must have.
    pub fingerprint: Fingerprint,
    /// We begin.
    pub active: bool,
}

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// We begin, there.
    Begin(Party, SocketAddr),
    /// A datagram of a stream's far side.
    Datagram(Party, SocketAddr, Vec<u8>),
    /// The stream is closed, or is to have other keys.
    End(StreamId),
}

/// What it answers for a stream.
#[derive(Debug)]
pub(crate) enum Reply {
    /// To be sent from the stream's port.
    Send(SocketAddr, Vec<u8>),
    /// The handshake is done.
    Keys { ours: MasterKey, theirs: MasterKey },
    /// There will be none.
    NoKeys,
}

/// The way in.
#[derive(Clone, Debug)]
pub(crate) struct HandshakesHandle(Sender<Told>);

impl HandshakesHandle {
    /// Never waits; lost when too much waits.
    pub fn tell(&self, told: Told) {
        let _ = self.0.try_send(told);
    }
}

/// The way in, and out for whoever runs the machine.
pub(crate) fn way_in() -> (HandshakesHandle, Receiver<Told>) {
    let (told, waiting) = bounded(MAX_WAITING);
    (HandshakesHandle(told), waiting)
}

/// Our certificate, made for this process: nobody has to know it before, the description says its fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    certificate: DtlsCertificate,
    pub fingerprint: Fingerprint,
}

impl Identity {
    /// None when the key can't be made: the system has no chance to give.
    pub fn new() -> Option<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).ok()?;
        let mut params = rcgen::CertificateParams::new(Vec::new()).ok()?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "strowger");
        let certificate = params.self_signed(&key).ok()?.der().to_vec();
        let fingerprint = Fingerprint::of(&certificate);
        let private_key = key.serialize_der();
        Some(Self { certificate: DtlsCertificate { certificate, private_key }, fingerprint })
    }
}

/// All handshakes of the process.
pub(crate) struct Handshakes {
    identity: Identity,
    config: Arc<Config>,
    all: HashMap<StreamId, Handshake>,
    /// A datagram being written.
    output: Vec<u8>,
}

struct Handshake {
    party: Party,
    /// None between one that was spoiled and the next.
    dtls: Option<Dtls>,
    tries: u32,
    /// Where the far side was heard last.
    to: SocketAddr,
    /// Their certificate is the right one.
    proven: bool,
    done: bool,
    next_timeout: Instant,
    over_at: Instant,
}

impl Handshakes {
    /// None when dimpl takes no such configuration.
    pub fn new(identity: Identity) -> Option<Self> {
        let config = Config::builder().mtu(MTU).handshake_timeout(HANDSHAKE_TIME).build().ok()?;
        Some(Self { identity, config: Arc::new(config), all: HashMap::new(), output: vec![0; 2 * MTU] })
    }

    /// Until the way in is closed.
    pub fn run(mut self, waiting: &Receiver<Told>, out: impl Fn(StreamId, Reply)) {
        loop {
            let told = match self.next_timeout() {
                Some(at) => waiting.recv_deadline(at),
                None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match told {
                Ok(told) => self.handle(Instant::now(), told, &out),
                Err(RecvTimeoutError::Timeout) => self.handle_timeout(Instant::now(), &out),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What a stream's thread says.
    pub fn handle(&mut self, now: Instant, told: Told, out: &impl Fn(StreamId, Reply)) {
        match told {
            Told::Begin(party, to) => {
                if let Some(handshake) = self.of(now, party, to) {
                    handshake.to = to;
                }
                self.drive(now, party.id, None, out);
            }
            Told::Datagram(party, from, bytes) => {
                let Some(handshake) = self.of(now, party, from) else { return };
                handshake.to = from;
                self.drive(now, party.id, Some(&bytes), out);
            }
            Told::End(id) => drop(self.all.remove(&id)),
        }
    }

    /// When [`Handshakes::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.all.values().map(|handshake| handshake.next_timeout.min(handshake.over_at)).min()
    }

    /// Flights that were not answered go again, and what takes too long is given up.
    pub fn handle_timeout(&mut self, now: Instant, out: &impl Fn(StreamId, Reply)) {
        let over = |handshake: &Handshake| handshake.over_at <= now;
        self.all.retain(|id, handshake| {
            if over(handshake) && !handshake.done {
                out(*id, Reply::NoKeys);
            }
            !over(handshake)
        });
        let due = self.all.iter().filter(|(_, handshake)| handshake.next_timeout <= now);
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.drive(now, id, None, out);
        }
    }

    fn of(&mut self, now: Instant, party: Party, to: SocketAddr) -> Option<&mut Handshake> {
        if !self.all.contains_key(&party.id) && self.all.len() >= MAX_HANDSHAKES {
            return None;
        }
        Some(self.all.entry(party.id).or_insert_with(|| Handshake {
            party,
            dtls: None,
            tries: 0,
            to,
            proven: false,
            done: false,
            next_timeout: now,
            over_at: now + HANDSHAKE_TIME,
        }))
    }

    /// Gives an association time and a datagram, and hands out what it has to say.
    fn drive(&mut self, now: Instant, id: StreamId, datagram: Option<&[u8]>, out: &impl Fn(StreamId, Reply)) {
        let Some(handshake) = self.all.get_mut(&id) else { return };
        let (config, identity) = (&self.config, &self.identity);
        let tries = &mut handshake.tries;
        let dtls = handshake.dtls.get_or_insert_with(|| {
            *tries += 1;
            let mut dtls = Dtls::new_auto(config.clone(), identity.certificate.clone(), now);
            dtls.set_active(handshake.party.active);
            dtls
        });
        let taken = dtls.handle_timeout(now).and_then(|()| match datagram {
            Some(datagram) => dtls.handle_packet(datagram),
            None => Ok(()),
        });
        // Whatever happened, an alert may have to go.
        let good = handshake.poll(&mut self.output, now, |reply| out(id, reply)) && taken.is_ok();
        if handshake.done {
            // What dimpl has given up is heard when a datagram comes, and never again by its timer, which stays due.
            if !good {
                handshake.next_timeout = handshake.over_at;
            }
            return;
        }
        if good {
            return;
        }
        handshake.dtls = None;
        handshake.proven = false;
        if handshake.tries >= MAX_TRIES {
            self.all.remove(&id);
            out(id, Reply::NoKeys);
        } else {
            // The far side's next flight, or ours in a while, begins another.
            handshake.next_timeout =
                if handshake.party.active { now + Duration::from_secs(1) } else { handshake.over_at };
        }
    }
}

impl Handshake {
    /// False when the association is of no use any more.
    fn poll(&mut self, output: &mut Vec<u8>, now: Instant, mut tell: impl FnMut(Reply)) -> bool {
        let Some(dtls) = &mut self.dtls else { return false };
        loop {
            match dtls.poll_output(output) {
                Output::Packet(bytes) => tell(Reply::Send(self.to, bytes.to_vec())),
                Output::PeerCert(certificate) => {
                    if Fingerprint::of(certificate) != self.party.fingerprint {
                        return false;
                    }
                    self.proven = true;
                }
                Output::KeyingMaterial(material, profile) => {
                    let keys = keys(&material, profile, self.party.active).filter(|_| self.proven);
                    let Some((ours, theirs)) = keys else { return false };
                    self.done = true;
                    self.over_at = now + DONE_TIME;
                    tell(Reply::Keys { ours, theirs });
                }
                Output::Timeout(at) => {
                    self.next_timeout = at.max(now + SHORTEST_WAIT);
                    return true;
                }
                Output::BufferTooSmall { needed } if needed <= MAX_OUTPUT => output.resize(needed, 0),
                Output::BufferTooSmall { .. } => return false,
                _ => {}
            }
        }
    }
}

/// RFC 5764 §4.2: both keys, then both salts, the client's first.
fn keys(material: &[u8], profile: SrtpProfile, we_are_client: bool) -> Option<(MasterKey, MasterKey)> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let (key, salt) = (suite.key_length(), suite.salt_length());
    let at = |from: usize, length| material.get(from..from + length);
    let client = [at(0, key)?, at(2 * key, salt)?].concat();
    let server = [at(key, key)?, at(2 * key + salt, salt)?].concat();
    let (client, server) = (MasterKey::new(suite, &client)?, MasterKey::new(suite, &server)?);
    Some(if we_are_client { (client, server) } else { (server, client) })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    const ID: StreamId = StreamId { slot: 1, turn: 1 };

    /// Two machines and the network between them, in virtual time.
    struct Pair {
        start: Instant,
        now: Instant,
        sides: [Handshakes; 2],
        parties: [Party; 2],
        /// What is under way to each.
        wire: [VecDeque<Vec<u8>>; 2],
        keys: [Option<(MasterKey, MasterKey)>; 2],
        failed: [bool; 2],
        sent: usize,
    }

    fn at(side: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, side as u8 + 1], 4000))
    }

    impl Pair {
        /// Side 0 begins. `believed`: what each takes for the other's fingerprint, if not what it is.
        fn new(believed: [Option<Fingerprint>; 2]) -> Self {
            let identities = [Identity::new().unwrap(), Identity::new().unwrap()];
            let party = |side: usize| Party {
                id: ID,
                fingerprint: believed[side].unwrap_or(identities[1 - side].fingerprint),
                active: side == 0,
            };
            let parties = [party(0), party(1)];
            let sides = identities.map(|identity| Handshakes::new(identity).unwrap());
            let now = Instant::now();
            Self {
                start: now,
                now,
                sides,
                parties,
                wire: Default::default(),
                keys: [None, None],
                failed: [false; 2],
                sent: 0,
            }
        }

        fn do_to(
            &mut self,
            side: usize,
            act: impl FnOnce(&mut Handshakes, Instant, &dyn Fn(StreamId, Reply)),
        ) {
            let replies = RefCell::new(Vec::new());
            act(&mut self.sides[side], self.now, &|_, reply| replies.borrow_mut().push(reply));
            for reply in replies.into_inner() {
                match reply {
                    Reply::Send(to, bytes) => {
                        assert_eq!(to, at(1 - side));
                        self.sent += 1;
                        self.wire[1 - side].push_back(bytes);
                    }
                    Reply::Keys { ours, theirs } => self.keys[side] = Some((ours, theirs)),
                    Reply::NoKeys => self.failed[side] = true,
                }
            }
        }

        /// Until nothing happens any more; `loses` says which datagram, counted from 0, the network loses.
        fn run(&mut self, loses: impl Fn(usize) -> bool) {
            let party = self.parties[0];
            self.do_to(0, |side, now, out| side.handle(now, Told::Begin(party, at(1)), &out));
            let (mut carried, mut waits) = (0, 0);
            while self.now - self.start < Duration::from_secs(60) {
                let Some(side) = (0..2).find(|side| !self.wire[*side].is_empty()) else {
                    let due = self.sides.iter().filter_map(Handshakes::next_timeout).min();
                    let Some(due) = due else { return };
                    waits += 1;
                    assert!(waits < 1000, "a timer that is always due");
                    self.now = self.now.max(due);
                    (0..2).for_each(|side| self.do_to(side, |side, now, out| side.handle_timeout(now, &out)));
                    continue;
                };
                let bytes = self.wire[side].pop_front().unwrap();
                carried += 1;
                if loses(carried - 1) {
                    continue;
                }
                let told = Told::Datagram(self.parties[side], at(1 - side), bytes);
                self.do_to(side, |side, now, out| side.handle(now, told, &out));
            }
        }

        fn agree(&self) -> bool {
            let (Some(one), Some(other)) = (self.keys[0], self.keys[1]) else { return false };
            one.0 == other.1 && one.1 == other.0 && one.0 != one.1
        }
    }

    #[test]
    fn rfc5764_4_2_both_sides_come_to_the_same_keys_each_its_own_way_round() {
        let mut pair = Pair::new([None, None]);
        pair.run(|_| false);
        assert!(pair.agree(), "{:?}", pair.keys);
        assert!(pair.sides.iter().all(|side| side.all.is_empty()), "nothing is kept for ever");
    }

    #[test]
    fn rfc6347_4_2_4_lost_flights_go_again() {
        for lost in 0..8 {
            let mut pair = Pair::new([None, None]);
            pair.run(|n| n == lost);
            assert!(pair.agree(), "without datagram {lost}");
        }
    }

    #[test]
    fn rfc5763_6_7_1_who_has_another_certificate_than_was_said_gets_no_keys() {
        for liar in 0..2 {
            let mut believed = [None, None];
            believed[1 - liar] = Some(Fingerprint([1; 32]));
            let mut pair = Pair::new(believed);
            pair.run(|_| false);
            assert!(pair.keys[1 - liar].is_none(), "side {} was deceived", 1 - liar);
            assert!(pair.failed[1 - liar], "and its stream is told");
        }
    }

    #[test]
    fn who_never_answers_costs_a_bounded_number_of_datagrams_and_seconds() {
        let mut pair = Pair::new([None, None]);
        pair.run(|_| true);
        assert!(pair.failed[0] && pair.keys == [None, None]);
        assert!(pair.sent < 40, "{} datagrams", pair.sent);
        assert!(pair.sides.iter().all(|side| side.all.is_empty()));
    }

    #[test]
    fn what_is_no_dtls_begins_nothing_that_lasts() {
        let mut pair = Pair::new([None, None]);
        for n in 0..1000_u16 {
            let bytes = (0..n % 200).map(|at| (at ^ n) as u8 | 20).collect();
            let told = Told::Datagram(pair.parties[1], at(0), bytes);
            pair.do_to(1, |side, now, out| side.handle(now, told, &out));
        }
        pair.wire = Default::default();
        pair.run(|_| false);
        assert!(pair.agree() || pair.failed[1], "{:?}", pair.keys);
        assert!(pair.sides[1].all.is_empty());
    }
}
