//! Images: looking at them, naming, fetching, sending and removing them.

use std::collections::BTreeMap;

use bollard::models::ImageInspect;
use bollard::query_parameters::{
    CreateImageOptions, PushImageOptions, RemoveImageOptions, TagImageOptions,
};
use futures::StreamExt;

use super::engine::Engine;
use super::error::DockerError;
use super::reference::ImageReference;

/// What an engine knows of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// Its id, `sha256:…`.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// Its names in registries, `name@sha256:…`.
    pub digests: Vec<String>,
    /// The operating system.
    pub os: String,
    /// The architecture, in Go's words.
    pub arch: String,
    /// What is run: the entry point and the command.
    pub command: Vec<String>,
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The ports that it says it listens on: `8765/tcp`.
    pub ports: Vec<String>,
    /// Its layers, the lowest first.
    pub layers: Vec<String>,
    /// What a build on top of it runs.
    pub on_build: Vec<String>,
    /// Its size in bytes.
    pub size: u64,
}

/// How far the transfer of an image is: one message for each change of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The layer, or nothing for a message about the whole.
    pub layer: Option<String>,
    /// What happens: `Downloading`, `Pull complete`.
    pub status: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all; 0 when that is unknown.
    pub total: u64,
}

impl ImageInfo {
    fn from_inspect(image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        let mut command = config.entrypoint.unwrap_or_default();
        command.extend(config.cmd.unwrap_or_default());
        let env = config
            .env
            .unwrap_or_default()
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            id: image.id.unwrap_or_default(),
            tags: image.repo_tags.unwrap_or_default(),
            digests: image.repo_digests.unwrap_or_default(),
            os: image.os.unwrap_or_default(),
            arch: image.architecture.unwrap_or_default(),
            command,
            env,
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            ports: config.exposed_ports.unwrap_or_default(),
            layers: image.root_fs.and_then(|fs| fs.layers).unwrap_or_default(),
            on_build: config.on_build.unwrap_or_default(),
            size: image
                .size
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or(0),
        }
    }

    /// What names its contents everywhere: its digest in a registry, else its id in this engine.
    pub fn identity(&self) -> &str {
        self.digests.first().map_or(&self.id, |digest| {
            digest
                .split_once('@')
                .map_or(digest.as_str(), |(_, digest)| digest)
        })
    }
}

impl Engine {
    /// An image of this engine, by name or id.
    pub async fn image(&self, name: &str) -> Result<Option<ImageInfo>, DockerError> {
        match self.docker.inspect_image(name).await {
            Ok(image) => Ok(Some(ImageInfo::from_inspect(image))),
            Err(error) => {
                let error =
                    DockerError::from_bollard(format!("cannot look at the image `{name}`"), &error);
                if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Gives an image one more name.
    pub async fn tag(&self, image: &str, name: &ImageReference) -> Result<(), DockerError> {
        let options = TagImageOptions {
            repo: Some(name.repository()),
            tag: Some(name.tag.clone().unwrap_or_else(|| "latest".to_owned())),
        };
        self.docker
            .tag_image(image, Some(options))
            .await
            .map_err(|error| DockerError::from_bollard(format!("cannot tag `{name}`"), &error))
    }

    /// Takes a name off an image, and removes the image when it was the last one. One that is not there is fine.
    pub async fn remove_image(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveImageOptions::default();
        match self.docker.remove_image(name, Some(options), None).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error =
                    DockerError::from_bollard(format!("cannot remove the image `{name}`"), &error);
                if error.is_not_found() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Fetches an image from its registry.
    pub async fn pull(
        &self,
        name: &ImageReference,
        platform: Option<&str>,
        on_progress: &mut (dyn FnMut(Transfer) + Send),
    ) -> Result<(), DockerError> {
        let doing = || format!("cannot pull `{name}`");
        let credentials = self.credentials.of(name.registry_host()).await?;
        let options = CreateImageOptions {
            from_image: Some(name.repository()),
            tag: Some(name.tag_or_digest().to_owned()),
            platform: platform.unwrap_or_default().to_owned(),
            ..CreateImageOptions::default()
        };
        let mut stream = self.docker.create_image(Some(options), None, credentials);
        while let Some(message) = stream.next().await {
            let message = message
                .map_err(|error| explain(DockerError::from_bollard(doing(), &error), name))?;
            let detail = message.progress_detail.unwrap_or_default();
            on_progress(transfer(
                message.id,
                message.status,
                detail.current,
                detail.total,
            ));
        }
        Ok(())
    }

    /// Sends an image to its registry, and answers its digest there.
    pub async fn push(
        &self,
        name: &ImageReference,
        on_progress: &mut (dyn FnMut(Transfer) + Send),
    ) -> Result<Option<String>, DockerError> {
        let doing = || format!("cannot push `{name}`");
        let credentials = self.credentials.of(name.registry_host()).await?;
        let options = PushImageOptions {
            tag: name.tag.clone(),
            ..PushImageOptions::default()
        };
        let mut stream = self
            .docker
            .push_image(&name.repository(), Some(options), credentials);
        while let Some(message) = stream.next().await {
            let message = message
                .map_err(|error| explain(DockerError::from_bollard(doing(), &error), name))?;
            let detail = message.progress_detail.unwrap_or_default();
            // bollard drops the name of the layer.
            on_progress(transfer(None, message.status, detail.current, detail.total));
        }
        let image = self.image(&name.to_string()).await?;
        let repository = name.repository();
        Ok(image.and_then(|image| {
            image.digests.iter().find_map(|digest| {
                let (of, digest) = digest.split_once('@')?;
                (of == repository).then(|| digest.to_owned())
            })
        }))
    }
}

fn transfer(
    layer: Option<String>,
    status: Option<String>,
    current: Option<i64>,
    total: Option<i64>,
) -> Transfer {
    let bytes = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    Transfer {
        layer: layer.filter(|layer| !layer.is_empty()),
        status: status.unwrap_or_default(),
        current: bytes(current),
        total: bytes(total),
    }
}

/// A refusal of a registry, with what helps against it.
fn explain(error: DockerError, name: &ImageReference) -> DockerError {
    let (doing, status, message) = match error {
        DockerError::NotFound { doing, message } => (doing, Some(404), message),
        DockerError::Refused {
            doing,
            status,
            message,
        } => (doing, status, message),
        other => return other,
    };
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let host = name.registry_host();
    let hint = if has(&[
        "unauthorized",
        "denied",
        "authentication required",
        "no basic auth",
    ]) {
        format!("\nhint: `docker login {host}` saves a password; is the name right?")
    } else if has(&["manifest unknown", "not found", "does not exist"]) {
        format!("\nhint: {host} has no such image; is the name right?")
    } else if has(&[
        "no such host",
        "dial tcp",
        "timeout",
        "connection refused",
        "i/o",
    ]) {
        format!("\nhint: the engine does not reach {host}; is it online?")
    } else {
        String::new()
    };
    let message = format!("{message}{hint}");
    if status == Some(404) {
        return DockerError::NotFound { doing, message };
    }
    DockerError::Refused {
        doing,
        status,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_refusal_says_what_helps() {
        let check = |message: &str, hint: &str| {
            let name = ImageReference::parse("reg.io/a:1").unwrap();
            let error =
                DockerError::from_words("cannot push `reg.io/a:1`".to_owned(), None, message);
            let text = explain(error, &name).to_string();
            assert!(text.starts_with("cannot push `reg.io/a:1`: "), "{text}");
            assert!(text.contains(hint), "{text}");
        };
        check(
            "unauthorized: access to the resource",
            "hint: `docker login reg.io`",
        );
        check("manifest unknown", "hint: reg.io has no such image");
        check(
            "dial tcp: lookup reg.io: no such host",
            "hint: the engine does not reach reg.io",
        );
    }

    #[test]
    fn what_names_the_contents_is_the_digest_or_the_id() {
        let mut image = ImageInfo {
            id: "sha256:1".to_owned(),
            ..ImageInfo::default()
        };
        assert_eq!(image.identity(), "sha256:1");
        image.digests = vec!["python@sha256:2".to_owned()];
        assert_eq!(image.identity(), "sha256:2");
    }
}
