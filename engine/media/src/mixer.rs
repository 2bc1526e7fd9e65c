//! Several streams heard as one: 20 ms of each, added up. Each comes decoded, in time and at this ear's rate
//! ([`crate::decoding`]); where a source has nothing it is silent. No levelling: sums that are too loud are cut.

use protocol::rtp::Rate;

use crate::command::StreamId;

/// What one stream hears of others.
#[derive(Debug)]
pub(crate) struct Mixer {
    sources: Vec<StreamId>,
    rate: Rate,
    /// Of the 20 ms that are heard next.
    sum: Vec<i32>,
}

impl Mixer {
    pub fn new(ids: &[StreamId], rate: Rate) -> Self {
        Self { sources: ids.to_vec(), rate, sum: vec![0; rate.frame()] }
    }

    /// The sources from here on; those that were there already go on without a break.
    pub fn set_sources(&mut self, ids: &[StreamId]) {
        self.sources = ids.to_vec();
    }

    /// What it hears, and says, is of another rate from here on.
    pub fn set_rate(&mut self, rate: Rate) {
        if self.rate != rate {
            *self = Self::new(&self.sources, rate);
        }
    }

    /// At which sources are to be given.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    pub fn hears(&self, source: StreamId) -> bool {
        self.sources.contains(&source)
    }

    /// 20 ms of a source.
    pub fn add(&mut self, frame: &[i16]) {
        for (sum, sample) in self.sum.iter_mut().zip(frame) {
            *sum += i32::from(*sample);
        }
    }

    /// The 20 ms of all.
    pub fn next(&mut self, out: &mut [i16]) {
        for (sample, sum) in out.iter_mut().zip(&mut self.sum) {
            *sample = std::mem::take(sum).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_voices_add_up_and_too_loud_a_sum_is_cut_instead_of_turning_over() {
        let mut mixer = Mixer::new(&[], Rate::Narrow);
        let mut heard = Vec::new();
        for (ana, boris) in [(100, 20), (30_000, 30_000), (-30_000, -30_000)] {
            mixer.add(&[ana; 160]);
            mixer.add(&[boris; 160]);
            let mut frame = [0; 160];
            mixer.next(&mut frame);
            assert!(frame.iter().all(|sample| *sample == frame[0]));
            heard.push(frame[0]);
        }
        assert_eq!(heard, [120, i16::MAX, i16::MIN]);
        let mut frame = [1; 160];
        mixer.next(&mut frame);
        assert_eq!(frame, [0; 160], "silence where no source has anything");
        mixer.set_rate(Rate::Full);
        mixer.add(&[7; 960]);
        let mut frame = [0; 960];
        mixer.next(&mut frame);
        assert_eq!(frame, [7; 960]);
    }
}
