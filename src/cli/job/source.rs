//! Where the tasks of a job come from.

use std::path::{Path, PathBuf};

use crate::cli::failure::{Failure, OrUsage};
use crate::cli::settings::{Layer, LayerSource};
use crate::cli::target;
use crate::config::{Origin, Setting};
use crate::environment::Environments;
use crate::task::file::{self, Kind, TaskFile};
use crate::task::{EnvironmentSpec, Task};

/// A file of tasks.
#[derive(Debug)]
pub(in crate::cli) enum Source {
    /// YAML, JSON or JSONL: read and checked already.
    Read {
        /// The file.
        path: PathBuf,
        /// What it holds.
        file: TaskFile,
    },
    /// Python: its worker tells what it holds.
    Python {
        /// The file or package.
        path: PathBuf,
        /// The environment that it defines or imports.
        env: EnvironmentSpec,
    },
}

impl Source {
    /// Finds the source (`None` looks for a task file in the current folder) and reads it, unless it takes a worker to read it.
    pub(in crate::cli) fn find(
        source: Option<&Setting<PathBuf>>,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let path = if let Some(source) = source {
            source.value.clone()
        } else {
            let found = file::discover(Path::new(".")).map_err(|error| {
                    Failure::usage(format!(
                        "{error}\nhint: name a file, as in `hud eval tasks.yaml`, or create an environment with `hud init NAME`"
                    ))
                })?;
            found.strip_prefix(".").map(Path::to_owned).unwrap_or(found)
        };
        let kind = file::kind(&path).map_err(|error| {
            let hint = if looks_hosted(&path) {
                "\nhint: hosted tasksets are not read; name a task file"
            } else {
                ""
            };
            let origin = match source.map(|source| &source.origin) {
                None | Some(Origin::Flag) => String::new(),
                Some(origin) => format!("{origin}: source: "),
            };
            Failure::usage(format!("{origin}{error}{hint}"))
        })?;
        match kind {
            Kind::Yaml | Kind::Json | Kind::JsonLines => Self::read(path, variables),
            Kind::Python => Self::python(path),
            Kind::Folder => match file::discover(&path) {
                Ok(found) if matches!(file::kind(&found), Ok(Kind::Python)) => Self::python(found),
                Ok(found) => Self::read(found, variables),
                Err(_) if target::is_environment(&path) => Self::python(path),
                Err(error) => Err(Failure::usage(error)),
            },
        }
    }

    fn read(path: PathBuf, variables: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let file = file::load(&path, variables).or_usage()?;
        Ok(Self::Read { path, file })
    }

    fn python(path: PathBuf) -> Result<Self, Failure> {
        let env = target::python(&path, None)?;
        Ok(Self::Python { path, env })
    }

    /// The file or folder, as the user named it.
    pub(in crate::cli) fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. } | Self::Python { path, .. } => path,
        }
    }

    /// The environment that must start for the tasks to be known.
    pub(in crate::cli) fn environment(&self) -> Option<&EnvironmentSpec> {
        match self {
            Self::Read { .. } => None,
            Self::Python { env, .. } => Some(env),
        }
    }

    /// The job's name: the file's own, else its stem.
    pub(in crate::cli) fn name(&self) -> String {
        match self {
            Self::Read { path, file } => file.name.clone().unwrap_or_else(|| stem(path)),
            Self::Python { path, .. } => stem(path),
        }
    }

    /// What the file's `agent:` sets.
    pub(in crate::cli) fn agent_layer(&self) -> Option<Layer> {
        match self {
            Self::Read { file, .. } => file.agent_origin.clone().map(|origin| Layer {
                config: file.agent.clone(),
                source: LayerSource::Below(Origin::TaskFile(origin)),
            }),
            Self::Python { .. } => None,
        }
    }

    /// The tasks. A Python file's come from its worker, which is then ready for the rollouts too.
    pub(in crate::cli) async fn tasks(
        self,
        environments: &Environments,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Task>, Failure> {
        match self {
            Self::Read { file, .. } => Ok(file.tasks),
            Self::Python { path, env } => {
                let description = environments.prepare(&env).await?;
                if description.task_rows.is_empty() {
                    return Err(Failure::usage(format!(
                        "`{}` holds no tasks\nhint: give it some, as in `task = env(\"scenario\", argument=value)`, or name a task file",
                        path.display()
                    )));
                }
                let rows = description.task_rows.clone();
                Ok(file::from_rows(rows, &path, env, variables)
                    .or_usage()?
                    .tasks)
            }
        }
    }
}

/// Whether a source that does not exist was meant for Python hud's platform: a bare name or an id.
fn looks_hosted(path: &Path) -> bool {
    path.extension().is_none() && path.components().count() == 1
}

/// The name of a file without its extension, of a folder (also of `.`) its own.
fn stem(path: &Path) -> String {
    let name = |path: &Path| {
        let name = if path.is_dir() {
            path.file_name()
        } else {
            path.file_stem()
        };
        name.map(|name| name.to_string_lossy().into_owned())
    };
    let whole = || path.canonicalize().ok();
    name(path)
        .or_else(|| name(&whole()?))
        .unwrap_or_else(|| "job".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;
    use crate::util::diagnostic::Location;

    #[test]
    fn a_job_is_named_after_its_file_or_folder() {
        assert_eq!(stem(Path::new("a/tasks.v2.yaml")), "tasks.v2");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(stem(&root.join("examples/trivia")), "trivia");
        assert_eq!(stem(&root.join("examples/trivia/..")), "examples");
    }

    #[test]
    fn a_source_of_a_file_that_is_not_there_names_that_file() {
        let source = Setting {
            value: PathBuf::from("no-such-tasks.yaml"),
            origin: Origin::Project(Location {
                file: "hud.toml".into(),
                line: 2,
                column: 1,
            }),
        };
        let failure = Source::find(Some(&source), &|_| None).unwrap_err();
        let words = words(&failure).unwrap();
        assert!(words.starts_with("hud.toml:2:1: source: "), "{words}");
    }
}
