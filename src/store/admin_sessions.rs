//! Operators who are signed in.
//!
//! A *visit* lasts from the time somebody signs in until they sign out or do nothing for long enough. A
//! store keeps of it what it is told, under a name that tells nothing of what the operator's browser shows.

use std::time::Duration;

use async_trait::async_trait;

use super::{Clock, StoreError};

/// What a store keeps of those who are signed in; any replica knows of all.
#[async_trait]
pub trait AdminSessions: Clock {
    /// Keeps `told` of the visit `name` for as long as `life`.
    async fn create_session(
        &self,
        name: &str,
        told: &str,
        life: Duration,
    ) -> Result<(), StoreError>;

    /// What is told of the visit, which is kept for `life` from now on; `None` where there is none.
    async fn touch_session(&self, name: &str, life: Duration)
    -> Result<Option<String>, StoreError>;

    /// The same, which is kept for no longer than before.
    async fn peek_session(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Ends the visit, if it has not ended yet.
    async fn delete_session(&self, name: &str) -> Result<(), StoreError>;
}
