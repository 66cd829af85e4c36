//! Access numbers: resource groups and bookings.
//!
//! A group is in one slot and a service in another, so a booking is made in this order: first the
//! booking is recorded in `own:{id}` and the id in the cleanup index, then the number is booked, then
//! the service is created. If the process crashes at any point, the cleanup releases everything recorded
//! before.

use async_trait::async_trait;

use self::matching::BookingMatch;
pub(super) use self::{
    format::strategy_name,
    register::PENDING_CREATE_TTL,
    release::{EXPIRED_BATCH, ReleaseReason},
};
use super::{
    RedisStore, keys,
    script_reply::reply_array,
    scripts::{EXTEND_BOOKINGS, UNREGISTER_PENDING, evalsha},
};
use crate::{
    model::{
        BookResult, Booking, BookingId, BookingOwner, BookingRequest, Call, Group, MatchResult,
        ServiceId, StoreError, Timestamp,
    },
    store::{BookingStore, ServiceStore},
};

mod book;
mod format;
mod matching;
mod register;
mod release;

#[async_trait]
impl BookingStore for RedisStore {
    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        self.book(owner, group, request).await
    }

    async fn release_pending_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError> {
        let keys = [self.keys.service(id), self.keys.owned(id)];
        let mut unregister = evalsha(&UNREGISTER_PENDING, &keys);
        unregister.arg(keys::owned_booking_field(&booking.group, &booking.id));
        if self.redis.query(&unregister).await? {
            let reason = ReleaseReason::Released;
            let release = self.release_command(&booking.group, &[&booking.id], reason);
            let reply = self.redis.query(&release).await?;
            self.released(&booking.group, reply)?;
        }
        Ok(())
    }

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<bool, StoreError> {
        let reason = ReleaseReason::Released;
        let release = self.release_command(&booking.group, &[&booking.id], reason);
        let unregister = self.unregister_command(id, &booking.group, &booking.id);
        let both = vec![release, unregister];
        let [reply, _unregistered] = reply_array(self.redis.pipeline_ordered(both).await?)?;
        Ok(self.released(&booking.group, reply)? == 1)
    }

    /// Releases the newest booking that matches a call and whose service is active. Bookings without an
    /// active service are skipped: the service may be about to be created; if it has ended, the cleanup
    /// releases the booking.
    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
        let (mut before, mut has_expired) = (None, false);
        loop {
            let newest = self.newest_match(groups, call, before.as_ref(), &mut has_expired);
            let (booking, group, id) = match newest.await? {
                BookingMatch::Booking(booking, group, id) => (booking, group, id),
                BookingMatch::NoMatch => return Ok(MatchResult::NoMatch { has_expired }),
                BookingMatch::OtherRegions(regions) => {
                    return Ok(MatchResult::OtherRegions {
                        regions,
                        has_expired,
                    });
                }
            };
            if self.definition(&id).await?.is_none() {
                before = Some(booking);
                continue;
            }
            let release = self.release_command(group, &[&booking], ReleaseReason::Matched);
            let unregister = self.unregister_command(&id, group, &booking);
            let [reply, _unregistered] = reply_array(
                self.redis
                    .pipeline_ordered(vec![release, unregister])
                    .await?,
            )?;
            if self.released(group, reply)? == 1 {
                return Ok(MatchResult::Matched(id));
            }
            // Another call matched the booking first.
        }
    }
}

impl RedisStore {
    /// Updates the expiration of these bookings to that of their service.
    pub(super) async fn extend_bookings(
        &self,
        bookings: &[(String, BookingId)],
        end: Timestamp,
    ) -> Result<(), StoreError> {
        let now = self.redis.now()?;
        let commands = bookings.iter().map(|(group, booking)| {
            let mut command = evalsha(&EXTEND_BOOKINGS, &self.keys.group(group));
            command
                .arg(now.millis())
                .arg(end.millis())
                .arg(booking.as_str());
            command
        });
        self.redis.pipeline_unordered(commands.collect()).await?;
        Ok(())
    }
}
