//! An environment as an MCP server: every client works in a copy of its own, over streamable HTTP at `/mcp` or over a byte stream.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use axum::serve::ListenerExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::{Callers, Token, check_caller, require_token};
use super::rest;
pub use crate::mcp::Limits;
use crate::mcp::{CopySource, FrontOptions, RelayServer};

/// To whom an environment is served, and how.
#[derive(Clone)]
pub struct ServeOptions {
    /// Names that requests may carry in `Host`.
    pub hosts: Vec<String>,
    /// Pages (`https://app.example.com`) whose scripts may use the server; requests with any other `Origin` are refused.
    pub origins: Vec<String>,
    /// The token that requests must carry, when there is one.
    pub token: Option<Token>,
    /// Bounds of what clients may use.
    pub limits: Limits,
    /// How long calls in flight may go on in a copy of an older version.
    pub drain: Duration,
    /// A tool that runs longer is stopped; `None` lets it run.
    pub tool_timeout: Option<Duration>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            hosts: ["localhost", "127.0.0.1", "::1"]
                .map(str::to_owned)
                .to_vec(),
            origins: Vec::new(),
            token: None,
            limits: Limits::default(),
            drain: Duration::from_secs(10),
            tool_timeout: None,
        }
    }
}

/// A server of one environment.
pub struct McpServer {
    relays: Arc<RelayServer>,
    source: Arc<dyn CopySource>,
    status: Option<Arc<dyn rest::Status>>,
    options: ServeOptions,
    tasks: JoinSet<()>,
}

/// How long answers that are on their way may take when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How long the background work may take then: what it does not get to ends with the processes of the copies.
const LAST_CHORES: Duration = Duration::from_secs(1);

impl McpServer {
    /// A server without a client yet. Must be called within a runtime.
    pub fn new(source: Arc<dyn CopySource>, options: ServeOptions) -> Self {
        let front = FrontOptions {
            limits: options.limits,
            drain: options.drain,
            tool_timeout: options.tool_timeout,
        };
        let (relays, janitor) = RelayServer::new(Arc::clone(&source), front);
        let mut tasks = JoinSet::new();
        tasks.spawn(janitor.run());
        Self {
            relays,
            source,
            status: None,
            options,
            tasks,
        }
    }

    /// Serves the plain HTTP routes of [`rest`] beside MCP, with `status` behind `/health` and `/logs`.
    #[must_use]
    pub fn with_routes(mut self, status: Arc<dyn rest::Status>) -> Self {
        self.status = Some(status);
        self
    }

    /// The sessions and their copies, for other ways to serve the same environment.
    pub fn relays(&self) -> &Arc<RelayServer> {
        &self.relays
    }

    /// The HTTP app: MCP at `/mcp`; the routes of [`rest`], or `{"status":"ok"}` at `/health`. Every route refuses foreign hosts and origins.
    pub fn app(&self) -> Router {
        let relays = Arc::clone(&self.relays);
        let mcp = any(move |request: Request| Arc::clone(&relays).handle(request));
        let mut app = Router::new().route("/mcp", mcp);
        if let Some(token) = &self.options.token {
            app = app.layer(from_fn_with_state(token.clone(), require_token));
        }
        let callers = Callers::new(&self.options.hosts, &self.options.origins);
        let Some(status) = &self.status else {
            let health = get(|| async { axum::Json(serde_json::json!({"status": "ok"})) });
            return app
                .route("/health", health)
                .layer(from_fn_with_state(callers, check_caller));
        };
        let backend = rest::SharedCopy::new(
            Arc::clone(&self.relays),
            Arc::clone(&self.source),
            self.options.tool_timeout,
        );
        let guard = rest::Guard {
            token: self.options.token.clone(),
            body_bytes: self.options.limits.body_bytes,
        };
        app.merge(rest::routes(Arc::new(backend), Arc::clone(status), &guard))
            .layer(from_fn_with_state(callers, check_caller))
    }

    /// Serves the app on `listener` until `stop` fires; running answers then have two seconds to finish.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve_http(
        &self,
        listener: tokio::net::TcpListener,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        let listener = listener.tap_io(prepare_connection);
        let stopped = stop.clone();
        let serving = axum::serve(listener, self.app())
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            outcome = serving => outcome,
            () = grace => Ok(()),
        }
    }

    /// Serves one client over a byte stream until it leaves or `stop` fires.
    ///
    /// # Errors
    /// In words, when reading from the client fails.
    pub async fn serve_stream<R, W>(
        &self,
        read: R,
        write: W,
        stop: CancellationToken,
    ) -> Result<(), String>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let relays = Arc::clone(&self.relays);
        relays.serve_stream(read, write, stop).await
    }

    /// Ends every session: scenarios are closed, shutdown hooks run, processes end.
    pub async fn close(mut self) {
        self.relays.close().await;
        let chores = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_CHORES, chores).await;
    }
}

fn prepare_connection(stream: &mut tokio::net::TcpStream) {
    // An answer is a few small writes; waiting for the client's acknowledgement of each would cost it 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY was refused: {error}");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&*stream, UNREAD) {
        tracing::debug!("TCP_USER_TIMEOUT was refused: {error}");
    }
}

/// A client that takes nothing of what it was sent for this long, in milliseconds, is gone, and what waits for it is dropped.
#[cfg(target_os = "linux")]
const UNREAD: u32 = 60_000;
