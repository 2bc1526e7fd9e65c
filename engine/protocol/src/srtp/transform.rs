//! The ciphers of one direction, for SRTP or for SRTCP: session keys derived from the master key (RFC 3711 §4.3), and
//! what they do to one packet of a known index. Which index that is, is the context's.

use aes::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce, Tag};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::key::{MasterKey, Suite};

/// RFC 3711 §4.2.1: the authentication key of HMAC-SHA1.
const AUTH_KEY: usize = 20;
/// The header of SRTCP that stays readable (RFC 3711 §3.4).
pub(super) const RTCP_HEADER: usize = 8;
/// Octets of the index that SRTCP carries.
pub(super) const RTCP_INDEX: usize = 4;
/// RFC 7714 §13.2: tags have 16 octets.
const GCM_TAG: usize = 16;
/// RFC 4568 §6.2.2: SRTCP has long tags with every counter mode suite.
const RTCP_TAG: usize = 10;

type CounterMode<C> = StreamCipherCoreWrapper<CtrCore<C, Ctr128BE>>;

/// The packet's tag is another one: not from who has the key, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAuthentic;

/// Which of the two protocols a transform is for (RFC 3711 §4.3.2: labels 0 to 2, or 3 to 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Rtp,
    Rtcp,
}

/// A packet that is to be protected or was: where it begins to be secret and which it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Octets in front that stay readable.
    pub header: usize,
    pub ssrc: u32,
    /// 48 bits for SRTP, 31 for SRTCP.
    pub index: u64,
}

pub(super) enum Transform {
    Counter { aes: Box<Aes>, salt: [u8; 14], mac: Box<Hmac<Sha1>>, tag: usize },
    Gcm128 { aead: Box<Aes128Gcm>, salt: [u8; 12] },
    Gcm256 { aead: Box<Aes256Gcm>, salt: [u8; 12] },
}

/// The block cipher of counter mode.
pub(super) enum Aes {
    /// RFC 3711 §4.1.1.
    Of128(Aes128),
    /// RFC 6188 §2.
    Of256(Aes256),
}

impl Transform {
    pub fn new(master: &MasterKey, protocol: Protocol) -> Self {
        let first = match protocol {
            Protocol::Rtp => 0,
            Protocol::Rtcp => 3,
        };
        let tag = match (protocol, master.suite()) {
            (Protocol::Rtp, Suite::AesCm128HmacSha1_32 | Suite::AesCm256HmacSha1_32) => 4,
            (Protocol::Rtp | Protocol::Rtcp, _) => RTCP_TAG,
        };
        const SIZES: &str = "a derived key is as long as its cipher asks";
        match master.suite() {
            suite @ (Suite::AesCm128HmacSha1_80
            | Suite::AesCm128HmacSha1_32
            | Suite::AesCm256HmacSha1_80
            | Suite::AesCm256HmacSha1_32) => {
                let auth: [u8; AUTH_KEY] = derive(master, first + 1);
                let aes = match suite.key_length() {
                    16 => Aes::Of128(Aes128::new(&derive::<16>(master, first).into())),
                    _ => Aes::Of256(Aes256::new(&derive::<32>(master, first).into())),
                };
                Self::Counter {
                    aes: Box::new(aes),
                    salt: derive(master, first + 2),
                    mac: Box::new(KeyInit::new_from_slice(&auth).expect(SIZES)),
                    tag,
                }
            }
            Suite::AeadAes128Gcm => Self::Gcm128 {
                aead: Box::new(Aes128Gcm::new(&derive::<16>(master, first).into())),
                salt: derive(master, first + 2),
            },
            Suite::AeadAes256Gcm => Self::Gcm256 {
                aead: Box::new(Aes256Gcm::new(&derive::<32>(master, first).into())),
                salt: derive(master, first + 2),
            },
        }
    }

    /// Octets that are added at the end, the index of SRTCP not among them.
    pub fn tag(&self) -> usize {
        match self {
            Self::Counter { tag, .. } => *tag,
            Self::Gcm128 { .. } | Self::Gcm256 { .. } => GCM_TAG,
        }
    }

    /// SRTP (RFC 3711 §3.1): `packet` goes encrypted into `out`, with its tag behind it. Answers its length.
    pub fn seal_rtp(&self, at: Place, packet: &[u8], out: &mut [u8]) -> usize {
        let end = packet.len();
        out[..end].copy_from_slice(packet);
        let tag = match self {
            Self::Counter { aes, salt, mac, .. } => {
                counter(aes, salt, at, &mut out[at.header..end]);
                authenticate(mac, &out[..end], &roll_over(at.index))
            }
            Self::Gcm128 { aead, salt } => seal(&**aead, &nonce(salt, at), at.header, &[], &mut out[..end]),
            Self::Gcm256 { aead, salt } => seal(&**aead, &nonce(salt, at), at.header, &[], &mut out[..end]),
        };
        out[end..end + self.tag()].copy_from_slice(&tag[..self.tag()]);
        end + self.tag()
    }

    /// SRTP: checks and decrypts in place; `bytes` are longer than header and tag. Answers the packet's length.
    pub fn open_rtp(&self, at: Place, bytes: &mut [u8]) -> Result<usize, NotAuthentic> {
        let end = bytes.len() - self.tag();
        let (packet, tag) = bytes.split_at_mut(end);
        match self {
            Self::Counter { aes, salt, mac, .. } => {
                check(mac, packet, &roll_over(at.index), tag)?;
                counter(aes, salt, at, &mut packet[at.header..]);
            }
            Self::Gcm128 { aead, salt } => open(&**aead, &nonce(salt, at), at.header, &[], packet, tag)?,
            Self::Gcm256 { aead, salt } => open(&**aead, &nonce(salt, at), at.header, &[], packet, tag)?,
        }
        Ok(end)
    }

    /// SRTCP (RFC 3711 §3.4, RFC 7714 §9): as [`Transform::seal_rtp`]; the index goes along, always with the E flag.
    pub fn seal_rtcp(&self, at: Place, packet: &[u8], out: &mut [u8]) -> usize {
        let end = packet.len();
        let index = (at.index as u32 | ENCRYPTED).to_be_bytes();
        out[..end].copy_from_slice(packet);
        match self {
            Self::Counter { aes, salt, mac, .. } => {
                counter(aes, salt, at, &mut out[RTCP_HEADER..end]);
                let tag = authenticate(mac, &out[..end], &index);
                out[end..end + RTCP_INDEX].copy_from_slice(&index);
                out[end + RTCP_INDEX..][..RTCP_TAG].copy_from_slice(&tag[..RTCP_TAG]);
            }
            Self::Gcm128 { aead, salt } => {
                let tag = seal(&**aead, &nonce(salt, at), RTCP_HEADER, &index, &mut out[..end]);
                out[end..end + GCM_TAG].copy_from_slice(&tag[..GCM_TAG]);
                out[end + GCM_TAG..][..RTCP_INDEX].copy_from_slice(&index);
            }
            Self::Gcm256 { aead, salt } => {
                let tag = seal(&**aead, &nonce(salt, at), RTCP_HEADER, &index, &mut out[..end]);
                out[end..end + GCM_TAG].copy_from_slice(&tag[..GCM_TAG]);
                out[end + GCM_TAG..][..RTCP_INDEX].copy_from_slice(&index);
            }
        }
        end + self.tag() + RTCP_INDEX
    }

    /// The index that an SRTCP packet carries, without its E flag; none for one that is not encrypted or too short.
    pub fn rtcp_index(&self, bytes: &[u8]) -> Option<u64> {
        let behind = match self {
            Self::Counter { .. } => RTCP_TAG,
            Self::Gcm128 { .. } | Self::Gcm256 { .. } => 0,
        };
        let end = bytes.len().checked_sub(behind)?;
        let at = end.checked_sub(RTCP_INDEX).filter(|at| *at >= RTCP_HEADER)?;
        let word = u32::from_be_bytes(bytes[at..end].try_into().ok()?);
        (word & ENCRYPTED != 0).then_some(u64::from(word & !ENCRYPTED))
    }

    /// SRTCP: checks and decrypts in place; `bytes` are longer than header, tag and index. Answers the packet's length.
    pub fn open_rtcp(&self, at: Place, bytes: &mut [u8]) -> Result<usize, NotAuthentic> {
        let end = bytes.len() - self.tag() - RTCP_INDEX;
        let index = (at.index as u32 | ENCRYPTED).to_be_bytes();
        let (packet, behind) = bytes.split_at_mut(end);
        match self {
            Self::Counter { aes, salt, mac, .. } => {
                check(mac, packet, &index, &behind[RTCP_INDEX..])?;
                counter(aes, salt, at, &mut packet[RTCP_HEADER..]);
            }
            Self::Gcm128 { aead, salt } => {
                open(&**aead, &nonce(salt, at), RTCP_HEADER, &index, packet, &behind[..GCM_TAG])?;
            }
            Self::Gcm256 { aead, salt } => {
                open(&**aead, &nonce(salt, at), RTCP_HEADER, &index, packet, &behind[..GCM_TAG])?;
            }
        }
        Ok(end)
    }
}

/// RFC 3711 §3.4: the flag in front of the index that says "encrypted".
const ENCRYPTED: u32 = 1 << 31;

/// A session key by its label (RFC 3711 §4.3.1), without a derivation rate; a salt of 96 bits is padded to 112
/// (RFC 7714 §11).
fn derive<const N: usize>(master: &MasterKey, label: u8) -> [u8; N] {
    let mut iv = [0; 16];
    iv[..master.salt().len()].copy_from_slice(master.salt());
    iv[7] ^= label;
    let mut key = [0; N];
    const SIZES: &str = "a master key is as long as its suite says";
    match master.suite().key_length() {
        16 => key_stream(&Aes128::new_from_slice(master.key()).expect(SIZES), &iv, &mut key),
        _ => key_stream(&Aes256::new_from_slice(master.key()).expect(SIZES), &iv, &mut key),
    }
    key
}

fn key_stream<C>(cipher: &C, iv: &[u8; 16], bytes: &mut [u8])
where
    C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
{
    CounterMode::from_core(CtrCore::inner_iv_init(cipher, iv.into())).apply_keystream(bytes);
}

/// RFC 3711 §4.1.1.
fn counter(aes: &Aes, salt: &[u8; 14], at: Place, bytes: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    xor(&mut iv[4..8], &at.ssrc.to_be_bytes());
    xor(&mut iv[8..14], &at.index.to_be_bytes()[2..]);
    match aes {
        Aes::Of128(aes) => key_stream(aes, &iv, bytes),
        Aes::Of256(aes) => key_stream(aes, &iv, bytes),
    }
}

/// RFC 7714 §8.1 and §9.1: the SSRC, and the index behind it: roll-over counter and sequence number, or that of SRTCP.
fn nonce(salt: &[u8; 12], at: Place) -> [u8; 12] {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &at.ssrc.to_be_bytes());
    xor(&mut nonce[6..12], &at.index.to_be_bytes()[2..]);
    nonce
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    bytes.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
}

/// RFC 3711 §4.2: the roll-over counter is authenticated though it is not sent.
fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn authenticate(mac: &Hmac<Sha1>, packet: &[u8], more: &[u8]) -> [u8; AUTH_KEY] {
    mac.clone().chain_update(packet).chain_update(more).finalize().into_bytes().into()
}

fn check(mac: &Hmac<Sha1>, packet: &[u8], more: &[u8], tag: &[u8]) -> Result<(), NotAuthentic> {
    let mac = mac.clone().chain_update(packet).chain_update(more);
    mac.verify_truncated_left(tag).map_err(|_| NotAuthentic)
}

/// Encrypts what is behind the header, in place; header and `more` are authenticated.
fn seal<A>(aead: &A, nonce: &[u8; 12], header: usize, more: &[u8], packet: &mut [u8]) -> [u8; AUTH_KEY]
where
    A: AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    let (header, secret) = packet.split_at_mut(header);
    let mut known = Known::new();
    let sealed = aead.encrypt_inout_detached(&Nonce::from(*nonce), known.with(header, more), secret.into());
    let mut tag = [0; AUTH_KEY];
    tag[..GCM_TAG].copy_from_slice(&sealed.expect("a datagram is shorter than the cipher's limit"));
    tag
}

fn open<A>(
    aead: &A,
    nonce: &[u8; 12],
    header: usize,
    more: &[u8],
    packet: &mut [u8],
    tag: &[u8],
) -> Result<(), NotAuthentic>
where
    A: AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    let (header, secret) = packet.split_at_mut(header);
    let tag: [u8; GCM_TAG] = tag.try_into().map_err(|_| NotAuthentic)?;
    let mut known = Known::new();
    aead.decrypt_inout_detached(
        &Nonce::from(*nonce),
        known.with(header, more),
        secret.into(),
        &Tag::from(tag),
    )
    .map_err(|_| NotAuthentic)
}

/// What is authenticated and not encrypted, in one piece.
struct Known([u8; RTCP_HEADER + RTCP_INDEX]);

impl Known {
    fn new() -> Self {
        Self([0; RTCP_HEADER + RTCP_INDEX])
    }

    /// The header alone, or, for SRTCP, with its index behind it.
    fn with<'a>(&'a mut self, header: &'a [u8], more: &[u8]) -> &'a [u8] {
        if more.is_empty() {
            return header;
        }
        self.0[..RTCP_HEADER].copy_from_slice(&header[..RTCP_HEADER]);
        self.0[RTCP_HEADER..].copy_from_slice(more);
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 §B.3: session keys from a master key.
    #[test]
    fn rfc3711_b_3_key_derivation() {
        let master = [
            0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39,
            0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6,
        ];
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        let cipher =
            [0xc6, 0x1e, 0x7a, 0x93, 0x74, 0x4f, 0x39, 0xee, 0x10, 0x73, 0x4a, 0xfe, 0x3f, 0xf7, 0xa0, 0x87];
        assert_eq!(derive::<16>(&master, 0), cipher);
        let salt = [0x30, 0xcb, 0xbc, 0x08, 0x86, 0x3d, 0x8c, 0x85, 0xd4, 0x9d, 0xb3, 0x4a, 0x9a, 0xe1];
        assert_eq!(derive::<14>(&master, 2), salt);
        let auth = [
            0xce, 0xbe, 0x32, 0x1f, 0x6f, 0xf7, 0x71, 0x6b, 0x6f, 0xd4, 0xab, 0x49, 0xaf, 0x25, 0x6a, 0x15,
            0x6d, 0x38, 0xba, 0xa4,
        ];
        assert_eq!(derive::<20>(&master, 1), auth);
    }

    /// RFC 3711 §B.2: the key stream at its beginning and at its 65280th block.
    #[test]
    fn rfc3711_b_2_counter_mode_key_stream() {
        let key =
            [0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c];
        let salt = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd];
        let mut stream = vec![0; 0xff02 * 16];
        let at = Place { header: 0, ssrc: 0, index: 0 };
        counter(&Aes::Of128(Aes128::new(&key.into())), &salt, at, &mut stream);
        let block = |n: usize| &stream[n * 16..][..16];
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        assert_eq!(hex(block(0)), "E03EAD0935C95E80E166B16DD92B4EB4");
        assert_eq!(hex(block(1)), "D23513162B02D0F72A43A2FE4A5F97AB");
        assert_eq!(hex(block(0xfeff)), "EC8CDF7398607CB0F2D21675EA9EA1E4");
        assert_eq!(hex(block(0xff00)), "362B7C3C6773516318A077D7FC5073AE");
        assert_eq!(hex(block(0xff01)), "6A2CC3787889374FBEB4C81B17BA6C44");
    }

    /// Octets from hexadecimal digits.
    fn octets<const N: usize>(digits: &str) -> [u8; N] {
        std::array::from_fn(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("two digits"))
    }

    /// RFC 6188 §7.1: the key stream of AES-256 at its beginning and at its 65280th block.
    #[test]
    fn rfc6188_7_1_counter_mode_key_stream_of_aes_256() {
        let key: [u8; 32] = octets("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98");
        let salt = octets("f0f1f2f3f4f5f6f7f8f9fafbfcfd");
        let mut stream = vec![0; 0xff02 * 16];
        let at = Place { header: 0, ssrc: 0, index: 0 };
        counter(&Aes::Of256(Aes256::new(&key.into())), &salt, at, &mut stream);
        for (block, digits) in [
            (0, "92bdd28a93c3f52511c677d08b5515a4"),
            (1, "9da71b2378a854f67050756ded165bac"),
            (2, "63c4868b7096d88421b563b8c94c9a31"),
            (0xfeff, "cea518c90fd91ced9cbb18c078a54711"),
            (0xff00, "3dbc4814f4da5f00a08772b63c6a046d"),
            (0xff01, "6eb246913062a16891433e97dd01a57f"),
        ] {
            assert_eq!(stream[block * 16..][..16], octets::<16>(digits), "block {block:#x}");
        }
    }

    /// RFC 6188 §7.2: session keys from a master key of 256 bits.
    #[test]
    fn rfc6188_7_2_key_derivation_of_aes_256() {
        let master: [u8; 46] = octets(
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2",
        );
        let master = MasterKey::new(Suite::AesCm256HmacSha1_80, &master).unwrap();
        let cipher = octets("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
        assert_eq!(derive::<32>(&master, 0), cipher);
        assert_eq!(derive::<20>(&master, 1), octets("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
        assert_eq!(derive::<14>(&master, 2), octets("fa31791685ca444a9e07c6c64e93"));
    }

    /// RFC 7714 §16.1.1: session key and salt, packet and sealed packet.
    #[test]
    fn rfc7714_16_1_1_a_packet_of_sound_sealed_with_aes_128_gcm() {
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let transform =
            Transform::Gcm128 { aead: Box::new(Aes128Gcm::new(&key.into())), salt: *b"Quid pro quo" };
        let header = [0x80, 0x40, 0xf1, 0x7b, 0x80, 0x41, 0xf8, 0xd3, 0x55, 0x01, 0xa0, 0xb2];
        let packet = [&header[..], b"Gallia est omnis divisa in partes tres"].concat();
        let at = Place { header: 12, ssrc: 0x5501_a0b2, index: 0xf17b };
        let mut sealed = vec![0; packet.len() + GCM_TAG];
        assert_eq!(transform.seal_rtp(at, &packet, &mut sealed), sealed.len());
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf\
             8833899d7f27beb16a9152cf765ee4390cce"
        );
        assert_eq!(transform.open_rtp(at, &mut sealed), Ok(packet.len()));
        assert_eq!(sealed[..packet.len()], packet);
    }
}
