//! The one place that replaces what differs from run to run in a program's output.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// What is replaced, in this order, and by what.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[ID]",
        ),
        // A job's id starts with its date and time.
        (r"\b\d{8}-?T?\d{6}Z?(?:-[0-9a-z]+)*\b", "[ID]"),
        (r"\b[0-9a-f]{32}\b", "[ID]"),
        (
            r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?",
            "[DATE]",
        ),
        (r"\b\d\d:\d\d:\d\d\b", "[CLOCK]"),
        (r"\b(127\.0\.0\.1|localhost|\[::1\]):\d+", "${1}:[PORT]"),
        (r"\bport \d+", "port [PORT]"),
        (
            r"\b(?:\d+h )?(?:\d+m ?)?\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s)\b",
            "[TIME]",
        ),
        (r"\bpid \d+", "pid [PID]"),
        // Said only when the machine is so busy that starting takes seconds.
        (r"(?m)^starting (?:the environment|\d+ environments)…\n", ""),
    ]
    .into_iter()
    .map(|(pattern, by)| (Regex::new(pattern).unwrap(), by))
    .collect()
});

/// `text` with the test's folders, ids, dates, durations, ports and process ids replaced by their names in brackets. `folders`
/// are pairs of a path and its name, inner ones first.
pub(super) fn redact(text: &str, folders: &[(&Path, &str)]) -> String {
    let mut text = text.to_owned();
    for (path, name) in folders {
        text = text.replace(&*path.to_string_lossy(), name);
    }
    for (pattern, by) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *by).into_owned();
    }
    text
}

mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(
            redact(
                text,
                &[
                    (Path::new("/tmp/x/home"), "[HOME]"),
                    (Path::new("/tmp/x"), "[DIR]")
                ]
            ),
            expected
        );
    }

    #[test]
    fn replaces_what_differs_and_nothing_else() {
        check(
            "wrote /tmp/x/a.txt and /tmp/x/home/.hud",
            "wrote [DIR]/a.txt and [HOME]/.hud",
        );
        check("http://127.0.0.1:43211/v1", "http://127.0.0.1:[PORT]/v1");
        check(
            "took 1.25s, 12 ms, 1m 2s, 300µs",
            "took [TIME], [TIME], [TIME], [TIME]",
        );
        check(
            "3 steps, 8 tasks, reward 1.0",
            "3 steps, 8 tasks, reward 1.0",
        );
        check(".hud/runs/20261120-102633-ab12/", ".hud/runs/[ID]/");
        check("trace 0b0e4b2a-6f6f-4e0e-9d3a-1c1f6f0a2b3c", "trace [ID]");
        check("at 2026-11-20T10:26:33.123Z", "at [DATE]");
        check("pid 4123 on port 80", "pid [PID] on port [PORT]");
        check("starting the environment…\nerror: x\n", "error: x\n");
    }
}
