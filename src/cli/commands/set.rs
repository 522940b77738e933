//! `hud set`: keeps keys in `~/.hud/.env`.

use std::path::Path;

use crate::cli::args::{KeyValue, SetArgs};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::config::env_vars;
use crate::ui::Printer;
use crate::util::fs;
use crate::util::interpolate::is_name;

/// Replaces or adds the assignments, keeping every other line of the file. Values are never printed.
pub(in crate::cli) fn run(
    args: &SetArgs,
    home: Option<&Path>,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let home = home.ok_or_else(|| {
        Failure::usage(
            "the home folder is unknown, so `~/.hud/.env` cannot be written\nhint: set HOME",
        )
    })?;
    for assignment in &args.assignments {
        check(assignment)?;
    }
    for assignment in &args.assignments {
        if let Some(meant) = slip(&assignment.key) {
            printer.warn(&format!(
                "hud reads no variable `{}`; did you mean `{meant}`?",
                assignment.key
            ));
        }
    }
    let folder = home.join(".hud");
    fs::create_dir_all(&folder).or_usage()?;
    let path = folder.join(".env");
    let old = fs::read_to_string_if_exists(&path)
        .or_usage()?
        .unwrap_or_default();
    // The temporary file behind an atomic write is created with mode 0600 and keeps it: nobody else can read the keys, at any moment.
    fs::write_atomic(&path, merged(&old, &args.assignments)).or_usage()?;
    let names: Vec<&str> = args.assignments.iter().map(|a| a.key.as_str()).collect();
    printer.talk(&format!(
        "saved {} in `{}`",
        names.join(", "),
        path.display()
    ));
    Ok(ExitCode::Success)
}

fn check(assignment: &KeyValue) -> Result<(), Failure> {
    let KeyValue { key, value } = assignment;
    if !is_name(key) {
        return Err(Failure::usage(format!(
            "`{key}` cannot be the name of a variable: expected letters, digits and `_`"
        )));
    }
    if value.contains('\0') {
        return Err(Failure::usage(format!("the value of {key} holds a NUL")));
    }
    Ok(())
}

/// The variable that was probably meant, when `key` is none that hud knows and looks like one.
fn slip(key: &str) -> Option<&'static str> {
    let known = || {
        let documented = env_vars::VARIABLES.iter().map(|variable| variable.name);
        documented.chain(env_vars::SECRET_VARS.iter().copied())
    };
    if known().any(|name| name == key) {
        return None;
    }
    // Names of variables share long endings (`_API_KEY`), so only a very near one is a slip.
    known()
        .map(|name| (strsim::damerau_levenshtein(name, key), name))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, name)| name)
}

/// `old` with the assignments in place of earlier ones of the same name, or at its end.
fn merged(old: &str, assignments: &[KeyValue]) -> String {
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    for assignment in assignments {
        let line = line(assignment);
        let same = |line: &String| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            line.split_once('=')
                .is_some_and(|(key, _)| key.trim() == assignment.key)
        };
        match lines.iter().position(same) {
            Some(at) => {
                lines[at] = line;
                // A later line of the same name would win when the file is read.
                let mut index = 0;
                lines.retain(|line| {
                    index += 1;
                    index - 1 <= at || !same(line)
                });
            }
            None => lines.push(line),
        }
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn line(KeyValue { key, value }: &KeyValue) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@+=,%".contains(c);
    if value.chars().all(plain) {
        return format!("{key}={value}");
    }
    let mut line = format!("{key}=\"");
    for c in value.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '"' | '\\' | '$' => line.extend(['\\', c]),
            c => line.push(c),
        }
    }
    line.push('"');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lines_stay() {
        let check = |old: &str, assignments: &[&str], expected: &str| {
            let assignments: Vec<KeyValue> = assignments
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
            assert_eq!(merged(old, &assignments), expected);
        };
        check("", &["A=1"], "A=1\n");
        check("# mine\nA=0\nB=2\n", &["A=1"], "# mine\nA=1\nB=2\n");
        check(
            "A=0\nB=2\nexport A=3",
            &["A=1", "C=x y"],
            "A=1\nB=2\nC=\"x y\"\n",
        );
        check("AB=1\n", &["A=it's"], "AB=1\nA=\"it's\"\n");
    }

    #[test]
    fn every_value_is_read_back() {
        for value in [
            "",
            "sk-ant-1",
            "a b",
            "it's",
            r#"both ' and ""#,
            r"\n $HOME #",
            "two\nlines",
            " ",
        ] {
            let assignment = KeyValue {
                key: "A".to_owned(),
                value: value.to_owned(),
            };
            let text = merged("B=1\n", &[assignment]);
            let read = crate::config::dotenv::parse(Path::new(".env"), &text);
            assert_eq!(
                read.values.get("A").map(String::as_str),
                Some(value),
                "{text}"
            );
            assert_eq!((read.values.len(), read.warnings.len()), (2, 0), "{text}");
        }
    }

    #[test]
    fn a_slip_in_a_known_name_is_found() {
        let check = |key: &str, expected| assert_eq!(slip(key), expected, "{key}");
        check("ANTHROPIC_API_KEY", None);
        check("ANTROPIC_API_KEY", Some("ANTHROPIC_API_KEY"));
        check("HUD_APIKEY", Some("HUD_API_KEY"));
        check("DATABASE_URL", None);
        check("MY_API_KEY", None);
    }

    #[test]
    fn impossible_assignments_are_refused() {
        for text in ["a-b=1", "1A=1", "A=x\0y"] {
            assert!(check(&text.parse().unwrap()).is_err(), "{text}");
        }
        assert!(check(&"HUD_API_KEY=sk-1".parse().unwrap()).is_ok());
    }
}
