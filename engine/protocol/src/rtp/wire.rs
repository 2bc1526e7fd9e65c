//! RTP packets as bytes (RFC 3550 §5.1): read with rtp-types, which checks version, padding, CSRC list
//! and extension against the length; written with rtp. What a packet carries is not looked at.

use rtp_types::RtpPacket;
use webrtc_util::marshal::Marshal;

/// Octets of a header without CSRC list and extension; we write no other.
pub const HEADER: usize = 12;

/// The bytes are no RTP packet of version 2, or one of its lengths overruns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRtp;

/// The fields of a header that matter between two parties (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Begins a talk-spurt, or a telephone event.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// One more with every packet, wraps.
    pub sequence: u16,
    /// When the first sample was taken, in 8 kHz ticks; wraps at 2^32.
    pub timestamp: u32,
    /// Whose sequence it is.
    pub ssrc: u32,
}

/// A packet that was read: its header and where in the bytes its payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The header.
    pub header: Header,
    /// Where the payload starts, at least [`HEADER`].
    pub start: usize,
    /// Where the payload ends and padding, if any, starts.
    pub end: usize,
}

impl Packet {
    /// Reads and checks.
    pub fn read(bytes: &[u8]) -> Result<Self, NotRtp> {
        let packet = RtpPacket::parse(bytes).map_err(|_| NotRtp)?;
        let start = packet.payload_offset();
        Ok(Self {
            header: Header {
                marker: packet.marker_bit(),
                payload_type: packet.payload_type(),
                sequence: packet.sequence_number(),
                timestamp: packet.timestamp(),
                ssrc: packet.ssrc(),
            },
            start,
            end: start + packet.payload_len(),
        })
    }

    /// The payload, in the bytes that were read.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.end]
    }
}

impl Header {
    /// Writes the header just before the payload that starts at `payload`, at least [`HEADER`], and
    /// answers where the packet begins now. A packet passed on keeps its payload where it is.
    pub fn write_before(&self, bytes: &mut [u8], payload: usize) -> usize {
        let begin = payload - HEADER;
        rtp::header::Header {
            version: 2,
            marker: self.marker,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        }
        .marshal_to(&mut bytes[begin..payload])
        .expect("a header without lists is twelve octets");
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: [u8; 16] = [0x80, 0x80, 0x12, 0x34, 0, 0, 0x03, 0x20, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4];

    #[test]
    fn rfc3550_5_1_fixed_header() {
        let packet = Packet::read(&SAMPLE).unwrap();
        let header =
            Header { marker: true, payload_type: 0, sequence: 0x1234, timestamp: 800, ssrc: 0xdeadbeef };
        assert_eq!(packet, Packet { header, start: 12, end: 16 });
        assert_eq!(packet.payload(&SAMPLE), [1, 2, 3, 4]);

        let mut written = [9; 20];
        assert_eq!(header.write_before(&mut written, 16), 4);
        assert_eq!(written[4..16], SAMPLE[..12]);
    }

    #[test]
    fn rfc3550_5_1_csrc_extension_and_padding_are_not_payload() {
        let mut bytes = SAMPLE[..12].to_vec();
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        bytes.extend([0; 8]); // two CSRC
        bytes.extend([0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]); // one word of extension
        bytes.extend([7, 7, 7, 0, 0, 3]); // payload, padding of three
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!(packet.payload(&bytes), [7, 7, 7]);
    }

    #[test]
    fn rfc3550_a_1_what_overruns_or_is_of_another_version_is_refused() {
        let with = |first: u8, rest: &[u8]| [&[first][..], &SAMPLE[1..12], rest].concat();
        assert_eq!(Packet::read(&SAMPLE[..11]), Err(NotRtp));
        assert_eq!(Packet::read(&[]), Err(NotRtp));
        assert_eq!(Packet::read(&with(0x40, &[1])), Err(NotRtp), "version 1");
        assert_eq!(Packet::read(&with(0x8f, &[0; 59])), Err(NotRtp), "15 CSRC need 60 octets");
        assert_eq!(Packet::read(&with(0x90, &[0, 0, 0])), Err(NotRtp), "extension header cut");
        assert_eq!(Packet::read(&with(0x90, &[0, 0, 0, 2, 1, 1, 1, 1])), Err(NotRtp), "extension cut");
        assert_eq!(Packet::read(&with(0xa0, &[1, 0])), Err(NotRtp), "padding of none");
        assert_eq!(Packet::read(&with(0xa0, &[1, 9])), Err(NotRtp), "padding longer than the packet");
        assert_eq!(Packet::read(&with(0xa0, &[])), Err(NotRtp), "no room for padding");
    }
}
