//! The binary `strowger`: see [`server`].

use std::process::ExitCode;

fn main() -> ExitCode {
    server::cli::main(server::floor::start)
}
