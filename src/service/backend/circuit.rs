//! A circuit: a backend that leaves requests without an answer is not asked for a while.
//!
//! It opens after so many failures in a row. Open, it lets one request through each time the pause is
//! over; the first answer closes it. Whoever is not let through fails at once instead of waiting for
//! what will not come.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What one backend has done lately. No lock: a request that is answered only reads a number.
#[derive(Debug)]
pub(super) struct Circuit {
    since: Instant,
    most: u32,
    pause: Duration,
    failures: AtomicU32,
    /// When the next request may try, in milliseconds after `since`; counts while the circuit is open.
    next: AtomicU64,
}

impl Circuit {
    /// A closed one that opens after `most` failures, for `pause`.
    pub(super) fn new(most: u32, pause: Duration) -> Self {
        Self {
            since: Instant::now(),
            most,
            pause,
            failures: AtomicU32::new(0),
            next: AtomicU64::new(0),
        }
    }

    /// Whether a request may go there. Open, this is true once for each pause.
    pub(super) fn lets_through(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < self.most {
            return true;
        }
        let (now, next) = (self.now(), self.next.load(Ordering::Relaxed));
        if now < next {
            return false;
        }
        let after = self.after_pause(now);
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let taken = self.next.compare_exchange(next, after, success, failure);
        taken.is_ok()
    }

    /// Notes an answer. Whether it closed the circuit.
    pub(super) fn answered(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.failures.swap(0, Ordering::Relaxed) >= self.most
    }

    /// Notes that there was none. Whether it opened the circuit.
    pub(super) fn failed(&self) -> bool {
        let after = self.after_pause(self.now());
        self.next.store(after, Ordering::Relaxed);
        let up = |failures: u32| Some(failures.saturating_add(1));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self.failures.fetch_update(set, fetch, up);
        before.is_ok_and(|before| before.saturating_add(1) == self.most)
    }

    fn now(&self) -> u64 {
        millis(self.since.elapsed())
    }

    fn after_pause(&self, now: u64) -> u64 {
        now.saturating_add(millis(self.pause))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn it_opens_after_failures_in_a_row_and_an_answer_closes_it() {
        let circuit = Circuit::new(2, LONG);
        assert!(circuit.lets_through());
        assert!(!circuit.failed());
        assert!(!circuit.answered(), "it was not open");
        assert!(!circuit.failed(), "not in a row");
        assert!(circuit.failed(), "this one opens it");
        assert!(!circuit.lets_through());
        assert!(!circuit.failed(), "it is open already");
        assert!(circuit.answered());
        assert!(circuit.lets_through());
    }

    #[test]
    fn after_the_pause_one_request_tries() {
        let circuit = Circuit::new(1, Duration::ZERO);
        circuit.failed();
        assert!(circuit.lets_through(), "the pause is over at once");
        let circuit = Circuit::new(1, LONG);
        circuit.failed();
        circuit.next.store(0, Ordering::Relaxed);
        assert!(circuit.lets_through());
        assert!(!circuit.lets_through(), "one of them tries already");
    }
}
