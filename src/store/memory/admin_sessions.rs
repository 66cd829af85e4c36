//! Admin sessions in the embedded store.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{model::StoreError, store::AdminSessionStore};

/// Far more than the expected number of operators.
const MAX_SESSIONS: usize = 10_000;

#[async_trait]
impl AdminSessionStore for MemoryStore {
    async fn create_session(&self, id: &str, value: &str, ttl: Duration) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let sessions = &mut state.admin_sessions;
        sessions.retain(|_, (end, _)| *end > now);
        if sessions.len() >= MAX_SESSIONS {
            return Err(StoreError::Full(format!(
                "{MAX_SESSIONS} operators are already signed in"
            )));
        }
        sessions.insert(id.to_owned(), (now.after(ttl), value.to_owned()));
        Ok(())
    }

    async fn touch_session(&self, id: &str, ttl: Duration) -> Result<Option<String>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let found = state.admin_sessions.get_mut(id);
        Ok(found.filter(|(end, _)| *end > now).map(|(end, value)| {
            *end = now.after(ttl);
            value.clone()
        }))
    }

    async fn peek_session(&self, id: &str) -> Result<Option<String>, StoreError> {
        let (state, now) = (self.state(), self.clock.now());
        let found = state.admin_sessions.get(id).filter(|(end, _)| *end > now);
        Ok(found.map(|(_, value)| value.clone()))
    }

    async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        self.state().admin_sessions.remove(id);
        Ok(())
    }
}
