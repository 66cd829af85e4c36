//! A change is in force on every replica: by a message within a second, without one when the version is
//! looked at.

use std::sync::Arc;

use redis::cmd;
use serde_json::json;

use super::fixture::{
    ADMIN_SETTINGS, create_entry, create_service, delete_entry, exclusive_group_options, get,
    get_json, replace_entry, request_interaction_options, start_admin, start_admin_with,
    start_replica, store_options,
};
use crate::support::{RedisKind, TestApp, TestRedis, eventually, random_prefix};

/// So rarely that no test sees it.
const NO_POLLING: (&str, &str) = ("catalog.poll_seconds", "3600");

async fn assert_catalog_propagates(one: &TestApp, other: &TestApp) {
    create_entry(one, "services/cart", &store_options()).await;
    eventually("the other replica knows it", async || {
        (create_service(other, "cart").await.status == 200).then_some(())
    })
    .await;
    // There is nothing to look for, so its state is what was seen there too.
    let (here, there) = (
        get(one, "services/cart").await,
        get(other, "services/cart").await,
    );
    assert_eq!(here.header("etag"), there.header("etag"));
    replace_entry(other, "services/cart", &request_interaction_options("DNIS")).await;
    eventually("the first replica has the change", async || {
        let answer = create_service(one, "cart").await;
        answer.json().get("_access_number").is_some().then_some(())
    })
    .await;
    delete_entry(one, "services/cart").await;
    eventually("it is gone from the other one", async || {
        (create_service(other, "cart").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_brings_a_change_to_the_other_replica() {
    for kind in [RedisKind::Single, RedisKind::Sentinel, RedisKind::Cluster] {
        let redis = TestRedis::shared_kind(kind);
        let all = [&ADMIN_SETTINGS[..], &[NO_POLLING]].concat();
        let one = TestApp::start(Some(redis), &random_prefix(), &all).await;
        let other = start_replica(&one, &[NO_POLLING]).await;
        assert_catalog_propagates(&one, &other).await;
    }
}

/// A user who may do everything but hear and say what was changed.
async fn url_without_pubsub(redis: &TestRedis) -> String {
    let mut connection = redis.connection().await;
    let mut user = cmd("ACL");
    user.arg("SETUSER").arg("deaf").arg("on").arg(">secret");
    user.arg("~*")
        .arg("+@all")
        .arg("resetchannels")
        .arg("&__keyevent@0__:*");
    user.exec_async(&mut connection).await.unwrap();
    redis.url().replace("//", "//deaf:secret@")
}

#[tokio::test]
async fn without_a_message_a_look_at_the_version_does() {
    let redis = Arc::new(TestRedis::dedicated());
    let url = url_without_pubsub(&redis).await;
    let settings = [("redis.url", url.as_str()), ("catalog.poll_seconds", "1")];
    let all = [&ADMIN_SETTINGS[..], &settings].concat();
    let one = TestApp::start(Some(redis), &random_prefix(), &all).await;
    let other = start_replica(&one, &settings).await;
    assert_catalog_propagates(&one, &other).await;
}

#[tokio::test]
async fn a_replica_that_starts_has_what_was_made_before_it() {
    let one = start_admin(&TestApp::on_redis().await).await;
    create_entry(&one, "services/cart", &store_options()).await;
    let other = one.start_replica().await;
    create_service(&other, "cart").await.service_id();
    // And what operators made outlives all replicas.
    let (redis, prefix) = (one.redis.clone(), one.prefix.clone());
    one.stop().await;
    other.stop().await;
    let third = TestApp::start(redis, &prefix, &[]).await;
    create_service(&third, "cart").await.service_id();
}

#[tokio::test]
async fn what_a_replica_cannot_read_costs_it_that_entry_and_is_told() {
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
        ("strange", "cannot be read by this version"),
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
    // It is no reason to refuse other changes, and can be replaced by what is understood.
    create_entry(&other, "services/more", &store_options()).await;
    replace_entry(&other, "services/later", &store_options()).await;
    delete_entry(&other, "services/strange").await;
    // What the file has taken the name of can go; the file's stays.
    delete_entry(&other, "services/store").await;
    assert_eq!(get_json(&other, "services/store").await["origin"], "file");
    create_service(&other, "later").await.service_id();
}

#[tokio::test]
async fn replicas_are_told_while_they_are_up() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let up = async |count: usize| {
        let all = get_json(&one, "replicas").await["replicas"].clone();
        let all = all.as_array().unwrap().clone();
        (all.len() == count).then_some(all)
    };
    eventually("it says that it is up", async || up(1).await).await;
    let other = start_replica(&one, &[]).await;
    let both = eventually("the other one is up", async || up(2).await).await;
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
    eventually("both have the change", async || {
        let all = up(2).await?;
        all.iter()
            .all(|one| one["catalog"] == version)
            .then_some(())
    })
    .await;
    other.stop().await;
    eventually("the other one is gone", async || up(1).await).await;
}

#[tokio::test]
async fn two_replicas_that_change_at_once_lose_nothing() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let other = start_replica(&one, &[]).await;
    let makes = (0..10).map(|n| {
        let app = if n % 2 == 0 { &one } else { &other };
        async move {
            // Who is overtaken too often is told so, and tries again.
            eventually("it is made", async || {
                let answer =
                    super::fixture::put(app, &format!("services/s{n}"), &store_options()).await;
                if answer.status == 503 {
                    answer.error_message("StoreUnavailable", 503);
                    return None;
                }
                assert_eq!(answer.status, 201, "{}", answer.text());
                Some(())
            })
            .await;
        }
    });
    futures_util::future::join_all(makes).await;
    let table = get_json(&one, "services").await;
    let made = table["entries"].as_array().unwrap().iter();
    assert_eq!(made.filter(|one| one["origin"] == "admin").count(), 10);
    assert_eq!(super::fixture::audit_actions(&one).await.len(), 10);
}

#[tokio::test]
async fn a_redis_that_is_away_refuses_changes_and_leaves_what_was_in_force() {
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
    // Reads of the catalogue go on, and what is in force needs none.
    assert_eq!(get_json(&app, "services/cart").await["origin"], "admin");
    create_service(&app, "cart").await.service_id();
}
