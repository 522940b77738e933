//! The context of a build: the folder without what `.dockerignore` leaves out, with the runtime where the Dockerfile asks for it.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::docker::{Context, ContextEntry, DockerfileText, EntryKind, Matched, Patterns};
use crate::util::{fs, text};

/// The folder of the context that belongs to `hud build`, and what it puts there.
pub const RUNTIME_FOLDER: &str = ".hud-runtime";
/// The path of the `hud` binary in the context.
pub const RUNTIME_PATH: &str = ".hud-runtime/hud";

/// The names of a Dockerfile, the first that exists is used.
pub const DOCKERFILES: &[&str] = &["Dockerfile.hud", "Dockerfile"];

/// The patterns that hold for every Dockerfile of a folder.
const IGNORE_FILE: &str = ".dockerignore";

/// The lock file, which changes with every build and is no source.
pub const LOCK_FILE: &str = "hud.lock.yaml";

/// The folder cannot be built as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContextError(String);

impl ContextError {
    fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    fn io(path: &str, error: &io::Error) -> Self {
        Self(format!(
            "cannot read `{}` for the build: {error}\nhint: name it in {IGNORE_FILE} when the image does not need it",
            text::one_line(path, 200)
        ))
    }
}

/// The Dockerfile of `folder`: its name there, and its text.
pub fn dockerfile(folder: &Path) -> Result<DockerfileText, ContextError> {
    let name = DOCKERFILES
        .iter()
        .find(|name| folder.join(name).is_file())
        .ok_or_else(|| {
            ContextError::new(format!(
                "`{}` has no Dockerfile.hud and no Dockerfile\nhint: `hud init` writes one; it may be as short as `FROM python:3.11-slim` and a CMD that starts the environment",
                folder.display()
            ))
        })?;
    let text = fs::read_to_string(&folder.join(name))
        .map_err(|error| ContextError::new(format!("{error:#}")))?;
    Ok(DockerfileText {
        name: (*name).to_owned(),
        text: text.into(),
    })
}

/// Lists the context of `folder`. `runtime` is the `hud` binary, when the Dockerfile asks for it.
pub fn read(
    folder: &Path,
    dockerfile: DockerfileText,
    runtime: Option<&Path>,
) -> Result<Context, ContextError> {
    let folder = std::path::absolute(folder)
        .map_err(|error| ContextError::io(&folder.to_string_lossy(), &error))?;
    let (patterns, ignore_file) = patterns(&folder, &dockerfile.name)?;
    let mut walk = Walk {
        patterns: &patterns,
        folders: Vec::new(),
        entries: Vec::new(),
    };
    walk.folder(&folder, "", &Matched::default(), false)?;
    let mut entries = walk.entries;
    if entries
        .iter()
        .any(|entry| entry.path == RUNTIME_FOLDER || entry.path.starts_with(".hud-runtime/"))
    {
        return Err(ContextError::new(format!(
            "`{}` is in the way: `hud build` puts its own program there\nhint: rename it, or name it in {IGNORE_FILE}",
            folder.join(RUNTIME_FOLDER).display()
        )));
    }
    if let Some(runtime) = runtime {
        add_runtime(&mut entries, runtime)?;
    }
    let shared_key = Sha256::digest(format!("hud {}", folder.display()));
    Ok(Context {
        entries,
        dockerfile,
        ignore_file,
        shared_key: text::hex(&shared_key),
    })
}

/// The patterns for this Dockerfile: those of `NAME.dockerignore` beside it, else of `.dockerignore`.
fn patterns(folder: &Path, dockerfile: &str) -> Result<(Patterns, Option<Arc<str>>), ContextError> {
    for name in [&format!("{dockerfile}{IGNORE_FILE}"), IGNORE_FILE] {
        let path = folder.join(name);
        let found = fs::read_to_string_if_exists(&path)
            .map_err(|error| ContextError::new(format!("{error:#}")))?;
        if let Some(contents) = found {
            let patterns = Patterns::parse_file(&contents)
                .map_err(|why| ContextError::new(format!("`{}`: {why}", path.display())))?;
            return Ok((patterns, Some(contents.into())));
        }
    }
    let none = Patterns::parse([]).map_err(ContextError::new)?;
    Ok((none, None))
}

/// A walk over the folder, in the order in which the builder wants the entries: by name, each folder followed by what is in it.
struct Walk<'a> {
    patterns: &'a Patterns,
    /// The ignored folders above the current one: they come along when something in them is not ignored.
    folders: Vec<ContextEntry>,
    entries: Vec<ContextEntry>,
}

impl Walk<'_> {
    fn folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        parent: &Matched,
        ignored: bool,
    ) -> Result<(), ContextError> {
        let paths = match fs::read_dir_sorted(folder) {
            Ok(paths) => paths,
            // An ignored folder was entered only because something in it might not be.
            Err(_) if ignored => return Ok(()),
            Err(error) => {
                let cause = error
                    .root_cause()
                    .downcast_ref::<io::Error>()
                    .map_or_else(|| io::Error::other(error.to_string()), |e| e.kind().into());
                return Err(ContextError::io(
                    if prefix.is_empty() { "." } else { prefix },
                    &cause,
                ));
            }
        };
        for path in paths {
            self.entry(&path, prefix, parent)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, prefix: &str, parent: &Matched) -> Result<(), ContextError> {
        let name = path.file_name().unwrap_or_default();
        let lossy = if prefix.is_empty() {
            name.to_string_lossy().into_owned()
        } else {
            format!("{prefix}/{}", name.to_string_lossy())
        };
        let (ignored, matched) = self.patterns.matches(&lossy, parent);
        let meta = match std::fs::symlink_metadata(path) {
            Ok(meta) => meta,
            // Removed while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ContextError::io(&lossy, &error)),
        };
        let is_folder = meta.is_dir();
        if ignored && !(is_folder && self.patterns.may_bring_back(&lossy)) {
            return Ok(());
        }
        if name.to_str().is_none() {
            return Err(ContextError::new(format!(
                "the name `{}` is not UTF-8, and builders take no other\nhint: rename it, or name it in {IGNORE_FILE}",
                text::one_line(&lossy, 200)
            )));
        }
        let kind = meta.file_type();
        let kind = if is_folder {
            EntryKind::Folder
        } else if kind.is_symlink() {
            let target = std::fs::read_link(path).map_err(|e| ContextError::io(&lossy, &e))?;
            EntryKind::Link {
                target: target.to_string_lossy().into_owned(),
            }
        } else if kind.is_file() {
            EntryKind::File {
                source: path.to_owned(),
                size: meta.len(),
            }
        } else if kind.is_socket() {
            // Docker leaves sockets out too.
            return Ok(());
        } else {
            return Err(ContextError::new(format!(
                "`{}` is neither a file nor a folder nor a link\nhint: name it in {IGNORE_FILE}",
                text::one_line(&lossy, 200)
            )));
        };
        let entry = ContextEntry {
            path: lossy.clone(),
            mode: meta.mode() & 0o7777,
            modified: meta
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(meta.mtime_nsec()),
            kind,
        };
        if ignored {
            self.folders.push(entry);
        } else {
            self.entries.append(&mut self.folders);
            self.entries.push(entry);
        }
        if is_folder {
            self.folder(path, &lossy, &matched, ignored)?;
            // Nothing in it was wanted.
            self.folders.retain(|folder| folder.path != lossy);
        }
        Ok(())
    }
}

/// Adds the runtime, at its place in the order.
fn add_runtime(entries: &mut Vec<ContextEntry>, runtime: &Path) -> Result<(), ContextError> {
    let meta = std::fs::metadata(runtime).map_err(|error| {
        ContextError::new(format!("cannot read `{}`: {error}", runtime.display()))
    })?;
    let modified = meta
        .mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(meta.mtime_nsec());
    let at = entries
        .partition_point(|entry| entry.path.split('/').next().unwrap_or_default() < RUNTIME_FOLDER);
    let folder = ContextEntry {
        path: RUNTIME_FOLDER.to_owned(),
        mode: 0o755,
        modified,
        kind: EntryKind::Folder,
    };
    let file = ContextEntry {
        path: RUNTIME_PATH.to_owned(),
        mode: 0o755,
        modified,
        kind: EntryKind::File {
            source: runtime.to_owned(),
            size: meta.len(),
        },
    };
    entries.splice(at..at, [folder, file]);
    Ok(())
}

/// The files and links that the hash of a context covers: everything but the lock file, which is no source.
pub fn source_files(context: &Context) -> Vec<String> {
    let mut files: Vec<String> = sources(context)
        .filter(|entry| entry.kind != EntryKind::Folder)
        .map(|entry| entry.path.clone())
        .collect();
    let dockerfile = &context.dockerfile.name;
    if !files.contains(dockerfile) {
        files.push(dockerfile.clone());
    }
    files.sort();
    files
}

/// The runtime is no source either: it is the version of `hud`, which `settings` of [`hash`] hold.
fn sources(context: &Context) -> impl Iterator<Item = &ContextEntry> {
    context.entries.iter().filter(|entry| {
        entry.path != LOCK_FILE
            && entry.path != RUNTIME_FOLDER
            && !entry.path.starts_with(".hud-runtime/")
    })
}

/// The hash over everything that decides what is built: path, kind, mode and contents of every entry, the Dockerfile, and `settings`
/// (name and value). Times and owners, which no build looks at, are not in it. Reads every file.
pub fn hash(context: &Context, settings: &[(&str, String)]) -> Result<String, ContextError> {
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        // With its length, so that no two lists run together.
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    put(b"hud source 1");
    put(context.dockerfile.name.as_bytes());
    put(context.dockerfile.text.as_bytes());
    for (name, value) in settings {
        put(name.as_bytes());
        put(value.as_bytes());
    }
    for entry in sources(context) {
        put(entry.path.as_bytes());
        match &entry.kind {
            EntryKind::Folder => put(b"folder"),
            EntryKind::Link { target } => {
                put(b"link");
                put(target.as_bytes());
                // The mode of a link means nothing and differs between systems.
                continue;
            }
            EntryKind::File { source, .. } => {
                put(b"file");
                put(&hash_of_file(source).map_err(|e| ContextError::io(&entry.path, &e))?);
            }
        }
        put(&entry.mode.to_le_bytes());
    }
    Ok(text::hex(&hash.finalize()))
}

fn hash_of_file(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = fs::open(path).map_err(|error| {
        error
            .downcast::<io::Error>()
            .unwrap_or_else(|error| io::Error::other(error.to_string()))
    })?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder with these files, each with its name as contents; `a -> b` is a link, `a/` a folder.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            if let Some((path, target)) = file.split_once(" -> ") {
                symlink(target, folder.path().join(path)).unwrap();
                continue;
            }
            let path = folder.path().join(file);
            if file.ends_with('/') {
                fs::create_dir_all(&path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, file).unwrap();
            }
        }
        folder
    }

    fn listed(folder: &Path) -> String {
        let dockerfile = dockerfile(folder).unwrap();
        let context = read(folder, dockerfile, None).unwrap();
        let paths: Vec<String> = context
            .entries
            .iter()
            .map(|entry| match &entry.kind {
                EntryKind::Folder => format!("{}/", entry.path),
                EntryKind::Link { target } => format!("{}->{target}", entry.path),
                EntryKind::File { .. } => entry.path.clone(),
            })
            .collect();
        paths.join(" ")
    }

    #[test]
    fn the_walk_is_in_order_and_keeps_folders_of_what_is_kept() {
        let folder = folder(&[
            "Dockerfile",
            "a.txt",
            "a/b",
            "a/c/",
            "a-b",
            "link -> ../outside",
            "logs/x/keep.log",
            "logs/x/drop.log",
            "logs/y/drop.log",
        ]);
        assert_eq!(
            listed(folder.path()),
            "Dockerfile a/ a/b a/c/ a-b a.txt link->../outside logs/ logs/x/ logs/x/drop.log logs/x/keep.log logs/y/ logs/y/drop.log"
        );
        let ignore =
            |patterns: &str| fs::write(&folder.path().join(".dockerignore"), patterns).unwrap();
        ignore("logs\n!logs/x/keep.log\na*\n.dockerignore");
        assert_eq!(
            listed(folder.path()),
            "Dockerfile link->../outside logs/ logs/x/ logs/x/keep.log"
        );
        // The file for one Dockerfile wins.
        fs::write(&folder.path().join("Dockerfile.dockerignore"), "*").unwrap();
        assert_eq!(listed(folder.path()), "");
    }

    #[test]
    fn any_change_of_a_source_changes_the_hash_and_nothing_else_does() {
        let folder = folder(&[
            "Dockerfile.hud",
            "Dockerfile",
            "x.py",
            "hud.lock.yaml",
            "l -> x.py",
        ]);
        let file = |name: &str| folder.path().join(name);
        let hash_with = |value: &str| {
            let dockerfile = dockerfile(folder.path()).unwrap();
            assert_eq!(dockerfile.name, "Dockerfile.hud");
            let context = read(folder.path(), dockerfile, None).unwrap();
            hash(&context, &[("platform", value.to_owned())]).unwrap()
        };
        let hash_now = || hash_with("linux/amd64");
        let first = hash_now();
        assert_eq!(first.len(), 64);
        fs::write(&file("hud.lock.yaml"), "changed").unwrap();
        fs::write(&file("x.py"), "x.py").unwrap();
        assert_eq!(hash_now(), first);
        assert_ne!(hash_with("linux/arm64"), first);

        let mut seen = std::collections::HashSet::from([first]);
        let mut changed = |what: &str| assert!(seen.insert(hash_now()), "{what}");
        fs::write(&file("x.py"), "y.py").unwrap();
        changed("contents");
        std::fs::set_permissions(file("x.py"), PermissionsExt::from_mode(0o755)).unwrap();
        changed("mode");
        fs::rename(&file("x.py"), &file("z.py")).unwrap();
        changed("name");
        fs::create_dir_all(&file("empty")).unwrap();
        changed("folder");
        fs::remove_file_if_exists(&file("l")).unwrap();
        symlink("z.py", file("l")).unwrap();
        changed("link");
        fs::write(&file(".dockerignore"), "*").unwrap();
        changed("ignored");
        fs::write(&file("Dockerfile.hud"), "FROM scratch").unwrap();
        changed("an ignored Dockerfile");
    }

    #[test]
    fn the_runtime_stands_in_its_place_and_is_no_source() {
        let folder = folder(&["Dockerfile", ".git/x", ".z", "a"]);
        let binary = folder.path().join("a");
        let dockerfile = dockerfile(folder.path()).unwrap();
        let context = read(folder.path(), dockerfile.clone(), Some(&binary)).unwrap();
        let paths: Vec<&str> = context.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                ".git",
                ".git/x",
                ".hud-runtime",
                ".hud-runtime/hud",
                ".z",
                "Dockerfile",
                "a"
            ]
        );
        assert_eq!(source_files(&context), [".git/x", ".z", "Dockerfile", "a"]);
        let without = read(folder.path(), dockerfile.clone(), None).unwrap();
        assert_eq!(hash(&context, &[]), hash(&without, &[]));
        fs::create_dir_all(&folder.path().join(RUNTIME_FOLDER)).unwrap();
        let error = read(folder.path(), dockerfile, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(".hud-runtime` is in the way"), "{error}");
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        let check = |files: &[&str], expected: &str| {
            let folder = folder(files);
            let outcome = dockerfile(folder.path())
                .and_then(|dockerfile| read(folder.path(), dockerfile, None));
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(
            &["env.py"],
            "has no Dockerfile.hud and no Dockerfile\nhint: ",
        );
        let folder = folder(&["Dockerfile"]);
        fs::write(&folder.path().join(".dockerignore"), "a\n[").unwrap();
        let found = dockerfile(folder.path()).unwrap();
        let error = read(folder.path(), found, None).unwrap_err().to_string();
        assert!(
            error.contains(".dockerignore`: line 2: `[` has a bracket"),
            "{error}"
        );
    }
}
