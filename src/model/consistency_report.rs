//! Reports of the consistency check of bookings.

use std::fmt;

use super::{ServiceId, Timestamp};

/// A booked number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedNumber {
    /// The group.
    pub group: String,
    /// The number.
    pub number: String,
    /// The service that it is booked for.
    pub service: ServiceId,
    /// The expiration time of the booking.
    pub until: Timestamp,
}

/// The result of a consistency check.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConsistencyReport {
    /// Numbers booked for active services.
    pub booked: Vec<BookedNumber>,
    /// Numbers booked for services that have ended, or beyond the maximum booking time.
    pub orphaned: Vec<BookedNumber>,
    /// Numbers (group, number) that are neither free nor booked.
    pub lost: Vec<(String, String)>,
    /// Keys and entries of services that have ended.
    pub leftovers: Vec<String>,
}

impl ConsistencyReport {
    /// Returns the problems that both this report and a later one contain; transient ones are not in the
    /// later report.
    #[must_use]
    pub fn confirmed_by(self, mut later: Self) -> Self {
        later
            .orphaned
            .retain(|booked| self.orphaned.contains(booked));
        later.lost.retain(|lost| self.lost.contains(lost));
        later
            .leftovers
            .retain(|leftover| self.leftovers.contains(leftover));
        later
    }

    /// Whether there are no problems.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.orphaned.is_empty() && self.lost.is_empty() && self.leftovers.is_empty()
    }
}

impl fmt::Display for ConsistencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut write_numbers = |label: &str, numbers: &[BookedNumber]| {
            numbers.iter().try_for_each(|booked| {
                let BookedNumber {
                    group,
                    number,
                    service,
                    until,
                } = booked;
                writeln!(f, "{label} {group} {number} for {service} until {until}")
            })
        };
        write_numbers("booked:", &self.booked)?;
        write_numbers("orphaned:", &self.orphaned)?;
        for (group, number) in &self.lost {
            writeln!(f, "lost: {group} {number} is neither free nor booked")?;
        }
        for leftover in &self.leftovers {
            writeln!(f, "leftover: {leftover}")?;
        }
        write!(
            f,
            "{} booked, {} orphaned, {} lost, {} leftover",
            self.booked.len(),
            self.orphaned.len(),
            self.lost.len(),
            self.leftovers.len()
        )
    }
}
