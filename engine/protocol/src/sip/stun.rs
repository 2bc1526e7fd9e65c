//! STUN on the ports of SIP (RFC 5626 §4.4.2, §8; RFC 8489): a telephone behind a NAT asks where it is seen, keeps its
//! way open by that, and learns when its address has changed. Binding requests alone are answered, without credentials
//! and in the 20 bytes that they have; everything else of STUN is not for here.

use std::net::{IpAddr, SocketAddr};

/// RFC 8489 §5: a STUN message begins with two bits that no SIP message begins with.
pub(crate) const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
pub(crate) const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
pub(crate) const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
/// Type, length, cookie, transaction.
pub(crate) const HEADER: usize = 20;
/// Octets of XOR-MAPPED-ADDRESS with an IPv6 address.
const MAX_MAPPED: usize = 24;

/// The answer to a binding request; none to anything else. `from`: where it was seen to come from.
pub fn answer(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let header = datagram.get(..HEADER)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE || length != datagram.len() - HEADER {
        return None;
    }
    let mut reply = Vec::with_capacity(HEADER + MAX_MAPPED);
    reply.extend_from_slice(&BINDING_SUCCESS);
    reply.extend_from_slice(&[0, 0]);
    reply.extend_from_slice(&header[4..]);
    write_mapped(&mut reply, from);
    let length = (reply.len() - HEADER) as u16;
    reply[2..4].copy_from_slice(&length.to_be_bytes());
    Some(reply)
}

/// Adds XOR-MAPPED-ADDRESS to a message whose header is written (§14.2): the address under the cookie and the
/// transaction, so that no NAT rewrites it.
pub(crate) fn write_mapped(message: &mut Vec<u8>, from: SocketAddr) {
    let (family, octets) = match from.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let mut mask = [0; HEADER - 4];
    mask.copy_from_slice(&message[4..HEADER]);
    let port = from.port() ^ u16::from_be_bytes([mask[0], mask[1]]);
    message.extend_from_slice(&XOR_MAPPED_ADDRESS);
    message.extend_from_slice(&(4 + octets.len() as u16).to_be_bytes());
    message.extend_from_slice(&[0, family]);
    message.extend_from_slice(&port.to_be_bytes());
    message.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transaction of RFC 5769.
    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request() -> Vec<u8> {
        [&[0, 1, 0, 0][..], &MAGIC_COOKIE, &TRANSACTION].concat()
    }

    #[test]
    fn rfc5769_2_2_and_2_3_the_address_is_masked_as_in_the_samples() {
        let v4 = answer(&request(), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(v4[..4], [0x01, 0x01, 0x00, 0x0c]);
        assert_eq!(v4[4..20], request()[4..]);
        assert_eq!(v4[20..], [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let v6 = answer(&request(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        let sample = [
            0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
            0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(v6[20..], sample);
    }

    #[test]
    fn what_is_no_binding_request_gets_nothing() {
        let from = "192.0.2.1:5060".parse().unwrap();
        let whole = request();
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length], from), None);
        }
        for (at, byte) in [(0, 0x01), (1, 0x02), (3, 4), (4, 0)] {
            let mut other = request();
            other[at] = byte;
            assert_eq!(answer(&other, from), None, "{at}");
        }
        assert_eq!(answer(b"OPTIONS sip:a SIP/2.0\r\n\r\n", from), None);
    }
}
