//! Services by their end, and bookings, for operators.
//!
//! The list of services is a convenience: it is kept beside what it lists, in slots of its own, so it may
//! name a service that is not there, which is then not told. What a crash leaves in it goes when its time
//! has passed.

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, cmd};

use super::{
    RedisStore,
    connection::parse_reply,
    keys::{self, OwnedResource},
    scripts::{PAGE, PREVIEWS, evalsha},
};
use crate::store::{
    AdminQueries, BookingId, Cursor, KeyName, ListedBooking, ListedService, Page, PoolUsage,
    Preview, ServiceId, StoreError, Timestamp,
};

/// How long after its end an entry is taken off the list: longer than clocks differ.
const LISTING_GRACE_MS: i64 = 10_000;

/// Bytes of values that one script copies to tell how they begin; Redis serves nobody else meanwhile.
const MAX_PREVIEW_COPY_BYTES: usize = 1024 * 1024;

/// What of a service stands in a list.
type ServiceFields = (Option<String>, Option<i64>, Option<i64>, Option<String>);

impl RedisStore {
    /// The command that lists a service that is about to be made.
    pub(super) fn add_listing(&self, id: &ServiceId, end: Timestamp) -> Cmd {
        let mut list = cmd("ZADD");
        list.arg(self.keys.ends(id)).arg("NX");
        list.arg(end.millis()).arg(id.as_str()).to_owned()
    }

    /// The command that moves a service in the list, if it is there.
    pub(super) fn update_listing(&self, id: &ServiceId, end: Timestamp) -> Cmd {
        let mut list = cmd("ZADD");
        list.arg(self.keys.ends(id)).arg("XX");
        list.arg(end.millis()).arg(id.as_str()).to_owned()
    }

    /// The command that takes a service off the list.
    pub(super) fn remove_listing(&self, id: &ServiceId) -> Cmd {
        let mut unlist = cmd("ZREM");
        unlist.arg(self.keys.ends(id)).arg(id.as_str()).to_owned()
    }

    /// Takes services off the list whose end has passed.
    pub(super) async fn prune_listings(&self) -> Result<(), StoreError> {
        let before = self.redis.now()?.millis() - LISTING_GRACE_MS;
        let forget = |shard| {
            let mut forget = cmd("ZREMRANGEBYSCORE");
            forget.arg(self.keys.ends_shard(shard)).arg("-inf");
            forget.arg(before).to_owned()
        };
        let all = (0..keys::SHARDS).map(forget).collect();
        self.redis.pipeline_unordered(all).await.map(drop)
    }

    /// Those of these bookings that are there.
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
        let there = all.filter_map(|(id, (text, end))| {
            let until = self
                .redis
                .from_server_time(&booked, Timestamp::from_millis(end?))
                .ok()?;
            parse_listed_booking(id, &text?, until)
        });
        Ok(there.collect())
    }

    /// The answers to questions that need no order.
    pub(super) async fn query_each<T: FromRedisValue>(
        &self,
        questions: Vec<Cmd>,
    ) -> Result<Vec<T>, StoreError> {
        let answers = self.redis.pipeline_unordered(questions).await?;
        answers.into_iter().map(parse_reply).collect()
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
        most: usize,
    ) -> Result<Page<ListedService>, StoreError> {
        let now = self.redis.now()?;
        let shards = (0..keys::SHARDS).map(|shard| {
            let list = self.keys.ends_shard(shard);
            page_command(list, after, most, now)
        });
        let shards: Vec<Vec<(String, i64)>> = self.query_each(shards.collect()).await?;
        let (places, next) = split_page(shards.into_iter().flatten().collect(), most);
        let tell = |place: &Cursor| {
            let id = ServiceId::from(place.name.clone());
            let mut tell = cmd("HMGET");
            tell.arg(self.keys.service(&id)).arg(keys::DEFINITION);
            tell.arg(keys::CREATED).arg(keys::END).arg(keys::GMS_USER);
            tell
        };
        let told: Vec<ServiceFields> = self.query_each(places.iter().map(tell).collect()).await?;
        let listed = places.into_iter().zip(told);
        let listed = listed.filter_map(|(place, (definition, created, end, gms_user))| {
            let id = ServiceId::from(place.name);
            let (definition, created, end) = (definition?, created?, end?);
            let key = self.keys.service(&id);
            let moment = |millis| {
                self.redis
                    .from_server_time(&key, Timestamp::from_millis(millis))
            };
            let both = moment(created).and_then(|created| Ok((created, moment(end)?)));
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
        let ask = groups.iter().flat_map(|group| {
            let [free, numbers, ..] = self.keys.group(group);
            let size = cmd("HLEN").arg(numbers).to_owned();
            [size, cmd("ZCARD").arg(free).to_owned()]
        });
        let counts: Vec<u64> = self.query_each(ask.collect()).await?;
        let fills = counts.chunks_exact(2).map(|counts| {
            let [size, free] = <[u64; 2]>::try_from(counts).unwrap_or_default();
            PoolUsage { size, free }
        });
        Ok(fills.collect())
    }

    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Cursor>,
        most: usize,
    ) -> Result<Page<ListedBooking>, StoreError> {
        let [_, _, booked, ..] = self.keys.group(group);
        let now = self.redis.now_at(&booked)?;
        let behind = page_command(booked, after, most, now);
        let listed = self.redis.query(&behind).await?;
        let (places, next) = split_page(listed, most);
        let ids = places.into_iter().map(|place| place.name.into());
        let entries = self.read_bookings(group, ids.collect()).await?;
        Ok(Page { entries, next })
    }

    async fn bookings_of_number(
        &self,
        group: &str,
        subscriber: &str,
        most: usize,
    ) -> Result<Vec<ListedBooking>, StoreError> {
        let [_, _, _, _, index, ..] = self.keys.group(group);
        let begins = ["[n\n", subscriber, "\n"].concat();
        let mut ends = ["(n\n", subscriber, "\n"].concat().into_bytes();
        ends.push(0xff);
        let mut find = cmd("ZRANGEBYLEX");
        find.arg(index).arg(begins).arg(ends);
        find.arg("LIMIT").arg(0).arg(most);
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
        most: usize,
    ) -> Result<Vec<Option<Preview>>, StoreError> {
        let mut all = Vec::with_capacity(keys.len());
        while let Some(keys) = keys.get(all.len()..).filter(|keys| !keys.is_empty()) {
            let mut read = evalsha(&PREVIEWS, &[self.keys.service(id)]);
            read.arg(most).arg(MAX_PREVIEW_COPY_BYTES);
            for key in keys {
                read.arg(key.as_str());
            }
            let told: Vec<(Option<Vec<u8>>, usize)> = self.redis.query_pooled(&read).await?;
            if told.is_empty() {
                return Err(StoreError::Corrupt("no beginnings of values".to_owned()));
            }
            let told = told.into_iter();
            all.extend(told.map(|(first, bytes)| Some(Preview::from_bytes(first?, bytes))));
        }
        Ok(all)
    }

    async fn bookings_of_service(
        &self,
        id: &ServiceId,
    ) -> Result<Vec<(String, BookingId)>, StoreError> {
        let held = cmd("HKEYS").arg(self.keys.owned(id)).to_owned();
        let held: Vec<String> = self.redis.query(&held).await?;
        let bookings = held
            .iter()
            .filter_map(|field| match OwnedResource::parse(field) {
                Some(OwnedResource::Booking(group, booking)) => Some((group, booking)),
                _ => None,
            });
        Ok(bookings.collect())
    }
}

/// The command that tells what stands behind a place of `list`: one more than is asked for, to tell
/// whether there is another page.
fn page_command(list: String, after: Option<&Cursor>, most: usize, now: Timestamp) -> Cmd {
    let mut behind = evalsha(&PAGE, &[list]);
    // What has ended is not told, wherever the page begins.
    let (end, name) = after.map_or((now, ""), |place| (place.end.max(now), &place.name));
    behind.arg(end.millis()).arg(name).arg(most + 1);
    behind
}

/// The first of `listed`, in their order, and where the next page begins.
fn split_page(listed: Vec<(String, i64)>, most: usize) -> (Vec<Cursor>, Option<Cursor>) {
    let place = |(name, end)| Cursor {
        end: Timestamp::from_millis(end),
        name,
    };
    let mut places: Vec<Cursor> = listed.into_iter().map(place).collect();
    places.sort();
    let more = places.len() > most;
    places.truncate(most);
    let next = places.last().filter(|_| more).cloned();
    (places, next)
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
