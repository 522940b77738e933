//! `--show-config`: every value with where it came from.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::config::Setting;
use crate::http;
use crate::util::time;

use super::agent_layers::AgentRow;
use super::eval::EvalSettings;

/// One line: name, value, origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Row {
    name: String,
    value: Option<String>,
    origin: String,
}

impl Row {
    fn new<T>(name: &str, setting: &Setting<T>, show: impl Fn(&T) -> String) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(show(&setting.value)),
            origin: setting.origin.to_string(),
        }
    }

    fn optional<T>(name: &str, setting: Option<&Setting<T>>, show: impl Fn(&T) -> String) -> Self {
        setting.map_or_else(
            || Self {
                name: name.to_owned(),
                value: None,
                origin: "not set".to_owned(),
            },
            |setting| Self::new(name, setting, show),
        )
    }
}

/// All settings of `hud eval`, the agent's (with their own origins) last.
pub(in crate::cli) fn rows(settings: &EvalSettings, agent: &[AgentRow]) -> Vec<Row> {
    // Without `..`, so that a new setting cannot be forgotten here.
    let EvalSettings {
        source,
        model,
        agent: agent_type,
        base_url,
        gateway,
        judge_model,
        task_ids,
        limit,
        group,
        seed,
        max_concurrent,
        rollout_timeout,
        phase_timeout,
        rollout_tokens,
        python,
        json,
        min_reward,
        success_threshold,
        runs_dir,
        quiet,
        verbosity,
        overrides: _,
        typed: _,
    } = settings;
    let path = |path: &std::path::PathBuf| path.display().to_string();
    let mut rows = vec![
        Row::optional("source", source.as_ref(), path),
        Row::optional("model", model.as_ref(), text),
        Row::optional("agent", agent_type.as_ref(), text),
        Row::optional("base_url", base_url.as_ref(), |url| without_secrets(url)),
        Row::new("gateway", gateway, text),
        Row::optional("judge_model", judge_model.as_ref(), text),
        Row::optional("task_ids", task_ids.as_ref(), |ids| ids.join(",")),
        Row::optional("limit", limit.as_ref(), text),
        Row::new("group", group, text),
        Row::optional("seed", seed.as_ref(), text),
        Row::new("max_concurrent", max_concurrent, text),
        Row::optional("rollout_timeout", rollout_timeout.as_ref(), |time| {
            time::human(*time)
        }),
        Row::new("phase_timeout", phase_timeout, |time| time::human(*time)),
        Row::optional("rollout_tokens", rollout_tokens.as_ref(), text),
        Row::optional("python", python.as_ref(), path),
        Row::new("json", json, text),
        Row::optional("min_reward", min_reward.as_ref(), text),
        Row::new("success_threshold", success_threshold, text),
        Row::new("runs_dir", runs_dir, path),
        Row::new("quiet", quiet, text),
        Row::new("verbose", verbosity, text),
    ];
    rows.extend(agent.iter().map(|row| Row {
        name: format!("agent.{}", row.key),
        value: Some(row.value.clone()),
        origin: row.origin.clone(),
    }));
    rows
}

fn text<T: Display>(value: &T) -> String {
    value.to_string()
}

/// For people: aligned columns.
pub(in crate::cli) fn as_text(rows: &[Row]) -> String {
    let value = |row: &Row| row.value.clone().unwrap_or_else(|| "-".to_owned());
    let names = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let values = rows
        .iter()
        .map(|row| value(row).chars().count())
        .max()
        .unwrap_or(0)
        // One long system prompt should not push every origin off the screen.
        .min(40);
    rows.iter()
        .map(|row| {
            format!(
                "{:names$}  {:values$}  {}",
                row.name,
                crate::util::text::one_line(&value(row), 200),
                row.origin
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// For programs: one object a line.
pub(in crate::cli) fn as_json(rows: &[Row]) -> Vec<Value> {
    rows.iter()
        .map(|row| json!({"setting": row.name, "value": row.value, "origin": row.origin}))
        .collect()
}

/// A URL may carry a password, and keys in its query.
fn without_secrets(url: &str) -> String {
    let public = http::public_url(url);
    let (scheme, rest) = match public.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), public.as_str()),
    };
    let end = url.find(['?', '#']).unwrap_or(url.len());
    // What is public ends in host and path, so anything more before them was a user.
    let user = if url[..end].len() > public.len() {
        "[hidden]@"
    } else {
        ""
    };
    let query = if end < url.len() { "?[hidden]" } else { "" };
    format!("{scheme}{user}{rest}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        let check = |url: &str, expected: &str| assert_eq!(without_secrets(url), expected);
        check("http://a:b@host/v1", "http://[hidden]@host/v1");
        check("http://host/v1/@x", "http://host/v1/@x");
        check("host", "host");
        check(
            "http://a:b@host/v1?key=SECRET#x",
            "http://[hidden]@host/v1?[hidden]",
        );
        check("http://host/v1?key=SECRET", "http://host/v1?[hidden]");
        check("a:b@host?key=SECRET", "[hidden]@host?[hidden]");
    }
}
