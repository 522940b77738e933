//! `hud set`.

use clap::Args;

use super::KeyValue;

/// Arguments of `hud set`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud set ANTHROPIC_API_KEY=sk-ant-…
  hud set OPENAI_API_KEY=sk-… OPENAI_BASE_URL=http://localhost:8000/v1

The file is readable by you alone. Environment variables and the project's .env win over it;
environments never see what is in it.")]
pub(in crate::cli) struct SetArgs {
    /// Variables to save
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub(in crate::cli) assignments: Vec<KeyValue>,
}
