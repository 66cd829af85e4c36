//! Business logic of services, independent of HTTP and of the store implementation.
//!
//! [`Services`] is the entry point. A create has two steps, because its data can be large and needs the service id:
//! [`Services::prepare_create`] selects the definition and the id, the body is read into the [`Uploads`] of that id, and
//! [`PendingCreate::finish`] creates the service atomically.

use std::sync::Arc;

pub use self::{
    admin::{
        ActiveService, Actor, Admin, AdminContext, AdminError, AdminSession, AuditLogPage,
        CatalogEntry, Difference, EntryOrigin, GroupUsage, ImportMode, ImportReport, LostEntries,
        MAX_SAMPLED_GROUPS, MostUsedGroups, Overview, Precondition, PutOutcome, Replica,
        ReplicaStats, Secrets, ServiceSearchResult, StatsSampler, StoreOutage, StoreStatus,
        UsageSample, deregister, export_catalog,
    },
    auth::BasicCredentials,
    backend_requests::PreparedRequest,
    catalog::{
        Catalog, CatalogContext, CatalogError, CatalogFile, CatalogReloader, CurrentCatalog,
        EntryError, MAX_OPTIONS, Variables,
    },
    clock_skew::{ClockSkew, monitor_clock_skew},
    create::{CreateRequestHead, CreateResponse, PendingCreate},
    download::{ByteRange, Download},
    error::ServiceError,
    failed_credentials::FailedCredentials,
    flatten::{FlattenError, flatten},
    form_data::{FieldValue, FormData},
    idempotency::IdempotencyHead,
    options::{
        Importance, MAX_NUMBER_BYTES, OptionDoc, OptionType, OptionValue, Options, REDACTED,
        ServicePreset, group_options, is_option_name, preset_of, presets,
    },
    parse_value::parse_integer,
    phone_numbers::PhoneNumbers,
    readiness::monitor_readiness,
    session_terminator::SessionTerminator,
    storage::StorageStrings,
    uploads::{Upload, Uploads},
};
use crate::{
    backend::Backends,
    memory_budget::MemoryBudgets,
    model::{
        Description, ServiceId, Timestamp,
        readiness::{Readiness, Status},
    },
    settings::{Limits, RateLimit, RouteGroups},
    store::Store,
    telemetry::metrics::BinaryMetrics,
};

mod access_code;
mod admin;
mod auth;
mod backend_requests;
mod book_number;
mod builtin;
mod catalog;
mod clock_skew;
mod create;
mod create_on_backend;
mod create_response;
mod definition;
mod digest;
mod download;
mod error;
mod failed_credentials;
mod flatten;
mod form_data;
mod idempotency;
mod options;
mod parameters;
mod parse_value;
mod phone_numbers;
mod rate_limit;
mod readiness;
mod resource_groups;
mod session_terminator;
mod storage;
mod ttl;
mod uploads;

/// The services of one worker: catalog, store, backends and limits.
#[derive(Clone)]
pub struct Services {
    catalog: CurrentCatalog,
    /// The route groups of the listener. They restrict which services can be created.
    route_groups: RouteGroups,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
    phone_numbers: PhoneNumbers,
    rate_limit: RateLimit,
    failed_credentials: Arc<FailedCredentials>,
    backends: Arc<Backends>,
    memory: MemoryBudgets,
    binaries: BinaryMetrics,
}

impl Services {
    /// Services of `catalog` in `store`. Phone numbers are compared by `phone_numbers`; `backends` runs services of
    /// types `ors` and `http`.
    #[must_use]
    pub fn new(
        catalog: CurrentCatalog,
        store: Arc<dyn Store>,
        limits: Arc<Limits>,
        phone_numbers: PhoneNumbers,
        backends: Arc<Backends>,
    ) -> Self {
        Self {
            catalog,
            route_groups: RouteGroups::ALL,
            store,
            memory: MemoryBudgets::new(&limits),
            binaries: BinaryMetrics::default(),
            limits,
            phone_numbers,
            rate_limit: RateLimit::default(),
            failed_credentials: Arc::new(FailedCredentials::new(&RateLimit::default())),
            backends,
        }
    }

    /// A curl command that creates a service on this listener, for trying it; see [`Catalog::example_command`].
    #[must_use]
    pub fn example_command(&self, origin: &str, keys: bool) -> Option<String> {
        self.catalog
            .load()
            .example_command(origin, self.route_groups, keys)
    }

    /// Sets the rate limits. The default is unlimited.
    #[must_use]
    pub fn with_rate_limits(
        mut self,
        rate_limit: RateLimit,
        failed_credentials: Arc<FailedCredentials>,
    ) -> Self {
        self.rate_limit = rate_limit;
        self.failed_credentials = failed_credentials;
        self
    }

    /// Sets the memory budgets that all workers share.
    #[must_use]
    pub fn with_memory(mut self, memory: MemoryBudgets) -> Self {
        self.memory = memory;
        self
    }

    /// Sets the metrics of binaries that all workers share.
    #[must_use]
    pub fn with_binary_metrics(mut self, metrics: BinaryMetrics) -> Self {
        self.binaries = metrics;
        self
    }

    /// The memory budgets.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudgets {
        &self.memory
    }

    /// Restricts creates to `groups`, the route groups of a listener. Other configured services do not exist there.
    /// The authentication of existing services is not affected.
    #[must_use]
    pub fn with_route_groups(mut self, groups: RouteGroups) -> Self {
        self.route_groups = groups;
        self
    }

    /// Whether `name` is a configured service that this listener can create.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.catalog
            .load()
            .get_for_route_groups(name, self.route_groups)
            .is_some()
    }

    /// Uploads for an existing service. The first upload checks that it exists.
    #[must_use]
    pub fn uploads(&self, id: &ServiceId) -> Uploads {
        let (budget, metrics) = (self.memory.requests.clone(), self.binaries.clone());
        Uploads::for_existing(Arc::clone(&self.store), id.clone(), budget, metrics)
    }

    /// Describes a service, without its values.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id.
    pub async fn describe(&self, id: &ServiceId) -> Result<Description, ServiceError> {
        let description = self.store.describe(id).await?;
        description.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// Ends a service. It is no longer found by any request.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id.
    pub async fn delete(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let deleted = self.store.delete(id).await?;
        deleted.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// Sets the expiration time of a service and all its data, as requested by `form`.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if `form` contains no expiration time or one that is out of range,
    /// [`ServiceError::NoSuchService`] if there is no active service with this id.
    pub async fn set_end(&self, id: &ServiceId, form: &FormData) -> Result<(), ServiceError> {
        self.set_end_at(id, self.requested_end(form)?).await
    }

    fn requested_end(&self, form: &FormData) -> Result<Timestamp, ServiceError> {
        ttl::requested_end(form, self.now()?, self.limits.max_ttl)
    }

    async fn set_end_at(&self, id: &ServiceId, end: Timestamp) -> Result<(), ServiceError> {
        let updated = self.store.set_end(id, end).await?;
        updated.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// The current time of the store's clock, which all expiration times refer to.
    ///
    /// # Errors
    /// [`ServiceError::Store`] while the time of the store is unknown.
    pub fn now(&self) -> Result<Timestamp, ServiceError> {
        Ok(self.store.now()?)
    }

    /// Checks whether this replica should receive requests.
    pub async fn check_readiness(&self, readiness: &Readiness) -> Status {
        readiness::check_readiness(&*self.store, &self.catalog, readiness).await
    }
}
