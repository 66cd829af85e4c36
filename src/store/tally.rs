//! What is counted so that it can be limited.

use std::time::Duration;

/// What a count is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tally {
    /// Creates that a client address, or a network of them, asked for.
    CreatesFrom(String),
    /// Creates of the configured service of this name.
    CreatesOf(String),
    /// Calls to this number for which nothing was found.
    FailedMatches(String),
    /// Attempts of a client address, or a network of them, to sign in that failed.
    FailedSignIns(String),
}

/// A count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many there were since the first one, this one among them whether it was counted or not: more than there
    /// may be, where it was not.
    pub times: u64,
    /// When the count ends, and the next one is the first again.
    pub left: Duration,
}
