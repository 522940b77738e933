//! `hud push`.

use serde_json::json;

use crate::build::lock::Lock;
use crate::build::push::{self, PushPlan, Pushed};
use crate::build::{BuildError, Built, Plan};
use crate::cli::args::{GlobalArgs, PushArgs};
use crate::cli::context::{Context, block_on, verbosity};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::docker::{Engine, EngineSettings};
use crate::ui::{Printer, StdoutMode, StepEnd};

/// Pushes the image of a folder.
pub(in crate::cli) fn run(
    args: &PushArgs,
    global: GlobalArgs,
    context: &mut Context<'_>,
) -> Result<ExitCode, Failure> {
    if args.json {
        let verbosity = verbosity(global.quiet, global.verbosity());
        context.set_output(StdoutMode::Json, verbosity);
    }
    let path = args.dir.join(crate::build::context::LOCK_FILE);
    let lock = Lock::read(&path).map_err(anyhow::Error::msg).or_usage()?;
    let plan = PushPlan::new(lock.as_ref(), args.image.as_deref(), args.tag.as_deref())?;
    let settings = EngineSettings::from_variables(&context.environment);
    let printer = &context.printer;
    block_on(async {
        let engine = Engine::connect(&settings).await.map_err(BuildError::from)?;
        let pushed = send(&engine, &plan, printer).await?;
        // Another image than the lock's is none of the lock's business.
        if let (Some(mut lock), None) = (lock, &args.image) {
            push::record(&mut lock, &path, &plan, &pushed)?;
        }
        report(&pushed, printer)?;
        Ok(ExitCode::Success)
    })
}

/// `hud build --push`.
pub(super) async fn push_built(
    engine: &Engine,
    plan: &Plan,
    built: &Built,
    printer: &Printer,
) -> Result<(), Failure> {
    let mut lock = built.lock.clone();
    // The name that the user gave, and the one with the version; the latter is what the lock remembers.
    let versioned = plan.name.with_tag(&lock.build.version).to_string();
    let mut names: Vec<&String> = built
        .tags
        .iter()
        .filter(|tag| **tag != versioned && !tag.ends_with(":latest"))
        .collect();
    names.push(&versioned);
    for name in names {
        let push = PushPlan::new(Some(&lock), Some(&lock.images.local), Some(name))?;
        let pushed = send(engine, &push, printer).await?;
        if *name == versioned {
            push::record(&mut lock, &built.lock_path, &push, &pushed)?;
        }
        report(&pushed, printer)?;
    }
    Ok(())
}

async fn send(engine: &Engine, plan: &PushPlan, printer: &Printer) -> Result<Pushed, BuildError> {
    let steps = printer.steps();
    steps.start(0, &format!("pushing {}", plan.target));
    let outcome = push::push(engine, plan, &mut |transfer| {
        if transfer.total > 0 {
            // Layers are sent at the same time, and told apart by their size.
            steps.progress(
                0,
                &transfer.total.to_string(),
                transfer.current,
                transfer.total,
            );
        }
    })
    .await;
    let end = if outcome.is_ok() {
        StepEnd::Done
    } else {
        StepEnd::Failed
    };
    steps.finish(0, end, std::time::Duration::ZERO);
    outcome
}

fn report(pushed: &Pushed, printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        let line = json!({"event": "pushed", "image": pushed.name, "digest": pushed.digest});
        printer.data(&line.to_string())?;
        return Ok(());
    }
    let digest = pushed
        .digest
        .as_ref()
        .map_or_else(String::new, |digest| format!("@{digest}"));
    printer.data(&format!("{}{digest}", pushed.name))?;
    Ok(())
}
