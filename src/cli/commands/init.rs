//! `hud init`: writes a template that is embedded in the binary.

use std::path::{Path, PathBuf};

use anyhow::Context;
use include_dir::{Dir, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{UndefinedBehavior, context};

use crate::cli::args::{InitArgs, Template};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::ui::Printer;
use crate::util::fs;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Writes the files of the template and says what to do next.
pub(in crate::cli) fn run(args: &InitArgs, printer: &Printer) -> Result<ExitCode, Failure> {
    check_name(&args.name)?;
    let folder = args.dir.join(&args.name);
    let files = render(args.template, &args.name)?;

    // All or nothing: a half-written project next to the user's own files would be hard to tell apart.
    let existing: Vec<String> = files
        .iter()
        .map(|(path, _)| folder.join(path))
        .filter(|path| path.exists())
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if !existing.is_empty() && !args.force {
        return Err(Failure::usage(format!(
            "{} already {}\nhint: choose another name, or overwrite with --force",
            existing.join(", "),
            if existing.len() == 1 {
                "exists"
            } else {
                "exist"
            },
        )));
    }

    for (path, text) in &files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).or_usage()?;
        }
        fs::write(&path, text).or_usage()?;
    }

    let names: Vec<String> = files
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    printer.talk(&format!(
        "created `{}`: {}\n\nnext:\n  cd {}\n  hud eval --model oracle              # play each task's own solution: no key needed\n  \
         hud eval --model claude-sonnet-4-6   # needs ANTHROPIC_API_KEY; see `hud eval --help` for other models\n  \
         hud dev                              # serve it: save a file, and the next call runs the new code",
        folder.display(),
        names.join(", "),
        shell_word(&folder),
    ));
    Ok(ExitCode::Success)
}

/// A name that can be a folder, an environment and a word on a command line.
fn check_name(name: &str) -> Result<(), Failure> {
    let fine = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fine {
        return Ok(());
    }
    let suggestion: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let suggestion = suggestion.trim_matches(|c: char| !c.is_ascii_alphabetic());
    let suggestion = if suggestion.is_empty() {
        "my-environment"
    } else {
        suggestion
    };
    Err(Failure::usage(format!(
        "`{name}` cannot be the name of an environment: expected a letter, then letters, digits, `-` or `_`\nhint: try `hud init {suggestion}`, \
         and `--dir` for another place"
    )))
}

/// Path (relative to the new folder) and text of each file, in order.
fn render(template: Template, name: &str) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let folder = TEMPLATES
        .get_dir(template.folder())
        .with_context(|| format!("the template `{}` is not in this build", template.folder()))?;
    let mut engine = minijinja::Environment::new();
    engine.set_syntax(
        SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .build()?,
    );
    // A misspelt variable in a template must fail a test, not leave a hole in a user's file.
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut files = Vec::new();
    let mut waiting = vec![folder];
    while let Some(dir) = waiting.pop() {
        waiting.extend(
            dir.dirs()
                .filter(|dir| !dir.path().ends_with("__pycache__")),
        );
        for file in dir.files() {
            let path = file.path().strip_prefix(folder.path())?;
            let text = file
                .contents_utf8()
                .with_context(|| format!("`{}` is not text", file.path().display()))?;
            let text = engine
                .render_str(text, context! { name })
                .with_context(|| format!("in `{}`", file.path().display()))?;
            files.push((path.to_owned(), text));
        }
    }
    files.sort();
    Ok(files)
}

/// `path` as one word of a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let text = text.strip_prefix("./").unwrap_or(&text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_template_renders() {
        for template in Template::value_variants() {
            let files = render(*template, "my-name").unwrap();
            let names: Vec<String> = files
                .iter()
                .map(|(path, _)| path.display().to_string())
                .collect();
            assert!(
                names.contains(&"env.py".to_owned()),
                "{template:?}: {names:?}"
            );
            assert!(
                names.contains(&"tasks.yaml".to_owned()),
                "{template:?}: {names:?}"
            );
            for (path, text) in &files {
                assert!(!text.contains("{{"), "{template:?}: {}", path.display());
                assert!(text.ends_with('\n'), "{template:?}: {}", path.display());
            }
            assert!(files.iter().any(|(_, text)| text.contains("my-name")));
        }
    }

    #[test]
    fn a_name_is_a_word() {
        for name in ["demo", "my-env_2", "A"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "2nd", "a b", "../x", ".", "-x", "é"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn paths_are_quoted_when_they_must_be() {
        let check = |path: &str, expected: &str| assert_eq!(shell_word(Path::new(path)), expected);
        check("./demo", "demo");
        check("/tmp/a b/demo", "'/tmp/a b/demo'");
        check("it's", r"'it'\''s'");
    }
}
