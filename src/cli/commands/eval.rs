//! `hud eval`: runs tasks with an agent, grades them and reports.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::agent::LoopSettings;
use crate::cli::args::{EvalArgs, GlobalArgs};
use crate::cli::context::{Context, block_on, verbosity};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::interrupt::interruptible;
use crate::cli::job::{self, Job, Keys, Source};
use crate::cli::settings::{AgentSettings, EvalSettings, ProjectSettings, as_json, as_text, rows};
use crate::config::{Origin, Setting, Variables};
use crate::environment::Environments;
use crate::eval::Plan;
use crate::store::{RunDirectory, new_job_id};
use crate::ui::StdoutMode;
use crate::util::fs;

/// How long an environment may take to start unless a phase's time was set: importing a large project takes tens of seconds on a cold disk.
const STARTUP_TIMEOUT: Duration = Duration::from_mins(2);

/// Everything is read and checked first; then the environments start; then the rollouts.
pub(in crate::cli) fn run(
    args: &EvalArgs,
    global: GlobalArgs,
    context: &mut Context<'_>,
) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let lookup = |name: &str| variables.value(name);
    let project = ProjectSettings::read(Path::new("."), &lookup)?;
    let settings = EvalSettings::resolve(args, global, &project)?;
    context.set_output(
        if settings.json.value {
            StdoutMode::Json
        } else {
            StdoutMode::Text
        },
        verbosity(settings.quiet.value, settings.verbosity.value),
    );
    if args.yes {
        tracing::info!("--yes has no effect: nothing would have been asked");
    }
    if args.show_config {
        return show_config(&settings, &project, &variables, context);
    }

    let source = Source::find(settings.source.as_ref(), &lookup)?;
    let keys = Keys::new(&variables, &project, settings.agent_type());
    let model = job::resolve_model(&settings, &project, &keys)?;
    let retry = LoopSettings::default().retry;
    let judge = job::judge(
        settings.judge_model(),
        settings.base_url.as_ref().map(|url| job::JudgePlace {
            base_url: url.value.clone(),
            agent_type: model.agent_type,
        }),
        settings.gateway.value,
        &keys,
    )?;
    let agent = AgentSettings::new(
        &settings.typed,
        source.agent_layer(),
        project.agent_layers(model.agent_type.as_str()),
    );
    agent.check_applies(model.agent_type)?;

    let label = source.path().display().to_string();
    let name = source.name();
    let directory =
        RunDirectory::create(&settings.runs_dir.value, &new_job_id(&name)).map_err(|error| {
            Failure::usage(format!(
                "{error:#}\nhint: runs are kept there; name another folder with --runs-dir"
            ))
        })?;
    let options = context.environment_options(
        &variables,
        settings.python.as_ref().map(|python| python.value.clone()),
        directory.logs(),
        startup_timeout(&settings.phase_timeout),
    )?;
    let job = Job {
        settings: &settings,
        agent: &agent,
        printer: &context.printer,
        options: &options,
        directory: &directory,
        agent_type: model.agent_type,
    };
    block_on(async {
        let cancel = CancellationToken::new();
        let work = async {
            let environments = Arc::new(Environments::new(options.clone())?);
            let prepared = tokio::select! {
                () = cancel.cancelled() => Err(Failure::Interrupted),
                prepared = job.prepare(source, &environments, &lookup) => prepared,
            };
            let tasks = match prepared {
                Ok(tasks) => tasks,
                Err(failure) => {
                    environments.close().await;
                    // Nothing ran, so there is nothing to keep.
                    fs::remove_dir_all_if_exists(directory.path())?;
                    return Err(failure);
                }
            };
            let rows = rows(&settings, &agent.origins());
            job.run(
                Plan {
                    job: directory.job().to_owned(),
                    name,
                    record: job::record(&rows, &tasks, &label, settings.success_threshold.value),
                    tasks,
                    group: settings.group.value,
                    model: model.model,
                    judge: Some(judge),
                    retry,
                    model_name: model.name,
                    agent_type: model.agent_type.as_str().to_owned(),
                    agent: agent.combined(),
                    max_concurrent: settings.max_concurrent.value as usize,
                    seed: settings
                        .seed
                        .as_ref()
                        .map_or_else(random_seed, |seed| seed.value),
                    limits: settings.limits(&agent.combined()),
                    success_threshold: settings.success_threshold.value,
                    environments,
                    directory: directory.path().to_owned(),
                },
                &cancel,
            )
            .await
        };
        let words = "stopping: running rollouts are closed, finished ones are kept (Ctrl-C again to stop at once)";
        Box::pin(interruptible(&cancel, &context.printer, words, work)).await
    })
}

/// Starting is how the first rollout of an environment connects to it, so `--phase-timeout` bounds it too.
fn startup_timeout(phase_timeout: &Setting<Duration>) -> Duration {
    if phase_timeout.origin == Origin::Default {
        STARTUP_TIMEOUT
    } else {
        phase_timeout.value
    }
}

/// Prints each setting with its origin. Needs neither tasks nor a model; uses both as far as they are known.
fn show_config(
    settings: &EvalSettings,
    project: &ProjectSettings,
    variables: &Variables,
    context: &Context<'_>,
) -> Result<ExitCode, Failure> {
    let lookup = |name: &str| variables.value(name);
    let source = match &settings.source {
        Some(_) => Some(Source::find(settings.source.as_ref(), &lookup)?),
        None => Source::find(None, &lookup).ok(),
    };
    let keys = Keys::new(variables, project, settings.agent_type());
    let agent_type = job::agent_type(settings, &keys);
    let agent = AgentSettings::new(
        &settings.typed,
        source.as_ref().and_then(Source::agent_layer),
        agent_type.map_or_else(Vec::new, |agent| project.agent_layers(agent.as_str())),
    );
    let rows = rows(settings, &agent.origins());
    if context.printer.is_json() {
        for row in as_json(&rows) {
            context.printer.data(&row.to_string())?;
        }
    } else {
        context.printer.data(&as_text(&rows))?;
    }
    Ok(ExitCode::Success)
}

/// Small enough to be exact in every reader's JSON.
fn random_seed() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}
