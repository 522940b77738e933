//! The agent loop with each provider against the stand-in, which refuses what the real one would refuse.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use hud::agent::models::ModelTable;
use hud::agent::provider::{ModelChoice, resolve};
use hud::agent::{
    AgentEnd, AgentFailure, AgentJob, CallContext, LoopSettings, ModelErrorKind, ModelSource, Tools,
};
use hud::event::Step;
use hud::message::{Content, Effort, Message, Settings, Tool, ToolCall, ToolResult};
use serde_json::{Map, Value, json};

use crate::support::provider::{
    Api, Break, Captured, Fault, Provider, Script, Stop, Tokens, Turn, When, turn,
};

const APIS: [Api; 4] = [Api::Messages, Api::Chat, Api::Responses, Api::Gemini];

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Tools with awkward names and results.
struct Odd;

#[async_trait]
impl Tools for Odd {
    async fn list(&self) -> anyhow::Result<Vec<Tool>> {
        let names = ["look", "files/read.all", "fail", &"long".repeat(40)];
        Ok(names
            .iter()
            .map(|name| Tool {
                name: (*name).to_owned(),
                description: String::new(),
                input_schema: json!({"type": "object", "properties": {"x": {"type": "integer"}}}),
                output_schema: None,
                source: None,
                meta: Map::new(),
            })
            .collect())
    }

    async fn call(&self, call: &ToolCall, _: &CallContext) -> anyhow::Result<ToolResult> {
        let image = || Content::Image {
            data: PNG.to_owned(),
            mime_type: "image/png".to_owned(),
        };
        Ok(ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            content: match call.name.as_str() {
                "look" => vec![Content::text("here"), image(), image()],
                "fail" => vec![Content::text("it broke"), image()],
                _ => vec![],
            },
            structured: Some(json!({"called": call.name})),
            is_error: call.name == "fail",
        })
    }
}

fn settings() -> LoopSettings {
    let mut settings = LoopSettings::default();
    // No test waits for a real delay.
    settings.retry.first = Duration::from_millis(1);
    settings.retry.cap = Duration::from_millis(2);
    settings
}

/// Runs the loop over `api`; the end, the retries, and what the provider saw.
fn run(api: Api, script: Script, settings: LoopSettings) -> (AgentEnd, Vec<String>, Provider) {
    let provider = Provider::start(script);
    let (name, base) = match api {
        Api::Messages => ("claude-x", provider.url()),
        Api::Chat => ("gpt-x", format!("{}/v1", provider.url())),
        Api::Responses => ("openai/gpt-5.4", format!("{}/v1", provider.url())),
        Api::Gemini => ("gemini-3-x", provider.url()),
    };
    let choice = ModelChoice {
        name: name.to_owned(),
        agent: None,
        base_url: Some(base),
        gateway: false,
    };
    let key = provider.key().to_owned();
    let Ok(ModelSource::Shared(model)) =
        resolve(&choice, &|_| Some(key.clone()), ModelTable::embedded())
            .map(|resolved| resolved.model)
    else {
        panic!("no model for {name}");
    };
    let retries = Mutex::new(Vec::new());
    let job = AgentJob {
        model: &*model,
        tools: &Odd,
        system: Some("Be good.".to_owned()),
        messages: vec![Message::User {
            content: vec![
                Content::text("go"),
                Content::Image {
                    data: PNG.to_owned(),
                    mime_type: "image/png".to_owned(),
                },
            ],
        }],
        settings,
        trace_id: None,
        cancel: tokio_util::sync::CancellationToken::new(),
        deadline: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let end = runtime.block_on(hud::agent::run(job, &mut |step| {
        if let Step::Retry { error, .. } = step {
            retries.lock().unwrap().push(error);
        }
    }));
    (end, retries.into_inner().unwrap(), provider)
}

/// The name that a request calls the tool in this position by.
fn wire_name(request: &Captured, position: usize) -> String {
    let tools = &request.body["tools"];
    let tool = match &tools[0]["functionDeclarations"] {
        Value::Null => &tools[position],
        declarations => &declarations[position],
    };
    let name = if tool["name"].is_string() {
        &tool["name"]
    } else {
        &tool["function"]["name"]
    };
    name.as_str().unwrap().to_owned()
}

#[test]
fn an_awkward_conversation_is_accepted() {
    for api in APIS {
        // What the tools are called is only known from a request.
        let (_, _, provider) = run(api, Script::turns([turn().text("x")]), settings());
        let request = &provider.requests()[0];
        let read = wire_name(request, 1);
        let long = wire_name(request, 3);
        assert_eq!(provider.violations(), Vec::<String>::new());

        let script = Script::turns([
            turn()
                .reasoning("let me see")
                .text("Looking.")
                .call("look", json!({"x": 1}))
                .call("fail", json!({}))
                .call(&read, json!({"x": 2})),
            turn()
                .text("Again.")
                .call_raw("look", "{\"x\": ")
                .call("nothing", json!({})),
            turn().reasoning("again").call(&long, json!({})),
            turn().text("JR").tokens(Tokens {
                cache_read: 7,
                cache_write: 3,
                reasoning: 2,
                ..Tokens::new(20, 5)
            }),
        ])
        .odd_chunks();
        let (end, retries, provider) = run(api, script, settings());
        assert_eq!(provider.violations(), Vec::<String>::new(), "{api:?}");
        assert_eq!(end.failure, None);
        assert_eq!(retries, Vec::<String>::new());
        assert_eq!(end.answer.as_deref(), Some("JR"));
        // Google reads calls itself: none of a turn is made when one of it is malformed.
        let is_google = api == Api::Gemini;
        let calls = if is_google { 4 } else { 6 };
        assert_eq!((end.steps, end.tool_calls), (4, calls));
        assert_eq!(end.usage.cache_read_tokens, 7);
        assert_eq!(end.usage.reasoning_tokens, 2);
        let called: Vec<String> = end
            .transcript
            .iter()
            .filter_map(|message| match message {
                Message::Tools { results } => Some(results),
                _ => None,
            })
            .flatten()
            .map(|result| format!("{} {}", &result.name[..4], result.is_error))
            .collect();
        let mut expected = vec![
            "look false",
            "fail true",
            "file false",
            "look true",
            "noth true",
            "long false",
        ];
        if is_google {
            expected.drain(3..5);
        }
        assert_eq!(called, expected);
        // Every picture of a batch reaches the model: two of `look`, one of `fail`, one of the prompt. Over Responses only what is new is sent.
        let requests = provider.requests();
        let said: String = match api {
            Api::Responses => requests
                .iter()
                .map(|request| request.body.to_string())
                .collect(),
            _ => requests[requests.len() - 1].body.to_string(),
        };
        assert_eq!(said.matches(PNG).count(), 4, "{api:?}");
        assert!(
            said.contains("files/read.all"),
            "structured content is missing"
        );
    }
}

#[test]
fn sampling_settings_are_accepted() {
    for api in APIS {
        let settings = LoopSettings {
            request: Settings {
                max_tokens: Some(100),
                temperature: Some(0.5),
                // This API's model takes a temperature only while it does not think.
                effort: (api == Api::Responses).then_some(Effort::None),
                ..Settings::default()
            },
            ..settings()
        };
        let (end, _, provider) = run(api, Script::turns([turn().text("x")]), settings);
        assert_eq!(end.failure, None, "{api:?}");
        assert_eq!(provider.violations(), Vec::<String>::new());
        let body = &provider.requests()[0].body;
        let holder = if api == Api::Gemini {
            &body["generationConfig"]
        } else {
            body
        };
        assert_eq!(holder["temperature"], json!(0.5));
    }
}

#[test]
fn passing_failures_are_retried() {
    let cases = [
        Fault::Status(500),
        Fault::Status(529),
        Fault::RateLimit {
            retry_after: Some("0.01".to_owned()),
        },
        Fault::Drop,
        Fault::Page {
            status: 502,
            body: "<html>".to_owned(),
        },
    ];
    for api in APIS {
        for fault in &cases {
            let script = Script::new()
                .fail(2, When::any(), fault.clone())
                .on(When::any(), turn().text("x"));
            let (end, retries, provider) = run(api, script, settings());
            assert_eq!(end.answer.as_deref(), Some("x"), "{api:?} {fault:?}");
            assert_eq!(retries.len(), 2, "{retries:?}");
            assert_eq!(provider.violations(), Vec::<String>::new());
        }
        for broken in [Break::Drop, Break::Truncate, Break::Error] {
            for events in 0..3 {
                let half = turn()
                    .text("half an answer")
                    .break_after(events, broken.clone());
                let script = Script::new()
                    .on_times(1, When::any(), half)
                    .on(When::any(), turn().text("x"));
                let (end, retries, _) = run(api, script, settings());
                assert_eq!(end.answer.as_deref(), Some("x"), "{api:?} {broken:?}");
                assert_eq!(retries.len(), 1, "{api:?} {broken:?} {events}: {retries:?}");
            }
        }
    }
}

#[test]
fn lasting_failures_are_told_apart() {
    let cases = [
        (Fault::Status(401), ModelErrorKind::Authentication),
        (Fault::Status(403), ModelErrorKind::Authentication),
        (Fault::Status(404), ModelErrorKind::Request),
        (Fault::ContextLength, ModelErrorKind::ContextLength),
        (Fault::Credits, ModelErrorKind::Credits),
    ];
    for api in APIS {
        for (fault, kind) in &cases {
            let script = Script::new().fail_always(When::any(), fault.clone());
            let (end, retries, _) = run(api, script, settings());
            let Some(AgentFailure::Model(error)) = end.failure else {
                panic!("{api:?} {fault:?}: {:?}", end.failure);
            };
            assert_eq!(error.kind, *kind, "{api:?} {fault:?} {error}");
            assert_eq!((end.answer, retries.len()), (None, 0));
        }
    }
}

#[test]
fn a_hung_stream_times_out_twice() {
    for api in APIS {
        let hung = turn().text("half").break_after(1, Break::Hang);
        let script = Script::new().on(When::any(), hung);
        let settings = LoopSettings {
            model_timeout: Some(Duration::from_millis(100)),
            ..settings()
        };
        let (end, retries, _) = run(api, script, settings);
        let Some(AgentFailure::Model(error)) = end.failure else {
            panic!("{:?}", end.failure);
        };
        assert_eq!((error.kind, retries.len()), (ModelErrorKind::Network, 1));
    }
}

#[test]
fn stops() {
    let check = |api: Api, first: Turn, expected: (&str, u32)| {
        let script = Script::turns([first]);
        let (end, _, provider) = run(api, script, settings());
        assert_eq!(provider.violations(), Vec::<String>::new());
        assert_eq!(
            (end.answer.as_deref(), end.steps),
            (Some(expected.0), expected.1)
        );
    };
    for api in APIS {
        check(api, turn().text("cut").stop(Stop::MaxTokens), ("cut", 1));
        check(api, turn().text("no").stop(Stop::Refusal), ("no", 1));
    }
}

#[test]
fn requests_grow_at_the_end_only() {
    // A prefix that stays the same is what prompt caching lives on.
    for api in APIS {
        let calls = (0..4).map(|_| turn().call("look", json!({"x": 1})));
        let script = Script::turns(calls.chain([turn().text("x")]));
        let settings = LoopSettings {
            // Nothing kept, so that all of it is sent each time.
            request: Settings {
                store: Some(false),
                ..Settings::default()
            },
            ..settings()
        };
        let (_, _, provider) = run(api, script, settings);
        let bodies: Vec<Value> = provider
            .requests()
            .into_iter()
            .map(|request| without_marks(request.body))
            .collect();
        assert_eq!(bodies.len(), 5);
        for pair in bodies.windows(2) {
            let key = match api {
                Api::Messages | Api::Chat => "messages",
                Api::Responses => "input",
                Api::Gemini => "contents",
            };
            let [before, after] = [&pair[0][key], &pair[1][key]];
            let length = before.as_array().unwrap().len();
            assert_eq!(
                before.as_array().unwrap()[..],
                after.as_array().unwrap()[..length]
            );
            assert_eq!(pair[0]["tools"], pair[1]["tools"]);
        }
    }
}

fn without_marks(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, _)| key != "cache_control")
            .map(|(key, value)| (key, without_marks(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_marks).collect(),
        other => other,
    }
}

#[test]
fn a_server_that_keeps_nothing_is_sent_everything() {
    for forgets in [false, true] {
        let mut script = Script::turns([
            turn().reasoning("hm").call("look", json!({"x": 1})),
            turn().reasoning("hm").call("look", json!({"x": 2})),
            turn().text("x"),
        ]);
        if forgets {
            script = script.forgets();
        }
        let (end, retries, provider) = run(Api::Responses, script, settings());
        assert_eq!((end.answer.as_deref(), retries.len()), (Some("x"), 0));
        assert_eq!(provider.violations(), Vec::<String>::new());
        let sent: Vec<(bool, usize)> = provider
            .requests()
            .iter()
            .map(|request| {
                let refers = request.body["previous_response_id"].is_string();
                (refers, request.body["input"].as_array().unwrap().len())
            })
            .collect();
        // One message; then a thought, a call and its output each time. It is asked once whether it keeps answers.
        let expected = if forgets {
            vec![(false, 1), (true, 1), (false, 4), (false, 7)]
        } else {
            vec![(false, 1), (true, 1), (true, 1)]
        };
        assert_eq!(sent, expected);
    }
}
