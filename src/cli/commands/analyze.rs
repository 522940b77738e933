//! `hud analyze`: what an environment offers.

use tokio_util::sync::CancellationToken;

use crate::cli::analysis;
use crate::cli::args::{AnalysisFormat, AnalyzeArgs};
use crate::cli::context::{Context, block_on};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::interrupt::interruptible;
use crate::cli::reach::{self, Peers, PeersOptions};
use crate::ui::Verbosity;

/// Prints the analysis.
pub(in crate::cli) fn run(args: &AnalyzeArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let reached = reach::reached(&args.reach, &variables)?;
    let logs = tempfile::TempDir::with_prefix("hud-logs-")?;
    let timeout = args.reach.timeout.0;
    let environment = context.environment_options(
        &variables,
        args.reach.python.clone(),
        logs.path().to_owned(),
        timeout,
    )?;
    let options = PeersOptions {
        environment,
        sampler: None,
        on_log: None,
        timeout,
    };
    let outcome = block_on(async {
        let peers = Peers::new(options)?;
        let cancel = CancellationToken::new();
        let outcome = interruptible(&cancel, &context.printer, "stopping", async {
            tokio::select! {
                () = cancel.cancelled() => Err(Failure::Interrupted),
                outcome = analysis::collect(&peers, &reached.places) => Ok(outcome),
            }
        })
        .await;
        peers.close().await;
        outcome
    })?;
    let format = if args.json {
        AnalysisFormat::Json
    } else {
        args.format
    };
    let printer = &context.printer;
    let analysis = match outcome {
        Ok(mut analysis) => {
            // A task file's tasks are as much part of the environment as those of a Python file.
            if let [only] = analysis.servers.as_mut_slice() {
                only.tasks = only.tasks.max(reached.tasks.len());
            }
            analysis
        }
        Err(trouble) => {
            let error = trouble.text();
            if format == AnalysisFormat::Json {
                printer.data(&pretty(&analysis::failure(&error)))?;
            }
            return Err(Failure::Environment(anyhow::anyhow!(error)));
        }
    };
    let verbose = printer.verbosity() >= Verbosity::Verbose;
    let text = match format {
        AnalysisFormat::Table => {
            // Nothing is cut where nobody looks at columns.
            let width = if printer.is_stdout_terminal() {
                printer.stdout_width()
            } else {
                usize::MAX
            };
            analysis::table(&analysis, verbose, width, printer.stdout_paint())
        }
        AnalysisFormat::Json => pretty(&analysis::json(&analysis, verbose)),
        AnalysisFormat::Markdown => analysis::markdown(&analysis, verbose),
    };
    printer.data(&text)?;
    Ok(ExitCode::Success)
}

fn pretty(json: &serde_json::Value) -> String {
    // A value without maps of strange keys can always be printed; the compact form has the same contents.
    serde_json::to_string_pretty(json).unwrap_or_else(|_| json.to_string())
}
