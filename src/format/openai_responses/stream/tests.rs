use serde_json::json;

use super::*;
use crate::format::openai_responses::turn;
use crate::format::testing::tool;
use crate::message::{Arguments, Block, Citation, Settings, StopReason, ToolCall, Usage};

fn toolbox() -> Toolbox {
    Toolbox::new(&[tool("f")], &Settings::default())
}

fn items() -> Value {
    json!([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "content": null, "encrypted_content": "x"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "commentary", "content": [
            {"type": "output_text", "text": "Seen.", "annotations": [
                {"type": "url_citation", "url": "https://h", "title": "H", "start_index": 0, "end_index": 4},
                {"type": "file_path", "file_id": "x", "index": 0},
            ]},
        ]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"x\": null}", "status": "completed"},
    ])
}

fn response(status: &str, output: &Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "status": status, "model": "gpt-x", "output": output, "error": null,
        "usage": {
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "output_tokens": 30, "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 130,
        },
    })
}

fn expected() -> Turn {
    let item = items();
    let mut reasoning = item[0].clone();
    reasoning.as_object_mut().unwrap().shift_remove("content");
    Turn {
        model: "gpt-x".to_owned(),
        blocks: vec![
            Block::Reasoning {
                text: "a\n\nb".to_owned(),
                opaque: Some(reasoning),
            },
            Block::Text {
                text: "Seen.".to_owned(),
                citations: vec![Citation {
                    kind: "url_citation".to_owned(),
                    source: "https://h".to_owned(),
                    title: Some("H".to_owned()),
                    cited_text: None,
                    span: Some((0, 4)),
                    provider: item[1]["content"][0]["annotations"][0].clone(),
                }],
                opaque: Some(json!({"phase": "commentary"})),
            },
            Block::Opaque {
                value: item[2].clone(),
            },
            Block::ToolCall(ToolCall {
                id: "call_1".to_owned(),
                name: "f".to_owned(),
                // The schema became strict, and what stands for an argument that was not given is gone again.
                arguments: Arguments::parse("{}"),
                opaque: None,
            }),
        ],
        stop: StopReason::ToolCalls,
        stop_detail: None,
        usage: Usage {
            input_tokens: 100,
            output_tokens: 30,
            cache_read_tokens: 60,
            cache_write_tokens: 10,
            reasoning_tokens: 20,
        },
        response_id: Some("resp_1".to_owned()),
    }
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
fn a_whole_response() {
    assert_eq!(
        turn(&response("completed", &items()), &toolbox()),
        Ok(expected())
    );
}

#[test]
fn a_stream_whose_last_event_holds_everything_or_nothing() {
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", &json!([]))}),
        json!({"type": "response.reasoning_summary_text.delta", "delta": "a", "output_index": 0}),
        json!({"type": "response.output_text.delta", "delta": "Seen.", "output_index": 1}),
        json!({"type": "response.something.new", "delta": "?"}),
    ];
    for (index, item) in items().as_array().unwrap().iter().enumerate() {
        // What is begun is not what is done.
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": {"type": item["type"]}}));
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
    }
    for output in [items(), json!([])] {
        let mut events = events.clone();
        events.push(
            json!({"type": "response.completed", "response": response("completed", &output)}),
        );
        let (shown, turn) = push_all(&events);
        assert_eq!(
            shown,
            [
                Delta::Reasoning("a".to_owned()),
                Delta::Text("Seen.".to_owned())
            ]
        );
        assert_eq!(turn, Ok(expected()));
    }
    assert_eq!(push_all(&events).1, Err(FormatError::Truncated));
}

#[test]
fn ways_to_stop() {
    let check = |change: &dyn Fn(&mut Value), stop: StopReason, detail: Option<&str>| {
        let message = json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": []}]}]);
        let mut response = response("completed", &message);
        change(&mut response);
        let turn = turn(&response, &toolbox()).unwrap();
        assert_eq!((turn.stop, turn.stop_detail.as_deref()), (stop, detail));
    };
    check(&|_| {}, StopReason::Done, None);
    let incomplete = |reason: &'static str| {
        move |response: &mut Value| {
            response["status"] = json!("incomplete");
            response["incomplete_details"] = json!({"reason": reason});
        }
    };
    check(&incomplete("max_output_tokens"), StopReason::Length, None);
    check(
        &incomplete("content_filter"),
        StopReason::Refusal,
        Some("content_filter"),
    );
    check(
        &incomplete("steered"),
        StopReason::Other("steered".to_owned()),
        None,
    );
    check(
        &|response| {
            response["output"][0]["content"][0] = json!({"type": "refusal", "refusal": "No."});
        },
        StopReason::Refusal,
        None,
    );
    check(
        &|response| {
            response["status"] = json!("failed");
            response["error"] = json!({"code": "bio_policy", "message": "not this"});
        },
        StopReason::Refusal,
        Some("not this"),
    );
}

#[test]
fn a_call_that_was_cut_off_is_none() {
    let cut = json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "", "status": "incomplete"}]);
    let mut response = response("incomplete", &cut);
    response["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let turn = turn(&response, &toolbox()).unwrap();
    let arguments = turn.tool_calls().next().map(|call| call.arguments.clone());
    assert!(
        matches!(arguments, Some(Arguments::Malformed { .. })),
        "{arguments:?}"
    );
}

#[test]
fn failures() {
    let check = |event: Value, code: Option<&str>, message: &str| {
        let expected = FormatError::Provider {
            code: code.map(str::to_owned),
            message: message.to_owned(),
        };
        assert_eq!(push_all(&[event]).1, Err(expected));
    };
    check(
        json!({"type": "error", "code": "server_error", "message": "oops", "param": null}),
        Some("server_error"),
        "oops",
    );
    check(
        json!({"type": "error", "error": {"type": "too_many_requests", "message": "slow"}}),
        Some("too_many_requests"),
        "slow",
    );
    let mut failed = response("failed", &json!([]));
    failed["error"] = json!({"code": "rate_limit_exceeded", "message": "slow"});
    check(
        json!({"type": "response.failed", "response": failed}),
        Some("rate_limit_exceeded"),
        "slow",
    );
    let malformed =
        |answer: Value| matches!(turn(&answer, &toolbox()), Err(FormatError::Malformed(_)));
    assert!(malformed(json!({"id": "x"})));
}
