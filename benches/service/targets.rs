//! Ratios of two figures, and what they should come to.

use crate::table::{Table, verdict};

/// What a ratio should be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// It is told, and nothing is expected of it.
    None,
}

/// Ratios with their targets, as a table.
pub(crate) struct Ratios(Table);

impl Ratios {
    pub(crate) fn new() -> Self {
        Self(Table::new(2, &["compared", "of", "ratio", "target", ""]))
    }

    /// `disturbed`: one of the two figures was measured while something else was busy.
    pub(crate) fn add(
        &mut self,
        compared: &str,
        of: &str,
        ratio: f64,
        target: Target,
        disturbed: bool,
    ) {
        let (target, met) = match target {
            Target::AtLeast(least) => (format!(">= {least}"), Some(ratio >= least)),
            Target::AtMost(most) => (format!("<= {most}"), Some(ratio <= most)),
            Target::None => (String::new(), None),
        };
        let mark = if disturbed { ", disturbed" } else { "" };
        self.0.add(vec![
            compared.to_owned(),
            of.to_owned(),
            format!("{ratio:.2}"),
            target,
            met.map(verdict).unwrap_or_default() + mark,
        ]);
    }

    pub(crate) fn text(&self) -> String {
        self.0.text()
    }
}
