//! Colours by meaning, and widths as a terminal counts them.

use console::Style;

/// What a colour says. Everything must be readable without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Good,
    /// It failed.
    Bad,
    /// It is not as asked for.
    Warning,
    /// Less important.
    Dim,
    /// More important.
    Strong,
    /// A name, a hint.
    Accent,
}

/// Colours text, or leaves it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    pub(super) is_on: bool,
}

impl Paint {
    /// Leaves everything alone.
    pub const PLAIN: Self = Self { is_on: false };

    /// `text` in a tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        if !self.is_on || text.is_empty() {
            return text.to_owned();
        }
        let style = Style::new().force_styling(true);
        let style = match tone {
            Tone::Good => style.green(),
            Tone::Bad => style.red(),
            Tone::Warning => style.yellow(),
            Tone::Dim => style.dim(),
            Tone::Strong => style.bold(),
            Tone::Accent => style.cyan(),
        };
        style.apply_to(text).to_string()
    }
}

/// The columns that `text` takes on a terminal: two for a wide character, none for a colour.
pub fn width_of(text: &str) -> usize {
    console::measure_text_width(text)
}

/// `text` in at most `width` columns, cut with `…`.
pub fn fit(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

/// `text` in at most `width` columns, `…` in the place of its middle: names of one kind often differ only at their end.
pub fn fit_middle(text: &str, width: usize) -> String {
    if width_of(text) <= width || width < 3 {
        return fit(text, width);
    }
    let end_width = (width - 1) / 2;
    let mut end = String::new();
    for c in text.chars().rev() {
        let longer = format!("{c}{end}");
        if width_of(&longer) > end_width {
            break;
        }
        end = longer;
    }
    let begin = console::truncate_str(text, width - 1 - width_of(&end), "");
    format!("{begin}…{end}")
}

/// `text` with blanks behind it, so that it takes at least `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(width_of(text));
    format!("{text}{}", " ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_off_or_on() {
        assert_eq!(Paint::PLAIN.tone(Tone::Good, "x"), "x");
        assert_eq!(
            Paint { is_on: true }.tone(Tone::Good, "x"),
            "\u{1b}[32mx\u{1b}[0m"
        );
        assert_eq!(Paint { is_on: true }.tone(Tone::Good, ""), "");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width_of("日本"), 4);
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit_middle("abcdefghij", 7), "abc…hij");
        assert_eq!(fit_middle("abcdefghij", 10), "abcdefghij");
        assert_eq!(fit_middle("日本語日本語", 8), "日本…語");
        assert_eq!(pad("日本", 6), "日本  ");
    }
}
