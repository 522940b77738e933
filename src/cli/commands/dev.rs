//! `hud dev`: serves an environment while it is written.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tokio_util::sync::CancellationToken;

use crate::cli::args::{Client, DevArgs, GlobalArgs};
use crate::cli::context::{Context, block_on, verbosity};
use crate::cli::dev::{self, Development};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::interrupt::interruptible_unless;
use crate::cli::settings::{DevSettings, ProjectSettings};
use crate::config::env_vars;
use crate::dev::DevOptions;
use crate::task::EnvironmentSpec;
use crate::ui::{Printer, StdoutMode};

/// Everything is read and checked first; then the port is taken; then the environment starts.
pub(in crate::cli) fn run(
    args: &DevArgs,
    global: GlobalArgs,
    context: &mut Context<'_>,
) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let lookup = |name: &str| variables.value(name);
    let project = ProjectSettings::read(Path::new("."), &lookup)?;
    let settings = DevSettings::resolve(args, &project, &variables)?;
    if settings.json {
        context.set_output(
            StdoutMode::Json,
            verbosity(global.quiet, global.verbosity()),
        );
    }
    let spec = dev::environment(&settings.served, &lookup)?;
    if let (Some(client), true) = (settings.client, settings.stdio) {
        return tell_client_to_start(client, &settings, &spec, context);
    }
    warn_of_open_doors(&settings, &context.printer);
    let scratch = tempfile::TempDir::with_prefix("hud-dev-")?;
    let options = context.environment_options(
        &variables,
        settings.python.clone(),
        scratch.path().to_owned(),
        settings.import_timeout,
    )?;
    let context: &Context<'_> = context;
    let stop = CancellationToken::new();
    let development = Development {
        options: DevOptions {
            spec,
            watch: absolute(&settings.watch)?,
            watching: settings.watching,
            isolation: settings.isolation,
            import_timeout: settings.import_timeout,
            log: options.logs.join("environment.log"),
            // Only a reload gains from it.
            warm: settings.watching,
        },
        environments: options,
        settings,
        context,
        stop: stop.clone(),
        is_conversing: AtomicBool::new(false),
    };
    block_on(async {
        let words = "stopping: sessions are closed (Ctrl-C again to stop at once)";
        let work = development.run();
        let is_conversing = &development.is_conversing;
        let printer = &context.printer;
        Box::pin(interruptible_unless(
            is_conversing,
            &stop,
            printer,
            words,
            work,
        ))
        .await
    })
}

/// Without a token whoever reaches the port can run the tools.
fn warn_of_open_doors(settings: &DevSettings, printer: &Printer) {
    if settings.token.is_none() && !settings.stdio && !settings.host.is_loopback() {
        printer.warn(&format!(
            "anyone who reaches {} can use this environment\nhint: set {} to a token that clients must send",
            settings.host,
            env_vars::HUD_SERVE_KEY
        ));
    }
}

fn absolute(paths: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    paths.iter().map(std::path::absolute).collect()
}

/// Prints how `client` starts this server itself. It may do so in any folder, so every path is absolute and what files say is spelled out.
fn tell_client_to_start(
    client: Client,
    settings: &DevSettings,
    spec: &EnvironmentSpec,
    context: &Context<'_>,
) -> Result<ExitCode, Failure> {
    let program = context.program.clone().unwrap_or_else(|| "hud".into());
    let args = dev::arguments(settings, spec)?;
    let name = dev::name_of(spec);
    context
        .printer
        .data(&dev::over_stdio(client, &name, &program, &args))?;
    Ok(ExitCode::Success)
}
