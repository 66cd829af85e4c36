//! Admin sessions: operators who are signed in to the console.
//!
//! A session lasts from sign-in until sign-out or until the idle timeout. The store treats its value as
//! opaque, and its id does not reveal the cookie in the operator's browser.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::StoreError;
use crate::store::Clock;

/// The store of admin sessions, which all replicas share.
#[async_trait]
pub trait AdminSessionStore: Clock {
    /// Stores `value` as the session `id`, to expire after `ttl`.
    async fn create_session(&self, id: &str, value: &str, ttl: Duration) -> Result<(), StoreError>;

    /// Returns the value of the session and resets its TTL to `ttl`; `None` if there is no such session.
    async fn touch_session(&self, id: &str, ttl: Duration) -> Result<Option<String>, StoreError>;

    /// Returns the value of the session without changing its TTL.
    async fn peek_session(&self, id: &str) -> Result<Option<String>, StoreError>;

    /// Deletes the session, if it exists.
    async fn delete_session(&self, id: &str) -> Result<(), StoreError>;
}
