//! Embeds the shipped scripts, every folder of `scripts/`: the component that `make guests` built, from the folder
//! that STROWGER_GUESTS names or from `target/guests` of the workspace, and the schema of its settings.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=STROWGER_GUESTS");
    // Cargo runs this in the package's folder. Seen from there, so that a target folder that another clone filled
    // does not bring the other clone's scripts.
    let workspace = Path::new("../..");
    let guests =
        env::var_os("STROWGER_GUESTS").map_or_else(|| workspace.join("target/guests"), PathBuf::from);
    // A script that is new is a new package of the workspace.
    println!("cargo::rerun-if-changed={}", workspace.join("Cargo.lock").display());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let mut text = String::from("/// Every shipped script, by name.\npub const SHIPPED: &[Shipped] = &[\n");
    for folder in scripts(&workspace.join("scripts")) {
        let name = &*folder.file_name().expect("a folder of scripts/").to_string_lossy();
        let component = guests.join(name).with_extension("wasm");
        let schema = folder.join("settings.schema.json");
        println!("cargo::rerun-if-changed={}", component.display());
        println!("cargo::rerun-if-changed={}", schema.display());
        copy(&component, &out.join(name).with_extension("wasm"), "run make guests first");
        copy(
            &schema,
            &out.join(name).with_extension("json"),
            "STROWGER_WRITE_SCHEMAS=1 cargo test writes it",
        );
        writeln!(
            text,
            "    Shipped {{ name: \"strowger/{name}\", component: include_bytes!(concat!(env!(\"OUT_DIR\"), \
             \"/{name}.wasm\")), schema: include_str!(concat!(env!(\"OUT_DIR\"), \"/{name}.json\")) }},",
        )
        .expect("a string takes what is written");
    }
    text.push_str("];\n");
    write(&out.join("shipped.rs"), text.as_bytes());
}

/// Brings a file beside what is generated, which then names no folder that another clone would not have.
fn copy(from: &Path, to: &Path, otherwise: &str) {
    match fs::read(from) {
        Ok(bytes) => write(to, &bytes),
        Err(why) => println!("cargo::error={} is missing ({why}); {otherwise}", from.display()),
    }
}

/// Anew, not over what may be another folder's as well: target folders are copied by linking.
fn write(to: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(to);
    fs::write(to, bytes).expect("cargo's folder can be written");
}

/// The folders that hold a package, by name.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("a folder that is there can be read").path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .collect();
    found.sort();
    found
}
