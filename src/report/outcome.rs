//! One finished rollout as a line, with what went wrong below it.

use crate::event::{JobStarted, Outcome, RolloutRef, RolloutResult};
use crate::ui::{Paint, Tone, fit, fit_middle, width_of};
use crate::util::text;

use super::words;

/// Names longer than this are cut: they are file names of whole data sets.
const NAME_WIDTH: usize = 40;

/// An answer is not shown in less than this.
const ANSWER_WIDTH: usize = 8;

/// Names rollouts: a task that is played more than once has its repeat, from 1, behind its name.
pub(super) fn name(rollout: &RolloutRef, group: u32) -> String {
    let task = task_name(&rollout.task);
    if group > 1 {
        format!("{task} #{}", rollout.repeat + 1)
    } else {
        task
    }
}

/// A task's name on one line. A long one is cut in its middle, since names of one file often begin alike.
pub(super) fn task_name(name: &str) -> String {
    fit_middle(&text::one_line(name, usize::MAX), NAME_WIDTH)
}

/// `[12/50] `, as wide for the first as for the last.
pub(super) fn counter(done: usize, total: usize) -> String {
    let width = total.to_string().len();
    format!("[{done:>width$}/{total}] ")
}

/// `ceo-hud  reward 1.000  3 steps  1.2k tok  0.8s  "JR"`, cut to `width`; below it the reason when there is no grade, and warnings.
pub(super) fn lines(
    head: &str,
    rollout: &RolloutRef,
    result: &RolloutResult,
    started: Option<&JobStarted>,
    width: usize,
    paint: Paint,
) -> String {
    let group = started.map_or(1, |started| started.group);
    let (ending, tone) = match &result.outcome {
        Outcome::Graded {
            evaluation,
            stopped_by,
        } => {
            let stopped = stopped_by
                .map_or_else(String::new, |limit| format!(" (limit: {})", limit.as_str()));
            let reward = words::reward(evaluation.reward);
            (format!("reward {reward}{stopped}"), tone(&result.outcome))
        }
        Outcome::AgentError { .. }
        | Outcome::EnvironmentError { .. }
        | Outcome::Timeout { .. }
        | Outcome::LimitReached { .. }
        | Outcome::Cancelled => (words::kind(result.outcome.kind()), tone(&result.outcome)),
    };
    let steps = words::plural(u64::from(result.steps), "step");
    let tokens = words::count(result.usage.total());
    let time = words::duration(result.duration);
    let name = name(rollout, group);
    let plain = format!("{head}{name}  {ending}  {steps}  {tokens} tok  {time}");
    let room = width.saturating_sub(width_of(&plain) + 2);
    let ending = paint.tone(tone, &ending);
    let line = format!("{head}{name}  {ending}  {steps}  {tokens} tok  {time}");
    let mut out = fit(&line, width);
    if let Some(answer) = &result.answer
        && room >= ANSWER_WIDTH
    {
        out.push_str("  ");
        out.push_str(&words::quoted(answer, room));
    }
    if let Some(message) = reason(&result.outcome) {
        out.push('\n');
        out.push_str(&words::indented(&message, "    "));
    }
    for warning in &result.warnings {
        let warning = words::indented(warning, "    ");
        out.push_str("\n    ");
        out.push_str(&paint.tone(Tone::Warning, "warning:"));
        out.push(' ');
        out.push_str(warning.trim_start());
    }
    out
}

/// Why there is no grade, where the kind does not say all.
pub(super) fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Graded { .. } | Outcome::Cancelled => None,
        // Its own message would say "limit reached" again.
        Outcome::LimitReached { limit, message } => Some(format!("[{}] {message}", limit.as_str())),
        Outcome::AgentError { .. } | Outcome::EnvironmentError { .. } | Outcome::Timeout { .. } => {
            outcome.message()
        }
    }
}

/// Full marks are good, none are bad; a failure is bad too, and a cancelled rollout is neither.
pub(super) fn tone(outcome: &Outcome) -> Tone {
    match outcome {
        Outcome::Graded { evaluation, .. } => reward_tone(evaluation.reward),
        Outcome::Cancelled => Tone::Dim,
        Outcome::AgentError { .. }
        | Outcome::EnvironmentError { .. }
        | Outcome::Timeout { .. }
        | Outcome::LimitReached { .. } => Tone::Bad,
    }
}

/// The tone of a reward or of a mean of some.
pub(super) fn reward_tone(reward: f64) -> Tone {
    if reward >= 1.0 {
        Tone::Good
    } else if reward <= 0.0 {
        Tone::Bad
    } else {
        Tone::Warning
    }
}
