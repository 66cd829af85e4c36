//! Webhooks: the pending events and dead letters of each endpoint, all keys of an endpoint in one slot.
//!
//! The scripts of changes write events to an *outbox* in the slot of the change; `relay` moves them to the queue of the
//! endpoint. A replica delivers the events that it claims: a claim is a lease, so there is no leader of deliveries.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;
use tracing::warn;

use self::record::{EventRecord, parse_record};
use super::{
    RedisStore, millis,
    scripts::{
        CLAIM_DELIVERIES, DELETE_WEBHOOK_EVENTS, ENDPOINT_STATUS, FINISH_DELIVERIES, PAGE,
        RESEND_DEAD_LETTERS, evalsha,
    },
    service_list::split_page,
};
use crate::{
    model::{
        Cursor, Page, StoreError, Timestamp,
        webhook::{
            ClaimedQueue, DeadLetter, DeliveryClaim, EndpointStatus, Event, MAX_CLAIMED_EVENTS,
            MAX_LISTED_ENDPOINTS, NextAttempt, QueueResult, Resend, WebhookEndpoint,
        },
    },
    store::{WebhookSignalSource, WebhookStore},
};

mod add;
mod record;
mod relay;

/// The number of endpoints whose state is read at once.
const STATUS_BATCH: usize = 100;
/// The maximum number of queues that a script claims, so that it does not delay other commands for long.
const MAX_CLAIMED_QUEUES: usize = 256;
/// The maximum number of dead letters that a script makes pending.
const RESEND_BATCH: usize = 500;

/// The reply of `claim_deliveries.lua` for a queue: its name, the failed attempts, the end of the lease, and the positions
/// and records of its events.
type ClaimReply = (String, u32, i64, Vec<(String, String)>);

/// The fields of `endpoint_status.lua`: totals of delivered, failed and dead events, the times of the last success and
/// failure, the error, and since when the endpoint is stopped.
type StateFields = (
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
);

#[async_trait]
impl WebhookStore for RedisStore {
    async fn claim_deliveries(
        &self,
        endpoint: &WebhookEndpoint,
        max_queues: usize,
        lease: Duration,
    ) -> Result<Vec<ClaimedQueue>, StoreError> {
        self.record_use(endpoint).await;
        let mut claim = evalsha(&CLAIM_DELIVERIES, &self.keys.webhook(endpoint));
        claim
            .arg(max_queues.min(MAX_CLAIMED_QUEUES))
            .arg(millis(lease));
        claim.arg(MAX_CLAIMED_EVENTS);
        let queues: Vec<ClaimReply> = self.redis.query(&claim).await?;
        let mut queues: Vec<ClaimedQueue> = queues.into_iter().map(to_claimed_queue).collect();
        queues.retain(|queue| !queue.events.is_empty() || queue.is_next_unreadable);
        Ok(queues)
    }

    async fn finish_deliveries(
        &self,
        endpoint: &WebhookEndpoint,
        results: Vec<QueueResult>,
    ) -> Result<(), StoreError> {
        if results.is_empty() {
            return Ok(());
        }
        let mut finish = evalsha(&FINISH_DELIVERIES, &self.keys.webhook(endpoint));
        finish.arg(self.webhooks.limits().max_dead_letters);
        for result in &results {
            let (delivered, failed) = result.positions();
            finish.arg(&result.queue).arg(result.claim.until.millis());
            finish.arg(delivered.len()).arg(delivered);
            let (Some(failure), Some(position)) = (&result.failure, failed) else {
                finish.arg("");
                continue;
            };
            let (kind, delay) = match failure.next {
                NextAttempt::After(delay) => ("after", delay),
                NextAttempt::DeadLetter => ("dead", Duration::ZERO),
                NextAttempt::StopEndpoint => ("stop", Duration::ZERO),
            };
            // A line feed would end the part of a dead letter.
            let error = failure.error.replace('\n', " ");
            finish.arg(kind).arg(millis(delay)).arg(error).arg(position);
        }
        self.redis.query_replicated(&finish).await
    }

    async fn webhook_status(
        &self,
        endpoints: &[WebhookEndpoint],
    ) -> Result<Vec<EndpointStatus>, StoreError> {
        let read = |endpoint| evalsha(&ENDPOINT_STATUS, &self.keys.webhook(endpoint));
        let mut replies: Vec<(u64, Option<f64>, u64, StateFields)> = Vec::new();
        for batch in endpoints.chunks(STATUS_BATCH) {
            replies.extend(self.query_each(batch.iter().map(read).collect()).await?);
        }
        let both = endpoints.iter().zip(replies);
        both.map(|(endpoint, (pending, oldest, dead, fields))| {
            let (delivered, failed, became_dead, success, failure, error, stopped) = fields;
            let time = |millis| self.to_timestamp(endpoint, millis);
            let failed_at = failure.map(time).transpose()?;
            Ok(EndpointStatus {
                pending,
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "milliseconds are well below 2^53"
                )]
                oldest: oldest.map(|oldest| Timestamp::from_millis(oldest as i64)),
                dead,
                delivered: delivered.unwrap_or_default(),
                failed: failed.unwrap_or_default(),
                became_dead: became_dead.unwrap_or_default(),
                last_success: success.map(time).transpose()?,
                last_failure: failed_at.zip(error),
                stopped_since: stopped.map(time).transpose()?,
            })
        })
        .collect()
    }

    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>, StoreError> {
        let mut range = cmd("ZRANGE");
        range.arg(self.keys.webhook_endpoints());
        range.arg(0).arg(MAX_LISTED_ENDPOINTS - 1);
        let names: Vec<String> = self.redis.query(&range).await?;
        let parsed = names.iter().filter_map(|name| WebhookEndpoint::parse(name));
        Ok(parsed.collect())
    }

    async fn dead_letters(
        &self,
        endpoint: &WebhookEndpoint,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let [.., dead, dead_letters, _state, _done] = &self.keys.webhook(endpoint);
        let mut page = evalsha(&PAGE, std::slice::from_ref(dead));
        let (start, name) = after.map_or((0, ""), |after| (after.end.millis(), &after.name));
        page.arg(start).arg(name).arg(limit + 1);
        let (cursors, next) = split_page(self.redis.query(&page).await?, limit);
        if cursors.is_empty() {
            return Ok(Page {
                entries: Vec::new(),
                next,
            });
        }
        let mut read = cmd("HMGET");
        read.arg(dead_letters);
        for cursor in &cursors {
            read.arg(&cursor.name);
        }
        let texts: Vec<Option<String>> = self.redis.query(&read).await?;
        let mut entries = Vec::with_capacity(cursors.len());
        for (cursor, text) in cursors.iter().zip(texts) {
            // One that was sent again between the commands is omitted.
            let Some(text) = text else { continue };
            match parse_dead_letter(&text, self.to_timestamp(endpoint, cursor.end.millis())?) {
                Ok(letter) => entries.push(letter),
                Err(error) => warn!(%endpoint, %error, "unreadable dead letter omitted"),
            }
        }
        Ok(Page { entries, next })
    }

    async fn resend_dead_letters(
        &self,
        endpoint: &WebhookEndpoint,
        which: Resend,
    ) -> Result<u64, StoreError> {
        let keys = self.keys.webhook(endpoint);
        let (id, since) = match &which {
            Resend::One(id) => (id.as_str(), 0),
            Resend::Since(since) => {
                let since = self.redis.translate_to_server(&keys[0], *since)?;
                ("", since.millis())
            }
        };
        let mut total = 0;
        // Bounded, because events may become dead letters again meanwhile.
        for _ in 0..=self.webhooks.limits().max_dead_letters / RESEND_BATCH {
            let mut resend = evalsha(&RESEND_DEAD_LETTERS, &keys);
            resend.arg(id).arg(since).arg(RESEND_BATCH);
            resend.arg(self.webhooks.limits().max_pending);
            let count: u64 = self.redis.query_replicated(&resend).await?;
            total += count;
            if count < RESEND_BATCH as u64 {
                break;
            }
        }
        self.webhooks.signal(endpoint);
        Ok(total)
    }

    async fn delete_webhook_events(&self, endpoint: &WebhookEndpoint) -> Result<u64, StoreError> {
        let delete = evalsha(&DELETE_WEBHOOK_EVENTS, &self.keys.webhook(endpoint));
        self.redis.query_replicated(&delete).await
    }

    async fn resume_endpoint(&self, endpoint: &WebhookEndpoint) -> Result<bool, StoreError> {
        let [.., state, _done] = &self.keys.webhook(endpoint);
        let mut resume = cmd("HDEL");
        resume.arg(state).arg("stopped");
        let was_stopped = self.redis.query_replicated(&resume).await?;
        self.webhooks.signal(endpoint);
        Ok(was_stopped)
    }

    async fn add_event(&self, endpoint: &WebhookEndpoint, event: Event) -> Result<(), StoreError> {
        let record = EventRecord::new(endpoint, &event);
        self.add_events(endpoint, &[record]).await
    }
}

#[async_trait]
impl WebhookSignalSource for RedisStore {
    async fn next_webhook_signal(&self) -> WebhookEndpoint {
        self.webhooks.next_signal().await
    }
}

impl RedisStore {
    /// Converts a time that the server with the keys of `endpoint` has stored.
    fn to_timestamp(
        &self,
        endpoint: &WebhookEndpoint,
        millis: i64,
    ) -> Result<Timestamp, StoreError> {
        let [events, ..] = &self.keys.webhook(endpoint);
        let timestamp = Timestamp::from_millis(millis);
        self.redis.translate_from_server(events, timestamp)
    }
}

fn to_claimed_queue((queue, failed_attempts, until, batch): ClaimReply) -> ClaimedQueue {
    let (mut events, mut positions) = (Vec::new(), Vec::new());
    let mut is_next_unreadable = false;
    for (position, record) in batch {
        positions.push(position);
        match parse_record(&record) {
            Ok((_, event)) => events.push(event),
            Err(_unreadable) => {
                is_next_unreadable = true;
                break;
            }
        }
    }
    ClaimedQueue {
        queue,
        failed_attempts,
        events,
        is_next_unreadable,
        claim: DeliveryClaim {
            until: Timestamp::from_millis(until),
            positions,
        },
    }
}

/// Parses a dead letter: the attempts, the reason, the sequence number, the queue and the record, on a line each.
fn parse_dead_letter(text: &str, at: Timestamp) -> Result<DeadLetter, StoreError> {
    let corrupt = || StoreError::Corrupt("dead letter".to_owned());
    let mut lines = text.splitn(5, '\n');
    let mut next = || lines.next().ok_or_else(corrupt);
    let (attempts, reason, _number) = (next()?, next()?, next()?);
    let (_queue, record) = (next()?, next()?);
    Ok(DeadLetter {
        attempts: attempts.parse().map_err(|_invalid| corrupt())?,
        reason: reason.to_owned(),
        event: parse_record(record)?.1,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_with_the_first_unreadable_event() {
        let readable =
            r#"{"id":"evt_1","type":"service.created","time":1,"endpoint":"services/a"}"#;
        let unknown = readable.replace("service.created", "service.renamed");
        let batch = [("1", readable), ("2", &*unknown), ("3", readable)];
        let batch = batch.map(|(position, record)| (position.to_owned(), record.to_owned()));
        let claimed = to_claimed_queue(("a".to_owned(), 0, 5, batch.to_vec()));
        assert_eq!(claimed.events.len(), 1);
        assert!(claimed.is_next_unreadable);
        assert_eq!(claimed.claim.positions, ["1", "2"]);
    }
}
