//! The scenario convention over a connection that somebody else holds: for a scenario that is set up in one process and graded in another,
//! and for a person who plays the agent. Rollouts use [`Session`](super::Session), which owns its connections.

use serde_json::{Map, Value, json};

use super::api::{EnvironmentError, Prompt, ScenarioInfo};
use super::scenario;
use crate::event::{Evaluation, Phase};
use crate::mcp::{Client, McpError, PromptInfo, SESSION_META};
use crate::message::{Arguments, Content, ToolCall};
use crate::util::{suggest, text};

/// A scenario that a server offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// `environment:scenario`, its name on the wire.
    pub wire_name: String,
    /// The part before the colon.
    pub environment: String,
    /// What is known of it.
    pub info: ScenarioInfo,
}

impl Offered {
    /// The scenario behind a prompt, if it is one.
    pub fn from_prompt(prompt: &PromptInfo) -> Option<Self> {
        let (environment, info) = scenario::from_prompt(prompt)?;
        Some(Self {
            wire_name: prompt.name.clone(),
            environment,
            info,
        })
    }
}

/// A scenario that was set up.
#[derive(Clone, Debug, PartialEq)]
pub struct Posed {
    /// What it asks.
    pub prompt: Prompt,
    /// `_meta` that every later request of it carries: the session's name, where sessions have names (MCP since 2026-07-28).
    pub meta: Option<Map<String, Value>>,
}

/// Every scenario of the server.
pub async fn scenarios(client: &Client) -> Result<Vec<Offered>, EnvironmentError> {
    let prompts = client
        .list_prompts()
        .await
        .map_err(|failed| explain(Phase::Setup, "listing the scenarios", &failed))?;
    Ok(prompts.iter().filter_map(Offered::from_prompt).collect())
}

/// The one of `offered` that `name` (`scenario` or `environment:scenario`) means.
///
/// # Errors
/// In words, with what there is.
pub fn find<'a>(offered: &'a [Offered], name: &str) -> Result<&'a Offered, String> {
    let exact = offered.iter().find(|offered| offered.wire_name == name);
    let by_short = || offered.iter().find(|offered| offered.info.name == name);
    exact.or_else(by_short).ok_or_else(|| {
        let names = || offered.iter().map(|offered| offered.info.name.as_str());
        let near = suggest::did_you_mean(name.rsplit(':').next().unwrap_or(name), names());
        let known = if offered.is_empty() {
            "; it has none".to_owned()
        } else if near.is_empty() {
            format!("; it has {}", names().collect::<Vec<_>>().join(", "))
        } else {
            near
        };
        format!(
            "the environment has no scenario '{}'{known}",
            text::one_line(name, 60)
        )
    })
}

/// Sets the scenario up.
pub async fn set_up(
    client: &Client,
    wire_name: &str,
    args: &Map<String, Value>,
) -> Result<Posed, EnvironmentError> {
    let result = client
        .get_prompt(wire_name, scenario::encode_arguments(args), None)
        .await
        .map_err(|failed| {
            let doing = format!("setting up the scenario `{wire_name}`");
            explain(Phase::Setup, &doing, &failed)
        })?;
    let meta = result
        .meta
        .get(SESSION_META)
        .map(|session| Map::from_iter([(SESSION_META.to_owned(), session.clone())]));
    let prompt = scenario::prompt(result);
    if prompt.is_empty() {
        return Err(failure(
            Phase::Setup,
            format!("the scenario `{wire_name}` returned an empty prompt"),
        ));
    }
    Ok(Posed { prompt, meta })
}

/// Hands the answer to the scenario.
pub async fn submit(
    client: &Client,
    wire_name: &str,
    answer: &str,
    meta: Option<&Map<String, Value>>,
) -> Result<(), EnvironmentError> {
    let short = wire_name
        .split_once(':')
        .map_or(wire_name, |(_, short)| short);
    let call = ToolCall {
        id: "submit".to_owned(),
        name: scenario::SUBMIT_TOOL.to_owned(),
        arguments: Arguments::Object {
            value: Map::from_iter([
                ("scenario".to_owned(), json!(short)),
                ("answer".to_owned(), json!(answer)),
            ]),
        },
        opaque: None,
    };
    match client.call_tool(&call, meta).await {
        Ok(result) if !result.is_error => Ok(()),
        Ok(result) => Err(failure(
            Phase::Submit,
            format!(
                "the environment refused the answer: {}",
                text::strip_control(&Content::join_text(&result.content))
            ),
        )),
        Err(failed) => {
            let doing = format!("submitting the answer of `{wire_name}`");
            Err(explain(Phase::Submit, &doing, &failed))
        }
    }
}

/// Grades; the scenario is consumed.
pub async fn grade(
    client: &Client,
    wire_name: &str,
    meta: Option<&Map<String, Value>>,
) -> Result<Evaluation, EnvironmentError> {
    match client.read_resource(wire_name, meta).await {
        Ok(json) => scenario::evaluation(&json).map_err(|words| failure(Phase::Grade, words)),
        Err(failed) => {
            let doing = format!("grading the scenario `{wire_name}`");
            Err(explain(Phase::Grade, &doing, &failed))
        }
    }
}

fn failure(phase: Phase, message: String) -> EnvironmentError {
    EnvironmentError {
        phase,
        message,
        timed_out: false,
    }
}

/// What went wrong, with the user's own frames when the server sent them.
fn explain(phase: Phase, doing: &str, failed: &McpError) -> EnvironmentError {
    let message = match failed {
        McpError::Rpc { message, data, .. } => {
            let words = text::strip_control(message);
            let hud = data.as_ref().and_then(|data| data.get("hud"));
            let exception = hud
                .and_then(|hud| hud["exception"].as_str())
                .filter(|exception| !words.contains(exception))
                .map_or_else(String::new, |exception| format!("{exception}: "));
            let trace = hud
                .and_then(|hud| hud["trace"].as_str())
                .filter(|trace| !trace.trim().is_empty())
                .map_or_else(String::new, |trace| {
                    format!("\n{}", text::strip_control(trace.trim_end()))
                });
            format!("{doing} failed: {exception}{words}{trace}")
        }
        McpError::Closed { .. } | McpError::Timeout { .. } | McpError::Protocol { .. } => {
            format!("{doing} failed: {failed}")
        }
    };
    EnvironmentError {
        phase,
        message,
        timed_out: matches!(failed, McpError::Timeout { .. }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(name: &str) -> Offered {
        let prompt = PromptInfo {
            name: name.to_owned(),
            description: String::new(),
            arguments: Vec::new(),
            meta: Map::new(),
        };
        Offered::from_prompt(&prompt).unwrap()
    }

    #[test]
    fn a_scenario_is_found_by_either_name() {
        let all = [offered("trivia:initials"), offered("other:capital")];
        let check = |name: &str, expected: Result<&str, &str>| {
            let found = find(&all, name).map(|offered| offered.wire_name.as_str());
            assert_eq!(found, expected.map_err(str::to_owned), "{name}");
        };
        check("initials", Ok("trivia:initials"));
        check("other:capital", Ok("other:capital"));
        check(
            "trivia:intials",
            Err("the environment has no scenario 'trivia:intials'; did you mean 'initials'?"),
        );
        check(
            "x",
            Err("the environment has no scenario 'x'; it has initials, capital"),
        );
        assert_eq!(
            find(&[], "x").unwrap_err(),
            "the environment has no scenario 'x'; it has none"
        );
    }

    #[test]
    fn a_failure_shows_the_users_own_frames() {
        let failed = McpError::Rpc {
            code: -32000,
            message: "no such file".to_owned(),
            data: Some(
                json!({"hud": {"exception": "OSError", "trace": "  File \"env.py\", line 3\n"}}),
            ),
        };
        assert_eq!(
            explain(Phase::Setup, "setting up", &failed).message,
            "setting up failed: OSError: no such file\n  File \"env.py\", line 3"
        );
    }
}
