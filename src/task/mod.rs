//! Tasks and the files that hold them. Never starts anything.

mod agent_config;
mod environment_spec;
mod identity;
mod model;

pub use agent_config::{AGENT_CONFIG_KEYS, AgentConfig, Steps};
pub use environment_spec::{ConnectionSpec, EnvironmentSpec, Workdir};
pub use model::{Invocation, Location, Solution, Task};
