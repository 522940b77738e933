//! The session of a build: a connection over which BuildKit asks for files, secrets and passwords, as it asks Docker's own client.
//!
//! bollard sends a context as one tar, in which a Dockerfile that is ignored would show up in the image, which is sent whole for every build
//! and which cannot be joined with secrets. A session has none of these limits.
//!
//! Sources: `session/` of moby/buildkit and `send.go` of tonistiigi/fsutil.

mod auth;
mod connect;
mod files;
mod follow;
mod health;
mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard::health::health_server::HealthServer;
use bollard::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard::moby::filesync::packet::file_sync_server::FileSyncServer;
use bollard::moby::filesync::v1::auth_server::AuthServer;
use tokio::task::JoinSet;

use super::context::Context;
use super::credentials::Credentials;
use super::discovery::Address;
use super::error::DockerError;
use super::secret::Secret;

/// The methods that the builder may call.
const METHODS: &[&str] = &[
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
];

/// An open session. Dropping it closes the connection, which ends the build that uses it.
pub(super) struct Session {
    id: String,
    _serving: JoinSet<()>,
}

impl Session {
    /// Opens a session with the engine at `address`.
    pub(super) async fn open(
        address: &Address,
        context: Arc<Context>,
        secrets: &BTreeMap<String, Secret>,
        credentials: Arc<Credentials>,
    ) -> Result<Self, DockerError> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", id.clone()),
            ("X-Docker-Expose-Session-Name", "hud".to_owned()),
            (
                "X-Docker-Expose-Session-Sharedkey",
                context.shared_key.clone(),
            ),
        ];
        headers.extend(
            METHODS
                .iter()
                .map(|method| ("X-Docker-Expose-Session-Grpc-Method", (*method).to_owned())),
        );
        let mut serving = JoinSet::new();
        let stream = connect::upgrade(address, "/session", &headers, &mut serving)
            .await
            .map_err(|message| DockerError::Gone {
                doing: "cannot open a session for the build".to_owned(),
                message,
            })?;
        let router = tonic::transport::Server::builder()
            .add_service(HealthServer::new(health::Healthy))
            .add_service(FileSyncServer::new(files::Files::new(context)))
            .add_service(AuthServer::new(auth::Passwords::new(credentials)))
            .add_service(SecretsServer::new(secrets::Secrets::new(secrets.clone())));
        serving.spawn(async move {
            let incoming = futures::stream::iter([Ok::<_, std::io::Error>(stream)]);
            if let Err(error) = router.serve_with_incoming(incoming).await {
                tracing::debug!("the session of the build ended: {error}");
            }
        });
        Ok(Self {
            id,
            _serving: serving,
        })
    }

    /// What names it in the request for the build.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}
