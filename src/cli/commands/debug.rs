//! `hud debug`: whether an environment works, stage by stage.

use std::path::Path;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::cli::args::DebugArgs;
use crate::cli::check::{self, Plan};
use crate::cli::context::{Context, block_on};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::interrupt::interruptible;
use crate::cli::reach::{self, Peers, PeersOptions, Place};
use crate::task::file;
use crate::task::{EnvironmentSpec, Task};

use super::scenario::arguments;

/// The tasks of the file beside a Python environment, as far as they are of that environment: they say which scenario to play, and with what. A file
/// that cannot be read is no concern of a check of the environment.
fn tasks_beside(places: &[Place], lookup: &dyn Fn(&str) -> Option<String>) -> Vec<Task> {
    let [
        Place {
            spec: EnvironmentSpec::Python { source, .. },
            ..
        },
    ] = places
    else {
        return Vec::new();
    };
    let folder = if source.is_dir() {
        Some(source.as_path())
    } else {
        source.parent()
    };
    let is_of_it = |task: &Task| match &task.env {
        EnvironmentSpec::Python { source: other, .. } => {
            // A folder and the env.py in it are one environment.
            let same = |a: &Path, b: &Path| a.canonicalize().ok() == b.canonicalize().ok();
            same(other, source)
                || same(other, &source.join("env.py"))
                || same(&other.join("env.py"), source)
        }
        EnvironmentSpec::Servers { .. }
        | EnvironmentSpec::Image { .. }
        | EnvironmentSpec::Hub { .. } => false,
    };
    folder
        .and_then(|folder| file::discover(folder).ok())
        .and_then(|found| file::load(&found, lookup).ok())
        .map_or_else(Vec::new, |file| {
            file.tasks.into_iter().filter(is_of_it).collect()
        })
}

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
        tasks: if reached.tasks.is_empty() {
            tasks_beside(&reached.places, &|name| variables.value(name))
        } else {
            reached.tasks
        },
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
