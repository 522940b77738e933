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
use super::{CHILD_COMMAND, child, commands, secrets};

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
        environment: &secrets::environment,
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
        Command::Analyze(args) => commands::analyze::run(&args, &context),
        Command::Dev(args) => commands::dev::run(&args, cli.global, &mut context),
        Command::Debug(args) => commands::debug::run(&args, &context),
        Command::Scenario(args) => commands::scenario::run(&args.command, &context),
        Command::Build(args) => commands::build::run(&args, cli.global, &mut context),
        Command::Push(args) => commands::push::run(&args, cli.global, &mut context),
        Command::Serve(args) => commands::serve::run(&args.command, &context),
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
        // Nothing was asked for: help is then an answer, and still not data.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            printer.talk(error.render().to_string().trim_end());
            ExitCode::Usage
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use clap::CommandFactory;
    use serde_json::Value;

    use super::*;

    /// Exit code, stdout and stderr.
    fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> (ExitCode, String, String) {
        let printers = RefCell::new(Vec::new());
        let code = run(&Invocation {
            arguments: std::iter::once(&"hud")
                .chain(arguments)
                .map(OsString::from)
                .collect(),
            environment: &|| {
                let path = std::env::vars().filter(|(name, _)| name == "PATH");
                let own = environment
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                path.chain(own).collect()
            },
            printer: &|options| {
                let (printer, captured) = Printer::memory(options, Terminal::default());
                printers.borrow_mut().push(captured);
                printer
            },
            program: None,
        });
        let printers = printers.into_inner();
        let stdout = printers.iter().map(|printed| printed.stdout()).collect();
        let stderr = printers.iter().map(|printed| printed.stderr()).collect();
        (code, stdout, stderr)
    }

    #[test]
    fn the_definitions_of_clap_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_program_runs_twice_in_one_process() {
        let runs = tempfile::tempdir().unwrap();
        let tasks = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/trivia/tasks.yaml");
        let runs_dir = runs.path().to_str().unwrap();
        for _ in 0..2 {
            let (code, stdout, stderr) = run_with(
                &[
                    "eval",
                    tasks,
                    "-m",
                    "oracle",
                    "--json",
                    "--runs-dir",
                    runs_dir,
                ],
                &[("HOME", runs_dir)],
            );
            assert_eq!(code, ExitCode::Success, "{stderr}");
            let summary: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
            assert_eq!(summary["event"], "summary");
            assert_eq!(summary["mean_reward"], 1.0);
        }
    }

    #[test]
    fn what_was_asked_for_is_on_stdout_and_mistakes_are_on_stderr() {
        let check = |arguments: &[&str], code: ExitCode, stdout: &str, stderr: &str| {
            let (got, out, err) = run_with(arguments, &[]);
            assert_eq!(got, code, "{arguments:?}: {err}");
            assert!(out.starts_with(stdout), "{arguments:?}: {out}");
            assert!(err.starts_with(stderr), "{arguments:?}: {err}");
            assert_eq!(out.is_empty(), stdout.is_empty(), "{arguments:?}: {out}");
            assert_eq!(err.is_empty(), stderr.is_empty(), "{arguments:?}: {err}");
        };
        check(&["--version"], ExitCode::Success, "hud ", "");
        check(&["eval", "-h"], ExitCode::Success, "Run tasks with", "");
        check(&["help", "eval"], ExitCode::Success, "Run", "");
        check(&["help", "scenario", "list"], ExitCode::Success, "List", "");
        check(&["man"], ExitCode::Success, ".ie", "");
        check(&[], ExitCode::Usage, "", "Evaluate AI agents");
        check(&["evla"], ExitCode::Usage, "", "error: unrecognized");
        check(
            &["eval", "--remote"],
            ExitCode::Usage,
            "",
            "error: `--remote` needs",
        );
        check(
            &["set", "A=1"],
            ExitCode::Usage,
            "",
            "error: the home folder is unknown",
        );
    }
}
