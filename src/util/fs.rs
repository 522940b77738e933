//! File operations whose errors name the path.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the wrapper that the ban points to"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Reads a UTF-8 file.
pub fn read_to_string(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Reads a UTF-8 file, or `None` when there is none.
pub fn read_to_string_if_exists(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Writes a whole file.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Writes a whole file so that a reader (or a crash) sees the old or the new contents, never a part.
pub fn write_atomic(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write in `{}`", folder.display()))?;
    file.write_all(contents.as_ref())
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    file.persist(path)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(())
}

/// Creates a folder and its parents.
pub fn create_dir_all(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create folder `{}`", path.display()))
}

/// Creates a folder that must not exist yet. `Ok(false)` when it does.
pub fn create_dir_new(path: &Path) -> Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => {
            Err(error).with_context(|| format!("cannot create folder `{}`", path.display()))
        }
    }
}

/// Removes a file; one that is not there is fine.
pub fn remove_file_if_exists(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove `{}`", path.display())),
    }
}

/// Removes a folder and everything in it; one that is not there is fine.
pub fn remove_dir_all_if_exists(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove `{}`", path.display())),
    }
}

/// Renames a file or folder.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename `{}` to `{}`", from.display(), to.display()))
}

/// The entries of a folder, sorted by name.
pub fn read_dir_sorted(path: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(path)
        .with_context(|| format!("cannot list `{}`", path.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot list `{}`", path.display()))?;
    entries.sort();
    Ok(entries)
}

/// The path without links and `..`.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("cannot find `{}`", path.display()))
}

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open `{}`", path.display()))
}

/// Creates or truncates a file.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create `{}`", path.display()))
}

/// Opens a file for appending, creating it when it is not there.
pub fn append(path: &Path) -> Result<File> {
    File::options()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("cannot open `{}` for appending", path.display()))
}

/// Creates a file that only its owner can read and write, in folders that only it can enter as far as they are not there yet. One that is there keeps
/// its contents and loses everybody else's access.
pub fn create_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
    let create = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))
    };
    create().with_context(|| format!("cannot create `{}`", path.display()))
}

/// The size of a file in bytes; 0 when there is none.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// When a file or folder was last modified; `None` when there is none.
pub fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Cuts a file to its first `length` bytes.
pub fn truncate(path: &Path, length: u64) -> Result<()> {
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(length))
        .with_context(|| format!("cannot cut `{}`", path.display()))
}

/// The last lines of a file, at most `bytes` of it, for error messages. Empty when there is no such file.
pub fn tail(path: &Path, bytes: u64) -> String {
    use std::io::{Seek, SeekFrom};
    let Ok(mut file) = File::open(path) else {
        return String::new();
    };
    let length = file.metadata().map_or(0, |meta| meta.len());
    if file
        .seek(SeekFrom::Start(length.saturating_sub(bytes)))
        .is_err()
    {
        return String::new();
    }
    let mut buffer = Vec::new();
    if file.take(bytes).read_to_end(&mut buffer).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&buffer);
    let text = if length > bytes {
        text.split_once('\n')
            .map_or(text.as_ref(), |(_, rest)| rest)
    } else {
        text.as_ref()
    };
    text.trim_end().to_owned()
}
