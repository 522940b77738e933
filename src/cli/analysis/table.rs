//! The analysis for people: tables in the width of the terminal; with `verbose` everything in full.

use serde_json::Value;

use super::collect::{Analysis, Scenario, Server, text_of};
use crate::cli::schema;
use crate::ui::{Cell, Column, Paint, Table, Tone};
use crate::util::{text, time};

/// How to print it.
#[derive(Clone, Copy, Debug)]
struct Style {
    width: usize,
    paint: Paint,
    verbose: bool,
}

/// The analysis in at most `width` columns, except for what `verbose` shows in full.
pub(in crate::cli) fn table(
    analysis: &Analysis,
    verbose: bool,
    width: usize,
    paint: Paint,
) -> String {
    let style = Style {
        width,
        paint,
        verbose,
    };
    analysis
        .servers
        .iter()
        .map(|server| of_server(server, analysis.servers.len() > 1, style))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn of_server(server: &Server, is_one_of_several: bool, style: Style) -> String {
    let mut parts = vec![head(server, is_one_of_several, style)];
    parts.push(tools(server, style));
    parts.extend(scenarios(server, style));
    parts.extend(listed(
        "resource",
        server.plain_resources(),
        &["uri", "name", "mimeType", "description"],
        style,
    ));
    parts.extend(listed(
        "resource template",
        server.offer.templates.iter(),
        &["uriTemplate", "name", "mimeType", "description"],
        style,
    ));
    parts.extend(prompts(server, style));
    parts.join("\n\n")
}

fn head(server: &Server, is_one_of_several: bool, style: Style) -> String {
    let about = &server.about;
    let mut title = clean(&about.name);
    if title.is_empty() {
        title.push_str("(no name)");
    }
    if let Some(other) = &about.title
        && *other != about.name
    {
        title.push_str(&format!(" ({})", clean(other)));
    }
    let mut first = format!(
        "{} {}",
        style.paint.tone(Tone::Strong, &title),
        clean(&about.version)
    );
    if is_one_of_several {
        first.push_str(&format!(
            "  {}",
            style
                .paint
                .tone(Tone::Dim, &format!("server `{}`", clean(&server.place)))
        ));
    }
    let mut lines = vec![first.trim_end().to_owned()];
    if let Some(instructions) = &about.instructions {
        lines.push(if style.verbose {
            text::strip_control(instructions).trim_end().to_owned()
        } else {
            text::one_line(instructions, style.width)
        });
    }
    let capabilities: Vec<&str> = about
        .capabilities
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let capabilities = if capabilities.is_empty() {
        "no capabilities".to_owned()
    } else {
        capabilities.join(", ")
    };
    lines.push(format!(
        "MCP {}: {}",
        clean(&about.protocol),
        clean(&capabilities)
    ));
    let imported = server.start.map_or_else(String::new, |start| {
        format!("imported in {}, ", time::brief(start))
    });
    lines.push(format!(
        "{imported}initialized in {}",
        time::brief(server.initialize)
    ));
    lines.push(match &server.isolation_reason {
        Some(reason) => format!("{} ({})", server.isolation, clean(reason)),
        None => server.isolation.clone(),
    });
    if server.tasks > 0 {
        lines.push(format!("holds {}", text::counted(server.tasks, "task")));
    }
    lines.join("\n")
}

fn tools(server: &Server, style: Style) -> String {
    let hidden = server.hidden_tools.unwrap_or(0);
    let mut heading = text::counted(server.offer.tools.len(), "tool");
    if hidden > 0 {
        heading.push_str(&format!(", and {hidden} hidden"));
    }
    let heading = style.paint.tone(Tone::Strong, &heading);
    if server.offer.tools.is_empty() {
        return heading;
    }
    if style.verbose {
        let parts = server
            .offer
            .tools
            .iter()
            .map(|tool| whole_tool(server, tool, style));
        return std::iter::once(heading)
            .chain(parts)
            .collect::<Vec<_>>()
            .join("\n");
    }
    let mut table = Table::new(vec![
        Column::name("tool"),
        Column::text("parameters"),
        Column::text("description"),
    ]);
    for tool in &server.offer.tools {
        table.row(vec![
            Cell::new(clean(text_of(tool, "name"))),
            Cell::new(clean(&parameters(server, tool))),
            Cell::new(text::one_line(&description(tool), 200)),
        ]);
    }
    section(&heading, &table, style)
}

/// The signatures of a tool's parameters; for a dispatching tool the functions behind it.
pub(super) fn parameters(server: &Server, tool: &Value) -> String {
    match server.functions_of(text_of(tool, "name")) {
        Some(functions) => functions.join(" | "),
        None => schema::signatures(&schema::parameters(&tool["inputSchema"])),
    }
}

/// What a tool is for, with what its annotations promise.
pub(super) fn description(tool: &Value) -> String {
    let description = text_of(tool, "description");
    let promises: Vec<&str> = [
        ("readOnlyHint", "read-only"),
        ("destructiveHint", "destructive"),
    ]
    .into_iter()
    .filter(|(key, _)| tool["annotations"][key] == true)
    .map(|(_, word)| word)
    .collect();
    if promises.is_empty() {
        description.to_owned()
    } else {
        format!("[{}] {description}", promises.join(", "))
            .trim_end()
            .to_owned()
    }
}

fn whole_tool(server: &Server, tool: &Value, style: Style) -> String {
    let name = clean(text_of(tool, "name"));
    let mut lines = vec![format!(
        "  {}({})",
        style.paint.tone(Tone::Accent, &name),
        clean(&parameters(server, tool))
    )];
    lines.extend(indented(&text::strip_control(&description(tool)), 6));
    for (label, key) in [("input", "inputSchema"), ("output", "outputSchema")] {
        if let Some(schema) = tool.get(key).filter(|schema| !schema.is_null()) {
            lines.push(format!("      {label}: {}", clean(&schema.to_string())));
        }
    }
    lines.join("\n")
}

fn scenarios(server: &Server, style: Style) -> Option<String> {
    if server.scenarios.is_empty() {
        return None;
    }
    let heading = text::counted(server.scenarios.len(), "scenario");
    let heading = style.paint.tone(Tone::Strong, &heading);
    if style.verbose {
        let parts = server
            .scenarios
            .iter()
            .map(|scenario| whole_scenario(scenario, style));
        return Some(
            std::iter::once(heading)
                .chain(parts)
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    let mut table = Table::new(vec![
        Column::name("scenario"),
        Column::text("arguments"),
        Column::text("description"),
    ]);
    for scenario in &server.scenarios {
        table.row(vec![
            Cell::new(clean(&scenario.offered.wire_name)),
            Cell::new(clean(&arguments(scenario))),
            Cell::new(text::one_line(&about_scenario(scenario), 200)),
        ]);
    }
    Some(section(&heading, &table, style))
}

/// The signatures of a scenario's arguments.
pub(super) fn arguments(scenario: &Scenario) -> String {
    schema::signatures(&schema::of_arguments(&scenario.offered.info.arguments))
}

/// What a scenario is about, with what is special about it.
pub(super) fn about_scenario(scenario: &Scenario) -> String {
    let info = &scenario.offered.info;
    let mut marks = Vec::new();
    if info.chat {
        marks.push("chat".to_owned());
    }
    if scenario.resource.is_none() {
        marks.push("cannot be graded: no resource".to_owned());
    }
    if !info.required_env_vars.is_empty() {
        marks.push(format!("needs {}", info.required_env_vars.join(", ")));
    }
    if marks.is_empty() {
        info.description.clone()
    } else {
        format!("[{}] {}", marks.join("; "), info.description)
            .trim_end()
            .to_owned()
    }
}

fn whole_scenario(scenario: &Scenario, style: Style) -> String {
    let name = clean(&scenario.offered.wire_name);
    let mut lines = vec![format!(
        "  {}({})",
        style.paint.tone(Tone::Accent, &name),
        clean(&arguments(scenario))
    )];
    lines.extend(indented(&text::strip_control(&about_scenario(scenario)), 6));
    for argument in &scenario.offered.info.arguments {
        if let Some(schema) = &argument.schema {
            lines.push(format!(
                "      {}: {}",
                clean(&argument.name),
                clean(&schema.to_string())
            ));
        }
    }
    let meta = Server::meta_of(scenario);
    for key in [
        "exclude_tools",
        "exclude_sources",
        "allowed_tools",
        "returns_schema",
    ] {
        if let Some(value) = meta.get(key) {
            lines.push(format!("      {key}: {}", clean(&value.to_string())));
        }
    }
    lines.join("\n")
}

fn prompts(server: &Server, style: Style) -> Option<String> {
    let mut table = Table::new(vec![
        Column::name("prompt"),
        Column::text("arguments"),
        Column::text("description"),
    ]);
    let mut count = 0;
    for prompt in server.plain_prompts() {
        count += 1;
        table.row(vec![
            Cell::new(clean(text_of(prompt, "name"))),
            Cell::new(clean(&prompt_arguments(prompt))),
            Cell::new(text::one_line(text_of(prompt, "description"), 200)),
        ]);
    }
    let heading = style
        .paint
        .tone(Tone::Strong, &text::counted(count, "prompt"));
    (count > 0).then(|| section(&heading, &table, style))
}

/// `topic, length?`.
pub(super) fn prompt_arguments(prompt: &Value) -> String {
    prompt["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|argument| {
            let mark = if argument["required"] == true {
                ""
            } else {
                "?"
            };
            format!("{}{mark}", text_of(argument, "name"))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn listed<'a>(
    what: &str,
    items: impl Iterator<Item = &'a Value>,
    keys: &[&'static str],
    style: Style,
) -> Option<String> {
    let columns = keys.iter().map(|key| match *key {
        "mimeType" => Column::text("type"),
        "uri" | "uriTemplate" => Column::name("uri"),
        key => Column::text(key),
    });
    let mut table = Table::new(columns.collect());
    let mut count = 0;
    for item in items {
        count += 1;
        let cells = keys
            .iter()
            .map(|key| Cell::new(text::one_line(text_of(item, key), 200)));
        table.row(cells.collect());
    }
    let heading = style.paint.tone(Tone::Strong, &text::counted(count, what));
    (count > 0).then(|| section(&heading, &table, style))
}

fn section(heading: &str, table: &Table, style: Style) -> String {
    let rows = table.render(style.width.saturating_sub(2), style.paint);
    let rows = indented(&rows, 2).collect::<Vec<_>>().join("\n");
    format!("{heading}\n{rows}")
}

fn indented(text: &str, by: usize) -> impl Iterator<Item = String> {
    text.lines()
        .map(move |line| format!("{}{line}", " ".repeat(by)).trim_end().to_owned())
}

/// One line, without control characters; kept whole.
fn clean(text: &str) -> String {
    text::one_line(text, usize::MAX)
}
