//! The tools of a request: their JSON, and the way back from what the model calls.

use serde_json::{Value, json};

use crate::format::{Names, schema};
use crate::message::{Settings, Tool};

/// Names begin with a letter or an underscore and are letters, digits, `_`, `-`, `.` and `:`, at most 128; 64 is what every model has taken, and
/// `.` and `:` are left out for the same reason.
const LONGEST_NAME: usize = 64;

/// The tools of a request in this API's terms.
#[derive(Clone, Debug)]
pub struct Toolbox {
    pub(super) names: Names,
    pub(super) json: Vec<Value>,
    /// Whether any of them is a function of the environment.
    pub(super) has_functions: bool,
    notices: Vec<String>,
}

impl Toolbox {
    /// The tools of the environment and those that the provider runs.
    pub fn new(tools: &[Tool], settings: &Settings) -> Self {
        let names = Names::beginning_with_letters(tools, LONGEST_NAME);
        let mut notices = Vec::new();
        let declarations: Vec<Value> = tools
            .iter()
            .map(|tool| declaration(tool, &names, &mut notices))
            .collect();
        let mut json = Vec::new();
        let has_functions = !declarations.is_empty();
        if has_functions {
            json.push(json!({"functionDeclarations": declarations}));
        }
        json.extend(
            settings
                .hosted_tools
                .iter()
                .map(|hosted| hosted.json.clone()),
        );
        Self {
            names,
            json,
            has_functions,
            notices,
        }
    }

    /// What the conversion could not keep, a sentence for each tool; the same in every request.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

fn declaration(tool: &Tool, names: &Names, notices: &mut Vec<String>) -> Value {
    let (parameters, dropped) = schema::subset(&tool.input_schema);
    if !dropped.is_empty() {
        let keywords: Vec<String> = dropped.iter().map(|word| format!("`{word}`")).collect();
        notices.push(format!(
            "tool `{}`: Gemini's schemas have no {}; the description says it instead",
            tool.name,
            keywords.join(", ")
        ));
    }
    let mut json = json!({"name": names.wire(&tool.name)});
    if !tool.description.trim().is_empty() {
        json["description"] = json!(tool.description);
    }
    // A function without parameters has no schema.
    if parameters["properties"]
        .as_object()
        .is_some_and(|own| !own.is_empty())
        || parameters
            .get("additionalProperties")
            .is_some_and(|own| *own != json!(false))
        || parameters.get("anyOf").is_some()
    {
        json["parametersJsonSchema"] = parameters;
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::tool;

    #[test]
    fn tools_become_declarations() {
        let mut nothing = tool("2nd");
        nothing.description = "No parameters.".to_owned();
        nothing.input_schema = json!({"type": "object", "additionalProperties": false});
        let mut narrow = tool("fs/read");
        narrow.input_schema = json!({"properties": {"x": {"type": "string", "maxLength": 3}}});
        let toolbox = Toolbox::new(&[tool("f"), nothing, narrow], &Settings::default());
        assert_eq!(
            toolbox.json,
            [json!({"functionDeclarations": [
                {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {"x": {"type": "integer"}}}},
                {"name": "_2nd_080a7dcd", "description": "No parameters."},
                {"name": "fs_read_4d9819ad", "parametersJsonSchema": {
                    "properties": {"x": {"type": "string", "description": "(maxLength: 3)"}}, "type": "object",
                }},
            ]})]
        );
        assert_eq!(
            toolbox.notices(),
            [
                "tool `fs/read`: Gemini's schemas have no `maxLength`; the description says it instead"
            ]
        );
        assert_eq!(toolbox.names.ours("_2nd_080a7dcd"), "2nd");
    }
}
