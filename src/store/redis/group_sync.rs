//! Synchronization of resource groups with the catalog: it adds and removes numbers.

use std::{collections::HashSet, time::Duration};

use redis::cmd;
use tokio::time;
use tracing::info;

use super::{
    RedisStore,
    bookings::strategy_name,
    millis,
    scripts::{SYNC_GROUP, evalsha},
};
use crate::model::{AccessNumber, Group, StoreError};

/// The TTL of the lock of a synchronization, and the interval and maximum number of polls of replicas
/// that wait for it.
const SYNC_LOCK_TTL: Duration = Duration::from_secs(30);
const SYNC_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_SYNC_POLLS: usize = 40;
/// The number of numbers that one script adds or removes.
const SYNC_BATCH: usize = 500;

impl RedisStore {
    /// Synchronizes a group with its configured numbers, unless it is up to date. Existing bookings
    /// remain; removed numbers do not become free again.
    pub(super) async fn sync_group(&self, group: &Group) -> Result<(), StoreError> {
        let [.., version, _regions, _events] = &self.keys.group(&group.name);
        let current: Option<String> = self.redis.query(cmd("GET").arg(version)).await?;
        if current.as_deref() == Some(group.version.as_str()) {
            return Ok(());
        }
        if !self.acquire_sync_lock(&group.name).await? {
            return self.wait_until_synced(version).await;
        }
        let result = self.sync_numbers(group).await;
        self.release_sync_lock(&group.name).await?;
        result
    }

    /// Adds the missing numbers of a group whose version is current but that has lost some.
    pub(super) async fn resync_group(&self, group: &Group) -> Result<(), StoreError> {
        if !self.acquire_sync_lock(&group.name).await? {
            return Ok(());
        }
        let result = self.sync_numbers(group).await;
        self.release_sync_lock(&group.name).await?;
        result
    }

    /// Acquires the lock of a group. Concurrent synchronizations could mix two catalogs under one
    /// version.
    async fn acquire_sync_lock(&self, group: &str) -> Result<bool, StoreError> {
        let mut lock = cmd("SET");
        lock.arg(self.keys.group_sync_lock(group)).arg("");
        lock.arg("NX").arg("PX").arg(millis(SYNC_LOCK_TTL));
        Ok(self.redis.query::<Option<String>>(&lock).await?.is_some())
    }

    async fn release_sync_lock(&self, group: &str) -> Result<(), StoreError> {
        let unlock = cmd("UNLINK")
            .arg(self.keys.group_sync_lock(group))
            .to_owned();
        self.redis.query(&unlock).await
    }

    /// Removes all numbers of a deleted group. Existing bookings remain; their numbers do not become
    /// free again.
    pub(super) async fn empty_group(&self, name: &str) -> Result<(), StoreError> {
        let [.., version, _regions, _events] = &self.keys.group(name);
        // Without a version the group is empty already.
        let has_numbers: bool = self.redis.query(cmd("EXISTS").arg(version)).await?;
        if !has_numbers || !self.acquire_sync_lock(name).await? {
            return Ok(());
        }
        let removed = self.remove_other_numbers(name, &[]).await;
        if removed.is_ok() {
            self.redis.query::<()>(cmd("UNLINK").arg(version)).await?;
            info!(group = name, "resource group emptied");
        }
        self.release_sync_lock(name).await?;
        removed.map(drop)
    }

    /// Waits while another replica synchronizes the group.
    async fn wait_until_synced(&self, version: &str) -> Result<(), StoreError> {
        for _ in 0..MAX_SYNC_POLLS {
            if self.redis.query(cmd("EXISTS").arg(version)).await? {
                return Ok(());
            }
            time::sleep(SYNC_POLL_INTERVAL).await;
        }
        Err(StoreError::Unavailable(
            "a resource group is being synchronized".to_owned(),
        ))
    }

    async fn sync_numbers(&self, group: &Group) -> Result<(), StoreError> {
        let keys = self.keys.group_with_quarantine(&group.name);
        let [.., version, _regions, _events] = &self.keys.group(&group.name);
        let numbers: Vec<_> = group.numbers.iter().enumerate().collect();
        for batch in numbers.chunks(SYNC_BATCH) {
            let mut sync = evalsha(&SYNC_GROUP, &keys);
            sync.arg("add").arg(&group.version);
            sync.arg(strategy_name(group.strategy));
            for (position, number) in batch {
                sync.arg(&number.text).arg(&number.subscriber).arg(position);
            }
            self.redis.query::<()>(&sync).await?;
        }
        let removed = self
            .remove_other_numbers(&group.name, &group.numbers)
            .await?;
        let mut set = cmd("SET");
        self.redis
            .query::<()>(set.arg(version).arg(&group.version))
            .await?;
        let size = group.numbers.len();
        info!(
            group = group.name,
            size, removed, "resource group synchronized"
        );
        Ok(())
    }

    /// Removes all numbers of a group except `wanted`, and returns how many. The quarantines of removed numbers end.
    async fn remove_other_numbers(
        &self,
        group: &str,
        wanted: &[AccessNumber],
    ) -> Result<usize, StoreError> {
        let keys = self.keys.group_with_quarantine(group);
        let [_, numbers, ..] = &self.keys.group(group);
        let current: Vec<String> = self.redis.query(cmd("HKEYS").arg(numbers)).await?;
        let texts: HashSet<&String> = wanted.iter().map(|number| &number.text).collect();
        let removed = current.iter().filter(|number| !texts.contains(number));
        let removed: Vec<_> = removed.collect();
        for batch in removed.chunks(SYNC_BATCH) {
            let mut sync = evalsha(&SYNC_GROUP, &keys);
            self.redis
                .query::<()>(sync.arg("remove").arg(batch))
                .await?;
        }
        // Last, because a replica with an older catalog can quarantine the numbers until they are removed.
        self.end_other_quarantines(group, wanted).await?;
        Ok(removed.len())
    }

    /// Ends the quarantines of all numbers of a group except `wanted`, without adding these numbers.
    async fn end_other_quarantines(
        &self,
        group: &str,
        wanted: &[AccessNumber],
    ) -> Result<(), StoreError> {
        let quarantined = self.keys.group_quarantined(group);
        let current: Vec<String> = self.redis.query(cmd("HKEYS").arg(&quarantined)).await?;
        let wanted: HashSet<&String> = wanted.iter().map(|number| &number.subscriber).collect();
        let ended = current.iter().filter(|one| !wanted.contains(one));
        let ended: Vec<_> = ended.collect();
        for batch in ended.chunks(SYNC_BATCH) {
            let mut remove = cmd("HDEL");
            self.redis
                .query::<()>(remove.arg(&quarantined).arg(batch))
                .await?;
        }
        Ok(())
    }
}
