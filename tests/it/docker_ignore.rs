//! `.dockerignore`: what we leave out of a context is what Docker leaves out, case by case, against Docker's own client.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hud::build::context;
use hud::docker::EntryKind;

use crate::support::docker::{Docker, tar_listing};

/// The folder of every case. `->` is a link, a slash at the end a folder without anything in it.
const FILES: &[&str] = &[
    "Dockerfile",
    "README.md",
    "LICENSE",
    ".env",
    ".git/config",
    ".git/objects/ab/cd",
    "env.py",
    "run.sh",
    "a b.txt",
    "é.txt",
    "[x].txt",
    "empty/",
    "link -> env.py",
    "out -> ../outside",
    "dirlink -> src",
    "src/main.py",
    "src/main.pyc",
    "src/README.md",
    "src/deep/er/x.py",
    "src/deep/er/x.pyc",
    "src/deep/README.md",
    "src/__pycache__/m.pyc",
    "tests/test_a.py",
    "tests/data/big.bin",
    "tests/data/keep.txt",
    "logs/a.log",
    "logs/b.log",
    "logs/2026/c.log",
    "node_modules/p/index.js",
    "docs/README.md",
    "docs/guide/intro.md",
];

/// The ignore files, each with whether the older walker of Docker (before BuildKit 0.10) leaves out more: it enters an ignored folder only
/// for exceptions that begin with its path.
const CASES: &[(&str, bool)] = &[
    ("", false),
    ("*", false),
    ("**", false),
    ("*.md", false),
    ("**/*.md", false),
    ("*/*.md", false),
    ("*/*/*.md", false),
    ("src", false),
    ("src/", false),
    ("/src", false),
    ("./src", false),
    ("src/*", false),
    ("src/**", false),
    ("src/**/*.py", false),
    ("**/src", false),
    ("**/README.md", false),
    ("**/deep/**", false),
    ("src/../tests", false),
    ("../src", false),
    ("?.txt", false),
    ("[a-l]*", false),
    ("[^s]*", false),
    ("\\[x\\].txt", false),
    ("a b.txt", false),
    ("  src  \n\n# tests\n #logs", false),
    ("\u{feff}src\r\ntests\r\n", false),
    ("*.md\n!README.md", false),
    ("!README.md\n*.md", false),
    ("*\n!src", false),
    ("*\n!src/main.py", false),
    ("*\n!src/deep/er", false),
    ("*\n!src\nsrc/deep", false),
    ("*\n!src\nsrc/deep\n!src/deep/er/x.py", false),
    ("logs\n!logs/2026", false),
    ("logs/*\n!logs/a.log", false),
    ("tests/data\n!tests/data/keep.txt", false),
    ("**/__pycache__\n**/*.pyc\n.git\n.env\nnode_modules", false),
    ("*\n!**/*.py", true),
    ("*\n!**/README.md", true),
    ("docs\n!docs/*/intro.md", true),
    ("Dockerfile\n.dockerignore", false),
    ("dirlink/main.py", false),
    ("link\nout", false),
    ("empty", false),
    ("src/main.py/x", false),
    ("node_modules/**\n!node_modules/p", false),
];

fn make(folder: &Path) {
    for file in FILES {
        if let Some((path, target)) = file.split_once(" -> ") {
            symlink(target, folder.join(path)).unwrap();
            continue;
        }
        let path = folder.join(file);
        if file.ends_with('/') {
            std::fs::create_dir_all(&path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, file).unwrap();
        }
    }
    std::fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    for (path, mode) in [("run.sh", 0o755), ("src", 0o750), ("LICENSE", 0o600)] {
        std::fs::set_permissions(folder.join(path), PermissionsExt::from_mode(mode)).unwrap();
    }
}

fn ours(folder: &Path) -> BTreeSet<String> {
    let dockerfile = context::dockerfile(folder).unwrap();
    let context = context::read(folder, dockerfile, None).unwrap();
    context
        .entries
        .iter()
        .map(|entry| {
            let rest = match &entry.kind {
                EntryKind::Folder => "/".to_owned(),
                EntryKind::Link { target } => format!(" -> {target}"),
                EntryKind::File { .. } => String::new(),
            };
            format!("{:o} {}{rest}", entry.mode, entry.path)
        })
        .collect()
}

#[test]
fn what_is_left_out_is_what_docker_leaves_out() {
    assert!(CASES.len() >= 40);
    let Some(docker) = Docker::find() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let mut problems = Vec::new();
    for (patterns, older_differs) in CASES {
        std::fs::write(folder.path().join(".dockerignore"), patterns).unwrap();
        let path = folder.path().to_str().unwrap();
        let output = docker.cli(&["build", "--output", "type=tar,dest=-", path]);
        let expected = tar_listing(&output.stdout);
        // An image without anything in it is an error to some builders.
        assert!(
            output.status.success() || expected.is_empty(),
            "{patterns:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let found = ours(folder.path());
        if *older_differs {
            // Exceptions only ever add.
            if !expected.is_subset(&found) {
                problems.push(format!("{patterns:?}: {expected:?} is not in {found:?}"));
            }
            continue;
        }
        if expected != found {
            let missing: Vec<_> = expected.difference(&found).collect();
            let extra: Vec<_> = found.difference(&expected).collect();
            problems.push(format!(
                "{patterns:?}: missing {missing:?}, extra {extra:?}"
            ));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn exceptions_reach_into_ignored_folders() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let check = |patterns: &str, expected: &[&str]| {
        std::fs::write(folder.path().join(".dockerignore"), patterns).unwrap();
        let found: Vec<String> = ours(folder.path())
            .iter()
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .filter(|path| !path.ends_with('/'))
            .collect();
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected.iter().copied().collect(), "{patterns:?}");
    };
    check(
        "*\n!**/*.py",
        &[
            "env.py",
            "src/main.py",
            "src/deep/er/x.py",
            "tests/test_a.py",
        ],
    );
    check(
        "*\n!**/README.md",
        &[
            "README.md",
            "src/README.md",
            "src/deep/README.md",
            "docs/README.md",
        ],
    );
}
