//! The release of the resources of ended services.

use std::{collections::HashMap, time::Duration};

use redis::{Cmd, cmd};
use tracing::warn;

use super::{Cleaner, CleanupCandidate};
use crate::{
    model::{BookingId, ServiceId, StoreError, Timestamp},
    store::{
        redis::{
            RedisStore,
            backend_session::EndedService,
            bookings::ReleaseReason,
            connection::parse_reply,
            keys::{self, OwnedResource},
            script_reply::ScriptReply,
            scripts::{CLAIM_CLEANUP, REMOVE_RELEASED, RESCHEDULE_CLEANUP, evalsha},
        },
        webhook_hub::Outbox,
    },
};

/// The delay before a service with unparsable resources is retried.
const CORRUPT_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// The delay before the outbox of an active service is relayed again.
const OUTBOX_RETRY_INTERVAL: Duration = Duration::from_secs(10);

impl Cleaner<'_> {
    /// Releases the resources of those of `ended` that have ended. One whose resources cannot be released does
    /// not prevent the release of the others.
    pub(super) async fn release_all(
        &mut self,
        ended: &[CleanupCandidate],
    ) -> Result<(), StoreError> {
        self.renew_lease_if_due().await?;
        match self.release_batch(ended).await {
            Err(StoreError::Bug(_) | StoreError::Corrupt(_)) => {}
            other => return other,
        }
        // One of them cannot be cleaned up; it must not prevent the cleanup of the others.
        for candidate in ended {
            let CleanupCandidate { id, due } = candidate;
            let result = self.release_batch(std::slice::from_ref(candidate)).await;
            if let Err(error @ (StoreError::Bug(_) | StoreError::Corrupt(_))) = result {
                warn!(id = %id.redacted(), %error, "resources of an ended service not released");
                if let Some(due) = due {
                    let retry_at = self.store.redis.now()?.after(CORRUPT_RETRY_INTERVAL);
                    let reschedule = self.store.reschedule_cleanup(id, *due, retry_at);
                    self.store.redis.query::<()>(&reschedule).await?;
                }
            } else {
                result?;
            }
        }
        Ok(())
    }

    /// Releases the resources of those of `ended` that have ended: four round trips for all of them,
    /// and three for their webhook events. The
    /// resources of a service with backend sessions remain recorded until those are terminated.
    async fn release_batch(&self, ended: &[CleanupCandidate]) -> Result<(), StoreError> {
        let (store, now) = (self.store, self.store.redis.now()?);
        let claim = |CleanupCandidate { id, .. }: &CleanupCandidate| {
            let keys = [
                store.keys.service(id),
                store.keys.owned(id),
                store.keys.events(id),
            ];
            let mut claim = evalsha(&CLAIM_CLEANUP, &keys);
            claim.arg(now.millis()).arg(id.as_str());
            claim
        };
        let replies = store
            .redis
            .pipeline_unordered(ended.iter().map(claim).collect())
            .await?;
        let (mut release, mut lists, mut index) = (Vec::new(), Vec::new(), Vec::new());
        let (mut with_sessions, mut released) = (Vec::new(), 0);
        let (mut ended_outboxes, mut active_outboxes) = (Vec::new(), Vec::new());
        let mut relayed = (Vec::new(), Vec::new());
        let mut bookings: HashMap<String, Vec<BookingId>> = HashMap::new();
        for (CleanupCandidate { id, due }, reply) in ended.iter().zip(replies) {
            match parse_reply(reply)? {
                ScriptReply::Done(reply) => {
                    let (mut blobs, mut sessions) = (Vec::new(), Vec::new());
                    let mut has_outbox = false;
                    let mut reply = reply.into_iter();
                    let since = reply.next().and_then(|since| since.parse().ok());
                    let fields: Vec<String> = reply.collect();
                    for field in fields.iter().filter(|field| *field != keys::ENDED_SINCE) {
                        let owned = OwnedResource::parse(field);
                        let corrupt = || {
                            StoreError::Corrupt(format!(
                                "unknown resource {field:?} of service {}",
                                id.redacted()
                            ))
                        };
                        match owned.ok_or_else(corrupt)? {
                            OwnedResource::Blob(blob) => blobs.push(store.keys.blob(id, &blob)),
                            OwnedResource::Booking(group, booking) => {
                                bookings.entry(group).or_default().push(booking);
                            }
                            OwnedResource::Session(session) => sessions.push(session),
                            OwnedResource::Webhook => has_outbox = true,
                            OwnedResource::Chat => release.extend(store.remove_chat_commands(id)),
                        }
                    }
                    if !blobs.is_empty() {
                        release.push(cmd("UNLINK").arg(blobs).to_owned());
                    }
                    if has_outbox {
                        ended_outboxes.push(Outbox::Service(id.clone()));
                    }
                    if !sessions.is_empty() {
                        index.push(store.schedule_cleanup_at(id, now.after(self.reschedule_delay)));
                        with_sessions.push(EndedService {
                            id: id.clone(),
                            sessions,
                            since: since.map_or(now, Timestamp::from_millis),
                        });
                    } else if due.is_some() || !fields.is_empty() {
                        released += u64::from(!fields.is_empty());
                        let (lists, index) = if has_outbox {
                            (&mut relayed.0, &mut relayed.1)
                        } else {
                            (&mut lists, &mut index)
                        };
                        lists.push(store.remove_released_command(id, &fields));
                        index.extend(store.remove_from_index_command(id, *due));
                    }
                }
                // The service is active; if the index has another time, its expiration was changed.
                ScriptReply::Refused(end) => {
                    let Some(due) = due else { continue };
                    if end.len() > 1 {
                        active_outboxes.push((id.clone(), *due));
                    }
                    let end = end.first().and_then(|end| end.parse().ok()).unwrap_or(0);
                    let soon = store.redis.now()?.after(Duration::from_secs(1));
                    let when = Timestamp::from_millis(end).max(soon);
                    index.push(store.reschedule_cleanup(id, *due, when));
                }
                other => return Err(other.unexpected()),
            }
        }
        store.release_resources(release, bookings).await?;
        // A service remains listed until its events are relayed.
        let relay = store.relay(&ended_outboxes).await;
        if relay.is_ok() {
            lists.extend(relayed.0);
            index.extend(relayed.1);
        }
        // This order is required: the sweep removes an entry without a list, but a list without an entry
        // would never be deleted.
        store.redis.pipeline_unordered(lists).await?;
        store.redis.pipeline_unordered(index).await?;
        store.cleanup.add_released_services(released);
        for service in with_sessions {
            drop(self.ended_services.try_send(service));
        }
        store.relay_active(active_outboxes).await?;
        relay
    }
}

impl RedisStore {
    /// Sends commands that release resources, and releases bookings by group.
    async fn release_resources(
        &self,
        mut release: Vec<Cmd>,
        bookings: HashMap<String, Vec<BookingId>>,
    ) -> Result<(), StoreError> {
        let others = release.len();
        for (group, bookings) in &bookings {
            let bookings: Vec<&BookingId> = bookings.iter().collect();
            release.push(self.release_command(group, &bookings, ReleaseReason::Released));
        }
        let replies = self.redis.pipeline_unordered(release).await?;
        for (group, reply) in bookings.keys().zip(replies.into_iter().skip(others)) {
            self.released(group, reply)?;
        }
        Ok(())
    }

    /// Relays the events of active services that are no longer due in the cleanup index. If that fails, they are due again
    /// as they were.
    async fn relay_active(&self, services: Vec<(ServiceId, i64)>) -> Result<(), StoreError> {
        let outboxes = services.iter().map(|(id, _)| Outbox::Service(id.clone()));
        let relayed = self.relay(&outboxes.collect::<Vec<_>>()).await;
        if relayed.is_err() {
            let again = services.iter().map(|(id, due)| {
                self.schedule_cleanup_at(
                    id,
                    Timestamp::from_millis(*due).after(OUTBOX_RETRY_INTERVAL),
                )
            });
            self.redis.pipeline_unordered(again.collect()).await?;
        }
        relayed
    }

    /// The command that removes the released `fields` from the resources of `id`. All of an id that is never used
    /// again can be removed; a custom id may have new ones.
    fn remove_released_command(&self, id: &ServiceId, fields: &[String]) -> Cmd {
        let owned = self.keys.owned(id);
        if id.is_custom() {
            return evalsha(&REMOVE_RELEASED, &[owned]).arg(fields).to_owned();
        }
        cmd("UNLINK").arg(owned).to_owned()
    }

    /// The command that removes `id` from the cleanup index. A custom id may be in use again: it is removed only if it
    /// was `due` since; the sweep finds it if it is not known when.
    fn remove_from_index_command(&self, id: &ServiceId, due: Option<i64>) -> Option<Cmd> {
        if id.is_custom() {
            let mut remove = evalsha(&RESCHEDULE_CLEANUP, &[self.keys.index(id)]);
            remove.arg(id.as_str()).arg(due?).arg("");
            return Some(remove);
        }
        let mut remove = cmd("ZREM");
        remove.arg(self.keys.index(id)).arg(id.as_str());
        Some(remove)
    }

    /// The command that reschedules the sweep of `id` from `due` to `when`, unless it was rescheduled
    /// since.
    fn reschedule_cleanup(&self, id: &ServiceId, due: i64, when: Timestamp) -> Cmd {
        let mut reschedule = evalsha(&RESCHEDULE_CLEANUP, &[self.keys.index(id)]);
        reschedule.arg(id.as_str()).arg(due).arg(when.millis());
        reschedule
    }
}
