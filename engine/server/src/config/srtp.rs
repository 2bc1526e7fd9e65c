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

#[cfg(test)]
mod tests {
    use super::super::tests::{said_in_tenant, world};
    use super::*;

    const TRUNK: &str = "[[tenant.trunk]]\nname = \"carrier\"\naddress = \"sip:192.0.2.1\"\n";

    #[test]
    fn users_and_a_trunk_have_their_own_words_for_it() {
        let text = format!(
            "[[tenant]]\nname = \"a\"\nsrtp = \"required\"\n{TRUNK}srtp = \"forbidden\"\n[[tenant]]\nname = \"b\"\n"
        );
        let world = world(&text);
        let srtp = |name: &str| world.tenant(name).map(|tenant| tenant.srtp);
        assert_eq!((srtp("a"), srtp("b")), (Some(Srtp::Required), Some(Srtp::Offered)));
        let trunk = world.tenant("a").and_then(|tenant| tenant.trunk("carrier")).map(|trunk| trunk.srtp);
        assert_eq!(trunk, Some(Srtp::Forbidden));
    }

    #[test]
    fn mistakes_about_encryption_are_told_for_users_and_trunks() {
        let told = said_in_tenant(&format!("srtp = \"requird\"\n{TRUNK}srtp = \"forbiden\"\n"));
        assert_eq!(
            told,
            [
                "x.toml:4: srtp can't be \"requird\"; write \"required\"",
                "x.toml:8: srtp can't be \"forbiden\"; write \"forbidden\"",
            ]
        );
        let told = said_in_tenant(&format!("srtp = true\n{TRUNK}srtp = \"\"\n"));
        assert_eq!(
            told,
            [
                "x.toml:4: \"srtp\" is true or false; write srtp = \"required\"",
                "x.toml:8: \"srtp\" is empty; write srtp = \"required\"",
            ]
        );
    }
}
