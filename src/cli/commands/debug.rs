//! `hud debug`: whether an environment works, stage by stage.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::cli::args::DebugArgs;
use crate::cli::check::{self, Plan};
use crate::cli::context::{Context, block_on};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::interrupt::interruptible;
use crate::cli::reach::{self, Peers, PeersOptions};

use super::scenario::arguments;

/// Runs the checks.
pub(in crate::cli) fn run(args: &DebugArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let reached = reach::reached(&args.reach, &variables)?;
    let plan = Plan {
        last: args.max_phase,
        tool: args.call.clone(),
        arguments: args
            .args
            .as_deref()
            .map(|text| arguments(Some(text)))
            .transpose()?,
        scenario: args.scenario.clone(),
        args: args
            .arg
            .iter()
            .map(|arg| (arg.key.clone(), arg.value.clone()))
            .collect(),
        answer: args.answer.clone().unwrap_or_default(),
        tasks: reached.tasks,
    };
    let logs = tempfile::TempDir::with_prefix("hud-logs-")?;
    let options = PeersOptions::of_project(context, &variables, &args.reach, logs.path())?;
    let printer = &context.printer;
    let paint = printer.stdout_paint();
    let begun = Instant::now();
    let mut checks = Vec::new();
    block_on(async {
        let peers = Peers::new(options)?;
        let cancel = CancellationToken::new();
        let mut server = None;
        let mut sink = |check: check::Check| {
            if args.json {
                printer.data(&check::json_check(&check).to_string())?;
            } else {
                if server != check.server {
                    server.clone_from(&check.server);
                    printer.data(&format!("server `{}`", server.as_deref().unwrap_or("")))?;
                }
                printer.data(&check::line(&check, paint))?;
            }
            checks.push(check);
            Ok(())
        };
        let work = async {
            tokio::select! {
                () = cancel.cancelled() => Err(Failure::Interrupted),
                outcome = check::run(&peers, &reached.places, &plan, &mut sink) => outcome,
            }
        };
        let outcome = Box::pin(interruptible(&cancel, printer, "stopping", work)).await;
        peers.close().await;
        outcome
    })?;
    let took = begun.elapsed();
    let text = if args.json {
        check::json_summary(&checks, took).to_string()
    } else {
        check::summary(&checks, took, paint)
    };
    printer.data(&text)?;
    Ok(if check::has_failed(&checks) {
        ExitCode::CheckFailed
    } else {
        ExitCode::Success
    })
}
