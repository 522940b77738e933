//! The analysis as one JSON object. Its keys are part of the interface: those of Python hud's `hud analyze`, and more.
//!
//! - `success`; with `false` there is only `error`.
//! - `name`, `version`, `title`, `instructions`, `protocolVersion`, `capabilities`, `isolation`, `isolationReason`: of the server; null when
//!   there are several, each of which is in `servers`.
//! - `startMs` (importing a Python environment, else null), `initializeMs` (opening a connection): whole milliseconds, the slowest of several.
//! - `toolCount`, `hiddenToolCount` (null when the server does not tell), `internalToolCount` (functions behind hubs), `taskCount`.
//! - `tools`: as MCP lists them, with `internalTools` for hubs; `hubTools`: `{hub: [function]}`.
//! - `scenarios`: `id, env, name, description, chat, arguments [{name, required, default?, type | inputSchema}], required_env_vars,
//!   exclude_tools, exclude_sources, allowed_tools, returns_schema, enable_citations, has_setup_prompt, has_evaluate_resource,
//!   setup_description, evaluate_description`.
//! - `resources` (as MCP lists them, with `mime_type` too), `resourceTemplates`, `prompts`: scenarios' own included.
//! - `servers`: `{place, name, version, protocolVersion, capabilities, instructions, isolation, startMs, initializeMs, toolCount}` for each
//!   connection; with several, each listed item names its `server`.
//! - `metadata`: `{initialized, servers}`; `verbose`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::collect::{Analysis, Scenario, Server, text_of};

/// The analysis.
pub(in crate::cli) fn json(analysis: &Analysis, verbose: bool) -> Value {
    let servers = &analysis.servers;
    let only = match servers.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let of_only = |value: &dyn Fn(&Server) -> Value| only.map_or(Value::Null, value);
    let count = |of: &dyn Fn(&Server) -> usize| servers.iter().map(of).sum::<usize>();
    let hidden: Option<usize> = servers
        .iter()
        .filter_map(|server| server.hidden_tools)
        .reduce(|a, b| a + b);
    let slowest = |of: &dyn Fn(&Server) -> Option<Duration>| {
        servers.iter().filter_map(of).max().map(milliseconds)
    };
    let all = |items: &dyn Fn(&Server) -> Vec<Value>| -> Vec<Value> {
        servers
            .iter()
            .flat_map(|server| {
                items(server).into_iter().map(move |mut item| {
                    if only.is_none() {
                        item["server"] = json!(server.place);
                    }
                    item
                })
            })
            .collect()
    };
    let hubs: Map<String, Value> = servers
        .iter()
        .flat_map(|server| &server.hubs)
        .map(|(hub, functions)| (hub.clone(), json!(functions)))
        .collect();
    json!({
        "success": true,
        "name": of_only(&|server| json!(server.about.name)),
        "version": of_only(&|server| json!(server.about.version)),
        "title": of_only(&|server| json!(server.about.title)),
        "instructions": of_only(&|server| json!(server.about.instructions)),
        "protocolVersion": of_only(&|server| json!(server.about.protocol)),
        "capabilities": of_only(&|server| server.about.capabilities.clone()),
        "isolation": of_only(&|server| json!(server.isolation)),
        "isolationReason": of_only(&|server| json!(server.isolation_reason)),
        "startMs": slowest(&|server| server.start),
        "initializeMs": slowest(&|server| Some(server.initialize)),
        "toolCount": count(&|server| server.offer.tools.len()),
        "hiddenToolCount": hidden,
        "internalToolCount": count(&|server| server.hubs.iter().map(|(_, functions)| functions.len()).sum()),
        "tools": all(&tools),
        "hubTools": hubs,
        "scenarios": all(&|server| server.scenarios.iter().map(scenario).collect()),
        "resources": all(&|server| server.offer.resources.iter().map(resource).collect()),
        "resourceTemplates": all(&|server| server.offer.templates.clone()),
        "prompts": all(&|server| server.offer.prompts.clone()),
        "taskCount": count(&|server| server.tasks),
        "servers": servers.iter().map(summary).collect::<Vec<_>>(),
        "metadata": {
            "initialized": true,
            "servers": servers.iter().map(|server| server.place.as_str()).collect::<Vec<_>>(),
        },
        "verbose": verbose,
    })
}

/// Why there is no analysis.
pub(in crate::cli) fn failure(error: &str) -> Value {
    json!({"success": false, "error": error})
}

fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

fn tools(server: &Server) -> Vec<Value> {
    server
        .offer
        .tools
        .iter()
        .map(|tool| {
            let mut tool = tool.clone();
            if let Some(functions) = server.functions_of(text_of(&tool, "name")) {
                tool["internalTools"] = json!(functions);
            }
            tool
        })
        .collect()
}

fn resource(resource: &Value) -> Value {
    let mut resource = resource.clone();
    resource["mime_type"] = resource["mimeType"].clone();
    resource
}

fn scenario(scenario: &Scenario) -> Value {
    let info = &scenario.offered.info;
    let meta = Server::meta_of(scenario);
    let arguments: Vec<Value> = info
        .arguments
        .iter()
        .map(|argument| {
            let mut object = Map::from_iter([
                ("name".to_owned(), json!(argument.name)),
                ("required".to_owned(), json!(argument.required)),
            ]);
            if let Some(default) = &argument.default {
                object.insert("default".to_owned(), default.clone());
            }
            if let Some(schema) = &argument.schema {
                // Python hud names a plain type, and gives a schema for everything else.
                let is_plain = schema.as_object().is_some_and(|schema| schema.len() == 1);
                match schema.get("type") {
                    Some(kind) if is_plain => object.insert("type".to_owned(), kind.clone()),
                    _ => object.insert("inputSchema".to_owned(), schema.clone()),
                };
            }
            Value::Object(object)
        })
        .collect();
    let mut out = json!({
        "id": scenario.offered.wire_name,
        "env": scenario.offered.environment,
        "name": info.name,
        "description": info.description,
        "chat": info.chat,
        "arguments": arguments,
        "required_env_vars": info.required_env_vars,
        "has_setup_prompt": true,
        "has_evaluate_resource": scenario.resource.is_some(),
        "setup_description": text_of(&scenario.prompt, "description"),
    });
    if let Some(resource) = &scenario.resource {
        out["evaluate_description"] = json!(text_of(resource, "description"));
    }
    for key in [
        "exclude_tools",
        "exclude_sources",
        "allowed_tools",
        "returns_schema",
        "enable_citations",
    ] {
        if let Some(value) = meta.get(key) {
            out[key] = value.clone();
        }
    }
    out
}

fn summary(server: &Server) -> Value {
    json!({
        "place": server.place,
        "name": server.about.name,
        "version": server.about.version,
        "protocolVersion": server.about.protocol,
        "capabilities": server.about.capabilities,
        "instructions": server.about.instructions,
        "isolation": server.isolation,
        "startMs": server.start.map(milliseconds),
        "initializeMs": milliseconds(server.initialize),
        "toolCount": server.offer.tools.len(),
    })
}
