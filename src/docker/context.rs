//! What a build may read: files, folders and links, as a list. Whoever makes the list decides what is in it; this is only its shape.

use std::path::PathBuf;
use std::sync::Arc;

/// The context of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// What is in it, each folder before what it holds, the entries of one folder by name.
    pub entries: Vec<ContextEntry>,
    /// The Dockerfile, which the builder reads also when it is not in the context.
    pub dockerfile: DockerfileText,
    /// The patterns that left things out, for builders that ask for the file.
    pub ignore_file: Option<Arc<str>>,
    /// What names this context between builds, so that a builder keeps what it has of it.
    pub shared_key: String,
}

/// The Dockerfile of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerfileText {
    /// Its path from the folder of the context, with slashes.
    pub name: String,
    /// Its text.
    pub text: Arc<str>,
}

/// One thing in a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEntry {
    /// Its path from the root of the context, with slashes.
    pub path: String,
    /// Permission bits, with those for set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: i64,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry of a context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Where it lies; elsewhere than its path says when something is added to the context.
        source: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// Where to, as it stands in the link.
        target: String,
    },
}

impl Context {
    /// The bytes of all files.
    pub fn size(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| match &entry.kind {
                EntryKind::File { size, .. } => *size,
                EntryKind::Folder | EntryKind::Link { .. } => 0,
            })
            .sum()
    }
}
