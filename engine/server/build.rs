//! Embeds the shipped scripts: components that `make guests` built, from the folder that
//! STROWGER_GUESTS names or from `target/guests` of the workspace.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Folder names below `scripts/`.
const SHIPPED: [&str; 14] = [
    "agent",
    "call-back",
    "echo",
    "history",
    "hours",
    "internal",
    "menu",
    "owner",
    "park",
    "pickup",
    "queue",
    "ring",
    "secretary",
    "voicemail",
];

fn main() {
    println!("cargo::rerun-if-env-changed=STROWGER_GUESTS");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guests =
        env::var_os("STROWGER_GUESTS").map_or_else(|| workspace.join("target/guests"), PathBuf::from);
    let mut text = String::from(
        "/// Name and component of each shipped script.\npub const SHIPPED: &[(&str, &[u8])] = &[\n",
    );
    for name in SHIPPED {
        let file = guests.join(name).with_extension("wasm");
        println!("cargo::rerun-if-changed={}", file.display());
        match fs::canonicalize(&file) {
            Ok(file) => {
                writeln!(
                    text,
                    "    (\"strowger/{name}\", include_bytes!({:?})),",
                    file.display().to_string()
                )
                .expect("a string takes what is written");
            }
            Err(why) => println!("cargo::error={} is missing ({why}); run make guests first", file.display()),
        }
    }
    text.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where")).join("shipped.rs");
    fs::write(&out, text).expect("cargo's folder can be written");
}
