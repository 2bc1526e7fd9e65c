//! What a leg hears, by name or by meaning. Which sound it is, is the media plane's and the speech engine's to find.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Something to hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// A recording of the tenant by name.
    Recording(String),
    /// Words to speak.
    Text(String),
    /// Characters spoken one by one.
    Digits(String),
    /// Nothing, for so long.
    Silence(Duration),
    /// Hz and how long.
    Tone(u16, Duration),
    /// Music on hold by name; plays on until something else is asked.
    Music(String),
    /// A number and what is counted, in words.
    Quantity(i32, String),
    /// A length of time in words, rounded for the ear.
    Duration(Duration),
    /// A place in line as a sentence: "You are third in line."; the first is 1, and is next.
    Position(u32),
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prompt::Recording(name) => f.write_str(name),
            Prompt::Text(words) => write!(f, "\"{words}\""),
            Prompt::Digits(digits) => write!(f, "digits {digits}"),
            Prompt::Silence(time) => write!(f, "silence of {}", length_in_words(*time)),
            Prompt::Tone(hz, time) => write!(f, "{hz} Hz for {}", length_in_words(*time)),
            Prompt::Music(name) => write!(f, "music {name}"),
            Prompt::Quantity(number, noun) => write!(f, "{number} {noun}"),
            Prompt::Duration(time) => write!(f, "about {}", length_in_words(*time)),
            Prompt::Position(place) => write!(f, "place {place}"),
        }
    }
}

/// For timelines and logs: "20 s", and "1500 ms" for what is not whole seconds.
pub fn length_in_words(time: Duration) -> String {
    match time.as_millis() {
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
