//! What a mail server says, hours later and by a mail of its own, of a mail that it could not deliver: a delivery status
//! notification (RFC 3464) within a report (RFC 6522). Of the whole mail the fields are read that say who did not get it and
//! why. Whether an address is one that we mail to is the reader's to look up.

/// What is read of one mail at most; the fields stand at its beginning, and the mail that came back behind them.
pub const MOST: usize = 1 << 20;
/// Who did not get it; servers report one each, and a mail of ours has one.
const MOST_PEOPLE: usize = 20;
/// Characters of a server's words that are kept.
pub const MOST_WORDS: usize = 500;

/// A mail that could not be delivered to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// The addresses that may be meant, the one that was written to first: a forwarder's server names another one last.
    pub addresses: Vec<String>,
    /// Status and words of the server: "5.1.1: smtp; 550 there is no such mailbox".
    pub why: String,
}

/// The mail is no such report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReport;

impl std::fmt::Display for NoReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the mail has no part of type message/delivery-status (RFC 3464)")
    }
}

impl std::error::Error for NoReport {}

/// Everybody whom a mail reports as not reached for good (`Action: failed`); nobody when it tells of a delay or of success.
///
/// # Errors
/// [`NoReport`]: it is any other mail.
pub fn read(mail: &[u8]) -> Result<Vec<Bounce>, NoReport> {
    let text = String::from_utf8_lossy(&mail[..mail.len().min(MOST)]);
    let lines = unfolded(&text);
    let begins = lines.iter().position(|line| {
        let value = field(line, "Content-Type").map(str::to_ascii_lowercase);
        value.is_some_and(|value| value.starts_with("message/delivery-status"))
    });
    let mut rest = lines[begins.ok_or(NoReport)?..].iter().skip_while(|line| !line.is_empty()).skip(1);
    // Groups of fields with an empty line behind each, up to the next part (RFC 3464 §2.1); the first is of the mail.
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    for line in rest.by_ref().take_while(|line| !line.starts_with("--")) {
        match (line.is_empty(), groups.last_mut()) {
            (false, Some(group)) => group.push(line),
            (true, Some(group)) if !group.is_empty() => groups.push(Vec::new()),
            _ => {}
        }
    }
    // The mail that came back says whom we wrote to.
    let written_to = rest.find_map(|line| field(line, "To")).map(address);
    let of = |group: &Vec<&str>, name: &str| {
        group.iter().find_map(|line| field(line, name)).map(|value| value.trim().to_owned())
    };
    let failed = |group: &&Vec<&str>| {
        of(group, "Action").is_some_and(|action| action.to_ascii_lowercase().starts_with("failed"))
    };
    let bounce = |group: &Vec<&str>| {
        // "rfc822; ana@acme.example"
        let named =
            |name| of(group, name).map(|value| address(value.split_once(';').map_or(&*value, |(_, it)| it)));
        let named = [named("Original-Recipient"), written_to.clone(), named("Final-Recipient")];
        let mut addresses: Vec<String> = Vec::new();
        for address in named.into_iter().flatten().filter(|address| address.contains('@')) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let why = [of(group, "Status"), of(group, "Diagnostic-Code")];
        let why = why.into_iter().flatten().collect::<Vec<_>>().join(": ");
        Bounce { addresses, why: short(&why) }
    };
    Ok(groups.iter().filter(failed).take(MOST_PEOPLE).map(bounce).collect())
}

/// The beginning of a server's words.
pub fn short(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS).collect()
}

/// Lines without their ends; one that begins with a blank goes on with the field before it (RFC 5322 §2.2.3).
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && last.contains(':') => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    lines
}

/// The value of a field, if the line is that field.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

/// "Ana <ana@acme.example>" and "ana@acme.example" alike.
fn address(text: &str) -> String {
    let inner = text.rsplit_once('<').map_or(text, |(_, rest)| rest.split('>').next().unwrap_or(rest));
    inner.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 3464 appendix E.1 has it, with the mail of an exchange behind it.
    const OF_THE_RFC: &str = "Date: Thu, 7 Jul 1994 17:16:05 -0400\r\n\
        From: Mail Delivery Subsystem <MAILER-DAEMON@CS.UTK.EDU>\r\n\
        To: <owner-info-mime@cs.utk.edu>\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=delivery-status;\r\n\
        \tboundary=\"RAA14128.773615765/CS.UTK.EDU\"\r\n\
        Subject: Returned mail: Cannot send message for 5 days\r\n\r\n\
        --RAA14128.773615765/CS.UTK.EDU\r\n\r\n\
        The original message was received at Sat, 2 Jul 1994 17:10:28 -0400\r\n\r\n\
        --RAA14128.773615765/CS.UTK.EDU\r\n\
        content-type: message/delivery-status\r\n\r\n\
        Reporting-MTA: dns; cs.utk.edu\r\n\r\n\
        Original-Recipient: rfc822;louisl@larry.slip.umd.edu\r\n\
        Final-Recipient: rfc822;louisl@larry.slip.umd.edu\r\n\
        Action: failed\r\n\
        Status: 4.0.0\r\n\
        Diagnostic-Code: smtp; 426 connection timed out\r\n\
        Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400\r\n\r\n\
        --RAA14128.773615765/CS.UTK.EDU\r\n\
        content-type: message/rfc822\r\n\r\n\
        To: Louis <louisl@larry.slip.umd.edu>\r\n\
        Subject: a call\r\n\r\n\
        --RAA14128.773615765/CS.UTK.EDU--\r\n";

    fn people(mail: &str) -> Vec<(Vec<String>, String)> {
        read(mail.as_bytes()).expect("a report").into_iter().map(|it| (it.addresses, it.why)).collect()
    }

    #[test]
    fn rfc3464_e_1_says_who_did_not_get_it_and_why() {
        let expected = (
            vec!["louisl@larry.slip.umd.edu".to_owned()],
            "4.0.0: smtp; 426 connection timed out".to_owned(),
        );
        assert_eq!(people(OF_THE_RFC), std::slice::from_ref(&expected));
        let other_ends = OF_THE_RFC.replace("\r\n", "\n");
        assert_eq!(people(&other_ends), [expected]);
    }

    #[test]
    fn a_forwarders_address_stands_behind_the_one_that_was_written_to_and_words_go_on_over_lines() {
        // As Postfix writes it.
        let mail = "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"X\"\n\n--X\n\
            Content-Description: Delivery report\nContent-Type: message/delivery-status\n\n\
            Reporting-MTA: dns; mx.acme.example\nX-Postfix-Queue-ID: 4BBD61\nArrival-Date: Mon, 23 Nov 2026 10:00:00 +0200\n\n\
            Final-Recipient: rfc822; ana.private@home.example\nOriginal-Recipient: rfc822;Ana@acme.example\n\
            Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.home.example\n\
            Diagnostic-Code: smtp; 550 5.1.1 <ana.private@home.example>: Recipient address\n    rejected: User unknown\n\n\
            --X\nContent-Description: Undelivered Message\nContent-Type: message/rfc822\n\n\
            From: Acme <exchange@acme.example>\nTo: Ana <ana@acme.example>\n\nA call was missed.\n--X--\n";
        let (addresses, why) = people(mail).remove(0);
        assert_eq!(addresses, ["Ana@acme.example", "ana@acme.example", "ana.private@home.example"]);
        assert_eq!(
            why,
            "5.1.1: smtp; 550 5.1.1 <ana.private@home.example>: Recipient address rejected: User unknown"
        );
    }

    #[test]
    fn a_delay_and_a_success_concern_nobody_and_other_mails_are_no_reports() {
        for action in ["delayed", "delivered", "relayed", "expanded"] {
            assert_eq!(people(&OF_THE_RFC.replace("Action: failed", &format!("Action: {action}"))), []);
        }
        for other in
            ["", "Subject: hello\n\nAction: failed\n", "Content-Type: text/plain\n\nmessage/delivery-status"]
        {
            assert_eq!(read(other.as_bytes()), Err(NoReport), "{other}");
        }
        // Cut, empty and damaged ones are read as far as they go.
        for end in 0..OF_THE_RFC.len() {
            let _ = read(&OF_THE_RFC.as_bytes()[..end]);
        }
        let nobody = read(b"Content-Type: message/delivery-status\n\nAction: failed\n\xff\n");
        assert_eq!(nobody, Ok(vec![Bounce { addresses: Vec::new(), why: String::new() }]));
    }
}
