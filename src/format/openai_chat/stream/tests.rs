use super::*;
use crate::format::openai_chat::{names, turn};
use crate::format::testing::{call, text, tool};

fn assemble(chunks: &[Value]) -> Result<(Turn, Vec<Delta>), FormatError> {
    let mut assembler = Assembler::new(names(&[tool("f"), tool("fs/read")]));
    let mut deltas = Vec::new();
    for chunk in chunks {
        let data = chunk
            .as_str()
            .map_or_else(|| chunk.to_string(), str::to_owned);
        deltas.extend(assembler.push(&data)?);
    }
    Ok((assembler.finish()?, deltas))
}

fn delta(delta: impl Into<Value>) -> Value {
    let delta: Value = delta.into();
    json!({"id": "c1", "model": "gpt-x", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"id": "c1", "model": "gpt-x", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

/// The calls of a stream that sends these pieces.
fn calls(pieces: &[Value]) -> Vec<Block> {
    let mut chunks: Vec<Value> = pieces
        .iter()
        .map(|piece| delta(json!({"tool_calls": [piece]})))
        .collect();
    chunks.push(finish("tool_calls"));
    assemble(&chunks).unwrap().0.blocks
}

fn piece(index: u64, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    let mut piece = json!({"index": index, "function": {"arguments": arguments}});
    if let Some(id) = id {
        piece["id"] = json!(id);
        piece["type"] = json!("function");
    }
    if let Some(name) = name {
        piece["function"]["name"] = json!(name);
    }
    piece
}

#[test]
fn a_whole_stream() {
    let chunks = [
        delta(json!({"role": "assistant", "content": "", "reasoning_content": "let "})),
        delta(json!({"reasoning_content": "me see"})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo"})),
        delta(json!({"tool_calls": [piece(0, Some("a"), Some("f"), "")]})),
        delta(
            json!({"tool_calls": [piece(0, None, None, "{\"x\""), piece(1, Some("b"), Some("f"), "")]}),
        ),
        delta(json!({"tool_calls": [piece(0, None, None, ": 1}"), piece(1, None, None, "{}")]})),
        finish("tool_calls"),
        json!({"id": "c1", "choices": [], "usage": {
            "prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59,
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 4},
        }}),
        json!("[DONE]"),
    ];
    let (turn, deltas) = assemble(&chunks).unwrap();
    assert_eq!(
        turn,
        Turn {
            model: "gpt-x".to_owned(),
            blocks: vec![
                Block::Reasoning {
                    text: "let me see".to_owned(),
                    opaque: Some(json!({"reasoning_content": "let me see"})),
                },
                text("Hello"),
                call("a", "f", "{\"x\": 1}"),
                call("b", "f", "{}"),
            ],
            stop: StopReason::ToolCalls,
            usage: Usage {
                input_tokens: 50,
                output_tokens: 9,
                cache_read_tokens: 40,
                cache_write_tokens: 3,
                reasoning_tokens: 4,
            },
            stop_detail: None,
            response_id: Some("c1".to_owned()),
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
fn calls_as_servers_send_them() {
    let two = [call("a", "f", "{\"x\":1}"), call("b", "f", "{\"x\":2}")];
    // Whole calls, each in one chunk.
    let whole = [
        piece(0, Some("a"), Some("f"), "{\"x\":1}"),
        piece(1, Some("b"), Some("f"), "{\"x\":2}"),
    ];
    assert_eq!(calls(&whole), two);
    // Whole calls, all with index 0.
    let zero = [
        piece(0, Some("a"), Some("f"), "{\"x\":1}"),
        piece(0, Some("b"), Some("f"), "{\"x\":2}"),
    ];
    assert_eq!(calls(&zero), two);
    // Without index, in pieces.
    let bare = [
        json!({"id": "a", "function": {"name": "f", "arguments": "{\"x\""}}),
        json!({"function": {"arguments": ":1}"}}),
        json!({"id": "b", "function": {"name": "f", "arguments": "{\"x\":2}"}}),
    ];
    assert_eq!(calls(&bare), two);
    // Id and name with every piece.
    let repeated = [
        piece(0, Some("a"), Some("f"), "{\"x\""),
        piece(0, Some("a"), Some("f"), ":1}"),
        piece(1, Some("b"), Some("f"), "{\"x\":2}"),
    ];
    assert_eq!(calls(&repeated), two);
    // Arguments as an object; an id that comes late; no arguments at all.
    let object = [json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}})];
    assert_eq!(calls(&object), two[..1]);
    let late = [
        piece(0, None, Some("f"), ""),
        piece(0, Some("a"), None, "{\"x\":1}"),
    ];
    assert_eq!(calls(&late), two[..1]);
    let none = [json!({"index": 0, "id": "a", "function": {"name": "f"}})];
    assert_eq!(calls(&none), [call("a", "f", "")]);
    // No id: the loop gives one. A mapped name comes back.
    let wire = names(&[tool("f"), tool("fs/read")]).wire("fs/read");
    assert_eq!(
        calls(&[piece(0, None, Some(&wire), "{}")]),
        [call("", "fs/read", "{}")]
    );
}

#[test]
fn a_stream_that_breaks_off_is_no_turn() {
    let chunks = [delta(json!({"content": "Hello"}))];
    assert_eq!(assemble(&chunks), Err(FormatError::Truncated));
    assert_eq!(assemble(&[]), Err(FormatError::Truncated));
    assert_eq!(assemble(&[json!("[DONE]")]), Err(FormatError::Truncated));
    // Some servers give no reason.
    let ended = [chunks[0].clone(), json!("[DONE]")];
    assert_eq!(assemble(&ended).unwrap().0.stop, StopReason::Done);
    // Some do not announce the end.
    let finished = [chunks[0].clone(), finish("stop")];
    let (turn, _) = assemble(&finished).unwrap();
    assert_eq!(
        (turn.text().as_str(), turn.usage),
        ("Hello", Usage::default())
    );
}

#[test]
fn stop_reasons() {
    let check = |word: &str, expected: StopReason| {
        assert_eq!(assemble(&[finish(word)]).unwrap().0.stop, expected);
    };
    check("stop", StopReason::Done);
    check("tool_calls", StopReason::ToolCalls);
    check("length", StopReason::Length);
    check("content_filter", StopReason::Refusal);
    check("odd", StopReason::Other("odd".to_owned()));
    let refusal = [
        delta(json!({"content": null, "refusal": "I "})),
        delta(json!({"refusal": "will not"})),
        finish("stop"),
    ];
    let (turn, _) = assemble(&refusal).unwrap();
    assert_eq!(
        (turn.text().as_str(), turn.stop),
        ("I will not", StopReason::Refusal)
    );
}

#[test]
fn errors_in_the_stream() {
    let check = |error: Value, expected: &str| {
        let chunks = [delta(json!({"content": "x"})), json!({"error": error})];
        assert_eq!(assemble(&chunks).unwrap_err().to_string(), expected);
    };
    check(
        json!({"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}),
        "slow down (rate_limit_exceeded)",
    );
    check(json!({"message": "bad", "code": 502}), "bad (502)");
    check(json!("broken"), "broken");
    let error = Assembler::new(names(&[])).push("<html>").unwrap_err();
    assert!(matches!(error, FormatError::Malformed(_)));
}

#[test]
fn a_call_that_was_cut_off_is_malformed() {
    for arguments in ["", "{\"x\": "] {
        let chunks = [
            delta(json!({"tool_calls": [piece(0, Some("a"), Some("f"), arguments)]})),
            finish("length"),
        ];
        let (turn, _) = assemble(&chunks).unwrap();
        let call = turn.tool_calls().next().unwrap();
        assert!(call.arguments.as_object().is_none(), "{call:?}");
    }
}

#[test]
fn thinking_in_other_fields() {
    let chunks = [
        delta(
            json!({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]}),
        ),
        delta(
            json!({"reasoning": "b", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b", "signature": "s"}]}),
        ),
        delta(
            json!({"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}]}),
        ),
        delta(json!({"content": [{"type": "text", "text": "Hi"}]})),
        finish("stop"),
    ];
    let (turn, _) = assemble(&chunks).unwrap();
    assert_eq!(
        turn.blocks,
        [
            Block::Reasoning {
                text: "ab".to_owned(),
                opaque: Some(json!({"reasoning": "ab", "reasoning_details": [
                    {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
                    {"type": "reasoning.encrypted", "index": 1, "data": "x"},
                ]})),
            },
            text("Hi"),
        ]
    );
}

#[test]
fn usage_as_servers_report_it() {
    let check = |value: Value, expected: [u64; 3]| {
        let own = usage(&value);
        assert_eq!(
            [own.input_tokens, own.output_tokens, own.cache_read_tokens],
            expected
        );
    };
    check(json!({}), [0, 0, 0]);
    check(
        json!({"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}),
        [5, 2, 4],
    );
    check(
        json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 17,
            "completion_tokens_details": {"reasoning_tokens": 10}}),
        [5, 12, 0],
    );
}

#[test]
fn a_whole_answer_is_the_same_turn() {
    let answer = json!({
        "id": "c1", "model": "gpt-x",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Hello",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        }}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    });
    let own = turn(&answer, names(&[])).unwrap();
    assert_eq!(own.blocks, [text("Hello"), call("a", "f", "{}")]);
    assert_eq!((own.usage.input_tokens, own.usage.output_tokens), (3, 4));
    let error = turn(&json!({"error": {"message": "no"}}), names(&[]));
    assert_eq!(error.unwrap_err().to_string(), "no");
    assert!(turn(&json!({}), names(&[])).is_err());
}
