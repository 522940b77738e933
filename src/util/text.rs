//! Text from a model, a tool or a file, made safe and short for a terminal.

/// Removes terminal control sequences, other control characters and changes of direction, keeping newlines and tabs.
pub fn strip_control(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\u{1b}' => match chars.next() {
                // CSI: parameters, then a final byte in @..~.
                Some('[') => {
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
                // OSC, DCS, APC, PM, SOS: up to BEL or ST.
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' {
                            chars.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                _ => {}
            },
            c if c.is_control() || changes_direction(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Characters that turn the direction of what follows: with them a text can look like another one.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` on one line, at most `width` characters, cut with `…`.
pub fn one_line(text: &str, width: usize) -> String {
    let clean = strip_control(text);
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    truncate(&line, width)
}

/// At most `width` characters, cut with `…`.
pub fn truncate(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A number of bytes for people: `512 B`, `3.4 KB`, `1.2 GB`.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for next in ["KB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" {
        format!("{count} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// `no tools`, `1 tool`, `3 tools`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_do_not_survive() {
        assert_eq!(strip_control("a\u{1b}[31mred\u{1b}[0m b"), "ared b");
        assert_eq!(strip_control("x\u{1b}]0;title\u{7}y"), "xy");
        assert_eq!(strip_control("x\u{1b}]8;;http://e\u{1b}\\link"), "xlink");
        assert_eq!(strip_control("a\rb\u{8}c\n"), "abc\n");
        assert_eq!(strip_control("a\u{202e}b\u{2066}c\u{2069}d"), "abcd");
        assert_eq!(strip_control("עברית"), "עברית");
    }

    #[test]
    fn things_are_counted() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "tool")),
            ["no tools", "1 tool", "2 tools"]
        );
    }

    #[test]
    fn one_line_is_short() {
        assert_eq!(one_line("a\n b\tc", 10), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
