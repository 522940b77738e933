//! What was typed, together with files and environment variables: every value with where it came from.
//!
//! Order, highest first: the task's own `agent_config`, flag, environment variable, the task file's `agent:`, the project's `hud.toml`, the
//! default. Starts nothing and prints nothing.

mod agent_layers;
mod eval;
mod file_settings;
mod overrides;
mod platform;
mod selection;
mod show;
#[cfg(test)]
mod testing;

pub(super) use selection::select;
