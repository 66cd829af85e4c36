//! What creating, asking and ending a service mean, whatever carries the request and whatever keeps
//! the state.
//!
//! [`Services`] is the door. Creating comes in two steps, because the data of a request may be large
//! and belongs to an id: [`Services::begin`] settles which definition and which id, the body is read
//! into the [`Uploads`] of that id, and [`Creation::finish`] makes the service, whole or not at all.

use std::sync::Arc;

pub use self::{
    admin::{
        Admin, AdminError, Condition, Difference, Entry as CatalogEntry, FoundServices, Fullest,
        HistoryPage, Import, Imported, LiveService, LostEntries, MOST_GROUPS, Office, Operator,
        Origin, Overview, Pulse, Put, Replica, Sample, Secrets, StoreAway, StoreStatus, Trend,
        Visit, export, say_goodbye,
    },
    backend::{Backends, SessionEnder, Trail},
    catalog::{
        Catalog, CatalogError, CatalogKeeper, Draft, EntryError, InForce, MOST_OPTIONS, Rules,
        Variables,
    },
    clock_skew::{ClockSkew, monitor_clock_skew},
    creation::{CreateAnswer, Creation, CreationHead},
    download::{Download, Span},
    error::ServiceError,
    failed_credentials::FailedCredentials,
    flatten::{FlattenError, flatten},
    idempotency::IdempotencyHead,
    locks::Shown,
    options::{HIDDEN, OptionValue, Options, is_option_name},
    pairs::{Entry, Pairs},
    parameters::parse_whole_number,
    readiness::monitor_readiness,
    requests::Asked,
    schema::{Allowed, Need, OptionHelp, Template, group_options, template_of, templates},
    storage::Texts,
    subscriber::Numbering,
    uploads::{Upload, Uploads},
};
use crate::{
    memory_budget::Memory,
    model::readiness::{Readiness, Status},
    settings::{Groups, Limits, Throttle},
    store::{Description, Moment, ServiceId, Store},
};

mod access_code;
mod admin;
mod answer;
mod backend;
mod booking;
mod builtin;
mod catalog;
mod clock_skew;
mod creation;
mod definition;
mod download;
mod error;
mod failed_credentials;
mod flatten;
mod idempotency;
mod life;
mod locks;
mod options;
mod pairs;
mod parameters;
mod readiness;
mod requests;
mod resources;
mod schema;
mod start;
mod storage;
mod subscriber;
mod throttle;
mod uploads;

/// One worker's services: what may be created, and where they live.
#[derive(Clone)]
pub struct Services {
    catalog: InForce,
    /// Which of them may be created here.
    sees: Groups,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
    numbering: Numbering,
    throttle: Throttle,
    failed_credentials: Arc<FailedCredentials>,
    backends: Arc<Backends>,
    memory: Memory,
}

impl Services {
    /// Services of `catalog` that live in `store`; phone numbers are compared by `numbering`, and
    /// `backends` is the way to those that run elsewhere.
    #[must_use]
    pub fn new(
        catalog: InForce,
        store: Arc<dyn Store>,
        limits: Arc<Limits>,
        numbering: Numbering,
        backends: Arc<Backends>,
    ) -> Self {
        Self {
            catalog,
            sees: Groups::ALL,
            store,
            memory: Memory::new(&limits),
            limits,
            numbering,
            throttle: Throttle::default(),
            failed_credentials: Arc::new(FailedCredentials::new(&Throttle::default())),
            backends,
        }
    }

    /// A command that creates a service here, by which this one can be tried; see [`Catalog::example`].
    #[must_use]
    pub fn example(&self, origin: &str, keys: bool) -> Option<String> {
        self.catalog.now().example(origin, self.sees, keys)
    }

    /// The same under these limits of how often; without them there are none.
    #[must_use]
    pub fn throttled(
        mut self,
        throttle: Throttle,
        failed_credentials: Arc<FailedCredentials>,
    ) -> Self {
        self.throttle = throttle;
        self.failed_credentials = failed_credentials;
        self
    }

    /// The same with these budgets of memory, which all workers share.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The budgets of memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The same where a listener serves only `groups`: what else may be created does not exist there.
    /// Services that exist keep their locks.
    #[must_use]
    pub fn seen_by(mut self, groups: Groups) -> Self {
        self.sees = groups;
        self
    }

    /// Whether `name` names a configured service that may be created here.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.catalog.now().seen(name, self.sees).is_some()
    }

    /// Uploads for a service that exists; the first one asks whether it does.
    #[must_use]
    pub fn uploads(&self, id: &ServiceId) -> Uploads {
        let budget = self.memory.requests.clone();
        Uploads::to_existing(Arc::clone(&self.store), id.clone(), budget)
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
    pub async fn set_end(&self, id: &ServiceId, pairs: &Pairs) -> Result<(), ServiceError> {
        self.move_end(id, self.requested_end(pairs)?).await
    }

    fn requested_end(&self, pairs: &Pairs) -> Result<Moment, ServiceError> {
        life::requested_end(pairs, self.now()?, self.limits.life)
    }

    async fn move_end(&self, id: &ServiceId, end: Moment) -> Result<(), ServiceError> {
        let moved = self.store.set_end(id, end).await?;
        moved.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// The current time by the clock of the store, which every end is measured by.
    ///
    /// # Errors
    /// What the store says while its time is not known.
    pub fn now(&self) -> Result<Moment, ServiceError> {
        Ok(self.store.now()?)
    }

    /// Checks whether this replica should receive requests.
    pub async fn check_readiness(&self, readiness: &Readiness) -> Status {
        readiness::check_readiness(&*self.store, &self.catalog, readiness).await
    }
}
