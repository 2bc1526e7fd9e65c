//! What protects one direction of a stream: which packet it is (RFC 3711 §3.3.1), that none comes twice (§3.3.2), and
//! the keys. A source is known once a packet of it was authentic, so nobody without the key can fill the list. What we
//! send is never protected twice under one index, whatever is asked: with AES-GCM that would give the key away.

use std::fmt;

use super::key::MasterKey;
use super::transform::{Place, Protocol, RTCP_HEADER, RTCP_INDEX, Transform};

/// Sources of one far side that are remembered; the one that was first goes when there is another.
const MAX_SOURCES: usize = 4;
/// How often the far side's sequence numbers may have wrapped before its first packet is heard, as after a restart of
/// ours in the middle of a call: the first packet is tried with each. 16 are almost six hours.
const MOST_WRAPS_BEFORE: u64 = 16;
/// Octets of an RTP header without lists.
const RTP_HEADER: usize = 12;

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Too short to be protected, or no RTP.
    Malformed,
    /// Not from who has the key, or damaged.
    Forged,
    /// Heard before, or too old to know.
    Replayed,
}

/// What arrives.
pub struct Inbound {
    key: MasterKey,
    rtp: Transform,
    rtcp: Transform,
    sources: Vec<Source>,
}

/// What is sent.
pub struct Outbound {
    key: MasterKey,
    rtp: Transform,
    rtcp: Transform,
    /// Of SRTP; a new SSRC begins anew.
    source: Option<Source>,
    /// Of the last SRTCP packet, 31 bits.
    rtcp_index: u64,
}

/// Which packets of a source were there.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    rtp: Option<Window>,
    rtcp: Option<Window>,
}

/// RFC 3711 §3.3.2: the highest index, and which of the 64 up to it were there; bit 0 is the highest.
#[derive(Clone, Copy, Debug)]
struct Window {
    highest: u64,
    seen: u64,
}

impl Window {
    const SIZE: u64 = u64::BITS as u64;

    fn new(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(back) => back < Self::SIZE && self.seen & (1 << back) == 0,
        }
    }

    fn note(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(back) => self.seen |= 1 << back.min(Self::SIZE - 1),
            None => {
                let ahead = index - self.highest;
                self.seen = if ahead < Self::SIZE { self.seen << ahead | 1 } else { 1 };
                self.highest = index;
            }
        }
    }

    /// RFC 3711 §3.3.1: the index nearest to the highest that ends in this sequence number.
    fn index_of(&self, sequence: u16) -> u64 {
        let wraps = self.highest >> 16;
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let index = wraps << 16 | u64::from(sequence);
        if ahead < 0x8000 {
            // Ahead of it, and perhaps past the wrap.
            if index < self.highest { index + 0x1_0000 } else { index }
        } else if index > self.highest {
            // Behind it, before the wrap. There is nothing before the first.
            index.checked_sub(0x1_0000).unwrap_or(index)
        } else {
            index
        }
    }
}

impl Inbound {
    /// Nothing heard yet.
    pub fn new(key: MasterKey) -> Self {
        Self {
            key,
            rtp: Transform::new(&key, Protocol::Rtp),
            rtcp: Transform::new(&key, Protocol::Rtcp),
            sources: Vec::new(),
        }
    }

    /// Of whom.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Makes the RTP packet out of an SRTP packet, in place, and answers its length.
    pub fn unprotect_rtp(&mut self, bytes: &mut [u8]) -> Result<usize, Rejected> {
        let header = rtp_header(bytes).ok_or(Rejected::Malformed)?;
        if bytes.len() < header + self.rtp.tag() {
            return Err(Rejected::Malformed);
        }
        let sequence = u16::from_be_bytes([bytes[2], bytes[3]]);
        let ssrc = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let window = self.source(ssrc).and_then(|source| source.rtp);
        if let Some(window) = window {
            let index = window.index_of(sequence);
            if !window.is_new(index) {
                return Err(Rejected::Replayed);
            }
            let length = self.rtp.open_rtp(Place { header, ssrc, index }, bytes);
            let length = length.map_err(|_| Rejected::Forged)?;
            self.note(ssrc, |source| source.rtp.get_or_insert(window).note(index));
            return Ok(length);
        }
        let wraps = if self.sources.is_empty() { MOST_WRAPS_BEFORE } else { 1 };
        for wrap in 0..wraps {
            let index = wrap << 16 | u64::from(sequence);
            if let Ok(length) = self.rtp.open_rtp(Place { header, ssrc, index }, bytes) {
                self.note(ssrc, |source| source.rtp = Some(Window::new(index)));
                return Ok(length);
            }
        }
        Err(Rejected::Forged)
    }

    /// Makes the RTCP packet out of an SRTCP packet, in place, and answers its length.
    pub fn unprotect_rtcp(&mut self, bytes: &mut [u8]) -> Result<usize, Rejected> {
        if bytes.len() < RTCP_HEADER + self.rtcp.tag() + RTCP_INDEX {
            return Err(Rejected::Malformed);
        }
        let index = self.rtcp.rtcp_index(bytes).ok_or(Rejected::Malformed)?;
        let ssrc = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let window = self.source(ssrc).and_then(|source| source.rtcp);
        if window.is_some_and(|window| !window.is_new(index)) {
            return Err(Rejected::Replayed);
        }
        let place = Place { header: RTCP_HEADER, ssrc, index };
        let length = self.rtcp.open_rtcp(place, bytes).map_err(|_| Rejected::Forged)?;
        self.note(ssrc, |source| match &mut source.rtcp {
            Some(window) => window.note(index),
            None => source.rtcp = Some(Window::new(index)),
        });
        Ok(length)
    }

    fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().find(|source| source.ssrc == ssrc)
    }

    /// Of an authentic packet.
    fn note(&mut self, ssrc: u32, note: impl FnOnce(&mut Source)) {
        if let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) {
            return note(source);
        }
        if self.sources.len() == MAX_SOURCES {
            self.sources.remove(0);
        }
        let mut source = Source { ssrc, rtp: None, rtcp: None };
        note(&mut source);
        self.sources.push(source);
    }
}

impl Outbound {
    /// Nothing sent yet.
    pub fn new(key: MasterKey) -> Self {
        Self {
            key,
            rtp: Transform::new(&key, Protocol::Rtp),
            rtcp: Transform::new(&key, Protocol::Rtcp),
            source: None,
            rtcp_index: 0,
        }
    }

    /// Ours.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Writes the SRTP packet of an RTP packet into `out`, which has room for [`super::MAX_OVERHEAD`] more, and answers its
    /// length. None when one of this sequence number was sent, or `packet` is no RTP: it must not be sent.
    pub fn protect_rtp(&mut self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        let header = rtp_header(packet)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let window = self.source.filter(|source| source.ssrc == ssrc).and_then(|source| source.rtp);
        let (index, window) = match window {
            None => (u64::from(sequence), Window::new(u64::from(sequence))),
            Some(mut window) => {
                let index = window.index_of(sequence);
                if !window.is_new(index) {
                    return None;
                }
                window.note(index);
                (index, window)
            }
        };
        self.source = Some(Source { ssrc, rtp: Some(window), rtcp: None });
        Some(self.rtp.seal_rtp(Place { header, ssrc, index }, packet, out))
    }

    /// Writes the SRTCP packet of an RTCP packet into `out`, as [`Outbound::protect_rtp`]. None when it is no RTCP, or all
    /// 2^31 indices are used.
    pub fn protect_rtcp(&mut self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        if packet.len() < RTCP_HEADER || self.rtcp_index + 1 >= 1 << 31 {
            return None;
        }
        self.rtcp_index += 1;
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let place = Place { header: RTCP_HEADER, ssrc, index: self.rtcp_index };
        Some(self.rtcp.seal_rtcp(place, packet, out))
    }
}

/// Octets up to the payload (RFC 3550 §5.1), which is all that can be known of a protected packet; none if it is no RTP.
fn rtp_header(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first().filter(|first| **first >> 6 == 2)?;
    let mut length = RTP_HEADER + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let extension = bytes.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([extension[0], extension[1]]));
    }
    (bytes.len() >= length).then_some(length)
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_OVERHEAD, Suite};
    use super::*;

    fn key(suite: Suite, n: u8) -> MasterKey {
        let bytes = [n; 64];
        MasterKey::new(suite, &bytes[..suite.key_length() + suite.salt_length()]).unwrap()
    }

    fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
        [&[0x80, 0][..], &sequence.to_be_bytes(), &[0, 0, 0, 160], &ssrc.to_be_bytes(), payload].concat()
    }

    fn pair(suite: Suite) -> (Outbound, Inbound) {
        (Outbound::new(key(suite, 7)), Inbound::new(key(suite, 7)))
    }

    fn sealed(from: &mut Outbound, packet: &[u8]) -> Vec<u8> {
        let mut out = vec![0; packet.len() + MAX_OVERHEAD];
        let length = from.protect_rtp(packet, &mut out).expect("not sent before");
        out.truncate(length);
        out
    }

    #[test]
    fn rfc3711_3_3_what_one_side_protects_the_other_hears_once_and_nobody_else() {
        for suite in Suite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let mut another = Inbound::new(key(suite, 8));
            let plain = packet(9, 100, b"hello");
            let wire = sealed(&mut ours, &plain);
            assert_eq!(wire[..12], plain[..12], "the header is readable");
            assert_ne!(wire[12..17], plain[12..]);
            assert_eq!(another.unprotect_rtp(&mut wire.clone()), Err(Rejected::Forged), "{suite:?}");
            for at in 0..wire.len() {
                let mut changed = wire.clone();
                changed[at] ^= 1;
                assert!(theirs.unprotect_rtp(&mut changed).is_err(), "{suite:?}: octet {at} changed");
            }
            let mut heard = wire.clone();
            assert_eq!(theirs.unprotect_rtp(&mut heard), Ok(plain.len()));
            assert_eq!(heard[..plain.len()], plain);
            assert_eq!(theirs.unprotect_rtp(&mut wire.clone()), Err(Rejected::Replayed), "{suite:?}");
        }
    }

    #[test]
    fn rfc3711_3_4_reports_are_protected_with_an_index_of_their_own() {
        for suite in Suite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let report = [&[0x80, 201, 0, 1, 0, 0, 0, 9][..], &[5; 24]].concat();
            let mut last = Vec::new();
            for n in 0..3 {
                let mut wire = vec![0; report.len() + MAX_OVERHEAD];
                let length = ours.protect_rtcp(&report, &mut wire).unwrap();
                wire.truncate(length);
                assert_ne!(wire, last, "{suite:?}");
                last = wire.clone();
                assert_eq!(theirs.unprotect_rtcp(&mut wire), Ok(report.len()), "{suite:?}, report {n}");
                assert_eq!(wire[..report.len()], report);
            }
            assert_eq!(theirs.unprotect_rtcp(&mut last.clone()), Err(Rejected::Replayed));
            for at in 0..last.len() {
                let mut changed = last.clone();
                changed[at] ^= 0x80;
                assert!(theirs.unprotect_rtcp(&mut changed).is_err(), "{suite:?}: octet {at} changed");
            }
        }
    }

    #[test]
    fn rfc3711_3_3_1_sequence_numbers_wrap_though_packets_come_late_or_not_at_all() {
        let (mut ours, mut theirs) = pair(Suite::AesCm128HmacSha1_80);
        let mut sent: Vec<_> = (0..200_000u32)
            .map(|n| (n, sealed(&mut ours, &packet(9, (n + 60_000) as u16, &n.to_be_bytes()))))
            .filter(|(n, _)| n % 1000 < 3 || (5_530..5_540).contains(n))
            .collect();
        // Around the first wrap, out of order.
        let wrap = sent.iter().position(|(n, _)| *n == 5_536).unwrap();
        sent.swap(wrap - 1, wrap + 1);
        for (n, mut wire) in sent {
            let length = theirs.unprotect_rtp(&mut wire);
            assert_eq!(length, Ok(16), "packet {n}");
            assert_eq!(wire[12..16], n.to_be_bytes());
        }
    }

    #[test]
    fn rfc3711_3_3_2_what_is_older_than_the_window_is_not_taken() {
        let (mut ours, mut theirs) = pair(Suite::AeadAes128Gcm);
        let early: Vec<_> = (0..100).map(|n| sealed(&mut ours, &packet(9, n, b"x"))).collect();
        assert!(theirs.unprotect_rtp(&mut early[99].clone()).is_ok());
        assert_eq!(theirs.unprotect_rtp(&mut early[35].clone()), Err(Rejected::Replayed));
        assert!(theirs.unprotect_rtp(&mut early[36].clone()).is_ok());
        assert_eq!(theirs.unprotect_rtp(&mut early[36].clone()), Err(Rejected::Replayed));
    }

    #[test]
    fn another_ssrc_under_the_same_key_has_indices_of_its_own() {
        let (mut ours, mut theirs) = pair(Suite::AesCm128HmacSha1_32);
        for ssrc in 1..=6 {
            assert!(theirs.unprotect_rtp(&mut sealed(&mut ours, &packet(ssrc, 65_535, b"x"))).is_ok());
            assert!(theirs.unprotect_rtp(&mut sealed(&mut ours, &packet(ssrc, 0, b"x"))).is_ok(), "{ssrc}");
        }
    }

    #[test]
    fn a_far_side_that_wrapped_before_we_came_is_heard() {
        let (mut ours, mut theirs) = pair(Suite::AesCm128HmacSha1_80);
        let wires: Vec<_> = (0..300_000u32).map(|n| sealed(&mut ours, &packet(9, n as u16, b"x"))).collect();
        for wire in &wires[299_990..] {
            assert!(theirs.unprotect_rtp(&mut wire.clone()).is_ok());
        }
    }

    #[test]
    fn one_index_is_never_used_twice() {
        let (mut ours, _) = pair(Suite::AeadAes256Gcm);
        let mut out = [0; 64];
        assert!(ours.protect_rtp(&packet(9, 5, b"one"), &mut out).is_some());
        assert!(ours.protect_rtp(&packet(9, 5, b"two"), &mut out).is_none());
        assert!(ours.protect_rtp(&packet(9, 4, b"late"), &mut out).is_some());
    }

    #[test]
    fn what_is_too_short_is_malformed() {
        for suite in Suite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let whole = sealed(&mut ours, &packet(9, 1, b""));
            for length in 0..whole.len() {
                assert!(theirs.unprotect_rtp(&mut whole[..length].to_vec()).is_err());
                assert!(theirs.unprotect_rtcp(&mut whole[..length].to_vec()).is_err());
                assert!(ours.protect_rtcp(&whole[..length.min(7)], &mut [0; 64]).is_none());
            }
            // An extension that would be longer than the packet.
            let mut liar = vec![0x90; 40];
            liar[14..16].copy_from_slice(&[0xff, 0xff]);
            assert_eq!(theirs.unprotect_rtp(&mut liar), Err(Rejected::Malformed));
        }
    }
}
