//! Webhooks: the body is a CloudEvent in its JSON form (CloudEvents 1.0.2, JSON event format), the signature that
//! of Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 over "id.timestamp.body". Asymmetric signatures are not here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

/// The media type of a CloudEvent in structured mode.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// What stands in front of a written secret.
const PREFIX: &str = "whsec_";
/// Bytes of a secret: Standard Webhooks asks for 192 bits at least and 512 at most.
const SECRET: std::ops::RangeInclusive<usize> = 24..=64;

/// What a webhook is signed with.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// Reads one as it is written: base64 of 24 to 64 bytes, with or without "whsec_" in front. None otherwise.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).ok()?;
        SECRET.contains(&bytes.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// The value of `webhook-signature`: one signature for each secret, so that the other side can change to a new one
/// while the old one still holds. `timestamp`: seconds since 1970 UTC, of the attempt.
pub fn signature(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let sign = |secret: &Secret| format!("v1,{}", STANDARD.encode(hmac::sign(&secret.0, signed.as_bytes())));
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// The event as JSON. `id`: the idempotency key; `at`: seconds since 1970 UTC; `occasion`: "missed" ...
pub fn cloud_event(id: &str, tenant: &str, occasion: &str, call: &str, at: f64, data: &Value) -> String {
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("/v1/tenants/{tenant}"),
        "type": format!("strowger.{occasion}"),
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "data": data,
    });
    if !call.is_empty() {
        event["subject"] = call.into();
    }
    event.to_string()
}

/// A moment as RFC 3339 has it, to the millisecond.
pub fn rfc3339(at: f64) -> String {
    let moment = Timestamp::from_millisecond((at * 1000.0) as i64).unwrap_or_default();
    format!("{moment:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification and its reference libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(
            signature(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn while_a_secret_changes_both_sign() {
        let old = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let new = Secret::read(&STANDARD.encode([7; 32])).expect("a secret");
        let both = signature(&[new.clone(), old.clone()], "m", 1, "{}");
        let alone = [new, old].map(|secret| signature(&[secret], "m", 1, "{}"));
        assert_eq!(both, alone.join(" "));
        for short in ["", "whsec_", "whsec_AAAA", "no base64!"] {
            assert!(Secret::read(short).is_none(), "{short}");
        }
    }

    #[test]
    fn an_event_has_what_cloud_events_require() {
        let text = cloud_event("c-1", "acme", "missed", "c", 1_795_000_000.25, &json!({ "number": "+359" }));
        let event: Value = serde_json::from_str(&text).expect("JSON");
        for required in ["id", "source", "specversion", "type"] {
            assert!(event[required].as_str().is_some_and(|it| !it.is_empty()), "{required}");
        }
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["time"], "2026-11-18T11:06:40.250Z");
        assert_eq!((&event["subject"], &event["data"]["number"]), (&json!("c"), &json!("+359")));
    }
}
