//! Who calls, signed (STIR, RFC 8224; SHAKEN, RFC 8588). A call from a carrier with an Identity is checked, and its script
//! told by header lines of our own making, `verstat` as 3GPP TS 24.229 §7.2A.20 names it and what ATIS-1000074 has beside
//! it; nobody is refused here, that is for the script to say. A call to a carrier that wants it is signed.

pub mod certificates;
pub mod passport;

use std::time::Instant;

use protocol::sip::headers::HeaderName;
use protocol::sip::message::Request;

use crate::config::Tenant;
use certificates::Certificates;
use passport::{Attestation, Invalid, Passport};

/// Header lines by which a script hears of an identity. Nobody outside can write them.
pub const OURS: [&str; 4] = ["verstat", "verstat-reason", "p-attestation-indicator", "p-origination-id"];
/// Identity headers of one call that are looked at; a call that was sent on has several.
const MOST: usize = 4;

/// What became of the identity of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Somebody who is believed has signed that this number calls that one, now.
    Passed(Attestation, String),
    /// There is an identity, and it does not hold.
    Failed(Invalid),
    /// There is none.
    Absent,
}

/// What has to be done before a call can be judged.
pub enum Judged {
    /// Nothing.
    Done(Verification),
    /// This certificate has to be had first.
    Wants(String),
}

impl Verification {
    /// For a script, and for the metric: "passed", "failed", "absent".
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed(..) => "passed",
            Self::Failed(_) => "failed",
            Self::Absent => "absent",
        }
    }

    /// The header lines that a script sees.
    pub fn lines(&self) -> Vec<(String, String)> {
        let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            Self::Passed(attestation, id) => vec![
                line("verstat", "TN-Validation-Passed"),
                line("p-attestation-indicator", attestation.name()),
                line("p-origination-id", id),
            ],
            Self::Failed(why) => {
                vec![line("verstat", "TN-Validation-Failed"), line("verstat-reason", &why.to_string())]
            }
            Self::Absent => vec![line("verstat", "No-TN-Validation")],
        }
    }
}

/// Judges the identity of a call from a carrier. `wall`: seconds since 1970 UTC. None where the tenant believes nobody.
pub fn judge(
    certificates: &Certificates,
    now: Instant,
    wall: f64,
    tenant: &Tenant,
    request: &Request,
    caller: impl Fn() -> String,
    called: &str,
) -> Option<Judged> {
    let stir = tenant.stir.as_ref().filter(|stir| !stir.roots.is_empty())?;
    let mut failed = None;
    for value in request.headers.all(HeaderName::Identity).take(MOST) {
        let checked = Passport::read(value).and_then(|passport| {
            passport.check(&e164(tenant, &caller()), &e164(tenant, called), wall)?;
            Ok(passport)
        });
        let passport = match checked {
            Ok(passport) => passport,
            // Others may be of a kind that is known.
            Err(Invalid::Kind) => continue,
            Err(why) => {
                failed = failed.or(Some(why));
                continue;
            }
        };
        let Some(key) = certificates.known(now, &tenant.name, stir, &passport.url) else {
            let trusted = stir.folder.is_some() || !stir.outside.allow.is_empty();
            if trusted {
                return Some(Judged::Wants(passport.url));
            }
            failed = failed.or(Some(Invalid::Unavailable));
            continue;
        };
        let verified = key.and_then(|key| {
            passport.verify(&key).map(|(attestation, id)| Verification::Passed(attestation, id.to_owned()))
        });
        match verified {
            Ok(passed) => return Some(Judged::Done(passed)),
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    Some(Judged::Done(failed.map_or(Verification::Absent, Verification::Failed)))
}

/// The Identity of a call to a carrier; none where the tenant signs nothing, or the caller is withheld. `own`: the number is
/// the tenant's; `outside`: the call came from outside and goes on.
pub fn sign(
    tenant: &Tenant,
    (caller, called): (&str, &str),
    own: bool,
    outside: bool,
    id: u128,
    wall: f64,
) -> Option<(String, String)> {
    let signer = tenant.stir.as_ref()?.signer.as_ref()?;
    let attestation = match (own, outside) {
        (true, _) => Attestation::A,
        (false, false) => Attestation::B,
        (false, true) => Attestation::C,
    };
    let value = signer.sign(&e164(tenant, caller), &e164(tenant, called), attestation, id, wall)?;
    Some(("Identity".to_owned(), value))
}

fn e164(tenant: &Tenant, number: &str) -> String {
    let read = tenant.numbering.as_ref().and_then(|numbering| numbering.e164(number));
    read.unwrap_or_else(|| number.to_owned())
}
