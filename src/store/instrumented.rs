//! A store whose calls are counted, timed and traced.
//!
//! It stands around whichever store there is, so both are told of alike, and is not there where nobody
//! wants to know. What the clean-up does goes past it: these are the calls that requests make.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    AllTexts, BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner, BookingRequest,
    Call, Changes, Clock, ConsistencyReport, CreateResult, Description, Group, IdempotencyClaim,
    IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey, RateLimitState, RunningService,
    ServiceId, Store, StoreError, StoredKind, Timestamp, WriteResult,
};
use crate::{
    model::readiness::Finding,
    telemetry::{metrics::StoreMetrics, traces},
};

/// One worker's store, observed.
pub struct InstrumentedStore {
    store: Arc<dyn Store>,
    /// What it is called in traces.
    system: &'static str,
    metrics: Arc<StoreMetrics>,
}

impl InstrumentedStore {
    /// Observes what is asked of `store`, which is a `system`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, system: &'static str) -> Self {
        Self {
            store,
            system,
            metrics: StoreMetrics::new(OPERATIONS),
        }
    }

    async fn observe<T>(
        &self,
        verb: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let name = OPERATIONS.get(verb as usize).copied().unwrap_or_default();
        let mut span = traces::start_store_span(self.system, name);
        let _waits = self.metrics.track_in_flight();
        let started = Instant::now();
        let outcome = call.await;
        if let Err(error) = &outcome {
            self.metrics.operation_failed(error.reason());
            if let Some(span) = &mut span {
                span.record_error(error.reason());
            }
        }
        self.metrics
            .operation_finished(verb as usize, started.elapsed());
        outcome
    }
}

/// All verbs of [`Store`], each observed under its own name.
macro_rules! instrument_all {
    ($(fn $operation:ident($($argument:ident: $kind:ty),*) -> $output:ty;)*) => {
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "they are the names of the verbs")]
        enum Operation {
            $($operation),*
        }

        const OPERATIONS: &[&str] = &[$(stringify!($operation)),*];

        impl Clock for InstrumentedStore {
            fn now(&self) -> Result<Timestamp, StoreError> {
                self.store.now()
            }
        }

        #[async_trait]
        impl Store for InstrumentedStore {
            $(async fn $operation(&self, $($argument: $kind),*) -> Result<$output, StoreError> {
                self.observe(Operation::$operation, self.store.$operation($($argument),*)).await
            })*
        }
    };
}

instrument_all! {
    fn claim(key: &IdempotencyKey, id: ServiceId, end: Timestamp) -> IdempotencyClaim;
    fn create(service: NewService) -> CreateResult;
    fn definition(id: &ServiceId) -> Option<String>;
    fn running_service(id: &ServiceId) -> Option<RunningService>;
    fn attach_session(id: &ServiceId, session: &BackendSession) -> Option<()>;
    fn finish_create(id: &ServiceId, end: Timestamp, answer: Option<&str>) -> Option<()>;
    fn describe(id: &ServiceId) -> Option<Description>;
    fn read(id: &ServiceId, key: &KeyName) -> Option<StoredKind>;
    fn read_all(id: &ServiceId, max_bytes: usize) -> Option<AllTexts>;
    fn write(id: &ServiceId, changes: Changes) -> WriteResult;
    fn clear(id: &ServiceId) -> Option<()>;
    fn set_end(id: &ServiceId, end: Timestamp) -> Option<()>;
    fn delete(id: &ServiceId) -> Option<()>;
    fn find_binary(id: &ServiceId, key: &KeyName) -> Option<Option<Binary>>;
    fn read_chunk(id: &ServiceId, blob: &BlobId, index: u64) -> Option<Bytes>;
    fn write_chunk(id: &ServiceId, blob: &BlobId, index: u64, chunk: &[u8]) -> ();
    fn discard(id: &ServiceId, blobs: &[BlobId]) -> ();
    fn book_number(holder: BookingOwner<'_>, group: &Group, request: &BookingRequest) -> BookResult;
    fn release_number(id: &ServiceId, booking: &Booking) -> ();
    fn match_call(groups: &[String], call: &Call) -> MatchResult;
    fn rate_limit_take(tally: &RateLimitKey, most: u64, window: Duration) -> RateLimitState;
    fn rate_limit_refund(tally: &RateLimitKey) -> ();
    fn check_consistency(groups: &[Arc<Group>]) -> ConsistencyReport;
    fn check_health() -> Vec<Finding>;
}
