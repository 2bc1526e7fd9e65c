//! Components are compiled in processes of their own: this program starts itself for that, so it has no harness of tests
//! around it. Each component that asks for more than it may is refused by the name of the bound, and nothing else notices.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use script::{Apart, Bounds, Sandboxes, Settings};

/// The argument that makes this program the compiling one.
const VERB: &str = "compile-component";

/// A sound component: a guest of the other tests.
static ACTOR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let cache = target.parent().expect("tmp lies in the target folder").join("guests");
    let packages = guest_build::Source::Packages(&source, &["actor".to_owned()]);
    let built = guest_build::build(packages, &target.join("guests"), &cache).expect("the guest builds");
    std::fs::read(&built[0].file).expect("was just written")
});

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == VERB) {
        return script::compile_for_parent(&arguments[1..]);
    }
    let tests: [(&str, fn()); 5] = [
        ("what_is_compiled_apart_is_what_this_engine_runs", what_is_compiled_apart_is_what_this_engine_runs),
        (
            "a_component_that_takes_too_much_memory_is_refused",
            a_component_that_takes_too_much_memory_is_refused,
        ),
        ("a_component_that_takes_too_much_cpu_is_refused", a_component_that_takes_too_much_cpu_is_refused),
        ("a_component_that_takes_too_long_is_refused", a_component_that_takes_too_long_is_refused),
        ("no_flipped_bit_takes_the_engine_down", no_flipped_bit_takes_the_engine_down),
    ];
    let wanted =
        |name: &str| arguments.iter().all(|argument| argument.starts_with('-') || name.contains(argument));
    for (name, test) in tests {
        if arguments.iter().any(|argument| argument == "--list") {
            println!("{name}: test");
        } else if wanted(name) {
            let begun = Instant::now();
            test();
            println!("test {name} ... ok ({:?})", begun.elapsed());
        }
    }
    ExitCode::SUCCESS
}

fn sandboxes(bounds: Bounds, cache: Option<&Path>) -> Sandboxes {
    let program = std::env::current_exe().expect("this program has a path");
    let apart = Some(Apart { program, arguments: vec![VERB.into()], bounds });
    let settings =
        Settings { sandboxes: 4, per_tenant: 4, apart, cache: cache.map(Into::into), ..Settings::default() };
    Sandboxes::new(settings).expect("this machine has room for a few sandboxes")
}

fn what_is_compiled_apart_is_what_this_engine_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let apart = sandboxes(Bounds::default(), Some(folder.path()));
    LazyLock::force(&ACTOR);
    let begun = Instant::now();
    let component = apart.compile(&ACTOR).expect("it is compiled");
    println!("{} bytes, compiled apart in {:?}", ACTOR.len(), begun.elapsed());
    assert_eq!((component.exports().len(), apart.compilations()), (2, 1));
    // Made by the process, kept by the engine: another engine finds it.
    let after = sandboxes(Bounds::default(), Some(folder.path()));
    after.compile(&ACTOR).expect("it is there");
    assert_eq!(after.compilations(), 0);
    // What is wrong with a component is told as before.
    let told = apart.compile(&ACTOR[..ACTOR.len() / 2]).err().expect("half of one is none");
    assert_eq!(told.problems[0].place, "component");
}

/// A component with so many functions of so many steps each, every one of which goes on with what others left behind:
/// many values live at once are what compiling takes its time and memory for.
fn bomb(functions: usize, steps: usize) -> Vec<u8> {
    const LOCALS: usize = 200;
    let mut body = String::new();
    for n in 0..steps {
        let (a, b, c) = (n % LOCALS, n * 31 % LOCALS, n * 77 % LOCALS);
        let _ = write!(
            body,
            "(if (i64.eqz (local.get {a})) (then (local.set {b} (i64.mul (local.get {c}) (local.get {a})))) \
             (else (local.set {c} (i64.add (local.get {b}) (i64.const {n})))))"
        );
    }
    let function = format!("(func (local {}) {body})", "i64 ".repeat(LOCALS));
    let text = format!(
        r#"(component
            (core module $m (func (export "f")) {})
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (export "on-call" (func $f))
            (export "on-ended" (func $f)))"#,
        function.repeat(functions)
    );
    wat::parse_str(text).expect("the text of the test is a component")
}

/// Why it is refused, by an engine that goes on.
fn refused(bounds: Bounds, component: &[u8]) -> String {
    let sandboxes = sandboxes(bounds, None);
    let told = sandboxes.compile(component).err().expect("it is refused").to_string();
    assert!(sandboxes.compile(ACTOR.as_slice()).is_ok(), "the next one is compiled");
    told
}

fn a_component_that_takes_too_much_memory_is_refused() {
    let told = refused(Bounds { memory: 96 << 20, ..Bounds::default() }, &bomb(1, 40_000));
    assert_eq!(told, "component: compiling it takes more than 100663296 bytes of memory (compile_memory)");
}

fn a_component_that_takes_too_much_cpu_is_refused() {
    let told = refused(Bounds { cpu: Duration::from_secs(1), ..Bounds::default() }, &bomb(16, 5_000));
    assert_eq!(told, "component: compiling it takes more than 1s of CPU (compile_cpu)");
}

fn a_component_that_takes_too_long_is_refused() {
    let time = Duration::from_millis(300);
    let begun = Instant::now();
    let bomb = bomb(16, 5_000);
    let bounds = Bounds { time, ..Bounds::default() };
    let told = sandboxes(bounds, None).compile(&bomb).err().expect("it is refused").to_string();
    assert_eq!(told, "component: compiling it takes longer than 300ms (compile_time)");
    assert!(begun.elapsed() < Duration::from_secs(30), "it was not waited for");
}

/// Every refusal is an answer, whatever bit is wrong: the process that compiles may end as it likes, this one goes on.
fn no_flipped_bit_takes_the_engine_down() {
    let sandboxes = sandboxes(Bounds::default(), None);
    let step = ACTOR.len() * 8 / 40;
    let mut refused = 0;
    for bit in (0..ACTOR.len() * 8).step_by(step) {
        let mut flipped = ACTOR.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused += usize::from(sandboxes.compile(&flipped).is_err());
    }
    assert!(refused > 0, "some bits matter");
    assert!(sandboxes.compile(&ACTOR).is_ok());
}
