//! The number of responses of this process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The number of responses of this process, counted regardless of whether metrics are enabled. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct ResponseCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    responses: AtomicU64,
    failed: AtomicU64,
}

impl ResponseCounts {
    /// Counts a response; an error with its exception of the error table.
    pub fn record(&self, status: u16, exception: Option<&str>) {
        self.0.responses.fetch_add(1, Relaxed);
        if matches!(status, 502 | 504) || is_service_fault(status, exception) {
            self.0.failed.fetch_add(1, Relaxed);
        }
    }

    /// The number of responses.
    #[must_use]
    pub fn responses(&self) -> u64 {
        self.0.responses.load(Relaxed)
    }

    /// The number of responses with a status of 500 or more that are not caused by the client.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Relaxed)
    }
}

/// Whether a response is a fault of the service or its store, and not of a client, a backend or a catalog with too
/// few numbers.
fn is_service_fault(status: u16, exception: Option<&str>) -> bool {
    matches!(status, 500 | 503) && !matches!(exception, Some("UnreadableJson" | "NoAccessNumber"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_caused_by_clients_are_not_counted_as_failed() {
        let counts = ResponseCounts::default();
        for (status, exception, failed) in [
            (200, None, 0),
            (404, Some("NotFound"), 0),
            (499, None, 0),
            (500, Some("UnreadableJson"), 0),
            (503, Some("NoAccessNumber"), 0),
            (505, Some("UnsupportedVersion"), 0),
            (500, Some("InternalError"), 1),
            (500, None, 2),
            (502, Some("BackendFailed"), 3),
            (503, Some("StoreUnavailable"), 4),
            (504, Some("BackendTimeout"), 5),
        ] {
            counts.clone().record(status, exception);
            assert_eq!(counts.failed(), failed, "{status} {exception:?}");
        }
        assert_eq!(counts.responses(), 11);
    }
}
