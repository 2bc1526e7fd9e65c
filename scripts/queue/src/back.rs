//! The offer of a call back: which number, and whether the caller wants it. An agent who answers meanwhile ends the
//! question, and the caller is connected.

use super::{Then, yes};
use strowger_script::prelude::*;
use strowger_script::queue::Place;

/// Keys that one can press for a number: E.164 has 15 digits, and there may be a prefix.
const NUMBER: u8 = 20;
/// Fewer digits are no number to call back.
const SHORTEST: usize = 6;

/// How a call back is offered.
#[settings]
pub struct CallBack {
    /// Ask whether the number is right; it is called back without a question unless.
    #[serde(default = "yes")]
    pub confirm: bool,
    /// What another number may begin with, for the caller to type: ["0", "+359"]. None may be typed unless set, so that
    /// nobody has expensive numbers called.
    #[serde(default)]
    pub other_numbers: Vec<String>,
    /// Said before the number.
    #[serde(default = "we_call_you_at")]
    pub we_call_you_at: Say,
    /// Said after it: 1 is yes, 2 another number, any other key or none goes on waiting.
    #[serde(default = "is_it_right")]
    pub is_it_right: Say,
    /// Asks for another number, to be ended by "#".
    #[serde(default = "which_number")]
    pub which_number: Say,
    /// Said when it is done.
    #[serde(default = "done")]
    pub done: Say,
    /// Said when it can't be done, before the waiting goes on.
    #[serde(default = "not_possible")]
    pub not_possible: Say,
}

impl Default for CallBack {
    fn default() -> CallBack {
        CallBack {
            confirm: true,
            other_numbers: Vec::new(),
            we_call_you_at: we_call_you_at(),
            is_it_right: is_it_right(),
            which_number: which_number(),
            done: done(),
            not_possible: not_possible(),
        }
    }
}

fn we_call_you_at() -> Say {
    Say::words([
        ("en", "When it is your turn, we will call you at this number:"),
        ("bg", "Когато дойде вашият ред, ще ви се обадим на номер:"),
        ("ru", "Когда подойдёт ваша очередь, мы перезвоним вам на номер:"),
    ])
}

fn is_it_right() -> Say {
    Say::words([
        ("en", "If that is right, press 1. To go on waiting, press star."),
        ("bg", "Ако е верен, натиснете едно. За да продължите да чакате, натиснете звезда."),
        ("ru", "Если номер верный, нажмите один. Чтобы ждать дальше, нажмите звёздочку."),
    ])
}

fn which_number() -> Say {
    Say::words([
        ("en", "Please dial the number at which we can call you, and then press hash."),
        ("bg", "Моля, въведете номера, на който да ви се обадим, и натиснете диез."),
        ("ru", "Наберите номер, по которому вам перезвонить, и нажмите решётку."),
    ])
}

fn done() -> Say {
    Say::words([
        ("en", "Thank you. You keep your place, and we will call you. Good bye."),
        ("bg", "Благодарим ви. Запазваме мястото ви и ще ви се обадим. Дочуване."),
        ("ru", "Спасибо. Ваше место сохранено, мы вам перезвоним. До свидания."),
    ])
}

fn not_possible() -> Say {
    Say::words([
        ("en", "We can't call that number. Please stay on the line."),
        ("bg", "Не можем да се обадим на този номер. Моля, останете на линия."),
        ("ru", "Мы не можем позвонить по этому номеру. Пожалуйста, оставайтесь на линии."),
    ])
}

impl CallBack {
    /// Asks, and keeps the place for a call back if the caller wants it.
    pub(super) fn ask(&self, caller: &Leg, place: &Place) -> Result<Then> {
        let Some(number) = self.number(caller)? else { return Ok(Then::GoOn) };
        match place.call_back(&number) {
            Ok(()) => {
                tag("call-back", &number)?;
                caller.play(self.done.to(caller))?;
                Ok(Then::Done)
            }
            Err(Failure::HungUp) => Err(Failure::HungUp),
            Err(why) => {
                log!("no call back: {why}");
                // An agent may have answered meanwhile; then the wait that follows says so.
                caller.play_until_key(self.not_possible.to(caller))?;
                Ok(Then::GoOn)
            }
        }
    }

    /// The number that the caller agrees to; none when the caller would rather wait.
    fn number(&self, caller: &Leg) -> Result<Option<String>> {
        let own = caller.number();
        if own.is_empty() {
            return if self.other_numbers.is_empty() {
                caller.play_until_key(self.not_possible.to(caller))?;
                Ok(None)
            } else {
                self.another(caller)
            };
        }
        if !self.confirm {
            return Ok(Some(own));
        }
        let question = [self.we_call_you_at.to(caller), digits(&own), self.is_it_right.to(caller)];
        match caller.gather(1).no_terminator().prompt(question).ask()?.digits.as_str() {
            "1" => Ok(Some(own)),
            "2" if !self.other_numbers.is_empty() => self.another(caller),
            _ => Ok(None),
        }
    }

    /// A number that the caller types; none when it is none, or not one that may be called.
    fn another(&self, caller: &Leg) -> Result<Option<String>> {
        let typed = caller.gather(NUMBER).prompt(self.which_number.to(caller)).ask()?.digits;
        if typed.is_empty() {
            return Ok(None);
        }
        let number = match typed.strip_prefix("00") {
            Some(rest) => format!("+{rest}"),
            None => typed,
        };
        let allowed = self.other_numbers.iter().any(|prefix| number.starts_with(prefix.as_str()));
        let plain = number.trim_start_matches('+');
        if allowed && plain.len() >= SHORTEST && plain.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Some(number));
        }
        caller.play_until_key(self.not_possible.to(caller))?;
        Ok(None)
    }
}
