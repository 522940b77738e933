//! The project's `hud.toml`, and `.hud_eval.toml` of Python hud, which has the same form.
//!
//! Sections: `[eval]` (what `hud eval` has flags for), `[agent]` (agent settings), one for each agent type (agent settings, `model`, `base_url`,
//! `api_key`), `[dev]` (what `hud dev` has flags for). Where both files set a key, `hud.toml` wins. Strings may use `${VAR}`.

mod dev_keys;
mod eval_keys;
mod kinds;
mod load;
mod section;

pub use load::{Project, load};
pub use section::Section;

/// Files that are read, the one that wins first.
pub const FILES: &[&str] = &["hud.toml", ".hud_eval.toml"];

/// Agent types, each of which may have a section.
pub const AGENT_TYPES: &[&str] = &[
    "claude",
    "openai",
    "operator",
    "gemini",
    "gemini_cua",
    "openai_compatible",
    "integration_test",
];
