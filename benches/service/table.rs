//! Tables in plain text.

use std::iter;

/// Rows below a head. The first columns contain words and are aligned left; all others are aligned
/// right, like numbers.
pub(crate) struct Table {
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(words: usize, head: &[&str]) -> Self {
        let head = head.iter().map(|&word| word.to_owned()).collect();
        Self {
            words,
            rows: vec![head],
        }
    }

    pub(crate) fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let lines = self.rows.iter().map(|row| self.line(row, &widths));
        iter::once(String::new())
            .chain(lines)
            .collect::<Vec<String>>()
            .join("\n")
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(String::len).max().unwrap_or_default()
        };
        (0..columns).map(width).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| {
            if column < self.words {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        format!("  {}", line.trim_end())
    }
}

/// The verdict on a target.
pub(crate) fn verdict(met: bool) -> String {
    let verdict = if met { "met" } else { "not met" };
    verdict.to_owned()
}
