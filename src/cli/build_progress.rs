//! What a build says while it runs, on the terminal or as JSON Lines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::build::scrub::Scrubber;
use crate::build::{Event, Stage};
use crate::cli::failure::Failure;
use crate::docker::{BuildEvent, StepOutcome};
use crate::ui::{OutputError, Printer, StepEnd, Steps, Verbosity};

/// Steps of the engine are numbered from here; those of our own before it.
const OF_ENGINE: u64 = 100;

/// Shows the events of one build.
pub(super) struct BuildProgress {
    printer: Printer,
    scrubber: Scrubber,
    steps: Steps,
    names: BTreeMap<u64, String>,
    /// What we do ourselves right now.
    stage: Option<u64>,
    next_stage: u64,
    /// stdout may be gone; the build goes on, and says so at its end.
    output: Result<(), OutputError>,
}

impl BuildProgress {
    /// Shows nothing yet. `scrubber` hides values in what steps print.
    pub(super) fn new(printer: &Printer, scrubber: Scrubber) -> Self {
        Self {
            printer: printer.clone(),
            scrubber,
            steps: printer.steps(),
            names: BTreeMap::new(),
            stage: None,
            next_stage: 0,
            output: Ok(()),
        }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Stage(stage) => {
                self.end_stage(StepEnd::Done);
                let name = match stage {
                    Stage::Pulling(image) => format!("pulling {image}"),
                    Stage::Analyzing => "starting the image to see what it offers".to_owned(),
                    // The engine's own steps say it.
                    Stage::Building | Stage::Labelling => return,
                };
                let step = self.next_stage;
                self.next_stage += 1;
                self.start(step, &name);
                self.stage = Some(step);
            }
            Event::Pull { transfer, .. } => {
                if let (Some(step), Some(layer)) = (self.stage, &transfer.layer) {
                    // Layers are fetched and then unpacked: both count.
                    let part = format!("{layer} {}", transfer.status);
                    self.steps
                        .progress(step, &part, transfer.current, transfer.total);
                }
            }
            Event::Build(event) => self.take_build(event),
        }
    }

    fn take_build(&mut self, event: BuildEvent) {
        match event {
            BuildEvent::Started { step, name } => {
                // What the builder does for itself is for those who look closely.
                let is_internal = name.starts_with("[internal]");
                if !is_internal || self.printer.verbosity() >= Verbosity::Verbose {
                    self.start(step as u64 + OF_ENGINE, &self.scrubber.text(&name));
                }
            }
            BuildEvent::Log { step, line } => {
                let line = self.scrubber.text(&line);
                self.steps.log(step as u64 + OF_ENGINE, &line);
            }
            BuildEvent::Progress {
                step,
                part,
                current,
                total,
            } => self
                .steps
                .progress(step as u64 + OF_ENGINE, &part, current, total),
            BuildEvent::Finished {
                step,
                outcome,
                took,
            } => {
                let end = match outcome {
                    StepOutcome::Done => StepEnd::Done,
                    StepOutcome::Cached => StepEnd::Cached,
                    StepOutcome::Failed => StepEnd::Failed,
                };
                self.finish(step as u64 + OF_ENGINE, end, took);
            }
            BuildEvent::Warning { message } => {
                self.printer
                    .warn(&format!("the builder: {}", self.scrubber.text(&message)));
            }
        }
    }

    fn start(&mut self, step: u64, name: &str) {
        self.steps.start(step, name);
        self.names.insert(step, name.to_owned());
    }

    fn finish(&mut self, step: u64, end: StepEnd, took: Duration) {
        self.steps.finish(step, end, took);
        if let Some(name) = self.names.remove(&step)
            && self.printer.is_json()
        {
            let outcome = match end {
                StepEnd::Done => "done",
                StepEnd::Cached => "cached",
                StepEnd::Failed => "failed",
            };
            self.json(&json!({
                "event": "step",
                "name": name,
                "outcome": outcome,
                "duration_s": took.as_secs_f64(),
            }));
        }
    }

    fn end_stage(&mut self, end: StepEnd) {
        if let Some(step) = self.stage.take() {
            self.finish(step, end, Duration::ZERO);
        }
    }

    fn json(&mut self, line: &Value) {
        if self.output.is_ok() {
            self.output = self.printer.data(&line.to_string());
        }
    }

    /// Takes everything off the screen.
    ///
    /// # Errors
    /// When stdout could not be written.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.end_stage(StepEnd::Done);
        self.output.map_err(Failure::from)
    }
}
