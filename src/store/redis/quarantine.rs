//! Quarantined numbers of resource groups. They are not among the numbers that bookings take, nor among those that
//! releases make free, but in a hash of their own, so that neither reads anything more.

use std::collections::HashMap;

use async_trait::async_trait;
use redis::cmd;

use super::{
    RedisStore,
    bookings::strategy_name,
    script_reply::ScriptReply,
    scripts::{END_QUARANTINE, QUARANTINE_NUMBER, evalsha},
};
use crate::{
    model::{AccessNumber, Group, Quarantine, QuarantinedNumber, StoreError, Timestamp},
    store::QuarantineStore,
};

/// The stored quarantine of a number.
pub(super) struct QuarantineEntry {
    pub(super) listed: QuarantinedNumber,
    /// The score of the number among the free ones; empty if it was booked.
    pub(super) score: String,
}

#[async_trait]
impl QuarantineStore for RedisStore {
    async fn quarantine_number(
        &self,
        group: &Group,
        number: &AccessNumber,
        by: &str,
    ) -> Result<bool, StoreError> {
        let keys = self.keys.group_with_quarantine(&group.name);
        let mut quarantine = evalsha(&QUARANTINE_NUMBER, &keys);
        quarantine.arg(&number.text).arg(&number.subscriber).arg(by);
        let mut reply = self.redis.query_replicated(&quarantine).await?;
        if let ScriptReply::Retry(_) = reply {
            self.sync_group(group).await?;
            reply = self.redis.query_replicated(&quarantine).await?;
        }
        match reply {
            ScriptReply::Done(_) => Ok(true),
            ScriptReply::Refused(_) => Ok(false),
            other => Err(other.unexpected()),
        }
    }

    async fn end_quarantine(
        &self,
        group: &Group,
        number: &AccessNumber,
    ) -> Result<bool, StoreError> {
        let keys = self.keys.group_with_quarantine(&group.name);
        let mut end = evalsha(&END_QUARANTINE, &keys);
        end.arg(&number.subscriber)
            .arg(strategy_name(group.strategy));
        self.redis.query_replicated(&end).await
    }

    async fn quarantined_numbers(&self, group: &str) -> Result<Vec<QuarantinedNumber>, StoreError> {
        let read = cmd("HGETALL")
            .arg(self.keys.group_quarantined(group))
            .to_owned();
        let entries: HashMap<String, String> = self.redis.query_pooled(&read).await?;
        let entries = entries
            .values()
            .filter_map(|text| self.parse_quarantine_entry(group, text));
        Ok(entries.map(|entry| entry.listed).collect())
    }
}

impl RedisStore {
    /// Reads the quarantines of these numbers, in their order.
    pub(super) async fn read_quarantine_entries(
        &self,
        group: &str,
        numbers: &[AccessNumber],
    ) -> Result<Vec<Option<QuarantineEntry>>, StoreError> {
        let mut read = cmd("HMGET");
        read.arg(self.keys.group_quarantined(group));
        for number in numbers {
            read.arg(&number.subscriber);
        }
        let entries: Vec<Option<String>> = self.redis.query(&read).await?;
        let entries = entries
            .into_iter()
            .map(|text| self.parse_quarantine_entry(group, &text?));
        Ok(entries.collect())
    }

    /// Parses an entry, as `scripts/quarantine_number.lua` writes it.
    fn parse_quarantine_entry(&self, group: &str, text: &str) -> Option<QuarantineEntry> {
        let mut parts = text.splitn(4, '\n');
        let (number, score) = (parts.next()?, parts.next()?);
        let since = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let key = self.keys.group_quarantined(group);
        let quarantine = Quarantine {
            since: self.redis.translate_from_server(&key, since).ok()?,
            by: parts.next()?.to_owned(),
        };
        Some(QuarantineEntry {
            listed: QuarantinedNumber {
                number: number.to_owned(),
                quarantine,
            },
            score: score.to_owned(),
        })
    }
}
