//! Ratios of two figures, and their targets.

use crate::table::{Table, verdict};

/// The target of a ratio.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// No target; the ratio is only reported.
    None,
}

/// Ratios with their targets, as a table.
pub(crate) struct Ratios(Table);

impl Ratios {
    pub(crate) fn new() -> Self {
        Self(Table::new(
            2,
            &["compared", "metric", "ratio", "target", ""],
        ))
    }

    /// `disturbed`: other processes were busy during one of the two measurements.
    pub(crate) fn add(
        &mut self,
        compared: &str,
        metric: &str,
        ratio: f64,
        target: Target,
        disturbed: bool,
    ) {
        let (target, met) = match target {
            Target::AtLeast(min) => (format!(">= {min:.2}"), Some(ratio >= min)),
            Target::AtMost(max) => (format!("<= {max:.2}"), Some(ratio <= max)),
            Target::None => (String::new(), None),
        };
        let mark = if disturbed { ", disturbed" } else { "" };
        self.0.add(vec![
            compared.to_owned(),
            metric.to_owned(),
            format!("{ratio:.2}"),
            target,
            met.map(verdict).unwrap_or_default() + mark,
        ]);
    }

    pub(crate) fn text(&self) -> String {
        self.0.text()
    }
}
