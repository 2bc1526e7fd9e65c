//! `serve`: opens the node, starts the shards and the API, and stays until a signal: SIGTERM or
//! SIGINT stop gracefully, a second one at once, SIGHUP reads the configuration again.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::{Failed, StartShards};
use crate::config::{self, Demo};
use crate::http;
use crate::node::{Node, StartError};
use crate::recordings;
use crate::scripts::Compiler;

/// The demo's state, unless --data says otherwise.
const DEMO_DATA: &str = "data";

/// Requests of the API share so many threads; what takes long is done on others.
const HTTP_THREADS: usize = 2;

#[derive(Args)]
pub(super) struct Serve {
    /// The file, or the folder with one file per tenant; without it: the demo world
    #[arg(long)]
    config: Option<PathBuf>,
    /// The folder for all state, in place of the configuration's
    #[arg(long)]
    data: Option<PathBuf>,
    /// Write the log as JSON, a line each
    #[arg(long)]
    log_json: bool,
}

pub(super) fn run(serve: Serve, start: StartShards) -> Result<ExitCode, Failed> {
    log(serve.log_json);
    let (world, demo) = match &serve.config {
        Some(file) => {
            let mut world = config::load(file)?;
            if let Some(data) = serve.data {
                world.node.data = data;
            }
            (world, None)
        }
        None => {
            let data = serve.data.unwrap_or_else(|| PathBuf::from(DEMO_DATA));
            let unusable = |why| StartError::Data(data.clone(), why);
            std::fs::create_dir_all(&data).map_err(unusable)?;
            let demo = config::demo(&data, own_address()).map_err(unusable)?;
            (demo.world.clone(), Some(demo))
        }
    };
    let scripts = runtime("scripts", guest_threads(), || {
        let _ = rustix::process::nice(GUESTS_NICE); // a thread that is as quick as before serves as well
        script::background::may_go_here();
    })?;
    let others = runtime("http", HTTP_THREADS, || {})?;
    let address = world.http.listen;
    let (node, unsealed) = Node::open(world, serve.config, scripts.handle().clone(), Some(compiler()))?;
    let listener = others.block_on(TcpListener::bind(address)).map_err(|why| {
        Failed(format!("the API can't listen on {address}: {why}; write another [http] listen"))
    })?;
    node.set_shards(start(&node, unsealed)?);
    let (end, ended) = watch::channel(false);
    others.spawn(node.clone().sweep());
    others.spawn(crate::tasks::watch(node.clone()));
    others.spawn(recordings::sweep::keep(node.clone()));
    others.spawn(crate::post::delivery::deliver(node.clone()));
    let api = others.spawn(http::serve(node.clone(), listener, ended));
    match &demo {
        Some(demo) => print!("{}", how_to_call(demo, address, &node.world().node.data)),
        None => println!("strowger serves; its API is at http://{address}"),
    }
    others.block_on(until_stopped(&node))?;
    let _ = end.send(true);
    others.block_on(async {
        if tokio::time::timeout(std::time::Duration::from_secs(1), api).await.is_err() {
            tracing::warn!("requests are still under way; they are cut off");
        }
    });
    // What still runs has nothing to say any more.
    scripts.shutdown_background();
    others.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// This program, as it was when it started, whatever stands at its path by now.
fn compiler() -> Compiler {
    Compiler { program: "/proc/self/exe".into(), arguments: vec!["compile-component".to_owned()] }
}

async fn until_stopped(node: &Arc<Node>) -> Result<(), Failed> {
    let hear = |kind| signal(kind).map_err(|why| StartError::Os("signals can't be heard", why));
    let mut terminate = hear(SignalKind::terminate())?;
    let mut interrupt = hear(SignalKind::interrupt())?;
    let mut hang_up = hear(SignalKind::hangup())?;
    loop {
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => break,
            _ = hang_up.recv() => {
                let node = node.clone();
                match tokio::task::spawn_blocking(move || node.reload()).await {
                    Ok(Ok(())) => tracing::info!("the configuration was read again"),
                    Ok(Err(mistakes)) => tracing::error!("the configuration before goes on:\n{mistakes}"),
                    Err(why) => tracing::error!("the configuration before goes on: {why}"),
                }
            }
        }
    }
    tracing::info!("stopping: no new calls; a second signal stops at once");
    node.stop(either(&mut terminate, &mut interrupt)).await;
    Ok(())
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Guests that compute for long get half of the cores, so that whatever they compute, signalling and sound find one.
fn guest_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// How much guests that compute for long leave the processor to others: signalling and sound run at 0.
const GUESTS_NICE: i32 = 10;

fn runtime(
    name: &'static str,
    threads: usize,
    start: impl Fn() + Send + Sync + 'static,
) -> Result<Runtime, StartError> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .on_thread_start(start)
        .enable_all()
        .build()
        .map_err(|why| StartError::Os("threads can't start", why))
}

/// To standard error; RUST_LOG chooses what.
fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Set once, at the start of the process; a second time there is one already.
    let _ = if json { log.json().try_init() } else { log.try_init() };
}

/// The address that this machine would use towards the world; nothing is sent to find out.
fn own_address() -> IpAddr {
    let towards = |socket: UdpSocket| {
        socket.connect("192.0.2.1:9")?;
        Ok(socket.local_addr()?.ip())
    };
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(towards).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

fn how_to_call(demo: &Demo, api: std::net::SocketAddr, data: &Path) -> String {
    let host = &demo.host;
    let mut text = format!("\nstrowger serves the demo world. Its state is in {}.\n\n", data.display());
    text.push_str("  user    number  password\n");
    for (name, number, password) in &demo.users {
        text.push_str(&format!("  {name:<7} {number:<7} {password}\n"));
    }
    text.push_str(
        "\n  700  a menu: 1 rings ana, 2 rings boris, 3 is the echo\n  \
         701  a group: everybody rings\n  \
         702  an echo: you hear yourself\n  \
         703  yours: strowger script new mine && strowger script build mine && strowger script push mine\n",
    );
    text.push_str(&format!(
        "\nHow to call it: in a softphone, make an account with user name ana, the password above and the\n\
         domain (SIP server) {host}, port 5060, UDP; then call 702.\n"
    ));
    if let Some((name, _, password)) = demo.users.first() {
        text.push_str(&format!(
            "With baresip, put this line into ~/.baresip/accounts, and dial sip:702@{host}:\n\
             <sip:{name}@{host}>;auth_user={name};auth_pass={password};answermode=manual\n"
        ));
    }
    text.push_str(&format!(
        "\nThe API is at http://{api}, described at /v1/openapi.json. The operator's token:\n\
         export STROWGER_TOKEN={}\n",
        demo.token
    ));
    text
}
