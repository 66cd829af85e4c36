//! Operators who are signed in, in the embedded store.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{Moment, StoreError, Visits};

/// More than there are operators.
const MOST: usize = 10_000;

/// What is told of each visit, and when it ends.
pub(super) type Open = HashMap<String, (Moment, String)>;

#[async_trait]
impl Visits for MemoryStore {
    async fn begin_visit(&self, name: &str, told: &str, life: Duration) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let visits = &mut state.visits;
        visits.retain(|_, (end, _)| *end > now);
        if visits.len() >= MOST {
            return Err(StoreError::Full(format!("{MOST} operators are signed in")));
        }
        visits.insert(name.to_owned(), (now.after(life), told.to_owned()));
        Ok(())
    }

    async fn visit(&self, name: &str, life: Duration) -> Result<Option<String>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let found = state.visits.get_mut(name);
        Ok(found.filter(|(end, _)| *end > now).map(|(end, told)| {
            *end = now.after(life);
            told.clone()
        }))
    }

    async fn look_at_visit(&self, name: &str) -> Result<Option<String>, StoreError> {
        let (state, now) = (self.state(), self.clock.now());
        let found = state.visits.get(name).filter(|(end, _)| *end > now);
        Ok(found.map(|(_, told)| told.clone()))
    }

    async fn end_visit(&self, name: &str) -> Result<(), StoreError> {
        self.state().visits.remove(name);
        Ok(())
    }
}
