//! Containers: started with limits, spoken to over their streams, and gone at the end.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig, PortBinding, PortMap};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, RemoveContainerOptions, StopContainerOptions,
    WaitContainerOptions,
};
use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::engine::Engine;
use super::error::DockerError;
use super::owner::Owner;
use super::reaper::{JOB_LABEL, OWNER_LABEL};

/// How much of a container's stdout may wait for us.
const BUFFER: usize = 256 * 1024;

/// How long the engine may take to remove a container that has ended.
const REMOVAL: Duration = Duration::from_secs(30);

/// What a container is started with.
#[derive(Clone, Default, PartialEq)]
pub struct ContainerSpec {
    /// The image, by name or id.
    pub image: String,
    /// What is run instead of the image's command.
    pub command: Option<Vec<String>>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// The job that it belongs to.
    pub job: String,
    /// Whether we write to its stdin and read its stdout; both are the log's otherwise.
    pub interactive: bool,
    /// Ports of the container that we want to reach.
    pub publish: Vec<Publish>,
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub network: Network,
    /// A root that cannot be written, a `/tmp` in memory, and no capability.
    pub hardened: bool,
    /// Folders and volumes, as docker writes them: `/host:/container:ro`.
    pub volumes: Vec<String>,
    /// Where what it writes is kept: stderr, and stdout when it is not interactive.
    pub log: PathBuf,
}

impl fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerSpec")
            .field("image", &self.image)
            .field("command", &self.command)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A port of a container on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The port in the container.
    pub container: u16,
    /// The port here; a free one when it is not given.
    pub host: Option<u16>,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Processors, 0.5 for a half.
    pub cpus: Option<f64>,
    /// Memory in bytes, swap included.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// What a container may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The engine's default network.
    #[default]
    Bridge,
    /// Nothing.
    None,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the number of the signal when it was killed.
    pub code: i64,
}

/// The streams of an interactive container.
pub struct Streams {
    /// Where we write.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it writes.
    pub stdout: DuplexStream,
}

/// A container that runs. [`Container::remove`] ends it; one that is only dropped ends when its stdin closes, or with the next run of `hud`.
pub struct Container {
    engine: Engine,
    id: String,
    exit: watch::Receiver<Option<Exit>>,
    tasks: JoinSet<()>,
}

impl Engine {
    /// Creates and starts a container.
    pub async fn start(
        &self,
        spec: &ContainerSpec,
    ) -> Result<(Container, Option<Streams>), DockerError> {
        let doing = || format!("cannot start a container of `{}`", spec.image);
        let failed = |error: &bollard::errors::Error| DockerError::from_bollard(doing(), error);
        let created = self
            .docker
            .create_container(None::<CreateContainerOptions>, self.create_body(spec))
            .await
            .map_err(|error| failed(&error))?;
        let (sender, exit) = watch::channel(None);
        let mut container = Container {
            engine: self.clone(),
            id: created.id,
            exit,
            tasks: JoinSet::new(),
        };
        let started = container.run(spec, sender).await;
        match started {
            Ok(streams) => Ok((container, streams)),
            Err(error) => {
                container.remove(Duration::ZERO).await;
                Err(failed(&error))
            }
        }
    }

    fn create_body(&self, spec: &ContainerSpec) -> ContainerCreateBody {
        let labels = HashMap::from([
            (JOB_LABEL.to_owned(), spec.job.clone()),
            (OWNER_LABEL.to_owned(), Owner::this().to_string()),
        ]);
        let env = spec
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut exposed = Vec::new();
        let mut ports = PortMap::new();
        // A port that only this machine reaches, unless the engine is another machine.
        let address = if self.info().local {
            "127.0.0.1"
        } else {
            "0.0.0.0"
        };
        for port in &spec.publish {
            let name = format!("{}/tcp", port.container);
            exposed.push(name.clone());
            ports.insert(
                name,
                Some(vec![PortBinding {
                    host_ip: Some(address.to_owned()),
                    host_port: Some(port.host.map_or_else(String::new, |port| port.to_string())),
                }]),
            );
        }
        let memory = spec
            .limits
            .memory
            .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let host_config = HostConfig {
            auto_remove: Some(true),
            init: Some(true),
            binds: Some(spec.volumes.clone()).filter(|volumes| !volumes.is_empty()),
            memory,
            // The same limit for memory and swap together: no swap.
            memory_swap: memory,
            nano_cpus: spec.limits.cpus.map(|cpus| (cpus * 1e9) as i64),
            pids_limit: spec.limits.pids.map(i64::from),
            network_mode: Some(
                match spec.network {
                    Network::Bridge => "bridge",
                    Network::None => "none",
                }
                .to_owned(),
            ),
            port_bindings: Some(ports).filter(|ports| !ports.is_empty()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            readonly_rootfs: Some(spec.hardened),
            cap_drop: spec.hardened.then(|| vec!["ALL".to_owned()]),
            tmpfs: spec
                .hardened
                .then(|| HashMap::from([("/tmp".to_owned(), "rw,nosuid,nodev".to_owned())])),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            image: Some(spec.image.clone()),
            cmd: spec.command.clone(),
            env: Some(env),
            labels: Some(labels),
            exposed_ports: Some(exposed).filter(|ports| !ports.is_empty()),
            attach_stdin: Some(spec.interactive),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(spec.interactive),
            // The container sees the end of its stdin when we are gone, however we went.
            stdin_once: Some(spec.interactive),
            tty: Some(false),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        }
    }
}

impl Container {
    /// Attaches, watches for the end, starts.
    async fn run(
        &mut self,
        spec: &ContainerSpec,
        exit: watch::Sender<Option<Exit>>,
    ) -> Result<Option<Streams>, bollard::errors::Error> {
        let docker = self.engine.docker.clone();
        let options = AttachContainerOptions {
            stream: true,
            stdin: spec.interactive,
            stdout: true,
            stderr: true,
            ..AttachContainerOptions::default()
        };
        let attached = docker.attach_container(&self.id, Some(options)).await?;
        let log = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spec.log)
            .await?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let stdout = spec.interactive.then_some(theirs);
        self.tasks.spawn(pump(attached.output, stdout, log));

        let waiting = docker.clone();
        let id = self.id.clone();
        let (asked, has_asked) = tokio::sync::oneshot::channel();
        self.tasks.spawn(async move {
            let options = WaitContainerOptions {
                // The engine removes it at its end; only then it is gone.
                condition: "removed".to_owned(),
            };
            let mut ends = waiting.wait_container(&id, Some(options));
            let next = ends.next();
            let _ = asked.send(());
            let code = match next.await {
                Some(Ok(ended)) => ended.status_code,
                Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
                Some(Err(_)) | None => -1,
            };
            // Nobody listens when the container was dropped.
            let _ = exit.send(Some(Exit { code }));
        });
        let _ = has_asked.await;
        docker
            .start_container(
                &self.id,
                None::<bollard::query_parameters::StartContainerOptions>,
            )
            .await?;
        Ok(spec.interactive.then_some(Streams {
            stdin: attached.input,
            stdout: ours,
        }))
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address at which one of its published ports is reached.
    pub async fn address_of(&self, port: u16) -> Result<Option<String>, DockerError> {
        let inspected = self
            .engine
            .docker
            .inspect_container(
                &self.id,
                None::<bollard::query_parameters::InspectContainerOptions>,
            )
            .await
            .map_err(|error| DockerError::from_bollard("cannot look at the container", &error))?;
        let host = self.engine.host();
        Ok(inspected
            .network_settings
            .and_then(|settings| settings.ports)
            .and_then(|mut ports| ports.remove(&format!("{port}/tcp")))
            .flatten()
            .and_then(|bindings| bindings.into_iter().find_map(|binding| binding.host_port))
            .map(|port| format!("{host}:{port}")))
    }

    /// How it ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|exit| *exit)
            .unwrap_or(Exit { code: -1 })
    }

    /// Ends and removes it. It has `grace` to end by itself once it was asked to.
    pub async fn remove(&mut self, grace: Duration) {
        if self.exit().is_none() && !grace.is_zero() {
            let options = StopContainerOptions {
                t: i32::try_from(grace.as_secs().max(1)).ok(),
                ..StopContainerOptions::default()
            };
            // An error says that it has ended already, or that the engine is gone.
            let _ = self
                .engine
                .docker
                .stop_container(&self.id, Some(options))
                .await;
        }
        if self.exit().is_none() {
            let options = RemoveContainerOptions {
                force: true,
                v: true,
                ..RemoveContainerOptions::default()
            };
            let _ = self
                .engine
                .docker
                .remove_container(&self.id, Some(options))
                .await;
        }
        let _ = tokio::time::timeout(REMOVAL, self.ended()).await;
        self.tasks.shutdown().await;
    }
}

/// Takes what the container writes to its two places.
async fn pump(
    mut output: Pin<
        Box<dyn futures::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>,
    >,
    mut stdout: Option<DuplexStream>,
    mut log: tokio::fs::File,
) {
    while let Some(Ok(piece)) = output.next().await {
        match (piece, &mut stdout) {
            (LogOutput::StdOut { message }, Some(stdout)) => {
                // Whoever read it may be gone; the log goes on.
                let _ = stdout.write_all(&message).await;
            }
            (piece, _) => {
                let _ = log.write_all(piece.as_ref()).await;
                let _ = log.flush().await;
            }
        }
    }
}
