//! Presence documents: PIDF (RFC 3863) with the activities of RPID (RFC 4480 §3.2), as telephones publish them and as
//! watchers are told. What is read: whether someone can be reached, what is being done, and a note; everything else of a
//! document is passed over, and namespaces are taken by their elements' local names.

use std::fmt::Write as _;

/// Its media type.
pub const MEDIA_TYPE: &str = "application/pidf+xml";
/// Bytes of one that is read; a longer one gets 413.
pub const MOST_BYTES: usize = 8 << 10;
/// Elements within each other; a deeper document gets 400.
const DEEPEST: usize = 16;
/// Activities that are kept of one document; more are passed over.
const MOST_ACTIVITIES: usize = 8;
/// Bytes kept of a note; the rest is cut off.
const LONGEST_NOTE: usize = 256;

/// What RFC 4480 §3.2 lists and telephones show, by the name of its element.
const ACTIVITIES: [&str; 12] = [
    "appointment",
    "away",
    "busy",
    "holiday",
    "in-transit",
    "meal",
    "meeting",
    "on-the-phone",
    "permanent-absence",
    "sleeping",
    "vacation",
    "working",
];

/// What a document says of someone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whether any of its tuples is open; a document without tuples says nothing against it.
    pub open: bool,
    /// Names of RFC 4480's elements: "away", "busy", "on-the-phone" ... No two are the same.
    pub activities: Vec<&'static str>,
    /// The first note.
    pub note: Option<String>,
}

/// It is no presence document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPidf;

/// A piece of a document.
enum Piece<'a> {
    Begin(&'a str),
    /// `<away/>`
    Empty(&'a str),
    End(&'a str),
    Text(&'a str),
}

/// Reads a document.
///
/// # Errors
/// It is not well-formed as far as it is read, declares a document type, or its root is no `presence`.
pub fn read(body: &[u8]) -> Result<Presence, NotPidf> {
    let text = std::str::from_utf8(body).map_err(|_| NotPidf)?;
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    let mut within: Vec<&str> = Vec::new();
    let mut presence = Presence::default();
    let mut basics: Vec<bool> = Vec::new();
    let mut began = false;
    while !rest.is_empty() {
        let (piece, after) = next(rest)?;
        rest = after;
        match piece {
            None => {}
            Some(Piece::Begin(name)) => {
                if within.is_empty() && (began || name != "presence") || within.len() >= DEEPEST {
                    return Err(NotPidf);
                }
                began = true;
                presence.notes_activity(&within, name);
                within.push(name);
            }
            Some(Piece::Empty(name)) => {
                if within.is_empty() {
                    // `<presence/>`: someone of whom nothing is said.
                    if began || name != "presence" {
                        return Err(NotPidf);
                    }
                    began = true;
                }
                presence.notes_activity(&within, name);
            }
            Some(Piece::End(name)) => {
                within.pop().filter(|begun| *begun == name).ok_or(NotPidf)?;
            }
            Some(Piece::Text(text)) => match within.last() {
                None => return Err(NotPidf),
                Some(&"basic") => basics.push(text.eq_ignore_ascii_case("open")),
                Some(&"note") if presence.note.is_none() => presence.note = Some(plain(text)),
                Some(_) => {}
            },
        }
    }
    if !began || !within.is_empty() {
        return Err(NotPidf);
    }
    presence.open = basics.is_empty() || basics.contains(&true);
    Ok(presence)
}

impl Presence {
    fn notes_activity(&mut self, within: &[&str], name: &str) {
        let known = ACTIVITIES.iter().find(|known| **known == name);
        if let (Some(&"activities"), Some(known)) = (within.last(), known)
            && !self.activities.contains(known)
            && self.activities.len() < MOST_ACTIVITIES
        {
            self.activities.push(known);
        }
    }

    /// The document for watchers. `entity`: a `sip:` URI.
    pub fn write(&self, entity: &str) -> String {
        let basic = if self.open { "open" } else { "closed" };
        let entity = escaped(entity);
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
             xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
             entity=\"{entity}\">\n<tuple id=\"t1\"><status><basic>{basic}</basic></status>\
             <contact>{entity}</contact>"
        );
        if let Some(note) = &self.note {
            let _ = write!(text, "<note>{}</note>", escaped(note));
        }
        text += "</tuple>\n";
        if !self.activities.is_empty() {
            let _ = write!(text, "<dm:person id=\"p1\"><rpid:activities>");
            self.activities.iter().for_each(|activity| {
                let _ = write!(text, "<rpid:{activity}/>");
            });
            text += "</rpid:activities></dm:person>\n";
        }
        text + "</presence>\n"
    }
}

/// The next piece of a document and what comes after it; none of what has no meaning here: declarations and comments.
fn next(text: &str) -> Result<(Option<Piece<'_>>, &str), NotPidf> {
    let Some(markup) = text.strip_prefix('<') else {
        let end = text.find('<').unwrap_or(text.len());
        let (words, rest) = text.split_at(end);
        let words = words.trim();
        return Ok(((!words.is_empty()).then_some(Piece::Text(words)), rest));
    };
    if let Some(comment) = markup.strip_prefix("!--") {
        return Ok((None, comment.split_once("-->").ok_or(NotPidf)?.1));
    }
    if let Some(declaration) = markup.strip_prefix('?') {
        return Ok((None, declaration.split_once("?>").ok_or(NotPidf)?.1));
    }
    // A document type can declare entities, which nobody needs here and which grow without end.
    if markup.starts_with('!') {
        return Err(NotPidf);
    }
    let (tag, rest) = markup.split_at(end_of_tag(markup).ok_or(NotPidf)?);
    let rest = &rest[1..];
    let piece = match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
        (Some(tag), _) => Piece::End(local(tag)?),
        (None, Some(tag)) => Piece::Empty(local(tag)?),
        (None, None) => Piece::Begin(local(tag)?),
    };
    Ok((Some(piece), rest))
}

/// Where a tag ends: a `>` in quotes does not end it.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.bytes().position(|byte| match (quote, byte) {
        (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), byte) if open == byte => {
            quote = None;
            false
        }
        _ => false,
    })
}

/// The name of an element, without its prefix.
fn local(tag: &str) -> Result<&str, NotPidf> {
    let name = tag.split_ascii_whitespace().next().ok_or(NotPidf)?;
    let local = name.rsplit(':').next().unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') || byte >= 0x80;
    if local.is_empty() || !local.bytes().all(fits) { Err(NotPidf) } else { Ok(local) }
}

/// Text with the five entities of XML resolved, and no longer than may be.
fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    let text = text.replace("&amp;", "&");
    text[..text.floor_char_boundary(LONGEST_NOTE)].to_owned()
}

/// Text as it may stand in an element or an attribute of any document of XML; what that allows nowhere is a space.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Result<Presence, NotPidf> {
        read(text.as_bytes())
    }

    #[test]
    fn rfc3863_4_1_and_rfc4480_3_2_what_a_telephone_publishes_is_understood() {
        // The shape that RFC 4480 §4 shows.
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
                xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:someone@example.com">
              <!-- a > b -->
              <tuple id="bs35r9"><status><basic>open</basic></status>
                <contact priority="0.8">im:someone@mobilecarrier.net</contact>
                <note xml:lang="en">Back at 5 &amp; not &lt; 4</note></tuple>
              <dm:person id="p1"><rpid:activities from="2005-05-30T12:00:00+05:00"><rpid:note>Far away</rpid:note>
                <rpid:away/><rpid:on-the-phone></rpid:on-the-phone><rpid:away/><rpid:juggling/></rpid:activities>
              </dm:person>
            </presence>"#;
        let read = document(text).unwrap();
        assert_eq!((read.open, &read.activities[..]), (true, &["away", "on-the-phone"][..]));
        assert_eq!(read.note.as_deref(), Some("Back at 5 & not < 4"));
        let closed = "<presence><tuple id='a'><status><basic>closed</basic></status></tuple></presence>";
        assert!(!document(closed).unwrap().open);
        assert!(document("<presence/>").unwrap().open, "of which nothing is said");
        let two =
            closed.replace("</presence>", "<tuple><status><basic> open </basic></status></tuple></presence>");
        assert!(document(&two).unwrap().open, "one way to reach someone is enough");
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [
            "",
            "text",
            "<presence>",
            "<presence></presence><presence/>",
            "<other/>",
            "</presence>",
            "<presence><tuple></presence></tuple>",
            "<presence",
            "<presence a='>",
            "<presence><!-- no end</presence>",
            "<!DOCTYPE presence [<!ENTITY a \"&b;\">]><presence/>",
            "<presence/>behind",
            "<presence>< ></presence>",
        ] {
            assert_eq!(document(text), Err(NotPidf), "{text}");
        }
        assert_eq!(document(&"<presence>".repeat(100)), Err(NotPidf));
        let deep = "<presence>".to_owned() + &"<a>".repeat(100) + &"</a>".repeat(100) + "</presence>";
        assert_eq!(document(&deep), Err(NotPidf));
        assert_eq!(read(b"<presence>\xff</presence>"), Err(NotPidf));
    }

    #[test]
    fn what_is_written_can_be_read_whatever_a_note_says() {
        let note = "]]> \"<away/>\" & 'so' \u{1} ü".to_owned();
        let told = Presence { open: true, activities: vec!["busy"], note: Some(note) };
        let again = document(&told.write("sip:101@acme.example?a=\"<&>\"")).unwrap();
        assert_eq!((again.open, again.activities), (true, vec!["busy"]));
        assert_eq!(again.note.as_deref(), Some("]]> \"<away/>\" & 'so'   ü"));
        let long = format!("<presence><note>{}</note></presence>", "ü".repeat(400));
        assert_eq!(document(&long).unwrap().note.map(|note| note.len()), Some(256));
    }
}
