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
    AllTexts, Audit, Binary, BlobId, Booked, Booking, BookingRequest, Call, Changes, Claim, Clock,
    Counted, Created, Description, Group, Holder, IdempotencyKey, KeyName, Matched, Moment,
    NewService, Running, ServiceId, Session, Slot, Store, StoreError, Tally, Written,
};
use crate::{
    model::readiness::Finding,
    telemetry::{metrics::StoreCounts, traces},
};

/// One worker's store, observed.
pub struct Observed {
    store: Arc<dyn Store>,
    /// What it is called in traces.
    system: &'static str,
    counts: Arc<StoreCounts>,
}

impl Observed {
    /// Observes what is asked of `store`, which is a `system`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, system: &'static str) -> Self {
        Self {
            store,
            system,
            counts: StoreCounts::of(VERBS),
        }
    }

    async fn observe<T>(
        &self,
        verb: Verb,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let name = VERBS.get(verb as usize).copied().unwrap_or_default();
        let mut span = traces::store_call(self.system, name);
        let _waits = self.counts.waits();
        let started = Instant::now();
        let outcome = call.await;
        if let Err(error) = &outcome {
            self.counts.failed(error.reason());
            if let Some(span) = &mut span {
                span.failed(error.reason());
            }
        }
        self.counts.called(verb as usize, started.elapsed());
        outcome
    }
}

/// All verbs of [`Store`], each observed under its own name.
macro_rules! observe_all {
    ($(fn $verb:ident($($argument:ident: $kind:ty),*) -> $given:ty;)*) => {
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "they are the names of the verbs")]
        enum Verb {
            $($verb),*
        }

        const VERBS: &[&str] = &[$(stringify!($verb)),*];

        impl Clock for Observed {
            fn now(&self) -> Result<Moment, StoreError> {
                self.store.now()
            }
        }

        #[async_trait]
        impl Store for Observed {
            $(async fn $verb(&self, $($argument: $kind),*) -> Result<$given, StoreError> {
                self.observe(Verb::$verb, self.store.$verb($($argument),*)).await
            })*
        }
    };
}

observe_all! {
    fn claim(key: &IdempotencyKey, id: ServiceId, end: Moment) -> Claim;
    fn create(service: NewService) -> Created;
    fn definition(id: &ServiceId) -> Option<String>;
    fn running(id: &ServiceId) -> Option<Running>;
    fn attach(id: &ServiceId, session: &Session) -> Option<()>;
    fn settle(id: &ServiceId, end: Moment, answer: Option<&str>) -> Option<()>;
    fn describe(id: &ServiceId) -> Option<Description>;
    fn read(id: &ServiceId, key: &KeyName) -> Option<Slot>;
    fn read_all(id: &ServiceId, max_bytes: usize) -> Option<AllTexts>;
    fn write(id: &ServiceId, changes: Changes) -> Written;
    fn clear(id: &ServiceId) -> Option<()>;
    fn set_end(id: &ServiceId, end: Moment) -> Option<()>;
    fn delete(id: &ServiceId) -> Option<()>;
    fn find_binary(id: &ServiceId, key: &KeyName) -> Option<Option<Binary>>;
    fn read_chunk(id: &ServiceId, blob: &BlobId, index: u64) -> Option<Bytes>;
    fn write_chunk(id: &ServiceId, blob: &BlobId, index: u64, chunk: &[u8]) -> ();
    fn discard(id: &ServiceId, blobs: &[BlobId]) -> ();
    fn book(holder: Holder<'_>, group: &Group, request: &BookingRequest) -> Booked;
    fn release(id: &ServiceId, booking: &Booking) -> ();
    fn match_call(groups: &[String], call: &Call) -> Matched;
    fn count(tally: &Tally, most: u64, window: Duration) -> Counted;
    fn uncount(tally: &Tally) -> ();
    fn audit(groups: &[Arc<Group>]) -> Audit;
    fn check_health() -> Vec<Finding>;
}
