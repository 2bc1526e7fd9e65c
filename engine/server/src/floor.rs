//! The start of the exchange proper over an open node: sockets of signalling, media threads, shards;
//! in this order, because each is handed what the one before made.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use media::Media;
use rustix::process::{Resource, getrlimit, setrlimit};
use store::Unsealed;

use crate::config::World;
use crate::node::{Node, StartError};
use crate::recovery;
use crate::shard::{Inboxes, Surroundings};
use crate::shards::Shards;
use crate::signalling::{Transports, own_address_towards};
use crate::sounds::Sounds;

/// Somewhere in the world, to ask the routing table about; nothing is sent there (RFC 5737).
const FAR_AWAY: ([u8; 4], u16) = ([192, 0, 2, 1], 9);

/// The same in IPv6 (RFC 3849).
const FAR_AWAY_V6: ([u16; 8], u16) = ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9);

/// Streams of a media thread before the next one gets any: about a fifth of a core when all are relayed.
const STREAMS_BEFORE_NEXT: usize = 400;

/// Begins to take calls.
pub fn start(node: &Arc<Node>, unsealed: Vec<Unsealed>) -> Result<Arc<dyn Shards>, StartError> {
    let world = node.world();
    raise_open_files();
    let found = recovery::find(node, unsealed).map_err(StartError::Store)?;
    node.script_runtime.spawn(recovery::beat(world.node.data.clone()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let seed = seed().map_err(|why| StartError::Os("no randomness for a start", why))?;
    let transports =
        Transports::bind(&world).map_err(|why| StartError::Os("signalling can't listen", why))?;
    let transports = Arc::new(transports);
    let advertise = advertised(&world);
    let threads = |why| StartError::Os("threads can't start", why);
    let inboxes = Inboxes::new(world.node.shards.unwrap_or(cores), node, &transports).map_err(threads)?;
    let heard = inboxes.clone();
    let media = Media::start(
        media::Config {
            bind: world.media.listen,
            advertise: advertise.unwrap_or(world.media.listen),
            ports: world.media.ports.clone(),
            threads: world.media.threads.unwrap_or(cores),
            fill: STREAMS_BEFORE_NEXT,
            recordings: world.node.data.join("recordings"),
            // Zero is never.
            timeout: Some(world.media.silence).filter(|silence| !silence.is_zero()).unwrap_or(Duration::MAX),
            seed: seed.rotate_left(17),
        },
        move |event| heard.heard(event),
    );
    let media =
        media.map_err(|why| StartError::Os("sound can't start", std::io::Error::other(why.to_string())))?;
    let host = advertise.or_else(|| own_address_towards(SocketAddr::from(FAR_AWAY)));
    let bound = transports.bound();
    let advertised = bound.iter().filter_map(|&(transport, local)| match advertise {
        Some(ip) if ip.is_ipv6() == local.is_ipv6() || local.ip().is_unspecified() => {
            Some((transport, SocketAddr::new(ip, local.port())))
        }
        // What is bound to every address says the one that a message leaves from.
        _ => (!local.ip().is_unspecified()).then_some((transport, local)),
    });
    let likely = bound.iter().filter_map(|&(transport, local)| {
        let far: SocketAddr = if local.is_ipv6() { FAR_AWAY_V6.into() } else { FAR_AWAY.into() };
        let ip = own_address_towards(far).filter(|_| local.ip().is_unspecified())?;
        Some((transport, SocketAddr::new(ip, local.port())))
    });
    let surroundings = Arc::new(Surroundings {
        node: node.clone(),
        media,
        sounds: Sounds::new(node),
        advertised: advertised.collect(),
        likely: likely.collect(),
        host: host.unwrap_or(IpAddr::from([127, 0, 0, 1])).to_string(),
        transports: transports.clone(),
    });
    // What comes waits for the shards, which may have something to send as soon as they run.
    transports.start(Arc::new(inboxes.clone()));
    inboxes.start(&surroundings, seed, found).map_err(threads)?;
    Ok(Arc::new(inboxes))
}

/// A call has four sockets, and most systems let a program have a thousand files open unless it asks for all
/// that it may have.
fn raise_open_files() {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    if let Err(why) = setrlimit(Resource::Nofile, files) {
        tracing::warn!(%why, "the limit of open files stays low; about 200 calls fit in 1,024");
    }
}

/// The address that the far side is told, where the configuration names one.
fn advertised(world: &World) -> Option<IpAddr> {
    let name = world.sip.advertise.as_deref()?;
    if let Ok(ip) = name.trim_matches(['[', ']']).parse() {
        return Some(ip);
    }
    let found = (name, 0).to_socket_addrs().ok()?.next();
    if found.is_none() {
        tracing::error!(name, "the advertised name is not known; sockets tell their own address");
    }
    found.map(|address| address.ip())
}

fn seed() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
