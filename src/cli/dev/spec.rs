//! Which environment is meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::discovery::environments_in;
use crate::cli::failure::Failure;
use crate::cli::settings::{DRAIN, DevSettings, IMPORT_TIMEOUT, Served};
use crate::cli::target::{self, Target};
use crate::environment::Isolation;
use crate::task::file;
use crate::task::{ConnectionSpec, EnvironmentSpec};

/// The environment that `served` names, in the folder that the program runs in.
pub(in crate::cli) fn environment(
    served: &Served,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<EnvironmentSpec, Failure> {
    let target = match served {
        Served::Command(command) => return command_spec(command),
        Served::Source(source) => target::read(Some(source), variables)?,
        Served::Found => found(Path::new("."), variables)?,
    };
    let [spec] = target.environments()[..] else {
        return Err(Failure::usage(
            "the tasks use several environments, and a server serves one\nhint: name the environment itself, such as `hud dev env.py`",
        ));
    };
    check(spec)?;
    Ok(spec.clone())
}

/// The arguments of `hud` that serve the same environment over stdio from any folder.
pub(in crate::cli) fn arguments(
    settings: &DevSettings,
    spec: &EnvironmentSpec,
) -> std::io::Result<Vec<String>> {
    let mut args = vec!["dev".to_owned()];
    let mut command = Vec::new();
    match (spec, &settings.served) {
        (_, Served::Command(words)) => command.clone_from(words),
        (EnvironmentSpec::Python { source, attr, .. }, _) => {
            let attribute = attr.iter().map(|attr| format!(":{attr}"));
            args.push(source.display().to_string() + &attribute.collect::<String>());
        }
        (_, Served::Source(source)) => {
            args.push(std::path::absolute(source)?.display().to_string());
        }
        (_, Served::Found) => args.push(std::path::absolute(".")?.display().to_string()),
    }
    args.push("--stdio".to_owned());
    for path in &settings.watch {
        args.push("--watch".to_owned());
        args.push(std::path::absolute(path)?.display().to_string());
    }
    if !settings.watching {
        args.push("--no-watch".to_owned());
    }
    if settings.isolation != Isolation::Shared {
        args.push("--isolation".to_owned());
        args.push(settings.isolation.as_str().to_owned());
    }
    if let Some(python) = &settings.python {
        args.push("--python".to_owned());
        // A name is looked for in `PATH`; a path is one from here.
        let python = if python.components().count() > 1 {
            std::path::absolute(python)?
        } else {
            python.clone()
        };
        args.push(python.display().to_string());
    }
    if let Some(limit) = settings.tool_timeout {
        args.push("--tool-timeout".to_owned());
        args.push(limit.as_secs_f64().to_string());
    }
    for (flag, time, default) in [
        ("--drain", settings.drain, DRAIN),
        ("--import-timeout", settings.import_timeout, IMPORT_TIMEOUT),
    ] {
        if time != default {
            args.push(flag.to_owned());
            args.push(time.as_secs_f64().to_string());
        }
    }
    if !command.is_empty() {
        args.push("--".to_owned());
        args.extend(command);
    }
    Ok(args)
}

/// What a client may call the environment before it was ever started: its file's, or its folder's name.
pub(in crate::cli) fn name_of(spec: &EnvironmentSpec) -> String {
    let EnvironmentSpec::Python { source, .. } = spec else {
        return "environment".to_owned();
    };
    let is_usual = |stem: &str| ["env", "main", "__init__"].contains(&stem);
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let folder = source.parent().and_then(Path::file_name);
    match folder {
        Some(folder) if is_usual(&stem) => folder.to_string_lossy().into_owned(),
        _ => stem.into_owned(),
    }
}

fn command_spec(command: &[String]) -> Result<EnvironmentSpec, Failure> {
    Ok(EnvironmentSpec::Servers {
        servers: vec![(
            "environment".to_owned(),
            ConnectionSpec::Stdio {
                command: command.to_vec(),
                env: BTreeMap::new(),
                cwd: Some(std::path::absolute(".")?),
            },
        )],
    })
}

/// What the folder holds: one environment, else its task file.
fn found(folder: &Path, variables: &dyn Fn(&str) -> Option<String>) -> Result<Target, Failure> {
    let candidates = environments_in(folder);
    match candidates.as_slice() {
        [] => match file::discover(folder) {
            Ok(tasks) => target::read(Some(&tasks.display().to_string()), variables),
            Err(_) => Err(Failure::usage(
                "no environment here: no env.py, no package, no main.py that makes an `Environment`, no task file\n\
                 hint: `hud init NAME` creates one; `hud dev PATH` names one; `hud dev -- COMMAND` serves a program that speaks MCP",
            )),
        },
        [path] => target::python(path, None).map(Target::Environment),
        several => Err(Failure::usage(ambiguous(folder, several))),
    }
}

fn ambiguous(folder: &Path, candidates: &[PathBuf]) -> String {
    let shown = |path: &PathBuf| {
        if path == folder {
            ". (the package that this folder is)".to_owned()
        } else {
            path.strip_prefix(folder)
                .unwrap_or(path)
                .display()
                .to_string()
        }
    };
    let list: Vec<String> = candidates
        .iter()
        .map(|path| format!("  {}", shown(path)))
        .collect();
    let first = candidates.first().map(shown).unwrap_or_default();
    format!(
        "several environments are here:\n{}\nhint: name one, such as `hud dev {first}`, or set `source` in [dev] of hud.toml",
        list.join("\n")
    )
}

/// Only what runs here can be replaced by its new version.
fn check(spec: &EnvironmentSpec) -> Result<(), Failure> {
    let what = match spec {
        EnvironmentSpec::Python { .. } => return Ok(()),
        EnvironmentSpec::Servers { servers } => {
            match servers
                .iter()
                .find(|(_, server)| matches!(server, ConnectionSpec::Http { .. }))
            {
                Some((name, _)) => format!("`{name}` is a server behind a URL"),
                None => return Ok(()),
            }
        }
        EnvironmentSpec::Image { image, .. } => format!("`{image}` is a container image"),
        EnvironmentSpec::Hub { name, .. } => format!("`{name}` is a hosted environment"),
    };
    Err(Failure::usage(format!(
        "{what}, and `hud dev` reloads what runs from files here\nhint: name a Python source, or a program after `--`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;
    use crate::util::fs;

    const MAKES: &str = "env = Environment('x')\n";

    #[test]
    fn what_a_folder_holds_is_found_or_listed() {
        let check = |files: &[(&str, &str)], expected: Result<&str, &str>| {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                fs::write(&folder.path().join(name), text).unwrap();
            }
            match (found(folder.path(), &|_| None), expected) {
                (Ok(target), Ok(expected)) => {
                    let environments = target.environments();
                    let [EnvironmentSpec::Python { source, .. }] = environments[..] else {
                        panic!("{files:?}: {environments:?}");
                    };
                    assert_eq!(*source, folder.path().join(expected), "{files:?}");
                }
                (Err(failure), Err(expected)) => {
                    assert_eq!(words(&failure).unwrap(), expected, "{files:?}");
                }
                (got, _) => panic!("{files:?}: {got:?}"),
            }
        };
        check(&[("env.py", "")], Ok("env.py"));
        check(&[("server.py", MAKES)], Ok("server.py"));
        check(
            &[
                ("other.py", MAKES),
                ("tasks.yaml", "env: other.py\ntasks: [{scenario: a}]\n"),
            ],
            Ok("other.py"),
        );
        check(
            &[("env.py", ""), ("main.py", MAKES), ("__init__.py", MAKES)],
            Err(
                "several environments are here:\n  env.py\n  . (the package that this folder is)\n  main.py\n\
                 hint: name one, such as `hud dev env.py`, or set `source` in [dev] of hud.toml",
            ),
        );
        let none = found(tempfile::tempdir().unwrap().path(), &|_| None);
        assert!(
            words(&none.unwrap_err())
                .unwrap()
                .starts_with("no environment here: ")
        );
    }

    #[test]
    fn what_runs_elsewhere_cannot_be_reloaded() {
        let refused =
            |served: Served| words(&environment(&served, &|_| None).unwrap_err()).unwrap();
        let url = refused(Served::Source("http://127.0.0.1:1/mcp".to_owned()));
        assert!(
            url.starts_with("`environment` is a server behind a URL, and"),
            "{url}"
        );
        let command = environment(&Served::Command(vec!["node".to_owned()]), &|_| None).unwrap();
        assert!(matches!(command, EnvironmentSpec::Servers { .. }));
    }
}
