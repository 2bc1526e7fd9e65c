//! Sound between exchange and media: prompts by name become samples, reports of streams become events
//! of legs. A prompt that is not in memory is read on another thread; until then the leg hears
//! nothing, and a play that was taken back meanwhile is not begun. Music that something interrupted
//! goes on where the leg left it.

use std::time::{Duration, Instant};

use exchange::{Event, LegKey, Sound, Token};
use media::{Command, Happening, Repeat};

use super::{Input, Shard};
use crate::metrics::{OfCodec, OfKind};
use crate::sounds::Programme;

/// Sounds that are ready to be played.
pub(super) struct Play {
    token: Token,
    programme: Programme,
    what: Vec<media::Sound>,
    cut_by_key: bool,
}

/// The music that a leg heard last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Music {
    name: String,
    /// How far into its round it was when it began this time.
    at: Duration,
    /// Of the play that it is in, and when its round begins; none while it is interrupted.
    playing: Option<(Token, Instant)>,
}

impl Music {
    /// Another sound took its place, or it ended.
    fn interrupt(&mut self, now: Instant) {
        if let Some((_, since)) = self.playing.take() {
            self.at += now.saturating_duration_since(since);
        }
    }
}

impl Shard {
    /// What the exchange wants a leg to hear.
    pub(super) fn sound(&mut self, now: Instant, leg: LegKey, sound: Sound) {
        let Some(line) = self.lines.get_mut(leg) else { return };
        let Some(stream) = line.stream else { return };
        let tenant = line.tenant.clone();
        if let Sound::Play { .. } | Sound::Ringback | Sound::Stop = sound {
            line.loading = None;
            line.music.iter_mut().for_each(|music| music.interrupt(now));
        }
        let command = match sound {
            Sound::Play { token, what, language, cut_by_key, looped } => {
                let rate = line.negotiated.map(|agreed| agreed.rate()).unwrap_or_default();
                let sounds = &self.around.sounds;
                let programme = sounds.programme(&tenant, what, looped);
                if let Some(what) = sounds.in_memory(&tenant, &language, rate, &programme.what) {
                    return self.begin_play(now, leg, Play { token, programme, what, cut_by_key });
                }
                line.loading = Some(token);
                let (shards, number) = (self.shards.clone(), self.number);
                sounds.read(&tenant, &language, rate, programme, move |programme, what| {
                    let play = Play { token, programme, what, cut_by_key };
                    shards.hand(number, Input::Sounds { leg, play: Box::new(play) });
                });
                Command::Stop
            }
            Sound::Ringback => {
                let what = vec![media::Sound::Ringback];
                Command::Play { token: 0, what, cut_by_key: false, repeat: None }
            }
            Sound::Stop => Command::Stop,
            Sound::Relay(partner) => {
                let Some(with) = self.lines.get(partner).and_then(|line| line.stream) else { return };
                self.lines.join(leg, partner);
                Command::Relay { with }
            }
            Sound::Unrelay => {
                line.partner = None;
                Command::Unrelay
            }
            Sound::Hear(whom) => {
                let stream = |leg: &LegKey| self.lines.get(*leg).and_then(|line| line.stream);
                Command::Hear { whom: whom.iter().filter_map(stream).collect() }
            }
            Sound::SendDigits { token, digits } => Command::SendDigits { token, digits },
            Sound::Record { token, name, most, silence } => Command::Record {
                token,
                name: recording_path(&tenant, &name),
                most,
                silence: (!silence.is_zero()).then_some(silence),
                stop_on_key: true,
            },
            Sound::EndRecord => Command::StopRecord,
            Sound::Tap { name } => {
                let mono = self.world.tenant(&tenant).is_some_and(|tenant| tenant.recording.mono);
                Command::Tap { token: 0, name: recording_path(&tenant, &name), mono }
            }
            Sound::PauseTap(paused) => Command::PauseTap(paused),
            Sound::Untap => Command::Untap,
        };
        self.media(stream, command);
    }

    /// Prompts were read.
    pub(super) fn sounds_ready(&mut self, now: Instant, leg: LegKey, play: Play) {
        let Some(line) = self.lines.get_mut(leg) else { return };
        if line.loading == Some(play.token) {
            line.loading = None;
            self.begin_play(now, leg, play);
        }
    }

    fn begin_play(&mut self, now: Instant, leg: LegKey, play: Play) {
        let Some(line) = self.lines.get_mut(leg) else { return };
        let Some(stream) = line.stream else { return };
        let Play { token, programme, what, cut_by_key } = play;
        let mut repeat = programme.repeat.map(|from| Repeat { from, at: Duration::ZERO });
        if let (Some(repeat), Some(name)) = (&mut repeat, programme.music) {
            repeat.at = line.music.as_ref().filter(|music| music.name == name).map_or(repeat.at, |m| m.at);
            let before: Duration = what[..repeat.from.min(what.len())].iter().map(length).sum();
            line.music = Some(Music { name, at: repeat.at, playing: Some((token, now + before)) });
        }
        self.media(stream, Command::Play { token, what, cut_by_key, repeat });
    }

    /// What a stream reports.
    pub(super) fn heard(&mut self, now: Instant, event: media::Event) {
        let leg = LegKey(event.owner);
        if let Some(line) = self.lines.get_mut(leg) {
            let (call, no) = (line.call, line.no);
            if let (Happening::PlayEnded { token, .. }, Some(music)) = (&event.what, &mut line.music)
                && music.playing.is_some_and(|(playing, _)| playing == *token)
            {
                music.interrupt(now);
            }
            self.trace_sound(call, no, &event.what);
        }
        let report = match event.what {
            Happening::PlayEnded { token, .. } => Event::PlayEnded(token as Token),
            Happening::Digit { digit, .. } => Event::Digit(digit),
            Happening::DigitsSent { token } => Event::DigitsSent(token),
            Happening::Recorded { token, length, name, .. } => {
                if let Some((tenant, name)) = name.split_once('/') {
                    let opus = self.world.tenant(tenant).is_some_and(|tenant| tenant.recording.opus);
                    self.around.node.recordings.finished(tenant, name, opus);
                }
                Event::Recorded { token, length }
            }
            Happening::Timeout => Event::MediaTimeout,
            Happening::NoKeys => {
                self.around.node.metrics.dtls_failed.inc();
                tracing::info!(leg = leg.0, "no keys for encrypted sound: the handshake came to nothing");
                Event::MediaTimeout
            }
            Happening::FirstPacket => return,
            Happening::Closed(stats) => {
                let metrics = &self.around.node.metrics;
                metrics.rtp_received.inc_by(stats.received);
                metrics.rtp_sent.inc_by(stats.sent);
                metrics.rtp_lost.inc_by(stats.lost.max(0) as u64);
                for (kind, packets) in [("forged", stats.forged), ("replayed", stats.replayed)] {
                    let kind = OfKind { kind: kind.into() };
                    metrics.srtp_refused.get_or_create(&kind).inc_by(packets);
                }
                if let Some(codec) = stats.codec {
                    let of = OfCodec { codec: codec.name() };
                    metrics.rtp_legs.get_or_create(&of).inc();
                    metrics.rtp_concealed.get_or_create(&of).inc_by(stats.concealed);
                    metrics.rtp_late.get_or_create(&of).inc_by(stats.late);
                }
                return;
            }
        };
        self.reports.push_back((leg, report));
    }
}

/// Recordings lie under their tenant's name.
fn recording_path(tenant: &str, name: &str) -> String {
    format!("{tenant}/{name}")
}

/// How long a sound is; what never ends counts for nothing, since nothing comes after it.
fn length(sound: &media::Sound) -> Duration {
    match sound {
        media::Sound::Samples(samples) => samples.length(),
        media::Sound::Silence(length) | media::Sound::Tone(_, length) => *length,
        media::Sound::Ringback => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_goes_on_where_it_was_interrupted_and_not_while_it_is() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut music = Music { name: "hold".into(), at: Duration::ZERO, playing: Some((1, at(2))) };
        music.interrupt(at(12));
        // An announcement of a minute, and what ends in it.
        music.interrupt(at(40));
        music.interrupt(at(72));
        assert_eq!(music.at, Duration::from_secs(10));
        music.playing = Some((2, at(72)));
        music.interrupt(at(75));
        assert_eq!(music.at, Duration::from_secs(13));
        // What came before the music was cut short: none of it was heard.
        music.playing = Some((3, at(90)));
        music.interrupt(at(80));
        assert_eq!(music.at, Duration::from_secs(13));
    }
}
