//! Streams that belong to no call: GET of the older era, `subscriptions/listen` of the newer.

use axum::body::Body;
use axum::http::HeaderValue;
use serde_json::json;

use super::client::Caller;
use super::played::Front;

fn changed(list: &str) -> serde_json::Value {
    json!({"jsonrpc": "2.0", "method": format!("notifications/{list}/list_changed"), "params": {}})
}

#[tokio::test]
async fn what_happened_before_the_stream_is_told_when_it_opens_once() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    let copy = front.source.copy(0);
    for _ in 0..100 {
        copy.say(changed("tools"));
    }
    copy.say(changed("prompts"));
    // The answer comes after what the copy said before it.
    caller.served_by().await;
    let mut stream = caller.listen().await;
    assert_eq!(stream.next().await.unwrap(), changed("tools"));
    assert_eq!(stream.next().await.unwrap(), changed("prompts"));
}

#[tokio::test]
async fn a_new_reader_takes_the_stream_over() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    let first = caller.listen().await;
    let mut second = caller.listen().await;
    front.source.copy(0).say(changed("tools"));
    assert_eq!(second.next().await.unwrap(), changed("tools"));
    assert_eq!(first.all().await, [json!(null); 0]);
}

#[tokio::test]
async fn a_question_without_a_call_needs_a_stream() {
    let front = Front::new();
    let capabilities = json!({"roots": {}});
    let mut caller = Caller::legacy_with(&front, "2025-11-25", capabilities).await;
    caller.served_by().await;
    let copy = front.source.copy(0);
    let ask = |id: &str| json!({"jsonrpc": "2.0", "id": id, "method": "roots/list", "params": {}});
    copy.say(ask("q1"));
    let refused = copy.hears(|heard| heard["id"] == "q1").await;
    assert_eq!(refused["error"]["code"], -32600);
    let mut stream = caller.listen().await;
    copy.say(ask("q2"));
    let asked = stream.next().await.unwrap();
    assert_eq!(asked["method"], "roots/list");
    // The copy changes its mind.
    copy.say(json!({
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": "q2"},
    }));
    let cancelled = stream.next().await.unwrap();
    assert_eq!(cancelled["params"], json!({"requestId": asked["id"]}));
}

#[tokio::test]
async fn a_listener_hears_of_versions_and_of_what_its_copy_says() {
    let front = Front::new();
    let mut caller = Caller::stateless(&front);
    let params = json!({"notifications": {
        "toolsListChanged": true,
        "resourceSubscriptions": ["a://1"],
    }});
    let mut stream = caller.request("subscriptions/listen", params).await;
    let meta = json!({"io.modelcontextprotocol/subscriptionId": 1});
    let acknowledged = stream.next().await.unwrap();
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    assert_eq!(acknowledged["params"]["_meta"], meta);

    let copy = front.source.copy(0);
    copy.hears_method("resources/subscribe").await;
    copy.say(changed("prompts"));
    copy.say(changed("tools"));
    let heard = stream.next().await.unwrap();
    assert_eq!(heard["method"], "notifications/tools/list_changed");
    assert_eq!(heard["params"]["_meta"], meta);

    // A new version: the lists that differ, and its copy is asked for the updates.
    front.source.change(true, true, false);
    let heard = stream.next().await.unwrap();
    assert_eq!(heard["method"], "notifications/tools/list_changed");
    while front.source.opened() < 2 {
        tokio::task::yield_now().await;
    }
    let copy = front.source.copy(1);
    copy.hears_method("resources/subscribe").await;
    copy.say(json!({
        "jsonrpc": "2.0",
        "method": "notifications/resources/updated",
        "params": {"uri": "a://1"},
    }));
    let heard = stream.next().await.unwrap();
    assert_eq!(heard["params"], json!({"uri": "a://1", "_meta": meta}));

    // The server ends it with a result; a client that leaves ends its subscription.
    let other = json!({"notifications": {"resourceSubscriptions": ["a://2"]}});
    drop(caller.request("subscriptions/listen", other).await);
    let left = copy.hears_method("resources/unsubscribe").await;
    assert_eq!(left["params"], json!({"uri": "a://2"}));
    front.server.close().await;
    let ended = stream.next().await.unwrap();
    assert_eq!(ended["id"], 1);
    assert_eq!(ended["result"]["resultType"], "complete");
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_lost_stream_is_taken_up_where_it_broke_off() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    let params = json!({"name": "progress", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut broken = caller.request("tools/call", params).await;
    assert_eq!(broken.next().await.unwrap()["params"]["progress"], 1);
    let last = broken.event.clone().unwrap();
    drop(broken);
    let again = async |last: &str| {
        let mut headers = caller.headers("");
        headers.insert("last-event-id", HeaderValue::from_str(last).unwrap());
        caller.send("GET", headers, Body::empty()).await
    };
    // The end is there as often as it is asked for: it may be lost too.
    for _ in 0..2 {
        let rest = again(&last).await.all().await;
        let steps: Vec<_> = rest
            .iter()
            .map(|message| message["params"]["progress"].clone())
            .collect();
        assert_eq!(steps, [json!(2), json!(3), json!(null)]);
        assert!(rest[2]["result"].is_object());
    }
    assert_eq!(again("7.1").await.all().await, [json!(null); 0]);
    // Not for ever.
    tokio::time::sleep(std::time::Duration::from_mins(2)).await;
    assert_eq!(again(&last).await.all().await, [json!(null); 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_can_be_waited_for_on_a_second_connection() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    let params = json!({"name": "wait", "arguments": {}});
    let mut first = caller.request("tools/call", params).await;
    let mut headers = caller.headers("");
    // Nothing was said yet, but there is an id to begin from.
    let primed = async {
        while first.event.is_none() {
            first.fill().await;
        }
    };
    primed.await;
    let last = first.event.clone().unwrap();
    headers.insert("last-event-id", HeaderValue::from_str(&last).unwrap());
    let second = caller.send("GET", headers, Body::empty()).await;
    front.source.copy(0).release();
    let answer = second.all().await;
    assert_eq!(answer[0]["result"]["content"][0]["text"], "1");
    assert_eq!(first.all().await, [json!(null); 0]);
}
