//! REFER and its NOTIFYs as they go over the wire (RFC 3515), for telephones that send the one, and a witness who sees all.

use std::collections::{BTreeMap, BTreeSet};

/// What a telephone's stack is told an INFO is that leaves as a REFER.
pub const CONTENT: &str = "application/x-refer-to";

/// The value of a header line.
fn value<'t>(text: &'t str, name: &str) -> &'t str {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let of = |line: &'t str| line.strip_prefix(name)?.strip_prefix(": ");
    head.split("\r\n").find_map(of).unwrap_or_default()
}

fn cseq(text: &str) -> (u32, &str) {
    let (number, method) = value(text, "CSeq").split_once(' ').unwrap_or_default();
    (number.parse().unwrap_or_default(), method)
}

/// Status of a response or a fragment.
fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// What leaves a telephone: its INFO is a REFER.
pub fn request_as_sent(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    if !text.starts_with("INFO ") || value(&text, "Content-Type") != CONTENT {
        return bytes.to_vec();
    }
    let (head, to) = text.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines: Vec<String> = Vec::new();
    for line in head.split("\r\n") {
        match line.split_once(':').map_or("", |(name, _)| name) {
            "Content-Type" | "Content-Length" => {}
            "CSeq" => lines.push(line.replace(" INFO", " REFER")),
            _ => lines.push(line.to_owned()),
        }
    }
    lines[0] = lines[0].replacen("INFO ", "REFER ", 1);
    let via = value(&text, "Via").split([' ', ';']).nth(1).unwrap_or_default();
    lines.push(format!("Contact: <sip:{via}>"));
    lines.push(format!("Refer-To: {to}"));
    lines.push("Content-Length: 0\r\n\r\n".into());
    lines.join("\r\n").into_bytes()
}

/// What a telephone's stack hears of it.
pub fn response_as_sent(text: &str) -> String {
    match cseq(text) {
        (number, "REFER") if text.starts_with("SIP/2.0 ") => {
            text.replace(&format!("CSeq: {number} REFER"), &format!("CSeq: {number} INFO"))
        }
        _ => text.to_owned(),
    }
}

/// A telephone's 200 to a NOTIFY.
pub fn answered(notify: &str) -> String {
    let mut lines = vec!["SIP/2.0 200 OK".to_owned()];
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        lines.push(format!("{name}: {}", value(notify, name)));
    }
    lines.push("Content-Length: 0\r\n\r\n".into());
    lines.join("\r\n")
}

/// What was told of the REFERs of one dialog.
#[derive(Default, Debug)]
struct Told {
    /// Numbers of the REFERs that came.
    came: BTreeSet<u32>,
    /// Final responses of each.
    answers: BTreeMap<u32, BTreeSet<u16>>,
    /// By subscription, then by number: status, and whether it was the last word.
    notes: BTreeMap<String, BTreeMap<u32, (u16, bool)>>,
    /// The telephone has hung up.
    left: bool,
}

/// Sees all that passes the exchange's door, copies included.
#[derive(Default, Debug)]
pub struct Witness {
    dialogs: BTreeMap<String, Told>,
}

impl Witness {
    /// A message came in.
    pub fn comes(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let number = cseq(&text).0;
        if text.starts_with("REFER ") {
            self.of(&text).came.insert(number);
        } else if text.starts_with("BYE ") {
            self.of(&text).left = true;
        }
    }

    /// A message went out.
    pub fn goes(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        match (status(&text), cseq(&text)) {
            (Some(status @ 200..), (number, "REFER")) => {
                self.of(&text).answers.entry(number).or_default().insert(status);
            }
            (None, (number, "NOTIFY")) => {
                let body = text.split("\r\n\r\n").nth(1).and_then(status).expect("a fragment (RFC 3420)");
                let over = value(&text, "Subscription-State").starts_with("terminated");
                assert_eq!(over, body >= 200, "the last word is a final one: {text}");
                let of = value(&text, "Event").to_owned();
                self.of(&text).notes.entry(of).or_default().insert(number, (body, over));
            }
            _ => {}
        }
    }

    fn of(&mut self, text: &str) -> &mut Told {
        self.dialogs.entry(value(text, "Call-ID").to_owned()).or_default()
    }

    /// Looks at all there was. Answers how many transfers were accepted, and how many of these came about.
    pub fn check(&self) -> (usize, usize) {
        let (mut accepted, mut done) = (0, 0);
        for (call_id, told) in &self.dialogs {
            for number in &told.came {
                let answers = told.answers.get(number).cloned().unwrap_or_default();
                // What is out of order, or of no dialog any more, is refused without a memory of it (RFC 3261 §8.2.7).
                let forgotten =
                    !answers.is_empty() && answers.iter().all(|status| [481, 500].contains(status));
                assert!(answers.len() == 1 || forgotten, "{call_id}: each REFER has one answer: {told:?}");
            }
            let taken = told.answers.values().filter(|answers| answers.contains(&202)).count();
            assert_eq!(
                told.notes.len(),
                taken,
                "{call_id}: a subscription for each that was accepted: {told:?}"
            );
            let mut open = 0;
            for notes in told.notes.values() {
                let words: Vec<_> = notes.values().copied().collect();
                assert_eq!(
                    words[0],
                    (100, false),
                    "{call_id}: it is told at once that it is tried: {told:?}"
                );
                assert!(words.iter().filter(|(_, over)| *over).count() <= 1, "{call_id}: {told:?}");
                match words.last() {
                    Some((status, true)) => done += usize::from(*status == 200),
                    _ => open += 1,
                }
            }
            let may_be_open = usize::from(told.left);
            assert!(open <= may_be_open, "{call_id}: it ends with a final word: {told:?}");
            accepted += taken;
        }
        (accepted, done)
    }
}
