//! What creating, asking and ending a service mean, whatever carries the request and whatever keeps
//! the state.
//!
//! [`Services`] is the door. Creating comes in two steps, because the data of a request may be large
//! and belongs to an id: [`Services::begin`] settles which definition and which id, the body is read
//! into the [`Uploads`] of that id, and [`PendingCreate::finish`] makes the service, whole or not at all.

use std::sync::Arc;

pub use self::{
    admin::{
        ActiveService, Actor, Admin, AdminContext, AdminError, AdminSession, AuditLogPage,
        CatalogEntry, Difference, EntryOrigin, GroupUsage, ImportMode, ImportReport, LostEntries,
        MAX_SAMPLED_GROUPS, MostUsedGroups, Overview, Precondition, PutOutcome, Replica,
        ReplicaStats, Secrets, ServiceSearchResult, StoreOutage, StoreStatus, UsageSample,
        deregister, export_catalog,
    },
    auth::BasicCredentials,
    backend::{
        Backends, GMS_USER, PropagatedHeaders, REQUEST_ID, SessionTerminator, TRACEPARENT,
        TRACESTATE,
    },
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
    options::{OptionValue, Options, REDACTED, is_option_name},
    parameters::parse_integer,
    phone_numbers::PhoneNumbers,
    readiness::monitor_readiness,
    schema::{Importance, OptionDoc, OptionType, ServicePreset, group_options, preset_of, presets},
    storage::StorageStrings,
    uploads::{Upload, Uploads},
};
use crate::{
    memory_budget::MemoryBudgets,
    model::readiness::{Readiness, Status},
    settings::{Limits, RateLimit, RouteGroups},
    store::{Description, ServiceId, Store, Timestamp},
};

mod access_code;
mod admin;
mod auth;
mod backend;
mod backend_requests;
mod book_number;
mod builtin;
mod catalog;
mod clock_skew;
mod create;
mod create_on_backend;
mod create_response;
mod definition;
mod download;
mod error;
mod failed_credentials;
mod flatten;
mod form_data;
mod idempotency;
mod options;
mod parameters;
mod phone_numbers;
mod rate_limit;
mod readiness;
mod resource_groups;
mod schema;
mod storage;
mod ttl;
mod uploads;

/// One worker's services: what may be created, and where they live.
#[derive(Clone)]
pub struct Services {
    catalog: CurrentCatalog,
    /// Which of them may be created here.
    route_groups: RouteGroups,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
    phone_numbers: PhoneNumbers,
    rate_limit: RateLimit,
    failed_credentials: Arc<FailedCredentials>,
    backends: Arc<Backends>,
    memory: MemoryBudgets,
}

impl Services {
    /// Services of `catalog` that live in `store`; phone numbers are compared by `numbering`, and
    /// `backends` is the way to those that run elsewhere.
    #[must_use]
    pub fn new(
        catalog: CurrentCatalog,
        store: Arc<dyn Store>,
        limits: Arc<Limits>,
        numbering: PhoneNumbers,
        backends: Arc<Backends>,
    ) -> Self {
        Self {
            catalog,
            route_groups: RouteGroups::ALL,
            store,
            memory: MemoryBudgets::new(&limits),
            limits,
            phone_numbers: numbering,
            rate_limit: RateLimit::default(),
            failed_credentials: Arc::new(FailedCredentials::new(&RateLimit::default())),
            backends,
        }
    }

    /// A command that creates a service here, by which this one can be tried; see [`Catalog::example`].
    #[must_use]
    pub fn example_command(&self, origin: &str, keys: bool) -> Option<String> {
        self.catalog
            .load()
            .example_command(origin, self.route_groups, keys)
    }

    /// The same under these limits of how often; without them there are none.
    #[must_use]
    pub fn with_rate_limits(
        mut self,
        throttle: RateLimit,
        failed_credentials: Arc<FailedCredentials>,
    ) -> Self {
        self.rate_limit = throttle;
        self.failed_credentials = failed_credentials;
        self
    }

    /// The same with these budgets of memory, which all workers share.
    #[must_use]
    pub fn with_memory(mut self, memory: MemoryBudgets) -> Self {
        self.memory = memory;
        self
    }

    /// The budgets of memory.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudgets {
        &self.memory
    }

    /// The same where a listener serves only `groups`: what else may be created does not exist there.
    /// Services that exist keep their locks.
    #[must_use]
    pub fn with_route_groups(mut self, groups: RouteGroups) -> Self {
        self.route_groups = groups;
        self
    }

    /// Whether `name` names a configured service that may be created here.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.catalog
            .load()
            .get_for_route_groups(name, self.route_groups)
            .is_some()
    }

    /// Uploads for a service that exists; the first one asks whether it does.
    #[must_use]
    pub fn uploads(&self, id: &ServiceId) -> Uploads {
        let budget = self.memory.requests.clone();
        Uploads::for_existing(Arc::clone(&self.store), id.clone(), budget)
    }

    /// Tells a service without its values.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] where no such service lives.
    pub async fn describe(&self, id: &ServiceId) -> Result<Description, ServiceError> {
        let description = self.store.describe(id).await?;
        description.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// Ends a service: from here on nobody finds it.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] where no such service lives.
    pub async fn delete(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let deleted = self.store.delete(id).await?;
        deleted.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// Moves the end of a service and of all that belongs to it, to what `pairs` ask for.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] where they ask for no end or for one out of range,
    /// [`ServiceError::NoSuchService`] where no such service lives.
    pub async fn set_end(&self, id: &ServiceId, pairs: &FormData) -> Result<(), ServiceError> {
        self.set_end_at(id, self.requested_end(pairs)?).await
    }

    fn requested_end(&self, pairs: &FormData) -> Result<Timestamp, ServiceError> {
        ttl::requested_end(pairs, self.now()?, self.limits.max_ttl)
    }

    async fn set_end_at(&self, id: &ServiceId, end: Timestamp) -> Result<(), ServiceError> {
        let moved = self.store.set_end(id, end).await?;
        moved.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// The current time by the clock of the store, which every end is measured by.
    ///
    /// # Errors
    /// What the store says while its time is not known.
    pub fn now(&self) -> Result<Timestamp, ServiceError> {
        Ok(self.store.now()?)
    }

    /// Checks whether this replica should receive requests.
    pub async fn check_readiness(&self, readiness: &Readiness) -> Status {
        readiness::check_readiness(&*self.store, &self.catalog, readiness).await
    }
}
