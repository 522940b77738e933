//! Which environment a folder holds, when nobody says.

use std::path::{Path, PathBuf};

use crate::util::fs;

/// Files that may make an environment and are not one: tests, tasks, and what tools of Python look for.
const NOT_ENVIRONMENTS: [&str; 7] = [
    "__init__.py",
    "__main__.py",
    "conftest.py",
    "local_test.py",
    "setup.py",
    "task.py",
    "tasks.py",
];

/// What `folder` may be served as: `env.py`, the package that the folder is, `main.py`; only without any of them other files that make an
/// environment. Found by reading: importing all of them could act. Paths start with `folder`; the package is `folder` itself.
pub(super) fn environments_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let has_env = folder.join("env.py").is_file();
    if has_env {
        found.push(folder.join("env.py"));
    }
    let package = text(&folder.join("__init__.py"));
    // One that only hands on what is in `env.py` is the same environment.
    if makes_environment(&package) || (!has_env && package.contains("import")) {
        found.push(folder.to_owned());
    }
    if makes_environment(&text(&folder.join("main.py"))) {
        found.push(folder.join("main.py"));
    }
    if found.is_empty() {
        found = others(folder);
    }
    found
}

fn others(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir_sorted(folder)
        .unwrap_or_default()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with(['_', '.'])
                && !name.starts_with("test_")
                && !NOT_ENVIRONMENTS.contains(&name.as_ref())
        })
        .filter(|path| makes_environment(&text(path)))
        .collect()
}

/// A file that cannot be read makes nothing; importing it will say what is wrong.
fn text(path: &Path) -> String {
    let bytes = if path.is_file() {
        fs::read(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether `Environment(` is called in this source, as the worker looks for it too.
fn makes_environment(source: &str) -> bool {
    source.match_indices("Environment").any(|(at, word)| {
        let before = source[..at].chars().next_back();
        let after = source[at + word.len()..].trim_start();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_') && after.starts_with('(')
    })
}

/// The file or package that `spec` (`module`, `pkg.module`, with or without `:attr`) names for Python in `folder`, and the attribute. `None`
/// when it is no such name or there is no such module. As in Python hud, a folder that is a package may be named from inside.
pub(super) fn module(spec: &str, folder: &Path) -> Option<(PathBuf, Option<String>)> {
    let (name, attribute) = match spec.split_once(':') {
        Some((name, attribute)) => (name, Some(attribute)),
        None => (spec, None),
    };
    let parts: Vec<&str> = name.split('.').collect();
    let are_names = |parts: &[&str]| parts.iter().all(|part| is_identifier(part));
    let attribute_parts: Vec<&str> = attribute
        .map(|a| a.split('.').collect())
        .unwrap_or_default();
    if !are_names(&parts) || !are_names(&attribute_parts) {
        return None;
    }
    let absolute = std::path::absolute(folder).ok()?;
    let from_inside = (parts.len() > 1 && absolute.ends_with(parts[0]))
        .then(|| absolute.parent().map(Path::to_owned))
        .flatten();
    std::iter::once(folder.to_owned())
        .chain(from_inside)
        .find_map(|base| {
            let path = base.join(parts.join("/"));
            let file = base.join(format!("{}.py", parts.join("/")));
            if path.join("__init__.py").is_file() {
                Some(path)
            } else {
                Some(file).filter(|file| file.is_file())
            }
        })
        .map(|path| (path, attribute.map(str::to_owned)))
}

fn is_identifier(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKES: &str = "from hud import Environment\nenv = Environment('x')\n";

    #[test]
    fn a_folder_is_searched_in_order() {
        let check = |files: &[(&str, &str)], expected: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                fs::write(&folder.path().join(name), text).unwrap();
            }
            let found: Vec<String> = environments_in(folder.path())
                .iter()
                .map(|path| {
                    let inside = path.strip_prefix(folder.path()).unwrap();
                    inside.display().to_string()
                })
                .collect();
            assert_eq!(found, expected, "{files:?}");
        };
        check(&[], &[]);
        check(&[("env.py", "broken")], &["env.py"]);
        check(&[("env.py", ""), ("server.py", MAKES)], &["env.py"]);
        check(
            &[("env.py", ""), ("main.py", MAKES)],
            &["env.py", "main.py"],
        );
        check(&[("env.py", ""), ("main.py", "run()")], &["env.py"]);
        check(&[("env.py", ""), ("__init__.py", "")], &["env.py"]);
        check(
            &[("env.py", ""), ("__init__.py", "from .env import env")],
            &["env.py"],
        );
        check(&[("env.py", ""), ("__init__.py", MAKES)], &["env.py", ""]);
        check(&[("__init__.py", "from .server import env")], &[""]);
        check(&[("main.py", MAKES)], &["main.py"]);
        check(
            &[
                ("b.py", MAKES),
                ("a.py", MAKES),
                ("tasks.py", MAKES),
                ("test_a.py", MAKES),
                ("_x.py", MAKES),
                ("c.py", "MyEnvironment()"),
            ],
            &["a.py", "b.py"],
        );
    }

    #[test]
    fn a_module_is_a_file_or_a_package() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["pkg", "env"] {
            fs::create_dir_all(&root.path().join(folder)).unwrap();
        }
        for file in ["env.py", "pkg/__init__.py", "pkg/mod.py"] {
            fs::write(&root.path().join(file), "").unwrap();
        }
        let check = |spec: &str, folder: &str, expected: Option<(&str, Option<&str>)>| {
            let got = module(spec, &root.path().join(folder));
            let expected = expected
                .map(|(path, attribute)| (root.path().join(path), attribute.map(str::to_owned)));
            assert_eq!(got, expected, "{spec}");
        };
        check("env:env", "", Some(("env.py", Some("env"))));
        check("env", "", Some(("env.py", None)));
        check("pkg", "", Some(("pkg", None)));
        check(
            "pkg.mod:shop.env",
            "",
            Some(("pkg/mod.py", Some("shop.env"))),
        );
        check("pkg.mod:env", "pkg", Some(("pkg/mod.py", Some("env"))));
        check("emv.py", "", None);
        check("nope:env", "", None);
        check("../env:env", "", None);
        check("env:", "", None);
        check("2nd:env", "", None);
    }
}
