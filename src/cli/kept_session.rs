//! The session that `hud scenario setup --url` leaves open for `grade`: a file of the project that only its owner can read, because who has a
//! session's id has the session.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::http::public_url;
use crate::mcp::KeptSession;
use crate::util::{fs, text, time};

use super::failure::Failure;

/// Where such files are, from the project's folder.
const FOLDER: &str = ".hud/sessions";

/// The format of the file.
const VERSION: u32 = 1;

/// A scenario that was set up at a URL and waits for its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    version: u32,
    /// The URL, without what may be secret.
    url: String,
    /// `environment:scenario`.
    pub(super) scenario: String,
    /// When it was set up, RFC 3339.
    set_up: String,
    /// How to take the session up again, where it is the transport's (MCP until 2025-11-25).
    pub(super) transport: Option<KeptSession>,
    /// `_meta` that names the session, where sessions have names (MCP since 2026-07-28).
    pub(super) meta: Option<Map<String, Value>>,
}

impl Waiting {
    /// A scenario that was set up now.
    pub(super) fn new(
        url: &str,
        scenario: &str,
        transport: Option<KeptSession>,
        meta: Option<Map<String, Value>>,
    ) -> Self {
        Self {
            version: VERSION,
            url: public_url(url),
            scenario: scenario.to_owned(),
            set_up: time::now_rfc3339(),
            transport,
            meta,
        }
    }

    /// `set up 3m 05s ago`.
    pub(super) fn age(&self) -> String {
        time::since(&self.set_up).map_or_else(
            || "set up earlier".to_owned(),
            |age| format!("set up {} ago", time::human(age)),
        )
    }
}

/// The scenario that waits at `url`, if there is one.
pub(super) fn load(project: &Path, url: &str) -> Result<Option<Waiting>, Failure> {
    let path = path(project, url);
    let Some(json) = fs::read_to_string_if_exists(&path)? else {
        return Ok(None);
    };
    match serde_json::from_str::<Waiting>(&json) {
        Ok(waiting) if waiting.version == VERSION => Ok(Some(waiting)),
        Ok(_) | Err(_) => Err(Failure::usage(format!(
            "`{}` is not a session that this version of hud kept\nhint: remove the file and set the scenario up again",
            path.display()
        ))),
    }
}

/// Keeps `waiting` for `url`, in place of what waited there.
pub(super) fn save(project: &Path, url: &str, waiting: &Waiting) -> Result<PathBuf, Failure> {
    let path = path(project, url);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let json = serde_json::to_string_pretty(waiting).map_err(anyhow::Error::from)?;
    // The temporary file that this renames is its owner's alone from the start.
    fs::write_atomic(&path, json)?;
    Ok(path)
}

/// Nothing waits at `url` any more.
pub(super) fn remove(project: &Path, url: &str) -> Result<(), Failure> {
    Ok(fs::remove_file_if_exists(&path(project, url))?)
}

/// `.hud/sessions/127.0.0.1-8765-mcp-1a2b3c4d.json`: readable, and different for URLs that differ in anything.
fn path(project: &Path, url: &str) -> PathBuf {
    let shown = public_url(url);
    let shown = shown
        .split_once("://")
        .map_or(shown.as_str(), |(_, rest)| rest);
    let readable: String = shown
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let hash = text::hex(&Sha256::digest(url)[..4]);
    let readable = readable.trim_matches(['-', '.']);
    let readable = text::truncate(readable, 80).replace('…', "");
    project.join(FOLDER).join(format!("{readable}-{hash}.json"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    const URL: &str = "http://127.0.0.1:8765/mcp?key=s3cret";

    #[test]
    fn what_is_kept_is_read_again_and_only_by_its_owner() {
        let project = tempfile::tempdir().unwrap();
        let meta = json!({"hud/session": "abc"}).as_object().cloned();
        let waiting = Waiting::new(URL, "trivia:initials", None, meta);
        let path = save(project.path(), URL, &waiting).unwrap();
        assert_eq!(load(project.path(), URL).unwrap(), Some(waiting));
        assert_eq!(
            load(project.path(), "http://127.0.0.1:8765/mcp").unwrap(),
            None
        );
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("127.0.0.1-8765-mcp-"), "{name}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("s3cret") && !name.contains("s3cret"),
            "{text}"
        );
        remove(project.path(), URL).unwrap();
        remove(project.path(), URL).unwrap();
        assert_eq!(load(project.path(), URL).unwrap(), None);
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let project = tempfile::tempdir().unwrap();
        let path = path(project.path(), URL);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{\"version\": 2}").unwrap();
        let failure = load(project.path(), URL).unwrap_err();
        let words = super::super::failure::words(&failure).unwrap();
        assert!(words.contains("remove the file"), "{words}");
    }

    #[test]
    fn urls_become_plain_file_names() {
        let name = |url: &str| {
            let path = path(Path::new(""), url);
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert!(name("https://a.b/../../etc/x").starts_with("a.b-..-..-etc-x-"));
        assert!(
            name("https://user:pw@[::1]:1/").starts_with("--1--1-")
                || !name("https://user:pw@[::1]:1/").contains("pw")
        );
        assert!(name(&format!("http://h/{}", "x".repeat(500))).len() < 120);
    }
}
