//! The binary `strowger`: see [`server`].

use std::process::ExitCode;

fn main() -> ExitCode {
    server::cli::main(|_, _| {
        let why = std::io::Error::other("this build has none");
        Err(server::node::StartError::Os("shards can't start", why))
    })
}
