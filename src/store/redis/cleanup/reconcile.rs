//! Reconciliation of resource groups: it finds bookings of ended services whose `own:{id}` is gone too,
//! and groups that have lost keys.
//!
//! Redis may evict single keys, an operator may delete some, and a failover in a Cluster may lose recent
//! writes. All bookings are compared with their services every few seconds, so a number is released
//! within a minute of the end of its service even if all other records of it are lost.

use std::{collections::HashSet, time::Duration};

use redis::cmd;
use tracing::warn;

use super::{Cleaner, CleanupCandidate};
use crate::{
    model::{AllocationStrategy, BookingId, Group, ServiceId, StoreError, Timestamp},
    store::redis::{
        RedisStore,
        bookings::{PENDING_CREATE_TTL, ReleaseReason, strategy_name},
        connection::parse_reply,
        scripts::{GROUP_COUNTS, REPAIR_GROUP, evalsha},
    },
};

/// The number of bookings read at once.
const BATCH: usize = 500;
/// Added to the time after which a pending create must have completed.
const PENDING_CREATE_MARGIN: Duration = Duration::from_secs(2);

/// Bookings of one group whose services do not exist.
#[derive(Debug)]
struct Orphans {
    bookings: Vec<(BookingId, ServiceId)>,
    /// The number of bookings that were read.
    read: usize,
    /// Whether those were the last ones of the group.
    is_last: bool,
}

/// The number of entries in the keys of a group.
struct GroupCounts {
    is_filled: bool,
    numbers: u64,
    free: u64,
    booked: u64,
    bookings: u64,
    index: u64,
    codes: u64,
    /// The number of sampled bookings whose code is missing in the codes.
    missing_codes: u64,
    quarantined: u64,
}

impl GroupCounts {
    /// Whether the counts are plausible for a group without lost keys.
    fn are_consistent(&self, strategy: AllocationStrategy) -> bool {
        let free = match strategy {
            AllocationStrategy::Exclusive => self.free + self.bookings >= self.numbers,
            AllocationStrategy::Random | AllocationStrategy::RoundRobin => {
                self.free >= self.numbers
            }
        };
        let indexed = (self.bookings..=2 * self.bookings).contains(&self.index);
        let codes = self.codes <= self.bookings && self.missing_codes == 0;
        free && indexed && codes && self.booked == self.bookings
    }
}

impl Cleaner<'_> {
    /// Releases bookings of ended services that nothing else lists, and repairs groups that have lost
    /// keys.
    pub(super) async fn reconcile(&mut self) -> Result<(), StoreError> {
        let groups = self.groups.borrow().clone();
        for group in &groups.current {
            self.store.repair_group(group).await?;
            self.renew_lease_if_due().await?;
        }
        let current = groups.current.iter().map(|group| &group.name);
        for group in current.chain(&groups.retired) {
            let (mut start, mut released) = (0, 0);
            loop {
                let orphans = self.store.find_orphans(group, start).await?;
                let released_in_batch = self.release_orphans(group, orphans.bookings).await?;
                // The remaining bookings have moved up.
                start += orphans.read.saturating_sub(released_in_batch);
                released += released_in_batch;
                if orphans.is_last {
                    break;
                }
            }
            if released > 0 {
                warn!(group, bookings = released, "orphaned bookings released");
            }
        }
        Ok(())
    }

    async fn release_orphans(
        &mut self,
        group: &str,
        orphans: Vec<(BookingId, ServiceId)>,
    ) -> Result<usize, StoreError> {
        if orphans.is_empty() {
            return self.renew_lease_if_due().await.map(|()| 0);
        }
        let candidate = |(_, service): &(BookingId, ServiceId)| {
            CleanupCandidate::from_notification(service.clone())
        };
        let ended: Vec<CleanupCandidate> = orphans.iter().map(candidate).collect();
        // After this none of these services can be created any more.
        for batch in ended.chunks(super::BATCH) {
            self.release_all(batch).await?;
        }
        let orphans = self.store.without_service(orphans).await?;
        let bookings: Vec<&BookingId> = orphans.iter().map(|(booking, _)| booking).collect();
        if bookings.is_empty() {
            return Ok(0);
        }
        let release = self
            .store
            .release_command(group, &bookings, ReleaseReason::Released);
        let reply = self.store.redis.query(&release).await?;
        self.store.released(group, reply)
    }
}

impl RedisStore {
    /// Repairs the keys of a group if some were lost.
    async fn repair_group(&self, group: &Group) -> Result<(), StoreError> {
        let keys = self.keys.group_with_quarantine(&group.name);
        let counts = self.redis.query(&evalsha(&GROUP_COUNTS, &keys)).await?;
        let [
            is_filled,
            numbers,
            free,
            booked,
            bookings,
            index,
            codes,
            missing_codes,
            quarantined,
        ]: [u64; 9] = counts;
        let counts = GroupCounts {
            is_filled: is_filled == 1,
            numbers,
            free,
            booked,
            bookings,
            index,
            codes,
            missing_codes,
            quarantined,
        };
        // More, if a replica that knows no quarantine has added a quarantined number.
        let known = counts.numbers + counts.quarantined;
        if counts.is_filled && known != group.numbers.len() as u64 {
            self.resync_group(group).await?;
        } else if counts.are_consistent(group.strategy) {
            return Ok(());
        }
        let mut repair = evalsha(&REPAIR_GROUP, &self.keys.group(&group.name));
        repair.arg(strategy_name(group.strategy));
        let changed: u64 = self.redis.query(&repair).await?;
        if changed > 0 {
            warn!(
                group = group.name,
                entries = changed,
                "resource group repaired after redis lost keys"
            );
        }
        Ok(())
    }

    /// Returns the bookings of a group without a service, among the next [`BATCH`] bookings by
    /// expiration after the first `start`.
    async fn find_orphans(&self, group: &str, start: usize) -> Result<Orphans, StoreError> {
        let [_, _, booked, bookings, ..] = &self.keys.group(group);
        let mut range = cmd("ZRANGE");
        range.arg(booked).arg(start).arg(start + BATCH - 1);
        let ids: Vec<String> = self.redis.query(&range).await?;
        let (read, is_last) = (ids.len(), ids.len() < BATCH);
        let now = self.redis.now()?;
        let is_old = |id: &String| {
            let created = id
                .split('-')
                .next()
                .and_then(|created| created.parse().ok());
            // The service of a new booking may be in creation.
            created.is_some_and(|created| {
                Timestamp::from_millis(created).after(PENDING_CREATE_TTL + PENDING_CREATE_MARGIN)
                    < now
            })
        };
        let ids: Vec<String> = ids.into_iter().filter(is_old).collect();
        if ids.is_empty() {
            return Ok(Orphans {
                read,
                is_last,
                bookings: Vec::new(),
            });
        }
        let texts = cmd("HMGET").arg(bookings).arg(&ids).to_owned();
        let texts: Vec<Option<String>> = self.redis.query(&texts).await?;
        let service_of = |text: &String| text.split('\n').nth(2).map(str::to_owned);
        let booked = ids.into_iter().zip(texts).filter_map(|(id, text)| {
            let service = ServiceId::from(service_of(&text?)?);
            Some((BookingId::from(id), service))
        });
        let booked: Vec<(BookingId, ServiceId)> = booked.collect();
        let bookings = self.without_service(booked).await?;
        Ok(Orphans {
            bookings,
            read,
            is_last,
        })
    }

    /// Returns those of these bookings whose services do not exist.
    async fn without_service(
        &self,
        bookings: Vec<(BookingId, ServiceId)>,
    ) -> Result<Vec<(BookingId, ServiceId)>, StoreError> {
        let services: HashSet<&ServiceId> = bookings.iter().map(|(_, service)| service).collect();
        let services: Vec<&ServiceId> = services.into_iter().collect();
        let exists = |id: &&ServiceId| cmd("EXISTS").arg(self.keys.service(id)).to_owned();
        let replies = self
            .redis
            .pipeline_unordered(services.iter().map(exists).collect());
        let mut missing: HashSet<ServiceId> = HashSet::new();
        for (service, reply) in services.iter().zip(replies.await?) {
            if !parse_reply::<bool>(reply)? {
                missing.insert((*service).clone());
            }
        }
        let mut bookings = bookings;
        bookings.retain(|(_, service)| missing.contains(service));
        Ok(bookings)
    }
}
