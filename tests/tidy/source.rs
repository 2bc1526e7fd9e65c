//! The files of the repository, and Rust text with its comments and strings blanked out, so that a rule
//! reads code and not what is said about it. It knows as much of Rust's grammar as that takes.

use std::path::{Path, PathBuf};

/// Folders that are not ours to judge.
const SKIPPED: &[&str] = &["target", ".git", "vectors", "node_modules", "corpus", "artifacts"];

/// A text file of the repository.
pub struct Source {
    /// From the repository's root, with slashes.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Comments, strings and characters blanked; lines stay where they are. Rust files only.
    pub code: String,
    /// Declared under `#[cfg(test)]` by the module above.
    declared_for_tests: bool,
}

impl Source {
    /// For a rule's own test.
    pub fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code_of(text) } else { String::new() };
        Self { path: path.into(), text: text.into(), code, declared_for_tests: false }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is for tests or benches.
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        self.declared_for_tests || parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
    }

    /// The code that ships, and the code for tests: what follows a `#[cfg(test)]`, which stands last in a
    /// file, or everything.
    pub fn shipped_and_test(&self) -> (&str, &str) {
        if self.is_test() {
            return ("", &self.code);
        }
        let marks = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(crate) mod tests {"];
        let cut = marks.iter().filter_map(|mark| self.code.find(mark)).min().unwrap_or(self.code.len());
        self.code.split_at(cut)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

/// Every text file of the repository, in the order of their paths.
pub fn all() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry of it").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(&root).expect("found under it").to_string_lossy().into_owned();
                found.push(Source::new(&path, &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let for_tests: Vec<String> = found.iter().flat_map(declared_for_tests).collect();
    for source in &mut found {
        source.declared_for_tests = for_tests.contains(&source.path);
    }
    found
}

/// Where the modules are that this one declares for tests only.
fn declared_for_tests(source: &Source) -> Vec<String> {
    let Some((folder, file)) = source.path.rsplit_once('/') else { return Vec::new() };
    let folder = match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    let declared = source.code.split("#[cfg(test)]\nmod ").skip(1);
    declared.filter_map(|rest| Some(format!("{folder}/{}.rs", rest.split_once(';')?.0.trim()))).collect()
}

/// Where each of `words` stands in the code as a word of its own: line number, from 1, and the word.
/// A word may hold `::`; it is then also found within a longer path's beginning or end.
pub fn words<'a>(code: &str, words: &[&'a str]) -> Vec<(usize, &'a str)> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for word in words {
            let stands = line
                .match_indices(word)
                .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part));
            if stands {
                found.push((number + 1, *word));
            }
        }
    }
    found
}

fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, blank) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => (block_comment(rest), true),
            '"' => (quoted(rest), true),
            'r' | 'b' | 'c' if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                match prefixed(rest) {
                    Some(length) => (length, true),
                    None => (1, false),
                }
            }
            '\'' => match character(rest) {
                Some(length) => (length, true),
                None => (1, false),
            },
            other => (other.len_utf8(), false),
        };
        let (taken, behind) = rest.split_at(length);
        if blank {
            code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(taken);
        }
        rest = behind;
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`; none when the letter begins a name.
fn prefixed(text: &str) -> Option<usize> {
    let letters = text.find(|c| !matches!(c, 'r' | 'b' | 'c'))?;
    let raw = text[..letters].contains('r');
    let hashes = text[letters..].find(|c| c != '#')?;
    let opens = letters + hashes;
    if letters > 2 || !text[opens..].starts_with('"') || (!raw && hashes > 0) {
        return None;
    }
    if !raw {
        return Some(opens + quoted(&text[opens..]));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[opens + 1..].find(&end).map_or(text.len(), |at| opens + 1 + at + end.len()))
}

/// A character literal; none when the quote begins a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

#[test]
fn comments_strings_and_characters_are_blanked_and_code_stays() {
    let text = concat!(
        "let a = \"tokio // \\\" sled\"; // tokio\n",
        "let b = r#\"rand \" \"#; /* sled /* x */ y */ let c = '\"'; let d: &'a str = b\"rsip\";\n",
        "let e = '\\''; bar(br\"x\", number); ring::tokio();\n",
    );
    let code = code_of(text);
    assert_eq!(code.len(), text.len());
    let told: Vec<_> = words(&code, &["tokio", "sled", "rand", "rsip", "bar", "number"]);
    assert_eq!(told, [(3, "tokio"), (3, "bar"), (3, "number")]);
    assert!(code.contains("let d: &'a str ="), "{code}");
}

#[test]
fn what_follows_the_tests_mark_is_for_tests() {
    let source = Source::new("engine/a/src/b.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n}\n");
    let (shipped, test) = source.shipped_and_test();
    assert_eq!(shipped, "fn a() {}\n");
    assert!(test.starts_with("#[cfg(test)]"));
    assert!(Source::new("engine/a/tests/b.rs", "").is_test());
    assert!(Source::new("engine/a/src/b/tests.rs", "").is_test());
    assert!(!Source::new("engine/a/src/latests.rs", "").is_test());
    let above = Source::new("engine/a/src/b/mod.rs", "mod c;\n#[cfg(test)]\nmod d;\nmod e;\n");
    assert_eq!(declared_for_tests(&above), ["engine/a/src/b/d.rs"]);
}
