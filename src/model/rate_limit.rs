//! Rate limit counters.

use std::time::Duration;

/// The subject of a rate limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// Creates by a client address or network.
    CreatesByAddress(String),
    /// Creates of a configured service.
    CreatesByService(String),
    /// Messages of the client of the chat of a service.
    ChatMessages(String),
    /// Calls to this number that matched no booking.
    FailedMatches(String),
    /// Failed sign-ins by a client address or network.
    FailedSignIns(String),
    /// Completions of a sign-in by single sign-on, of which there can be one.
    SingleSignOn(String),
}

/// The state of a counter after an operation, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitState {
    /// The count in the current window including this operation, even if it was rejected: then the count
    /// exceeds the limit. Of a read: 0 if there is no window.
    pub count: u64,
    /// The time until the counter expires. Of a read: zero if there is no window.
    pub resets_in: Duration,
}
