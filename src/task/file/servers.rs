//! MCP servers in task files: `{command, …}`, `{url, …}`, and the `mcp_config` of older tasks.

use std::path::Path;

use super::environment::{self, canonical, is_url, lexical};
use super::fields::{Field, Fields};
use super::sink::Sink;
use super::tree::Data;
use crate::task::{ConnectionSpec, EnvironmentSpec};
use crate::util::diagnostic::shown;

/// Reads `mcp_config`: `{server: {command, args, env} | {url, headers}}`.
pub(super) fn mcp_config(
    field: Field,
    base: &Path,
    sink: &mut Sink<'_>,
) -> Option<EnvironmentSpec> {
    let at = field.value.at;
    let name = field.name();
    let mut fields = field.fields(sink)?;
    let before = sink.count();
    let servers: Vec<_> = fields
        .rest()
        .into_iter()
        .filter_map(|server| {
            let name = server.key.clone();
            let mut server = server.fields(sink)?;
            let connection = match (server.has("command"), server.has("url")) {
                (true, false) => stdio(server, base, sink),
                (false, true) => http(server, sink),
                _ => {
                    let message = format!("{} needs either 'command' or 'url'", server.place);
                    sink.error(server.at, message);
                    // One of the two may be there under a wrong name.
                    for kind in ["command", "url"] {
                        for key in environment::known(kind) {
                            server.take(key);
                        }
                    }
                    server.finish(&["command", "url"], sink);
                    None
                }
            };
            Some((name, connection?))
        })
        .collect();
    if servers.is_empty() && sink.count() == before {
        sink.error(at, format!("{name} names no server"));
    }
    (sink.count() == before).then_some(EnvironmentSpec::Servers { servers })
}

/// `{command, args, env, cwd}`, in the fields of a server.
pub(super) fn stdio(
    mut fields: Fields,
    base: &Path,
    sink: &mut Sink<'_>,
) -> Option<ConnectionSpec> {
    check_transport(&mut fields, &["stdio"], sink);
    let args = fields.take("args").and_then(|field| words(field, sink));
    let command = fields
        .take("command")
        .and_then(|field| program(field, args.is_some(), base, sink));
    let env = fields
        .take("env")
        .and_then(|field| field.variables(sink))
        .unwrap_or_default();
    let cwd = fields.take("cwd").map_or_else(
        || Some(base.to_owned()),
        |field| {
            let (at, name) = (field.value.at, field.name());
            let text = field.text(sink)?;
            let path = lexical(&base.join(&text));
            if !path.is_dir() {
                sink.error(at, format!("{name}: no such folder '{}'", shown(&text)));
            }
            Some(canonical(path))
        },
    );
    fields.finish(environment::known("command"), sink);
    let mut command = command?;
    command.extend(args.unwrap_or_default());
    Some(ConnectionSpec::Stdio { command, env, cwd })
}

/// The words of `command`, which is a list, or one string that is the program alone.
fn program(field: Field, has_args: bool, base: &Path, sink: &mut Sink<'_>) -> Option<Vec<String>> {
    let (at, name) = (field.value.at, field.name());
    let mut command = match &field.value.data {
        Data::String(text) if text.contains(char::is_whitespace) && !has_args => {
            // The words are not shown, because a substituted secret may be among them.
            sink.error(
                at,
                format!(
                    "{name} is not run through a shell; write it as a list: [program, argument, …]"
                ),
            );
            return None;
        }
        Data::String(_) => vec![field.text(sink)?],
        Data::Sequence(_) => words(field, sink)?,
        _ => {
            field.wrong("a list of strings", sink);
            return None;
        }
    };
    let Some(program) = command.first_mut().filter(|program| !program.is_empty()) else {
        sink.error(at, format!("{name} is empty"));
        return None;
    };
    if program.contains('/') {
        let path = lexical(&base.join(&*program));
        if !path.exists() {
            sink.error(at, format!("{name}: no such file '{}'", shown(program)));
            return None;
        }
        *program = path.to_string_lossy().into_owned();
    }
    Some(command)
}

/// A list of scalars as strings.
pub(super) fn words(field: Field, sink: &mut Sink<'_>) -> Option<Vec<String>> {
    let name = field.name();
    let items = field.sequence(sink)?;
    let count = items.len();
    let words: Vec<String> = items
        .into_iter()
        .filter_map(|item| match item.data {
            Data::String(text) => Some(text),
            Data::Number(number) => Some(number.to_string()),
            Data::Bool(value) => Some(value.to_string()),
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => {
                sink.error(item.at, format!("{name} must be a list of strings"));
                None
            }
        })
        .collect();
    (words.len() == count).then_some(words)
}

/// `{url, headers, sampling}`, in the fields of a server.
pub(super) fn http(mut fields: Fields, sink: &mut Sink<'_>) -> Option<ConnectionSpec> {
    check_transport(
        &mut fields,
        &["http", "streamable-http", "streamable_http", "sse"],
        sink,
    );
    let url = fields.take("url").and_then(|field| {
        let (at, name) = (field.value.at, field.name());
        let url = field.text(sink)?;
        if !is_url(&url) {
            sink.error(at, format!("{name} must start with http:// or https://"));
            return None;
        }
        Some(url)
    });
    let headers = fields
        .take("headers")
        .and_then(|field| field.variables(sink))
        .unwrap_or_default();
    let sampling = fields
        .take("sampling")
        .and_then(|field| field.boolean(sink))
        .unwrap_or_default();
    fields.finish(environment::known("url"), sink);
    Some(ConnectionSpec::Http {
        url: url?,
        headers,
        sampling,
    })
}

/// Configurations of other MCP clients name the transport. Ours finds it out; a name that contradicts the rest is a mistake.
fn check_transport(fields: &mut Fields, fitting: &[&str], sink: &mut Sink<'_>) {
    for key in ["type", "transport"] {
        if let Some(field) = fields.take(key)
            && !matches!(&field.value.data, Data::String(text) if fitting.contains(&text.as_str()))
        {
            field.wrong(&format!("one of {}", fitting.join(", ")), sink);
        }
    }
}
