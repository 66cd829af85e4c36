//! Export and import of the catalog.

use reqwest::Method;
use serde_json::json;

use super::fixture::{
    audit_actions, create_entry, create_service, delete_entry, exclusive_group_options, get,
    get_json, import, request, start_admin, start_with_group, store_options,
};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    export_can_be_imported_again,
    invalid_import_changes_nothing,
    put_replaces_the_catalog_and_post_adds_to_it,
    import_warns_about_misspelled_options,
    dry_run_lists_changes_and_changes_nothing,
);

const TWO_SERVICES: &str = "[services.one]\n_type='builtin'\n_service='store'\n\
                   [services.two]\n_type='builtin'\n_service='store'\n_resource_group='pool'\n\
                   [resources.pool]\n_allocation_strategy='LOCAL'\nnumbers=['8005550001']\n";

async fn first_import(app: &TestApp, text: &str) -> TestResponse {
    let put = request(app, Method::PUT, "catalog").header("if-none-match", "*");
    TestResponse::send(put.typed_body("application/toml", text.as_bytes())).await
}

async fn export_can_be_imported_again(app: TestApp) {
    let app = start_with_group(&app, &["8005550001", "8005550002"]).await;
    let mut vault = store_options();
    vault["password"] = json!("hunter2");
    vault["_note"] = json!("quote \" backslash \\ line\n[services.x] \u{202e} ünïcode");
    create_entry(&app, "services/va\"ult", &vault).await;
    let before = (
        get_json(&app, "services").await,
        get_json(&app, "groups").await,
    );
    let exported = get(&app, "catalog").await;
    assert_eq!(exported.header("content-type"), "application/toml");
    let text = exported.text();
    assert!(text.contains("[services.store]"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");

    let again = import(&app, Method::PUT, exported.header("etag"), text).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let again = again.json();
    assert_eq!(
        (&again["created"], &again["deleted"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(again["unchanged"], 10);
    assert_eq!(
        (
            get_json(&app, "services").await,
            get_json(&app, "groups").await
        ),
        before
    );
    // Another installation needs the masked secrets.
    let other = start_admin(&app).await;
    let message = first_import(&other, text)
        .await
        .error_message("InvalidDefinition", 400);
    assert!(message.contains("option password"), "{message}");
    let text = text.replace("********", "hunter2");
    let imported = first_import(&other, &text).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    assert_eq!(imported.json()["created"], 3);
    let entry = get_json(&other, "services/va%22ult").await;
    assert_eq!(entry["options"]["_note"], vault["_note"]);
}

async fn invalid_import_changes_nothing(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let etag = get(&app, "catalog").await.header("etag").to_owned();
    let before = get(&app, "catalog").await.text().to_owned();
    let cases = [
        ("[services.a", "InvalidBody", "line 11, column 12"),
        ("[servces.a]\n_type='x'", "InvalidBody", "servces"),
        (
            "[services.a]\n_type='x'",
            "InvalidDefinition",
            "service \"a\", option _type",
        ),
        (
            "[services.store]\n_type='builtin'\n_service='store'\n_ttl=5",
            "ReadOnly",
            "catalog file",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['8005550001']",
            "InvalidDefinition",
            "is also in \"a\"",
        ),
    ];
    for (wrong, exception, expected) in cases {
        let status = if exception == "ReadOnly" { 409 } else { 400 };
        for method in [Method::PUT, Method::POST] {
            let text = format!("{TWO_SERVICES}{wrong}");
            let response = import(&app, method, &etag, &text).await;
            let message = response.error_message(exception, status);
            assert!(message.contains(expected), "{message}");
        }
    }
    let stale = import(&app, Method::PUT, "\"1-00000000\"", TWO_SERVICES).await;
    stale.error_message("PreconditionFailed", 412);
    let unconditional = request(&app, Method::PUT, "catalog")
        .typed_body("application/toml", TWO_SERVICES.as_bytes());
    TestResponse::send(unconditional)
        .await
        .error_message("PreconditionRequired", 428);
    let latin = request(&app, Method::PUT, "catalog").header("if-match", &etag);
    let latin = TestResponse::send(latin.typed_body("application/toml", b"a = '\xff'")).await;
    latin.error_message("InvalidBody", 400);
    assert_eq!(get(&app, "catalog").await.text(), before);
    assert_eq!(audit_actions(&app).await, ["create service cart"]);
}

async fn put_replaces_the_catalog_and_post_adds_to_it(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let added = import(&app, Method::POST, "*", TWO_SERVICES).await;
    assert_eq!(added.status, 200, "{}", added.text());
    assert_eq!(added.json()["created"], 3);
    for name in ["cart", "one", "two", "store"] {
        create_service(&app, name).await.service_id();
    }
    let one = "[services.one]\n_type='builtin'\n_service='store'\n_ttl=60\n";
    let replaced = import(&app, Method::PUT, "*", one).await.json();
    let counts = ["created", "replaced", "deleted", "unchanged"].map(|member| &replaced[member]);
    assert_eq!(counts, [&json!(0), &json!(1), &json!(3), &json!(0)]);
    for name in ["one", "store"] {
        create_service(&app, name).await.service_id();
    }
    for name in ["cart", "two"] {
        create_service(&app, name)
            .await
            .error_message("ServiceNotFound", 404);
    }
    let expected = [
        "delete service two",
        "delete service cart",
        "delete resource group pool",
        "replace service one",
    ];
    assert_eq!(audit_actions(&app).await[..4], expected);
    delete_entry(&app, "services/one").await;
}

#[tokio::test]
async fn too_large_catalog_is_rejected() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let mut many = String::new();
    for n in 0..10_001 {
        many += &format!("[services.s{n}]\n_type='builtin'\n_service='store'\n");
    }
    let message = first_import(&app, &many)
        .await
        .error_message("TooLarge", 413);
    assert!(message.contains("10000 entries"), "{message}");
    let long = format!("# {}", "x".repeat(4 * 1024 * 1024));
    let message = first_import(&app, &long)
        .await
        .error_message("TooLarge", 413);
    assert!(message.contains("limits.form_bytes"), "{message}");
}

async fn import_warns_about_misspelled_options(app: TestApp) {
    let app = start_admin(&app).await;
    let text = TWO_SERVICES.replace("_resource_group", "_ressource_group");
    let imported = first_import(&app, &text).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    let imported = imported.json();
    assert_eq!(imported["created"], 3);
    let expected =
        "service \"two\", option _ressource_group: is unknown; did you mean _resource_group?";
    assert_eq!(imported["warnings"], json!([expected]));
}

async fn dry_run_lists_changes_and_changes_nothing(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/gone", &store_options()).await;
    let mut vault = store_options();
    vault["password"] = json!("hunter2");
    vault["username"] = json!("jane");
    vault["_ttl"] = json!("60");
    create_entry(&app, "services/vault", &vault).await;
    create_entry(
        &app,
        "groups/pool",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    let exported = get(&app, "catalog").await;
    let etag = exported.header("etag").to_owned();
    let before = exported.text().to_owned();
    let text = "[services.vault]\n_type='builtin'\n_service='store'\nusername='jane'\n\
                password='swordfish'\n_tll='60'\n\
                [services.new]\n_type='builtin'\n_service='store'\n\
                [resources.pool]\n_allocation_strategy='LOCAL'\n\
                numbers=['8005550001','8005550002']\n";
    let run = |method: Method, query: &str, conditions: &[(&'static str, &str)]| {
        let mut run = request(&app, method, &format!("catalog?{query}"));
        for (name, value) in conditions {
            run = run.header(*name, *value);
        }
        TestResponse::send(run.typed_body("application/toml", text.as_bytes()))
    };
    let replaced = json!([
        {"table": "resources", "name": "pool", "action": "replace", "options": [
            {"option": "numbers", "before": "8005550001", "after": "8005550001, 8005550002"},
        ]},
        {"table": "services", "name": "vault", "action": "replace", "options": [
            {"option": "_tll", "before": null, "after": "60"},
            {"option": "_ttl", "before": "60", "after": null},
            {"option": "password", "before": "********", "after": "******** (changed)"},
        ]},
        {"table": "services", "name": "new", "action": "create", "options": []},
    ]);
    let mut all = vec![json!(
        {"table": "services", "name": "gone", "action": "delete", "options": []}
    )];
    all.extend(replaced.as_array().unwrap().iter().cloned());
    for (method, changes, deleted) in [
        (Method::PUT, json!(all), 1),
        (Method::POST, replaced.clone(), 0),
    ] {
        for conditions in [
            &[][..],
            &[("if-match", "*")],
            &[("if-match", etag.as_str())],
        ] {
            let dry = run(method.clone(), "dry_run=true", conditions).await;
            assert_eq!(dry.status, 200, "{}", dry.text());
            assert_eq!(dry.header("etag"), etag);
            assert!(!dry.text().contains("hunter2") && !dry.text().contains("swordfish"));
            let dry = dry.json();
            assert_eq!(dry["changes"], changes);
            let counts = ["created", "replaced", "deleted", "unchanged"].map(|what| &dry[what]);
            assert_eq!(counts, [&json!(1), &json!(2), &json!(deleted), &json!(0)]);
            assert_eq!(dry["warnings"].as_array().unwrap().len(), 1);
        }
    }
    for (query, condition, exception, status) in [
        (
            "dry_run=true",
            ("if-match", "\"1-0\""),
            "PreconditionFailed",
            412,
        ),
        (
            "dry_run=true",
            ("if-none-match", "*"),
            "PreconditionFailed",
            412,
        ),
        ("dry_run=yes", ("if-match", "*"), "InvalidParameter", 400),
        ("dry_run=", ("if-match", "*"), "InvalidParameter", 400),
    ] {
        run(Method::PUT, query, &[condition])
            .await
            .error_message(exception, status);
    }
    let wrong = request(&app, Method::PUT, "catalog?dry_run=true");
    let wrong = wrong.typed_body("application/toml", b"[services.x]\n_type='none'\n");
    TestResponse::send(wrong)
        .await
        .error_message("InvalidDefinition", 400);
    assert_eq!(get(&app, "catalog").await.text(), before);
    assert_eq!(audit_actions(&app).await.len(), 3);

    let done = run(Method::PUT, "dry_run=false", &[("if-match", etag.as_str())]).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.json().get("changes").is_none());
    create_service(&app, "gone")
        .await
        .error_message("ServiceNotFound", 404);
    create_service(&app, "new").await.service_id();
}
