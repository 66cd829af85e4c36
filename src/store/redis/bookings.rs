//! Access numbers: groups of them, and bookings that hold them.
//!
//! A group lives in one slot and a service in another, so a booking is made in this order: it is listed
//! in `own:{id}` and the id in the index, then the number is held, then the service is made. Whatever
//! stands behind the point where a process dies is given back by the clean-up.

use std::time::Duration;

use redis::Cmd;

use super::{
    OWNED_TTL_MARGIN, RedisStore,
    connection::parse_reply,
    keys, millis,
    script_reply::{ScriptReply, reply_array},
    scripts::{BOOK_NUMBER, EXTEND_BOOKINGS, MATCH_BOOKING, REGISTER_OWNED, RELEASE, evalsha},
};
use crate::store::{
    AllocationStrategy, BookResult, Booking, BookingId, BookingOwner, BookingRequest, Call, Group,
    MatchResult, PoolUsage, ServiceId, Store, StoreError, Timestamp,
};

/// When a service that was begun and never made is given up.
pub(super) const PENDING_CREATE_TTL: Duration = Duration::from_secs(30);
/// Codes offered to a script at once, and how often others are.
const CODES_PER_ATTEMPT: usize = 32;
const MAX_CODE_ATTEMPTS: usize = 8;

/// What the books say to a call.
enum BookingMatch<'a> {
    /// The newest booking that fits, its group and its service.
    Booking(BookingId, &'a String, ServiceId),
    NoMatch,
    /// The call must be read under these regions too.
    OtherRegions(Vec<String>),
}

impl RedisStore {
    pub(super) async fn book_number(
        &self,
        holder: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        let now = self.redis.now()?;
        let booking = BookingId::generate(now);
        let Some(end) = self.register_booking(holder, group, &booking, now).await? else {
            return Ok(BookResult::ServiceNotFound);
        };
        let longest = now.after(request.timeout);
        let until = if holder.is_new() {
            longest
        } else {
            longest.min(end)
        };
        let id = holder.id();
        if until <= now {
            // Redis still finds a service in the very millisecond of its end.
            self.unregister_booking(id, group, &booking).await?;
            return Ok(BookResult::ServiceNotFound);
        }
        let mut allocate = || {
            let keys = self.keys.group(&group.name);
            let mut call = evalsha(&BOOK_NUMBER, &keys);
            call.arg(now.millis())
                .arg(until.millis())
                .arg(longest.millis());
            call.arg(booking.as_str()).arg(id.as_str());
            call.arg(request.caller.as_deref().unwrap_or_default());
            call.arg(strategy_name(group.strategy));
            let backup = group.backup.as_ref();
            call.arg(backup.map_or("", |number| &number.text));
            call.arg(backup.map_or("", |number| &number.subscriber));
            call.arg(&request.region);
            call.arg(u8::from(request.codes.is_some()));
            if let Some(codes) = &request.codes {
                call.arg(codes.candidates(CODES_PER_ATTEMPT));
            }
            call
        };
        for _ in 0..MAX_CODE_ATTEMPTS {
            match self.run_group_script(group, &mut allocate).await? {
                ScriptReply::Done(answer) => {
                    if !holder.is_new() && self.definition(id).await?.is_none() {
                        // It ended in between, and the clean-up may have gone past.
                        let release = self.release_command(&group.name, &[&booking]);
                        self.redis.query_replicated::<()>(&release).await?;
                        return Ok(BookResult::ServiceNotFound);
                    }
                    let held_for = until.since(now);
                    return parse_booking(group, booking, held_for, request, answer)
                        .map(BookResult::Booked);
                }
                ScriptReply::Refused(wait) => {
                    let wait = wait.first().and_then(|wait| wait.parse().ok());
                    let wait = Duration::from_millis(wait.unwrap_or(1_000));
                    self.unregister_booking(id, group, &booking).await?;
                    return Ok(BookResult::Exhausted(wait));
                }
                ScriptReply::CodesTaken => {}
                other => return Err(other.unexpected()),
            }
        }
        self.unregister_booking(id, group, &booking).await?;
        Ok(BookResult::Exhausted(Duration::from_secs(1)))
    }

    /// Runs a script on a group. One that was never filled (Redis is new, or lost its data) is filled.
    async fn run_group_script(
        &self,
        group: &Group,
        script: &mut (impl FnMut() -> Cmd + Send),
    ) -> Result<ScriptReply, StoreError> {
        let first = self.redis.query_replicated(&script()).await?;
        if !matches!(first, ScriptReply::Retry(_)) {
            return Ok(first);
        }
        self.sync_group(group).await?;
        self.redis.query_replicated(&script()).await
    }

    /// Lists the booking in `own:{id}` and the id in the index: one round trip. Gives the end of what
    /// holds it; `None` where that is over.
    async fn register_booking(
        &self,
        holder: BookingOwner<'_>,
        group: &Group,
        booking: &BookingId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let id = holder.id();
        let given_up = now.after(PENDING_CREATE_TTL).millis().to_string();
        let mut look_after = redis::cmd("ZADD");
        look_after.arg(self.keys.index(id));
        if !holder.is_new() {
            // What is there already is right; if nothing is, the sweep finds the true end.
            look_after.arg("NX");
        }
        look_after.arg(&given_up).arg(id.as_str());
        let keys = [self.keys.service(id), self.keys.owned(id)];
        let mut hold = evalsha(&REGISTER_OWNED, &keys);
        hold.arg(now.millis());
        hold.arg(keys::owned_booking_field(&group.name, booking));
        hold.arg(if holder.is_new() {
            given_up.as_str()
        } else {
            ""
        });
        hold.arg(millis(OWNED_TTL_MARGIN));
        let [_listed, reply] =
            reply_array(self.redis.pipeline_ordered(vec![look_after, hold]).await?)?;
        match parse_reply(reply)? {
            ScriptReply::Done(end) => {
                let end = end.first().and_then(|end| end.parse().ok());
                let end = end.ok_or_else(|| StoreError::Corrupt("a service's end".to_owned()))?;
                Ok(Some(Timestamp::from_millis(end)))
            }
            ScriptReply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    async fn unregister_booking(
        &self,
        id: &ServiceId,
        group: &Group,
        booking: &BookingId,
    ) -> Result<(), StoreError> {
        let unlist = self.unregister_command(id, &group.name, booking);
        self.redis.query(&unlist).await
    }

    /// The command that takes a booking off what the service holds.
    fn unregister_command(&self, id: &ServiceId, group: &str, booking: &BookingId) -> Cmd {
        let mut unlist = redis::cmd("HDEL");
        unlist
            .arg(self.keys.owned(id))
            .arg(keys::owned_booking_field(group, booking));
        unlist
    }

    pub(super) async fn release_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError> {
        let release = self.release_command(&booking.group, &[&booking.id]);
        let unlist = self.unregister_command(id, &booking.group, &booking.id);
        self.redis.pipeline_ordered(vec![release, unlist]).await?;
        Ok(())
    }

    /// The command that gives these bookings of a group back.
    pub(super) fn release_command(&self, group: &str, bookings: &[&BookingId]) -> Cmd {
        let mut release = evalsha(&RELEASE, &self.keys.group(group));
        release.arg(0);
        for booking in bookings {
            release.arg(booking.as_str());
        }
        release
    }

    /// Gives back numbers of a group that are held too long; how many, `most` at most.
    pub(super) async fn reclaim(&self, group: &str, most: usize) -> Result<usize, StoreError> {
        let mut release = evalsha(&RELEASE, &self.keys.group(group));
        release.arg(most);
        self.redis.query(&release).await
    }

    /// Takes the newest booking that fits a call and whose service lives. One whose service does not
    /// is passed over: it may be about to be made, and if it is over the clean-up sees to it.
    pub(super) async fn match_call(
        &self,
        groups: &[String],
        call: &Call,
    ) -> Result<MatchResult, StoreError> {
        let mut before: Option<BookingId> = None;
        loop {
            let (booking, group, id) =
                match self.newest_match(groups, call, before.as_ref()).await? {
                    BookingMatch::Booking(booking, group, id) => (booking, group, id),
                    BookingMatch::NoMatch => return Ok(MatchResult::NoMatch),
                    BookingMatch::OtherRegions(regions) => {
                        return Ok(MatchResult::OtherRegions(regions));
                    }
                };
            if self.definition(&id).await?.is_none() {
                before = Some(booking);
                continue;
            }
            let release = self.release_command(group, &[&booking]);
            let unlist = self.unregister_command(&id, group, &booking);
            let [taken, _unlisted] =
                reply_array(self.redis.pipeline_ordered(vec![release, unlist]).await?)?;
            if parse_reply::<usize>(taken)? == 1 {
                return Ok(MatchResult::Matched(id));
            }
            // Another call took it in between.
        }
    }

    /// The newest booking, in whichever of these groups, that fits a call; older than `before`.
    async fn newest_match<'a>(
        &self,
        groups: &'a [String],
        call: &Call,
        before: Option<&BookingId>,
    ) -> Result<BookingMatch<'a>, StoreError> {
        let mut newest = BookingMatch::NoMatch;
        for group in groups {
            let found = self.match_in_group(group, call, before).await?;
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
        wanted: &Call,
        before: Option<&BookingId>,
    ) -> Result<BookingMatch<'a>, StoreError> {
        loop {
            let mut find = evalsha(&MATCH_BOOKING, &self.keys.group(group));
            find.arg(wanted.code.as_deref().unwrap_or_default());
            find.arg(before.map_or("", BookingId::as_str));
            for list in [&wanted.regions, &wanted.dialed, &wanted.callers] {
                find.arg(list.len()).arg(list);
            }
            match self.redis.query(&find).await? {
                ScriptReply::Done(found) => {
                    let [booking, service] = <[String; 2]>::try_from(found)
                        .map_err(|found| StoreError::Corrupt(format!("a booking: {found:?}")))?;
                    return Ok(BookingMatch::Booking(booking.into(), group, service.into()));
                }
                ScriptReply::Refused(_) => return Ok(BookingMatch::NoMatch),
                ScriptReply::Retry(regions) if regions.is_empty() => {}
                ScriptReply::Retry(regions) => return Ok(BookingMatch::OtherRegions(regions)),
                other => return Err(other.unexpected()),
            }
        }
    }

    /// Moves these bookings with the end of their service.
    pub(super) async fn extend_bookings(
        &self,
        bookings: &[(String, BookingId)],
        end: Timestamp,
    ) -> Result<(), StoreError> {
        let now = self.redis.now()?;
        let moves = bookings.iter().map(|(group, booking)| {
            let mut one = evalsha(&EXTEND_BOOKINGS, &self.keys.group(group));
            one.arg(now.millis())
                .arg(end.millis())
                .arg(booking.as_str());
            one
        });
        self.redis.pipeline_unordered(moves.collect()).await?;
        Ok(())
    }
}

pub(super) fn strategy_name(strategy: AllocationStrategy) -> &'static str {
    match strategy {
        AllocationStrategy::Random => "random",
        AllocationStrategy::RoundRobin => "turn",
        AllocationStrategy::Exclusive => "exclusive",
    }
}

fn parse_booking(
    group: &Group,
    id: BookingId,
    held_for: Duration,
    request: &BookingRequest,
    answer: Vec<String>,
) -> Result<Booking, StoreError> {
    let [number, code, size, free] = <[String; 4]>::try_from(answer)
        .map_err(|answer| StoreError::Corrupt(format!("a number: {answer:?}")))?;
    let count = |text: &str| text.parse().unwrap_or_default();
    Ok(Booking {
        id,
        group: group.name.clone(),
        number,
        code: Some(code).filter(|code| !code.is_empty()),
        expires_in: held_for,
        pool: request.include_pool.then(|| PoolUsage {
            size: count(&size),
            free: count(&free),
        }),
    })
}
