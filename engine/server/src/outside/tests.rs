//! Requests over real sockets on this machine's loopback, and names whose addresses the test says.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::config::Server;

/// Every name of the test leads to these, one answer after the other, the last for ever.
#[derive(Clone)]
struct Names(Arc<[&'static [&'static str]]>, Arc<AtomicUsize>);

impl Names {
    fn lead_to(answers: &[&'static [&'static str]]) -> Self {
        Self(answers.into(), Arc::default())
    }
}

impl LookUp for Names {
    async fn look_up(&self, _name: &str) -> Vec<IpAddr> {
        let asked = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
        self.0[asked].iter().map(|address| address.parse().expect("an address")).collect()
    }
}

/// What a server answers here has no end.
const ENDLESS: &str = "/endless";

/// A server that gives every connection the answer to its path, and tells what it was asked.
async fn serve(
    answers: &'static [(&'static str, &'static str)],
) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("it is bound");
    let (told, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut read = vec![0; 65_536];
                let n = peer.read(&mut read).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&read[..n]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default();
                let answer =
                    answers.iter().find(|(known, _)| *known == path).map_or("", |(_, answer)| answer);
                let answer = answer.replace("HERE", &at.to_string());
                let _ = told.send(text.clone());
                let _ = peer.write_all(answer.as_bytes()).await;
                if path == ENDLESS {
                    // Until nobody listens any more.
                    let chunk = [b"400\r\n", [b'x'; 0x400].as_slice(), b"\r\n"].concat();
                    while peer.write_all(&chunk).await.is_ok() {}
                }
                if answer.is_empty() {
                    let _ = peer.read(&mut read).await;
                }
            });
        }
    });
    (at, asked)
}

const LOOPBACK: &str = "127.0.0.0/8";

fn rules(allow: &[(&str, u16)], reach: &[&str]) -> Arc<Outside> {
    let server =
        |(host, port): &(&str, u16)| Server { tls: false, host: (*host).into(), below: false, port: *port };
    Arc::new(Outside {
        allow: allow.iter().map(server).collect(),
        reach: reach.iter().map(|network| network.parse().expect("a network")).collect(),
        authorities: Vec::new(),
    })
}

fn get(url: String) -> Fetch {
    Fetch {
        method: FetchMethod::Get,
        url,
        headers: Vec::new(),
        body: Vec::new(),
        timeout: Duration::from_secs(5),
        redirects: 0,
    }
}

async fn ask<L: LookUp>(
    fetcher: &Fetcher<L>,
    rules: &Arc<Outside>,
    fetch: Fetch,
) -> Result<Fetched, Failure> {
    ask_within(fetcher, rules, &Limits::default(), fetch).await
}

async fn ask_within<L: LookUp>(
    fetcher: &Fetcher<L>,
    rules: &Arc<Outside>,
    limits: &Limits,
    fetch: Fetch,
) -> Result<Fetched, Failure> {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    fetcher.fetch(&"acme".into(), rules, limits, fetch, Some(parent)).await
}

fn limited(key: &str) -> Result<Fetched, Failure> {
    Err(Failure::Limit(key.to_owned()))
}

#[tokio::test]
async fn a_server_that_is_allowed_is_asked_as_the_script_wrote_it() {
    const GONE: &str = "HTTP/1.1 404 Not Found\r\nX-Reason: none\r\nContent-Length: 4\r\n\r\ngone";
    let (at, mut asked) = serve(&[("/customers?n=1", GONE)]).await;
    let rules = rules(&[("127.0.0.1", at.port())], &[LOOPBACK]);
    let fetch = Fetch {
        method: FetchMethod::Put,
        headers: vec![("X-Key".into(), "a".into()), ("x-key".into(), "b".into())],
        body: b"{}".to_vec(),
        ..get(format!("http://{at}/customers?n=1#part"))
    };
    let answer = ask(&Fetcher::default(), &rules, fetch).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (404, &b"gone"[..]));
    assert_eq!(answer.header("X-REASON"), ["none"]);
    let asked = asked.recv().await.expect("it was asked");
    let lines: Vec<_> = asked.split("\r\n").collect();
    assert_eq!(lines[0], "PUT /customers?n=1 HTTP/1.1");
    for header in [
        "x-key: a",
        "x-key: b",
        &format!("host: {at}"),
        "content-length: 2",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert!(lines.iter().any(|line| line.eq_ignore_ascii_case(header)), "{header} in {asked}");
    }
    assert!(asked.ends_with("\r\n\r\n{}"), "{asked}");
}

#[tokio::test]
async fn no_header_becomes_two_and_none_is_the_connections() {
    let rules = rules(&[("127.0.0.1", 9)], &[LOOPBACK]);
    let fetcher = Fetcher::default();
    for (name, value) in [
        ("x", "a\r\nhost: evil.example"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x: y", "a"),
        ("x\r\ny", "a"),
        ("", "a"),
        ("ж", "a"),
        ("Host", "evil.example"),
        ("Transfer-Encoding", "chunked"),
        ("content-length", "3"),
        ("Connection", "upgrade"),
        ("TE", "trailers"),
        ("Upgrade", "websocket"),
        ("Proxy-Authorization", "Basic"),
    ] {
        let fetch = Fetch { headers: vec![(name.into(), value.into())], ..get("http://127.0.0.1:9/".into()) };
        let told = ask(&fetcher, &rules, fetch).await;
        assert!(
            matches!(&told, Err(Failure::Invalid(what)) if what.starts_with("headers: ")),
            "{name}: {told:?}"
        );
    }
    for url in [
        "",
        "/a",
        "crm.example",
        "ftp://crm.example/",
        "http://a:b@127.0.0.1:9/",
        "http://",
        "file:///etc/passwd",
    ] {
        let told = ask(&fetcher, &rules, get(url.into())).await;
        assert!(matches!(&told, Err(Failure::Invalid(what)) if what.starts_with("url: ")), "{url}: {told:?}");
    }
}

#[tokio::test]
async fn a_server_or_an_address_that_is_not_allowed_is_never_connected() {
    let (at, mut asked) = serve(&[("/", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]).await;
    let fetcher = Fetcher::default();
    let nothing = rules(&[], &[LOOPBACK]);
    assert_eq!(ask(&fetcher, &nothing, get(format!("http://{at}/"))).await, limited("http_allow"));
    let only_by_name = rules(&[("127.0.0.1", at.port()), ("localhost", at.port())], &[]);
    // All of these are ways to write 127.0.0.1 (WHATWG URL §3.5).
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "LOCALHOST"] {
        let url = format!("http://{host}:{}/", at.port());
        assert_eq!(ask(&fetcher, &only_by_name, get(url)).await, limited("http_reach"), "{host}");
    }
    let mapped = rules(&[("::ffff:7f00:1", at.port())], &[]);
    let url = format!("http://[::ffff:127.0.0.1]:{}/", at.port());
    assert_eq!(ask(&fetcher, &mapped, get(url)).await, limited("http_reach"));
    assert!(asked.try_recv().is_err(), "nobody was connected");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_when_it_is_connected_gains_nothing() {
    let (at, mut asked) =
        serve(&[("/", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")]).await;
    let url = || get(format!("http://rebound.example:{}/", at.port()));
    let nowhere = rules(&[("rebound.example", at.port())], &[]);
    let fetcher =
        Fetcher::with(Names::lead_to(&[&["127.0.0.1"], &["::1", "::ffff:127.0.0.1"], &["169.254.169.254"]]));
    for _ in 0..3 {
        assert_eq!(ask(&fetcher, &nowhere, url()).await, limited("http_reach"));
    }
    let unknown = Fetcher::with(Names::lead_to(&[&[]]));
    assert_eq!(ask(&unknown, &nowhere, url()).await, Err(Failure::NotFound("rebound.example".into())));
    // Asked once and found at home; then it says that it is elsewhere, and the connection is made anew.
    let loopback = rules(&[("rebound.example", at.port())], &[LOOPBACK]);
    let fetcher = Fetcher::with(Names::lead_to(&[&["10.0.0.1", "127.0.0.1"], &["10.0.0.1"]]));
    assert_eq!(ask(&fetcher, &loopback, url()).await.map(|answer| answer.status), Ok(200));
    assert!(asked.recv().await.is_some());
    assert_eq!(ask(&fetcher, &loopback, url()).await, limited("http_reach"));
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn a_redirect_is_looked_at_as_the_first_url_was() {
    let (other, mut asked_other) =
        serve(&[("/end", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")]).await;
    let answers = Box::leak(Box::new([
        ("/here", "HTTP/1.1 307 T\r\nLocation: http://HERE/there\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("/there", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere".to_owned()),
        ("/away", format!("HTTP/1.1 302 F\r\nLocation: http://{other}/end\r\nContent-Length: 0\r\n\r\n")),
        ("/loop", "HTTP/1.1 301 M\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("/evil", "HTTP/1.1 302 F\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n".to_owned()),
        (
            "/cloud",
            "HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ),
        ("/file", "HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n".to_owned()),
    ]));
    let answers: Vec<_> = answers.iter().map(|(path, answer)| (*path, answer.as_str())).collect();
    let (at, mut asked) = serve(answers.leak()).await;
    let rules =
        rules(&[("127.0.0.1", at.port()), ("127.0.0.1", other.port()), ("169.254.169.254", 80)], &[LOOPBACK]);
    let fetcher = Fetcher::default();
    let go = |path: &str, redirects| {
        let headers = vec![("authorization".into(), "Bearer secret".into())];
        let fetch = Fetch { headers, redirects, ..get(format!("http://{at}{path}")) };
        ask(&fetcher, &rules, fetch)
    };
    assert_eq!(
        go("/here", 0).await.map(|answer| answer.status),
        Ok(307),
        "none is followed unless it is said"
    );
    let there = go("/here", 1).await.expect("an answer");
    assert_eq!(there.body, b"there");
    assert_eq!(go("/away", 1).await.map(|answer| answer.body), Ok(b"end".to_vec()));
    assert_eq!(go("/loop", 5).await.map(|answer| answer.status), Ok(301), "after five");
    assert_eq!(go("/evil", 5).await, limited("http_allow"));
    assert_eq!(go("/cloud", 5).await, limited("http_reach"));
    assert!(matches!(go("/file", 5).await, Err(Failure::Invalid(_))));
    // What was meant for one server is not told another.
    let at_other = asked_other.recv().await.expect("it was asked");
    assert!(!at_other.contains("secret"), "{at_other}");
    let first: Vec<_> = std::iter::from_fn(|| asked.try_recv().ok()).collect();
    assert!(first.iter().all(|asked| asked.contains("secret")), "{first:?}");
    assert_eq!(first.iter().filter(|asked| asked.starts_with("GET /loop")).count(), 6);
}

#[tokio::test]
async fn slow_and_large_answers_are_given_up() {
    const LARGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n";
    let (at, _asked) = serve(&[
        ("/large", LARGE),
        (ENDLESS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("/cut", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        ("/none", "this is not HTTP\r\n\r\n"),
    ])
    .await;
    let rules = rules(&[("127.0.0.1", at.port()), ("127.0.0.1", 1)], &[LOOPBACK]);
    let fetcher = Fetcher::default();
    let go = |path: &str| ask(&fetcher, &rules, get(format!("http://{at}{path}")));
    assert_eq!(go("/large").await, limited("http_response_size"));
    assert_eq!(go(ENDLESS).await, limited("http_response_size"));
    assert_eq!(go("/cut").await, Err(Failure::Unreachable));
    assert_eq!(go("/none").await, Err(Failure::Unreachable));
    let silent = Fetch { timeout: Duration::from_millis(50), ..get(format!("http://{at}/silent")) };
    assert_eq!(ask(&fetcher, &rules, silent).await, Err(Failure::TimedOut));
    let nobody = get("http://127.0.0.1:1/".into());
    assert_eq!(ask(&fetcher, &rules, nobody).await, Err(Failure::Unreachable));
    let heavy = Fetch { body: vec![0; 65_537], ..get(format!("http://{at}/large")) };
    assert_eq!(ask(&fetcher, &rules, heavy).await, limited("http_request_size"));
}

#[tokio::test]
async fn a_tenant_asks_so_many_at_once() {
    let (at, mut asked) = serve(&[("/", "HTTP/1.1 204 None\r\n\r\n")]).await;
    let rules = rules(&[("127.0.0.1", at.port())], &[LOOPBACK]);
    let fetcher = Arc::new(Fetcher::default());
    let limits = Limits { http_at_once: 1, http_per_second: 1_000, ..Limits::default() };
    let waiting = {
        let (fetcher, rules, limits) = (fetcher.clone(), rules.clone(), limits.clone());
        let url = format!("http://{at}/silent");
        tokio::spawn(async move { ask_within(&fetcher, &rules, &limits, get(url)).await })
    };
    asked.recv().await.expect("one is under way");
    let url = || get(format!("http://{at}/"));
    assert_eq!(ask_within(&fetcher, &rules, &limits, url()).await, limited("http_at_once"));
    // A run that is over takes its request back.
    waiting.abort();
    assert!(waiting.await.is_err_and(|why| why.is_cancelled()));
    assert_eq!(ask_within(&fetcher, &rules, &limits, url()).await.map(|answer| answer.status), Ok(204));
}

#[test]
fn a_tenant_asks_so_many_in_a_second() {
    let limits = Limits { http_per_second: 2, ..Limits::default() };
    let begun = Instant::now();
    let count = Count::new(begun);
    let at = |millis| UnderWay::begin(&count, &limits, begun + Duration::from_millis(millis)).map(drop);
    let told = [at(0), at(500), at(999), at(1_000), at(1_001), at(1_002)];
    let full = || Err(Failure::Limit("http_per_second".into()));
    assert_eq!(told, [Ok(()), Ok(()), full(), Ok(()), Ok(()), full()]);
}
