//! The interface of a store: one trait for each kind of data, and two traits that combine them.
//!
//! Each operation is atomic: other readers see all of its changes or none. Each completes within the
//! store's own timeouts. Operations are not retried. If a future is dropped, the operation has been
//! performed or not, never partially.

use super::Clock;

pub use self::{
    admin_queries::AdminQueries,
    admin_sessions::AdminSessionStore,
    audit_log::AuditLogStore,
    backend_sessions::BackendSessionStore,
    binaries::BinaryStore,
    bookings::BookingStore,
    catalog::CatalogStore,
    chats::{ChatSignalSource, ChatStore},
    comet::CometStore,
    consistency_check::ConsistencyCheck,
    health_check::HealthCheck,
    idempotency::IdempotencyStore,
    match_diagnostics::MatchDiagnosticsStore,
    quarantine::QuarantineStore,
    rate_limit::RateLimitStore,
    replicas::{REPLICA_TIMEOUT, ReplicaStore},
    service_list::ServiceList,
    services::ServiceStore,
    statistics::StatisticsStore,
    storage::StorageStore,
    webhooks::{WebhookSignalSource, WebhookStore},
};
pub(super) use self::{
    binaries::{REPLACED_TTL, UPLOAD_TTL},
    replicas::REPLICA_TTL,
};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_sessions;
mod binaries;
mod bookings;
mod catalog;
mod chats;
mod comet;
mod consistency_check;
mod health_check;
mod idempotency;
mod match_diagnostics;
mod quarantine;
mod rate_limit;
mod replicas;
mod service_list;
mod services;
mod statistics;
mod storage;
mod webhooks;

/// The operations that the Service API needs.
pub trait Store:
    Clock
    + ServiceStore
    + StorageStore
    + BinaryStore
    + BookingStore
    + IdempotencyStore
    + BackendSessionStore
    + RateLimitStore
    + ChatStore
    + CometStore
    + ConsistencyCheck
    + HealthCheck
{
}

impl<S> Store for S where
    S: Clock
        + ServiceStore
        + StorageStore
        + BinaryStore
        + BookingStore
        + IdempotencyStore
        + BackendSessionStore
        + RateLimitStore
        + ChatStore
        + CometStore
        + ConsistencyCheck
        + HealthCheck
{
}

/// A store with the operations of the admin API.
pub trait AdminStore:
    Store
    + CatalogStore
    + AuditLogStore
    + ReplicaStore
    + StatisticsStore
    + AdminQueries
    + ServiceList
    + MatchDiagnosticsStore
    + QuarantineStore
    + AdminSessionStore
    + ChatSignalSource
    + WebhookStore
    + WebhookSignalSource
{
}

impl<S> AdminStore for S where
    S: Store
        + CatalogStore
        + AuditLogStore
        + ReplicaStore
        + StatisticsStore
        + AdminQueries
        + ServiceList
        + MatchDiagnosticsStore
        + QuarantineStore
        + AdminSessionStore
        + ChatSignalSource
        + WebhookStore
        + WebhookSignalSource
{
}
