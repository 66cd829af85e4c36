//! Access numbers: groups of them, and bookings that hold them.
//!
//! A group lives in one slot and a service in another, so a booking is made in this order: it is listed
//! in `own:{id}` and the id in the index, then the number is held, then the service is made. Whatever
//! stands behind the point where a process dies is given back by the clean-up.

use std::time::Duration;

use redis::Cmd;

use super::{
    OWN_OUTLIVES_BY, RedisStore,
    connection::typed,
    keys, millis,
    reply::{Reply, replies},
    scripts::{ALLOCATE, FIND, HOLD, MOVE_BOOKINGS, RELEASE, call},
};
use crate::store::{
    Booked, Booking, BookingId, BookingRequest, Call, Group, Holder, Matched, Moment, Pool,
    ServiceId, Store, StoreError, Strategy,
};

/// When a service that was begun and never made is given up.
pub(super) const HALF_MADE_LIFE: Duration = Duration::from_secs(30);
/// Codes offered to a script at once, and how often others are.
const CODES_OFFERED: usize = 32;
const CODE_ROUNDS: usize = 8;

/// What the books say to a call.
enum Fit<'a> {
    /// The newest booking that fits, its group and its service.
    Booking(BookingId, &'a String, ServiceId),
    Nothing,
    /// The call must be read under these regions too.
    OtherRegions(Vec<String>),
}

impl RedisStore {
    pub(super) async fn hold(
        &self,
        holder: Holder<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<Booked, StoreError> {
        let now = self.redis.now()?;
        let booking = BookingId::fresh(now);
        let Some(end) = self.list_booking(holder, group, &booking, now).await? else {
            return Ok(Booked::NoService);
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
            self.unlist_booking(id, group, &booking).await?;
            return Ok(Booked::NoService);
        }
        let mut allocate = || {
            let keys = self.keys.group(&group.name);
            let mut call = call(&ALLOCATE, &keys);
            call.arg(now.millis())
                .arg(until.millis())
                .arg(longest.millis());
            call.arg(booking.as_str()).arg(id.as_str());
            call.arg(request.caller.as_deref().unwrap_or_default());
            call.arg(kind(group.strategy));
            let backup = group.backup.as_ref();
            call.arg(backup.map_or("", |number| &number.text));
            call.arg(backup.map_or("", |number| &number.subscriber));
            call.arg(&request.region);
            call.arg(u8::from(request.codes.is_some()));
            if let Some(codes) = &request.codes {
                call.arg(codes.candidates(CODES_OFFERED));
            }
            call
        };
        for _ in 0..CODE_ROUNDS {
            match self.call_group(group, &mut allocate).await? {
                Reply::Done(answer) => {
                    if !holder.is_new() && self.definition(id).await?.is_none() {
                        // It ended in between, and the clean-up may have gone past.
                        let release = self.release_call(&group.name, &[&booking]);
                        self.redis.change::<()>(&release).await?;
                        return Ok(Booked::NoService);
                    }
                    let held_for = until.since(now);
                    return held(group, booking, held_for, request, answer).map(Booked::Held);
                }
                Reply::Refused(wait) => {
                    let wait = wait.first().and_then(|wait| wait.parse().ok());
                    let wait = Duration::from_millis(wait.unwrap_or(1_000));
                    self.unlist_booking(id, group, &booking).await?;
                    return Ok(Booked::NoneFree(wait));
                }
                Reply::OtherCodes => {}
                other => return Err(other.unexpected()),
            }
        }
        self.unlist_booking(id, group, &booking).await?;
        Ok(Booked::NoneFree(Duration::from_secs(1)))
    }

    /// Runs a script on a group. One that was never filled (Redis is new, or lost its data) is filled.
    async fn call_group(
        &self,
        group: &Group,
        script: &mut (impl FnMut() -> Cmd + Send),
    ) -> Result<Reply, StoreError> {
        let first = self.redis.change(&script()).await?;
        if !matches!(first, Reply::Again(_)) {
            return Ok(first);
        }
        self.fill_group(group).await?;
        self.redis.change(&script()).await
    }

    /// Lists the booking in `own:{id}` and the id in the index: one round trip. Gives the end of what
    /// holds it; `None` where that is over.
    async fn list_booking(
        &self,
        holder: Holder<'_>,
        group: &Group,
        booking: &BookingId,
        now: Moment,
    ) -> Result<Option<Moment>, StoreError> {
        let id = holder.id();
        let given_up = now.after(HALF_MADE_LIFE).millis().to_string();
        let mut look_after = redis::cmd("ZADD");
        look_after.arg(self.keys.index(id));
        if !holder.is_new() {
            // What is there already is right; if nothing is, the sweep finds the true end.
            look_after.arg("NX");
        }
        look_after.arg(&given_up).arg(id.as_str());
        let keys = [self.keys.service(id), self.keys.own(id)];
        let mut hold = call(&HOLD, &keys);
        hold.arg(now.millis());
        hold.arg(keys::owned_booking_field(&group.name, booking));
        hold.arg(if holder.is_new() {
            given_up.as_str()
        } else {
            ""
        });
        hold.arg(millis(OWN_OUTLIVES_BY));
        let [_listed, reply] = replies(self.redis.in_turn(vec![look_after, hold]).await?)?;
        match typed(reply)? {
            Reply::Done(end) => {
                let end = end.first().and_then(|end| end.parse().ok());
                let end = end.ok_or_else(|| StoreError::Corrupt("a service's end".to_owned()))?;
                Ok(Some(Moment::from_millis(end)))
            }
            Reply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    async fn unlist_booking(
        &self,
        id: &ServiceId,
        group: &Group,
        booking: &BookingId,
    ) -> Result<(), StoreError> {
        let unlist = self.unlist_call(id, &group.name, booking);
        self.redis.query(&unlist).await
    }

    /// The command that takes a booking off what the service holds.
    fn unlist_call(&self, id: &ServiceId, group: &str, booking: &BookingId) -> Cmd {
        let mut unlist = redis::cmd("HDEL");
        unlist
            .arg(self.keys.own(id))
            .arg(keys::owned_booking_field(group, booking));
        unlist
    }

    pub(super) async fn give_back_booking(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError> {
        let release = self.release_call(&booking.group, &[&booking.id]);
        let unlist = self.unlist_call(id, &booking.group, &booking.id);
        self.redis.in_turn(vec![release, unlist]).await?;
        Ok(())
    }

    /// The command that gives these bookings of a group back.
    pub(super) fn release_call(&self, group: &str, bookings: &[&BookingId]) -> Cmd {
        let mut release = call(&RELEASE, &self.keys.group(group));
        release.arg(0);
        for booking in bookings {
            release.arg(booking.as_str());
        }
        release
    }

    /// Gives back numbers of a group that are held too long; how many, `most` at most.
    pub(super) async fn reclaim(&self, group: &str, most: usize) -> Result<usize, StoreError> {
        let mut release = call(&RELEASE, &self.keys.group(group));
        release.arg(most);
        self.redis.query(&release).await
    }

    /// Takes the newest booking that fits a call and whose service lives. One whose service does not
    /// is passed over: it may be about to be made, and if it is over the clean-up sees to it.
    pub(super) async fn find_call(
        &self,
        groups: &[String],
        call: &Call,
    ) -> Result<Matched, StoreError> {
        let mut before: Option<BookingId> = None;
        loop {
            let (booking, group, id) = match self.newest(groups, call, before.as_ref()).await? {
                Fit::Booking(booking, group, id) => (booking, group, id),
                Fit::Nothing => return Ok(Matched::Nobody),
                Fit::OtherRegions(regions) => return Ok(Matched::OtherRegions(regions)),
            };
            if self.definition(&id).await?.is_none() {
                before = Some(booking);
                continue;
            }
            let release = self.release_call(group, &[&booking]);
            let unlist = self.unlist_call(&id, group, &booking);
            let [taken, _unlisted] = replies(self.redis.in_turn(vec![release, unlist]).await?)?;
            if typed::<usize>(taken)? == 1 {
                return Ok(Matched::Service(id));
            }
            // Another call took it in between.
        }
    }

    /// The newest booking, in whichever of these groups, that fits a call; older than `before`.
    async fn newest<'a>(
        &self,
        groups: &'a [String],
        call: &Call,
        before: Option<&BookingId>,
    ) -> Result<Fit<'a>, StoreError> {
        let mut newest = Fit::Nothing;
        for group in groups {
            let found = self.find_in(group, call, before).await?;
            match (&found, &newest) {
                (Fit::OtherRegions(_), _) => return Ok(found),
                (Fit::Booking(booking, ..), Fit::Booking(other, ..)) if booking <= other => {}
                (Fit::Booking(..), _) => newest = found,
                (Fit::Nothing, _) => {}
            }
        }
        Ok(newest)
    }

    async fn find_in<'a>(
        &self,
        group: &'a String,
        wanted: &Call,
        before: Option<&BookingId>,
    ) -> Result<Fit<'a>, StoreError> {
        loop {
            let mut find = call(&FIND, &self.keys.group(group));
            find.arg(wanted.code.as_deref().unwrap_or_default());
            find.arg(before.map_or("", BookingId::as_str));
            for list in [&wanted.regions, &wanted.dialled, &wanted.callers] {
                find.arg(list.len()).arg(list);
            }
            match self.redis.query(&find).await? {
                Reply::Done(found) => {
                    let [booking, service] = <[String; 2]>::try_from(found)
                        .map_err(|found| StoreError::Corrupt(format!("a booking: {found:?}")))?;
                    return Ok(Fit::Booking(booking.into(), group, service.into()));
                }
                Reply::Refused(_) => return Ok(Fit::Nothing),
                Reply::Again(regions) if regions.is_empty() => {}
                Reply::Again(regions) => return Ok(Fit::OtherRegions(regions)),
                other => return Err(other.unexpected()),
            }
        }
    }

    /// Moves these bookings with the end of their service.
    pub(super) async fn move_bookings(
        &self,
        bookings: &[(String, BookingId)],
        end: Moment,
    ) -> Result<(), StoreError> {
        let now = self.redis.now()?;
        let moves = bookings.iter().map(|(group, booking)| {
            let mut one = call(&MOVE_BOOKINGS, &self.keys.group(group));
            one.arg(now.millis())
                .arg(end.millis())
                .arg(booking.as_str());
            one
        });
        self.redis.at_once(moves.collect()).await?;
        Ok(())
    }
}

pub(super) fn kind(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Random => "random",
        Strategy::RoundRobin => "turn",
        Strategy::Exclusive => "exclusive",
    }
}

fn held(
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
        held_for,
        pool: request.tell_pool.then(|| Pool {
            size: count(&size),
            free: count(&free),
        }),
    })
}
