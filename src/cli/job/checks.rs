//! What can be checked once the environments have told what they offer, before the first rollout starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::agent::filters::unmatched;
use crate::cli::failure::Failure;
use crate::environment::{Description, EnvironmentOptions, ScenarioInfo, missing_variables};
use crate::task::arguments::{self, Parameter};
use crate::task::{AgentConfig, ConnectionSpec, EnvironmentSpec, Task, TaskError, TaskErrors};
use crate::util::suggest::did_you_mean;

/// What each environment that started says of itself.
pub(in crate::cli) type Descriptions = Vec<(EnvironmentSpec, Arc<Description>)>;

/// Checks that each task's scenario exists, takes the task's arguments and has the variables it needs. All mistakes are reported at once.
///
/// A task whose environment did not start is left to its rollout, which says why.
pub(in crate::cli) fn check_scenarios(
    tasks: &[Task],
    descriptions: &Descriptions,
    options: &EnvironmentOptions,
) -> Result<(), Failure> {
    let mut mistakes = Vec::new();
    let mut unset = BTreeSet::new();
    for task in tasks {
        let (Some(name), Some(description)) = (&task.scenario, find(descriptions, &task.env))
        else {
            continue;
        };
        match scenario(name, &task.env, description) {
            None => mistakes.push(TaskError {
                location: task.location.clone(),
                message: format!("{} (in task '{}')", unknown(name, description), task.slug),
            }),
            Some(scenario) => {
                mistakes.extend(arguments::check(task, &parameters(scenario)));
                unset.extend(missing(scenario, options, &task.env));
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::Usage(TaskErrors::new(mistakes).into()));
    }
    if unset.is_empty() {
        Ok(())
    } else {
        let unset: Vec<String> = unset.into_iter().collect();
        Err(Failure::usage(unset.join("\n")))
    }
}

/// The scenario called `name` (`scenario` or `environment:scenario`) in `env`.
pub(in crate::cli) fn scenario<'a>(
    name: &str,
    env: &EnvironmentSpec,
    description: &'a Description,
) -> Option<&'a ScenarioInfo> {
    let short = name
        .strip_prefix(&format!("{}:", description.name))
        .unwrap_or(name);
    // A server may put another name before its scenarios than it gives itself, and there may be several; the part after the colon decides
    // then. A Python environment has one name.
    let last = match env {
        EnvironmentSpec::Servers { .. } => after_colon(name),
        EnvironmentSpec::Python { .. }
        | EnvironmentSpec::Image { .. }
        | EnvironmentSpec::Hub { .. } => short,
    };
    description
        .scenarios
        .iter()
        .find(|scenario| scenario.name == short || scenario.name == last)
}

fn after_colon(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, last)| last)
}

/// What a scenario declares, for the check of arguments.
pub(in crate::cli) fn parameters(scenario: &ScenarioInfo) -> Vec<Parameter> {
    scenario
        .arguments
        .iter()
        .map(|argument| Parameter {
            name: argument.name.clone(),
            required: argument.required,
            schema: argument.schema.clone(),
        })
        .collect()
}

/// What to say of a scenario that is not there.
pub(in crate::cli) fn unknown(name: &str, description: &Description) -> String {
    let names = || description.scenarios.iter().map(|s| s.name.as_str());
    let short = after_colon(name);
    let suggestion = if short != name && names().any(|own| own == short) {
        // Only the environment's name is wrong.
        format!("; did you mean '{}:{short}'?", description.name)
    } else {
        did_you_mean(short, names())
    };
    let known = if description.scenarios.is_empty() {
        "; it has none".to_owned()
    } else if suggestion.is_empty() {
        format!("; it has {}", names().collect::<Vec<_>>().join(", "))
    } else {
        suggestion
    };
    format!(
        "the environment `{}` has no scenario '{name}'{known}",
        description.name
    )
}

/// A sentence for each tool that a filter names and no environment has: likely a slip.
pub(in crate::cli) fn tool_filter_warnings(
    tasks: &[Task],
    base: &AgentConfig,
    descriptions: &Descriptions,
) -> Vec<String> {
    // Tools that appear only after a scenario's setup are unknown here, so this can warn, never refuse.
    let mut warnings = BTreeSet::new();
    for (key, names_of) in [
        (
            "allowed_tools",
            allowed as fn(&AgentConfig) -> Option<&Vec<String>>,
        ),
        ("disallowed_tools", disallowed),
    ] {
        let mut seen_in_some = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        for task in tasks {
            let Some(description) = find(descriptions, &task.env) else {
                continue;
            };
            let names = names_of(&task.agent).or(names_of(base));
            let Some(names) = names else { continue };
            let wrong = unmatched(names.iter().map(String::as_str), &description.tools);
            seen_in_some.extend(names.iter().filter(|name| !wrong.contains(name)));
            unknown.extend(wrong.into_iter().map(|name| {
                let near = did_you_mean(&name, shown_tools(description));
                (name, near)
            }));
        }
        for (name, near) in unknown {
            if !seen_in_some.contains(&name) {
                warnings.insert(format!(
                    "{key}: no environment has a tool called '{name}'{near}"
                ));
            }
        }
    }
    warnings.into_iter().collect()
}

/// What to say of variables that `scenario` needs in `env` and that nobody set. A server behind a URL has its own.
pub(in crate::cli) fn missing(
    scenario: &ScenarioInfo,
    options: &EnvironmentOptions,
    env: &EnvironmentSpec,
) -> Option<String> {
    let own = match env {
        EnvironmentSpec::Python { env, .. } | EnvironmentSpec::Image { env, .. } => env.clone(),
        EnvironmentSpec::Servers { servers } => {
            let mut own = BTreeMap::new();
            for (_, connection) in servers {
                match connection {
                    ConnectionSpec::Stdio { env, .. } => own.extend(env.clone()),
                    ConnectionSpec::Http { .. } => return None,
                }
            }
            own
        }
        EnvironmentSpec::Hub { .. } => return None,
    };
    missing_variables(scenario, options, &own)
}

fn allowed(config: &AgentConfig) -> Option<&Vec<String>> {
    config.allowed_tools.as_ref()
}

fn disallowed(config: &AgentConfig) -> Option<&Vec<String>> {
    config.disallowed_tools.as_ref()
}

fn shown_tools(description: &Description) -> impl Iterator<Item = &str> {
    description
        .tools
        .iter()
        .map(|tool| tool.name.as_str())
        .filter(|name| !name.starts_with('_'))
}

fn find<'a>(descriptions: &'a Descriptions, env: &EnvironmentSpec) -> Option<&'a Description> {
    descriptions
        .iter()
        .find(|(spec, _)| spec == env)
        .map(|(_, description)| description.as_ref())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::cli::failure::words;
    use crate::cli::settings::testing::task;
    use crate::environment::ScenarioInfo;
    use crate::message::Tool;

    fn descriptions(env: &EnvironmentSpec) -> Descriptions {
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: String::new(),
            input_schema: serde_json::Value::Null,
            output_schema: None,
            source: None,
            meta: serde_json::Map::new(),
        };
        let scenario = |name: &str, required: &[&str]| ScenarioInfo {
            name: name.to_owned(),
            description: String::new(),
            arguments: Vec::new(),
            chat: false,
            required_env_vars: required.iter().map(|name| (*name).to_owned()).collect(),
        };
        vec![(
            env.clone(),
            Arc::new(Description {
                name: "trivia".to_owned(),
                version: String::new(),
                instructions: None,
                tools: vec![tool("lookup"), tool("_hidden")],
                scenarios: vec![scenario("initials", &[]), scenario("db", &["DATABASE_URL"])],
                task_rows: Vec::new(),
                isolation: String::new(),
                isolation_reason: None,
            }),
        )]
    }

    fn options(secrets: &[&str]) -> EnvironmentOptions {
        EnvironmentOptions {
            variables: BTreeMap::new(),
            secrets: secrets
                .iter()
                .map(|name| ((*name).to_owned(), "x".to_owned()))
                .collect(),
            python: None,
            cache: None,
            wrapper: None,
            logs: PathBuf::new(),
            folder: PathBuf::new(),
            startup_timeout: Duration::ZERO,
        }
    }

    fn with_scenario(name: &str) -> Task {
        let mut task = task(name);
        task.scenario = Some(name.to_owned());
        task
    }

    #[test]
    fn scenarios_must_exist_and_have_their_variables() {
        let check = |scenarios: &[&str], secrets: &[&str], expected: &[&str]| {
            let tasks: Vec<Task> = scenarios.iter().map(|name| with_scenario(name)).collect();
            let outcome = check_scenarios(&tasks, &descriptions(&tasks[0].env), &options(secrets));
            let error = outcome.err().and_then(|failure| words(&failure));
            match expected {
                [] => assert_eq!(error, None),
                parts => {
                    let error = error.unwrap();
                    for part in parts {
                        assert!(error.contains(part), "{error}");
                    }
                }
            }
        };
        check(&["initials", "trivia:initials"], &[], &[]);
        check(&["db"], &["DATABASE_URL"], &[]);
        check(&["db"], &[], &["needs the variable DATABASE_URL"]);
        check(
            &["other:initials", "Trivia:initials", "other:initial"],
            &[],
            &[
                "tasks.yaml:1:1: the environment `trivia` has no scenario 'other:initials'; did you mean 'trivia:initials'? (in task",
                "has no scenario 'Trivia:initials'; did you mean 'trivia:initials'?",
                "has no scenario 'other:initial'; did you mean 'initials'?",
            ],
        );
        check(
            &["initial", "zzz", "initials"],
            &[],
            &[
                "tasks.yaml:1:1: the environment `trivia` has no scenario 'initial'; did you mean 'initials'? (in task 'initial')\n",
                "has no scenario 'zzz'; it has initials, db",
            ],
        );
    }

    #[test]
    fn a_server_behind_a_url_has_its_own_names_and_variables() {
        let connections = [
            ConnectionSpec::Http {
                url: "http://h".to_owned(),
                headers: BTreeMap::new(),
                sampling: false,
            },
            ConnectionSpec::Stdio {
                command: vec!["server".to_owned()],
                env: BTreeMap::from([("DATABASE_URL".to_owned(), "x".to_owned())]),
                cwd: None,
            },
            ConnectionSpec::Stdio {
                command: vec!["server".to_owned()],
                env: BTreeMap::new(),
                cwd: None,
            },
        ];
        let outcomes = connections.map(|connection| {
            let mut task = with_scenario("remote:db");
            task.env = EnvironmentSpec::Servers {
                servers: vec![("environment".to_owned(), connection)],
            };
            let descriptions = descriptions(&task.env);
            check_scenarios(&[task], &descriptions, &options(&[])).is_ok()
        });
        assert_eq!(outcomes, [true, true, false]);
    }

    #[test]
    fn a_slip_in_a_filter_is_told_once() {
        let check = |own: Option<&[&str]>, base: Option<&[&str]>, expected: &[&str]| {
            let list = |names: Option<&[&str]>| {
                names.map(|names| names.iter().map(|name| (*name).to_owned()).collect())
            };
            let mut tasks = [task("a"), task("b")];
            tasks[0].agent.allowed_tools = list(own);
            let base = AgentConfig {
                allowed_tools: list(base),
                ..AgentConfig::default()
            };
            let warnings = tool_filter_warnings(&tasks, &base, &descriptions(&tasks[0].env));
            assert_eq!(warnings, expected);
        };
        check(None, None, &[]);
        check(None, Some(&["lookup", "_hidden", "x*"]), &[]);
        check(
            None,
            Some(&["lokup"]),
            &["allowed_tools: no environment has a tool called 'lokup'; did you mean 'lookup'?"],
        );
        check(
            Some(&["zzz"]),
            Some(&["lookup"]),
            &["allowed_tools: no environment has a tool called 'zzz'"],
        );
    }
}
