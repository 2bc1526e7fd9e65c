//! The codecs that are known, as a session description names them: G.711 in both laws and G.722 (RFC 3551), and
//! Opus with what its receiver wishes (RFC 7587 §6.1). How each is decoded is not said here.

use serde::{Deserialize, Serialize};

use super::session::Media;
use crate::rtp::{CLOCK, OPUS_CLOCK, Rate};

/// A way to write sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 mu-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.722 at 64 kbit/s, 16 kHz.
    G722,
    /// RFC 6716, up to 48 kHz.
    Opus,
}

impl Codec {
    /// All, the best sounding first.
    pub const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

    /// The payload type that is offered: the static one (RFC 3551 §6), or for Opus the dynamic one that most use.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// The encoding name (RFC 3551 §6, RFC 7587 §7).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// As in a configuration: `pcmu`, `pcma`, `g722` or `opus`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// These, with the one that is spoken already in front, if it is one of them: sound needs no change then.
    pub fn led_by(first: Option<Codec>, codecs: &[Codec]) -> Vec<Codec> {
        let first = first.filter(|first| codecs.contains(first));
        let rest = codecs.iter().copied().filter(|codec| Some(*codec) != first);
        first.into_iter().chain(rest).collect()
    }

    /// Ticks a second of timestamps. RFC 3551 §4.5.2: those of G.722 are half of its samples.
    pub fn clock(self) -> u32 {
        match self {
            Self::Opus => OPUS_CLOCK,
            Self::Pcmu | Self::Pcma | Self::G722 => CLOCK,
        }
    }

    /// Whether it is G.711: an octet a sample, which needs no state to be decoded.
    pub fn is_g711(self) -> bool {
        matches!(self, Self::Pcmu | Self::Pcma)
    }

    /// The best sound it can hold.
    pub fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Narrow,
            Self::G722 => Rate::Wide,
            Self::Opus => Rate::Full,
        }
    }

    /// Whether packets of this codec can be passed on to one who speaks another as they are, or by a table.
    pub fn passes_to(self, other: Codec) -> bool {
        self == other || self.is_g711() && other.is_g711()
    }

    /// What a payload type of a description means.
    pub(super) fn of(media: &Media, payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| match media.encoding(payload_type) {
            Some((name, clock)) => clock == codec.clock() && name.eq_ignore_ascii_case(codec.name()),
            None => *codec != Self::Opus && payload_type == codec.payload_type(),
        })
    }

    /// After the clock in an `a=rtpmap`. RFC 7587 §7: Opus always says two channels.
    pub(super) fn channels(self) -> &'static str {
        if self == Self::Opus { "/2" } else { "" }
    }

    /// Its `a=fmtp`, as we say it.
    pub(super) fn parameters(self) -> Option<&'static str> {
        (self == Self::Opus).then_some("useinbandfec=1")
    }
}

/// What a receiver of Opus wishes (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusWishes {
    /// The highest rate that it can play, in Hz; more is wasted on it.
    pub max_playback_rate: u32,
    /// Bits a second, if it sets a bound: 6,000 to 510,000.
    pub max_bitrate: Option<u32>,
    /// It makes use of what a packet says again of the one before.
    pub in_band_fec: bool,
    /// It likes to be sent nothing in silence.
    pub dtx: bool,
}

impl Default for OpusWishes {
    fn default() -> Self {
        Self { max_playback_rate: OPUS_CLOCK, max_bitrate: None, in_band_fec: false, dtx: false }
    }
}

impl OpusWishes {
    /// By the parameters of a description; what can't be read is as if it were not said.
    pub(super) fn read(parameters: &str) -> Self {
        let value = |name: &str| {
            parameters.split(';').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().parse::<u32>().ok())?
            })
        };
        let usual = Self::default();
        Self {
            max_playback_rate: value("maxplaybackrate")
                .filter(|hz| (8_000..=48_000).contains(hz))
                .unwrap_or(usual.max_playback_rate),
            max_bitrate: value("maxaveragebitrate").filter(|bits| (6_000..=510_000).contains(bits)),
            in_band_fec: value("useinbandfec") == Some(1),
            dtx: value("usedtx") == Some(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7587_6_1_what_a_receiver_wishes() {
        let read = OpusWishes::read;
        assert_eq!(read(""), OpusWishes::default());
        assert_eq!(
            read(
                "maxplaybackrate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000;useinbandfec=1; USEDTX=1"
            ),
            OpusWishes { max_playback_rate: 16_000, max_bitrate: Some(20_000), in_band_fec: true, dtx: true }
        );
        for nonsense in
            ["maxplaybackrate=7", "maxaveragebitrate=9999999", "useinbandfec=yes", "usedtx", "=;=;;"]
        {
            assert_eq!(read(nonsense), OpusWishes::default(), "{nonsense}");
        }
    }

    #[test]
    fn names_are_those_of_a_configuration() {
        for codec in Codec::ALL {
            assert_eq!(Codec::named(&codec.name().to_lowercase()), Some(codec));
        }
        assert_eq!(Codec::named("g729"), None);
    }
}
