//! Writes the .h and .c of each world for the C SDK from `wit/`, with the hash of what they were made from on top.

use std::error::Error;
use std::path::Path;

use sha2::{Digest, Sha256};
use wit_bindgen_core::Files;
use wit_parser::Resolve;

fn main() -> Result<(), Box<dyn Error>> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wit = std::fs::read_to_string(sdk.join("../../wit/strowger.wit"))?;
    let hash: String = Sha256::digest(&wit).iter().map(|byte| format!("{byte:02x}")).collect();
    for world in ["call-script", "queue-strategy", "task-script"] {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("strowger.wit", &wit)?;
        let world = resolve.select_world(&[package], Some(world))?;
        let mut files = Files::default();
        // The type goes into the component when it is made, so its own object is not needed.
        let options = wit_bindgen_c::Opts { no_object_file: true, ..wit_bindgen_c::Opts::default() };
        options.build().generate(&mut resolve, world, &mut files)?;
        for (name, bytes) in files.iter() {
            let text = format!("// From wit/strowger.wit with the SHA-256 {hash}.\n{}", std::str::from_utf8(bytes)?);
            std::fs::write(sdk.join(name), text)?;
        }
    }
    Ok(())
}
