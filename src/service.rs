//! Business logic of services, independent of HTTP and of the store implementation.
//!
//! [`Services`] is the entry point. A create has two steps, because its data can be large and needs the service id:
//! [`Services::prepare_create`] selects the definition and the id, the body is read into the [`Uploads`] of that id, and
//! [`PendingCreate::finish`] creates the service atomically.

use std::sync::Arc;

pub use self::{
    access_policy::BasicCredentials,
    admin::{
        ActiveService, Actor, Admin, AdminContext, AdminError, AdminSession, AuditFilter,
        AuditLogPage, BulkResult, CatalogActivation, CatalogEntry, Difference, EntryConflict,
        EntryOrigin, ExhaustedTimes, ExplainedBooking, FoundService, GroupNumber, GroupUsage,
        ImportMode, ImportReport, LostEntries, MAX_SAMPLED_GROUPS, MAX_SEARCHED, MAX_SELECTED,
        MatchExplanation, MostUsedGroups, Operators, Overview, OwnReplica, Precondition, Problem,
        ProblemKind, ProblemSources, ProblemTarget, PutOutcome, Replica, ReplicaProblem,
        ReplicaStats, Secrets, ServiceSearch, ServiceSearchResult, SetStatusResult, Severity,
        SingleSignOnSession, StatisticsSampler, StatsSampler, StoreOutage, StoreStatus,
        UsageSample, UsedGroup, Webhook, deregister, export_catalog,
    },
    backend_requests::{PreparedRequest, RequestOrigin},
    catalog::{
        Catalog, CatalogContext, CatalogError, CatalogFile, CatalogReloader, CurrentCatalog,
        EntryError, MAX_OPTIONS, Variables, shell_quote,
    },
    chat::{
        AgentContext, AgentCredentials, AgentEvent, AgentRequest, AgentStream, Agents, ChatDetail,
        ChatObject, ChatStream, ChatStreamItem, OpenChats, PublicAddress, parse_position,
        transcript_position,
    },
    clock_skew::{ClockSkew, monitor_clock_skew},
    comet::{
        CometClient, CometContext, CometMessage, CometParseError, CometReplies, CometResponse,
        WaitingConnect,
    },
    context::ServiceContext,
    create::{CreateRequestHead, CreateResponse, PendingCreate},
    download::{ByteRange, Download},
    error::ServiceError,
    failed_credentials::FailedCredentials,
    failed_matches::FailedMatches,
    flatten::{FlattenError, flatten},
    form_data::{FieldValue, FormData},
    idempotency::IdempotencyHead,
    listeners::{ChangeListener, ChangeListeners},
    options::{
        Importance, MAX_NUMBER_BYTES, OptionDoc, OptionType, OptionValue, Options, REDACTED,
        ServicePreset, group_options, is_option_name, is_secret, preset_of, presets,
    },
    parse_value::parse_integer,
    phone_numbers::{PhoneNumbers, unload_unused_phone_library},
    readiness::monitor_readiness,
    session_terminator::SessionTerminator,
    single_sign_on::{
        BegunSignIn, CALLBACK_PATH, PENDING_SECONDS, SIGN_IN_PATH, SignInCallback, SingleSignOn,
        SingleSignOnError,
    },
    storage::{ConditionalRead, StorageStrings},
    storage_address::StorageAddress,
    storage_area_write::{PendingStorageWrite, WrittenStorage},
    storage_event::{StorageEvent, StorageEventKind},
    storage_watch::{StorageWatchItem, StorageWatcher},
    ttl::StorageAreaTtl,
    uploads::{Upload, Uploads},
    webhooks::{WebhookDeliverer, WebhookRules, WebhookStatistics},
};
use crate::{
    memory_budget::MemoryBudgets,
    model::{
        Description, ServiceId, Timestamp,
        readiness::{Readiness, Status},
    },
    settings::Limits,
};

mod access_code;
mod access_policy;
mod admin;
mod auth;
mod backend_requests;
mod binary_path;
mod book_number;
mod builtin;
mod catalog;
mod chat;
mod clock_skew;
mod comet;
mod context;
mod create;
mod create_on_backend;
mod create_response;
mod definition;
mod derived_key;
mod digest;
mod download;
mod error;
mod failed_credentials;
mod failed_matches;
mod flatten;
mod form_data;
mod idempotency;
mod incoming_call;
mod listeners;
mod options;
mod parameters;
mod parse_value;
mod password_verifier;
mod phone_numbers;
mod rate_limit;
mod readiness;
mod resource_groups;
mod session_terminator;
mod single_sign_on;
mod storage;
mod storage_address;
mod storage_area_write;
mod storage_areas;
mod storage_event;
mod storage_watch;
mod ttl;
mod uploads;
mod watched_storages;
mod webhooks;

/// The services of one worker. A clone shares the context.
#[derive(Clone)]
pub struct Services {
    context: Arc<ServiceContext>,
}

impl Services {
    /// Services in `context`.
    #[must_use]
    pub fn new(context: ServiceContext) -> Self {
        Self {
            context: Arc::new(context),
        }
    }

    /// A curl command that creates a service on this listener, for trying it; see [`Catalog::example_command`].
    #[must_use]
    pub fn example_command(&self, origin: &str, keys: bool) -> Option<String> {
        self.context
            .catalog
            .load()
            .example_command(origin, self.context.route_groups, keys)
    }

    /// The memory budgets.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudgets {
        &self.context.memory
    }

    /// `[limits]`
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.context.limits)
    }

    /// Whether `name` is a configured service that this listener can create.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.context
            .catalog
            .load()
            .get_for_route_groups(name, self.context.route_groups)
            .is_some()
    }

    /// Uploads for an existing service. The first upload checks that it exists.
    #[must_use]
    pub fn uploads(&self, id: &ServiceId) -> Uploads {
        Uploads::for_existing(Arc::clone(&self.context), id.clone())
    }

    /// Describes a service, without its values.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id.
    pub async fn describe(&self, id: &ServiceId) -> Result<Description, ServiceError> {
        let description = self.context.store.describe(id).await?;
        description.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// Ends a service. It is no longer found by any request.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id.
    pub async fn delete(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let deleted = self.context.store.delete(id).await?;
        self.context.change_listeners.storage_ended(id);
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
        ttl::requested_end(form, self.now()?, self.context.limits.max_ttl)
    }

    async fn set_end_at(&self, id: &ServiceId, end: Timestamp) -> Result<(), ServiceError> {
        let updated = self.context.store.set_end(id, end).await?;
        updated.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// The current time of the store's clock, which all expiration times refer to.
    ///
    /// # Errors
    /// [`ServiceError::Store`] while the time of the store is unknown.
    pub fn now(&self) -> Result<Timestamp, ServiceError> {
        Ok(self.context.store.now()?)
    }

    /// Checks whether this replica should receive requests.
    pub async fn check_readiness(&self, readiness: &Readiness) -> Status {
        readiness::check_readiness(&*self.context.store, &self.context.catalog, readiness).await
    }
}
