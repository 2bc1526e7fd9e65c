//! How sound is protected, as descriptions say it: profiles (RFC 3711, RFC 5764 §8, with feedback RFC 4585), keys in
//! `a=crypto` (SDES, RFC 4568), fingerprints and roles for DTLS-SRTP (RFC 5763, RFC 8122, RFC 8842), our side of ICE-lite
//! (RFC 8839, RFC 8445 §2.5), RTCP on the port of RTP (RFC 5761), and the group of one that browsers expect (RFC 9143).
//! Protection is offered beside plain sound as RFC 8643 says. Left out: key identifiers and session parameters of
//! SDES, and ICE where there is no DTLS: whoever offers that is answered without.

use std::fmt;
use std::fmt::Write as _;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::offer_answer::Refusal;
use super::session::Media;
use crate::srtp::{MasterKey, Suite};

/// `a=crypto` lines that are read of one `m=` line; those after it are passed over.
const MAX_CRYPTO: usize = 16;
/// RFC 8445 §5.1.2.1: the one candidate that we have, of type host, for RTP.
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// Whether sound of a leg is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Srtp {
    /// Never: whoever insists on it is refused.
    Forbidden,
    /// Where both sides can.
    #[default]
    Offered,
    /// Always: whoever can't is refused.
    Required,
}

/// What our side may do to protect the sound of one leg.
#[derive(Clone, Debug)]
pub struct Protection {
    /// Whether it is wished.
    pub srtp: Srtp,
    /// Whether descriptions may carry keys: they go where nobody else reads them (RFC 4568 §5, §8.1).
    pub may_say_keys: bool,
    /// Of our certificate; none where there is no DTLS.
    pub fingerprint: Option<Fingerprint>,
    /// The far side is a browser: it knows DTLS with ICE and nothing else (RFC 8827 §6.5).
    pub is_browser: bool,
    /// What keys are made from: 32 octets of true chance, never used for another leg.
    pub secret: [u8; 32],
}

impl Protection {
    /// Plain sound only.
    pub fn none() -> Self {
        Self {
            srtp: Srtp::Forbidden,
            may_say_keys: false,
            fingerprint: None,
            is_browser: false,
            secret: [0; 32],
        }
    }
}

/// The SHA-256 of a certificate (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    fn read(value: &str) -> Option<Self> {
        let (hash, octets) = value.split_once(' ')?;
        let mut print = [0; 32];
        let mut octets = octets.trim().split(':');
        for octet in &mut print {
            *octet = u8::from_str_radix(octets.next()?, 16).ok()?;
        }
        (hash.eq_ignore_ascii_case("sha-256") && octets.next().is_none()).then_some(Self(print))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(n, octet)| match n {
            0 => write!(f, "{octet:02X}"),
            _ => write!(f, ":{octet:02X}"),
        })
    }
}

/// Our side's short-term credentials (RFC 8445 §5.3): printable characters of ICE's alphabet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IceCredentials {
    /// Names our side.
    pub fragment: [u8; 8],
    /// Checks are authenticated with it.
    pub password: [u8; 24],
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceCredentials({})", text(&self.fragment))
    }
}

/// What protects a stream, as agreed upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    #[default]
    Plain,
    /// Keys that both descriptions said.
    Keys {
        /// What we send is protected with it.
        ours: MasterKey,
        /// What they send.
        theirs: MasterKey,
    },
    /// Keys come out of a handshake on the stream's own port.
    Dtls {
        /// What their certificate must have.
        fingerprint: Fingerprint,
        /// We begin the handshake.
        active: bool,
        /// They find the way by checks, and nothing else is heard from elsewhere.
        ice: Option<IceCredentials>,
    },
}

/// What one `m=` line, or the session above it, says about protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    crypto: Vec<Crypto>,
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
    fragment: Option<String>,
    password: Option<String>,
    pub(super) mux: bool,
    mid: Option<String>,
    /// The mids of a bundle, of the session alone.
    bundle: Option<String>,
}

/// `a=setup` (RFC 4145 §4, RFC 5763 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    Actpass,
}

/// A line `a=crypto` that we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crypto {
    tag: u32,
    key: MasterKey,
}

impl Said {
    /// An attribute of the session or of one `m=` line; others, and what can't be read, are passed over.
    pub fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "crypto" if self.crypto.len() < MAX_CRYPTO => self.crypto.extend(Crypto::read(value)),
            "fingerprint" => self.fingerprint = Fingerprint::read(value).or(self.fingerprint),
            "setup" => {
                self.setup = match value.to_ascii_lowercase().as_str() {
                    "active" => Some(Setup::Active),
                    "passive" => Some(Setup::Passive),
                    "actpass" => Some(Setup::Actpass),
                    _ => self.setup,
                }
            }
            "ice-ufrag" => self.fragment = Some(value.to_owned()),
            "ice-pwd" => self.password = Some(value.to_owned()),
            "rtcp-mux" => self.mux = true,
            "mid" => self.mid = Some(value.to_owned()).filter(|mid| mid.chars().all(is_token)),
            "group" => self.bundle = value.strip_prefix("BUNDLE").map(str::to_owned).or(self.bundle.take()),
            _ => {}
        }
    }

    fn has_ice(&self) -> bool {
        self.fragment.is_some() && self.password.is_some()
    }
}

/// RFC 8866 §9: what an identification tag is made of; it is written back.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(c)
}

impl Crypto {
    /// RFC 4568 §9.1. None for a suite, a key or a session parameter that we do not have.
    fn read(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = Suite::named(words.next()?)?;
        // One key; after it a lifetime that no call reaches, or a key identifier, which we do not read in packets.
        let (inline, rest) = {
            let key = words.next()?.strip_prefix("inline:")?;
            key.split_once('|').unwrap_or((key, ""))
        };
        // RFC 4568 §6.3.7: the window's size is advice. All others change what packets look like.
        if rest.contains(':') || inline.contains(';') || words.any(|word| !word.starts_with("WSH=")) {
            return None;
        }
        let key = MasterKey::new(suite, &STANDARD.decode(inline).ok()?)?;
        Some(Self { tag, key })
    }
}

/// How an `m=` line is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    Plain,
    /// Keys in the description.
    Keys,
    Dtls {
        ice: bool,
    },
}

/// RTP profiles by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Plain,
    Secure,
    Dtls,
}

impl Profile {
    fn named(proto: &str) -> Option<Self> {
        let is = |name: &str| {
            let plain = proto.strip_suffix(['F', 'f']).unwrap_or(proto);
            plain.eq_ignore_ascii_case(name)
        };
        match () {
            () if is("RTP/AVP") => Some(Self::Plain),
            () if is("RTP/SAVP") => Some(Self::Secure),
            () if is("UDP/TLS/RTP/SAVP") => Some(Self::Dtls),
            () => None,
        }
    }
}

/// Our side of it through one session: what was said, so that it is said again until it is to change.
#[derive(Clone, Debug)]
pub(super) struct Protected {
    may: Protection,
    /// As the last description has it, and the profile's name there.
    way: Option<Way>,
    proto: String,
    /// Keys made so far.
    drawn: u32,
    /// Ours, by their tags: several while an offer is open, one when it is answered.
    keys: Vec<Crypto>,
    ice: Option<IceCredentials>,
    /// Another one is another session of ICE (RFC 8839 §4.4.1.1.1).
    their_fragment: Option<String>,
    /// Who begins the handshake, once that is known; it stays so (RFC 8842 §4).
    active: Option<bool>,
    mux: bool,
    mid: Option<String>,
    bundled: bool,
}

impl Protected {
    pub fn new(may: Protection) -> Self {
        Self {
            may,
            way: None,
            proto: String::new(),
            drawn: 0,
            keys: Vec::new(),
            ice: None,
            their_fragment: None,
            active: None,
            mux: false,
            mid: None,
            bundled: false,
        }
    }

    /// Goes on as another process did, with new keys.
    pub fn restored(may: Protection, kept: Option<KeptProtection>) -> Self {
        let mut new = Self::new(may);
        if let Some(KeptProtection { way, proto, mux, mid, bundled }) = kept {
            (new.way, new.proto, new.mux, new.mid, new.bundled) = (Some(way), proto, mux, mid, bundled);
        }
        new
    }

    pub fn keep(&self) -> Option<KeptProtection> {
        let (proto, mux, mid, bundled) = (self.proto.clone(), self.mux, self.mid.clone(), self.bundled);
        self.way.map(|way| KeptProtection { way, proto, mux, mid, bundled })
    }

    /// Whether it may be agreed that nothing protects the sound.
    pub fn may_be_plain(&self) -> bool {
        self.may.srtp != Srtp::Required
    }

    /// How an offered line could be protected; why not, if it can't be used.
    pub fn judge(&self, media: &Media) -> Result<Way, Refusal> {
        let (said, may) = (&media.protection, &self.may);
        let profile = Profile::named(&media.proto).ok_or(Refusal::NoAudio)?;
        let wished = may.srtp != Srtp::Forbidden;
        let by_keys = wished && may.may_say_keys && !said.crypto.is_empty();
        let by_dtls = wished && may.fingerprint.is_some() && said.fingerprint.is_some();
        let dtls = Way::Dtls { ice: said.has_ice() };
        match profile {
            Profile::Plain | Profile::Secure if by_keys => Ok(Way::Keys),
            Profile::Plain if by_dtls => Ok(dtls),
            Profile::Plain if self.may_be_plain() => Ok(Way::Plain),
            Profile::Plain => Err(Refusal::Unprotected),
            Profile::Secure | Profile::Dtls if by_dtls => Ok(dtls),
            Profile::Secure | Profile::Dtls => Err(Refusal::NoKeys),
        }
    }

    /// Takes up an offer that was judged so, and answers what protects the stream.
    pub fn answer(&mut self, media: &Media, way: Way) -> Security {
        let said = &media.protection;
        self.way = Some(way);
        self.proto.clone_from(&media.proto);
        self.mux = said.mux;
        self.mid.clone_from(&said.mid);
        self.bundled = said.mid.as_ref().is_some_and(|mid| {
            said.bundle.as_ref().is_some_and(|mids| mids.split_ascii_whitespace().any(|other| other == mid))
        });
        match way {
            Way::Plain => Security::Plain,
            Way::Keys => {
                let theirs = said.crypto[0];
                let ours = self.keys.iter().map(|crypto| crypto.key);
                let ours = ours.into_iter().find(|key| key.suite() == theirs.key.suite());
                let ours = ours.unwrap_or_else(|| self.draw_key(theirs.key.suite()));
                self.keys = vec![Crypto { tag: theirs.tag, key: ours }];
                Security::Keys { ours, theirs: theirs.key }
            }
            Way::Dtls { ice } => {
                if ice && self.their_fragment != said.fragment {
                    self.ice = None;
                    self.their_fragment.clone_from(&said.fragment);
                }
                // Whoever can be either is left to begin: their way through a NAT is open then.
                let active = match said.setup {
                    Some(Setup::Passive) => true,
                    Some(Setup::Active) => false,
                    Some(Setup::Actpass) | None => self.active.unwrap_or(false),
                };
                self.dtls(said.fingerprint, active, ice)
            }
        }
    }

    /// What our offers are protected by from now on.
    pub fn offer(&mut self) {
        let may = &self.may;
        let (wished, by_keys) = (may.srtp != Srtp::Forbidden, may.may_say_keys);
        let way = self.way.unwrap_or(match may.srtp {
            Srtp::Forbidden => Way::Plain,
            Srtp::Offered | Srtp::Required if may.is_browser => Way::Dtls { ice: true },
            Srtp::Offered | Srtp::Required if by_keys => Way::Keys,
            Srtp::Offered => Way::Plain,
            Srtp::Required => Way::Dtls { ice: false },
        });
        if self.way.is_none() {
            self.proto = match way {
                Way::Keys if self.may_be_plain() => "RTP/AVP",
                Way::Plain => "RTP/AVP",
                Way::Keys => "RTP/SAVP",
                Way::Dtls { ice: true } => "UDP/TLS/RTP/SAVPF",
                Way::Dtls { ice: false } => "UDP/TLS/RTP/SAVP",
            }
            .to_owned();
            if way == (Way::Dtls { ice: true }) {
                (self.mux, self.mid, self.bundled) = (true, Some("0".to_owned()), true);
            }
            self.mux |= matches!(way, Way::Dtls { .. });
        }
        if wished && way == Way::Keys && self.keys.is_empty() {
            for (tag, suite) in (1..).zip(Suite::ALL) {
                let key = self.draw_key(suite);
                self.keys.push(Crypto { tag, key });
            }
        }
        self.way = Some(way);
    }

    /// Keys are offered on the side of plain sound (RFC 8643).
    pub fn may_insist(&self) -> bool {
        self.way == Some(Way::Keys) && Profile::named(&self.proto) == Some(Profile::Plain)
    }

    /// The next offer is of protected sound alone. False: so was the last, or of none.
    pub fn insist(&mut self) -> bool {
        let may = self.may_insist();
        if may {
            self.proto = "RTP/SAVP".to_owned();
        }
        may
    }

    /// Reads the answer to our offer: what protects the stream.
    pub fn accept(&mut self, media: &Media) -> Result<(Way, Security), Refusal> {
        let said = &media.protection;
        let profile = Profile::named(&media.proto).ok_or(Refusal::NoAudio)?;
        let offered = Profile::named(&self.proto).unwrap_or(Profile::Plain);
        if profile != offered {
            return Err(if profile == Profile::Plain { Refusal::Unprotected } else { Refusal::NoKeys });
        }
        let mux = self.mux && said.mux;
        match self.way.unwrap_or(Way::Plain) {
            Way::Plain => Ok((Way::Plain, Security::Plain)),
            Way::Keys => {
                let pair = said.crypto.iter().find_map(|theirs| {
                    let ours =
                        |ours: &&Crypto| ours.tag == theirs.tag && ours.key.suite() == theirs.key.suite();
                    Some((*self.keys.iter().find(ours)?, *theirs))
                });
                self.mux = mux;
                match pair {
                    // An early answer may be followed by another one, of another telephone.
                    Some((ours, theirs)) => {
                        Ok((Way::Keys, Security::Keys { ours: ours.key, theirs: theirs.key }))
                    }
                    None if profile == Profile::Plain && self.may_be_plain() => {
                        Ok((Way::Plain, Security::Plain))
                    }
                    None => Err(Refusal::Unprotected),
                }
            }
            Way::Dtls { ice } => {
                let fingerprint = said.fingerprint.ok_or(Refusal::Unprotected)?;
                let ice = ice && said.has_ice();
                let active = said.setup == Some(Setup::Passive);
                self.mux = mux;
                Ok((Way::Dtls { ice }, self.dtls(Some(fingerprint), active, ice)))
            }
        }
    }

    /// Whether RTCP comes and goes on the port of RTP.
    pub fn is_muxed(&self) -> bool {
        self.mux
    }

    /// The profile that the next description names.
    pub fn proto(&self) -> &str {
        if self.proto.is_empty() { "RTP/AVP" } else { &self.proto }
    }

    /// What the session says above the first `m=` line.
    pub fn write_session(&self, out: &mut String) -> fmt::Result {
        if let (true, Some(mid)) = (self.bundled, &self.mid) {
            write!(out, "a=group:BUNDLE {mid}\r\n")?;
        }
        if self.way == Some(Way::Dtls { ice: true }) {
            out.write_str("a=ice-lite\r\n")?;
        }
        Ok(())
    }

    /// What stands below our `m=` line. `is_offer`: either role is free to take.
    pub fn write(&mut self, address: SocketAddr, is_offer: bool, out: &mut String) -> fmt::Result {
        if let Some(mid) = &self.mid {
            write!(out, "a=mid:{mid}\r\n")?;
        }
        if self.mux {
            out.write_str("a=rtcp-mux\r\n")?;
        }
        match self.way {
            None | Some(Way::Plain) => Ok(()),
            Some(Way::Keys) => self.keys.iter().try_for_each(|Crypto { tag, key }| {
                let inline = STANDARD.encode(key.key_and_salt());
                write!(out, "a=crypto:{tag} {} inline:{inline}\r\n", key.suite().name())
            }),
            Some(Way::Dtls { ice }) => {
                let setup = match self.active {
                    _ if is_offer => "actpass",
                    Some(true) => "active",
                    Some(false) | None => "passive",
                };
                if let Some(fingerprint) = self.may.fingerprint {
                    write!(out, "a=setup:{setup}\r\na=fingerprint:sha-256 {fingerprint}\r\n")?;
                }
                if !ice {
                    return Ok(());
                }
                let IceCredentials { fragment, password } = self.ice();
                write!(out, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", text(&fragment), text(&password))?;
                let (ip, port) = (address.ip(), address.port());
                write!(
                    out,
                    "a=candidate:1 1 UDP {PRIORITY} {ip} {port} typ host\r\na=end-of-candidates\r\n"
                )?;
                // A browser puts the sound that comes into a stream of this name.
                out.write_str("a=msid:strowger sound\r\n")
            }
        }
    }

    fn dtls(&mut self, fingerprint: Option<Fingerprint>, active: bool, ice: bool) -> Security {
        self.active = Some(active);
        let ice = ice.then(|| self.ice());
        match fingerprint {
            Some(fingerprint) => Security::Dtls { fingerprint, active, ice },
            None => Security::Plain,
        }
    }

    fn ice(&mut self) -> IceCredentials {
        if let Some(ice) = self.ice {
            return ice;
        }
        let ice = IceCredentials { fragment: self.draw().map(ice_char), password: self.draw().map(ice_char) };
        self.ice = Some(ice);
        ice
    }

    fn draw_key(&mut self, suite: Suite) -> MasterKey {
        let octets = self.draw::<64>();
        let length = suite.key_length() + suite.salt_length();
        MasterKey::new(suite, &octets[..length]).expect("as many octets as the suite has")
    }

    /// The next octets made from the secret: each block is the hash of it and a number never used before.
    fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        for block in octets.chunks_mut(32) {
            let hash = Sha256::new().chain_update(self.may.secret).chain_update(self.drawn.to_be_bytes());
            block.copy_from_slice(&hash.finalize()[..block.len()]);
            self.drawn += 1;
        }
        octets
    }
}

/// What of it must be known to go on in another process; the keys are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptProtection {
    way: Way,
    proto: String,
    mux: bool,
    mid: Option<String>,
    bundled: bool,
}

/// RFC 8839 §5.4: letters, digits, "+" and "/": six bits of each octet.
fn ice_char(octet: u8) -> u8 {
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[usize::from(octet & 63)]
}

fn text(characters: &[u8]) -> &str {
    std::str::from_utf8(characters).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, Description, Direction::SendRecv, LocalMedia};
    use super::*;

    const FINGERPRINT: Fingerprint = Fingerprint([0xab; 32]);
    /// The first key of RFC 4568 §10.1, and another.
    const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    const OTHER: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn may(srtp: Srtp) -> Protection {
        let fingerprint = Some(FINGERPRINT);
        Protection { srtp, may_say_keys: true, fingerprint, is_browser: false, secret: [3; 32] }
    }

    fn local(may: Protection) -> LocalMedia {
        LocalMedia::new("192.0.2.10:40000".parse().unwrap(), 8).with_protection(may)
    }

    fn described(session: &str, media: &str) -> Vec<u8> {
        format!(
            "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n{session}{media}"
        )
        .into_bytes()
    }

    fn audio(proto: &str, attributes: &[&str]) -> Vec<u8> {
        let attributes: String = attributes.iter().map(|line| format!("a={line}\r\n")).collect();
        described("", &format!("m=audio 49170 {proto} 0\r\n{attributes}"))
    }

    fn lines(body: &[u8], start: &str) -> Vec<String> {
        let text = std::str::from_utf8(body).unwrap();
        text.split("\r\n").filter_map(|line| line.strip_prefix(start)).map(str::to_owned).collect()
    }

    fn answer(local: &mut LocalMedia, offer: &[u8]) -> Result<(Vec<u8>, Security), Refusal> {
        let (answer, agreed) = local.answer(&Description::read(offer)?, &Codec::ALL, SendRecv)?;
        Ok((answer, agreed.security))
    }

    fn theirs(security: Security) -> MasterKey {
        let Security::Keys { theirs, .. } = security else { panic!("{security:?}") };
        theirs
    }

    fn master(inline: &str) -> MasterKey {
        let octets = STANDARD.decode(inline.strip_prefix("inline:").unwrap()).unwrap();
        MasterKey::new(Suite::AesCm128HmacSha1_80, &octets).unwrap()
    }

    #[test]
    fn rfc4568_5_1_2_the_first_line_that_can_be_used_is_answered_under_its_tag_with_a_key_of_ours() {
        let offer = audio(
            "RTP/SAVP",
            &[
                &format!("crypto:1 F8_128_HMAC_SHA1_80 {KEY}"),
                &format!("crypto:2 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4"),
                &format!("crypto:3 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"),
                "crypto:4 AES_CM_128_HMAC_SHA1_80 inline:dG9vIHNob3J0",
                &format!("crypto:5 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20 WSH=60"),
                &format!("crypto:6 AES_CM_128_HMAC_SHA1_32 {OTHER}"),
            ],
        );
        let (answer, security) = answer(&mut local(may(Srtp::Offered)), &offer).unwrap();
        assert_eq!(lines(&answer, "m="), ["audio 40000 RTP/SAVP 0"]);
        let crypto = lines(&answer, "a=crypto:");
        let (head, inline) = crypto[0].split_once(" inline:").unwrap();
        assert_eq!((crypto.len(), head), (1, "5 AES_CM_128_HMAC_SHA1_80"));
        let Security::Keys { ours, theirs } = security else { panic!("{security:?}") };
        assert_eq!(STANDARD.decode(inline).unwrap(), ours.key_and_salt());
        assert_eq!(theirs, master(KEY));
        assert_ne!(ours, theirs);
    }

    #[test]
    fn rfc4568_7_1_4_another_offer_may_bring_another_key_and_ours_stays() {
        let mut local = local(may(Srtp::Required));
        let line = |key| audio("RTP/SAVP", &[&format!("crypto:1 AES_CM_128_HMAC_SHA1_80 {key}")]);
        let (first, before) = answer(&mut local, &line(KEY)).unwrap();
        let (second, after) = answer(&mut local, &line(OTHER)).unwrap();
        assert_eq!(lines(&first, "a=crypto"), lines(&second, "a=crypto"));
        assert_eq!((theirs(before), theirs(after)), (master(KEY), master(OTHER)));
        let again = local.offer(&[Codec::Pcmu], SendRecv);
        assert_eq!(lines(&again, "a=crypto"), lines(&first, "a=crypto"), "our own offer keeps it too");
        assert_eq!(lines(&again, "m="), ["audio 40000 RTP/SAVP 0 101"]);
    }

    #[test]
    fn rfc4568_5_1_3_an_answer_picks_one_of_the_offered_suites_by_its_tag() {
        let mut local = local(may(Srtp::Required));
        let offer = local.offer(&[Codec::Pcmu], SendRecv);
        assert_eq!(lines(&offer, "m="), ["audio 40000 RTP/SAVP 0 101"]);
        let suites: Vec<_> = lines(&offer, "a=crypto:");
        assert_eq!(suites.len(), Suite::ALL.len());
        let picked = audio("RTP/SAVP", &[&format!("crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}")]);
        let agreed = local.accept(&picked).unwrap();
        let Security::Keys { ours, theirs } = agreed.security else { panic!("{agreed:?}") };
        assert!(suites[0].ends_with(&STANDARD.encode(ours.key_and_salt())));
        assert_eq!(theirs, master(KEY));
        let stray = audio("RTP/SAVP", &[&format!("crypto:9 AES_CM_128_HMAC_SHA1_80 {KEY}")]);
        assert_eq!(local.accept(&stray), Err(Refusal::Unprotected), "a tag that nobody offered");
    }

    #[test]
    fn rfc8643_3_what_is_offered_on_the_side_may_be_left_and_what_is_required_may_not() {
        let mut side = local(may(Srtp::Offered));
        let offer = side.offer(&[Codec::Pcmu], SendRecv);
        assert_eq!(lines(&offer, "m="), ["audio 40000 RTP/AVP 0 101"]);
        assert!(!lines(&offer, "a=crypto").is_empty());
        assert_eq!(side.accept(&audio("RTP/AVP", &[])).unwrap().security, Security::Plain);
        let keyed = audio("RTP/AVP", &[&format!("crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}")]);
        assert_eq!(theirs(side.accept(&keyed).unwrap().security), master(KEY));
        let (reply, security) = answer(&mut local(may(Srtp::Required)), &keyed).unwrap();
        assert_eq!(
            (lines(&reply, "m="), theirs(security)),
            (vec!["audio 40000 RTP/AVP 0".into()], master(KEY))
        );

        // A telephone that knows no such offer is asked once more, and for nothing less.
        let offer = side.insist().unwrap();
        assert_eq!(lines(&offer, "m="), ["audio 40000 RTP/SAVP 0 101"]);
        assert!(side.insist().is_none());
        assert_eq!(side.accept(&audio("RTP/SAVP", &[])), Err(Refusal::Unprotected));

        let mut strict = local(may(Srtp::Required));
        strict.offer(&[Codec::Pcmu], SendRecv);
        for answer in [audio("RTP/AVP", &[]), audio("RTP/SAVP", &[]), keyed] {
            assert_eq!(strict.accept(&answer), Err(Refusal::Unprotected));
        }
        let refused = answer(&mut local(may(Srtp::Required)), &audio("RTP/AVP", &[])).unwrap_err();
        assert_eq!((refused.status(), refused.warning()), (488, Some(302)));
    }

    #[test]
    fn rfc4568_5_keys_are_neither_said_nor_taken_where_others_read() {
        let open = Protection { may_say_keys: false, ..may(Srtp::Offered) };
        let offer = local(open.clone()).offer(&[Codec::Pcmu], SendRecv);
        assert!(lines(&offer, "a=crypto").is_empty());
        let key = format!("crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}");
        assert_eq!(answer(&mut local(open.clone()), &audio("RTP/SAVP", &[&key])), Err(Refusal::NoKeys));
        let (reply, security) = answer(&mut local(open.clone()), &audio("RTP/AVP", &[&key])).unwrap();
        assert_eq!((lines(&reply, "a=crypto").len(), security), (0, Security::Plain));
        // What has to be encrypted is keyed by DTLS there, whose keys are in no description.
        let required = Protection { srtp: Srtp::Required, ..open };
        let offer = local(required).offer(&[Codec::Pcmu], SendRecv);
        assert_eq!(lines(&offer, "m="), ["audio 40000 UDP/TLS/RTP/SAVP 0 101"]);
        let forbidden = answer(&mut local(Protection::none()), &audio("RTP/SAVP", &[&key]));
        assert_eq!(forbidden, Err(Refusal::NoKeys));
    }

    #[test]
    fn of_two_lines_the_protected_one_is_taken_and_stays_taken() {
        let key = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n");
        let both = described("", &format!("m=audio 4000 RTP/AVP 0\r\nm=audio 4000 RTP/SAVP 0\r\n{key}"));
        let mut offered = local(may(Srtp::Offered));
        for _ in 0..2 {
            let (reply, _) = answer(&mut offered, &both).unwrap();
            assert_eq!(lines(&reply, "m="), ["audio 0 RTP/AVP 0", "audio 40000 RTP/SAVP 0"]);
        }
        let (reply, security) = answer(&mut local(Protection::none()), &both).unwrap();
        assert_eq!(lines(&reply, "m="), ["audio 40000 RTP/AVP 0", "audio 0 RTP/SAVP 0"]);
        assert_eq!(security, Security::Plain);
    }

    /// As a browser offers (RFC 8827 §6.5, RFC 9143 §7.2, RFC 8839 §4.2).
    fn browser(fragment: &str, setup: &str) -> Vec<u8> {
        let print = FINGERPRINT.to_string();
        described(
            &format!("a=group:BUNDLE 0\r\na=fingerprint:sha-256 {print}\r\n"),
            &format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n\
                 a=ice-ufrag:{fragment}\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=setup:{setup}\r\na=mid:0\r\n\
                 a=rtcp-mux\r\na=sendrecv\r\n"
            ),
        )
    }

    #[test]
    fn rfc8839_4_3_2_a_browser_is_answered_with_ice_lite_one_candidate_and_a_fingerprint() {
        let mut local = local(may(Srtp::Offered));
        let offer = Description::read(&browser("8hhY", "actpass")).unwrap();
        let (reply, agreed) = local.answer(&offer, &[Codec::Pcmu], SendRecv).unwrap();
        assert_eq!(lines(&reply, "m="), ["audio 40000 UDP/TLS/RTP/SAVPF 0"]);
        assert_eq!(lines(&reply, "a=ice-lite").len(), 1);
        assert_eq!(lines(&reply, "a=group:"), ["BUNDLE 0"]);
        assert_eq!(lines(&reply, "a=setup:"), ["passive"]);
        assert_eq!(lines(&reply, "a=fingerprint:"), [format!("sha-256 {FINGERPRINT}")]);
        assert_eq!(lines(&reply, "a=candidate:"), ["1 1 UDP 2130706431 192.0.2.10 40000 typ host"]);
        let Security::Dtls { fingerprint: FINGERPRINT, active: false, ice: Some(ice) } = agreed.security
        else {
            panic!("{agreed:?}")
        };
        assert_eq!(lines(&reply, "a=ice-ufrag:"), [text(&ice.fragment)]);
        assert_eq!(lines(&reply, "a=ice-pwd:"), [text(&ice.password)]);
        assert!(agreed.mux && agreed.direction == SendRecv, "an address that is not known yet is no hold");

        // The same again changes nothing; another fragment is a restart of ICE, and the role stays.
        let (_, again) = answer(&mut local, &browser("8hhY", "actpass")).unwrap();
        assert_eq!(again, agreed.security);
        let (_, restarted) = answer(&mut local, &browser("9uB6", "actpass")).unwrap();
        let Security::Dtls { active: false, ice: Some(new), .. } = restarted else { panic!("{restarted:?}") };
        assert_ne!(new, ice);
    }

    #[test]
    fn rfc8842_5_3_a_browser_that_is_called_takes_the_role_that_is_left() {
        let mut local = local(Protection { is_browser: true, ..may(Srtp::Required) });
        let offer = local.offer(&[Codec::Pcmu], SendRecv);
        assert_eq!(lines(&offer, "m="), ["audio 40000 UDP/TLS/RTP/SAVPF 0 101"]);
        assert_eq!(lines(&offer, "a=setup:"), ["actpass"]);
        let agreed = local.accept(&browser("8hhY", "active")).unwrap();
        let Security::Dtls { active: false, ice: Some(_), .. } = agreed.security else {
            panic!("{agreed:?}")
        };
        let agreed = local.accept(&browser("8hhY", "passive")).unwrap();
        let Security::Dtls { active: true, ice: Some(_), .. } = agreed.security else { panic!("{agreed:?}") };
        assert_eq!(local.accept(&audio("UDP/TLS/RTP/SAVPF", &[])), Err(Refusal::Unprotected));
    }

    #[test]
    fn what_was_protected_is_protected_after_a_restart_with_other_keys() {
        for offer in [
            audio("RTP/SAVP", &[&format!("crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}")]),
            browser("8hhY", "actpass"),
        ] {
            let mut before = local(may(Srtp::Offered));
            let (said, _) = answer(&mut before, &offer).unwrap();
            let other = Protection { secret: [4; 32], ..may(Srtp::Offered) };
            let (mut after, _) =
                LocalMedia::restore("192.0.2.10:40000".parse().unwrap(), before.keep(), other);
            let next = after.offer(&[Codec::Pcmu], SendRecv);
            let proto = |body: &[u8]| lines(body, "m=")[0].split(' ').nth(2).unwrap().to_owned();
            assert_eq!(proto(&next), proto(&said));
            for secret in ["a=crypto:1", "a=ice-pwd"] {
                let (old, new) = (lines(&said, secret), lines(&next, secret));
                assert!(old.is_empty() == new.is_empty() && (old.is_empty() || old != new), "{secret}");
            }
        }
    }
}
