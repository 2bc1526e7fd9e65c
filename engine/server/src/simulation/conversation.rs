//! Conversations of an imaginary call: how they end, and what a telephone asks for in the middle of one. A place is a
//! leg's number: whoever comes by a transfer takes the number of the one who asked, as `wit/` has it of `talk` and
//! `bridge`. Telephones that ask are users', stay until someone has come, and ask once.

use std::time::Duration;

use exchange::{Answer, BridgeEnd, Dial, Failure, LegNo, Stage, Target, Transfer};

use super::Scene;
use super::exchange::{KEY, Side, State};

/// How long whoever is meant rings where the script does not decide.
const TRANSFER_RING: Duration = Duration::from_secs(20);

impl State {
    /// Until a key that the script listens for, a transfer that it decides about (`asks`), the other's end of the
    /// conversation, or the caller's.
    pub(super) fn converse(&mut self, legs: [LegNo; 2], keys: &str, asks: bool, scene: &Scene) -> Answer {
        // A wish that was neither carried out nor refused is given up.
        self.wish = None;
        let with_caller = legs.contains(&LegNo::CALLER);
        let other = legs.into_iter().find(|leg| *leg != LegNo::CALLER);
        let (left, ended) = match legs[0] {
            LegNo::CALLER => (BridgeEnd::AHungUp, BridgeEnd::BHungUp),
            _ => (BridgeEnd::BHungUp, BridgeEnd::AHungUp),
        };
        let mut comes = true;
        loop {
            let side = other.and_then(|leg| self.side(leg));
            // An echo lasts for as long as the caller likes it.
            let (name, talks) =
                side.as_ref().map_or(("itself", Duration::MAX), |side| (side.name.as_str(), side.talks));
            let name = name.to_owned();
            let wish = side.and_then(|side| side.transfers.clone().filter(|wish| wish.after < talks));
            if with_caller && comes {
                self.talks_with(name);
            }
            if self.keys.front().is_some_and(|key| keys.contains(*key)) {
                let key = self.keys.pop_front().expect("looked a line ago");
                return self.wait(KEY, Answer::BridgeEnded(BridgeEnd::Digit(key)));
            }
            let lasts = wish.as_ref().map_or(talks, |wish| wish.after);
            if self.now.saturating_add(lasts) >= self.leaves {
                self.now = self.leaves.max(self.now);
                self.caller_left = true;
                return Answer::BridgeEnded(left);
            }
            self.now += lasts;
            let (Some(wish), Some(by)) = (wish, other) else {
                if let Some(side) = other.and_then(|leg| self.side(leg)) {
                    side.gone = true;
                }
                return Answer::BridgeEnded(ended);
            };
            if let Some(side) = self.side(by) {
                side.talks -= lasts;
                side.transfers = None;
            }
            let wish = Transfer { by, to: scene.meant(&wish.to), attended: wish.attended };
            self.wish = Some(wish.clone());
            if asks {
                return Answer::BridgeEnded(BridgeEnd::Transfer(Box::new(wish)));
            }
            comes = match self.carry_out(None, TRANSFER_RING, scene) {
                Answer::Done => true,
                Answer::Failed(Failure::HungUp) if self.caller_left => return Answer::BridgeEnded(left),
                Answer::Failed(Failure::HungUp) => return Answer::Failed(Failure::HungUp),
                // Whoever asked goes on talking.
                _ => false,
            };
        }
    }

    /// Carries a transfer out as it was asked, or to another; the wish is kept when nobody comes.
    pub(super) fn carry_out(&mut self, to: Option<Target>, ring: Duration, scene: &Scene) -> Answer {
        let Some(wish) = self.wish.clone() else { return no_wish() };
        let joins = to.is_none() && wish.attended;
        let (Target::User(name) | Target::Number(name) | Target::Uri(name)) = to.as_ref().unwrap_or(&wish.to);
        let target = match &to {
            Some(Target::Uri(_)) => to.clone().expect("it is a URI"),
            _ => scene.meant(name),
        };
        let name = name.clone();
        if !joins {
            if let Target::Number(number) = target {
                return self.send_on(number, wish.by, scene);
            }
            let stages = vec![Stage { after: Duration::ZERO, targets: vec![target] }];
            let dial = Dial { stages, timeout: ring, ringback: None, present: None, skip_busy: false };
            let (takes, answer) = self.ring(&dial, scene);
            let answer = self.wait(takes, answer.map_or_else(Answer::Failed, |_| Answer::Done));
            if answer != Answer::Done {
                return answer;
            }
        }
        let left = self.side(wish.by).map(|side| std::mem::replace(side, scene.side(&name)));
        self.transferred_by = left.map(|side| side.name);
        self.wish = None;
        Answer::Done
    }

    /// The telephone is told that it will not be; it goes on talking.
    pub(super) fn refuse_transfer(&mut self) -> Answer {
        self.wish.take().map_or_else(no_wish, |_| Answer::Done)
    }

    /// The caller goes on to a number as if it had dialled it: for this script it has left.
    fn send_on(&mut self, number: String, by: LegNo, scene: &Scene) -> Answer {
        if scene.find(&number).is_none() {
            return Answer::Failed(Failure::NotFound(number));
        }
        self.transferred_by = self.side(by).map(|side| side.name.clone());
        self.wish = None;
        self.goes_on_to = Some(number);
        self.leaves = self.now;
        Answer::Failed(Failure::HungUp)
    }

    /// Who is at the other end of a leg that is not the caller's.
    pub(super) fn side(&mut self, leg: LegNo) -> Option<&mut Side> {
        self.legs.get_mut(usize::try_from(leg.0).ok()?.checked_sub(1)?)
    }
}

fn no_wish() -> Answer {
    Answer::Failed(Failure::Invalid("no transfer is asked for".to_owned()))
}

impl Scene {
    /// Who is meant by what a telephone named: a user by name or extension, else a number.
    fn meant(&self, name: &str) -> Target {
        let named = |person: &&super::Person| {
            (person.name == name || person.number == name) && !is_number(&person.name)
        };
        match self.people.iter().find(named) {
            Some(user) => Target::User(user.name.clone()),
            None if is_number(name) => Target::Number(name.to_owned()),
            None => Target::User(name.to_owned()),
        }
    }
}

/// Whether a name is a number's, and no user's.
pub(super) fn is_number(name: &str) -> bool {
    name.starts_with('+') || name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use exchange::{Command, Outcome};
    use jiff::Zoned;
    use script::Finish;

    use super::super::{Does, Others, Person, Played, TransferScene};
    use super::*;
    use crate::words;

    const CALLER: LegNo = LegNo::CALLER;
    const ANA: LegNo = LegNo(1);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn person(name: &str, does: Does, transfers: Option<TransferScene>) -> Person {
        Person { transfers, ..Person::new(name, does) }
    }

    /// Ana answers after four seconds and would talk for a minute; ten seconds into it her telephone asks for `to`, who is
    /// rung for nothing if it is nobody.
    fn scene(to: &str, boris: Does, attended: bool) -> Scene {
        let wish = TransferScene { after: secs(10), to: to.to_owned(), attended };
        let people = vec![
            person("ana", Does::Answers(secs(4), secs(60)), Some(wish)),
            person("boris", boris, None),
            person("+359888000101", Does::Answers(secs(1), secs(5)), None),
        ];
        Scene { people, others: Others::Unknown, ..Scene::at(Zoned::default()) }
    }

    /// Ana is dialled, and then these; when each is answered, and what.
    fn play(scene: &Scene, commands: Vec<Command>) -> (Vec<String>, Played) {
        let stages = vec![Stage { after: secs(0), targets: vec![Target::User("ana".to_owned())] }];
        let dial = Dial { stages, timeout: secs(20), ringback: None, present: None, skip_busy: false };
        let mut state = State::new(scene);
        let mut told = Vec::new();
        for command in [Command::Dial(dial)].into_iter().chain(commands) {
            let answer = state.answer(command, scene);
            let words = words::answer(&answer).unwrap_or_else(|| "done".to_owned());
            told.push(format!("{} s: {words}", state.now.as_secs_f64()));
        }
        (told, state.over(Finish::Returned, Duration::ZERO))
    }

    fn talk() -> Command {
        Command::Talk { a: CALLER, b: ANA, keys: String::new() }
    }

    fn bridge() -> Command {
        Command::Bridge { a: CALLER, b: ANA, keys: String::new() }
    }

    fn carry_out(to: Option<&str>) -> Command {
        Command::CarryOut { to: to.map(|name| Target::User(name.to_owned())), ring: secs(15) }
    }

    const ANSWERS: Does = Does::Answers(Duration::from_secs(3), Duration::from_secs(30));

    #[test]
    fn a_transfer_that_is_carried_out_puts_another_into_the_same_place() {
        let commands = vec![talk(), carry_out(None), Command::TransferredBy, talk()];
        let (told, played) = play(&scene("boris", ANSWERS, false), commands);
        assert_eq!(
            told,
            [
                "4 s: leg 1: ana",
                "14 s: leg 1 asks for a transfer to user:boris",
                "17 s: done",
                "17 s: ana",
                "47 s: the second hung up"
            ]
        );
        assert_eq!((played.rung, played.talked), (texts(&["ana", "boris"]), texts(&["ana", "boris"])));
        assert_eq!(played.outcome, Outcome::Answered);
    }

    #[test]
    fn after_an_attended_transfer_nobody_rings() {
        let (told, played) = play(&scene("boris", ANSWERS, true), vec![talk(), carry_out(None), talk()]);
        assert_eq!(told[1..3], ["14 s: leg 1 asks for an attended transfer to user:boris", "14 s: done"]);
        assert_eq!((played.rung, played.talked), (texts(&["ana"]), texts(&["ana", "boris"])));
    }

    #[test]
    fn a_transfer_that_is_refused_or_reaches_nobody_leaves_the_rest_of_the_conversation() {
        let refuse = Command::RefuseTransfer { status: 603 };
        let (told, played) = play(&scene("boris", ANSWERS, false), vec![talk(), refuse, talk()]);
        assert_eq!(told[2..], ["14 s: done", "64 s: the second hung up"]);
        assert_eq!(played.talked, texts(&["ana", "ana"]));
        let (told, _) = play(&scene("boris", Does::Busy, false), vec![talk(), carry_out(None), talk()]);
        assert_eq!(told[2..], ["14 s: busy", "64 s: the second hung up"]);
        let (told, _) = play(&scene("boris", ANSWERS, false), vec![talk(), carry_out(None), carry_out(None)]);
        assert_eq!(told[3], "17 s: invalid: no transfer is asked for");
        // Under `bridge` the script is not asked: it rings for twenty seconds, and ana talks on for fifty.
        let (told, played) = play(&scene("boris", Does::NoAnswer, false), vec![bridge()]);
        assert_eq!(told[1..], ["84 s: the second hung up"]);
        assert_eq!((played.rung, played.talked), (texts(&["ana", "boris"]), texts(&["ana"])));
    }

    #[test]
    fn a_transfer_to_a_number_takes_the_caller_there() {
        for command in [vec![bridge()], vec![talk(), carry_out(None)]] {
            let (told, played) = play(&scene("+359888000101", ANSWERS, false), command);
            assert_eq!(told.last().map(String::as_str), Some("14 s: hung up"));
            assert_eq!(played.goes_on_to.as_deref(), Some("+359888000101"));
            assert_eq!((played.talked, played.outcome), (texts(&["ana"]), Outcome::Answered));
        }
        let (told, played) =
            play(&scene("+359888999999", ANSWERS, false), vec![talk(), carry_out(Some("boris")), talk()]);
        assert_eq!(told[1], "14 s: leg 1 asks for a transfer to tel:+359888999999");
        assert_eq!(played.talked, texts(&["ana", "boris"]));
    }

    #[test]
    fn a_caller_who_leaves_meanwhile_leaves_by_its_own_end() {
        let scene = Scene { hangs_up_after: secs(15), ..scene("boris", ANSWERS, false) };
        assert_eq!(play(&scene, vec![bridge()]).0[1], "15 s: the first hung up");
        assert_eq!(play(&scene, vec![talk(), carry_out(None)]).0[2], "15 s: hung up");
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
