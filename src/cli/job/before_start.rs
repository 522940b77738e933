//! What files and flags tell by themselves, so that nothing has to start for it.

use crate::agent::provider::AgentType;
use crate::cli::failure::Failure;
use crate::config::{Origin, Setting};
use crate::environment::EnvironmentOptions;
use crate::task::{ConnectionSpec, EnvironmentSpec, Task, TaskError, TaskErrors};
use crate::util::process;
use std::path::{Path, PathBuf};

/// Checks that each environment can be started by this version and that its program is there. All mistakes are reported at once, each
/// environment at the first task that uses it.
pub(super) fn check_environments(
    tasks: &[Task],
    options: &EnvironmentOptions,
) -> Result<(), Failure> {
    let mut seen: Vec<&EnvironmentSpec> = Vec::new();
    let mut mistakes = Vec::new();
    for task in tasks {
        if seen.contains(&&task.env) {
            continue;
        }
        seen.push(&task.env);
        let found = mistakes_of(&task.env, options);
        mistakes.extend(found.into_iter().map(|message| TaskError {
            location: task.location.clone(),
            message: in_task(&message, task),
        }));
    }
    usage(mistakes)
}

/// Checks that `--python` (or `python` of `hud.toml`) is there, for the environments that would use it.
pub(super) fn check_python<'a>(
    asked: Option<&Setting<PathBuf>>,
    mut environments: impl Iterator<Item = &'a EnvironmentSpec>,
    options: &EnvironmentOptions,
) -> Result<(), Failure> {
    let Some(asked) = asked else { return Ok(()) };
    let is_used =
        environments.any(|spec| matches!(spec, EnvironmentSpec::Python { python: None, .. }));
    match no_python(&asked.value, options) {
        Some(mistake) if is_used => Err(Failure::usage(match &asked.origin {
            Origin::Flag => format!("--python: {mistake}"),
            origin => format!("{origin}: python: {mistake}"),
        })),
        Some(_) | None => Ok(()),
    }
}

/// Checks that each task has a solution when those are what is played.
pub(super) fn check_solutions(tasks: &[Task], agent: AgentType) -> Result<(), Failure> {
    if agent != AgentType::Oracle {
        return Ok(());
    }
    let without = tasks.iter().filter(|task| task.solution.is_none());
    usage(
        without
            .map(|task| TaskError {
                location: task.location.clone(),
                message: format!("task '{}' has no solution for the oracle to play", task.slug),
            })
            .collect(),
    )
    .map_err(|failure| match failure {
        Failure::Usage(error) => Failure::usage(format!(
            "{error}\nhint: add `solution: {{tool_calls: [{{name: …, arguments: {{…}}}}], answer: …}}` to each, or leave them out with --task-ids"
        )),
        other => other,
    })
}

/// The failure of an environment, as a mistake of the file when the file names what the environment does not have.
pub(super) fn classified(task: &Task, message: &str) -> Option<TaskError> {
    let EnvironmentSpec::Python {
        attr: Some(attr), ..
    } = &task.env
    else {
        return None;
    };
    // Only the import tells which names a module has; the worker's words for it are these.
    message
        .contains(&format!("has no Environment named '{attr}'"))
        .then(|| TaskError {
            location: task.location.clone(),
            message: in_task(message, task),
        })
}

fn in_task(message: &str, task: &Task) -> String {
    let (first, rest) = message
        .split_once('\n')
        .map_or((message, ""), |(a, b)| (a, b));
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("\n{rest}")
    };
    format!("{first} (in task '{}'){rest}", task.slug)
}

fn usage(mistakes: Vec<TaskError>) -> Result<(), Failure> {
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(Failure::Usage(TaskErrors::new(mistakes).into()))
    }
}

fn mistakes_of(spec: &EnvironmentSpec, options: &EnvironmentOptions) -> Vec<String> {
    match spec {
        EnvironmentSpec::Python { python, .. } => python
            .as_deref()
            .and_then(|python| no_python(python, options))
            .into_iter()
            .collect(),
        EnvironmentSpec::Servers { servers } => servers
            .iter()
            .filter_map(|(_, connection)| no_program(connection, options))
            .collect(),
        EnvironmentSpec::Image { image, .. } => vec![format!(
            "this version does not start images\nhint: run it as a command: {{command: [docker, run, -i, --rm, {image}]}}"
        )],
        EnvironmentSpec::Hub { name, .. } => vec![format!(
            "this version does not resolve hosted environments by name\nhint: reach `{name}` by its address: {{url: …, headers: {{…}}}}"
        )],
    }
}

fn no_python(asked: &Path, options: &EnvironmentOptions) -> Option<String> {
    let path = options.variables.get("PATH").map(String::as_str);
    process::find(&asked.to_string_lossy(), path)
        .is_none()
        .then(|| format!("there is no Python at `{}`", asked.display()))
}

fn no_program(connection: &ConnectionSpec, options: &EnvironmentOptions) -> Option<String> {
    let ConnectionSpec::Stdio { command, env, cwd } = connection else {
        return None;
    };
    let name = command.first()?;
    let path = env.get("PATH").or_else(|| options.variables.get("PATH"));
    let folder = cwd.as_ref().unwrap_or(&options.folder);
    let is_there = (name.contains('/') && folder.join(name).is_file())
        || process::find(name, path.map(String::as_str)).is_some();
    (!is_there).then(|| {
        format!("there is no program `{name}`\nhint: give its path, or put it on the PATH")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::cli::failure::words;
    use crate::cli::settings::testing::task;
    use crate::task::{Solution, Workdir};

    fn options() -> EnvironmentOptions {
        EnvironmentOptions {
            variables: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            secrets: BTreeMap::new(),
            python: None,
            cache: None,
            wrapper: None,
            logs: PathBuf::new(),
            folder: PathBuf::from("/"),
            startup_timeout: Duration::ZERO,
        }
    }

    fn python(python: Option<&str>, attr: Option<&str>) -> EnvironmentSpec {
        EnvironmentSpec::Python {
            source: "/e/env.py".into(),
            attr: attr.map(str::to_owned),
            python: python.map(PathBuf::from),
            workdir: Workdir::Shared,
            env: BTreeMap::new(),
        }
    }

    fn command(program: &str) -> EnvironmentSpec {
        EnvironmentSpec::Servers {
            servers: vec![(
                "environment".to_owned(),
                ConnectionSpec::Stdio {
                    command: vec![program.to_owned()],
                    env: BTreeMap::new(),
                    cwd: None,
                },
            )],
        }
    }

    fn said(outcome: Result<(), Failure>) -> String {
        outcome
            .err()
            .and_then(|failure| words(&failure))
            .unwrap_or_default()
    }

    #[test]
    fn what_cannot_start_is_told_with_its_place_once() {
        let tasks = [
            command("no-such-program"),
            command("no-such-program"),
            command("sh"),
            command("bin/sh"),
            python(Some("/nope"), None),
            EnvironmentSpec::Hub {
                name: "x".to_owned(),
                include: None,
                exclude: Vec::new(),
            },
        ]
        .map(|env| {
            let mut task = task("a");
            task.env = env;
            task
        });
        insta::assert_snapshot!(said(check_environments(&tasks, &options())), @r"
        tasks.yaml:1:1: there is no program `no-such-program` (in task 'a')
        hint: give its path, or put it on the PATH
        tasks.yaml:1:1: there is no Python at `/nope` (in task 'a')
        tasks.yaml:1:1: this version does not resolve hosted environments by name (in task 'a')
        hint: reach `x` by its address: {url: …, headers: {…}}
        3 errors
        ");
        assert_eq!(said(check_environments(&tasks[2..4], &options())), "");
    }

    #[test]
    fn a_python_that_is_asked_for_must_be_there_when_it_is_used() {
        let check = |asked: &str, spec: &EnvironmentSpec, expected: &str| {
            let asked = Setting::flag(PathBuf::from(asked));
            let outcome = check_python(Some(&asked), [spec].into_iter(), &options());
            assert_eq!(said(outcome), expected);
        };
        let mistake = "--python: there is no Python at `/nope`";
        check("/nope", &python(None, None), mistake);
        check("/nope", &python(Some("/bin/sh"), None), "");
        check("/nope", &command("sh"), "");
        check("sh", &python(None, None), "");
    }

    #[test]
    fn the_oracle_needs_solutions() {
        let mut tasks = [task("a"), task("b"), task("c")];
        tasks[1].solution = Some(Solution::default());
        insta::assert_snapshot!(said(check_solutions(&tasks, AgentType::Oracle)), @r"
        tasks.yaml:1:1: task 'a' has no solution for the oracle to play
        tasks.yaml:1:1: task 'c' has no solution for the oracle to play
        2 errors
        hint: add `solution: {tool_calls: [{name: …, arguments: {…}}], answer: …}` to each, or leave them out with --task-ids
        ");
        assert_eq!(said(check_solutions(&tasks, AgentType::Claude)), "");
        assert_eq!(said(check_solutions(&tasks[1..2], AgentType::Oracle)), "");
    }

    #[test]
    fn a_name_that_the_module_does_not_have_is_a_mistake_of_the_file() {
        let check = |attr: Option<&str>, message: &str, expected: Option<&str>| {
            let mut task = task("a");
            task.env = python(None, attr);
            let got = classified(&task, message).map(|mistake| mistake.to_string());
            assert_eq!(got.as_deref(), expected);
        };
        let message = "/e/env.py has no Environment named 'nope' (it has: env)\nmore";
        check(
            Some("nope"),
            message,
            Some(
                "tasks.yaml:1:1: /e/env.py has no Environment named 'nope' (it has: env) (in task 'a')\nmore",
            ),
        );
        check(Some("env"), message, None);
        check(None, message, None);
        check(Some("nope"), "ImportError", None);
    }
}
