//! Making, replacing and deleting configured services, on every kind of store.

use reqwest::Method;
use serde_json::json;

use super::desk::{
    administered, create, exclusive, get, make, put, put_over, remove, replace, request, store,
    told,
};
use crate::support::{Answer, Bodies, TestApp, on_every_kind_of_store};

on_every_kind_of_store!(
    a_service_is_made_used_replaced_and_deleted,
    what_the_file_defines_is_told_and_cannot_be_changed,
    a_definition_that_is_wrong_names_the_option_and_changes_nothing,
    services_made_from_a_deleted_definition_live_on,
    a_misspelled_option_is_accepted_with_a_warning,
);

async fn a_service_is_made_used_replaced_and_deleted(app: TestApp) {
    let app = administered(&app).await;
    create(&app, "cart")
        .await
        .message_of("ServiceNotFound", 404);
    let mut options = store();
    options["_ttl"] = json!(60);
    make(&app, "services/cart", &options).await;
    let service = create(&app, "cart").await.service();
    assert!(app.told(&service).await["_ttl"].as_u64().unwrap() <= 60);
    let entry = told(&app, "services/cart").await;
    assert_eq!(entry["origin"], "admin");
    assert_eq!(entry["options"]["_ttl"], "60");

    options["_ttl"] = json!("3600");
    let etag = replace(&app, "services/cart", &options).await;
    let service = create(&app, "cart").await.service();
    assert!(app.told(&service).await["_ttl"].as_u64().unwrap() > 60);
    let read = get(&app, "services/cart").await;
    assert_eq!(read.header("etag"), etag);
    assert_eq!(read.json()["etag"], etag);

    remove(&app, "services/cart").await;
    create(&app, "cart")
        .await
        .message_of("ServiceNotFound", 404);
    get(&app, "services/cart")
        .await
        .message_of("ServiceNotFound", 404);
    let again = request(&app, Method::DELETE, "services/cart").header("if-match", "*");
    Answer::of(again).await.message_of("ServiceNotFound", 404);
}

async fn what_the_file_defines_is_told_and_cannot_be_changed(app: TestApp) {
    let app = administered(&app).await;
    make(&app, "services/cart", &store()).await;
    let table = told(&app, "services").await;
    let entries = table["entries"].as_array().unwrap();
    let names: Vec<_> = entries
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    for entry in entries {
        let origin = if entry["name"] == "cart" {
            "admin"
        } else {
            "file"
        };
        assert_eq!(entry["origin"], origin, "{entry}");
    }
    for path in ["services/store", "groups/DNIS"] {
        assert_eq!(told(&app, path).await["origin"], "file");
        for request in [
            request(&app, Method::PUT, path).json_body(&store().to_string()),
            request(&app, Method::DELETE, path).header("if-match", "*"),
        ] {
            let message = Answer::of(request).await.message_of("ReadOnly", 409);
            assert!(message.contains("catalogue file"), "{message}");
        }
    }
    create(&app, "store").await.service();
}

async fn a_definition_that_is_wrong_names_the_option_and_changes_nothing(app: TestApp) {
    let app = administered(&app).await;
    let before = told(&app, "services").await;
    for (path, options, expected) in [
        ("services/a", json!({}), "option _type"),
        (
            "services/a",
            json!({"_type": "builtin", "_service": "store", "_ttl": 0}),
            "service \"a\", option _ttl: it is \"0\"",
        ),
        (
            "services/a",
            json!({"_type": "builtin", "_service": ["store"]}),
            "option _service: expected a string",
        ),
        (
            "services/a",
            json!({"_type": "builtin", "_service": "store", "_resource_group": "x"}),
            "option _resource_group",
        ),
        (
            "services/a",
            json!({"_type": "builtin", "_service": "store", "username": "u"}),
            "option username",
        ),
        (
            "services/a",
            json!({"_type": "builtin", "_service": "store", "password": "********"}),
            "option password",
        ),
        (
            "services/a",
            json!({"_type": "http", "_service": "http://x/", "_header.A": "${PATH}"}),
            "option _header.A: only variables that begin with SWITCHBOARD_HEADER_",
        ),
        ("services/a%2Fb", store(), "service \"a/b\""),
        (
            "groups/g",
            json!({"numbers": ["1"]}),
            "option _allocation_strategy",
        ),
        (
            "groups/g",
            json!({"_allocation_strategy": "LOCAL", "numbers": "1"}),
            "option numbers",
        ),
        (
            "groups/a%7Bb",
            json!({"_allocation_strategy": "LOCAL", "numbers": []}),
            "a{b",
        ),
    ] {
        let message = put(&app, path, &options)
            .await
            .message_of("InvalidDefinition", 400);
        assert!(message.contains(expected), "{message}");
    }
    for body in ["", "[]", "{", "{\"a\": {}}", "\"text\""] {
        let put = request(&app, Method::PUT, "services/a").json_body(body);
        Answer::of(put).await.message_of("UnreadableJson", 500);
    }
    assert_eq!(told(&app, "services").await, before);
    assert!(
        told(&app, "history").await["events"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

async fn services_made_from_a_deleted_definition_live_on(app: TestApp) {
    let app = administered(&app).await;
    let mut options = store();
    options["password"] = json!("hunter2");
    let etag = make(&app, "services/vault", &options).await;
    let vault = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("hunter2"));
    let service = Answer::of(vault.form_body("a=1")).await.service();
    let delete = request(&app, Method::DELETE, "services/vault").header("if-match", &etag);
    Answer::of(delete).await.assert_ok();
    // It is as locked as it was.
    let read = || app.get(&format!("{service}/storage/a"));
    Answer::of(read()).await.message_of("Unauthorized", 401);
    let opened = read().basic_auth("any", Some("hunter2"));
    assert_eq!(Answer::of(opened).await.json()["a"], "1");
    // One of the same name with another lock takes its place.
    options["password"] = json!("other");
    make(&app, "services/vault", &options).await;
    let opened = read().basic_auth("any", Some("other"));
    assert_eq!(Answer::of(opened).await.json()["a"], "1");
    let stale = put_over(&app, "services/vault", &etag, &options).await;
    stale.message_of("PreconditionFailed", 412);
}

async fn a_misspelled_option_is_accepted_with_a_warning(app: TestApp) {
    let app = administered(&app).await;
    let warnings = json!(["service \"cart\", option _tll: is unknown; did you mean _ttl?"]);
    let mut options = store();
    options["_tll"] = json!(60);
    options["_customer_tier"] = json!("gold");
    let created = put(&app, "services/cart", &options).await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.json()["warnings"], warnings);
    assert_eq!(created.json()["options"]["_tll"], "60");
    let read = told(&app, "services/cart").await;
    assert_eq!(read["warnings"], warnings);
    let etag = created.header("etag").to_owned();
    let replaced = put_over(&app, "services/cart", &etag, &options).await;
    assert_eq!(replaced.json()["warnings"], warnings);
    options["_tll"] = json!("");
    let etag = replaced.header("etag").to_owned();
    let replaced = put_over(&app, "services/cart", &etag, &options).await;
    assert_eq!(replaced.json().get("warnings"), None);

    let mut group = exclusive(&["8005550001"]);
    group["_servces"] = json!("cart");
    let refused = put(&app, "groups/desk", &group).await;
    let message = refused.message_of("InvalidDefinition", 400);
    assert!(message.ends_with("; did you mean _services?"), "{message}");
}
