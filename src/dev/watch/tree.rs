//! The files that are watched, with what they hold: a change is a file that holds something else than before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::rules::Rules;
use crate::util::fs;

/// Files up to this size are compared by what they hold, larger ones by size and time.
const HASHED: u64 = 4 * 1024 * 1024;

/// What a look at the files found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Files that are new, gone, or hold something else.
    pub(super) changed: BTreeSet<PathBuf>,
    /// Watched paths that are not there any more.
    pub(super) gone: Vec<PathBuf>,
    /// Watched paths that are there again.
    pub(super) back: Vec<PathBuf>,
}

/// Asks the system to tell of changes in a folder (not of those in folders inside of it).
pub(super) type Subscribe<'a> = &'a mut dyn FnMut(&Path);

#[derive(Debug, PartialEq)]
struct Fingerprint {
    size: u64,
    modified: Option<SystemTime>,
    hash: Option<u64>,
}

/// One path that was asked for.
struct Root {
    path: PathBuf,
    /// Where it really is, for systems that report that.
    real: PathBuf,
    present: bool,
}

/// Everything below the watched paths.
pub(super) struct Tree {
    rules: Rules,
    roots: Vec<Root>,
    files: BTreeMap<PathBuf, Fingerprint>,
    folders: BTreeSet<PathBuf>,
    /// Files outside, by their real path, that a link inside leads to.
    links: HashMap<PathBuf, PathBuf>,
    /// Folders outside, by their real path, that a link inside leads to.
    linked_folders: HashMap<PathBuf, PathBuf>,
}

impl Tree {
    /// Looks at everything for the first time.
    pub(super) fn new(
        paths: &[PathBuf],
        rules: Rules,
        subscribe: Subscribe<'_>,
    ) -> (Self, Vec<PathBuf>) {
        let mut tree = Self {
            rules,
            roots: Vec::new(),
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            links: HashMap::new(),
            linked_folders: HashMap::new(),
        };
        for path in paths {
            if !tree.roots.iter().any(|root| root.path == *path) {
                tree.roots.push(Root {
                    path: path.clone(),
                    real: path.clone(),
                    present: true,
                });
            }
        }
        let found = tree.check_all(subscribe);
        (tree, found.gone)
    }

    /// Those of `paths` that are not watched yet.
    pub(super) fn unknown(&self, mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
        paths.retain(|path| !self.roots.iter().any(|root| path.starts_with(&root.path)));
        paths
    }

    /// Watches `paths` too. What they hold now is no change.
    pub(super) fn add(&mut self, paths: &[PathBuf], subscribe: Subscribe<'_>) {
        for path in paths {
            self.roots.push(Root {
                path: path.clone(),
                real: path.clone(),
                present: true,
            });
        }
        if !paths.is_empty() {
            let paths = paths.iter().cloned().collect();
            self.check_roots(&paths, &mut Found::default(), subscribe);
        }
    }

    /// The path as it was asked for, when a report about `path` may mean a change.
    pub(super) fn concerns(&mut self, path: &Path) -> Option<PathBuf> {
        if let Some(logical) = self.links.get(path) {
            return Some(logical.clone());
        }
        for index in 0..self.roots.len() {
            let root = &self.roots[index];
            let logical = if path.starts_with(&root.path) {
                path.to_owned()
            } else if let Ok(inside) = path.strip_prefix(&root.real) {
                root.path.join(inside)
            } else if root.path.starts_with(path) {
                return Some(path.to_owned());
            } else {
                continue;
            };
            let root = root.path.clone();
            if logical.file_name().is_some_and(|name| name == ".gitignore") {
                return Some(logical);
            }
            let is_folder = self.folders.contains(&logical) || logical.is_dir();
            if !self.rules.leave_out(&root, &logical, is_folder) {
                return Some(logical);
            }
        }
        None
    }

    /// Looks at `paths`, which have been reported.
    pub(super) fn check(&mut self, paths: &BTreeSet<PathBuf>, subscribe: Subscribe<'_>) -> Found {
        let mut found = Found::default();
        for path in paths {
            if path.file_name().is_some_and(|name| name == ".gitignore")
                && let Some(folder) = path.parent()
            {
                self.rules.forget(folder);
            }
        }
        self.check_roots(paths, &mut found, subscribe);
        for path in paths {
            for index in 0..self.roots.len() {
                let root = &self.roots[index];
                // A path that is gone as a whole is told as such; its files are compared when it is back.
                if root.present && path.starts_with(&root.path) && *path != root.path {
                    let root = root.path.clone();
                    let path = if path.ends_with(".gitignore") {
                        path.parent().unwrap_or(path)
                    } else {
                        path
                    };
                    self.look(&root, path, &mut found, subscribe);
                }
            }
        }
        found
    }

    /// Looks at everything, when reports have been lost.
    pub(super) fn check_all(&mut self, subscribe: Subscribe<'_>) -> Found {
        let all = self.roots.iter().map(|root| root.path.clone()).collect();
        let mut found = Found::default();
        self.check_roots(&all, &mut found, subscribe);
        found
    }

    /// Whether each watched path is there, and a look at all of those that `paths` touches as a whole.
    fn check_roots(
        &mut self,
        paths: &BTreeSet<PathBuf>,
        found: &mut Found,
        subscribe: Subscribe<'_>,
    ) {
        for index in 0..self.roots.len() {
            let path = self.roots[index].path.clone();
            let mut there = path.exists();
            if !there || !path.is_dir() || path.is_symlink() {
                // What happens to the path itself is told of the folder that holds it, or would.
                let above = path.ancestors().skip(1).find(|above| above.is_dir());
                if let Some(above) = above {
                    subscribe(above);
                }
                // It may have come just before that.
                there = path.exists();
            }
            let was_there = std::mem::replace(&mut self.roots[index].present, there);
            if !there {
                if was_there {
                    found.gone.push(path);
                }
                continue;
            }
            if let Ok(real) = path.canonicalize() {
                self.roots[index].real = real;
            }
            if !was_there {
                found.back.push(path.clone());
            }
            if !was_there || paths.iter().any(|reported| path.starts_with(reported)) {
                self.look(&path, &path, found, subscribe);
            }
        }
    }

    fn look(&mut self, root: &Path, path: &Path, found: &mut Found, subscribe: Subscribe<'_>) {
        let is_link = path.is_symlink();
        if path.is_dir() {
            if !(is_link && path != root && self.is_known_elsewhere(path)) {
                self.look_into(root, path, found, subscribe);
            }
        } else if path.is_file() {
            if is_link && let Ok(real) = path.canonicalize() {
                // Writing to the file behind a link is told of the folder that holds the file.
                if let Some(folder) = real.parent() {
                    subscribe(folder);
                }
                self.links.insert(real, path.to_owned());
            }
            if self.forget_folder(path, found) {
                found.changed.insert(path.to_owned());
            }
            if !self.rules.leave_out_entry(root, path, false) {
                self.compare(path, found);
            }
        } else if !path.exists() {
            self.forget(path, found);
        }
    }

    fn look_into(
        &mut self,
        root: &Path,
        folder: &Path,
        found: &mut Found,
        subscribe: Subscribe<'_>,
    ) {
        if self.rules.leave_out_entry(root, folder, true) {
            return;
        }
        if self.files.remove(folder).is_some() {
            found.changed.insert(folder.to_owned());
        }
        // Even when it is known: it may be another folder by that name.
        subscribe(folder);
        self.folders.insert(folder.to_owned());
        let Ok(entries) = fs::read_dir_sorted(folder) else {
            return;
        };
        let is_missing =
            |path: &&PathBuf| path.parent() == Some(folder) && entries.binary_search(path).is_err();
        let inside = |path: &&PathBuf| path.starts_with(folder);
        let files = self.files.range(folder.to_owned()..).map(|(path, _)| path);
        let folders = self.folders.range(folder.to_owned()..);
        let missing: Vec<PathBuf> = files
            .take_while(inside)
            .chain(folders.take_while(inside))
            .filter(is_missing)
            .cloned()
            .collect();
        for path in missing {
            self.forget(&path, found);
        }
        for entry in entries {
            if !self.rules.leave_out_entry(root, &entry, entry.is_dir()) {
                self.look(root, &entry, found, subscribe);
            }
        }
    }

    /// Whether the folder behind the link `path` is looked at by another name: inside of a watched path, or through another link.
    fn is_known_elsewhere(&mut self, path: &Path) -> bool {
        let Ok(real) = path.canonicalize() else {
            return true;
        };
        if self
            .roots
            .iter()
            .any(|root| real.starts_with(&root.real) || root.real.starts_with(&real))
        {
            return true;
        }
        let first = self
            .linked_folders
            .entry(real)
            .or_insert_with(|| path.to_owned());
        first != path
    }

    fn compare(&mut self, path: &Path, found: &mut Found) {
        let Some(new) = fingerprint(path) else {
            self.forget(path, found);
            return;
        };
        let same = self.files.get(path).is_some_and(|old| {
            if old.hash.is_some() && new.hash.is_some() {
                old.hash == new.hash && old.size == new.size
            } else {
                *old == new
            }
        });
        if !same {
            found.changed.insert(path.to_owned());
        }
        self.files.insert(path.to_owned(), new);
    }

    /// Forgets a path that is not there any more, and everything below it.
    fn forget(&mut self, path: &Path, found: &mut Found) {
        if self.files.remove(path).is_some() {
            found.changed.insert(path.to_owned());
        }
        self.forget_folder(path, found);
    }

    fn forget_folder(&mut self, folder: &Path, found: &mut Found) -> bool {
        let inside = |path: &PathBuf| path.starts_with(folder);
        let files: Vec<_> = self
            .files
            .range(folder.to_owned()..)
            .map(|(path, _)| path.clone())
            .take_while(inside)
            .filter(|path| path != folder)
            .collect();
        for file in files {
            self.files.remove(&file);
            found.changed.insert(file);
        }
        let folders: Vec<_> = self
            .folders
            .range(folder.to_owned()..)
            .take_while(|path| inside(path))
            .cloned()
            .collect();
        for folder in &folders {
            self.folders.remove(folder);
        }
        self.linked_folders
            .retain(|_, logical| !logical.starts_with(folder));
        !folders.is_empty()
    }

    /// What a change of `path` asks for.
    pub(super) fn kind(&self, path: &Path) -> super::rules::Kind {
        self.rules.kind(path)
    }
}

fn fingerprint(path: &Path) -> Option<Fingerprint> {
    let size = fs::size(path);
    let modified = fs::modified(path);
    modified?;
    let hash = if size <= HASHED {
        fs::read(path).ok().map(|bytes| {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            hasher.finish()
        })
    } else {
        None
    };
    Some(Fingerprint {
        size,
        modified,
        hash,
    })
}
