//! What the stand-in does when a script tells it to break, and what it remembers.

use serde_json::{Value, json};

use super::http::{ask, get, send};
use crate::support::Test;
use crate::support::provider::{
    Api, Break, Captured, Conversation, Fault, Gate, Provider, Script, When, turn,
};

const APIS: [Api; 4] = [Api::Messages, Api::Chat, Api::Responses, Api::Gemini];

fn hello(api: Api, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "hello"}]);
    match api {
        Api::Messages => {
            json!({"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": messages, "stream": stream})
        }
        Api::Chat => json!({"model": "gpt-4o", "messages": messages, "stream": stream}),
        Api::Responses => json!({"model": "gpt-4o", "input": messages, "stream": stream}),
        Api::Gemini => json!({
            "model": "gemini-3.8-flash",
            "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
            "stream": stream,
        }),
    }
}

fn saying_hello(how: Break) -> Provider {
    let said = turn().text("hello there, you").break_after(3, how);
    Provider::start(Script::new().on(When::any(), said))
}

#[test]
fn streams_have_the_events_of_the_real_apis() {
    let server = Provider::start(Script::new().on(When::any(), turn().text("hello there")));
    let (text, end) = ask(&server, Api::Messages, &hello(Api::Messages, true)).chunks();
    assert_eq!(end, Ok(()));
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    for (options, usage_chunks) in [(json!(null), 0), (json!({"include_usage": true}), 1)] {
        let mut body = hello(Api::Chat, true);
        body["stream_options"] = options;
        let (text, _) = ask(&server, Api::Chat, &body).chunks();
        let data: Vec<_> = text
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect();
        assert_eq!(data.last(), Some(&"[DONE]"));
        let chunks: Vec<Value> = data[..data.len() - 1]
            .iter()
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        assert_eq!(
            chunks
                .iter()
                .filter(|chunk| chunk["choices"] == json!([]))
                .count(),
            usage_chunks
        );
        assert_eq!(
            chunks
                .iter()
                .filter(|chunk| chunk["usage"].is_object())
                .count(),
            usage_chunks
        );
    }
    // Without options: not even null.
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[test]
fn odd_chunks_end_inside_of_characters_and_say_the_same() {
    for api in APIS {
        let script = || Script::new().on(When::any(), turn().text("größer 🦀".repeat(20)));
        let whole = Provider::start(script());
        let odd = Provider::start(script().odd_chunks());
        let (expected, _) = ask(&whole, api, &hello(api, true)).chunks();
        let mut response = ask(&odd, api, &hello(api, true));
        let mut chunks = Vec::new();
        while let Some(chunk) = response.chunk().unwrap() {
            chunks.push(chunk);
        }
        assert_eq!(String::from_utf8(chunks.concat()).unwrap(), expected);
        assert_eq!(
            chunks[..4].iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 7, 3, 23]
        );
        assert!(
            chunks
                .iter()
                .any(|chunk| std::str::from_utf8(chunk).is_err())
        );
    }
}

#[test]
fn breaks_of_streams() {
    for api in APIS {
        let first_events = |text: &str| text.replace('\r', "").matches("\n\n").count();
        let (text, end) = ask(&saying_hello(Break::Drop), api, &hello(api, true)).chunks();
        assert_eq!((first_events(&text), end.is_err()), (3, true));
        let (text, end) = ask(&saying_hello(Break::Truncate), api, &hello(api, true)).chunks();
        assert_eq!((first_events(&text), end), (3, Ok(())));
        let (text, end) = ask(&saying_hello(Break::Error), api, &hello(api, true)).chunks();
        assert_eq!((first_events(&text), end), (4, Ok(())));
        assert!(
            text.contains("\"error\":{") || text.contains("\"type\":\"error\""),
            "{text}"
        );
        let noise = Break::Noise(": a comment\n\n".to_owned());
        let (text, end) = ask(&saying_hello(noise), api, &hello(api, true)).chunks();
        assert!(text.contains("\n: a comment\n\n") && end.is_ok(), "{text}");
        let ends = ["message_stop", "[DONE]", "response.completed", "\"STOP\""];
        assert!(ends.iter().any(|end| text.contains(end)), "{text}");
    }
}

#[test]
fn breaks_of_whole_answers() {
    for api in APIS {
        for how in [Break::Drop, Break::Truncate] {
            let response = ask(&saying_hello(how), api, &hello(api, false));
            let promised: usize = response.header("content-length").unwrap().parse().unwrap();
            assert_eq!(response.text().len(), promised / 2);
        }
        assert_eq!(
            ask(&saying_hello(Break::Error), api, &hello(api, false)).status,
            529
        );
    }
}

#[test]
fn faults_come_as_often_as_said_and_in_the_words_of_the_api() {
    let script = Script::new()
        .fail(
            2,
            When::any(),
            Fault::RateLimit {
                retry_after: Some("1.5".to_owned()),
            },
        )
        .fail(1, When::any(), Fault::Drop)
        .fail(
            1,
            When::any(),
            Fault::Page {
                status: 502,
                body: "<html>".to_owned(),
            },
        )
        .on_times(1, When::any(), turn().text("once"))
        .fail_always(When::any(), Fault::Status(529));
    let server = Provider::start(script);
    let ask = || ask(&server, Api::Messages, &hello(Api::Messages, false));
    for _ in 0..2 {
        let response = ask();
        assert_eq!(
            (response.status, response.header("retry-after")),
            (429, Some("1.5"))
        );
        assert_eq!(response.json()["error"]["type"], "rate_limit_error");
    }
    assert_eq!(ask().status, 0);
    let page = ask();
    assert_eq!(
        (page.status, page.header("content-type")),
        (502, Some("text/html"))
    );
    assert_eq!(page.text(), "<html>");
    assert_eq!(ask().json()["content"][0]["text"], "once");
    let last = ask();
    assert!(last.header("request-id").unwrap().starts_with("req_"));
    assert_eq!(
        last.json()["error"],
        json!({"type": "overloaded_error", "message": "Overloaded"})
    );
    assert_eq!(server.requests().len(), 6);
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[test]
fn gates_hold_answers_and_tell_the_test() {
    let (start, middle, end) = (Gate::new(), Gate::new(), Gate::new());
    let script = Script::new()
        .on_times(
            1,
            When::any(),
            turn()
                .text("hello")
                .hold(&start)
                .break_after(2, Break::Hold(middle.clone())),
        )
        .fail_always(When::any(), Fault::HoldThenDrop(end.clone()));
    let server = Provider::start(script);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&server, Api::Chat, &hello(Api::Chat, true)).chunks());
        start.wait_for_arrivals(1);
        let dropped = scope.spawn(|| ask(&server, Api::Chat, &hello(Api::Chat, true)).status);
        end.wait_for_arrivals(1);
        assert_eq!(server.most_in_flight(), 2);
        end.open();
        assert_eq!(dropped.join().unwrap(), 0);
        start.release(1);
        middle.wait_for_arrivals(1);
        middle.open();
        let (text, end) = asking.join().unwrap();
        assert!(text.ends_with("data: [DONE]\n\n") && end.is_ok());
    });
}

#[test]
fn hangs_end_with_the_server() {
    let script = Script::new()
        .on_times(
            1,
            When::any(),
            turn().text("hello").break_after(1, Break::Hang),
        )
        .fail_always(When::any(), Fault::Hang);
    let server = Provider::start(script);
    let mut streaming = ask(&server, Api::Chat, &hello(Api::Chat, true));
    assert!(streaming.chunk().unwrap().is_some());
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&server, Api::Chat, &hello(Api::Chat, false)).status);
        while server.requests().len() < 2 {
            std::thread::yield_now();
        }
        server.stop();
        assert_eq!(asking.join().unwrap(), 0);
        assert!(streaming.chunk().is_err());
    });
}

#[test]
fn rules_are_for_models_and_apis() {
    let server = Provider::start(
        Script::new()
            .on(
                When::any().model("claude-sonnet-4-6"),
                turn().text("sonnet"),
            )
            .on(When::any().api(Api::Messages), turn().text("messages"))
            .on(When::any(), turn().text("any")),
    );
    let mut other = hello(Api::Messages, false);
    other["model"] = json!("claude-opus-5-5");
    let said = |api: Api, body: &Value| ask(&server, api, body).text();
    assert!(said(Api::Messages, &hello(Api::Messages, false)).contains("\"sonnet\""));
    assert!(said(Api::Messages, &other).contains("\"messages\""));
    assert!(said(Api::Chat, &hello(Api::Chat, false)).contains("\"any\""));
    let first: Captured = server.requests().remove(0);
    assert_eq!(first.body, hello(Api::Messages, false));
}

#[test]
fn chat_sends_malformed_arguments_as_they_are() {
    let server = Provider::start(Script::turns([turn().call_raw("t", "{\"a\": b}")]));
    let answer = ask(&server, Api::Chat, &hello(Api::Chat, false)).json();
    let message = &answer["choices"][0]["message"];
    assert_eq!(
        message["tool_calls"][0]["function"],
        json!({"name": "t", "arguments": "{\"a\": b}"})
    );
    let (text, _) = ask(&server, Api::Chat, &hello(Api::Chat, true)).chunks();
    assert!(
        text.contains("{\\\"a\\\": ") && text.contains("b}"),
        "{text}"
    );
}

#[test]
fn models_are_listed() {
    let server = Provider::start(Script::new());
    let models = get(&server, "/v1/models").json();
    let ids: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids, ["claude-sonnet-4-6", "gpt-4o"]);
}

#[test]
fn scripts_see_the_conversation_in_both_formats() {
    let seen = |asked: &Conversation| {
        let results: Vec<_> = asked
            .results
            .iter()
            .map(|result| format!("{}={}", result.id, result.text))
            .collect();
        turn().text(format!(
            "{}|{}|{}|{}|{}|{}",
            asked.system,
            asked.prompt,
            asked.last_user,
            asked.assistant_turns,
            results.join(","),
            asked.tools.join(",")
        ))
    };
    let server = Provider::start(
        Script::new().made(When::prompt("first").spoken(1).last_user("more"), seen),
    );
    let messages = json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 9,
        "system": "be good",
        "tools": [{"name": "t", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "7"}, {"type": "text", "text": "more"}]},
        ],
    });
    let chat = json!({
        "model": "gpt-4o",
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": [{"type": "text", "text": "first"}]},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "7"},
            {"role": "user", "content": "more"},
        ],
    });
    let said = "be good|first|more|1|a=7|t";
    assert_eq!(
        ask(&server, Api::Messages, &messages).json()["content"][0]["text"],
        said
    );
    assert_eq!(
        ask(&server, Api::Chat, &chat).json()["choices"][0]["message"]["content"],
        said
    );
    let captured = &server.requests()[0];
    assert_eq!(
        (captured.method.as_str(), captured.path.as_str()),
        ("POST", "/v1/messages")
    );
    assert_eq!(
        (captured.header("x-api-key"), &captured.body),
        (Some("sk-test"), &messages)
    );
}

#[test]
fn what_the_script_does_not_know_is_500_and_a_violation() {
    let server =
        Provider::start(Script::turns([turn().call_raw("t", "{\"a\":")]).only_key("sk-test"));
    let mut third = hello(Api::Chat, false);
    third["messages"] =
        json!([{"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]);
    assert_eq!(ask(&server, Api::Chat, &third).status, 500);
    assert_eq!(
        ask(&server, Api::Messages, &hello(Api::Messages, false)).status,
        500
    );
    assert_eq!(send(&server, "/v1/complete", &[], "{}").status, 404);
    assert_eq!(
        server.violations(),
        [
            "request 1 (POST /v1/chat/completions): the script has no rule for this conversation (model gpt-4o, 1 assistant turns, prompt \"c\")",
            "request 2 (POST /v1/messages): the script has malformed arguments, which Messages can only send in a stream",
            "request 3 (POST /v1/complete): there is no such endpoint",
        ]
    );
}

#[test]
fn violations_that_nobody_looks_at_fail_the_test() {
    let dropped = std::panic::catch_unwind(|| {
        let server = Provider::start(Script::new());
        ask(&server, Api::Chat, &json!({}));
    });
    let message = *dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.contains("Missing required parameter: 'model'"),
        "{message}"
    );
}

#[test]
fn the_test_builder_points_a_program_at_it() {
    let server = Provider::start(Script::new().only_key("sk-right"));
    Test::program("/bin/sh")
        .args([
            "-c",
            "echo $ANTHROPIC_BASE_URL $ANTHROPIC_API_KEY $OPENAI_BASE_URL $OPENAI_API_KEY",
        ])
        .provider(&server)
        .run()
        .stdout("http://127.0.0.1:[PORT] sk-right http://127.0.0.1:[PORT]/v1 sk-right\n");
}
