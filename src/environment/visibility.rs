//! Which tools of an environment an agent may see while a scenario runs.

use globset::{GlobBuilder, GlobMatcher};
use serde_json::{Map, Value};

use crate::message::Tool;

/// A scenario's exclusions: sources, then names (patterns), then what `allowed_tools` brings back.
#[derive(Clone, Debug, Default)]
pub(super) struct Visibility {
    exclude_tools: Vec<GlobMatcher>,
    exclude_sources: Vec<String>,
    allowed_tools: Vec<GlobMatcher>,
}

impl Visibility {
    /// Reads the `_meta` of a scenario's prompt.
    pub(super) fn from_meta(meta: &Map<String, Value>) -> Self {
        let strings = |key: &str| -> Vec<String> {
            meta.get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect()
        };
        let patterns = |key: &str| strings(key).iter().filter_map(|p| matcher(p)).collect();
        Self {
            exclude_tools: patterns("exclude_tools"),
            exclude_sources: strings("exclude_sources"),
            allowed_tools: patterns("allowed_tools"),
        }
    }

    /// Whether the agent may see `tool`. Names with a leading underscore are the protocol's own.
    pub(super) fn shows(&self, tool: &Tool) -> bool {
        if tool.name.starts_with('_') {
            return false;
        }
        let excluded = tool
            .source
            .as_ref()
            .is_some_and(|source| self.exclude_sources.contains(source))
            || self.exclude_tools.iter().any(|p| p.is_match(&tool.name));
        !excluded || self.allowed_tools.iter().any(|p| p.is_match(&tool.name))
    }
}

/// A pattern as Python's `fnmatch` reads it: `*`, `?`, `[abc]`; a slash is a character like any other.
fn matcher(pattern: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .backslash_escape(false)
        .build()
        .ok()
        .map(|glob| glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(meta: &Value, tools: &[(&str, Option<&str>)]) -> Vec<String> {
        let visibility = Visibility::from_meta(meta.as_object().unwrap());
        tools
            .iter()
            .map(|(name, source)| Tool {
                name: (*name).to_owned(),
                description: String::new(),
                input_schema: json!({"type": "object"}),
                output_schema: None,
                source: source.map(str::to_owned),
                meta: Map::new(),
            })
            .filter(|tool| visibility.shows(tool))
            .map(|tool| tool.name)
            .collect()
    }

    #[test]
    fn exclusions_apply_and_allowed_tools_bring_back() {
        let tools = [
            ("read_a", None),
            ("write_a", None),
            ("bash", Some("shell")),
            ("ls", Some("shell")),
            ("_hidden", None),
        ];
        assert_eq!(
            shown(&json!({}), &tools),
            ["read_a", "write_a", "bash", "ls"]
        );
        assert_eq!(
            shown(
                &json!({"exclude_tools": ["write_*"], "exclude_sources": ["shell"]}),
                &tools
            ),
            ["read_a"]
        );
        assert_eq!(
            shown(
                &json!({"exclude_tools": ["*"], "allowed_tools": ["read_?", "ls"]}),
                &tools
            ),
            ["read_a", "ls"]
        );
    }
}
