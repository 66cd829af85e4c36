//! What happens after a service has ended: what it held outside its hash is given back.
//!
//! Redis tells every replica that `svc:{id}` is gone. One of them, whoever has the lease, asks
//! `claim_cleanup.lua`, which decides in one step that the service is over (a forged or late message about
//! a living one does nothing) and what it held; that is given back, and then the list of it is
//! dropped. Every step may be done twice. Redis' messages are fire-and-forget, so every few seconds the
//! same replica also sweeps the index for ids that are due, and the groups for bookings that have run
//! out. If it dies, another one has the lease within seconds.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use redis::{Cmd, cmd};
use tokio::{
    sync::{mpsc, watch},
    time,
};
use tracing::{debug, info, warn};
use uuid::Uuid;

mod reconcile;

use super::{
    RedisStore,
    backend_session::EndedService,
    connection::parse_reply,
    keys::{self, OwnedResource},
    millis,
    script_reply::ScriptReply,
    scripts::{CLAIM_CLEANUP, LEASE, RESCHEDULE_CLEANUP, evalsha},
};
use crate::{
    model::readiness::Readiness,
    store::{BackendSessions, BookingId, Groups, ServiceId, StoreError, Timestamp},
    telemetry::metrics::{CLEANUP_FAILURES, CLEANUP_LEADER, CLEANUP_SERVICES},
};

/// How long a replica that dies keeps the others from cleaning up, and how often it says it lives.
const LEASE_TTL: Duration = Duration::from_secs(5);
const LEASE_RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// How often the index and the groups are swept.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How often the groups are walked through for bookings of services that are gone.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(10);
/// Services given back in one go: as many as Redis works off in about a millisecond.
const BATCH: usize = 64;
/// Ended services that may wait to be given back; the sweep finds what does not fit.
const MAX_QUEUED_SERVICES: usize = 100_000;
/// Services whose sessions may wait to be ended; the sweep finds what does not fit.
const MAX_QUEUED_SESSIONS: usize = 10_000;
/// Added to the time that ending a session may take: for what is waiting before it.
const TERMINATE_MARGIN: Duration = Duration::from_secs(5);
/// Bookings that have run out, given back in one go.
const EXPIRED_BATCH: usize = 200;
/// When a service whose list cannot be understood is looked at again.
const CORRUPT_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// A service that is over, as far as is known.
struct CleanupCandidate {
    id: ServiceId,
    /// When it was to be looked after, where it was found in the index; else Redis told of it.
    due: Option<i64>,
}

impl CleanupCandidate {
    fn from_notification(id: ServiceId) -> Self {
        Self { id, due: None }
    }

    fn from_index((id, due): (String, i64)) -> Self {
        Self {
            id: ServiceId::from(id),
            due: Some(due),
        }
    }
}

/// One replica's part in the clean-up.
struct Cleaner<'a> {
    store: &'a RedisStore,
    groups: watch::Receiver<Groups>,
    /// Where sessions go that are to be ended, and after which time somebody looks whether they were.
    ended_services: mpsc::Sender<EndedService>,
    reschedule_delay: Duration,
    replica: String,
    is_leader: bool,
    /// Tells whoever does what only one replica is to do.
    leadership: watch::Sender<bool>,
    renewed_at: time::Instant,
    swept_at: Option<time::Instant>,
    reconciled_at: Option<time::Instant>,
}

impl RedisStore {
    /// Cleans up after services that end, and keeps `groups` filled, for as long as it is polled.
    /// What is wrong with Redis is reported to `readiness` where it keeps requests from being served.
    /// Sessions that they held are ended by `sessions`, beside everything else: a backend that does
    /// not answer holds nothing up.
    pub async fn clean_up(
        self: Arc<Self>,
        groups: watch::Receiver<Groups>,
        sessions: Arc<dyn BackendSessions>,
        readiness: Readiness,
    ) {
        let (ended, queue) = mpsc::channel(MAX_QUEUED_SERVICES);
        let (over, held) = mpsc::channel(MAX_QUEUED_SESSIONS);
        let (tell, leads) = watch::channel(false);
        let surveyed = groups.clone();
        let mut cleaner = Cleaner {
            store: &self,
            groups,
            ended_services: over,
            reschedule_delay: sessions.terminate_timeout() + TERMINATE_MARGIN,
            replica: Uuid::new_v4().to_string(),
            is_leader: false,
            leadership: tell,
            renewed_at: time::Instant::now(),
            swept_at: None,
            reconciled_at: None,
        };
        let ending = self.terminate_sessions(held, &*sessions);
        let survey = self.report_shared_metrics(surveyed, leads);
        let checks = self.monitor_servers(&readiness);
        tokio::join!(
            self.listen(ended),
            cleaner.run(queue),
            ending,
            survey,
            checks
        );
    }
}

impl Cleaner<'_> {
    async fn run(&mut self, mut queue: mpsc::Receiver<ServiceId>) {
        let mut ended = Vec::with_capacity(BATCH);
        let mut failing = false;
        let mut ticks = time::interval(LEASE_RENEW_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            let worked = tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await,
                Ok(()) = self.groups.changed() => self.sync_groups().await,
                _ = queue.recv_many(&mut ended, BATCH) => {
                    let told: Vec<CleanupCandidate> = ended.drain(..).map(CleanupCandidate::from_notification).collect();
                    if self.is_leader { self.release_all(&told).await } else { Ok(()) }
                }
            };
            match (&worked, failing) {
                (Err(error), false) => warn!(%error, "the clean-up stands still, and tries again"),
                (Err(error), true) => debug!(%error, "the clean-up still stands still"),
                (Ok(()), true) => info!("the clean-up goes on"),
                (Ok(()), false) => {}
            }
            failing = worked.is_err();
            CLEANUP_FAILURES.add(u64::from(failing));
        }
    }

    async fn tick(&mut self) -> Result<(), StoreError> {
        self.renew_lease().await?;
        let due = self
            .swept_at
            .is_none_or(|swept| swept.elapsed() >= SWEEP_INTERVAL);
        if self.is_leader && due {
            self.sweep().await?;
            self.swept_at = Some(time::Instant::now());
            self.sync_groups().await?;
            let due = self
                .reconciled_at
                .is_none_or(|reconciled| reconciled.elapsed() >= RECONCILE_INTERVAL);
            if due {
                self.reconcile().await?;
                self.reconciled_at = Some(time::Instant::now());
            }
        }
        Ok(())
    }

    /// One replica decides what the groups consist of, so that two catalogues do not take turns.
    async fn sync_groups(&mut self) -> Result<(), StoreError> {
        if !self.is_leader {
            return Ok(());
        }
        let groups = self.groups.borrow_and_update().clone();
        for group in &groups.current {
            self.store.sync_group(group).await?;
            self.renew_lease_if_due().await?;
        }
        for group in &groups.retired {
            self.store.empty_group(group).await?;
        }
        Ok(())
    }

    async fn renew_lease(&mut self) -> Result<(), StoreError> {
        let mut lease = evalsha(&LEASE, &[self.store.keys.cleanup_lease()]);
        lease.arg(&self.replica).arg(millis(LEASE_TTL));
        let leads: Result<bool, StoreError> = self.store.redis.query(&lease).await;
        let led = self.is_leader;
        self.is_leader = *leads.as_ref().unwrap_or(&false);
        CLEANUP_LEADER.set(self.is_leader);
        self.leadership
            .send_if_modified(|told| mem::replace(told, self.is_leader) != self.is_leader);
        self.renewed_at = time::Instant::now();
        match (led, self.is_leader) {
            (false, true) => info!("this replica cleans up after services"),
            (true, false) => info!("this replica no longer cleans up after services"),
            _ => {}
        }
        leads.map(drop)
    }

    /// Gives back what is due by the books, whatever Redis told.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        loop {
            let mut look = Vec::new();
            let now = self.store.redis.now()?.millis();
            for shard in 0..keys::SHARDS {
                let mut due = cmd("ZRANGEBYSCORE");
                due.arg(self.store.keys.index_shard(shard))
                    .arg("-inf")
                    .arg(now);
                due.arg("WITHSCORES").arg("LIMIT").arg(0).arg(BATCH);
                look.push(due);
            }
            let mut due = Vec::new();
            for shard in self.store.redis.pipeline_unordered(look).await? {
                let listed: Vec<(String, i64)> = parse_reply(shard)?;
                due.extend(listed.into_iter().map(CleanupCandidate::from_index));
            }
            if due.is_empty() {
                break;
            }
            for batch in due.chunks(BATCH) {
                self.release_all(batch).await?;
            }
        }
        let groups = self.groups.borrow().clone();
        let current = groups.current.iter().map(|group| &group.name);
        for group in current.chain(&groups.retired) {
            while self.store.reclaim(group, EXPIRED_BATCH).await? == EXPIRED_BATCH {
                self.renew_lease_if_due().await?;
            }
        }
        // Last, and whatever becomes of it: it is a list to look at, and nothing depends on it.
        if let Err(error) = self.store.prune_listings().await {
            debug!(%error, "the list of services has some in it that have ended");
        }
        Ok(())
    }

    /// Renews the lease when it is time, in the middle of much work.
    async fn renew_lease_if_due(&mut self) -> Result<(), StoreError> {
        if self.renewed_at.elapsed() >= LEASE_RENEW_INTERVAL {
            self.renew_lease().await?;
        }
        Ok(())
    }

    async fn release_all(&mut self, ended: &[CleanupCandidate]) -> Result<(), StoreError> {
        self.renew_lease_if_due().await?;
        match self.release_batch(ended).await {
            Err(StoreError::Bug(_) | StoreError::Corrupt(_)) => {}
            other => return other,
        }
        // Something among them cannot be given back; it must not keep the others from it.
        for one in ended {
            let CleanupCandidate { id, due } = one;
            let one = self.release_batch(std::slice::from_ref(one)).await;
            if let Err(error @ (StoreError::Bug(_) | StoreError::Corrupt(_))) = one {
                warn!(id = %id.redacted(), %error, "what an ended service held cannot be given back");
                if let Some(due) = due {
                    let later = self.store.redis.now()?.after(CORRUPT_RETRY_INTERVAL);
                    let again = self.store.session_recheck_after(id, *due, later);
                    self.store.redis.query::<()>(&again).await?;
                }
            } else {
                one?;
            }
        }
        Ok(())
    }

    /// Gives back what those of `ended` held that are over: four round trips for all of them. One that
    /// holds a session stays listed until that is ended.
    async fn release_batch(&self, ended: &[CleanupCandidate]) -> Result<(), StoreError> {
        let (store, now) = (self.store, self.store.redis.now()?);
        let take = |CleanupCandidate { id, .. }: &CleanupCandidate| {
            let mut take = evalsha(
                &CLAIM_CLEANUP,
                &[store.keys.service(id), store.keys.owned(id)],
            );
            take.arg(now.millis());
            take
        };
        let replies = store
            .redis
            .pipeline_unordered(ended.iter().map(take).collect())
            .await?;
        let (mut give, mut lists, mut index) = (Vec::new(), Vec::new(), Vec::new());
        let (mut over, mut given) = (Vec::new(), 0);
        let mut bookings: HashMap<String, Vec<BookingId>> = HashMap::new();
        for (CleanupCandidate { id, due }, reply) in ended.iter().zip(replies) {
            match parse_reply(reply)? {
                ScriptReply::Done(held) => {
                    let (mut blobs, mut sessions) = (Vec::new(), Vec::new());
                    let mut held = held.into_iter();
                    let since = held.next().and_then(|since| since.parse().ok());
                    let held: Vec<String> = held.collect();
                    for field in held.iter().filter(|field| *field != keys::ENDED_SINCE) {
                        let owned = OwnedResource::parse(field);
                        let unknown = || {
                            StoreError::Corrupt(format!(
                                "service {} holds {field:?}",
                                id.redacted()
                            ))
                        };
                        match owned.ok_or_else(unknown)? {
                            OwnedResource::Blob(blob) => blobs.push(store.keys.blob(id, &blob)),
                            OwnedResource::Booking(group, booking) => {
                                bookings.entry(group).or_default().push(booking);
                            }
                            OwnedResource::Session(session) => sessions.push(session),
                        }
                    }
                    if !blobs.is_empty() {
                        give.push(cmd("UNLINK").arg(blobs).to_owned());
                    }
                    if !sessions.is_empty() {
                        index.push(store.schedule_cleanup_at(id, now.after(self.reschedule_delay)));
                        over.push(EndedService {
                            id: id.clone(),
                            sessions,
                            since: since.map_or(now, Timestamp::from_millis),
                        });
                    } else if due.is_some() || !held.is_empty() {
                        given += u64::from(!held.is_empty());
                        lists.push(cmd("UNLINK").arg(store.keys.owned(id)).to_owned());
                        let mut remove = cmd("ZREM");
                        remove.arg(store.keys.index(id)).arg(id.as_str());
                        index.push(remove);
                    }
                }
                // It lives; where the index says otherwise, its end was moved.
                ScriptReply::Refused(end) => {
                    let Some(due) = due else { continue };
                    let end = end.first().and_then(|end| end.parse().ok()).unwrap_or(0);
                    let soon = store.redis.now()?.after(Duration::from_secs(1));
                    let when = Timestamp::from_millis(end).max(soon);
                    index.push(store.session_recheck_after(id, *due, when));
                }
                other => return Err(other.unexpected()),
            }
        }
        for (group, bookings) in &bookings {
            let bookings: Vec<&BookingId> = bookings.iter().collect();
            give.push(store.release_command(group, &bookings));
        }
        store.redis.pipeline_unordered(give).await?;
        // In this order: an entry without a list is taken off by the sweep, a list without an entry stays.
        store.redis.pipeline_unordered(lists).await?;
        store.redis.pipeline_unordered(index).await?;
        CLEANUP_SERVICES.add(given);
        for one in over {
            drop(self.ended_services.try_send(one));
        }
        Ok(())
    }
}

impl RedisStore {
    /// Has the sweep look after `id` at `when` and not when it was due, unless that was changed since.
    fn session_recheck_after(&self, id: &ServiceId, due: i64, when: Timestamp) -> Cmd {
        let mut again = evalsha(&RESCHEDULE_CLEANUP, &[self.keys.index(id)]);
        again.arg(id.as_str()).arg(due).arg(when.millis());
        again
    }
}
