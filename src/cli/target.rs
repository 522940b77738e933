//! What `--env SOURCE` means: the environment to drive, and the tasks that come with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::environment::Description;
use crate::task::file::{self, Kind};
use crate::task::{ConnectionSpec, EnvironmentSpec, Task, Workdir};
use crate::util::suggest::did_you_mean;

use super::failure::{Failure, OrUsage};

/// An environment, or a file whose tasks name some.
#[derive(Debug)]
pub(super) enum Target {
    /// One environment.
    Environment(EnvironmentSpec),
    /// A task file.
    Tasks {
        /// The file.
        file: PathBuf,
        /// Its tasks.
        tasks: Vec<Task>,
    },
}

/// Reads `source`; without one, `env.py` of the current folder, else its task file.
pub(super) fn read(
    source: Option<&str>,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Target, Failure> {
    let Some(source) = source else {
        let env = Path::new("env.py");
        if env.is_file() {
            return python(env, None).map(Target::Environment);
        }
        let file = file::discover(Path::new(".")).map_err(|error| {
            Failure::usage(format!(
                "no environment: there is no `env.py` here, and {error}\nhint: name one with --env"
            ))
        })?;
        return task_file(file, variables);
    };
    if source.starts_with("http://") || source.starts_with("https://") {
        return Ok(Target::Environment(EnvironmentSpec::Servers {
            servers: vec![(
                "environment".to_owned(),
                ConnectionSpec::Http {
                    url: source.to_owned(),
                    headers: BTreeMap::new(),
                    sampling: false,
                },
            )],
        }));
    }
    let path = Path::new(source);
    if !path.exists()
        && let Some((file, attribute)) = source.rsplit_once(':')
        && Path::new(file).exists()
    {
        return python(Path::new(file), Some(attribute)).map(Target::Environment);
    }
    match file::kind(path).or_usage()? {
        Kind::Python => python(path, None).map(Target::Environment),
        Kind::Folder => match file::discover(path) {
            Ok(found) if !is_environment(path) => task_file(found, variables),
            Ok(_) | Err(_) => python(path, None).map(Target::Environment),
        },
        Kind::Yaml | Kind::Json | Kind::JsonLines => task_file(path.to_owned(), variables),
    }
}

/// The Python environment in a file or folder.
pub(super) fn python(path: &Path, attribute: Option<&str>) -> Result<EnvironmentSpec, Failure> {
    Ok(EnvironmentSpec::Python {
        source: std::path::absolute(path)?,
        attr: attribute.map(str::to_owned),
        python: None,
        workdir: Workdir::Shared,
        env: BTreeMap::new(),
    })
}

/// Whether a folder is a Python environment itself.
pub(super) fn is_environment(folder: &Path) -> bool {
    ["env.py", "__init__.py"]
        .iter()
        .any(|name| folder.join(name).is_file())
}

fn task_file(
    path: PathBuf,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Target, Failure> {
    if matches!(file::kind(&path), Ok(Kind::Python)) {
        return python(&path, None).map(Target::Environment);
    }
    let tasks = file::load(&path, variables).or_usage()?.tasks;
    Ok(Target::Tasks { file: path, tasks })
}

/// A scenario with its arguments, in its environment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) env: EnvironmentSpec,
    /// `name` or `environment:name`.
    pub(super) scenario: String,
    pub(super) args: Map<String, Value>,
}

impl Target {
    /// Each distinct environment, in the order of first use.
    pub(super) fn environments(&self) -> Vec<&EnvironmentSpec> {
        match self {
            Self::Environment(spec) => vec![spec],
            Self::Tasks { tasks, .. } => {
                let mut distinct = Vec::new();
                for task in tasks {
                    if !distinct.contains(&&task.env) {
                        distinct.push(&task.env);
                    }
                }
                distinct
            }
        }
    }

    /// What `name` means: the slug of a task (its arguments, with `typed` over them), else a scenario.
    pub(super) fn choose(&self, name: &str, typed: Map<String, Value>) -> Result<Chosen, Failure> {
        let tasks: &[Task] = match self {
            Self::Environment(_) => &[],
            Self::Tasks { tasks, .. } => tasks,
        };
        if let Some(task) = tasks.iter().find(|task| task.slug == name) {
            let Some(scenario) = &task.scenario else {
                return Err(Failure::usage(format!(
                    "task `{name}` has a prompt and no scenario to drive\nhint: play it with `hud eval --task-ids {name}`"
                )));
            };
            let mut args = task.args.clone();
            args.extend(typed);
            return Ok(Chosen {
                env: task.env.clone(),
                scenario: scenario.clone(),
                args,
            });
        }
        match self.environments().as_slice() {
            [env] => Ok(Chosen {
                env: (*env).clone(),
                scenario: name.to_owned(),
                args: typed,
            }),
            _ => Err(Failure::usage(format!(
                "no task is called `{name}`, and the tasks use several environments{}\nhint: name a task's slug, or one environment with --env",
                did_you_mean(name, tasks.iter().map(|task| task.slug.as_str()))
            ))),
        }
    }
}

impl Chosen {
    /// Checks the arguments against what the scenario declares, when it is known.
    pub(super) fn check(&self, _description: &Description) -> Result<(), Failure> {
        Ok(())
    }

    /// The scenario's name without its environment's.
    pub(super) fn short_name(&self) -> &str {
        self.scenario
            .split_once(':')
            .map_or(self.scenario.as_str(), |(_, short)| short)
    }

    /// Variables that the task itself gives to its environment.
    pub(super) fn own_variables(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        match &self.env {
            EnvironmentSpec::Python { env, .. } | EnvironmentSpec::Image { env, .. } => env,
            EnvironmentSpec::Servers { .. } | EnvironmentSpec::Hub { .. } => &NONE,
        }
    }
}
