//! Tool names that a provider accepts.
//!
//! An environment may call its tools what it likes (`fs/read.file`); providers allow letters, digits, `_` and `-`, up to a length.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::message::Tool;

/// The names of a request's tools, there and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    rule: Rule,
    to_wire: HashMap<String, String>,
    from_wire: HashMap<String, String>,
}

/// What names a provider accepts: letters, digits, `_` and `-`, and beyond that…
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    /// …at most this many characters, …
    longest: usize,
    /// …and a letter or `_` first.
    letter_first: bool,
}

impl Names {
    /// Names for `tools`, each at most `longest` characters (at least 16). A name that the provider accepts stays as it is; another one is made
    /// acceptable and gets a part of its hash, so that it is the same in every request.
    pub fn new(tools: &[Tool], longest: usize) -> Self {
        Self::with(
            tools,
            Rule {
                longest,
                letter_first: false,
            },
        )
    }

    /// As [`Names::new`], for a provider whose names begin with a letter or `_`.
    pub fn beginning_with_letters(tools: &[Tool], longest: usize) -> Self {
        Self::with(
            tools,
            Rule {
                longest,
                letter_first: true,
            },
        )
    }

    fn with(tools: &[Tool], rule: Rule) -> Self {
        let mut names = Self {
            rule,
            to_wire: HashMap::new(),
            from_wire: HashMap::new(),
        };
        let (fine, others): (Vec<&Tool>, Vec<&Tool>) =
            tools.iter().partition(|tool| fits(&tool.name, rule));
        // Names that need no change go first: a made-up one must not take theirs.
        for tool in fine {
            names.insert(&tool.name, tool.name.clone());
        }
        for tool in others {
            let wire = (0..=u32::MAX)
                .map(|round| made_up(&tool.name, rule, round))
                .find(|wire| !names.from_wire.contains_key(wire))
                .unwrap_or_default();
            names.insert(&tool.name, wire);
        }
        names
    }

    fn insert(&mut self, ours: &str, wire: String) {
        self.from_wire.insert(wire.clone(), ours.to_owned());
        self.to_wire.insert(ours.to_owned(), wire);
    }

    /// The provider's name of our tool. A tool that the request does not have (one that a model made up, in the history) gets an acceptable
    /// name too.
    pub fn wire(&self, ours: &str) -> String {
        match self.to_wire.get(ours) {
            Some(wire) => wire.clone(),
            None if fits(ours, self.rule) => ours.to_owned(),
            None => made_up(ours, self.rule, 0),
        }
    }

    /// Our name of the tool that a model called; what is no tool's name stays as it is.
    pub fn ours(&self, wire: &str) -> String {
        self.from_wire
            .get(wire)
            .map_or_else(|| wire.to_owned(), Clone::clone)
    }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn fits(name: &str, rule: Rule) -> bool {
    !name.is_empty()
        && name.len() <= rule.longest
        && name.chars().all(allowed)
        && !(rule.letter_first && begins_badly(name))
}

fn begins_badly(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn made_up(name: &str, rule: Rule, round: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update(round.to_le_bytes());
    let digest = hasher.finalize();
    let hash: String = digest
        .iter()
        .take(4)
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect();
    let kept: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .take(
            rule.longest
                .saturating_sub(hash.len() + 1 + usize::from(rule.letter_first)),
        )
        .collect();
    if rule.letter_first && begins_badly(&kept) {
        format!("_{kept}_{hash}")
    } else {
        format!("{kept}_{hash}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::tool;
    use proptest::prelude::*;

    #[test]
    fn names_that_fit_stay_and_others_are_told_apart() {
        let tools = ["read", "fs/read", "fs.read", "naïve", ""].map(tool);
        let names = Names::new(&tools, 64);
        let wires: Vec<_> = tools.iter().map(|tool| names.wire(&tool.name)).collect();
        assert_eq!(
            wires,
            [
                "read",
                "fs_read_4d9819ad",
                "fs_read_0ef396f4",
                "na_ve_1e4ee6b9",
                "_df3f6198"
            ]
        );
        assert_eq!(names.ours("read"), "read");
        assert_eq!(names.ours("made up"), "made up");
        assert_eq!(names.wire("not/there").len(), "not_there_01234567".len());
    }

    proptest! {
        #[test]
        fn every_name_comes_back(
            raw in prop::collection::hash_set("[a-c/._]{0,20}|.{0,90}", 0..12),
            longest in prop::sample::select(vec![16_usize, 64, 128]),
            letter_first in any::<bool>(),
        ) {
            let rule = Rule { longest, letter_first };
            let tools: Vec<_> = raw.iter().map(|name| tool(name)).collect();
            let names = Names::with(&tools, rule);
            for tool in &tools {
                let wire = names.wire(&tool.name);
                prop_assert!(fits(&wire, rule), "{:?} became {:?}", tool.name, wire);
                prop_assert_eq!(names.ours(&wire), tool.name.clone());
            }
        }
    }
}
