//! The release of bookings.

use redis::{Cmd, Value};

use crate::{
    model::{BookingId, StoreError},
    store::{
        redis::{
            RedisStore,
            connection::parse_reply,
            scripts::{RELEASE, evalsha},
        },
        webhook_hub::Outbox,
    },
};

/// The maximum number of expired bookings released at once.
pub(in crate::store::redis) const EXPIRED_BATCH: usize = 200;

/// Why bookings are released.
#[derive(Clone, Copy)]
pub(in crate::store::redis) enum ReleaseReason {
    /// A call was matched.
    Matched,
    /// The service has ended, or was not created.
    Released,
}

impl ReleaseReason {
    /// The letter in `scripts/booking_events.lua`.
    fn letter(self) -> &'static str {
        match self {
            Self::Matched => "m",
            Self::Released => "r",
        }
    }
}

impl RedisStore {
    /// The command that releases these bookings of a group. Its reply is that of [`RedisStore::released`].
    pub(in crate::store::redis) fn release_command(
        &self,
        group: &str,
        bookings: &[&BookingId],
        reason: ReleaseReason,
    ) -> Cmd {
        let mut release = evalsha(&RELEASE, &self.keys.group(group));
        release.arg(0).arg(reason.letter());
        for booking in bookings {
            release.arg(booking.as_str());
        }
        release
    }

    /// Parses the reply of a release: the number of released bookings. If it has written events, their relay is queued.
    pub(in crate::store::redis) fn released(
        &self,
        group: &str,
        reply: Value,
    ) -> Result<usize, StoreError> {
        let (released, events): (usize, usize) = parse_reply(reply)?;
        if events > 0 {
            self.webhooks.relay(Outbox::Group(group.to_owned()));
        }
        Ok(released)
    }

    /// Releases at most `limit` expired bookings of a group and returns their number.
    pub(in crate::store::redis) async fn reclaim(
        &self,
        group: &str,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut release = evalsha(&RELEASE, &self.keys.group(group));
        release.arg(limit).arg(ReleaseReason::Released.letter());
        let reply = self.redis.query(&release).await?;
        self.released(group, reply)
    }
}
