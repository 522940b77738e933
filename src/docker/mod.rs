//! The container engine: Docker, or Podman behind Docker's API. The only place that names `bollard`.
//!
//! [`Engine`] finds an engine, builds and moves images, and runs containers. It knows nothing of environments, MCP or lock files, prints
//! nothing and reads no environment variable: whoever finds the engine hands in what was set ([`EngineSettings`]).

mod archive;
mod build;
mod build_trace;
mod containers;
mod context;
mod credentials;
mod discovery;
mod engine;
mod error;
mod images;
mod owner;
mod patterns;
mod reaper;
mod reference;
mod secret;
mod session;

pub use build::BuildRequest;
pub use build_trace::{BuildEvent, BuildFailure, StepOutcome};
pub use containers::{Container, ContainerSpec, Exit, Limits, Network, Publish, Streams};
pub use context::{Context, ContextEntry, DockerfileText, EntryKind};
pub use discovery::{Address, EngineSettings, HelperVariables, Tls};
pub use engine::{Engine, EngineInfo};
pub use error::DockerError;
pub use images::{ImageInfo, Transfer};
pub use owner::Owner;
pub use patterns::{Matched, Patterns};
pub use reaper::{JOB_LABEL, OWNER_LABEL, TEMPORARY, temporary_tag};
pub use reference::{DOCKER_HUB, ImageReference, component_from};
pub use secret::Secret;
