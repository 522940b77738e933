//! A program that is only its streams, and two clients of it.

use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::ProgramStreams;
use super::line::Line;
use super::link::Link;
use crate::mcp::LineDiagnostics;

struct Bench {
    link: std::sync::Arc<Link>,
    heard: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    program: WriteHalf<DuplexStream>,
    _tasks: JoinSet<()>,
}

struct Client {
    number: u64,
    to: mpsc::UnboundedSender<String>,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Bench {
    /// A program that has been initialised.
    async fn new() -> Self {
        let (ours, theirs) = tokio::io::duplex(1024);
        let (read, write) = tokio::io::split(ours);
        let (heard, mut program) = tokio::io::split(theirs);
        let mut heard = BufReader::new(heard).lines();
        let streams = ProgramStreams {
            read: Box::new(read),
            write: Box::new(write),
            diagnostics: LineDiagnostics::default(),
        };
        let mut tasks = JoinSet::new();
        let answer = async {
            let asked = heard.next_line().await.unwrap().unwrap();
            assert!(asked.contains(r#""method":"initialize""#), "{asked}");
            let text = "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"serverInfo\":1}}\n";
            program.write_all(text.as_bytes()).await.unwrap();
            let told = heard.next_line().await.unwrap().unwrap();
            assert!(told.contains("notifications/initialized"), "{told}");
        };
        let open = Link::open(streams, Duration::from_mins(1), &mut tasks);
        let (link, ()) = tokio::join!(open, answer);
        Self {
            link: link.unwrap(),
            heard,
            program,
            _tasks: tasks,
        }
    }

    fn client(&self, number: u64) -> Client {
        let (to, lines) = mpsc::unbounded_channel();
        assert!(self.link.join(number, to.clone()));
        Client { number, to, lines }
    }

    /// What the program hears when `client` says something.
    async fn says(&mut self, client: &Client, text: &str) -> String {
        let line = Line::parse(text).unwrap();
        self.link.client_said(client.number, &client.to, &line);
        self.heard.next_line().await.unwrap().unwrap()
    }

    async fn program_says(&mut self, text: &str) {
        self.program.write_all(text.as_bytes()).await.unwrap();
        self.program.write_all(b"\n").await.unwrap();
    }
}

impl Client {
    async fn hears(&mut self) -> String {
        self.lines.recv().await.unwrap().trim_end().to_owned()
    }
}

#[tokio::test]
async fn each_client_gets_its_own_answers_and_progress_under_its_own_names() {
    let mut bench = Bench::new().await;
    let (mut one, mut two) = (bench.client(1), bench.client(2));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":1}}}"#;
    assert_eq!(
        bench.says(&one, call).await,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":1},"name":"a"}}"#
    );
    assert_eq!(
        bench.says(&two, call).await,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"_meta":{"progressToken":2},"name":"a"}}"#
    );
    bench
        .program_says(
            r#"{"method":"notifications/progress","params":{"progressToken":2,"progress":0.5}}"#,
        )
        .await;
    assert_eq!(
        two.hears().await,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.5,"progressToken":1}}"#
    );
    bench
        .program_says(r#"{"id":2,"result":{"for":"two"}}"#)
        .await;
    bench
        .program_says(r#"{"id":1,"error":{"for":"one"}}"#)
        .await;
    assert_eq!(
        two.hears().await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"for":"two"}}"#
    );
    assert_eq!(
        one.hears().await,
        r#"{"jsonrpc":"2.0","id":1,"error":{"for":"one"}}"#
    );
    bench
        .program_says(r#"{"method":"notifications/tools/list_changed"}"#)
        .await;
    for client in [&mut one, &mut two] {
        assert!(client.hears().await.contains("list_changed"));
    }
}

#[tokio::test]
async fn a_question_goes_to_the_client_that_the_program_works_for() {
    let mut bench = Bench::new().await;
    let (mut one, two) = (bench.client(1), bench.client(2));
    let question = r#"{"id":"q","method":"sampling/createMessage","params":{}}"#;
    let call = r#"{"id":5,"method":"tools/call","params":{}}"#;
    bench.says(&one, call).await;
    bench.program_says(question).await;
    assert_eq!(
        one.hears().await,
        r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#
    );
    let answer = r#"{"id":"q","result":{"role":"assistant"}}"#;
    assert_eq!(
        bench.says(&one, answer).await,
        r#"{"jsonrpc":"2.0","id":"q","result":{"role":"assistant"}}"#
    );
    bench.says(&two, call).await;
    bench.program_says(question).await;
    let refused = bench.heard.next_line().await.unwrap().unwrap();
    assert!(
        refused.starts_with(r#"{"jsonrpc":"2.0","id":"q","error":"#)
            && refused.contains("several clients share this process"),
        "{refused}"
    );
    bench.program_says(r#"{"id":9,"method":"ping"}"#).await;
    assert_eq!(
        bench.heard.next_line().await.unwrap().unwrap(),
        r#"{"jsonrpc":"2.0","id":9,"result":{}}"#
    );
}

#[tokio::test]
async fn what_a_client_gives_up_or_leaves_behind_is_cancelled() {
    let mut bench = Bench::new().await;
    let (one, mut two) = (bench.client(1), bench.client(2));
    let call = r#"{"id":"x","method":"tools/call","params":{}}"#;
    bench.says(&one, call).await;
    bench.says(&two, call).await;
    let cancel = r#"{"method":"notifications/cancelled","params":{"requestId":"x","reason":"r"}}"#;
    assert_eq!(
        bench.says(&two, cancel).await,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"r","requestId":2}}"#
    );
    bench.link.forget(1);
    assert_eq!(
        bench.heard.next_line().await.unwrap().unwrap(),
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"the client left"}}"#
    );
    bench.program.shutdown().await.unwrap();
    drop(two.to);
    assert_eq!(two.lines.recv().await, None, "the program is gone");
    assert!(!bench.link.join(3, mpsc::unbounded_channel().0));
}
