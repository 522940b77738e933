//! Configuration files of MCP clients: `{"mcpServers": {NAME: {command, …} | {url, …}}}`, or the mapping of names alone.

use std::path::Path;

use super::fields::{Field, Fields};
use super::sink::Sink;
use super::source::Kind;
use super::substitute::substitute;
use super::tree::{Data, Node};
use super::{environment, json, servers, source, yaml};
use crate::task::{ConnectionSpec, EnvironmentSpec, TaskErrors};
use crate::util::fs;

/// Where clients keep the mapping of servers. Without any of these the whole file is the mapping.
const SECTIONS: &[&str] = &["mcpServers", "mcp_config", "servers"];

/// What other clients keep beside a server and no connection depends on.
const OF_OTHER_CLIENTS: &[&str] = &[
    "alwaysAllow",
    "auth",
    "autoApprove",
    "description",
    "disabled",
    "gallery",
    "timeout",
];

/// Reads the servers of a JSON or YAML file, those that are `disabled` left out. `variables` gives the values for `${VAR}`; relative paths
/// start from the file's folder. At least one.
pub fn servers(
    path: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, ConnectionSpec)>, TaskErrors> {
    let kind = source::kind(path).map_err(|error| TaskErrors::of_file(path, error.to_string()))?;
    let text = fs::read_to_string(path).map_err(|error| {
        TaskErrors::of_file(path, format!("cannot be read: {}", error.root_cause()))
    })?;
    let mut sink = Sink::new(path, variables);
    let root = match kind {
        Kind::Yaml => yaml::parse(&text, &mut sink),
        Kind::Json => json::parse(&text, &mut sink),
        Kind::JsonLines | Kind::Python | Kind::Folder => {
            return Err(TaskErrors::of_file(path, "is no JSON or YAML file"));
        }
    };
    let found = root.and_then(|root| read(root, &mut sink));
    match sink.finish(found)? {
        Some(servers) if !servers.is_empty() => Ok(servers),
        _ => Err(TaskErrors::of_file(path, "names no MCP server")),
    }
}

fn read(root: Node, sink: &mut Sink<'_>) -> Option<Vec<(String, ConnectionSpec)>> {
    let base = environment::folder_of(sink.file);
    let at = root.at;
    let mut fields = Fields::of(root, "the file", sink)?;
    let section = SECTIONS
        .iter()
        // A server may be called `servers`.
        .find(|key| fields.peek(key).is_some_and(|node| !is_server(node)))
        .and_then(|key| fields.take(key));
    let (name, mut node) = match section {
        Some(section) => (section.key, section.value),
        None => ("servers".to_owned(), fields.into_node()),
    };
    substitute(&mut node, "the file", sink);
    let mut of_file = Fields::of(node, "the file", sink)?;
    let entries: Vec<_> = of_file
        .rest()
        .into_iter()
        .filter_map(without_foreign_fields)
        .collect();
    if entries.is_empty() {
        return None;
    }
    let node = Node {
        data: Data::Mapping(entries),
        at,
    };
    let field = Field::new(&name, node, "the file");
    match servers::mcp_config(field, &base, sink)? {
        EnvironmentSpec::Servers { servers } => Some(servers),
        EnvironmentSpec::Python { .. }
        | EnvironmentSpec::Image { .. }
        | EnvironmentSpec::Hub { .. } => None,
    }
}

fn is_server(node: &Node) -> bool {
    ["command", "url"]
        .iter()
        .any(|key| matches!(node.get(key).map(|value| &value.data), Some(data) if !matches!(data, Data::Mapping(_))))
}

/// The server as our own reader knows it; nothing when it is switched off.
fn without_foreign_fields(field: Field) -> Option<super::tree::Entry> {
    let mut entry = field.into_entry();
    if let Data::Mapping(fields) = &mut entry.value.data {
        let is_off = fields
            .iter()
            .any(|field| field.key == "disabled" && field.value.data == Data::Bool(true));
        if is_off {
            return None;
        }
        fields.retain(|field| !OF_OTHER_CLIENTS.contains(&field.key.as_str()));
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(text: &str, expected: Result<&[&str], &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        fs::write(&path, text).unwrap();
        let found = servers(&path, &|name| (name == "TOKEN").then(|| "t".to_owned()));
        let found = found
            .map(|servers| {
                servers
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect::<Vec<_>>()
            })
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "F"));
        let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(found, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn the_forms_of_all_clients_are_read() {
        let url = r#"{"url": "http://127.0.0.1:1/mcp"}"#;
        check(&format!(r#"{{"mcpServers": {{"a": {url}}}}}"#), Ok(&["a"]));
        check(
            &format!(r#"{{"servers": {{"a": {url}}}, "inputs": []}}"#),
            Ok(&["a"]),
        );
        check(&format!(r#"{{"server": {url}}}"#), Ok(&["server"]));
        check(&format!(r#"{{"servers": {url}}}"#), Ok(&["servers"]));
        check(
            &format!(r#"{{"a": {url}, "b": {{"command": "b", "args": ["x"]}}}}"#),
            Ok(&["a", "b"]),
        );
    }

    #[test]
    fn what_only_other_clients_need_is_no_mistake() {
        check(
            r#"{"mcpServers": {
                "a": {"command": "a", "disabled": true},
                "b": {"command": "b", "disabled": false, "autoApprove": [], "timeout": 60}
            }}"#,
            Ok(&["b"]),
        );
    }

    #[test]
    fn mistakes_have_their_place() {
        check("{}", Err("F: names no MCP server"));
        check(
            r#"{"mcpServers": {"a": {"comand": "x"}}}"#,
            Err(
                "F:1:22: 'a' in 'mcpServers' in the file needs either 'command' or 'url'\nF:1:23: unknown field 'comand' in 'a' in 'mcpServers' in the file; did you mean 'command'?\n2 errors",
            ),
        );
        check("[1]", Err("F:1:1: the file must be a mapping, not a list"));
    }

    #[test]
    fn variables_are_substituted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        let text =
            r#"{"a": {"url": "http://h/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}"#;
        fs::write(&path, text).unwrap();
        let found = servers(&path, &|name| (name == "TOKEN").then(|| "t".to_owned())).unwrap();
        assert_eq!(
            found,
            [(
                "a".to_owned(),
                ConnectionSpec::Http {
                    url: "http://h/mcp".to_owned(),
                    headers: BTreeMap::from([("Authorization".to_owned(), "Bearer t".to_owned())]),
                    sampling: false,
                }
            )]
        );
    }
}
