//! Admin sessions in Redis.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::{RedisStore, millis};
use crate::{model::StoreError, store::AdminSessionStore};

#[async_trait]
impl AdminSessionStore for RedisStore {
    async fn create_session(&self, id: &str, value: &str, ttl: Duration) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        set.arg(self.keys.admin_session(id)).arg(value);
        self.redis
            .query_replicated(set.arg("PX").arg(millis(ttl)))
            .await
    }

    async fn touch_session(&self, id: &str, ttl: Duration) -> Result<Option<String>, StoreError> {
        let mut get = cmd("GETEX");
        get.arg(self.keys.admin_session(id))
            .arg("PX")
            .arg(millis(ttl));
        self.redis.query(&get).await
    }

    async fn peek_session(&self, id: &str) -> Result<Option<String>, StoreError> {
        let get = cmd("GET").arg(self.keys.admin_session(id)).to_owned();
        self.redis.query(&get).await
    }

    async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        let unlink = cmd("UNLINK").arg(self.keys.admin_session(id)).to_owned();
        self.redis.query_replicated(&unlink).await
    }
}
