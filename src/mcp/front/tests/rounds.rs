//! Questions to clients that are only asked by the end of their request.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Caller;
use super::played::Front;

fn everything() -> Value {
    json!({"elicitation": {}, "sampling": {}, "roots": {}})
}

fn caller(front: &Front) -> Caller {
    let mut caller = Caller::stateless(front);
    caller.capabilities = everything();
    caller
}

/// A call of `ask` with one question for each `(key, method)`; `more` is added to the request.
async fn ask(caller: &mut Caller, questions: &[(&str, &str)], more: Value) -> Value {
    let questions: Vec<Value> = questions
        .iter()
        .map(|(key, method)| {
            let mut question = json!({"method": method, "params": {"message": "Sure?"}});
            if !key.is_empty() {
                question["key"] = json!(key);
            }
            question
        })
        .collect();
    let mut params = json!({"name": "ask", "arguments": {"questions": questions}});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    caller.request("tools/call", params).await.last().await
}

fn keys(answer: &Value) -> Vec<&str> {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let requests = result["inputRequests"].as_object().unwrap();
    requests.keys().map(String::as_str).collect()
}

fn state(answer: &Value) -> &Value {
    &answer["result"]["requestState"]
}

fn code(answer: &Value) -> &Value {
    &answer["error"]["code"]
}

const ACCEPT: &str = "accept";

#[tokio::test]
async fn questions_that_come_together_are_one_result_and_the_retry_ends_the_call() {
    let front = Front::new();
    let mut caller = caller(&front);
    let questions = [
        ("name", "elicitation/create"),
        ("", "sampling/createMessage"),
        ("roots", "roots/list"),
    ];
    let asked = ask(&mut caller, &questions, json!({})).await;
    assert_eq!(keys(&asked), ["name", "input-2", "roots"]);
    assert_eq!(
        asked["result"]["inputRequests"]["name"],
        json!({"method": "elicitation/create", "params": {"message": "Sure?"}})
    );
    let answers = json!({
        "name": {"action": ACCEPT, "content": {"name": "Ada"}},
        "input-2": {"role": "assistant", "content": {"type": "text", "text": "hi"}},
        "roots": {"roots": []},
        "not asked": {"action": ACCEPT},
    });
    let retry = json!({"requestState": state(&asked), "inputResponses": answers});
    let done = ask(&mut caller, &questions, retry.clone()).await;
    assert_eq!(done["result"]["resultType"], "complete");
    assert_eq!(
        done["result"]["structuredContent"]["answers"],
        json!([answers["name"], answers["input-2"], answers["roots"]])
    );
    // One copy did it all, and was asked to do it once.
    let copy = front.source.copy(0);
    let asks = |heard: &&Value| heard["method"] == "tools/call";
    assert_eq!(copy.heard.borrow().iter().filter(asks).count(), 1);
    // A state is good for one retry.
    assert_eq!(code(&ask(&mut caller, &questions, retry).await), -32602);
}

#[tokio::test]
async fn what_is_missing_is_asked_again() {
    let front = Front::new();
    let mut caller = caller(&front);
    let questions = [("a", "elicitation/create"), ("b", "elicitation/create")];
    let first = ask(&mut caller, &questions, json!({})).await;
    let retry = json!({
        "requestState": state(&first),
        "inputResponses": {"b": {"action": "decline"}},
    });
    let second = ask(&mut caller, &questions, retry).await;
    assert_eq!(keys(&second), ["a"]);
    assert_ne!(state(&second), state(&first));
    let retry = json!({
        "requestState": state(&second),
        "inputResponses": {"a": {"action": ACCEPT}},
    });
    let done = ask(&mut caller, &questions, retry).await;
    assert_eq!(
        done["result"]["structuredContent"]["answers"],
        json!([{"action": ACCEPT}, {"action": "decline"}])
    );
}

#[tokio::test]
async fn a_state_is_refused_when_it_was_changed_or_belongs_to_another_request() {
    let front = Front::new();
    let mut caller = caller(&front);
    let questions = [("a", "elicitation/create")];
    let asked = ask(&mut caller, &questions, json!({})).await;
    let answers = json!({"a": {"action": ACCEPT}});
    let tampered = format!("{}x", state(&asked).as_str().unwrap());
    for (questions, state, answers) in [
        (&questions[..], json!(tampered), answers.clone()),
        (&questions[..], json!(7), answers.clone()),
        (
            &[("b", "elicitation/create")][..],
            state(&asked).clone(),
            answers.clone(),
        ),
        (&questions[..], state(&asked).clone(), json!({"a": 12345})),
        (
            &questions[..],
            state(&asked).clone(),
            json!({"a": {"no": "action"}}),
        ),
        (&questions[..], state(&asked).clone(), json!(null)),
    ] {
        let retry = json!({"requestState": state, "inputResponses": answers});
        let answer = ask(&mut caller, questions, retry).await;
        assert_eq!(code(&answer), -32602, "{answer}");
    }
    // None of them has used it up.
    let retry = json!({"requestState": state(&asked), "inputResponses": answers});
    let done = ask(&mut caller, &questions, retry).await;
    assert_eq!(done["result"]["resultType"], "complete");
}

#[tokio::test]
async fn answers_may_come_with_the_first_request() {
    let front = Front::new();
    let mut caller = caller(&front);
    let answers = json!({"a": {"action": ACCEPT}, "unknown": {"action": ACCEPT}});
    let more = json!({"inputResponses": answers});
    let done = ask(&mut caller, &[("a", "elicitation/create")], more).await;
    assert_eq!(
        done["result"]["structuredContent"]["answers"],
        json!([{"action": ACCEPT}])
    );
    // The copy did not get to see them as arguments.
    let heard = front.source.copy(0).hears_method("tools/call").await;
    assert!(heard["params"].get("inputResponses").is_none(), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_come_back_is_given_up() {
    let front = Front::new();
    let mut caller = caller(&front);
    let questions = [("a", "elicitation/create")];
    let asked = ask(&mut caller, &questions, json!({})).await;
    tokio::time::advance(Duration::from_mins(11)).await;
    front
        .source
        .copy(0)
        .hears_method("notifications/cancelled")
        .await;
    let retry = json!({
        "requestState": state(&asked),
        "inputResponses": {"a": {"action": ACCEPT}},
    });
    assert_eq!(code(&ask(&mut caller, &questions, retry).await), -32602);
}

#[tokio::test]
async fn a_suspended_call_outlives_a_new_version() {
    let front = Front::new();
    let mut caller = caller(&front);
    let questions = [("a", "elicitation/create")];
    let asked = ask(&mut caller, &questions, json!({})).await;
    front.source.reload();
    assert_eq!(caller.served_by().await, 2);
    let retry = json!({
        "requestState": state(&asked),
        "inputResponses": {"a": {"action": ACCEPT}},
    });
    let done = ask(&mut caller, &questions, retry).await;
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
    front.source.copy(0).until_closed().await;
}
