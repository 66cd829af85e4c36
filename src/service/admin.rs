//! Administration: configured services and resource groups, active services, bookings and the audit log.
//!
//! Entries of the catalog file are read-only. Entries that operators create are stored in the store and take effect
//! on every replica within a second ([`CatalogReloader`](super::CatalogReloader)). A change is validated together
//! with the whole catalog, by the rules of the catalog file, before it is written. It is written only if the stored
//! catalog has not changed in the meantime; otherwise it is validated again.

use std::{net::IpAddr, sync::Arc};

use thiserror::Error;

pub(super) use self::audit_log::{AuditAction, AuditRecord};
pub use self::{
    active_services::ActiveService,
    audit_log::{AuditFilter, AuditLogPage},
    bulk_actions::{BulkResult, FoundService, MAX_SELECTED},
    catalog_activation::CatalogActivation,
    differences::Difference,
    entries::{CatalogEntry, EntryOrigin, Precondition, PutOutcome},
    entry_conflict::EntryConflict,
    exhausted_times::ExhaustedTimes,
    group_numbers::GroupNumber,
    group_usage::{GroupUsage, MAX_SAMPLED_GROUPS, UsageSample},
    import_export::{ImportMode, ImportReport, Secrets, export_catalog},
    match_explanation::{ExplainedBooking, MatchExplanation},
    node_status::{OwnReplica, SetStatusResult},
    operators::Operators,
    problems::{Problem, ProblemTarget, Severity},
    replica::Replica,
    replica_problems::{ProblemKind, ProblemSources, ReplicaProblem},
    replica_stats::{ReplicaStats, StatsSampler},
    replicas::deregister,
    restore::LostEntries,
    service_search::{MAX_SEARCHED, ServiceSearch, ServiceSearchResult},
    sessions::AdminSession,
    single_sign_on::SingleSignOnSession,
    statistics::StatisticsSampler,
    store_status::{Overview, StoreOutage, StoreStatus},
    used_groups::{MostUsedGroups, UsedGroup},
    webhooks::Webhook,
};
use super::{
    Agents, Catalog, CatalogContext, CatalogError, CatalogFile, CurrentCatalog, EntryError,
    FailedCredentials, ServiceError, Services, SingleSignOn, access_policy::RequiredCredentials,
    catalog::table_label,
};
use crate::{
    model::{StoreError, Table},
    settings,
    store::AdminStore,
};

mod active_services;
mod audit_log;
mod bookings;
mod bulk_actions;
mod catalog_activation;
mod catalog_transaction;
mod differences;
mod entries;
mod entry_change;
mod entry_conflict;
mod exhausted_times;
mod group_numbers;
mod group_usage;
mod import_export;
mod login;
mod match_explanation;
mod match_messages;
mod node_status;
mod operators;
mod problems;
mod quarantine;
mod replica;
mod replica_problems;
mod replica_stats;
mod replicas;
mod restore;
mod service_search;
mod sessions;
mod single_sign_on;
mod statistics;
mod store_status;
mod used_groups;
mod webhooks;

/// The state that the admin API of all workers shares.
pub struct AdminContext {
    /// The catalog file.
    pub catalog_file: CatalogFile,
    /// The parsed catalog file.
    pub file_catalog: Arc<Catalog>,
    /// The settings that parsing depends on.
    pub catalog_context: CatalogContext,
    /// The current catalog.
    pub current_catalog: CurrentCatalog,
    /// Samples of the usage of groups.
    pub group_usage: Arc<GroupUsage>,
    /// When bookings last found no free number.
    pub exhausted_times: ExhaustedTimes,
    /// Recent requests with wrong credentials.
    pub failed_credentials: Arc<FailedCredentials>,
    /// Cached state for outages of the store.
    pub store_status: StoreStatus,
    /// The identity and the node status of this replica.
    pub own_replica: OwnReplica,
    /// `[admin]`
    pub settings: settings::Admin,
    /// The operators of `[operators]`.
    pub operators: Operators,
    /// `None` if single sign-on is disabled.
    pub single_sign_on: Option<SingleSignOn>,
}

/// The operator who makes a change.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The user name.
    pub name: String,
    /// The client address.
    pub address: Option<IpAddr>,
}

/// The admin API of one worker.
#[derive(Clone)]
pub struct Admin {
    context: Arc<AdminContext>,
    services: Services,
    store: Arc<dyn AdminStore>,
    /// The user name and the password of `[admin]`, if there is a password.
    credentials: Option<Arc<RequiredCredentials>>,
    /// The agents, who can sign in to the console.
    agents: Option<Agents>,
}

/// Why an admin operation failed. Nothing was changed.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The entry does not exist.
    #[error("there is no {} {:?}", table_label(*.0), .1)]
    NoSuchEntry(Table, String),
    /// The entry is defined by the catalog file.
    #[error("{} {:?} is defined in the catalog file and is read-only", table_label(*.0), .1)]
    ReadOnly(Table, String),
    /// An entry is invalid.
    #[error(transparent)]
    InvalidEntry(#[from] EntryError),
    /// The input is invalid otherwise.
    #[error("{0}")]
    Invalid(String),
    /// The text is not a valid catalog.
    #[error("{0}")]
    Unreadable(String),
    /// The precondition of the request is not met.
    #[error("{0}")]
    PreconditionFailed(String),
    /// The request needs a precondition.
    #[error("{0}")]
    PreconditionRequired(String),
    /// The catalog would exceed a limit.
    #[error("{0}")]
    TooLarge(String),
    /// The group has no booking with this id.
    #[error("resource group {group:?} has no booking {booking:?}; it may have been released")]
    NoSuchBooking {
        /// The group.
        group: String,
        /// The booking.
        booking: String,
    },
    /// The group does not have this number.
    #[error("resource group {0:?} has no number {1:?}")]
    NoSuchNumber(String, String),
    /// The number of the group is not quarantined.
    #[error("number {1:?} of resource group {0:?} is not quarantined")]
    NotQuarantined(String, String),
    /// The catalog has no webhook of this name.
    #[error(
        "there is no webhook {0:?}; expected services/<name> or resources/<name> of an entry with _webhook_url"
    )]
    NoSuchWebhook(String),
    /// An error that client requests can also have.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<CatalogError> for AdminError {
    fn from(error: CatalogError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Admin {
    /// The admin API for `services` in `store`. `None` if no operator can sign in.
    #[must_use]
    pub fn new(
        context: Arc<AdminContext>,
        services: Services,
        store: Arc<dyn AdminStore>,
        agents: Option<Agents>,
    ) -> Option<Self> {
        let credentials = RequiredCredentials::resolve(
            &context.settings.credentials(),
            &settings::Credentials::default(),
        );
        let credentials = credentials.ok().flatten().map(Arc::new);
        let has_users = !context.operators.is_empty() || context.single_sign_on.is_some();
        if credentials.is_none() && !has_users {
            return None;
        }
        Some(Self {
            context,
            services,
            store,
            credentials,
            agents,
        })
    }
}
