//! Which Python runs an environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::util::process;

/// The interpreter for the environment in `folder`: the one asked for, else the project's `.venv`, else `$VIRTUAL_ENV`, else `python3`.
///
/// # Errors
/// In words, when the one asked for is not there or no Python is found.
pub(in crate::environment) fn interpreter(
    asked: Option<&Path>,
    folder: &Path,
    env: &BTreeMap<String, String>,
) -> Result<PathBuf, String> {
    let path = env.get("PATH").map(String::as_str);
    if let Some(asked) = asked {
        return process::find(&asked.to_string_lossy(), path)
            .ok_or_else(|| format!("there is no Python at `{}`", asked.display()));
    }
    let in_project = folder
        .ancestors()
        .map(|ancestor| ancestor.join(".venv/bin/python"))
        .find(|candidate| candidate.is_file());
    if let Some(python) = in_project {
        return Ok(python);
    }
    if let Some(active) = env.get("VIRTUAL_ENV") {
        let python = Path::new(active).join("bin/python");
        if python.is_file() {
            return Ok(python);
        }
    }
    process::find("python3", path)
        .or_else(|| process::find("python", path))
        .ok_or_else(|| {
            "no Python was found\nhint: install Python 3.10 or newer, or name one with --python"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::fs;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn the_order_is_asked_project_active_path() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        touch(&at("bin/python3"));
        touch(&at("active/bin/python"));
        let project = at("project/env");
        fs::create_dir_all(&project).unwrap();
        let mut env =
            BTreeMap::from([("PATH".to_owned(), at("bin").to_string_lossy().into_owned())]);
        assert_eq!(
            interpreter(None, &project, &env).unwrap(),
            at("bin/python3")
        );
        env.insert(
            "VIRTUAL_ENV".to_owned(),
            at("active").to_string_lossy().into_owned(),
        );
        assert_eq!(
            interpreter(None, &project, &env).unwrap(),
            at("active/bin/python")
        );
        touch(&at("project/.venv/bin/python"));
        assert_eq!(
            interpreter(None, &project, &env).unwrap(),
            at("project/.venv/bin/python")
        );
        let asked = at("bin/python3");
        assert_eq!(interpreter(Some(&asked), &project, &env).unwrap(), asked);
        let error = interpreter(Some(&at("nowhere")), &project, &env).unwrap_err();
        assert!(error.starts_with("there is no Python at"), "{error}");
    }
}
