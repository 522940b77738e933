//! What a check finds.

use std::time::Duration;

use crate::cli::reach::Trouble;

use super::hints;

/// The stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Stage {
    /// The code is imported, the program runs, the server answers.
    Start,
    /// MCP's handshake.
    Initialize,
    /// Tools, scenarios, resources, prompts.
    List,
    /// A tool is called.
    Tool,
    /// A scenario is set up and graded.
    Scenario,
    /// Ten sessions at once.
    Sessions,
    /// Everything ends.
    Shutdown,
}

impl Stage {
    /// All, in order.
    pub(in crate::cli) const ALL: [Self; 7] = [
        Self::Start,
        Self::Initialize,
        Self::List,
        Self::Tool,
        Self::Scenario,
        Self::Sessions,
        Self::Shutdown,
    ];

    /// From 1, for `--max-phase`.
    pub(in crate::cli) fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Its name.
    pub(in crate::cli) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Initialize => "initialize",
            Self::List => "list",
            Self::Tool => "tool",
            Self::Scenario => "scenario",
            Self::Sessions => "sessions",
            Self::Shutdown => "shutdown",
        }
    }
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Status {
    /// As it should.
    Passed,
    /// It did not.
    Failed,
    /// It was not tried; the detail says why.
    Skipped,
}

impl Status {
    /// In the JSON.
    pub(in crate::cli) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A stage of one connection, done.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Check {
    /// Which connection, when there are several.
    pub(in crate::cli) server: Option<String>,
    /// Which stage.
    pub(in crate::cli) stage: Stage,
    /// How it ended.
    pub(in crate::cli) status: Status,
    /// What it took.
    pub(in crate::cli) took: Duration,
    /// What was found, on one line; of a failure what happened.
    pub(in crate::cli) detail: String,
    /// What works and should be looked at.
    pub(in crate::cli) remarks: Vec<String>,
    /// The last lines of the log, when it failed.
    pub(in crate::cli) log: String,
    /// What to do about a failure.
    pub(in crate::cli) hints: Vec<String>,
}

/// What a stage found, before it is dressed up as a [`Check`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) detail: String,
    pub(super) remarks: Vec<String>,
}

impl Found {
    pub(super) fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            remarks: Vec::new(),
        }
    }
}

/// Why a stage has nothing to say that is good.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Failed(Trouble),
    Skipped(String),
    /// A flag asks for what is not there: no finding about the environment.
    Mistake(String),
}

impl From<Trouble> for Outcome {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}

impl Outcome {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Trouble::new(message))
    }
}

impl Check {
    pub(super) fn new(
        server: Option<&str>,
        stage: Stage,
        took: Duration,
        outcome: Result<Found, Outcome>,
    ) -> Self {
        let mut check = Self {
            server: server.map(str::to_owned),
            stage,
            status: Status::Passed,
            took,
            detail: String::new(),
            remarks: Vec::new(),
            log: String::new(),
            hints: Vec::new(),
        };
        match outcome {
            Ok(found) => {
                check.detail = found.detail;
                check.remarks = found.remarks;
            }
            Err(Outcome::Skipped(why) | Outcome::Mistake(why)) => {
                check.status = Status::Skipped;
                check.took = Duration::ZERO;
                check.detail = why;
            }
            Err(Outcome::Failed(trouble)) => {
                check.status = Status::Failed;
                let (message, own) = without_hints(&trouble.message);
                check.hints = hints::find(&format!("{message}\n{}", trouble.log), own);
                if !is_told(&message, &trouble.log) {
                    check.log = trouble.log;
                }
                check.detail = message;
            }
        }
        check
    }
}

/// Whether a message holds every line of the log already, as that of an exception does.
fn is_told(message: &str, log: &str) -> bool {
    log.lines()
        .map(str::trim)
        .all(|line| message.contains(line))
}

/// A message without its own hints, and those.
fn without_hints(message: &str) -> (String, Vec<String>) {
    let (hints, rest): (Vec<&str>, Vec<&str>) = message
        .lines()
        .partition(|line| line.trim_start().starts_with("hint:"));
    let hints = hints
        .into_iter()
        .filter_map(|line| line.trim_start().strip_prefix("hint:"))
        .map(|hint| hint.trim().to_owned())
        .collect();
    (rest.join("\n"), hints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_of_a_message_are_hints_of_the_check() {
        let failed = Outcome::failed("cannot connect\nhint: is it running?\nsecond line");
        let check = Check::new(None, Stage::Start, Duration::ZERO, Err(failed));
        assert_eq!(check.detail, "cannot connect\nsecond line");
        assert_eq!(check.hints, ["is it running?"]);
    }

    #[test]
    fn a_log_that_says_nothing_new_is_left_out() {
        let check = |log: &str, expected: &str| {
            let trouble = Trouble {
                message: "grading failed: ValueError: x\nTraceback\n  File \"env.py\"".to_owned(),
                log: log.to_owned(),
            };
            let check = Check::new(None, Stage::Tool, Duration::ZERO, Err(trouble.into()));
            assert_eq!(check.log, expected);
        };
        check("Traceback\n    File \"env.py\"\nValueError: x", "");
        check("looking\nValueError: x", "looking\nValueError: x");
    }

    #[test]
    fn stages_are_numbered_in_their_order() {
        let numbers: Vec<u8> = Stage::ALL.iter().map(|stage| stage.number()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    }
}
