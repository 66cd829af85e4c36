//! `switchboard verify --redis`, and the exit codes of all commands.

use super::{set_user, start_replica, start_valid_redis, url_as_user, wait_for_result};
use crate::support::{
    CatalogFile, LONG_TIMEOUTS, RedisKind, TestRedis,
    ports::free_port,
    program::{ExitedProgram, Program},
    random_prefix,
};

const CHECKS: [&str; 8] = [
    "role",
    "mode",
    "version",
    "eviction",
    "rights",
    "notifications",
    "persistence",
    "clock",
];

async fn verify(settings: &[(&str, &str)]) -> ExitedProgram {
    let settings = [&LONG_TIMEOUTS[..], settings].concat();
    Program::run(&["verify", "--redis"], &settings).wait().await
}

/// The line of the table for a check.
fn check_line<'t>(table: &'t str, check: &str) -> &'t str {
    let is_of_check = |line: &&str| line.split_whitespace().nth(1) == Some(check);
    table
        .lines()
        .find(is_of_check)
        .unwrap_or_else(|| panic!("{check} is not in {table}"))
}

#[tokio::test]
async fn valid_redis_passes_all_checks() {
    let redis = start_valid_redis(&[]).await;
    let exited = verify(&[("redis.url", &redis.url())]).await;
    assert_eq!(exited.code, Some(0), "{}{}", exited.stdout, exited.stderr);
    for check in CHECKS {
        assert!(
            check_line(&exited.stdout, check).contains("pass"),
            "{}",
            exited.stdout
        );
    }
    assert!(
        exited.stdout.contains("8 passed, 0 failed, 0 unknown"),
        "{}",
        exited.stdout
    );
}

#[tokio::test]
async fn failed_check_reports_detail_and_action() {
    let options = [
        ("appendonly", "no"),
        ("save", ""),
        ("maxmemory-policy", "volatile-lru"),
        ("notify-keyspace-events", ""),
        ("cluster-enabled", "yes"),
    ];
    let redis = start_valid_redis(&options).await;
    let exited = verify(&[("redis.url", &redis.url())]).await;
    assert_eq!(exited.code, Some(1), "{}{}", exited.stdout, exited.stderr);
    for (check, detail, action) in [
        ("mode", "server cluster", "redis.mode"),
        ("eviction", "volatile-lru", "noeviction"),
        ("persistence", "neither", "appendonly yes"),
    ] {
        let line = check_line(&exited.stdout, check);
        assert!(
            line.contains("FAIL") && line.contains(detail),
            "{}",
            exited.stdout
        );
        assert!(exited.stdout.contains(action), "{}", exited.stdout);
    }
}

#[tokio::test]
async fn replica_fails_role_check() {
    let primary = start_valid_redis(&[]).await;
    let replica =
        start_valid_redis(&[("replicaof", &format!("127.0.0.1 {}", primary.port()))]).await;
    let exited = verify(&[("redis.url", &replica.url())]).await;
    assert_eq!(exited.code, Some(1), "{}{}", exited.stdout, exited.stderr);
    assert!(
        check_line(&exited.stdout, "role").contains("FAIL"),
        "{}",
        exited.stdout
    );
}

#[tokio::test]
async fn exactly_the_primaries_are_checked() {
    for (kind, servers) in [
        (RedisKind::Single, 1),
        (RedisKind::Sentinel, 1),
        (RedisKind::Cluster, 3),
    ] {
        let redis = TestRedis::shared_kind(kind);
        let settings = redis.settings();
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let exited = verify(&settings).await;
        for check in CHECKS {
            let is_of_check = |line: &&str| line.split_whitespace().nth(1) == Some(check);
            let count = exited.stdout.lines().filter(is_of_check).count();
            assert_eq!(
                count, servers,
                "{check}: {}{}",
                exited.stdout, exited.stderr
            );
        }
        for check in ["role", "mode", "version", "eviction", "rights", "clock"] {
            assert!(
                check_line(&exited.stdout, check).contains("pass"),
                "{}",
                exited.stdout
            );
        }
    }
}

#[tokio::test]
async fn denied_check_is_unknown() {
    let redis = start_valid_redis(&[]).await;
    let mut connection = redis.connection().await.unwrap();
    set_user(
        &mut connection,
        &["~*", "&*", "+@all", "-config", "-info", "-acl", "-role"],
    )
    .await;
    let url = url_as_user(&redis.url());
    let exited = verify(&[("redis.url", &url)]).await;
    for check in ["eviction", "persistence"] {
        assert!(
            check_line(&exited.stdout, check).contains("unknown"),
            "{}",
            exited.stdout
        );
    }
    for check in ["role", "mode", "version", "notifications"] {
        assert!(
            check_line(&exited.stdout, check).contains("pass"),
            "{}",
            exited.stdout
        );
    }
    let (_program, address) = start_replica(&url, &[]).await;
    wait_for_result(address, "version", 1.0).await;
    let metrics = crate::support::metrics::Metrics::scrape(address).await;
    assert!(
        !metrics.has("redis_check{check=\"eviction\"}"),
        "{}",
        metrics.text
    );
}

#[tokio::test]
async fn exit_codes_distinguish_failures() {
    let redis = start_valid_redis(&[]).await;
    let unused = format!("127.0.0.1:{}", free_port());
    let (unreachable, prefix) = (format!("redis://{unused}"), random_prefix());
    let other_redis = start_valid_redis(&[]).await;
    let no_database = format!("{}/77", other_redis.url());
    let wrong_password = redis.url().replace("//", "//default:wrong@");
    redis
        .command(&["CONFIG", "SET", "requirepass", "right"])
        .await;
    for command in [&["verify"][..], &["verify", "--redis"]] {
        for (settings, expected) in [
            (vec![("redis.url", unreachable.as_str())], 69),
            (vec![("redis.url", no_database.as_str())], 69),
            (vec![("redis.url", wrong_password.as_str())], 77),
            (vec![], 64),
            (vec![("redis.url", "http://x")], 64),
        ] {
            let prefix = vec![("redis.prefix", prefix.as_str())];
            let settings = [LONG_TIMEOUTS.to_vec(), settings, prefix].concat();
            let exited = Program::run(command, &settings).wait().await;
            assert_eq!(
                exited.code,
                Some(expected),
                "{command:?} {settings:?}: {}",
                exited.stderr
            );
            assert!(!exited.stderr.contains("wrong@"), "{}", exited.stderr);
        }
    }
    for (arguments, expected) in [
        (&["audit"][..], 2),
        (&["verify", "--reddis"], 2),
        (&["healthcheck"], 69),
        (&["check"], 0),
    ] {
        let exited = Program::run(arguments, &[("server.listen", &unused)])
            .wait()
            .await;
        assert_eq!(
            exited.code,
            Some(expected),
            "{arguments:?}: {}",
            exited.stderr
        );
    }
    let broken = CatalogFile::new("[services.x]\n_type = 'nonsense'\n");
    let exited = Program::run(&["check"], &[("catalog.file", broken.path())])
        .wait()
        .await;
    assert_eq!(exited.code, Some(64), "{}", exited.stderr);
}

#[tokio::test]
async fn checks_export_metrics_and_log_one_warning_per_failure() {
    let redis = start_valid_redis(&[("maxmemory-policy", "allkeys-lru")]).await;
    let (program, address) = start_replica(&redis.url(), &[]).await;
    wait_for_result(address, "eviction", 0.0).await;
    for check in CHECKS.into_iter().filter(|check| *check != "eviction") {
        wait_for_result(address, check, 1.0).await;
    }
    program
        .wait_for_log_event("redis check failed", |_| true)
        .await;
    let warnings = program.log_events("redis check failed");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["check"], "eviction");
    assert_eq!(warnings[0]["detail"], "allkeys-lru");
    // A failed check is repeated soon.
    redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
        .await;
    wait_for_result(address, "eviction", 1.0).await;
    assert_eq!(program.log_events("redis check failed").len(), 1);
    // After a reconnect the check runs immediately, although it has passed.
    redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"])
        .await;
    redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    wait_for_result(address, "eviction", 0.0).await;
}
