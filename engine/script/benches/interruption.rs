//! What it costs a guest that it can be stopped: the same work compiled with the engine's epochs, which is how
//! scripts run, with fuel, and with neither.
//!
//! `cargo bench -p script --bench interruption`.

#![allow(missing_docs)] // criterion's macro makes a public function

use criterion::{Criterion, criterion_group, criterion_main};
use wasmtime::{Config, Engine, Instance, Module, Store, TypedFunc};

/// A loop that does nothing but count, which is the worst case; and a sum over 64 KiB of text, word by word with a
/// call for each, which is nearer to what a script does with its settings.
const WORK: &str = r#"
(module
  (memory 1)
  (func $mix (param i32 i32) (result i32)
    (i32.mul (i32.xor (local.get 0) (local.get 1)) (i32.const 16777619)))
  (func (export "count") (param i32) (result i32)
    (loop $again
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0)))
    (local.get 0))
  (func (export "sum") (param i32) (result i32) (local $at i32) (local $sum i32)
    (loop $again
      (local.set $at (i32.const 0))
      (loop $next
        (local.set $sum (call $mix (local.get $sum) (i32.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 65536))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0)))
    (local.get $sum)))
"#;

const COUNTS: i32 = 1_000_000;
const SUMS: i32 = 20;

fn interruption(criterion: &mut Criterion) {
    for how in ["neither", "epochs", "fuel"] {
        for (work, times) in [("count", COUNTS), ("sum", SUMS)] {
            let (mut store, run) = compiled(how, work);
            criterion.bench_function(&format!("{work}, with {how}"), |bench| {
                bench.iter(|| run.call(&mut store, times).expect("nothing stops it"));
            });
        }
    }
}

fn compiled(how: &str, work: &str) -> (Store<()>, TypedFunc<i32, i32>) {
    let mut config = Config::new();
    config.epoch_interruption(how == "epochs").consume_fuel(how == "fuel");
    let engine = Engine::new(&config).expect("the settings go together");
    let module = wat::parse_str(WORK).expect("it is Wasm");
    let module = Module::new(&engine, module).expect("it is valid");
    let mut store = Store::new(&engine, ());
    match how {
        "epochs" => store.set_epoch_deadline(1),
        "fuel" => store.set_fuel(u64::MAX).expect("fuel is on"),
        _ => {}
    }
    let instance = Instance::new(&mut store, &module, &[]).expect("it asks for nothing");
    let run = instance.get_typed_func(&mut store, work).expect("it is exported");
    (store, run)
}

criterion_group!(benches, interruption);
criterion_main!(benches);
