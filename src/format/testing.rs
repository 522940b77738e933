//! Short ways to write conversations, for this module's tests.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::Conversation;
use crate::message::{
    Arguments, Block, Content, Message, Settings, StopReason, Tool, ToolCall, ToolResult, Turn,
    Usage,
};

static DEFAULTS: LazyLock<Settings> = LazyLock::new(Settings::default);

pub(super) fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: String::new(),
        input_schema: json!({"type": "object", "properties": {"x": {"type": "integer"}}}),
        output_schema: None,
        source: None,
        meta: Map::new(),
    }
}

pub(super) fn conversation<'a>(messages: &'a [Message], tools: &'a [Tool]) -> Conversation<'a> {
    Conversation {
        model: "m-1",
        system: None,
        messages,
        tools,
        settings: &DEFAULTS,
    }
}

pub(super) fn text(text: &str) -> Block {
    Block::text(text)
}

pub(super) fn call(id: &str, name: &str, arguments: &str) -> Block {
    Block::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: Arguments::parse(arguments),
        opaque: None,
    })
}

pub(super) fn assistant(blocks: Vec<Block>) -> Message {
    Message::Assistant {
        turn: Turn {
            model: "m-1".to_owned(),
            blocks,
            stop: StopReason::Done,
            usage: Usage::default(),
            stop_detail: None,
            response_id: None,
        },
    }
}

pub(super) fn user(content: Vec<Content>) -> Message {
    Message::User { content }
}

pub(super) fn result(id: &str, content: Vec<Content>) -> ToolResult {
    ToolResult {
        call_id: id.to_owned(),
        name: "f".to_owned(),
        content,
        structured: None,
        is_error: false,
    }
}

pub(super) fn image(data: &str) -> Content {
    Content::Image {
        data: data.to_owned(),
        mime_type: "image/png".to_owned(),
    }
}

pub(super) fn pdf() -> Content {
    Content::Resource {
        uri: "file:///report.pdf".to_owned(),
        mime_type: Some("application/pdf".to_owned()),
        text: None,
        blob: Some("JVBERg==".to_owned()),
    }
}

/// One content block of every kind that no provider takes as it is.
pub(super) fn oddities() -> Vec<Content> {
    vec![
        Content::Image {
            data: "Qk0=".to_owned(),
            mime_type: "image/bmp".to_owned(),
        },
        Content::Audio {
            data: "T2dn".to_owned(),
            mime_type: "audio/ogg".to_owned(),
        },
        Content::Resource {
            uri: "file:///a.txt".to_owned(),
            mime_type: Some("text/plain".to_owned()),
            text: Some("inside".to_owned()),
            blob: None,
        },
        Content::Resource {
            uri: "file:///a.zip".to_owned(),
            mime_type: None,
            text: None,
            blob: Some("UEs=".to_owned()),
        },
        Content::ResourceLink {
            uri: "db://rows".to_owned(),
            name: "rows".to_owned(),
            mime_type: Some("text/csv".to_owned()),
        },
        Content::Other {
            value: json!({"type": "hologram"}),
        },
    ]
}

/// A conversation with two calls, results out of every corner, and an answer.
pub(super) fn long_conversation() -> Vec<Message> {
    let mut failed = result("b", vec![Content::text("no such row"), image("RVJS")]);
    failed.is_error = true;
    let mut first = result(
        "a",
        vec![Content::text("see"), image("T05F"), image("VFdP")],
    );
    first.structured = Some(json!({"rows": 2}));
    vec![
        Message::user("go"),
        assistant(vec![
            text("Looking."),
            call("a", "f", "{\"x\": 1}"),
            call("b", "f", "{\"x\": "),
        ]),
        Message::Tools {
            results: vec![first, failed],
        },
        Message::user("CONTINUE"),
    ]
}

/// `value`, indented, for snapshots.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
