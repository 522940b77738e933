//! At the end: a row for each rollout, or for each task when tasks were played more than once.

use anyhow::Result;

use super::rows::{Ending, Row};
use super::standard::Report;
use super::{details, outcome, summary, words};
use crate::event::{JobStarted, JobSummary, RunEvent};
use crate::ui::{Cell, Column, Printer, Table, Tone, Verbosity};
use crate::util::text;

/// The table, the reasons of failures and the summary, printed on stdout when the job ends.
pub struct FinalTable {
    printer: Printer,
    started: Option<JobStarted>,
    rows: Vec<Row>,
}

impl FinalTable {
    /// Prints nothing before the end.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            started: None,
            rows: Vec::new(),
        }
    }

    fn print(&mut self, summary: &JobSummary) -> Result<()> {
        // The order of the plan, not of the clock.
        self.rows.sort_by_key(|row| row.rollout.index);
        let group = self.started.as_ref().map_or(1, |started| started.group);
        let paint = self.printer.stdout_paint();
        let mut parts = Vec::new();
        if !self.rows.is_empty() {
            let table = if group > 1 {
                by_task(&self.rows)
            } else {
                by_rollout(&self.rows)
            };
            parts.push(table.render(self.printer.stdout_width(), paint));
        }
        if self.printer.verbosity() >= Verbosity::Verbose {
            parts.extend(details::grades(&self.rows, group, paint));
        }
        parts.extend(details::failures(&self.rows, group, paint));
        parts.push(summary::block(summary, &self.rows, paint));
        // A blank line also before the first: what ended while the job ran stands above, on the same terminal.
        if self.printer.is_stdout_terminal() {
            self.printer.talk("");
        }
        self.printer.result(&parts.join("\n\n"))?;
        Ok(())
    }
}

impl Report for FinalTable {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::JobStarted(started) => self.started = Some(started.clone()),
            RunEvent::RolloutFinished { rollout, result } => {
                self.rows.push(Row::new(rollout, result));
            }
            RunEvent::JobFinished(summary) => self.print(summary)?,
            RunEvent::Notice { .. }
            | RunEvent::EnvironmentReady { .. }
            | RunEvent::RolloutStarted { .. }
            | RunEvent::PhaseStarted { .. }
            | RunEvent::Step { .. } => {}
        }
        Ok(())
    }
}

fn by_rollout(rows: &[Row]) -> Table {
    let mut table = Table::new(vec![
        Column::name("task"),
        Column::number("reward"),
        Column::number("steps"),
        Column::number("tokens"),
        Column::number("time"),
        Column::text("answer"),
    ]);
    for row in rows {
        let (reward, answer) = match &row.ending {
            Ending::Graded { reward, .. } => (
                Cell::new(words::reward(*reward)).tone(outcome::reward_tone(*reward)),
                Cell::new(quoted(row.answer.as_deref())),
            ),
            Ending::Ungraded { kind, reason } => (
                Cell::new("–"),
                Cell::new(failure(kind, reason.as_deref())).tone(Tone::Bad),
            ),
        };
        table.row(vec![
            Cell::new(outcome::name(&row.rollout, 1)),
            reward,
            Cell::new(row.steps.to_string()),
            Cell::new(words::count(row.tokens)),
            Cell::new(words::duration(row.duration)),
            answer,
        ]);
    }
    table
}

/// One row a task: means over its graded repeats, and how many those are.
fn by_task(rows: &[Row]) -> Table {
    let mut table = Table::new(vec![
        Column::name("task"),
        Column::number("reward"),
        Column::number("n"),
        Column::number("steps"),
        Column::number("tokens"),
        Column::number("time"),
    ]);
    let mut tasks: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match tasks.iter_mut().find(|(task, _)| *task == row.rollout.task) {
            Some((_, repeats)) => repeats.push(row),
            None => tasks.push((&row.rollout.task, vec![row])),
        }
    }
    for (task, repeats) in tasks {
        let rewards: Vec<f64> = repeats.iter().filter_map(|row| row.reward()).collect();
        let reward = mean(&rewards).map_or_else(
            || Cell::new("–"),
            |mean| Cell::new(words::reward(mean)).tone(outcome::reward_tone(mean)),
        );
        let n = if rewards.len() == repeats.len() {
            rewards.len().to_string()
        } else {
            format!("{} of {}", rewards.len(), repeats.len())
        };
        let average = |value: fn(&Row) -> f64| {
            let values: Vec<f64> = repeats.iter().map(|row| value(row)).collect();
            mean(&values).unwrap_or(0.0)
        };
        let seconds = average(|row| row.duration.as_secs_f64());
        table.row(vec![
            Cell::new(outcome::task_name(task)),
            reward,
            Cell::new(n),
            Cell::new(format!("{:.1}", average(|row| f64::from(row.steps)))),
            Cell::new(words::count(average(|row| row.tokens as f64).round() as u64)),
            Cell::new(words::duration(std::time::Duration::from_secs_f64(seconds))),
        ]);
    }
    table
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn quoted(answer: Option<&str>) -> String {
    answer.map_or_else(String::new, |answer| format!("\"{answer}\""))
}

fn failure(kind: &str, reason: Option<&str>) -> String {
    let kind = words::kind(kind);
    match reason {
        Some(reason) => {
            let first = reason.lines().next().unwrap_or_default();
            format!("{kind}: {}", text::one_line(first, 200))
        }
        None => kind,
    }
}
