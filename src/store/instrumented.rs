//! A decorator of a store that counts, times and traces its operations.
//!
//! It wraps either implementation, and is not installed if telemetry is disabled. It covers the
//! operations of requests; the cleanup uses the store directly.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use tracing::Instrument;

use super::{
    BackendSessionStore, BinaryStore, BookingStore, ChatStore, Clock, CometStore, ConsistencyCheck,
    HealthCheck, IdempotencyStore, RateLimitStore, ServiceStore, StorageStore, Store,
};
use crate::{
    model::{
        BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner, BookingRequest, Call,
        Changes, ConsistencyReport, CreateResult, Cursor, Description, Group, IdempotencyClaim,
        IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey, RateLimitState, ReadAll,
        RunningService, ServiceId, StorageRead, StoreError, StoredKind, Timestamp, WriteCondition,
        WriteResult,
        chat::{ChatAction, ChatReply, ChatSummary, ChatVersion, ChatWindow, ListedChats, NewChat},
        comet::{CometReceipt, CometReply, CometSession, CometSessionId, CometUser, SentChat},
        readiness::Finding,
    },
    telemetry::{
        metrics::{OperationMetrics, StoreMetrics},
        traces,
    },
};

/// The instrumented store of one worker.
pub struct InstrumentedStore {
    store: Arc<dyn Store>,
    /// The value of `db.system.name` in spans.
    system: &'static str,
    metrics: OperationMetrics,
}

impl InstrumentedStore {
    /// Wraps `store`, whose kind of database is `system`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, system: &'static str, metrics: &StoreMetrics) -> Self {
        Self {
            store,
            system,
            metrics: metrics.for_operations(OPERATIONS),
        }
    }

    async fn observe<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let name = OPERATIONS
            .get(operation as usize)
            .copied()
            .unwrap_or_default();
        let span = traces::store_span(self.system, name);
        let _in_flight = self.metrics.track_in_flight();
        let started = Instant::now();
        let outcome = call.instrument(span.clone()).await;
        if let Err(error) = &outcome {
            self.metrics.operation_failed(error.reason());
            traces::record_error(&span, error.reason());
        }
        self.metrics
            .operation_finished(operation as usize, started.elapsed());
        outcome
    }
}

impl Clock for InstrumentedStore {
    fn now(&self) -> Result<Timestamp, StoreError> {
        self.store.now()
    }
}

/// Implements the operations of these traits, each instrumented under its own name.
macro_rules! instrument {
    ($($store:ident {
        $(fn $operation:ident($($argument:ident: $kind:ty),*) -> $output:ty;)*
    })*) => {
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "the variants are named after the methods")]
        enum Operation {
            $($($operation,)*)*
        }

        const OPERATIONS: &[&str] = &[$($(stringify!($operation),)*)*];

        $(#[async_trait]
        impl $store for InstrumentedStore {
            $(async fn $operation(&self, $($argument: $kind),*) -> Result<$output, StoreError> {
                self.observe(Operation::$operation, self.store.$operation($($argument),*)).await
            })*
        })*
    };
}

instrument! {
    ServiceStore {
        fn create(service: NewService) -> CreateResult;
        fn definition(id: &ServiceId) -> Option<String>;
        fn describe(id: &ServiceId) -> Option<Description>;
        fn set_end(id: &ServiceId, end: Timestamp) -> Option<()>;
        fn finish_create(id: &ServiceId, end: Timestamp, response: Option<&str>) -> Option<()>;
        fn delete(id: &ServiceId) -> Option<()>;
    }
    StorageStore {
        fn read(id: &ServiceId, key: &KeyName) -> Option<StoredKind>;
        fn read_all(id: &ServiceId, read: &ReadAll) -> Option<StorageRead>;
        fn write(id: &ServiceId, changes: &Changes, ttl: Option<Duration>) -> WriteResult;
        fn watch(ids: &[ServiceId], ttl: Duration) -> ();
        fn clear(id: &ServiceId, condition: &WriteCondition) -> WriteResult;
        fn delete_area(id: &ServiceId, condition: &WriteCondition) -> WriteResult;
    }
    BinaryStore {
        fn find_binary(id: &ServiceId, key: &KeyName) -> Option<Option<Binary>>;
        fn read_chunk(id: &ServiceId, blob: &BlobId, index: u64) -> Option<Bytes>;
        fn write_chunk(id: &ServiceId, blob: &BlobId, index: u64, chunk: &[u8]) -> ();
        fn discard(id: &ServiceId, blobs: &[BlobId]) -> ();
    }
    BookingStore {
        fn book_number(owner: BookingOwner<'_>, group: &Group, request: &BookingRequest) -> BookResult;
        fn release_pending_number(id: &ServiceId, booking: &Booking) -> ();
        fn release_number(id: &ServiceId, booking: &Booking) -> bool;
        fn match_call(groups: &[String], call: &Call) -> MatchResult;
    }
    IdempotencyStore {
        fn claim(key: &IdempotencyKey, id: ServiceId, end: Timestamp) -> IdempotencyClaim;
    }
    BackendSessionStore {
        fn running_service(id: &ServiceId) -> Option<RunningService>;
        fn attach_session(id: &ServiceId, session: &BackendSession) -> Option<()>;
    }
    ChatStore {
        fn start_chat(id: &ServiceId, chat: &NewChat) -> ChatReply;
        fn update_chat(id: &ServiceId, action: &ChatAction, window: ChatWindow) -> ChatReply;
        fn chat_versions(ids: &[ServiceId]) -> Vec<Option<ChatVersion>>;
        fn list_chats(ended: bool, after: Option<&Cursor>, limit: usize) -> ListedChats;
        fn chat_summaries(ids: &[ServiceId]) -> Vec<ChatSummary>;
        fn set_agent_availability(agent: &str, definitions: Option<&[String]>, ttl: Duration) -> ();
        fn renew_agent_availability(agent: &str, ttl: Duration) -> Option<Vec<String>>;
        fn available_agents() -> Vec<(String, Vec<String>)>;
    }
    CometStore {
        fn open_session(id: &CometSessionId, has_ack: bool, ttl: Duration) -> ();
        fn connect_session(id: &CometSessionId, receipt: CometReceipt, wait: Duration, ttl: Duration) -> CometReply<CometSession>;
        fn refresh_session(id: &CometSessionId, generation: u64) -> CometReply<CometSession>;
        fn record_sent(id: &CometSessionId, generation: u64, sent: &[SentChat], ended: &[ServiceId]) -> CometReply<u64>;
        fn set_subscription(id: &CometSessionId, patterns: &[String], subscribed: bool) -> bool;
        fn close_session(id: &CometSessionId, position: Option<u64>) -> ();
        fn add_pushed_chat(user: &CometUser, service: &ServiceId, ttl: Duration) -> bool;
    }
    RateLimitStore {
        fn rate_limit_take(key: &RateLimitKey, max: u64, window: Duration) -> RateLimitState;
        fn rate_limit_state(key: &RateLimitKey) -> RateLimitState;
        fn rate_limit_refund(key: &RateLimitKey) -> ();
    }
    ConsistencyCheck {
        fn check_consistency(groups: &[Arc<Group>]) -> ConsistencyReport;
    }
    HealthCheck {
        fn check_health() -> Vec<Finding>;
    }
}
