//! Access numbers: resource groups and bookings.
//!
//! A group is in one slot and a service in another, so a booking is made in this order: first the
//! booking is recorded in `own:{id}` and the id in the cleanup index, then the number is booked, then
//! the service is created. If the process crashes at any point, the cleanup releases everything recorded
//! before.

use std::time::Duration;

use async_trait::async_trait;
use redis::Cmd;

pub(super) use self::{format::strategy_name, release::ReleaseReason};
use self::{
    format::{format_webhooks, parse_booking},
    matching::BookingMatch,
};
use super::{
    OWNED_TTL_MARGIN, RedisStore,
    connection::parse_reply,
    keys::{self, OwnedResource},
    millis,
    script_reply::{ScriptReply, reply_array},
    scripts::{BOOK_NUMBER, EXTEND_BOOKINGS, REGISTER_OWNED, UNREGISTER_PENDING, evalsha},
};
use crate::{
    model::{
        BookResult, Booking, BookingId, BookingOwner, BookingRequest, Call, Group, MatchResult,
        ServiceId, StoreError, Timestamp,
    },
    store::{BookingStore, ServiceStore, webhook_hub::Outbox},
};

mod format;
mod matching;
mod release;

/// The time after which a service whose create has begun but not completed is abandoned.
pub(super) const PENDING_CREATE_TTL: Duration = Duration::from_secs(30);
/// The number of codes passed to a script at once, and the maximum number of such attempts.
const CODES_PER_ATTEMPT: usize = 32;
const MAX_CODE_ATTEMPTS: usize = 8;

#[async_trait]
impl BookingStore for RedisStore {
    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        let now = self.redis.now()?;
        let (booking, end) = match self.register_booking(owner, group, now).await? {
            Ok(registered) => registered,
            Err(not_booked) => return Ok(not_booked),
        };
        let max_until = now.after(request.timeout);
        let until = if owner.is_new() {
            max_until
        } else {
            max_until.min(end)
        };
        let id = owner.id();
        if until <= now {
            // Redis may still return a service in the millisecond of its expiration.
            self.unregister_booking(owner, group, &booking).await?;
            return Ok(BookResult::ServiceNotFound);
        }
        let webhooks = request.webhooks.as_ref();
        let webhooks = webhooks.map(|webhooks| format_webhooks(&group.name, webhooks));
        let book = |is_last: bool| {
            let mut keys = self.keys.group(&group.name).to_vec();
            if webhooks.is_some() {
                keys.push(self.keys.group_exhausted(&group.name));
            }
            let mut call = evalsha(&BOOK_NUMBER, &keys);
            call.arg(now.millis())
                .arg(until.millis())
                .arg(max_until.millis());
            call.arg(booking.as_str()).arg(id.as_str());
            call.arg(request.caller.as_deref().unwrap_or_default());
            call.arg(strategy_name(group.strategy));
            let backup = group.backup.as_ref();
            call.arg(backup.map_or("", |number| &number.text));
            call.arg(backup.map_or("", |number| &number.subscriber));
            call.arg(&request.region);
            call.arg(u8::from(request.codes.is_some()));
            call.arg(webhooks.as_deref().unwrap_or_default());
            call.arg(u8::from(is_last));
            if let Some(codes) = &request.codes {
                call.arg(codes.candidates(CODES_PER_ATTEMPT));
            }
            call
        };
        for attempt in 1..=MAX_CODE_ATTEMPTS {
            let mut book = || book(attempt == MAX_CODE_ATTEMPTS);
            let reply = self.run_group_script(group, &mut book).await?;
            if webhooks.is_some() {
                self.webhooks.relay(Outbox::Group(group.name.clone()));
            }
            match reply {
                ScriptReply::Done(reply) => {
                    if !owner.is_new() && self.definition(id).await?.is_none() {
                        // The service ended meanwhile, and the cleanup may have missed this booking.
                        let reason = ReleaseReason::Released;
                        let release = self.release_command(&group.name, &[&booking], reason);
                        let reply = self.redis.query_replicated(&release).await?;
                        self.released(&group.name, reply)?;
                        return Ok(BookResult::ServiceNotFound);
                    }
                    let expires_in = until.since(now);
                    return parse_booking(group, booking, expires_in, request, reply)
                        .map(BookResult::Booked);
                }
                ScriptReply::Refused(wait) => {
                    let wait = wait.first().and_then(|wait| wait.parse().ok());
                    let wait = Duration::from_millis(wait.unwrap_or(1_000));
                    self.unregister_booking(owner, group, &booking).await?;
                    return Ok(BookResult::Exhausted(wait));
                }
                ScriptReply::CodesTaken => {}
                other => return Err(other.unexpected()),
            }
        }
        self.unregister_booking(owner, group, &booking).await?;
        Ok(BookResult::Exhausted(Duration::from_secs(1)))
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

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        let reason = ReleaseReason::Released;
        let release = self.release_command(&booking.group, &[&booking.id], reason);
        let unregister = self.unregister_command(id, &booking.group, &booking.id);
        let both = vec![release, unregister];
        let [reply, _unregistered] = reply_array(self.redis.pipeline_ordered(both).await?)?;
        self.released(&booking.group, reply)?;
        Ok(())
    }

    /// Releases the newest booking that matches a call and whose service is active. Bookings without an
    /// active service are skipped: the service may be about to be created; if it has ended, the cleanup
    /// releases the booking.
    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
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
    /// Runs a script on a group. If the group has no numbers yet (Redis is new, or lost its data),
    /// synchronizes it first.
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

    /// Records a booking in `own:{id}` and the id in the cleanup index in one round trip. Repetitions of a
    /// request get one booking. Returns it and the expiration time of the owner, or why there is no booking.
    async fn register_booking(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        now: Timestamp,
    ) -> Result<Result<(BookingId, Timestamp), BookResult>, StoreError> {
        let id = owner.id();
        let (booking, suffix) = match owner {
            BookingOwner::NewRepeatable(_, digest) => (
                BookingId::generate_for_request(now, digest),
                BookingId::suffix_of(digest),
            ),
            BookingOwner::New(_) | BookingOwner::Existing(_) => {
                (BookingId::generate(now), String::new())
            }
        };
        let abandoned_at = now.after(PENDING_CREATE_TTL).millis().to_string();
        let mut schedule = redis::cmd("ZADD");
        schedule.arg(self.keys.index(id));
        if !owner.is_new() {
            // An existing entry is correct; for a new one the sweep determines the actual expiration.
            schedule.arg("NX");
        }
        schedule.arg(&abandoned_at).arg(id.as_str());
        let keys = [self.keys.service(id), self.keys.owned(id)];
        let mut register = evalsha(&REGISTER_OWNED, &keys);
        register.arg(now.millis());
        register.arg(keys::owned_booking_field(&group.name, &booking));
        register.arg(if owner.is_new() {
            abandoned_at.as_str()
        } else {
            ""
        });
        register.arg(millis(OWNED_TTL_MARGIN));
        register.arg(keys::owned_booking_prefix(&group.name));
        register.arg(suffix);
        let [_scheduled, reply] = reply_array(
            self.redis
                .pipeline_ordered(vec![schedule, register])
                .await?,
        )?;
        match parse_reply(reply)? {
            ScriptReply::Done(reply) => {
                let end = reply.first().and_then(|end| end.parse().ok());
                let end = end.ok_or_else(|| {
                    StoreError::Corrupt("expiration time of a service".to_owned())
                })?;
                let registered = reply.get(1).and_then(|field| OwnedResource::parse(field));
                let Some(OwnedResource::Booking(_, booking)) = registered else {
                    return Err(StoreError::Corrupt("registered booking".to_owned()));
                };
                let end = Timestamp::from_millis(end);
                Ok(Ok((booking, end)))
            }
            ScriptReply::Refused(mut stored) => Ok(Err(stored
                .pop()
                .map_or(BookResult::ServiceNotFound, BookResult::Replayed))),
            other => Err(other.unexpected()),
        }
    }

    /// Removes a booking without a number from the resources of its service. If a concurrent repetition may use
    /// it, it remains until the service ends or its create is abandoned.
    async fn unregister_booking(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        booking: &BookingId,
    ) -> Result<(), StoreError> {
        if let BookingOwner::NewRepeatable(..) = owner {
            return Ok(());
        }
        let unregister = self.unregister_command(owner.id(), &group.name, booking);
        self.redis.query(&unregister).await
    }

    /// The command that removes a booking from the resources of the service.
    fn unregister_command(&self, id: &ServiceId, group: &str, booking: &BookingId) -> Cmd {
        let mut unregister = redis::cmd("HDEL");
        unregister
            .arg(self.keys.owned(id))
            .arg(keys::owned_booking_field(group, booking));
        unregister
    }

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
