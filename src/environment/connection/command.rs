//! A server program that all sessions of a development server share: what one call sets up, the next client sees.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::stdio::{StdioOptions, StdioServer};
use crate::environment::started::{Notice, NoticeSink};
use crate::mcp::{
    Client, ClientEvents, McpError, Membership, OwnProgram, ProgramStreams, RunningProgram,
    SharedConnection,
};

/// A running program.
pub(in crate::environment) struct SharedCommand {
    server: Arc<StdioServer>,
    connection: SharedConnection,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl SharedCommand {
    /// Starts the program and initialises MCP. `notices` learns when it ends by itself.
    pub(in crate::environment) async fn start(
        options: StdioOptions,
        notices: Option<NoticeSink>,
    ) -> Result<Self, String> {
        let (server, streams) = StdioServer::spawn(options.clone()).await?;
        let timeout = options.timeout;
        let connection =
            match SharedConnection::open(streams, Arc::new(Starter(options)), timeout).await {
                Ok(connection) => connection,
                Err(error) => return Err(server.did_not_start(&error).await),
            };
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
            connection,
            tasks: tokio::sync::Mutex::new(tasks),
        })
    }

    /// One more client of it.
    pub(in crate::environment) async fn connect(
        &self,
        events: Arc<dyn ClientEvents>,
    ) -> Result<(Client, Membership), McpError> {
        self.connection.connect(events).await
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
        self.connection.close().await;
        self.server.close().await;
    }
}

/// Starts the same program for a session that sets up a scenario.
struct Starter(StdioOptions);

#[async_trait]
impl OwnProgram for Starter {
    async fn start(&self) -> Result<(Box<dyn RunningProgram>, ProgramStreams), String> {
        let (server, streams) = StdioServer::spawn(self.0.clone()).await?;
        Ok((Box::new(server), streams))
    }
}

#[async_trait]
impl RunningProgram for StdioServer {
    async fn stop(&self) {
        self.close().await;
    }
}

/// How long a session's own program may take to end: what it is given to end by itself, and then to be asked.
pub(in crate::environment) const OWN_EXIT: Duration = Duration::from_secs(6);
