//! What a run that was killed has left behind, and only that, is removed by the next one.

use std::collections::HashMap;

use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, RemoveContainerOptions};

use super::engine::Engine;
use super::error::DockerError;
use super::owner::Owner;

/// The label that names the job of a container.
pub const JOB_LABEL: &str = "org.hud.job";
/// The label that names the process that started a container.
pub const OWNER_LABEL: &str = "org.hud.owner";
/// The repository of images that exist only while a build runs; their tag begins with the [`Owner`].
pub const TEMPORARY: &str = "hud-build-temp";

impl Engine {
    /// Removes containers and temporary images whose process has ended; answers how many there were.
    pub async fn reap(&self) -> Result<usize, DockerError> {
        let mut count = 0;
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([(
                "label".to_owned(),
                vec![OWNER_LABEL.to_owned()],
            )])),
            ..ListContainersOptions::default()
        };
        let containers = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(|error| DockerError::from_bollard("cannot list the containers", &error))?;
        for container in containers {
            let owner = container
                .labels
                .as_ref()
                .and_then(|labels| labels.get(OWNER_LABEL))
                .and_then(|word| Owner::parse(word));
            let (Some(id), Some(owner)) = (container.id, owner) else {
                continue;
            };
            if !owner.has_ended() {
                continue;
            }
            let options = RemoveContainerOptions {
                force: true,
                v: true,
                ..RemoveContainerOptions::default()
            };
            // Another run may reap at the same time.
            if self
                .docker
                .remove_container(&id, Some(options))
                .await
                .is_ok()
            {
                count += 1;
            }
        }
        let options = ListImagesOptions {
            filters: Some(HashMap::from([(
                "reference".to_owned(),
                vec![TEMPORARY.to_owned()],
            )])),
            ..ListImagesOptions::default()
        };
        let images = self
            .docker
            .list_images(Some(options))
            .await
            .map_err(|error| DockerError::from_bollard("cannot list the images", &error))?;
        for tag in images.iter().flat_map(|image| &image.repo_tags) {
            let Some(owner) = temporary_owner(tag) else {
                continue;
            };
            if owner.has_ended() && self.remove_image(tag).await.is_ok() {
                count += 1;
            }
        }
        Ok(count)
    }
}

/// A name for an image that goes away again.
pub fn temporary_tag(number: &str) -> String {
    format!("{TEMPORARY}:{}-{number}", Owner::this())
}

/// The process behind a name of [`temporary_tag`]; Podman writes `localhost/` in front.
fn temporary_owner(tag: &str) -> Option<Owner> {
    let (repository, tag) = tag.rsplit_once(':')?;
    let repository = repository.strip_prefix("localhost/").unwrap_or(repository);
    let (owner, _) = tag.rsplit_once('-')?;
    (repository == TEMPORARY)
        .then(|| Owner::parse(owner))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ImageReference;

    #[test]
    fn temporary_names_lead_back_to_their_process() {
        let tag = temporary_tag("1");
        assert!(ImageReference::parse(&tag).is_ok(), "{tag}");
        assert_eq!(temporary_owner(&tag), Some(Owner::this()));
        assert_eq!(
            temporary_owner(&format!("localhost/{tag}")),
            Some(Owner::this())
        );
        let foreign = tag.replace(TEMPORARY, "theirs");
        for other in ["python:3.11-slim", &foreign, "hud-build-temp:x"] {
            assert_eq!(temporary_owner(other), None, "{other}");
        }
    }
}
