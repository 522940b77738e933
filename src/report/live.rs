//! On a terminal: a bar over all rollouts, the running ones under it, what ended above.

use std::collections::BTreeMap;

use anyhow::Result;

use super::standard::Report;
use super::{outcome, plain, words};
use crate::event::{JobStarted, Phase, RolloutRef, RunEvent, Step};
use crate::ui::{Printer, Progress, Tone, pad, width_of};
use crate::util::text;

/// More rows push what ended off a small screen.
const ROWS: usize = 8;

/// The live view, on stderr.
pub struct Live {
    printer: Printer,
    started: Option<JobStarted>,
    ready: plain::Ready,
    progress: Option<Progress>,
    /// By place in the plan, so that a row keeps its place while others end.
    running: BTreeMap<usize, Row>,
    ended: usize,
    rewards: f64,
    graded: usize,
}

struct Row {
    name: String,
    phase: Option<Phase>,
    step: u32,
    last: String,
}

impl Live {
    /// Shows nothing yet.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            started: None,
            ready: plain::Ready::default(),
            progress: None,
            running: BTreeMap::new(),
            ended: 0,
            rewards: 0.0,
            graded: 0,
        }
    }

    fn row(&mut self, rollout: &RolloutRef) -> &mut Row {
        let group = self.started.as_ref().map_or(1, |started| started.group);
        self.running.entry(rollout.index).or_insert_with(|| Row {
            name: outcome::name(rollout, group),
            phase: None,
            step: 0,
            last: String::new(),
        })
    }

    /// Draws the rows again; `false` when the event changed none that is visible.
    fn show_rows(&self) {
        if let Some(progress) = &self.progress {
            progress.set_rows(&self.rows());
        }
    }

    fn rows(&self) -> Vec<String> {
        let paint = self.printer.paint();
        let name_width = self
            .running
            .values()
            .take(ROWS)
            .map(|row| width_of(&row.name))
            .max()
            .unwrap_or(0);
        let mut rows: Vec<String> = self
            .running
            .values()
            .take(ROWS)
            .map(|row| {
                let doing = match (row.phase, row.step) {
                    (Some(Phase::Loop), step) if step > 0 => format!("step {step}"),
                    (Some(phase), _) => phase.as_str().to_owned(),
                    (None, _) => "starting".to_owned(),
                };
                let line = format!("  {}  {doing:<8}  {}", pad(&row.name, name_width), row.last);
                line.trim_end().to_owned()
            })
            .collect();
        if self.running.len() > ROWS {
            let more = format!("  … and {} more", self.running.len() - ROWS);
            rows.push(paint.tone(Tone::Dim, &more));
        }
        rows
    }

    fn rollout_finished(&mut self, event: &RunEvent) {
        let RunEvent::RolloutFinished { rollout, result } = event else {
            return;
        };
        self.running.remove(&rollout.index);
        self.ended += 1;
        if let Some(reward) = result.outcome.reward() {
            self.rewards += reward;
            self.graded += 1;
        }
        let lines = outcome::lines(
            "",
            rollout,
            result,
            self.started.as_ref(),
            self.printer.width(),
            self.printer.paint(),
        );
        self.printer.talk(&lines);
        if let Some(progress) = &self.progress {
            progress.set_done(self.ended as u64);
            progress.set_note(&self.note());
        }
    }

    /// The mean so far, and how many have none.
    fn note(&self) -> String {
        let mut parts = Vec::new();
        if self.graded > 0 {
            let mean = self.rewards / self.graded as f64;
            parts.push(format!("mean {}", words::reward(mean)));
        }
        if self.ended > self.graded {
            parts.push(format!("{} not graded", self.ended - self.graded));
        }
        parts.join("  ")
    }
}

impl Report for Live {
    fn event(&mut self, event: &RunEvent) -> Result<()> {
        match event {
            RunEvent::JobStarted(started) => {
                self.printer.talk(&plain::header(started));
                self.progress = Some(self.printer.progress(started.rollouts as u64));
                self.started = Some(started.clone());
            }
            RunEvent::Notice { level, text } => plain::notice(&self.printer, *level, text),
            RunEvent::EnvironmentReady { .. } => self.ready.tell(&self.printer, event),
            RunEvent::RolloutStarted { rollout } => {
                self.row(rollout);
                self.show_rows();
            }
            RunEvent::PhaseStarted { rollout, phase } => {
                self.row(rollout).phase = Some(*phase);
                self.show_rows();
            }
            RunEvent::Step { rollout, step } => {
                if follow(self.row(rollout), step) {
                    self.show_rows();
                }
            }
            RunEvent::RolloutFinished { .. } => {
                self.rollout_finished(event);
                self.show_rows();
            }
            RunEvent::JobFinished(_) => self.progress = None,
        }
        Ok(())
    }
}

/// Notes in a row what a step does; whether that is worth drawing.
fn follow(row: &mut Row, step: &Step) -> bool {
    match step {
        Step::ModelStarted { step } => row.step = *step,
        Step::ToolStarted { call } => row.last = text::one_line(&call.name, 40),
        Step::Retry { attempt, error, .. } => {
            // The row has no room for hints.
            let said = error.lines().next().unwrap_or_default();
            row.last = format!("retry {attempt}: {}", text::one_line(said, 60));
        }
        Step::Submitted { .. } => "submitted".clone_into(&mut row.last),
        Step::LimitReached { limit } => row.last = format!("limit: {}", limit.as_str()),
        Step::Prompt { .. }
        | Step::TextDelta { .. }
        | Step::Turn { .. }
        | Step::ToolFinished { .. }
        | Step::User { .. }
        | Step::Judge { .. }
        | Step::Notice { .. }
        | Step::Log { .. } => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::event::samples::{call, finished, graded, job_started, result, rollout};
    use crate::ui::{Options, Terminal};

    fn live() -> (Live, crate::ui::Captured) {
        // No terminal: the rows are looked at as text, and the bar stays hidden.
        let (printer, captured) = Printer::memory(Options::default(), Terminal::default());
        let mut live = Live::new(&printer);
        live.event(&job_started(20, 1, Path::new("runs/x")))
            .unwrap();
        (live, captured)
    }

    fn step(index: usize, task: &str, step: Step) -> RunEvent {
        RunEvent::Step {
            rollout: rollout(index, task, 0),
            step: Box::new(step),
        }
    }

    #[test]
    fn a_row_tells_task_step_and_last_tool() {
        let (mut live, _) = live();
        let first = rollout(0, "ceo-hud", 0);
        let events = [
            RunEvent::RolloutStarted {
                rollout: first.clone(),
            },
            RunEvent::RolloutStarted {
                rollout: rollout(1, "ceo-other-name", 0),
            },
            RunEvent::PhaseStarted {
                rollout: rollout(1, "ceo-other-name", 0),
                phase: Phase::Setup,
            },
            RunEvent::PhaseStarted {
                rollout: first,
                phase: Phase::Loop,
            },
            step(0, "ceo-hud", Step::ModelStarted { step: 3 }),
            step(
                0,
                "ceo-hud",
                Step::ToolStarted {
                    call: call("1", "look\u{1b}[31mup", serde_json::json!({})),
                },
            ),
        ];
        for event in &events {
            live.event(event).unwrap();
        }
        insta::assert_snapshot!(live.rows().join("\n"), @r"
        ceo-hud         step 3    lookup
        ceo-other-name  setup
        ");
    }

    #[test]
    fn at_most_eight_rows_and_the_others_are_counted() {
        let (mut live, _) = live();
        for index in 0..11 {
            live.event(&RunEvent::RolloutStarted {
                rollout: rollout(index, &format!("task-{index}"), 0),
            })
            .unwrap();
        }
        assert_eq!(live.rows().len(), ROWS + 1);
        assert_eq!(live.rows()[ROWS], "  … and 3 more");
    }

    #[test]
    fn a_finished_line_with_wide_characters_fits() {
        let (mut live, captured) = live();
        for task in ["漢字", &"漢字".repeat(30)] {
            let rollout = rollout(0, task, 0);
            let answer = "漢字".repeat(100);
            live.event(&finished(rollout, result(graded(1.0), Some(&answer))))
                .unwrap();
        }
        for line in captured.stderr().lines() {
            assert!(width_of(line) <= 80, "{line}");
        }
    }

    #[test]
    fn what_ends_leaves_the_rows_and_counts() {
        let (mut live, captured) = live();
        assert_eq!(live.note(), "");
        for (index, outcome) in [
            (0, graded(1.0)),
            (1, graded(0.5)),
            (2, crate::event::Outcome::Cancelled),
        ] {
            let rollout = rollout(index, "task", 0);
            live.event(&RunEvent::RolloutStarted {
                rollout: rollout.clone(),
            })
            .unwrap();
            live.event(&finished(rollout, result(outcome, Some("JR"))))
                .unwrap();
        }
        assert_eq!(live.rows(), Vec::<String>::new());
        assert_eq!(live.note(), "mean 0.750  1 not graded");
        insta::assert_snapshot!(captured.stderr(), @r#"
        trivia: 20 rollouts with claude-sonnet-4-6, 20 at a time
        task  reward 1.000  3 steps  1.2k tok  0.8s  "JR"
        task  reward 0.500  3 steps  1.2k tok  0.8s  "JR"
        task  cancelled  3 steps  1.2k tok  0.8s  "JR"
        "#);
    }
}
