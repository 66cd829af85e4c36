//! What is counted so that it can be limited.

use std::time::Duration;

/// What a count is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// Creates that a client address, or a network of them, asked for.
    CreatesByAddress(String),
    /// Creates of the configured service of this name.
    CreatesByService(String),
    /// Calls to this number for which nothing was found.
    FailedMatches(String),
    /// Attempts of a client address, or a network of them, to sign in that failed.
    FailedSignIns(String),
}

/// A count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitState {
    /// How many there were since the first one, this one among them whether it was counted or not: more than there
    /// may be, where it was not.
    pub count: u64,
    /// When the count ends, and the next one is the first again.
    pub resets_in: Duration,
}
