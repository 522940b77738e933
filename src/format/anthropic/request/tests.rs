use super::*;
use crate::format::anthropic::names;
use crate::format::testing::{
    assistant, call, conversation, image, long_conversation, oddities, pdf, pretty, result, text,
    tool, user,
};
use crate::message::{Effort, HostedTool, ToolCall};

fn messages_of(messages: &[Message]) -> Value {
    let mut body = request(&conversation(messages, &[]), &names(&[]));
    let messages = body["messages"].as_array_mut().unwrap();
    for block in messages
        .iter_mut()
        .flat_map(|m| m["content"].as_array_mut().unwrap())
    {
        block.as_object_mut().unwrap().shift_remove("cache_control");
    }
    body["messages"].take()
}

#[test]
fn a_whole_request() {
    let mut fetch = tool("web/fetch");
    fetch.description = "Fetches.".to_owned();
    fetch.input_schema = json!({"properties": {}});
    let tools = [tool("f"), fetch];
    let messages = long_conversation();
    let conversation = Conversation {
        system: Some("Be good."),
        ..conversation(&messages, &tools)
    };
    insta::assert_snapshot!(pretty(&request(&conversation, &names(&tools))), @r#"
    {
      "model": "m-1",
      "max_tokens": 16384,
      "stream": true,
      "tools": [
        {
          "name": "f",
          "input_schema": {
            "type": "object",
            "properties": {
              "x": {
                "type": "integer"
              }
            }
          }
        },
        {
          "name": "web_fetch_787cea8f",
          "description": "Fetches.",
          "input_schema": {
            "properties": {},
            "type": "object"
          },
          "cache_control": {
            "type": "ephemeral"
          }
        }
      ],
      "system": [
        {
          "type": "text",
          "text": "Be good.",
          "cache_control": {
            "type": "ephemeral"
          }
        }
      ],
      "messages": [
        {
          "role": "user",
          "content": [
            {
              "type": "text",
              "text": "go",
              "cache_control": {
                "type": "ephemeral"
              }
            }
          ]
        },
        {
          "role": "assistant",
          "content": [
            {
              "type": "text",
              "text": "Looking."
            },
            {
              "type": "tool_use",
              "id": "a",
              "name": "f",
              "input": {
                "x": 1
              }
            },
            {
              "type": "tool_use",
              "id": "b",
              "name": "f",
              "input": {}
            }
          ]
        },
        {
          "role": "user",
          "content": [
            {
              "type": "tool_result",
              "tool_use_id": "a",
              "content": [
                {
                  "type": "text",
                  "text": "see"
                },
                {
                  "type": "image",
                  "source": {
                    "type": "base64",
                    "media_type": "image/png",
                    "data": "T05F"
                  }
                },
                {
                  "type": "image",
                  "source": {
                    "type": "base64",
                    "media_type": "image/png",
                    "data": "VFdP"
                  }
                },
                {
                  "type": "text",
                  "text": "{\"rows\":2}"
                }
              ]
            },
            {
              "type": "tool_result",
              "tool_use_id": "b",
              "is_error": true,
              "content": [
                {
                  "type": "text",
                  "text": "no such row"
                }
              ]
            },
            {
              "type": "text",
              "text": "From the failed call `b` of `f`:"
            },
            {
              "type": "image",
              "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": "RVJS"
              }
            },
            {
              "type": "text",
              "text": "CONTINUE",
              "cache_control": {
                "type": "ephemeral"
              }
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn what_was_not_set_is_not_sent() {
    let messages = [Message::user("go")];
    let bare = conversation(&messages, &[]);
    let body = request(&bare, &names(&[]));
    let keys: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["model", "max_tokens", "stream", "messages"]);
    assert_eq!(version(&bare), "2026-10-21");
    let settings = Settings {
        temperature: Some(0.5),
        max_tokens: Some(7),
        ..Settings::default()
    };
    let sampled = Conversation {
        settings: &settings,
        ..bare
    };
    let body = request(&sampled, &names(&[]));
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.5), &json!(7))
    );
    assert_eq!(version(&sampled), "2023-06-01");
}

#[test]
fn at_most_four_breakpoints_that_move_along() {
    let tools = [tool("f"), tool("g")];
    let mut messages = vec![Message::user("go")];
    for round in 0..5 {
        let id = format!("c{round}");
        messages.push(assistant(vec![call(&id, "f", "{}")]));
        messages.push(Message::Tools {
            results: vec![result(&id, vec![Content::text("x"), image("QQ==")])],
        });
        let conversation = Conversation {
            system: Some("s"),
            ..conversation(&messages, &tools)
        };
        let body = request(&conversation, &names(&tools));
        assert_eq!(body.to_string().matches("cache_control").count(), 4);
        let mark = json!({"type": "ephemeral"});
        let last = messages.len() - 1;
        for at in [last, last - 2] {
            let content = body["messages"][at]["content"].as_array().unwrap();
            assert_eq!(content.last().unwrap()["cache_control"], mark);
        }
        assert_eq!(body["tools"][1]["cache_control"], mark);
        assert_eq!(body["system"][0]["cache_control"], mark);
    }
}

#[test]
fn thinking_goes_back_unchanged_and_foreign_thinking_does_not() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "sig"});
    let redacted = json!({"type": "redacted_thinking", "data": "xyz"});
    let hosted = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let reasoning = |opaque: Option<&Value>| Block::Reasoning {
        text: "hm".to_owned(),
        opaque: opaque.cloned(),
    };
    let blocks = vec![
        reasoning(Some(&thinking)),
        reasoning(Some(&redacted)),
        reasoning(None),
        Block::Opaque {
            value: hosted.clone(),
        },
        text(" \n"),
        text("ok"),
    ];
    assert_eq!(
        messages_of(&[Message::user("go"), assistant(blocks)])[1]["content"],
        json!([thinking, redacted, hosted, {"type": "text", "text": "ok"}])
    );
}

#[test]
fn content_of_every_kind() {
    let mut content = vec![pdf()];
    content.extend(oddities());
    insta::assert_snapshot!(pretty(&messages_of(&[user(content)])[0]["content"]), @r#"
    [
      {
        "type": "document",
        "source": {
          "type": "base64",
          "media_type": "application/pdf",
          "data": "JVBERg=="
        },
        "title": "file:///report.pdf"
      },
      {
        "type": "text",
        "text": "[an image of type image/bmp, which cannot be shown to this model]"
      },
      {
        "type": "text",
        "text": "[a recording of type audio/ogg, which cannot be shown to this model]"
      },
      {
        "type": "text",
        "text": "file:///a.txt:\ninside"
      },
      {
        "type": "text",
        "text": "[the file file:///a.zip of type unknown, which cannot be shown to this model]"
      },
      {
        "type": "text",
        "text": "[resource rows: db://rows (text/csv)]"
      },
      {
        "type": "text",
        "text": "{\"type\":\"hologram\"}"
      }
    ]
    "#);
}

#[test]
fn system_messages_and_empty_ones() {
    let system = |text: &str| Message::System {
        content: vec![Content::text(text)],
    };
    let messages = [
        system("first"),
        system(" "),
        user(vec![]),
        Message::user("go"),
        assistant(vec![]),
        system("later"),
    ];
    let body = request(&conversation(&messages, &[]), &names(&[]));
    assert_eq!(body["system"][0]["text"], "first");
    assert_eq!(body["system"].as_array().unwrap().len(), 1);
    assert_eq!(
        messages_of(&messages),
        json!([{"role": "user", "content": [
            {"type": "text", "text": "go"},
            {"type": "text", "text": "<system-message>\nlater\n</system-message>"},
        ]}])
    );
}

#[test]
fn results_without_a_word() {
    let mut failed = ToolResult::error(
        &ToolCall {
            id: "b".to_owned(),
            name: "f".to_owned(),
            arguments: Arguments::parse(""),
            opaque: None,
        },
        " ",
    );
    failed.structured = None;
    let results = vec![result("a", vec![]), failed];
    assert_eq!(
        messages_of(&[Message::Tools { results }])[0]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "a"},
            {"type": "tool_result", "tool_use_id": "b", "is_error": true, "content": [
                {"type": "text", "text": "the tool failed without a word"},
            ]},
        ])
    );
}

fn with(settings: &Settings, messages: &[Message], tools: &[Tool]) -> Value {
    let conversation = Conversation {
        settings,
        ..conversation(messages, tools)
    };
    request(&conversation, &names(tools))
}

#[test]
fn settings_go_where_the_api_has_them() {
    let settings = Settings {
        effort: Some(Effort::XHigh),
        thinking: Some(Thinking::Adaptive),
        show_thoughts: Some(true),
        tool_choice: Some(ToolChoice::Tool("web/fetch".to_owned())),
        parallel_tool_calls: Some(false),
        service_tier: Some("auto".to_owned()),
        hosted_tools: vec![HostedTool {
            json: json!({"type": "web_search_20250305", "name": "web_search"}),
        }],
        cache_ttl: Some("1h".to_owned()),
        extra_body: Map::from_iter([("metadata".to_owned(), json!({"user_id": "u"}))]),
        ..Settings::default()
    };
    let body = with(&settings, &[Message::user("go")], &[tool("web/fetch")]);
    let wire = names(&[tool("web/fetch")]).wire("web/fetch");
    let cache = json!({"type": "ephemeral", "ttl": "1h"});
    assert_eq!(
        body,
        json!({
            "model": "m-1",
            "max_tokens": 16384,
            "stream": true,
            "tools": [
                {"name": wire, "input_schema": tool("x").input_schema},
                {"type": "web_search_20250305", "name": "web_search", "cache_control": cache},
            ],
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "xhigh"},
            "service_tier": "auto",
            "tool_choice": {"type": "tool", "name": wire, "disable_parallel_tool_use": true},
            "messages": [{"role": "user", "content": [{"type": "text", "text": "go", "cache_control": cache}]}],
            "metadata": {"user_id": "u"},
        })
    );
}

#[test]
fn a_budget_comes_on_top_and_thinks_between_calls() {
    let settings = Settings {
        thinking: Some(Thinking::Budget(4000)),
        cache: false,
        ..Settings::default()
    };
    let messages = [Message::user("go")];
    let body = with(&settings, &messages, &[]);
    assert_eq!(
        body["thinking"],
        json!({"type": "enabled", "budget_tokens": 4000})
    );
    assert_eq!(body["max_tokens"], 20384);
    assert_eq!(body["messages"][0]["content"][0].get("cache_control"), None);
    let check = |tools: &[Tool], expected: Option<&str>| {
        let conversation = Conversation {
            settings: &settings,
            ..conversation(&messages, tools)
        };
        assert_eq!(betas(&conversation), expected);
    };
    check(&[], None);
    check(&[tool("f")], Some("interleaved-thinking-2025-05-14"));
}

#[test]
fn with_citations_what_was_read_can_be_cited() {
    let settings = Settings {
        citations: true,
        cache: false,
        ..Settings::default()
    };
    let citation = json!({"type": "web_search_result_location", "url": "https://a", "cited_text": "x", "encrypted_index": "e"});
    let messages = [
        user(vec![pdf()]),
        assistant(vec![
            Block::Text {
                text: "Halb fert".to_owned(),
                citations: Vec::new(),
                opaque: Some(json!({"citations": [citation]})),
            },
            // Another provider's.
            Block::Reasoning {
                text: "hm".to_owned(),
                opaque: Some(json!({"type": "reasoning", "id": "rs_1"})),
            },
            Block::Opaque {
                value: json!({"type": "web_search_call", "id": "ws_1"}),
            },
            call("a", "f", "{}"),
        ]),
        Message::Tools {
            results: vec![result("a", vec![Content::text("read")])],
        },
    ];
    let body = with(&settings, &messages, &[tool("f")]);
    let enabled = json!({"enabled": true});
    assert_eq!(body["messages"][0]["content"][0]["citations"], enabled);
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "text", "text": "Halb fert", "citations": [citation]},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
        ])
    );
    assert_eq!(
        body["messages"][2]["content"][0]["content"],
        json!([{
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "read"},
            "title": "f",
            "citations": enabled,
        }])
    );
}
