//! The load balancer: selects the backend for a new session.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::url_template::{EXPECTED_URL, is_sent_as_written, split_base};
use crate::model::join_with_or;

/// The strategies, the default first.
pub(crate) const BALANCING_STRATEGIES: [&str; 2] = ["circular", "linear"];

/// The backends of a configured service.
#[derive(Debug)]
pub(super) struct LoadBalancer {
    bases: Vec<String>,
    strategy: BalancingStrategy,
    next: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BalancingStrategy {
    /// Each in turn.
    Circular,
    /// The first reachable one.
    Linear,
}

impl LoadBalancer {
    /// Parses `_ors`, a comma-separated list of URLs, and `_ors_lb_strategy`.
    ///
    /// # Errors
    /// The name of the option, and the problem: its value and the expected form.
    pub(super) fn parse(
        list: Option<&str>,
        strategy: Option<&str>,
    ) -> Result<Self, (&'static str, String)> {
        let mut bases = Vec::new();
        let entries = list.unwrap_or_default().split(',').map(str::trim);
        for entry in entries.filter(|entry| !entry.is_empty()) {
            let invalid = |reason: &str| ("_ors", format!("is {entry:?}: {reason}"));
            let (base, path) = split_base(entry).map_err(|reason| invalid(&reason))?;
            if path.contains(['?', '#', '{', '}']) {
                return Err(invalid("expected http://host:port with an optional path"));
            }
            let path = path.trim_end_matches('/');
            if !is_sent_as_written(&format!("{path}/")) {
                return Err(invalid(EXPECTED_URL));
            }
            let base = base + path;
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        let strategy = match strategy
            .map(|text| text.trim().to_ascii_lowercase())
            .as_deref()
        {
            None | Some("circular") => BalancingStrategy::Circular,
            Some("linear") => BalancingStrategy::Linear,
            Some(other) => {
                let problem = format!(
                    "is {other:?}, expected {}",
                    join_with_or(&BALANCING_STRATEGIES)
                );
                return Err(("_ors_lb_strategy", problem));
            }
        };
        Ok(Self {
            bases,
            strategy,
            next: AtomicUsize::new(0),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    pub(super) fn base_urls(&self) -> &[String] {
        &self.bases
    }

    /// All backends in the order of attempts.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &str> {
        let first = match self.strategy {
            BalancingStrategy::Linear => 0,
            BalancingStrategy::Circular => {
                self.next.fetch_add(1, Ordering::Relaxed) % self.bases.len().max(1)
            }
        };
        let (before, from) = self.bases.split_at(first);
        from.iter().chain(before).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(list: &str, strategy: Option<&str>) -> Vec<String> {
        let balancer = LoadBalancer::parse(Some(list), strategy).unwrap();
        let orders = (0..3).map(|_| balancer.in_order().collect::<Vec<_>>().join(" "));
        orders.map(|order| order.replace("http://", "")).collect()
    }

    #[test]
    fn circular_starts_with_the_next_backend_and_linear_with_the_first() {
        let list = "http://a:1, http://b/, http://a:1,";
        assert_eq!(order(list, None), ["a:1 b", "b a:1", "a:1 b"]);
        assert_eq!(order(list, Some("Circular")), ["a:1 b", "b a:1", "a:1 b"]);
        assert_eq!(order(list, Some("linear")), ["a:1 b", "a:1 b", "a:1 b"]);
    }

    #[test]
    fn an_error_names_its_option() {
        for (list, strategy, option, expected) in [
            ("ors:80", None, "_ors", "is \"ors:80\": expected http://"),
            ("http://a?x", None, "_ors", "with an optional path"),
            ("http://a/b/../c", None, "_ors", "expected a URL"),
            (
                "http://a",
                Some("x"),
                "_ors_lb_strategy",
                "is \"x\", expected circular or linear",
            ),
        ] {
            let (name, problem) = LoadBalancer::parse(Some(list), strategy).unwrap_err();
            assert_eq!(name, option);
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
