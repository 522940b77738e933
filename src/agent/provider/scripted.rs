//! `scripted:FILE.yaml`: plays turns that a person wrote, so that an evaluation needs no key and always goes the same way.
//!
//! ```yaml
//! turns:
//!   - match: "ceo-*"          # a pattern over the task's slug
//!     repeat: 0               # only this repeat of a group; all when absent
//!     turns:
//!       - text: Looking it up.
//!         tool_calls: [{name: lookup_ceo, arguments: {company: HUD}}]
//!       - error: {kind: rate_limit, message: slow down, retry_after: 0.5}
//!       - text: JR
//!         usage: {input_tokens: 12, output_tokens: 3}
//! ```
//! The first entry that matches a task plays it. A file may also be a plain list of turns (at the top, or under `turns:`), which play every task.
//! A turn may be just its text. It also takes `reasoning`, `stop` (`done`, `tool_calls`, `length`, `refusal`, `paused`) and `delay` in seconds; `arguments` that are a
//! text are taken as what a model wrote, valid JSON or not.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use globset::GlobMatcher;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::agent::filters::matcher;
use crate::agent::{Delta, Model, ModelError, ModelErrorKind, ModelFactory, Request};
use crate::message::{Arguments, Block, StopReason, ToolCall, Turn, Usage};
use crate::task::Task;
use crate::util::{fs, yaml};

/// The prefix that `--model` knows it by, and the name that its turns carry.
pub(super) const NAME: &str = "scripted";

/// The scripts of a file, ready to play.
#[derive(Debug)]
pub struct Scripts {
    /// The file as the user named it.
    file: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// `None` matches every task.
    pattern: Option<GlobMatcher>,
    repeat: Option<u32>,
    turns: Vec<TurnSpec>,
}

impl Scripts {
    /// Reads `file`. The error names it, and line and column where the YAML parser knows them.
    pub fn read(file: &Path) -> Result<Self, ModelError> {
        let name = file.display().to_string();
        fs::read_to_string(file)
            .map_err(|error| format!("{error:#}"))
            .and_then(|text| Self::parse(&name, &text).map_err(|error| placed(&name, &error)))
            .map_err(wrong)
    }

    fn parse(file: &str, text: &str) -> Result<Self, String> {
        // The shape is found out first, on a tree without positions, so that the second reading can be of one exact type: its errors then
        // carry the position of what is wrong with it.
        let shape: Value = yaml::from_str(text).map_err(|error| format!("{error:#}"))?;
        let turns = match &shape {
            Value::Object(map) => map.get("turns").and_then(Value::as_array),
            Value::Array(turns) => {
                return Ok(Self::one(file, typed::<Vec<TurnSpec>>(text, turns.len())?));
            }
            _ => None,
        };
        let Some(turns) = turns else {
            return Err("expected a list of turns, or a mapping with the list `turns`".to_owned());
        };
        let has_entries = turns
            .iter()
            .any(|turn| turn.get("turns").is_some() || turn.get("match").is_some());
        if !has_entries {
            let file_spec: File<TurnSpec> = typed(text, turns.len())?;
            return Ok(Self::one(file, file_spec.turns));
        }
        let file_spec: File<EntrySpec> = typed(text, turns.len())?;
        let entries = file_spec.turns.into_iter().map(|entry| {
            Ok(Entry {
                pattern: Some(matcher(&entry.pattern)?),
                repeat: entry.repeat,
                turns: entry.turns,
            })
        });
        Ok(Self {
            file: file.to_owned(),
            entries: entries.collect::<Result<_, String>>()?,
        })
    }

    fn one(file: &str, turns: Vec<TurnSpec>) -> Self {
        Self {
            file: file.to_owned(),
            entries: vec![Entry {
                pattern: None,
                repeat: None,
                turns,
            }],
        }
    }
}

impl ModelFactory for Scripts {
    fn open(&self, task: &Task, repeat: u32) -> Result<Arc<dyn Model>, ModelError> {
        let entry = self.entries.iter().find(|entry| {
            entry
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(&task.slug))
                && entry.repeat.is_none_or(|only| only == repeat)
        });
        let Some(entry) = entry else {
            return Err(wrong(format!(
                "{}: no entry matches task '{}' (repeat {repeat})\nhint: add one, or an entry with `match: \"*\"` at the end",
                self.file, task.slug
            )));
        };
        Ok(Arc::new(Player {
            file: self.file.clone(),
            task: task.slug.clone(),
            state: Mutex::new(State {
                left: entry.turns.iter().cloned().collect(),
                turns: 0,
                calls: 0,
            }),
        }))
    }
}

/// `s.yaml:2:3: …` from what the parser says, which ends in ` at line 2 column 3`.
fn placed(file: &str, error: &str) -> String {
    let place = || {
        let (before, rest) = error.split_once(" at line ")?;
        let (line, rest) = rest.split_once(" column ")?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (column, after) = rest.split_at(digits);
        line.parse::<usize>().ok()?;
        Some(format!("{file}:{line}:{column}: {before}{after}"))
    };
    place().unwrap_or_else(|| format!("{file}: {error}"))
}

/// The largest script that is not a slip: it is held once for each running rollout.
const MAX_TURNS: usize = 100_000;

fn typed<T: serde::de::DeserializeOwned>(text: &str, turns: usize) -> Result<T, String> {
    if turns == 0 {
        return Err("the list of turns is empty".to_owned());
    }
    if turns > MAX_TURNS {
        return Err(format!("more than {MAX_TURNS} turns"));
    }
    yaml::from_str(text).map_err(|error| format!("{error:#}").trim_start_matches('.').to_owned())
}

fn wrong(message: String) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Request,
        message,
        retry_after: None,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<T> {
    turns: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an entry, such as {match: \"*\", turns: [{text: hi}]}"
)]
struct EntrySpec {
    #[serde(rename = "match")]
    pattern: String,
    #[serde(default)]
    repeat: Option<u32>,
    turns: Vec<TurnSpec>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
struct TurnSpec {
    reasoning: Option<String>,
    text: Option<String>,
    tool_calls: Vec<CallSpec>,
    error: Option<ErrorSpec>,
    usage: UsageSpec,
    stop: Option<StopSpec>,
    /// Seconds before it answers.
    delay: f64,
}

impl<'de> Deserialize<'de> for TurnSpec {
    /// A mapping, or a text that stands for a turn of nothing else.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = TurnSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a turn: a text, or a mapping with `text` or `tool_calls`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TurnSpec, E> {
                Ok(TurnSpec {
                    text: Some(text.to_owned()),
                    ..TurnSpec::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TurnSpec, A::Error> {
                // Not the trait's function, which this is: the one that `remote` makes.
                TurnSpec::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a call, such as {name: f, arguments: {x: 1}}"
)]
struct CallSpec {
    name: String,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an error, such as {kind: rate_limit, message: slow down}"
)]
struct ErrorSpec {
    kind: KindSpec,
    message: String,
    /// Seconds.
    #[serde(default)]
    retry_after: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindSpec {
    Authentication,
    RateLimit,
    Server,
    Network,
    ContextLength,
    Credits,
    Request,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StopSpec {
    Done,
    ToolCalls,
    Length,
    Refusal,
    Paused,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "counts of tokens, such as {input_tokens: 1, output_tokens: 2}"
)]
#[expect(clippy::struct_field_names, reason = "these are the names in the file")]
struct UsageSpec {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
    reasoning_tokens: u64,
}

/// Plays one rollout.
#[derive(Debug)]
struct Player {
    file: String,
    task: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: VecDeque<TurnSpec>,
    turns: usize,
    calls: usize,
}

impl Player {
    /// The next turn, and the number of its first call.
    fn next(&self) -> Result<(TurnSpec, usize), ModelError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(turn) = state.left.pop_front() else {
            return Err(wrong(format!(
                "{}: the script of task '{}' has {} turns, and the loop asked for one more\nhint: end the script with a turn that calls no tool",
                self.file, self.task, state.turns
            )));
        };
        state.turns += 1;
        let first_call = state.calls + 1;
        state.calls += turn.tool_calls.len();
        Ok((turn, first_call))
    }
}

#[async_trait]
impl Model for Player {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn respond(
        &self,
        _request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError> {
        let (spec, first_call) = self.next()?;
        if spec.delay > 0.0 {
            tokio::time::sleep(seconds(spec.delay)).await;
        }
        if let Some(error) = spec.error {
            return Err(error.into());
        }
        let mut blocks = Vec::new();
        if let Some(text) = spec.reasoning {
            on_delta(Delta::Reasoning(text.clone()));
            blocks.push(Block::Reasoning { text, opaque: None });
        }
        if let Some(text) = spec.text {
            on_delta(Delta::Text(text.clone()));
            blocks.push(Block::text(text));
        }
        let calls_tools = !spec.tool_calls.is_empty();
        for (index, call) in spec.tool_calls.into_iter().enumerate() {
            blocks.push(Block::ToolCall(ToolCall {
                id: format!("call_{}", first_call + index),
                name: call.name,
                arguments: arguments(call.arguments),
                opaque: None,
            }));
        }
        Ok(Turn {
            model: NAME.to_owned(),
            blocks,
            stop: match spec.stop {
                None if calls_tools => StopReason::ToolCalls,
                None | Some(StopSpec::Done) => StopReason::Done,
                Some(StopSpec::ToolCalls) => StopReason::ToolCalls,
                Some(StopSpec::Length) => StopReason::Length,
                Some(StopSpec::Refusal) => StopReason::Refusal,
                Some(StopSpec::Paused) => StopReason::Paused,
            },
            usage: spec.usage.into(),
            stop_detail: None,
            response_id: None,
        })
    }
}

fn arguments(value: Option<Value>) -> Arguments {
    match value {
        None | Some(Value::Null) => Arguments::parse(""),
        Some(Value::Object(value)) => Arguments::Object { value },
        Some(Value::String(raw)) => Arguments::parse(&raw),
        Some(other) => Arguments::parse(&other.to_string()),
    }
}

/// A number of seconds of a file; nonsense (negative, infinite) is no time at all.
fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}

impl From<ErrorSpec> for ModelError {
    fn from(spec: ErrorSpec) -> Self {
        Self {
            kind: match spec.kind {
                KindSpec::Authentication => ModelErrorKind::Authentication,
                KindSpec::RateLimit => ModelErrorKind::RateLimit,
                KindSpec::Server => ModelErrorKind::Server,
                KindSpec::Network => ModelErrorKind::Network,
                KindSpec::ContextLength => ModelErrorKind::ContextLength,
                KindSpec::Credits => ModelErrorKind::Credits,
                KindSpec::Request => ModelErrorKind::Request,
            },
            message: spec.message,
            retry_after: spec.retry_after.map(seconds),
        }
    }
}

impl From<UsageSpec> for Usage {
    fn from(spec: UsageSpec) -> Self {
        Self {
            input_tokens: spec.input_tokens,
            output_tokens: spec.output_tokens,
            cache_read_tokens: spec.cache_read_tokens,
            cache_write_tokens: spec.cache_write_tokens,
            reasoning_tokens: spec.reasoning_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::{request, task};

    /// Plays every turn for a task, one line each; the end of the script is the last line.
    async fn play(script: &str, slug: &str, repeat: u32) -> Vec<String> {
        let scripts = match Scripts::parse("s.yaml", script) {
            Ok(scripts) => scripts,
            Err(error) => return vec![format!("cannot read: {error}")],
        };
        let model = match scripts.open(&task(slug), repeat) {
            Ok(model) => model,
            Err(error) => return vec![error.message],
        };
        let mut lines = Vec::new();
        loop {
            match model.respond(&request(), &mut |_| {}).await {
                Ok(turn) => {
                    let calls: Vec<_> = turn
                        .tool_calls()
                        .map(|call| match &call.arguments {
                            Arguments::Object { value } => {
                                format!(
                                    " {}={}{}",
                                    call.id,
                                    call.name,
                                    Value::Object(value.clone())
                                )
                            }
                            Arguments::Malformed { raw, .. } => {
                                format!(" {}={} malformed {raw}", call.id, call.name)
                            }
                        })
                        .collect();
                    lines.push(format!(
                        "{:?} {:?} {}{}",
                        turn.text(),
                        turn.stop,
                        turn.usage.total(),
                        calls.concat()
                    ));
                }
                Err(error) => {
                    let ended = error.message.starts_with("s.yaml: ");
                    let after = error.retry_after.unwrap_or_default();
                    lines.push(format!("{:?} {after:?} {}", error.kind, error.message));
                    if ended {
                        return lines;
                    }
                }
            }
        }
    }

    const END: &str =
        "and the loop asked for one more\nhint: end the script with a turn that calls no tool";

    #[tokio::test(start_paused = true)]
    async fn entries_are_chosen_by_slug_and_repeat() {
        let script = r#"
turns:
  - match: "a-*"
    repeat: 1
    turns: [{text: second}]
  - match: "a-*"
    turns:
      - text: looking
        tool_calls: [{name: f, arguments: {x: 1}}, {name: g}]
      - {error: {kind: rate_limit, message: slow, retry_after: 1.5}}
      - tool_calls: [{name: f, arguments: "{oops"}]
        stop: length
      - {text: done, usage: {input_tokens: 3, output_tokens: 4}, delay: 60}
"#;
        assert_eq!(
            play(script, "a-1", 0).await,
            [
                "\"looking\" ToolCalls 0 call_1=f{\"x\":1} call_2=g{}".to_owned(),
                "RateLimit 1.5s slow".to_owned(),
                "\"\" Length 0 call_3=f malformed {oops".to_owned(),
                "\"done\" Done 7".to_owned(),
                format!("Request 0ns s.yaml: the script of task 'a-1' has 4 turns, {END}"),
            ]
        );
        assert_eq!(play(script, "a-1", 1).await[0], "\"second\" Done 0");
        assert_eq!(
            play(script, "b", 0).await,
            [
                "s.yaml: no entry matches task 'b' (repeat 0)\nhint: add one, or an entry with `match: \"*\"` at the end"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_plain_list_plays_every_task() {
        for script in ["- text: hi", "turns:\n  - text: hi"] {
            assert_eq!(play(script, "any", 3).await[0], "\"hi\" Done 0");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_is_a_turn() {
        let script = "[hello, {text: there}, bye]";
        assert_eq!(
            play(script, "any", 0).await[..3],
            ["\"hello\" Done 0", "\"there\" Done 0", "\"bye\" Done 0"]
        );
    }

    #[test]
    fn the_place_of_a_mistake_stands_in_front() {
        let check = |script: &str, expected: &str| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("s.yaml");
            fs::write(&file, script).unwrap();
            let error = Scripts::read(&file).unwrap_err().message;
            let prefix = format!("{}/", folder.path().display());
            assert_eq!(error.replace(&prefix, ""), expected);
        };
        check(
            "- text: hi\n- tex: ho\n",
            "s.yaml:2:3: [1]: unknown field `tex`, expected one of `reasoning`, `text`, `tool_calls`, `error`, `usage`, `stop`, `delay`",
        );
        check(
            "- 3\n",
            "s.yaml:1:3: [0]: invalid type: integer `3`, expected a turn: a text, or a mapping with `text` or `tool_calls`",
        );
        check(
            "- text: hi\n  tool_calls: [f]\n",
            "s.yaml:2:16: [0].tool_calls[0]: invalid type: string \"f\", expected a call, such as {name: f, arguments: {x: 1}}",
        );
        check("[]", "s.yaml: the list of turns is empty");
    }

    #[tokio::test(start_paused = true)]
    async fn mistakes_are_refused_with_their_place() {
        let check = async |script: &str, expected: &str| {
            assert_eq!(
                play(script, "any", 0).await,
                [format!("cannot read: {expected}")]
            );
        };
        let list = "expected a list of turns, or a mapping with the list `turns`";
        check("hello", list).await;
        check("{tasks: []}", list).await;
        check("[]", "the list of turns is empty").await;
        check(
            "- text: hi\n- tex: ho\n",
            "[1]: unknown field `tex`, expected one of `reasoning`, `text`, `tool_calls`, `error`, `usage`, `stop`, `delay` at line 2 column 3",
        )
        .await;
        check(
            "turns:\n  - match: x\n    turns:\n      - tool_calls: [{nam: f}]\n",
            "turns[0].turns[0].tool_calls[0]: unknown field `nam`, expected `name` or `arguments` at line 4 column 23",
        )
        .await;
        check(
            "turns:\n  - turns: []\n",
            "turns[0]: missing field `match` at line 2 column 5",
        )
        .await;
        check(
            "- error: {kind: nope, message: x}",
            "[0].error.kind: unknown variant `nope`, expected one of `authentication`, `rate_limit`, `server`, `network`, `context_length`, `credits`, `request` at line 1 column 17",
        )
        .await;
        check(
            "- text: [",
            "did not find expected node content at line 2 column 1, while parsing a flow node",
        )
        .await;
    }
}
