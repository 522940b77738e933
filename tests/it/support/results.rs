//! What a run of `hud eval` left: its summary on stdout, its journal and its traces.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Output;

impl Output {
    /// The last line of `--json`, which is the summary.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let lines = self.json_lines();
        let last = lines.last().expect("stdout is empty").clone();
        assert_eq!(last["event"], "summary");
        last
    }

    /// The one job below `.hud/runs`.
    #[track_caller]
    pub fn job(&self) -> Job {
        Job::only(self.dir())
    }
}

/// A run directory.
pub struct Job(PathBuf);

impl Job {
    /// The one job below `folder`'s `.hud/runs`.
    #[track_caller]
    pub fn only(folder: &Path) -> Self {
        let mut all = Self::all(folder);
        assert_eq!(all.len(), 1, "jobs in {}", folder.display());
        all.remove(0)
    }

    /// Every job below `folder`'s `.hud/runs`, the oldest first.
    pub fn all(folder: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(folder.join(".hud/runs")) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(Self).collect()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file of JSON.
    #[track_caller]
    pub fn json(&self, file: &str) -> Value {
        let text = std::fs::read_to_string(self.0.join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The finished rollouts in the journal, read as bytes on disk and not through the program. A last line without its end, which a
    /// killed program may leave, is no line.
    #[track_caller]
    pub fn rollouts(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.join("journal.jsonl")).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["type"] == "rollout")
            .collect()
    }

    /// `task → outcome` of the journal, sorted: the reward when there is one, else the kind.
    #[track_caller]
    pub fn outcomes(&self) -> Vec<(String, String)> {
        let mut outcomes: Vec<_> = self
            .rollouts()
            .iter()
            .map(|line| {
                let outcome = &line["outcome"];
                let reward = outcome["reward"].as_f64();
                let shown = reward.map_or_else(
                    || outcome["kind"].as_str().unwrap().to_owned(),
                    |reward| reward.to_string(),
                );
                (line["task"].as_str().unwrap().to_owned(), shown)
            })
            .collect();
        outcomes.sort();
        outcomes
    }

    /// What went wrong with `task`, as the journal says.
    #[track_caller]
    pub fn message(&self, task: &str) -> String {
        let rollout = self.rollout(task);
        let message = rollout["outcome"]["message"].as_str();
        message
            .unwrap_or_else(|| panic!("no message: {rollout}"))
            .to_owned()
    }

    /// The first rollout of `task` in the journal.
    #[track_caller]
    pub fn rollout(&self, task: &str) -> Value {
        self.rollouts()
            .into_iter()
            .find(|line| line["task"] == task)
            .unwrap_or_else(|| panic!("the journal has no `{task}`"))
    }

    /// The trace of the first rollout of `task`.
    #[track_caller]
    pub fn trace(&self, task: &str) -> Vec<Value> {
        let id = self.rollout(task)["trace"].as_str().unwrap().to_owned();
        let text = std::fs::read_to_string(self.0.join(format!("traces/{id}.jsonl"))).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The steps of one type in the trace of `task`.
    #[track_caller]
    pub fn steps(&self, task: &str, kind: &str) -> Vec<Value> {
        let mut steps = self.trace(task);
        steps.retain(|step| step["type"] == kind);
        steps
    }

    /// Each tool result of `task`: its text, and whether it is an error.
    #[track_caller]
    pub fn tool_results(&self, task: &str) -> Vec<(String, bool)> {
        self.steps(task, "tool_finished")
            .iter()
            .map(|step| {
                let result = &step["result"];
                let text = result["content"][0]["text"].as_str().unwrap_or_default();
                (text.to_owned(), result["is_error"].as_bool().unwrap())
            })
            .collect()
    }

    /// Every file, with its bytes.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    found.push((path, bytes));
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0, &mut found);
        found
    }
}

/// `text` without what aligns columns, whose widths depend on times: runs of spaces are one, none ends a line.
pub fn unaligned(text: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(|line| words(line) + "\n").collect()
}
