//! What environments say of themselves, in our own words.

use serde_json::{Map, Value};

use super::api::{Description, Isolation, ScenarioInfo};
use super::scenario;
use crate::mcp;
use crate::task::ConnectionSpec;

/// The description that a Python worker gives.
pub(super) fn worker(
    mut describe: Map<String, Value>,
    isolation: &str,
    reason: Option<String>,
) -> Result<Description, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let list = |value: Option<Value>| match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let tools = list(describe.remove("tools"))
        .into_iter()
        .map(mcp::tool_from_json)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let scenarios = list(describe.remove("scenarios"))
        .iter()
        .filter_map(scenario_info)
        .collect();
    let task_rows = list(describe.remove("tasks"))
        .into_iter()
        .filter_map(|row| match row {
            Value::Object(row) => Some(row),
            _ => None,
        })
        .collect();
    let isolation = match isolation {
        "fork" => {
            "each rollout in a fork of its own: memory is isolated, files and services are shared"
        }
        "shared" => {
            "all sessions in one process: what one leaves behind, the next one finds; scenarios stay their session's"
        }
        _ => {
            "each rollout in a process of its own: memory is isolated, files and services are shared"
        }
    };
    Ok(Description {
        name: text(describe.remove("name")),
        version: text(describe.remove("version")),
        instructions: Some(text(describe.remove("instructions"))).filter(|text| !text.is_empty()),
        tools,
        scenarios,
        task_rows,
        isolation: isolation.to_owned(),
        isolation_reason: reason,
    })
}

/// How sessions of servers are kept apart, in words.
pub(super) fn isolation_of_servers(
    servers: &[(String, ConnectionSpec)],
    isolation: Isolation,
) -> &'static str {
    match (servers.first(), isolation) {
        (Some((_, ConnectionSpec::Stdio { .. })), Isolation::Shared) => {
            "all sessions in one process; a session that sets up a scenario gets one of its own"
        }
        (Some((_, ConnectionSpec::Stdio { .. })), _) => {
            "each rollout starts the command anew, in a process of its own"
        }
        (Some((_, ConnectionSpec::Http { .. })) | None, _) => {
            "each rollout has an MCP session of its own; what else the server isolates is its matter"
        }
    }
}

fn scenario_info(value: &Value) -> Option<ScenarioInfo> {
    let arguments = value["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|argument| {
            let name = argument["name"].as_str()?;
            let required = argument["required"].as_bool().unwrap_or(false);
            Some(scenario::argument(name, required, Some(argument)))
        })
        .collect();
    Some(ScenarioInfo {
        name: value["name"].as_str()?.to_owned(),
        description: value["description"].as_str().unwrap_or_default().to_owned(),
        arguments,
        chat: value["chat"].as_bool() == Some(true),
        required_env_vars: value["required_env_vars"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    })
}
