//! Changes reach every replica: by message within a second, otherwise by polling the version.

use std::sync::Arc;

use redis::cmd;
use serde_json::json;

use super::fixture::{
    ADMIN_SETTINGS, create_entry, create_service, delete_entry, exclusive_group_options, get,
    get_json, replace_entry, request_interaction_options, start_admin, start_admin_with,
    start_replica, store_options,
};
use crate::support::{RedisKind, TestApp, TestRedis, eventually, random_prefix};

/// Disables polling for the duration of a test.
const NO_POLLING: (&str, &str) = ("catalog.poll_seconds", "3600");

async fn assert_catalog_propagates(one: &TestApp, other: &TestApp) {
    create_entry(one, "services/cart", &store_options()).await;
    eventually("the other replica has the entry", async || {
        (create_service(other, "cart").await.status == 200).then_some(())
    })
    .await;
    // Both replicas return the same revision.
    let (on_first, on_second) = (
        get(one, "services/cart").await,
        get(other, "services/cart").await,
    );
    assert_eq!(on_first.header("etag"), on_second.header("etag"));
    replace_entry(other, "services/cart", &request_interaction_options("DNIS")).await;
    eventually("the first replica has the change", async || {
        let response = create_service(one, "cart").await;
        response
            .json()
            .get("_access_number")
            .is_some()
            .then_some(())
    })
    .await;
    delete_entry(one, "services/cart").await;
    eventually("the other replica has deleted it", async || {
        (create_service(other, "cart").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn change_reaches_other_replica_by_message() {
    for kind in [RedisKind::Single, RedisKind::Sentinel, RedisKind::Cluster] {
        let redis = TestRedis::shared_kind(kind);
        let all = [&ADMIN_SETTINGS[..], &[NO_POLLING]].concat();
        let one = TestApp::start(Some(redis), &random_prefix(), &all).await;
        let other = start_replica(&one, &[NO_POLLING]).await;
        assert_catalog_propagates(&one, &other).await;
    }
}

/// The URL of a Redis user without access to the channel of the catalog.
pub(crate) async fn url_without_pubsub(redis: &TestRedis) -> String {
    let mut connection = redis.connection().await;
    let mut user = cmd("ACL");
    user.arg("SETUSER")
        .arg("no-pubsub")
        .arg("on")
        .arg(">secret");
    user.arg("~*")
        .arg("+@all")
        .arg("resetchannels")
        .arg("&__keyevent@0__:*");
    user.exec_async(&mut connection).await.unwrap();
    redis.url().replace("//", "//no-pubsub:secret@")
}

#[tokio::test]
async fn change_reaches_other_replica_by_polling() {
    let redis = Arc::new(TestRedis::dedicated());
    let url = url_without_pubsub(&redis).await;
    let settings = [("redis.url", url.as_str()), ("catalog.poll_seconds", "1")];
    let all = [&ADMIN_SETTINGS[..], &settings].concat();
    let one = TestApp::start(Some(redis), &random_prefix(), &all).await;
    let other = start_replica(&one, &settings).await;
    assert_catalog_propagates(&one, &other).await;
}

#[tokio::test]
async fn started_replica_has_existing_entries() {
    let one = start_admin(&TestApp::on_redis().await).await;
    create_entry(&one, "services/cart", &store_options()).await;
    let other = one.start_replica().await;
    create_service(&other, "cart").await.service_id();
    // Entries persist without any running replica.
    let (redis, prefix) = (one.redis.clone(), one.prefix.clone());
    one.stop().await;
    other.stop().await;
    let third = TestApp::start(redis, &prefix, &[]).await;
    create_service(&third, "cart").await.service_id();
}

#[tokio::test]
async fn unreadable_entry_is_reported_and_others_stay_active() {
    let redis = TestRedis::shared();
    let app = start_admin(&TestApp::on_redis().await).await;
    create_entry(&app, "services/cart", &store_options()).await;
    create_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    let mut connection = redis.connection().await;
    let key = |part: &str| format!("{}{{catalog}}:{part}", app.prefix);
    for (name, entry) in [
        (
            "later",
            "9-later\n{\"_type\":\"quantum\",\"_service\":\"x\"}",
        ),
        ("strange", "9-later\nnot json"),
        (
            "store",
            "9-later\n{\"_type\":\"builtin\",\"_service\":\"store\"}",
        ),
    ] {
        let mut set = cmd("HSET");
        set.arg(key("services")).arg(name).arg(entry);
        set.exec_async(&mut connection).await.unwrap();
    }
    let mut set = cmd("SET");
    set.arg(key("version")).arg("9-later");
    set.exec_async(&mut connection).await.unwrap();
    let other = start_replica(&app, &[]).await;
    for (name, expected) in [
        ("later", "option _type: is \"quantum\""),
        ("strange", "is not readable by this version"),
    ] {
        let entry = get_json(&other, &format!("services/{name}")).await;
        let problem = entry["problem"].as_str().unwrap();
        assert!(problem.contains(expected), "{problem}");
        create_service(&other, name)
            .await
            .error_message("ServiceNotFound", 404);
    }
    create_service(&other, "cart").await.service_id();
    create_service(&other, "store").await.service_id();
    // Other changes are accepted, and the entry can be replaced.
    create_entry(&other, "services/more", &store_options()).await;
    replace_entry(&other, "services/later", &store_options()).await;
    delete_entry(&other, "services/strange").await;
    // A stored entry that the catalog file overrides can be deleted; the entry of the file stays.
    delete_entry(&other, "services/store").await;
    assert_eq!(get_json(&other, "services/store").await["origin"], "file");
    create_service(&other, "later").await.service_id();
}

#[tokio::test]
async fn running_replicas_are_listed() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let up = async |count: usize| {
        let all = get_json(&one, "replicas").await["replicas"].clone();
        let all = all.as_array().unwrap().clone();
        (all.len() == count).then_some(all)
    };
    eventually("the first replica is listed", async || up(1).await).await;
    let other = start_replica(&one, &[]).await;
    let both = eventually("both replicas are listed", async || up(2).await).await;
    let mut addresses: Vec<_> = both
        .iter()
        .map(|one| one["address"].as_str().unwrap())
        .collect();
    addresses.sort_unstable();
    let mut expected = [one.address.to_string(), other.address.to_string()];
    expected.sort_unstable();
    assert_eq!(addresses, expected);
    assert!(
        both.iter()
            .all(|one| one["version"] == env!("CARGO_PKG_VERSION"))
    );
    let host = gethostname::gethostname().into_string().unwrap();
    assert!(both.iter().all(|one| one["host"] == *host));
    create_entry(&one, "services/cart", &store_options()).await;
    let version = get_json(&one, "services").await["version"].clone();
    eventually("both have the catalog version", async || {
        let all = up(2).await?;
        all.iter()
            .all(|one| one["catalog_version"] == version)
            .then_some(())
    })
    .await;
    other.stop().await;
    eventually("the stopped replica is not listed", async || up(1).await).await;
}

#[tokio::test]
async fn request_rates_are_reported_without_metrics() {
    let disabled = [("metrics.enabled", "false"), ("log.requests", "none")];
    let app = start_admin_with(&TestApp::on_redis().await, &disabled).await;
    eventually("the rates of the replica are known", async || {
        create_service(&app, "store").await.service_id();
        let all = get_json(&app, "replicas").await["replicas"].clone();
        let requests = all[0]["requests_per_second"].as_f64()?;
        let errors = all[0]["errors_per_second"].as_f64()?;
        assert!(errors < 0.01, "{all}");
        (requests > 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn concurrent_changes_on_two_replicas_are_all_kept() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let other = start_replica(&one, &[]).await;
    let creates = (0..10).map(|n| {
        let app = if n % 2 == 0 { &one } else { &other };
        async move {
            // A change that conflicts too often fails with 503 and is retried.
            eventually("the entry is created", async || {
                let response =
                    super::fixture::put(app, &format!("services/s{n}"), &store_options()).await;
                if response.status == 503 {
                    response.error_message("StoreUnavailable", 503);
                    return None;
                }
                assert_eq!(response.status, 201, "{}", response.text());
                Some(())
            })
            .await;
        }
    });
    futures_util::future::join_all(creates).await;
    let table = get_json(&one, "services").await;
    let entries = table["entries"].as_array().unwrap().iter();
    assert_eq!(entries.filter(|one| one["origin"] == "admin").count(), 10);
    assert_eq!(super::fixture::audit_actions(&one).await.len(), 10);
}

#[tokio::test]
async fn redis_without_writes_leaves_the_active_catalog() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &[]).await;
    let app = start_admin_with(&app, &[]).await;
    create_entry(
        &app,
        "services/cart",
        &json!({"_type": "builtin", "_service": "store"}),
    )
    .await;
    let mut connection = redis.connection().await;
    let mut pause = cmd("CLIENT");
    pause.arg("PAUSE").arg(2_000).arg("WRITE");
    pause.exec_async(&mut connection).await.unwrap();
    // Reads still work.
    assert_eq!(get_json(&app, "services/cart").await["origin"], "admin");
    create_service(&app, "cart").await.service_id();
}
