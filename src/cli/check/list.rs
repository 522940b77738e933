//! Whether what a server lists can be used.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::environment::by_hand::Offered;
use crate::mcp::{Client, Offer, PromptInfo};
use crate::util::text::counted;

use super::stage::{Found, Outcome};

/// What a server offers.
pub(super) struct Listed {
    pub(super) tools: Vec<Value>,
    pub(super) scenarios: Vec<Offered>,
}

/// Lists everything and looks at it.
pub(super) async fn list(client: &Client) -> Result<(Found, Listed), Outcome> {
    let offer = client
        .offer()
        .await
        .map_err(|error| Outcome::failed(format!("listing what it offers failed: {error}")))?;
    let found = look(&offer)?;
    Ok((found, listed(offer)))
}

fn listed(offer: Offer) -> Listed {
    let scenarios = offer
        .prompts
        .iter()
        .filter_map(|prompt| Offered::from_prompt(&PromptInfo::from_json(prompt)))
        .filter(|offered| has_resource(&offer, &offered.wire_name))
        .collect();
    Listed {
        tools: offer.tools,
        scenarios,
    }
}

fn has_resource(offer: &Offer, uri: &str) -> bool {
    offer
        .resources
        .iter()
        .any(|resource| resource["uri"] == uri)
}

fn look(offer: &Offer) -> Result<Found, Outcome> {
    let mistakes = mistakes(offer);
    if !mistakes.is_empty() {
        return Err(Outcome::failed(mistakes.join("\n")));
    }
    let scenarios = offer
        .prompts
        .iter()
        .filter(|prompt| has_resource(offer, text(prompt, "name")))
        .count();
    let counts = [
        (offer.tools.len(), "tool"),
        (scenarios, "scenario"),
        (offer.resources.len() - scenarios, "resource"),
        (offer.templates.len(), "resource template"),
        (offer.prompts.len() - scenarios, "prompt"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| counted(count, what))
        .collect();
    Ok(Found {
        detail: parts.join(", "),
        remarks: remarks(offer),
    })
}

/// What keeps clients from using it.
fn mistakes(offer: &Offer) -> Vec<String> {
    let mut mistakes = Vec::new();
    if offer.tools.is_empty() && offer.prompts.is_empty() && offer.resources.is_empty() {
        mistakes.push(
            "it offers nothing: no tool, no scenario, no resource\nhint: is the environment that is served the one that the tools were added to?"
                .to_owned(),
        );
    }
    let mut names = BTreeSet::new();
    for tool in &offer.tools {
        let name = text(tool, "name");
        if !names.insert(name) {
            mistakes.push(format!("two tools are called `{name}`"));
        }
        for (key, what) in [("inputSchema", "input"), ("outputSchema", "output")] {
            let Some(schema) = tool.get(key).filter(|schema| !schema.is_null()) else {
                continue;
            };
            if let Err(error) = jsonschema::validator_for(schema) {
                mistakes.push(format!(
                    "the {what} schema of the tool `{name}` is no valid JSON Schema: {error}"
                ));
            }
            if key == "inputSchema" && schema["type"] != "object" {
                mistakes.push(format!(
                    "the input schema of the tool `{name}` must have \"type\": \"object\""
                ));
            }
        }
    }
    for prompt in &offer.prompts {
        let name = text(prompt, "name");
        if text(prompt, "description").starts_with("[Setup]") && !has_resource(offer, name) {
            mistakes.push(format!(
                "the scenario `{name}` cannot be graded: there is no resource `{name}`"
            ));
        }
    }
    mistakes
}

/// What works and should be looked at.
fn remarks(offer: &Offer) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut without_words = Vec::new();
    let mut odd_names = Vec::new();
    for tool in &offer.tools {
        let name = text(tool, "name");
        if text(tool, "description").trim().is_empty() {
            without_words.push(format!("`{name}`"));
        }
        let is_plain = name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !is_plain {
            odd_names.push(format!("`{name}`"));
        }
    }
    if !without_words.is_empty() {
        remarks.push(format!(
            "without a description, a model can only guess what they do: {}",
            without_words.join(", ")
        ));
    }
    if !odd_names.is_empty() {
        remarks.push(format!(
            "models take names of up to 64 letters, digits, `_` and `-`; hud renames these for them, other clients may not: {}",
            odd_names.join(", ")
        ));
    }
    remarks
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, schema: &Value) -> Value {
        json!({"name": name, "description": "x", "inputSchema": schema})
    }

    #[test]
    fn what_clients_trip_over_is_found() {
        let check = |offer: Offer, expected: &[&str]| {
            let found = mistakes(&offer);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}");
            }
        };
        check(Offer::default(), &["it offers nothing"]);
        let object = json!({"type": "object"});
        check(
            Offer {
                tools: vec![tool("a", &object), tool("a", &object)],
                ..Offer::default()
            },
            &["two tools are called `a`"],
        );
        check(
            Offer {
                tools: vec![
                    tool("a", &json!({"type": "array"})),
                    tool("b", &json!({"type": 3})),
                ],
                ..Offer::default()
            },
            &[
                "the input schema of the tool `a` must have",
                "the input schema of the tool `b` is no valid JSON Schema",
                "the input schema of the tool `b` must have",
            ],
        );
        check(
            Offer {
                tools: vec![tool("a", &object)],
                prompts: vec![json!({"name": "e:s", "description": "[Setup] x"})],
                ..Offer::default()
            },
            &["the scenario `e:s` cannot be graded"],
        );
    }

    #[test]
    fn everything_is_counted_once() {
        let offer = Offer {
            tools: vec![tool("a.b", &json!({"type": "object"}))],
            prompts: vec![json!({"name": "e:s"}), json!({"name": "p"})],
            resources: vec![json!({"uri": "e:s"})],
            templates: Vec::new(),
        };
        let found = look(&offer).unwrap();
        assert_eq!(found.detail, "1 tool, 1 scenario, 1 prompt");
        assert!(found.remarks[0].ends_with("`a.b`"), "{found:?}");
    }
}
