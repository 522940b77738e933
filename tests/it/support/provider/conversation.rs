//! What a request says, in either wire format, for a script to match on.

use serde_json::Value;

/// Which API a request spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Anthropic Messages.
    Messages,
    /// `OpenAI` Chat Completions.
    Chat,
    /// `OpenAI` Responses.
    Responses,
    /// Google's generateContent.
    Gemini,
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
    /// Reads a request that passed the checks of its API. `earlier` is what a Responses request continues, its own input included; `model` and
    /// `stream` are said by the path of a Gemini request.
    pub(super) fn read(api: Api, body: Value, earlier: &[Value], path: &str) -> Self {
        match api {
            Api::Messages | Api::Chat => Self::of_messages(api, body),
            Api::Responses => Self::of_items(body, earlier),
            Api::Gemini => Self::of_contents(body, path),
        }
    }

    fn empty(api: Api, body: &Value) -> Self {
        Self {
            api,
            model: text_at(body, "model"),
            stream: body["stream"] == true,
            system: String::new(),
            prompt: String::new(),
            last_user: String::new(),
            assistant_turns: 0,
            results: Vec::new(),
            tools: Vec::new(),
            body: Value::Null,
        }
    }

    /// What the user said.
    fn user(&mut self, users: &mut usize, text: String) {
        if *users == 0 {
            self.prompt.clone_from(&text);
        }
        if !text.is_empty() {
            self.last_user = text;
        }
        *users += 1;
    }

    fn of_items(body: Value, items_so_far: &[Value]) -> Self {
        let mut read = Self::empty(Api::Responses, &body);
        read.system = text_at(&body, "instructions");
        for tool in items(&body["tools"]) {
            read.tools.push(text_at(tool, "name"));
        }
        let mut users = 0;
        let mut speaking = false;
        for item in items_so_far {
            let kind = item["type"].as_str().unwrap_or("message");
            let role = item["role"].as_str().unwrap_or_default();
            let is_output = kind.ends_with("_output") && kind != "tool_search_output";
            if is_output {
                speaking = false;
                let text = match &item["output"] {
                    Value::Array(_) | Value::String(_) => content_text(&item["output"]),
                    other => other.to_string(),
                };
                read.results.push(ToolOutcome {
                    id: text_at(item, "call_id"),
                    is_error: text.starts_with("Error"),
                    text,
                });
            } else if kind == "message" && role != "assistant" {
                speaking = false;
                if role == "user" {
                    let text = content_text(&item["content"]);
                    read.user(&mut users, text);
                } else {
                    read.system += &content_text(&item["content"]);
                }
            } else if !speaking {
                speaking = true;
                read.assistant_turns += 1;
                read.results.clear();
            }
        }
        read.body = body;
        read
    }

    fn of_contents(body: Value, path: &str) -> Self {
        let mut read = Self::empty(Api::Gemini, &body);
        let action = path.rsplit('/').next().unwrap_or_default();
        let (model, method) = action.split_once(':').unwrap_or_default();
        model.clone_into(&mut read.model);
        read.stream = method.starts_with("stream");
        read.system = parts_text(&body["systemInstruction"]);
        for tool in items(&body["tools"]) {
            for function in items(&tool["functionDeclarations"]) {
                read.tools.push(text_at(function, "name"));
            }
        }
        let mut users = 0;
        for content in items(&body["contents"]) {
            if content["role"] == "model" {
                read.assistant_turns += 1;
                read.results.clear();
                continue;
            }
            let mut says = false;
            for part in items(&content["parts"]) {
                let response = &part["functionResponse"];
                if response.is_null() {
                    says = true;
                    continue;
                }
                let said = &response["response"];
                let is_error = said.get("error").is_some();
                let value = if is_error {
                    &said["error"]
                } else {
                    &said["output"]
                };
                let value = value.get("result").unwrap_or(value);
                read.results.push(ToolOutcome {
                    id: text_at(response, "id"),
                    text: value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned),
                    is_error,
                });
            }
            if says {
                let text = parts_text(content);
                read.user(&mut users, text);
            }
        }
        read.body = body;
        read
    }

    fn of_messages(api: Api, body: Value) -> Self {
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

/// The text of Google's parts.
fn parts_text(content: &Value) -> String {
    let texts = items(&content["parts"]).iter();
    texts
        .filter_map(|part| part["text"].as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The text of a content field: a string, or blocks of which the text ones count.
fn content_text(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let texts = items(content)
        .iter()
        .filter(|block| block["type"] == "text" || block["type"] == "input_text")
        .filter_map(|block| block["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}
