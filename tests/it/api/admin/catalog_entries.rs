//! Creating, replacing and deleting configured services on every kind of store.

use reqwest::Method;
use serde_json::json;

use super::fixture::{
    create_entry, create_service, delete_entry, exclusive_group_options, get, get_json, put,
    put_if_match, replace_entry, request, start_admin, store_options,
};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    entry_is_created_used_replaced_and_deleted,
    entries_of_the_catalog_file_are_read_only,
    invalid_definition_is_rejected_with_the_option,
    services_of_a_deleted_definition_stay_active,
    misspelled_option_is_accepted_with_a_warning,
);

async fn entry_is_created_used_replaced_and_deleted(app: TestApp) {
    let app = start_admin(&app).await;
    create_service(&app, "cart")
        .await
        .error_message("ServiceNotFound", 404);
    let mut options = store_options();
    options["_ttl"] = json!(60);
    create_entry(&app, "services/cart", &options).await;
    let service = create_service(&app, "cart").await.service_id();
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() <= 60);
    let entry = get_json(&app, "services/cart").await;
    assert_eq!(entry["origin"], "admin");
    assert_eq!(entry["options"]["_ttl"], "60");

    options["_ttl"] = json!("3600");
    let etag = replace_entry(&app, "services/cart", &options).await;
    let service = create_service(&app, "cart").await.service_id();
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 60);
    let read = get(&app, "services/cart").await;
    assert_eq!(read.header("etag"), etag);
    assert_eq!(read.json()["etag"], etag);

    delete_entry(&app, "services/cart").await;
    create_service(&app, "cart")
        .await
        .error_message("ServiceNotFound", 404);
    get(&app, "services/cart")
        .await
        .error_message("ServiceNotFound", 404);
    let again = request(&app, Method::DELETE, "services/cart").header("if-match", "*");
    TestResponse::send(again)
        .await
        .error_message("ServiceNotFound", 404);
}

async fn entries_of_the_catalog_file_are_read_only(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let table = get_json(&app, "services").await;
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
        assert_eq!(get_json(&app, path).await["origin"], "file");
        for request in [
            request(&app, Method::PUT, path).json_body(&store_options().to_string()),
            request(&app, Method::DELETE, path).header("if-match", "*"),
        ] {
            let message = TestResponse::send(request)
                .await
                .error_message("ReadOnly", 409);
            assert!(message.contains("catalog file"), "{message}");
        }
    }
    create_service(&app, "store").await.service_id();
}

async fn invalid_definition_is_rejected_with_the_option(app: TestApp) {
    let app = start_admin(&app).await;
    let before = get_json(&app, "services").await;
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
        ("services/a%2Fb", store_options(), "service \"a/b\""),
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
            .error_message("InvalidDefinition", 400);
        assert!(message.contains(expected), "{message}");
    }
    for body in ["", "[]", "{", "{\"a\": {}}", "\"text\""] {
        let put = request(&app, Method::PUT, "services/a").json_body(body);
        TestResponse::send(put)
            .await
            .error_message("UnreadableJson", 500);
    }
    assert_eq!(get_json(&app, "services").await, before);
    assert!(
        get_json(&app, "audit-log").await["events"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

async fn services_of_a_deleted_definition_stay_active(app: TestApp) {
    let app = start_admin(&app).await;
    let mut options = store_options();
    options["password"] = json!("hunter2");
    let etag = create_entry(&app, "services/vault", &options).await;
    let vault = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("hunter2"));
    let service = TestResponse::send(vault.form_body("a=1"))
        .await
        .service_id();
    let delete = request(&app, Method::DELETE, "services/vault").header("if-match", &etag);
    TestResponse::send(delete).await.assert_ok();
    // Its credentials still apply.
    let read = || app.get(&format!("{service}/storage/a"));
    TestResponse::send(read())
        .await
        .error_message("Unauthorized", 401);
    let opened = read().basic_auth("any", Some("hunter2"));
    assert_eq!(TestResponse::send(opened).await.json()["a"], "1");
    // A new definition of the same name replaces the credentials.
    options["password"] = json!("other");
    create_entry(&app, "services/vault", &options).await;
    let opened = read().basic_auth("any", Some("other"));
    assert_eq!(TestResponse::send(opened).await.json()["a"], "1");
    let stale = put_if_match(&app, "services/vault", &etag, &options).await;
    stale.error_message("PreconditionFailed", 412);
}

async fn misspelled_option_is_accepted_with_a_warning(app: TestApp) {
    let app = start_admin(&app).await;
    let warnings = json!(["service \"cart\", option _tll: is unknown; did you mean _ttl?"]);
    let mut options = store_options();
    options["_tll"] = json!(60);
    options["_customer_tier"] = json!("gold");
    let created = put(&app, "services/cart", &options).await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.json()["warnings"], warnings);
    assert_eq!(created.json()["options"]["_tll"], "60");
    let read = get_json(&app, "services/cart").await;
    assert_eq!(read["warnings"], warnings);
    let etag = created.header("etag").to_owned();
    let replaced = put_if_match(&app, "services/cart", &etag, &options).await;
    assert_eq!(replaced.json()["warnings"], warnings);
    options["_tll"] = json!("");
    let etag = replaced.header("etag").to_owned();
    let replaced = put_if_match(&app, "services/cart", &etag, &options).await;
    assert_eq!(replaced.json().get("warnings"), None);

    let mut group = exclusive_group_options(&["8005550001"]);
    group["_servces"] = json!("cart");
    let refused = put(&app, "groups/desk", &group).await;
    let message = refused.error_message("InvalidDefinition", 400);
    assert!(message.ends_with("; did you mean _services?"), "{message}");
}
