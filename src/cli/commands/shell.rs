//! `hud scenario shell`: an environment at a prompt.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::args::{ReachArgs, ShellArgs};
use crate::cli::context::{Context, block_on};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::reach::{self, Peers, PeersOptions};
use crate::cli::repl::environment;

/// Opens the environment and does what is typed.
pub(in crate::cli) fn run(args: &ShellArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let reach = ReachArgs {
        source: args.url.clone().or_else(|| args.reach.source.clone()),
        ..args.reach.clone()
    };
    let reached = reach::reached(&reach, &variables)?;
    let [place] = reached.places.as_slice() else {
        return Err(Failure::usage(
            "the file names several servers, and a prompt talks to one\nhint: name it with --url, or its command after --",
        ));
    };
    let token = match &args.url {
        Some(url) => reach::token(url, args.reach.api_key.as_deref(), &variables),
        None => None,
    };
    let logs = tempfile::TempDir::with_prefix("hud-logs-")?;
    let mut options = PeersOptions::of_project(context, &variables, &reach, logs.path())?;
    options.on_log = Some(environment::logged(&context.printer));
    let at_url = options.environment.clone();
    let cancel = CancellationToken::new();
    let conversation = environment::Options {
        printer: &context.printer,
        history: context.state().map(|state| state.join("shell_history")),
        own: Vec::new(),
        cancel: cancel.clone(),
    };
    block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let peers = Peers::new(options)?;
        let outcome = {
            let mut talk = Box::pin(async {
                match &args.url {
                    Some(url) => {
                        environment::at_url(url, token.as_deref(), at_url, conversation).await
                    }
                    None => environment::run(&peers, place, conversation).await,
                }
            });
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut talk => break outcome,
                    // The terminal is given back before the end.
                    _ = terminate.recv() => cancel.cancel(),
                    _ = hang_up.recv() => cancel.cancel(),
                }
            }
        };
        peers.close().await;
        outcome
    })?;
    Ok(ExitCode::Success)
}
