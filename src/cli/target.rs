//! What `--env SOURCE` means: the environment to drive, and the tasks that come with it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::environment::{Description, EnvironmentOptions};
use crate::task::file::{self, Kind};
use crate::task::{
    AgentConfig, ConnectionSpec, EnvironmentSpec, Location, Task, Workdir, arguments,
};
use crate::util::suggest::did_you_mean;

use super::discovery::module;
use super::failure::{Failure, OrUsage};
use super::job;

/// An environment, or a file whose tasks name some.
#[derive(Debug)]
pub(super) enum Target {
    /// One environment.
    Environment(EnvironmentSpec),
    /// The tasks of a file.
    Tasks(Vec<Task>),
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
        return task_file(&file, variables);
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
    if !path.exists() {
        let file = source.rsplit_once(':').filter(|(file, _)| {
            let file = Path::new(file);
            // A folder of that name beside the module, such as a virtual environment called `env`, is not meant.
            file.is_file() || is_environment(file)
        });
        if let Some((file, attribute)) = file {
            return python(Path::new(file), Some(attribute)).map(Target::Environment);
        }
        if let Some((file, attribute)) = module(source, Path::new(".")) {
            return python(&file, attribute.as_deref()).map(Target::Environment);
        }
        if let Some((file, attribute)) = source.rsplit_once(':')
            && Path::new(file).exists()
        {
            return python(Path::new(file), Some(attribute)).map(Target::Environment);
        }
    }
    match file::kind(path).or_usage()? {
        Kind::Python => python(path, None).map(Target::Environment),
        Kind::Folder => match file::discover(path) {
            Ok(found) if !is_environment(path) => task_file(&found, variables),
            Ok(_) | Err(_) => python(path, None).map(Target::Environment),
        },
        Kind::Yaml | Kind::Json | Kind::JsonLines => task_file(path, variables),
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

fn task_file(path: &Path, variables: &dyn Fn(&str) -> Option<String>) -> Result<Target, Failure> {
    if matches!(file::kind(path), Ok(Kind::Python)) {
        return python(path, None).map(Target::Environment);
    }
    let tasks = file::load(path, variables).or_usage()?.tasks;
    Ok(Target::Tasks(tasks))
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
            Self::Tasks(tasks) => {
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
            Self::Tasks(tasks) => tasks,
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
    /// Checks the scenario's name, its arguments and the variables it needs against what the environment says of itself.
    pub(super) fn check(
        &self,
        description: &Description,
        options: &EnvironmentOptions,
    ) -> Result<(), Failure> {
        let Some(scenario) = job::scenario(&self.scenario, &self.env, description) else {
            return Err(Failure::usage(job::unknown(&self.scenario, description)));
        };
        let task = self.as_task();
        let of_task = format!(" (in task '{}')", task.slug);
        let mistakes: Vec<String> = arguments::check(&task, &job::parameters(scenario))
            .into_iter()
            .map(|mistake| mistake.message.replace(&of_task, ""))
            .collect();
        if !mistakes.is_empty() {
            return Err(Failure::usage(format!(
                "{}\nhint: give arguments as --args '{{\"NAME\": VALUE}}'",
                mistakes.join("\n")
            )));
        }
        match job::missing(scenario, options, &self.env) {
            Some(missing) => Err(Failure::usage(missing)),
            None => Ok(()),
        }
    }

    /// The form that the check of arguments takes.
    fn as_task(&self) -> Task {
        Task {
            slug: self.scenario.clone(),
            slug_given: false,
            env: self.env.clone(),
            scenario: Some(self.scenario.clone()),
            args: self.args.clone(),
            prompt: None,
            setup: Vec::new(),
            evaluate: Vec::new(),
            agent: AgentConfig::default(),
            solution: None,
            metadata: Map::new(),
            columns: Map::new(),
            runtime_config: None,
            location: Location::of_file(Path::new("--args")),
            arg_locations: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;
    use crate::util::fs;

    #[test]
    fn a_source_is_a_url_a_file_an_attribute_or_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(&folder.path().join("env.py"), "").unwrap();
        fs::create_dir_all(&folder.path().join("empty")).unwrap();
        let check = |source: &str, expected: Result<(&str, Option<&str>), &str>| {
            let target = read(Some(source), &|_| None);
            match (target, expected) {
                (
                    Ok(Target::Environment(EnvironmentSpec::Python { source, attr, .. })),
                    Ok(expected),
                ) => {
                    assert_eq!(
                        (source.display().to_string(), attr.as_deref()),
                        (at(expected.0), expected.1)
                    );
                }
                (Err(failure), Err(expected)) => {
                    let words = words(&failure).unwrap();
                    assert!(words.contains(expected), "{words}");
                }
                (target, expected) => panic!("{target:?} is not {expected:?}"),
            }
        };
        check(&at("env.py"), Ok(("env.py", None)));
        check(&at("env.py:shop"), Ok(("env.py", Some("shop"))));
        let whole = read(Some(&at("")), &|_| None).unwrap();
        assert!(matches!(
            whole,
            Target::Environment(EnvironmentSpec::Python { source, .. }) if source.is_dir()
        ));
        check(&at("emv.py"), Err("did you mean 'env.py'?"));
        let url = read(Some("http://127.0.0.1:1/mcp"), &|_| None).unwrap();
        assert!(matches!(
            url,
            Target::Environment(EnvironmentSpec::Servers { .. })
        ));
    }

    #[test]
    fn a_name_is_a_tasks_slug_or_a_scenario() {
        use crate::cli::settings::testing::task;
        let mut tasks = [task("a"), task("b")].to_vec();
        tasks[0].args = Map::from_iter([("x".to_owned(), Value::from(1))]);
        let typed = Map::from_iter([("y".to_owned(), Value::from(2))]);
        let target = Target::Tasks(tasks.clone());
        let by_slug = target.choose("a", typed.clone()).unwrap();
        assert_eq!(by_slug.scenario, "initials");
        assert_eq!(by_slug.args.len(), 2);
        let by_scenario = target.choose("other", typed.clone()).unwrap();
        assert_eq!(
            (by_scenario.scenario.as_str(), by_scenario.args),
            ("other", typed)
        );
        tasks[0].scenario = None;
        let error = Target::Tasks(tasks).choose("a", Map::new()).unwrap_err();
        assert!(
            words(&error)
                .unwrap()
                .contains("has a prompt and no scenario")
        );
    }
}
