//! What a component carries beside its code, in custom sections at its end: settings of its own, and the text that
//! these were made from. A call flow is a version of a script this way: the code of `strowger/flow` with the flow.
//!
//! What a number sets, or whoever hands over, is laid over a component's own settings by JSON Merge Patch (RFC 7396).
//! The code before the sections is compiled once for all components that share it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The custom section that holds settings: a JSON object.
pub const SETTINGS: &str = "strowger:settings";
/// The custom section that holds what the settings were made from: text.
pub const SOURCE: &str = "strowger:source";

/// The custom section, of a component or of any module in it, by which that says that its `on-ended` does nothing: it is not
/// run then. SDKs and builder write it into scripts that have no function for it.
pub const NOTHING_AFTER: &str = "strowger:nothing-after";

/// The longest settings that a component may carry, bytes; one with longer ones is refused.
pub const LONGEST_SETTINGS: usize = 256 << 10;

/// Of the binary format of components: magic, version and layer.
const HEADER: usize = 8;
/// Marks a custom section.
const CUSTOM: u8 = 0;

/// A component, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The component without what it carries.
    pub code: &'a [u8],
    /// Its own settings.
    pub settings: Option<&'a str>,
    /// What they were made from.
    pub source: Option<&'a str>,
}

/// Takes a component apart. What is no component carries nothing.
pub fn carried(component: &[u8]) -> Carried<'_> {
    let nothing = Carried { code: component, settings: None, source: None };
    let mut found = nothing;
    let mut at = HEADER;
    while at < component.len() {
        let Some((name, text, next)) = section(component, at) else { return nothing };
        match name {
            // Only what nothing but the like follows.
            None => found = nothing,
            Some(name) => {
                if found.code.len() == component.len() {
                    found.code = &component[..at];
                }
                *(if name == SETTINGS { &mut found.settings } else { &mut found.source }) = Some(text);
            }
        }
        at = next;
    }
    found
}

/// The section at an offset: its name and text if it is one of ours, and where the next begins.
fn section(component: &[u8], at: usize) -> Option<(Option<&str>, &str, usize)> {
    let id = *component.get(at)?;
    let (size, begin) = leb128(component, at + 1)?;
    let end = begin.checked_add(size)?;
    let content = component.get(begin..end)?;
    if id != CUSTOM {
        return Some((None, "", end));
    }
    let (length, begin) = leb128(content, 0)?;
    let name = content.get(begin..begin.checked_add(length)?)?;
    let ours = [SETTINGS, SOURCE].into_iter().find(|ours| ours.as_bytes() == name);
    let Some(text) = ours.and_then(|_| std::str::from_utf8(&content[begin + length..]).ok()) else {
        return Some((None, "", end));
    };
    Some((ours, text, end))
}

/// A number of up to 32 bits, and where it ends.
fn leb128(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut number = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(at)?;
        number |= usize::from(byte & 0x7f) << shift;
        at += 1;
        if byte & 0x80 == 0 {
            return Some((number, at));
        }
    }
    None
}

/// The component with settings of its own, and what they were made from; what it carried before is left out.
pub fn carrying(component: &[u8], settings: &str, source: &str) -> Vec<u8> {
    let mut all = carried(component).code.to_vec();
    for (name, text) in [(SETTINGS, settings), (SOURCE, source)] {
        let mut content = Vec::with_capacity(name.len() + text.len() + 1);
        push_leb128(&mut content, name.len());
        content.extend_from_slice(name.as_bytes());
        content.extend_from_slice(text.as_bytes());
        all.push(CUSTOM);
        push_leb128(&mut all, content.len());
        all.extend_from_slice(&content);
    }
    all
}

fn push_leb128(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What is wrong with the settings that a component carries; none when they are right, or there are none.
pub(crate) fn misfit(component: &[u8]) -> Option<String> {
    let settings = carried(component).settings?;
    if settings.len() > LONGEST_SETTINGS {
        return Some(format!("they are {} bytes long; at most {LONGEST_SETTINGS} are taken", settings.len()));
    }
    match serde_json::from_str::<Map<String, Value>>(settings) {
        Ok(_) => None,
        Err(why) => Some(format!("they are no JSON object: {why}")),
    }
}

/// A component's own settings with others laid over them, both JSON objects.
pub(crate) fn laid_over<'a>(own: Option<&'a str>, others: &'a str) -> Cow<'a, str> {
    let Some(own) = own else { return others.into() };
    if others == "{}" {
        return own.into();
    }
    match (serde_json::from_str(own), serde_json::from_str(others)) {
        (Ok(mut own), Ok(others)) => {
            merge(&mut own, others);
            own.to_string().into()
        }
        // The first were read when the component was taken; whoever gave others that are no JSON hears so from the script.
        _ => others.into(),
    }
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The smallest component: a header and no sections.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_a_component_carries_is_taken_apart_again() {
        let flow = format!("{{\"steps\":{}}}", "1".repeat(1000));
        let whole = carrying(EMPTY, &flow, "# a flow");
        assert_eq!(
            carried(&whole),
            Carried { code: EMPTY, settings: Some(flow.as_str()), source: Some("# a flow") }
        );
        // Another reader of components sees two custom sections.
        let names: Vec<_> = wasmparser::Parser::new(0)
            .parse_all(&whole)
            .filter_map(|payload| match payload.expect("a component") {
                wasmparser::Payload::CustomSection(section) => Some(section.name().to_owned()),
                _ => None,
            })
            .collect();
        assert_eq!(names, [SETTINGS, SOURCE]);
        let again = carrying(&whole, "{}", "");
        assert_eq!((carried(&again).code, carried(&again).settings), (EMPTY, Some("{}")));
    }

    #[test]
    fn what_is_cut_or_covered_is_part_of_the_code() {
        let whole = carrying(EMPTY, "{}", "");
        for bytes in
            [EMPTY, &whole[..whole.len() - 1], b"", b"\0asm", &[EMPTY, b"\0\xff\xff\xff\xff\xff"].concat()]
        {
            assert_eq!(carried(bytes), Carried { code: bytes, settings: None, source: None });
        }
        let covered = [&whole[..], b"\0\x02\x01x"].concat();
        assert_eq!(carried(&covered).code, covered);
    }

    /// The examples of RFC 7396, appendix A, that are objects.
    #[test]
    fn rfc7396_a_what_a_number_sets_is_laid_over() {
        for (own, others, both) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let (own, others) = (own.to_string(), others.to_string());
            let laid: Value = serde_json::from_str(&laid_over(Some(&own), &others)).expect("JSON");
            assert_eq!(laid, both, "{others} over {own}");
        }
        assert_eq!(laid_over(None, "{\"a\":1}"), "{\"a\":1}");
    }
}
