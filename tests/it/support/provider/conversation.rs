//! What a request says, in either wire format, for a script to match on.

use serde_json::Value;

/// Which API a request spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Anthropic Messages.
    Messages,
    /// `OpenAI` Chat Completions.
    Chat,
}

/// A result of a tool, as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutcome {
    /// The id of the call.
    pub id: String,
    /// All text of the result.
    pub text: String,
    /// Whether it was marked as an error (Chat Completions has no such mark).
    pub is_error: bool,
}

/// The conversation of one request.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The API that was called.
    pub api: Api,
    /// The model asked for.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The system prompt, empty when there is none.
    pub system: String,
    /// The text of the first user message.
    pub prompt: String,
    /// The text of the last user message that is not only tool results.
    pub last_user: String,
    /// How often the assistant has spoken.
    pub assistant_turns: usize,
    /// The results of the tools that the last assistant turn called.
    pub results: Vec<ToolOutcome>,
    /// The names of the tools on offer.
    pub tools: Vec<String>,
    /// The whole request.
    pub body: Value,
}

impl Conversation {
    /// Reads a request that passed the checks of its API.
    pub(super) fn read(api: Api, body: Value) -> Self {
        let mut read = Self {
            api,
            model: text_at(&body, "model"),
            stream: body["stream"] == true,
            system: content_text(&body["system"]),
            prompt: String::new(),
            last_user: String::new(),
            assistant_turns: 0,
            results: Vec::new(),
            tools: Vec::new(),
            body: Value::Null,
        };
        for tool in items(&body["tools"]) {
            let holder = if api == Api::Chat {
                &tool["function"]
            } else {
                tool
            };
            read.tools.push(text_at(holder, "name"));
        }
        let mut users = 0;
        for message in items(&body["messages"]) {
            let content = &message["content"];
            match message["role"].as_str().unwrap_or_default() {
                "system" | "developer" => read.system += &content_text(content),
                "assistant" => {
                    read.assistant_turns += 1;
                    read.results.clear();
                }
                "tool" => read.results.push(ToolOutcome {
                    id: text_at(message, "tool_call_id"),
                    text: content_text(content),
                    is_error: false,
                }),
                _ => {
                    for block in items(content)
                        .iter()
                        .filter(|block| block["type"] == "tool_result")
                    {
                        read.results.push(ToolOutcome {
                            id: text_at(block, "tool_use_id"),
                            text: content_text(&block["content"]),
                            is_error: block["is_error"] == true,
                        });
                    }
                    let text = content_text(content);
                    if users == 0 {
                        read.prompt.clone_from(&text);
                    }
                    if !text.is_empty() {
                        read.last_user = text;
                    }
                    users += 1;
                }
            }
        }
        read.body = body;
        read
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_at(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The text of a content field: a string, or blocks of which the text ones count.
fn content_text(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let texts = items(content)
        .iter()
        .filter(|block| block["type"] == "text")
        .filter_map(|block| block["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}
