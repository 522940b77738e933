//! Which scenario is played, with which arguments.

use serde_json::{Map, Value};

use crate::cli::schema;
use crate::environment::by_hand::{self, Offered};
use crate::mcp::Client;
use crate::task::Task;
use crate::util::{text, time};

use super::stage::{Found, Outcome};

/// A scenario with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) wire_name: String,
    pub(super) args: Map<String, Value>,
}

/// What the user said of it, and the tasks that may say more.
pub(super) struct Wishes<'a> {
    /// `--scenario`.
    pub(super) name: Option<&'a str>,
    /// `--arg`.
    pub(super) args: &'a [(String, String)],
    /// Of the source, in the form of task files.
    pub(super) tasks: &'a [(String, Map<String, Value>)],
}

/// The scenarios and arguments of tasks.
pub(super) fn of_tasks(tasks: &[Task]) -> Vec<(String, Map<String, Value>)> {
    tasks
        .iter()
        .filter_map(|task| Some((task.scenario.clone()?, task.args.clone())))
        .collect()
}

/// The scenarios and arguments of the rows that a Python file holds.
pub(super) fn of_rows(rows: &[Map<String, Value>]) -> Vec<(String, Map<String, Value>)> {
    rows.iter()
        .filter_map(|row| {
            let name = row.get("scenario")?.as_str()?.to_owned();
            let args = row.get("args").and_then(Value::as_object);
            Some((name, args.cloned().unwrap_or_default()))
        })
        .collect()
}

/// The scenario that the user names, else that of the first task, else the first that needs nothing more. `missing` says which variables of
/// a scenario are not set.
pub(super) fn choose(
    wishes: &Wishes<'_>,
    scenarios: &[Offered],
    missing: &dyn Fn(&Offered) -> Option<String>,
) -> Result<Chosen, Outcome> {
    if let Some(name) = wishes.name {
        let offered = by_hand::find(scenarios, name)
            .map_err(|words| Outcome::Mistake(format!("--scenario: {words}")))?;
        if let Some(missing) = missing(offered) {
            return Err(Outcome::failed(missing));
        }
        return with_args(offered, wishes, true);
    }
    let of_task = wishes
        .tasks
        .iter()
        .find_map(|(name, _)| by_hand::find(scenarios, name).ok())
        .filter(|offered| missing(offered).is_none());
    if let Some(offered) = of_task {
        return with_args(offered, wishes, true);
    }
    let free = scenarios
        .iter()
        .filter(|offered| missing(offered).is_none())
        .find_map(|offered| with_args(offered, wishes, false).ok());
    free.ok_or_else(|| {
        Outcome::Skipped(match scenarios.first() {
            None => "there are no scenarios".to_owned(),
            Some(first) => {
                let arguments = schema::of_arguments(&first.info.arguments);
                match missing(first) {
                    Some(missing) => missing.lines().next().unwrap_or_default().to_owned(),
                    None => format!(
                        "every scenario needs arguments; choose one with --scenario {} --arg NAME=VALUE: {}",
                        first.info.name,
                        schema::signatures(&arguments)
                    ),
                }
            }
        })
    })
}

/// The scenario with what was given, over what its first task says when `uses_tasks`.
fn with_args(offered: &Offered, wishes: &Wishes<'_>, uses_tasks: bool) -> Result<Chosen, Outcome> {
    let mut args = wishes
        .tasks
        .iter()
        .find(|(name, _)| uses_tasks && (*name == offered.info.name || *name == offered.wire_name))
        .map(|(_, args)| args.clone())
        .unwrap_or_default();
    let parameters = schema::of_arguments(&offered.info.arguments);
    for (name, value) in wishes.args {
        let Some(parameter) = parameters.iter().find(|known| known.name == *name) else {
            return Err(Outcome::Mistake(format!(
                "--arg: the scenario `{}` has no argument `{name}`; it takes ({})",
                offered.info.name,
                schema::signatures(&parameters)
            )));
        };
        let value = schema::read_value(value, &parameter.schema)
            .map_err(|problem| Outcome::Mistake(format!("--arg {name}: {problem}")))?;
        args.insert(name.clone(), value);
    }
    let absent: Vec<&str> = parameters
        .iter()
        .filter(|parameter| parameter.required && !args.contains_key(&parameter.name))
        .map(|parameter| parameter.name.as_str())
        .collect();
    if absent.is_empty() {
        return Ok(Chosen {
            wire_name: offered.wire_name.clone(),
            args,
        });
    }
    let flags: Vec<String> = absent
        .iter()
        .map(|name| format!("--arg {name}=…"))
        .collect();
    Err(Outcome::Mistake(format!(
        "the scenario `{}` needs arguments\nhint: give {}",
        offered.info.name,
        flags.join(" ")
    )))
}

/// Sets the scenario up, submits `answer` and grades.
pub(super) async fn play(client: &Client, chosen: &Chosen, answer: &str) -> Result<Found, Outcome> {
    let failed = |error: crate::environment::EnvironmentError| Outcome::failed(error.message);
    let begun = std::time::Instant::now();
    let posed = by_hand::set_up(client, &chosen.wire_name, &chosen.args)
        .await
        .map_err(failed)?;
    let set_up = begun.elapsed();
    let meta = posed.meta.as_ref();
    by_hand::submit(client, &chosen.wire_name, answer, meta)
        .await
        .map_err(failed)?;
    let begun = std::time::Instant::now();
    let evaluation = by_hand::grade(client, &chosen.wire_name, meta)
        .await
        .map_err(failed)?;
    let graded = begun.elapsed();
    Ok(Found::new(format!(
        "{} set up in {} (`{}`), graded {:.3} in {}",
        chosen.wire_name,
        time::brief(set_up),
        text::one_line(&posed.prompt.text(), 40),
        evaluation.reward,
        time::brief(graded)
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mcp::PromptInfo;

    fn offered(name: &str, required: &[&str]) -> Offered {
        Offered::from_prompt(&PromptInfo {
            name: format!("env:{name}"),
            description: String::new(),
            arguments: required
                .iter()
                .map(|name| ((*name).to_owned(), true))
                .collect(),
            meta: json!({"arguments": [{"name": "n", "required": true, "type": "integer"}]})
                .as_object()
                .unwrap()
                .clone(),
        })
        .unwrap()
    }

    fn check(
        name: Option<&str>,
        args: &[(&str, &str)],
        tasks: &[(&str, Value)],
        expected: Result<(&str, Value), &str>,
    ) {
        let scenarios = [
            offered("count", &["n"]),
            offered("free", &[]),
            offered("keyed", &[]),
        ];
        let args: Vec<_> = args
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let tasks: Vec<_> = tasks
            .iter()
            .map(|(name, args)| ((*name).to_owned(), args.as_object().unwrap().clone()))
            .collect();
        let wishes = Wishes {
            name,
            args: &args,
            tasks: &tasks,
        };
        let missing = |offered: &Offered| {
            (offered.info.name == "keyed").then(|| "needs the variable KEY".to_owned())
        };
        let got = choose(&wishes, &scenarios, &missing);
        match (got, expected) {
            (Ok(chosen), Ok((name, args))) => {
                assert_eq!(
                    (chosen.wire_name.as_str(), Value::Object(chosen.args)),
                    (name, args)
                );
            }
            (Err(Outcome::Mistake(words) | Outcome::Skipped(words)), Err(expected)) => {
                assert!(words.contains(expected), "{words}");
            }
            (Err(Outcome::Failed(trouble)), Err(expected)) => {
                assert!(trouble.message.contains(expected), "{trouble:?}");
            }
            (got, expected) => panic!("{got:?} is not {expected:?}"),
        }
    }

    #[test]
    fn the_users_choice_counts_then_a_task_then_what_needs_nothing() {
        check(None, &[], &[], Ok(("env:free", json!({}))));
        check(
            Some("count"),
            &[("n", "3")],
            &[],
            Ok(("env:count", json!({"n": 3}))),
        );
        check(
            None,
            &[],
            &[("count", json!({"n": 7}))],
            Ok(("env:count", json!({"n": 7}))),
        );
        check(
            Some("env:count"),
            &[("n", "8")],
            &[("count", json!({"n": 7}))],
            Ok(("env:count", json!({"n": 8}))),
        );
        check(Some("count"), &[], &[], Err("give --arg n=…"));
        check(
            Some("count"),
            &[("n", "x")],
            &[],
            Err("--arg n: expected integer"),
        );
        check(
            Some("count"),
            &[("m", "1")],
            &[],
            Err("has no argument `m`"),
        );
        check(Some("cuont"), &[], &[], Err("did you mean 'count'?"));
        check(Some("keyed"), &[], &[], Err("needs the variable KEY"));
    }
}
