//! What the description says of the administration, held against it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{document, errors::compare, schemas, start_with_all_routes};
use crate::{
    admin::fixture::{
        create_entry, create_service, create_service_with, exclusive_group_options, get, import,
        put, request, request_interaction_options, store_options,
    },
    support::{Bodies, Multipart, TestApp, TestResponse},
};

/// What is answered by all of it beside the headers that all answers have.
fn check_security(document: &Value, answer: &TestResponse) {
    let marks = document["components"]["headers"].as_object().unwrap();
    assert_eq!(marks.len(), 4);
    for (name, header) in marks {
        assert_eq!(answer.header(name), header["schema"]["const"], "{name}");
    }
}

#[tokio::test]
async fn an_error_of_the_administration_is_answered_as_its_example_has_it() {
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
        let mut answer = TestResponse::send(request).await;
        check_security(&document, &answer);
        for name in [
            "x-content-type-options",
            "cross-origin-resource-policy",
            "content-security-policy",
        ] {
            answer.headers.remove(name);
        }
        // No version ever comes again.
        let text = answer.text().replace(etag.trim_matches('"'), "2-5c1f09aa");
        answer.body = text.into_bytes();
        compare(&document, &answer, "");
        seen.insert(answer.json()["exception"].to_string());
    }
    assert_eq!(seen.len(), 7);
}

/// Makes something of each kind that is told.
async fn create_sample_data(app: &TestApp) -> String {
    let mut group = exclusive_group_options(&["8005550001", "8005550002"]);
    group["_booking_expiration_timeout"] = json!(60);
    create_entry(app, "groups/support", &group).await;
    let mut service = request_interaction_options("support");
    service["_tll"] = json!("is a warning");
    create_entry(app, "services/call", &service).await;
    let held = create_service_with(app, "call", "_phone_number=6504690000&Key1=Value1").await;
    create_service(app, "call").await.service_id();
    let picture = Multipart::new().file("pic", "p.png", "image/png", b"12345");
    let write = app.post(&format!("{}/storage", held.service_id()));
    TestResponse::send(write.multipart_body(picture))
        .await
        .assert_empty();
    held.service_id().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_it_answers_is_what_its_schemas_say_and_they_say_nothing_else() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let id = create_sample_data(&app).await;
    // Members that there is no way to see from outside: of a replica that is out of step.
    let mut seen =
        BTreeSet::from(["Entries.entries[].problem", "Entry.problem"].map(str::to_owned));
    let (mut told, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (path, found) in [
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
        ("replicas", "replicas"),
        ("catalog", "catalog"),
    ] {
        let place = &document["paths"][format!("/genesys/1/admin/{path}")];
        let response = &place["get"]["responses"]["200"];
        // Until a replica has said for the first time that it is up, there is none.
        let answer = crate::support::eventually(path, async || {
            let answer = get(&app, found).await;
            (!answer.text().contains(":[]}")).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        check_security(&document, &answer);
        for name in response["headers"].as_object().unwrap().keys() {
            assert!(!answer.header(name).is_empty(), "{path}: {name}");
        }
        assert_eq!(
            response["headers"].get("ETag").is_some(),
            !answer.header("etag").is_empty(),
            "{path}"
        );
        if path == "catalog" {
            assert!(response["content"]["application/toml"].is_object());
            continue;
        }
        let schema = &response["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        schemas::check(&document, schema, &answer.json(), name, &mut seen);
        schemas::members(&document, schema, name, &mut told);
        names.insert(name.to_owned());
    }
    let unseen: Vec<&String> = told.difference(&seen).collect();
    assert!(
        unseen.is_empty(),
        "they tell of what was not seen: {unseen:?}"
    );
    assert_eq!(names.len(), 7);
    let imported = import(&app, Method::POST, "*", "").await;
    let schema = &document["components"]["schemas"]["Imported"];
    schemas::check(&document, schema, &imported.json(), "Imported", &mut seen);
    let one = "[services.call]\n_type = 'builtin'\n_service = 'store'\n";
    let dry_run = request(&app, Method::PUT, "catalog?dry_run=true");
    let dry_run = TestResponse::send(dry_run.typed_body("application/toml", one.as_bytes())).await;
    assert!(
        dry_run
            .text()
            .contains("\"before\":\"request-interaction\"")
    );
    schemas::check(&document, schema, &dry_run.json(), "Imported", &mut seen);
}

#[tokio::test]
async fn its_examples_of_what_is_put_work_as_they_stand() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let paths = &document["paths"];
    for (path, name) in [("groups", "sales"), ("services", "call-us")] {
        let put_one = &paths[format!("/genesys/1/admin/{path}/{{name}}")]["put"];
        assert_eq!(put_one["parameters"][0]["example"], name);
        let example = &put_one["requestBody"]["content"]["application/json"]["example"];
        let answer = put(&app, &format!("{path}/{name}"), example).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    create_service(&app, "call-us").await.service_id();
    for (method, name) in [(Method::POST, "post"), (Method::PUT, "put")] {
        let body = &paths["/genesys/1/admin/catalog"][name]["requestBody"];
        let example = body["content"]["application/octet-stream"]["example"]
            .as_str()
            .unwrap();
        let answer = import(&app, method, "*", example).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    create_service(&app, "call-support").await.service_id();
    create_service(&app, "call-us")
        .await
        .error_message("ServiceNotFound", 404);
}

#[tokio::test]
async fn what_it_says_of_options_is_what_they_may_be() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let kinds = document["components"]["schemas"]["Definition"]["anyOf"]
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
            let answer = TestResponse::send(put).await;
            assert_eq!(answer.status == 200, allowed, "{text}: {}", answer.text());
            checked += 1;
        }
    }
    assert_eq!(checked, 3 * 7);
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
    let group = &document["components"]["schemas"]["Group"];
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
