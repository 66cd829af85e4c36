//! What the requests on a listener share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{
    ChangeListeners, CometContext, CurrentCatalog, FailedCredentials, FailedMatches, PhoneNumbers,
};
use crate::{
    backend::Backends,
    memory_budget::MemoryBudgets,
    settings::{CustomIds, Limits, RateLimit, RouteGroups},
    store::Store,
    telemetry::metrics::BinaryMetrics,
};

/// What the requests that one worker serves on one listener share. A request that outlives its handler, such as the
/// start of a service on a backend, has a reference to it.
pub struct ServiceContext {
    /// The current catalog.
    pub catalog: CurrentCatalog,
    /// The route groups of the listener. They restrict which configured services can be created; the others do not
    /// exist there. The authentication of existing services is not affected.
    pub route_groups: RouteGroups,
    /// The store of the worker.
    pub store: Arc<dyn Store>,
    /// `[limits]`
    pub limits: Arc<Limits>,
    /// The rules for phone numbers.
    pub phone_numbers: PhoneNumbers,
    /// `[rate_limit]`
    pub rate_limit: RateLimit,
    /// Recent requests with wrong credentials.
    pub failed_credentials: Arc<FailedCredentials>,
    /// The failed matches that are not in the list yet.
    pub failed_matches: FailedMatches,
    /// The client of backends. It runs services of types `ors` and `http`.
    pub backends: Arc<Backends>,
    /// The memory budgets of the process.
    pub memory: MemoryBudgets,
    /// `storage.custom_ids`
    pub custom_ids: CustomIds,
    /// The listeners of chats on this replica.
    pub change_listeners: ChangeListeners,
    /// A permit for each event stream of this process, `limits.watchers` in all.
    pub watchers: Arc<Semaphore>,
    /// What requests of `CometD` share.
    pub comet: CometContext,
    /// `api.strict_storage_ttl`
    pub strict_storage_ttl: bool,
    /// The metrics of binaries.
    pub binaries: BinaryMetrics,
}
