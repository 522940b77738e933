//! Starts the environments, checks the tasks against them, and runs the rollouts.

use std::sync::Arc;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::settings::{AgentSettings, EvalSettings, select};
use crate::environment::{EnvironmentOptions, Environments};
use crate::eval::{self, Plan};
use crate::event::RunEvent;
use crate::report;
use crate::store::{RunDirectory, Writer};
use crate::task::{EnvironmentSpec, Task};
use crate::ui::Printer;

use super::checks::{Descriptions, check_scenarios, tool_filter_warnings};
use super::source::Source;

/// A job whose settings are known.
pub(in crate::cli) struct Job<'a> {
    pub(in crate::cli) settings: &'a EvalSettings,
    pub(in crate::cli) agent: &'a AgentSettings,
    pub(in crate::cli) printer: &'a Printer,
    pub(in crate::cli) options: &'a EnvironmentOptions,
    pub(in crate::cli) directory: &'a RunDirectory,
}

impl Job<'_> {
    /// The tasks that will run. Starts their environments and checks everything that can be known before the first rollout.
    pub(in crate::cli) async fn prepare(
        &self,
        source: Source,
        environments: &Environments,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Task>, Failure> {
        let tasks = source.tasks(environments, variables).await?;
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
        let descriptions = describe(&tasks, environments).await?;
        check_scenarios(&tasks, &descriptions, self.options)?;
        let combined = self.agent.combined();
        for sentence in tool_filter_warnings(&tasks, &combined, &descriptions) {
            self.printer.warn(&sentence);
        }
        Ok(tasks)
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
async fn describe(tasks: &[Task], environments: &Environments) -> Result<Descriptions, Failure> {
    let mut distinct: Vec<&EnvironmentSpec> = Vec::new();
    for task in tasks {
        if !distinct.contains(&&task.env) {
            distinct.push(&task.env);
        }
    }
    let outcomes = join_all(distinct.iter().map(|spec| environments.prepare(spec))).await;
    let mut descriptions = Vec::new();
    let mut failures = Vec::new();
    for (spec, outcome) in distinct.into_iter().zip(outcomes) {
        match outcome {
            Ok(description) => descriptions.push((spec.clone(), Arc::clone(&description))),
            Err(failure) => failures.push(failure.message),
        }
    }
    if descriptions.is_empty() {
        return Err(Failure::Environment(anyhow::anyhow!(failures.join("\n"))));
    }
    Ok(descriptions)
}
