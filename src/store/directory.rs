//! Where a job keeps its files.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::util::{fs, time};

/// Longer names make paths unreadable, and file systems stop at 255 bytes.
const NAME_LENGTH: usize = 40;

/// A collision needs the same second, the same name and the same 16 random bits; more than a few in a row mean that something else is
/// wrong.
const ATTEMPTS: usize = 100;

/// A new id for a job called `name`: `20261120-101502-trivia-3f2a`. Sorts by time; safe as a file name whatever `name` holds.
pub fn new_job_id(name: &str) -> String {
    format!("{}-{}-{}", time::now_compact(), slug(name), suffix())
}

/// Lowercase ASCII letters, digits and single dashes.
fn slug(name: &str) -> String {
    let dashed: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    let mut slug = words.join("-");
    slug.truncate(NAME_LENGTH);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "job".to_owned()
    } else {
        slug.to_owned()
    }
}

fn suffix() -> String {
    let mut hex = uuid::Uuid::new_v4().simple().to_string();
    hex.truncate(4);
    hex
}

/// The folder of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
    job: String,
}

impl RunDirectory {
    /// Creates the folder of a new job in `root` (usually `.hud/runs`), with the folders for traces and logs in it.
    ///
    /// Never shares a folder with another run: when `job` is taken, its random suffix is drawn again, so ask [`Self::job`] for the id
    /// that it became.
    pub fn create(root: &Path, job: &str) -> Result<Self> {
        fs::create_dir_all(root)?;
        let mut id = job.to_owned();
        for _ in 0..ATTEMPTS {
            let path = root.join(&id);
            if fs::create_dir_new(&path)? {
                let directory = Self { path, job: id };
                fs::create_dir_all(&directory.traces())?;
                fs::create_dir_all(&directory.logs())?;
                return Ok(directory);
            }
            id = with_new_suffix(job);
        }
        bail!(
            "cannot find a free name for job `{job}` in `{}`",
            root.display()
        )
    }

    /// The folder of a job that ran.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join("job.json").is_file() {
            bail!(
                "`{}` is not the directory of a run: it has no `job.json`",
                path.display()
            );
        }
        let job = path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(Self {
            path: path.to_owned(),
            job,
        })
    }

    /// The job's id, which is the folder's name.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the traces.
    pub fn traces(&self) -> PathBuf {
        self.path.join("traces")
    }

    /// The folder of the logs, one `<trace>.log` for each rollout.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub(super) fn job_file(&self) -> PathBuf {
        self.path.join("job.json")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    pub(super) fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// The file of a trace. Ids come back from files that anyone may have edited, so one that could leave the folder is refused.
    pub(super) fn trace(&self, trace_id: &str) -> Result<PathBuf> {
        let is_plain = !trace_id.is_empty()
            && trace_id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_plain {
            bail!("`{trace_id}` is not the id of a trace: expected letters and digits");
        }
        Ok(self.traces().join(format!("{trace_id}.jsonl")))
    }
}

fn with_new_suffix(job: &str) -> String {
    let base = match job.rsplit_once('-') {
        Some((base, tail)) if tail.len() == 4 && tail.chars().all(|c| c.is_ascii_hexdigit()) => {
            base
        }
        _ => job,
    };
    format!("{base}-{}", suffix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_safe_file_names() {
        let id = new_job_id("Trivia & Ünïcode/../x");
        let parts: Vec<&str> = id.splitn(3, '-').collect();
        assert_eq!((parts[0].len(), parts[1].len()), (8, 6));
        let (name, suffix) = parts[2].rsplit_once('-').unwrap();
        assert_eq!(name, "trivia-n-code-x");
        assert!(suffix.len() == 4 && suffix.chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn names_become_slugs() {
        assert_eq!(slug(""), "job");
        assert_eq!(slug("///"), "job");
        assert_eq!(slug("a__B  c"), "a-b-c");
        assert_eq!(slug(&"x".repeat(100)).len(), NAME_LENGTH);
    }

    #[test]
    fn two_creates_get_different_directories() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join(".hud/runs");
        let id = "20261120-101502-trivia-3f2a";
        let directories: Vec<RunDirectory> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| RunDirectory::create(&root, id).unwrap()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let mut names: Vec<&str> = directories.iter().map(RunDirectory::job).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 8);
        assert!(names.contains(&id));
        for directory in &directories {
            assert!(
                directory.job().starts_with("20261120-101502-trivia-"),
                "{directory:?}"
            );
            assert_eq!(directory.job().len(), id.len());
            assert!(directory.logs().is_dir() && directory.traces().is_dir());
            assert_eq!(directory.path(), root.join(directory.job()));
        }
    }

    #[test]
    fn a_trace_id_cannot_leave_the_folder() {
        let directory = RunDirectory {
            path: PathBuf::from("run"),
            job: "run".to_owned(),
        };
        assert!(directory.trace("../../etc/passwd").is_err());
        assert!(directory.trace("").is_err());
        assert_eq!(
            directory.trace("ab12").unwrap(),
            Path::new("run/traces/ab12.jsonl")
        );
    }

    #[test]
    fn a_folder_without_a_job_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunDirectory::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has no `job.json`"), "{error}");
    }
}
