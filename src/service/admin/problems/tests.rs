use super::*;
use crate::{
    model::PoolUsage,
    service::{OwnReplica, ReplicaStats, UsedGroup},
};

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
    assert_eq!(current_problems(&[], &groups), []);
    let replicas = [
        replica("a", leader()),
        replica("b", ReplicaStats::default()),
    ];
    assert_eq!(current_problems(&replicas, &groups), []);
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
    let problems = current_problems(&replicas, &MostUsedGroups::default());
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
    let used = |name: &str, size, free| UsedGroup {
        name: name.to_owned(),
        usage: PoolUsage { size, free },
        exhausted_at: None,
    };
    let groups = MostUsedGroups {
        usage: vec![
            used("full", 2, 0),
            used("nearly", 10, 1),
            used("empty", 0, 0),
        ],
        ..MostUsedGroups::default()
    };
    let problems = current_problems(&[first, second], &groups);
    let expected = [
        "Redis has lost 2 catalog entries that the replica can restore",
        "Resource group full is exhausted: 2 of 2 numbers are booked",
        "No replica is the cleanup leader",
        "Replicas have different versions of the catalog",
        "The cleanup of ended services lags 61 s",
        "The clock differs from that of Redis by -45.0 s",
    ];
    assert_eq!(messages(&problems), expected);
    assert_eq!(
        problems[1].target,
        Some(ProblemTarget::Group("full".to_owned()))
    );
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
}
