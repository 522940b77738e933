use super::*;
use crate::format::anthropic::{names, turn};
use crate::format::testing::{call, text, tool};
use crate::message::Usage;
use serde_json::json;

/// The events of a stream, as the API sends them.
fn events(blocks: &[(Value, &[Value])], stop: &str) -> Vec<Value> {
    let mut events = vec![
        json!({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
            "stop_reason": null, "usage": {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 1},
        }}),
        json!({"type": "ping"}),
    ];
    for (index, (start, deltas)) in blocks.iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        for delta in *deltas {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": stop},
        "usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}}),
    );
    events.push(json!({"type": "message_stop"}));
    events
}

fn assemble(events: &[Value]) -> Result<(Turn, Vec<Delta>), FormatError> {
    let tools = [tool("f"), tool("fs/read")];
    let mut assembler = Assembler::new(names(&tools));
    let mut deltas = Vec::new();
    for event in events {
        deltas.extend(assembler.push(&event.to_string())?);
    }
    Ok((assembler.finish()?, deltas))
}

fn input(part: &str) -> Value {
    json!({"type": "input_json_delta", "partial_json": part})
}

fn tool_use(id: &str, name: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": {}})
}

#[test]
fn a_whole_stream() {
    let wire = names(&[tool("f"), tool("fs/read")]).wire("fs/read");
    let events = events(
        &[
            (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                &[
                    json!({"type": "thinking_delta", "thinking": "let "}),
                    json!({"type": "thinking_delta", "thinking": "me see"}),
                    json!({"type": "signature_delta", "signature": "c2ln"}),
                ],
            ),
            (json!({"type": "redacted_thinking", "data": "eA=="}), &[]),
            (
                json!({"type": "text", "text": ""}),
                &[
                    json!({"type": "text_delta", "text": "Hel"}),
                    json!({"type": "text_delta", "text": "lo"}),
                ],
            ),
            (
                json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}),
                &[input("{\"q\":"), input("1}")],
            ),
            (
                tool_use("t1", "f"),
                &[input(""), input("{\"x\""), input(": 1}")],
            ),
            (tool_use("t2", &wire), &[]),
        ],
        "tool_use",
    );
    let (turn, deltas) = assemble(&events).unwrap();
    assert_eq!(
        turn,
        Turn {
            model: "claude-x".to_owned(),
            blocks: vec![
                Block::Reasoning {
                    text: "let me see".to_owned(),
                    opaque: Some(
                        json!({"type": "thinking", "thinking": "let me see", "signature": "c2ln"})
                    ),
                },
                Block::Reasoning {
                    text: String::new(),
                    opaque: Some(json!({"type": "redacted_thinking", "data": "eA=="})),
                },
                text("Hello"),
                Block::Opaque {
                    value: json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": 1}}),
                },
                call("t1", "f", "{\"x\": 1}"),
                call("t2", "fs/read", ""),
            ],
            stop: StopReason::ToolCalls,
            usage: Usage {
                input_tokens: 125,
                output_tokens: 9,
                cache_read_tokens: 100,
                cache_write_tokens: 20,
                reasoning_tokens: 4,
            },
            stop_detail: None,
            response_id: Some("msg_1".to_owned()),
        }
    );
    let reasoning = |text: &str| Delta::Reasoning(text.to_owned());
    let shown = |text: &str| Delta::Text(text.to_owned());
    assert_eq!(
        deltas,
        [
            reasoning("let "),
            reasoning("me see"),
            shown("Hel"),
            shown("lo")
        ]
    );
}

#[test]
fn a_stream_that_breaks_off_is_no_turn() {
    let deltas = [json!({"type": "text_delta", "text": "Hello"})];
    let all = events(
        &[(json!({"type": "text", "text": ""}), &deltas)],
        "end_turn",
    );
    let complete = all.len() - 1;
    for kept in 0..complete {
        assert_eq!(
            assemble(&all[..kept]),
            Err(FormatError::Truncated),
            "{kept}"
        );
    }
    // `message_stop` says nothing that `message_delta` did not say.
    assert_eq!(assemble(&all[..complete]).unwrap().0.text(), "Hello");
}

#[test]
fn an_error_event_is_an_error() {
    let mut events = events(&[], "end_turn");
    events.insert(
        1,
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    );
    assert_eq!(
        assemble(&events).unwrap_err().to_string(),
        "Overloaded (overloaded_error)"
    );
    let error = Assembler::new(names(&[])).push("{oops").unwrap_err();
    assert!(matches!(error, FormatError::Malformed(_)));
}

#[test]
fn stop_reasons() {
    let check = |word: &str, expected: StopReason| {
        assert_eq!(assemble(&events(&[], word)).unwrap().0.stop, expected);
    };
    check("end_turn", StopReason::Done);
    check("stop_sequence", StopReason::Done);
    check("tool_use", StopReason::ToolCalls);
    check("max_tokens", StopReason::Length);
    check("model_context_window_exceeded", StopReason::Length);
    check("refusal", StopReason::Refusal);
    check("pause_turn", StopReason::Paused);
    check("new_reason", StopReason::Other("new_reason".to_owned()));
}

#[test]
fn a_call_that_was_cut_off_is_malformed() {
    for parts in [&[][..], &[input("{\"x\": ")]] {
        let (turn, _) = assemble(&events(&[(tool_use("t", "f"), parts)], "max_tokens")).unwrap();
        let call = turn.tool_calls().next().unwrap();
        assert!(call.arguments.as_object().is_none(), "{call:?}");
    }
    // Only the last block can have been cut off.
    let blocks: [(Value, &[Value]); 2] = [
        (tool_use("t", "f"), &[]),
        (json!({"type": "text", "text": "and"}), &[]),
    ];
    let (turn, _) = assemble(&events(&blocks, "max_tokens")).unwrap();
    assert!(
        turn.tool_calls()
            .next()
            .unwrap()
            .arguments
            .as_object()
            .is_some()
    );
}

#[test]
fn a_whole_answer_is_the_same_turn() {
    let answer = json!({
        "id": "msg_1", "type": "message", "model": "claude-x", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 4},
    });
    let own = turn(&answer, names(&[tool("f")])).unwrap();
    assert_eq!(own.reasoning(), "hm");
    assert_eq!(
        own.blocks[1..],
        [text("Hello"), call("t1", "f", "{\"x\": 1}")]
    );
    assert_eq!((own.usage.input_tokens, own.usage.output_tokens), (3, 4));
    let error = json!({"type": "error", "error": {"type": "api_error", "message": "no"}});
    assert_eq!(
        turn(&error, names(&[])).unwrap_err().to_string(),
        "no (api_error)"
    );
    assert!(turn(&json!({}), names(&[])).is_err());
}

#[test]
fn citations_and_the_reason_of_a_refusal_are_kept() {
    let own = json!({"type": "page_location", "document_index": 1, "document_title": "Report", "cited_text": "so"});
    let mut events = events(
        &[(
            json!({"type": "text", "text": "", "citations": []}),
            &[
                json!({"type": "text_delta", "text": "it says"}),
                json!({"type": "citations_delta", "citation": own}),
            ],
        )],
        "refusal",
    );
    let count = events.len();
    events[count - 2]["delta"]["stop_details"] =
        json!({"type": "refusal", "category": "cyber", "explanation": "no"});
    let (turn, _) = assemble(&events).unwrap();
    assert_eq!(turn.stop, StopReason::Refusal);
    assert_eq!(turn.stop_detail.as_deref(), Some("cyber: no"));
    let Block::Text {
        text,
        citations,
        opaque,
    } = &turn.blocks[0]
    else {
        panic!("text");
    };
    assert_eq!(text, "it says");
    assert_eq!(opaque, &Some(json!({"citations": [own]})));
    assert_eq!(
        (citations[0].source.as_str(), citations[0].title.as_deref()),
        ("document 1", Some("Report"))
    );
}
