//! When bookings last found no free number, of all groups: read at most once in some seconds for all open Overviews of this
//! process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Admin, group_usage::MAX_SAMPLED_GROUPS};
use crate::model::{StoreError, Timestamp};

/// When bookings last found no free number, by group.
type Times = Arc<HashMap<String, Timestamp>>;

/// The times that this process has read last.
#[derive(Debug, Default)]
pub struct ExhaustedTimes(Mutex<Option<(Instant, Times)>>);

impl ExhaustedTimes {
    /// The times, if they were read less than `max_age` ago.
    fn recent(&self, max_age: Duration) -> Option<Times> {
        let last = self.last();
        let (read_at, times) = last.as_ref()?;
        (read_at.elapsed() < max_age).then(|| Arc::clone(times))
    }

    fn set(&self, read_at: Instant, times: &Times) {
        *self.last() = Some((read_at, Arc::clone(times)));
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, Times)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admin {
    /// When bookings last found no free number in the first [`MAX_SAMPLED_GROUPS`] of these groups, if that was in the last
    /// week. Times that this process read less than `max_age` ago are not read again.
    pub(super) async fn exhausted_times(
        &self,
        names: &[String],
        max_age: Duration,
    ) -> Result<Times, StoreError> {
        let cache = &self.context.exhausted_times;
        if let Some(times) = cache.recent(max_age) {
            return Ok(times);
        }
        let read_at = Instant::now();
        let examined = names.get(..MAX_SAMPLED_GROUPS).unwrap_or(names);
        let keys: Vec<&str> = examined.iter().map(String::as_str).collect();
        let times = self.store.exhausted_at(&keys).await?;
        let times = examined.iter().zip(times);
        let times = times.filter_map(|(name, at)| Some((name.clone(), at?)));
        let times = Arc::new(times.collect());
        cache.set(read_at, &times);
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_returned_until_they_are_too_old() {
        let cache = ExhaustedTimes::default();
        let (hour, minute) = (Duration::from_secs(3_600), Duration::from_secs(60));
        assert_eq!(cache.recent(hour), None);
        let times = HashMap::from([("sales".to_owned(), Timestamp::from_millis(7))]);
        let times = Arc::new(times);
        let read_at = Instant::now().checked_sub(minute).unwrap();
        cache.set(read_at, &times);
        assert_eq!(cache.recent(hour), Some(times));
        assert_eq!(cache.recent(minute), None);
        assert_eq!(cache.recent(Duration::ZERO), None);
    }
}
