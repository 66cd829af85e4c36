//! The release of the resources of ended services.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::future::join_all;
use redis::{Cmd, cmd};
use tracing::warn;

use super::{BATCH, Cleaner, CleanupCandidate};
use crate::{
    model::{BackendSession, BookingId, ServiceId, StoreError, Timestamp},
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

/// The delay before an outbox whose events were not relayed is due again.
const OUTBOX_RETRY_INTERVAL: Duration = Duration::from_secs(10);

impl Cleaner<'_> {
    /// Releases the resources of those of `ended` that have ended, in concurrent batches. One whose resources cannot be
    /// released does not prevent the release of the others.
    pub(super) async fn release_all(
        &mut self,
        ended: &[CleanupCandidate],
    ) -> Result<(), StoreError> {
        self.renew_lease_if_due().await?;
        let mut ids = HashSet::new();
        let once = ended.iter().filter(|candidate| ids.insert(&candidate.id));
        let ended: Vec<&CleanupCandidate> = once.collect();
        let batches = ended.chunks(BATCH).map(|batch| self.release_each(batch));
        join_all(batches).await.into_iter().collect()
    }

    async fn release_each(&self, ended: &[&CleanupCandidate]) -> Result<(), StoreError> {
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

    /// Releases the resources of those of `candidates` that have ended: four round trips for all of them, and three for
    /// their webhook events. The resources of a service with backend sessions remain recorded until those are
    /// terminated; those of a service whose events could not be relayed, until they are.
    async fn release_batch(&self, candidates: &[&CleanupCandidate]) -> Result<(), StoreError> {
        let (store, now) = (self.store, self.store.redis.now()?);
        let claims = candidates
            .iter()
            .map(|candidate| store.claim_cleanup(candidate, now));
        let replies = store.redis.pipeline_unordered(claims.collect()).await?;
        let (mut ended, mut active) = (Vec::new(), Vec::new());
        for (candidate, reply) in candidates.iter().copied().zip(replies) {
            match parse_reply(reply)? {
                ScriptReply::Done(reply) => match Claimed::parse(candidate, now, reply) {
                    Ok(claimed) => ended.push(claimed),
                    Err((error, has_events)) => {
                        if has_events && candidates.len() == 1 {
                            let outbox = Outbox::Service(candidate.id.clone());
                            store.relay(vec![outbox]).await;
                        }
                        return Err(error);
                    }
                },
                ScriptReply::Refused(reply) => active.push((candidate, reply)),
                other => return Err(other.unexpected()),
            }
        }
        let (mut release, mut bookings) = (Vec::new(), HashMap::new());
        for claimed in &mut ended {
            claimed.release(store, &mut release, &mut bookings);
        }
        store.release_resources(release, bookings).await?;
        let with_events = ended.iter().filter(|claimed| claimed.has_events);
        let outboxes = with_events.map(|claimed| Outbox::Service(claimed.candidate.id.clone()));
        let not_relayed = store.relay(outboxes.collect()).await;
        self.finish_release(ended, &not_relayed, now).await?;
        self.reschedule_active(active).await
    }

    /// Removes the records of services whose resources were released, except for those whose sessions are to be
    /// terminated or whose events are to be relayed.
    async fn finish_release(
        &self,
        ended: Vec<Claimed<'_>>,
        not_relayed: &HashSet<Outbox>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let store = self.store;
        let (mut lists, mut index) = (Vec::new(), Vec::new());
        let (mut with_sessions, mut released) = (Vec::new(), 0);
        for claimed in ended {
            let CleanupCandidate { id, due } = claimed.candidate;
            let has_events =
                claimed.has_events && not_relayed.contains(&Outbox::Service(id.clone()));
            if has_events {
                // One without an index entry that is due is scheduled already.
                let retry_at = now.after(OUTBOX_RETRY_INTERVAL);
                index.extend(due.map(|due| store.reschedule_cleanup(id, due, retry_at)));
            } else if !claimed.sessions.is_empty() {
                let retry_at = now.after(self.reschedule_delay);
                index.push(store.schedule_cleanup_at(id, retry_at));
                with_sessions.push(EndedService {
                    id: id.clone(),
                    sessions: claimed.sessions,
                    since: claimed.since,
                });
            } else if due.is_some() || !claimed.fields.is_empty() {
                released += u64::from(!claimed.fields.is_empty());
                lists.push(store.remove_released_command(id, &claimed.fields));
                index.extend(store.remove_from_index_command(id, *due));
            }
        }
        // This order is required: the sweep removes an entry without a list, but a list without an entry
        // would never be deleted.
        store.redis.pipeline_unordered(lists).await?;
        store.redis.pipeline_unordered(index).await?;
        store.cleanup.add_released_services(released);
        for service in with_sessions {
            drop(self.ended_services.try_send(service));
        }
        Ok(())
    }

    /// Reschedules active services, and relays their events. If the index has another time than the expiration of one, its
    /// expiration was changed, or it has events: it is due again soon, because this leader may crash.
    async fn reschedule_active(
        &self,
        active: Vec<(&CleanupCandidate, Vec<String>)>,
    ) -> Result<(), StoreError> {
        let store = self.store;
        let (mut index, mut outboxes) = (Vec::new(), Vec::new());
        let now = store.redis.now()?;
        for (CleanupCandidate { id, due }, reply) in active {
            let Some(due) = due else { continue };
            let mut reply = reply.iter();
            let end = reply.next().and_then(|end| end.parse().ok()).unwrap_or(0);
            let mut when = Timestamp::from_millis(end);
            if let Some(has_events) = reply.next() {
                outboxes.push(Outbox::Service(id.clone()));
                if has_events == "1" {
                    when = when.min(now.after(OUTBOX_RETRY_INTERVAL));
                }
            }
            let when = when.max(now.after(Duration::from_secs(1)));
            index.push(store.reschedule_cleanup(id, *due, when));
        }
        store.redis.pipeline_unordered(index).await?;
        store.relay(outboxes).await;
        Ok(())
    }
}

/// A service that has ended, and its resources.
struct Claimed<'a> {
    candidate: &'a CleanupCandidate,
    /// The time at which the cleanup first detected its end.
    since: Timestamp,
    /// The fields of `own:{id}`.
    fields: Vec<String>,
    resources: Vec<OwnedResource>,
    sessions: Vec<BackendSession>,
    has_events: bool,
}

impl<'a> Claimed<'a> {
    /// Parses the reply of the claim. With an error, also returns whether the service may have events.
    fn parse(
        candidate: &'a CleanupCandidate,
        now: Timestamp,
        reply: Vec<String>,
    ) -> Result<Self, (StoreError, bool)> {
        let mut reply = reply.into_iter();
        let since = reply.next().and_then(|since| since.parse().ok());
        let fields: Vec<String> = reply.collect();
        let named = fields.iter().filter(|field| *field != keys::ENDED_SINCE);
        let parsed: Vec<_> = named
            .map(|field| OwnedResource::parse(field).ok_or(field))
            .collect();
        let has_events = parsed
            .iter()
            .any(|one| matches!(one, Ok(OwnedResource::Webhook)));
        let resources: Result<Vec<_>, _> = parsed.into_iter().collect();
        let resources = resources.map_err(|field| {
            let id = candidate.id.redacted();
            let error = format!("unknown resource {field:?} of service {id}");
            (StoreError::Corrupt(error), has_events)
        })?;
        Ok(Self {
            candidate,
            since: since.map_or(now, Timestamp::from_millis),
            fields,
            resources,
            sessions: Vec::new(),
            has_events,
        })
    }

    /// Adds the commands that release its binaries and its chat, and its bookings. Retains its sessions.
    fn release(
        &mut self,
        store: &RedisStore,
        commands: &mut Vec<Cmd>,
        bookings: &mut HashMap<String, Vec<BookingId>>,
    ) {
        let (id, mut blobs) = (&self.candidate.id, Vec::new());
        for owned in self.resources.drain(..) {
            match owned {
                OwnedResource::Blob(blob) => blobs.push(store.keys.blob(id, &blob)),
                OwnedResource::Booking(group, booking) => {
                    bookings.entry(group).or_default().push(booking);
                }
                OwnedResource::Session(session) => self.sessions.push(session),
                OwnedResource::Webhook => {}
                OwnedResource::Chat => commands.extend(store.remove_chat_commands(id)),
            }
        }
        if !blobs.is_empty() {
            commands.push(cmd("UNLINK").arg(blobs).to_owned());
        }
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

    /// The command that decides whether a service has ended.
    fn claim_cleanup(&self, candidate: &CleanupCandidate, now: Timestamp) -> Cmd {
        let id = &candidate.id;
        let keys = [
            self.keys.service(id),
            self.keys.owned(id),
            self.keys.events(id),
        ];
        let mut claim = evalsha(&CLAIM_CLEANUP, &keys);
        claim.arg(now.millis()).arg(id.as_str());
        claim
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
