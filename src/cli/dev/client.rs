//! Ready-to-paste configuration of clients.
//!
//! The token never appears in it: it is the value of `HUD_SERVE_KEY`, which each client has its own way to read.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::cli::args::Client;
use crate::config::env_vars::HUD_SERVE_KEY;

/// How `client` connects to a server at `url`.
pub(super) fn over_http(client: Client, name: &str, url: &str, needs_token: bool) -> String {
    let name = word(name);
    let shell_header = || format!(" --header \"Authorization: Bearer ${HUD_SERVE_KEY}\"");
    let header = if needs_token {
        shell_header()
    } else {
        String::new()
    };
    match client {
        Client::ClaudeCode => format!("claude mcp add --transport http {name} {url}{header}"),
        Client::Inspector => format!(
            "npx @modelcontextprotocol/inspector --transport http --server-url {url}{header}"
        ),
        Client::Cursor => {
            let mut config = json!({ "url": url });
            if needs_token {
                config["headers"] = bearer(&format!("${{env:{HUD_SERVE_KEY}}}"));
            }
            cursor_link(&name, &config)
        }
        Client::Vscode => {
            let mut server = json!({"type": "http", "url": url});
            let mut inputs = None;
            if needs_token {
                server["headers"] = bearer("${input:hud-serve-key}");
                inputs = Some(json!([{
                    "type": "promptString",
                    "id": "hud-serve-key",
                    "description": format!("The token of the server ({HUD_SERVE_KEY})"),
                    "password": true,
                }]));
            }
            vscode(&name, &server, inputs)
        }
    }
}

/// How `client` starts `program` itself.
pub(in crate::cli) fn over_stdio(
    client: Client,
    name: &str,
    program: &Path,
    args: &[String],
) -> String {
    let name = word(name);
    let program = program.display().to_string();
    let words: Vec<String> = std::iter::once(&program)
        .chain(args)
        .map(|word| quoted(word))
        .collect();
    let line = words.join(" ");
    match client {
        Client::ClaudeCode => format!("claude mcp add {name} -- {line}"),
        Client::Inspector => format!("npx @modelcontextprotocol/inspector -- {line}"),
        Client::Cursor => cursor_link(&name, &json!({"command": program, "args": args})),
        Client::Vscode => vscode(
            &name,
            &json!({"type": "stdio", "command": program, "args": args}),
            None,
        ),
    }
}

fn bearer(token: &str) -> Value {
    json!({"Authorization": format!("Bearer {token}")})
}

/// The link that Cursor opens: the entry of its `mcp.json` in base64, as Python hud prints it too.
fn cursor_link(name: &str, config: &Value) -> String {
    let config = BASE64_STANDARD.encode(format!("{config:#}"));
    // What base64 has beyond letters and digits means something else in a query.
    let config = config
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("cursor://anysphere.cursor-deeplink/mcp/install?name={name}&config={config}")
}

/// `.vscode/mcp.json`.
fn vscode(name: &str, server: &Value, inputs: Option<Value>) -> String {
    let mut file = Map::new();
    if let Some(inputs) = inputs {
        file.insert("inputs".to_owned(), inputs);
    }
    file.insert("servers".to_owned(), json!({ name: server }));
    format!("{:#}", Value::Object(file))
}

/// A name for lists of servers, which some clients make parts of names of tools.
fn word(name: &str) -> String {
    let mapped: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let trimmed = mapped.trim_matches('-');
    if trimmed.is_empty() {
        "environment".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-+:=,@%".contains(c));
    if is_plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:8765/mcp";

    #[test]
    fn clients_are_told_a_url() {
        let check = |client: Client, needs_token: bool, expected: &str| {
            assert_eq!(over_http(client, "my shop", URL, needs_token), expected);
        };
        check(
            Client::ClaudeCode,
            false,
            "claude mcp add --transport http my-shop http://127.0.0.1:8765/mcp",
        );
        check(
            Client::ClaudeCode,
            true,
            "claude mcp add --transport http my-shop http://127.0.0.1:8765/mcp --header \"Authorization: Bearer $HUD_SERVE_KEY\"",
        );
        check(
            Client::Inspector,
            false,
            "npx @modelcontextprotocol/inspector --transport http --server-url http://127.0.0.1:8765/mcp",
        );
        // `{"url": …}` with two blanks of indentation, byte for byte what Python hud encodes.
        check(
            Client::Cursor,
            false,
            "cursor://anysphere.cursor-deeplink/mcp/install?name=my-shop&config=ewogICJ1cmwiOiAiaHR0cDovLzEyNy4wLjAuMTo4NzY1L21jcCIKfQ%3D%3D",
        );
    }

    #[test]
    fn the_file_of_vs_code_asks_for_the_token() {
        insta::assert_snapshot!(over_http(Client::Vscode, "shop", URL, true), @r#"
        {
          "inputs": [
            {
              "type": "promptString",
              "id": "hud-serve-key",
              "description": "The token of the server (HUD_SERVE_KEY)",
              "password": true
            }
          ],
          "servers": {
            "shop": {
              "type": "http",
              "url": "http://127.0.0.1:8765/mcp",
              "headers": {
                "Authorization": "Bearer ${input:hud-serve-key}"
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn clients_are_told_a_command() {
        let args = ["dev", "/my work/env.py", "--stdio"].map(str::to_owned);
        let told = |client| over_stdio(client, "shop", Path::new("/bin/hud"), &args);
        assert_eq!(
            told(Client::ClaudeCode),
            "claude mcp add shop -- /bin/hud dev '/my work/env.py' --stdio"
        );
        assert_eq!(
            told(Client::Inspector),
            "npx @modelcontextprotocol/inspector -- /bin/hud dev '/my work/env.py' --stdio"
        );
        let file: Value = serde_json::from_str(&told(Client::Vscode)).unwrap();
        assert_eq!(
            file,
            json!({"servers": {"shop": {"type": "stdio", "command": "/bin/hud", "args": args}}})
        );
        let link = told(Client::Cursor);
        let config = link.split_once("config=").unwrap().1.replace("%3D", "=");
        let config = config.replace("%2B", "+").replace("%2F", "/");
        let config: Value =
            serde_json::from_slice(&BASE64_STANDARD.decode(config).unwrap()).unwrap();
        assert_eq!(config, json!({"command": "/bin/hud", "args": args}));
    }
}
