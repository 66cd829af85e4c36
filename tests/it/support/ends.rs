//! Services that a test uses before their end, which is soon.

use std::time::Duration;

use switchboard::{
    model::{Changes, ServiceId, Timestamp, WriteResult},
    store::Store,
};

use super::{
    now,
    stores::{CLOCK_ERROR, in_ms},
};

/// Performs steps that need an active service whose end is in `millis`. They return `None` if a step was refused, which
/// is correct after the end only: on a busy machine they are performed again with a later one. Returns their result and
/// the end.
pub(crate) async fn before_end<T>(
    millis: u64,
    steps: impl AsyncFn(Timestamp) -> Option<T>,
) -> (T, Timestamp) {
    for factor in [1, 10, 100] {
        let end = in_ms(millis * factor);
        if let Some(result) = steps(end).await {
            return (result, end);
        }
        assert!(now().after(CLOCK_ERROR) >= end, "refused before {end}");
    }
    panic!("the steps take too long");
}

/// Whether changes are stored, with this TTL in milliseconds if there is one.
pub(crate) async fn is_written(
    store: &dyn Store,
    id: &ServiceId,
    changes: Changes,
    ttl: Option<u64>,
) -> bool {
    let ttl = ttl.map(Duration::from_millis);
    let written = store.write(id, &changes, ttl).await.unwrap();
    matches!(written, WriteResult::Stored(_))
}
