//! The states of the numbers of a resource group.

use std::collections::HashMap;

use redis::cmd;

use super::{
    RedisStore,
    admin_queries::{booking_of_entry, index_range},
};
use crate::model::{AccessNumber, BookingId, ListedBooking, NumberState, StoreError, Timestamp};

/// The maximum number of numbers whose states are read by one pipeline.
const MAX_NUMBERS_PER_BATCH: usize = 500;

/// Scores of free numbers below this one are positions of numbers that were never used.
const MIN_USED_SCORE: i64 = 1_000_000_000_000;

impl RedisStore {
    pub(super) async fn read_number_states(
        &self,
        group: &str,
        numbers: &[AccessNumber],
    ) -> Result<Vec<NumberState>, StoreError> {
        let mut states = Vec::with_capacity(numbers.len());
        for batch in numbers.chunks(MAX_NUMBERS_PER_BATCH) {
            states.extend(self.read_state_batch(group, batch).await?);
        }
        Ok(states)
    }

    /// Reads the states of at most [`MAX_NUMBERS_PER_BATCH`] numbers.
    async fn read_state_batch(
        &self,
        group: &str,
        numbers: &[AccessNumber],
    ) -> Result<Vec<NumberState>, StoreError> {
        let [free, _, _, _, index, ..] = self.keys.group(group);
        let latest = numbers.iter().map(|number| {
            let [min, max] = index_range(&number.subscriber);
            let mut find = cmd("ZREVRANGEBYLEX");
            find.arg(&index).arg(max).arg(min);
            let limit = NumberState::MAX_COUNTED;
            find.arg("LIMIT").arg(0).arg(limit).to_owned()
        });
        let scores = numbers
            .iter()
            .map(|number| cmd("ZSCORE").arg(&free).arg(&number.text).to_owned());
        let (latest, scores, quarantined) = tokio::try_join!(
            self.query_each::<Vec<String>>(latest.collect()),
            self.query_each::<Option<String>>(scores.collect()),
            self.read_quarantine_entries(group, numbers),
        )?;
        let first_ids = latest
            .iter()
            .filter_map(|found| booking_of_entry(found.first()?));
        let ids = first_ids.map(|id| (group, id)).collect();
        let mut bookings: HashMap<BookingId, ListedBooking> = HashMap::new();
        for (_, booking) in self.read_bookings(ids).await? {
            bookings.insert(booking.id.clone(), booking);
        }
        let free_numbers = scores.into_iter().zip(quarantined);
        let states = latest
            .iter()
            .zip(free_numbers)
            .map(|(found, (score, entry))| {
                let id = found.first().and_then(|entry| booking_of_entry(entry));
                let booking = id.and_then(|id| bookings.remove(&id));
                let score = score.or_else(|| Some(entry.as_ref()?.score.clone()));
                let released = score.and_then(|score| self.time_of_score(&free, &score));
                let booked = booking.as_ref().and_then(|booking| booking.id.booked_at());
                NumberState {
                    bookings: if booking.is_some() { found.len() } else { 0 },
                    last_used: released.max(booked),
                    booking,
                    quarantine: entry.map(|entry| entry.listed.quarantine),
                }
            });
        Ok(states.collect())
    }

    /// The time of the last release or allocation of a free number.
    fn time_of_score(&self, key: &str, score: &str) -> Option<Timestamp> {
        let millis = score
            .parse()
            .ok()
            .filter(|millis| *millis >= MIN_USED_SCORE)?;
        let time = Timestamp::from_millis(millis);
        self.redis.translate_from_server(key, time).ok()
    }
}
