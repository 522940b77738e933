//! From the process (or a test) to a command and back to an exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use crate::ui::Printer;

use super::args::{Cli, Command, GlobalArgs};
use super::exit_code::ExitCode;
use super::failure::{Failure, words};
use super::{CHILD_COMMAND, child, commands};

/// Everything that the program depends on: it is a function of this and of the file system.
pub struct Invocation<'a> {
    /// The command line, the program's own name first.
    pub arguments: Vec<OsString>,
    /// The environment variables. A function, because `--help` needs none.
    pub environment: &'a dyn Fn() -> BTreeMap<String, String>,
}

/// Runs the program as the process that it is.
pub fn main() -> std::process::ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Before everything else: a worker starts through this, so it must cost nothing.
    if arguments.get(1).is_some_and(|first| first == CHILD_COMMAND) {
        let (code, message) = child::run(&arguments[2..]);
        Printer::default().error(&message);
        return code;
    }
    run(&Invocation {
        arguments,
        environment: &|| {
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    // A variable that is not UTF-8 is none of ours.
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect()
        },
    })
    .into()
}

/// Runs the program.
pub fn run(invocation: &Invocation<'_>) -> ExitCode {
    let cli = match Cli::try_parse_from(&invocation.arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let printer = Printer::default();
    match dispatch(cli, invocation, &printer) {
        Ok(code) => code,
        Err(failure) => {
            if let Some(words) = words(&failure) {
                printer.error(&words);
            }
            ExitCode::of_failure(&failure)
        }
    }
}

fn dispatch(cli: Cli, invocation: &Invocation<'_>, printer: &Printer) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Init(args) => commands::init::run(&args, printer),
        Command::Completions(args) => commands::completions::run(args, printer),
        Command::Man(args) => commands::man::run(&args, printer),
        Command::Set(args) => {
            let environment = (invocation.environment)();
            let home = environment.get("HOME").map(std::path::Path::new);
            commands::set::run(&args, home, printer)
        }
        Command::Eval(_) | Command::Scenario(_) => Err(Failure::usage("not wired")),
    }
}

/// Prints help (to stdout, it was asked for) or what is wrong with the command line.
fn refuse(error: &clap::Error) -> ExitCode {
    let printer = Printer::default();
    let text = error.render().to_string();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _ = printer.data(text.trim_end());
        return ExitCode::Success;
    }
    printer.error(text.trim_end());
    ExitCode::Usage
}
