//! Tables that fit.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Color};

use super::{Paint, Tone, fit, fit_middle, width_of};

/// Between two columns.
const GAP: usize = 2;

/// A column is not cut below this.
const NARROWEST: usize = 8;

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    title: &'static str,
    is_right: bool,
    is_cut: bool,
    cut: fn(&str, usize) -> String,
}

impl Column {
    /// Text that is cut when the table is too wide.
    pub fn text(title: &'static str) -> Self {
        Self {
            title,
            is_right: false,
            is_cut: true,
            cut: fit,
        }
    }

    /// Text that is cut in its middle.
    pub fn name(title: &'static str) -> Self {
        Self {
            cut: fit_middle,
            ..Self::text(title)
        }
    }

    /// A number: right-aligned, never cut.
    pub fn number(title: &'static str) -> Self {
        Self {
            title,
            is_right: true,
            is_cut: false,
            cut: fit,
        }
    }
}

/// A cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    /// A cell of one line.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tone: None,
        }
    }

    /// The same cell in a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = Some(tone);
        self
    }
}

/// A table without lines, fit for a terminal and for a log.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row: a cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table in at most `width` columns, as far as its text columns can be cut.
    pub fn render(&self, width: usize, paint: Paint) -> String {
        let widths = self.widths(width);
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING);
        if paint.is_on {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(self.columns.iter().map(|column| {
            let cell = comfy_table::Cell::new(column.title);
            styled(cell, Some(Tone::Dim))
        }));
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns).zip(&widths);
            table.add_row(cells.map(|((cell, column), width)| {
                let text = (column.cut)(&cell.text, *width);
                styled(comfy_table::Cell::new(text), cell.tone)
            }));
        }
        let last = self.columns.len().saturating_sub(1);
        for (index, (column, settings)) in table.column_iter_mut().zip(&self.columns).enumerate() {
            // Nothing stands right of the last column, and a gap there would make the lines too wide.
            let gap = if index == last { 0 } else { GAP as u16 };
            column.set_padding((0, gap));
            if settings.is_right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table
            .lines()
            // Where even the narrowest columns are too many, the end of the line goes.
            .map(|line| fit(&without_trailing_blanks(&line), width))
            .collect();
        lines.join("\n")
    }

    /// The widths of the columns: as wide as what they hold, the widest text first cut down until all fit.
    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .map(|column| width_of(column.title))
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(width_of(&cell.text));
            }
        }
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        while excess > 0 {
            let widest = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(width, column)| column.is_cut && **width > NARROWEST)
                .max_by_key(|(width, _)| **width);
            let Some((widest, _)) = widest else { break };
            *widest -= 1;
            excess -= 1;
        }
        widths
    }
}

/// `line` without the blanks at its end, also those before the sequence that ends a colour.
fn without_trailing_blanks(line: &str) -> String {
    let mut rest = line.trim_end();
    let mut sequences = Vec::new();
    while let Some(start) = rest
        .strip_suffix('m')
        .and_then(|_| rest.rfind("\u{1b}["))
        .filter(|start| {
            let numbers = &rest[start + 2..rest.len() - 1];
            numbers
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b';')
        })
    {
        sequences.push(&rest[start..]);
        rest = rest[..start].trim_end();
    }
    sequences.push(rest);
    sequences.reverse();
    sequences.concat()
}

fn styled(cell: comfy_table::Cell, tone: Option<Tone>) -> comfy_table::Cell {
    match tone {
        None => cell,
        Some(Tone::Good) => cell.fg(Color::DarkGreen),
        Some(Tone::Bad) => cell.fg(Color::DarkRed),
        Some(Tone::Warning) => cell.fg(Color::DarkYellow),
        Some(Tone::Accent) => cell.fg(Color::DarkCyan),
        Some(Tone::Dim) => cell.add_attribute(comfy_table::Attribute::Dim),
        Some(Tone::Strong) => cell.add_attribute(comfy_table::Attribute::Bold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(task: &str, answer: &str) -> Table {
        let mut table = Table::new(vec![
            Column::text("task"),
            Column::number("reward"),
            Column::text("answer"),
        ]);
        table.row(vec![
            Cell::new("a"),
            Cell::new("1.000").tone(Tone::Good),
            Cell::new("JR"),
        ]);
        table.row(vec![
            Cell::new(task),
            Cell::new("-0.250"),
            Cell::new(answer),
        ]);
        table
    }

    #[test]
    fn columns_align_and_lines_end_without_spaces() {
        insta::assert_snapshot!(table("longer-name", "").render(80, Paint::PLAIN), @r"
        task         reward  answer
        a             1.000  JR
        longer-name  -0.250
        ");
    }

    #[test]
    fn the_widest_text_is_cut_first() {
        let shown =
            table("a-rather-long-name-of-a-task", &"word ".repeat(30)).render(60, Paint::PLAIN);
        insta::assert_snapshot!(shown, @r"
        task                       reward  answer
        a                           1.000  JR
        a-rather-long-name-of-a-…  -0.250  word word word word word…
        ");
        assert!(shown.lines().all(|line| width_of(line) <= 60), "{shown}");
    }

    #[test]
    fn wide_characters_fit_too() {
        let shown = table("日本語", &"日本語".repeat(30)).render(40, Paint::PLAIN);
        assert!(shown.lines().all(|line| width_of(line) <= 40), "{shown}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_or_ends_in_blanks() {
        for (width, is_on) in [(80, true), (80, false), (40, true), (18, true), (18, false)] {
            let mut table = table("漢字-name", &"word ".repeat(30));
            table.row(vec![
                Cell::new("x"),
                Cell::new("–"),
                Cell::new("agent error: refused").tone(Tone::Bad),
            ]);
            let shown = table.render(width, Paint { is_on });
            for line in shown.lines() {
                assert!(width_of(line) <= width, "{width}: {line:?}");
                let plain = console::strip_ansi_codes(line);
                assert_eq!(plain, plain.trim_end(), "{width} {is_on}");
            }
        }
    }

    #[test]
    fn colours_do_not_move_columns() {
        let shown = table("longer-name", "x").render(80, Paint { is_on: true });
        assert!(shown.contains("\u{1b}["), "{shown}");
        assert_eq!(
            console::strip_ansi_codes(&shown)
                .lines()
                .map(str::trim_end)
                .collect::<Vec<_>>(),
            table("longer-name", "x")
                .render(80, Paint::PLAIN)
                .lines()
                .collect::<Vec<_>>()
        );
    }
}
