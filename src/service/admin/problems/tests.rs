use std::time::Duration;

use super::*;
use crate::{
    model::PoolUsage,
    service::{OwnReplica, ReplicaStats},
};

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T17:30:00Z").unwrap()
}

fn replica(address: &str, stats: ReplicaStats) -> Replica {
    let own = OwnReplica::new(crate::model::readiness::Readiness::default());
    Replica {
        host: "host".to_owned(),
        stats,
        ..Replica::current(&own, address.to_owned(), None)
    }
}

fn leader() -> ReplicaStats {
    ReplicaStats {
        cleanup_leader: true,
        ..ReplicaStats::default()
    }
}

fn found(kind: ProblemKind, subject: &str) -> ReplicaProblem {
    ReplicaProblem {
        kind,
        subject: subject.to_owned(),
        detail: "detail".to_owned(),
        action: "do it".to_owned(),
    }
}

fn messages(problems: &[Problem]) -> Vec<&str> {
    let messages = problems.iter().map(|problem| problem.message.as_str());
    messages.collect()
}

#[test]
fn replicas_without_problems_have_none() {
    let groups = MostUsedGroups::default();
    assert_eq!(current_problems(&[], &groups, now()), []);
    let replicas = [
        replica("a", leader()),
        replica("b", ReplicaStats::default()),
    ];
    assert_eq!(current_problems(&replicas, &groups, now()), []);
}

#[test]
fn a_problem_of_several_replicas_is_listed_once_with_them() {
    let with = |mut stats: ReplicaStats, kinds: &[(ProblemKind, &str)]| {
        let kinds = kinds.iter();
        stats.problems = kinds.map(|(kind, subject)| found(*kind, subject)).collect();
        stats
    };
    let eviction = (ProblemKind::RedisCheck, "eviction");
    let replicas = [
        replica(
            "a",
            with(
                leader(),
                &[(ProblemKind::CircuitOpen, "http://x"), eviction],
            ),
        ),
        replica("b", with(ReplicaStats::default(), &[eviction])),
    ];
    let problems = current_problems(&replicas, &MostUsedGroups::default(), now());
    let expected = [
        "Redis fails the check eviction: detail",
        "Backend http://x does not respond",
    ];
    assert_eq!(messages(&problems), expected, "critical ones first");
    assert_eq!(problems[0].severity, Severity::Critical);
    assert_eq!(problems[0].action, "Do it.");
    assert_eq!(problems[0].replicas, ["host a", "host b"]);
    assert_eq!(problems[1].severity, Severity::Warning);
    assert_eq!(problems[1].replicas, ["host a"]);
}

#[test]
fn problems_follow_from_the_state_of_replicas_and_groups() {
    let skewed = ReplicaStats {
        clock_skew_seconds: Some(-45.0),
        cleanup_lag_seconds: Some(61.0),
        catalog_entries_lost: 2,
        ..ReplicaStats::default()
    };
    let mut second = replica("b", ReplicaStats::default());
    second.catalog_version = Some("1-a".to_owned());
    let mut first = replica("a", skewed);
    first.catalog_version = Some("2-b".to_owned());
    let problems = current_problems(&[first, second], &MostUsedGroups::default(), now());
    let expected = [
        "Redis has lost 2 catalog entries that the replica can restore",
        "No replica is the cleanup leader",
        "Replicas have different versions of the catalog",
        "The cleanup of ended services lags 61 s",
        "The clock differs from that of Redis by -45.0 s",
    ];
    assert_eq!(messages(&problems), expected);
}

#[test]
fn a_failed_booking_is_critical_and_no_free_number_a_warning() {
    let used = |name: &str, size, free| UsedGroup {
        name: name.to_owned(),
        usage: PoolUsage {
            size,
            free,
            quarantined: 0,
        },
        exhausted_at: None,
        is_shared: false,
        has_backup: false,
        expired: 0,
    };
    let failed = |group, seconds| UsedGroup {
        exhausted_at: Some(now().before(Duration::from_secs(seconds))),
        ..group
    };
    let groups = MostUsedGroups {
        usage: vec![
            used("full", 2, 0),
            used("nearly", 10, 1),
            used("empty", 0, 0),
            UsedGroup {
                has_backup: true,
                ..used("with backup", 2, 0)
            },
            UsedGroup {
                expired: 1,
                ..used("with expired bookings", 2, 0)
            },
            UsedGroup {
                usage: PoolUsage {
                    size: 1,
                    free: 0,
                    quarantined: 2,
                },
                ..used("with quarantines", 0, 0)
            },
            UsedGroup {
                usage: PoolUsage {
                    size: 0,
                    free: 0,
                    quarantined: 2,
                },
                ..used("without others", 0, 0)
            },
            // The codes of shared numbers can run out.
            failed(used("shared", 3, 3), 59),
            failed(used("failed", 2, 0), 0),
            failed(used("failed earlier", 2, 1), 60),
            failed(
                UsedGroup {
                    usage: PoolUsage {
                        size: 0,
                        free: 0,
                        quarantined: 4,
                    },
                    ..used("failed without others", 0, 0)
                },
                1,
            ),
        ],
        ..MostUsedGroups::default()
    };
    let problems = current_problems(&[], &groups, now());
    let expected = [
        "Resource group failed has no number to book: the last create failed at 2026-11-23T17:30:00.000Z",
        "Resource group failed without others has no number to book: the last create failed at \
         2026-11-23T17:29:59.000Z; 4 quarantined",
        "Resource group shared has no number to book: the last create failed at 2026-11-23T17:29:01.000Z",
        "All numbers of resource group full are booked: 2",
        "All numbers of resource group with backup are booked: 2",
        "All numbers of resource group without others are quarantined: 2",
        "Resource group with quarantines has no free number: 1 booked, 2 quarantined",
    ];
    assert_eq!(messages(&problems), expected);
    let severities = problems.iter().map(|problem| problem.severity.name());
    let severities: Vec<_> = severities.collect();
    assert_eq!(
        severities[..4],
        ["critical", "critical", "critical", "warning"]
    );
    let target = ProblemTarget::Group("failed".to_owned());
    assert_eq!(problems[0].target, Some(target));
    assert!(
        problems[3].action.contains("fails"),
        "{}",
        problems[3].action
    );
    assert!(
        problems[4].action.contains("backup number of"),
        "{}",
        problems[4].action
    );
}

#[test]
fn problems_of_groups_are_limited_and_the_others_counted() {
    let group = |n: u64| UsedGroup {
        name: format!("{n:03}"),
        usage: PoolUsage {
            size: 1,
            free: 0,
            quarantined: 0,
        },
        exhausted_at: (n == 90).then(now),
        is_shared: false,
        has_backup: false,
        expired: 0,
    };
    let groups = MostUsedGroups {
        usage: (0..12).map(group).collect(),
        others: (12..100).map(group).collect(),
        ..MostUsedGroups::default()
    };
    let problems = current_problems(&[], &groups, now());
    let messages = messages(&problems);
    assert_eq!(messages.len(), 51, "{messages:?}");
    assert!(messages[0].starts_with("Resource group 090 has no number to book"));
    assert!(messages.contains(&"50 more resource groups have no number to book"));
}

#[test]
fn restrictions_with_which_requests_fail_are_critical() {
    let severity = |reason: Reason| {
        let found = found(ProblemKind::Restricted, reason.name());
        let problem = Problem::of_replica(&replica("a", leader()), &found);
        (problem.severity, problem.runbook)
    };
    let restrictions = Reason::ALL.iter().filter(|reason| !reason.is_blocking());
    let (critical, others): (Vec<Reason>, Vec<Reason>) =
        restrictions.partition(|reason| severity(**reason).0 == Severity::Critical);
    assert_eq!(critical, CRITICAL_RESTRICTIONS);
    let expected = [
        Reason::RightsIncomplete,
        Reason::Overloaded,
        Reason::SentinelsUnreachable,
    ];
    assert_eq!(others, expected);
    assert_eq!(severity(Reason::StoreFull).1, "switchboardstorefull");
    assert_eq!(severity(Reason::ReadOnly).1, "switchboarddegraded");
}

#[test]
fn every_kind_has_a_section_of_the_runbook() {
    let runbook = include_str!("../../../../docs/runbook.md").to_lowercase();
    let kinds = [
        ProblemKind::NotReady,
        ProblemKind::Restricted,
        ProblemKind::RedisCheck,
        ProblemKind::CircuitOpen,
        ProblemKind::WebhookStopped,
        ProblemKind::WebhookLag,
        ProblemKind::UnusableEntry,
        ProblemKind::Unknown,
    ];
    for kind in kinds {
        for subject in ["offline", "eviction"] {
            let problem = Problem::of_replica(&replica("a", leader()), &found(kind, subject));
            let heading = format!("## {}\n", problem.runbook);
            assert!(runbook.contains(&heading), "{heading}");
            assert!(problem.action.ends_with('.'), "{}", problem.action);
        }
    }
    let text = || "detail".to_owned();
    for error in [
        StoreError::Unavailable(text()),
        StoreError::Busy(1),
        StoreError::Unknown(text()),
        StoreError::Full(text()),
        StoreError::Conflict(text()),
        StoreError::Corrupt(text()),
        StoreError::Denied(text()),
        StoreError::Bug(text()),
    ] {
        let problem = Problem::of_store(&error);
        let heading = format!("## {}\n", problem.runbook);
        assert!(runbook.contains(&heading), "{heading}");
        assert_eq!(problem.severity, Severity::Critical);
    }
}
