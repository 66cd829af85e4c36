use std::collections::BTreeSet;

use super::*;

fn finding(reason: Reason) -> Finding {
    Finding::new(reason, "")
}

#[test]
fn names_are_unique_and_snake_case_and_blocking_reasons_come_first() {
    let names: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    assert!(!names.contains(READY));
    for name in names {
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
    }
    assert!(Reason::ALL.is_sorted());
    assert!(Reason::ALL.is_sorted_by_key(|reason| !reason.is_blocking()));
}

#[test]
fn only_blocking_reasons_make_the_replica_unready() {
    let readiness = Readiness::default();
    assert!(readiness.assess(Vec::new()).is_ready());
    let status = readiness.assess(vec![finding(Reason::SnapshotFailing)]);
    assert!(status.is_ready() && status.has(Reason::SnapshotFailing));
    let both = vec![
        finding(Reason::SnapshotFailing),
        finding(Reason::ClusterDown),
    ];
    let status = readiness.assess(both);
    assert!(!status.is_ready());
    assert_eq!(status.main_reason(), Some(Reason::ClusterDown));
    assert!(status.describe().starts_with("cluster_down: "));
}

#[test]
fn a_condition_lasts_until_it_is_cleared() {
    let readiness = Readiness::default();
    let shared = readiness.clone();
    shared.set(finding(Reason::ClockSkew));
    assert!(!readiness.assess(Vec::new()).is_ready());
    shared.clear(Reason::ClockSkew);
    assert!(readiness.assess(Vec::new()).is_ready());
    shared.drain();
    assert_eq!(
        readiness.assess(Vec::new()).main_reason(),
        Some(Reason::Draining)
    );
}

#[test]
fn a_reason_keeps_the_time_of_its_first_finding() {
    let readiness = Readiness::default();
    let first = readiness.assess(vec![finding(Reason::StoreFull)]);
    let both = vec![finding(Reason::StoreFull), finding(Reason::StoreLoading)];
    let second = readiness.assess(both);
    assert!(second.since >= first.since);
    assert_eq!(second.findings[1].1, first.since);
    let third = readiness.assess(vec![finding(Reason::StoreLoading)]);
    assert_eq!(third.since, second.since);
}
