//! What resource groups consist of: their numbers, put in and taken out as the catalogue changes.

use std::{collections::HashSet, time::Duration};

use redis::cmd;
use tokio::time;
use tracing::info;

use super::{
    RedisStore, millis,
    scripts::{SYNC_GROUP, evalsha},
};
use crate::store::{AccessNumber, Group, StoreError};

/// How long a replica that dies while it fills a group keeps others from it; how often, and how many
/// times, those look whether it is done.
const SYNC_LOCK_TTL: Duration = Duration::from_secs(30);
const SYNC_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_SYNC_POLLS: usize = 40;
/// Numbers put into a group, or taken out, by one script.
const SYNC_BATCH: usize = 500;

impl RedisStore {
    /// Makes a group consist of its numbers, unless it does. Numbers that are held stay held; those
    /// that are no longer in it come back no more.
    pub(super) async fn sync_group(&self, group: &Group) -> Result<(), StoreError> {
        let keys = self.keys.group(&group.name);
        let [.., version, _regions] = &keys;
        let current: Option<String> = self.redis.query(cmd("GET").arg(version)).await?;
        if current.as_deref() == Some(group.version.as_str()) {
            return Ok(());
        }
        if !self.acquire_sync_lock(&group.name).await? {
            return self.wait_until_synced(version).await;
        }
        let filled = self.sync_numbers(group, &keys).await;
        self.release_sync_lock(&group.name).await?;
        filled
    }

    /// Puts the numbers into a group that is said to have them and has lost some.
    pub(super) async fn resync_group(&self, group: &Group) -> Result<(), StoreError> {
        if !self.acquire_sync_lock(&group.name).await? {
            return Ok(());
        }
        let filled = self
            .sync_numbers(group, &self.keys.group(&group.name))
            .await;
        self.release_sync_lock(&group.name).await?;
        filled
    }

    /// Whether it is this replica that fills the group now. One at a time, or two catalogues end up mixed
    /// under the version of one.
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

    /// Takes all numbers out of a group that was deleted. Those that are held stay held, and come back no
    /// more.
    pub(super) async fn empty_group(&self, name: &str) -> Result<(), StoreError> {
        let keys = self.keys.group(name);
        let [.., version, _regions] = &keys;
        // Where it is not there, nobody has filled the group since it was emptied.
        let filled: bool = self.redis.query(cmd("EXISTS").arg(version)).await?;
        if !filled || !self.acquire_sync_lock(name).await? {
            return Ok(());
        }
        let emptied = self.remove_other_numbers(&keys, &[]).await;
        if emptied.is_ok() {
            self.redis.query::<()>(cmd("UNLINK").arg(version)).await?;
            info!(group = name, "a resource group was emptied");
        }
        self.release_sync_lock(name).await?;
        emptied.map(drop)
    }

    /// Waits while another replica fills a group.
    async fn wait_until_synced(&self, version: &str) -> Result<(), StoreError> {
        for _ in 0..MAX_SYNC_POLLS {
            if self.redis.query(cmd("EXISTS").arg(version)).await? {
                return Ok(());
            }
            time::sleep(SYNC_POLL_INTERVAL).await;
        }
        Err(StoreError::Unavailable(
            "a resource group is being filled".to_owned(),
        ))
    }

    async fn sync_numbers(&self, group: &Group, keys: &[String; 8]) -> Result<(), StoreError> {
        let [.., version, _regions] = keys;
        let places: Vec<_> = group.numbers.iter().enumerate().collect();
        for batch in places.chunks(SYNC_BATCH) {
            let mut fill = evalsha(&SYNC_GROUP, keys);
            fill.arg("in").arg(&group.version);
            for (place, number) in batch {
                fill.arg(&number.text).arg(&number.subscriber).arg(place);
            }
            self.redis.query::<()>(&fill).await?;
        }
        let out = self.remove_other_numbers(keys, &group.numbers).await?;
        let mut set = cmd("SET");
        self.redis
            .query::<()>(set.arg(version).arg(&group.version))
            .await?;
        let size = group.numbers.len();
        info!(group = group.name, size, out, "a resource group was filled");
        Ok(())
    }

    /// Takes all numbers out of a group but these; how many.
    async fn remove_other_numbers(
        &self,
        keys: &[String; 8],
        wanted: &[AccessNumber],
    ) -> Result<usize, StoreError> {
        let [_, numbers, ..] = keys;
        let there: Vec<String> = self.redis.query(cmd("HKEYS").arg(numbers)).await?;
        let wanted: HashSet<&String> = wanted.iter().map(|number| &number.text).collect();
        let gone = there.iter().filter(|number| !wanted.contains(number));
        let gone: Vec<_> = gone.collect();
        for batch in gone.chunks(SYNC_BATCH) {
            let mut fill = evalsha(&SYNC_GROUP, keys);
            self.redis.query::<()>(fill.arg("out").arg(batch)).await?;
        }
        Ok(gone.len())
    }
}
