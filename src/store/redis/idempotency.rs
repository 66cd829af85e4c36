//! Idempotency keys: each is bound to the id of the service that its first request creates.

use async_trait::async_trait;
use redis::cmd;

use super::{
    MAX_ATTEMPTS, RedisStore, conflict,
    connection::parse_reply,
    keys,
    script_reply::reply_array,
    scripts::{EXTEND_IDEMPOTENCY_KEY, evalsha},
};
use crate::{
    model::{IdempotencyClaim, IdempotencyKey, ServiceId, StoreError, Timestamp},
    store::IdempotencyStore,
};

#[async_trait]
impl IdempotencyStore for RedisStore {
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError> {
        let key = self.keys.idempotency_key(key);
        let mut bind = cmd("SET");
        let end = self.redis.translate_to_server(&key, end)?;
        bind.arg(&key).arg(id.as_str()).arg("NX");
        bind.arg("PXAT").arg(end.millis());
        let get = cmd("GET").arg(&key).to_owned();
        for _ in 0..MAX_ATTEMPTS {
            let [created, bound] = reply_array(
                self.redis
                    .pipeline_ordered(vec![bind.clone(), get.clone()])
                    .await?,
            )?;
            let (created, bound): (Option<String>, Option<String>) =
                (parse_reply(created)?, parse_reply(bound)?);
            match bound.map(ServiceId::from) {
                Some(bound) if created.is_some() => return Ok(IdempotencyClaim::Create(bound)),
                Some(bound) => {
                    let mut get = cmd("HGET");
                    get.arg(self.keys.service(&bound)).arg(keys::RESPONSE);
                    let stored: Option<String> = self.redis.query(&get).await?;
                    return Ok(match stored {
                        Some(stored) => IdempotencyClaim::Replayed { id: bound, stored },
                        None => IdempotencyClaim::Create(bound),
                    });
                }
                None => {} // it expired between the two commands
            }
        }
        Err(conflict(&id))
    }
}

impl RedisStore {
    /// Changes the expiration of the idempotency key `claim` to `end`, or deletes it, if it belongs to
    /// this service.
    pub(super) async fn extend_idempotency_key(
        &self,
        claim: &str,
        id: &ServiceId,
        end: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let end = end.map(|end| end.millis().to_string()).unwrap_or_default();
        let mut extend = evalsha(&EXTEND_IDEMPOTENCY_KEY, &[claim.to_owned()]);
        extend.arg(id.as_str()).arg(self.redis.now()?.millis());
        self.redis.query_replicated(extend.arg(end)).await
    }
}
