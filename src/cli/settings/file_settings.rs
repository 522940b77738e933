//! Settings as one layer below the flags holds them: `hud.toml`, or the environment variables.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Setting;

/// What the layer sets, each with its place.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct FileSettings {
    pub(in crate::cli) source: Option<Setting<PathBuf>>,
    pub(in crate::cli) agent: Option<Setting<String>>,
    pub(in crate::cli) model: Option<Setting<String>>,
    pub(in crate::cli) base_url: Option<Setting<String>>,
    pub(in crate::cli) gateway: Option<Setting<bool>>,
    pub(in crate::cli) judge_model: Option<Setting<String>>,
    pub(in crate::cli) task_ids: Option<Setting<Vec<String>>>,
    pub(in crate::cli) limit: Option<Setting<u32>>,
    pub(in crate::cli) group: Option<Setting<u32>>,
    pub(in crate::cli) seed: Option<Setting<u64>>,
    pub(in crate::cli) max_concurrent: Option<Setting<u32>>,
    pub(in crate::cli) rollout_timeout: Option<Setting<Duration>>,
    pub(in crate::cli) rollout_tokens: Option<Setting<u64>>,
    pub(in crate::cli) python: Option<Setting<PathBuf>>,
    pub(in crate::cli) json: Option<Setting<bool>>,
    pub(in crate::cli) min_reward: Option<Setting<f64>>,
    pub(in crate::cli) success_threshold: Option<Setting<f64>>,
    pub(in crate::cli) runs_dir: Option<Setting<PathBuf>>,
    pub(in crate::cli) quiet: Option<Setting<bool>>,
    pub(in crate::cli) verbosity: Option<Setting<u8>>,
    pub(in crate::cli) remote: Option<Setting<bool>>,
    pub(in crate::cli) taskset: Option<Setting<String>>,
}
