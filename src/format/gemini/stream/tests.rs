use super::*;
use crate::format::gemini::turn;
use crate::format::testing::tool;
use crate::message::Settings;

fn toolbox() -> Toolbox {
    Toolbox::new(&[tool("fs/read")], &Settings::default())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better at the call"
)]
fn answer(parts: Value, more: Value) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    for (key, value) in more.as_object().into_iter().flatten() {
        candidate[key] = value.clone();
    }
    json!({"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"})
}

fn push_all(events: &[Value]) -> (Vec<Delta>, Result<Turn, FormatError>) {
    let mut assembler = Assembler::new(toolbox());
    let mut shown = Vec::new();
    for event in events {
        match assembler.push(&event.to_string()) {
            Ok(deltas) => shown.extend(deltas),
            Err(error) => return (shown, Err(error)),
        }
    }
    (shown, assembler.finish())
}

#[test]
fn a_stream_is_put_together() {
    let mut last = answer(
        json!([{"text": "", "thoughtSignature": "ZQ=="}]),
        json!({"finishReason": "STOP"}),
    );
    last["usageMetadata"] = json!({
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 10, "thoughtsTokenCount": 20,
        "toolUsePromptTokenCount": 5, "totalTokenCount": 135,
    });
    let events = [
        answer(json!([{"text": "let me ", "thought": true}]), json!({})),
        answer(json!([{"text": "see", "thought": true}]), json!({})),
        answer(json!([{"text": "Look"}]), json!({})),
        answer(json!([{"text": "ing."}]), json!({})),
        answer(
            json!([
                {"functionCall": {"id": "c1", "name": "fs_read_4d9819ad", "args": {"x": 1}}, "thoughtSignature": "YQ=="},
                {"functionCall": {"name": "other"}},
            ]),
            json!({}),
        ),
        answer(
            json!([{"executableCode": {"language": "PYTHON", "code": "1"}}]),
            json!({}),
        ),
        last,
    ];
    let (shown, turn) = push_all(&events);
    assert_eq!(
        shown,
        [
            Delta::Reasoning("let me ".to_owned()),
            Delta::Reasoning("see".to_owned()),
            Delta::Text("Look".to_owned()),
            Delta::Text("ing.".to_owned()),
        ]
    );
    let call = |id: &str, name: &str, arguments: &str, opaque| {
        Block::ToolCall(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: Arguments::parse(arguments),
            opaque,
        })
    };
    assert_eq!(
        turn,
        Ok(Turn {
            model: "gemini-x".to_owned(),
            blocks: vec![
                Block::Reasoning {
                    text: "let me see".to_owned(),
                    opaque: Some(json!({"thought": true})),
                },
                Block::text("Looking."),
                call(
                    "c1",
                    "fs/read",
                    "{\"x\": 1}",
                    Some(json!({"thoughtSignature": "YQ=="}))
                ),
                call("", "other", "{}", None),
                Block::Opaque {
                    value: json!({"executableCode": {"language": "PYTHON", "code": "1"}}),
                },
                Block::Text {
                    text: String::new(),
                    citations: Vec::new(),
                    opaque: Some(json!({"thoughtSignature": "ZQ=="})),
                },
            ],
            stop: StopReason::ToolCalls,
            stop_detail: None,
            usage: Usage {
                input_tokens: 105,
                output_tokens: 30,
                cache_read_tokens: 60,
                cache_write_tokens: 0,
                reasoning_tokens: 20,
            },
            response_id: Some("r1".to_owned()),
        })
    );
    assert_eq!(push_all(&events[..6]).1, Err(FormatError::Truncated));
}

#[test]
fn ways_to_stop() {
    let check = |more: Value, stop: StopReason, detail: Option<&str>| {
        let turn = turn(&answer(json!([{"text": "x"}]), more), &toolbox()).unwrap();
        assert_eq!((turn.stop, turn.stop_detail.as_deref()), (stop, detail));
    };
    check(json!({"finishReason": "STOP"}), StopReason::Done, None);
    check(
        json!({"finishReason": "MAX_TOKENS"}),
        StopReason::Length,
        None,
    );
    check(
        json!({"finishReason": "SAFETY"}),
        StopReason::Refusal,
        Some("SAFETY"),
    );
    check(
        json!({"finishReason": "RECITATION", "finishMessage": "a song"}),
        StopReason::Refusal,
        Some("RECITATION: a song"),
    );
    check(
        json!({"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(f("}),
        StopReason::MalformedCall,
        Some("MALFORMED_FUNCTION_CALL: print(f("),
    );
    check(
        json!({"finishReason": "TOO_MANY_TOOL_CALLS"}),
        StopReason::Other("too_many_tool_calls".to_owned()),
        None,
    );
}

#[test]
fn a_blocked_prompt_is_a_refusal_and_nothing_at_all_is_no_answer() {
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}});
    let turn = push_all(&[blocked]).1.unwrap();
    assert_eq!(
        (&turn.stop, turn.text().as_str(), turn.usage.input_tokens),
        (&StopReason::Refusal, "", 4)
    );
    assert_eq!(
        turn.stop_detail.as_deref(),
        Some("the prompt was blocked: PROHIBITED_CONTENT")
    );
    assert_eq!(
        push_all(&[json!({"modelVersion": "x"})]).1,
        Err(FormatError::Truncated)
    );
}

#[test]
fn grounding_is_cited_in_characters() {
    let notes = json!({"finishReason": "STOP", "groundingMetadata": {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b"}}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 8, "text": "über"}, "groundingChunkIndices": [1]}],
    }});
    let turn = turn(&answer(json!([{"text": "Ja über"}]), notes), &toolbox()).unwrap();
    let cited: Vec<_> = turn
        .citations()
        .map(|own| (own.source.as_str(), own.title.as_deref(), own.span))
        .collect();
    // Bytes there, characters here: `ü` is two of the ones and one of the others.
    assert_eq!(cited, [("https://b", None, Some((3, 7)))]);
}

#[test]
fn failures() {
    let error = json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}});
    let expected = FormatError::Provider {
        code: Some("UNAVAILABLE".to_owned()),
        message: "busy".to_owned(),
    };
    assert_eq!(push_all(&[error]).1, Err(expected));
    let unusable = answer(json!([]), json!({"finishReason": "MALFORMED_RESPONSE"}));
    let expected = FormatError::Provider {
        code: Some("MALFORMED_RESPONSE".to_owned()),
        message: "the answer is unusable".to_owned(),
    };
    assert_eq!(push_all(&[unusable]).1, Err(expected));
}
