//! `srtp` of a tenant, for its users, and of a trunk: whether sound is encrypted (RFC 3711).

use protocol::sdp::Srtp;

use super::section::{Section, hint};

const WORDS: [(&str, Srtp); 3] =
    [("offered", Srtp::Offered), ("required", Srtp::Required), ("forbidden", Srtp::Forbidden)];

/// Offered unless said.
pub(super) fn srtp(section: &Section<'_, '_>) -> Srtp {
    let Some(text) = section.text("srtp", "required") else { return Srtp::default() };
    let known = WORDS.into_iter().find(|(word, _)| *word == text.value);
    known.map(|(_, srtp)| srtp).unwrap_or_else(|| {
        let hint = hint(text.value, WORDS.map(|(word, _)| word));
        section.mistake(text.line, format!("srtp can't be \"{}\"; {hint}", text.value));
        Srtp::default()
    })
}
