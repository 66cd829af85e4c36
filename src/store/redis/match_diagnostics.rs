//! Explanations of matches in Redis, and the list of failed ones: a stream.

use std::time::Duration;

use async_trait::async_trait;
use redis::{FromRedisValue, Value, cmd};

use super::{
    RedisStore, keys, millis,
    scripts::{MATCH_CANDIDATES, RECORD_FAILED_MATCHES, evalsha},
};
use crate::{
    model::{
        BookingId, FailedMatch, FailedMatchPage, ListedFailedMatch, MatchCandidate,
        MatchCandidates, ServiceId, StoreError, Timestamp,
    },
    store::MatchDiagnosticsStore,
};

/// The time after the last failed match at which the list expires.
const FAILED_MATCHES_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The reply of `match_candidates.lua`: the time, whether there are more bookings, the regions, and the bookings.
type CandidatesReply = (i64, bool, Vec<String>, Vec<(String, i64, String)>);

#[async_trait]
impl MatchDiagnosticsStore for RedisStore {
    async fn match_candidates(
        &self,
        group: &str,
        dialed: &[String],
        limit: usize,
    ) -> Result<MatchCandidates, StoreError> {
        let keys = self.keys.group(group);
        let mut read = evalsha(&MATCH_CANDIDATES, &keys);
        read.arg(limit).arg(dialed);
        let (now, has_more, regions, found): CandidatesReply = self.redis.query(&read).await?;
        let [_, _, booked, ..] = &keys;
        let mut bookings = Vec::with_capacity(found.len());
        for (id, until, text) in found {
            let until_at_server = Timestamp::from_millis(until);
            let has_expired = until <= now;
            let until = self.redis.translate_from_server(booked, until_at_server)?;
            bookings.extend(parse_candidate(group, id, &text, until, has_expired));
        }
        Ok(MatchCandidates {
            bookings,
            is_complete: !has_more,
            regions,
        })
    }

    async fn are_active(&self, ids: &[ServiceId]) -> Result<Vec<bool>, StoreError> {
        let exists = |id| {
            let mut exists = cmd("HEXISTS");
            let key = self.keys.service(id);
            exists.arg(key).arg(keys::DEFINITION).to_owned()
        };
        self.query_each(ids.iter().map(exists).collect()).await
    }

    async fn record_failed_matches(
        &self,
        failed: &[FailedMatch],
        limit: usize,
    ) -> Result<(), StoreError> {
        let mut record = evalsha(&RECORD_FAILED_MATCHES, &[self.keys.failed_matches()]);
        record.arg(limit).arg(millis(FAILED_MATCHES_TTL));
        for failed in failed {
            let text = serde_json::to_string(failed);
            record.arg(text.map_err(|error| StoreError::Bug(error.to_string()))?);
        }
        self.redis.query::<()>(&record).await
    }

    async fn failed_matches(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<FailedMatchPage, StoreError> {
        let mut read = cmd("XREVRANGE");
        read.arg(self.keys.failed_matches());
        read.arg(before.map_or_else(|| "+".to_owned(), |id| format!("({id}")));
        read.arg("-").arg("COUNT").arg(limit);
        let entries: Vec<(String, Value)> = self.redis.query(&read).await?;
        let last = entries.last().filter(|_| entries.len() == limit);
        let next = last.map(|(id, _)| id.clone());
        let listed = entries.into_iter().filter_map(|(id, fields)| {
            let fields = Vec::<String>::from_redis_value(fields).ok()?;
            // An entry of a later version may be unreadable.
            let failed = serde_json::from_str(fields.get(1)?).ok()?;
            Some(ListedFailedMatch { id, failed })
        });
        Ok(FailedMatchPage {
            matches: listed.collect(),
            next,
        })
    }
}

fn parse_candidate(
    group: &str,
    id: String,
    text: &str,
    until: Timestamp,
    has_expired: bool,
) -> Option<MatchCandidate> {
    let mut parts = text.split('\n');
    let (number, service) = (parts.next()?, parts.nth(1)?);
    let mut optional = || Some(parts.next()?.to_owned()).filter(|part| !part.is_empty());
    let (code, caller) = (optional(), optional());
    Some(MatchCandidate {
        id: BookingId::from(id),
        group: group.to_owned(),
        number: number.to_owned(),
        service: ServiceId::from(service.to_owned()),
        code,
        caller,
        until,
        has_expired,
    })
}
