//! New projects in other languages than Rust are ones that work, and the SDKs' own tests pass. Needs the tools of
//! tests/install-tools.sh.

use guest_build::{Kind, Language, Sdk, Source, build, new_project};
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
    for (name, kind) in [("js-call", Kind::Call), ("js-queue", Kind::Queue)] {
        let project = project(name, Language::JavaScript, kind);
        passes(&project, "node", &["--test"]);
        builds(&project);
    }
}

#[test]
fn new_projects_in_typescript_are_rightly_typed_build_and_pass_their_tests() {
    for (name, kind) in [("ts-call", Kind::Call), ("ts-queue", Kind::Queue)] {
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
    for (name, kind) in [("py-call", Kind::Call), ("py-queue", Kind::Queue)] {
        let project = project(name, Language::Python, kind);
        passes(&project, "python3", &["-m", "unittest"]);
        builds(&project);
    }
}

#[test]
fn new_projects_in_c_build() {
    for (name, kind) in [("c-call", Kind::Call), ("c-queue", Kind::Queue)] {
        builds(&project(name, Language::C, kind));
    }
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

#[test]
fn the_sdks_own_tests_pass() {
    let sdks = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    passes(&sdks.join("js"), "node", &["--test", "test/"]);
    // The examples with the SDK beside them, as a build puts it there.
    for (language, test) in [("js", ["node", "--test", ""]), ("python", ["python3", "-m", "unittest"])] {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("reception");
        let mut copy = Command::new("cp");
        let copied = copy.arg("-r").arg(sdks.join(language).join("examples/reception")).arg(&project);
        assert!(copied.status().unwrap().success());
        let (sdk, beside) = match language {
            "js" => (sdks.join("js"), project.join("node_modules/@strowger/script")),
            _ => (sdks.join("python/strowger_script"), project.join("strowger_script")),
        };
        let _ = std::fs::remove_dir_all(&beside);
        std::fs::create_dir_all(beside.parent().unwrap()).unwrap();
        assert!(Command::new("cp").arg("-r").arg(&sdk).arg(&beside).status().unwrap().success());
        let arguments: Vec<_> = test[1..].iter().copied().filter(|word| !word.is_empty()).collect();
        passes(&project, test[0], &arguments);
    }
}
