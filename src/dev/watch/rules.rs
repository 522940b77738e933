//! Which files of a project matter: neither what tools, editors and running programs leave behind, nor what `.gitignore` names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::util::fs;

/// What a change of a file asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new version of the environment.
    Source,
    /// A new image, or packages to install: reloading does not bring it into effect.
    Dependencies,
    /// A new start of the development server, which has read it.
    Settings,
}

/// Folders that tools fill, by name. Those that start with a dot are left out anyway.
const CACHES: &[&str] = &[
    "__pycache__",
    "__pypackages__",
    "node_modules",
    "site-packages",
];

/// Files by whose presence a folder is known to be a cache or a virtual environment.
const MARKS: &[&str] = &["CACHEDIR.TAG", "pyvenv.cfg"];

/// Ends of names of what compilers, editors and running programs write. Databases and logs are the state of an environment that runs: a
/// reload for each write of it would end what wrote it.
const LEFT_BEHIND: &[&str] = &[
    "~",
    ".bak",
    ".crswap",
    ".db",
    ".db-journal",
    ".db-shm",
    ".db-wal",
    ".kate-swp",
    ".lock",
    ".log",
    ".orig",
    ".part",
    ".pid",
    ".pyc",
    ".pyo",
    ".sock",
    ".sqlite",
    ".sqlite-journal",
    ".sqlite-shm",
    ".sqlite-wal",
    ".sqlite3",
    ".sqlite3-journal",
    ".sqlite3-shm",
    ".sqlite3-wal",
    ".swo",
    ".swp",
    ".swx",
    ".temp",
    ".tmp",
    "___jb_bak___",
    "___jb_old___",
    "___jb_tmp___",
];

/// Files that name packages or describe the image.
const DEPENDENCIES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "environment.yaml",
    "environment.yml",
    "package-lock.json",
    "pdm.lock",
    "pipfile",
    "pipfile.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "uv.lock",
    "yarn.lock",
];

/// Beginnings and ends of names of more of them.
const DEPENDENCY_PATTERNS: &[(&str, &str)] = &[
    ("constraints", ".txt"),
    ("dockerfile", ""),
    ("", ".dockerfile"),
    ("pylock.", ".toml"),
    ("requirements", ".txt"),
];

/// Files that name packages too, and that a command such as `cargo run` reads by itself when it is started again.
const READ_BY_COMMANDS: &[&str] = &[
    "cargo.lock",
    "cargo.toml",
    "go.mod",
    "go.sum",
    "package.json",
];

const SETTINGS: &[&str] = &[".env", "hud.toml"];

/// The rules of one development server.
pub(super) struct Rules {
    /// Whether a command is developed, which may build itself.
    builds_itself: bool,
    global: Gitignore,
    /// By folder; loaded when first asked for.
    local: HashMap<PathBuf, Gitignore>,
    /// The folder in which git's own rules end, by watched path.
    tops: HashMap<PathBuf, PathBuf>,
}

impl Rules {
    pub(super) fn new(builds_itself: bool) -> Self {
        Self {
            builds_itself,
            global: Gitignore::global().0,
            local: HashMap::new(),
            tops: HashMap::new(),
        }
    }

    /// What a change of `path` asks for.
    pub(super) fn kind(&self, path: &Path) -> Kind {
        let name = lower_name(path);
        let is_dependency = DEPENDENCIES.contains(&name.as_str())
            || (READ_BY_COMMANDS.contains(&name.as_str()) && !self.builds_itself)
            || DEPENDENCY_PATTERNS
                .iter()
                .any(|(start, end)| name.starts_with(start) && name.ends_with(end));
        if SETTINGS.contains(&name.as_str()) {
            Kind::Settings
        } else if is_dependency {
            Kind::Dependencies
        } else {
            Kind::Source
        }
    }

    /// Whether `path`, or a folder between it and the watched `root`, is left out.
    pub(super) fn leave_out(&mut self, root: &Path, path: &Path, is_folder: bool) -> bool {
        let Ok(inside) = path.strip_prefix(root) else {
            return false;
        };
        let count = inside.components().count();
        let mut part = root.to_owned();
        inside.components().enumerate().any(|(index, component)| {
            part.push(component);
            let is_folder = index + 1 < count || is_folder;
            self.leave_out_entry(root, &part.clone(), is_folder)
        })
    }

    /// Whether `path` is left out, when no folder between it and `root` is.
    pub(super) fn leave_out_entry(&mut self, root: &Path, path: &Path, is_folder: bool) -> bool {
        if path == root {
            return false;
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            // Not in UTF-8: no file of a project that we could name.
            return true;
        };
        let built_in = if is_folder {
            is_cache(path, name)
        } else {
            is_left_behind(name)
        };
        built_in || self.is_ignored_by_git(root, path, is_folder)
    }

    /// Reads the rules of `folder` anew when they are needed next.
    pub(super) fn forget(&mut self, folder: &Path) {
        self.local.remove(folder);
    }

    fn is_ignored_by_git(&mut self, root: &Path, path: &Path, is_folder: bool) -> bool {
        let top = self
            .tops
            .entry(root.to_owned())
            .or_insert_with(|| top_of(root))
            .clone();
        for folder in path.ancestors().skip(1) {
            let rules = self
                .local
                .entry(folder.to_owned())
                .or_insert_with(|| load(folder));
            match rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
            if folder == top {
                break;
            }
        }
        self.global.matched(path, is_folder).is_ignore()
    }
}

/// Git's rules reach up to its repository; without one they begin at what is watched.
fn top_of(root: &Path) -> PathBuf {
    root.ancestors()
        .find(|folder| folder.join(".git").exists())
        .unwrap_or(root)
        .to_owned()
}

fn load(folder: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    for file in [".git/info/exclude", ".gitignore"] {
        // A rule that cannot be read is git's to complain of.
        if fs::size(&folder.join(file)) > 0 {
            let _ = builder.add(folder.join(file));
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn is_cache(path: &Path, name: &str) -> bool {
    name.starts_with('.')
        || CACHES.contains(&name)
        || name.ends_with(".egg-info")
        || name.ends_with(".dist-info")
        || MARKS.iter().any(|mark| path.join(mark).is_file())
        || (name == "target" && path.with_file_name("Cargo.toml").is_file())
}

fn is_left_behind(name: &str) -> bool {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let lower = name.to_lowercase();
    // Vim tries whether it may write with a file called 4913; emacs saves to `#x#`, and locks with `.#x`.
    (name.starts_with('.') && !SETTINGS.contains(&name))
        || (is_number && name.len() <= 6)
        || (name.starts_with('#') && name.ends_with('#'))
        || name.starts_with("~$")
        || name == "hud.lock.yaml"
        || (LEFT_BEHIND.iter().any(|end| lower.ends_with(end)) && !is_lock_file(&lower))
}

/// Lock files of package managers end like those of running programs.
fn is_lock_file(lower: &str) -> bool {
    DEPENDENCIES.contains(&lower) || READ_BY_COMMANDS.contains(&lower)
}

fn lower_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        folder
    }

    /// Whether each path is left out; one that ends with a slash is a folder.
    fn check(files: &[(&str, &str)], expected: &[(&str, bool)]) {
        let folder = project(files);
        let mut rules = Rules::new(false);
        let found: Vec<_> = expected
            .iter()
            .map(|(path, _)| {
                let is_folder = path.ends_with('/');
                let full = folder.path().join(path.trim_end_matches('/'));
                (*path, rules.leave_out(folder.path(), &full, is_folder))
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_tools_and_editors_leave_behind_is_left_out() {
        check(
            &[
                ("myenv/pyvenv.cfg", ""),
                ("cache/CACHEDIR.TAG", ""),
                ("rust/Cargo.toml", ""),
                ("rust/target/x.py", ""),
            ],
            &[
                ("env.py", false),
                ("fixtures/orders.sql", false),
                ("data/4913.json", false),
                ("tools/", false),
                ("target/goal.py", false),
                ("uv.lock", false),
                (".env", false),
                ("__pycache__/env.cpython-311.pyc", true),
                (".venv/lib/x.py", true),
                ("myenv/lib/x.py", true),
                ("cache/x.py", true),
                ("rust/target/x.py", true),
                (".git/", true),
                ("node_modules/a/index.js", true),
                (".hud/runs/1.json", true),
                ("4913", true),
                (".env.py.swp", true),
                ("env.py~", true),
                (".#env.py", true),
                ("#env.py#", true),
                ("env.py___jb_tmp___", true),
                (".env.py.kate-swp", true),
                ("orders.db-wal", true),
                ("server.log", true),
                ("hud.lock.yaml", true),
            ],
        );
    }

    #[test]
    fn gitignore_is_respected_at_every_level() {
        check(
            &[
                (".gitignore", "*.out\n/build/\n!keep.out\n"),
                ("sub/.gitignore", "local.py\n!special.out\n"),
            ],
            &[
                ("a.out", true),
                ("keep.out", false),
                ("sub/b.out", true),
                ("sub/special.out", false),
                ("sub/local.py", true),
                ("local.py", false),
                ("build/x.py", true),
                ("sub/build/x.py", false),
            ],
        );
    }

    #[test]
    fn rules_of_the_repository_around_apply_and_those_beyond_it_do_not() {
        let folder = project(&[
            (".gitignore", "*.py\n"),
            ("repo/.git/HEAD", ""),
            ("repo/.git/info/exclude", "mine.sql\n"),
            ("repo/.gitignore", "*.out\n"),
            ("repo/env/env.py", ""),
        ]);
        let root = folder.path().join("repo/env");
        let mut rules = Rules::new(false);
        let mut check = |name: &str| rules.leave_out(&root, &root.join(name), false);
        assert!(check("x.out"));
        assert!(check("mine.sql"));
        assert!(!check("env.py"));
    }

    #[test]
    fn changed_rules_count_when_they_are_forgotten() {
        let folder = project(&[(".gitignore", "a.py\n")]);
        let root = folder.path();
        let mut rules = Rules::new(false);
        assert!(rules.leave_out(root, &root.join("a.py"), false));
        fs::write(&root.join(".gitignore"), "b.py\n").unwrap();
        rules.forget(root);
        assert!(!rules.leave_out(root, &root.join("a.py"), false));
    }

    #[test]
    fn dependencies_and_settings_are_no_reason_to_reload() {
        let check = |name: &str, builds_itself: bool| {
            Rules::new(builds_itself).kind(&Path::new("/p").join(name))
        };
        for name in [
            "Dockerfile",
            "Dockerfile.hud",
            "requirements.txt",
            "requirements-dev.txt",
            "pyproject.toml",
            "uv.lock",
        ] {
            assert_eq!(check(name, true), Kind::Dependencies, "{name}");
        }
        assert_eq!(check("package.json", false), Kind::Dependencies);
        assert_eq!(check("package.json", true), Kind::Source);
        assert_eq!(check("hud.toml", false), Kind::Settings);
        assert_eq!(check(".env", false), Kind::Settings);
        assert_eq!(check("notes.txt", false), Kind::Source);
        assert_eq!(check("env.py", false), Kind::Source);
    }
}
