//! Restarts a background task that ends because of a bug.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::sleep;
use tracing::error;

/// The time until a task starts again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Runs the task that `start` returns, and again after each panic.
pub(super) async fn restart_after_panic<F: Future<Output = ()>>(
    task: &'static str,
    mut start: impl FnMut() -> F,
) {
    // A restarted task shares no state with the one before.
    while AssertUnwindSafe(start()).catch_unwind().await.is_err() {
        error!(task, "background task panicked, restarting");
        sleep(RESTART_DELAY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_is_started_again_after_a_panic_only() {
        let mut starts = 0;
        restart_after_panic("test", || {
            starts += 1;
            let attempt = starts;
            async move { assert!(attempt == 2, "attempt {attempt}") }
        })
        .await;
        assert_eq!(starts, 2);
    }
}
