//! What passes between clients and copies.

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::client::Caller;
use super::played::Front;

async fn both(front: &Front) -> [Caller; 2] {
    [Caller::legacy(front).await, Caller::stateless(front)]
}

#[tokio::test]
async fn fields_that_nobody_knows_pass_both_ways() {
    let front = Front::new();
    for mut caller in both(&front).await {
        let params = json!({
            "name": "echo",
            "arguments": {"number": 1.50, "none": null, "text": "ä\u{1F600}"},
            "vendor": {"a": 1},
            "_meta": {"com.example/trace": "t"},
        });
        let answer = caller.request("tools/call", params).await.last().await;
        let result = &answer["result"];
        assert_eq!(
            result["structuredContent"],
            json!({"number": 1.5, "none": null, "text": "ä\u{1F600}"})
        );
        assert_eq!(result["vendor/field"], json!({"kept": 1.5}));
        assert_eq!(result["_meta"]["com.example/trace"], "t");
    }
    for index in [0, 1] {
        let heard = front.source.copy(index).hears_method("tools/call").await;
        assert_eq!(heard["params"]["vendor"], json!({"a": 1}));
    }
}

#[tokio::test]
async fn methods_that_nobody_knows_pass_too_but_not_the_workers_own() {
    let front = Front::new();
    for mut caller in both(&front).await {
        let answer = caller.request("vendor/method", json!({"a": 1})).await;
        assert_eq!(answer.last().await["result"]["echo"]["a"], 1);
        for method in ["hud/describe", "no/such"] {
            let answer = caller.request(method, json!({})).await;
            let expected = if caller.is_stateless() { 404 } else { 200 };
            assert_eq!(answer.status.as_u16(), expected, "{method}");
            assert_eq!(answer.last().await["error"]["code"], -32601, "{method}");
        }
    }
}

#[tokio::test]
async fn progress_travels_with_its_call_under_the_clients_token() {
    let front = Front::new();
    for mut caller in both(&front).await {
        let params =
            json!({"name": "progress", "arguments": {}, "_meta": {"progressToken": "mine"}});
        let all = caller.request("tools/call", params).await.all().await;
        let seen: Vec<(Value, Value)> = all
            .iter()
            .map(|message| {
                let params = &message["params"];
                (params["progressToken"].clone(), params["progress"].clone())
            })
            .collect();
        let step = |n: i32| (json!("mine"), json!(n));
        assert_eq!(
            seen,
            [step(1), step(2), step(3), (Value::Null, Value::Null)]
        );
        // Who did not ask for it hears nothing.
        let all = caller
            .request("tools/call", json!({"name": "progress"}))
            .await;
        assert_eq!(all.all().await.len(), 1);
    }
}

#[tokio::test]
async fn log_messages_travel_with_their_call_at_the_level_that_is_wanted() {
    fn levels(all: &[Value]) -> Vec<&str> {
        all.iter()
            .filter(|message| message["method"] == "notifications/message")
            .map(|message| message["params"]["level"].as_str().unwrap())
            .collect()
    }
    let front = Front::new();
    let log = json!({"name": "log", "arguments": {}});
    let mut session = Caller::legacy(&front).await;
    let all = session.request("tools/call", log.clone()).await.all().await;
    assert_eq!(levels(&all), ["debug", "info", "error"]);
    // What is between the worker and us is not told.
    assert_eq!(all[0]["params"], json!({"level": "debug", "data": "debug"}));
    let level = json!({"level": "warning"});
    session.request("logging/setLevel", level).await;
    let all = session.request("tools/call", log.clone()).await.all().await;
    assert_eq!(levels(&all), ["error"]);
    let answer = session
        .request("logging/setLevel", json!({"level": "loud"}))
        .await;
    assert_eq!(answer.last().await["error"]["code"], -32602);

    // Since 2026-07-28 each request says what it wants, and nothing is the default.
    let mut stateless = Caller::stateless(&front);
    let all = stateless
        .request("tools/call", log.clone())
        .await
        .all()
        .await;
    assert_eq!(levels(&all), [""; 0]);
    let mut wanted = log;
    wanted["_meta"] = json!({"io.modelcontextprotocol/logLevel": "info"});
    let all = stateless.request("tools/call", wanted).await.all().await;
    assert_eq!(levels(&all), ["info", "error"]);
}

#[tokio::test]
async fn clients_with_the_same_ids_and_tokens_do_not_meet() {
    let front = Front::new();
    let caller = Caller::stateless(&front);
    let one = |text: &'static str| {
        let params = json!({
            "name": "echo",
            "arguments": {"text": text},
            "_meta": {"progressToken": 1},
        });
        let caller = &caller;
        async move {
            caller
                .request_as(json!(7), "tools/call", params)
                .await
                .last()
                .await
        }
    };
    let (a, b, c) = tokio::join!(one("a"), one("b"), one("c"));
    for (answer, text) in [(a, "a"), (b, "b"), (c, "c")] {
        assert_eq!(answer["id"], 7);
        assert_eq!(answer["result"]["structuredContent"]["text"], text);
    }
    assert_eq!(front.source.opened(), 1);
}

#[tokio::test]
async fn a_question_is_asked_on_its_calls_stream() {
    let front = Front::new();
    let capabilities = json!({"elicitation": {}, "sampling": {}, "roots": {}});
    let mut caller = Caller::legacy_with(&front, "2025-06-18", capabilities).await;
    let question = |method: &str| json!({"method": method, "params": {"message": "Sure?"}});
    let arguments = json!({"questions": [question("elicitation/create"), question("roots/list")]});
    let mut answer = caller
        .request("tools/call", json!({"name": "ask", "arguments": arguments}))
        .await;
    for result in [json!({"action": "accept"}), json!({"roots": []})] {
        let asked = answer.next().await.unwrap();
        assert_eq!(asked["params"], json!({"message": "Sure?"}), "{asked}");
        // Somebody else cannot answer for it.
        let other = Caller::legacy(&front).await;
        let reply = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
        assert_eq!(other.tell(reply).await, StatusCode::ACCEPTED);
        let reply = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
        assert_eq!(caller.tell(reply).await, StatusCode::ACCEPTED);
    }
    let result = answer.next().await.unwrap();
    assert_eq!(
        result["result"]["structuredContent"]["answers"],
        json!([{"action": "accept"}, {"roots": []}])
    );
}

#[tokio::test]
async fn what_a_client_cannot_do_it_is_not_asked() {
    let front = Front::new();
    let question = json!({"method": "sampling/createMessage", "params": {}});
    let arguments = json!({"questions": [question]});
    for mut caller in both(&front).await {
        let params = json!({"name": "ask", "arguments": arguments});
        let answer = caller.request("tools/call", params).await;
        let expected = if caller.is_stateless() { 400 } else { 200 };
        assert_eq!(answer.status.as_u16(), expected);
        assert_eq!(answer.last().await["error"]["code"], -32021);
    }
    let copy = front.source.copy(0);
    let told = copy.hears(|heard| heard["error"]["code"] == -32021).await;
    assert_eq!(
        told["error"]["data"],
        json!({"requiredCapabilities": {"sampling": {}}})
    );
}

#[tokio::test]
async fn a_session_announces_its_client_to_its_copy() {
    let front = Front::new();
    let capabilities = json!({"sampling": {}});
    let mut caller = Caller::legacy_with(&front, "2025-11-25", capabilities).await;
    caller.served_by().await;
    let hello = front.source.copy(0).hears_method("initialize").await;
    assert_eq!(hello["params"]["capabilities"], json!({"sampling": {}}));
    assert_eq!(hello["params"]["clientInfo"]["name"], "test");
}

#[tokio::test]
async fn cancelling_reaches_the_copy() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    let wait = json!({"name": "wait", "arguments": {}});
    let waiting = caller.request_as(json!("mine"), "tools/call", wait.clone());
    let (answer, ()) = tokio::join!(waiting, async {
        while front.source.opened() == 0 {
            tokio::task::yield_now().await;
        }
        let copy = front.source.copy(0);
        let call = copy.hears(|heard| heard["params"]["name"] == "wait").await;
        let cancelled = json!({
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": "mine", "reason": "changed my mind"},
        });
        let mut headers = HeaderMap::new();
        headers.extend(caller.headers(""));
        caller.post(headers, cancelled.to_string()).await;
        let told = copy.hears_method("notifications/cancelled").await;
        assert_eq!(
            told["params"],
            json!({"requestId": call["id"], "reason": "changed my mind"})
        );
    });
    // A cancelled request has no answer.
    assert_eq!(answer.all().await, [json!(null); 0]);
    assert_eq!(caller.served_by().await, 1);

    // Since 2026-07-28, going away is cancelling.
    let mut stateless = Caller::stateless(&front);
    let waiting = stateless.request("tools/call", wait);
    tokio::select! {
        _ = waiting => panic!("it answered"),
        () = async {
            while front.source.opened() < 2 {
                tokio::task::yield_now().await;
            }
            front.source.copy(1).hears(|heard| heard["params"]["name"] == "wait").await;
        } => {}
    }
    front
        .source
        .copy(1)
        .hears_method("notifications/cancelled")
        .await;
}

#[tokio::test]
async fn a_session_of_the_older_era_survives_a_lost_connection() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    let copy = front.source.copy(0);
    let waiting = caller.request("tools/call", json!({"name": "wait", "arguments": {}}));
    tokio::select! {
        _ = waiting => panic!("it answered"),
        _ = copy.hears(|heard| heard["params"]["name"] == "wait") => {}
    }
    copy.release();
    assert_eq!(caller.served_by().await, 1);
    let cancelled = |heard: &Value| heard["method"] == "notifications/cancelled";
    assert!(!copy.heard.borrow().iter().any(cancelled));
}

#[tokio::test]
async fn subscriptions_follow_a_session_to_its_new_copy() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    let mut stream = caller.listen().await;
    for uri in ["a://1", "a://2"] {
        caller
            .request("resources/subscribe", json!({"uri": uri}))
            .await
            .last()
            .await;
    }
    caller
        .request("resources/unsubscribe", json!({"uri": "a://2"}))
        .await
        .last()
        .await;
    front.source.change(false, false, false);
    caller.served_by().await;
    let copy = front.source.copy(1);
    let told = copy.hears_method("resources/subscribe").await;
    assert_eq!(told["params"], json!({"uri": "a://1"}));
    for uri in ["a://2", "a://3", "a://1"] {
        copy.say(json!({
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"uri": uri},
        }));
    }
    let updated = stream.next().await.unwrap();
    assert_eq!(updated["params"], json!({"uri": "a://1"}));
}

#[tokio::test]
async fn what_a_copy_does_not_know_is_an_empty_list() {
    let front = Front::new();
    front
        .source
        .bare
        .store(true, std::sync::atomic::Ordering::Release);
    for mut caller in both(&front).await {
        for (method, field) in [
            ("prompts/list", "prompts"),
            ("resources/list", "resources"),
            ("resources/templates/list", "resourceTemplates"),
        ] {
            let answer = caller.request(method, json!({})).await.last().await;
            assert_eq!(answer["result"][field], json!([]), "{method}");
        }
        let params = json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}});
        let answer = caller
            .request("completion/complete", params)
            .await
            .last()
            .await;
        assert_eq!(answer["result"]["completion"], json!({"values": []}));
    }
}

#[tokio::test]
async fn an_unknown_resource_has_the_code_of_its_era() {
    let front = Front::new();
    for (mut caller, code) in both(&front).await.into_iter().zip([-32002, -32602]) {
        let answer = caller
            .request("resources/read", json!({"uri": "a://b"}))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.last().await["error"]["code"], code);
    }
}

#[tokio::test]
async fn discovery_says_who_and_what() {
    let front = Front::new();
    let mut caller = Caller::stateless(&front);
    let answer = caller
        .request("server/discover", json!({}))
        .await
        .last()
        .await;
    let result = &answer["result"];
    assert_eq!(result["supportedVersions"][0], "2026-07-28");
    assert_eq!(result["instructions"], "Count well.");
    assert_eq!(
        result["capabilities"]["resources"],
        json!({"subscribe": true, "listChanged": true})
    );
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"],
        json!({"name": "e", "version": "1"})
    );
    assert_eq!(front.source.opened(), 0);
}

/// The version that answers a request with that `_meta`.
async fn version_with(caller: &mut Caller, meta: &Value) -> Value {
    let params = json!({"name": "version", "_meta": meta});
    let answer = caller.request("tools/call", params).await.last().await;
    answer["result"]["content"][0]["text"].clone()
}

#[tokio::test]
async fn sessions_of_the_newer_era_are_named_by_their_setup() {
    let front = Front::new();
    let mut caller = Caller::stateless(&front);
    let prompt = caller.set_up("e:s").await;
    let session = &prompt["result"]["_meta"]["hud/session"];
    assert_eq!(session.as_str().unwrap().len(), 32);
    assert_eq!(front.server.sessions(), 1);
    front.source.reload();
    let own = json!({"hud/session": session});
    assert_eq!(version_with(&mut caller, &own).await, "1");
    assert_eq!(version_with(&mut caller, &json!({})).await, "2");
    let read = json!({"uri": "e:s", "_meta": own});
    let grade = caller
        .request("resources/read", read.clone())
        .await
        .last()
        .await;
    assert_eq!(grade["result"]["contents"][0]["text"], r#"{"reward":1}"#);
    let again = caller.request("resources/read", read).await.last().await;
    let words = again["error"]["message"].as_str().unwrap();
    assert!(words.starts_with("there is no session"), "{words}");
    assert_eq!(front.server.sessions(), 0);
    // A setup that fails leaves no session, a prompt that is no scenario opens none.
    caller.set_up("e:failing").await;
    caller.set_up("plain").await;
    assert_eq!(front.server.sessions(), 0);
}
