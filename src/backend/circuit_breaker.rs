//! The circuit breaker: stops requests to a backend that does not respond.
//!
//! It opens after a number of consecutive failures. While it is open it allows one request per interval, and all
//! others fail immediately. The first response closes it.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The circuit breaker of one backend. It is lock-free: a successful request only reads an atomic.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    created: Instant,
    failure_threshold: u32,
    open_interval: Duration,
    failures: AtomicU32,
    /// When the next request is allowed while the circuit is open, in milliseconds after `created`.
    next_attempt: AtomicU64,
}

impl CircuitBreaker {
    /// A closed circuit breaker that opens after `failure_threshold` failures, for `open_interval`.
    pub(super) fn new(failure_threshold: u32, open_interval: Duration) -> Self {
        Self {
            created: Instant::now(),
            failure_threshold,
            open_interval,
            failures: AtomicU32::new(0),
            next_attempt: AtomicU64::new(0),
        }
    }

    /// Whether the circuit is open.
    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= self.failure_threshold
    }

    /// Whether the circuit is open, and the last attempt was at most `period` ago.
    pub(super) fn is_open_since_attempt_within(&self, period: Duration) -> bool {
        let next = self.next_attempt.load(Ordering::Relaxed);
        let last = next.saturating_sub(millis(self.open_interval));
        self.is_open() && self.now().saturating_sub(last) <= millis(period)
    }

    /// Whether a request is allowed. While open, this is true once per interval.
    pub(super) fn allows_request(&self) -> bool {
        if !self.is_open() {
            return true;
        }
        let (now, next) = (self.now(), self.next_attempt.load(Ordering::Relaxed));
        if now < next {
            return false;
        }
        let after = self.next_attempt_after(now);
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let acquired = self
            .next_attempt
            .compare_exchange(next, after, success, failure);
        acquired.is_ok()
    }

    /// Records a response. Returns whether it closed the circuit.
    pub(super) fn record_success(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.failures.swap(0, Ordering::Relaxed) >= self.failure_threshold
    }

    /// Records a failure. Returns whether it opened the circuit.
    pub(super) fn record_failure(&self) -> bool {
        let after = self.next_attempt_after(self.now());
        self.next_attempt.store(after, Ordering::Relaxed);
        let up = |failures: u32| Some(failures.saturating_add(1));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self.failures.fetch_update(set, fetch, up);
        before.is_ok_and(|before| before.saturating_add(1) == self.failure_threshold)
    }

    fn now(&self) -> u64 {
        millis(self.created.elapsed())
    }

    fn next_attempt_after(&self, now: u64) -> u64 {
        now.saturating_add(millis(self.open_interval))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG_INTERVAL: Duration = Duration::from_secs(3_600);

    #[test]
    fn consecutive_failures_open_the_circuit_and_a_response_closes_it() {
        let circuit = CircuitBreaker::new(2, LONG_INTERVAL);
        assert!(circuit.allows_request());
        assert!(!circuit.record_failure());
        assert!(!circuit.record_success(), "it was not open");
        assert!(!circuit.record_failure(), "not in a row");
        assert!(!circuit.is_open());
        assert!(circuit.record_failure(), "this one opens it");
        assert!(circuit.is_open());
        assert!(!circuit.allows_request());
        assert!(!circuit.record_failure(), "it is open already");
        assert!(circuit.record_success());
        assert!(circuit.allows_request());
    }

    #[tokio::test]
    async fn an_open_circuit_without_attempts_is_not_current() {
        let circuit = CircuitBreaker::new(1, Duration::ZERO);
        let minute = Duration::from_secs(60);
        assert!(!circuit.is_open_since_attempt_within(minute), "closed");
        circuit.record_failure();
        assert!(circuit.is_open_since_attempt_within(minute));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!circuit.is_open_since_attempt_within(Duration::from_millis(1)));
        assert!(circuit.is_open(), "only its age matters");
        assert!(circuit.allows_request());
        assert!(circuit.is_open_since_attempt_within(minute));
    }

    #[test]
    fn an_open_circuit_allows_one_request_per_interval() {
        let circuit = CircuitBreaker::new(1, Duration::ZERO);
        circuit.record_failure();
        assert!(circuit.allows_request(), "the interval is zero");
        let circuit = CircuitBreaker::new(1, LONG_INTERVAL);
        circuit.record_failure();
        circuit.next_attempt.store(0, Ordering::Relaxed);
        assert!(circuit.allows_request());
        assert!(!circuit.allows_request(), "one request per interval");
    }
}
