use super::*;
use crate::format::anthropic::names;
use crate::format::testing::{
    assistant, call, conversation, image, long_conversation, oddities, pdf, pretty, result, text,
    tool, user,
};
use crate::message::{Settings, ToolCall};

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
