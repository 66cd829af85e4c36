//! What operators may do while the service runs: make configured services and resource groups, look after
//! services that live, and see who did what.
//!
//! What the catalogue file defines is only told. What is made here lives in the store, and is in force on
//! every replica within a second ([`CatalogReloader`](super::CatalogKeeper)). A change is understood together
//! with all that there is, by the rules of the file, before it is made; and it is made only if nobody has
//! changed anything meanwhile, else it is understood anew.

use std::{net::IpAddr, sync::Arc};

use thiserror::Error;

pub use self::{
    active_services::{ActiveService, ServiceSearchResult},
    audit_log::AuditLogPage,
    bookings::MostUsedGroups,
    entries::{CatalogEntry, EntryOrigin, Precondition, PutOutcome},
    group_usage::{GroupUsage, MAX_SAMPLED_GROUPS, UsageSample},
    import_export::{Difference, ImportMode, ImportReport, Secrets, export_catalog},
    replica_stats::ReplicaStats,
    replicas::{Replica, deregister},
    restore::LostEntries,
    sessions::AdminSession,
    store_status::{Overview, StoreOutage, StoreStatus},
};
use super::{
    Catalog, CatalogContext, CatalogError, CatalogFile, CurrentCatalog, EntryError,
    FailedCredentials, ServiceError, Services, auth::RequiredCredentials, catalog::table_label,
};
use crate::{
    settings,
    store::{AdminStore, StoreError, Table},
};

mod active_services;
mod audit_log;
mod bookings;
mod catalog_transaction;
mod entries;
mod group_usage;
mod import_export;
mod login;
mod replica_stats;
mod replicas;
mod restore;
mod sessions;
mod store_status;

/// What all workers know of it.
pub struct AdminContext {
    /// What the catalogue file says.
    pub catalog_file: CatalogFile,
    /// The same, understood.
    pub file_catalog: Arc<Catalog>,
    /// How it is understood.
    pub catalog_context: CatalogContext,
    /// What is in force.
    pub current_catalog: CurrentCatalog,
    /// How full the pools of groups were.
    pub group_usage: Arc<GroupUsage>,
    /// Who showed wrong credentials of late.
    pub failed_credentials: Arc<FailedCredentials>,
    /// What is known of the store while it is away.
    pub store_status: StoreStatus,
    /// `[admin]`
    pub settings: settings::Admin,
}

/// Who does it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The user name shown.
    pub name: String,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

/// One worker's way to it.
#[derive(Clone)]
pub struct Admin {
    context: Arc<AdminContext>,
    services: Services,
    store: Arc<dyn AdminStore>,
    credentials: Arc<RequiredCredentials>,
}

/// Why something was not done for an operator. Nothing was changed.
#[derive(Debug, Error)]
pub enum AdminError {
    /// There is no such entry.
    #[error("there is no {} {:?}", table_label(*.0), .1)]
    NoSuchEntry(Table, String),
    /// The file defines it.
    #[error("{} {:?} is defined by the catalogue file; it cannot be changed here", table_label(*.0), .1)]
    ReadOnly(Table, String),
    /// What it says is not allowed.
    #[error("{0}")]
    Invalid(String),
    /// The text is no catalogue.
    #[error("{0}")]
    Unreadable(String),
    /// It has been changed, or made, since the sender looked.
    #[error("{0}")]
    PreconditionFailed(String),
    /// The sender does not say which state is to be replaced.
    #[error("{0}")]
    PreconditionRequired(String),
    /// There would be too much.
    #[error("{0}")]
    TooLarge(String),
    /// No booking of that id in that group.
    #[error(
        "there is no booking {booking:?} in resource group {group:?}; it may have been given back"
    )]
    NoSuchBooking {
        /// The group.
        group: String,
        /// The booking.
        booking: String,
    },
    /// As for clients.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<EntryError> for AdminError {
    fn from(error: EntryError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<CatalogError> for AdminError {
    fn from(error: CatalogError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Admin {
    /// For `services`, which live in `store`. `None` where no password is set: then nobody may.
    #[must_use]
    pub fn new(
        office: Arc<AdminContext>,
        services: Services,
        store: Arc<dyn AdminStore>,
    ) -> Option<Self> {
        let lock = RequiredCredentials::resolve(
            &office.settings.credentials,
            &settings::Credentials::default(),
        );
        let lock = lock.ok().flatten()?;
        Some(Self {
            context: office,
            services,
            store,
            credentials: Arc::new(lock),
        })
    }
}
