//! What every command may need of the world around it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Variables, env_vars};
use crate::environment::EnvironmentOptions;
use crate::ui::{ColorChoice, Options, Printer, StdoutMode, Verbosity};

use super::args::GlobalArgs;
use super::failure::{Failure, OrUsage};
use super::logging;
use super::run::Invocation;

/// The world around a command.
pub(super) struct Context<'a> {
    /// The way to stdout and stderr, as the flags ask for it.
    pub(super) printer: Printer,
    /// The process's environment variables.
    pub(super) environment: BTreeMap<String, String>,
    /// This binary, through which children start.
    pub(super) program: Option<PathBuf>,
    make_printer: &'a dyn Fn(Options) -> Printer,
}

impl<'a> Context<'a> {
    pub(super) fn new(invocation: &Invocation<'a>, global: GlobalArgs) -> Self {
        let environment = (invocation.environment)();
        let verbosity = verbosity(global.quiet, global.verbosity());
        let printer = (invocation.printer)(options(&environment, StdoutMode::Text, verbosity));
        logging::start(&printer);
        Self {
            printer,
            environment,
            program: invocation.program.clone(),
            make_printer: invocation.printer,
        }
    }

    /// The same context with another way of printing, for commands whose files and flags say more.
    pub(super) fn set_output(&mut self, stdout: StdoutMode, verbosity: Verbosity) {
        self.printer = (self.make_printer)(options(&self.environment, stdout, verbosity));
        logging::start(&self.printer);
    }

    /// The user's home folder.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.environment
            .get(env_vars::HOME)
            .filter(|home| !home.is_empty())
            .map(PathBuf::from)
    }

    /// Where files are kept that can be made again.
    pub(super) fn cache(&self) -> Option<PathBuf> {
        let xdg = self
            .environment
            .get("XDG_CACHE_HOME")
            .map(PathBuf::from)
            // The specification says to ignore a relative one.
            .filter(|path| path.is_absolute());
        let cache = xdg.or_else(|| self.home().map(|home| home.join(".cache")))?;
        Some(cache.join("hud"))
    }

    /// Where files are kept that are of no project and cannot be made again, such as what was typed.
    pub(super) fn state(&self) -> Option<PathBuf> {
        let xdg = self
            .environment
            .get("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let state = xdg.or_else(|| self.home().map(|home| home.join(".local/state")))?;
        Some(state.join("hud"))
    }

    /// The environment's variables with those of `.env` files.
    pub(super) fn variables(&self) -> Result<Variables, Failure> {
        let variables = Variables::new(self.environment.clone(), Path::new(".")).or_usage()?;
        for warning in variables.warnings() {
            self.printer.warn(&warning.to_string());
        }
        Ok(variables)
    }

    /// What environments are started with.
    pub(super) fn environment_options(
        &self,
        variables: &Variables,
        python: Option<PathBuf>,
        logs: PathBuf,
        startup_timeout: Duration,
    ) -> Result<EnvironmentOptions, Failure> {
        let (variables, secrets) = variables.for_children();
        Ok(EnvironmentOptions {
            variables,
            secrets,
            python,
            cache: self.cache(),
            wrapper: self.program.clone(),
            // A worker runs in the folder of its environment, so relative paths would lead elsewhere.
            logs: std::path::absolute(logs)?,
            folder: std::path::absolute(".")?,
            startup_timeout,
        })
    }
}

/// Runs `work` on a runtime of its own; commands that need none start faster.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    allow_many_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    // A thread that still reads stdin, or a call that a second Ctrl-C left behind, is not waited for.
    runtime.shutdown_background();
    outcome
}

/// A rollout holds a socket to its copy and one to its model; the usual soft limit of 1024 would be in the way of 500 at once.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Raising the soft limit to the hard one is always allowed; where it is not, the limit stays as it is.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// What `-q` and the number of `-v` mean.
pub(super) fn verbosity(quiet: bool, verbose: u8) -> Verbosity {
    match (quiet, verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::VeryVerbose,
    }
}

/// The options of a printer; `NO_COLOR` (see no-color.org) and `HUD_NO_PROGRESS` count when they hold anything.
pub(super) fn options(
    environment: &BTreeMap<String, String>,
    stdout: StdoutMode,
    verbosity: Verbosity,
) -> Options {
    let is_set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    Options {
        stdout,
        verbosity,
        color: if is_set(env_vars::NO_COLOR) {
            ColorChoice::Never
        } else {
            ColorChoice::Auto
        },
        progress: !is_set(env_vars::HUD_NO_PROGRESS),
    }
}
