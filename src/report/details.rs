//! What stands below the table: why rollouts have no grade, and under `-v` what grades are made of.

use crate::event::RolloutRef;
use crate::ui::{Paint, Tone};

use super::rows::{Ending, Row};
use super::{outcome, words};

/// Names behind one reason before the others are counted.
const NAMES: usize = 5;

/// Reasons before the others are counted: beyond this they are rather in the journal than on a screen.
const REASONS: usize = 20;

/// Each different reason once, with the rollouts that it took.
pub(super) fn failures(rows: &[Row], group: u32, paint: Paint) -> Option<String> {
    let mut reasons: Vec<(&str, Option<&str>, Vec<&RolloutRef>)> = Vec::new();
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
