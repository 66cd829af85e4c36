//! The books, looked through.

use std::fmt;

use super::{Moment, ServiceId};

/// A number that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldNumber {
    /// The group.
    pub group: String,
    /// The number.
    pub number: String,
    /// The service it is held for.
    pub service: ServiceId,
    /// When it comes back by itself.
    pub until: Moment,
}

/// What an audit found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Numbers held for living services.
    pub held: Vec<HeldNumber>,
    /// Numbers held for services that are over, or beyond the time they may be held.
    pub held_by_nobody: Vec<HeldNumber>,
    /// Numbers (group, number) that are neither free nor held.
    pub lost: Vec<(String, String)>,
    /// Services that are over and of which something is left: the keys and entries.
    pub left_over: Vec<String>,
}

impl Audit {
    /// What this audit and a later one both found: what was only on its way is gone from the later one.
    #[must_use]
    pub fn confirmed_by(self, mut later: Self) -> Self {
        later
            .held_by_nobody
            .retain(|held| self.held_by_nobody.contains(held));
        later.lost.retain(|lost| self.lost.contains(lost));
        later.left_over.retain(|what| self.left_over.contains(what));
        later
    }

    /// Whether everything is where it belongs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.held_by_nobody.is_empty() && self.lost.is_empty() && self.left_over.is_empty()
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = |what: &str, held: &[HeldNumber]| {
            held.iter().try_for_each(|held| {
                let HeldNumber {
                    group,
                    number,
                    service,
                    until,
                } = held;
                writeln!(f, "{what} {group} {number} by {service} until {until}")
            })
        };
        told("held", &self.held)?;
        told("held by nobody:", &self.held_by_nobody)?;
        for (group, number) in &self.lost {
            writeln!(f, "lost: {group} {number} is neither free nor held")?;
        }
        for what in &self.left_over {
            writeln!(f, "left over: {what}")?;
        }
        write!(
            f,
            "{} held, {} held by nobody, {} lost, {} left over",
            self.held.len(),
            self.held_by_nobody.len(),
            self.lost.len(),
            self.left_over.len()
        )
    }
}
