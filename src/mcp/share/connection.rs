//! A program and the clients that share it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::client::SharedClient;
use super::link::Link;
use crate::mcp::{Client, ClientEvents, LineDiagnostics, McpError};

/// How much may be on its way between a client of ours and the program, each way, before the writer waits.
const BUFFER: usize = 256 * 1024;

/// A running program, as streams.
pub struct ProgramStreams {
    /// Its stdout.
    pub read: Box<dyn AsyncRead + Send + Unpin>,
    /// Its stdin.
    pub write: Box<dyn AsyncWrite + Send + Unpin>,
    /// Keeps what it writes on stdout that is not MCP.
    pub diagnostics: LineDiagnostics,
}

/// Starts programs for clients that set up a scenario.
#[async_trait]
pub trait OwnProgram: Send + Sync + 'static {
    /// Starts one more, or says in words why not.
    async fn start(&self) -> Result<(Box<dyn RunningProgram>, ProgramStreams), String>;
}

/// A program that one client has for itself.
#[async_trait]
pub trait RunningProgram: Send + Sync + 'static {
    /// Ends it; its stdin has been closed.
    async fn stop(&self);
}

/// A program that several clients use.
pub struct SharedConnection {
    link: Arc<Link>,
    own: Arc<dyn OwnProgram>,
    timeout: Duration,
    next: AtomicU64,
    tasks: Mutex<JoinSet<()>>,
}

/// A client's use of the program; fires when that has ended, and the client's own program with it.
pub struct Membership(oneshot::Receiver<()>);

impl Membership {
    /// Waits for the end, at most `limit`.
    pub async fn ended(self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.0).await;
    }
}

impl SharedConnection {
    /// Initialises the program behind `streams`, which may take as long as `timeout`; so may those that `own` starts.
    pub async fn open(
        streams: ProgramStreams,
        own: Arc<dyn OwnProgram>,
        timeout: Duration,
    ) -> Result<Self, McpError> {
        let mut tasks = JoinSet::new();
        let link = Link::open(streams, timeout, &mut tasks).await?;
        Ok(Self {
            link,
            own,
            timeout,
            next: AtomicU64::new(0),
            tasks: Mutex::new(tasks),
        })
    }

    /// One more client of it.
    pub async fn connect(
        &self,
        events: Arc<dyn ClientEvents>,
    ) -> Result<(Client, Membership), McpError> {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let (ended, membership) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (link, own) = (Arc::clone(&self.link), Arc::clone(&self.own));
        let client = SharedClient::new(number, link, own, self.timeout);
        if let Ok(mut tasks) = self.tasks.lock() {
            tasks.spawn(async move {
                client.run(theirs).await;
                // Nobody may wait for it.
                let _ = ended.send(());
            });
        }
        let (read, write) = tokio::io::split(ours);
        let client = Client::over_stream(read, write, events, LineDiagnostics::default()).await?;
        Ok((client, Membership(membership)))
    }

    /// Ends the connection: the program's stdin is closed.
    pub async fn close(&self) {
        let mut tasks = match self.tasks.lock() {
            Ok(mut tasks) => std::mem::take(&mut *tasks),
            Err(_) => return,
        };
        tasks.shutdown().await;
    }
}
