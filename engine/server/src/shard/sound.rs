//! Sound between exchange and media: prompts by name become samples, reports of streams become events
//! of legs. A prompt that is not in memory is read on another thread; until then the leg hears
//! nothing, and a play that was taken back meanwhile is not begun.

use std::time::Instant;

use exchange::{Event, LegKey, Sound, Token};
use media::{Command, Happening};

use super::{Input, Shard};

impl Shard {
    /// What the exchange wants a leg to hear.
    pub(super) fn sound(&mut self, leg: LegKey, sound: Sound) {
        let Some(line) = self.lines.get_mut(leg) else { return };
        let Some(stream) = line.stream else { return };
        let tenant = line.tenant.clone();
        let command = match sound {
            Sound::Play { token, what, language, cut_by_key, looped } => {
                line.loading = None;
                let sounds = &self.around.sounds;
                if let Some(what) = sounds.in_memory(&tenant, &language, &what) {
                    Command::Play { token, what, cut_by_key, looped }
                } else {
                    line.loading = Some(token);
                    let (shards, number) = (self.shards.clone(), self.number);
                    sounds.read(&tenant, &language, what, move |what| {
                        let command = Command::Play { token, what, cut_by_key, looped };
                        shards.hand(number, Input::Sounds { leg, command });
                    });
                    Command::Stop
                }
            }
            Sound::Ringback => {
                line.loading = None;
                let what = vec![media::Sound::Ringback];
                Command::Play { token: 0, what, cut_by_key: false, looped: false }
            }
            Sound::Stop => {
                line.loading = None;
                Command::Stop
            }
            Sound::Relay(with) => {
                let Some(with) = self.lines.get(with).and_then(|line| line.stream) else { return };
                Command::Relay { with }
            }
            Sound::Unrelay => Command::Unrelay,
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
            Sound::Tap { name } => Command::Tap { token: 0, name: recording_path(&tenant, &name) },
            Sound::Untap => Command::Untap,
        };
        self.media(stream, command);
    }

    /// Prompts were read.
    pub(super) fn sounds_ready(&mut self, leg: LegKey, command: Command) {
        let Command::Play { token, .. } = &command else { return };
        let Some(line) = self.lines.get_mut(leg) else { return };
        if line.loading == Some(*token) {
            line.loading = None;
            if let Some(stream) = line.stream {
                self.media(stream, command);
            }
        }
    }

    /// What a stream reports.
    pub(super) fn heard(&mut self, _now: Instant, event: media::Event) {
        let leg = LegKey(event.owner);
        if let Some(line) = self.lines.get(leg) {
            let (call, no) = (line.call, line.no);
            self.trace_sound(call, no, &event.what);
        }
        let report = match event.what {
            Happening::PlayEnded { token, .. } => Event::PlayEnded(token as Token),
            Happening::Digit { digit, .. } => Event::Digit(digit),
            Happening::DigitsSent { token } => Event::DigitsSent(token),
            Happening::Recorded { token, length, .. } => Event::Recorded { token, length },
            Happening::Timeout => Event::MediaTimeout,
            Happening::FirstPacket => return,
            Happening::Closed(stats) => {
                let metrics = &self.around.node.metrics;
                metrics.rtp_received.inc_by(stats.received);
                metrics.rtp_sent.inc_by(stats.sent);
                metrics.rtp_lost.inc_by(stats.lost.max(0) as u64);
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
