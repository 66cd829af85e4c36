//! What of resource groups no other part of the clean-up finds: bookings of services that are gone and of
//! which `own:{id}` is gone too, and groups that have lost keys.
//!
//! A Redis that evicts keys discards them one by one, an operator may delete some, and a primary of a
//! Cluster may lose what others still have. Bookings are walked through every few seconds, so a number is
//! released within a minute of the end of its service whatever else is lost.

use std::{collections::HashSet, time::Duration};

use redis::cmd;
use tracing::warn;

use super::{Cleaner, CleanupCandidate};
use crate::store::redis::{
    RedisStore,
    bookings::{PENDING_CREATE_TTL, strategy_name},
    connection::parse_reply,
    scripts::{GROUP_COUNTS, REPAIR_GROUP, evalsha},
};
use crate::store::{AllocationStrategy, BookingId, Group, ServiceId, StoreError, Timestamp};

/// Bookings read in one go.
const BATCH: usize = 500;
/// Added to the time after which a service that was begun must have been made.
const PENDING_CREATE_MARGIN: Duration = Duration::from_secs(2);

/// Bookings of one group whose services are gone.
#[derive(Debug)]
struct Orphans {
    bookings: Vec<(BookingId, ServiceId)>,
    /// How many bookings were read.
    read: usize,
    /// Whether those were the last ones of the group.
    is_last: bool,
}

/// How many entries the keys of a group have.
struct GroupCounts {
    is_filled: bool,
    numbers: u64,
    free: u64,
    booked: u64,
    bookings: u64,
    index: u64,
    codes: u64,
    /// How many of some bookings have a code that is not among the codes.
    uncoded: u64,
}

impl GroupCounts {
    /// Whether they can be those of a group of which nothing was lost.
    fn are_consistent(&self, strategy: AllocationStrategy) -> bool {
        let free = match strategy {
            AllocationStrategy::Exclusive => self.free + self.bookings >= self.numbers,
            AllocationStrategy::Random | AllocationStrategy::RoundRobin => {
                self.free >= self.numbers
            }
        };
        let indexed = (self.bookings..=2 * self.bookings).contains(&self.index);
        let coded = self.codes <= self.bookings && self.uncoded == 0;
        free && indexed && coded && self.booked == self.bookings
    }
}

impl Cleaner<'_> {
    /// Releases bookings of services that are gone and that nothing else lists, and repairs groups that
    /// have lost keys.
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
                let of_batch = self.release_orphans(group, orphans.bookings).await?;
                // Those behind them have moved up.
                start += orphans.read.saturating_sub(of_batch);
                released += of_batch;
                if orphans.is_last {
                    break;
                }
            }
            if released > 0 {
                warn!(
                    group,
                    bookings = released,
                    "bookings of services that are gone released"
                );
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
        let told = |(_, service): &(BookingId, ServiceId)| {
            CleanupCandidate::from_notification(service.clone())
        };
        let ended: Vec<CleanupCandidate> = orphans.iter().map(told).collect();
        // From here on none of them can still be made.
        for batch in ended.chunks(super::BATCH) {
            self.release_all(batch).await?;
        }
        let orphans = self.store.without_service(orphans).await?;
        let bookings: Vec<&BookingId> = orphans.iter().map(|(booking, _)| booking).collect();
        if bookings.is_empty() {
            return Ok(0);
        }
        self.store
            .redis
            .query(&self.store.release_command(group, &bookings))
            .await
    }
}

impl RedisStore {
    /// Makes the keys of a group agree where some were lost.
    async fn repair_group(&self, group: &Group) -> Result<(), StoreError> {
        let keys = self.keys.group(&group.name);
        let counts = self.redis.query(&evalsha(&GROUP_COUNTS, &keys)).await?;
        let [
            filled,
            numbers,
            free,
            booked,
            bookings,
            index,
            codes,
            uncoded,
        ]: [u64; 8] = counts;
        let counts = GroupCounts {
            is_filled: filled == 1,
            numbers,
            free,
            booked,
            bookings,
            index,
            codes,
            uncoded,
        };
        if counts.is_filled && counts.numbers < group.numbers.len() as u64 {
            self.resync_group(group).await?;
        } else if counts.are_consistent(group.strategy) {
            return Ok(());
        }
        let mut repair = evalsha(&REPAIR_GROUP, &keys);
        repair.arg(strategy_name(group.strategy));
        let changed: u64 = self.redis.query(&repair).await?;
        if changed > 0 {
            warn!(
                group = group.name,
                entries = changed,
                "resource group repaired: redis had lost keys of it"
            );
        }
        Ok(())
    }

    /// The bookings of a group, from the one at `start` in the order of their ends on, whose services are
    /// gone.
    async fn find_orphans(&self, group: &str, start: usize) -> Result<Orphans, StoreError> {
        let [_, _, booked, bookings, ..] = &self.keys.group(group);
        let mut range = cmd("ZRANGE");
        range.arg(booked).arg(start).arg(start + BATCH - 1);
        let ids: Vec<String> = self.redis.query(&range).await?;
        let (read, is_last) = (ids.len(), ids.len() < BATCH);
        let now = self.redis.now()?;
        let made_before = |id: &String| {
            let made = id.split('-').next().and_then(|made| made.parse().ok());
            // One that was made just now may be for a service that is being made.
            made.is_some_and(|made| {
                Timestamp::from_millis(made).after(PENDING_CREATE_TTL + PENDING_CREATE_MARGIN) < now
            })
        };
        let ids: Vec<String> = ids.into_iter().filter(made_before).collect();
        if ids.is_empty() {
            return Ok(Orphans {
                read,
                is_last,
                bookings: Vec::new(),
            });
        }
        let texts = cmd("HMGET").arg(bookings).arg(&ids).to_owned();
        let texts: Vec<Option<String>> = self.redis.query(&texts).await?;
        let holder = |text: &String| text.split('\n').nth(2).map(str::to_owned);
        let held = ids.into_iter().zip(texts).filter_map(|(id, text)| {
            let service = ServiceId::from(holder(&text?)?);
            Some((BookingId::from(id), service))
        });
        let held: Vec<(BookingId, ServiceId)> = held.collect();
        let bookings = self.without_service(held).await?;
        Ok(Orphans {
            bookings,
            read,
            is_last,
        })
    }

    /// Those of these bookings whose services are gone.
    async fn without_service(
        &self,
        held: Vec<(BookingId, ServiceId)>,
    ) -> Result<Vec<(BookingId, ServiceId)>, StoreError> {
        let services: HashSet<&ServiceId> = held.iter().map(|(_, service)| service).collect();
        let services: Vec<&ServiceId> = services.into_iter().collect();
        let exists = |id: &&ServiceId| cmd("EXISTS").arg(self.keys.service(id)).to_owned();
        let replies = self
            .redis
            .pipeline_unordered(services.iter().map(exists).collect());
        let mut gone: HashSet<ServiceId> = HashSet::new();
        for (service, reply) in services.iter().zip(replies.await?) {
            if !parse_reply::<bool>(reply)? {
                gone.insert((*service).clone());
            }
        }
        let mut held = held;
        held.retain(|(_, service)| gone.contains(service));
        Ok(held)
    }
}
