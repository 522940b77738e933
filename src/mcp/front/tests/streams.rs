//! Streams that belong to no call: GET of the older era, `subscriptions/listen` of the newer.

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
