//! Redis loses stored entries: a replica that has a copy restores them.

use std::sync::Arc;

use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{
    ADMIN_SETTINGS, audit_actions, create_entry, create_pool_call_and_vault, create_service,
    delete_entry, get, get_json, import, request, start_replica, store_options,
};
use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse, dedicated_redis::DedicatedRedis, eventually,
    metrics::Metrics, program::Program, random_prefix,
};

/// A replica on a dedicated Redis, with two stored services and a group.
pub(crate) async fn start_on_dedicated_redis() -> (Arc<TestRedis>, TestApp) {
    let redis = Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &ADMIN_SETTINGS).await;
    create_pool_call_and_vault(&app).await;
    (redis, app)
}

pub(crate) async fn flush(redis: &TestRedis) {
    let mut connection = redis.connection().await;
    cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
}

/// Waits until this number of entries is lost. Returns the `ETag` of the catalog, and the lost entries.
pub(crate) async fn wait_for_lost_entries(app: &TestApp, entries: usize) -> (String, Value) {
    eventually(&format!("{entries} entries are lost"), async || {
        let response = get(app, "catalog/lost").await;
        assert_eq!(response.status, 200, "{}", response.text());
        let lost = response.json();
        let count = |table: &str| lost[table].as_array().unwrap().len();
        let matches = count("services") + count("resources") == entries;
        matches.then(|| (response.header("etag").to_owned(), lost))
    })
    .await
}

async fn restore(app: &TestApp, etag: &str) -> TestResponse {
    let request = request(app, Method::POST, "catalog/restore");
    TestResponse::send(request.header("if-match", etag)).await
}

#[tokio::test]
async fn lost_entries_are_restored_once_with_their_secrets() {
    let (redis, app) = start_on_dedicated_redis().await;
    let other = start_replica(&app, &[]).await;
    eventually("the other replica has the entry", async || {
        (create_service(&other, "call").await.status == 200).then_some(())
    })
    .await;
    let (_, nothing) = wait_for_lost_entries(&app, 0).await;
    assert_eq!(nothing["detected_at"], Value::Null);
    let early = restore(&app, "*").await;
    assert_eq!(early.status, 412, "{}", early.text());
    flush(&redis).await;
    let (etag, lost) = wait_for_lost_entries(&app, 3).await;
    assert_eq!(lost["services"], json!(["call", "vault"]));
    assert_eq!(lost["resources"], json!(["pool"]));
    let (same, _) = wait_for_lost_entries(&other, 3).await;
    assert_eq!(etag, same);
    assert_eq!(create_service(&app, "call").await.status, 404);
    let unconditional = TestResponse::send(request(&app, Method::POST, "catalog/restore")).await;
    let message = unconditional.error_message("PreconditionRequired", 428);
    assert!(message.contains("ETag of catalog/lost"), "{message}");

    let restored = restore(&app, &etag).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["created"], 3);
    // A second restore, on any replica, changes nothing.
    for replica in [&app, &other] {
        assert_eq!(restore(replica, &etag).await.status, 412);
    }
    for replica in [&app, &other] {
        wait_for_lost_entries(replica, 0).await;
        eventually("the entry is active", async || {
            (create_service(replica, "vault").await.status == 401).then_some(())
        })
        .await;
    }
    let vault = app
        .post("/genesys/1/service/vault")
        .basic_auth("", Some("hunter2"));
    assert_eq!(TestResponse::send(vault).await.status, 200);
    let actions = audit_actions(&app).await;
    let logged = actions
        .iter()
        .filter(|action| action.starts_with("restore"));
    assert_eq!(logged.count(), 3, "{actions:?}");
    // Entries that are deleted later stay deleted.
    delete_entry(&app, "services/vault").await;
    wait_for_lost_entries(&app, 0).await;
    wait_for_lost_entries(&other, 0).await;
}

#[tokio::test]
async fn restore_keeps_newer_entries_and_requires_the_current_version() {
    let (redis, app) = start_on_dedicated_redis().await;
    flush(&redis).await;
    let (etag, _) = wait_for_lost_entries(&app, 3).await;
    // Another operator creates an entry.
    create_entry(&app, "services/vault", &store_options()).await;
    let stale = restore(&app, &etag).await;
    assert_eq!(stale.status, 412, "{}", stale.text());
    let (etag, lost) = wait_for_lost_entries(&app, 2).await;
    assert_eq!(lost["services"], json!(["call"]));
    assert_eq!(
        lost["lost_version"].as_str().unwrap().split('-').next(),
        Some("3")
    );
    let restored = restore(&app, &etag).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["created"], 2);
    wait_for_lost_entries(&app, 0).await;
    let kept = get_json(&app, "services/vault").await;
    assert_eq!(kept["options"].get("password"), None, "{kept}");
}

/// Waits until the services of `expected` are lost on both replicas. Returns the `ETag`.
async fn wait_for_lost_services(replicas: [&TestApp; 2], expected: &[&str]) -> String {
    let mut etags = Vec::new();
    for replica in replicas {
        let current = get(replica, "catalog").await;
        let (etag, lost) = eventually("the replica has the current catalog", async || {
            let (etag, lost) = wait_for_lost_entries(replica, expected.len()).await;
            (etag == current.header("etag")).then_some((etag, lost))
        })
        .await;
        assert_eq!(lost["services"], json!(expected));
        // A reload in progress updates the metric after the list.
        let lost_count = f64::from(u32::try_from(expected.len()).unwrap());
        eventually("the metric has the number of lost entries", async || {
            let counted = Metrics::scrape(replica.address)
                .await
                .value("catalog_entries_lost");
            ((counted - lost_count).abs() < f64::EPSILON).then_some(())
        })
        .await;
        etags.push(etag);
    }
    assert_eq!(etags[0], etags[1]);
    etags.remove(0)
}

#[tokio::test]
async fn entries_deleted_after_a_loss_stay_deleted() {
    const OPTIONS: [(&str, &str); 2] = [("save", ""), ("appendonly", "no")];
    let redis = DedicatedRedis::start(&OPTIONS).await;
    let url = redis.url();
    let settings = [&ADMIN_SETTINGS[..], &[("redis.url", url.as_str())]].concat();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let other = TestApp::start(None, &app.prefix, &settings).await;
    let both = [&app, &other];
    for name in ["ea", "eb", "ed", "ee"] {
        create_entry(&app, &format!("services/{name}"), &store_options()).await;
    }
    redis.command(&["SAVE"]).await;
    create_entry(&app, "services/ec", &store_options()).await;
    wait_for_lost_services(both, &[]).await;
    redis.kill();
    redis.spawn(&OPTIONS);
    wait_for_lost_entries(&app, 1).await;
    wait_for_lost_entries(&other, 1).await;
    wait_for_lost_services(both, &["ec"]).await;
    delete_entry(&app, "services/ea").await;
    wait_for_lost_services(both, &["ec"]).await;
    delete_entry(&other, "services/eb").await;
    wait_for_lost_services(both, &["ec"]).await;
    // An import deletes `ee`.
    let text = "[services.ed]\n_type = \"builtin\"\n_service = \"store\"\n";
    let imported = import(&other, Method::PUT, "*", text).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    let etag = wait_for_lost_services(both, &["ec"]).await;
    let restored = restore(&app, &etag).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["created"], 1);
    wait_for_lost_services(both, &[]).await;
    for replica in both {
        for (name, status) in [
            ("ea", 404),
            ("eb", 404),
            ("ec", 200),
            ("ed", 200),
            ("ee", 404),
        ] {
            let response = get(replica, &format!("services/{name}")).await;
            assert_eq!(response.status, status, "{name}");
        }
    }
}

/// Waits until each replica creates services from this definition.
async fn wait_until_active(replicas: [&TestApp; 2], definition: &str) {
    eventually("the definition is active on all replicas", async || {
        for app in replicas {
            let create = app.post(&format!("/genesys/1/service/{definition}"));
            if TestResponse::send(create).await.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn second_loss_is_restored_with_the_first() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &ADMIN_SETTINGS).await;
    let other = start_replica(&app, &[]).await;
    let both = [&app, &other];
    for name in ["ea", "eb"] {
        create_entry(&app, &format!("services/{name}"), &store_options()).await;
    }
    wait_until_active(both, "eb").await;
    flush(&redis).await;
    wait_for_lost_services(both, &["ea", "eb"]).await;
    create_entry(&app, "services/ex", &store_options()).await;
    wait_until_active(both, "ex").await;
    wait_for_lost_services(both, &["ea", "eb"]).await;
    flush(&redis).await;
    let etag = wait_for_lost_services(both, &["ea", "eb", "ex"]).await;
    let restored = restore(&other, &etag).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["created"], 3);
    wait_for_lost_services(both, &[]).await;
}

#[tokio::test]
async fn loss_is_logged_and_counted() {
    let redis = TestRedis::dedicated();
    let settings = [
        ("redis.url", redis.url()),
        ("admin.password", "p".to_owned()),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut program = Program::serve(&settings);
    let address = program.address().await;
    let url = format!("http://{address}/genesys/1/admin/services/one");
    let put = reqwest::Client::new()
        .put(url)
        .basic_auth("admin", Some("p"));
    let put = put
        .header("content-type", "application/json")
        .body(store_options().to_string());
    assert_eq!(TestResponse::send(put).await.status, 201);
    assert!((Metrics::scrape(address).await.value("catalog_entries_lost")).abs() < f64::EPSILON);
    // The CLI exports the entry.
    let export = Program::run(&["export"], &settings).wait().await;
    assert!(
        export.stdout.contains("[services.one]"),
        "{}{}",
        export.stdout,
        export.stderr
    );
    flush(&redis).await;
    eventually("the loss is counted", async || {
        let lost = Metrics::scrape(address).await.value("catalog_entries_lost");
        ((lost - 1.0).abs() < f64::EPSILON).then_some(())
    })
    .await;
    assert_eq!(program.count_log_events("catalog entries lost"), 1);
    // A second loss is logged and counted too.
    let put = reqwest::Client::new()
        .put(format!("http://{address}/genesys/1/admin/services/two"))
        .basic_auth("admin", Some("p"))
        .header("content-type", "application/json")
        .body(store_options().to_string());
    assert_eq!(TestResponse::send(put).await.status, 201);
    flush(&redis).await;
    eventually("the second loss is counted", async || {
        let lost = Metrics::scrape(address).await.value("catalog_entries_lost");
        ((lost - 2.0).abs() < f64::EPSILON).then_some(())
    })
    .await;
    assert_eq!(program.count_log_events("catalog entries lost"), 2);
}

#[tokio::test]
async fn cli_export_contains_secrets_only_with_the_option() {
    let (_redis, app) = start_on_dedicated_redis().await;
    let mut settings = vec![("redis.prefix", app.prefix.as_str())];
    let of_redis = app.redis.as_ref().unwrap().settings();
    settings.extend(of_redis.iter().map(|(name, value)| (*name, value.as_str())));
    let masked = Program::run(&["export"], &settings).wait().await;
    assert_eq!(masked.code, Some(0), "{}", masked.stderr);
    assert!(!masked.stdout.contains("hunter2") && masked.stdout.contains("********"));
    let unmasked = Program::run(&["export", "--with-secrets"], &settings)
        .wait()
        .await;
    assert_eq!(unmasked.code, Some(0), "{}", unmasked.stderr);
    for part in [
        "[services.vault]",
        "hunter2",
        "[resources.pool]",
        "[services.store]",
    ] {
        assert!(unmasked.stdout.contains(part), "{}", unmasked.stdout);
    }
    assert!(!unmasked.stderr.contains("hunter2"));
    // Without the stored entries, only the export with secrets can be imported.
    for name in ["services/vault", "services/call", "groups/pool"] {
        delete_entry(&app, name).await;
    }
    let merge = async |text: &str| {
        let post = request(&app, Method::POST, "catalog");
        TestResponse::send(post.typed_body("application/toml", text.as_bytes())).await
    };
    let refused = merge(&masked.stdout).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("vault"), "{}", refused.text());
    let imported = merge(&unmasked.stdout).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    get_json(&app, "services/vault").await;
    let vault = app
        .post("/genesys/1/service/vault")
        .basic_auth("", Some("hunter2"));
    assert_eq!(TestResponse::send(vault).await.status, 200);
}
