//! Starts the environments, checks the tasks against them, and runs the rollouts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::agent::provider::AgentType;
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::settings::{AgentSettings, EvalSettings, select};
use crate::environment::{EnvironmentOptions, Environments};
use crate::eval::{self, Plan};
use crate::event::{JobSummary, RunEvent};
use crate::message::Usage;
use crate::report;
use crate::store::{RunDirectory, Writer};
use crate::task::{Task, TaskErrors};
use crate::ui::Printer;

use super::before_start::{check_environments, check_python, check_solutions, classified};
use super::checks::{Descriptions, check_scenarios, tool_filter_warnings};
use super::source::Source;

/// A job whose settings are known.
pub(in crate::cli) struct Job<'a> {
    pub(in crate::cli) settings: &'a EvalSettings,
    pub(in crate::cli) agent: &'a AgentSettings,
    pub(in crate::cli) printer: &'a Printer,
    pub(in crate::cli) options: &'a EnvironmentOptions,
    pub(in crate::cli) directory: &'a RunDirectory,
    pub(in crate::cli) agent_type: AgentType,
}

impl Job<'_> {
    /// The tasks that will run. Starts their environments and checks everything that can be known before the first rollout.
    pub(in crate::cli) async fn prepare(
        &self,
        source: Source,
        environments: &Environments,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Task>, Failure> {
        let python = self.settings.python.as_ref();
        check_python(python, source.environment().into_iter(), self.options)?;
        let tasks = match source.tasks(environments, variables).await {
            Ok(tasks) => tasks,
            Err(failure) => {
                self.nothing_ran(0, &failure)?;
                return Err(failure);
            }
        };
        let ids = self
            .settings
            .task_ids
            .as_ref()
            .map(|ids| ids.value.as_slice());
        let limit = self.settings.limit.as_ref().map(|limit| limit.value);
        let tasks = select(tasks, ids, limit)?;
        for sentence in self.agent.not_applied(&tasks) {
            self.printer.warn(&sentence);
        }
        check_solutions(&tasks, self.agent_type)?;
        check_python(python, tasks.iter().map(|task| &task.env), self.options)?;
        check_environments(&tasks, self.options)?;
        let descriptions = match describe(&tasks, environments, self.printer).await {
            Ok(descriptions) => descriptions,
            Err(failure) => {
                self.nothing_ran(tasks.len() * self.settings.group.value as usize, &failure)?;
                return Err(failure);
            }
        };
        check_scenarios(&tasks, &descriptions, self.options)?;
        let combined = self.agent.combined();
        for sentence in tool_filter_warnings(&tasks, &combined, &descriptions) {
            self.printer.warn(&sentence);
        }
        Ok(tasks)
    }

    /// Readers of JSON Lines wait for a summary, also when the environment did not start and so no rollout was.
    fn nothing_ran(&self, rollouts: usize, failure: &Failure) -> Result<(), Failure> {
        if !self.printer.is_json() || !matches!(failure, Failure::Environment(_)) {
            return Ok(());
        }
        let summary = JobSummary {
            job: self.directory.job().to_owned(),
            rollouts,
            graded: 0,
            failed: [("not_started".to_owned(), rollouts)]
                .into_iter()
                .filter(|_| rollouts > 0)
                .collect(),
            mean_reward: None,
            stderr: None,
            success_rate: None,
            usage: Usage::default(),
            cost_usd: None,
            duration: Duration::ZERO,
            // It is removed again.
            directory: PathBuf::new(),
            interrupted: false,
        };
        report::standard(self.printer).event(&RunEvent::JobFinished(summary))?;
        Ok(())
    }

    /// Runs `plan`, shows and keeps what happens.
    pub(in crate::cli) async fn run(
        &self,
        plan: Plan,
        cancel: &CancellationToken,
    ) -> Result<ExitCode, Failure> {
        let mut writer = Writer::create(self.directory)?;
        let mut report = report::standard(self.printer);
        let mut sink = |event: RunEvent| {
            // What is kept comes first: a closed pipe must not cost a result.
            let kept = writer.event(&event);
            report.event(&event)?;
            kept
        };
        let summary = eval::run(plan, cancel.clone(), &mut sink).await?;
        let min_reward = self.settings.min_reward.as_ref().map(|min| min.value);
        let code = ExitCode::of_job(&summary, min_reward);
        if code == ExitCode::BelowThreshold
            && let (Some(mean), Some(min)) = (summary.mean_reward, min_reward)
        {
            self.printer.error(&format!(
                "the mean reward {mean:.3} is below --min-reward {min}"
            ));
        }
        Ok(code)
    }
}

/// Starts each distinct environment. When none starts there is nothing to run, and each failure is told once; when some do, the rollouts of
/// the others tell.
async fn describe(
    tasks: &[Task],
    environments: &Environments,
    printer: &Printer,
) -> Result<Descriptions, Failure> {
    // The first task of each.
    let mut distinct: Vec<&Task> = Vec::new();
    for task in tasks {
        if !distinct.iter().any(|other| other.env == task.env) {
            distinct.push(task);
        }
    }
    let starting = join_all(distinct.iter().map(|task| environments.prepare(&task.env)));
    tokio::pin!(starting);
    let outcomes = tokio::select! {
        outcomes = &mut starting => outcomes,
        // Soon enough to say that this is not a standstill; usual starts are faster and need no word.
        () = tokio::time::sleep(Duration::from_secs(2)) => {
            printer.talk(&format!(
                "starting {}…",
                if distinct.len() == 1 { "the environment".to_owned() } else { format!("{} environments", distinct.len()) }
            ));
            starting.await
        }
    };
    let mut descriptions = Vec::new();
    let mut failures = Vec::new();
    let mut mistakes = Vec::new();
    for (task, outcome) in distinct.into_iter().zip(outcomes) {
        match outcome {
            Ok(description) => descriptions.push((task.env.clone(), Arc::clone(&description))),
            Err(failure) => match classified(task, &failure.message) {
                Some(mistake) => mistakes.push(mistake),
                None if failures.contains(&failure.message) => {}
                None => failures.push(failure.message),
            },
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::Usage(TaskErrors::new(mistakes).into()));
    }
    if descriptions.is_empty() {
        return Err(Failure::Environment(anyhow::anyhow!(failures.join("\n"))));
    }
    Ok(descriptions)
}
