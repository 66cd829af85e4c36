//! The list of active services in Redis: sorted sets with their expiration times.
//!
//! The list is not authoritative. It is in slots of its own, so it may contain services that do not exist;
//! queries skip those. Entries that a crash leaves behind are removed after their expiration time.

use async_trait::async_trait;
use redis::{Cmd, cmd};
use tracing::debug;

use super::{
    RedisStore, keys,
    scripts::{PAGE, evalsha},
};
use crate::{
    model::{
        Cursor, ExpiryOrder, ListRange, ListedService, ServiceId, ServicePage, ServiceQuery,
        StoreError, Timestamp,
    },
    store::ServiceList,
};

/// The time after its expiration at which an entry is removed from the list; longer than the skew
/// between clocks.
const LISTING_GRACE_MS: i64 = 10_000;

/// The maximum number of entries that are read at a time.
const BATCH: usize = 500;
/// A score after those of all entries. Scripts read scores as floating-point numbers.
const MAX_SCORE: i64 = 1 << 53;

/// The fields of a service in a list.
type ServiceFields = (Option<String>, Option<i64>, Option<i64>, Option<String>);

/// The entries of a part of the list, and whether there are more after them.
struct Entries {
    positions: Vec<Cursor>,
    more: bool,
}

impl RedisStore {
    /// The command that adds a service that is about to be created to the list. A repeated create does not change the
    /// entry; that of the earlier use of a custom id is replaced, but not one with a later end: its storage area exists.
    pub(super) fn add_listing(&self, id: &ServiceId, end: Timestamp) -> Cmd {
        let mut list = cmd("ZADD");
        list.arg(self.keys.ends(id));
        list.arg(if id.is_custom() { "GT" } else { "NX" });
        list.arg(end.millis()).arg(id.as_str()).to_owned()
    }

    /// The command that updates the expiration time of a service in the list, if it is listed.
    pub(super) fn update_listing(&self, id: &ServiceId, end: Timestamp) -> Cmd {
        let mut list = cmd("ZADD");
        list.arg(self.keys.ends(id)).arg("XX");
        list.arg(end.millis()).arg(id.as_str()).to_owned()
    }

    /// Updates the list with the present expiration time, by `list`, after a change of it was refused.
    pub(super) async fn restore_listing(
        &self,
        id: &ServiceId,
        list: impl Fn(&Self, &ServiceId, Timestamp) -> Cmd,
    ) {
        let key = self.keys.service(id);
        let restore = async || {
            let get = cmd("HGET").arg(&key).arg(keys::END).to_owned();
            let Some(end) = self.redis.query::<Option<i64>>(&get).await? else {
                return Ok(());
            };
            let end = Timestamp::from_millis(end);
            let end = self.redis.translate_from_server(&key, end)?;
            self.redis.query::<()>(&list(self, id, end)).await
        };
        if let Err(error) = restore().await {
            debug!(id = %id.redacted(), %error, "expiration time in the list of services not restored");
        }
    }

    /// The command that removes a service from the list.
    pub(super) fn remove_listing(&self, id: &ServiceId) -> Cmd {
        let mut remove = cmd("ZREM");
        remove.arg(self.keys.ends(id)).arg(id.as_str()).to_owned()
    }

    /// Removes a service that does not exist from the list, in which it has a new end. The next create of a custom id
    /// changes its entry.
    pub(super) async fn unlist(&self, id: &ServiceId) {
        if id.is_custom() {
            return;
        }
        if let Err(error) = self.redis.query::<()>(&self.remove_listing(id)).await {
            debug!(id = %id.redacted(), %error, "ended service not removed from the list");
        }
    }

    /// Removes expired services from the list.
    pub(super) async fn prune_listings(&self) -> Result<(), StoreError> {
        let cutoff = self.redis.now()?.millis() - LISTING_GRACE_MS;
        let prune = |shard| {
            let mut prune = cmd("ZREMRANGEBYSCORE");
            prune.arg(self.keys.ends_shard(shard)).arg("-inf");
            prune.arg(cutoff).to_owned()
        };
        let all = (0..keys::SHARDS).map(prune).collect();
        self.redis.pipeline_unordered(all).await.map(drop)
    }

    /// Reads the entries of a range of the list, at most `limit`. There can be fewer although there are more after
    /// them: each part of the list is read as far as is likely to be sufficient.
    async fn read_entries(&self, range: &ListRange, limit: usize) -> Result<Entries, StoreError> {
        let now = self.redis.now()?;
        let shards = usize::try_from(keys::SHARDS).unwrap_or(usize::MAX);
        let part_limit = (2 * limit.div_ceil(shards) + 8).min(limit);
        let parts = (0..keys::SHARDS).map(|shard| {
            let list = self.keys.ends_shard(shard);
            page_command(list, range, part_limit + 1, now)
        });
        let parts: Vec<Vec<(String, i64)>> = self.query_each(parts.collect()).await?;
        // The last positions that were read of parts with more entries: other parts are complete up to these.
        let (mut all, mut last_read) = (Vec::new(), Vec::new());
        for part in parts {
            let has_more = part.len() > part_limit;
            let positions = part.into_iter().take(part_limit).map(cursor_from_entry);
            all.extend(positions);
            last_read.extend(all.last().filter(|_| has_more).cloned());
        }
        let mut positions = range.select(all.into_iter(), position);
        let read = positions.len();
        let complete_until = range
            .select(last_read.into_iter(), position)
            .into_iter()
            .next();
        if let Some(until) = &complete_until {
            positions.retain(|one| range.compare(position(one), position(until)).is_le());
        }
        positions.truncate(limit);
        Ok(Entries {
            more: complete_until.is_some() || positions.len() < read,
            positions,
        })
    }

    /// Reads services; `None` for those that do not exist.
    async fn read_listed_services(
        &self,
        ids: Vec<ServiceId>,
    ) -> Result<Vec<Option<ListedService>>, StoreError> {
        let read = |id: &ServiceId| {
            let mut read = cmd("HMGET");
            read.arg(self.keys.service(id)).arg(keys::DEFINITION);
            read.arg(keys::CREATED).arg(keys::END).arg(keys::GMS_USER);
            read
        };
        let all: Vec<ServiceFields> = self
            .query_in_batches(ids.iter().map(read).collect())
            .await?;
        let services = ids.iter().zip(all);
        services
            .map(|(id, fields)| self.listed_service(id, fields))
            .collect()
    }

    fn listed_service(
        &self,
        id: &ServiceId,
        fields: ServiceFields,
    ) -> Result<Option<ListedService>, StoreError> {
        let (Some(definition), Some(created), Some(end), gms_user) = fields else {
            return Ok(None);
        };
        let key = self.keys.service(id);
        let to_store_time = |millis| {
            self.redis
                .translate_from_server(&key, Timestamp::from_millis(millis))
        };
        Ok(Some(ListedService {
            id: id.clone(),
            definition,
            created: to_store_time(created)?,
            end: to_store_time(end)?,
            gms_user,
        }))
    }

    /// Reads the services of these entries whose ids can match the query.
    async fn read_candidates(
        &self,
        query: &ServiceQuery,
        positions: Vec<Cursor>,
    ) -> Result<Vec<(Cursor, Option<ListedService>)>, StoreError> {
        let ids = positions
            .iter()
            .map(|one| ServiceId::from(one.name.clone()));
        let can_match: Vec<bool> = ids.clone().map(|id| query.filter.matches_id(&id)).collect();
        let candidates = ids.zip(&can_match).filter(|(_, can_match)| **can_match);
        let candidates = candidates.map(|(id, _)| id).collect();
        let mut services = self.read_listed_services(candidates).await?.into_iter();
        let entries = positions.into_iter().zip(can_match);
        let entries = entries.map(|(position, can_match)| {
            let service = can_match.then(|| services.next().flatten()).flatten();
            (position, service)
        });
        Ok(entries.collect())
    }
}

#[async_trait]
impl ServiceList for RedisStore {
    async fn count_services(&self) -> Result<u64, StoreError> {
        let now = self.redis.now()?.millis();
        let count = |shard| {
            let mut count = cmd("ZCOUNT");
            count.arg(self.keys.ends_shard(shard));
            count.arg(now).arg("+inf").to_owned()
        };
        let counts = self.query_each::<u64>((0..keys::SHARDS).map(count).collect());
        Ok(counts.await?.into_iter().sum())
    }

    async fn services_by_end(&self, query: &ServiceQuery) -> Result<ServicePage, StoreError> {
        let (mut page, mut range) = (ServicePage::default(), query.range.clone());
        loop {
            let limit = (query.max_searched - page.searched).clamp(1, BATCH);
            let Entries { positions, more } = self.read_entries(&range, limit).await?;
            let entries = self.read_candidates(query, positions).await?;
            if page.extend(query, entries, more) {
                return Ok(page);
            }
            range.after.clone_from(&page.next);
        }
    }

    async fn services_by_id(&self, ids: &[ServiceId]) -> Result<Vec<ListedService>, StoreError> {
        let services = self.read_listed_services(ids.to_vec()).await?;
        Ok(services.into_iter().flatten().collect())
    }
}

fn position(cursor: &Cursor) -> (Timestamp, &str) {
    (cursor.end, &cursor.name)
}

/// The position of an entry of a sorted set.
pub(super) fn cursor_from_entry((name, end): (String, i64)) -> Cursor {
    Cursor {
        end: Timestamp::from_millis(end),
        name,
    }
}

/// The command that reads the entries of `list` in a range, at most `limit`. Entries that have expired at `now` are not
/// returned, wherever the range begins.
pub(super) fn page_command(list: String, range: &ListRange, limit: usize, now: Timestamp) -> Cmd {
    let mut page = evalsha(&PAGE, &[list]);
    let after = range.after.as_ref().map(position);
    let before = range.expires_before;
    match range.order {
        ExpiryOrder::SoonestFirst => {
            let (end, name) = after.map_or((now, ""), |(end, name)| (end.max(now), name));
            page.arg(end.millis()).arg(name).arg(limit);
            if let Some(before) = before {
                page.arg(format!("({}", before.millis()));
            }
        }
        ExpiryOrder::LatestFirst => {
            let first = (before.unwrap_or(Timestamp::from_millis(MAX_SCORE)), "");
            let (end, name) = after.map_or(first, |after| after.min(first));
            page.arg(end.millis()).arg(name).arg(limit);
            page.arg(now.millis()).arg("REV");
        }
    }
    page
}

/// Returns the first `limit` entries in order, and the cursor of the next page.
pub(super) fn split_page(
    listed: Vec<(String, i64)>,
    limit: usize,
) -> (Vec<Cursor>, Option<Cursor>) {
    let mut cursors: Vec<Cursor> = listed.into_iter().map(cursor_from_entry).collect();
    cursors.sort();
    let more = cursors.len() > limit;
    cursors.truncate(limit);
    let next = cursors.last().filter(|_| more).cloned();
    (cursors, next)
}
