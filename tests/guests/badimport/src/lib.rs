//! A call script that also imports `intruder:host/files`, which no exchange offers: refused at upload, by name.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, unsafe_code)]

wit_bindgen::generate!({
    path: "../../../wit",
    inline: r#"
        package intruder:host;
        interface files { read: func(path: string) -> list<u8>; }
        world intruder {
            import files;
            include strowger:script/call-script@0.1.1;
        }
    "#,
    world: "intruder:host/intruder",
    generate_all,
});

struct Intruder;

impl Guest for Intruder {
    fn on_call(caller: Leg) -> Result<(), Failure> {
        let _ = caller.answer();
        intruder::host::files::read("/etc/passwd");
        Ok(())
    }
    fn on_ended(_: CallRecord) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Intruder);
