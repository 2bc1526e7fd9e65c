//! The rules of `wit/`: every item says what it is and since when it exists, and no integer has 64 bits,
//! because JavaScript engines disagree about those. It reads lines: one item, field or case on each.

use crate::source::{Source, words};

/// What is wrong with a WIT file.
pub fn broken(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    // Word by word on the text without its comments.
    let code: Vec<&str> = source.text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    for (line, word) in words(&code.join("\n"), &["u64", "s64"]) {
        broken.push(format!("{}:{line}: {word}", source.path));
    }
    let (mut documented, mut dated) = (false, false);
    // The kind of what is open around a line, outermost first.
    let mut open: Vec<&str> = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("///") {
            documented = true;
            continue;
        }
        if line.starts_with("@since") {
            dated = true;
            continue;
        }
        let kind = line.split([' ', ':']).next().unwrap_or("");
        if !line.is_empty() && !matches!(kind, "}" | "use" | "import" | "package" | "//") {
            let mut complain =
                |what: &str| broken.push(format!("{}:{}: {what}: {line}", source.path, number + 1));
            if !documented {
                complain("not documented");
            }
            // A field, a case or a method is as old as what holds it, and so is what a world exports.
            if matches!(open.as_slice(), [] | ["interface"]) && !dated {
                complain("no @since");
            }
        }
        if !line.is_empty() {
            (documented, dated) = (false, false);
        }
        if line.ends_with('{') {
            open.push(kind);
        } else if line == "}" {
            open.pop();
        }
    }
    broken
}

#[test]
fn each_rule_sees_what_breaks_it() {
    let good = "/// A.\npackage a:b;\n/// B.\n@since(version = 0.1.0)\ninterface c {\n  use d.{e};\n  /// F.\n  \
                @since(version = 0.1.0)\n  record f {\n    /// G: u64.\n    g: u32,\n  }\n}\n";
    let told = |text: &str| broken(&Source::new("wit/a.wit", text));
    assert_eq!(told(good), <[String; 0]>::default());
    assert_eq!(told(&good.replace("u32", "u64")), ["wit/a.wit:11: u64"]);
    assert_eq!(told(&good.replace("    /// G: u64.\n", "")), ["wit/a.wit:10: not documented: g: u32,"]);
    assert_eq!(told(&good.replace("  /// F.\n", "")), ["wit/a.wit:8: not documented: record f {"]);
    assert_eq!(
        told(&good.replacen("@since(version = 0.1.0)\n", "", 1)),
        ["wit/a.wit:4: no @since: interface c {"]
    );
}
