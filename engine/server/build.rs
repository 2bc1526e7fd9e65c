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
    let mut text = String::from("/// Every shipped script, by name.\npub const SHIPPED: &[Shipped] = &[\n");
    for folder in scripts(&workspace.join("scripts")) {
        let name = folder.file_name().expect("a folder of scripts/").to_string_lossy();
        let component = guests.join(&*name).with_extension("wasm");
        let schema = folder.join("settings.schema.json");
        println!("cargo::rerun-if-changed={}", component.display());
        println!("cargo::rerun-if-changed={}", schema.display());
        match (fs::canonicalize(&component), fs::canonicalize(&schema)) {
            (Ok(component), Ok(schema)) => {
                writeln!(
                    text,
                    "    Shipped {{ name: \"strowger/{name}\", component: include_bytes!({component:?}), \
                     schema: include_str!({schema:?}) }},",
                )
                .expect("a string takes what is written");
            }
            (Err(why), _) => {
                println!("cargo::error={} is missing ({why}); run make guests first", component.display());
            }
            (_, Err(why)) => {
                println!(
                    "cargo::error={} is missing ({why}); STROWGER_WRITE_SCHEMAS=1 cargo test writes it",
                    schema.display()
                );
            }
        }
    }
    text.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where")).join("shipped.rs");
    // Anew, not over what may be another folder's as well: target folders are copied by linking.
    let _ = fs::remove_file(&out);
    fs::write(&out, text).expect("cargo's folder can be written");
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
