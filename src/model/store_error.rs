//! Errors of a store, by the action that a caller can take.

use thiserror::Error;

use crate::model::readiness::{Finding, Reason};

/// An error of the store. The texts are for the log, never for clients.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The store is unreachable, or does not accept commands for now: retry later. Nothing changed.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The maximum number of requests already waits for the store: retry later. Nothing changed.
    #[error("{0} requests are already waiting for the store")]
    Busy(usize),
    /// The store did not respond: retry later. The change may or may not have been made.
    #[error("store did not respond: {0}")]
    Unknown(String),
    /// The store has no space left. Nothing changed.
    #[error("store full: {0}")]
    Full(String),
    /// Concurrent changes prevented this one repeatedly: retry. Nothing changed.
    #[error("concurrent modification: {0}")]
    Conflict(String),
    /// The store contains data that this program did not write.
    #[error("invalid data in the store: {0}")]
    Corrupt(String),
    /// The store does not permit a command, key or channel that this program needs: an operator must
    /// grant it. The denied command changed nothing.
    #[error("permission denied by the store: {0}")]
    Denied(String),
    /// The store rejected a command of this program, which is a bug.
    #[error("store rejected a command: {0}")]
    Bug(String),
}

impl StoreError {
    /// Converts the error to a readiness finding.
    #[must_use]
    pub fn to_finding(&self) -> Finding {
        let reason = match self {
            Self::Busy(_) => Reason::Overloaded,
            Self::Full(_) => Reason::StoreFull,
            Self::Denied(_) => Reason::MissingRights,
            _ => Reason::StoreUnreachable,
        };
        Finding::new(reason, self.to_string())
    }

    /// Whether the store does not respond, independent of the command.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Busy(_) | Self::Unknown(_)
        )
    }

    /// The kind of the error in one word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Busy(_) => "busy",
            Self::Unknown(_) => "unknown",
            Self::Full(_) => "full",
            Self::Conflict(_) => "conflict",
            Self::Corrupt(_) => "corrupt",
            Self::Denied(_) => "denied",
            Self::Bug(_) => "bug",
        }
    }
}
