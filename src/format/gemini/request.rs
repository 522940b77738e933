//! Our conversation as a generateContent request.

use serde_json::{Map, Value, json};

use super::Toolbox;
use super::contents::contents;
use crate::format::Conversation;
use crate::message::{Content, Effort, Message, Settings, Thinking, ToolChoice};

/// The body of a request, the same for a stream and for a whole answer. `signs` says that the model signs its thoughts and insists on having them
/// back (Gemini 3 and later).
pub fn request(conversation: &Conversation<'_>, toolbox: &Toolbox, signs: bool) -> Value {
    let settings = conversation.settings;
    let mut texts: Vec<String> = conversation.system.map(str::to_owned).into_iter().collect();
    let mut rest = conversation.messages;
    while let [Message::System { content }, tail @ ..] = rest {
        texts.push(Content::join_text(content));
        rest = tail;
    }
    texts.retain(|text| !text.trim().is_empty());
    let mut body = json!({});
    if !texts.is_empty() {
        let parts: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
        body["systemInstruction"] = json!({"parts": parts});
    }
    body["contents"] = Value::Array(contents(rest, toolbox, signs));
    if !toolbox.json.is_empty() {
        body["tools"] = json!(toolbox.json);
    }
    if let Some(choice) = settings
        .tool_choice
        .as_ref()
        .filter(|_| toolbox.has_functions)
    {
        body["toolConfig"] = json!({"functionCallingConfig": match choice {
            ToolChoice::Auto => json!({"mode": "AUTO"}),
            ToolChoice::Required => json!({"mode": "ANY"}),
            ToolChoice::None => json!({"mode": "NONE"}),
            ToolChoice::Tool(name) => {
                json!({"mode": "ANY", "allowedFunctionNames": [toolbox.names.wire(name)]})
            }
        }});
    }
    let generation = generation(settings);
    if !generation.is_empty() {
        body["generationConfig"] = Value::Object(generation);
    }
    if let Some(tier) = &settings.service_tier {
        body["serviceTier"] = json!(tier);
    }
    settings.add_extra(&mut body);
    body
}

fn generation(settings: &Settings) -> Map<String, Value> {
    let mut thinking = Map::new();
    if let Some(show) = settings.show_thoughts {
        thinking.insert("includeThoughts".to_owned(), json!(show));
    }
    // A level and a budget exclude each other.
    match (settings.thinking, settings.effort) {
        (Some(Thinking::Budget(tokens)), _) => {
            thinking.insert("thinkingBudget".to_owned(), json!(tokens));
        }
        (Some(Thinking::Disabled), _) => {
            thinking.insert("thinkingBudget".to_owned(), json!(0));
        }
        (_, Some(level)) => {
            thinking.insert("thinkingLevel".to_owned(), json!(level_name(level)));
        }
        (Some(Thinking::Adaptive), None) => {
            thinking.insert("thinkingBudget".to_owned(), json!(-1));
        }
        (Some(Thinking::BetweenTools) | None, None) => {}
    }
    let thinking = if thinking.is_empty() {
        Value::Null
    } else {
        Value::Object(thinking)
    };
    [
        ("temperature", json!(settings.temperature)),
        ("topP", json!(settings.top_p)),
        ("topK", json!(settings.top_k)),
        ("maxOutputTokens", json!(settings.max_tokens)),
        ("thinkingConfig", thinking),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_null())
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn level_name(level: Effort) -> String {
    level.as_str().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
