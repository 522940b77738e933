//! From the process (or a test) to a command and back to an exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;

use crate::ui::{Options, Paint, Printer, StdoutMode, Terminal, Verbosity};

use super::args::{Cli, Command};
use super::context::{Context, options};
use super::exit_code::ExitCode;
use super::failure::{Failure, words};
use super::{CHILD_COMMAND, child, commands};

/// Everything that the program depends on: it is a function of this and of the file system.
pub struct Invocation<'a> {
    /// The command line, the program's own name first.
    pub arguments: Vec<OsString>,
    /// The environment variables; asked for once the command line has been read.
    pub environment: &'a dyn Fn() -> BTreeMap<String, String>,
    /// Makes the way to stdout and stderr.
    pub printer: &'a dyn Fn(Options) -> Printer,
    /// This binary, through which children start so that they die with us; `None` starts them directly.
    pub program: Option<PathBuf>,
}

/// Runs the program as the process that it is.
pub fn main() -> std::process::ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let printer = |options| Printer::new(options, Terminal::detect());
    // Before everything else: a worker starts through this, so it must cost nothing.
    if arguments.get(1).is_some_and(|first| first == CHILD_COMMAND) {
        let (code, message) = child::run(&arguments[2..]);
        printer(Options::default()).error(&message);
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
        printer: &printer,
        program: std::env::current_exe().ok(),
    })
    .into()
}

/// Runs the program.
pub fn run(invocation: &Invocation<'_>) -> ExitCode {
    let cli = match Cli::try_parse_from(&invocation.arguments) {
        Ok(cli) => cli,
        Err(error) => return answer(&error, invocation),
    };
    let mut context = Context::new(invocation, cli.global);
    let outcome = match cli.command {
        Command::Eval(args) => commands::eval::run(&args, cli.global, &mut context),
        Command::Init(args) => commands::init::run(&args, &context.printer),
        Command::Scenario(args) => commands::scenario::run(&args.command, &context),
        Command::Set(args) => {
            commands::set::run(&args, context.home().as_deref(), &context.printer)
        }
        Command::Completions(args) => commands::completions::run(args, &context.printer),
        Command::Man(args) => commands::man::run(&args, &context.printer),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            if let Some(words) = words(&failure) {
                context.printer.error(&words);
            }
            ExitCode::of_failure(&failure)
        }
    }
}

/// Prints help and version (data: they were asked for), or what is wrong with the command line (talk).
fn answer(error: &clap::Error, invocation: &Invocation<'_>) -> ExitCode {
    let printer = (invocation.printer)(options(
        &(invocation.environment)(),
        StdoutMode::Text,
        Verbosity::Normal,
    ));
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = if printer.stdout_paint() == Paint::PLAIN {
                error.render().to_string()
            } else {
                error.render().ansi().to_string()
            };
            match printer.data(text.trim_end()) {
                Ok(()) => ExitCode::Success,
                Err(error) => ExitCode::of_failure(&Failure::from(error)),
            }
        }
        _ => {
            let text = error.render().to_string();
            // clap begins most of its texts with the label that the printer puts there.
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            printer.error(text.trim_end());
            ExitCode::Usage
        }
    }
}
