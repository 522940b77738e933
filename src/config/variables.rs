//! The variables of the process and of `.env` files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Origin, Setting, dotenv, env_vars};
use crate::util::diagnostic::Diagnostic;
use crate::util::fs;

/// The process's environment, then `./.env`, then `~/.hud/.env`: the first that has a name wins. `Debug` prints names only.
#[derive(Clone, Default)]
pub struct Variables {
    process: BTreeMap<String, String>,
    project: Option<(PathBuf, BTreeMap<String, String>)>,
    user: Option<(PathBuf, BTreeMap<String, String>)>,
    warnings: Vec<Diagnostic>,
}

impl Variables {
    /// Those of this process, with `.env` of `folder`. Variables that are not UTF-8 are left out.
    pub fn of_process(folder: &Path) -> Result<Self> {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::new(process, folder)
    }

    /// Those given, with `.env` of `folder` and `.hud/.env` of the `HOME` among them. Files that are not there are fine.
    pub fn new(process: BTreeMap<String, String>, folder: &Path) -> Result<Self> {
        let home = process.get(env_vars::HOME).filter(|home| !home.is_empty());
        let user = home.map(|home| Path::new(home).join(".hud/.env"));
        let mut variables = Self {
            process,
            ..Self::default()
        };
        variables.project = variables.read(&folder.join(".env"))?;
        if let Some(user) = user {
            variables.user = variables.read(&user)?;
        }
        Ok(variables)
    }

    fn read(&mut self, path: &Path) -> Result<Option<(PathBuf, BTreeMap<String, String>)>> {
        // A folder called `.env` is a virtual environment of some people.
        if path.is_dir() {
            return Ok(None);
        }
        let Some(text) = fs::read_to_string_if_exists(path)? else {
            return Ok(None);
        };
        let found = dotenv::parse(path, &text);
        self.warnings.extend(found.warnings);
        Ok(Some((path.to_owned(), found.values)))
    }

    /// The value, empty or not, and where it is from.
    pub fn get(&self, name: &str) -> Option<(&str, Origin)> {
        self.layers(name).next()
    }

    /// The value, empty or not, for `${VAR}`.
    pub fn value(&self, name: &str) -> Option<String> {
        self.get(name).map(|(value, _)| value.to_owned())
    }

    /// The first value that is not empty, for settings: people empty a variable to unset it.
    pub fn setting(&self, name: &str) -> Option<Setting<String>> {
        self.layers(name)
            .find(|(value, _)| !value.trim().is_empty())
            .map(|(value, origin)| Setting {
                value: value.to_owned(),
                origin,
            })
    }

    /// Whether a switch such as `NO_COLOR` is on: set and not empty.
    pub fn is_on(&self, name: &str) -> bool {
        self.setting(name).is_some()
    }

    /// Names that no child process gets unless something asks for them: keys of providers, and whatever is in `~/.hud/.env`.
    pub fn secret_names(&self) -> BTreeSet<String> {
        let of_user = self
            .user
            .iter()
            .flat_map(|(_, values)| values.keys().cloned());
        env_vars::SECRET_VARS
            .iter()
            .map(|&name| name.to_owned())
            .chain(of_user)
            .collect()
    }

    /// For child processes: what every one gets (the process's variables without secrets), and what only one that names it gets (secrets, and
    /// whatever is in `.env` files).
    pub fn for_children(&self) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let secret_names = self.secret_names();
        let (secrets, plain): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .process
            .clone()
            .into_iter()
            .partition(|(name, _)| secret_names.contains(name));
        let mut asked = secrets;
        for (_, values) in [&self.project, &self.user].into_iter().flatten() {
            for (name, value) in values {
                asked.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        (plain, asked)
    }

    /// Lines of `.env` files that were not understood.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Values by precedence.
    fn layers(&self, name: &str) -> impl Iterator<Item = (&str, Origin)> {
        let process = self
            .process
            .get(name)
            .map(|value| (value.as_str(), Origin::Variable(name.to_owned())));
        let files = [&self.project, &self.user].into_iter().flatten();
        let name = name.to_owned();
        process
            .into_iter()
            .chain(files.filter_map(move |(path, values)| {
                let value = values.get(&name)?;
                Some((value.as_str(), Origin::DotEnv(path.clone())))
            }))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |file: &Option<(PathBuf, BTreeMap<String, String>)>| {
            file.as_ref()
                .map(|(path, values)| (path.clone(), values.keys().cloned().collect::<Vec<_>>()))
        };
        f.debug_struct("Variables")
            .field("process", &self.process.keys())
            .field("project", &names(&self.project))
            .field("user", &names(&self.user))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_the_project_and_that_over_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        let home = folder.path().join("home");
        fs::create_dir_all(&home.join(".hud")).unwrap();
        fs::create_dir_all(&project).unwrap();
        fs::write(&project.join(".env"), "A=project\nB=project\nE=project\n").unwrap();
        fs::write(
            &home.join(".hud/.env"),
            "A=user\nB=user\nMY_KEY=s3cret\nwhat\n",
        )
        .unwrap();
        let process = [
            ("A", "process"),
            ("E", ""),
            ("HOME", home.to_str().unwrap()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = Variables::new(BTreeMap::from(process), &project).unwrap();

        let project_file = Origin::DotEnv(project.join(".env"));
        let user_file = Origin::DotEnv(home.join(".hud/.env"));
        assert_eq!(
            variables.get("A"),
            Some(("process", Origin::Variable("A".to_owned())))
        );
        assert_eq!(variables.get("B"), Some(("project", project_file.clone())));
        assert_eq!(variables.get("MY_KEY"), Some(("s3cret", user_file)));
        assert_eq!(variables.get("NO"), None);
        assert_eq!(variables.value("E"), Some(String::new()));
        assert_eq!(variables.setting("E").unwrap().origin, project_file);
        assert!(variables.is_on("A") && !variables.is_on("NO"));

        let secret = variables.secret_names();
        assert!(secret.contains("MY_KEY") && secret.contains("ANTHROPIC_API_KEY"));
        assert!(secret.contains("A") && !secret.contains("HOME"));
        assert_eq!(variables.warnings().len(), 1);
        let (plain, asked) = variables.for_children();
        let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&plain), ["E", "HOME"]);
        assert_eq!(names(&asked), ["A", "B", "E", "MY_KEY"]);
        assert_eq!(
            (asked["A"].as_str(), asked["B"].as_str()),
            ("process", "project")
        );
        assert!(!format!("{variables:?}").contains("s3cret"));
    }

    #[test]
    fn without_files_there_are_the_variables_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(&folder.path().join(".env")).unwrap();
        let variables = Variables::new(BTreeMap::new(), folder.path()).unwrap();
        assert_eq!(variables.get("A"), None);
        assert!(Variables::of_process(folder.path()).unwrap().is_on("PATH"));
    }
}
