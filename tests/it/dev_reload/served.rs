//! The same behind the server: clients keep their sessions, whatever happens to the environment.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hud::serve::mcp::{McpServer, ServeOptions};

use super::session::Session;
use super::*;

/// A project that is developed and served.
struct Served {
    dev: Dev,
    server: Arc<McpServer>,
    url: String,
    listening: tokio::task::JoinSet<()>,
}

async fn serve(project: &Project) -> Served {
    let mut dev = project.develop().await;
    let first = dev.next().await;
    assert!(matches!(first, DevEvent::Serving { .. }), "{first:?}");
    let source: Arc<DevEnvironment> = Arc::clone(&dev.environment);
    let server = Arc::new(McpServer::new(source, ServeOptions::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = server.app();
    let mut listening = tokio::task::JoinSet::new();
    listening.spawn(async move { axum::serve(listener, app).await.unwrap() });
    Served {
        dev,
        server,
        url,
        listening,
    }
}

impl Served {
    async fn close(mut self) {
        self.listening.shutdown().await;
        Arc::try_unwrap(self.server).ok().unwrap().close().await;
        self.dev.environment.close().await;
    }
}

const SESSIONS: usize = 50;
const SAVES: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_and_no_session_is_lost_while_files_are_saved() {
    let project = Project::new(&[("env.py", &source("0"))]);
    let mut served = serve(&project).await;
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..SESSIONS {
        let session = Session::open(&served.url).await;
        let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
        load.spawn(async move {
            let mut last = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = session.call("version", json!({})).await.unwrap();
                let answer: u64 = answer.parse().unwrap();
                assert!(answer >= last, "{answer} after {last}");
                last = answer;
                calls.fetch_add(1, Ordering::Relaxed);
            }
            session
        });
    }
    for number in 1..=SAVES {
        project.write("env.py", &source(&number.to_string()));
        loop {
            match served.dev.next().await {
                DevEvent::Reloaded { version, .. } if version == number + 1 => break,
                DevEvent::Call(call) => assert_eq!(call.outcome, hud::mcp::CallOutcome::Ok),
                other => panic!("{other:?}"),
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let sessions = load.join_all().await;
    assert_eq!(served.server.relays().sessions(), SESSIONS);
    for session in &sessions {
        let answer = session.call("version", json!({})).await;
        assert_eq!(answer, Ok(SAVES.to_string()));
    }
    assert!(calls.load(Ordering::Relaxed) >= SESSIONS);
    assert_eq!(served.dev.environment.status().reloads, SAVES);
    served.close().await;
}

/// An environment whose tool and scenario wait and answer with its name.
fn waiting(name: &str, mark: &str) -> String {
    format!(
        "import asyncio\nfrom hud import Environment\nenv = Environment('small')\nNAME = '{name}'\n\n\
         @env.tool\nasync def wait() -> str:\n    {mark}.write_text('waiting')\n    while {mark}.read_text() != 'go':\n        await asyncio.sleep(0.005)\n    return NAME\n\n\
         @env.tool\ndef version() -> str:\n    return NAME\n\n\
         @env.scenario('which')\nasync def which():\n    answer = yield 'Which version is this?'\n    yield 1.0 if answer == NAME else 0.0\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_and_scenarios_stay_with_the_version_they_began_with() {
    let project = Project::new(&[]);
    let (path, python) = mark(&project);
    project.write("env.py", &waiting("one", &python));
    let mut served = serve(&project).await;
    let caller = Arc::new(Session::open(&served.url).await);
    let player = Session::open(&served.url).await;
    let other = Session::open(&served.url).await;
    let mut told = other.listen().await;
    let mut player_told = player.listen().await;
    let setup = player
        .ask("prompts/get", json!({"name": "small:which"}))
        .await;
    assert!(setup.is_ok(), "{setup:?}");
    assert_eq!(other.call("version", json!({})).await.unwrap(), "one");
    let running = {
        let caller = Arc::clone(&caller);
        tokio::task::spawn(async move { caller.call("wait", json!({})).await })
    };
    exists(&path).await;

    let more = "\n@env.tool\ndef more() -> str:\n    return 'more'\n";
    project.write("env.py", &(waiting("two", &python) + more));
    while !matches!(served.dev.next().await, DevEvent::Reloaded { .. }) {}
    assert_eq!(other.call("version", json!({})).await.unwrap(), "two");
    let changed = told.recv().await.unwrap();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    // The scenario's session is wholly on its version, until it is graded.
    assert_eq!(player.call("version", json!({})).await.unwrap(), "one");
    let submit = json!({"scenario": "which", "answer": "one"});
    player.call("_hud_submit", submit).await.unwrap();
    let grade = player
        .ask("resources/read", json!({"uri": "small:which"}))
        .await
        .unwrap();
    let grade: Value =
        serde_json::from_str(grade["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(grade["reward"], json!(1.0));
    assert_eq!(player.call("version", json!({})).await.unwrap(), "two");
    let changed = player_told.recv().await.unwrap();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    // The call that began before the save ends where it began.
    assert!(!running.is_finished());
    std::fs::write(&path, "go").unwrap();
    assert_eq!(running.await.unwrap().unwrap(), "one");
    assert_eq!(caller.call("version", json!({})).await.unwrap(), "two");
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_costs_the_call_and_not_the_session() {
    let project = Project::new(&[("env.py", DEADLY)]);
    let mut served = serve(&project).await;
    let (one, other) = (
        Session::open(&served.url).await,
        Session::open(&served.url).await,
    );
    assert_eq!(other.call("version", json!({})).await.unwrap(), "1");
    let error = one.call("die", json!({})).await.unwrap_err();
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("the environment's process was ended by SIGKILL"),
        "{error}"
    );
    while !matches!(served.dev.next().await, DevEvent::WorkerDied { .. }) {}
    for session in [&one, &other] {
        assert!(session.call("version", json!({})).await.is_ok());
    }
    assert_eq!(served.server.relays().sessions(), 2);
    served.close().await;
}
