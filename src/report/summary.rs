//! The numbers of a job in words.

use crate::event::{JobSummary, Limit};
use crate::ui::{Paint, Tone};

use super::rows::{Ending, Row};
use super::words;

/// The block at the end.
pub(super) fn block(summary: &JobSummary, rows: &[Row], paint: Paint) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| lines.push(format!("{label:<12}{text}"));
    line("reward", paint.tone(Tone::Strong, &reward(summary)));
    if let Some(success) = success(summary) {
        line("success", success);
    }
    if !summary.failed.is_empty() {
        let count: usize = summary.failed.iter().map(|(_, count)| count).sum();
        let place = if summary.graded > 0 {
            ", left out of the mean"
        } else {
            ""
        };
        let text = format!(
            "{count} of {} rollouts{place}: {}",
            summary.rollouts,
            kinds(summary)
        );
        line("not graded", paint.tone(Tone::Bad, &text));
    }
    if let Some(limits) = limits(rows) {
        line("limits", limits);
    }
    line("tokens", tokens(summary));
    if let Some(cost) = summary.cost_usd {
        line("cost", words::dollars(cost));
    }
    let interrupted = if summary.interrupted {
        " (interrupted)"
    } else {
        ""
    };
    line(
        "time",
        format!("{}{interrupted}", words::duration(summary.duration)),
    );
    line("saved in", summary.directory.display().to_string());
    lines.join("\n")
}

/// Everything on one line.
pub(super) fn one_line(summary: &JobSummary) -> String {
    let mut parts = vec![format!("reward {}", reward_number(summary))];
    if let Some(rate) = summary.success_rate {
        parts.push(format!("success {:.1}%", rate * 100.0));
    }
    parts.push(format!("graded {}/{}", summary.graded, summary.rollouts));
    if !summary.failed.is_empty() {
        parts.push(kinds(summary));
    }
    parts.push(format!("{} tok", words::count(summary.usage.total())));
    parts.push(words::duration(summary.duration));
    if summary.interrupted {
        parts.push("interrupted".to_owned());
    }
    parts.push(summary.directory.display().to_string());
    parts.join("  ")
}

/// `0.667 ± 0.333`, or that there is none: a mean of nothing is not 0.
fn reward_number(summary: &JobSummary) -> String {
    match (summary.mean_reward, summary.stderr) {
        (None, _) => "none".to_owned(),
        (Some(mean), None) => words::reward(mean),
        (Some(mean), Some(stderr)) => format!("{} ± {stderr:.3}", words::reward(mean)),
    }
}

fn reward(summary: &JobSummary) -> String {
    let number = reward_number(summary);
    let explained = match (summary.mean_reward, summary.stderr) {
        (None, _) => return format!("{number}: no rollout was graded"),
        (Some(_), Some(_)) => "mean ± standard error",
        (Some(_), None) if summary.graded == 1 => return number,
        (Some(_), None) => "mean; one task has no standard error",
    };
    format!("{number} ({explained})")
}

fn success(summary: &JobSummary) -> Option<String> {
    let rate = summary.success_rate?;
    let successes = (rate * summary.graded as f64).round();
    Some(format!(
        "{:.1}% ({successes} of {})",
        rate * 100.0,
        words::plural(summary.graded as u64, "graded rollout")
    ))
}

/// `timeout 1, not started 3`.
fn kinds(summary: &JobSummary) -> String {
    let kinds: Vec<String> = summary
        .failed
        .iter()
        .map(|(kind, count)| format!("{} {count}", words::kind(kind)))
        .collect();
    kinds.join(", ")
}

/// How many graded rollouts were ended by a limit: they count in the mean, and the limit may be why they are low.
fn limits(rows: &[Row]) -> Option<String> {
    let counts: Vec<String> = [Limit::Steps, Limit::Time, Limit::Tokens, Limit::Cost]
        .into_iter()
        .filter_map(|limit| {
            let count = rows
                .iter()
                .filter(|row| {
                    matches!(&row.ending, Ending::Graded { stopped_by, .. } if *stopped_by == Some(limit))
                })
                .count();
            (count > 0).then(|| format!("{} {count}", limit.as_str()))
        })
        .collect();
    (!counts.is_empty())
        .then(|| format!("graded after a limit ended the loop: {}", counts.join(", ")))
}

fn tokens(summary: &JobSummary) -> String {
    let usage = summary.usage;
    let cached = if usage.cache_read_tokens > 0 {
        format!(" ({} from cache)", words::count(usage.cache_read_tokens))
    } else {
        String::new()
    };
    format!(
        "{} in{cached}, {} out",
        words::count(usage.input_tokens),
        words::count(usage.output_tokens)
    )
}
