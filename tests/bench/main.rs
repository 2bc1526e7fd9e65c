//! What a unit of work costs the server in CPU time, beside Kamailio (a stateful proxy and a registrar) and
//! rtpengine in user space, which do less: a proxy is no back-to-back user agent, has no script, no sound and
//! a registrar that forgets. Both sides are measured in the same run, one after the other, with the same
//! telephones. What TLS and SRTP add is measured beside the same work in the clear. Printed as a table; nothing fails on
//! a slow or busy machine, except a unit that went wrong.

mod bare;
mod load;
mod played;
mod relay;
mod rtpengine;
mod setup;

use std::net::{SocketAddrV4, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use tempfile::NamedTempFile;
use tests::certificates::Authority;
use tests::exchange::{Exchange, config_with, guest};
use tests::kamailio;
use tests::net::Net;
use tests::process::Process;
use tests::sipp::{REGISTER, Sipp, UAC, UAC_LISTENS, UAS};
use tests::sound::write_tone;
use tests::tunnel::Tunnel;

use load::{Load, Machine, Row};
use relay::CRYPTO;

/// How many calls or registrations come in a second. Where there are few, each costs more on both sides: a thread that
/// wakes finds less to do, and little of what it needs is in the processor's caches.
const FEW: u32 = 400;
/// Such calls as two cores still carry beside both telephones.
const MANY_CALLS: u32 = 800;
const MANY_REGISTRATIONS: u32 = 1600;
/// So long they come: long enough that ticks of 10 ms of CPU time don't matter.
const SECONDS: u32 = 10;
/// Before the measure: caches fill, memory is taken from the system.
const WARM_UP: u32 = 50;
/// Of calls and registrations whose other side is one program that makes TLS of what sipp says, and takes its time.
const TUNNELLED: u32 = 2000;
const TUNNELLED_PER_SECOND: u32 = 200;
/// Up at once when memory is measured: most of them for longer than it takes a script to rest, as conversations are.
const HELD: u32 = 1500;
const HELD_PER_SECOND: u32 = 100;
/// Telephones that register over TLS.
const SECURED: u32 = 10_000;
/// What they need until the last of them has.
const SECURED_TIME: Duration = Duration::from_secs(300);
/// Connections that never say a word.
const SILENT: usize = 2_000;
/// A run of sipp.
const RUN: Duration = Duration::from_secs(90);
const PASSWORD: &str = "bench-password";

fn main() {
    // `cargo test --benches` and the like only ask whether it runs.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    // `cargo bench -p tests -- relayed` measures only that.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let before = Machine::read();
    let all: [(&str, Measure); 17] = [
        ("ivr", || ivr(FEW)),
        ("ivr-busy", || ivr(MANY_CALLS)),
        ("played", played),
        ("bridged", || bridged(FEW)),
        ("bridged-busy", || bridged(MANY_CALLS)),
        ("relayed", relayed),
        ("registered", || registered(FEW)),
        ("registered-busy", || registered(MANY_REGISTRATIONS)),
        ("bridged-tls", bridged_over_tls),
        ("relayed-srtp", relayed_encrypted),
        ("registered-tls", registered_over_tls),
        ("held", held),
        ("secured", secured),
        ("silent", silent),
        ("swapped", swapped),
        ("neighbours", neighbours),
        ("loaded", loaded),
    ];
    let chosen = all.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name));
    let rows: Vec<Row> = chosen.map(|(_, measure)| measure()).collect();
    println!("\n{before}\n{}\n", Machine::read());
    println!(
        "{:<44} {:>12} {:>24} {:>7} {:>9}",
        "server's cost of", "strowger", "beside it", "ratio", "goal"
    );
    for row in rows {
        println!("{row}");
    }
}

/// Measures a line of the table.
type Measure = fn() -> Row;

/// INVITE, the script answers, plays a second, hangs up; beside what the kernel alone takes for it.
fn ivr(per_second: u32) -> Row {
    let net = Net::new();
    let (cost, at, phone) = heard(&net, per_second);
    let run = |calls| call_in(at, phone, calls, per_second);
    let bare = bare::calls(at, || run(WARM_UP), || run(per_second * SECONDS));
    let work = format!("a call that hears one second, {per_second}/s");
    Row::micros(&work, cost, Some(("its system calls", bare)), 400.0)
}

/// The same beside rtpengine, which plays that second to callers whom somebody else would have to answer.
fn played() -> Row {
    let net = Net::new();
    let (cost, ..) = heard(&net, FEW);
    let (ip, calls) = (net.host(), FEW * SECONDS);
    let file = NamedTempFile::new().expect("a temporary file");
    write_tone(file.path(), 425.0, Duration::from_secs(1));
    let engine = rtpengine::start(ip);
    played::calls(&engine, ip, file.path(), 0, WARM_UP, FEW);
    let load = Load::of(engine.pid());
    played::calls(&engine, ip, file.path(), WARM_UP as usize, calls, FEW);
    let beside = Some(("rtpengine, the sound", load.per(calls)));
    Row::micros(&format!("the same beside its sound alone, {FEW}/s"), cost, beside, 400.0)
}

/// What a call that hears a second costs, where the exchange was, and who called it.
fn heard(net: &Net, per_second: u32) -> (f64, SocketAddrV4, SocketAddrV4) {
    let (exchange, phone) = exchange(net, "sip:127.0.0.1:9", "");
    let (at, calls) = (exchange.sip(), per_second * SECONDS);
    call_in(at, phone, WARM_UP, per_second);
    let load = Load::of(exchange.pid());
    call_in(at, phone, calls, per_second);
    (load.per(calls), at, phone)
}

fn call_in(at: SocketAddrV4, phone: SocketAddrV4, calls: u32, per_second: u32) {
    let sipp = Sipp::scenario(UAC_LISTENS, phone).to(at).service("900").word("from", "caller");
    sipp.calls(calls, per_second).run(RUN).assert_all(calls);
}

/// A call through: caller, script that dials, called, both hang up.
fn bridged(per_second: u32) -> Row {
    let (net, calls) = (Net::new(), per_second * SECONDS);
    let called = net.sip();
    let _uas = Sipp::scenario(UAS, called).start();
    let run = |to, from, calls| {
        let sipp = Sipp::scenario(UAC, from).to(to).service("901").word("from", "caller").talks(TALK);
        sipp.calls(calls, per_second).run(RUN).assert_all(calls);
    };
    let strowger = {
        let (exchange, phone) = exchange(&net, &format!("sip:{called}"), "");
        run(exchange.sip(), phone, WARM_UP);
        let load = Load::of(exchange.pid());
        run(exchange.sip(), phone, calls);
        load.per(calls)
    };
    let proxy = kamailio::start(net.sip(), Some(called), PASSWORD);
    let phone = net.sip();
    run(proxy.at(), phone, WARM_UP);
    let load = Load::of(proxy.pid());
    run(proxy.at(), phone, calls);
    let beside = Some(("Kamailio, proxy", load.per(calls)));
    Row::micros(&format!("a call through, with its script, {per_second}/s"), strowger, beside, 900.0)
}

/// A packet of 20 ms of A-law from one party to the other.
fn relayed() -> Row {
    let net = Net::new();
    let (strowger, rtp) = {
        let called = net.sip();
        let (exchange, phone) = exchange(&net, &format!("sip:{called}"), "");
        let calls = relay::through_sip(exchange.sip(), phone, called, "901", false);
        let load = Load::of(exchange.pid());
        let packets = calls.exchange_sound();
        (load.per(packets), net)
    };
    let engine = rtpengine::start(rtp.host());
    let calls = relay::through_ng(&engine, rtp.host());
    let load = Load::of(engine.pid());
    let packets = calls.exchange_sound();
    let beside = Some(("rtpengine, user space", load.per(packets)));
    Row::micros("a relayed RTP packet", strowger, beside, 10.0)
}

/// REGISTER, challenge, REGISTER, durable when it is acknowledged.
fn registered(per_second: u32) -> Row {
    let (net, registrations) = (Net::new(), per_second * SECONDS);
    let run = |to, from, count| {
        let sipp = Sipp::scenario(REGISTER, from).to(to).auth("ana", PASSWORD).word("from", "ana");
        let sipp = sipp.word("expires", "600").calls(count, per_second);
        sipp.run(RUN).assert_all(count);
    };
    let strowger = {
        let (exchange, phone) = exchange(&net, "sip:127.0.0.1:9", "");
        run(exchange.sip(), phone, WARM_UP);
        let load = Load::of(exchange.pid());
        run(exchange.sip(), phone, registrations);
        load.per(registrations)
    };
    let registrar = kamailio::start(net.sip(), None, PASSWORD);
    let phone = net.sip();
    run(registrar.at(), phone, WARM_UP);
    let load = Load::of(registrar.pid());
    run(registrar.at(), phone, registrations);
    let beside = Some(("Kamailio, in memory", load.per(registrations)));
    Row::micros(&format!("a registration: both REGISTERs, kept, {per_second}/s"), strowger, beside, 80.0)
}

/// A call through, whose caller is on TLS and has a key for its sound, beside one that is not.
fn bridged_over_tls() -> Row {
    let net = Net::new();
    let called = net.sip();
    let _uas = Sipp::scenario(UAS, called).start();
    let secured = Secured::new(&net, &format!("sip:{called}"));
    let keyed = UAC.replace("RTP/AVP 8 101\n", &format!("RTP/SAVP 8 101\n    {CRYPTO}\n"));
    assert_ne!(keyed, UAC, "the scenario has a line for sound");
    let run = |calls, tls: bool| {
        let sipp = match tls {
            true => Sipp::scenario(&keyed, secured.phone).through(&secured.tunnel),
            false => Sipp::scenario(UAC, secured.phone).to(secured.exchange.sip()),
        };
        let sipp = sipp.service("901").word("from", "caller").talks(TALK);
        sipp.calls(calls, TUNNELLED_PER_SECOND).run(RUN).assert_all(calls);
    };
    let [plain, encrypted] = secured.each(run);
    Row::micros(
        "a call through, its caller on TLS with SRTP",
        encrypted,
        Some(("in the clear", plain)),
        1100.0,
    )
}

/// A packet from one party to the other, each with keys of its own, beside the same without.
fn relayed_encrypted() -> Row {
    let cost = |srtp: bool| {
        let net = Net::new();
        let called = net.sip();
        let (word, sip) =
            if srtp { ("required", "  srtp_keys_unsecured = true\n") } else { ("forbidden", "") };
        let (exchange, phone) = exchange_with(&net, &format!("sip:{called}"), "", &[], sip, word);
        let calls = relay::through_sip(exchange.sip(), phone, called, "901", srtp);
        let load = Load::of(exchange.pid());
        let packets = calls.exchange_sound();
        load.per(packets)
    };
    let (plain, encrypted) = (cost(false), cost(true));
    Row::micros("a relayed packet, SRTP to SRTP", encrypted, Some(("in the clear", plain)), 15.0)
}

/// Both REGISTERs over a connection that is there, beside those by UDP.
fn registered_over_tls() -> Row {
    let net = Net::new();
    let secured = Secured::new(&net, "sip:127.0.0.1:9");
    let run = |count, tls: bool| {
        let sipp = Sipp::scenario(REGISTER, secured.phone);
        let sipp = match tls {
            true => sipp.through(&secured.tunnel),
            false => sipp.to(secured.exchange.sip()),
        };
        let sipp = sipp.auth("ana", PASSWORD).word("from", "ana").word("expires", "600");
        sipp.calls(count, TUNNELLED_PER_SECOND).run(RUN).assert_all(count);
    };
    let [plain, encrypted] = secured.each(run);
    Row::micros("a registration over TLS", encrypted, Some(("by UDP", plain)), 120.0)
}

/// An exchange that listens on TLS too, and a way there for sipp.
struct Secured {
    exchange: Exchange,
    phone: SocketAddrV4,
    tunnel: Tunnel,
}

impl Secured {
    fn new(net: &Net, called: &str) -> Self {
        let authority = Authority::new();
        let listen = |ip| SocketAddrV4::new(ip, 5061);
        let pair = authority.issue("exchange", &["DNS:pbx.example".into()]);
        let sip = format!("  [sip.tls]\n  {}\n", pair.toml("\n  "));
        let (exchange, phone) = exchange_with(net, called, "", &["tls"], &sip, "offered");
        let tunnel = Tunnel::open(*phone.ip(), listen(exchange.ip()));
        Self { exchange, phone, tunnel }
    }

    /// What one costs in the clear, and then over TLS.
    fn each(&self, run: impl Fn(u32, bool)) -> [f64; 2] {
        [false, true].map(|tls| {
            run(WARM_UP, tls);
            let load = Load::of(self.exchange.pid());
            run(TUNNELLED, tls);
            load.per(TUNNELLED)
        })
    }
}

/// Resident memory of a bridged call that is up.
fn held() -> Row {
    let net = Net::new();
    let called = net.sip();
    let _uas = Sipp::scenario(UAS, called).start();
    let (exchange, phone) = exchange(&net, &format!("sip:{called}"), "");
    let run = |talk, calls| {
        let sipp =
            Sipp::scenario(UAC, phone).to(exchange.sip()).service("901").word("from", "caller").talks(talk);
        sipp.calls(calls, HELD_PER_SECOND).start()
    };
    run(TALK, WARM_UP).finish(RUN).assert_all(WARM_UP);
    let before = load::resident(exchange.pid());
    // The last call begins before the first one ends.
    let arriving = Duration::from_secs(u64::from(HELD / HELD_PER_SECOND));
    let sipp = run(arriving + Duration::from_secs(8), HELD);
    let most = load::most_resident_until(exchange.pid(), arriving + Duration::from_secs(5));
    sipp.finish(RUN).assert_all(HELD);
    Row::kilobytes(
        "a bridged call that is up, resident",
        (most - before) as f64 / 1024.0 / f64::from(HELD),
        60.0,
    )
}

/// Resident memory of a telephone that is registered over TLS, with its connection.
fn secured() -> Row {
    let (net, authority) = (Net::new(), Authority::new());
    let ip = net.host();
    let shown = authority.issue("exchange", &[format!("IP:{ip}")]);
    let user = |n: u32| {
        format!(
            "  [[tenant.user]]\n  name = \"u{n}\"\n  number = \"{}\"\n  password = \"{PASSWORD}\"\n",
            100_000 + n
        )
    };
    let users: String = (0..SECURED).map(user).collect();
    let tenants = format!("[[tenant]]\nname = \"demo\"\ndomains = [\"{ip}\"]\n{users}");
    let sip = format!(
        "[sip.tls]\n{}\n[sip.connections]\nper_address = 20000\n[sip.throttle]\nmessages_per_second = 0\n",
        shown.toml("\n")
    );
    let text = config_with(ip, &[format!("tls:{ip}:5061")], &sip, &tenants);
    let exchange = Exchange::with(ip, "demo", &[("strowger.toml", &text)]);
    let telephones = |count: u32| {
        let mut command = Command::new(tests::pjsua::python());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/registers.py"));
        command.args([ip.to_string(), "5061".into(), authority.file().display().to_string()]);
        command.args([PASSWORD, &count.to_string()]);
        let mut process = Process::spawn("registers.py", &mut command);
        process
            .lines
            .wait_for("registrations", SECURED_TIME, |line| line.starts_with("registered").then_some(()));
        process
    };
    drop(telephones(WARM_UP));
    let before = load::resident(exchange.pid());
    let _registered = telephones(SECURED);
    let after = load::resident(exchange.pid());
    Row::kilobytes(
        "a telephone registered over TLS, resident",
        (after - before) as f64 / 1024.0 / f64::from(SECURED),
        40.0,
    )
}

/// How long callers wait beside connections that never say a word, beside how long they do otherwise.
fn silent() -> Row {
    let net = Net::new();
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).expect("as many files as may be");
    let (exchange, phone) = exchange(&net, "sip:127.0.0.1:9", "");
    let run = || setup::times(exchange.sip(), phone, "900", SETUPS, SETUPS_PER_SECOND);
    let beside = || {
        let connect = |_| TcpStream::connect(exchange.sip()).expect("it listens");
        let silent: Vec<_> = (0..SILENT).map(connect).collect();
        let times = run();
        drop(silent);
        times
    };
    let [alone, beside] = in_turns([&run, &beside]);
    println!("p99 of INVITE to 200: {alone:?}, beside {SILENT} silent connections {beside:?}");
    Row::times("p99 of answering beside 2,000 silent ones", beside.as_secs_f64() / alone.as_secs_f64(), 1.2)
}

/// How long callers wait while the script is another every second, beside how long they do otherwise.
fn swapped() -> Row {
    let net = Net::new();
    let (exchange, phone) = exchange(&net, "sip:127.0.0.1:9", "");
    let versions = ["v1", "v2"].map(|component| push(&exchange, "mine", component));
    let sip = exchange.sip();
    let run = move || setup::times(sip, phone, "902", SETUPS, SETUPS_PER_SECOND);
    let swapping = || {
        thread::scope(|scope| {
            let calls = scope.spawn(run);
            for version in versions.iter().cycle() {
                if calls.is_finished() {
                    break;
                }
                let wanted = format!("{{\"version\":\"{version}\"}}");
                let (status, said) = exchange.send("POST", "/tenants/demo/scripts/mine/activate", wanted);
                assert_eq!(status, 200, "{said}");
                thread::park_timeout(Duration::from_secs(1));
            }
            calls.join().expect("every call is answered")
        })
    };
    let [steady, swapping] = in_turns([&run, &swapping]);
    println!("p99 of INVITE to 200: {steady:?}, with a swap every second {swapping:?}");
    Row::times("p99 of answering, a swap a second", swapping.as_secs_f64() / steady.as_secs_f64(), 1.1)
}

/// How long callers of a tenant wait while every script of another tenant loops, beside how long they do alone. What as many
/// calls of the other tenant do to them while its scripts behave is printed too.
fn neighbours() -> Row {
    let net = Net::new();
    let neighbour = net.sip();
    let (exchange, phone) = exchange(&net, "sip:127.0.0.1:9", &neighbour_of(neighbour));
    let run = || setup::times(exchange.sip(), phone, "900", SETUPS, SETUPS_PER_SECOND);
    let beside = |number: &str| {
        // Some of these calls are refused when the tenant has had its time, so sipp's own opinion does not count.
        let calls =
            Sipp::scenario(UAC_LISTENS, neighbour).to(exchange.sip()).service(number).word("from", "caller");
        let calls = calls.calls(BESIDE, BESIDE_PER_SECOND).start();
        let times = run();
        drop(calls);
        times
    };
    let [alone, again, behaves, loops, often] =
        in_turns([&run, &run, &|| beside("908"), &|| beside("909"), &|| beside("910")]);
    println!(
        "p99 of INVITE to 200: {alone:?} alone, {again:?} alone again, {behaves:?} beside a tenant whose scripts behave, {loops:?} when they loop, \
         {often:?} when two of three do"
    );
    Row::times("p99 of answering beside scripts that loop", loops.as_secs_f64() / alone.as_secs_f64(), 1.2)
}

/// The p99 of each, measured several times in turns with the others, so that what else the machine does falls
/// on all. Of each the one in the middle: where the machine stood still for a moment, a single run says nothing.
fn in_turns<const N: usize>(sides: [&dyn Fn() -> Vec<Duration>; N]) -> [Duration; N] {
    sides[0]();
    let mut p99s = [const { Vec::new() }; N];
    for _ in 0..TURNS {
        for (p99s, side) in p99s.iter_mut().zip(sides) {
            p99s.push(setup::percentile(&mut side(), 99));
        }
    }
    p99s.map(|mut p99s| setup::percentile(&mut p99s, 50))
}

/// A tenant's room for all calls of a bench, and a trunk by which they come from this telephone.
fn called_from(phone: SocketAddrV4, srtp: &str) -> String {
    format!(
        r#"  [tenant.limits]
  concurrent_calls = 10000
  calls_per_second = 1000
  requests_per_user = 0
  [[tenant.trunk]]
  name = "inbound"
  address = "sip:{phone}"
  srtp = "{srtp}"
  inbound_from = ["{}/32"]
  probe = 0
  channels = 10000
"#,
        phone.ip()
    )
}

/// A tenant whose calls to 908 hear a second, and whose calls to 909 are answered and loop for ever, as two of three of 910 do.
fn neighbour_of(phone: SocketAddrV4) -> String {
    let [plain, spin] = ["plain", "spin"].map(|name| guest(name).display().to_string());
    format!(
        r#"[[tenant]]
name = "loud"
domains = ["loud.example"]
{}  [[tenant.script]]
  name = "plain"
  file = "{plain}"
  [[tenant.number]]
  number = "908"
  script = "plain"
  [[tenant.script]]
  name = "spin"
  file = "{spin}"
  [[tenant.number]]
  number = "909"
  script = "spin"
  [[tenant.script]]
  name = "falter"
  file = "{spin}"
  [[tenant.number]]
  number = "910"
  script = "falter"
  settings = {{ percent = 66 }}
"#,
        called_from(phone, "offered")
    )
}

/// From the beginning of an upload to the answer of the first call on it.
fn loaded() -> Row {
    let net = Net::new();
    let (exchange, phone) = exchange(&net, "sip:127.0.0.1:9", "");
    push(&exchange, "mine", "v1");
    setup::times(exchange.sip(), phone, "902", 10, 10);
    let begin = Instant::now();
    push(&exchange, "mine", "v2");
    let pushed = begin.elapsed();
    let first = setup::times(exchange.sip(), phone, "902", 1, 1)[0];
    println!("an upload took {pushed:?}, and its first call was answered after {first:?}");
    Row::millis("from upload to the first answer on it", (pushed + first).as_secs_f64() * 1e3, 150.0)
}

/// Loads a component of the tests; answers its version.
fn push(exchange: &Exchange, script: &str, component: &str) -> String {
    let component = std::fs::read(guest(component)).expect("the component is built");
    let (status, said) = exchange.send("PUT", &format!("/tenants/demo/scripts/{script}"), component);
    assert_eq!(status, 201, "{said}");
    said["version"].as_str().expect("a push answers the version").to_owned()
}

/// Calls whose answers are timed.
const SETUPS: usize = 400;
/// How often each side is measured.
const TURNS: usize = 9;
const SETUPS_PER_SECOND: u32 = 100;
/// Calls of another tenant meanwhile.
const BESIDE: u32 = 200;
const BESIDE_PER_SECOND: u32 = 20;

/// How long sipp's calls talk.
const TALK: Duration = Duration::from_millis(500);

/// An exchange with a carrier at `called`, and where a caller may call from: 900 plays, 901 rings the carrier.
/// 902 is for whatever script is pushed as "mine". `more`: further tenants.
fn exchange(net: &Net, called: &str, more: &str) -> (Exchange, SocketAddrV4) {
    exchange_with(net, called, more, &[], "", "offered")
}

/// The same listening on further transports, with more in `[sip]`, and sound encrypted or not for all.
fn exchange_with(
    net: &Net,
    called: &str,
    more: &str,
    transports: &[&str],
    sip: &str,
    srtp: &str,
) -> (Exchange, SocketAddrV4) {
    let (ip, phone) = (net.host(), net.sip());
    let script = guest("plain").display().to_string();
    let tenants = format!(
        r#"
[[tenant]]
name = "demo"
domains = ["{ip}"]
srtp = "{srtp}"
{}  [[tenant.user]]
  name = "ana"
  number = "101"
  password = "{PASSWORD}"
  [[tenant.trunk]]
  name = "outbound"
  address = "{called}"
  srtp = "{srtp}"
  probe = 0
  channels = 10000
  [[tenant.script]]
  name = "plain"
  file = "{script}"
  [[tenant.script]]
  name = "mine"
  [[tenant.number]]
  number = "902"
  script = "mine"
  [[tenant.number]]
  number = "900"
  script = "plain"
  [[tenant.number]]
  number = "901"
  script = "plain"
  settings = {{ rings = "+35921110000" }}
{more}"#,
        called_from(phone, srtp)
    );
    let listen: Vec<String> = transports.iter().map(|transport| format!("{transport}:{ip}:5061")).collect();
    let config = config_with(ip, &listen, sip, &tenants);
    (Exchange::with(ip, "demo", &[("strowger.toml", &config)]), phone)
}
