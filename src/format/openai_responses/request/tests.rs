use super::*;
use crate::format::testing::{
    assistant, call, conversation, image, long_conversation, oddities, pdf, result, text, tool,
    user,
};
use crate::message::{Block, Effort, Tool};

fn body(conversation: &Conversation<'_>) -> Value {
    let toolbox = Toolbox::new(conversation.tools, conversation.settings);
    request(conversation, &toolbox, Span::Whole, false)
}

fn input_of(messages: &[Message]) -> Value {
    body(&conversation(messages, &[]))["input"].take()
}

#[test]
fn a_whole_request() {
    let tools = [tool("f")];
    let messages = long_conversation();
    let conversation = Conversation {
        system: Some("Be good."),
        ..conversation(&messages, &tools)
    };
    let picture = |data: &str| json!({"type": "input_image", "detail": "auto", "image_url": format!("data:image/png;base64,{data}")});
    let words = |text: &str| json!({"type": "input_text", "text": text});
    assert_eq!(
        body(&conversation),
        json!({
            "model": "m-1",
            "stream": true,
            "instructions": "Be good.",
            "tools": [{"type": "function", "name": "f", "parameters": {
                "type": "object", "required": ["x"],
                "properties": {"x": {"type": ["integer", "null"]}}, "additionalProperties": false,
            }, "strict": true}],
            "input": [
                {"type": "message", "role": "user", "content": [words("go")]},
                {"type": "message", "role": "assistant", "content": "Looking."},
                {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{\"x\":1}"},
                {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "a", "output": [
                    words("see"), picture("T05F"), picture("VFdP"), words("{\"rows\":2}"),
                ]},
                {"type": "function_call_output", "call_id": "b", "output": [
                    words("Error: no such row"), picture("RVJS"),
                ]},
                {"type": "message", "role": "user", "content": [words("CONTINUE")]},
            ],
        })
    );
}

#[test]
fn what_was_not_set_is_not_sent() {
    let messages = [Message::user("go")];
    let bare = conversation(&messages, &[]);
    let keys = |conversation: &Conversation<'_>| -> Vec<String> {
        body(conversation)
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(keys(&bare), ["model", "stream", "input"]);
    let settings = Settings {
        max_tokens: Some(50),
        effort: Some(Effort::Low),
        show_thoughts: Some(true),
        verbosity: Some("low".to_owned()),
        tool_choice: Some(ToolChoice::Tool("fs/f".to_owned())),
        parallel_tool_calls: Some(false),
        store: Some(false),
        extra_body: Map::from_iter([("metadata".to_owned(), json!({"a": "b"}))]),
        ..Settings::default()
    };
    let tools = [tool("fs/f")];
    let full = Conversation {
        settings: &settings,
        tools: &tools,
        ..bare
    };
    let mut body = body(&full);
    let sent = body.as_object_mut().unwrap();
    for key in ["model", "stream", "input", "tools"] {
        sent.shift_remove(key);
    }
    assert_eq!(
        body,
        json!({
            "max_output_tokens": 50,
            "parallel_tool_calls": false,
            "store": false,
            "text": {"verbosity": "low"},
            "reasoning": {"effort": "low", "summary": "auto"},
            "tool_choice": {"type": "function", "name": "fs_f_b61deca9"},
            "metadata": {"a": "b"},
        })
    );
}

/// An answer of this API: a kept thought, a text in two blocks, a call, and a tool that the provider ran.
fn answer(id: &str) -> Message {
    let thought = |opaque: Value| Block::Reasoning {
        text: "hm".to_owned(),
        opaque: Some(opaque),
    };
    let said = |words: &str| Block::Text {
        text: words.to_owned(),
        citations: Vec::new(),
        opaque: Some(json!({"phase": "commentary"})),
    };
    let mut message = assistant(vec![
        thought(
            json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}),
        ),
        thought(json!({"type": "reasoning", "id": "rs_2", "summary": []})),
        thought(json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"})),
        said("Look"),
        said("ing."),
        Block::Opaque {
            value: json!({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
        },
        Block::Opaque {
            value: json!({"type": "server_tool_use", "id": "s1"}),
        },
        call("a", "f", "{\"x\": 1}"),
    ]);
    if let Message::Assistant { turn } = &mut message {
        turn.response_id = Some(id.to_owned());
    }
    message
}

#[test]
fn answers_go_back_as_they_came() {
    let messages = [Message::user("go"), answer("resp_1")];
    assert_eq!(
        input_of(&messages),
        json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
            {"type": "message", "role": "assistant", "content": "Looking.", "phase": "commentary"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{\"x\":1}"},
        ])
    );
}

#[test]
fn only_what_is_new_is_sent_after_an_answer_that_the_server_has_kept() {
    let results = Message::Tools {
        results: vec![result("a", vec![Content::text("1")])],
    };
    let messages = [Message::user("go"), answer("resp_1"), results.clone()];
    let (id, since) = chainable(&messages).unwrap();
    assert_eq!((id, since), ("resp_1", &[results.clone()][..]));
    let bare = conversation(&messages, &[]);
    let toolbox = Toolbox::new(&[] as &[Tool], bare.settings);
    let body = request(&bare, &toolbox, Span::After(id), true);
    assert_eq!(body["previous_response_id"], json!("resp_1"));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(
        body["input"],
        json!([{"type": "function_call_output", "call_id": "a", "output": "1"}])
    );
    // The last answer counts, and only one of this API.
    assert_eq!(chainable(&messages[..1]), None);
    assert_eq!(
        chainable(&[Message::user("go"), answer("msg_1"), results]),
        None
    );
    let spoken = [answer("resp_1"), assistant(vec![text("hi")])];
    assert_eq!(chainable(&spoken), None);
}

#[test]
fn results_take_pictures_files_and_the_word_for_a_failure() {
    let mut failed = result("b", vec![image("RVJS")]);
    failed.is_error = true;
    let mut worded = result("c", vec![Content::text("no such row")]);
    worded.is_error = true;
    let results = vec![
        result("a", vec![Content::text("see"), image("T05F"), pdf()]),
        failed,
        worded,
        result("d", vec![]),
    ];
    let picture = |data: &str| json!({"type": "input_image", "detail": "auto", "image_url": format!("data:image/png;base64,{data}")});
    assert_eq!(
        input_of(&[Message::Tools { results }]),
        json!([
            {"type": "function_call_output", "call_id": "a", "output": [
                {"type": "input_text", "text": "see"},
                picture("T05F"),
                {"type": "input_file", "filename": "report.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
            ]},
            {"type": "function_call_output", "call_id": "b", "output": [
                {"type": "input_text", "text": "Error: the tool failed without a word"},
                picture("RVJS"),
            ]},
            {"type": "function_call_output", "call_id": "c", "output": "Error: no such row"},
            {"type": "function_call_output", "call_id": "d", "output": "(no output)"},
        ])
    );
}

#[test]
fn what_no_model_can_be_shown_is_named() {
    let input = input_of(&[user(oddities())]);
    let texts: Vec<&str> = input[0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts.len(), oddities().len());
    assert_eq!(
        texts[1],
        "[a recording of type audio/ogg, which cannot be shown to this model]"
    );
}
