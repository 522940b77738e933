//! The build itself: base images, image, analysis, labels, names, lock file. Whatever happens, nothing temporary is left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::BuildError;
use super::analysis::{self, Analysis, AnalysisOptions};
use super::context::source_files;
use super::lock::{self, Build, Environment, Images, Lock, LockVariables};
use super::plan::{BuildOptions, FolderGuard, Plan};
use super::version::Version;
use crate::docker::{
    BuildEvent, BuildRequest, Context, DockerfileText, Engine, ImageInfo, ImageReference, Transfer,
    temporary_tag,
};
use crate::util::time;

/// What a build says while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A part of it begins.
    Stage(Stage),
    /// A base image is fetched.
    Pull {
        /// Its name.
        image: String,
        /// How far it is.
        transfer: Transfer,
    },
    /// The engine builds.
    Build(BuildEvent),
}

/// The parts of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A base image is fetched.
    Pulling(String),
    /// The engine builds.
    Building,
    /// The image is started and asked.
    Analyzing,
    /// The image gets its labels and names.
    Labelling,
}

/// What was built.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// The id of the image.
    pub id: String,
    /// The names that it has now.
    pub tags: Vec<String>,
    /// The lock, as it is on disk.
    pub lock: Lock,
    /// Where.
    pub lock_path: PathBuf,
    /// Whether the lock changed.
    pub changed: bool,
    /// The version before, when there was one.
    pub previous: Option<Version>,
    /// How long the engine took to build.
    pub build_time: Duration,
    /// How long everything took.
    pub took: Duration,
}

/// Builds. When `cancel` fires the engine is told to stop, and what was made so far goes away.
pub async fn build(
    engine: &Engine,
    options: &BuildOptions,
    plan: &Plan,
    cancel: &CancellationToken,
    emit: &mut (dyn FnMut(Event) + Send),
) -> Result<Built, BuildError> {
    let _guard = FolderGuard::take(&options.folder)?;
    let work = Work {
        engine,
        options,
        plan,
        temporary: temporary_tag("build"),
        labelled: temporary_tag("label"),
    };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(BuildError::Cancelled),
        outcome = work.run(emit) => outcome,
    };
    for tag in [&work.temporary, &work.labelled] {
        // The build's own error says more than that of its cleaning.
        if let Err(error) = engine.remove_image(tag).await {
            tracing::debug!("{error}");
        }
    }
    outcome
}

struct Work<'a> {
    engine: &'a Engine,
    options: &'a BuildOptions,
    plan: &'a Plan,
    temporary: String,
    labelled: String,
}

impl Work<'_> {
    async fn run(&self, emit: &mut (dyn FnMut(Event) + Send)) -> Result<Built, BuildError> {
        let begun = Instant::now();
        self.engine.reap().await?;
        self.fetch_images(emit).await?;
        let digests = self.plan.digests(Some(self.engine)).await?;

        emit(Event::Stage(Stage::Building));
        let building = Instant::now();
        let request = self.request(self.temporary.clone());
        let mut events = |event| emit(Event::Build(event));
        // The engine builds while we read: neither waits for the other.
        let (built, hash) = tokio::join!(
            self.engine
                .build(&request, Arc::clone(&self.plan.context), &mut events),
            self.plan.source_hash(&digests),
        );
        let id = self.scrubbed(built)?;
        let hash = hash?;
        let build_time = building.elapsed();
        let image = self.image(&id).await?;

        let analysis = if self.options.analyze {
            emit(Event::Stage(Stage::Analyzing));
            Some(self.analyze(&image).await?)
        } else {
            None
        };
        let (lock, changed) = self.lock(hash, digests, analysis);

        emit(Event::Stage(Stage::Labelling));
        let version = lock.build.version.clone();
        let labels = self.labels(&lock, &image)?;
        let id = self.label(&image, labels, &version).await?;
        let mut tags = Vec::new();
        let mut names = vec![
            self.plan.name.with_tag(&version),
            self.plan.name.with_tag("latest"),
        ];
        names.extend(self.options.tag.clone().filter(|tag| tag.tag.is_some()));
        for name in names {
            if !tags.contains(&name.to_string()) {
                self.engine.tag(&id, &name).await?;
                tags.push(name.to_string());
            }
        }
        if changed {
            lock.write(&self.plan.lock_path)
                .map_err(|error| BuildError::Unexpected(anyhow::Error::msg(error)))?;
        }
        Ok(Built {
            id,
            tags,
            lock,
            lock_path: self.plan.lock_path.clone(),
            changed,
            previous: self.plan.version(),
            build_time,
            took: begun.elapsed(),
        })
    }

    /// Base images are fetched before the build: with the user's passwords, with progress, and by name once.
    async fn fetch_images(&self, emit: &mut (dyn FnMut(Event) + Send)) -> Result<(), BuildError> {
        let asked = self.options.platform.as_deref();
        for name in &self.plan.images {
            // What is no name is the builder's to judge.
            let Ok(reference) = ImageReference::parse(name) else {
                continue;
            };
            let known = self.engine.image(name).await?;
            let fits = known.as_ref().is_some_and(|known| {
                asked.is_none_or(|asked| {
                    asked == format!("{}/{}", known.os, known.arch)
                        || asked.starts_with(&format!("{}/{}/", known.os, known.arch))
                })
            });
            if fits && !self.options.pull {
                continue;
            }
            emit(Event::Stage(Stage::Pulling(name.clone())));
            self.engine
                .pull(&reference, asked, &mut |transfer| {
                    emit(Event::Pull {
                        image: name.clone(),
                        transfer,
                    });
                })
                .await?;
        }
        Ok(())
    }

    fn request(&self, tag: String) -> BuildRequest {
        let mut registries: Vec<String> = self
            .plan
            .images
            .iter()
            .filter_map(|name| ImageReference::parse(name).ok())
            .map(|reference| reference.registry_host().to_owned())
            .collect();
        registries.sort();
        registries.dedup();
        BuildRequest {
            tag,
            build_args: self.options.build_args.clone(),
            labels: BTreeMap::new(),
            platform: self.options.platform.clone(),
            no_cache: self.options.no_cache,
            secrets: self.options.secrets.clone(),
            registries,
        }
    }

    /// A step may print what it was given; its last lines are shown.
    fn scrubbed<T>(&self, outcome: Result<T, crate::docker::DockerError>) -> Result<T, BuildError> {
        outcome.map_err(|error| match error {
            crate::docker::DockerError::Build(mut failure) => {
                let scrubber = &self.options.scrubber;
                failure.message = scrubber.text(&failure.message);
                for line in &mut failure.lines {
                    *line = scrubber.text(line);
                }
                crate::docker::DockerError::Build(failure).into()
            }
            other => other.into(),
        })
    }

    async fn image(&self, name: &str) -> Result<ImageInfo, BuildError> {
        self.engine.image(name).await?.ok_or_else(|| {
            BuildError::Unexpected(anyhow::anyhow!(
                "the image `{name}` is gone from the engine"
            ))
        })
    }

    async fn analyze(&self, image: &ImageInfo) -> Result<Analysis, BuildError> {
        let folder = tempfile::TempDir::with_prefix("hud-build-")
            .map_err(|error| BuildError::Unexpected(error.into()))?;
        let options = AnalysisOptions {
            env: self.options.env.clone(),
            timeout: self.options.timeout,
            log: folder.path().join("container.log"),
            job: format!("build-{}", self.plan.name.path.replace('/', "-")),
        };
        let name = self.plan.name.to_string();
        analysis::analyze(self.engine, &name, image, &options)
            .await
            .map_err(|error| BuildError::Analysis(self.options.scrubber.text(&error)))
    }

    /// The lock for what was built, and whether it differs from the one on disk.
    fn lock(
        &self,
        hash: String,
        digests: BTreeMap<String, String>,
        analysis: Option<Analysis>,
    ) -> (Lock, bool) {
        let old = self.plan.lock.as_ref();
        let folder = std::path::absolute(&self.options.folder)
            .unwrap_or_else(|_| self.options.folder.clone());
        let mut new = Lock {
            version: lock::FORMAT.to_owned(),
            images: Images {
                local: self.plan.name.to_string(),
                ..Images::default()
            },
            build: Build {
                generated_at: time::now_rfc3339(),
                hud_version: env!("CARGO_PKG_VERSION").to_owned(),
                directory: folder
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                version: String::new(),
                platform: self.plan.platform.clone(),
                base_image: self
                    .plan
                    .dockerfile
                    .base_image()
                    .unwrap_or_default()
                    .to_owned(),
                base_digests: digests,
                arguments: self.options.build_args.keys().cloned().collect(),
                source_hash: hash,
                source_files: source_files(&self.plan.context),
            },
            ..Lock::default()
        };
        match analysis {
            Some(analysis) => self.describe(&mut new, analysis),
            // What was found out about the same sources still holds.
            None => {
                if let Some(old) = old.filter(|old| old.build.source_hash == new.build.source_hash)
                {
                    new.environment.clone_from(&old.environment);
                    new.tools.clone_from(&old.tools);
                    new.hub_tools.clone_from(&old.hub_tools);
                    new.prompts.clone_from(&old.prompts);
                    new.resources.clone_from(&old.resources);
                    new.scenarios.clone_from(&old.scenarios);
                }
            }
        }
        if let Some(old) = old
            && old.version == lock::FORMAT
            && old.contents() == new.contents()
        {
            return (old.clone(), false);
        }
        let version = self.plan.next_version().to_string();
        new.images.local = self.plan.name.with_tag(&version).to_string();
        new.build.version = version;
        (new, true)
    }

    fn describe(&self, lock: &mut Lock, analysis: Analysis) {
        let scrubber = &self.options.scrubber;
        let clean = |values: Vec<serde_json::Value>| -> Vec<serde_json::Value> {
            values
                .into_iter()
                .map(|value| scrubber.json(value))
                .collect()
        };
        let found = self.plan.dockerfile.variables();
        let mut required = found.required;
        required.extend(analysis.required_variables);
        required.extend(
            self.options
                .env
                .keys()
                .filter(|name| !found.optional.contains(*name))
                .cloned(),
        );
        let optional = found
            .optional
            .into_iter()
            .filter(|name| !required.contains(name))
            .collect();
        let old = self
            .plan
            .lock
            .as_ref()
            .and_then(|lock| lock.environment.as_ref());
        lock.environment = Some(Environment {
            initialize_ms: u64::try_from(analysis.initialize.as_millis()).unwrap_or(u64::MAX),
            tool_count: analysis.tools.len(),
            internal_tool_count: analysis.hidden_tools,
            variables: LockVariables::new(required.into_iter().collect(), optional),
            // Written by hand: they stay.
            debugging_ports: old.and_then(|old| old.debugging_ports.clone()),
            telemetry: old.and_then(|old| old.telemetry.clone()),
        });
        lock.tools = clean(analysis.tools);
        lock.hub_tools = analysis.hub_tools;
        lock.prompts = clean(analysis.prompts);
        lock.resources = clean(analysis.resources);
        lock.scenarios = clean(analysis.scenarios);
    }

    fn labels(
        &self,
        lock: &Lock,
        image: &ImageInfo,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let head = lock
            .manifest_head()
            .map_err(|error| BuildError::Unexpected(anyhow::Error::msg(error)))?;
        let mut labels = BTreeMap::from([
            ("org.hud.version".to_owned(), lock.build.version.clone()),
            ("org.hud.manifest.head".to_owned(), head),
        ]);
        let base = lock.build.base_image.clone();
        let digest = lock.build.base_digests.get(&base).cloned();
        let own = [
            ("title", Some(self.plan.name.path.clone())),
            ("version", Some(lock.build.version.clone())),
            ("created", Some(lock.build.generated_at.clone())),
            ("base.digest", digest),
            ("base.name", Some(base).filter(|base| base != "scratch")),
        ];
        for (name, value) in own {
            let name = format!("org.opencontainers.image.{name}");
            // What the Dockerfile says of itself stays; a version of ours is replaced by the next one.
            if let Some(value) = value
                && !image.labels.contains_key(&name)
            {
                labels.insert(name, value);
            }
        }
        Ok(labels)
    }

    /// The image with its labels: one that is there already, else a build on top of it that adds nothing but them.
    async fn label(
        &self,
        image: &ImageInfo,
        labels: BTreeMap<String, String>,
        version: &str,
    ) -> Result<String, BuildError> {
        let name = self.plan.name.with_tag(version).to_string();
        let mut wanted = image.labels.clone();
        wanted.extend(labels.clone());
        let before = self.engine.image(&name).await?;
        if let Some(before) = &before
            && before.labels == wanted
            && before.layers == image.layers
            && before.command == image.command
            && before.env == image.env
        {
            return Ok(before.id.clone());
        }
        let mut request = BuildRequest {
            labels,
            no_cache: false,
            ..self.request(self.labelled.clone())
        };
        let context = if image.on_build.is_empty() {
            // The image is there, whatever it took to build it.
            request.build_args.clear();
            request.secrets.clear();
            Arc::new(Context {
                dockerfile: DockerfileText {
                    name: "Dockerfile".to_owned(),
                    text: format!("FROM {}\n", self.temporary).into(),
                },
                shared_key: "hud labels".to_owned(),
                ..Context::default()
            })
        } else {
            // A build on top of it would run what it keeps for builds on top of it; out of the cache the same build is the same image.
            Arc::clone(&self.plan.context)
        };
        let id = self.engine.build(&request, context, &mut |_| {}).await?;
        if let Some(before) = before
            && before.id != id
            && before.tags.iter().all(|tag| self.is_ours(tag, version))
        {
            self.replace(&before, &id, version).await?;
        }
        Ok(id)
    }

    fn is_ours(&self, tag: &str, version: &str) -> bool {
        [version, "latest"]
            .iter()
            .any(|own| self.plan.name.with_tag(own).to_string() == tag)
    }

    /// Moves our names from an older build of the same version, which then has none, and removes it.
    async fn replace(&self, before: &ImageInfo, id: &str, version: &str) -> Result<(), BuildError> {
        for tag in [version, "latest"] {
            self.engine.tag(id, &self.plan.name.with_tag(tag)).await?;
        }
        // A container may still use it; it is then the user's to remove.
        if let Err(error) = self.engine.remove_image(&before.id).await {
            tracing::debug!("{error}");
        }
        Ok(())
    }
}
