//! When bookings last found no free number, of all groups: read at most once in some seconds for all open Overviews of this
//! process.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{Admin, group_usage::MAX_SAMPLED_GROUPS};
use crate::model::{StoreError, Timestamp};

/// When bookings last found no free number, by group.
type Times = Arc<HashMap<String, Timestamp>>;

/// The times that this process has read last, and when that began. The lock is held during a read, so that there is one at
/// a time.
#[derive(Debug, Default)]
pub struct ExhaustedTimes(Mutex<Option<(Instant, Times)>>);

impl Admin {
    /// When bookings last found no free number in the first [`MAX_SAMPLED_GROUPS`] of these groups, if that was in the last
    /// week. The times are at most `max_age` older than this call.
    pub(super) async fn exhausted_times(
        &self,
        names: &[String],
        max_age: Duration,
    ) -> Result<Times, StoreError> {
        let oldest = Instant::now().checked_sub(max_age);
        let mut last = self.context.exhausted_times.0.lock().await;
        if let Some((read_at, times)) = &*last
            && oldest.is_none_or(|oldest| *read_at >= oldest)
        {
            return Ok(Arc::clone(times));
        }
        let read_at = Instant::now();
        let examined = names.get(..MAX_SAMPLED_GROUPS).unwrap_or(names);
        let keys: Vec<&str> = examined.iter().map(String::as_str).collect();
        let times = self.store.exhausted_at(&keys).await?;
        let times = examined.iter().zip(times);
        let times = times.filter_map(|(name, at)| Some((name.clone(), at?)));
        let times = Arc::new(times.collect());
        *last = Some((read_at, Arc::clone(&times)));
        Ok(times)
    }
}
