//! Operators who are signed in, in Redis.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::{RedisStore, millis};
use crate::store::{StoreError, Visits};

#[async_trait]
impl Visits for RedisStore {
    async fn begin_visit(&self, name: &str, told: &str, life: Duration) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        set.arg(self.keys.visit(name)).arg(told);
        self.redis.change(set.arg("PX").arg(millis(life))).await
    }

    async fn visit(&self, name: &str, life: Duration) -> Result<Option<String>, StoreError> {
        let mut get = cmd("GETEX");
        get.arg(self.keys.visit(name)).arg("PX").arg(millis(life));
        self.redis.query(&get).await
    }

    async fn look_at_visit(&self, name: &str) -> Result<Option<String>, StoreError> {
        let get = cmd("GET").arg(self.keys.visit(name)).to_owned();
        self.redis.query(&get).await
    }

    async fn end_visit(&self, name: &str) -> Result<(), StoreError> {
        let unlink = cmd("UNLINK").arg(self.keys.visit(name)).to_owned();
        self.redis.change(&unlink).await
    }
}
