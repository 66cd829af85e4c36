//! Counts: numbers that end by themselves.

use std::time::Duration;

use super::{
    RedisStore, millis,
    scripts::{COUNT, UNCOUNT, call},
};
use crate::store::{Counted, StoreError, Tally};

impl RedisStore {
    pub(super) async fn count_one(
        &self,
        tally: &Tally,
        most: u64,
        window: Duration,
    ) -> Result<Counted, StoreError> {
        let mut count = call(&COUNT, &[self.keys.tally(tally)]);
        count.arg(millis(window)).arg(most);
        let (times, left): (u64, u64) = self.redis.query(&count).await?;
        Ok(Counted {
            times,
            left: Duration::from_millis(left),
        })
    }

    pub(super) async fn take_one_back(&self, tally: &Tally) -> Result<(), StoreError> {
        let uncount = call(&UNCOUNT, &[self.keys.tally(tally)]);
        self.redis.query(&uncount).await
    }
}
