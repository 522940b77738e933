//! `hud push`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `hud push`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud push --tag ghcr.io/me/my-env          Push the image of ./hud.lock.yaml, with its version as the tag
  hud push my-env --tag localhost:5000/my-env:1.0
  hud push                                  Push to where it was pushed before

The password comes from `docker login` or from Docker's credential helpers. hud.lock.yaml records the name and the digest.")]
pub(in crate::cli) struct PushArgs {
    /// The folder with hud.lock.yaml
    #[arg(value_name = "DIR", default_value = ".")]
    pub(in crate::cli) dir: PathBuf,
    /// The name in the registry [default: where it was pushed before, else the image's own name]
    #[arg(short, long, value_name = "NAME[:TAG]")]
    pub(in crate::cli) tag: Option<String>,
    /// Push this image of the engine instead of the lock's
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) image: Option<String>,
    /// Print JSON Lines on stdout
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
