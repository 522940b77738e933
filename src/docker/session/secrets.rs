//! `moby.buildkit.secrets.v1.Secrets`: values for `RUN --mount=type=secret`.

use std::collections::BTreeMap;

use bollard::moby::buildkit::secrets::v1::secrets_server::Secrets as SecretsService;
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use tonic::{Request, Response, Status};

use crate::docker::secret::Secret;

pub(super) struct Secrets {
    secrets: BTreeMap<String, Secret>,
}

impl Secrets {
    pub(super) fn new(secrets: BTreeMap<String, Secret>) -> Self {
        Self { secrets }
    }
}

#[tonic::async_trait]
impl SecretsService for Secrets {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        let secret = self
            .secrets
            .get(&id)
            // The builder's own word for a secret that nobody gave; a mount that requires it fails.
            .ok_or_else(|| Status::not_found(format!("secret {id} not found")))?;
        Ok(Response::new(GetSecretResponse {
            data: secret.expose().to_vec(),
        }))
    }
}
