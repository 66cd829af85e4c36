//! Hostile names and values in every resource.

use reqwest::Method;
use serde_json::json;

use super::fixture::{
    create_entry, create_service, delete_entry, get, get_json, put, request, start_admin,
    store_options,
};
use crate::support::{Bodies, TestApp, TestResponse, encode, on_redis_only};

on_redis_only!(
    hostile_names_and_values_are_returned_unchanged,
    too_long_values_are_rejected,
);

const HOSTILE_TEXTS: [&str; 10] = [
    "<img src=x onerror=alert(1)>",
    "\"'`;--",
    "${PATH} {id} %7B %s",
    "\u{202e}txt.exe",
    "a]\n[services.evil]",
    "sb1:{catalog}:version",
    "}{",
    "__proto__",
    "\u{1f600}e\u{301}",
    " spaces ",
];

async fn hostile_names_and_values_are_returned_unchanged(app: TestApp) {
    let app = start_admin(&app).await;
    for value in HOSTILE_TEXTS {
        let mut options = store_options();
        options["_note"] = json!(value);
        options["username"] = json!("u");
        options["password"] = json!(value);
        let path = format!("services/{}", encode(value));
        if value.contains('\n') {
            let message = put(&app, &path, &options)
                .await
                .error_message("InvalidDefinition", 400);
            assert!(message.contains("control"), "{message}");
            continue;
        }
        let etag = create_entry(&app, &path, &options).await;
        let entry = get_json(&app, &path).await;
        assert_eq!(entry["name"], value);
        assert_eq!(entry["etag"], etag);
        assert_eq!(entry["options"]["_note"], value);
        create_service(&app, value)
            .await
            .error_message("Unauthorized", 401);
        let opened = app.post(&format!("/genesys/1/service/{}", encode(value)));
        let response = TestResponse::send(opened.basic_auth("u", Some(value))).await;
        let id = response.json()["_id"].as_str().unwrap().to_owned();
        let service = get_json(&app, &format!("active-services/{id}")).await;
        assert_eq!(service["service"], value);
        let event = &get_json(&app, "audit-log").await["events"][0];
        assert_eq!(event["name"], value);
        assert_eq!(event["after"]["_note"], value);
    }
    for value in HOSTILE_TEXTS {
        let after = encode(value);
        for path in [
            "audit-log?after=",
            "failed-matches?after=",
            "active-services?after=",
            "groups/DNIS/bookings?after=",
        ] {
            let response = get(&app, &format!("{path}{after}")).await;
            response.error_message("InvalidParameter", 400);
        }
        let unknown = get(&app, &format!("active-services/{after}")).await;
        unknown.error_message("ServiceNotFound", 404);
        let unknown = get(&app, &format!("groups/{after}/bookings")).await;
        unknown.error_message("GroupNotFound", 404);
        let unknown = request(
            &app,
            Method::DELETE,
            &format!("groups/DNIS/bookings/{after}"),
        );
        TestResponse::send(unknown)
            .await
            .error_message("BookingNotFound", 404);
        let stale = request(&app, Method::DELETE, "services/none").header("if-match", "\"x");
        TestResponse::send(stale)
            .await
            .error_message("ServiceNotFound", 404);
        if !value.contains('\n') {
            delete_entry(&app, &format!("services/{after}")).await;
        }
    }
    // Only entries of the catalog file are left.
    let table = get_json(&app, "services").await;
    let left = table["entries"].as_array().unwrap();
    assert!(left.iter().all(|one| one["origin"] == "file"), "{left:?}");
}

async fn too_long_values_are_rejected(app: TestApp) {
    let app = start_admin(&app).await;
    let name = "n".repeat(129);
    let response = put(&app, &format!("services/{name}"), &store_options()).await;
    response.error_message("InvalidDefinition", 400);
    let mut options = store_options();
    // A value of 1 MiB is accepted.
    options["_note"] = json!("x".repeat(1024 * 1024));
    create_entry(&app, "services/long", &options).await;
    assert_eq!(get_json(&app, "services/long").await["options"], options);
    let event = &get_json(&app, "audit-log").await["events"][0];
    assert_eq!(
        event["after"]["_truncated"].as_str().unwrap().len(),
        16 * 1024
    );
    options["_note"] = json!("x".repeat(5 * 1024 * 1024));
    let response = put(&app, "services/longer", &options).await;
    let message = response.error_message("TooLarge", 413);
    assert!(message.contains("limits.form_bytes"), "{message}");
    let deep = "[".repeat(100_000);
    let deep = request(&app, Method::PUT, "services/deep").json_body(&format!("{{\"a\":{deep}"));
    TestResponse::send(deep)
        .await
        .error_message("UnreadableJson", 500);
}
