//! The header fields of a message: an ordered list of names and unfolded values (RFC 3261 §7.3).
//!
//! All text lives in one buffer and a field is two ranges of it, so reading a message allocates for
//! the buffer and the list and not per field. What a value means is read by the accessors of
//! [`super::message`].

use std::fmt;

use super::grammar;

macro_rules! header_names {
    ($($variant:ident $text:literal $compact:literal,)*) => {
        /// A header's name. Compared without regard to case; a compact form is the same name.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs)] // Each is the field that RFC 3261 §20 or its extension calls so.
        pub enum HeaderName<'a> {
            $($variant,)*
            /// Any other name, as it was written.
            Other(&'a str),
        }

        const KNOWN: &[(HeaderName<'static>, &str, &str)] =
            &[$((HeaderName::$variant, $text, $compact),)*];

        impl<'a> HeaderName<'a> {
            /// The full name, as it is written.
            pub fn as_str(self) -> &'a str {
                match self {
                    $(HeaderName::$variant => $text,)*
                    HeaderName::Other(text) => text,
                }
            }

            /// Where the list of known names has it; `None` for a name that it does not have.
            fn known(self) -> Option<Known> {
                match self {
                    $(HeaderName::$variant => Some(Known(Order::$variant as u8)),)*
                    HeaderName::Other(text) => find(text),
                }
            }
        }

        /// The names in the order of [`KNOWN`].
        enum Order {
            $($variant,)*
        }
    };
}

header_names! {
    Accept "Accept" "",
    AcceptContact "Accept-Contact" "a",
    AcceptEncoding "Accept-Encoding" "",
    AcceptLanguage "Accept-Language" "",
    AlertInfo "Alert-Info" "",
    Allow "Allow" "",
    AllowEvents "Allow-Events" "u",
    AuthenticationInfo "Authentication-Info" "",
    Authorization "Authorization" "",
    CallId "Call-ID" "i",
    CallInfo "Call-Info" "",
    Contact "Contact" "m",
    ContentDisposition "Content-Disposition" "",
    ContentEncoding "Content-Encoding" "e",
    ContentLanguage "Content-Language" "",
    ContentLength "Content-Length" "l",
    ContentType "Content-Type" "c",
    CSeq "CSeq" "",
    Date "Date" "",
    Diversion "Diversion" "",
    Event "Event" "o",
    Expires "Expires" "",
    From "From" "f",
    HistoryInfo "History-Info" "",
    Identity "Identity" "y",
    Join "Join" "",
    MaxForwards "Max-Forwards" "",
    MinExpires "Min-Expires" "",
    MinSe "Min-SE" "",
    Organization "Organization" "",
    PAssertedIdentity "P-Asserted-Identity" "",
    PPreferredIdentity "P-Preferred-Identity" "",
    Path "Path" "",
    Priority "Priority" "",
    Privacy "Privacy" "",
    ProxyAuthenticate "Proxy-Authenticate" "",
    ProxyAuthorization "Proxy-Authorization" "",
    ProxyRequire "Proxy-Require" "",
    RAck "RAck" "",
    Reason "Reason" "",
    RecordRoute "Record-Route" "",
    ReferTo "Refer-To" "r",
    ReferredBy "Referred-By" "b",
    RejectContact "Reject-Contact" "j",
    Replaces "Replaces" "",
    RequestDisposition "Request-Disposition" "d",
    Require "Require" "",
    RetryAfter "Retry-After" "",
    Route "Route" "",
    RSeq "RSeq" "",
    Server "Server" "",
    ServiceRoute "Service-Route" "",
    SessionExpires "Session-Expires" "x",
    Subject "Subject" "s",
    SubscriptionState "Subscription-State" "",
    Supported "Supported" "k",
    Timestamp "Timestamp" "",
    To "To" "t",
    Unsupported "Unsupported" "",
    UserAgent "User-Agent" "",
    Via "Via" "v",
    Warning "Warning" "",
    WwwAuthenticate "WWW-Authenticate" "",
}

/// An open-addressed table over length, first and last letter, filled at compile time: one probe
/// finds almost every name.
const SLOTS: usize = 512;
const EMPTY: u8 = u8::MAX;
static INDEX: [u8; SLOTS] = {
    let mut table = [EMPTY; SLOTS];
    let mut i = 0;
    while i < KNOWN.len() {
        table = place(table, KNOWN[i].1.as_bytes(), i as u8);
        if !KNOWN[i].2.is_empty() {
            table = place(table, KNOWN[i].2.as_bytes(), i as u8);
        }
        i += 1;
    }
    table
};

const fn slot(name: &[u8]) -> usize {
    let (first, last) = (name[0] | 0x20, name[name.len() - 1] | 0x20);
    (name.len() * 67 + first as usize * 29 + last as usize * 7) % SLOTS
}

const fn place(mut table: [u8; SLOTS], name: &[u8], value: u8) -> [u8; SLOTS] {
    let mut at = slot(name);
    while table[at] != EMPTY {
        at = (at + 1) % SLOTS;
    }
    table[at] = value;
    table
}

impl<'a> HeaderName<'a> {
    /// The name that `text` is, compact forms included. Any text is a name here; the reader of the
    /// wire refuses what is no token.
    pub fn parse(text: &'a str) -> HeaderName<'a> {
        match find(text) {
            Some(known) => known.name(),
            None => HeaderName::Other(text),
        }
    }
}

/// A place in [`KNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known(u8);

impl Known {
    fn name(self) -> HeaderName<'static> {
        KNOWN[usize::from(self.0)].0
    }
}

fn find(text: &str) -> Option<Known> {
    if text.is_empty() {
        return None;
    }
    let mut at = slot(text.as_bytes());
    while INDEX[at] != EMPTY {
        let (_, full, compact) = KNOWN[usize::from(INDEX[at])];
        let name = if text.len() == full.len() { full } else { compact };
        if text.eq_ignore_ascii_case(name) {
            return Some(Known(INDEX[at]));
        }
        at = (at + 1) % SLOTS;
    }
    None
}

impl PartialEq for HeaderName<'_> {
    fn eq(&self, other: &HeaderName<'_>) -> bool {
        match (self, other) {
            (HeaderName::Other(a), HeaderName::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName<'_> {}

impl fmt::Display for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes of [`Headers::text`].
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
enum Name {
    Known(Known),
    Other(Span),
}

#[derive(Debug, Clone, Copy)]
struct Field {
    name: Name,
    value: Span,
}

/// Header fields in order. A value is unfolded and has no white space at its ends. The order of
/// fields with the same name is kept; it carries meaning for Via, Route and Record-Route.
#[derive(Clone, Default)]
pub struct Headers {
    text: String,
    fields: Vec<Field>,
}

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// For the reader of the wire: `text` is the whole header block, which fields point into.
    pub(crate) fn over(text: String) -> Self {
        Self { text, fields: Vec::with_capacity(20) }
    }

    /// Adds the field whose name and value stand at these byte offsets of the block, trimmed.
    pub(crate) fn push_span(&mut self, name: (usize, usize), value: (usize, usize)) {
        let span = |(start, end): (usize, usize)| Span { start: start as u32, end: end as u32 };
        let name = match find(&self.text[name.0..name.1]) {
            Some(known) => Name::Known(known),
            None => Name::Other(span(name)),
        };
        self.fields.push(Field { name, value: span(value) });
    }

    /// Continues the last field with a folded line, already trimmed: joined by one space (RFC 3261
    /// §7.3.1). Later lines are appended in place, so many of them cost no more than their length.
    pub(crate) fn fold_into_last(&mut self, line: (usize, usize)) {
        let Some(field) = self.fields.last_mut() else { return };
        let value = field.value;
        if value.end as usize != self.text.len() {
            let start = self.text.len() as u32;
            self.text.extend_from_within(value.start as usize..value.end as usize);
            field.value = Span { start, end: self.text.len() as u32 };
        }
        if line.0 < line.1 {
            if field.value.start < field.value.end {
                self.text.push(' ');
            }
            self.text.extend_from_within(line.0..line.1);
            field.value.end = self.text.len() as u32;
        }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first value under a name.
    pub fn get(&self, name: HeaderName<'_>) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value under a name, in order, one per field: a field that holds a list comes as one.
    pub fn all<'s, 'n>(&'s self, name: HeaderName<'n>) -> impl Iterator<Item = &'s str> + use<'s, 'n> {
        let sought = Sought::new(name);
        self.fields.iter().filter(move |f| sought.is(&self.text, f)).map(|f| self.value(f))
    }

    /// Every item of the lists under a name, over all its fields in order: for Via, Route, Contact,
    /// Supported, Allow and other fields that RFC 3261 §7.3.1 lets be combined with commas.
    pub fn items<'s, 'n>(&'s self, name: HeaderName<'n>) -> impl Iterator<Item = &'s str> + use<'s, 'n> {
        self.all(name).flat_map(grammar::list_items)
    }

    /// Whether one of the items under a name is this token, without regard to case: `100rel` in
    /// Supported.
    pub fn lists(&self, name: HeaderName<'_>, token: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (HeaderName<'_>, &str)> {
        self.fields.iter().map(|f| (self.name(f), self.value(f)))
    }

    /// Adds a field at the end. Line breaks in a value become spaces, so no value can smuggle in a
    /// field of its own.
    pub fn push(&mut self, name: HeaderName<'_>, value: impl fmt::Display) {
        let field = self.make(name, value);
        self.fields.push(field);
    }

    /// Adds a field before all others: a Via, a Record-Route.
    pub fn push_front(&mut self, name: HeaderName<'_>, value: impl fmt::Display) {
        let field = self.make(name, value);
        self.fields.insert(0, field);
    }

    /// Leaves one field of this name with this value, where the first one stood, or at the end.
    pub fn set(&mut self, name: HeaderName<'_>, value: impl fmt::Display) {
        let new = self.make(name, value);
        let sought = Sought::new(name);
        match self.position(sought) {
            Some(at) => {
                self.fields[at] = new;
                let mut index = 0;
                let text = std::mem::take(&mut self.text);
                self.fields.retain(|f| {
                    index += 1;
                    index - 1 <= at || !sought.is(&text, f)
                });
                self.text = text;
            }
            None => self.fields.push(new),
        }
    }

    /// Removes every field of this name; answers how many there were.
    pub fn remove(&mut self, name: HeaderName<'_>) -> usize {
        let before = self.fields.len();
        let text = std::mem::take(&mut self.text);
        let sought = Sought::new(name);
        self.fields.retain(|f| !sought.is(&text, f));
        self.text = text;
        before - self.fields.len()
    }

    /// Replaces the first item of the list under a name, and leaves the others: the top Via, the
    /// first Route. Nothing happens when there is no such field.
    pub fn set_first_item(&mut self, name: HeaderName<'_>, item: impl fmt::Display) {
        let Some(at) = self.position(Sought::new(name)) else { return };
        let new = match self.after_first_item(at) {
            Some(rest) => self.make(name, format_args!("{item}, {rest}")),
            None => self.make(name, item),
        };
        self.fields[at] = new;
    }

    /// Removes the first item of the list under a name, and the field when it was the only one.
    pub fn remove_first_item(&mut self, name: HeaderName<'_>) {
        let Some(at) = self.position(Sought::new(name)) else { return };
        match self.after_first_item(at) {
            Some(rest) => self.fields[at] = self.make(name, rest),
            None => drop(self.fields.remove(at)),
        }
    }

    /// What follows the first item and its comma.
    fn after_first_item(&self, at: usize) -> Option<String> {
        let value = self.value(&self.fields[at]);
        let first = grammar::list_items(value).next()?;
        let rest = grammar::trim_start(&value[first.len()..]);
        rest.strip_prefix(',').map(|rest| grammar::trim(rest).to_owned())
    }

    /// Writes every field but Content-Length, each on a line of its own.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let length = Sought::new(HeaderName::ContentLength);
        for field in &self.fields {
            if !length.is(&self.text, field) {
                out.extend_from_slice(self.name(field).as_str().as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(self.value(field).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn make(&mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Field {
        let name = match name.known() {
            Some(known) => Name::Known(known),
            None => Name::Other(self.append(name.as_str())),
        };
        Field { name, value: self.append(value) }
    }

    fn append(&mut self, value: impl fmt::Display) -> Span {
        use fmt::Write;
        let mut start = self.text.len();
        write!(OneLine(&mut self.text), "{value}").expect("a String takes everything");
        let trimmed = grammar::trim(&self.text[start..]);
        let (left, len) = (trimmed.as_ptr() as usize - self.text[start..].as_ptr() as usize, trimmed.len());
        start += left;
        Span { start: start as u32, end: (start + len) as u32 }
    }

    fn name(&self, field: &Field) -> HeaderName<'_> {
        match field.name {
            Name::Known(known) => known.name(),
            Name::Other(span) => HeaderName::Other(part(&self.text, span)),
        }
    }

    fn value(&self, field: &Field) -> &str {
        part(&self.text, field.value)
    }

    fn position(&self, sought: Sought<'_>) -> Option<usize> {
        self.fields.iter().position(|field| sought.is(&self.text, field))
    }
}

fn part(text: &str, span: Span) -> &str {
    &text[span.start as usize..span.end as usize]
}

/// Which fields are looked for, found out once for all of them.
#[derive(Clone, Copy)]
enum Sought<'n> {
    Known(Known),
    Other(&'n str),
}

impl<'n> Sought<'n> {
    fn new(name: HeaderName<'n>) -> Self {
        name.known().map_or(Self::Other(name.as_str()), Self::Known)
    }

    fn is(self, text: &str, field: &Field) -> bool {
        match (field.name, self) {
            (Name::Known(known), Self::Known(sought)) => known == sought,
            (Name::Other(span), Self::Other(sought)) => sought.eq_ignore_ascii_case(part(text, span)),
            _ => false,
        }
    }
}

struct OneLine<'a>(&'a mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(['\r', '\n', '\0']) {
            match piece.strip_suffix(['\r', '\n', '\0']) {
                Some(line) => {
                    self.0.push_str(line);
                    self.0.push(' ');
                }
                None => self.0.push_str(piece),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(n, v)| (n.as_str(), v))).finish()
    }
}

/// The same fields in the same order, names without regard to case, values byte for byte.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3261_7_3_3_every_name_and_compact_form_is_found_in_any_case() {
        for (name, full, compact) in KNOWN {
            for text in [full.to_string(), full.to_uppercase(), full.to_lowercase()] {
                assert_eq!(HeaderName::parse(&text), *name, "{text}");
            }
            if !compact.is_empty() {
                assert_eq!(HeaderName::parse(compact), *name);
                assert_eq!(HeaderName::parse(&compact.to_uppercase()), *name);
            }
        }
        assert_eq!(HeaderName::parse("X-Thing"), HeaderName::Other("x-thing"));
        assert_eq!(HeaderName::parse("z"), HeaderName::Other("Z"));
    }

    #[test]
    fn order_is_kept_through_every_change() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, "b");
        headers.push(HeaderName::Other("X-A"), "1");
        headers.push(HeaderName::Via, "c, d");
        headers.push_front(HeaderName::Via, "a");
        assert_eq!(headers.items(HeaderName::Via).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        headers.set(HeaderName::Via, "e, f");
        let all: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v)).collect();
        assert_eq!(all, [("Via", "e, f"), ("X-A", "1")]);
        headers.set_first_item(HeaderName::Via, "g");
        assert_eq!(headers.get(HeaderName::Via), Some("g, f"));
        headers.remove_first_item(HeaderName::Via);
        assert_eq!(headers.get(HeaderName::Via), Some("f"));
        headers.remove_first_item(HeaderName::Via);
        assert_eq!(headers.get(HeaderName::Via), None);
        assert_eq!(headers.remove(HeaderName::Other("x-a")), 1);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_value_cannot_smuggle_in_a_field() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Subject, " hi\r\nRoute: <sip:evil.example>\r\n");
        assert_eq!(headers.get(HeaderName::Subject), Some("hi  Route: <sip:evil.example>"));
    }
}
