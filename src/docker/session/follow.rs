//! Which entries of a context the builder asks for: patterns to include, and paths whose links are followed.
//!
//! Source: `followlinks.go` and `filter.go` of tonistiigi/fsutil.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::docker::context::{ContextEntry, EntryKind};
use crate::docker::patterns::{Patterns, clean};

/// The entries that `include` and `follow` name, with the folders above them; all of them when neither names anything.
///
/// # Errors
/// In words: a pattern that is none.
pub(super) fn select<'a>(
    entries: &'a [ContextEntry],
    include: &[String],
    follow: &[String],
) -> Result<Vec<&'a ContextEntry>, String> {
    let mut wanted: Vec<String> = include.to_vec();
    if !follow.is_empty() {
        let resolved = Follower::new(entries).follow(follow);
        // The root itself: no filter.
        if resolved.contains(".") {
            return Ok(entries.iter().collect());
        }
        wanted.extend(resolved);
    }
    if wanted.is_empty() {
        return Ok(entries.iter().collect());
    }
    let patterns = Patterns::parse(wanted.iter().map(String::as_str))?;
    let mut folders = HashSet::new();
    let mut picked = vec![false; entries.len()];
    for (index, entry) in entries.iter().enumerate() {
        if patterns.matches_or_parent(&entry.path) {
            picked[index] = true;
            let ends = entry.path.match_indices('/').map(|(at, _)| at);
            folders.extend(ends.map(|end| &entry.path[..end]));
        }
    }
    Ok(entries
        .iter()
        .zip(picked)
        .filter(|(entry, picked)| *picked || folders.contains(entry.path.as_str()))
        .map(|(entry, _)| entry)
        .collect())
}

struct Follower<'a> {
    links: BTreeMap<&'a str, &'a str>,
    resolved: BTreeSet<String>,
}

impl<'a> Follower<'a> {
    fn new(entries: &'a [ContextEntry]) -> Self {
        let links = entries
            .iter()
            .filter_map(|entry| match &entry.kind {
                EntryKind::Link { target } => Some((entry.path.as_str(), target.as_str())),
                EntryKind::Folder | EntryKind::File { .. } => None,
            })
            .collect();
        Self {
            links,
            resolved: BTreeSet::new(),
        }
    }

    fn follow(mut self, paths: &[String]) -> BTreeSet<String> {
        for path in paths {
            self.add(path);
        }
        self.resolved
    }

    fn add(&mut self, path: &str) {
        let path = clean(&format!("/{path}"));
        let mut rest = path.trim_start_matches('/');
        let mut current = String::new();
        if rest.is_empty() {
            self.resolved.insert(".".to_owned());
            return;
        }
        loop {
            let (part, after) = rest.split_once('/').unwrap_or((rest, ""));
            if !current.is_empty() {
                current.push('/');
            }
            current.push_str(part);
            rest = after;
            let targets = self.targets(&current);
            if (rest.is_empty() || !targets.is_empty()) && !self.resolved.insert(current.clone()) {
                // Seen before: links may point at each other.
                return;
            }
            if !targets.is_empty() {
                for target in targets {
                    self.add(&format!("{target}/{rest}"));
                }
                return;
            }
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Where the links at `path` lead, whose last part may be a pattern; paths from the root.
    fn targets(&self, path: &str) -> Vec<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let name = path.rsplit('/').next().unwrap_or(path);
        let resolve = |link: &str| {
            if link.starts_with('/') {
                clean(link)
            } else {
                clean(&format!("/{folder}/{link}"))
            }
        };
        if !has_wildcard(name) {
            return self
                .links
                .get(path)
                .map(|link| resolve(link))
                .into_iter()
                .collect();
        }
        let Ok(pattern) = Patterns::parse([name]) else {
            return Vec::new();
        };
        self.links
            .iter()
            .filter(|(at, _)| {
                let (of, own) = at.rsplit_once('/').unwrap_or(("", at));
                of == folder && pattern.matches_or_parent(own)
            })
            .map(|(_, link)| resolve(link))
            .collect()
    }
}

fn has_wildcard(name: &str) -> bool {
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a/` is a folder, `a -> b` a link, anything else a file.
    fn check(entries: &str, include: &str, follow: &str, expected: &str) {
        let entries: Vec<ContextEntry> = entries
            .split(' ')
            .map(|entry| {
                let (path, kind) = match entry.split_once("->") {
                    Some((path, target)) => (
                        path,
                        EntryKind::Link {
                            target: target.to_owned(),
                        },
                    ),
                    None if entry.ends_with('/') => {
                        (entry.trim_end_matches('/'), EntryKind::Folder)
                    }
                    None => (
                        entry,
                        EntryKind::File {
                            source: entry.into(),
                            size: 0,
                        },
                    ),
                };
                ContextEntry {
                    path: path.to_owned(),
                    mode: 0,
                    modified: 0,
                    kind,
                }
            })
            .collect();
        let list =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let found = select(&entries, &list(include), &list(follow)).unwrap();
        let found: Vec<&str> = found.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(found.join(" "), expected, "{include} | {follow}");
    }

    #[test]
    fn what_is_asked_for_comes_with_its_folders() {
        let files = "a/ a/b/ a/b/c a/d e";
        check(files, "", "", "a a/b a/b/c a/d e");
        check(files, "", "/", "a a/b a/b/c a/d e");
        check(files, "", "a/b", "a a/b a/b/c");
        check(files, "", "/a/*", "a a/b a/b/c a/d");
        check(files, "e", "", "e");
        check(files, "*.py", "", "");
        check(files, "e", "a/d", "a a/d e");
    }

    #[test]
    fn links_are_followed_and_loops_end() {
        let files =
            "data/ data/x->../real real rings/ rings/a->b rings/b->a to->/data up->../../real";
        check(files, "", "data/x", "data data/x real");
        check(files, "", "data/*", "data data/x real");
        check(files, "", "to/x", "data data/x real to");
        check(files, "", "rings/a", "rings rings/a rings/b");
        check(files, "", "up", "real up");
    }
}
