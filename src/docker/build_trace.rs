//! What a build says while it runs, from BuildKit's trace and from the text of the older builder.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use bollard::moby::buildkit::v1::StatusResponse;
use bollard::models::{BuildInfo, BuildInfoAux};

use crate::util::text;

/// How many of a step's last lines are kept for the error.
const KEPT_LINES: usize = 20;

/// The longest line that is kept: a program may print megabytes without a newline.
const LONGEST_LINE: usize = 4000;

/// Something happened in a build. Steps are numbered in the order in which they were first heard of.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildEvent {
    /// A step began.
    Started {
        /// Its number.
        step: usize,
        /// What it does: `[2/4] RUN make`.
        name: String,
    },
    /// A step wrote a line.
    Log {
        /// Its number.
        step: usize,
        /// The line.
        line: String,
    },
    /// A part of a step (a layer) got on.
    Progress {
        /// Its number.
        step: usize,
        /// Which part.
        part: String,
        /// How much of it is done.
        current: u64,
        /// Of how much; 0 when that is unknown.
        total: u64,
    },
    /// A step ended.
    Finished {
        /// Its number.
        step: usize,
        /// How.
        outcome: StepOutcome,
        /// How long it took.
        took: Duration,
    },
    /// The builder warns.
    Warning {
        /// In its words.
        message: String,
    },
}

/// How a step of a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It ran.
    Done,
    /// Its result was in the cache.
    Cached,
    /// It failed.
    Failed,
}

/// Why a build failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFailure {
    /// The step that failed, when one did: `[2/4] RUN make`.
    pub step: Option<String>,
    /// The last lines that it wrote.
    pub lines: Vec<String>,
    /// The builder's words.
    pub message: String,
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = text::strip_control(&self.message);
        match &self.step {
            Some(step) => write!(
                f,
                "the step `{}` failed: {message}",
                text::one_line(step, 120)
            )?,
            None => write!(f, "the build failed: {message}")?,
        }
        for line in &self.lines {
            write!(f, "\n  {}", text::strip_control(line))?;
        }
        Ok(())
    }
}

/// Follows one build.
#[derive(Default)]
pub(super) struct Trace {
    steps: Vec<Step>,
    by_digest: HashMap<String, usize>,
}

struct Step {
    name: String,
    started: bool,
    finished: bool,
    failed: bool,
    began: Option<Duration>,
    /// The line that is not complete yet.
    partial: Vec<u8>,
    last_lines: VecDeque<String>,
}

impl Trace {
    /// Takes one message of the stream.
    pub(super) fn take(&mut self, info: BuildInfo, emit: &mut dyn FnMut(BuildEvent)) {
        if let Some(BuildInfoAux::BuildKit(status)) = info.aux {
            self.take_buildkit(status, emit);
        }
        if let Some(stream) = info.stream {
            self.take_classic(&stream, emit);
        }
        // The older builder pulls base images by itself, and says so without a step.
        if let (Some(status), Some(id)) = (info.status, info.id)
            && let Some(step) = self.steps.len().checked_sub(1)
        {
            let detail = info.progress_detail.unwrap_or_default();
            let bytes = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok());
            emit(BuildEvent::Progress {
                step,
                part: format!("{id} {status}"),
                current: bytes(detail.current).unwrap_or(0),
                total: bytes(detail.total).unwrap_or(0),
            });
        }
    }

    fn step(&mut self, digest: &str, name: &str) -> usize {
        if let Some(step) = self.by_digest.get(digest) {
            return *step;
        }
        self.steps.push(Step {
            name: text::one_line(name, 400),
            started: false,
            finished: false,
            failed: false,
            began: None,
            partial: Vec::new(),
            last_lines: VecDeque::new(),
        });
        self.by_digest
            .insert(digest.to_owned(), self.steps.len() - 1);
        self.steps.len() - 1
    }

    fn take_buildkit(&mut self, status: StatusResponse, emit: &mut dyn FnMut(BuildEvent)) {
        for vertex in status.vertexes {
            let number = self.step(&vertex.digest, &vertex.name);
            if let Some(started) = &vertex.started {
                let at = since_epoch(started.seconds, started.nanos);
                let step = &mut self.steps[number];
                step.began = Some(at);
                if !step.started {
                    step.started = true;
                    emit(BuildEvent::Started {
                        step: number,
                        name: step.name.clone(),
                    });
                }
            }
            if let Some(completed) = &vertex.completed {
                let at = since_epoch(completed.seconds, completed.nanos);
                let failed = !vertex.error.is_empty();
                let outcome = match (failed, vertex.cached) {
                    (true, _) => StepOutcome::Failed,
                    (false, true) => StepOutcome::Cached,
                    (false, false) => StepOutcome::Done,
                };
                self.flush(number, emit);
                let step = &mut self.steps[number];
                let took = step
                    .began
                    .map_or(Duration::ZERO, |began| at.saturating_sub(began));
                // A step whose neighbour failed is reported as cancelled; only the cause is a failure.
                step.failed = failed && !vertex.error.contains("context canceled");
                // BuildKit says it again when another step needs the same thing.
                if !step.finished {
                    step.finished = true;
                    emit(BuildEvent::Finished {
                        step: number,
                        outcome,
                        took,
                    });
                }
            }
        }
        for status in status.statuses {
            let number = self.step(&status.vertex, "");
            emit(BuildEvent::Progress {
                step: number,
                part: if status.name.is_empty() {
                    status.id
                } else {
                    status.name
                },
                current: u64::try_from(status.current).unwrap_or(0),
                total: u64::try_from(status.total).unwrap_or(0),
            });
        }
        for log in status.logs {
            let number = self.step(&log.vertex, "");
            self.log(number, &log.msg, emit);
        }
        for warning in status.warnings {
            emit(BuildEvent::Warning {
                message: text::one_line(&String::from_utf8_lossy(&warning.short), 300),
            });
        }
    }

    /// `Step 2/4 : RUN make`, ` ---> Using cache`, and everything that the step writes.
    fn take_classic(&mut self, stream: &str, emit: &mut dyn FnMut(BuildEvent)) {
        for line in stream.split_inclusive('\n') {
            let trimmed = line.trim_end();
            if let Some((number, command)) = trimmed
                .strip_prefix("Step ")
                .and_then(|rest| rest.split_once(" : "))
            {
                self.finish_last(StepOutcome::Done, emit);
                let name = format!("[{number}] {command}");
                let step = self.step(&format!("classic {number}"), &name);
                self.steps[step].started = true;
                emit(BuildEvent::Started { step, name });
            } else if trimmed == " ---> Using cache" {
                self.finish_last(StepOutcome::Cached, emit);
            } else if trimmed.starts_with("Successfully built ") {
                self.finish_last(StepOutcome::Done, emit);
            } else if is_housekeeping(trimmed) {
                // The layers and containers of the builder are no output of the step.
            } else if let Some(step) = self.steps.len().checked_sub(1) {
                self.log(step, line.as_bytes(), emit);
            }
        }
    }

    fn finish_last(&mut self, outcome: StepOutcome, emit: &mut dyn FnMut(BuildEvent)) {
        if let Some(step) = self.steps.len().checked_sub(1)
            && !self.steps[step].finished
        {
            self.flush(step, emit);
            self.steps[step].finished = true;
            emit(BuildEvent::Finished {
                step,
                outcome,
                // The older builder tells no times.
                took: Duration::ZERO,
            });
        }
    }

    fn log(&mut self, number: usize, bytes: &[u8], emit: &mut dyn FnMut(BuildEvent)) {
        for byte in bytes {
            if *byte == b'\n' {
                self.flush(number, emit);
            } else if self.steps[number].partial.len() < LONGEST_LINE {
                self.steps[number].partial.push(*byte);
            }
        }
    }

    /// Ends the line of a step that is not complete yet.
    fn flush(&mut self, number: usize, emit: &mut dyn FnMut(BuildEvent)) {
        let step = &mut self.steps[number];
        if step.partial.is_empty() {
            return;
        }
        let whole = String::from_utf8_lossy(&std::mem::take(&mut step.partial)).into_owned();
        // What is written over the line again and again (a progress bar) is worth its last state.
        let line = whole.trim_end_matches('\r');
        let line = line
            .rsplit('\r')
            .next()
            .unwrap_or(line)
            .trim_end()
            .to_owned();
        if step.last_lines.len() == KEPT_LINES {
            step.last_lines.pop_front();
        }
        step.last_lines.push_back(line.clone());
        emit(BuildEvent::Log { step: number, line });
    }

    /// Why the build failed, with the step that did.
    pub(super) fn failure(
        &mut self,
        message: &str,
        emit: &mut dyn FnMut(BuildEvent),
    ) -> BuildFailure {
        for number in 0..self.steps.len() {
            self.flush(number, emit);
        }
        let failed = self.steps.iter().position(|step| step.failed).or_else(|| {
            // The older builder: the step that was running.
            self.steps
                .iter()
                .rposition(|step| step.started && !step.finished)
        });
        if let Some(step) = failed
            && !self.steps[step].finished
        {
            self.steps[step].finished = true;
            emit(BuildEvent::Finished {
                step,
                outcome: StepOutcome::Failed,
                took: Duration::ZERO,
            });
        }
        let failed = failed.map(|number| &self.steps[number]);
        BuildFailure {
            step: failed.map(|step| step.name.clone()),
            lines: failed.map_or_else(Vec::new, |step| step.last_lines.iter().cloned().collect()),
            message: plain_message(message),
        }
    }
}

fn is_housekeeping(line: &str) -> bool {
    line.trim().is_empty()
        || line.starts_with(" ---> ")
        || line.starts_with("Removing intermediate container ")
        || line.starts_with("Successfully tagged ")
}

/// The builder's words without what surrounds them: `failed to solve with frontend dockerfile.v0: failed to create LLB definition: …`.
fn plain_message(message: &str) -> String {
    let mut message = message.trim();
    for wrapping in [
        "failed to solve with frontend dockerfile.v0: ",
        "failed to solve with frontend gateway.v0: ",
        "failed to solve: ",
        "rpc error: code = Unknown desc = ",
        "failed to create LLB definition: ",
        "failed to build LLB: ",
        "failed to read dockerfile: ",
    ] {
        message = message.strip_prefix(wrapping).unwrap_or(message);
    }
    message.to_owned()
}

fn since_epoch(seconds: i64, nanos: i32) -> Duration {
    Duration::new(
        u64::try_from(seconds).unwrap_or(0),
        u32::try_from(nanos).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> BuildInfo {
        BuildInfo {
            stream: Some(text.to_owned()),
            ..BuildInfo::default()
        }
    }

    #[test]
    fn the_older_builders_text_becomes_steps() {
        let mut trace = Trace::default();
        let mut events = Vec::new();
        let mut emit = |event| events.push(event);
        for text in [
            "Step 1/3 : FROM python",
            "\n",
            " ---> 0123456789ab\n",
            "Step 2/3 : RUN pip\n",
            " ---> Using cache\n",
            "Step 3/3 : RUN make\n",
            " ---> Running in 12\n",
            "one\n10%\r50%\r",
            "done\n",
            "partial",
        ] {
            trace.take(stream(text), &mut emit);
        }
        let failure = trace.failure("The command returned a non-zero code: 2", &mut emit);
        assert_eq!(
            failure.to_string(),
            "the step `[3/3] RUN make` failed: The command returned a non-zero code: 2\n  one\n  done\n  partial"
        );
        let shown: Vec<String> = events
            .iter()
            .map(|event| match event {
                BuildEvent::Started { step, name } => format!("{step} {name}"),
                BuildEvent::Log { step, line } => format!("{step}: {line}"),
                BuildEvent::Finished { step, outcome, .. } => format!("{step} {outcome:?}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "0 [1/3] FROM python",
                "0 Done",
                "1 [2/3] RUN pip",
                "1 Cached",
                "2 [3/3] RUN make",
                "2: one",
                "2: done",
                "2: partial",
                "2 Failed"
            ]
        );
    }

    #[test]
    fn only_the_last_lines_of_a_step_are_kept() {
        let mut trace = Trace::default();
        let mut emit = |_| {};
        trace.take(stream("Step 1/1 : RUN yes\n"), &mut emit);
        for number in 0..100 {
            trace.take(stream(&format!("{number}\n")), &mut emit);
        }
        trace.take(stream(&"x".repeat(10_000)), &mut emit);
        let failure = trace.failure("no", &mut emit);
        assert_eq!(failure.lines.len(), KEPT_LINES);
        assert_eq!(failure.lines[0], "81");
        assert_eq!(failure.lines[KEPT_LINES - 1].len(), LONGEST_LINE);
    }

    #[test]
    fn what_surrounds_the_message_is_taken_off() {
        let check = |message: &str, expected: &str| {
            assert_eq!(
                Trace::default().failure(message, &mut |_| {}).to_string(),
                expected
            );
        };
        check(
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RNU",
            "the build failed: dockerfile parse error line 2: unknown instruction: RNU",
        );
        check("no such thing", "the build failed: no such thing");
    }
}
