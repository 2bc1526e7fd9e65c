//! New projects in other languages than Rust are ones that work, and the SDKs' own tests pass. Needs the tools of
//! tests/install-tools.sh.

use guest_build::{Kind, Language, Sdk, Source, build, new_project, unit_tests};
use std::path::{Path, PathBuf};
use std::process::Command;

/// In a folder that stays, so that what has not changed is not built again.
fn project(name: &str, language: Language, kind: Kind) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects");
    std::fs::create_dir_all(&folder).unwrap();
    let built = folder.join(name).join("target");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.target"));
    let _ = std::fs::remove_dir_all(&kept);
    let _ = std::fs::rename(&built, &kept);
    let _ = std::fs::remove_dir_all(folder.join(name));
    let project = new_project(&folder, name, language, kind, Sdk::Version("0.1")).unwrap();
    let _ = std::fs::rename(&kept, &built);
    project
}

fn builds(project: &Path) {
    let out = project.join("target");
    let built = build(Source::Project(project), &out, &out).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(built[0].file, out.join(project.file_name().unwrap()).with_extension("wasm"));
    // Preamble of a component: version 0xd, layer 1 (component model, binary format).
    assert_eq!(std::fs::read(&built[0].file).unwrap()[..8], *b"\0asm\x0d\0\x01\0");
    assert!(build(Source::Project(project), &out, &out).unwrap()[0].fresh);
}

fn passes(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).current_dir(folder).args(arguments).output();
    let output = output.unwrap_or_else(|why| panic!("{program}: {why}; tests/install-tools.sh brings it"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn new_projects_in_javascript_build_and_pass_their_tests() {
    for (name, kind) in [("js-call", Kind::Call), ("js-queue", Kind::Queue), ("js-task", Kind::Task)] {
        let project = project(name, Language::JavaScript, kind);
        passes(&project, "node", &["--test"]);
        builds(&project);
    }
}

#[test]
fn new_projects_in_typescript_are_rightly_typed_build_and_pass_their_tests() {
    for (name, kind) in [("ts-call", Kind::Call), ("ts-queue", Kind::Queue), ("ts-task", Kind::Task)] {
        let project = project(name, Language::TypeScript, kind);
        is_rightly_typed(&project);
        passes(&project, "node", &["--test", "target/tests/"]);
        builds(&project);
    }
}

/// The compiler agrees with the project, and with the SDK's declarations.
fn is_rightly_typed(project: &Path) {
    let mut tsc = guest_build::pinned("typescript").unwrap_or_else(|why| panic!("{why}"));
    let output = tsc.current_dir(project).output().expect("tsc starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_script_of_wrong_types_is_told_by_the_sdks_declarations() {
    let project = project("ts-wrong", Language::TypeScript, Kind::Call);
    let file = project.join("script.ts");
    let text = std::fs::read_to_string(&file).unwrap();
    for (right, wrong, told) in [
        ("forSecs: 20", "forSecs: \"20\"", "Type 'string' is not assignable to type 'number'"),
        ("caller.answer()", "caller.anwser()", "Did you mean 'answer'?"),
    ] {
        assert!(text.contains(right), "{right}");
        std::fs::write(&file, text.replace(right, wrong)).unwrap();
        let output = guest_build::pinned("typescript").unwrap().current_dir(&project).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && said.contains(told), "{said}");
    }
}

#[test]
fn new_projects_in_python_build_and_pass_their_tests() {
    for (name, kind) in [("py-call", Kind::Call), ("py-queue", Kind::Queue), ("py-task", Kind::Task)] {
        let project = project(name, Language::Python, kind);
        passes(&project, "python3", &["-m", "unittest"]);
        builds(&project);
    }
}

#[test]
fn new_projects_in_c_build_and_pass_their_tests() {
    for (name, kind) in [("c-call", Kind::Call), ("c-queue", Kind::Queue), ("c-task", Kind::Task)] {
        let project = project(name, Language::C, kind);
        assert!(unit_tests_pass(&project));
        builds(&project);
    }
}

/// As `strowger script test` has it.
fn unit_tests_pass(project: &Path) -> bool {
    let tests = unit_tests(project).unwrap_or_else(|why| panic!("{why}"));
    tests.expect("the project has tests").status().unwrap().success()
}

#[test]
fn a_test_in_c_that_fails_says_where_and_what_happened() {
    let project = project("c-wrong", Language::C, Kind::Call);
    let file = project.join("script_test.c");
    let text =
        std::fs::read_to_string(&file).unwrap().replace("talks_with(\"ana\")", "talks_with(\"boris\")");
    std::fs::write(&file, &text).unwrap();
    let output = unit_tests(&project).unwrap().expect("the project has tests").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = 1 + text.lines().position(|line| line.contains("boris")).unwrap();
    for told in [
        &format!("script_test.c:{line}:"),
        "the call would go on for ever: say what the caller does",
        "    5.0 s  ana answers",
        "what is left of the plan: talks with boris, hangs up 40 s",
        "not ok 1 - whoever_presses_1_speaks_with_sales",
        "ok 2 - when_sales_does_not_answer_the_caller_hears_a_low_tone",
    ] {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    std::fs::write(&file, "int main(void) { return nothing; }\n").unwrap();
    let said = unit_tests(&project).unwrap_err().to_string();
    assert!(
        said.contains("script_test.c:1:") && said.ends_with("the C compiler refuses the script"),
        "{said}"
    );
}

#[test]
fn a_script_that_its_tool_refuses_is_told_the_tools_words() {
    let project = project("broken", Language::JavaScript, Kind::Call);
    std::fs::write(project.join("script.js"), "export default script({ onCall(caller) {\n").unwrap();
    let said = build(Source::Project(&project), &project, &project).unwrap_err().to_string();
    assert!(said.contains("script.js:") && said.ends_with("esbuild refuses the script"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let said = build(Source::Project(empty.path()), &project, &project).unwrap_err().to_string();
    assert!(said.contains("has no Cargo.toml, package.json, pyproject.toml or script.c"), "{said}");
}

/// The reception of a language with the SDK beside it, as a build puts it there.
fn reception(folder: &Path, language: Language) -> PathBuf {
    let sdks = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let name = match language {
        Language::Python => "python",
        Language::C => "c",
        _ => "js",
    };
    let project = folder.join("reception");
    let example = sdks.join(name).join("examples/reception");
    assert!(Command::new("cp").arg("-r").arg(example).arg(&project).status().unwrap().success());
    project
}

#[test]
fn the_sdks_own_tests_pass() {
    let sdks = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    passes(&sdks.join("js"), "node", &["--test", "test/"]);
    passes(&sdks.join("python"), "python3", &["-m", "unittest", "discover", "-s", "test"]);
    for language in [Language::JavaScript, Language::Python, Language::C] {
        let folder = tempfile::tempdir().unwrap();
        assert!(unit_tests_pass(&reception(folder.path(), language)), "{language:?}");
    }
}

/// The simulator in C: strictly by ISO C11 and POSIX, with no word of either compiler, and of a sanitizer.
#[test]
fn the_c_sdks_own_tests_pass() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../c");
    let folder = tempfile::tempdir().unwrap();
    let call = ["test/sim_test.c", "sim/strowger_sim.c", "sim/mailbox.c", "sim/world.c"];
    let queue = ["test/queue_sim_test.c", "sim/strowger_queue_sim.c"];
    for (compiler, sanitize) in
        [("clang", &[][..]), ("gcc", &["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"])]
    {
        for sources in [&call[..], &queue] {
            let program = folder.path().join("tests").display().to_string();
            let strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-I.", "-Isim"];
            let rest = ["sim/strowger_test.c", "-lm", "-o", &program];
            passes(&sdk, compiler, &[&strict[..], sanitize, sources, &rest].concat());
            passes(&sdk, &program, &[]);
        }
    }
}

/// The same plan in JavaScript as in the example's script_test.c.
const IN_JAVASCRIPT: &str = r#"
import { text } from "@strowger/script";
import { Caller, Telephone, User } from "@strowger/script/sim";
import reception from "./script.js";

const calls = (ana) =>
  Caller.from("+359888123456")
    .withSettings({ greeting: "welcome", group: "sales", then: "+359888000101" })
    .calendar("office", "open")
    .there(ana.inGroup("sales"))
    .there(new User("boris").inGroup("sales").busy())
    .there(new Telephone("+359888000101").rejectsAfter(3, 603));
const ana = () => new User("ana");
const welcome = (ana) => calls(ana).hears("welcome");
for (const plan of [
  welcome(ana().answersAfter(4)).presses("1").hearsRinging().talksWith("ana").hangsUpAfter(40),
  welcome(ana().neverAnswers()).presses("1").hears(text("Nobody answers.")).speaksFor(5),
  calls(ana()).calendar("office", "closed").isHandedOverTo("strowger/voicemail"),
  welcome(ana()).presses("2").hears("parcel-number").presses("12#").fallsBack(),
]) {
  console.log(plan.run(reception).timeline.join("\n"));
}
"#;

#[test]
fn the_simulators_of_c_and_javascript_tell_the_same_timelines() {
    let (c, js) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let said = |mut command: Command| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let mut in_c = unit_tests(&reception(c.path(), Language::C)).unwrap().expect("it has tests");
    in_c.arg("-v");
    let in_c = said(in_c);
    let project = reception(js.path(), Language::JavaScript);
    // Puts the SDK there.
    let _ = unit_tests(&project).unwrap();
    std::fs::write(project.join("timelines.js"), IN_JAVASCRIPT).unwrap();
    let mut in_js = Command::new("node");
    in_js.current_dir(&project).arg("timelines.js");
    let in_js = said(in_js);
    let in_c: Vec<_> = in_c.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let in_js: Vec<_> = in_js.lines().collect();
    assert!(in_js.len() > 40, "{in_js:#?}");
    // C has one test more.
    assert_eq!(in_c[..in_js.len()], in_js);
}
