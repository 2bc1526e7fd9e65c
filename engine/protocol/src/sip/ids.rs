//! Branches, tags and Call-IDs (RFC 3261 §19.3, §8.1.1.4, §8.1.1.7): 64 unguessable bits each, made from
//! one seed, written after the letter of the stack that made them, so that a router in front of several
//! stacks knows whose a message is. SHA-256 in counter mode: who sees some ids can't tell the next.

use sha2::{Digest, Sha256};

/// RFC 3261 §8.1.1.7: every branch since that RFC begins so.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

const BASE32: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// 64 bits in groups of five.
const DIGITS: usize = 13;

/// The source of ids of one stack.
#[derive(Debug)]
pub struct Ids {
    instance: u8,
    seed: u64,
    blocks: u64,
    ready: [u64; 4],
    left: usize,
}

impl Ids {
    /// `instance`: an ASCII letter or digit; anything else is read as `a`.
    pub fn new(instance: u8, seed: u64) -> Self {
        let instance = if instance.is_ascii_alphanumeric() { instance } else { b'a' };
        Self { instance, seed, blocks: 0, ready: [0; 4], left: 0 }
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        if self.left == 0 {
            let mut hash = Sha256::new();
            hash.update(b"strowger ids");
            hash.update(self.seed.to_le_bytes());
            hash.update(self.blocks.to_le_bytes());
            hash.update([self.instance]);
            let block = hash.finalize();
            for (word, bytes) in self.ready.iter_mut().zip(block.chunks_exact(8)) {
                *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight bytes"));
            }
            self.blocks += 1;
            self.left = self.ready.len();
        }
        self.left -= 1;
        self.ready[self.left]
    }

    /// `number` as a From or To tag, or as the local part of a Call-ID.
    pub fn tag(&self, number: u64) -> String {
        let mut text = String::with_capacity(1 + DIGITS);
        write(&mut text, self.instance, number);
        text
    }

    /// `number` as a Via branch.
    pub fn branch(&self, number: u64) -> String {
        let mut text = String::with_capacity(MAGIC_COOKIE.len() + 1 + DIGITS);
        text.push_str(MAGIC_COOKIE);
        write(&mut text, self.instance, number);
        text
    }

    /// The number in a tag or branch, if it was made by a stack of this letter.
    pub fn read(&self, tag_or_branch: &str) -> Option<u64> {
        let (instance, number) = read(tag_or_branch)?;
        (instance == self.instance).then_some(number)
    }
}

/// The letter of the stack that made a tag, branch or Call-ID; none if no stack made it.
pub fn instance_of(tag_or_branch: &str) -> Option<u8> {
    read(tag_or_branch).map(|(instance, _)| instance)
}

fn write(text: &mut String, instance: u8, number: u64) {
    text.push(instance.into());
    for group in (0..DIGITS).rev() {
        text.push(BASE32[(number >> (5 * group)) as usize & 31].into());
    }
}

fn read(text: &str) -> Option<(u8, u64)> {
    let text = text.strip_prefix(MAGIC_COOKIE).unwrap_or(text).as_bytes();
    let (&instance, digits) = text.split_first()?;
    if digits.len() != DIGITS || !instance.is_ascii_alphanumeric() || digits[0] > b'f' {
        return None;
    }
    digits
        .iter()
        .try_fold(0u64, |number, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'v' => digit - b'a' + 10,
                _ => return None,
            };
            Some(number << 5 | u64::from(value))
        })
        .map(|number| (instance, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_stack_made_it() {
        let mut ids = Ids::new(b'k', 7);
        for number in [0, 1, u64::MAX, ids.number()] {
            assert_eq!(instance_of(&ids.tag(number)), Some(b'k'));
            assert_eq!(ids.read(&ids.tag(number)), Some(number));
            assert_eq!(ids.read(&ids.branch(number)), Some(number));
            assert_eq!(Ids::new(b'l', 7).read(&ids.branch(number)), None);
        }
    }

    #[test]
    fn what_others_made_is_not_ours() {
        for foreign in [
            "",
            "z9hG4bK",
            "z9hG4bK776asdhds",
            "a6c85cf",
            "kzzzzzzzzzzzzz",
            "é0000000000000",
            "k0000000000000é",
        ] {
            assert_eq!(instance_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn one_seed_gives_one_row_of_ids_and_each_letter_its_own() {
        let row = |instance, seed| {
            let mut ids = Ids::new(instance, seed);
            std::array::from_fn::<u64, 9, _>(|_| ids.number())
        };
        assert_eq!(row(b'a', 1), row(b'a', 1));
        assert_ne!(row(b'a', 1), row(b'b', 1));
        assert_ne!(row(b'a', 1), row(b'a', 2));
        let mut seen = row(b'a', 1).to_vec();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 9);
    }
}
