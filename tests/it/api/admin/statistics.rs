//! The statistics of all replicas, and the current problems.

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::model::statistics::{Statistics, StatisticsRange};

use super::fixture::{
    create_entry, create_service, get, get_json, import, start_admin, start_replica,
    start_with_group, store_options,
};
use crate::support::{
    TestApp, TestRedis, TestResponse, dedicated_redis::DedicatedRedis, eventually,
    on_every_kind_of_store, random_prefix, statistics::write_statistics,
};

on_every_kind_of_store!(
    requests_of_all_replicas_are_in_the_statistics,
    an_exhausted_group_is_a_problem,
    problems_of_all_groups_are_listed,
);

/// The sum of a count over all intervals of the last hour.
async fn sum(app: &TestApp, count: &str) -> u64 {
    let history = get_json(app, "statistics?range=hour").await;
    let intervals = history["intervals"].as_array().unwrap().iter();
    intervals.map(|at| at[count].as_u64().unwrap()).sum()
}

async fn requests_of_all_replicas_are_in_the_statistics(app: TestApp) {
    let first = start_admin(&app).await;
    let is_shared = first.redis.is_some();
    let second = if is_shared {
        Some(start_replica(&first, &[]).await)
    } else {
        None
    };
    for replica in [Some(&first), second.as_ref()].into_iter().flatten() {
        replica.create("a=1").await;
        let none = replica.get("/genesys/1/service/none/storage");
        assert_eq!(TestResponse::send(none).await.status, 404);
    }
    let replicas = 1 + u64::from(is_shared);
    let history = eventually("the samples of all replicas", async || {
        let all = [
            sum(&first, "successes").await,
            sum(&first, "client_errors").await,
        ];
        let history = get_json(&first, "statistics").await;
        (all == [replicas, replicas]).then_some(history)
    })
    .await;
    assert_eq!(history["range"], "hour");
    assert_eq!(history["interval_seconds"], 10);
    let intervals = history["intervals"].as_array().unwrap();
    let has_latency = |at: &&Value| at["request_p99_seconds"].as_f64() > Some(0.0);
    assert!(intervals.iter().any(|at| has_latency(&at)), "{history}");
    let day = get_json(&first, "statistics?range=day").await;
    assert_eq!(day["interval_seconds"], 300);
    let error = get(&first, "statistics?range=week").await;
    let message = error.error_message("InvalidParameter", 400);
    assert!(message.contains("expected hour or day"), "{message}");
    if is_shared {
        // A restart of all replicas does not empty the statistics.
        let (redis, prefix) = (first.redis.clone(), first.prefix.clone());
        first.stop().await;
        second.unwrap().stop().await;
        let settings = super::fixture::ADMIN_SETTINGS;
        let third = TestApp::start(redis, &prefix, &settings).await;
        assert_eq!(sum(&third, "successes").await, replicas);
    }
}

/// The messages of the current problems.
async fn problems(app: &TestApp) -> Vec<String> {
    let found = get_json(app, "problems").await;
    let found = found["problems"].as_array().unwrap().iter();
    let messages = found.map(|problem| problem["message"].as_str().unwrap().to_owned());
    messages.collect()
}

async fn an_exhausted_group_is_a_problem(app: TestApp) {
    let app = start_with_group(&app, &["8005550001"]).await;
    let of_group = async |severity: &str| {
        let found = get_json(&app, "problems").await;
        let mut found = found["problems"].as_array().unwrap().iter();
        let problem = found.find(|problem| problem["runbook"] == "switchboardnumberslow");
        let problem = problem.filter(|problem| problem["severity"] == severity);
        problem.map(|problem| problem["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(of_group("warning").await, None);
    assert_eq!(create_service(&app, "call").await.status, 200);
    let message = "All numbers of resource group support are booked: 1";
    assert_eq!(of_group("critical").await, None, "no create has failed");
    assert_eq!(of_group("warning").await.as_deref(), Some(message));
    if app.redis.is_none() {
        eventually("no other problems", async || {
            (problems(&app).await == [message]).then_some(())
        })
        .await;
    }
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let failed = of_group("critical").await.unwrap();
    let message = "Resource group support has no number to book: the last create failed at 20";
    assert!(failed.starts_with(message), "{failed}");
}

/// The number of groups that the Overview shows, and some more.
const GROUPS: usize = 20;

async fn problems_of_all_groups_are_listed(app: TestApp) {
    let app = start_admin(&app).await;
    let entries = (0..GROUPS).map(|n| {
        let service = format!(
            "[services.s{n:02}]\n_type='builtin'\n_service='request-interaction'\n_resource_group='g{n:02}'\n"
        );
        // The codes of shared numbers can run out although all numbers are free.
        let strategy = if n == GROUPS - 1 { "RANDOM" } else { "LOCAL" };
        let codes = "_provide_code=true\n_access_code_length=1\n";
        let service = if n == GROUPS - 1 { service + codes } else { service };
        let number = 8_005_550_000 + n;
        format!(
            "{service}[resources.g{n:02}]\n_allocation_strategy='{strategy}'\nnumbers=['{number}']\n"
        )
    });
    let catalog: String = entries.collect();
    create_entry(&app, "services/first", &store_options()).await;
    let imported = import(&app, Method::POST, "*", &catalog).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    for n in 0..GROUPS - 1 {
        let service = create_service(&app, &format!("s{n:02}")).await;
        assert_eq!(service.status, 200, "{}", service.text());
    }
    let last = format!("s{:02}", GROUPS - 1);
    eventually("the codes run out", async || {
        (create_service(&app, &last).await.status == 503).then_some(())
    })
    .await;
    let failed = "Resource group g19 has no number to book: the last create failed at 20";
    let found = problems(&app).await;
    assert!(found.iter().any(|one| one.starts_with(failed)), "{found:?}");
    // The usage of groups is sampled after a change of the catalog.
    create_entry(&app, "services/more", &store_options()).await;
    eventually("all groups without a free number", async || {
        let found = problems(&app).await;
        let expected =
            (0..GROUPS - 1).map(|n| format!("All numbers of resource group g{n:02} are booked: 1"));
        let mut expected = expected.filter(|message| !found.contains(message));
        expected.next().is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_unavailable_redis_is_the_first_problem() {
    let redis = DedicatedRedis::start(&[]).await;
    let url = redis.url();
    let settings = [
        ("redis.url", url.as_str()),
        super::fixture::ADMIN_SETTINGS[0],
    ];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let first = async || {
        let found = get_json(&app, "problems").await;
        let first = &found["problems"][0];
        let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
        (text("severity"), text("message"), text("runbook"))
    };
    assert_ne!(first().await.2, "switchboardstoreunavailable");
    redis.kill();
    let (severity, message, runbook) = first().await;
    assert_eq!(
        (severity.as_str(), runbook.as_str()),
        ("critical", "switchboardstoreunavailable")
    );
    assert!(
        message.starts_with("The state in Redis cannot be read: "),
        "{message}"
    );
    redis.spawn(&[]);
    eventually("the problem is gone", async || {
        (first().await.2 != "switchboardstoreunavailable").then_some(())
    })
    .await;
    // Another error does not hide the problems of the replica.
    redis
        .command(&["ACL", "SETUSER", "default", "-zcard", "-zcount"])
        .await;
    let (severity, message, runbook) = first().await;
    assert_eq!(
        (severity.as_str(), runbook.as_str()),
        ("critical", "switchboardredischeckfailed")
    );
    assert!(message.contains("permission denied"), "{message}");
    eventually("the replica detects the missing rights", async || {
        let all = problems(&app).await;
        let found = all.iter().any(|message| {
            message.starts_with("Ready with restrictions (rights_incomplete)")
                || message.starts_with("Replica is not ready (missing_rights)")
        });
        found.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_day_is_read_from_the_ring_of_five_minutes() {
    let app = start_admin(&TestApp::on_redis().await).await;
    let mut connection = TestRedis::shared().connection().await;
    let mut past = Statistics {
        samples: 60,
        successes: 3_000,
        bookings: Some(12),
        cleanup_lag_ms: Some(1_500),
        round_trip_us: Some(700),
        ..Statistics::default()
    };
    past.requests.add(0.0025, 1_000);
    let range = StatisticsRange::Day;
    write_statistics(&mut connection, &app.prefix, range, [(200, past)]).await;
    let day = get_json(&app, "statistics?range=day").await;
    let only = &day["intervals"][0];
    assert_eq!(only["samples"], 60);
    assert_eq!(only["successes"], 3_000);
    assert_eq!(only["bookings"], 12);
    assert_eq!(only["active_services"], Value::Null);
    assert_eq!(only["cleanup_lag_seconds"], json!(1.5));
    assert_eq!(only["store_round_trip_seconds"], json!(0.0007));
    assert_eq!(only["store_p50_seconds"], Value::Null);
    let p50 = only["request_p50_seconds"].as_f64().unwrap();
    assert!((0.001..0.0025).contains(&p50), "{p50}");
}

#[tokio::test]
async fn problems_name_the_failed_check_and_its_replicas() {
    let redis = DedicatedRedis::start(&[("maxmemory-policy", "allkeys-lru")]).await;
    let url = redis.url();
    let settings = [
        ("redis.url", url.as_str()),
        super::fixture::ADMIN_SETTINGS[0],
    ];
    let prefix = random_prefix();
    let first = TestApp::start(None, &prefix, &settings).await;
    let _second = TestApp::start(None, &prefix, &settings).await;
    let problem = eventually("both replicas report the policy", async || {
        let found = get_json(&first, "problems").await;
        let mut found = found["problems"].as_array().unwrap().iter();
        let problem = found.find(|problem| {
            let message = problem["message"].as_str().unwrap();
            message.starts_with("Redis fails the check eviction: allkeys-lru")
        });
        let problem = problem?.clone();
        (problem["replicas"].as_array()?.len() == 2).then_some(problem)
    })
    .await;
    assert_eq!(problem["severity"], "critical");
    let action = problem["action"].as_str().unwrap();
    assert!(
        action.starts_with("Set maxmemory-policy to noeviction"),
        "{action}"
    );
    assert_eq!(problem["runbook"], "switchboardredischeckfailed");
    // The check passes again after the correction.
    redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
        .await;
    eventually("the problem is gone", async || {
        let found = problems(&first).await;
        let is_gone = found.iter().all(|message| !message.contains("eviction"));
        is_gone.then_some(())
    })
    .await;
}
