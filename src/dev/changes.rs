//! What differs between two versions, for clients and for people.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::environment::Offers;
use crate::mcp::VersionChange;

/// The lists that differ, and the differences in words.
pub(super) fn between(old: &Offers, new: &Offers, version: u64) -> (VersionChange, Vec<String>) {
    let tools = differences("tool", &old.tools, &new.tools);
    // A scenario is a prompt and a resource to clients.
    let scenarios = differences("scenario", &old.scenarios, &new.scenarios);
    let prompts = differences("prompt", &old.prompts, &new.prompts);
    let resources = differences("resource", &old.resources, &new.resources);
    let change = VersionChange {
        version,
        tools: !tools.is_empty(),
        prompts: !scenarios.is_empty() || !prompts.is_empty(),
        resources: !scenarios.is_empty() || !resources.is_empty(),
    };
    let words = [tools, scenarios, prompts, resources].concat();
    (change, words)
}

fn differences(
    what: &str,
    old: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
) -> Vec<String> {
    let added = new.keys().filter(|name| !old.contains_key(*name));
    let removed = old.keys().filter(|name| !new.contains_key(*name));
    let changed = new
        .iter()
        .filter(|(name, item)| old.get(*name).is_some_and(|before| before != *item))
        .map(|(name, _)| name);
    let line = |how: &'static str| move |name: &String| format!("{what} `{name}` {how}");
    added
        .map(line("added"))
        .chain(removed.map(line("removed")))
        .chain(changed.map(line("changed")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn items(items: &[(&str, i32)]) -> BTreeMap<String, Value> {
        items
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect()
    }

    fn check(old: &Offers, new: &Offers, lists: [bool; 3], words: &[&str]) {
        let (change, found) = between(old, new, 2);
        assert_eq!([change.tools, change.prompts, change.resources], lists);
        assert_eq!(found, words);
    }

    #[test]
    fn only_what_differs_is_told() {
        let tools = |listed: &[(&str, i32)]| Offers {
            tools: items(listed),
            ..Offers::default()
        };
        check(&tools(&[("a", 1)]), &tools(&[("a", 1)]), [false; 3], &[]);
        check(
            &tools(&[("a", 1), ("b", 1)]),
            &tools(&[("b", 2), ("c", 1)]),
            [true, false, false],
            &["tool `c` added", "tool `a` removed", "tool `b` changed"],
        );
        let scenario = Offers {
            scenarios: items(&[("count", 1)]),
            ..Offers::default()
        };
        check(
            &Offers::default(),
            &scenario,
            [false, true, true],
            &["scenario `count` added"],
        );
    }
}
