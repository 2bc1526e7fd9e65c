//! ICE-lite (RFC 8445 §2.5): we have one address, make no checks, and answer those of the far side, which find the way
//! and nominate it. Checks are STUN binding requests with our short-term credentials (RFC 8489 §9.1); they go on all
//! through a call as its consent (RFC 7675). An address is believed when a check came from it, and sound goes to the
//! one that was nominated last. Left out: checks of our own, TCP candidates, and roles: we are controlled.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::sdp::IceCredentials;
use crate::sip::stun::{BINDING_REQUEST, BINDING_SUCCESS, HEADER, MAGIC_COOKIE, write_mapped};

/// Addresses that one far side has shown; the one that was first goes when there is another.
const MAX_CHECKED: usize = 16;

const BINDING_ERROR: [u8; 2] = [0x01, 0x11];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
/// RFC 8489 §15: attributes below must be understood.
const OPTIONAL: u16 = 0x8000;
/// RFC 8489 §14.7.
const FINGERPRINT_MASK: u32 = 0x5354_554e;
const INTEGRITY_LENGTH: usize = 20;
/// An attribute's type and length.
const ATTRIBUTE_HEADER: usize = 4;

/// Our side of ICE for one stream.
#[derive(Clone, Debug)]
pub struct Lite {
    ours: IceCredentials,
    checked: Vec<SocketAddr>,
    nominated: Option<SocketAddr>,
}

/// What came of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// To be answered so.
    Answer {
        /// The response.
        reply: Vec<u8>,
        /// Sound goes there from now on, and went elsewhere before.
        moved: bool,
    },
    /// No binding request: nothing is answered.
    Ignored,
}

impl Lite {
    /// Nothing is known of the far side yet.
    pub fn new(ours: IceCredentials) -> Self {
        Self { ours, checked: Vec::new(), nominated: None }
    }

    /// Which checks are taken.
    pub fn credentials(&self) -> IceCredentials {
        self.ours
    }

    /// Whether an authentic check came from there.
    pub fn is_checked(&self, from: SocketAddr) -> bool {
        self.checked.contains(&from)
    }

    /// Where sound goes; nowhere before the far side has nominated.
    pub fn nominated(&self) -> Option<SocketAddr> {
        self.nominated
    }

    /// A datagram that begins as STUN does.
    pub fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8]) -> Check {
        let Some(request) = Request::read(datagram) else { return Check::Ignored };
        let error = |code, reason: &str, unknown: &[u16]| Check::Answer {
            reply: refuse(&request, code, reason, unknown),
            moved: false,
        };
        let (Some(name), Some(integrity)) = (request.username, request.integrity) else {
            return error(400, "Bad Request", &[]);
        };
        // RFC 8445 §7.2.2: our fragment, a colon, theirs.
        let is_ours = name.strip_prefix(&self.ours.fragment[..]).is_some_and(|rest| rest.starts_with(b":"));
        if !is_ours || !self.is_authentic(datagram, integrity) {
            return error(401, "Unauthorized", &[]);
        }
        if !request.unknown.is_empty() {
            return error(420, "Unknown Attribute", &request.unknown);
        }
        // RFC 8445 §7.3.1.1: one who makes no checks can't be the one that decides.
        if request.is_controlled {
            return error(487, "Role Conflict", &[]);
        }
        if !self.is_checked(from) {
            if self.checked.len() == MAX_CHECKED {
                self.checked.remove(0);
            }
            self.checked.push(from);
        }
        let moved = request.nominates && self.nominated != Some(from);
        if moved {
            self.nominated = Some(from);
        }
        Check::Answer { reply: self.accept(&request, from), moved }
    }

    /// RFC 8489 §14.5: over all before the attribute, as if the message ended with it.
    fn is_authentic(&self, datagram: &[u8], at: usize) -> bool {
        let Some(tag) = datagram.get(at + ATTRIBUTE_HEADER..at + ATTRIBUTE_HEADER + INTEGRITY_LENGTH) else {
            return false;
        };
        self.mac(&datagram[..at]).verify_slice(tag).is_ok()
    }

    fn mac(&self, before: &[u8]) -> Hmac<Sha1> {
        let length = (before.len() - HEADER + ATTRIBUTE_HEADER + INTEGRITY_LENGTH) as u16;
        let mac = Hmac::<Sha1>::new_from_slice(&self.ours.password).expect("a key of any length will do");
        mac.chain_update(&before[..2]).chain_update(length.to_be_bytes()).chain_update(&before[4..])
    }

    fn accept(&self, request: &Request<'_>, from: SocketAddr) -> Vec<u8> {
        let mut reply = begin(BINDING_SUCCESS, request);
        write_mapped(&mut reply, from);
        let tag = self.mac(&reply).finalize().into_bytes();
        attribute(&mut reply, MESSAGE_INTEGRITY, &tag);
        finish(reply)
    }
}

/// A binding request, as far as ICE reads it.
struct Request<'a> {
    transaction: &'a [u8],
    username: Option<&'a [u8]>,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
    nominates: bool,
    is_controlled: bool,
    unknown: Vec<u16>,
}

impl<'a> Request<'a> {
    /// None for what is no whole binding request with a right FINGERPRINT, which ICE asks for (RFC 8445 §7.1).
    fn read(datagram: &'a [u8]) -> Option<Self> {
        let header = datagram.get(..HEADER)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE || length != datagram.len() - HEADER
        {
            return None;
        }
        let mut request = Self {
            transaction: &header[8..],
            username: None,
            integrity: None,
            nominates: false,
            is_controlled: false,
            unknown: Vec::new(),
        };
        let mut at = HEADER;
        while at < datagram.len() {
            let head = datagram.get(at..at + ATTRIBUTE_HEADER)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = datagram.get(at + ATTRIBUTE_HEADER..at + ATTRIBUTE_HEADER + length)?;
            match kind {
                FINGERPRINT => {
                    let sum = crc32fast::hash(&datagram[..at]) ^ FINGERPRINT_MASK;
                    let is_last = at + ATTRIBUTE_HEADER + length == datagram.len();
                    return (is_last && value == sum.to_be_bytes()).then_some(request);
                }
                // RFC 8489 §14.5: what stands behind it is not protected by it.
                _ if request.integrity.is_some() => {}
                MESSAGE_INTEGRITY => request.integrity = Some(at),
                USERNAME => request.username = Some(value),
                USE_CANDIDATE => request.nominates = true,
                ICE_CONTROLLED => request.is_controlled = true,
                PRIORITY => {}
                unknown if unknown < OPTIONAL => request.unknown.push(unknown),
                _ => {}
            }
            at += ATTRIBUTE_HEADER + length.next_multiple_of(4);
        }
        None
    }
}

/// RFC 8489 §6.3.4.
fn refuse(request: &Request<'_>, code: u16, reason: &str, unknown: &[u16]) -> Vec<u8> {
    let mut reply = begin(BINDING_ERROR, request);
    let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
    value.extend_from_slice(reason.as_bytes());
    attribute(&mut reply, ERROR_CODE, &value);
    if !unknown.is_empty() {
        let kinds: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        attribute(&mut reply, UNKNOWN_ATTRIBUTES, &kinds);
    }
    finish(reply)
}

fn begin(kind: [u8; 2], request: &Request<'_>) -> Vec<u8> {
    [&kind[..], &[0, 0], &MAGIC_COOKIE, request.transaction].concat()
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Length and FINGERPRINT.
fn finish(mut message: Vec<u8>) -> Vec<u8> {
    let length = (message.len() - HEADER + ATTRIBUTE_HEADER + 4) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = crc32fast::hash(&message) ^ FINGERPRINT_MASK;
    attribute(&mut message, FINGERPRINT, &sum.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: IceCredentials =
        IceCredentials { fragment: *b"evtjh6vY", password: *b"VOkJxbRl1RmTxUk/WvJxBtAA" };

    fn from() -> SocketAddr {
        "192.0.2.1:32853".parse().unwrap()
    }

    /// A check as a browser sends it; `change` may spoil it before it is authenticated.
    fn check(user: &[u8], password: &[u8; 24], more: &[(u16, &[u8])]) -> Vec<u8> {
        let request = [&BINDING_REQUEST[..], &[0, 0], &MAGIC_COOKIE, &[7; 12]].concat();
        let theirs = Lite::new(IceCredentials { password: *password, ..OURS });
        let mut request = request;
        attribute(&mut request, USERNAME, user);
        attribute(&mut request, PRIORITY, &[0x6e, 0, 1, 0xff]);
        attribute(&mut request, 0x802a, &[9; 8]);
        more.iter().for_each(|(kind, value)| attribute(&mut request, *kind, value));
        let tag = theirs.mac(&request).finalize().into_bytes();
        attribute(&mut request, MESSAGE_INTEGRITY, &tag);
        finish(request)
    }

    fn good(more: &[(u16, &[u8])]) -> Vec<u8> {
        check(b"evtjh6vY:h6vY", &OURS.password, more)
    }

    fn code(check: Check) -> u16 {
        let Check::Answer { reply, moved: false } = check else { panic!("{check:?}") };
        assert_eq!(reply[..2], BINDING_ERROR);
        u16::from(reply[HEADER + 6]) * 100 + u16::from(reply[HEADER + 7])
    }

    /// The request of RFC 5769 §2.1, whose password has 22 characters: its integrity is computed as ours is.
    #[test]
    fn rfc5769_2_1_integrity_and_fingerprint_of_the_sample_request() {
        let sample: Vec<u8> = [
            "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74",
            "002400046e0001ff80290008932ff9b151263b36000600096576746a3a683676592020200008001",
            "49aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
        ]
        .concat()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
        let read = Request::read(&sample).expect("its FINGERPRINT is right");
        assert_eq!(read.username, Some(&b"evtj:h6vY"[..]));
        assert!(read.is_controlled && !read.nominates);
        let at = read.integrity.unwrap();
        let mac = Hmac::<Sha1>::new_from_slice(b"VOkJxbRl1RmTxUk/WvJxBt").unwrap();
        let length = (at - HEADER + ATTRIBUTE_HEADER + INTEGRITY_LENGTH) as u16;
        let mac =
            mac.chain_update(&sample[..2]).chain_update(length.to_be_bytes()).chain_update(&sample[4..at]);
        assert!(mac.verify_slice(&sample[at + 4..at + 24]).is_ok());
    }

    #[test]
    fn rfc8445_7_3_an_authentic_check_is_answered_and_its_address_believed() {
        let mut ice = Lite::new(OURS);
        let Check::Answer { reply, moved: false } = ice.handle_datagram(from(), &good(&[])) else { panic!() };
        assert_eq!((&reply[..2], &reply[8..20]), (&BINDING_SUCCESS[..], &[7; 12][..]));
        assert_eq!(usize::from(u16::from_be_bytes([reply[2], reply[3]])), reply.len() - HEADER);
        let tag = reply.len() - 8 - 24;
        assert!(ice.is_authentic(&reply, tag), "the far side knows by it that it was us");
        assert!(ice.is_checked(from()) && !ice.is_checked("192.0.2.1:32854".parse().unwrap()));
        assert_eq!(ice.nominated(), None, "nothing was nominated");
    }

    #[test]
    fn rfc8445_8_1_1_sound_goes_where_the_far_side_nominated_last() {
        let mut ice = Lite::new(OURS);
        let nominating = good(&[(USE_CANDIDATE, &[])]);
        let elsewhere = "198.51.100.9:9".parse().unwrap();
        for (from, wanted) in [(from(), true), (from(), false), (elsewhere, true), (elsewhere, false)] {
            let Check::Answer { moved, .. } = ice.handle_datagram(from, &nominating) else { panic!() };
            assert_eq!((moved, ice.nominated()), (wanted, Some(from)));
        }
    }

    #[test]
    fn rfc8489_9_1_3_who_has_not_our_password_is_refused_and_not_believed() {
        let mut ice = Lite::new(OURS);
        let refused = [
            (check(b"evtjh6vY:h6vY", b"VOkJxbRl1RmTxUk/WvJxBtAB", &[(USE_CANDIDATE, &[])]), 401),
            (check(b"somebody:h6vY", &OURS.password, &[]), 401),
            (check(b"evtjh6vY", &OURS.password, &[]), 401),
            (good(&[(0x0030, &[1])]), 420),
            (good(&[(ICE_CONTROLLED, &[1; 8])]), 487),
        ];
        for (request, status) in refused {
            assert_eq!(code(ice.handle_datagram(from(), &request)), status);
        }
        let bare = finish([&BINDING_REQUEST[..], &[0, 0], &MAGIC_COOKIE, &[7; 12]].concat());
        assert_eq!(code(ice.handle_datagram(from(), &bare)), 400);
        assert!(!ice.is_checked(from()) && ice.nominated().is_none());
    }

    #[test]
    fn what_is_cut_changed_or_no_request_is_not_answered() {
        let mut ice = Lite::new(OURS);
        let whole = good(&[]);
        for length in 0..whole.len() {
            assert_eq!(ice.handle_datagram(from(), &whole[..length]), Check::Ignored);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert_eq!(ice.handle_datagram(from(), &changed), Check::Ignored, "octet {at}");
        }
        assert!(!ice.is_checked(from()));
    }
}
