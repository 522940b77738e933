//! The settings of an agent, from a file's `agent:`, a task's `agent_config`, `hud.toml` or `-c`.

use super::fields::{Field, Fields};
use super::sink::Sink;
use super::tree::{Data, Entry, Node, Position};
use crate::task::{AGENT_CONFIG_KEYS, AgentConfig, Location, Steps, TaskErrors};

/// Settings of Python hud's tasks that stand for something this program does not do.
const RETIRED: &[(&str, &str)] = &[
    (
        "initial_screenshot",
        "take the screenshot in a setup call instead, whose images follow the prompt",
    ),
    (
        "response_tool_name",
        "the final text of the agent is its answer; remove the field",
    ),
];

/// Checks settings that come from elsewhere than a task file: `hud.toml`, `-c key=value`. `place` names them in messages, as in
/// `'max_steps' in [agent] must be …`.
pub fn from_settings(
    place: &str,
    settings: Vec<(String, serde_json::Value, Location)>,
) -> Result<AgentConfig, TaskErrors> {
    let no_variables = |_: &str| None;
    let mut sink = Sink::new(std::path::Path::new(""), &no_variables);
    // Settings may come from several files, so each gets a line of its own here, which is then its place.
    let (mut entries, mut places) = (Vec::new(), Vec::new());
    for (key, value, location) in settings {
        places.push(location);
        let at = Position {
            line: places.len(),
            column: 1,
        };
        entries.push(Entry {
            key,
            key_at: at,
            value: Node::from_json(value, at),
        });
    }
    let node = Node {
        data: Data::Mapping(entries),
        at: Position::NONE,
    };
    let config = Fields::of(node, place, &mut sink).map(|fields| read(fields, &mut sink));
    match sink.finish(config) {
        Ok(config) => Ok(config.unwrap_or_default()),
        Err(mut errors) => {
            for error in &mut errors.errors {
                if let Some(place) = places.get(error.location.line.wrapping_sub(1)) {
                    error.location = place.clone();
                }
            }
            Err(errors)
        }
    }
}

/// Reads every setting that there is; what is wrong is in `sink`.
pub(super) fn read(mut fields: Fields, sink: &mut Sink<'_>) -> AgentConfig {
    let config = AgentConfig {
        max_steps: fields
            .take("max_steps")
            .and_then(|field| steps(&field, sink)),
        system_prompt: fields.string("system_prompt", sink),
        allowed_tools: fields
            .take("allowed_tools")
            .and_then(|field| field.strings(sink)),
        disallowed_tools: fields
            .take("disallowed_tools")
            .and_then(|field| field.strings(sink)),
        append_setup_output: append_setup_output(&mut fields, sink),
        auto_respond: fields
            .take("auto_respond")
            .and_then(|field| field.boolean(sink)),
        timeout_seconds: seconds(&mut fields, "timeout_seconds", sink),
        tool_timeout_seconds: seconds(&mut fields, "tool_timeout_seconds", sink),
        model_timeout_seconds: seconds(&mut fields, "model_timeout_seconds", sink),
        max_tokens: fields.take("max_tokens").and_then(|field| {
            let value = match &field.value.data {
                Data::Number(number) => number
                    .as_u64()
                    .and_then(|value| u32::try_from(value).ok())
                    .filter(|&value| value > 0),
                _ => None,
            };
            if value.is_none() {
                field.wrong("a whole number of at least 1", sink);
            }
            value
        }),
        temperature: within(
            &mut fields,
            "temperature",
            "a number from 0 to 2",
            sink,
            |value| (0.0..=2.0).contains(&value),
        ),
        top_p: within(
            &mut fields,
            "top_p",
            "a number above 0, at most 1",
            sink,
            |value| value > 0.0 && value <= 1.0,
        ),
    };
    for (key, instead) in RETIRED {
        if let Some(field) = fields.take(key)
            && field.value.data != Data::Bool(false)
        {
            let message = format!("{} is not supported; {instead}", field.name());
            sink.error(field.key_at, message);
        }
    }
    for key in ["model", "checkpoint_name"] {
        if let Some(field) = fields.take(key) {
            let message = format!(
                "{} is not a setting of a task; choose it with --model",
                field.name()
            );
            sink.error(field.key_at, message);
        }
    }
    fields.finish(AGENT_CONFIG_KEYS, sink);
    config
}

fn steps(field: &Field, sink: &mut Sink<'_>) -> Option<Steps> {
    let steps = match &field.value.data {
        Data::Number(number) => match number.as_i64() {
            Some(-1) => Some(Steps::Unlimited),
            Some(value) if value >= 1 => u32::try_from(value).ok().map(Steps::AtMost),
            _ => None,
        },
        _ => None,
    };
    if steps.is_none() {
        field.wrong("a whole number of at least 1, or -1 for no limit", sink);
    }
    steps
}

fn append_setup_output(fields: &mut Fields, sink: &mut Sink<'_>) -> Option<bool> {
    let (output, tool) = (
        fields.take("append_setup_output"),
        fields.take("append_setup_tool"),
    );
    let at = tool.as_ref().map(|field| field.key_at);
    let place = fields.place.clone();
    let output = output.and_then(|field| field.boolean(sink));
    let tool = tool.and_then(|field| field.boolean(sink));
    if let (Some(at), Some(output), Some(tool)) = (at, output, tool)
        && output != tool
    {
        sink.error(
            at,
            format!("'append_setup_tool' and 'append_setup_output' in {place} are the same setting and contradict each other"),
        );
    }
    output.or(tool)
}

fn seconds(fields: &mut Fields, key: &str, sink: &mut Sink<'_>) -> Option<f64> {
    // `Duration` holds far more, but a year is no timeout that anyone means.
    within(fields, key, "a number of seconds above 0", sink, |value| {
        value > 0.0 && value <= 31_536_000.0
    })
}

fn within(
    fields: &mut Fields,
    key: &str,
    wanted: &str,
    sink: &mut Sink<'_>,
    fits: impl Fn(f64) -> bool,
) -> Option<f64> {
    let field = fields.take(key)?;
    let value = match &field.value.data {
        Data::Number(number) => number.as_f64().filter(|&value| fits(value)),
        _ => None,
    };
    if value.is_none() {
        field.wrong(wanted, sink);
    }
    value
}
