//! Which files are watched.

use std::path::{Path, PathBuf};

use super::environment::DevOptions;
use crate::task::{ConnectionSpec, EnvironmentSpec};

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
        "shop/env.py",
        "shop/tools/a.py",
        "pkg/__init__.py",
        "common/x.py",
    ];

    /// What is watched, relative to a folder that holds [`FILES`].
    fn check(source: &str, watch: &[&str], watched: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
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
        let expected: Vec<_> = watched.iter().map(|path| at(path)).collect();
        assert_eq!(watched_paths(&options, root.path()), expected);
    }

    #[test]
    fn the_source_is_always_watched_and_its_folder_when_nothing_else_is_asked_for() {
        check("shop/env.py", &[], &["shop"]);
        check("shop", &[], &["shop"]);
        check(
            "shop/env.py",
            &["shop/tools"],
            &["shop/env.py", "shop/tools"],
        );
        check("shop", &["common"], &["common", "shop/env.py"]);
        check("pkg", &["common"], &["common", "pkg"]);
    }
}
