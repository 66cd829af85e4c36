//! What can go wrong in a store, split by what a caller can do about it.

use thiserror::Error;

use crate::model::readiness::{Finding, Reason};

/// A store that could not do its work. The texts are for the log, never for a client.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It was not reached, or refuses to work for now: try again later. Nothing was changed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// As many requests wait for it as may (how many): try again later. Nothing was changed.
    #[error("{0} requests wait for the store already")]
    Busy(usize),
    /// It was reached but did not answer: try again later. A change may have been made or not.
    #[error("the store did not answer, the outcome is unknown: {0}")]
    Unknown(String),
    /// It has no room. Nothing was changed.
    #[error("the store is full: {0}")]
    Full(String),
    /// Others changed the same thing again and again: try again. Nothing was changed.
    #[error("the store was changed by others meanwhile: {0}")]
    Conflict(String),
    /// It holds something that this program did not write.
    #[error("the store holds what cannot be understood: {0}")]
    Corrupt(String),
    /// It does not permit a command, key or channel that this program needs: an operator has to grant
    /// it. Nothing was changed by the command that was denied.
    #[error("the store denies what this service needs: {0}")]
    Denied(String),
    /// It refused what this program asked: a fault of ours.
    #[error("the store refused a request: {0}")]
    Bug(String),
}

impl StoreError {
    /// The error as a reason not to be ready.
    #[must_use]
    pub fn to_finding(&self) -> Finding {
        let reason = match self {
            Self::Full(_) => Reason::StoreFull,
            Self::Denied(_) => Reason::MissingRights,
            _ => Reason::StoreUnreachable,
        };
        Finding::new(reason, self.to_string())
    }

    /// Whether it does not answer, whatever it is asked.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Busy(_) | Self::Unknown(_)
        )
    }

    /// What kind of error it is, in one word.
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
