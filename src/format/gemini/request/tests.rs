use super::*;
use crate::format::testing::{
    assistant, call, conversation, image, long_conversation, result, tool,
};
use crate::message::{Arguments, Block, Effort, ToolCall};

fn body(conversation: &Conversation<'_>, signs: bool) -> Value {
    let toolbox = Toolbox::new(conversation.tools, conversation.settings);
    request(conversation, &toolbox, signs)
}

#[test]
fn a_whole_request() {
    let tools = [tool("f")];
    let messages = long_conversation();
    let conversation = Conversation {
        system: Some("Be good."),
        ..conversation(&messages, &tools)
    };
    let picture = |data: &str| json!({"inlineData": {"mimeType": "image/png", "data": data}});
    assert_eq!(
        body(&conversation, false),
        json!({
            "systemInstruction": {"parts": [{"text": "Be good."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "go"}]},
                {"role": "model", "parts": [
                    {"text": "Looking."},
                    {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}},
                    {"functionCall": {"id": "b", "name": "f", "args": {}}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {
                        "id": "a", "name": "f",
                        "response": {"output": {"text": "see", "structured": {"rows": 2}}},
                        "parts": [picture("T05F"), picture("VFdP")],
                    }},
                    {"functionResponse": {
                        "id": "b", "name": "f", "response": {"error": "no such row"}, "parts": [picture("RVJS")],
                    }},
                    {"text": "CONTINUE"},
                ]},
            ],
            "tools": [{"functionDeclarations": [
                {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {"x": {"type": "integer"}}}},
            ]}],
        })
    );
}

#[test]
fn settings_have_their_fields() {
    let messages = [Message::user("go")];
    let bare = conversation(&messages, &[]);
    let keys: Vec<String> = body(&bare, true)
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["contents"]);
    let check = |settings: Settings, expected: Value| {
        let tools = [tool("fs/f")];
        let full = Conversation {
            settings: &settings,
            tools: &tools,
            ..bare
        };
        let mut body = body(&full, true);
        let sent = body.as_object_mut().unwrap();
        for key in ["contents", "tools"] {
            sent.shift_remove(key);
        }
        assert_eq!(body, expected);
    };
    check(
        Settings {
            temperature: Some(0.5),
            top_k: Some(40),
            max_tokens: Some(9),
            effort: Some(Effort::Low),
            show_thoughts: Some(true),
            tool_choice: Some(ToolChoice::Tool("fs/f".to_owned())),
            ..Settings::default()
        },
        json!({
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["fs_f_b61deca9"]}},
            "generationConfig": {
                "temperature": 0.5, "topK": 40, "maxOutputTokens": 9,
                "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "LOW"},
            },
        }),
    );
    for (thinking, budget) in [
        (Thinking::Budget(512), 512),
        (Thinking::Disabled, 0),
        (Thinking::Adaptive, -1),
    ] {
        check(
            Settings {
                thinking: Some(thinking),
                ..Settings::default()
            },
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": budget}}}),
        );
    }
}

#[test]
fn signatures_go_back_where_they_came_from() {
    let signed = |value: &str| Some(json!({"thoughtSignature": value}));
    let thought = |opaque: Value| Block::Reasoning {
        text: "hm".to_owned(),
        opaque: Some(opaque),
    };
    let named = |id: &str, opaque| {
        Block::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: Arguments::parse("{\"x\": 1}"),
            opaque,
        })
    };
    let own = assistant(vec![
        thought(json!({"thought": true, "thoughtSignature": "dA=="})),
        thought(json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"})),
        named("a", signed("YQ==")),
        named("b", None),
        Block::Opaque {
            value: json!({"executableCode": {"language": "PYTHON", "code": "1"}}),
        },
        Block::Opaque {
            value: json!({"type": "server_tool_use"}),
        },
        Block::Text {
            text: String::new(),
            citations: Vec::new(),
            opaque: signed("ZQ=="),
        },
    ]);
    let foreign = assistant(vec![call("c", "f", "{"), call("d", "f", "{}")]);
    let messages = [
        Message::user("go"),
        own,
        Message::Tools {
            results: vec![result("a", vec![]), result("b", vec![])],
        },
        foreign,
    ];
    let contents = |signs| {
        let mut body = body(&conversation(&messages, &[]), signs);
        body["contents"].take()
    };
    let function = |id: &str, args: Value| json!({"id": id, "name": "f", "args": args});
    assert_eq!(
        contents(true)[1]["parts"],
        json!([
            {"text": "hm", "thought": true, "thoughtSignature": "dA=="},
            {"functionCall": function("a", json!({"x": 1})), "thoughtSignature": "YQ=="},
            {"functionCall": function("b", json!({"x": 1}))},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"text": "", "thoughtSignature": "ZQ=="},
        ])
    );
    // Another model's calls were never signed.
    assert_eq!(
        contents(true)[3]["parts"],
        json!([
            {"functionCall": function("c", json!({})), "thoughtSignature": "skip_thought_signature_validator"},
            {"functionCall": function("d", json!({}))},
        ])
    );
    assert_eq!(
        contents(false)[3]["parts"][0],
        json!({"functionCall": function("c", json!({}))})
    );
}

#[test]
fn results_are_responses_with_what_they_show() {
    let mut structured = result("a", vec![Content::text("{\"rows\": 2}")]);
    structured.structured = Some(json!({"rows": 2}));
    let mut more = result("b", vec![Content::text("two rows"), image("T05F")]);
    more.structured = Some(json!({"rows": 2}));
    let mut failed = result("c", vec![Content::text("no such row")]);
    failed.is_error = true;
    let mut silent = result("d", vec![]);
    silent.is_error = true;
    let results = vec![structured, more, failed, silent];
    let messages = [Message::Tools { results }];
    let body = body(&conversation(&messages, &[]), true);
    let response = |id: &str, response: Value| json!({"id": id, "name": "f", "response": response});
    let mut shown = response(
        "b",
        json!({"output": {"text": "two rows", "structured": {"rows": 2}}}),
    );
    shown["parts"] = json!([{"inlineData": {"mimeType": "image/png", "data": "T05F"}}]);
    assert_eq!(
        body["contents"][0]["parts"],
        json!([
            {"functionResponse": response("a", json!({"output": {"rows": 2}}))},
            {"functionResponse": shown},
            {"functionResponse": response("c", json!({"error": "no such row"}))},
            {"functionResponse": response("d", json!({"error": "the tool failed without a word"}))},
        ])
    );
}
