//! `hud push` without its terminal: sends the lock's image to a registry and records where it is.

use std::path::Path;

use super::BuildError;
use super::context::LOCK_FILE;
use super::lock::{Lock, Push, repository};
use crate::docker::{Engine, ImageReference, Transfer};
use crate::util::time;

/// What is pushed, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushPlan {
    /// The image in the engine.
    pub source: String,
    /// Its name in the registry, with a tag.
    pub target: ImageReference,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The name in the registry.
    pub name: String,
    /// Its digest there, when the engine tells.
    pub digest: Option<String>,
}

impl PushPlan {
    /// Finds out what is meant. `image` and `tag` are what the user named; `lock` is that of the folder, when there is one.
    ///
    /// # Errors
    /// In words: nothing says what to push, or where to.
    pub fn new(
        lock: Option<&Lock>,
        image: Option<&str>,
        tag: Option<&str>,
    ) -> Result<Self, BuildError> {
        let source = match (image, lock) {
            (Some(image), _) => image.to_owned(),
            (None, Some(lock)) if !lock.images.local.is_empty() => lock.images.local.clone(),
            (None, _) => {
                return Err(BuildError::project(format!(
                    "there is no {LOCK_FILE} that names an image\nhint: build it first with `hud build`, or name one with --image"
                )));
            }
        };
        let own = ImageReference::parse(&source).map_err(BuildError::project)?;
        let earlier = lock.and_then(|lock| lock.images.pushed.as_deref());
        let named = match (tag, earlier) {
            (Some(tag), _) => ImageReference::parse(tag)
                .map_err(|why| BuildError::project(format!("--tag: {why}")))?,
            // The same place, with the version that it has now.
            (None, Some(earlier)) if image.is_none() => {
                ImageReference::parse(repository(earlier)).map_err(BuildError::project)?
            }
            (None, _) => own.clone(),
        };
        // Without a registry it would go to Docker Hub under a name that belongs to nobody.
        if named.registry.is_none() && !named.path.contains('/') {
            return Err(BuildError::project(format!(
                "`{named}` names no registry\nhint: give one with --tag, such as ghcr.io/me/{}",
                named.path
            )));
        }
        let version = own.tag.clone().unwrap_or_else(|| "latest".to_owned());
        let target = match named.tag {
            Some(_) => named,
            None => named.with_tag(&version),
        };
        Ok(Self { source, target })
    }
}

/// Pushes.
pub async fn push(
    engine: &Engine,
    plan: &PushPlan,
    on_progress: &mut (dyn FnMut(Transfer) + Send),
) -> Result<Pushed, BuildError> {
    let Some(image) = engine.image(&plan.source).await? else {
        return Err(BuildError::project(format!(
            "the engine has no image `{}`\nhint: build it with `hud build`",
            plan.source
        )));
    };
    engine.tag(&image.id, &plan.target).await?;
    let digest = engine.push(&plan.target, on_progress).await?;
    Ok(Pushed {
        name: plan.target.to_string(),
        digest,
    })
}

/// Writes into the lock where its image is now.
pub fn record(
    lock: &mut Lock,
    path: &Path,
    plan: &PushPlan,
    pushed: &Pushed,
) -> Result<(), BuildError> {
    lock.images.pushed = Some(pushed.name.clone());
    lock.images.full = pushed
        .digest
        .as_ref()
        .map(|digest| format!("{}@{digest}", pushed.name));
    lock.push = Some(Push {
        source: plan.source.clone(),
        pushed_at: time::now_rfc3339(),
        registry: plan.target.registry_host().to_owned(),
        image_with_tag: pushed.name.clone(),
    });
    lock.write(path)
        .map_err(|error| BuildError::Unexpected(anyhow::Error::msg(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::lock::Images;

    #[test]
    fn what_is_pushed_and_where_to() {
        let lock = |pushed: Option<&str>| Lock {
            images: Images {
                local: "env:0.2.0".to_owned(),
                full: None,
                pushed: pushed.map(str::to_owned),
            },
            ..Lock::default()
        };
        let check = |lock: Option<&Lock>, image, tag, expected: Result<(&str, &str), &str>| {
            let found = PushPlan::new(lock, image, tag);
            match (found, expected) {
                (Ok(plan), Ok((source, target))) => {
                    assert_eq!(
                        (plan.source.as_str(), plan.target.to_string().as_str()),
                        (source, target)
                    );
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                }
                (found, _) => panic!("{found:?}"),
            }
        };
        let fresh = lock(None);
        check(
            None,
            None,
            None,
            Err("no hud.lock.yaml that names an image"),
        );
        check(Some(&fresh), None, None, Err("names no registry"));
        check(
            Some(&fresh),
            None,
            Some("reg.io/e"),
            Ok(("env:0.2.0", "reg.io/e:0.2.0")),
        );
        check(
            Some(&fresh),
            None,
            Some("me/e:x"),
            Ok(("env:0.2.0", "me/e:x")),
        );
        check(
            Some(&fresh),
            None,
            Some("me/E"),
            Err("--tag: `me/E` is no name"),
        );
        check(
            Some(&lock(Some("reg.io/e:0.1.0"))),
            None,
            None,
            Ok(("env:0.2.0", "reg.io/e:0.2.0")),
        );
        check(
            None,
            Some("reg.io/x"),
            None,
            Ok(("reg.io/x", "reg.io/x:latest")),
        );
    }
}
