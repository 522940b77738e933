//! Which version a session is served by.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::Caller;
use super::played::Front;
use crate::mcp::front::{CallOutcome, FrontOptions};

fn message(answer: &Value) -> &str {
    answer["error"]["message"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_copy_is_opened_by_the_first_request_that_needs_one() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.request("ping", json!({})).await;
    let params = json!({"level": "error"});
    caller.request("logging/setLevel", params).await;
    assert_eq!(front.source.opened(), 0);
    assert_eq!(caller.served_by().await, 1);
    assert_eq!(front.source.opened(), 1);
    // What was said before it came is said to it.
    let level = front.source.copy(0).hears_method("logging/setLevel").await;
    assert_eq!(level["params"], json!({"level": "error"}));
}

#[tokio::test]
async fn the_next_request_goes_to_the_new_version_and_the_old_copy_is_closed() {
    let front = Front::new();
    let mut session = Caller::legacy(&front).await;
    let mut shared = Caller::stateless(&front);
    assert_eq!(
        (session.served_by().await, shared.served_by().await),
        (1, 1)
    );
    front.source.reload();
    assert_eq!(
        (session.served_by().await, shared.served_by().await),
        (2, 2)
    );
    for index in [0, 1] {
        front.source.copy(index).until_closed().await;
    }
    assert_eq!(front.source.open(), [2, 2]);
}

#[tokio::test]
async fn a_call_in_flight_finishes_where_it_began() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    let waiting = caller.request("tools/call", json!({"name": "wait", "arguments": {}}));
    let old = front.source.copy(0);
    let (waiting, ()) = tokio::join!(waiting, async {
        old.hears(|heard| heard["params"]["name"] == "wait").await;
        front.source.reload();
        let mut other = Caller::legacy(&front).await;
        other.served_by().await;
        old.release();
    });
    let answer = waiting.last().await;
    assert_eq!(answer["result"]["content"][0]["text"], "1", "{answer}");
    assert_eq!(caller.served_by().await, 2);
    old.until_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlasts_the_drain_is_ended() {
    let front = Front::with(FrontOptions {
        drain: Duration::from_secs(3),
        ..FrontOptions::default()
    });
    let mut caller = Caller::stateless(&front);
    let mut other = Caller::stateless(&front);
    let mut waiting = caller
        .request("tools/call", json!({"name": "wait", "arguments": {}}))
        .await;
    front.source.reload();
    assert_eq!(other.served_by().await, 2);
    let answer = waiting.next().await.unwrap();
    assert_eq!(
        message(&answer),
        "stopped: version 1 was replaced, and this was still running 3.0s later"
    );
    front.source.copy(0).until_closed().await;
}

#[tokio::test]
async fn a_scenario_stays_on_its_version_until_it_is_graded() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.set_up("e:s").await;
    front.source.reload();
    assert_eq!(caller.served_by().await, 1);
    caller
        .call("_hud_submit", json!({"scenario": "s", "answer": "x"}))
        .await;
    let grade = caller.grade("e:s").await;
    assert_eq!(grade["result"]["contents"][0]["text"], r#"{"reward":1}"#);
    assert_eq!(caller.served_by().await, 2);
    front.source.copy(0).until_closed().await;
}

#[tokio::test]
async fn a_scenarios_short_name_binds_too_and_other_prompts_do_not() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.set_up("plain").await;
    front.source.reload();
    assert_eq!(caller.served_by().await, 2);
    caller.set_up("s").await;
    front.source.reload();
    assert_eq!(caller.served_by().await, 2);
    caller.grade("e:s").await;
    assert_eq!(caller.served_by().await, 3);
}

#[tokio::test]
async fn a_new_setup_goes_to_the_new_version_when_it_succeeds() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.set_up("e:s").await;
    front.source.reload();
    // What the new version refuses leaves the old scenario as it is.
    assert_eq!(
        message(&caller.set_up("e:unknown").await),
        "no such scenario"
    );
    assert_eq!(message(&caller.set_up("e:failing").await), "setup raised");
    assert_eq!(caller.served_by().await, 1);
    let prompt = caller.set_up("e:s").await;
    assert_eq!(
        prompt["result"]["messages"][0]["content"]["text"],
        "version 2"
    );
    assert_eq!(caller.served_by().await, 2);
    front.source.copy(0).until_closed().await;
    assert_eq!(front.source.open(), [2]);
}

#[tokio::test]
async fn clients_hear_of_the_lists_that_differ() {
    let front = Front::new();
    let caller = Caller::legacy(&front).await;
    let mut stream = caller.listen().await;
    front.source.change(true, false, false);
    front.source.change(false, true, true);
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(stream.next().await.unwrap()["method"].clone());
    }
    assert_eq!(
        heard,
        [
            "notifications/tools/list_changed",
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed"
        ]
    );
}

#[tokio::test]
async fn a_session_with_a_scenario_hears_of_it_when_it_moves() {
    let front = Front::new();
    let mut bound = Caller::legacy(&front).await;
    let free = Caller::legacy(&front).await;
    let mut stream = bound.listen().await;
    bound.set_up("e:s").await;
    front.source.reload();
    // Once the free session has heard of it, the bound one would have too.
    free.listen().await.next().await.unwrap();
    bound.served_by().await;
    front
        .source
        .copy(0)
        .say(json!({"jsonrpc": "2.0", "method": "notifications/vendor"}));
    assert_eq!(
        stream.next().await.unwrap()["method"],
        "notifications/vendor"
    );
    bound.grade("e:s").await;
    bound.served_by().await;
    let heard = stream.next().await.unwrap();
    assert_eq!(heard["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_copy_that_died_is_replaced_and_its_scenario_is_lost() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.set_up("e:s").await;
    let waiting = caller.request("tools/call", json!({"name": "wait", "arguments": {}}));
    let copy = front.source.copy(0);
    let (waiting, ()) = tokio::join!(waiting, async {
        copy.hears(|heard| heard["params"]["name"] == "wait").await;
        copy.kill();
    });
    let died = "the environment's process was ended by SIGSEGV";
    assert_eq!(message(&waiting.last().await), died);
    // Other requests go on, on a fresh copy.
    assert_eq!(caller.served_by().await, 1);
    assert_eq!(front.source.opened(), 2);
    let lost = format!("the scenario `e:s` is lost: {died}\nhint: set it up again");
    let submit = json!({"scenario": "s", "answer": "x"});
    assert_eq!(message(&caller.call("_hud_submit", submit).await), lost);
    assert_eq!(message(&caller.grade("e:s").await), lost);
    caller.set_up("e:s").await;
    assert!(caller.grade("e:s").await["result"].is_object());
}

#[tokio::test]
async fn an_old_version_serves_while_no_new_copy_opens() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.served_by().await;
    front.source.reload();
    *front.source.broken.lock().unwrap() = Some("no more processes".to_owned());
    assert_eq!(caller.served_by().await, 1);
    let mut other = Caller::legacy(&front).await;
    let answer = other.call("version", json!({})).await;
    assert_eq!(message(&answer), "no more processes");
    *front.source.broken.lock().unwrap() = None;
    assert_eq!((caller.served_by().await, other.served_by().await), (2, 2));
}

#[tokio::test]
async fn reports_say_what_ran_where_and_how_it_ended() {
    let front = Front::new();
    let mut caller = Caller::legacy(&front).await;
    caller.call("version", json!({})).await;
    front.source.reload();
    caller.call("fail", json!({})).await;
    caller.call("unknown", json!({})).await;
    caller.request("tools/list", json!({})).await.last().await;
    Caller::stateless(&front).call("version", json!({})).await;
    let reports: Vec<_> = front
        .source
        .take_reports()
        .into_iter()
        .map(|report| {
            let own = report.session == *caller.session.as_ref().unwrap();
            let session = if own {
                "own".to_owned()
            } else {
                report.session
            };
            (report.name, session, report.version, report.outcome)
        })
        .collect();
    let row = |name: &str, session: &str, version, outcome| {
        (name.to_owned(), session.to_owned(), version, outcome)
    };
    assert_eq!(
        reports,
        [
            row("version", "own", 1, CallOutcome::Ok),
            row("fail", "own", 2, CallOutcome::ToolError("boom".into())),
            row(
                "unknown",
                "own",
                2,
                CallOutcome::Failed("unknown tool unknown".into())
            ),
            row("version", "shared", 2, CallOutcome::Ok),
        ]
    );
}

/// What the whole front is for: nobody notices 200 new versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_versions_and_fifty_sessions_without_one_failed_request() {
    const VERSIONS: u64 = 200;
    let front = Front::new();
    let mut sessions = JoinSet::new();
    for number in 0..50 {
        let mut caller = if number % 5 == 0 {
            Caller::stateless(&front)
        } else {
            Caller::legacy(&front).await
        };
        sessions.spawn(async move {
            let mut last = 0;
            let mut calls = 0_u64;
            while last <= VERSIONS {
                let version = caller.served_by().await;
                assert!(
                    version >= last,
                    "a session went back to {version} from {last}"
                );
                last = version;
                calls += 1;
            }
            calls
        });
    }
    let mut ticks = 0;
    while ticks < VERSIONS {
        front.source.reload();
        ticks += 1;
        // Each version is seen by someone before the next one comes.
        let mut copies = front.source.opened();
        while !front.source.open().contains(&(ticks + 1)) {
            tokio::task::yield_now().await;
            copies = copies.max(front.source.opened());
        }
    }
    let mut calls = 0;
    while let Some(done) = sessions.join_next().await {
        calls += done.unwrap();
    }
    assert!(calls >= 50 * 2, "{calls}");
    let failed: Vec<_> = front
        .source
        .take_reports()
        .into_iter()
        .filter(|report| report.outcome != CallOutcome::Ok)
        .collect();
    assert_eq!(failed, []);
}
