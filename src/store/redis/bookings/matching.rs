//! The search for the newest booking that matches a call.

use crate::{
    model::{BookingId, Call, ServiceId, StoreError},
    store::redis::{
        RedisStore,
        script_reply::ScriptReply,
        scripts::{MATCH_BOOKING, evalsha},
    },
};

/// The result of searching the bookings for a call.
pub(super) enum BookingMatch<'a> {
    /// The newest matching booking, its group and its service.
    Booking(BookingId, &'a String, ServiceId),
    NoMatch,
    /// The call must also be parsed with these regions.
    OtherRegions(Vec<String>),
}

impl RedisStore {
    /// Returns the newest booking in any of these groups that matches a call and is older than `before`. Sets
    /// `has_expired` if a booking fit except that it had expired; it was released.
    pub(super) async fn newest_match<'a>(
        &self,
        groups: &'a [String],
        call: &Call,
        before: Option<&BookingId>,
        has_expired: &mut bool,
    ) -> Result<BookingMatch<'a>, StoreError> {
        let mut newest = BookingMatch::NoMatch;
        for group in groups {
            let found = self.match_in_group(group, call, before, has_expired);
            let found = found.await?;
            match (&found, &newest) {
                (BookingMatch::OtherRegions(_), _) => return Ok(found),
                (BookingMatch::Booking(booking, ..), BookingMatch::Booking(other, ..))
                    if booking <= other => {}
                (BookingMatch::Booking(..), _) => newest = found,
                (BookingMatch::NoMatch, _) => {}
            }
        }
        Ok(newest)
    }

    async fn match_in_group<'a>(
        &self,
        group: &'a String,
        call: &Call,
        before: Option<&BookingId>,
        has_expired: &mut bool,
    ) -> Result<BookingMatch<'a>, StoreError> {
        loop {
            let mut search = evalsha(&MATCH_BOOKING, &self.keys.group(group));
            search.arg(call.code.as_deref().unwrap_or_default());
            search.arg(before.map_or("", BookingId::as_str));
            for list in [&call.regions, &call.dialed, &call.callers] {
                search.arg(list.len()).arg(list);
            }
            match self.redis.query(&search).await? {
                ScriptReply::Done(found) => {
                    let [booking, service] = <[String; 2]>::try_from(found)
                        .map_err(|found| StoreError::Corrupt(format!("booking: {found:?}")))?;
                    return Ok(BookingMatch::Booking(booking.into(), group, service.into()));
                }
                ScriptReply::Refused(expired) => {
                    *has_expired |= expired.first().is_some_and(|count| count != "0");
                    return Ok(BookingMatch::NoMatch);
                }
                ScriptReply::Retry(regions) if regions.is_empty() => *has_expired = true,
                ScriptReply::Retry(regions) => return Ok(BookingMatch::OtherRegions(regions)),
                other => return Err(other.unexpected()),
            }
        }
    }
}
