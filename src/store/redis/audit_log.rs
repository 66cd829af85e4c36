//! The audit log in Redis: a stream.

use async_trait::async_trait;
use redis::{FromRedisValue, Value, cmd};

use super::RedisStore;
use crate::{
    model::{AuditEvent, StoreError},
    store::AuditLogStore,
};

#[async_trait]
impl AuditLogStore for RedisStore {
    async fn append_audit_event(&self, event: &str, limit: usize) -> Result<(), StoreError> {
        let mut add = cmd("XADD");
        add.arg(self.keys.audit_log()).arg("MAXLEN").arg("~");
        add.arg(limit).arg("*").arg("event").arg(event);
        self.redis.query_replicated(&add).await
    }

    async fn audit_events(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let mut read = cmd("XREVRANGE");
        read.arg(self.keys.audit_log());
        match before {
            Some(id) => read.arg(format!("({id}")),
            None => read.arg("+"),
        };
        read.arg("-").arg("COUNT").arg(limit);
        let events: Vec<(String, Value)> = self.redis.query(&read).await?;
        let event = |(id, fields)| {
            let fields = Vec::<String>::from_redis_value(fields).ok()?;
            let text = fields.into_iter().nth(1)?;
            Some(AuditEvent { id, text })
        };
        Ok(events.into_iter().filter_map(event).collect())
    }
}
