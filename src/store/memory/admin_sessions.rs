//! Operators who are signed in, in the embedded store.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{AdminSessions, StoreError, Timestamp};

/// More than there are operators.
const MAX_SESSIONS: usize = 10_000;

/// What is told of each visit, and when it ends.
pub(super) type SessionTable = HashMap<String, (Timestamp, String)>;

#[async_trait]
impl AdminSessions for MemoryStore {
    async fn create_session(
        &self,
        name: &str,
        told: &str,
        life: Duration,
    ) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let visits = &mut state.admin_sessions;
        visits.retain(|_, (end, _)| *end > now);
        if visits.len() >= MAX_SESSIONS {
            return Err(StoreError::Full(format!(
                "{MAX_SESSIONS} operators are signed in"
            )));
        }
        visits.insert(name.to_owned(), (now.after(life), told.to_owned()));
        Ok(())
    }

    async fn touch_session(
        &self,
        name: &str,
        life: Duration,
    ) -> Result<Option<String>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let found = state.admin_sessions.get_mut(name);
        Ok(found.filter(|(end, _)| *end > now).map(|(end, told)| {
            *end = now.after(life);
            told.clone()
        }))
    }

    async fn peek_session(&self, name: &str) -> Result<Option<String>, StoreError> {
        let (state, now) = (self.state(), self.clock.now());
        let found = state.admin_sessions.get(name).filter(|(end, _)| *end > now);
        Ok(found.map(|(_, told)| told.clone()))
    }

    async fn delete_session(&self, name: &str) -> Result<(), StoreError> {
        self.state().admin_sessions.remove(name);
        Ok(())
    }
}
