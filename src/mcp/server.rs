//! Carries relays over the transports: streamable HTTP as a service for axum, and standard input and output.

use std::sync::Arc;
use std::time::Duration;

use rmcp::service::ServiceExt as _;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::front::{Relay, RelayServer};

/// Where an HTTP server may be reached.
#[derive(Clone, Debug)]
pub struct HttpServing {
    /// Names (`host` or `host:port`) that requests may carry in `Host`; everything else is refused, which stops DNS rebinding.
    pub hosts: Vec<String>,
    /// Sessions of the older era that nobody used for this long are closed.
    pub idle: Duration,
    /// Ends every session.
    pub cancel: CancellationToken,
}

/// The MCP endpoint of `server`. Requests from browsers (with an `Origin`) are refused: nothing in a browser has business here.
pub fn http_service(
    server: &Arc<RelayServer>,
    serving: &HttpServing,
) -> StreamableHttpService<Relay, LocalSessionManager> {
    let mut sessions = LocalSessionManager::default();
    let mut config = SessionConfig::default();
    config.keep_alive = Some(serving.idle);
    sessions.session_config = config;
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(serving.hosts.clone())
        .enforce_origin_validation()
        .with_cancellation_token(serving.cancel.clone());
    let server = Arc::clone(server);
    StreamableHttpService::new(move || Ok(server.relay()), Arc::new(sessions), config)
}

/// Serves one client over a byte stream until it leaves or `cancel` fires.
///
/// # Errors
/// In words, when the client does not initialise.
pub async fn serve_stream<R, W>(
    server: &Arc<RelayServer>,
    read: R,
    write: W,
    cancel: CancellationToken,
) -> Result<(), String>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let running = server
        .relay()
        .serve_with_ct((read, write), cancel)
        .await
        .map_err(|error| format!("the client did not initialise: {error}"))?;
    // The reason is either the client's leaving or our own cancelling; both are the end.
    let _ = running.waiting().await;
    Ok(())
}
