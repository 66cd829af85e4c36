//! The admin queries in Redis: services by expiration time, and bookings.
//!
//! The list of services is not authoritative. It is in slots of its own, so it may contain services that
//! do not exist; queries skip those. Entries that a crash leaves behind are removed after their
//! expiration time.

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, cmd};
use tracing::debug;

use super::{
    RedisStore,
    connection::parse_reply,
    keys::{self, OwnedResource},
    scripts::{PAGE, PREVIEWS, evalsha},
};
use crate::{
    model::{
        BookingId, Cursor, KeyName, ListedBooking, ListedService, Page, PoolUsage, Preview,
        ServiceId, StoreError, Timestamp,
    },
    store::AdminQueries,
};

/// The time after its expiration at which an entry is removed from the list; longer than the skew
/// between clocks.
const LISTING_GRACE_MS: i64 = 10_000;

/// The maximum number of bytes that one script copies for previews, since Redis is blocked meanwhile.
const MAX_PREVIEW_COPY_BYTES: usize = 1024 * 1024;

/// The fields of a service in a list.
type ServiceFields = (Option<String>, Option<i64>, Option<i64>, Option<String>);

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

    /// Reads the existing ones of these bookings.
    async fn read_bookings(
        &self,
        group: &str,
        ids: Vec<BookingId>,
    ) -> Result<Vec<ListedBooking>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let [_, _, booked, bookings, ..] = self.keys.group(group);
        let mut texts = cmd("HMGET");
        texts.arg(bookings);
        let mut ends = Vec::with_capacity(ids.len() + 1);
        for id in &ids {
            texts.arg(id.as_str());
            ends.push(cmd("ZSCORE").arg(&booked).arg(id.as_str()).to_owned());
        }
        let texts: Vec<Option<String>> = self.redis.query(&texts).await?;
        let ends: Vec<Option<i64>> = self.query_each(ends).await?;
        let all = ids.into_iter().zip(texts.into_iter().zip(ends));
        let existing = all.filter_map(|(id, (text, end))| {
            let until = self
                .redis
                .translate_from_server(&booked, Timestamp::from_millis(end?))
                .ok()?;
            parse_listed_booking(id, &text?, until)
        });
        Ok(existing.collect())
    }

    /// Sends commands in no particular order and parses their replies.
    pub(super) async fn query_each<T: FromRedisValue>(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<T>, StoreError> {
        let replies = self.redis.pipeline_unordered(commands).await?;
        replies.into_iter().map(parse_reply).collect()
    }
}

#[async_trait]
impl AdminQueries for RedisStore {
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

    async fn services_by_end(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedService>, StoreError> {
        let now = self.redis.now()?;
        let shards = (0..keys::SHARDS).map(|shard| {
            let list = self.keys.ends_shard(shard);
            page_command(list, after, limit, now)
        });
        let shards: Vec<Vec<(String, i64)>> = self.query_each(shards.collect()).await?;
        let (cursors, next) = split_page(shards.into_iter().flatten().collect(), limit);
        let read = |cursor: &Cursor| {
            let id = ServiceId::from(cursor.name.clone());
            let mut read = cmd("HMGET");
            read.arg(self.keys.service(&id)).arg(keys::DEFINITION);
            read.arg(keys::CREATED).arg(keys::END).arg(keys::GMS_USER);
            read
        };
        let fields: Vec<ServiceFields> =
            self.query_each(cursors.iter().map(read).collect()).await?;
        let listed = cursors.into_iter().zip(fields);
        let listed = listed.filter_map(|(cursor, (definition, created, end, gms_user))| {
            let id = ServiceId::from(cursor.name);
            let (definition, created, end) = (definition?, created?, end?);
            let key = self.keys.service(&id);
            let to_store_time = |millis| {
                self.redis
                    .translate_from_server(&key, Timestamp::from_millis(millis))
            };
            let both =
                to_store_time(created).and_then(|created| Ok((created, to_store_time(end)?)));
            Some(both.map(|(created, end)| ListedService {
                id,
                definition,
                created,
                end,
                gms_user,
            }))
        });
        let entries = listed.collect::<Result<_, _>>()?;
        Ok(Page { entries, next })
    }

    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError> {
        let commands = groups.iter().flat_map(|group| {
            let [free, numbers, ..] = self.keys.group(group);
            let size = cmd("HLEN").arg(numbers).to_owned();
            [size, cmd("ZCARD").arg(free).to_owned()]
        });
        let counts: Vec<u64> = self.query_each(commands.collect()).await?;
        let usages = counts.chunks_exact(2).map(|counts| {
            let [size, free] = <[u64; 2]>::try_from(counts).unwrap_or_default();
            PoolUsage { size, free }
        });
        Ok(usages.collect())
    }

    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedBooking>, StoreError> {
        let [_, _, booked, ..] = self.keys.group(group);
        let now = self.redis.now_at(&booked)?;
        let page = page_command(booked, after, limit, now);
        let listed = self.redis.query(&page).await?;
        let (cursors, next) = split_page(listed, limit);
        let ids = cursors.into_iter().map(|cursor| cursor.name.into());
        let entries = self.read_bookings(group, ids.collect()).await?;
        Ok(Page { entries, next })
    }

    async fn bookings_of_number(
        &self,
        group: &str,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<ListedBooking>, StoreError> {
        let [_, _, _, _, index, ..] = self.keys.group(group);
        let min = ["[n\n", subscriber, "\n"].concat();
        let mut max = ["(n\n", subscriber, "\n"].concat().into_bytes();
        max.push(0xff);
        let mut find = cmd("ZRANGEBYLEX");
        find.arg(index).arg(min).arg(max);
        find.arg("LIMIT").arg(0).arg(limit);
        let entries: Vec<String> = self.redis.query(&find).await?;
        let ids = entries.iter().filter_map(|entry| entry.rsplit('\n').next());
        let ids = ids.map(|id| id.to_owned().into()).collect();
        self.read_bookings(group, ids).await
    }

    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError> {
        let mut found = self.read_bookings(group, vec![id.clone()]).await?;
        Ok(found.pop())
    }

    async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        limit: usize,
    ) -> Result<Vec<Option<Preview>>, StoreError> {
        let mut all = Vec::with_capacity(keys.len());
        while let Some(keys) = keys.get(all.len()..).filter(|keys| !keys.is_empty()) {
            let mut read = evalsha(&PREVIEWS, &[self.keys.service(id)]);
            read.arg(limit).arg(MAX_PREVIEW_COPY_BYTES);
            for key in keys {
                read.arg(key.as_str());
            }
            let previews: Vec<(Option<Vec<u8>>, usize)> = self.redis.query_pooled(&read).await?;
            if previews.is_empty() {
                return Err(StoreError::Corrupt(
                    "empty reply to the preview script".to_owned(),
                ));
            }
            let previews = previews.into_iter();
            all.extend(previews.map(|(first, bytes)| Some(Preview::from_bytes(first?, bytes))));
        }
        Ok(all)
    }

    async fn bookings_of_service(
        &self,
        id: &ServiceId,
    ) -> Result<Vec<(String, BookingId)>, StoreError> {
        let owned = cmd("HKEYS").arg(self.keys.owned(id)).to_owned();
        let owned: Vec<String> = self.redis.query(&owned).await?;
        let bookings = owned
            .iter()
            .filter_map(|field| match OwnedResource::parse(field) {
                Some(OwnedResource::Booking(group, booking)) => Some((group, booking)),
                _ => None,
            });
        Ok(bookings.collect())
    }
}

/// The command that reads the entries of `list` after a cursor: one more than `limit`, to detect whether
/// there is another page.
fn page_command(list: String, after: Option<&Cursor>, limit: usize, now: Timestamp) -> Cmd {
    let mut page = evalsha(&PAGE, &[list]);
    // Expired entries are skipped, wherever the page begins.
    let (end, name) = after.map_or((now, ""), |cursor| (cursor.end.max(now), &cursor.name));
    page.arg(end.millis()).arg(name).arg(limit + 1);
    page
}

/// Returns the first `limit` entries in order, and the cursor of the next page.
pub(super) fn split_page(
    listed: Vec<(String, i64)>,
    limit: usize,
) -> (Vec<Cursor>, Option<Cursor>) {
    let cursor = |(name, end)| Cursor {
        end: Timestamp::from_millis(end),
        name,
    };
    let mut cursors: Vec<Cursor> = listed.into_iter().map(cursor).collect();
    cursors.sort();
    let more = cursors.len() > limit;
    cursors.truncate(limit);
    let next = cursors.last().filter(|_| more).cloned();
    (cursors, next)
}

fn parse_listed_booking(id: BookingId, text: &str, until: Timestamp) -> Option<ListedBooking> {
    let mut parts = text.split('\n');
    let (number, service) = (parts.next()?, parts.nth(1)?);
    let (code, caller) = (parts.next()?, parts.next()?);
    Some(ListedBooking {
        id,
        number: number.to_owned(),
        service: ServiceId::from(service.to_owned()),
        caller: Some(caller.to_owned()).filter(|caller| !caller.is_empty()),
        has_code: !code.is_empty(),
        until,
    })
}
