//! Building images over the REST API: with BuildKit and a session where the engine has it, else from a tar.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::archive;
use super::build_trace::{BuildEvent, BuildFailure, Trace};
use super::context::Context;
use super::engine::Engine;
use super::error::{DockerError, is_disk_full};
use super::secret::Secret;
use super::session::Session;

/// A context as it is sent: pieces of a tar.
pub(super) type ContextStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// How errors of a context begin, so that they are told from the engine's.
pub(super) const CONTEXT: &str = "cannot read the build context";

/// What is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// The name of the image.
    pub tag: String,
    /// Values for `ARG`.
    pub build_args: BTreeMap<String, String>,
    /// Labels to add.
    pub labels: BTreeMap<String, String>,
    /// `os/architecture`, when it is not the engine's own.
    pub platform: Option<String>,
    /// Whether every step runs again.
    pub no_cache: bool,
    /// Values that a step may read and no image holds, by id. They need BuildKit.
    pub secrets: BTreeMap<String, Secret>,
    /// The registries whose images it may need: builders without a session are handed their passwords beforehand.
    pub registries: Vec<String>,
}

impl Engine {
    /// Builds an image and answers its id. Dropping the future cancels the build in the engine.
    pub async fn build(
        &self,
        request: &BuildRequest,
        context: Arc<Context>,
        emit: &mut (dyn FnMut(BuildEvent) + Send),
    ) -> Result<String, DockerError> {
        let options = BuildImageOptions {
            dockerfile: context.dockerfile.name.clone(),
            t: Some(request.tag.clone()),
            nocache: request.no_cache,
            rm: true,
            forcerm: true,
            buildargs: Some(request.build_args.clone().into_iter().collect()),
            labels: Some(request.labels.clone().into_iter().collect()),
            platform: request.platform.clone().unwrap_or_default(),
            ..BuildImageOptions::default()
        };
        if self.info().buildkit {
            self.build_in_session(request, options, context, emit)
                .await?;
        } else if request.secrets.is_empty() {
            let mut credentials = HashMap::new();
            for host in &request.registries {
                if let Some(found) = self.credentials.of(host).await? {
                    credentials.insert(host.clone(), found);
                }
            }
            let body = bollard::body_try_stream(archive::stream(context));
            let stream = self
                .docker
                .build_image(options, Some(credentials), Some(body));
            follow(stream, emit).await?;
        } else {
            return Err(DockerError::Unsupported(format!(
                "{} at {} builds without BuildKit, and --secret needs it\nhint: Docker 20.10 and later have it",
                self.info().name,
                self.info().address
            )));
        }
        let image = self.image(&request.tag).await?;
        image
            .map(|image| image.id)
            .ok_or_else(|| DockerError::Refused {
                doing: "cannot build".to_owned(),
                status: None,
                message: format!(
                    "the engine has built `{}` and does not have it",
                    request.tag
                ),
            })
    }

    async fn build_in_session(
        &self,
        request: &BuildRequest,
        options: BuildImageOptions,
        context: Arc<Context>,
        emit: &mut (dyn FnMut(BuildEvent) + Send),
    ) -> Result<(), DockerError> {
        let session = Session::open(
            &self.address,
            context,
            &request.secrets,
            Arc::clone(&self.credentials),
        )
        .await?;
        let options = BuildImageOptions {
            remote: Some("client-session".to_owned()),
            session: Some(session.id().to_owned()),
            ..options
        };
        // Asked for BuildKit, bollard would open a session of its own, without files, under the same name.
        let docker = self.docker.clone().with_request_modifier(|mut request| {
            let uri = request.uri().to_string();
            if let Ok(uri) = uri.replacen("&version=1", "&version=2", 1).parse() {
                *request.uri_mut() = uri;
            }
            request
        });
        let body = bollard::body_full(Bytes::new());
        follow(docker.build_image(options, None, Some(body)), emit).await
    }
}

/// Reads what the builder says until it ends.
async fn follow(
    mut stream: impl Stream<Item = Result<bollard::models::BuildInfo, bollard::errors::Error>> + Unpin,
    emit: &mut (dyn FnMut(BuildEvent) + Send),
) -> Result<(), DockerError> {
    let mut trace = Trace::default();
    while let Some(info) = stream.next().await {
        match info {
            Ok(info) => trace.take(info, emit),
            Err(error) => return Err(build_error(&error, &mut trace, emit)),
        }
    }
    Ok(())
}

/// What ended a build: a step, the Dockerfile, our own context, or the engine.
fn build_error(
    error: &bollard::errors::Error,
    trace: &mut Trace,
    emit: &mut (dyn FnMut(BuildEvent) + Send),
) -> DockerError {
    let message = match error {
        bollard::errors::Error::DockerStreamError { error } => error,
        bollard::errors::Error::DockerResponseServerError {
            status_code: 400 | 500,
            message,
        } => message,
        other => {
            return match DockerError::from_bollard("cannot build", other) {
                // The body of a request that fails is our context.
                DockerError::Gone { message, .. } if message.starts_with(CONTEXT) => {
                    DockerError::Setting(message)
                }
                error => error,
            };
        }
    };
    if is_disk_full(message) {
        return DockerError::from_words("cannot build".to_owned(), None, message);
    }
    if let Some(at) = message.find(CONTEXT) {
        return DockerError::Setting(message[at..].to_owned());
    }
    let failure: BuildFailure = trace.failure(message, emit);
    DockerError::Build(Box::new(failure))
}
