//! A whole file: its own fields, its tasks, and what must not occur twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::row::{self, DefaultEnvironment};
use super::sink::Sink;
use super::source::{self, Kind};
use super::substitute::substitute;
use super::tree::{Data, Node, Position};
use super::{agent, environment, json, yaml};
use crate::task::{AgentConfig, EnvironmentSpec, Location, Task, TaskErrors, slug};
use crate::util::diagnostic::shown;
use crate::util::{fs, suggest};

/// The fields of a file beside a plain list of tasks.
const FIELDS: &[&str] = &["name", "env", "agent", "tasks"];

/// What a file of tasks holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFile {
    /// The job's name.
    pub name: Option<String>,
    /// `agent:` of the file, below each task's own settings.
    pub agent: AgentConfig,
    /// Where `agent:` stands.
    pub agent_origin: Option<Location>,
    /// At least one; slugs are unique, and so are identities.
    pub tasks: Vec<Task>,
}

/// Reads a YAML, JSON or JSONL file. `variables` gives the values for `${VAR}`. All mistakes are found at once.
pub fn load(
    path: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<TaskFile, TaskErrors> {
    let kind = source::kind(path).map_err(|error| TaskErrors::of_file(path, error.to_string()))?;
    let text = fs::read(path).map_err(|error| {
        TaskErrors::of_file(path, format!("cannot be read: {}", error.root_cause()))
    })?;
    let text = String::from_utf8(text).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        TaskErrors::of_file(path, format!("is not UTF-8 text (at byte {offset})"))
    })?;
    let mut sink = Sink::new(path, variables);
    let root = match kind {
        Kind::Yaml => yaml::parse(&text, &mut sink),
        Kind::Json => json::parse(&text, &mut sink),
        Kind::JsonLines => json::parse_lines(&text, &mut sink),
        Kind::Python | Kind::Folder => {
            return Err(TaskErrors::of_file(path, "is no YAML, JSON or JSONL file"));
        }
    };
    let file = root.and_then(|root| read(root, &mut sink));
    match sink.finish(file)? {
        Some(file) => Ok(file),
        None => Err(TaskErrors::of_file(path, "holds no tasks")),
    }
}

/// Builds tasks from the rows that a Python file holds; a row has the form of a task in a file. Its `env` is the name of the environment that
/// the Python file defines, which is `default_env`; its `variable` is where in the module it was found, and its `attr`, when the file's tasks
/// span several environments, is the variable that holds its own.
pub fn from_rows(
    rows: Vec<Map<String, Value>>,
    file: &Path,
    default_env: EnvironmentSpec,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<TaskFile, TaskErrors> {
    let mut sink = Sink::new(file, variables);
    let rows = rows
        .into_iter()
        .map(|row| Node::from_json(Value::Object(row), Position::NONE))
        .collect();
    let default = DefaultEnvironment::OfPython(default_env);
    let tasks = read_tasks(rows, &default, Position::NONE, &mut sink);
    sink.finish(TaskFile {
        name: None,
        agent: AgentConfig::default(),
        agent_origin: None,
        tasks,
    })
}

fn read(root: Node, sink: &mut Sink<'_>) -> Option<TaskFile> {
    let at = root.at;
    match root.data {
        Data::Null => {
            sink.error(at, "the file is empty");
            None
        }
        Data::Sequence(rows) => Some(TaskFile {
            name: None,
            agent: AgentConfig::default(),
            agent_origin: None,
            tasks: read_tasks(rows, &DefaultEnvironment::Missing, at, sink),
        }),
        Data::Mapping(_) if is_task(&root) => Some(TaskFile {
            name: None,
            agent: AgentConfig::default(),
            agent_origin: None,
            tasks: read_tasks(vec![root], &DefaultEnvironment::Missing, at, sink),
        }),
        Data::Mapping(_) => whole_file(root, sink),
        _ => {
            sink.error(
                at,
                format!(
                    "expected a list of tasks, or a mapping with 'tasks', not {}",
                    root.kind()
                ),
            );
            None
        }
    }
}

/// Whether a mapping is one task and not a file with tasks: it has a field that only a task has.
fn is_task(root: &Node) -> bool {
    let Data::Mapping(entries) = &root.data else {
        return false;
    };
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    !has("tasks") && row::FIELDS.iter().any(|&key| key != "env" && has(key))
}

fn whole_file(root: Node, sink: &mut Sink<'_>) -> Option<TaskFile> {
    let at = root.at;
    let base = environment::folder_of(sink.file);
    let mut fields = Fields::of(root, "the file", sink)?;
    let tasks = fields.take("tasks");
    let mut rest = fields.into_node();
    substitute(&mut rest, "the file", sink);
    let mut fields = Fields::of(rest, "the file", sink)?;

    let name = fields.text("name", sink);
    let env = match fields.take("env") {
        Some(field) => environment::read(field, &base, sink)
            .map_or(DefaultEnvironment::Broken, DefaultEnvironment::Of),
        None => DefaultEnvironment::Missing,
    };
    let agent = fields.take("agent");
    let agent_origin = agent.as_ref().map(|field| sink.location(field.key_at));
    let agent = agent
        .and_then(|field| field.fields(sink))
        .map(|fields| agent::read(fields, sink))
        .unwrap_or_default();
    let mut read = Vec::new();
    if let Some(field) = tasks {
        let at = field.value.at;
        if let Some(rows) = field.sequence(sink) {
            read = read_tasks(rows, &env, at, sink);
        }
    } else {
        // An unknown field that is nearly `tasks` is an error already.
        let is_near = |key| suggest::nearest(key, FIELDS.iter().copied()) == Some("tasks");
        if !fields.keys().any(is_near) {
            sink.error(at, "the file has no 'tasks'");
        }
    }
    fields.finish(FIELDS, sink);
    Some(TaskFile {
        name,
        agent,
        agent_origin,
        tasks: read,
    })
}

fn read_tasks(
    rows: Vec<Node>,
    default: &DefaultEnvironment,
    at: Position,
    sink: &mut Sink<'_>,
) -> Vec<Task> {
    let base = environment::folder_of(sink.file);
    if rows.is_empty() {
        sink.error(at, "the list of tasks is empty");
    }
    let mut tasks = Vec::new();
    let mut seen = Seen::default();
    for (index, row) in rows.into_iter().enumerate() {
        let before = sink.count();
        if let Some(task) = row::read(row, index, default, &base, sink) {
            let is_clean = sink.count() == before;
            seen.check(&task, is_clean, sink);
            tasks.push(task);
        }
    }
    slug::separate(&mut tasks);
    tasks
}

/// The places of the slugs and identities so far. Two tasks with one slug cannot be told apart by a user, two with one identity not by
/// `--resume`.
#[derive(Default)]
struct Seen {
    slugs: HashMap<String, Location>,
    identities: HashMap<String, Location>,
}

impl Seen {
    /// Reports a task that was seen before. What was wrong in a task is missing in it, so only one without mistakes has an identity.
    fn check(&mut self, task: &Task, is_clean: bool, sink: &mut Sink<'_>) {
        let at = Position {
            line: task.location.line,
            column: task.location.column,
        };
        let (names, name) = if task.slug_given {
            (&mut self.slugs, task.slug.clone())
        } else if is_clean {
            (&mut self.identities, task.identity())
        } else {
            return;
        };
        let first = match names.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(task.location.clone());
                return;
            }
            Entry::Occupied(first) if first.get().line == 0 => "another one".to_owned(),
            Entry::Occupied(first) => format!("the one at {}", first.get()),
        };
        let slug = shown(&task.slug);
        let message = if task.slug_given {
            format!("task '{slug}' has the slug of {first}")
        } else {
            format!(
                "task '{slug}' is equal to {first} (environments are not compared); give both a 'slug', or use --group to repeat a task"
            )
        };
        sink.error(at, message);
    }
}
