//! `hud scenario`: drives the scenarios of an environment by hand, each time in a fresh copy.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::cli::args::{AnswerArgs, GradeArgs, ListArgs, ScenarioCommand, SetupArgs, TargetArgs};
use crate::cli::context::{Context, block_on};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::interrupt::interruptible;
use crate::cli::job::{self, Keys};
use crate::cli::scenario_text;
use crate::cli::settings::ProjectSettings;
use crate::cli::target::{self, Chosen, Target};
use crate::environment::{
    Description, EnvironmentError, EnvironmentOptions, Environments, Prompt, Session,
    SessionOptions,
};
use crate::eval::Judge;
use crate::event::{Evaluation, Phase};
use crate::task::EnvironmentSpec;
use crate::util::{fs, time};

/// Does what `command` says.
pub(in crate::cli) fn run(
    command: &ScenarioCommand,
    context: &Context<'_>,
) -> Result<ExitCode, Failure> {
    match command {
        ScenarioCommand::List(args) => list(args, context),
        ScenarioCommand::Setup(args) => setup(args, context),
        ScenarioCommand::Grade(args) => grade(args, false, context),
        ScenarioCommand::Run(args) => grade(args, true, context),
    }
}

fn list(args: &ListArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let mut place = args.target.clone();
    place.source = place.source.or_else(|| args.position.clone());
    drive(&place, None, context, async |driver, target| {
        for spec in target.environments() {
            let description = driver.describe(spec).await?;
            for scenario in &description.scenarios {
                let line = if args.json {
                    scenario_text::json(&description.name, scenario).to_string()
                } else {
                    scenario_text::line(&description.name, scenario)
                };
                context.printer.data(&line)?;
            }
            if description.scenarios.is_empty() {
                context
                    .printer
                    .talk(&format!("`{}` has no scenarios", description.name));
            }
        }
        Ok(ExitCode::Success)
    })
}

fn setup(args: &SetupArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let typed = arguments(args.args.as_deref())?;
    drive(&args.target, None, context, async |driver, target| {
        let chosen = target.choose(&args.name, typed)?;
        let prompt = driver
            .in_copy(&chosen, async |session| {
                driver.set_up(session, &chosen).await
            })
            .await?;
        let text = if args.json {
            scenario_text::prompt_json(&prompt).to_string()
        } else {
            scenario_text::prompt_text(&prompt)
        };
        context.printer.data(&text)?;
        Ok(ExitCode::Success)
    })
}

fn grade(args: &GradeArgs, shows_prompt: bool, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let typed = arguments(args.args.as_deref())?;
    let answer = answer(&args.answer)?;
    let judge = args.judge_model.as_deref();
    drive(&args.target, judge, context, async |driver, target| {
        let chosen = target.choose(&args.name, typed)?;
        let evaluation = driver
            .in_copy(&chosen, async |session| {
                let prompt = driver.set_up(session, &chosen).await?;
                if shows_prompt {
                    context.printer.talk(&scenario_text::prompt_text(&prompt));
                }
                driver.grade(session, &answer).await
            })
            .await?;
        let json = scenario_text::evaluation_json(&evaluation);
        let text = if args.json {
            json.to_string()
        } else {
            serde_json::to_string_pretty(&json).context("the evaluation is not JSON")?
        };
        context.printer.data(&text)?;
        Ok(ExitCode::Success)
    })
}

/// `--args`: a JSON object.
pub(super) fn arguments(text: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let Some(text) = text else {
        return Ok(Map::new());
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(Failure::usage(
            "--args: expected a JSON object, such as '{\"company\": \"HUD\"}'",
        )),
        Err(error) => Err(Failure::usage(format!(
            "--args is not valid JSON: {error}\nhint: quote it for the shell, as in --args '{{\"company\": \"HUD\"}}'"
        ))),
    }
}

fn answer(args: &AnswerArgs) -> Result<String, Failure> {
    match &args.answer_file {
        Some(file) => fs::read_to_string(file).or_usage(),
        None => Ok(args.answer.clone().unwrap_or_default()),
    }
}

/// Reads the target, runs `work` on it with a pool of environments, and closes whatever was started.
fn drive(
    args: &TargetArgs,
    judge_model: Option<&str>,
    context: &Context<'_>,
    work: impl AsyncFnOnce(&Driver<'_>, &Target) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let lookup = |name: &str| variables.value(name);
    let target = target::read(args.source.as_deref(), &lookup)?;
    let project = ProjectSettings::read(Path::new("."), &lookup)?;
    let keys = Keys::new(&variables, &project, None);
    let in_file = project.eval().text("judge_model");
    let judge_model = judge_model.or(in_file.as_ref().map(|model| model.value.as_str()));
    let gateway = project.eval().switch("gateway").is_some_and(|on| on.value);
    let judge = job::judge(judge_model, None, gateway, &keys)?;
    let python = args.python.clone().or(project
        .eval()
        .text("python")
        .map(|python| PathBuf::from(python.value)));
    let logs = tempfile::TempDir::with_prefix("hud-logs-")?;
    let options =
        context.environment_options(&variables, python, logs.path().to_owned(), args.timeout.0)?;
    block_on(async {
        let driver = Driver {
            environments: Arc::new(Environments::new(options.clone())?),
            options: &options,
            judge,
            context,
            log: logs.path().join("copy.log"),
            timeout: args.timeout.0,
        };
        let cancel = CancellationToken::new();
        let outcome = interruptible(&cancel, &context.printer, "stopping", async {
            tokio::select! {
                () = cancel.cancelled() => Err(Failure::Interrupted),
                outcome = work(&driver, &target) => outcome,
            }
        })
        .await;
        driver.environments.close().await;
        outcome
    })
}

/// What the steps of a command share.
struct Driver<'a> {
    environments: Arc<Environments>,
    options: &'a EnvironmentOptions,
    judge: Arc<Judge>,
    context: &'a Context<'a>,
    /// What the copy prints.
    log: PathBuf,
    timeout: Duration,
}

impl Driver<'_> {
    async fn describe(&self, spec: &EnvironmentSpec) -> Result<Arc<Description>, Failure> {
        Ok(self
            .within(Phase::Connect, self.environments.prepare(spec))
            .await?)
    }

    /// Runs `work` in a copy and closes it, whatever happens; then shows what the copy printed.
    async fn in_copy<T>(
        &self,
        chosen: &Chosen,
        work: impl AsyncFnOnce(&Session) -> Result<T, EnvironmentError>,
    ) -> Result<T, Failure> {
        let description = self.describe(&chosen.env).await?;
        chosen.check(&description, self.options)?;
        let options = SessionOptions {
            trace_id: uuid::Uuid::new_v4().simple().to_string(),
            seed: None,
            log: self.log.clone(),
            sampler: Some(self.judge.sampler()),
            on_log: None,
            client: None,
        };
        let session = self
            .within(
                Phase::Connect,
                self.environments.open(&chosen.env, &options),
            )
            .await?;
        let outcome = work(&session).await;
        for warning in session.close().await {
            self.context.printer.warn(&warning);
        }
        let printed = fs::tail(&self.log, 64 * 1024);
        if !printed.is_empty() {
            self.context.printer.talk(&printed);
        }
        Ok(outcome?)
    }

    async fn set_up(&self, session: &Session, chosen: &Chosen) -> Result<Prompt, EnvironmentError> {
        self.within(Phase::Setup, session.setup(&chosen.scenario, &chosen.args))
            .await
    }

    async fn grade(&self, session: &Session, answer: &str) -> Result<Evaluation, EnvironmentError> {
        self.within(Phase::Submit, session.submit(answer)).await?;
        self.within(Phase::Grade, session.grade()).await
    }

    async fn within<T>(
        &self,
        phase: Phase,
        work: impl Future<Output = Result<T, EnvironmentError>>,
    ) -> Result<T, EnvironmentError> {
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(|_| {
                Err(EnvironmentError {
                    phase,
                    message: format!(
                        "no end of {} after {}\nhint: allow more with --timeout",
                        phase.as_str(),
                        time::human(self.timeout)
                    ),
                    timed_out: true,
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::failure::words;

    #[test]
    fn arguments_are_an_object() {
        let check = |text: Option<&str>, expected: Result<Value, &str>| {
            let got = arguments(text)
                .map(Value::Object)
                .map_err(|failure| words(&failure).unwrap());
            match expected {
                Ok(expected) => assert_eq!(got, Ok(expected)),
                Err(expected) => assert!(got.unwrap_err().starts_with(expected)),
            }
        };
        check(None, Ok(json!({})));
        check(Some(r#"{"a": [1]}"#), Ok(json!({"a": [1]})));
        check(Some("[1]"), Err("--args: expected a JSON object"));
        check(Some("{a: 1}"), Err("--args is not valid JSON: key must be"));
    }
}
