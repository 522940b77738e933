//! `hud man`: man pages, made from the same definitions as the help.

use clap::CommandFactory;

use crate::cli::args::{Cli, ManArgs};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::ui::Printer;
use crate::util::fs;

/// Prints the page of `hud`, or writes those of all commands into a folder.
pub(in crate::cli) fn run(args: &ManArgs, printer: &Printer) -> Result<ExitCode, Failure> {
    let pages = pages()?;
    match &args.dir {
        None => {
            if let Some((_, page)) = pages.first() {
                printer.data(page.trim_end())?;
            }
        }
        Some(folder) => {
            fs::create_dir_all(folder).or_usage()?;
            for (name, page) in &pages {
                fs::write(&folder.join(name), page).or_usage()?;
            }
            printer.talk(&format!(
                "{} pages written to `{}`",
                pages.len(),
                folder.display()
            ));
        }
    }
    Ok(ExitCode::Success)
}

/// File name and roff text of each page; the first is the page of `hud` itself.
fn pages() -> Result<Vec<(String, String)>, Failure> {
    // A page for `hud help eval` would say what that of `hud eval` says.
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    let mut waiting = vec![root];
    while let Some(command) = waiting.pop() {
        waiting.extend(
            command
                .get_subcommands()
                .filter(|c| !c.is_hide_set())
                .cloned(),
        );
        let man = clap_mangen::Man::new(command);
        let mut page = Vec::new();
        man.render(&mut page)?;
        pages.push((
            man.get_filename(),
            String::from_utf8_lossy(&page).into_owned(),
        ));
    }
    pages[1..].sort();
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let names: Vec<String> = pages().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "hud.1",
                "hud-analyze.1",
                "hud-build.1",
                "hud-completions.1",
                "hud-debug.1",
                "hud-dev.1",
                "hud-eval.1",
                "hud-init.1",
                "hud-man.1",
                "hud-push.1",
                "hud-scenario-grade.1",
                "hud-scenario-list.1",
                "hud-scenario-run.1",
                "hud-scenario-setup.1",
                "hud-scenario-shell.1",
                "hud-scenario.1",
                "hud-serve-mcp.1",
                "hud-serve.1",
                "hud-set.1",
            ]
        );
    }
}
