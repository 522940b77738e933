//! Which kind of file a path is, and which file of a folder holds its tasks.

use std::path::{Path, PathBuf};

use super::environment::{has_suffix, nearest_file};

/// What `hud eval` looks for in a folder, first match first.
pub const DISCOVERED: &[&str] = &[
    "tasks.yaml",
    "tasks.yml",
    "tasks.json",
    "tasks.jsonl",
    "tasks.py",
];

/// The kind of a source of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `.yaml`, `.yml`: for [`load`](super::load()).
    Yaml,
    /// `.json`: for [`load`](super::load()).
    Json,
    /// `.jsonl`: for [`load`](super::load()).
    JsonLines,
    /// `.py`: a worker describes its tasks, for [`from_rows`](super::from_rows()).
    Python,
    /// A folder: [`discover`] finds its file.
    Folder,
}

/// A path that is no source of tasks. Text: what was looked for, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(String);

/// The kind of what is at `path`.
pub fn kind(path: &Path) -> Result<Kind, SourceError> {
    if path.is_dir() {
        return Ok(Kind::Folder);
    }
    if !path.exists() {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        return Err(SourceError(format!(
            "no such file or folder: `{}`{}",
            path.display(),
            nearest_file(&absolute)
        )));
    }
    [
        ("yaml", Kind::Yaml),
        ("yml", Kind::Yaml),
        ("json", Kind::Json),
        ("jsonl", Kind::JsonLines),
        ("py", Kind::Python),
    ]
    .into_iter()
    .find(|(suffix, _)| has_suffix(path, suffix))
    .map(|(_, kind)| kind)
    .ok_or_else(|| {
        SourceError(format!(
            "`{}` is no file of tasks by its name; tasks are in .yaml, .yml, .json, .jsonl or .py files",
            path.display()
        ))
    })
}

/// The file of a folder that holds its tasks.
pub fn discover(folder: &Path) -> Result<PathBuf, SourceError> {
    DISCOVERED
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            SourceError(format!(
                "no tasks in `{}`: looked for {}",
                folder.display(),
                DISCOVERED.join(", ")
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::fs;

    #[test]
    fn a_source_is_known_by_its_name_and_a_near_name_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let check = |name: &str, expected: Result<Kind, &str>| {
            let shown = at(name).display().to_string();
            let found = kind(&at(name)).map_err(|error| error.to_string().replace(&shown, "PATH"));
            assert_eq!(found, expected.map_err(str::to_owned), "{name}");
        };
        for name in ["tasks.py", "a.YAML", "b.json", "c.jsonl", "d.toml"] {
            fs::write(&at(name), "").unwrap();
        }
        check("tasks.py", Ok(Kind::Python));
        check("a.YAML", Ok(Kind::Yaml));
        check("b.json", Ok(Kind::Json));
        check("c.jsonl", Ok(Kind::JsonLines));
        check("", Ok(Kind::Folder));
        check(
            "task.py",
            Err("no such file or folder: `PATH`; did you mean 'tasks.py'?"),
        );
        check("zzz", Err("no such file or folder: `PATH`"));
        check(
            "d.toml",
            Err(
                "`PATH` is no file of tasks by its name; tasks are in .yaml, .yml, .json, .jsonl or .py files",
            ),
        );

        assert_eq!(discover(folder.path()), Ok(at("tasks.py")));
        fs::write(&at("tasks.json"), "").unwrap();
        assert_eq!(discover(folder.path()), Ok(at("tasks.json")));
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            discover(empty.path()).unwrap_err().to_string(),
            format!(
                "no tasks in `{}`: looked for tasks.yaml, tasks.yml, tasks.json, tasks.jsonl, tasks.py",
                empty.path().display()
            )
        );
    }
}
