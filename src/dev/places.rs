//! Where the project is: what is watched, and which modules are its own.

use std::path::{Path, PathBuf};

use super::environment::DevOptions;
use crate::task::{ConnectionSpec, EnvironmentSpec};

/// Files by which the folder of a whole project is known; the worker puts that folder on `sys.path`.
const ROOT_MARKS: &[&str] = &["pyproject.toml", "setup.py", "setup.cfg", ".hud", ".git"];

/// How far up it is looked for, as the worker does.
const ROOT_LEVELS: usize = 10;

/// What is watched: the paths that were asked for and the source itself; when none was asked for, the source's whole folder. `folder` is where
/// commands run that name no other.
pub(super) fn watched_paths(options: &DevOptions, folder: &Path) -> Vec<PathBuf> {
    let mut paths = options.watch.clone();
    match &options.spec {
        EnvironmentSpec::Python { source, .. } => {
            if paths.is_empty() {
                paths.push(source_folder(source).to_owned());
            } else if source.is_dir() && !source.join("__init__.py").is_file() {
                let file = source.join("env.py");
                paths.push(if file.is_file() { file } else { source.clone() });
            } else {
                paths.push(source.clone());
            }
        }
        EnvironmentSpec::Servers { servers } if paths.is_empty() => {
            paths.extend(
                servers
                    .iter()
                    .filter_map(|(_, connection)| match connection {
                        ConnectionSpec::Stdio { cwd, .. } => {
                            Some(cwd.as_deref().unwrap_or(folder).to_owned())
                        }
                        ConnectionSpec::Http { .. } => None,
                    }),
            );
        }
        EnvironmentSpec::Servers { .. }
        | EnvironmentSpec::Image { .. }
        | EnvironmentSpec::Hub { .. } => {}
    }
    paths.sort();
    paths.dedup();
    paths
}

/// The folders whose modules a new version imports anew: the whole project's and those that are watched.
pub(super) fn project_folders(options: &DevOptions) -> Vec<PathBuf> {
    let EnvironmentSpec::Python { source, .. } = &options.spec else {
        return Vec::new();
    };
    let folder = source_folder(source);
    let root = folder
        .ancestors()
        .take(ROOT_LEVELS)
        .find(|folder| ROOT_MARKS.iter().any(|mark| folder.join(mark).exists()))
        .unwrap_or(folder);
    let watched = options.watch.iter().map(|path| source_folder(path));
    let mut folders: Vec<PathBuf> = watched.chain([root, folder]).map(Path::to_owned).collect();
    folders.sort();
    // A folder inside of another says nothing more.
    folders.dedup_by(|later, earlier| later.starts_with(&*earlier));
    folders
}

/// The folder that a source is or lies in.
fn source_folder(source: &Path) -> &Path {
    if source.is_dir() {
        source
    } else {
        source.parent().unwrap_or(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Isolation;
    use crate::task::Workdir;
    use crate::util::fs;
    use std::time::Duration;

    const FILES: &[&str] = &[
        "pyproject.toml",
        "envs/shop/env.py",
        "envs/shop/tools/a.py",
        "envs/pkg/__init__.py",
        "common/x.py",
    ];

    /// What is watched and what is the project's, relative to a folder that holds [`FILES`].
    fn check(source: &str, watch: &[&str], watched: &[&str], project: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| match path {
            "" => root.path().to_owned(),
            path => root.path().join(path),
        };
        for file in FILES {
            fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            fs::write(&at(file), "").unwrap();
        }
        let options = DevOptions {
            spec: EnvironmentSpec::Python {
                source: at(source),
                attr: None,
                python: None,
                workdir: Workdir::Shared,
                env: std::collections::BTreeMap::new(),
            },
            watch: watch.iter().map(|path| at(path)).collect(),
            watching: true,
            isolation: Isolation::Shared,
            import_timeout: Duration::ZERO,
            log: PathBuf::new(),
            warm: true,
        };
        let expected = |paths: &[&str]| paths.iter().map(|path| at(path)).collect::<Vec<_>>();
        assert_eq!(watched_paths(&options, root.path()), expected(watched));
        assert_eq!(project_folders(&options), expected(project));
    }

    #[test]
    fn the_source_is_always_watched_and_its_folder_when_nothing_else_is_asked_for() {
        check("envs/shop/env.py", &[], &["envs/shop"], &[""]);
        check(
            "envs/shop/env.py",
            &["envs/shop/tools"],
            &["envs/shop/env.py", "envs/shop/tools"],
            &[""],
        );
        check(
            "envs/shop",
            &["common"],
            &["common", "envs/shop/env.py"],
            &[""],
        );
        check("envs/pkg", &["common"], &["common", "envs/pkg"], &[""]);
    }

    #[test]
    fn folders_outside_of_the_project_are_its_own_when_they_are_watched() {
        let outside = tempfile::tempdir().unwrap();
        check(
            "envs/shop/env.py",
            &[outside.path().to_str().unwrap()],
            &{
                let mut paths = ["envs/shop/env.py", outside.path().to_str().unwrap()];
                paths.sort_by_key(|path| path.starts_with("envs"));
                paths
            },
            &["", outside.path().to_str().unwrap()],
        );
    }
}
