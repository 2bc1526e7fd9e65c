//! What an exchange says to a caller, in words: numbers, quantities, lengths of time, days and hours,
//! and the sentences of a queue, in English, Bulgarian and Russian. Pure: a value and a language in,
//! a text out that a speech engine reads aloud as a person would.
//!
//! Plural categories are those of Unicode's CLDR. Cases are those that the sentences here need; it is
//! no grammar of three languages. Years are left out: a caller is told of days that are near.

mod calendar;
mod cardinal;
mod duration;
mod language;
mod ordinal;
mod phrase;
mod quantity;

pub use calendar::{Day, date, time_of_day};
pub use cardinal::cardinal;
pub use duration::duration;
pub use language::{Gender, Language};
pub use ordinal::{MOST_ORDINAL, ordinal};
pub use phrase::{
    expected_wait, offer_of_call_back, offer_of_message, phrase, position, promise_of_call_back,
};
pub use quantity::{Noun, quantity};
