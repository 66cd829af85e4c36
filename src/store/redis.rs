//! The store in Redis, which all replicas share.
//!
//! A service is one small hash that expires at the end of the service, so most operations are one
//! command or one script on one key: one round trip. All keys that change atomically share the hash tag
//! `{id}`. The keys are defined in `keys`, the connections in `connection`, the scripts in `scripts`.
//! The operations are in `services`, `storage`, `binaries`, `bookings` and `rate_limit`; `cleanup` and
//! `backend_session` run after a service has ended; `consistency_check`, `service_list` and
//! `admin_queries` serve operators.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use self::{connection::Connections, keys::Keys};
use super::{Clock, HealthCheck, WebhookHub, chat_signals::ChatSignals};
use crate::{
    model::{ServiceId, StoreError, Timestamp, cleanup_status::CleanupStatus, readiness::Finding},
    settings,
    telemetry::metrics::RedisMetrics,
};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_session;
mod binaries;
mod bookings;
mod catalog;
mod chats;
mod checks;
mod cleanup;
mod comet;
mod connection;
mod consistency_check;
mod creation;
mod deployment_stats;
mod expiration;
mod group_sync;
mod idempotency;
mod keys;
mod keyspace_notifications;
mod large_storage;
mod match_diagnostics;
mod number_states;
mod probe;
mod quarantine;
mod rate_limit;
mod replicas;
mod script_reply;
mod scripts;
mod service_list;
mod services;
mod statistics;
mod storage;
mod webhooks;

/// The time for which the record of a service's resources outlives it, so that the cleanup finds them after an outage of
/// all replicas.
const OWNED_TTL_MARGIN: Duration = Duration::from_secs(3 * 24 * 3_600);
/// The maximum number of attempts of a change that conflicts with concurrent changes.
const MAX_ATTEMPTS: usize = 8;

/// The Redis store of one worker.
pub struct RedisStore {
    redis: Connections,
    keys: Keys,
    max_keys: usize,
    mode: settings::RedisMode,
    /// Whether changes wait for Redis replicas.
    waits_for_replicas: bool,
    cleanup: CleanupStatus,
    metrics: RedisMetrics,
    /// Notified when the catalog may have changed, by the task that listens to Redis.
    catalog_changed: Notify,
    /// Notified when a status may have been requested, by the same task.
    status_requested: Notify,
    chat_signals: ChatSignals,
    webhooks: WebhookHub,
}

impl RedisStore {
    /// Opens the connections to Redis on the current runtime. Returns when they are open or the first
    /// attempt has failed; afterwards lost connections are reestablished automatically.
    ///
    /// # Errors
    /// [`StoreError::Bug`] if the settings have no URL, or an invalid one.
    pub async fn open(
        settings: &settings::Redis,
        max_keys: usize,
        metrics: &RedisMetrics,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            redis: Connections::open(settings, metrics).await?,
            keys: Keys::new(&settings.prefix),
            max_keys,
            mode: settings.mode,
            waits_for_replicas: settings.wait_replicas > 0,
            cleanup: CleanupStatus::default(),
            metrics: metrics.clone(),
            catalog_changed: Notify::new(),
            status_requested: Notify::new(),
            chat_signals: ChatSignals::default(),
            webhooks: WebhookHub::default(),
        })
    }

    /// Uses `hub`, which the stores of a process share, instead of its own.
    #[must_use]
    pub fn with_webhooks(self, hub: WebhookHub) -> Self {
        Self {
            webhooks: hub,
            ..self
        }
    }

    /// The state of the cleanup of this replica, if this store runs it.
    #[must_use]
    pub fn cleanup_status(&self) -> &CleanupStatus {
        &self.cleanup
    }
}

fn conflict(id: &ServiceId) -> StoreError {
    StoreError::Conflict(format!("service {}", id.redacted()))
}

/// Converts a duration to the milliseconds that scripts use.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The clock of Redis, measured on existing connections.
impl Clock for RedisStore {
    fn now(&self) -> Result<Timestamp, StoreError> {
        self.redis.now()
    }
}

#[async_trait]
impl HealthCheck for RedisStore {
    async fn check_health(&self) -> Result<Vec<Finding>, StoreError> {
        self.redis.check_health(&self.keys).await
    }
}
