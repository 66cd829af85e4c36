//! The audit log.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{
    audit_actions, create_entry, create_service, delete_entry, exclusive_group_options, get_json,
    import, put, replace_entry, request, start_admin, start_admin_with, store_options,
};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    every_change_is_recorded_with_actor_time_action_and_states,
    secrets_are_masked_and_their_change_is_marked,
    audit_log_is_paginated,
);

async fn audit_events(app: &TestApp) -> Vec<Value> {
    let history = get_json(app, "audit-log?limit=200").await;
    history["events"].as_array().unwrap().clone()
}

async fn every_change_is_recorded_with_actor_time_action_and_states(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let mut longer = store_options();
    longer["_ttl"] = json!(60);
    replace_entry(&app, "services/cart", &longer).await;
    put(&app, "services/cart", &json!({})).await;
    let service = create_service(&app, "cart").await.service_id();
    let id = service.rsplit('/').next().unwrap();
    let extend = request(&app, Method::PUT, &format!("active-services/{id}")).form_body("ttl=120");
    TestResponse::send(extend).await.assert_ok();
    let end = request(&app, Method::DELETE, &format!("active-services/{id}"));
    TestResponse::send(end).await.assert_ok();
    delete_entry(&app, "services/cart").await;
    let expected = [
        "delete service cart".to_owned(),
        format!("delete active service {id}"),
        format!("set_expiration active service {id}"),
        "replace service cart".to_owned(),
        "create service cart".to_owned(),
    ];
    assert_eq!(audit_actions(&app).await, expected);
    let events = audit_events(&app).await;
    for event in &events {
        assert_eq!(event["actor"], "admin");
        assert_eq!(event["client_address"], "127.0.0.1");
        let time = event["time"].as_str().unwrap();
        assert!(
            switchboard::model::Timestamp::parse(time).is_some(),
            "{time}"
        );
    }
    let replaced = &events[3];
    assert_eq!(replaced["before"], store_options());
    assert_eq!(replaced["after"]["_ttl"], "60");
    assert_eq!(events[4]["before"], Value::Null);
    assert_eq!(events[0]["after"], Value::Null);
}

async fn secrets_are_masked_and_their_change_is_marked(app: TestApp) {
    let app = start_admin(&app).await;
    let mut options = store_options();
    options["password"] = json!("first secret");
    create_entry(&app, "services/vault", &options).await;
    options["password"] = json!("second secret");
    replace_entry(&app, "services/vault", &options).await;
    // As an editor submits it after reading the entry.
    options["password"] = json!("********");
    options["_ttl"] = json!(60);
    replace_entry(&app, "services/vault", &options).await;
    let opened = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("second secret"));
    TestResponse::send(opened).await.service_id();
    let events = audit_events(&app).await;
    assert_eq!(events[1]["after"]["password"], "******** (changed)");
    assert_eq!(events[0]["after"]["password"], "********");
    for path in ["audit-log", "services", "services/vault", "catalog"] {
        let response = super::fixture::get(&app, path).await;
        assert!(
            !response.text().contains("secret"),
            "{path}: {}",
            response.text()
        );
        assert!(
            response.text().contains("********"),
            "{path}: {}",
            response.text()
        );
    }
}

async fn audit_log_is_paginated(app: TestApp) {
    let app = start_admin(&app).await;
    let mut catalog = String::new();
    for n in 0..25 {
        catalog += &format!("[services.s{n:02}]\n_type='builtin'\n_service='store'\n");
    }
    let empty = request(&app, Method::PUT, "catalog").header("if-none-match", "*");
    let imported =
        TestResponse::send(empty.typed_body("application/toml", catalog.as_bytes())).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    let (mut names, mut path) = (Vec::new(), "audit-log?limit=10".to_owned());
    loop {
        let page = get_json(&app, &path).await;
        let events = page["events"].as_array().unwrap();
        names.extend(
            events
                .iter()
                .map(|event| event["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("audit-log?limit=10&after={next}");
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("s{n:02}")).collect();
    assert_eq!(names, expected);
    for wrong in [
        "after=x",
        "after=%2B1-1",
        "after=-",
        "limit=0",
        "limit=201",
        "limit=x",
    ] {
        let response = super::fixture::get(&app, &format!("audit-log?{wrong}")).await;
        response.error_message("InvalidParameter", 400);
    }
}

#[tokio::test]
async fn audit_log_is_limited_to_the_configured_number_of_entries() {
    for app in [TestApp::on_memory().await, TestApp::on_redis().await] {
        let app = start_admin_with(&app, &[("admin.audit_log_entries", "100")]).await;
        let catalog_toml = |ttl: usize| -> String {
            let service =
                |n| format!("[services.s{n}]\n_type='builtin'\n_service='store'\n_ttl={ttl}\n");
            (0..60).map(service).collect()
        };
        for ttl in 1..=8 {
            let response = import(&app, Method::POST, "*", &catalog_toml(ttl)).await;
            // The first import has nothing to match.
            if ttl == 1 {
                response.error_message("PreconditionFailed", 412);
                let post = request(&app, Method::POST, "catalog");
                let post = post.typed_body("application/toml", catalog_toml(ttl).as_bytes());
                assert_eq!(TestResponse::send(post).await.status, 200);
            } else {
                assert_eq!(response.status, 200, "{}", response.text());
            }
        }
        let mut count = 0;
        let mut path = "audit-log?limit=200".to_owned();
        loop {
            let page = get_json(&app, &path).await;
            count += page["events"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("audit-log?limit=200&after={next}");
        }
        // Redis trims streams in blocks of 100.
        assert!((100..300).contains(&count), "{count} of 480");
    }
}

#[tokio::test]
async fn long_state_is_truncated() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let numbers: Vec<String> = (0..3_000)
        .map(|n| format!("{}", 8_005_550_000_u64 + n))
        .collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    create_entry(&app, "groups/big", &exclusive_group_options(&numbers)).await;
    let event = &audit_events(&app).await[0];
    assert!(event["after"]["_truncated"].as_str().unwrap().len() <= 16 * 1024);
    assert!(event["after"]["_bytes"].as_u64().unwrap() > 30_000);
    let groups = get_json(&app, "groups").await;
    let big = &groups["entries"].as_array().unwrap()[1];
    assert_eq!((&big["name"], &big["size"]), (&json!("big"), &json!(3_000)));
    assert_eq!(big["options"].get("numbers"), None);
}
