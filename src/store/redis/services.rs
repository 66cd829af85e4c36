//! The lifecycle of a service.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, cmd};
use tracing::{debug, warn};

use super::{
    MAX_ATTEMPTS, RedisStore, conflict,
    creation::Creation,
    expiration::EndChange,
    keys::{self, Field, OwnedResource},
    script_reply::{self, ScriptReply, revision_of},
    scripts::{DELETE, DELETE_WITH_EVENT, evalsha},
    storage::condition_argument,
};
use crate::{
    model::{
        CreateResult, Description, NewService, ServiceId, StoreError, Timestamp, WriteCondition,
        WriteResult,
    },
    store::{ServiceStore, webhook_hub::Outbox},
};

/// The delay after which the sweep first checks a service with binaries or a session; it then determines
/// the actual expiration.
const CLEANUP_CHECK_DELAY: Duration = Duration::from_secs(60);
/// The delay after which the sweep checks the outbox of a service.
const OUTBOX_CHECK_DELAY: Duration = Duration::from_secs(10);

#[async_trait]
impl ServiceStore for RedisStore {
    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError> {
        let Creation {
            command,
            schedule,
            has_event,
            claim,
        } = self.creation(&service)?;
        let NewService { id, end, data, .. } = service;
        // It is returned if a custom id is in use.
        let data = if id.is_custom() { data } else { Vec::new() };
        let list = self.add_listing(&id, end);
        let reply = self
            .redis
            .with_cleanup_index_and_listing(schedule, list, command)
            .await?;
        match reply {
            ScriptReply::Done(leftover) => {
                if has_event {
                    self.webhooks.relay(Outbox::Service(id.clone()));
                }
                self.expire_leftover(&id, &leftover).await;
                // The key was bound before the TTL of the service was known. Its expiration may change
                // only after the service exists: a slower request with the same key must not change it.
                if let Some(claim) = claim
                    && let Err(error) = self.extend_idempotency_key(&claim, &id, Some(end)).await
                {
                    warn!(id = %id.redacted(), %error, "expiration of an idempotency key not updated");
                }
                Ok(CreateResult::Created)
            }
            ScriptReply::UploadLost => Ok(CreateResult::UploadLost),
            ScriptReply::Refused(mut response) => Ok(match response.pop() {
                Some(response) => CreateResult::Replayed(response),
                None => CreateResult::IdInUse(data),
            }),
            other => Err(other.unexpected()),
        }
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        let mut get = cmd("HGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        self.redis.query(&get).await
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        // Two round trips, so that no values are transferred.
        let key = self.keys.service(id);
        let fields: Vec<String> = self.redis.query(cmd("HKEYS").arg(&key)).await?;
        let internal = [keys::DEFINITION, keys::CREATED, keys::END, keys::GMS_USER];
        let binaries = fields.iter().filter_map(|field| match Field::parse(field) {
            Field::Binary(name) => Some((name, field)),
            Field::Text(_) | Field::Internal => None,
        });
        let (names, descriptors): (Vec<&str>, Vec<&String>) = binaries.unzip();
        let mut get = cmd("HMGET");
        get.arg(&key).arg(&internal).arg(&descriptors);
        let values: Vec<Option<String>> = self.redis.query(&get).await?;
        let texts = fields.iter().filter_map(|field| match Field::parse(field) {
            Field::Text(name) => Some(name.to_owned()),
            Field::Binary(_) | Field::Internal => None,
        });
        let Some(mut description) =
            script_reply::parse_description(values, texts.collect(), &names)?
        else {
            return Ok(None);
        };
        description.created = self
            .redis
            .translate_from_server(&key, description.created)?;
        description.end = self.redis.translate_from_server(&key, description.end)?;
        Ok(Some(description))
    }

    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError> {
        self.change_end(id, end, EndChange::Update).await
    }

    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        self.change_end(id, end, EndChange::FinishCreate(response))
            .await
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let deleted = self.delete_if(id, &WriteCondition::default()).await?;
        Ok((deleted != WriteResult::ServiceNotFound).then_some(()))
    }
}

impl RedisStore {
    /// Deletes a service, if the condition is met.
    pub(super) async fn delete_if(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError> {
        let mut claim = String::new();
        let mut has_event = false;
        let revisions = condition_argument(condition);
        for _ in 0..MAX_ATTEMPTS {
            // First, so that the sweep finds the service even if the notification is lost.
            let schedule = self.schedule_cleanup_now(id)?;
            let mut delete = if has_event {
                let keys = [
                    self.keys.service(id),
                    self.keys.owned(id),
                    self.keys.events(id),
                ];
                evalsha(&DELETE_WITH_EVENT, &keys)
            } else {
                evalsha(&DELETE, &[self.keys.service(id)])
            };
            delete.arg(&claim).arg(&revisions);
            delete.arg(if has_event { id.as_str() } else { "" });
            let deleted = if revisions.is_empty() {
                let list = self.remove_listing(id);
                let all = (self.redis).with_cleanup_index_and_listing(Some(schedule), list, delete);
                all.await?
            } else {
                self.redis.with_cleanup_index(schedule, delete).await?
            };
            match deleted {
                ScriptReply::Done(reply) => {
                    if has_event {
                        self.webhooks.relay(Outbox::Service(id.clone()));
                    }
                    if let [_revision, claim] = reply.as_slice()
                        && !revisions.is_empty()
                    {
                        self.finish_conditional_delete(id, claim).await;
                    }
                    return revision_of(&reply).map(WriteResult::Stored);
                }
                ScriptReply::Refused(_) => return Ok(WriteResult::ServiceNotFound),
                ScriptReply::ConditionFailed(reply) => {
                    return revision_of(&reply).map(WriteResult::ConditionFailed);
                }
                ScriptReply::Retry(needed) => {
                    let mut needed = needed.into_iter();
                    let needed_claim = needed.next().unwrap_or_default();
                    has_event = needed.next().is_some_and(|flag| !flag.is_empty());
                    if needed_claim != claim {
                        claim = needed_claim;
                        self.extend_idempotency_key(&claim, id, None).await?;
                    }
                }
                other => return Err(other.unexpected()),
            }
        }
        Err(conflict(id))
    }

    /// Deletes the idempotency key `claim` of a service that was deleted under a condition, and its entry in the list of
    /// services: not before, because the condition could fail.
    async fn finish_conditional_delete(&self, id: &ServiceId, claim: &str) {
        let finish = async {
            if !claim.is_empty() {
                self.extend_idempotency_key(claim, id, None).await?;
            }
            self.redis.query::<()>(&self.remove_listing(id)).await
        };
        if let Err(error) = finish.await {
            debug!(id = %id.redacted(), %error, "deleted service not removed from the list");
        }
        // A custom id can be used again already.
        self.restore_listing(id, Self::add_listing).await;
    }

    /// Sets a short TTL on the binaries of the earlier use of a custom id that the cleanup has not released. `fields`
    /// are those of `own:{id}`; a storage area with a custom id has no other resources.
    async fn expire_leftover(&self, id: &ServiceId, fields: &[String]) {
        let resources = fields
            .iter()
            .filter_map(|field| OwnedResource::parse(field));
        let blobs = resources.filter_map(|resource| match resource {
            OwnedResource::Blob(blob) => Some(blob),
            OwnedResource::Booking(..)
            | OwnedResource::Session(_)
            | OwnedResource::Chat
            | OwnedResource::Webhook => None,
        });
        self.expire_blobs(id, &blobs.collect::<Vec<_>>()).await;
    }

    /// The command that schedules the sweep of `id`, which is about to acquire a resource, if it is not
    /// scheduled yet; for a storage area, whose expiration or earlier use changes, also if it is. It is sent before
    /// the outcome is known, so it uses a preliminary time: the sweep then determines the actual expiration, or that
    /// there is nothing to clean up.
    pub(super) fn schedule_cleanup_soon(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id));
        if !id.is_storage_area() {
            add.arg("NX");
        }
        let soon = self.redis.now()?.after(CLEANUP_CHECK_DELAY);
        add.arg(soon.millis()).arg(id.as_str());
        Ok(add)
    }

    /// The command that schedules the sweep of `id`, whose outbox is about to get an event, to a few seconds from now,
    /// or to `end`, or earlier: it relays the event if this process does not.
    pub(super) fn schedule_outbox_check(
        &self,
        id: &ServiceId,
        end: Timestamp,
    ) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("LT");
        let soon = self.redis.now()?.after(OUTBOX_CHECK_DELAY);
        add.arg(soon.min(end).millis()).arg(id.as_str());
        Ok(add)
    }

    /// Like [`RedisStore::schedule_outbox_check`], if the end of the service is not known.
    pub(super) fn schedule_event_check(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        self.schedule_outbox_check(id, Timestamp::from_millis(i64::MAX))
    }

    /// The command that reschedules the sweep of `id`, if it is scheduled, to the current time.
    fn schedule_cleanup_now(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("XX");
        add.arg(self.redis.now()?.millis()).arg(id.as_str());
        Ok(add)
    }
}
