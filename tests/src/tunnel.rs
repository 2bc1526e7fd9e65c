//! TLS for programs that speak none, such as Debian's sipp: an address that takes TCP and carries each connection on to
//! a server through `openssl s_client`. Who is measured is the server; what the tunnel costs is nobody's affair.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// An open tunnel. It closes its connections when it is dropped.
#[derive(Debug)]
pub struct Tunnel {
    at: SocketAddrV4,
    carriers: Arc<Mutex<Vec<Child>>>,
}

impl Tunnel {
    /// From a port at `ip` to the server at `to`, which sees connections from `ip`. It is believed whoever it is.
    pub fn open(ip: Ipv4Addr, to: SocketAddrV4) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let carriers = Arc::<Mutex<Vec<Child>>>::default();
        let (kept, from) = (carriers.clone(), format!("{ip}:0"));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let carrier = carry(near, &from, to);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(carrier);
            }
        });
        Self { at: SocketAddrV4::new(ip, port), carriers }
    }

    /// Where it takes connections.
    pub fn at(&self) -> SocketAddrV4 {
        self.at
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        for carrier in self.carriers.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            // One that has ended by itself is as good.
            let _ = carrier.kill().and_then(|()| carrier.wait());
        }
    }
}

/// One connection through a process of its own.
fn carry(near: TcpStream, from: &str, to: SocketAddrV4) -> Child {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", &to.to_string(), "-bind", from]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut carrier = command.spawn().expect("openssl starts");
    let there = carrier.stdin.take().expect("its input is a pipe");
    let back = carrier.stdout.take().expect("its output is a pipe");
    let other = near.try_clone().expect("a socket can be cloned");
    thread::spawn(move || pour(other, there));
    thread::spawn(move || {
        let end = near.try_clone();
        pour(back, near);
        let _ = end.map(|end| end.shutdown(Shutdown::Both)); // it may be closed already
    });
    carrier
}

/// Until either side ends, at once and not in large pieces.
fn pour(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
