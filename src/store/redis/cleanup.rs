//! The cleanup after services have ended: it releases their resources outside of `svc:{id}`.
//!
//! Redis notifies every replica that `svc:{id}` is gone. The cleanup leader, the replica that has the
//! lease, runs `claim_cleanup.lua`, which decides atomically that the service has ended (forged or late
//! messages about an active service have no effect) and returns its resources. The leader releases them
//! and then deletes the list of them. Every step is idempotent. Keyspace notifications are
//! fire-and-forget, so every few seconds the leader also sweeps the cleanup index for ids that are due,
//! and the groups for expired bookings. If the leader fails, another replica acquires the lease within
//! seconds.

use std::{sync::Arc, time::Duration};

use redis::cmd;
use tokio::{
    sync::{mpsc, watch},
    time,
};
use tracing::{debug, info, warn};
use uuid::Uuid;

mod reconcile;
mod release;

use super::{
    RedisStore,
    backend_session::EndedService,
    bookings::EXPIRED_BATCH,
    connection::parse_reply,
    keys, millis,
    scripts::{LEASE, evalsha},
};
use crate::{
    model::{Groups, ServiceId, StoreError, readiness::Readiness},
    store::{BackendSessions, webhook_hub::Outbox},
};

/// The TTL of the cleanup lease, and the interval of its renewal.
const LEASE_TTL: Duration = Duration::from_secs(5);
const LEASE_RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// The interval of the sweep of the index and the groups.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// The interval of the search for bookings of ended services.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(10);
/// The number of services cleaned up at once: as many as Redis processes in about a millisecond; and the number of such
/// batches at the same time, because each takes several round trips.
const BATCH: usize = 64;
const CONCURRENT_BATCHES: usize = 4;
/// The maximum number of queued ended services; the sweep finds those that are dropped.
const MAX_QUEUED_SERVICES: usize = 100_000;
/// The maximum number of queued services whose sessions are to be terminated; the sweep finds those that
/// are dropped.
const MAX_QUEUED_SESSIONS: usize = 10_000;
/// Added to the termination timeout, to allow for time in the queue.
const TERMINATE_MARGIN: Duration = Duration::from_secs(5);
/// The interval of the search for webhook endpoints that are not used any more, and the time after which they are removed.
const ENDPOINT_CHECK_INTERVAL: Duration = Duration::from_secs(2 * 3_600);
const UNUSED_ENDPOINT_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A service that has presumably ended.
struct CleanupCandidate {
    id: ServiceId,
    /// Its score, if it was found in the cleanup index; `None` if it comes from a notification.
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

/// The cleanup task of one replica.
struct Cleaner<'a> {
    store: &'a RedisStore,
    groups: watch::Receiver<Groups>,
    /// The queue of the session termination, and the delay after which the sweep checks its success.
    ended_services: mpsc::Sender<EndedService>,
    reschedule_delay: Duration,
    replica: String,
    renewed_at: time::Instant,
    swept_at: Option<time::Instant>,
    reconciled_at: Option<time::Instant>,
    endpoints_checked_at: time::Instant,
}

impl RedisStore {
    /// Runs the cleanup, and synchronizes `groups`, until the future is dropped. Problems of Redis that
    /// affect requests are reported to `readiness`. `sessions` terminates the backend sessions of ended
    /// services concurrently, so that an unresponsive backend delays nothing else.
    pub async fn clean_up(
        self: Arc<Self>,
        groups: watch::Receiver<Groups>,
        sessions: Arc<dyn BackendSessions>,
        readiness: Readiness,
    ) {
        let (ended, queue) = mpsc::channel(MAX_QUEUED_SERVICES);
        let (sessions_sender, session_queue) = mpsc::channel(MAX_QUEUED_SESSIONS);
        let current_groups = groups.clone();
        let mut cleaner = Cleaner {
            store: &self,
            groups,
            ended_services: sessions_sender,
            reschedule_delay: sessions.terminate_timeout() + TERMINATE_MARGIN,
            replica: Uuid::new_v4().to_string(),
            renewed_at: time::Instant::now(),
            swept_at: None,
            reconciled_at: None,
            endpoints_checked_at: time::Instant::now(),
        };
        let termination = self.terminate_sessions(session_queue, &*sessions);
        let statistics = self.collect_deployment_stats(current_groups);
        let checks = self.monitor_servers(&readiness);
        tokio::join!(
            self.listen(ended),
            self.relay_events(),
            cleaner.run(queue),
            termination,
            statistics,
            checks
        );
    }
}

impl Cleaner<'_> {
    async fn run(&mut self, mut queue: mpsc::Receiver<ServiceId>) {
        let mut ended = Vec::with_capacity(CONCURRENT_BATCHES * BATCH);
        let mut failing = false;
        let mut ticks = time::interval(LEASE_RENEW_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            let result = tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await,
                Ok(()) = self.groups.changed() => self.sync_groups().await,
                _ = queue.recv_many(&mut ended, CONCURRENT_BATCHES * BATCH) => {
                    let candidates: Vec<CleanupCandidate> = ended.drain(..).map(CleanupCandidate::from_notification).collect();
                    if self.is_leader() { self.release_all(&candidates).await } else { Ok(()) }
                }
            };
            match (&result, failing) {
                (Err(error), false) => warn!(%error, "cleanup failed, retrying"),
                (Err(error), true) => debug!(%error, "cleanup still failing"),
                (Ok(()), true) => info!("cleanup recovered"),
                (Ok(()), false) => {}
            }
            failing = result.is_err();
            if failing {
                self.store.cleanup.add_error();
            }
        }
    }

    fn is_leader(&self) -> bool {
        self.store.cleanup.is_leader()
    }

    async fn tick(&mut self) -> Result<(), StoreError> {
        self.renew_lease().await?;
        let due = self
            .swept_at
            .is_none_or(|swept| swept.elapsed() >= SWEEP_INTERVAL);
        if self.is_leader() && due {
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

    /// Only one replica configures the groups, so that different catalogs do not overwrite each other
    /// repeatedly.
    async fn sync_groups(&mut self) -> Result<(), StoreError> {
        if !self.is_leader() {
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
        let acquired: Result<bool, StoreError> = self.store.redis.query(&lease).await;
        let is_leader = *acquired.as_ref().unwrap_or(&false);
        let was_leader = self.is_leader();
        self.store.cleanup.set_leader(is_leader);
        self.renewed_at = time::Instant::now();
        match (was_leader, is_leader) {
            (false, true) => info!("replica became cleanup leader"),
            (true, false) => info!("replica is no longer cleanup leader"),
            _ => {}
        }
        acquired.map(drop)
    }

    /// Cleans up everything that is due in the index, independent of notifications.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        // What is rescheduled meanwhile is left to the next sweep.
        let now = self.store.redis.now()?.millis();
        loop {
            let mut commands = Vec::new();
            for shard in 0..keys::SHARDS {
                let mut due = cmd("ZRANGEBYSCORE");
                due.arg(self.store.keys.index_shard(shard))
                    .arg("-inf")
                    .arg(now);
                due.arg("WITHSCORES").arg("LIMIT").arg(0).arg(BATCH);
                commands.push(due);
            }
            let mut due = Vec::new();
            for shard in self.store.redis.pipeline_unordered(commands).await? {
                let listed: Vec<(String, i64)> = parse_reply(shard)?;
                due.extend(listed.into_iter().map(CleanupCandidate::from_index));
            }
            if due.is_empty() {
                break;
            }
            for batches in due.chunks(CONCURRENT_BATCHES * BATCH) {
                self.release_all(batches).await?;
            }
        }
        let groups = self.groups.borrow().clone();
        let current = groups.current.iter().map(|group| &group.name);
        for group in current.chain(&groups.retired) {
            while self.store.reclaim(group, EXPIRED_BATCH).await? == EXPIRED_BATCH {
                self.renew_lease_if_due().await?;
            }
        }
        let current = groups.current.iter().map(|group| &group.name);
        let outboxes = current.chain(&groups.retired).cloned().map(Outbox::Group);
        // The next sweep relays what remains.
        self.store.relay(outboxes.collect()).await;
        self.remove_unused_endpoints().await;
        // Last, and regardless of the result: nothing depends on the list.
        if let Err(error) = self.store.prune_listings().await {
            debug!(%error, "expired services not removed from the list");
        }
        Ok(())
    }

    /// Removes webhook endpoints that no replica has had in its catalog for a week. Not in the first interval, in which
    /// the replicas record the endpoints of their catalogs.
    async fn remove_unused_endpoints(&mut self) {
        if self.endpoints_checked_at.elapsed() < ENDPOINT_CHECK_INTERVAL {
            return;
        }
        self.endpoints_checked_at = time::Instant::now();
        let remove = async {
            let since = self.store.redis.now()?.before(UNUSED_ENDPOINT_TTL);
            self.store.remove_unused_endpoints(since).await
        };
        if let Err(error) = remove.await {
            debug!(%error, "unused webhook endpoints not removed");
        }
    }

    /// Renews the lease during long work, if it is due.
    async fn renew_lease_if_due(&mut self) -> Result<(), StoreError> {
        if self.renewed_at.elapsed() >= LEASE_RENEW_INTERVAL {
            self.renew_lease().await?;
        }
        Ok(())
    }
}
