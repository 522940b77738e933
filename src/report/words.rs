//! Numbers and outcomes in words.

use std::time::Duration;

use crate::ui::fit;
use crate::util::{text, time};

/// Lines of one text that are shown before the rest is only counted.
const SHOWN_LINES: usize = 40;

/// `1.000`; never `-0.000`.
pub(super) fn reward(reward: f64) -> String {
    let shown = format!("{reward:.3}");
    if shown == "-0.000" {
        "0.000".to_owned()
    } else {
        shown
    }
}

/// `950`, `1.2k`, `3.4M`.
pub(super) fn count(count: u64) -> String {
    let number = count as f64;
    // From where rounding would give `1000.0k`.
    if number >= 999_950.0 {
        format!("{:.1}M", number / 1e6)
    } else if count >= 1_000 {
        format!("{:.1}k", number / 1e3)
    } else {
        count.to_string()
    }
}

/// `1 step`, `3 steps`.
pub(super) fn plural(count: u64, singular: &str) -> String {
    if count == 1 {
        format!("1 {singular}")
    } else {
        format!("{count} {singular}s")
    }
}

/// The key of an outcome as words: `environment error`.
pub(super) fn kind(kind: &str) -> String {
    kind.replace('_', " ")
}

/// `$1.25`, and enough digits of small amounts to tell them from nothing.
pub(super) fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 1.0 {
        format!("${amount:.2}")
    } else {
        format!("${amount:.4}")
    }
}

/// `41ms`, `0.8s`, `3m 05s`: isolated rollouts take milliseconds.
pub(super) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 100 {
        format!("{millis}ms")
    } else {
        time::human(duration)
    }
}

/// A text on one line, in at most `width` columns of a terminal.
pub(super) fn line(text: &str, width: usize) -> String {
    fit(&text::one_line(text, usize::MAX), width)
}

/// An answer in quotes, on one line, in at most `width` columns.
pub(super) fn quoted(answer: &str, width: usize) -> String {
    format!("\"{}\"", line(answer, width.saturating_sub(2)))
}

/// The lines of a text, made safe and each put behind `indent`. Of a very long text the rest is counted.
pub(super) fn indented(message: &str, indent: &str) -> String {
    indented_up_to(message, indent, SHOWN_LINES)
}

/// The first `limit` lines of a text.
pub(super) fn indented_up_to(message: &str, indent: &str, limit: usize) -> String {
    let clean = text::strip_control(message);
    let lines: Vec<&str> = clean.trim_end().lines().collect();
    let mut shown: Vec<String> = lines
        .iter()
        .take(limit)
        .map(|line| format!("{indent}{line}").trim_end().to_owned())
        .collect();
    if lines.len() > limit {
        let more = plural((lines.len() - limit) as u64, "more line");
        shown.push(format!("{indent}… {more}"));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let shown = [0, 999, 1_000, 1_234, 999_949, 999_950, 3_400_000].map(count);
        assert_eq!(
            shown,
            ["0", "999", "1.0k", "1.2k", "999.9k", "1.0M", "3.4M"]
        );
    }

    #[test]
    fn rewards_have_three_decimals_and_zero_has_no_sign() {
        assert_eq!(
            [1.0, -0.25, -0.0001, 2.0 / 3.0].map(reward),
            ["1.000", "-0.250", "0.000", "0.667"]
        );
    }

    #[test]
    fn small_amounts_are_not_nothing() {
        assert_eq!(
            [0.0, 0.0125, 12.5].map(dollars),
            ["$0.00", "$0.0125", "$12.50"]
        );
    }

    #[test]
    fn messages_keep_their_lines_but_not_their_colours() {
        assert_eq!(indented("a\n  b\u{1b}[31m!\n\n", "    "), "    a\n      b!");
        assert_eq!(indented_up_to("1\n2\n3\n4", "", 2), "1\n2\n… 2 more lines");
        assert_eq!(indented_up_to("1\n2\n3", " ", 2), " 1\n 2\n … 1 more line");
    }

    #[test]
    fn short_times_are_not_nothing() {
        let shown = [0, 41, 100, 61_000].map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(shown, ["0ms", "41ms", "0.1s", "1m 01s"]);
    }

    #[test]
    fn answers_are_one_line() {
        assert_eq!(quoted("a\nb", 80), "\"a b\"");
        assert_eq!(quoted("abcdefgh", 7), "\"abcd…\"");
        assert_eq!(quoted("漢字漢字", 7), "\"漢字…\"");
    }
}
