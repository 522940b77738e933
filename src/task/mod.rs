//! Tasks and the files that hold them. Never starts anything.

mod agent_config;
pub mod arguments;
mod environment_spec;
pub mod file;
mod identity;
mod model;
mod slug;

pub use crate::util::diagnostic::{Diagnostic as TaskError, Diagnostics as TaskErrors, Location};
pub use agent_config::{AGENT_CONFIG_KEYS, AgentConfig, Steps};
pub use environment_spec::{ConnectionSpec, EnvironmentSpec, Workdir};
pub use model::{Invocation, Solution, Task};
