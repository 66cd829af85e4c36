//! What resource groups consist of: their numbers, put in and taken out as the catalogue changes.

use std::{collections::HashSet, time::Duration};

use redis::cmd;
use tokio::time;
use tracing::info;

use super::{
    RedisStore, millis,
    scripts::{FILL, call},
};
use crate::store::{AccessNumber, Group, StoreError};

/// How long a replica that dies while it fills a group keeps others from it; how often, and how many
/// times, those look whether it is done.
const FILL_LIFE: Duration = Duration::from_secs(30);
const FILL_LOOK: Duration = Duration::from_millis(50);
const FILL_LOOKS: usize = 40;
/// Numbers put into a group, or taken out, by one script.
const FILL_BATCH: usize = 500;

impl RedisStore {
    /// Makes a group consist of its numbers, unless it does. Numbers that are held stay held; those
    /// that are no longer in it come back no more.
    pub(super) async fn fill_group(&self, group: &Group) -> Result<(), StoreError> {
        let keys = self.keys.group(&group.name);
        let [.., version, _regions] = &keys;
        let current: Option<String> = self.redis.query(cmd("GET").arg(version)).await?;
        if current.as_deref() == Some(group.version.as_str()) {
            return Ok(());
        }
        if !self.begin_to_fill(&group.name).await? {
            return self.until_filled(version).await;
        }
        let filled = self.fill_from(group, &keys).await;
        self.end_filling(&group.name).await?;
        filled
    }

    /// Puts the numbers into a group that is said to have them and has lost some.
    pub(super) async fn refill_group(&self, group: &Group) -> Result<(), StoreError> {
        if !self.begin_to_fill(&group.name).await? {
            return Ok(());
        }
        let filled = self.fill_from(group, &self.keys.group(&group.name)).await;
        self.end_filling(&group.name).await?;
        filled
    }

    /// Whether it is this replica that fills the group now. One at a time, or two catalogues end up mixed
    /// under the version of one.
    async fn begin_to_fill(&self, group: &str) -> Result<bool, StoreError> {
        let mut lock = cmd("SET");
        lock.arg(self.keys.filling(group)).arg("");
        lock.arg("NX").arg("PX").arg(millis(FILL_LIFE));
        Ok(self.redis.query::<Option<String>>(&lock).await?.is_some())
    }

    async fn end_filling(&self, group: &str) -> Result<(), StoreError> {
        let unlock = cmd("UNLINK").arg(self.keys.filling(group)).to_owned();
        self.redis.query(&unlock).await
    }

    /// Takes all numbers out of a group that was deleted. Those that are held stay held, and come back no
    /// more.
    pub(super) async fn empty_group(&self, name: &str) -> Result<(), StoreError> {
        let keys = self.keys.group(name);
        let [.., version, _regions] = &keys;
        // Where it is not there, nobody has filled the group since it was emptied.
        let filled: bool = self.redis.query(cmd("EXISTS").arg(version)).await?;
        if !filled || !self.begin_to_fill(name).await? {
            return Ok(());
        }
        let emptied = self.take_out_all_but(&keys, &[]).await;
        if emptied.is_ok() {
            self.redis.query::<()>(cmd("UNLINK").arg(version)).await?;
            info!(group = name, "a resource group was emptied");
        }
        self.end_filling(name).await?;
        emptied.map(drop)
    }

    /// Waits while another replica fills a group.
    async fn until_filled(&self, version: &str) -> Result<(), StoreError> {
        for _ in 0..FILL_LOOKS {
            if self.redis.query(cmd("EXISTS").arg(version)).await? {
                return Ok(());
            }
            time::sleep(FILL_LOOK).await;
        }
        Err(StoreError::Unavailable(
            "a resource group is being filled".to_owned(),
        ))
    }

    async fn fill_from(&self, group: &Group, keys: &[String; 8]) -> Result<(), StoreError> {
        let [.., version, _regions] = keys;
        let places: Vec<_> = group.numbers.iter().enumerate().collect();
        for batch in places.chunks(FILL_BATCH) {
            let mut fill = call(&FILL, keys);
            fill.arg("in").arg(&group.version);
            for (place, number) in batch {
                fill.arg(&number.text).arg(&number.subscriber).arg(place);
            }
            self.redis.query::<()>(&fill).await?;
        }
        let out = self.take_out_all_but(keys, &group.numbers).await?;
        let mut set = cmd("SET");
        self.redis
            .query::<()>(set.arg(version).arg(&group.version))
            .await?;
        let size = group.numbers.len();
        info!(group = group.name, size, out, "a resource group was filled");
        Ok(())
    }

    /// Takes all numbers out of a group but these; how many.
    async fn take_out_all_but(
        &self,
        keys: &[String; 8],
        wanted: &[AccessNumber],
    ) -> Result<usize, StoreError> {
        let [_, numbers, ..] = keys;
        let there: Vec<String> = self.redis.query(cmd("HKEYS").arg(numbers)).await?;
        let wanted: HashSet<&String> = wanted.iter().map(|number| &number.text).collect();
        let gone = there.iter().filter(|number| !wanted.contains(number));
        let gone: Vec<_> = gone.collect();
        for batch in gone.chunks(FILL_BATCH) {
            let mut fill = call(&FILL, keys);
            self.redis.query::<()>(fill.arg("out").arg(batch)).await?;
        }
        Ok(gone.len())
    }
}
