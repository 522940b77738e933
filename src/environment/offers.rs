//! What an environment offers, item by item, so that two versions can be compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Listed items by name, each as JSON in MCP's form. Hidden tools (leading `_`) are not among them: no client sees them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offers {
    /// Tools.
    pub tools: BTreeMap<String, Value>,
    /// Scenarios: each is a prompt and a resource on the wire.
    pub scenarios: BTreeMap<String, Value>,
    /// Prompts that are not scenarios.
    pub prompts: BTreeMap<String, Value>,
    /// Resources that are not scenarios, by address; those with parts to fill in too.
    pub resources: BTreeMap<String, Value>,
}

impl Offers {
    /// From the description that a Python worker gives of itself.
    pub(super) fn from_describe(describe: &Map<String, Value>) -> Self {
        Self {
            tools: by_key(describe.get("tools"), "name", |name| !name.starts_with('_')),
            scenarios: by_key(describe.get("scenarios"), "name", |_| true),
            prompts: by_key(describe.get("prompts"), "name", |_| true),
            resources: by_key(describe.get("resources"), "uri", |_| true)
                .into_iter()
                .chain(by_key(describe.get("resources"), "uriTemplate", |_| true))
                .collect(),
        }
    }

    /// Takes in what another server of the same environment offers; what is here already stays.
    pub(super) fn extend(&mut self, other: Self) {
        for (mine, others) in [
            (&mut self.tools, other.tools),
            (&mut self.scenarios, other.scenarios),
            (&mut self.prompts, other.prompts),
            (&mut self.resources, other.resources),
        ] {
            for (name, item) in others {
                mine.entry(name).or_insert(item);
            }
        }
    }

    /// From a server's listings: prompts and resources called `environment:scenario` are scenarios.
    pub(super) fn from_lists(tools: &Value, prompts: &Value, resources: &[Value]) -> Self {
        let is_scenario = |name: &str| name.contains(':') && !name.contains("://");
        let resources = resources
            .iter()
            .flat_map(|list| {
                ["uri", "uriTemplate"]
                    .map(|key| by_key(Some(list), key, |address| !is_scenario(address)))
            })
            .flatten()
            .collect();
        Self {
            tools: by_key(Some(tools), "name", |name| !name.starts_with('_')),
            scenarios: by_key(Some(prompts), "name", is_scenario)
                .into_iter()
                .map(|(name, value)| {
                    let short = name.split_once(':').map_or("", |(_, short)| short);
                    (short.to_owned(), value)
                })
                .collect(),
            prompts: by_key(Some(prompts), "name", |name| !is_scenario(name)),
            resources,
        }
    }
}

fn by_key(list: Option<&Value>, key: &str, keep: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| {
            let name = item[key].as_str().filter(|name| keep(name))?;
            Some((name.to_owned(), item.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(map: &BTreeMap<String, Value>) -> Vec<&str> {
        map.keys().map(String::as_str).collect()
    }

    fn check(offers: &Offers, expected: [&[&str]; 4]) {
        assert_eq!(
            [
                names(&offers.tools),
                names(&offers.scenarios),
                names(&offers.prompts),
                names(&offers.resources)
            ],
            expected.map(<[&str]>::to_vec)
        );
    }

    #[test]
    fn a_worker_and_a_server_offer_the_same_in_their_own_forms() {
        let tools = json!([{"name": "add"}, {"name": "_hud_submit"}]);
        let expected: [&[&str]; 4] = [&["add"], &["count"], &["help"], &["a://x", "b://{y}"]];
        let describe = json!({
            "tools": tools,
            "scenarios": [{"name": "count"}],
            "prompts": [{"name": "help"}],
            "resources": [{"uri": "a://x"}, {"uriTemplate": "b://{y}"}],
        });
        check(
            &Offers::from_describe(describe.as_object().unwrap()),
            expected,
        );
        let lists = Offers::from_lists(
            &tools,
            &json!([{"name": "e:count"}, {"name": "help"}]),
            &[
                json!([{"uri": "e:count"}, {"uri": "a://x"}]),
                json!([{"uriTemplate": "b://{y}"}]),
            ],
        );
        check(&lists, expected);
    }
}
