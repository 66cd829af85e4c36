//! The books, looked through.

use std::fmt;

use super::{ServiceId, Timestamp};

/// A number that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedNumber {
    /// The group.
    pub group: String,
    /// The number.
    pub number: String,
    /// The service it is held for.
    pub service: ServiceId,
    /// When it comes back by itself.
    pub until: Timestamp,
}

/// What an audit found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConsistencyReport {
    /// Numbers held for living services.
    pub booked: Vec<BookedNumber>,
    /// Numbers held for services that are over, or beyond the time they may be held.
    pub orphaned: Vec<BookedNumber>,
    /// Numbers (group, number) that are neither free nor held.
    pub lost: Vec<(String, String)>,
    /// Services that are over and of which something is left: the keys and entries.
    pub leftovers: Vec<String>,
}

impl ConsistencyReport {
    /// What this audit and a later one both found: what was only on its way is gone from the later one.
    #[must_use]
    pub fn confirmed_by(self, mut later: Self) -> Self {
        later.orphaned.retain(|held| self.orphaned.contains(held));
        later.lost.retain(|lost| self.lost.contains(lost));
        later.leftovers.retain(|what| self.leftovers.contains(what));
        later
    }

    /// Whether everything is where it belongs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.orphaned.is_empty() && self.lost.is_empty() && self.leftovers.is_empty()
    }
}

impl fmt::Display for ConsistencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = |what: &str, held: &[BookedNumber]| {
            held.iter().try_for_each(|held| {
                let BookedNumber {
                    group,
                    number,
                    service,
                    until,
                } = held;
                writeln!(f, "{what} {group} {number} by {service} until {until}")
            })
        };
        told("held", &self.booked)?;
        told("held by nobody:", &self.orphaned)?;
        for (group, number) in &self.lost {
            writeln!(f, "lost: {group} {number} is neither free nor held")?;
        }
        for what in &self.leftovers {
            writeln!(f, "left over: {what}")?;
        }
        write!(
            f,
            "{} held, {} held by nobody, {} lost, {} left over",
            self.booked.len(),
            self.orphaned.len(),
            self.lost.len(),
            self.leftovers.len()
        )
    }
}
