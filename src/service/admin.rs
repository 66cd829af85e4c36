//! What operators may do while the service runs: make configured services and resource groups, look after
//! services that live, and see who did what.
//!
//! What the catalogue file defines is only told. What is made here lives in the store, and is in force on
//! every replica within a second ([`CatalogKeeper`](super::CatalogKeeper)). A change is understood together
//! with all that there is, by the rules of the file, before it is made; and it is made only if nobody has
//! changed anything meanwhile, else it is understood anew.

use std::{net::IpAddr, sync::Arc};

use thiserror::Error;

pub use self::{
    bookings::Fullest,
    entries::{Condition, Entry, Origin, Put},
    history::HistoryPage,
    live::{FoundServices, LiveService},
    outage::{Overview, StoreAway, StoreStatus},
    pulse::Pulse,
    replicas::{Replica, say_goodbye},
    restore::LostEntries,
    transfer::{Difference, Import, Imported, Secrets, export},
    trend::{MOST_GROUPS, Sample, Trend},
    visits::Visit,
};
use super::{
    Catalog, CatalogError, Draft, EntryError, FailedCredentials, InForce, Rules, ServiceError,
    Services, catalog::kind, locks::Lock,
};
use crate::{
    settings,
    store::{StoreError, Table, WholeStore},
};

mod admission;
mod bookings;
mod change;
mod entries;
mod history;
mod live;
mod outage;
mod pulse;
mod replicas;
mod restore;
mod transfer;
mod trend;
mod visits;

/// What all workers know of it.
pub struct Office {
    /// What the catalogue file says.
    pub draft: Draft,
    /// The same, understood.
    pub file: Arc<Catalog>,
    /// How it is understood.
    pub rules: Rules,
    /// What is in force.
    pub in_force: InForce,
    /// How full the pools of groups were.
    pub trend: Arc<Trend>,
    /// Who showed wrong credentials of late.
    pub failed_credentials: Arc<FailedCredentials>,
    /// What is known of the store while it is away.
    pub status: StoreStatus,
    /// `[admin]`
    pub settings: settings::Admin,
}

/// Who does it.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The user name shown.
    pub name: String,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

/// One worker's way to it.
#[derive(Clone)]
pub struct Admin {
    office: Arc<Office>,
    services: Services,
    store: Arc<dyn WholeStore>,
    lock: Arc<Lock>,
}

/// Why something was not done for an operator. Nothing was changed.
#[derive(Debug, Error)]
pub enum AdminError {
    /// There is no such entry.
    #[error("there is no {} {:?}", kind(*.0), .1)]
    NoSuchEntry(Table, String),
    /// The file defines it.
    #[error("{} {:?} is defined by the catalogue file; it cannot be changed here", kind(*.0), .1)]
    ReadOnly(Table, String),
    /// What it says is not allowed.
    #[error("{0}")]
    Invalid(String),
    /// The text is no catalogue.
    #[error("{0}")]
    Unreadable(String),
    /// It has been changed, or made, since the sender looked.
    #[error("{0}")]
    Changed(String),
    /// The sender does not say which state is to be replaced.
    #[error("{0}")]
    Unconditional(String),
    /// There would be too much.
    #[error("{0}")]
    TooMuch(String),
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
        office: Arc<Office>,
        services: Services,
        store: Arc<dyn WholeStore>,
    ) -> Option<Self> {
        let lock = Lock::of(
            &office.settings.credentials,
            &settings::Credentials::default(),
        );
        let lock = lock.ok().flatten()?;
        Some(Self {
            office,
            services,
            store,
            lock: Arc::new(lock),
        })
    }
}
