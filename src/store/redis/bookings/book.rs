//! The booking of a number.

use std::time::Duration;

use redis::{Cmd, Value};
use tracing::debug;

use super::{
    format::{format_webhooks, parse_booking, strategy_name},
    register::{Registration, parse_registration},
    release::{EXPIRED_BATCH, ReleaseReason},
};
use crate::{
    model::{BookResult, BookingId, BookingOwner, BookingRequest, Group, StoreError, Timestamp},
    store::{
        ServiceStore,
        redis::{
            RedisStore,
            connection::parse_reply,
            millis,
            script_reply::ScriptReply,
            scripts::{BOOK_NUMBER, BOOK_NUMBER_WITH_EVENTS, evalsha},
        },
        webhook_hub::Outbox,
    },
};

/// The number of codes passed to the script at first, then in each further attempt. An argument has a cost, and the first
/// codes are rarely taken.
const FIRST_CODES: usize = 4;
const CODES_PER_ATTEMPT: usize = 32;
/// The maximum number of attempts, and that for a group whose backup number has other codes.
const MAX_ATTEMPTS: usize = 8;
const MAX_ATTEMPTS_BEFORE_BACKUP: usize = 2;

/// The time for which it is known when a booking last found no free number.
const EXHAUSTED_AT_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A booking that is being made.
struct NewBooking<'a> {
    store: &'a RedisStore,
    owner: BookingOwner<'a>,
    group: &'a Group,
    request: &'a BookingRequest,
    id: BookingId,
    now: Timestamp,
    until: Timestamp,
    /// The subscriptions to its events.
    webhooks: Option<String>,
}

impl RedisStore {
    /// See [`BookingStore::book_number`](crate::store::BookingStore::book_number). Two round trips; one for a new service
    /// with a generated id, because nothing can be known about such an id.
    pub(super) async fn book(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        let now = self.redis.now()?;
        let Registration { booking, commands } = self.registration(owner, group, now);
        let webhooks = request.webhooks.as_ref();
        let mut booking = NewBooking {
            store: self,
            owner,
            group,
            request,
            id: booking,
            now,
            until: now.after(request.timeout),
            webhooks: webhooks.map(|webhooks| format_webhooks(&group.name, webhooks)),
        };
        let mut commands = Vec::from(commands);
        let is_unknown_id = matches!(owner, BookingOwner::New(id) if !id.is_custom());
        if is_unknown_id {
            commands.push(booking.command(1)?);
        }
        let sent = self.redis.pipeline_ordered(commands).await;
        if let Err(StoreError::Unknown(_) | StoreError::Full(_)) = &sent {
            booking.release_unregistered().await;
        }
        let mut replies = sent?.into_iter();
        let (_scheduled, registered) = (replies.next(), replies.next().unwrap_or(Value::Nil));
        let (id, end) = match parse_registration(registered)? {
            Ok(registered) => registered,
            Err(not_booked) => return Ok(not_booked),
        };
        booking.id = id;
        if !owner.is_new() {
            booking.until = booking.until.min(end);
        }
        if booking.until <= now {
            // Redis may still return a service in the millisecond of its expiration.
            let unregister = self.unregister_booking(owner, group, &booking.id);
            if let Some(unregister) = unregister {
                self.redis.query::<()>(&unregister).await?;
            }
            return Ok(BookResult::ServiceNotFound);
        }
        let first = replies.next().map(parse_reply).transpose()?;
        let result = booking.make(first).await?;
        if matches!(result, BookResult::Exhausted(_)) {
            self.end_without_number(owner, group, &booking.id).await?;
        }
        Ok(result)
    }
}

impl RedisStore {
    /// Removes a booking that found no free number from the resources of its service, and records the time for the group.
    /// The time is for operators only: a failure to record it is logged and does not change the result.
    async fn end_without_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        booking: &BookingId,
    ) -> Result<(), StoreError> {
        let unregister = self.unregister_booking(owner, group, booking);
        let unregisters = unregister.is_some();
        let record = self.exhausted_command(group);
        let commands = unregister.into_iter().chain(record).collect();
        let mut replies = match self.redis.pipeline_each(commands).await {
            Ok(replies) => replies.into_iter(),
            Err(error) if unregisters => return Err(error),
            Err(error) => vec![Err(error)].into_iter(),
        };
        let unregistered = if unregisters { replies.next() } else { None };
        if let Some(Err(error)) = replies.next() {
            debug!(%error, group = group.name, "time of the failed booking not recorded");
        }
        unregistered.transpose().map(drop)
    }

    /// The command that records that a booking found no free number now. `None` if the time is unknown.
    fn exhausted_command(&self, group: &Group) -> Option<Cmd> {
        let key = self.keys.group_exhausted_at(&group.name);
        let now = self.redis.now_at(&key);
        let now = now.inspect_err(|error| {
            debug!(%error, group = group.name, "time of the failed booking not recorded");
        });
        let mut record = redis::cmd("SET");
        record.arg(&key).arg(now.ok()?.millis());
        record.arg("PX").arg(millis(EXHAUSTED_AT_TTL));
        Some(record)
    }
}

impl NewBooking<'_> {
    /// Books a number. `first` is the reply to the first attempt, if it was made already.
    async fn make(&self, mut first: Option<ScriptReply>) -> Result<BookResult, StoreError> {
        let (mut attempt, mut is_synchronized) = (1, false);
        loop {
            let reply = if let Some(reply) = first.take() {
                reply
            } else {
                let command = self.command(attempt)?;
                self.store.redis.query_replicated(&command).await?
            };
            if self.webhooks.is_some() {
                let outbox = Outbox::Group(self.group.name.clone());
                self.store.webhooks.relay(outbox);
            }
            match reply {
                ScriptReply::Done(reply) => return self.booked(reply).await,
                // The group has no numbers yet: Redis is new, or lost its data.
                ScriptReply::Retry(_) if !is_synchronized => {
                    is_synchronized = true;
                    self.store.sync_group(self.group).await?;
                }
                ScriptReply::Refused(wait) => {
                    let wait = wait.first().and_then(|wait| wait.parse().ok());
                    let wait = Duration::from_millis(wait.unwrap_or(1_000));
                    if !wait.is_zero() {
                        return Ok(BookResult::Exhausted(wait));
                    }
                    if attempt == self.last_attempt() {
                        return Ok(BookResult::Exhausted(Duration::from_secs(1)));
                    }
                    self.reclaim().await?;
                    attempt = self.last_attempt();
                }
                ScriptReply::CodesTaken if attempt == self.last_attempt() => {
                    return Ok(BookResult::Exhausted(Duration::from_secs(1)));
                }
                ScriptReply::CodesTaken => {
                    if attempt == 1 {
                        self.reclaim().await?;
                    }
                    attempt += 1;
                }
                other => return Err(other.unexpected()),
            }
        }
    }

    /// Releases expired bookings, which the cleanup has not done yet.
    async fn reclaim(&self) -> Result<(), StoreError> {
        let released = self.store.reclaim(&self.group.name, EXPIRED_BATCH);
        released.await.map(drop)
    }

    /// Releases a number that was perhaps booked although its registration failed. If this fails too, the reconciliation
    /// finds it.
    async fn release_unregistered(&self) {
        let release = self.release();
        if let Err(error) = self.store.redis.query::<Value>(&release).await {
            debug!(%error, "booking of a failed request not released");
        }
    }

    fn release(&self) -> Cmd {
        let reason = ReleaseReason::Released;
        self.store
            .release_command(&self.group.name, &[&self.id], reason)
    }

    fn last_attempt(&self) -> usize {
        if self.group.backup.is_some() {
            MAX_ATTEMPTS_BEFORE_BACKUP
        } else {
            MAX_ATTEMPTS
        }
    }

    /// The booking that was made. Released again if its service has ended meanwhile, because the cleanup may have missed
    /// the booking.
    async fn booked(&self, reply: Vec<String>) -> Result<BookResult, StoreError> {
        let (store, id) = (self.store, self.owner.id());
        if !self.owner.is_new() && store.definition(id).await?.is_none() {
            let reply = store.redis.query_replicated(&self.release()).await?;
            store.released(&self.group.name, reply)?;
            return Ok(BookResult::ServiceNotFound);
        }
        let expires_in = self.until.since(self.now);
        let booking = parse_booking(self.group, self.id.clone(), expires_in, reply)?;
        Ok(BookResult::Booked(booking))
    }

    /// The call of the script.
    fn command(&self, attempt: usize) -> Result<Cmd, StoreError> {
        let (request, backup) = (self.request, self.group.backup.as_ref());
        let mut keys = self.store.keys.group(&self.group.name).to_vec();
        let script = if self.webhooks.is_some() {
            keys.push(self.store.keys.group_exhausted(&self.group.name));
            &BOOK_NUMBER_WITH_EVENTS
        } else {
            &BOOK_NUMBER
        };
        let mut call = evalsha(script, &keys);
        call.arg(self.store.redis.now()?.millis())
            .arg(self.until.millis())
            .arg(self.now.after(request.timeout).millis())
            .arg(self.id.as_str())
            .arg(self.owner.id().as_str())
            .arg(request.caller.as_deref().unwrap_or_default())
            .arg(strategy_name(self.group.strategy))
            .arg(backup.map_or("", |number| &number.text))
            .arg(backup.map_or("", |number| &number.subscriber))
            .arg(&request.region)
            .arg(u8::from(request.codes.is_some()))
            .arg(self.webhooks.as_deref().unwrap_or_default())
            .arg(u8::from(attempt == self.last_attempt()))
            .arg(u8::from(request.include_pool));
        if let Some(codes) = &request.codes {
            let count = if attempt == 1 {
                FIRST_CODES
            } else {
                CODES_PER_ATTEMPT
            };
            call.arg(codes.candidates(count));
        }
        Ok(call)
    }
}
