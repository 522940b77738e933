//! One task out of a file, whatever generation of rows it belongs to.
//!
//! - ours and generation 5: `scenario`, `args`
//! - generation 6: `id` is the scenario, `args`
//! - the older form of generation 4: `prompt`, `mcp_config`, `setup_tool`, `evaluate_tool`, with JSON allowed in strings

use std::path::Path;

use super::fields::Fields;
use super::sink::Sink;
use super::tree::{Data, Node};
use super::{agent, calls, environment, json, servers};
use crate::task::{AgentConfig, EnvironmentSpec, Solution, Task, slug};
use crate::util::diagnostic::shown;
use crate::util::suggest;

use super::substitute::substitute;

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
    if matches!(default, DefaultEnvironment::OfPython(_)) {
        fields.take("env");
        fields.take("variable");
    }
    if let Some(verifier) = fields.take("verifier") {
        let message = format!(
            "{} is not supported: this version runs no verifier tasks; grade in the scenario itself",
            verifier.name()
        );
        sink.error(verifier.key_at, message);
    }

    let has_scenario = fields.has("scenario");
    let older = !has_scenario && OLDER.iter().any(|key| fields.has(key));
    let env = environment_of(&mut fields, default, base, sink);
    let id = fields.take("id");
    let mut metadata = fields.object("metadata", sink);
    let mut arg_locations = std::collections::BTreeMap::new();
    if let Some(Node {
        data: Data::Mapping(entries),
        ..
    }) = fields.peek("args")
    {
        for entry in entries {
            arg_locations.insert(entry.key.clone(), sink.location(entry.value.at));
        }
    }
    let args = fields.object("args", sink);
    let mut scenario = fields.text("scenario", sink);
    let mut prompt = None;
    let (mut setup, mut evaluate) = (Vec::new(), Vec::new());
    let mut older_id = None;
    if older {
        if !args.is_empty() {
            sink.error(
                fields.at,
                format!("'args' in {place} need a 'scenario'; a 'prompt' takes none"),
            );
        }
        if !fields.has("prompt") {
            sink.error(
                fields.at,
                format!("{place} has neither 'scenario' nor 'prompt'"),
            );
        }
        prompt = fields.text("prompt", sink);
        if let Some(field) = fields.take("setup_tool") {
            setup = calls::read(field, sink);
        }
        match fields.take("evaluate_tool") {
            Some(field) => {
                let (at, name) = (field.value.at, field.name());
                let before = sink.count();
                evaluate = calls::read(field, sink);
                if evaluate.is_empty() && sink.count() == before {
                    sink.error(at, format!("{name} has no call, so nothing grades the task"));
                }
            }
            None => sink.error(
                fields.at,
                format!("{place} has a 'prompt' but no 'evaluate_tool', so nothing grades it; add one, or use a 'scenario'"),
            ),
        }
        older_id = id
            .and_then(|field| field.scalar(sink))
            .filter(|id| !id.is_empty());
    } else {
        for key in OLDER.iter().filter(|key| **key != "integration_test_tool") {
            if let Some(field) = fields.take(key) {
                let message = format!(
                    "{} does not go with 'scenario', which poses and grades the task",
                    field.name()
                );
                sink.error(field.key_at, message);
            }
        }
        match (&scenario, id) {
            // In generation 6 `id` names the template.
            (None, Some(field)) if !has_scenario => scenario = field.text(sink),
            // In generation 5 it is a number of the platform, of no use here but not to be lost.
            (Some(_), Some(field)) => {
                metadata.entry("id").or_insert(field.value.into_json());
            }
            (None, None) if !has_scenario => {
                let near = fields.nearest("scenario");
                sink.error(fields.at, format!("{place} has no 'scenario'{near}"));
            }
            (_, _) => {}
        }
    }

    let solution = solution_of(&mut fields, sink);
    let agent = agent_of(&mut fields, sink);
    let given = slug_of(&mut fields, sink);
    let columns = fields.take("columns").and_then(|field| {
        let name = field.name();
        let Data::Mapping(entries) = &field.value.data else {
            field.wrong("a mapping", sink);
            return None;
        };
        for entry in entries {
            let fits = match &entry.value.data {
                Data::Null | Data::Bool(_) | Data::Number(_) | Data::String(_) => true,
                Data::Sequence(items) => items
                    .iter()
                    .all(|item| matches!(item.data, Data::String(_))),
                Data::Mapping(_) => false,
            };
            if !fits {
                sink.error(
                    entry.value.at,
                    format!(
                        "'{}' of {name} must be a string, a number or a list of strings",
                        shown(&entry.key)
                    ),
                );
            }
        }
        field.object(sink)
    });
    let runtime_config = fields
        .take("runtime_config")
        .and_then(|field| field.object(sink))
        .map(serde_json::Value::Object);
    fields.finish(FIELDS, sink);

    let derived = || match (&scenario, &prompt) {
        (Some(scenario), _) => slug::of_scenario(scenario, &args),
        (None, Some(prompt)) => slug::of_prompt(prompt),
        (None, None) => String::new(),
    };
    // An id of the older form is as much the task's name as a slug is.
    let older_slug = older_id.map(|id| match id.chars().count() {
        0..=slug::MAX_LENGTH => id,
        _ => slug::with_suffix(&id, &format!("-{}", slug::short_hash(&id))),
    });
    let given = given.or(older_slug);
    Some(Task {
        slug_given: given.is_some(),
        slug: given.unwrap_or_else(derived),
        env: env?,
        scenario,
        args,
        prompt,
        setup,
        evaluate,
        agent,
        solution,
        metadata,
        columns: columns.unwrap_or_default(),
        runtime_config,
        location,
        arg_locations,
    })
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
