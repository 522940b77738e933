//! A server program that all sessions of a development server share: what one call sets up, the next client sees.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::task::JoinSet;

use super::stdio::{StdioOptions, StdioServer};
use crate::environment::started::{Notice, NoticeSink};
use crate::mcp::{Client, ClientEvents};

/// How long closing the connection may take.
const CLOSE: Duration = Duration::from_secs(1);

/// A running program and the one connection to it.
pub(in crate::environment) struct SharedCommand {
    server: Arc<StdioServer>,
    client: Arc<Client>,
    listeners: Arc<Listeners>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl SharedCommand {
    /// Starts the program and initialises MCP. `notices` learns when it ends by itself.
    pub(in crate::environment) async fn start(
        options: StdioOptions<'_>,
        notices: Option<NoticeSink>,
    ) -> Result<Self, String> {
        let listeners = Arc::<Listeners>::default();
        let (server, client) =
            StdioServer::start(options, Arc::<Listeners>::clone(&listeners)).await?;
        let server = Arc::new(server);
        let mut tasks = JoinSet::new();
        if let Some(notices) = notices {
            let server = Arc::clone(&server);
            tasks.spawn(async move {
                server.ended().await;
                let message = server.explain("the command ended by itself").await;
                notices(Notice::Ended { message });
            });
        }
        Ok(Self {
            server,
            client: Arc::new(client),
            listeners,
            tasks: tokio::sync::Mutex::new(tasks),
        })
    }

    /// The connection.
    pub(in crate::environment) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Lets `events` hear what the program says, until the answer is dropped.
    pub(in crate::environment) fn join(&self, events: Arc<dyn ClientEvents>) -> Joined {
        let id = self.listeners.next.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut joined) = self.listeners.joined.lock() {
            joined.insert(id, events);
        }
        Joined {
            listeners: Arc::clone(&self.listeners),
            id,
        }
    }

    /// Whether the program has ended.
    pub(in crate::environment) fn is_gone(&self) -> bool {
        self.server.is_gone()
    }

    /// `message` with what is known of the program's end.
    pub(in crate::environment) async fn explain(&self, message: &str) -> String {
        self.server.explain(message).await
    }

    /// Closes the connection and ends the program.
    pub(in crate::environment) async fn close(&self) {
        // From now on its end is no news.
        self.tasks.lock().await.shutdown().await;
        self.client.close(CLOSE).await;
        self.server.close().await;
    }
}

/// The sessions that share a program.
#[derive(Default)]
struct Listeners {
    next: AtomicU64,
    joined: Mutex<BTreeMap<u64, Arc<dyn ClientEvents>>>,
}

/// A session's membership; ends when it is dropped.
pub(in crate::environment) struct Joined {
    listeners: Arc<Listeners>,
    id: u64,
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Ok(mut joined) = self.listeners.joined.lock() {
            joined.remove(&self.id);
        }
    }
}

impl Listeners {
    fn all(&self) -> Vec<Arc<dyn ClientEvents>> {
        self.joined
            .lock()
            .map(|joined| joined.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The session that a question is for. Nothing in MCP says which one's call made the program ask, so there must be only one.
    fn only(&self) -> Result<Arc<dyn ClientEvents>, String> {
        let mut all = self.all();
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(_), false) => Err(
                "several clients share this process, and it cannot be told which one is asked\nhint: give each its own with --isolation spawn"
                    .to_owned(),
            ),
            (None, _) => Err("no client is connected".to_owned()),
        }
    }
}

#[async_trait]
impl ClientEvents for Listeners {
    async fn sample(&self, parameters: Value) -> Result<Value, String> {
        self.only()?.sample(parameters).await
    }

    fn offers_sampling(&self) -> bool {
        true
    }

    fn log(&self, level: &str, text: &str) {
        for events in self.all() {
            events.log(level, text);
        }
    }
}
