//! Rules about the source that no compiler checks: the rows that modules may look down, crates that live in one folder,
//! sizes, and words that must not be there.

use std::path::{Path, PathBuf};

/// The modules of the crate, lowest row first. A module uses only modules of rows below its own in this list.
const ROWS: &[&[&str]] = &[
    &["util"],
    &["message"],
    &["format", "task", "config"],
    &["event"],
    &["http", "docker", "ui"],
    &["mcp"],
    &["agent", "environment"],
    &["chat", "eval"],
    &["build", "report", "serve", "store"],
    &["dev", "view", "engine"],
    &["cli"],
];

/// Crates that only one place may name: each with the prefixes of the paths under `src/` that may.
const HOMES: &[(&str, &[&str])] = &[
    ("rmcp", &["mcp/"]),
    ("bollard", &["docker/"]),
    ("reqwest", &["http/"]),
    ("indicatif", &["ui/"]),
    ("console", &["ui/"]),
    ("comfy_table", &["ui/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("serde_yaml", &["util/yaml.rs"]),
    ("yaml_serde", &["util/yaml.rs"]),
    ("reedline", &["cli/repl/"]),
    ("notify", &["dev/watch.rs", "dev/watch/"]),
    ("notify_debouncer_full", &["dev/watch.rs", "dev/watch/"]),
    ("saphyr", &["task/file/", "task/file.rs"]),
    ("saphyr_parser", &["task/file/", "task/file.rs"]),
];

const MAX_LINES: usize = 800;
const MAX_LINES_OF_MAIN: usize = 15;

#[test]
fn source_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut problems = Vec::new();
    let mut files = 0;
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(&root.join(folder)) {
            files += 1;
            let shown = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            let text = std::fs::read_to_string(&path).unwrap();
            problems.extend(check_file(&shown, &text));
        }
    }
    assert!(files > 30, "found only {files} files: is the walk broken?");
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Everything wrong with one file, each as `path:line: what`. `path` is relative to the repository, as in `src/agent/api.rs`.
fn check_file(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        problems.push(format!(
            "{path}: {lines} lines, at most {MAX_LINES}: split it by what it does"
        ));
    }
    if path == "src/main.rs" && lines > MAX_LINES_OF_MAIN {
        problems.push(format!(
            "{path}: {lines} lines, at most {MAX_LINES_OF_MAIN}: move it to `cli`"
        ));
    }
    problems.extend(check_words(path, &tokens));
    if let Some(inside) = path.strip_prefix("src/") {
        problems.extend(check_homes(path, inside, &tokens));
        problems.extend(check_edges(path, inside, &tokens));
    }
    problems
}

fn check_words(path: &str, tokens: &[Token]) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let next = |offset: usize| {
            tokens
                .get(at + offset)
                .map_or("", |token| token.text.as_str())
        };
        let line = token.line;
        if matches!(token.text.as_str(), "todo" | "unimplemented") && next(1) == "!" {
            problems.push(format!(
                "{path}:{line}: `{}!`: no stub is merged",
                token.text
            ));
        }
        if token.text == "#" {
            let word = if next(1) == "!" { next(3) } else { next(2) };
            if word == "ignore" {
                problems.push(format!(
                    "{path}:{line}: `#[ignore]`: a test that cannot run says so with `support::require`"
                ));
            }
            if word == "allow" {
                problems.push(format!(
                    "{path}:{line}: `#[allow]`: use `#[expect(…, reason = \"…\")]`"
                ));
            }
        }
    }
    problems
}

fn check_homes(path: &str, inside: &str, tokens: &[Token]) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some((name, homes)) = HOMES.iter().find(|(name, _)| *name == token.text) else {
            continue;
        };
        let before = at.checked_sub(1).map_or("", |at| tokens[at].text.as_str());
        let before_that = at.checked_sub(2).map_or("", |at| tokens[at].text.as_str());
        let after = tokens.get(at + 1).map_or("", |token| token.text.as_str());
        // `crate::console::x` is a module of ours and `::console::x` is the crate.
        let is_ours = before == "." || (before == "::" && is_word(before_that));
        let names_crate = !is_ours && (after == "::" || before == "use" || before == "crate");
        if names_crate && !homes.iter().any(|home| inside.starts_with(home)) {
            problems.push(format!(
                "{path}:{}: names the crate `{name}`, which lives in src/{}",
                token.line, homes[0]
            ));
        }
    }
    problems
}

fn check_edges(path: &str, inside: &str, tokens: &[Token]) -> Vec<String> {
    // lib.rs is the architecture document and the public face: it declares and re-exports every module.
    if inside == "lib.rs" {
        return Vec::new();
    }
    let own = inside.split('/').next().unwrap().trim_end_matches(".rs");
    let mut problems = Vec::new();
    for (line, used) in uses(inside, tokens) {
        if inside == "main.rs" {
            if used != "cli" {
                problems.push(format!(
                    "{path}:{line}: uses `{used}`; the binary only calls `hud::cli`"
                ));
            }
            continue;
        }
        let Some(own_row) = row(own) else {
            problems.push(format!(
                "{path}: `{own}` is in no row: add it to ROWS and to DESIGN §2 on purpose"
            ));
            break;
        };
        let Some(used_row) = row(&used) else {
            problems.push(format!(
                "{path}:{line}: `crate::{used}` is in no row of the layer list"
            ));
            continue;
        };
        if used != own && used_row >= own_row {
            let direction = if used_row == own_row {
                "sideways"
            } else {
                "upward"
            };
            problems.push(format!(
                "{path}:{line}: `{own}` uses `crate::{used}`, which is {direction}"
            ));
        }
    }
    problems
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The modules at the root of the crate that the file names, each with its line: `crate::x`, `crate::{x, y::z}`, and chains of
/// `super` that reach the root.
fn uses(inside: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let root = if inside == "main.rs" { "hud" } else { "crate" };
    let mut found = Vec::new();
    // How many `super`s lead from the file's own module to the root of the crate.
    let stem = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    let file_depth = stem.split('/').count();
    // The brace depths at which inline modules were opened: each adds one to what `super` must climb.
    let mut braces = 0_usize;
    let mut inline = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let next = |offset: usize| {
            tokens
                .get(at + offset)
                .map_or("", |token| token.text.as_str())
        };
        match tokens[at].text.as_str() {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                while inline.last().is_some_and(|depth| *depth > braces) {
                    inline.pop();
                }
            }
            "mod" if is_word(next(1)) && next(2) == "{" => inline.push(braces + 1),
            word if word == root && next(1) == "::" => found.extend(first_segments(tokens, at + 2)),
            "super" => {
                let mut supers = 1;
                while next(supers * 2 - 1) == "::" && next(supers * 2) == "super" {
                    supers += 1;
                }
                at += supers * 2 - 2;
                let after = tokens.get(at + 1).map_or("", |token| token.text.as_str());
                if supers >= file_depth + inline.len() && after == "::" {
                    found.extend(first_segments(tokens, at + 2));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The first segment of the path that starts at `at`, or of every path in the braces there.
fn first_segments(tokens: &[Token], at: usize) -> Vec<(usize, String)> {
    let Some(first) = tokens.get(at) else {
        return Vec::new();
    };
    if first.text != "{" {
        return vec![(first.line, first.text.clone())];
    }
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut at_start = false;
    for token in &tokens[at..] {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                at_start = depth == 1;
            }
            "}" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            "," => at_start = depth == 1,
            word => {
                if at_start && word != "self" {
                    found.push((token.line, word.to_owned()));
                }
                at_start = false;
            }
        }
    }
    found
}

/// A word, or a piece of punctuation; `::` is one piece.
#[derive(Debug, PartialEq)]
struct Token {
    line: usize,
    text: String,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The words and punctuation of Rust source without its comments (so that links in docs are no edges), strings and characters.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let start = at;
        match chars[at] {
            '/' if peek(at + 1) == '/' => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            '/' if peek(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    if peek(at) == '/' && peek(at + 1) == '*' {
                        depth += 1;
                        at += 2;
                    } else if peek(at) == '*' && peek(at + 1) == '/' {
                        depth -= 1;
                        at += 2;
                    } else {
                        at += 1;
                    }
                    if depth == 0 || at >= chars.len() {
                        break;
                    }
                }
            }
            '"' => at = after_string(&chars, at),
            // `'a'` and `'\n'` are characters, `'a` is a lifetime.
            '\'' if peek(at + 1) == '\\' => {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if peek(at + 2) == '\'' => at += 3,
            '\'' => at += 1,
            first if first.is_alphabetic() || first == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                let raw =
                    matches!(word.as_str(), "r" | "br" | "cr") && matches!(peek(at), '"' | '#');
                if raw && let Some(end) = after_raw_string(&chars, at) {
                    at = end;
                } else if matches!(word.as_str(), "b" | "c") && peek(at) == '"' {
                    at = after_string(&chars, at);
                } else {
                    tokens.push(Token { line, text: word });
                }
            }
            ':' if peek(at + 1) == ':' => {
                at += 2;
                tokens.push(Token {
                    line,
                    text: "::".to_owned(),
                });
            }
            other => {
                at += 1;
                if !other.is_whitespace() {
                    tokens.push(Token {
                        line,
                        text: other.to_string(),
                    });
                }
            }
        }
        at = at.min(chars.len());
        line += chars[start..at]
            .iter()
            .filter(|&&char| char == '\n')
            .count();
    }
    tokens
}

/// The position after the string whose opening quote is at `at`.
fn after_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The position after the raw string whose hashes start at `at`, or nothing when it is a raw identifier.
fn after_raw_string(chars: &[char], mut at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|&&char| char == '#').count();
    at += hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        let closed = chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|&&char| char == '#')
                .count()
                == hashes;
        at += 1;
        if closed {
            return Some(at + hashes);
        }
    }
    Some(at)
}

mod tests {
    use super::check_file;

    fn check(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(check_file(path, text), expected, "{path}: {text}");
    }

    #[test]
    fn edges() {
        check("src/agent/api.rs", "use crate::message::Tool;", &[]);
        check("src/agent/run.rs", "use crate::agent::api;", &[]);
        check(
            "src/agent/api.rs",
            "use crate::eval::Plan;",
            &["src/agent/api.rs:1: `agent` uses `crate::eval`, which is upward"],
        );
        check(
            "src/agent/api.rs",
            "use std::fmt;\nuse crate::environment::Environment;",
            &["src/agent/api.rs:2: `agent` uses `crate::environment`, which is sideways"],
        );
        check(
            "src/event.rs",
            "use crate::{message::{Turn, eval}, agent::Request, util};",
            &["src/event.rs:1: `event` uses `crate::agent`, which is upward"],
        );
        check(
            "src/http/mod.rs",
            "pub fn x() {\n    crate::ui::print();\n    let y: crate::util::Y;\n}",
            &["src/http/mod.rs:2: `http` uses `crate::ui`, which is sideways"],
        );
        check(
            "src/store/write.rs",
            "use crate::surprise::X;",
            &["src/store/write.rs:1: `crate::surprise` is in no row of the layer list"],
        );
        check(
            "src/surprise/mod.rs",
            "use crate::util::X;",
            &[
                "src/surprise/mod.rs: `surprise` is in no row: add it to ROWS and to DESIGN §2 on purpose",
            ],
        );
        check("src/lib.rs", "pub use crate::eval::run;", &[]);
        check(
            "src/main.rs",
            "fn main() { hud::cli::main(); hud::eval::run(); }",
            &["src/main.rs:1: uses `eval`; the binary only calls `hud::cli`"],
        );
    }

    #[test]
    fn edges_through_super() {
        check("src/agent/provider/chat.rs", "use super::super::api;", &[]);
        check(
            "src/agent/provider/chat.rs",
            "use super::super::super::eval::Plan;",
            &["src/agent/provider/chat.rs:1: `agent` uses `crate::eval`, which is upward"],
        );
        check(
            "src/message/mod.rs",
            "use super::task;",
            &["src/message/mod.rs:1: `message` uses `crate::task`, which is upward"],
        );
        check("src/message/mod.rs", "mod tests { use super::task; }", &[]);
        check(
            "src/message/mod.rs",
            "mod tests { use super::a; } use super::eval;",
            &["src/message/mod.rs:1: `message` uses `crate::eval`, which is upward"],
        );
    }

    #[test]
    fn docs_comments_and_strings_are_no_edges() {
        check(
            "src/util/a.rs",
            "/// See [`crate::agent::Request`].\n//! crate::eval::run\n/* crate::cli /* nested */ crate::ui */",
            &[],
        );
        check(
            "src/util/a.rs",
            r##"const A: &str = "crate::eval"; const B: &str = r#"crate::"eval"#; const C: char = '"'; "##,
            &[],
        );
        check(
            "src/util/a.rs",
            r"fn f<'a>(x: &'a str) -> char { '\'' }",
            &[],
        );
        check(
            "src/util/a.rs",
            "const A: &str = \"\\\"\";\nuse crate::cli;",
            &["src/util/a.rs:2: `util` uses `crate::cli`, which is upward"],
        );
    }

    #[test]
    fn crates_at_home() {
        check("src/mcp/client.rs", "use rmcp::model::Tool;", &[]);
        check(
            "src/environment/api.rs",
            "use rmcp::model::Tool;",
            &["src/environment/api.rs:1: names the crate `rmcp`, which lives in src/mcp/"],
        );
        check(
            "src/agent/a.rs",
            "fn f() -> Result<(), reqwest::Error> {}",
            &["src/agent/a.rs:1: names the crate `reqwest`, which lives in src/http/"],
        );
        check(
            "src/eval/a.rs",
            "#[derive(clap::Parser)] struct A;",
            &["src/eval/a.rs:1: names the crate `clap`, which lives in src/cli/"],
        );
        check(
            "src/eval/a.rs",
            "let console = self.console(); crate::ui::console::x();",
            &[],
        );
        check("src/util/yaml.rs", "use serde_yaml;", &[]);
        check(
            "src/task/model.rs",
            "use serde_yaml;",
            &["src/task/model.rs:1: names the crate `serde_yaml`, which lives in src/util/yaml.rs"],
        );
        check("tests/it/a.rs", "use reqwest::Client;", &[]);
    }

    #[test]
    fn words_and_sizes() {
        check(
            "src/util/a.rs",
            "fn f() { todo!() }",
            &["src/util/a.rs:1: `todo!`: no stub is merged"],
        );
        check(
            "src/util/a.rs",
            "// todo! later\nconst A: &str = \"#[allow(x)]\";",
            &[],
        );
        check(
            "tests/it/a.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
            &[
                "tests/it/a.rs:2: `#[ignore]`: a test that cannot run says so with `support::require`",
            ],
        );
        check(
            "src/util/a.rs",
            "#![allow(dead_code)]",
            &["src/util/a.rs:1: `#[allow]`: use `#[expect(…, reason = \"…\")]`"],
        );
        check(
            "src/util/a.rs",
            "#[expect(dead_code, reason = \"…\")]\nfn allow() {}",
            &[],
        );
        check(
            "src/main.rs",
            &"\n".repeat(16),
            &["src/main.rs: 16 lines, at most 15: move it to `cli`"],
        );
        check(
            "src/util/a.rs",
            &"\n".repeat(801),
            &["src/util/a.rs: 801 lines, at most 800: split it by what it does"],
        );
    }
}
