//! What stands below the table: why rollouts have no grade, and under `-v` what grades are made of.

use crate::event::RolloutRef;
use crate::ui::{Paint, Tone};

use super::rows::{Ending, Row};
use super::{outcome, words};

/// Names behind one reason before the others are counted.
const NAMES: usize = 5;

/// Reasons before the others are counted: beyond this they are rather in the journal than on a screen.
const REASONS: usize = 20;

/// A kind of failure, its reason, and the rollouts that it took.
type Reason<'a> = (&'a str, Option<&'a str>, Vec<&'a RolloutRef>);

/// A reason on one line is cut here.
const REASON_WIDTH: usize = 300;

/// Each different reason once, in the order of first appearance.
fn distinct(rows: &[Row]) -> Vec<Reason<'_>> {
    let mut reasons: Vec<Reason<'_>> = Vec::new();
    for row in rows {
        let Ending::Ungraded { kind, reason } = &row.ending else {
            continue;
        };
        let reason = reason.as_deref();
        match reasons
            .iter_mut()
            .find(|(k, r, _)| k == kind && *r == reason)
        {
            Some((_, _, rollouts)) => rollouts.push(&row.rollout),
            None => reasons.push((kind, reason, vec![&row.rollout])),
        }
    }
    reasons
}

/// One line for each different reason, with how many rollouts it took: `3 × agent error: refused`. What was cancelled has no reason.
pub(super) fn reasons(rows: &[Row]) -> Vec<String> {
    let all: Vec<Reason<'_>> = distinct(rows)
        .into_iter()
        .filter(|(_, reason, _)| reason.is_some())
        .collect();
    let mut lines: Vec<String> = all
        .iter()
        .take(REASONS)
        .map(|(kind, reason, rollouts)| {
            // On one line there is no place for hints and traces.
            let first = reason
                .unwrap_or_default()
                .lines()
                .next()
                .unwrap_or_default();
            let first = crate::util::text::one_line(first, REASON_WIDTH);
            format!("{} × {}: {first}", rollouts.len(), words::kind(kind))
        })
        .collect();
    if all.len() > REASONS {
        let more = words::plural((all.len() - REASONS) as u64, "other reason");
        lines.push(format!("{more}, in the run's journal"));
    }
    lines
}

/// Each different reason once, with the rollouts that it took.
pub(super) fn failures(rows: &[Row], group: u32, paint: Paint) -> Option<String> {
    let reasons = distinct(rows);
    if reasons.is_empty() {
        return None;
    }
    let mut lines = vec![paint.tone(Tone::Strong, "not graded")];
    for (kind, reason, rollouts) in reasons.iter().take(REASONS) {
        let mut names: Vec<String> = rollouts
            .iter()
            .take(NAMES)
            .map(|rollout| outcome::name(rollout, group))
            .collect();
        if rollouts.len() > NAMES {
            names.push(format!("and {} more", rollouts.len() - NAMES));
        }
        let kind = paint.tone(Tone::Bad, &words::kind(kind));
        lines.push(format!("  {kind}: {}", names.join(", ")));
        if let Some(reason) = reason {
            lines.push(words::indented(reason, "    "));
        }
    }
    if reasons.len() > REASONS {
        let more = words::plural((reasons.len() - REASONS) as u64, "other reason");
        lines.push(format!("  … and {more}, in the run's journal"));
    }
    Some(lines.join("\n"))
}

/// Subscores, explanations and the limits that ended loops, of the rollouts that have any.
pub(super) fn grades(rows: &[Row], group: u32, paint: Paint) -> Option<String> {
    let mut lines = Vec::new();
    for row in rows {
        let Ending::Graded {
            content,
            subscores,
            stopped_by,
            ..
        } = &row.ending
        else {
            continue;
        };
        if content.is_none() && subscores.is_empty() && stopped_by.is_none() {
            continue;
        }
        let stopped = stopped_by.map_or_else(String::new, |limit| {
            format!("  stopped by the limit of {}", limit.as_str())
        });
        lines.push(format!("  {}{stopped}", outcome::name(&row.rollout, group)));
        for score in subscores {
            let value = words::reward(score.value);
            let name = crate::util::text::one_line(&score.name, 60);
            lines.push(format!("    {value} × {}  {name}", score.weight));
        }
        if let Some(content) = content {
            lines.push(words::indented(content, "    "));
        }
    }
    if lines.is_empty() {
        return None;
    }
    lines.insert(0, paint.tone(Tone::Strong, "grades"));
    Some(lines.join("\n"))
}
