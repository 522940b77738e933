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
use crate::cli::reach;
use crate::cli::remote_scenario::Remote;
use crate::cli::scenario_text;
use crate::cli::settings::ProjectSettings;
use crate::cli::target::{self, Chosen, Target};
use crate::environment::{
    Description, EnvironmentError, EnvironmentOptions, Environments, Prompt, Session,
    SessionOptions,
};
use crate::eval::Judge;
use crate::event::{Evaluation, Phase};
use crate::http::public_url;
use crate::mcp::HttpOptions;
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
        ScenarioCommand::Shell(args) => super::shell::run(args, context),
    }
}

fn list(args: &ListArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let mut place = args.target.clone();
    place.source = place.source.or_else(|| args.position.clone());
    url(&place)?;
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
    let show = |prompt: &Prompt| {
        context.printer.data(&if args.json {
            scenario_text::prompt_json(prompt).to_string()
        } else {
            scenario_text::prompt_text(prompt)
        })
    };
    if let Some(url) = url(&args.target)? {
        return at_url(url, &args.target, context, async |remote| {
            show(&remote.set_up(&args.name, &typed).await?)?;
            Ok(ExitCode::Success)
        });
    }
    drive(&args.target, None, context, async |driver, target| {
        let chosen = target.choose(&args.name, typed)?;
        let prompt = driver
            .in_copy(&chosen, async |session| {
                driver.set_up(session, &chosen).await
            })
            .await?;
        show(&prompt)?;
        Ok(ExitCode::Success)
    })
}

/// `run`, and `grade` unless a session waits at a URL.
fn grade(args: &GradeArgs, is_run: bool, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let typed = arguments(args.args.as_deref())?;
    let answer = answer(&args.answer)?;
    let judge = args.judge_model.as_deref();
    let show = |evaluation: &Evaluation| {
        let json = scenario_text::evaluation_json(evaluation);
        let text = if args.json {
            json.to_string()
        } else {
            serde_json::to_string_pretty(&json).context("the evaluation is not JSON")?
        };
        Ok::<_, Failure>(context.printer.data(&text)?)
    };
    if let Some(url) = url(&args.target)? {
        if judge.is_some() {
            return Err(Failure::usage(
                "--judge-model: the server at a URL makes the model calls of its graders itself",
            ));
        }
        if !is_run {
            if args.args.is_some() {
                return Err(Failure::usage(
                    "--args belongs to `setup`: at a URL, `grade` answers what was set up before\nhint: set up and grade in one go with `hud scenario run`",
                ));
            }
            return at_url(url, &args.target, context, async |remote| {
                show(&remote.grade(&args.name, &answer).await?)?;
                Ok(ExitCode::Success)
            });
        }
    }
    drive(&args.target, judge, context, async |driver, target| {
        let chosen = target.choose(&args.name, typed)?;
        let evaluation = driver
            .in_copy(&chosen, async |session| {
                let prompt = driver.set_up(session, &chosen).await?;
                if is_run {
                    context.printer.talk(&scenario_text::prompt_text(&prompt));
                }
                driver.grade(session, &answer).await
            })
            .await?;
        show(&evaluation)?;
        Ok(ExitCode::Success)
    })
}

/// The URL that was named: with `--url`, or as the source.
fn url(args: &TargetArgs) -> Result<Option<&str>, Failure> {
    let is_url = |text: &&str| text.starts_with("http://") || text.starts_with("https://");
    let source = args.source.as_deref().filter(is_url);
    match &args.url {
        Some(url) if is_url(&url.as_str()) => Ok(Some(url)),
        Some(url) => Err(Failure::usage(format!(
            "--url: `{}` must start with http:// or https://",
            public_url(url)
        ))),
        None => Ok(source),
    }
}

/// Runs `work` on the server at `url`.
fn at_url(
    url: &str,
    args: &TargetArgs,
    context: &Context<'_>,
    work: impl AsyncFnOnce(&Remote<'_>) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let token = reach::token(url, args.api_key.as_deref(), &variables);
    let remote = Remote {
        server: HttpOptions {
            url: url.to_owned(),
            headers: token
                .map(|token| ("Authorization".to_owned(), format!("Bearer {token}")))
                .into_iter()
                .collect(),
            timeout: args.timeout.0,
        },
        project: Path::new("."),
        timeout: args.timeout.0,
        printer: &context.printer,
    };
    block_on(async {
        let cancel = CancellationToken::new();
        interruptible(&cancel, &context.printer, "stopping", async {
            tokio::select! {
                () = cancel.cancelled() => Err(Failure::Interrupted),
                outcome = work(&remote) => outcome,
            }
        })
        .await
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
    let source = args.url.as_deref().or(args.source.as_deref());
    let target = match target::read(source, &lookup)? {
        Target::Environment(spec) => {
            let key = args.api_key.as_deref();
            Target::Environment(reach::with_key(spec, key, &variables)?)
        }
        Target::Tasks(_) if args.api_key.is_some() => {
            return Err(Failure::usage(
                "--api-key is for a URL; a task file has `headers` in its `env`",
            ));
        }
        tasks @ Target::Tasks(_) => tasks,
    };
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
