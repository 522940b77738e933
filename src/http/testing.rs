//! A server on loopback that plays raw answers, for tests of this module and of the providers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// `POST /path HTTP/1.1`.
    pub(crate) line: String,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A whole answer. The connection is closed after it.
pub(crate) fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let status = format!("HTTP/1.1 {status} X");
    let length = format!("content-length: {}", body.len());
    let lines = [
        &[status.as_str()],
        headers,
        &[&length, "connection: close", "", body],
    ];
    lines.concat().join("\r\n")
}

/// A stream of server-sent events.
pub(crate) fn stream(body: &str) -> String {
    answer(200, &["content-type: text/event-stream"], body)
}

pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Received>>>,
    running: JoinSet<()>,
}

impl Server {
    /// Plays `answers`, one a connection, then closes its port.
    pub(crate) async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let mut running = JoinSet::new();
        running.spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let received = receive(&mut stream).await;
                seen.lock().unwrap().push(received);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self {
            port,
            requests,
            running,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until the answers are played and the port is closed; the URL that was.
    pub(crate) async fn closed(mut self) -> String {
        self.running.join_next().await;
        self.url()
    }
}

async fn receive(stream: &mut TcpStream) -> Received {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).await.unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut received = Received {
        line: line.trim_end().to_owned(),
        headers,
        body: String::new(),
    };
    let length = received.header("content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).await.unwrap();
    received.body = String::from_utf8(body).unwrap();
    received
}
