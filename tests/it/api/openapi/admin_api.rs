//! The admin operations of the OpenAPI document against the implementation.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{document, errors::compare, schemas, start_with_all_routes};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, create_service_with, exclusive_group_options, get, import,
        put, request, request_interaction_options, store_options,
    },
    support::{Bodies, Multipart, TestApp, TestResponse},
};

/// Checks the common headers of admin responses.
fn check_security(document: &Value, response: &TestResponse) {
    let headers = document["components"]["headers"].as_object().unwrap();
    assert_eq!(headers.len(), 4);
    for (name, header) in headers {
        assert_eq!(response.header(name), header["schema"]["const"], "{name}");
    }
}

#[tokio::test]
async fn admin_errors_match_their_examples() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let etag = create_entry(&app, "services/cart", &store_options()).await;
    let mut wrong = store_options();
    wrong["_ttl"] = json!(0);
    let put = |options: &Value| {
        let request = request(&app, Method::PUT, "services/cart");
        request.json_body(&options.to_string())
    };
    let delete = |path: &str| request(&app, Method::DELETE, path);
    let mut seen = BTreeSet::new();
    for request in [
        put(&store_options()).header("origin", "http://there.example"),
        put(&wrong).header("if-match", "*"),
        put(&store_options()).header("if-match", "\"x\""),
        put(&store_options()),
        delete("services/store"),
        delete("groups/support"),
        delete("groups/DNIS/bookings/b1"),
    ] {
        let mut response = TestResponse::send(request).await;
        check_security(&document, &response);
        for name in [
            "x-content-type-options",
            "cross-origin-resource-policy",
            "content-security-policy",
        ] {
            response.headers.remove(name);
        }
        // Versions are unique.
        let text = response
            .text()
            .replace(etag.trim_matches('"'), "2-5c1f09aa");
        response.body = text.into_bytes();
        compare(&document, &response, "");
        seen.insert(response.json()["exception"].to_string());
    }
    assert_eq!(seen.len(), 7);
}

/// Creates entries of all kinds.
async fn create_sample_data(app: &TestApp) -> String {
    let mut group = exclusive_group_options(&["8005550001", "8005550002"]);
    group["_booking_expiration_timeout"] = json!(60);
    create_entry(app, "groups/support", &group).await;
    let mut service = request_interaction_options("support");
    service["_tll"] = json!("is a warning");
    create_entry(app, "services/call", &service).await;
    let created = create_service_with(app, "call", "_phone_number=6504690000&Key1=Value1").await;
    create_service(app, "call").await.service_id();
    let call = "_access_number=8005550001&_phone_number=6504690009";
    create_service_with(app, "match-interaction", call)
        .await
        .error_message("NoMatch", 404);
    let picture = Multipart::new().file("pic", "p.png", "image/png", b"12345");
    let write = app.post(&format!("{}/storage", created.service_id()));
    TestResponse::send(write.multipart_body(picture))
        .await
        .assert_empty();
    created.service_id().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn responses_match_their_schemas_exactly() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let id = create_sample_data(&app).await;
    // Members that occur only while replicas differ.
    let mut seen =
        BTreeSet::from(["Entries.entries[].problem", "Entry.problem"].map(str::to_owned));
    let (mut documented, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (path, url) in [
        ("services", "services"),
        ("groups", "groups"),
        ("services/{name}", "services/call"),
        ("groups/{name}", "groups/support"),
        ("groups/{group}/bookings", "groups/support/bookings?limit=1"),
        ("active-services", "active-services?limit=1"),
        (
            "active-services",
            &format!("active-services?prefix={}", &id[..8]),
        ),
        ("active-services/{id}", &format!("active-services/{id}")),
        ("audit-log", "audit-log?limit=1"),
        ("failed-matches", "failed-matches?limit=1"),
        ("replicas", "replicas"),
        ("problems", "problems"),
        ("statistics", "statistics"),
        ("catalog", "catalog"),
    ] {
        let operations = &document["paths"][format!("/genesys/1/admin/{path}")];
        let documented_response = &operations["get"]["responses"]["200"];
        // The list of replicas is empty until the first heartbeat.
        let response = crate::support::eventually(path, async || {
            let response = get(&app, url).await;
            (!response.text().ends_with(":[]}")).then_some(response)
        })
        .await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        check_security(&document, &response);
        for name in documented_response["headers"].as_object().unwrap().keys() {
            assert!(!response.header(name).is_empty(), "{path}: {name}");
        }
        assert_eq!(
            documented_response["headers"].get("ETag").is_some(),
            !response.header("etag").is_empty(),
            "{path}"
        );
        if path == "catalog" {
            assert!(documented_response["content"]["application/toml"].is_object());
            continue;
        }
        let schema = &documented_response["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        schemas::check(&document, schema, &response.json(), name, &mut seen);
        schemas::members(&document, schema, name, &mut documented);
        names.insert(name.to_owned());
    }
    let unseen: Vec<&String> = documented.difference(&seen).collect();
    assert!(
        unseen.is_empty(),
        "documented members that were not returned: {unseen:?}"
    );
    assert_eq!(names.len(), 10);
    let explain = request(&app, Method::POST, "match-explanation");
    let explain = explain.form_body("_access_number=8005550001&_phone_number=6504690009");
    let explained = TestResponse::send(explain).await.json();
    let name = "MatchExplanation";
    let schema = &document["components"]["schemas"][name];
    schemas::check(&document, schema, &explained, name, &mut seen);
    let imported = import(&app, Method::POST, "*", "").await;
    let schema = &document["components"]["schemas"]["ImportReport"];
    schemas::check(
        &document,
        schema,
        &imported.json(),
        "ImportReport",
        &mut seen,
    );
    let toml = "[services.call]\n_type = 'builtin'\n_service = 'store'\n";
    let dry_run = request(&app, Method::PUT, "catalog?dry_run=true");
    let dry_run = TestResponse::send(dry_run.typed_body("application/toml", toml.as_bytes())).await;
    assert!(
        dry_run
            .text()
            .contains("\"before\":\"request-interaction\"")
    );
    schemas::check(
        &document,
        schema,
        &dry_run.json(),
        "ImportReport",
        &mut seen,
    );
}

#[tokio::test]
async fn request_examples_are_valid() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let paths = &document["paths"];
    for (path, name) in [("groups", "sales"), ("services", "call-us")] {
        let put_one = &paths[format!("/genesys/1/admin/{path}/{{name}}")]["put"];
        assert_eq!(put_one["parameters"][0]["example"], name);
        let example = &put_one["requestBody"]["content"]["application/json"]["example"];
        let response = put(&app, &format!("{path}/{name}"), example).await;
        assert_eq!(response.status, 201, "{}", response.text());
    }
    create_service(&app, "call-us").await.service_id();
    for (method, name) in [(Method::POST, "post"), (Method::PUT, "put")] {
        let body = &paths["/genesys/1/admin/catalog"][name]["requestBody"];
        let example = body["content"]["application/octet-stream"]["example"]
            .as_str()
            .unwrap();
        let response = import(&app, method, "*", example).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    create_service(&app, "call-support").await.service_id();
    create_service(&app, "call-us")
        .await
        .error_message("ServiceNotFound", 404);
}

#[tokio::test]
async fn option_schemas_match_the_allowed_values() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let kinds = document["components"]["schemas"]["ServiceDefinition"]["anyOf"]
        .as_array()
        .unwrap();
    assert_eq!(kinds.len(), 3);
    let builtin = &kinds[0]["properties"];
    for name in builtin["_service"]["enum"].as_array().unwrap() {
        let path = format!("services/my-{}", name.as_str().unwrap());
        create_entry(&app, &path, &json!({"_type": "builtin", "_service": name})).await;
    }
    create_entry(&app, "services/store-of-mine", &store_options()).await;
    let mut checked = 0;
    for (option, schema) in builtin.as_object().unwrap() {
        let Some(low) = schema["anyOf"][0]["minimum"]
            .as_u64()
            .filter(|low| *low > 0)
        else {
            continue;
        };
        let high = schema["anyOf"][0]["maximum"].as_u64().unwrap();
        for (value, allowed) in [
            (json!(low), true),
            (json!(high), true),
            (json!(low.to_string()), true),
            (json!(""), true),
            (json!(null), true),
            (json!(low - 1), false),
            (json!(high + 1), false),
        ] {
            let mut options = store_options();
            options[option] = value;
            let text = options.to_string();
            let put = request(&app, Method::PUT, "services/store-of-mine");
            let put = put.header("if-match", "*").json_body(&text);
            let response = TestResponse::send(put).await;
            assert_eq!(
                response.status == 200,
                allowed,
                "{text}: {}",
                response.text()
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 6 * 7);
    let unknown = put(
        &app,
        "services/x",
        &json!({"_type": "builtin", "_service": "x"}),
    )
    .await;
    let message = unknown.error_message("InvalidDefinition", 400);
    let known = builtin["_service"]["enum"].as_array().unwrap().iter();
    let known: Vec<&str> = known.map(|name| name.as_str().unwrap()).collect();
    assert!(
        message.ends_with(&format!("expected one of {}", known.join(", "))),
        "{message}"
    );
    let group = &document["components"]["schemas"]["ResourceGroup"];
    for strategy in group["properties"]["_allocation_strategy"]["enum"]
        .as_array()
        .unwrap()
    {
        let options = json!({"_allocation_strategy": strategy, "numbers": []});
        create_entry(
            &app,
            &format!("groups/of-{}", strategy.as_str().unwrap()),
            &options,
        )
        .await;
    }
}
