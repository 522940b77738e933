//! The tools of a request: their JSON, and the way back from what the model calls.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::format::{Names, schema};
use crate::message::{Arguments, Settings, Tool};

/// Function names are letters, digits, `_` and `-`, at most 64.
const LONGEST_NAME: usize = 64;

/// The tools of a request in this API's terms.
#[derive(Clone, Debug)]
pub struct Toolbox {
    pub(super) names: Names,
    pub(super) json: Vec<Value>,
    /// Original schemas of the tools that became strict, by the environment's name.
    strict: HashMap<String, Value>,
    notices: Vec<String>,
}

impl Toolbox {
    /// The tools of the environment and those that the provider runs.
    pub fn new(tools: &[Tool], settings: &Settings) -> Self {
        let mut own = Self {
            names: Names::new(tools, LONGEST_NAME),
            json: Vec::new(),
            strict: HashMap::new(),
            notices: Vec::new(),
        };
        for tool in tools {
            let json = own.function(tool, settings.strict_tools);
            own.json.push(json);
        }
        own.json.extend(
            settings
                .hosted_tools
                .iter()
                .map(|hosted| hosted.json.clone()),
        );
        own
    }

    /// What the conversion could not keep, a sentence for each tool; the same in every request.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    fn function(&mut self, tool: &Tool, wants_strict: bool) -> Value {
        let mut json = json!({"type": "function", "name": self.names.wire(&tool.name)});
        if !tool.description.trim().is_empty() {
            json["description"] = json!(tool.description);
        }
        let made = if wants_strict {
            schema::strict(&tool.input_schema)
        } else {
            Err(String::new())
        };
        match made {
            Ok(made) => {
                if !made.dropped.is_empty() {
                    let keywords: Vec<String> = made
                        .dropped
                        .iter()
                        .map(|word| format!("`{word}`"))
                        .collect();
                    self.notices.push(format!(
                        "tool `{}`: strict schemas have no {}; the description says it instead",
                        tool.name,
                        keywords.join(", ")
                    ));
                }
                self.strict
                    .insert(tool.name.clone(), tool.input_schema.clone());
                json["parameters"] = made.schema;
                json["strict"] = json!(true);
            }
            Err(why) => {
                if !why.is_empty() {
                    self.notices.push(format!(
                        "tool `{}` is offered without strict arguments: {why}",
                        tool.name
                    ));
                }
                json["parameters"] = Value::Object(schema::object(&tool.input_schema));
                json["strict"] = json!(false);
            }
        }
        json
    }

    /// What the model wrote as arguments of the tool with this name in the environment.
    pub(super) fn arguments(&self, name: &str, raw: &str) -> Arguments {
        let mut arguments = Arguments::parse(raw);
        if let (Arguments::Object { value }, Some(schema)) = (&mut arguments, self.strict.get(name))
        {
            schema::without_filler(schema, value);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::tool;

    #[test]
    fn tools_are_strict_where_that_is_possible_and_never_dropped() {
        let mut open = tool("open");
        open.description = "Open.".to_owned();
        open.input_schema = json!({"type": "object", "additionalProperties": true});
        let mut long = tool("fs/long");
        long.input_schema =
            json!({"properties": {"x": {"type": "string", "maxLength": 3}}, "required": ["x"]});
        let tools = [tool("f"), open, long];
        let toolbox = Toolbox::new(&tools, &Settings::default());
        assert_eq!(
            toolbox.json,
            [
                json!({"type": "function", "name": "f", "parameters": {
                    "type": "object", "required": ["x"],
                    "properties": {"x": {"type": ["integer", "null"]}}, "additionalProperties": false,
                }, "strict": true}),
                json!({"type": "function", "name": "open", "description": "Open.", "parameters": {
                    "type": "object", "additionalProperties": true, "properties": {},
                }, "strict": false}),
                json!({"type": "function", "name": "fs_long_21e3f7b1", "parameters": {
                    "type": "object", "required": ["x"],
                    "properties": {"x": {"type": "string", "description": "(maxLength: 3)"}}, "additionalProperties": false,
                }, "strict": true}),
            ]
        );
        assert_eq!(
            toolbox.notices(),
            [
                "tool `open` is offered without strict arguments: its arguments may have any properties",
                "tool `fs/long`: strict schemas have no `maxLength`; the description says it instead",
            ]
        );
        assert_eq!(
            toolbox.arguments("f", "{\"x\": null}"),
            Arguments::parse("{}")
        );
        let loose = Settings {
            strict_tools: false,
            ..Settings::default()
        };
        let toolbox = Toolbox::new(&tools, &loose);
        assert_eq!(toolbox.notices(), [""; 0]);
        assert_eq!(
            toolbox.arguments("f", "{\"x\": null}"),
            Arguments::parse("{\"x\": null}")
        );
    }
}
