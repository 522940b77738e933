//! What an image offers: it is started, asked, and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::transport::Transport;
use crate::docker::{Container, ContainerSpec, Engine, ImageInfo, Publish, Streams};
use crate::environment::by_hand::Offered;
use crate::mcp::{Client, ClientEvents, HttpOptions, LineDiagnostics, McpError, PromptInfo};
use crate::util::{fs, text, time};

/// How often a server that does not listen yet is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// How long one attempt may take: a server that took the connection and is not ready may never answer it.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long the container has to end once it was asked to.
const GRACE: Duration = Duration::from_secs(3);

/// How much of what the container wrote is shown, in bytes.
const SHOWN: u64 = 1500;

/// How an image is analyzed.
#[derive(Clone, Debug)]
pub struct AnalysisOptions {
    /// Variables for the container.
    pub env: BTreeMap<String, String>,
    /// How long it may take to answer first.
    pub timeout: Duration,
    /// Where what it writes is kept.
    pub log: PathBuf,
    /// The name of the job, for the labels.
    pub job: String,
}

/// What an image offers, in the form of a lock file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// How long it took from the start of the container to the end of MCP's handshake.
    pub initialize: Duration,
    /// Tools that an agent sees.
    pub tools: Vec<Value>,
    /// How many it does not see.
    pub hidden_tools: usize,
    /// The functions behind dispatching tools.
    pub hub_tools: BTreeMap<String, Vec<String>>,
    /// Prompts.
    pub prompts: Vec<Value>,
    /// Resources.
    pub resources: Vec<Value>,
    /// Scenarios.
    pub scenarios: Vec<Value>,
    /// Variables that a scenario says it needs.
    pub required_variables: BTreeSet<String>,
}

/// Nothing that the image asks of us is granted.
struct Nothing;

impl ClientEvents for Nothing {}

/// Starts `image` and asks it.
///
/// # Errors
/// In words, with the end of what the container wrote.
pub async fn analyze(
    engine: &Engine,
    name: &str,
    image: &ImageInfo,
    options: &AnalysisOptions,
) -> Result<Analysis, String> {
    let transport = Transport::of(image)?;
    // A token of our own: the port is open to everyone on this machine while the analysis runs.
    let token = uuid::Uuid::new_v4().simple().to_string();
    let mut env = options.env.clone();
    let mut publish = Vec::new();
    if let Transport::Http { port, .. } = transport {
        env.insert("HUD_SERVE_KEY".to_owned(), token.clone());
        publish.push(Publish {
            container: port,
            host: None,
        });
    }
    let spec = ContainerSpec {
        image: image.id.clone(),
        env,
        job: options.job.clone(),
        interactive: transport == Transport::Stdio,
        publish,
        log: options.log.clone(),
        ..ContainerSpec::default()
    };
    let begun = Instant::now();
    let (mut container, streams) = engine
        .start(&spec)
        .await
        .map_err(|error| error.to_string())?;
    let asked = ask(&container, streams, &transport, &token, begun, options).await;
    let outcome = match asked {
        Ok(analysis) => Ok(analysis),
        Err(message) => Err(explain(&message, name, image, &container, options)),
    };
    container.remove(GRACE).await;
    outcome
}

async fn ask(
    container: &Container,
    streams: Option<Streams>,
    transport: &Transport,
    token: &str,
    begun: Instant,
    options: &AnalysisOptions,
) -> Result<Analysis, String> {
    let connecting = async {
        match (transport, streams) {
            (Transport::Http { port, path }, _) => {
                let address = container
                    .address_of(*port)
                    .await
                    .map_err(|error| error.to_string())?
                    .ok_or("its port was not published")?;
                let http = HttpOptions {
                    url: format!("http://{address}{path}"),
                    headers: BTreeMap::from([(
                        "Authorization".to_owned(),
                        format!("Bearer {token}"),
                    )]),
                    timeout: ATTEMPT,
                };
                loop {
                    match Client::over_http(&http, Arc::new(Nothing)).await {
                        Ok(client) => return Ok(client),
                        // It does not listen yet, or not for us: only time tells.
                        Err(McpError::Closed { .. } | McpError::Timeout { .. }) => {
                            tokio::time::sleep(AGAIN).await;
                        }
                        Err(error) => return Err(error.to_string()),
                    }
                }
            }
            (Transport::Stdio, Some(streams)) => {
                let diagnostics = LineDiagnostics::default();
                let connected = Client::over_stream(
                    streams.stdout,
                    streams.stdin,
                    Arc::new(Nothing),
                    diagnostics.clone(),
                )
                .await;
                connected.map_err(|error| match diagnostics.sentence() {
                    Some(sentence) => format!("{error}; {sentence}"),
                    None => error.to_string(),
                })
            }
            (Transport::Stdio, None) => Err("it has no streams".to_owned()),
        }
    };
    let client = tokio::select! {
        biased;
        connected = connecting => connected?,
        exit = container.ended() => {
            return Err(format!("it ended at once, with exit code {}", exit.code));
        }
        () = tokio::time::sleep(options.timeout) => {
            return Err(format!(
                "it did not answer as an MCP server within {}",
                time::human(options.timeout)
            ));
        }
    };
    let initialize = begun.elapsed();
    let listing = tokio::select! {
        biased;
        listed = list(&client) => listed,
        exit = container.ended() => Err(format!("it ended while it was asked, with exit code {}", exit.code)),
        () = tokio::time::sleep(options.timeout) => Err(format!(
            "it did not say what it offers within {}",
            time::human(options.timeout)
        )),
    };
    client.close(GRACE).await;
    let mut analysis = listing?;
    analysis.initialize = initialize;
    Ok(analysis)
}

async fn list(client: &Client) -> Result<Analysis, String> {
    let offer = client
        .offer()
        .await
        .map_err(|error| format!("listing what it offers failed: {error}"))?;
    let mut analysis = Analysis::default();
    for tool in &offer.tools {
        let name = text_of(tool, "name");
        if name.starts_with('_') {
            analysis.hidden_tools += 1;
            continue;
        }
        analysis.tools.push(json!({
            "name": name,
            "description": text_of(tool, "description"),
            "inputSchema": tool.get("inputSchema").cloned().unwrap_or(Value::Null),
        }));
        let uri = format!("file:///{name}/functions");
        let is_hub = offer
            .resources
            .iter()
            .any(|resource| text_of(resource, "uri") == uri);
        if is_hub
            && let Ok(json) = client.read_resource(&uri, None).await
            && let Ok(functions) = serde_json::from_str::<Vec<String>>(&json)
        {
            analysis.hub_tools.insert(name.to_owned(), functions);
        }
    }
    for listed in &offer.prompts {
        analysis.prompts.push(prompt(listed));
        let Some(offered) = Offered::from_prompt(&PromptInfo::from_json(listed)) else {
            continue;
        };
        let resource = offer
            .resources
            .iter()
            .find(|resource| text_of(resource, "uri") == offered.wire_name);
        let says_so = text_of(listed, "description").starts_with("[Setup]");
        if resource.is_some() || says_so {
            analysis
                .required_variables
                .extend(offered.info.required_env_vars.iter().cloned());
            analysis
                .scenarios
                .push(scenario(&offered, listed, resource));
        }
    }
    analysis.resources = offer.resources.iter().map(resource).collect();
    for (list, key) in [
        (&mut analysis.tools, "name"),
        (&mut analysis.prompts, "name"),
        (&mut analysis.resources, "uri"),
        (&mut analysis.scenarios, "id"),
    ] {
        list.sort_by(|a, b| text_of(a, key).cmp(text_of(b, key)));
    }
    Ok(analysis)
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `_meta` without the source of scenarios, which Python hud 5 sends to everyone.
fn meta(value: &Value) -> Option<Map<String, Value>> {
    let mut meta = value.get("_meta")?.as_object()?.clone();
    meta.remove("code");
    (!meta.is_empty()).then_some(meta)
}

/// The arguments of a prompt, with what `_meta` says of their types.
fn arguments(listed: &Value) -> Vec<Value> {
    let described = listed["_meta"]["arguments"].as_array();
    listed["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|argument| {
            let name = text_of(argument, "name");
            let mut out = json!({
                "name": name,
                "required": argument["required"].as_bool().unwrap_or(false),
                "description": text_of(argument, "description"),
            });
            let known = described
                .into_iter()
                .flatten()
                .find(|known| text_of(known, "name") == name);
            for key in ["default", "type", "inputSchema"] {
                if let Some(value) = known.and_then(|known| known.get(key)) {
                    out[key] = value.clone();
                }
            }
            out
        })
        .collect()
}

fn prompt(listed: &Value) -> Value {
    let mut out = json!({
        "name": text_of(listed, "name"),
        "description": text_of(listed, "description"),
        "arguments": arguments(listed),
    });
    if let Some(mut meta) = meta(listed) {
        // It stands with the arguments.
        meta.remove("arguments");
        if !meta.is_empty() {
            out["meta"] = Value::Object(meta);
        }
    }
    out
}

fn resource(listed: &Value) -> Value {
    let mut out = json!({
        "uri": text_of(listed, "uri"),
        "name": text_of(listed, "name"),
        "description": text_of(listed, "description"),
        "mime_type": listed.get("mimeType").cloned().unwrap_or(Value::Null),
    });
    if let Some(meta) = meta(listed) {
        out["meta"] = Value::Object(meta);
    }
    out
}

fn scenario(offered: &Offered, listed: &Value, resource: Option<&Value>) -> Value {
    let mut out = json!({
        "id": offered.wire_name,
        "env": offered.environment,
        "name": offered.info.name,
        "setup_description": text_of(listed, "description"),
        "arguments": arguments(listed),
        "has_setup_prompt": true,
        "has_evaluate_resource": resource.is_some(),
    });
    for key in ["exclude_tools", "exclude_sources"] {
        if let Some(value) = listed["_meta"].get(key) {
            out[key] = value.clone();
        }
    }
    if let Some(resource) = resource {
        out["evaluate_description"] = json!(text_of(resource, "description"));
    }
    out
}

/// Why the analysis failed, with what is known of the container.
fn explain(
    message: &str,
    name: &str,
    image: &ImageInfo,
    container: &Container,
    options: &AnalysisOptions,
) -> String {
    let command = text::one_line(&image.command.join(" "), 120);
    let mut out = format!("`{name}` was built, and cannot be analyzed: {message}");
    match container.exit() {
        Some(exit) if !message.contains("exit code") => {
            out.push_str(&format!(" (it ended with exit code {})", exit.code));
        }
        _ => {}
    }
    out.push_str(&format!("\nits command is `{command}`"));
    let log = text::strip_control(&fs::tail(&options.log, SHOWN));
    if log.is_empty() {
        out.push_str("\nit wrote nothing");
    } else {
        out.push_str("\nthe end of what it wrote:");
        for line in log.lines() {
            out.push_str(&format!("\n  {line}"));
        }
    }
    out.push_str("\nhint: CMD starts an MCP server, such as [\"hud\", \"dev\", \"env:env\", \"--stdio\"]; variables that it needs are given with -e; --no-analyze builds without asking");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_a_grader_is_kept() {
        let listed = json!({
            "name": "env:solve",
            "description": "[Setup] Solve it",
            "arguments": [{"name": "n", "required": true, "description": "how many"}],
            "_meta": {
                "code": "def grade(): return 1.0",
                "arguments": [{"name": "n", "type": "integer", "default": 3}],
                "exclude_tools": ["x"],
            },
        });
        let grading = json!({"uri": "env:solve", "name": "solve", "description": "Grade", "_meta": {"code": "def grade()"}});
        let offered = Offered::from_prompt(&PromptInfo::from_json(&listed)).unwrap();
        let argument = json!({"name": "n", "required": true, "description": "how many", "default": 3, "type": "integer"});
        assert_eq!(
            scenario(&offered, &listed, Some(&grading)),
            json!({
                "id": "env:solve", "env": "env", "name": "solve", "setup_description": "[Setup] Solve it",
                "arguments": [argument], "has_setup_prompt": true, "has_evaluate_resource": true,
                "exclude_tools": ["x"], "evaluate_description": "Grade",
            })
        );
        assert_eq!(
            prompt(&listed),
            json!({
                "name": "env:solve", "description": "[Setup] Solve it", "arguments": [argument],
                "meta": {"exclude_tools": ["x"]},
            })
        );
        assert_eq!(
            resource(&grading),
            json!({"uri": "env:solve", "name": "solve", "description": "Grade", "mime_type": null})
        );
    }
}
