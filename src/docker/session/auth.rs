//! `moby.filesync.v1.Auth`: passwords of registries, when the builder needs an image of one.

use std::sync::Arc;

use bollard::moby::filesync::v1::auth_server::Auth;
use bollard::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use tonic::{Request, Response, Status};

use crate::docker::credentials::Credentials;
use crate::docker::reference::DOCKER_HUB;

pub(super) struct Passwords {
    credentials: Arc<Credentials>,
}

impl Passwords {
    pub(super) fn new(credentials: Arc<Credentials>) -> Self {
        Self { credentials }
    }
}

#[tonic::async_trait]
impl Auth for Passwords {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let host = match request.into_inner().host {
            host if host == "registry-1.docker.io" || host.contains("index.docker.io") => {
                DOCKER_HUB.to_owned()
            }
            host => host,
        };
        let found = self
            .credentials
            .of(&host)
            .await
            .map_err(|error| Status::unauthenticated(error.to_string()))?
            .unwrap_or_default();
        Ok(Response::new(match found.identitytoken {
            // A token has no user.
            Some(token) => CredentialsResponse {
                username: String::new(),
                secret: token,
            },
            None => CredentialsResponse {
                username: found.username.unwrap_or_default(),
                secret: found.password.unwrap_or_default(),
            },
        }))
    }

    // Without these the builder fetches tokens itself, with the password.
    async fn fetch_token(
        &self,
        _: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("the builder fetches tokens"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("the builder fetches tokens"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("the builder fetches tokens"))
    }
}
