//! One task out of a file, whatever generation of rows it belongs to.
//!
//! - ours and generation 5: `scenario`, `args`
//! - generation 6: `id` is the scenario, `args`
//! - the older form of generation 4: `prompt`, `mcp_config`, `setup_tool`, `evaluate_tool`, with JSON allowed in strings

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::sink::Sink;
use super::substitute::substitute;
use super::tree::{Data, Node};
use super::{agent, calls, environment, json, servers};
use crate::task::{AgentConfig, EnvironmentSpec, Invocation, Solution, Task, slug};
use crate::util::diagnostic::shown;
use crate::util::suggest;

/// Every field of a task, in the order in which messages should suggest them.
pub(super) const FIELDS: &[&str] = &[
    "slug",
    "env",
    "scenario",
    "args",
    "system_prompt",
    "agent_config",
    "solution",
    "validation",
    "metadata",
    "columns",
    "runtime_config",
    "id",
    "prompt",
    "mcp_config",
    "setup_tool",
    "evaluate_tool",
    "integration_test_tool",
];

/// Fields that belong to the older form alone.
const OLDER: &[&str] = &[
    "prompt",
    "mcp_config",
    "setup_tool",
    "evaluate_tool",
    "integration_test_tool",
];

/// Fields that may be JSON in a string, as data sets store them.
const JSON_IN_STRINGS: &[&str] = &[
    "mcp_config",
    "setup_tool",
    "evaluate_tool",
    "integration_test_tool",
    "agent_config",
    "metadata",
];

/// The environment of a task that names none.
pub(super) enum DefaultEnvironment {
    /// The file's `env`.
    Of(EnvironmentSpec),
    /// The environment that the Python file holds; an `env` in a row is only its name.
    OfPython(EnvironmentSpec),
    /// The file's `env` is wrong, which was said already.
    Broken,
    /// There is none.
    Missing,
}

/// The same Python file, another environment in it.
fn with_attr(env: &EnvironmentSpec, variable: &str) -> EnvironmentSpec {
    let mut env = env.clone();
    if let EnvironmentSpec::Python { attr, .. } = &mut env {
        *attr = Some(variable.to_owned());
    }
    env
}

/// Reads the task at `index` of the file; `None` when it is too wrong to go on with, and then `sink` says why.
pub(super) fn read(
    mut node: Node,
    index: usize,
    default: &DefaultEnvironment,
    base: &Path,
    sink: &mut Sink<'_>,
) -> Option<Task> {
    let place = label(&node, index);
    let location = sink.location(node.at);
    decode_json(&mut node, &place, sink);
    substitute(&mut node, &place, sink);
    let mut fields = Fields::of(node, place.clone(), sink)?;
    let mut own = None;
    if let DefaultEnvironment::OfPython(env) = default {
        fields.take("variable");
        // Tasks of one Python file may span environments: the row then says which variable of the module holds its own, or that it brings
        // one that is not of the module.
        let attr = fields.take("attr").map(|field| field.value.data);
        if let Some(Data::String(attr)) = &attr {
            own = Some(DefaultEnvironment::OfPython(with_attr(env, attr)));
        }
        if attr != Some(Data::Null) {
            fields.take("env");
        }
    }
    let default = own.as_ref().unwrap_or(default);
    if let Some(verifier) = fields.take("verifier") {
        let message = format!(
            "{} is not supported: this version runs no verifier tasks; grade in the scenario itself",
            verifier.name()
        );
        sink.error(verifier.key_at, message);
    }

    let env = environment_of(&mut fields, default, base, sink);
    let mut metadata = fields.object("metadata", sink);
    let arg_locations = match fields.peek("args") {
        Some(Node {
            data: Data::Mapping(args),
            ..
        }) => args
            .iter()
            .map(|arg| (arg.key.clone(), sink.location(arg.value.at)))
            .collect(),
        _ => BTreeMap::new(),
    };
    let args = fields.object("args", sink);
    let is_older = !fields.has("scenario") && OLDER.iter().any(|key| fields.has(key));
    let posed = if is_older {
        if !args.is_empty() {
            sink.error(
                fields.at,
                format!("'args' in {place} need a 'scenario'; a 'prompt' takes none"),
            );
        }
        by_prompt(&mut fields, sink)
    } else {
        by_scenario(&mut fields, &mut metadata, sink)
    };

    let solution = solution_of(&mut fields, sink);
    let agent = agent_of(&mut fields, sink);
    let given = slug_of(&mut fields, sink);
    let columns = columns_of(&mut fields, sink);
    let runtime_config = fields
        .take("runtime_config")
        .and_then(|field| field.object(sink))
        .map(Value::Object);
    fields.finish(FIELDS, sink);

    let given = given.or(posed.id);
    let derived = || match (&posed.scenario, &posed.prompt) {
        (Some(scenario), _) => slug::of_scenario(scenario, &args),
        (None, Some(prompt)) => slug::of_prompt(prompt),
        (None, None) => String::new(),
    };
    Some(Task {
        slug_given: given.is_some(),
        slug: given.unwrap_or_else(derived),
        env: env?,
        scenario: posed.scenario,
        args,
        prompt: posed.prompt,
        setup: posed.setup,
        evaluate: posed.evaluate,
        agent,
        solution,
        metadata,
        columns,
        runtime_config,
        location,
        arg_locations,
    })
}

/// How a task is posed and graded.
#[derive(Default)]
struct Posed {
    scenario: Option<String>,
    prompt: Option<String>,
    setup: Vec<Invocation>,
    evaluate: Vec<Invocation>,
    /// The slug that an older task's `id` is.
    id: Option<String>,
}

/// By a scenario, which generation 6 calls `id`.
fn by_scenario(
    fields: &mut Fields,
    metadata: &mut Map<String, Value>,
    sink: &mut Sink<'_>,
) -> Posed {
    let has_scenario = fields.has("scenario");
    let scenario = fields.text("scenario", sink);
    for key in OLDER.iter().filter(|key| **key != "integration_test_tool") {
        if let Some(field) = fields.take(key) {
            let message = format!(
                "{} does not go with 'scenario', which poses and grades the task",
                field.name()
            );
            sink.error(field.key_at, message);
        }
    }
    let scenario = match (has_scenario, fields.take("id")) {
        (true, Some(id)) => {
            // In generation 5 it is a number of the platform, of no use here but not to be lost.
            metadata.entry("id").or_insert(id.value.into_json());
            scenario
        }
        (true, None) => scenario,
        (false, Some(id)) => id.text(sink),
        (false, None) => {
            let near = fields.nearest("scenario");
            sink.error(
                fields.at,
                format!("{} has no 'scenario'{near}", fields.place),
            );
            None
        }
    };
    Posed {
        scenario,
        ..Posed::default()
    }
}

/// By a prompt and tool calls, as in generation 4.
fn by_prompt(fields: &mut Fields, sink: &mut Sink<'_>) -> Posed {
    let (at, place) = (fields.at, fields.place.clone());
    if !fields.has("prompt") {
        sink.error(at, format!("{place} has neither 'scenario' nor 'prompt'"));
    }
    let mut posed = Posed {
        prompt: fields.text("prompt", sink),
        ..Posed::default()
    };
    if let Some(field) = fields.take("setup_tool") {
        posed.setup = calls::read(field, sink);
    }
    if let Some(field) = fields.take("evaluate_tool") {
        let (at, name) = (field.value.at, field.name());
        let before = sink.count();
        posed.evaluate = calls::read(field, sink);
        if posed.evaluate.is_empty() && sink.count() == before {
            sink.error(
                at,
                format!("{name} has no call, so nothing grades the task"),
            );
        }
    } else {
        sink.error(
            at,
            format!(
                "{place} has a 'prompt' but no 'evaluate_tool', so nothing grades it; add one, or use a 'scenario'"
            ),
        );
    }
    // An id of this form is as much the task's name as a slug is.
    posed.id = fields
        .take("id")
        .and_then(|field| field.scalar(sink))
        .filter(|id| !id.trim().is_empty())
        .map(|id| {
            if id.chars().count() <= slug::MAX_LENGTH {
                id
            } else {
                slug::with_suffix(&id, &format!("-{}", slug::short_hash(&id)))
            }
        });
    posed
}

/// Facets: strings, numbers or lists of strings.
fn columns_of(fields: &mut Fields, sink: &mut Sink<'_>) -> Map<String, Value> {
    let Some(field) = fields.take("columns") else {
        return Map::new();
    };
    let name = field.name();
    if let Data::Mapping(columns) = &field.value.data {
        for column in columns {
            let fits = match &column.value.data {
                Data::Null | Data::Bool(_) | Data::Number(_) | Data::String(_) => true,
                Data::Sequence(items) => items
                    .iter()
                    .all(|item| matches!(item.data, Data::String(_))),
                Data::Mapping(_) => false,
            };
            if !fits {
                let message = format!(
                    "'{}' of {name} must be a string, a number or a list of strings",
                    shown(&column.key)
                );
                sink.error(column.value.at, message);
            }
        }
    }
    field.object(sink).unwrap_or_default()
}

/// How messages call the task: `task 'ceo-hud'`, else by its number.
fn label(node: &Node, index: usize) -> String {
    let name = ["slug", "id", "scenario"]
        .iter()
        .find_map(|key| match &node.get(key)?.data {
            Data::String(text) => Some(text.clone()),
            Data::Number(number) => Some(number.to_string()),
            _ => None,
        });
    match name {
        Some(name) => format!("task '{}'", shown(&name)),
        None => format!("task {}", index + 1),
    }
}

/// Replaces strings that should be data by the data in them. Parts of it are then where the string is.
fn decode_json(node: &mut Node, place: &str, sink: &mut Sink<'_>) {
    let Data::Mapping(entries) = &mut node.data else {
        return;
    };
    for entry in entries {
        if !JSON_IN_STRINGS.contains(&entry.key.as_str()) {
            continue;
        }
        let Data::String(text) = &entry.value.data else {
            continue;
        };
        match serde_json::from_str(text) {
            Ok(value) => entry.value = Node::from_json(value, entry.value.at),
            Err(error) => {
                sink.error(
                    entry.value.at,
                    format!(
                        "'{}' in {place} is a string that is not JSON: {}",
                        entry.key,
                        json::without_place(&error)
                    ),
                );
                entry.value.data = Data::Null;
            }
        }
    }
}

fn environment_of(
    fields: &mut Fields,
    default: &DefaultEnvironment,
    base: &Path,
    sink: &mut Sink<'_>,
) -> Option<EnvironmentSpec> {
    let env = fields.take("env");
    let mcp_config = if fields.has("scenario") {
        None
    } else {
        fields.take("mcp_config")
    };
    match (env, mcp_config) {
        (Some(env), Some(_)) => {
            let message = format!(
                "{} and 'mcp_config' both name the environment; use one",
                env.name()
            );
            sink.error(env.key_at, message);
            None
        }
        (Some(env), None) => environment::read(env, base, sink),
        (None, Some(mcp_config)) => servers::mcp_config(mcp_config, base, sink),
        (None, None) => match default {
            DefaultEnvironment::Of(spec) | DefaultEnvironment::OfPython(spec) => Some(spec.clone()),
            DefaultEnvironment::Broken => None,
            DefaultEnvironment::Missing => {
                let near = fields.nearest("env");
                let message = format!(
                    "{} has no environment; add 'env', here or for the whole file{near}",
                    fields.place
                );
                sink.error(fields.at, message);
                None
            }
        },
    }
}

/// `solution`, and the two older fields that hold its tool calls.
fn solution_of(fields: &mut Fields, sink: &mut Sink<'_>) -> Option<Solution> {
    let mut solution = fields
        .take("solution")
        .and_then(|field| calls::solution(field, sink));
    for key in ["validation", "integration_test_tool"] {
        let Some(field) = fields.take(key) else {
            continue;
        };
        let (at, name) = (field.key_at, field.name());
        let calls = calls::read(field, sink);
        let solution = solution.get_or_insert_default();
        if !solution.tool_calls.is_empty() && solution.tool_calls != calls {
            sink.error(
                at,
                format!("{name} and 'solution' give different tool calls; use 'solution' alone"),
            );
        }
        solution.tool_calls = calls;
    }
    solution
}

fn agent_of(fields: &mut Fields, sink: &mut Sink<'_>) -> AgentConfig {
    let mut config = fields
        .take("agent_config")
        .and_then(|field| field.fields(sink))
        .map(|fields| agent::read(fields, sink))
        .unwrap_or_default();
    if let Some(field) = fields.take("system_prompt") {
        let (at, name) = (field.key_at, field.name());
        let prompt = field.string(sink);
        if prompt.is_some() && config.system_prompt.is_some() && config.system_prompt != prompt {
            sink.error(
                at,
                format!("{name} contradicts the one in 'agent_config'; use one"),
            );
        }
        config.system_prompt = prompt.or(config.system_prompt);
    }
    config
}

fn slug_of(fields: &mut Fields, sink: &mut Sink<'_>) -> Option<String> {
    let field = fields.take("slug")?;
    let (at, name) = (field.value.at, field.name());
    let slug = field.scalar(sink)?;
    let length = slug.chars().count();
    let problem = if slug.trim().is_empty() {
        "is empty".to_owned()
    } else if length > slug::MAX_LENGTH {
        format!(
            "has {length} characters; at most {} are allowed",
            slug::MAX_LENGTH
        )
    } else if slug.contains(',') || slug.chars().any(char::is_control) {
        "must not contain commas, which separate slugs in --task-ids, or control characters"
            .to_owned()
    } else {
        return Some(slug);
    };
    sink.error(at, format!("{name} {problem}"));
    Some(slug)
}

impl Fields {
    /// `; did you mean 'x' by 'y'?` when a field that nobody knows is close to one that is missing.
    fn nearest(&self, missing: &str) -> String {
        self.keys()
            .find(|key| {
                !FIELDS.contains(key)
                    && suggest::nearest(key, FIELDS.iter().copied()) == Some(missing)
            })
            .map_or_else(String::new, |key| {
                format!(" (is '{}' meant to be it?)", shown(key))
            })
    }
}
