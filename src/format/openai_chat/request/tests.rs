use super::*;
use crate::format::openai_chat::names;
use crate::format::testing::{
    assistant, call, conversation, image, long_conversation, oddities, pdf, pretty, result, text,
    tool, user,
};
use crate::message::Settings;

fn messages_of(messages: &[Message]) -> Value {
    let conversation = conversation(messages, &[]);
    let mut body = request(&conversation, &names(&[]), MaxTokensField::MaxTokens);
    body["messages"].take()
}

#[test]
fn a_whole_request() {
    let mut fetch = tool("web/fetch");
    fetch.description = "Fetches.".to_owned();
    fetch.input_schema = json!({"type": "object"});
    let tools = [tool("f"), fetch];
    let messages = long_conversation();
    let settings = Settings {
        max_tokens: Some(9),
        top_p: Some(0.5),
        ..Settings::default()
    };
    let conversation = Conversation {
        system: Some("Be good."),
        settings: &settings,
        ..conversation(&messages, &tools)
    };
    let body = request(&conversation, &names(&tools), MaxTokensField::MaxTokens);
    insta::assert_snapshot!(pretty(&body), @r#"
    {
      "model": "m-1",
      "messages": [
        {
          "role": "system",
          "content": "Be good."
        },
        {
          "role": "user",
          "content": "go"
        },
        {
          "role": "assistant",
          "content": "Looking.",
          "tool_calls": [
            {
              "id": "a",
              "type": "function",
              "function": {
                "name": "f",
                "arguments": "{\"x\":1}"
              }
            },
            {
              "id": "b",
              "type": "function",
              "function": {
                "name": "f",
                "arguments": "{}"
              }
            }
          ]
        },
        {
          "role": "tool",
          "tool_call_id": "a",
          "content": "see\n[image 1 of `f` (call a): in the next user message]\n[image 2 of `f` (call a): in the next user message]\n{\"rows\":2}"
        },
        {
          "role": "tool",
          "tool_call_id": "b",
          "content": "Error: no such row\n[image 1 of `f` (call b): in the next user message]"
        },
        {
          "role": "user",
          "content": [
            {
              "type": "text",
              "text": "image 1 of `f` (call a):"
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,T05F"
              }
            },
            {
              "type": "text",
              "text": "image 2 of `f` (call a):"
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,VFdP"
              }
            },
            {
              "type": "text",
              "text": "image 1 of `f` (call b):"
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,RVJS"
              }
            },
            {
              "type": "text",
              "text": "CONTINUE"
            }
          ]
        }
      ],
      "stream": true,
      "stream_options": {
        "include_usage": true
      },
      "tools": [
        {
          "type": "function",
          "function": {
            "name": "f",
            "parameters": {
              "type": "object",
              "properties": {
                "x": {
                  "type": "integer"
                }
              }
            }
          }
        },
        {
          "type": "function",
          "function": {
            "name": "web_fetch_787cea8f",
            "description": "Fetches.",
            "parameters": {
              "type": "object",
              "properties": {}
            }
          }
        }
      ],
      "max_tokens": 9,
      "top_p": 0.5
    }
    "#);
}

#[test]
fn what_was_not_set_is_not_sent() {
    let messages = [Message::user("go")];
    let bare = conversation(&messages, &[]);
    let keys = |conversation: &Conversation<'_>, field| -> Vec<String> {
        let body = request(conversation, &names(&[]), field);
        body.as_object().unwrap().keys().cloned().collect()
    };
    let always = ["model", "messages", "stream", "stream_options"];
    assert_eq!(keys(&bare, MaxTokensField::MaxTokens), always);
    let settings = Settings {
        max_tokens: Some(5),
        ..Settings::default()
    };
    let bounded = Conversation {
        settings: &settings,
        ..bare
    };
    assert_eq!(keys(&bounded, MaxTokensField::MaxTokens)[4], "max_tokens");
    assert_eq!(
        keys(&bounded, MaxTokensField::MaxCompletionTokens)[4],
        "max_completion_tokens"
    );
}

#[test]
fn content_of_every_kind() {
    let mut content = vec![image("QQ=="), pdf()];
    content.push(Content::Audio {
        data: "UklGRg==".to_owned(),
        mime_type: "audio/wav".to_owned(),
    });
    content.extend(oddities());
    insta::assert_snapshot!(pretty(&messages_of(&[user(content)])[0]["content"]), @r#"
    [
      {
        "type": "image_url",
        "image_url": {
          "url": "data:image/png;base64,QQ=="
        }
      },
      {
        "type": "file",
        "file": {
          "filename": "report.pdf",
          "file_data": "data:application/pdf;base64,JVBERg=="
        }
      },
      {
        "type": "input_audio",
        "input_audio": {
          "data": "UklGRg==",
          "format": "wav"
        }
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
fn turns() {
    let reasoning = Block::Reasoning {
        text: "hm".to_owned(),
        opaque: Some(json!({"reasoning_content": "hm"})),
    };
    let foreign = Block::Reasoning {
        text: "hm".to_owned(),
        opaque: None,
    };
    let messages = [
        assistant(vec![reasoning, call("a", "f", "{\"x\":1}")]),
        assistant(vec![foreign, text("a"), text("b")]),
        assistant(vec![]),
    ];
    assert_eq!(
        messages_of(&messages),
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
            ], "reasoning_content": "hm"},
            {"role": "assistant", "content": "ab"},
            {"role": "assistant", "content": ""},
        ])
    );
}

#[test]
fn results_are_text() {
    let check = |content: Vec<Content>, is_error: bool, expected: &str| {
        let mut result = result("a", content);
        result.is_error = is_error;
        let results = vec![result];
        assert_eq!(
            messages_of(&[Message::Tools { results }])[0],
            json!({"role": "tool", "tool_call_id": "a", "content": expected})
        );
    };
    check(vec![], false, "(no output)");
    check(vec![], true, "Error: (no output)");
    check(vec![Content::text("gone")], true, "Error: gone");
    check(vec![Content::text("Error: gone")], true, "Error: gone");
    check(vec![Content::text("a"), Content::text("b")], false, "a\nb");
    check(
        vec![pdf()],
        false,
        "[the file file:///report.pdf of type application/pdf, which cannot be shown to this model]",
    );
}

#[test]
fn system_messages() {
    let system = |text: &str| Message::System {
        content: vec![Content::text(text)],
    };
    let messages = [system("first"), Message::user("go"), system("later")];
    let conversation = Conversation {
        system: Some("prompt"),
        ..conversation(&messages, &[])
    };
    let body = request(&conversation, &names(&[]), MaxTokensField::MaxTokens);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "prompt\n\nfirst"},
            {"role": "user", "content": "go"},
            {"role": "system", "content": "later"},
        ])
    );
}
