//! Callers whose numbers are signed (RFC 8224, RFC 8588), by openssl and for it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tests::certificates::{Authority, Issued};
use tests::pjsua::python;
use tests::process::Process;
use tests::sipp::{Sipp, UAC_AUTH, UAC_LISTENS, UAS};

use crate::world::{LATER, SOON, World, mark, password};

const A_SECOND: Duration = Duration::from_secs(1);
/// Where certificates are published.
const PORT: u16 = 8443;

const X5U: &str = "https://sti.carrier.example/certs/carrier.pem";
const CALLER: &str = "+359888123456";
const CALLED: &str = "+35921112233";

fn passport(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/passport.py");
    let done = Command::new(python()).arg(script).args(arguments).output().expect("Python starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn path(file: &Path) -> String {
    file.display().to_string()
}

/// An identity of `caller`, so many seconds old.
fn identity(issued: &Issued, x5u: &str, caller: &str, called: &str, age: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let digits = |number: &str| number.trim_start_matches('+').to_owned();
    passport(&["sign", &path(&issued.key), x5u, &digits(caller), &digits(called), &(now - age).to_string()])
}

/// A tenant that believes an authority, with a folder of certificates.
fn believes(authority: &Authority, folder: &Path, more: &str) -> String {
    format!(
        "  [tenant.stir]\n  roots = {:?}\n  certificates = {folder:?}\n{more}\
         \x20 [[tenant.number]]\n  number = \"{CALLED}\"\n  script = \"behave\"\n  settings = {{ does = \"vouch\" }}\n",
        authority.file()
    )
}

/// A call of the world's carrier with this Identity; what the script was told.
fn call(world: &mut World, count: usize, identity: Option<&str>) -> Value {
    let line = identity.map_or(String::new(), |value| format!("Identity: {value}\n    "));
    let forged = "verstat: TN-Validation-Passed\n    P-Attestation-Indicator: A\n    ";
    let scenario = UAC_LISTENS.replacen("Max-Forwards: 70", &format!("{line}{forged}Max-Forwards: 70"), 1);
    let sipp = world.carrier_plays(&scenario, CALLED).calls(1, 1);
    sipp.run(LATER).assert_all(1);
    let calls = world.exchange.calls(count);
    calls.into_iter().max_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str())).expect("it is over")
}

#[test]
fn a_script_hears_whether_the_callers_number_is_signed_by_somebody_who_is_believed() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = authority.issue("carrier", &["DNS:sti.carrier.example".to_owned()]);
    let unknown = stranger.issue("unknown", &["DNS:sti.carrier.example".to_owned()]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for issued in [&good, &unknown] {
        let name = issued.certificate.file_name().expect("a file");
        fs::copy(&issued.certificate, folder.path().join(name)).expect("it can be copied");
    }
    let mut world = World::with(|_| believes(&authority, folder.path(), ""));
    let elsewhere = X5U.replace("carrier.pem", "unknown.pem");
    let missing = X5U.replace("carrier.pem", "missing.pem");
    let damaged = identity(&good, X5U, CALLER, CALLED, 0).replacen(";info", "AAAA;info", 1);
    let cases = [
        (Some(identity(&good, X5U, CALLER, CALLED, 0)), "TN-Validation-Passed", ""),
        (Some(identity(&good, X5U, CALLER, CALLED, 1)), "TN-Validation-Passed", ""),
        (None, "No-TN-Validation", ""),
        (Some(identity(&good, X5U, CALLER, CALLED, 120)), "TN-Validation-Failed", "403"),
        (Some(identity(&good, X5U, "+359888000000", CALLED, 0)), "TN-Validation-Failed", "438"),
        (Some(identity(&good, X5U, CALLER, "+35929999999", 0)), "TN-Validation-Failed", "438"),
        (Some(identity(&unknown, X5U, CALLER, CALLED, 0)), "TN-Validation-Failed", "438"),
        (Some(identity(&unknown, &elsewhere, CALLER, CALLED, 0)), "TN-Validation-Failed", "437"),
        (Some(identity(&good, &missing, CALLER, CALLED, 0)), "TN-Validation-Failed", "436"),
        (Some(damaged), "TN-Validation-Failed", "438"),
    ];
    for (n, (identity, verstat, reason)) in cases.iter().enumerate() {
        let call = call(&mut world, n + 1, identity.as_deref());
        assert_eq!(mark(&call, "verstat"), Some(*verstat), "case {n}: {call}");
        assert!(mark(&call, "verstat-reason").unwrap_or_default().starts_with(reason), "case {n}: {call}");
        let passed = *verstat == "TN-Validation-Passed";
        let attested = mark(&call, "p-attestation-indicator").unwrap_or_default();
        assert_eq!(
            attested,
            if passed { "A" } else { "" },
            "case {n}: what the other side wrote is not heard"
        );
    }
    let metrics = world.exchange.metrics();
    for (outcome, count) in [("passed", 2), ("absent", 1), ("failed", 7)] {
        let line = format!("strowger_identities_total{{tenant=\"demo\",outcome=\"{outcome}\"}} {count}");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

/// A server over HTTPS with the files of a folder.
fn publishes(at: Ipv4Addr, own: &Issued, folder: &Path) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/certificates_server.py");
    let mut command = Command::new(python());
    command.arg(script).args([at.to_string(), PORT.to_string(), path(&own.certificate), path(&own.key)]);
    let mut server = Process::spawn("certificates_server.py", command.arg(folder));
    server.lines.wait_for("readiness", SOON, |line| (line == "ready").then_some(()));
    server
}

#[test]
fn rfc8226_certificates_are_had_over_https_and_one_that_expired_is_revoked_or_foreign_does_not_count() {
    let (authority, stranger, web) = (Authority::new(), Authority::new(), Authority::new());
    let names = ["DNS:sti.carrier.example".to_owned()];
    let good = authority.issue("good", &names);
    let expired = authority.issue_expired("expired", &names);
    let revoked = authority.issue("revoked", &names);
    let foreign = stranger.issue("foreign", &names);
    let list = authority.revoke("crl.pem", &[&revoked]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for issued in [&good, &expired, &revoked, &foreign] {
        let name = issued.certificate.file_name().expect("a file");
        fs::copy(&issued.certificate, folder.path().join(name)).expect("it can be copied");
    }
    let (mut at, mut strange) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    let mut world = World::with(|net| {
        (at, strange) = (net.host(), net.host());
        format!(
            "  [tenant.stir]\n  roots = {:?}\n  revoked = {list:?}\n\
             \x20 http = {{ allow = [\"{at}:{PORT}\", \"{strange}:{PORT}\"], reach = [\"loopback\"], authorities = {:?} }}\n\
             \x20 [[tenant.number]]\n  number = \"{CALLED}\"\n  script = \"behave\"\n  settings = {{ does = \"vouch\" }}\n",
            authority.file(),
            web.file()
        )
    });
    let mut server = publishes(at, &web.issue("server", &[format!("IP:{at}")]), folder.path());
    // Whoever has issued this one's certificate is not believed, whatever it publishes.
    let _impostor = publishes(strange, &stranger.issue("server", &[format!("IP:{strange}")]), folder.path());
    let cases = [
        (&good, at, "good.pem", "TN-Validation-Passed", ""),
        (&good, at, "good.pem", "TN-Validation-Passed", ""),
        (
            &expired,
            at,
            "expired.pem",
            "TN-Validation-Failed",
            "437 Unsupported Credential: its certificate has expired",
        ),
        (
            &revoked,
            at,
            "revoked.pem",
            "TN-Validation-Failed",
            "437 Unsupported Credential: its certificate is revoked",
        ),
        (
            &foreign,
            at,
            "foreign.pem",
            "TN-Validation-Failed",
            "437 Unsupported Credential: its certificate is not believed",
        ),
        (
            &good,
            at,
            "missing.pem",
            "TN-Validation-Failed",
            "436 Bad Identity Info: its certificate can't be had",
        ),
        (
            &good,
            strange,
            "good.pem",
            "TN-Validation-Failed",
            "436 Bad Identity Info: its certificate can't be had",
        ),
    ];
    for (n, (issued, at, file, verstat, reason)) in cases.iter().enumerate() {
        let url = format!("https://{at}:{PORT}/{file}");
        let call = call(&mut world, n + 1, Some(&identity(issued, &url, CALLER, CALLED, 0)));
        assert_eq!(mark(&call, "verstat"), Some(*verstat), "case {n}: {call}");
        assert_eq!(mark(&call, "verstat-reason").unwrap_or_default(), *reason, "case {n}: {call}");
    }
    let asked =
        |server: &mut Process| server.lines.seek(A_SECOND, |line| line.strip_prefix('/').map(str::to_owned));
    let paths: Vec<String> = std::iter::from_fn(|| asked(&mut server)).collect();
    let each = ["good.pem", "expired.pem", "revoked.pem", "foreign.pem", "missing.pem"];
    assert_eq!(paths, each, "what is known is not asked for again");
}

#[test]
fn a_call_to_a_carrier_is_signed_so_that_openssl_believes_it() {
    let authority = Authority::new();
    let ours = authority.issue("acme", &["DNS:acme.example".to_owned()]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut carrier = None;
    let world = World::with(|net| {
        let at = net.sip();
        carrier = Some(at);
        let key = format!("  key = {:?}\n  x5u = \"https://acme.example/sti.pem\"\n", ours.key);
        let trunk = format!(
            "  [[tenant.trunk]]\n  name = \"signed\"\n  address = \"sip:{at}\"\n  probe = 0\n  number = \"{CALLED}\"\n  sign = true\n"
        );
        believes(&authority, folder.path(), &key) + &trunk
    });
    let listens = Sipp::scenario(UAS, carrier.expect("it has an address")).trace().start();
    // The world's own carrier is asked first and is not there.
    let sipp = Sipp::scenario(UAC_AUTH, world.net.sip()).to(world.exchange.sip()).service("+359888000101");
    sipp.auth("ana", password("ana")).word("from", "ana").calls(1, 1).run(LATER).assert_all(1);
    let sent = listens.stop().messages;
    let value = sent.lines().find_map(|line| line.trim().strip_prefix("Identity: ")).expect("it is signed");
    assert!(value.ends_with(";info=<https://acme.example/sti.pem>;alg=ES256;ppt=shaken"), "{value}");
    let claims: Value =
        serde_json::from_str(&passport(&["check", &path(&ours.certificate), value])).expect("JSON");
    assert_eq!(claims["attest"], "A", "the number is the tenant's own: {claims}");
    assert_eq!(claims["orig"]["tn"], CALLED.trim_start_matches('+'));
    assert_eq!(claims["dest"]["tn"][0], "359888000101");
    assert_eq!((&claims["typ"], &claims["ppt"]), (&"passport".into(), &"shaken".into()));
}
