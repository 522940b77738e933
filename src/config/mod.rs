//! Settings from outside: environment variables, `.env` files, `hud.toml`. Each value keeps where it came from, so that `--show-config` can say.
//! Knows nothing of what the settings do, creates no file, and is the only module in which the process's environment is read.

pub mod dotenv;
pub mod env_vars;
mod origin;
pub mod project;
mod variables;

pub use origin::{Origin, Setting};
pub use variables::Variables;
