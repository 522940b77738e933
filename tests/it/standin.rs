//! The provider stand-in, tested against the official Python SDKs (here), with requests that are wrong on purpose
//! (`refused_…`), and byte by byte where a test wants it to break (`breaks`); and the
//! builder of whole-command tests (`command`).
//!
//! The SDKs come from a virtual environment that `HUD_TEST_VENV_SDK` names (`tests/run` makes it).

mod breaks;
mod command;
mod http;
mod refused;
mod refused_chat;
mod refused_messages;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::provider::{
    Api, Break, Fault, Provider, Script, Stop, Tokens, Turn, When, turn,
};
use crate::support::{Test, require};

const PROMPT: &str = "What are the initials of the CEO of HUD?";

/// Plays each script to the SDK of `api`, asked for `"whole"` answers or a `"stream"`, all in one process because
/// importing an SDK takes long. Nothing when there is no SDK here.
fn sdk(api: Api, cases: Vec<(&str, Script)>) -> Option<Vec<(Value, Provider)>> {
    let venv = std::env::var_os("HUD_TEST_VENV_SDK").map(PathBuf::from);
    let there = venv
        .as_ref()
        .is_some_and(|venv| venv.join("bin/python").exists());
    if !require("the Python SDKs (HUD_TEST_VENV_SDK)", there) {
        return None;
    }
    let client = match api {
        Api::Messages => include_str!("sdk/anthropic_client.py"),
        Api::Chat => include_str!("sdk/openai_client.py"),
        Api::Responses => include_str!("sdk/responses_client.py"),
        Api::Gemini => include_str!("sdk/gemini_client.py"),
    };
    let mut args = vec!["client.py".to_owned(), PROMPT.to_owned()];
    let mut servers = Vec::new();
    for (mode, script) in cases {
        let server = Provider::start(script);
        args.extend([server.url(), mode.to_owned()]);
        servers.push(server);
    }
    let output = Test::program(venv?.join("bin/python"))
        .file("client.py", client)
        .args(args)
        .run()
        .stderr("")
        .code(0);
    Some(output.json_lines().into_iter().zip(servers).collect())
}

/// Plays the script whole, in a stream, and in a stream of odd chunks; each must be understood as `expected`.
#[track_caller]
fn understands(api: Api, script: fn() -> Script, expected: &Value) {
    let cases = vec![
        ("whole", script()),
        ("stream", script()),
        ("stream", script().odd_chunks()),
    ];
    for (turns, server) in sdk(api, cases).into_iter().flatten() {
        assert_eq!(turns, *expected);
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

#[test]
fn anthropic_sdk_solves_trivia() {
    understands(
        Api::Messages,
        Script::trivia,
        &json!([
            {
                "blocks": [["text", "Let me look that up."], ["tool_use", "lookup_ceo", {"company": "HUD"}]],
                "stop": "tool_use",
                "usage": [120, 30, 0, 0],
            },
            {"blocks": [["text", "JR"]], "stop": "end_turn", "usage": [170, 5, 0, 0]},
        ]),
    );
}

#[test]
fn openai_sdk_solves_trivia_over_responses() {
    understands(
        Api::Responses,
        Script::trivia,
        &json!([
            {
                "items": [["text", "Let me look that up.", []], ["function_call", "lookup_ceo", "{\"company\":\"HUD\"}"]],
                "status": "completed",
                "usage": [120, 30, 0, 0],
            },
            {"items": [["text", "JR", []]], "status": "completed", "usage": [170, 5, 0, 0]},
        ]),
    );
}

#[test]
fn google_sdk_solves_trivia() {
    understands(
        Api::Gemini,
        Script::trivia,
        &json!([
            {
                "parts": [["text", "Let me look that up.", false], ["call", "lookup_ceo", {"company": "HUD"}, true]],
                "stop": "STOP",
                "sources": [],
                "usage": [120, 30, 0, 0],
            },
            {"parts": [["text", "JR", false]], "stop": "STOP", "sources": [], "usage": [170, 5, 0, 0]},
        ]),
    );
}

#[test]
fn openai_sdk_solves_trivia() {
    understands(
        Api::Chat,
        Script::trivia,
        &json!([
            {
                "content": "Let me look that up.",
                "reasoning": null,
                "refusal": null,
                "calls": [["function", "lookup_ceo", "{\"company\":\"HUD\"}"]],
                "stop": "tool_calls",
                "usage": [120, 30, 150, 0, 0],
            },
            {"content": "JR", "reasoning": null, "refusal": null, "calls": [], "stop": "stop", "usage": [170, 5, 175, 0, 0]},
        ]),
    );
}

/// Thinking, several calls at once, a call without arguments, text outside of ASCII, every kind of token.
fn rich() -> Turn {
    let spent = Tokens {
        input: 7,
        output: 50,
        cache_read: 100,
        cache_write: 20,
        reasoning: 12,
    };
    turn()
        .reasoning("Zwei Fragen: größte zuerst 🦀.")
        .text("Ich sehe nach… 🦀🦀")
        .call(
            "lookup_ceo",
            json!({"company": "HUD", "nested": {"list": [1, 2.5, null], "text": "a\"b\\c\n"}}),
        )
        .call("lookup_ceo", json!({}))
        .tokens(spent)
}

#[test]
fn anthropic_sdk_understands_everything_a_turn_can_hold() {
    understands(
        Api::Messages,
        || Script::turns([rich(), turn().text("Halb fert").stop(Stop::MaxTokens)]),
        &json!([
            {
                "blocks": [
                    ["thinking", "Zwei Fragen: größte zuerst 🦀.", true],
                    ["text", "Ich sehe nach… 🦀🦀"],
                    ["tool_use", "lookup_ceo", {"company": "HUD", "nested": {"list": [1, 2.5, null], "text": "a\"b\\c\n"}}],
                    ["tool_use", "lookup_ceo", {}],
                ],
                "stop": "tool_use",
                "usage": [7, 50, 100, 20],
            },
            {"blocks": [["text", "Halb fert"]], "stop": "max_tokens", "usage": [10, 5, 0, 0]},
        ]),
    );
    let stops = [
        (Stop::Refusal, "refusal"),
        (Stop::ContextWindow, "model_context_window_exceeded"),
        (Stop::Pause, "pause_turn"),
    ];
    let cases = stops.map(|(stop, _)| ("stream", Script::turns([turn().text("…").stop(stop)])));
    for ((turns, _), (_, reason)) in sdk(Api::Messages, cases.into())
        .into_iter()
        .flatten()
        .zip(stops)
    {
        assert_eq!(
            turns,
            json!([{"blocks": [["text", "…"]], "stop": reason, "usage": [10, 5, 0, 0]}])
        );
    }
}

#[test]
fn openai_sdk_understands_everything_that_responses_can_hold() {
    let arguments = r#"{"company":"HUD","nested":{"list":[1,2.5,null],"text":"a\"b\\c\n"}}"#;
    understands(
        Api::Responses,
        || {
            Script::turns([
                rich(),
                turn()
                    .cited("Halb fert", "https://page", "Page")
                    .stop(Stop::MaxTokens),
            ])
        },
        &json!([
            {
                "items": [
                    ["reasoning", "Zwei Fragen: größte zuerst 🦀.", true],
                    ["text", "Ich sehe nach… 🦀🦀", []],
                    ["function_call", "lookup_ceo", arguments],
                    ["function_call", "lookup_ceo", "{}"],
                ],
                "status": "completed",
                "usage": [127, 50, 100, 12],
            },
            {"items": [["text", "Halb fert", [["url_citation", "https://page"]]]], "status": "max_output_tokens", "usage": [10, 5, 0, 0]},
        ]),
    );
    let refuses = vec![(
        "stream",
        Script::turns([turn().text("No.").stop(Stop::Refusal)]),
    )];
    for (turns, _) in sdk(Api::Responses, refuses).into_iter().flatten() {
        assert_eq!(turns[0]["items"], json!([["refusal", "No."]]));
    }
}

#[test]
fn google_sdk_understands_everything_a_turn_can_hold() {
    understands(
        Api::Gemini,
        || {
            Script::turns([
                rich(),
                turn()
                    .cited("Halb fert", "https://page", "Page")
                    .stop(Stop::MaxTokens),
            ])
        },
        &json!([
            {
                "parts": [
                    ["thought", "Zwei Fragen: größte zuerst 🦀.", false],
                    ["text", "Ich sehe nach… 🦀🦀", false],
                    ["call", "lookup_ceo", {"company": "HUD", "nested": {"list": [1, 2.5, null], "text": "a\"b\\c\n"}}, true],
                    ["call", "lookup_ceo", {}, false],
                ],
                "stop": "STOP",
                "sources": [],
                "usage": [127, 38, 100, 12],
            },
            {
                "parts": [["text", "Halb fert", false]],
                "stop": "MAX_TOKENS",
                "sources": ["https://page"],
                "usage": [10, 5, 0, 0],
            },
        ]),
    );
}

#[test]
fn openai_sdk_understands_everything_a_turn_can_hold() {
    understands(
        Api::Chat,
        || Script::turns([rich(), turn().text("fertig")]),
        &json!([
            {
                "content": "Ich sehe nach… 🦀🦀",
                "reasoning": "Zwei Fragen: größte zuerst 🦀.",
                "refusal": null,
                "calls": [
                    ["function", "lookup_ceo", "{\"company\":\"HUD\",\"nested\":{\"list\":[1,2.5,null],\"text\":\"a\\\"b\\\\c\\n\"}}"],
                    ["function", "lookup_ceo", "{}"],
                ],
                "stop": "tool_calls",
                "usage": [127, 50, 177, 100, 12],
            },
            {"content": "fertig", "reasoning": null, "refusal": null, "calls": [], "stop": "stop", "usage": [10, 5, 15, 0, 0]},
        ]),
    );
    let ends = |stop| ("whole", Script::turns([turn().text("No.").stop(stop)]));
    let cases = vec![ends(Stop::Refusal), ends(Stop::MaxTokens)];
    let turns: Vec<_> = sdk(Api::Chat, cases)
        .into_iter()
        .flatten()
        .map(|(turns, _)| turns)
        .collect();
    if !turns.is_empty() {
        let turn = |content: Value, refusal: Value, stop: &str| json!([{"content": content, "reasoning": null, "refusal": refusal, "calls": [], "stop": stop, "usage": [10, 5, 15, 0, 0]}]);
        assert_eq!(
            turns,
            [
                turn(json!(null), json!("No."), "stop"),
                turn(json!("No."), json!(null), "length")
            ]
        );
    }
}

/// The error class and status that the SDK of `api` raises for each script.
#[track_caller]
fn raises(api: Api, mode: &str, cases: Vec<(Script, &str, Option<u16>)>) {
    let (scripts, expected): (Vec<_>, Vec<_>) = cases
        .into_iter()
        .map(|(script, error, status)| ((mode, script), (error, status)))
        .unzip();
    for ((turns, server), (error, status)) in sdk(api, scripts).into_iter().flatten().zip(expected)
    {
        let last = turns.as_array().unwrap().last().unwrap();
        assert_eq!(
            (&last["error"], &last["status"]),
            (&error.into(), &json!(status)),
            "{api:?}: {last}"
        );
        server.violations();
    }
}

#[test]
fn sdks_raise_what_faults_mean() {
    let fail = |fault: &Fault| Script::new().fail_always(When::any(), fault.clone());
    let faults = [
        Fault::RateLimit {
            retry_after: Some("2".to_owned()),
        },
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(529),
        Fault::Status(403),
        Fault::ContextLength,
        Fault::Credits,
        Fault::Page {
            status: 502,
            body: "<html>Bad Gateway</html>".to_owned(),
        },
        Fault::Drop,
    ];
    let expect = |names: [(&'static str, Option<u16>); 9]| {
        faults
            .iter()
            .zip(names)
            .map(|(fault, (name, status))| (fail(fault), name, status))
            .collect::<Vec<_>>()
    };
    raises(
        Api::Messages,
        "whole",
        expect([
            ("RateLimitError", Some(429)),
            ("InternalServerError", Some(500)),
            ("ServiceUnavailableError", Some(503)),
            ("OverloadedError", Some(529)),
            ("PermissionDeniedError", Some(403)),
            ("BadRequestError", Some(400)),
            ("BadRequestError", Some(400)),
            ("InternalServerError", Some(502)),
            ("APIConnectionError", None),
        ]),
    );
    raises(
        Api::Chat,
        "stream",
        expect([
            ("RateLimitError", Some(429)),
            ("InternalServerError", Some(500)),
            ("InternalServerError", Some(503)),
            ("InternalServerError", Some(529)),
            ("PermissionDeniedError", Some(403)),
            ("BadRequestError", Some(400)),
            ("RateLimitError", Some(429)),
            ("InternalServerError", Some(502)),
            ("APIConnectionError", None),
        ]),
    );
}

#[test]
fn sdks_raise_what_breaks_mean() {
    let breaks = |how: Break| {
        Script::new().on(
            When::any(),
            turn().text("a long enough text").break_after(4, how),
        )
    };
    let wrong_key = || Script::trivia().only_key("sk-right");
    let malformed = || Script::turns([turn().call_raw("lookup_ceo", "{\"company\": nobody}")]);
    raises(
        Api::Messages,
        "stream",
        vec![
            (breaks(Break::Drop), "RemoteProtocolError", None),
            (breaks(Break::Error), "APIStatusError", Some(200)),
            (malformed(), "ValueError", None),
            (wrong_key(), "AuthenticationError", Some(401)),
        ],
    );
    raises(
        Api::Chat,
        "stream",
        vec![
            (breaks(Break::Drop), "APIConnectionError", None),
            (breaks(Break::Error), "APIError", None),
            (wrong_key(), "AuthenticationError", Some(401)),
        ],
    );
}
