//! What is the same for all callers who want the same skills, worked out once for all of them.

use super::Skills;

/// Sets of skills that are known at a time; for one more the oldest is forgotten.
const MOST_SETS: usize = 16;

/// Something by the skills that a caller wants. Hundreds wait and want one of a few sets, so that looking at all agents
/// for each caller anew is most of what a decision by skills costs.
pub struct PerSkills<T> {
    known: Vec<(Skills, T)>,
    /// Which is forgotten next.
    oldest: usize,
}

impl<T> Default for PerSkills<T> {
    fn default() -> Self {
        Self { known: Vec::new(), oldest: 0 }
    }
}

impl<T> PerSkills<T> {
    /// What is known for these skills; `make` finds it out where nothing is.
    pub fn of(&mut self, wanted: &[(String, u8)], make: impl FnOnce() -> T) -> &T {
        let place = self.known.iter().position(|(skills, _)| skills == wanted).unwrap_or_else(|| {
            let new = (wanted.to_vec(), make());
            if self.known.len() < MOST_SETS {
                self.known.push(new);
                self.known.len() - 1
            } else {
                let place = self.oldest;
                self.known[place] = new;
                self.oldest = (place + 1) % MOST_SETS;
                place
            }
        });
        &self.known[place].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(level: u8) -> Skills {
        vec![("bg".to_owned(), level)]
    }

    #[test]
    fn each_set_is_worked_out_once_and_the_oldest_is_forgotten_for_one_too_many() {
        let mut per = PerSkills::default();
        let mut made = 0;
        let mut ask = |level: u8| {
            let found = *per.of(&wants(level), || {
                made += 1;
                level
            });
            assert_eq!(found, level, "never what is another set's");
            made
        };
        let full = u8::try_from(MOST_SETS).unwrap();
        for level in (0..full).chain(0..full) {
            ask(level);
        }
        assert_eq!(ask(1), MOST_SETS, "asked twice, worked out once");
        assert_eq!(ask(full), MOST_SETS + 1);
        assert_eq!(ask(1), MOST_SETS + 1, "the others are still known");
        assert_eq!(ask(0), MOST_SETS + 2, "the oldest was forgotten");
    }
}
