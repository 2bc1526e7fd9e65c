//! Each mistake: a text, and exactly what is said about it.

use std::path::PathBuf;

use exchange::Conversation;
use protocol::sip::digest::Algorithm;

use super::*;
use crate::crm::Crm;

fn said_of_files(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(name, text)| (PathBuf::from(name), text.to_string())).collect();
    let env = |name: &str| (name == "THERE").then(|| "from-env".to_owned());
    match read(&files, &env) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.0.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn said(text: &str) -> Vec<String> {
    said_of_files(&[("x.toml", text)])
}

/// The same inside a sound tenant: its own lines begin with line 4.
pub(super) fn said_in_tenant(text: &str) -> Vec<String> {
    said(&format!("[[tenant]]\nname = \"acme\"\ndomains = [\"acme.example\"]\n{text}"))
}

pub(super) fn world(text: &str) -> World {
    match read(&[(PathBuf::from("x.toml"), text.to_owned())], &|_| None) {
        Ok(world) => world,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

const ANA_AND_BORIS: &str = "\
[[tenant.user]]
name = \"ana\"
number = \"101\"
[[tenant.user]]
name = \"boris\"
number = \"102\"
";

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let tenant = "[[tenant]]\nname = \"a\"\n";
    assert_eq!(
        said(&format!("[sip]\nlisten = [\"udp:0.0.0.0:5060\"]\nadvertize = \"192.0.2.1\"\n{tenant}")),
        [r#"x.toml:3: [sip] has no key "advertize"; write "advertise""#]
    );
    assert_eq!(
        said(&format!("[medai]\nports = \"20000-20100\"\n{tenant}")),
        [r#"x.toml:1: this file has no key "medai"; write "media""#]
    );
    assert_eq!(
        said_in_tenant("[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\npasword = \"x\""),
        [r#"x.toml:7: [[tenant.user]] has no key "pasword"; write "password""#]
    );
    assert_eq!(
        said_in_tenant("[tenant.limits]\nscript_memmory = \"16 MiB\""),
        [r#"x.toml:5: [tenant.limits] has no key "script_memmory"; write "script_memory""#]
    );
    assert_eq!(
        said(&format!("[http]\nxyzzyplugh = 1\n{tenant}")),
        [
            r#"x.toml:2: [http] has no key "xyzzyplugh"; write one of listen, url, token, token_file, token_env"#
        ]
    );
}

#[test]
fn every_mistake_is_told_not_only_the_first() {
    assert_eq!(
        said(
            "[node]\nstore = \"sledd\"\n[sip]\nlisten = \"udp:0.0.0.0:5060\"\n[media]\nports = \"900-800\"\n[[tenant]]\nname = \"A\"\n"
        ),
        [
            r#"x.toml:2: there is no store "sledd"; write "sled""#,
            r#"x.toml:4: "listen" is a text; write listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]"#,
            r#"x.toml:6: port 900 is reserved; write a range above 1023"#,
            r#"x.toml:8: "A" is no name; write 1 to 63 of a-z, 0-9, "-", "_" and "." like "acme""#,
        ]
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let said = said("[[tenant]]\nname = \"acme\"\ndomains = [\n");
    assert!(said[0].starts_with("x.toml:"), "{said:?}");
    let said = said_in_tenant("language == \"en\"\n");
    assert!(said[0].starts_with("x.toml:4: this is not TOML: "), "{said:?}");
}

#[test]
fn names_and_numbers_stand_once() {
    let twice = |second: &str| said_in_tenant(&format!("{ANA_AND_BORIS}{second}"));
    assert_eq!(
        twice("[[tenant.user]]\nname = \"ana\"\nnumber = \"103\"\n"),
        [r#"x.toml:11: user "ana" is already there in line 5; write another user"#]
    );
    assert_eq!(
        twice("[[tenant.user]]\nname = \"vera\"\nnumber = \"101\"\n"),
        [r#"x.toml:12: number "101" is already there in line 6; write another number"#]
    );
    assert_eq!(
        twice("[[tenant.number]]\nnumber = \"102\"\nscript = \"strowger/echo\"\n"),
        [r#"x.toml:11: number "102" is already there in line 9; write another number"#]
    );
    assert_eq!(
        said_of_files(&[
            ("a.toml", "[[tenant]]\nname = \"a\"\ndomains = [\"one.example\"]\n"),
            ("b.toml", "\n[[tenant]]\nname = \"a\"\ndomains = [\"ONE.example\"]\n"),
        ]),
        [
            r#"b.toml:2: domain "one.example" already belongs to the tenant in a.toml:1; write another domain"#,
            r#"b.toml:2: tenant "a" is already in a.toml:1; write another name"#,
        ]
    );
    assert_eq!(
        said_of_files(&[("a.toml", "[sip]\n[[tenant]]\nname = \"a\"\n"), ("b.toml", "[sip]\n")]),
        ["b.toml:1: [sip] is already in another file; write it in one of them"]
    );
}

#[test]
fn what_is_named_must_exist() {
    let with = |text: &str| said_in_tenant(&format!("{ANA_AND_BORIS}{text}"));
    assert_eq!(
        with("[[tenant.number]]\nnumber = \"700\"\nscript = \"strowger/mneu\"\nfallback = [\"user:bors\"]\n"),
        [
            r#"x.toml:12: there is no script "strowger/mneu"; write "strowger/menu", or declare it with [[tenant.script]]"#,
            r#"x.toml:13: there is no user "bors"; write "boris""#,
        ]
    );
    assert_eq!(
        with("[[tenant.group]]\nname = \"all\"\nmembers = [\"ana\",\n\"borsi\"]\n"),
        [r#"x.toml:13: there is no user "borsi"; write "boris""#]
    );
    assert_eq!(
        with("groups = [\"sles\"]\n[[tenant.group]]\nname = \"sales\"\n"),
        [r#"x.toml:10: there is no group "sles"; write "sales", or declare it with [[tenant.group]]"#]
    );
    assert_eq!(
        with("[tenant.calls]\nscript = \"strowger/interna\"\n"),
        [
            r#"x.toml:11: there is no script "strowger/interna"; write "strowger/internal", or declare it with [[tenant.script]]"#
        ]
    );
    assert_eq!(
        with("[[tenant.script]]\nname = \"reception\"\nfile = \"nowhere.wasm\"\n"),
        [r#"x.toml:12: there is no file "nowhere.wasm"; write a path relative to this file"#]
    );
}

#[test]
fn values_must_make_sense() {
    let cases = [
        ("timezone = \"Europe/Sofai\"", r#"x.toml:4: "Europe/Sofai" is no time zone; write "Europe/Sofia""#),
        (
            "language = \"english!\"",
            r#"x.toml:4: "english!" is no language tag; write one like "en" or "pt-BR""#,
        ),
        ("digest = [\"SHA-265\"]", r#"x.toml:4: there is no digest "SHA-265"; write "SHA-256""#),
        ("digest = [\"MD5\", \"MD5\"]", r#"x.toml:4: "MD5" is there twice; write it once"#),
        ("digest = []", r#"x.toml:1: "digest" is empty; write digest = ["SHA-256", "MD5"]"#),
        (
            "[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\nmobile = \"0888 000 101\"",
            r#"x.toml:7: "0888 000 101" is no telephone number; write E.164 like "+35921234567", or a short one like "700""#,
        ),
        (
            "[[tenant.user]]\nname = \"ana\"\nnumber = \"1o1\"",
            r#"x.toml:6: "1o1" is no extension; write 1 to 15 digits like "101""#,
        ),
        (
            "[[tenant.user]]\nname = \"ana\"\nnumber = 101",
            r#"x.toml:6: "number" is a number; write number = "101""#,
        ),
        (
            "[[tenant.user]]\nname = \"ana\"",
            r#"x.toml:4: [[tenant.user]] has no "number"; write number = "101""#,
        ),
        (
            "[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\nskills = { sales = 500 }",
            r#"x.toml:7: "skills" gives "sales" no level; write a number from 1 to 100"#,
        ),
        (
            "[[tenant.trunk]]\nname = \"c\"\naddress = \"sip:192.0.2.10\"\ninbound_from = [\"192.0.2.0/33\"]",
            r#"x.toml:7: "192.0.2.0/33" is no network; write one like "192.0.2.0/24" or "2001:db8::/32""#,
        ),
        (
            "[[tenant.trunk]]\nname = \"c\"\naddress = \"192.0.2.10\"",
            r#"x.toml:6: "192.0.2.10" is no trunk address; write "sip:HOST", "sip:HOST:PORT", "sip:HOST;transport=tcp" or "sips:HOST""#,
        ),
        (
            "[[tenant.trunk]]\nname = \"c\"\naddress = \"sip:192.0.2.10\"\nnumber = \"0700\"",
            r#"x.toml:7: "0700" is no telephone number; write E.164 like "+35921234567", or a short one like "700""#,
        ),
        (
            "[[tenant.number]]\nnumber = \"+0359\"\nscript = \"strowger/echo\"",
            r#"x.toml:5: "+0359" is no telephone number; write E.164 like "+35921234567", or a short one like "700""#,
        ),
        (
            "[[tenant.number]]\nnumber = \"700\"\nscript = \"strowger/echo\"\nfallback = [\"ana\"]",
            r#"x.toml:7: "ana" is no fallback; write "user:NAME", "tel:NUMBER" or "voicemail:NAME""#,
        ),
        (
            "[tenant.limits]\nconcurrent_calls = 0",
            r#"x.toml:5: "concurrent_calls" is 0; write a number from 1 to 100000"#,
        ),
        (
            "[tenant.limits]\nscript_memory = \"16 MB\"",
            r#"x.toml:5: "script_memory" is no size; write bytes, or words like "64 KiB", "16 MiB""#,
        ),
        (
            "[tenant.limits]\nscript_cpu = \"1 min\"",
            r#"x.toml:5: "script_cpu" is 1 min; write a length from 1 ms to 5 s"#,
        ),
        ("[tenant.scripts]\nrefuse = \"parts\"", r#"x.toml:5: "refuse" is "parts"; write "part""#),
        (
            "[tenant.scripts]\nsigned_by = [\"me\"]",
            r#"x.toml:5: "me" is no public key: write the base64 line that openssl pkey -in key.pem -pubout prints"#,
        ),
        (
            "[[tenant.token]]\nrole = \"devel\"\ntoken = \"t\"",
            r#"x.toml:5: there is no role "devel"; write "developer""#,
        ),
        (
            "[[tenant.token]]\nrole = \"admin\"",
            r#"x.toml:4: [[tenant.token]] has no token; write token_env = "ACME_TOKEN""#,
        ),
        ("[tenant.user]\nname = \"ana\"", r#"x.toml:4: "user" is a table; write [[tenant.user]]"#),
    ];
    for (text, expected) in cases {
        assert_eq!(said_in_tenant(text), [expected], "for:\n{text}");
    }
}

#[test]
fn listening_addresses_and_ports_must_make_sense() {
    let cases = [
        (
            "[sip]\nlisten = [\"0.0.0.0:5060\"]",
            r#"x.toml:2: "0.0.0.0:5060" names no transport; write one like "udp:0.0.0.0:5060""#,
        ),
        (
            "[sip]\nlisten = [\"udp:0.0.0.0\"]",
            r#"x.toml:2: "udp:0.0.0.0" has no address and port; write one like "udp:0.0.0.0:5060""#,
        ),
        (
            "[sip]\nlisten = [\"tls:0.0.0.0:5061\"]",
            r#"x.toml:1: "tls:0.0.0.0:5061" has no certificate to show; write [sip.tls] with certificate = "sip.pem" and key = "sip-key.pem""#,
        ),
        (
            "[sip]\nlisten = [\"wss:0.0.0.0\"]",
            r#"x.toml:2: "wss:0.0.0.0" has no address and port; write one like "wss:0.0.0.0:8443""#,
        ),
        (
            "[sip]\ndns = [\"ns.example\"]",
            r#"x.toml:2: "ns.example" is no address; write one like "192.0.2.53""#,
        ),
        (
            "[sip.websocket]\norigins = [\"phone.example\"]",
            r#"x.toml:2: "phone.example" is no origin; write scheme and host like "https://phone.example""#,
        ),
        ("[sip.connections]\nsilent = 0", r#"x.toml:2: "silent" is 0 s; write a length from 1 s to 1 h"#),
        (
            "[sip]\nlisten = []",
            r#"x.toml:1: "listen" is empty; write listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]"#,
        ),
        (
            "[sip]\nadvertise = \"0.0.0.0\"",
            r#"x.toml:2: "0.0.0.0" is no address that others can reach; write one like "203.0.113.7" without port"#,
        ),
        (
            "[media]\nports = \"20000-19000\"",
            r#"x.toml:2: "20000-19000" runs backwards; write "19000-20000""#,
        ),
        (
            "[media]\nports = \"20000-70000\"",
            r#"x.toml:2: "20000-70000" is no port range; write one like "16384-32767""#,
        ),
        (
            "[media]\nports = \"20000-20002\"",
            r#"x.toml:2: "20000-20002" carries no call; write a range of at least 4 ports"#,
        ),
        (
            "[http]\nlisten = \"8080\"",
            r#"x.toml:2: "8080" is no address and port; write one like "127.0.0.1:8080""#,
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(&format!("{text}\n[[tenant]]\nname = \"a\"\n")), [expected], "for:\n{text}");
    }
    assert_eq!(said("[node]\n"), ["x.toml: there is no tenant; write [[tenant]] with a name and domains"]);
}

#[test]
fn certificates_that_can_not_be_used_are_told_with_their_file() {
    let absent = "write files in PEM that belong together";
    let said =
        said("[sip.tls]\ncertificate = \"absent.pem\"\nkey = \"absent.key\"\n[[tenant]]\nname = \"a\"\n");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("x.toml:2: cannot read \"absent.pem\": ") && said[0].ends_with(absent),
        "{said:?}"
    );
    let trunk = |more: &str| {
        said_in_tenant(&format!(
            "[[tenant.trunk]]\nname = \"c\"\naddress = \"sips:sip.carrier.example\"\n{more}"
        ))
    };
    assert_eq!(trunk(""), [""; 0], "a carrier of the Web needs nothing more");
    let said = trunk("tls = { ca = \"absent.pem\" }");
    assert!(said.len() == 1 && said[0].starts_with("x.toml:7: cannot read \"absent.pem\": "), "{said:?}");
    assert_eq!(
        trunk("tls = { name = \"sip:carrier\" }")[0],
        r#"x.toml:7: "sip:carrier" is no name; write one like "sip.carrier.example""#
    );
    assert_eq!(
        trunk("tls = { certificate = \"our.pem\" }")[0],
        r#"x.toml:7: [tenant.trunk.tls] has no "key"; write key = "acme-key.pem""#
    );
}

#[test]
fn secrets_come_from_the_environment_or_a_file_and_are_never_printed() {
    let with =
        |text: &str| said_in_tenant(&format!("[[tenant.user]]\nname = \"ana\"\nnumber = \"101\"\n{text}"));
    assert_eq!(with("password_env = \"THERE\""), [""; 0]);
    assert_eq!(
        with("password_env = \"ABSENT\""),
        [r#"x.toml:7: "password_env": the environment has no ABSENT; set it before starting"#]
    );
    assert_eq!(
        with("password = \"a\"\npassword_env = \"THERE\""),
        [
            "x.toml:8: [[tenant.user]] has the password twice; write one of password, password_file, password_env"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ana.secret"), "open sesame\n").unwrap();
    let file = folder.path().join("x.toml");
    let text = "[[tenant]]\nname = \"a\"\n[[tenant.user]]\nname = \"ana\"\nnumber = \"1\"\npassword_file = \"ana.secret\"\n";
    std::fs::write(&file, text).unwrap();
    let world = load(&file).unwrap();
    let password = world.tenants[0].users[0].password.as_ref().unwrap();
    assert_eq!(password.expose(), "open sesame");
    assert!(!format!("{world:?}").contains("sesame"));
    assert!(
        password.matches("open sesame")
            && !password.matches("open sesam")
            && !password.matches("open Sesame")
    );
    assert_eq!(
        said(
            "[http]\ntoken = \"t\"\n[[tenant]]\nname = \"a\"\n[[tenant.token]]\nrole = \"admin\"\ntoken = \"t\"\n"
        ),
        [r#"x.toml:3: a token of tenant "a" is in use twice; write a token of its own for each"#]
    );
}

#[test]
fn a_sound_world_is_found_by_domain_user_number_and_trunk() {
    let world = world(
        r#"
[node]
data = "state"
drain = "10 s"
[sip]
listen = ["udp:127.0.0.1:5070"]
advertise = "203.0.113.7"
[[tenant]]
name = "acme"
domains = ["Acme.example"]
timezone = "Europe/Sofia"
language = "bg"
digest = ["SHA-256", "MD5"]
  [[tenant.user]]
  name = "ana"
  number = "101"
  skills = { sales = 5 }
  groups = ["sales"]
  [[tenant.group]]
  name = "sales"
  [[tenant.trunk]]
  name = "carrier-a"
  address = "sip:[2001:db8::1]:5070;transport=tcp"
  inbound_from = ["192.0.2.0/24"]
  number = "+35921234567"
  [[tenant.script]]
  name = "reception"
  [[tenant.number]]
  number = "+35921234567"
  script = "reception"
  settings = { prompt = "welcome", retries = 2, open = 1979-05-27 }
  fallback = ["user:ana", "tel:+359888000101", "voicemail:office"]
  [tenant.limits]
  script_memory = "32 MiB"
[[tenant]]
name = "bell"
  [[tenant.trunk]]
  name = "carrier-a"
  address = "sip:carrier.example"
  inbound_from = ["192.0.2.10"]
  [[tenant.number]]
  number = "+35927654321"
  script = "strowger/echo"
"#,
    );
    assert_eq!(world.node.data, PathBuf::from("state"));
    assert_eq!(world.node.drain, Duration::from_secs(10));
    let acme = world.tenant_by_domain("ACME.example").unwrap();
    assert_eq!(*acme.digest, [Algorithm::Sha256, Algorithm::Md5]);
    assert_eq!(*world.tenant("bell").unwrap().digest, [Algorithm::Md5], "what every telephone knows");
    assert_eq!(acme.user("101").unwrap().groups, ["sales"]);
    assert_eq!(acme.group("sales").unwrap().members, ["ana"]);
    assert_eq!(acme.limits.script_memory, 32 << 20);
    for dialled in ["+35921234567", "35921234567", "0035921234567", "+359 2 123-45-67"] {
        assert_eq!(acme.number(dialled).map(|n| n.number.as_str()), Some("+35921234567"), "{dialled}");
    }
    let number = acme.number("+35921234567").unwrap();
    let settings: serde_json::Value = serde_json::from_str(&number.settings).unwrap();
    assert_eq!(settings, serde_json::json!({ "prompt": "welcome", "retries": 2, "open": "1979-05-27" }));
    assert_eq!(
        number.fallback.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["user:ana", "tel:+359888000101", "voicemail:office"]
    );
    let address = &acme.trunk("carrier-a").unwrap().address;
    assert_eq!(address.socket(), Some("[2001:db8::1]:5070".parse().unwrap()));
    assert_eq!(address.transport, Transport::Tcp);

    let from = |source: &str, dialled: &str| {
        let inbound = world.inbound(source.parse().unwrap(), None, dialled)?;
        Some((inbound.tenant.name.to_string(), inbound.number.is_some()))
    };
    assert_eq!(
        from("192.0.2.10", "+35921234567"),
        Some(("acme".to_owned(), true)),
        "the owner of the number"
    );
    assert_eq!(from("192.0.2.10", "+35927654321"), Some(("bell".to_owned(), true)));
    assert_eq!(from("192.0.2.10", "999"), Some(("bell".to_owned(), false)), "the narrowest network");
    assert_eq!(from("::ffff:192.0.2.11", "+35921234567"), Some(("acme".to_owned(), true)), "IPv4 in IPv6");
    assert_eq!(from("198.51.100.1", "+35921234567"), None, "nobody's trunk");
}

#[test]
fn a_queue_says_who_serves_it_and_in_which_tier() {
    let text = format!(
        "[[tenant]]\nname = \"acme\"\n{ANA_AND_BORIS}groups = [\"sales\"]\n[[tenant.group]]\nname = \"sales\"\nmembers = [\"ana\"]\n\
         [[tenant.queue]]\nname = \"sales\"\nagents = [\"group:sales\", {{ name = \"ana\", level = 2, wrap_up = 5 }}]\n\
         longest_wait = \"10 min\"\nhandling = \"3 min\"\nmobile = true\n"
    );
    let world = world(&text);
    let queue = world.tenant("acme").and_then(|tenant| tenant.queue("sales").cloned()).expect("it is there");
    let agents: Vec<_> =
        queue.agents.iter().map(|agent| (agent.user.as_str(), agent.level, agent.wrap_up)).collect();
    assert_eq!(agents, [("ana", 2, Some(Duration::from_secs(5))), ("boris", 1, None)]);
    assert_eq!(queue.strategy, "strowger/queue-longest-idle");
    assert_eq!((queue.longest_wait, queue.mobile), (Duration::from_secs(600), true));
    assert_eq!(queue.handling, Duration::from_secs(180), "for the expected wait before anybody was served");
}

#[test]
fn a_mistake_in_a_queue_has_its_line() {
    let with = |text: &str| {
        said_in_tenant(&format!(
            "{ANA_AND_BORIS}[[tenant.script]]\nname = \"mine\"\n[[tenant.queue]]\nname = \"sales\"\n{text}"
        ))
    };
    assert_eq!(with("strategy = \"mine\"\nagents = [\"ana\"]"), Vec::<String>::new());
    let cases = [
        ("agents = [\"ana\",\n\"anna\"]", r#"x.toml:15: there is no user "anna"; write "ana""#),
        ("agents = [{ name = \"bors\" }]", r#"x.toml:14: there is no user "bors"; write "boris""#),
        ("agents = [\"ana\", \"ana\"]", r#"x.toml:14: agent "ana" is there twice; write it once"#),
        ("agents = [\"group:sales\"]", r#"x.toml:14: there is no group "sales"; there is none yet"#),
        (
            "agents = [{ name = \"ana\", tier = 2 }]",
            r#"x.toml:14: [tenant.queue.agents] has no key "tier"; write one of name, wrap_up, level, weight"#,
        ),
        (
            "strategy = \"mien\"",
            r#"x.toml:14: there is no strategy "mien"; write "mine", or declare it with [[tenant.script]]"#,
        ),
        ("ring = 0", r#"x.toml:14: "ring" is 0 s; write a length from 1 s to 10 min"#),
        ("mobile = 1", r#"x.toml:14: "mobile" is a number; write mobile = true"#),
        ("most_wating = 1", r#"x.toml:14: [[tenant.queue]] has no key "most_wating"; write "most_waiting""#),
        (
            "call_back = \"strowger/rnig\"",
            r#"x.toml:14: there is no script "strowger/rnig"; write "strowger/ring", or declare it with [[tenant.script]]"#,
        ),
        (
            "[[tenant.queue]]\nname = \"sales\"",
            r#"x.toml:15: queue "sales" is already there in line 13; write another queue"#,
        ),
    ];
    for (text, told) in cases {
        assert_eq!(with(text), [told]);
    }
}

#[test]
fn settings_of_a_shipped_script_must_fit_its_schema() {
    let told = said_in_tenant(
        "[[tenant.number]]\nnumber = \"700\"\nscript = \"strowger/ring\"\n[tenant.number.settings]\nplaces = [\"user:ana\"]\n\
         order = \"one_by_one\"\nseconds = \"x\"\ncolour = 1\n",
    );
    assert_eq!(told.len(), 2, "{told:?}");
    let place = "the settings of strowger/ring do not fit at";
    assert_eq!(told[0], format!("x.toml:10: {place} /seconds: this is a text; write a number"));
    assert!(
        told[1].starts_with(&format!("x.toml:11: {place} /colour: there is no \"colour\" here; ")),
        "{told:?}"
    );
}

#[test]
fn settings_inside_a_hand_over_must_fit_too_and_are_told_by_their_line() {
    let told = said_in_tenant(
        "[[tenant.number]]\nnumber = \"700\"\nscript = \"strowger/menu\"\n[tenant.number.settings.menu]\n\
         prompts = [\"welcome\"]\n[tenant.number.settings.menu.choices]\n\
         1 = { hand_over = { script = \"strowger/ring\", settings = { places = [\"ana\"], seconds = \"x\" } } }\n\
         2 = { hand_over = { script = \"mine\" } }\n",
    );
    assert_eq!(told.len(), 2, "{told:?}");
    let place = "/menu/choices/1/hand_over/settings/seconds";
    assert!(
        told[0].starts_with(&format!(
            "x.toml:10: the settings of strowger/menu do not fit at {place}: this is a text"
        )),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("x.toml:11: ") && told[1].contains("there is no script \"mine\""),
        "{told:?}"
    );
}

#[test]
fn contacts_come_from_a_table_whose_mistakes_are_told_by_its_own_lines() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("x.toml");
    let text = format!(
        "[[tenant]]\nname = \"acme\"\n{ANA_AND_BORIS}[tenant.crm]\nkind = \"contacts\"\nfile = \"contacts.csv\"\n"
    );
    let read = || read(&[(config.clone(), text.clone())], &|_| None);
    let missing = read().expect_err("there is no table").to_string();
    assert!(missing.contains("x.toml:11: \"contacts.csv\" cannot be read"), "{missing}");
    let table = folder.path().join("contacts.csv");
    std::fs::write(&table, "number,name,owner\n+359888123456,Maria,102\n+359888123457,Petar,anna\n").unwrap();
    let wrong = read().expect_err("anna is not known").to_string();
    assert_eq!(wrong, format!("{}:3: there is no user \"anna\"; write \"ana\"", table.display()));
    std::fs::write(&table, "number,name,owner\n+359888123456,Maria,102\n").unwrap();
    let world = read().expect("a sound table");
    let contacts = world.tenant("acme").expect("acme").crm.clone();
    let Crm::Table(contacts) = contacts else { panic!("they are there") };
    assert_eq!(contacts.find("0888123456").and_then(|maria| maria.owner.as_deref()), Some("boris"));
}

#[test]
fn conversations_are_recorded_by_number_queue_user_or_all() {
    let acme_with = |rules: &str| {
        world(&format!(
            "[[tenant]]\nname = \"acme\"\n  [[tenant.user]]\n  name = \"ana\"\n  number = \"101\"\n  [[tenant.number]]\n  \
             number = \"+35921234567\"\n  script = \"strowger/echo\"\n  [[tenant.queue]]\n  name = \"sales\"\n  \
             agents = [\"ana\"]\n  [tenant.recording]\n  {rules}\n"
        ))
    };
    let talk = |dialled, queue, user| Conversation { dialled, queue, users: [None, user] };
    let talks = [
        talk("0035921234567", None, None),
        talk("700", Some("sales"), None),
        talk("700", None, Some("ana")),
        talk("700", None, None),
    ];
    for (rules, wanted) in [
        ("numbers = [\"+35921234567\"]", [true, false, false, false]),
        ("queues = [\"sales\"]", [false, true, false, false]),
        ("users = [\"ana\"]", [false, false, true, false]),
        ("all = true", [true; 4]),
        ("format = \"opus\"", [false; 4]),
    ] {
        let world = acme_with(rules);
        let acme = world.tenant("acme").unwrap();
        assert_eq!(talks.map(|talk| acme.recording.wants(acme, &talk)), wanted, "{rules}");
    }
    let mistakes = said(
        "[[tenant]]\nname = \"acme\"\n  [tenant.recording]\n  numbers = [\"700\"]\n  queues = [\"sale\"]\n  users = [\"eve\"]\n  \
         format = \"mp3\"\n  pause_keys = \"stop\"\n  listen = \"boss\"\n",
    );
    for (line, part) in [
        (4, "no number \"700\""),
        (5, "no queue \"sale\""),
        (6, "no user \"eve\""),
        (7, "no format \"mp3\""),
        (8, "\"stop\" are no keys"),
        (9, "no role \"boss\""),
    ] {
        let start = format!("x.toml:{line}: ");
        assert!(
            mistakes.iter().any(|mistake| mistake.starts_with(&start) && mistake.contains(part)),
            "{mistakes:?}"
        );
    }
}

#[test]
fn every_user_and_group_has_a_box_and_any_other_name_may_be_one() {
    let world = world(
        "[[tenant]]\nname = \"acme\"\n  [[tenant.user]]\n  name = \"ana\"\n  number = \"101\"\n  groups = [\"sales\"]\n  \
         [[tenant.group]]\n  name = \"sales\"\n  [[tenant.mailbox]]\n  name = \"office\"\n  users = [\"ana\"]\n  pin = \"4711\"\n  \
         longest = 30\n  most = 7\n",
    );
    let acme = world.tenant("acme").unwrap();
    let owners = |name: &str| acme.mailbox(name).map(|mailbox| (mailbox.name, mailbox.users));
    let of =
        |name: &str, users: &[&str]| Some((name.to_owned(), users.iter().map(|u| (*u).to_owned()).collect()));
    assert_eq!(owners("101"), of("ana", &["ana"]), "by the extension");
    assert_eq!(owners("sales"), of("sales", &["ana"]));
    assert_eq!(owners("duty"), of("duty", &[]));
    assert_eq!(owners("../duty"), None);
    let office = acme.mailbox("office").unwrap();
    assert_eq!(
        (office.longest, office.most, office.users),
        (Duration::from_secs(30), 7, vec!["ana".to_owned()])
    );
    let mistakes =
        said("[[tenant]]\nname = \"acme\"\n  [[tenant.mailbox]]\n  name = \"office\"\n  pin = \"12\"\n");
    assert!(mistakes[0].contains("write 4 to 16 digits"), "{mistakes:?}");
}

#[test]
fn codecs_are_a_tenants_and_a_trunk_or_a_user_may_have_its_own() {
    use protocol::sdp::Codec::{G722, Opus, Pcma, Pcmu};
    let with = |codecs: &str, of_trunk: &str| {
        let trunk = format!("[[tenant.trunk]]\nname = \"far\"\naddress = \"sip:192.0.2.1\"\n{of_trunk}\n");
        world(&format!("[[tenant]]\nname = \"acme\"\n{codecs}\n{trunk}"))
    };
    let usual = with("", "");
    assert_eq!(usual.tenant("acme").unwrap().codecs(None, None), [Opus, G722, Pcmu, Pcma]);
    let own = with("codecs = [\"pcma\", \"opus\"]", "codecs = [\"PCMU\"]");
    let acme = own.tenant("acme").unwrap();
    assert_eq!((acme.codecs(None, None), acme.codecs(Some("far"), None)), (&[Pcma, Opus][..], &[Pcmu][..]));
    assert_eq!(with("codecs = [\"pcma\"]", "").tenant("acme").unwrap().codecs(Some("far"), None), [Pcma]);
    let thin = "  [[tenant.user]]\n  name = \"ana\"\n  number = \"101\"\n  codecs = [\"opus\"]\n\
                \x20 [[tenant.user]]\n  name = \"boris\"\n  number = \"102\"\n";
    let users = with("codecs = [\"pcma\", \"opus\"]", &format!("codecs = [\"pcmu\"]\n{thin}"));
    let acme = users.tenant("acme").unwrap();
    assert_eq!(acme.codecs(None, Some("ana")), [Opus]);
    assert_eq!(acme.codecs(None, Some("boris")), [Pcma, Opus], "the tenant's");
    assert_eq!(acme.codecs(Some("far"), Some("ana")), [Pcmu], "on her mobile the carrier's count");
    let mistakes = said(&format!("[[tenant]]\nname = \"acme\"\n{}", thin.replace("opus", "g729")));
    assert!(mistakes[0].contains("no codec \"g729\" is known"), "{mistakes:?}");
    for (text, wrong) in [
        ("codecs = [\"g729\"]", "no codec \"g729\" is known"),
        ("codecs = [\"opus\", \"opus\"]", "\"opus\" stands there twice"),
        ("codecs = []", "without a codec nobody is heard"),
    ] {
        let mistakes = said(&format!("[[tenant]]\nname = \"acme\"\n{text}\n"));
        assert!(mistakes.iter().any(|mistake| mistake.contains(wrong)), "{mistakes:?}");
    }
}
