//! What tools, scenarios and resources answer, for people.

use serde_json::Value;

use super::command::COMMANDS;
use super::complete::Named;
use crate::cli::schema::{self, Parameter};
use crate::event::Evaluation;
use crate::message::{Content, ToolResult};
use crate::ui::{Cell, Column, Paint, Table, Tone};
use crate::util::text;

/// How to print.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) paint: Paint,
    /// Columns of the terminal; of a pipe, where nothing is cut, the greatest number.
    pub(super) width: usize,
}

/// The answer of a tool.
pub(super) fn result(result: &ToolResult, style: Style) -> String {
    let mut parts = Vec::new();
    if result.is_error {
        parts.push(style.paint.tone(Tone::Bad, "the tool failed:"));
    }
    parts.extend(content(&result.content));
    if let Some(structured) = &result.structured
        && !is_said(structured, &result.content)
    {
        parts.push(style.paint.tone(Tone::Dim, "structured:"));
        parts.push(pretty(structured));
    }
    if parts.is_empty() {
        parts.push(style.paint.tone(Tone::Dim, "(it answered nothing)"));
    }
    parts.join("\n")
}

/// Whether the text says the same already, as servers do for clients that know no structured content.
fn is_said(structured: &Value, content: &[Content]) -> bool {
    let text = Content::join_text(content);
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let inner = structured
        .as_object()
        .and_then(|object| (object.len() == 1).then(|| object.get("result")).flatten());
    json.as_ref() == Some(structured)
        || (json.is_some() && json.as_ref() == inner)
        || inner.and_then(Value::as_str) == Some(text.as_str())
}

/// Blocks of content, each on lines of its own.
pub(super) fn content(content: &[Content]) -> Vec<String> {
    content
        .iter()
        .map(|block| match block {
            Content::Text { text } => text::strip_control(text),
            Content::Image { mime_type, data } => {
                format!("[image {}, {}]", plain(mime_type), size(data))
            }
            Content::Audio { mime_type, data } => {
                format!("[audio {}, {}]", plain(mime_type), size(data))
            }
            Content::Resource {
                uri,
                text,
                blob,
                mime_type,
            } => match (text, blob) {
                (Some(text), _) => text::strip_control(text),
                (None, Some(blob)) => format!(
                    "[{} {}, {}]",
                    plain(mime_type.as_deref().unwrap_or("file")),
                    plain(uri),
                    size(blob)
                ),
                (None, None) => format!("[file {}]", plain(uri)),
            },
            Content::ResourceLink { uri, name, .. } => {
                format!("[link {} {}]", plain(name), plain(uri))
            }
            Content::Other { value } => text::strip_control(&value.to_string()),
        })
        .collect()
}

/// The size of what base64 stands for.
fn size(base64: &str) -> String {
    text::bytes((base64.trim_end_matches('=').len() * 3 / 4) as u64)
}

/// A grade.
pub(super) fn evaluation(evaluation: &Evaluation, style: Style) -> String {
    let Evaluation {
        reward,
        done,
        content,
        info,
        subscores,
    } = evaluation;
    let tone = if *reward > 0.0 { Tone::Good } else { Tone::Bad };
    let mut parts = vec![format!(
        "{}{}",
        style.paint.tone(tone, &format!("reward {reward:.3}")),
        if *done { "" } else { " (not done)" }
    )];
    if let Some(content) = content.as_ref().filter(|text| !text.trim().is_empty()) {
        parts.push(text::strip_control(content.trim_end()));
    }
    if !subscores.is_empty() {
        let mut table = Table::new(vec![
            Column::name("subscore"),
            Column::number("value"),
            Column::number("weight"),
        ]);
        for score in subscores {
            table.row(vec![
                Cell::new(plain(&score.name)),
                Cell::new(format!("{:.3}", score.value)),
                Cell::new(format!("{}", score.weight)),
            ]);
        }
        parts.push(table.render(style.width, style.paint));
    }
    if !info.is_empty() {
        parts.push(pretty(&Value::Object(info.clone())));
    }
    parts.join("\n")
}

/// A list of what takes arguments.
pub(super) fn list(what: &'static str, named: &[Named], style: Style) -> String {
    let mut table = Table::new(vec![
        Column::name(what),
        Column::text("arguments"),
        Column::text("description"),
    ]);
    for one in named {
        table.row(vec![
            Cell::new(plain(&one.name)),
            Cell::new(plain(&schema::signatures(&one.parameters))),
            Cell::new(text::one_line(&one.description, 200)),
        ]);
    }
    table.render(style.width, style.paint)
}

/// One of them in full.
pub(super) fn whole(one: &Named, style: Style) -> String {
    let mut lines = vec![format!(
        "{}({})",
        style.paint.tone(Tone::Accent, &plain(&one.name)),
        plain(&schema::signatures(&one.parameters))
    )];
    let description = text::strip_control(one.description.trim());
    lines.extend(description.lines().map(|line| format!("  {line}")));
    for parameter in one
        .parameters
        .iter()
        .filter(|parameter| !parameter.description().is_empty())
    {
        lines.push(described(parameter, style));
    }
    lines.join("\n")
}

fn described(parameter: &Parameter, style: Style) -> String {
    format!(
        "  {}: {}",
        style.paint.tone(Tone::Strong, &plain(&parameter.name)),
        plain(parameter.description())
    )
}

/// The commands, or one of them. `own` are the caller's.
pub(super) fn help(name: Option<&str>, own: &[(String, String)], style: Style) -> Option<String> {
    let all: Vec<(String, String, String)> = COMMANDS
        .iter()
        .map(|(name, takes, does)| ((*name).to_owned(), (*takes).to_owned(), (*does).to_owned()))
        .chain(
            own.iter()
                .map(|(name, does)| (name.clone(), String::new(), does.clone())),
        )
        .collect();
    if let Some(wanted) = name {
        let (name, takes, does) = all.into_iter().find(|(name, _, _)| name == wanted)?;
        return Some(
            format!(
                "{} {takes}\n  {does}",
                style.paint.tone(Tone::Accent, &name)
            )
            .trim_end()
            .to_owned(),
        );
    }
    let width = all
        .iter()
        .map(|(name, takes, _)| name.len() + 1 + takes.len())
        .max()
        .unwrap_or(0);
    let lines = all.iter().map(|(name, takes, does)| {
        let blanks = width - name.len() - 1 - takes.len();
        format!(
            "  {} {takes}{}  {does}",
            style.paint.tone(Tone::Accent, name),
            " ".repeat(blanks)
        )
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn plain(text: &str) -> String {
    text::one_line(text, usize::MAX)
}

fn pretty(value: &Value) -> String {
    // Only keys that are no text could fail, and JSON has none; the compact form has the same contents.
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    text::strip_control(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::event::SubScore;

    const STYLE: Style = Style {
        paint: Paint::PLAIN,
        width: 80,
    };

    #[test]
    fn results_show_everything_once() {
        let check = |content: Vec<Content>, structured: Option<Value>, is_error, expected: &str| {
            let answer = ToolResult {
                call_id: String::new(),
                name: "t".to_owned(),
                content,
                structured,
                is_error,
            };
            assert_eq!(result(&answer, STYLE), expected);
        };
        let text = |text: &str| vec![Content::text(text)];
        check(text("3"), Some(json!({"result": 3})), false, "3");
        check(text("x"), Some(json!({"result": "x"})), false, "x");
        check(
            text("{\"a\": 1}"),
            Some(json!({"a": 1})),
            false,
            "{\"a\": 1}",
        );
        check(
            text("done"),
            Some(json!({"a": 1})),
            false,
            "done\nstructured:\n{\n  \"a\": 1\n}",
        );
        check(text("no\u{1b}[31m"), None, true, "the tool failed:\nno");
        check(Vec::new(), None, false, "(it answered nothing)");
        let image = Content::Image {
            data: "A".repeat(4000),
            mime_type: "image/png".to_owned(),
        };
        check(vec![image], None, false, "[image image/png, 3.0 KB]");
    }

    #[test]
    fn a_grade_shows_its_parts() {
        let grade = Evaluation {
            reward: 0.75,
            done: true,
            content: Some("nearly".to_owned()),
            info: Map::from_iter([("tries".to_owned(), json!(2))]),
            subscores: vec![SubScore {
                name: "exact".to_owned(),
                weight: 0.5,
                value: 1.0,
            }],
        };
        insta::assert_snapshot!(evaluation(&grade, STYLE), @r#"
        reward 0.750
        nearly
        subscore  value  weight
        exact     1.000     0.5
        {
          "tries": 2
        }
        "#);
    }

    #[test]
    fn help_lists_the_callers_commands_too() {
        let own = [("reload".to_owned(), "Import the code anew".to_owned())];
        let all = help(None, &own, STYLE).unwrap();
        assert!(
            all.lines()
                .last()
                .unwrap()
                .ends_with("  Import the code anew"),
            "{all}"
        );
        assert_eq!(
            help(Some("call"), &own, STYLE).unwrap(),
            "call TOOL [NAME=VALUE… | JSON]\n  Call a tool; what is not given is asked for"
        );
        assert_eq!(help(Some("nothing"), &own, STYLE), None);
    }
}
