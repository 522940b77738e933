//! What was typed, together with files and environment variables: every value with where it came from.
//!
//! Order, highest first: the task's own `agent_config`, flag, environment variable, the task file's `agent:`, the project's `hud.toml`, the
//! default. Starts nothing and prints nothing.

mod agent_layers;
mod agent_settings;
mod dev;
mod eval;
mod overrides;
mod platform;
mod project;
mod selection;
mod show;
#[cfg(test)]
pub(super) mod testing;

pub(super) use agent_layers::{Layer, Source as LayerSource};
pub(super) use agent_settings::AgentSettings;
pub(super) use dev::{DRAIN, DevSettings, IMPORT_TIMEOUT, Served};
pub(super) use eval::EvalSettings;
pub(super) use project::ProjectSettings;
pub(super) use selection::select;
pub(super) use show::{Row, as_json, as_text, rows};
