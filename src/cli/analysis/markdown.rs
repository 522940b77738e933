//! The analysis as Markdown, for a README.

use serde_json::Value;

use super::collect::{Analysis, Server, text_of};
use super::table::{about_scenario, arguments, description, parameters, prompt_arguments};
use crate::util::{text, time};

/// The analysis; `verbose` adds the schemas of the tools.
pub(in crate::cli) fn markdown(analysis: &Analysis, verbose: bool) -> String {
    analysis
        .servers
        .iter()
        .map(|server| of_server(server, verbose))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn of_server(server: &Server, verbose: bool) -> String {
    let about = &server.about;
    let mut parts = vec![
        format!("# {} {}", words(&about.name), words(&about.version))
            .trim_end()
            .to_owned(),
    ];
    if let Some(instructions) = &about.instructions {
        parts.push(text::strip_control(instructions).trim().to_owned());
    }
    let mut facts = vec![
        format!("- Source: {}", code(&server.place)),
        format!("- MCP {}", words(&about.protocol)),
    ];
    if let Some(capabilities) = about.capabilities.as_object() {
        let names: Vec<String> = capabilities.keys().map(|name| words(name)).collect();
        facts.push(format!("- Capabilities: {}", names.join(", ")));
    }
    let imported = server.start.map_or_else(String::new, |start| {
        format!("imported in {}, ", time::brief(start))
    });
    facts.push(format!(
        "- Start: {imported}initialized in {}",
        time::brief(server.initialize)
    ));
    facts.push(format!("- Isolation: {}", words(&server.isolation)));
    if let Some(hidden) = server.hidden_tools.filter(|hidden| *hidden > 0) {
        facts.push(format!("- Hidden tools: {hidden}"));
    }
    if server.tasks > 0 {
        facts.push(format!("- Tasks: {}", server.tasks));
    }
    parts.push(facts.join("\n"));
    parts.extend(table(
        "Tools",
        &["Tool", "Parameters", "Description"],
        server.offer.tools.iter().map(|tool| {
            vec![
                code(text_of(tool, "name")),
                code(&parameters(server, tool)),
                words(&description(tool)),
            ]
        }),
    ));
    if verbose {
        parts.extend(server.offer.tools.iter().map(|tool| {
            let schema = serde_json::to_string_pretty(&tool["inputSchema"]).unwrap_or_default();
            let name = code(text_of(tool, "name"));
            format!("### {name}\n\n{}", fenced(&schema))
        }));
    }
    parts.extend(table(
        "Scenarios",
        &["Scenario", "Arguments", "Description"],
        server.scenarios.iter().map(|scenario| {
            vec![
                code(&scenario.offered.wire_name),
                code(&arguments(scenario)),
                words(&about_scenario(scenario)),
            ]
        }),
    ));
    parts.extend(table(
        "Resources",
        &["URI", "Name", "Type", "Description"],
        server.plain_resources().map(|item| listed(item, "uri")),
    ));
    parts.extend(table(
        "Resource templates",
        &["URI", "Name", "Type", "Description"],
        server
            .offer
            .templates
            .iter()
            .map(|item| listed(item, "uriTemplate")),
    ));
    parts.extend(table(
        "Prompts",
        &["Prompt", "Arguments", "Description"],
        server.plain_prompts().map(|prompt| {
            vec![
                code(text_of(prompt, "name")),
                code(&prompt_arguments(prompt)),
                words(text_of(prompt, "description")),
            ]
        }),
    ));
    parts.join("\n\n")
}

fn listed(item: &Value, uri: &str) -> Vec<String> {
    vec![
        code(text_of(item, uri)),
        words(text_of(item, "name")),
        words(text_of(item, "mimeType")),
        words(text_of(item, "description")),
    ]
}

fn table(
    heading: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Option<String> {
    let rows: Vec<String> = rows.map(|cells| row(&cells)).collect();
    if rows.is_empty() {
        return None;
    }
    let titles: Vec<String> = columns.iter().map(|title| (*title).to_owned()).collect();
    let line = row(&columns.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
    Some(format!(
        "## {heading}\n\n{}\n{line}\n{}",
        row(&titles),
        rows.join("\n")
    ))
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Text of the environment as plain words: on one line, and nothing in it is markup or HTML.
fn words(text: &str) -> String {
    let mut out = String::new();
    for c in text::one_line(text, usize::MAX).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' => {
                out.push('\\');
                out.push(c);
            }
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

/// Text as code in a cell: a bar would end the cell, more backticks than it holds end the code.
fn code(text: &str) -> String {
    let text = text::one_line(text, usize::MAX).replace('|', "\\|");
    if text.is_empty() {
        return text;
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn fenced(json: &str) -> String {
    let fence = "`".repeat(longest_run(json).max(2) + 1);
    format!("{fence}json\n{json}\n{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_environment_is_no_markup() {
        assert_eq!(
            words("a|b <i>*x*</i>\n# y"),
            "a\\|b \\<i\\>\\*x\\*\\</i\\> \\# y"
        );
        assert_eq!(code("a | b"), "`a \\| b`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(""), "");
        assert_eq!(fenced("```"), "````json\n```\n````");
    }
}
