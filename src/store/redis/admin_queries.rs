//! The admin queries in Redis: bookings, and previews of services.

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, cmd};

use super::{
    RedisStore,
    connection::parse_reply,
    keys::OwnedResource,
    scripts::{PREVIEWS, evalsha},
    service_list::{cursor_from_entry, page_command},
};
use crate::{
    model::{
        AccessNumber, BookingId, Cursor, KeyName, ListRange, ListedBooking, NumberState, Page,
        PoolUsage, Preview, ServiceId, StoreError, Timestamp,
    },
    store::AdminQueries,
};

/// The maximum number of commands of a pipeline that returns a value each. Other requests share its connection.
const MAX_PIPELINE_COMMANDS: usize = 500;
/// The maximum number of groups of a pipeline that returns a page of each.
const MAX_PIPELINE_PAGES: usize = 50;
/// The maximum number of bytes that one script copies for previews, since Redis is blocked meanwhile.
const MAX_PREVIEW_COPY_BYTES: usize = 1024 * 1024;

impl RedisStore {
    /// Reads the existing ones of these bookings of groups, in this order.
    pub(super) async fn read_bookings(
        &self,
        bookings: Vec<(&str, BookingId)>,
    ) -> Result<Vec<(String, ListedBooking)>, StoreError> {
        let commands = bookings.iter().flat_map(|(group, id)| {
            let [_, _, booked, bookings, ..] = self.keys.group(group);
            let text = cmd("HGET").arg(bookings).arg(id.as_str()).to_owned();
            [text, cmd("ZSCORE").arg(booked).arg(id.as_str()).to_owned()]
        });
        let replies: Vec<Option<String>> = self.query_in_batches(commands.collect()).await?;
        let existing = bookings.into_iter().zip(replies.chunks_exact(2));
        let existing = existing.filter_map(|((group, id), reply)| {
            let [Some(text), Some(end)] = reply else {
                return None;
            };
            let [_, _, booked, ..] = self.keys.group(group);
            let end = Timestamp::from_millis(end.parse().ok()?);
            let until = self.redis.translate_from_server(&booked, end).ok()?;
            Some((group.to_owned(), parse_listed_booking(id, text, until)?))
        });
        Ok(existing.collect())
    }

    /// Sends any number of commands with short replies, in several pipelines, and parses their replies.
    pub(super) async fn query_in_batches<T: FromRedisValue>(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<T>, StoreError> {
        let mut replies = Vec::with_capacity(commands.len());
        let mut commands = commands.into_iter();
        while commands.len() > 0 {
            let batch = commands.by_ref().take(MAX_PIPELINE_COMMANDS).collect();
            replies.extend(self.query_each(batch).await?);
        }
        Ok(replies)
    }

    /// Reads the first positions of each of these groups in a range: at most `limit`.
    async fn booking_positions<'a>(
        &self,
        groups: &[&'a str],
        range: &ListRange,
        limit: usize,
    ) -> Result<Vec<(&'a str, Cursor)>, StoreError> {
        let pages = groups.iter().map(|group| {
            let [_, _, booked, ..] = self.keys.group(group);
            let now = self.redis.now_at(&booked)?;
            Ok(page_command(booked, range, limit, now))
        });
        let pages = pages.collect::<Result<_, StoreError>>()?;
        let pages: Vec<Vec<(String, i64)>> = self.query_each(pages).await?;
        let entries = groups.iter().zip(pages).flat_map(|(group, page)| {
            let positions = page.into_iter().map(cursor_from_entry);
            positions.map(move |position| (*group, position))
        });
        Ok(entries.collect())
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
    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError> {
        let commands = groups.iter().flat_map(|group| {
            let [free, numbers, ..] = self.keys.group(group);
            let quarantined = self.keys.group_quarantined(group);
            [
                cmd("HLEN").arg(numbers).to_owned(),
                cmd("ZCARD").arg(free).to_owned(),
                cmd("HLEN").arg(quarantined).to_owned(),
            ]
        });
        let counts: Vec<u64> = self.query_each(commands.collect()).await?;
        let usages = counts.chunks_exact(3).map(|counts| {
            let [size, free, quarantined] = <[u64; 3]>::try_from(counts).unwrap_or_default();
            PoolUsage {
                size,
                free,
                quarantined,
            }
        });
        Ok(usages.collect())
    }

    async fn count_bookings(&self, groups: &[&str]) -> Result<u64, StoreError> {
        let count = |group: &&str| {
            let [_, _, booked, ..] = self.keys.group(group);
            cmd("ZCARD").arg(booked).to_owned()
        };
        let counts = self.query_in_batches::<u64>(groups.iter().map(count).collect());
        Ok(counts.await?.into_iter().sum())
    }

    async fn count_expired_bookings(&self, groups: &[&str]) -> Result<Vec<u64>, StoreError> {
        let count = |group: &&str| {
            let [_, _, booked, ..] = self.keys.group(group);
            let now = self.redis.now_at(&booked)?.millis();
            Ok(cmd("ZCOUNT").arg(booked).arg("-inf").arg(now).to_owned())
        };
        let counts = groups
            .iter()
            .map(count)
            .collect::<Result<_, StoreError>>()?;
        self.query_each(counts).await
    }

    async fn exhausted_at(&self, groups: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let keys = groups
            .iter()
            .map(|group| self.keys.group_exhausted_at(group));
        let read = keys.map(|key| cmd("GET").arg(key).to_owned());
        let times: Vec<Option<i64>> = self.query_in_batches(read.collect()).await?;
        let times = times
            .into_iter()
            .map(|time| time.map(Timestamp::from_millis));
        Ok(times.collect())
    }

    async fn bookings_by_end(
        &self,
        groups: &[&str],
        range: &ListRange,
        limit: usize,
    ) -> Result<Page<(String, ListedBooking)>, StoreError> {
        let mut entries = Vec::new();
        for batch in groups.chunks(MAX_PIPELINE_PAGES) {
            let read = self.booking_positions(batch, range, limit + 1).await?;
            let all = entries.into_iter().chain(read);
            entries = range.select(all, |(_, position)| (position.end, position.name.as_str()));
            entries.truncate(limit + 1);
        }
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().map(|(_, position)| position.clone());
        let ids = entries.into_iter();
        let ids = ids.map(|(group, position)| (group, BookingId::from(position.name)));
        Ok(Page {
            entries: self.read_bookings(ids.collect()).await?,
            next: last.filter(|_| has_more),
        })
    }

    async fn bookings_of_number(
        &self,
        groups: &[&str],
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(String, ListedBooking)>, StoreError> {
        let [min, max] = index_range(subscriber);
        let find = |group: &&str| {
            let [_, _, _, _, index, ..] = self.keys.group(group);
            let mut find = cmd("ZRANGEBYLEX");
            find.arg(index).arg(&min).arg(&max);
            find.arg("LIMIT").arg(0).arg(limit).to_owned()
        };
        let found: Vec<Vec<String>> = self.query_each(groups.iter().map(find).collect()).await?;
        let ids = groups.iter().zip(&found).flat_map(|(group, entries)| {
            let ids = entries.iter().filter_map(|entry| booking_of_entry(entry));
            ids.map(|id| (*group, id))
        });
        self.read_bookings(ids.take(limit).collect()).await
    }

    async fn number_states(
        &self,
        group: &str,
        numbers: &[AccessNumber],
    ) -> Result<Vec<NumberState>, StoreError> {
        self.read_number_states(group, numbers).await
    }

    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError> {
        let mut found = self.read_bookings(vec![(group, id.clone())]).await?;
        Ok(found.pop().map(|(_, booking)| booking))
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

/// The range of the bookings of a number in the index of its group.
pub(super) fn index_range(subscriber: &str) -> [Vec<u8>; 2] {
    let min = ["[n\n", subscriber, "\n"].concat().into_bytes();
    let mut max = ["(n\n", subscriber, "\n"].concat().into_bytes();
    max.push(0xff);
    [min, max]
}

/// The booking of an entry of the index.
pub(super) fn booking_of_entry(entry: &str) -> Option<BookingId> {
    let id = entry.rsplit('\n').next()?;
    Some(BookingId::from(id.to_owned()))
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
