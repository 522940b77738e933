//! How a model would solve examples/trivia; shared with the load server in `benches/`, so it needs only the standard library.

/// The tool that the environment offers.
pub const TOOL: &str = "lookup_ceo";

/// The company that a prompt like "What are the initials of the CEO of HUD?" asks about.
pub fn company(prompt: &str) -> Option<&str> {
    let (_, after) = prompt.split_once("CEO of ")?;
    let (company, _) = after.split_once('?')?;
    Some(company.trim())
}

/// What to answer when the tool said `name`: its initials.
pub fn answer(name: &str) -> String {
    // Some clients add the structured result as JSON after the text; the name is on the first line.
    let name = name
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .trim_matches('"');
    if name == "Unknown" || name.is_empty() {
        return "I could not find out.".to_owned();
    }
    name.split_whitespace()
        .filter_map(|word| word.chars().next())
        .collect()
}
