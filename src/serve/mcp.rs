//! An environment as an MCP server: every client works in a copy of its own, over streamable HTTP at `/mcp` or over a byte stream.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::{Token, require_token};
use crate::environment::{Description, EnvironmentError, Environments, SessionOptions};
use crate::mcp::{CopySource, HttpServing, RelayServer, RelayedCopy, SessionLimits};
use crate::task::EnvironmentSpec;

/// What is served, and to whom.
#[derive(Clone)]
pub struct ServeOptions {
    /// The environment.
    pub env: EnvironmentSpec,
    /// Where the copies' logs go.
    pub logs: PathBuf,
    /// Names that requests may carry in `Host`.
    pub hosts: Vec<String>,
    /// The token that requests must carry, when there is one.
    pub token: Option<Token>,
    /// Bounds of the sessions.
    pub limits: SessionLimits,
}

/// A server of one environment.
pub struct McpServer {
    relays: Arc<RelayServer>,
    description: Arc<Description>,
    options: ServeOptions,
    environments: Arc<Environments>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

struct Copies {
    environments: Arc<Environments>,
    env: EnvironmentSpec,
    logs: PathBuf,
    description: Arc<Description>,
}

#[async_trait]
impl CopySource for Copies {
    fn identity(&self) -> (String, String) {
        (
            self.description.name.clone(),
            self.description.version.clone(),
        )
    }

    async fn open(&self) -> Result<Arc<dyn RelayedCopy>, String> {
        let trace_id = uuid::Uuid::new_v4().simple().to_string();
        let options = SessionOptions {
            log: self.logs.join(format!("{trace_id}.log")),
            trace_id,
            seed: None,
            sampler: None,
            on_log: None,
        };
        let session = self
            .environments
            .open(&self.env, &options)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(session))
    }
}

impl McpServer {
    /// Starts the environment, without a client yet.
    ///
    /// # Errors
    /// When the environment does not start.
    pub async fn start(
        environments: Arc<Environments>,
        options: ServeOptions,
    ) -> Result<Self, EnvironmentError> {
        let description = environments.prepare(&options.env).await?;
        let copies = Copies {
            environments: Arc::clone(&environments),
            env: options.env.clone(),
            logs: options.logs.clone(),
            description: Arc::clone(&description),
        };
        let (relays, janitor) = RelayServer::new(Arc::new(copies), options.limits);
        let mut tasks = JoinSet::new();
        tasks.spawn(janitor.run(Arc::clone(&relays)));
        Ok(Self {
            relays,
            description,
            options,
            environments,
            cancel: CancellationToken::new(),
            tasks,
        })
    }

    /// What the environment offers.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The HTTP app: MCP at `/mcp`, `{"status":"ok"}` at `/health`.
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
        app.route(
            "/health",
            get(|| async { axum::Json(serde_json::json!({"status": "ok"})) }),
        )
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
        self.environments.close().await;
    }
}
