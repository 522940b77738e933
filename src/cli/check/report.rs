//! Checks as text for people and as JSON Lines for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Check, Status};
use crate::ui::{Paint, Tone, pad};
use crate::util::{text, time};

/// A check as one line, with its remarks, what happened, the log and the hints below it.
pub(in crate::cli) fn line(check: &Check, paint: Paint) -> String {
    let (mark, tone) = match check.status {
        Status::Passed => ("ok", Tone::Good),
        Status::Failed => ("FAILED", Tone::Bad),
        Status::Skipped => ("skipped", Tone::Dim),
    };
    let took = match check.status {
        Status::Skipped => String::new(),
        Status::Passed | Status::Failed => time::brief(check.took),
    };
    let detail = clean(&check.detail);
    let mut of_detail = detail.lines();
    let mut out = format!(
        "{} {}  {}  {}  {}",
        check.stage.number(),
        pad(check.stage.as_str(), 10),
        pad(&paint.tone(tone, mark), 7),
        pad(&took, 6),
        of_detail.next().unwrap_or_default()
    )
    .trim_end()
    .to_owned();
    let mut add = |line: &str| {
        out.push('\n');
        out.push_str(format!("    {line}").trim_end());
    };
    for line in of_detail {
        add(line);
    }
    for remark in &check.remarks {
        add(&format!(
            "{} {}",
            paint.tone(Tone::Warning, "note:"),
            clean(remark)
        ));
    }
    if !check.log.is_empty() {
        add("the end of its log:");
        for line in check.log.lines() {
            add(&format!("    {}", clean(line)));
        }
    }
    for hint in &check.hints {
        add(&format!(
            "{} {}",
            paint.tone(Tone::Accent, "hint:"),
            clean(hint)
        ));
    }
    out
}

fn clean(line: &str) -> String {
    text::strip_control(line)
}

/// How many of each.
fn counts(checks: &[Check]) -> [usize; 3] {
    [Status::Passed, Status::Failed, Status::Skipped]
        .map(|status| checks.iter().filter(|check| check.status == status).count())
}

/// `6 passed, 1 skipped in 0.9s`.
pub(in crate::cli) fn summary(checks: &[Check], took: Duration, paint: Paint) -> String {
    let [passed, failed, skipped] = counts(checks);
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(paint.tone(Tone::Bad, &format!("{failed} failed")));
    }
    parts.push(paint.tone(Tone::Good, &format!("{passed} passed")));
    if skipped > 0 {
        parts.push(format!("{skipped} skipped"));
    }
    format!("{} in {}", parts.join(", "), time::brief(took))
}

/// `{"event":"check", …}`.
pub(in crate::cli) fn json_check(check: &Check) -> Value {
    let Check {
        server,
        stage,
        status,
        took,
        detail,
        remarks,
        log,
        hints,
    } = check;
    json!({
        "event": "check",
        "server": server,
        "phase": stage.number(),
        "name": stage.as_str(),
        "status": status.as_str(),
        "ms": took.as_millis() as u64,
        "detail": detail,
        "remarks": remarks,
        "log": log,
        "hints": hints,
    })
}

/// `{"event":"summary", …}`.
pub(in crate::cli) fn json_summary(checks: &[Check], took: Duration) -> Value {
    let [passed, failed, skipped] = counts(checks);
    json!({
        "event": "summary",
        "success": failed == 0,
        "passed": passed,
        "failed": failed,
        "skipped": skipped,
        "ms": took.as_millis() as u64,
    })
}

/// Whether a check failed.
pub(in crate::cli) fn has_failed(checks: &[Check]) -> bool {
    counts(checks)[1] > 0
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Found, Outcome, Stage};
    use super::*;
    use crate::cli::reach::Trouble;

    fn checks() -> Vec<Check> {
        let ms = Duration::from_millis;
        let mut found = Found::new("2 tools, 1 scenario");
        found.remarks.push("without a description: `a`".to_owned());
        vec![
            Check::new(None, Stage::Start, ms(210), Ok(Found::new("imported"))),
            Check::new(None, Stage::List, ms(3), Ok(found)),
            Check::new(
                None,
                Stage::Tool,
                ms(0),
                Err(Outcome::Skipped("no tool only reads".to_owned())),
            ),
            Check::new(
                None,
                Stage::Scenario,
                ms(1500),
                Err(Outcome::Failed(Trouble {
                    message: "grading failed\nValueError: \u{1b}[31mx".to_owned(),
                    log: "  File \"/w/env.py\", line 3, in f\nModuleNotFoundError: No module named 'x'".to_owned(),
                })),
            ),
        ]
    }

    #[test]
    fn people_see_a_line_for_each_and_all_of_a_failure() {
        let checks = checks();
        let mut lines: Vec<String> = checks
            .iter()
            .map(|check| line(check, Paint::PLAIN))
            .collect();
        lines.push(summary(&checks, Duration::from_secs(2), Paint::PLAIN));
        insta::assert_snapshot!(lines.join("\n"), @r#"
        1 start       ok       210 ms  imported
        3 list        ok       3 ms    2 tools, 1 scenario
            note: without a description: `a`
        4 tool        skipped          no tool only reads
        5 scenario    FAILED   1.5s    grading failed
            ValueError: x
            the end of its log:
                  File "/w/env.py", line 3, in f
                ModuleNotFoundError: No module named 'x'
            hint: `x` is missing: install it for the Python that runs the environment (the project's .venv, or the one given with --python)
            hint: the error comes from /w/env.py:3
        1 failed, 2 passed, 1 skipped in 2.0s
        "#);
    }

    #[test]
    fn programs_get_one_object_for_each() {
        let checks = checks();
        assert_eq!(
            json_check(&checks[1]),
            json!({
                "event": "check",
                "server": null,
                "phase": 3,
                "name": "list",
                "status": "passed",
                "ms": 3,
                "detail": "2 tools, 1 scenario",
                "remarks": ["without a description: `a`"],
                "log": "",
                "hints": [],
            })
        );
        assert_eq!(
            json_summary(&checks, Duration::from_secs(2)),
            json!({"event": "summary", "success": false, "passed": 2, "failed": 1, "skipped": 1, "ms": 2000})
        );
        assert!(has_failed(&checks) && !has_failed(&checks[..2]));
    }
}
