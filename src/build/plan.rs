//! What a build is going to do, found out without building: used by the build itself, by `--dry-run` and by `--check`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::context::{self, LOCK_FILE};
use super::dockerfile::Dockerfile;
use super::lock::{self, Lock};
use super::scrub::Scrubber;
use super::version::Version;
use super::{BuildError, runtime};
use crate::docker::{Context, Engine, EngineInfo, ImageReference, Secret, component_from};
use crate::util::{fs, text};

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The folder of the environment.
    pub folder: PathBuf,
    /// The name for the image, when it is not the lock's or the folder's.
    pub tag: Option<ImageReference>,
    /// `os/architecture`, when it is not the engine's own.
    pub platform: Option<String>,
    /// Values for `ARG`.
    pub build_args: BTreeMap<String, String>,
    /// Values that steps may mount, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// Variables for the container of the analysis.
    pub env: BTreeMap<String, String>,
    /// Hides the values of variables and secrets.
    pub scrubber: Scrubber,
    /// Whether every step runs again.
    pub no_cache: bool,
    /// Whether base images are fetched also when the engine has them.
    pub pull: bool,
    /// Whether the image is started and asked what it offers.
    pub analyze: bool,
    /// How long the image may take to answer.
    pub timeout: Duration,
    /// This program.
    pub own_binary: Option<PathBuf>,
    /// The program for the image, when it is not this one.
    pub given_binary: Option<PathBuf>,
}

/// What a build is going to do.
#[derive(Debug)]
pub struct Plan {
    /// The name of the image, without a tag.
    pub name: ImageReference,
    /// Something to say about the name.
    pub name_note: Option<String>,
    /// The lock file.
    pub lock_path: PathBuf,
    /// What is in it.
    pub lock: Option<Lock>,
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// Its name.
    pub dockerfile_name: String,
    /// The folder, as it is sent.
    pub context: Arc<Context>,
    /// `os/architecture`.
    pub platform: String,
    /// The images that go into it.
    pub images: BTreeSet<String>,
    /// What the user should know before the build.
    pub warnings: Vec<String>,
    build_args: BTreeMap<String, String>,
}

impl Plan {
    /// Reads the folder for a build by `engine`.
    pub fn new(options: &BuildOptions, engine: &EngineInfo) -> Result<Self, BuildError> {
        let plan = Self::read(options, Some(engine), true)?;
        plan.check_engine(options, engine)?;
        Ok(plan)
    }

    /// Reads the folder only to look at it. `engine` is what is known of the engine, when one answers.
    pub fn inspect(
        options: &BuildOptions,
        engine: Option<&EngineInfo>,
    ) -> Result<Self, BuildError> {
        Self::read(options, engine, false)
    }

    fn read(
        options: &BuildOptions,
        engine: Option<&EngineInfo>,
        for_build: bool,
    ) -> Result<Self, BuildError> {
        let folder = &options.folder;
        if !folder.is_dir() {
            return Err(BuildError::project(if folder.exists() {
                format!("`{}` is not a folder", folder.display())
            } else {
                format!("there is no folder `{}`", folder.display())
            }));
        }
        let lock_path = folder.join(LOCK_FILE);
        let lock = Lock::read(&lock_path).map_err(BuildError::project)?;
        let found = context::dockerfile(folder).map_err(BuildError::project)?;
        let platform = platform(options.platform.as_deref(), lock.as_ref(), engine)
            .map_err(BuildError::project)?;
        let dockerfile = Dockerfile::parse(&found.text, &options.build_args, &platform);
        let (name, name_note) = name(options, lock.as_ref()).map_err(BuildError::project)?;
        let runtime = if for_build && dockerfile.uses_runtime {
            let found = runtime::find(
                options.own_binary.as_deref(),
                options.given_binary.as_deref(),
                &platform,
            );
            Some(found.map_err(BuildError::project)?)
        } else {
            None
        };
        let dockerfile_name = found.name.clone();
        let context =
            context::read(folder, found, runtime.as_deref()).map_err(BuildError::project)?;
        let images = dockerfile.images().into_iter().map(str::to_owned).collect();
        Ok(Self {
            name,
            name_note,
            lock_path,
            lock,
            dockerfile,
            dockerfile_name,
            warnings: warnings(&context),
            context: Arc::new(context),
            platform,
            images,
            build_args: options.build_args.clone(),
        })
    }

    /// What the engine must be able to do.
    fn check_engine(&self, options: &BuildOptions, engine: &EngineInfo) -> Result<(), BuildError> {
        if engine.buildkit {
            return Ok(());
        }
        let without = format!(
            "{} at {} builds without BuildKit",
            engine.name, engine.address
        );
        let foreign = options.platform.is_some() && self.platform != native(engine);
        let what = if !options.secrets.is_empty() {
            "--secret needs it".to_owned()
        } else if let Some((line, what)) = &self.dockerfile.needs_buildkit {
            format!("`{what}` in {}:{line} needs it", self.dockerfile_name)
        } else if foreign {
            format!("--platform {} needs it", self.platform)
        } else {
            return Ok(());
        };
        Err(BuildError::project(format!(
            "{without}, and {what}\nhint: Docker 20.10 and later have it"
        )))
    }

    /// The hash over everything that decides what is built, given what the images that go into it are. Reads every file.
    pub async fn source_hash(
        &self,
        digests: &BTreeMap<String, String>,
    ) -> Result<String, BuildError> {
        let mut settings = vec![
            ("hud", env!("CARGO_PKG_VERSION").to_owned()),
            ("platform", self.platform.clone()),
        ];
        settings.extend(
            self.build_args
                .iter()
                .map(|(name, value)| ("argument", format!("{name}={value}"))),
        );
        settings.extend(
            digests
                .iter()
                .map(|(name, digest)| ("image", format!("{name}@{digest}"))),
        );
        let context = Arc::clone(&self.context);
        tokio::task::spawn_blocking(move || context::hash(&context, &settings))
            .await
            .map_err(|error| BuildError::Unexpected(error.into()))?
            .map_err(BuildError::project)
    }

    /// The version that the environment has now.
    pub fn version(&self) -> Option<Version> {
        let lock = self.lock.as_ref()?;
        Version::parse(&lock.build.version).ok()
    }

    /// The version that it gets when anything has changed.
    pub fn next_version(&self) -> Version {
        self.version().map_or(Version::FIRST, Version::next)
    }

    /// What the images that go into it are: in the engine, else as the lock remembers them.
    pub async fn digests(
        &self,
        engine: Option<&Engine>,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let remembered = self.lock.as_ref().map(|lock| &lock.build.base_digests);
        let mut digests = BTreeMap::new();
        for image in &self.images {
            let known = match engine {
                Some(engine) => engine.image(image).await?,
                None => None,
            };
            let digest = known
                .map(|known| known.identity().to_owned())
                .or_else(|| remembered?.get(image).cloned());
            if let Some(digest) = digest {
                digests.insert(image.clone(), digest);
            }
        }
        Ok(digests)
    }

    /// Why the lock is not that of this folder, in words; nothing when it is.
    pub fn stale(&self, hash: &str) -> Vec<String> {
        let Some(lock) = &self.lock else {
            return vec![format!("there is no {LOCK_FILE}")];
        };
        if lock.build.source_hash == hash && lock.version == lock::FORMAT {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        if lock.version != lock::FORMAT {
            reasons.push(format!("the lock has format {}", lock.version));
        }
        let now: BTreeSet<String> = context::source_files(&self.context).into_iter().collect();
        let then: BTreeSet<String> = lock.build.source_files.iter().cloned().collect();
        let named = |files: Vec<&String>, what: &str| match files.as_slice() {
            [] => None,
            [one] => Some(format!("{what}: {one}")),
            [first, rest @ ..] => Some(format!("{what}: {first} and {} more", rest.len())),
        };
        reasons.extend(named(now.difference(&then).collect(), "new"));
        reasons.extend(named(then.difference(&now).collect(), "gone"));
        if lock.build.platform != self.platform {
            reasons.push(format!(
                "the lock is for {}, this is for {}",
                lock.build.platform, self.platform
            ));
        }
        if lock.build.hud_version != env!("CARGO_PKG_VERSION") {
            reasons.push(format!(
                "the lock was made by hud {}",
                lock.build.hud_version
            ));
        }
        let arguments: Vec<String> = self.build_args.keys().cloned().collect();
        if lock.build.arguments != arguments {
            reasons.push(format!(
                "the lock was made with the build arguments [{}], and given are [{}]",
                lock.build.arguments.join(", "),
                arguments.join(", ")
            ));
        }
        if reasons.is_empty() {
            reasons.push("a file, a mode, a build argument or a base image has changed".to_owned());
        }
        reasons
    }
}

/// Nobody else builds this folder while it lives.
pub(super) struct FolderGuard {
    _folder: File,
}

impl FolderGuard {
    pub(super) fn take(folder: &Path) -> Result<Self, BuildError> {
        let file = fs::open(folder).map_err(BuildError::project)?;
        // A lock on the folder itself: nothing is written, and the system takes it off when we end, however we end.
        let taken = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        if taken == Err(rustix::io::Errno::WOULDBLOCK) {
            return Err(BuildError::project(format!(
                "`{}` is being built by another `hud build`\nhint: wait until it has ended",
                folder.display()
            )));
        }
        // Some network file systems know no locks; there two builds are the user's to keep apart.
        Ok(Self { _folder: file })
    }
}

/// The platform of the engine.
pub fn native(engine: &EngineInfo) -> String {
    format!("{}/{}", engine.os, engine.arch)
}

fn platform(
    asked: Option<&str>,
    lock: Option<&Lock>,
    engine: Option<&EngineInfo>,
) -> Result<String, String> {
    let Some(asked) = asked else {
        return Ok(match (engine, lock) {
            (Some(engine), _) => native(engine),
            (None, Some(lock)) if !lock.build.platform.is_empty() => lock.build.platform.clone(),
            (None, _) => format!("linux/{}", this_arch()),
        });
    };
    let parts: Vec<&str> = asked.split('/').collect();
    let is_word = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_word) {
        return Err(format!(
            "`{}` is no platform\nhint: one is written as linux/amd64 or linux/arm64; several at once cannot be built",
            text::one_line(asked, 60)
        ));
    }
    Ok(asked.to_owned())
}

/// This machine's architecture, in Go's words.
fn this_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The name of the image, and what to say about it.
fn name(
    options: &BuildOptions,
    lock: Option<&Lock>,
) -> Result<(ImageReference, Option<String>), String> {
    if let Some(tag) = &options.tag {
        let name = ImageReference {
            tag: None,
            digest: None,
            ..tag.clone()
        };
        return Ok((name, None));
    }
    if let Some(lock) = lock
        && !lock.images.local.is_empty()
    {
        let name = ImageReference::parse(lock::repository(&lock.images.local))
            .map_err(|why| format!("images.local in {LOCK_FILE}: {why}"))?;
        return Ok((name, None));
    }
    let folder = std::path::absolute(&options.folder).unwrap_or_else(|_| options.folder.clone());
    let folder = fs::canonical(&folder).unwrap_or(folder);
    let own = folder.file_name().unwrap_or_default().to_string_lossy();
    let component = component_from(&own).ok_or_else(|| {
        format!(
            "the name of the folder `{}` gives no name for an image\nhint: name the image with --tag NAME",
            folder.display()
        )
    })?;
    let note = (component != own).then(|| {
        format!(
            "the image is called `{component}`: engines take no other letters than a-z and digits"
        )
    });
    Ok((ImageReference::parse(&component)?, note))
}

/// What is in the context and hardly belongs into an image.
fn warnings(context: &Context) -> Vec<String> {
    let mut warnings = Vec::new();
    let has = |path: &str| context.entries.iter().any(|entry| entry.path == path);
    if has(".env") {
        warnings.push(
            "`.env` is in the build context, so `COPY . .` puts its values into the image\nhint: name it in .dockerignore".to_owned(),
        );
    }
    if has(".hud/runs") {
        warnings.push(
            "`.hud/runs` is in the build context, so every evaluation changes the image\nhint: name .hud in .dockerignore".to_owned(),
        );
    }
    warnings
}
