//! Plain types that all layers share. They name no layer.

pub(crate) use self::choices::join_with_or;
pub use self::{
    backend_session::{BackendSession, RunningService, TerminateResult},
    binary::{Binary, BlobId, CHUNK_BYTES},
    booking::{
        AccessNumber, AllocationStrategy, BookResult, Booking, BookingId, BookingOwner,
        BookingRequest, Call, Codes, Group, Groups, MatchResult, PoolUsage,
    },
    catalog::{
        CatalogChange, CatalogChangeResult, CatalogStep, EntryName, RetiredEntry, StoredCatalog,
        StoredEntry, Table,
    },
    consistency_report::{BookedNumber, ConsistencyReport},
    failed_match::{FailedMatch, FailedMatchPage, ListedFailedMatch, MatchFailure},
    hash::stable_hash,
    ids::{IdempotencyKey, KeyName, MAX_KEY_NAME_BYTES, RedactedId, ServiceId},
    list_range::{ExpiryOrder, ListRange},
    listing::{
        AuditEvent, Cursor, ListedBooking, ListedReplica, ListedService, NumberState, Page,
        Preview, Quarantine, QuarantinedNumber,
    },
    matching::{ComparedBooking, MatchCandidate, MatchCandidates, Mismatch, newest_match},
    node_status::{NodeStatus, StatusRequest},
    percent_encoding::RESERVED,
    propagated_headers::{GMS_USER, MAX_REQUEST_ID_BYTES, PropagatedHeaders, REQUEST_ID},
    rate_limit::{RateLimitKey, RateLimitState},
    revision::{Revision, Revisions, WriteCondition, service_of_storage_signal, storage_signal_id},
    role::{Permission, Role},
    service::{
        Changes, CreateResult, Description, IdempotencyClaim, NewService, ReadAll, STORAGE_AREA,
        StorageContents, StorageRead, StoredKind, Value, WriteResult, binaries,
    },
    service_query::{ServiceFilter, ServicePage, ServiceQuery},
    store_error::StoreError,
    store_report::{CheckResult, CheckRow, StoreReport},
    timestamp::Timestamp,
};

mod backend_session;
mod binary;
mod booking;
mod catalog;
pub mod chat;
mod choices;
pub mod cleanup_status;
pub mod comet;
mod consistency_report;
mod failed_match;
mod hash;
mod ids;
mod list_range;
mod listing;
mod matching;
mod node_status;
mod percent_encoding;
mod propagated_headers;
mod rate_limit;
pub mod readiness;
pub mod response_counts;
mod revision;
mod role;
mod service;
mod service_query;
pub mod statistics;
mod store_error;
mod store_report;
mod timestamp;
pub mod webhook;
