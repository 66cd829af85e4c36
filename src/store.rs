//! Storage of services and their data.
//!
//! [`Store`] is the interface between the program and its persistence layer: the sum of the traits in
//! `traits`, one for each kind of data. It has two implementations: [`memory::MemoryStore`] for
//! evaluation and [`redis::RedisStore`] for production. Each implements a trait in the file of the same
//! name. Both pass the same tests (`tests/it/store/interface.rs`); any difference in behavior is a bug.
//!
//! If there is no active service with the given id, an operation reports it in its result (`None`,
//! [`WriteResult::ServiceNotFound`](crate::model::WriteResult::ServiceNotFound)).
//! [`StoreError`](crate::model::StoreError) means that the store could not perform the operation.

use self::traits::{REPLACED_TTL, REPLICA_TTL, UPLOAD_TTL};
pub use self::{
    backend_session::BackendSessions,
    clock::{Clock, WallClock},
    instrumented::InstrumentedStore,
    traits::{
        AdminQueries, AdminSessionStore, AdminStore, AuditLogStore, BackendSessionStore,
        BinaryStore, BookingStore, CatalogStore, ChatSignalSource, ChatStore, CometStore,
        ConsistencyCheck, HealthCheck, IdempotencyStore, MatchDiagnosticsStore, QuarantineStore,
        REPLICA_TIMEOUT, RateLimitStore, ReplicaStore, ServiceList, ServiceStore, StatisticsStore,
        StorageStore, Store, WebhookSignalSource, WebhookStore,
    },
    webhook_hub::WebhookHub,
};

mod backend_session;
mod chat_signals;
mod clock;
mod instrumented;
pub mod memory;
pub mod redis;
mod traits;
mod webhook_hub;
