//! The Python package for environment authors, embedded in the binary and laid out on disk for the interpreter.

use std::path::{Path, PathBuf};

use anyhow::Result;
use include_dir::{Dir, DirEntry, include_dir};
use sha2::{Digest, Sha256};

use crate::util::fs;

static PACKAGE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/python/hud");

/// The folder to put on `PYTHONPATH`: `<cache>/python-<hash>`, written once for each version of the package, so that the interpreter's
/// compiled files are kept between runs. Without a cache folder it is written into `scratch`.
pub(in crate::environment) fn install(cache: Option<&Path>, scratch: &Path) -> Result<PathBuf> {
    let files = files();
    let name = format!("python-{}", hash(&files));
    if let Some(cache) = cache
        && let Ok(folder) = install_into(cache, &name, &files)
    {
        return Ok(folder);
    }
    install_into(scratch, &name, &files)
}

fn install_into(root: &Path, name: &str, files: &[(PathBuf, &'static [u8])]) -> Result<PathBuf> {
    let folder = root.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(root)?;
    // Written aside and renamed, so that two processes that start at once both find a whole package.
    let draft = tempfile::TempDir::with_prefix_in(".draft-", root)?;
    for (path, contents) in files {
        let target = draft.path().join("hud").join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&target, contents)?;
    }
    let draft = draft.keep();
    if fs::rename(&draft, &folder).is_err() {
        // Another process was first.
        fs::remove_dir_all_if_exists(&draft)?;
    }
    anyhow::ensure!(
        folder.is_dir(),
        "cannot create folder `{}`",
        folder.display()
    );
    Ok(folder)
}

fn files() -> Vec<(PathBuf, &'static [u8])> {
    fn collect(dir: &Dir<'static>, out: &mut Vec<(PathBuf, &'static [u8])>) {
        for entry in dir.entries() {
            match entry {
                DirEntry::Dir(dir) => collect(dir, out),
                DirEntry::File(file) => {
                    let kept = file
                        .path()
                        .extension()
                        .is_some_and(|extension| extension == "py" || extension == "typed");
                    if kept {
                        out.push((file.path().to_owned(), file.contents()));
                    }
                }
            }
        }
    }
    let mut out = Vec::new();
    collect(&PACKAGE, &mut out);
    out.sort();
    out
}

fn hash(files: &[(PathBuf, &'static [u8])]) -> String {
    let mut hasher = Sha256::new();
    for (path, contents) in files {
        hasher.update(path.to_string_lossy().as_bytes());
        hasher.update([0]);
        hasher.update(contents.len().to_le_bytes());
        hasher.update(contents);
    }
    crate::util::text::hex(&hasher.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_written_once_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        let first = install(Some(&cache), root.path()).unwrap();
        assert!(first.join("hud/worker.py").is_file());
        assert_eq!(first.parent().unwrap(), cache);
        fs::write(&first.join("hud/mark"), "").unwrap();
        let second = install(Some(&cache), root.path()).unwrap();
        assert!(second.join("hud/mark").is_file(), "written again");
    }

    #[test]
    fn an_unusable_cache_falls_back_to_scratch() {
        let root = tempfile::tempdir().unwrap();
        let blocked = root.path().join("file");
        fs::write(&blocked, "").unwrap();
        let scratch = root.path().join("scratch");
        let folder = install(Some(&blocked), &scratch).unwrap();
        assert!(folder.starts_with(&scratch));
    }
}
