//! People and programs outside: what they are told is written down before the script goes on, and delivered for certain.

use crate::host;
use crate::words::Result;

/// Tells a recipient of the tenant's configuration by name; the text's first line is the subject. Answers a receipt: the
/// letter's name in the outbox.
///
/// # Errors
/// [`Failure::NotFound`](crate::Failure::NotFound) when there is no such recipient,
/// [`Failure::Invalid`](crate::Failure::Invalid) for a text of more than 4 KiB, and
/// [`Failure::Limit`](crate::Failure::Limit) when the call has told too much, or too much waits.
pub fn send(to: &str, text: &str) -> Result<String> {
    host::notify(to, text, &[])
}

/// The same with names and values beside those of the call: at most 32, of 1 KiB each.
///
/// # Errors
/// As [`send`].
pub fn send_with(to: &str, text: &str, facts: &[(&str, &str)]) -> Result<String> {
    host::notify(to, text, facts)
}

/// Tells everyone who ticked the event "script"; the receipt is empty when nobody did.
///
/// # Errors
/// As [`send`].
pub fn tell(text: &str, facts: &[(&str, &str)]) -> Result<String> {
    host::notify("", text, facts)
}
