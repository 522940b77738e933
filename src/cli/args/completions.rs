//! `hud completions`.

use clap::{Args, ValueEnum};

/// Arguments of `hud completions`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Examples:
  hud completions bash > ~/.local/share/bash-completion/completions/hud
  hud completions zsh > \"${fpath[1]}/_hud\"
  hud completions fish > ~/.config/fish/completions/hud.fish
  hud completions powershell >> $PROFILE")]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

/// Shells with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// PowerShell
    Powershell,
}
