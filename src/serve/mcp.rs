//! An environment as an MCP server: every client works in a copy of its own, over streamable HTTP at `/mcp` or over a byte stream.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::{Token, require_token};
use super::rest;
pub use crate::mcp::Limits;
use crate::mcp::{CopySource, HttpServing, RelayServer};

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
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl McpServer {
    /// A server without a client yet. Must be called within a runtime.
    pub fn new(source: Arc<dyn CopySource>, options: ServeOptions) -> Self {
        let (relays, janitor) = RelayServer::new(Arc::clone(&source), options.limits);
        let mut tasks = JoinSet::new();
        tasks.spawn(janitor.run(Arc::clone(&relays)));
        Self {
            relays,
            source,
            status: None,
            options,
            cancel: CancellationToken::new(),
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

    /// The HTTP app: MCP at `/mcp`; the routes of [`rest`], or `{"status":"ok"}` at `/health`.
    pub fn app(&self) -> Router {
        let serving = HttpServing {
            hosts: self.options.hosts.clone(),
            idle: self.options.limits.idle,
            cancel: self.cancel.clone(),
        };
        let service = crate::mcp::http_service(&self.relays, &serving);
        let mut app = Router::new().route_service("/mcp", service);
        if let Some(token) = &self.options.token {
            app = app.layer(axum::middleware::from_fn_with_state(
                token.clone(),
                require_token,
            ));
        }
        let Some(status) = &self.status else {
            return app.route(
                "/health",
                get(|| async { axum::Json(serde_json::json!({"status": "ok"})) }),
            );
        };
        let backend = rest::SharedCopy::new(
            Arc::clone(&self.relays),
            Arc::clone(&self.source),
            self.options.tool_timeout,
        );
        let guard = rest::Guard {
            hosts: self.options.hosts.clone(),
            origins: self.options.origins.clone(),
            token: self.options.token.clone(),
            body_bytes: self.options.limits.body_bytes,
        };
        app.merge(rest::routes(Arc::new(backend), Arc::clone(status), guard))
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
        // An answer is a few small writes; waiting for the client's acknowledgement of each would cost it 40 ms.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("TCP_NODELAY was refused: {error}");
            }
        });
        let stopped = stop.clone();
        let serving = axum::serve(listener, self.app())
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        let grace = async {
            stop.cancelled().await;
            // Event streams of idle clients never finish by themselves.
            self.cancel.cancel();
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            outcome = serving => outcome,
            () = grace => Ok(()),
        }
    }

    /// Serves one client over a byte stream until it leaves or `stop` fires.
    ///
    /// # Errors
    /// In words, when the client does not initialise.
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
        crate::mcp::serve_stream(&self.relays, read, write, stop).await
    }

    /// Ends every session: scenarios are closed, shutdown hooks run, processes end.
    pub async fn close(mut self) {
        self.cancel.cancel();
        self.relays.close().await;
        // Copies of clients that were cut off reach the janitor a moment later; what it does not get to ends with the base process.
        let _ = tokio::time::timeout(Duration::from_millis(200), async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
    }
}
