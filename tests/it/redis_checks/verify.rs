//! `switchboard verify --redis`, and the exit codes of all commands.

use std::net::TcpListener;

use super::{set_user, start_replica, start_valid_redis, url_as_user, wait_for_result};
use crate::support::{
    CatalogFile, RedisKind, TestRedis,
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
    Program::run(&["verify", "--redis"], settings).wait().await
}

/// The line of the table for a check.
fn check_line<'t>(table: &'t str, check: &str) -> &'t str {
    let of_it = |line: &&str| line.split_whitespace().nth(1) == Some(check);
    table
        .lines()
        .find(of_it)
        .unwrap_or_else(|| panic!("{check} is not in {table}"))
}

#[tokio::test]
async fn a_sound_redis_passes_all_checks() {
    let redis = start_valid_redis(&[]).await;
    let ended = verify(&[("redis.url", &redis.url())]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for check in CHECKS {
        assert!(
            check_line(&ended.stdout, check).contains("pass"),
            "{}",
            ended.stdout
        );
    }
    assert!(
        ended.stdout.contains("8 passed, 0 failed, 0 unknown"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn each_failed_check_says_what_was_seen_and_what_to_do() {
    let options = [
        ("appendonly", "no"),
        ("save", ""),
        ("maxmemory-policy", "volatile-lru"),
        ("notify-keyspace-events", ""),
        ("cluster-enabled", "yes"),
    ];
    let redis = start_valid_redis(&options).await;
    let ended = verify(&[("redis.url", &redis.url())]).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    for (check, seen, action) in [
        ("mode", "server cluster", "redis.mode"),
        ("eviction", "volatile-lru", "noeviction"),
        ("persistence", "neither", "appendonly yes"),
    ] {
        let found = check_line(&ended.stdout, check);
        assert!(
            found.contains("FAIL") && found.contains(seen),
            "{}",
            ended.stdout
        );
        assert!(ended.stdout.contains(action), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn a_replica_is_no_server_to_write_to() {
    let primary = start_valid_redis(&[]).await;
    let copy = start_valid_redis(&[("replicaof", &format!("127.0.0.1 {}", primary.port()))]).await;
    let ended = verify(&[("redis.url", &copy.url())]).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(
        check_line(&ended.stdout, "role").contains("FAIL"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn every_primary_is_checked_and_no_other_server() {
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
        let ended = verify(&settings).await;
        for check in CHECKS {
            let of_it = |line: &&str| line.split_whitespace().nth(1) == Some(check);
            let count = ended.stdout.lines().filter(of_it).count();
            assert_eq!(count, servers, "{check}: {}{}", ended.stdout, ended.stderr);
        }
        for check in ["role", "mode", "version", "eviction", "rights", "clock"] {
            assert!(
                check_line(&ended.stdout, check).contains("pass"),
                "{}",
                ended.stdout
            );
        }
    }
}

#[tokio::test]
async fn what_redis_forbids_to_ask_is_unknown_and_no_failure() {
    let redis = start_valid_redis(&[]).await;
    let mut connection = redis.connection().await.unwrap();
    set_user(
        &mut connection,
        &["~*", "&*", "+@all", "-config", "-info", "-acl", "-role"],
    )
    .await;
    let url = url_as_user(&redis.url());
    let ended = verify(&[("redis.url", &url)]).await;
    for check in ["eviction", "persistence"] {
        assert!(
            check_line(&ended.stdout, check).contains("unknown"),
            "{}",
            ended.stdout
        );
    }
    for check in ["role", "mode", "version", "notifications"] {
        assert!(
            check_line(&ended.stdout, check).contains("pass"),
            "{}",
            ended.stdout
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
async fn exit_codes_tell_findings_from_a_redis_that_is_away_or_denies_access() {
    let redis = start_valid_redis(&[]).await;
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (away, prefix) = (format!("redis://{free}"), random_prefix());
    let wrong = redis.url().replace("//", "//default:wrong@");
    redis
        .command(&["CONFIG", "SET", "requirepass", "right"])
        .await;
    for command in [&["verify"][..], &["verify", "--redis"]] {
        for (settings, expected) in [
            (vec![("redis.url", away.as_str())], 69),
            (vec![("redis.url", wrong.as_str())], 77),
            (vec![], 64),
            (vec![("redis.url", "http://x")], 64),
        ] {
            let settings = [settings, vec![("redis.prefix", prefix.as_str())]].concat();
            let ended = Program::run(command, &settings).wait().await;
            assert_eq!(
                ended.code,
                Some(expected),
                "{command:?} {settings:?}: {}",
                ended.stderr
            );
            assert!(!ended.stderr.contains("wrong@"), "{}", ended.stderr);
        }
    }
    for (arguments, expected) in [
        (&["audit"][..], 2),
        (&["verify", "--reddis"], 2),
        (&["healthcheck"], 69),
        (&["check"], 0),
    ] {
        let listen = free.to_string();
        let ended = Program::run(arguments, &[("server.listen", &listen)])
            .wait()
            .await;
        assert_eq!(
            ended.code,
            Some(expected),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    let broken = CatalogFile::new("[services.x]\n_type = 'nonsense'\n");
    let ended = Program::run(&["check"], &[("catalog.file", broken.path())])
        .wait()
        .await;
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
}

#[tokio::test]
async fn each_check_is_a_metric_and_each_failure_one_warning() {
    let redis = start_valid_redis(&[("maxmemory-policy", "allkeys-lru")]).await;
    let (program, address) = start_replica(&redis.url(), &[]).await;
    wait_for_result(address, "eviction", 0.0).await;
    for check in CHECKS.into_iter().filter(|check| *check != "eviction") {
        wait_for_result(address, check, 1.0).await;
    }
    let warnings = program.log_events("redis check failed");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["check"], "eviction");
    assert_eq!(warnings[0]["seen"], "allkeys-lru");
    // It is checked again soon while it fails.
    redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
        .await;
    wait_for_result(address, "eviction", 1.0).await;
    assert_eq!(program.log_events("redis check failed").len(), 1);
    // And at once after a reconnect, though it has passed.
    redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"])
        .await;
    redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    wait_for_result(address, "eviction", 0.0).await;
}
