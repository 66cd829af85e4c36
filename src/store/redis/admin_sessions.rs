//! Operators who are signed in, in Redis.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::{RedisStore, millis};
use crate::store::{AdminSessions, StoreError};

#[async_trait]
impl AdminSessions for RedisStore {
    async fn create_session(
        &self,
        name: &str,
        told: &str,
        life: Duration,
    ) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        set.arg(self.keys.admin_session(name)).arg(told);
        self.redis
            .query_replicated(set.arg("PX").arg(millis(life)))
            .await
    }

    async fn touch_session(
        &self,
        name: &str,
        life: Duration,
    ) -> Result<Option<String>, StoreError> {
        let mut get = cmd("GETEX");
        get.arg(self.keys.admin_session(name))
            .arg("PX")
            .arg(millis(life));
        self.redis.query(&get).await
    }

    async fn peek_session(&self, name: &str) -> Result<Option<String>, StoreError> {
        let get = cmd("GET").arg(self.keys.admin_session(name)).to_owned();
        self.redis.query(&get).await
    }

    async fn delete_session(&self, name: &str) -> Result<(), StoreError> {
        let unlink = cmd("UNLINK").arg(self.keys.admin_session(name)).to_owned();
        self.redis.query_replicated(&unlink).await
    }
}
