//! Every message of `tests/vectors` against `expected.tsv`: what is `ok` is read exactly, also after
//! being written out; what is `bad` is refused by the reader or by the check of the headers that a
//! server looks at; `either` may go both ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::sip::framing::{Frame, Framing};
use protocol::sip::message::Contacts;
use protocol::sip::uri::Uri;
use protocol::sip::{Message, NameAddr, Request, Response, wire};

struct Vector {
    name: String,
    class: String,
    fields: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

fn vectors() -> Vec<Vector> {
    let table = std::fs::read_to_string(folder().join("expected.tsv")).expect("the table is there");
    let mut vectors: Vec<Vector> = Vec::new();
    for line in table.lines() {
        let mut cells = line.splitn(3, '\t');
        let (kind, name, value) = (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap());
        match kind {
            "M" => vectors.push(Vector {
                name: name.to_owned(),
                class: value.to_owned(),
                fields: BTreeMap::new(),
                bytes: std::fs::read(folder().join(name)).expect("the message is there"),
            }),
            "F" => {
                vectors.last_mut().unwrap().fields.insert(name.to_owned(), value.to_owned());
            }
            other => panic!("{other}"),
        }
    }
    vectors
}

/// What the table says of a message, as our reader sees it.
fn seen(message: &Message, expected: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    macro_rules! either {
        ($message:ident => $what:expr) => {
            match message {
                Message::Request($message) => $what,
                Message::Response($message) => $what,
            }
        };
    }
    let start = match message {
        Message::Request(Request { method, .. }) => method.to_string(),
        Message::Response(Response { status, .. }) => status.to_string(),
    };
    let mut seen = BTreeMap::new();
    let mut put = |name: &str, value: String| seen.insert(name.to_owned(), value);
    put("start", start);
    let vias = either!(m => m.vias()).unwrap();
    let top = either!(m => m.top_via()).unwrap();
    assert_eq!(top, vias[0]);
    put("vias", vias.len().to_string());
    put("via0", format!("{} {} {}", top.transport, top.sent_by(), top.branch().unwrap_or("")));
    for (who, value) in [("from", either!(m => m.from()).unwrap()), ("to", either!(m => m.to()).unwrap())] {
        put(&format!("{who}_tag"), value.tag().unwrap_or("-").to_owned());
        if let NameAddr { uri: Uri::Sip(uri), .. } = value {
            put(&format!("{who}_uri"), format!("{}@{}", uri.user.unwrap_or_default(), uri.host));
        }
    }
    put("callid", either!(m => m.call_id()).unwrap().to_owned());
    put("cseq", either!(m => m.cseq()).unwrap().to_string());
    if let Some(hops) = either!(m => m.max_forwards()).unwrap() {
        put("maxfwd", hops.to_string());
    }
    let contacts = match either!(m => m.contacts()).unwrap() {
        Contacts::Star => 1,
        Contacts::List(list) => list.len(),
    };
    let routes = either!(m => m.routes()).unwrap().len();
    let record_routes = either!(m => m.record_routes()).unwrap().len();
    for (name, count) in [("contacts", contacts), ("routes", routes), ("rr", record_routes)] {
        if count > 0 || expected.contains_key(name) {
            put(name, count.to_string());
        }
    }
    put("body", message.body().len().to_string());
    seen
}

/// What a server would do: read, then look at what routing needs.
fn accept(bytes: &[u8]) -> Result<Message, String> {
    let message = wire::read(bytes).map_err(|e| e.to_string())?;
    match &message {
        Message::Request(request) => request.check().map(drop),
        Message::Response(response) => response.check().map(drop),
    }
    .map_err(|e| e.to_string())?;
    Ok(message)
}

/// The bytes after the first empty line that follows the start line, as many as the table says.
fn body_of(vector: &Vector) -> &[u8] {
    let begin = vector.bytes.iter().position(|b| !b"\r\n".contains(b)).unwrap();
    let message = &vector.bytes[begin..];
    let head = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let length: usize = vector.fields["body"].parse().unwrap();
    &message[head..][..length]
}

#[test]
fn every_good_message_is_read_exactly_and_again_after_being_written() {
    let mut passed = 0;
    for vector in vectors().iter().filter(|v| v.class == "ok") {
        let name = &vector.name;
        let message = wire::read(&vector.bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(seen(&message, &vector.fields), vector.fields, "{name}");
        assert_eq!(message.body(), body_of(vector), "{name}");

        let mut written = Vec::new();
        message.write(&mut written);
        let again = wire::read(&written).unwrap_or_else(|e| panic!("{name}, written: {e}"));
        assert_eq!(seen(&again, &vector.fields), vector.fields, "{name}, written");
        assert_eq!(again.body(), message.body(), "{name}, written");

        let mut framing = Framing::new();
        framing.push(&written);
        assert_eq!(framing.pop(), Some(Frame::Message(again)), "{name}, in a stream");
        passed += 1;
    }
    assert_eq!(passed, 62);
}

#[test]
fn every_bad_message_is_refused_with_an_answer_where_one_is_possible() {
    let mut passed = 0;
    for vector in vectors().iter().filter(|v| v.class == "bad") {
        assert!(accept(&vector.bytes).is_err(), "{} was accepted", vector.name);
        passed += 1;
    }
    assert_eq!(passed, 11);
}

#[test]
fn good_requests_pass_the_servers_check_but_for_the_method_in_cseq() {
    for vector in vectors().iter().filter(|v| v.class == "ok") {
        let result = accept(&vector.bytes);
        // RFC 4475 §3.1.2.17 and §3.1.2.18: well formed, and still to be answered 400 or 501.
        if vector.name.contains("mismatch0") {
            assert_eq!(result.unwrap_err(), "Other method in CSeq");
        } else {
            assert!(result.is_ok(), "{}: {result:?}", vector.name);
        }
    }
}

#[test]
fn rfc4475_malformed_requests_get_the_status_that_it_names() {
    let status = |name: &str| {
        let bytes = std::fs::read(folder().join("rfc4475").join(name)).unwrap();
        wire::read(&bytes).unwrap_err().reply.map(|reply| {
            assert!(reply.top_via().is_ok());
            reply.status
        })
    };
    for name in ["clerr.dat", "ncl.dat", "ltgtruri.dat", "lwsruri.dat", "mcl01.dat"] {
        assert_eq!(status(name), Some(400), "{name}");
    }
    assert_eq!(status("badvers.dat"), None, "its Via is not one of SIP/2.0");
    assert_eq!(status("bigcode.dat"), None, "responses get no answer");
}

#[test]
fn the_messages_that_may_go_both_ways_cause_no_panic() {
    let all = vectors();
    let either: Vec<_> = all.iter().filter(|v| v.class == "either").collect();
    assert_eq!(either.len(), 14);
    for vector in either {
        if let Ok(message) = accept(&vector.bytes) {
            let mut written = Vec::new();
            message.write(&mut written);
            assert!(accept(&written).is_ok(), "{}, written", vector.name);
        }
    }
}
