//! `hud completions`: the script for a shell, made from the same definitions as the help.

use clap::CommandFactory;
use clap_complete::Shell as Generator;

use crate::cli::args::{Cli, CompletionsArgs, Shell};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::ui::Printer;

/// Prints the script.
pub(in crate::cli) fn run(args: CompletionsArgs, printer: &Printer) -> Result<ExitCode, Failure> {
    printer.data(script(args.shell).trim_end())?;
    Ok(ExitCode::Success)
}

/// The script of `shell`.
pub(in crate::cli) fn script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
        Shell::Powershell => Generator::PowerShell,
    };
    let mut script = Vec::new();
    // `help` would bring every command a second time.
    let mut root = Cli::command().disable_help_subcommand(true);
    clap_complete::generate(generator, &mut root, "hud", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::util::fs;

    /// The committed scripts are what this build would print. `HUD_REWRITE=1` writes them.
    #[test]
    fn committed_completions_are_fresh() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        for (shell, name) in [
            (Shell::Bash, "hud.bash"),
            (Shell::Zsh, "_hud"),
            (Shell::Fish, "hud.fish"),
            (Shell::Powershell, "_hud.ps1"),
        ] {
            let path = folder.join(name);
            let fresh = script(shell);
            #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
            if std::env::var_os("HUD_REWRITE").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &fresh).unwrap();
            }
            let committed = fs::read_to_string_if_exists(&path).unwrap();
            assert!(
                committed.as_deref() == Some(fresh.as_str()),
                "completions/{name} is stale; run `HUD_REWRITE=1 cargo test completions`"
            );
        }
    }
}
