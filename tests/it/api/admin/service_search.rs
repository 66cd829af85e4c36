//! The filters of `GET /genesys/1/admin/active-services`.

use serde_json::Value;

use super::fixture::{
    create_entry, create_service, exclusive_group_options, get, get_json,
    request_interaction_options, start_admin,
};
use crate::support::{
    Bodies, TestApp, TestResponse, bookings::Booked, encode, on_every_kind_of_store,
};

on_every_kind_of_store!(
    services_are_found_by_definition_user_and_time,
    services_are_found_by_their_booked_number,
    invalid_filters_are_rejected,
);

/// Creates a `store` service for a user. Returns its id.
async fn create_for(app: &TestApp, user: &str, ttl: u32) -> String {
    let create = app
        .post("/genesys/1/service/store")
        .header("gms_user", user);
    let response = TestResponse::send(create.form_body(&format!("_ttl={ttl}"))).await;
    response.json()["_id"].as_str().unwrap().to_owned()
}

fn ids_of(page: &Value) -> Vec<String> {
    let services = page["services"].as_array().unwrap().iter();
    services
        .map(|service| service["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Asserts that a search finds these services on one page, in this order.
async fn assert_found(app: &TestApp, query: &str, expected: &[&String]) {
    let page = get_json(app, &format!("active-services?{query}")).await;
    assert_eq!(page["next"], Value::Null, "{query}");
    let found = ids_of(&page);
    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
}

async fn services_are_found_by_definition_user_and_time(app: TestApp) {
    let app = start_admin(&app).await;
    let first = create_for(&app, "ada", 1_000).await;
    let second = create_for(&app, "bob & co", 2_000).await;
    let third = create_for(&app, "ada", 3_000).await;
    let call = Booked::from_response(&create_service(&app, "request-interaction").await).id;
    let area = app.post("/genesys/1/storage/4000").form_body("a=1");
    let area = TestResponse::send(area).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let second_end = get_json(&app, &format!("active-services/{second}")).await;
    let second_end = second_end["expires_at"].as_str().unwrap().to_owned();
    let before = format!("expires_before={}", encode(&second_end));
    let prefix = format!("{before}&gms_user=ada&prefix={}", &first[..8]);
    for (query, expected) in [
        ("service=store", &[&first, &second, &third][..]),
        ("service=store&sort=-expires_at", &[&third, &second, &first]),
        ("service=_storage", &[&area]),
        ("service=request-interaction", &[&call]),
        ("service=none", &[]),
        ("gms_user=ada", &[&first, &third]),
        ("gms_user=bob+%26+co&service=store", &[&second]),
        ("gms_user=bob", &[]),
        (&before, &[&first]),
        (&prefix, &[&first]),
    ] {
        assert_found(&app, query, expected).await;
    }
    // A search is paginated; a list has no state of a search.
    let page = get_json(&app, "active-services?gms_user=ada&limit=1").await;
    assert_eq!(ids_of(&page), [first]);
    assert_eq!(
        (&page["complete"], &page["searched"]),
        (&false.into(), &1.into())
    );
    let next = page["next"].as_str().unwrap();
    let page = get_json(
        &app,
        &format!("active-services?gms_user=ada&limit=1&after={next}"),
    )
    .await;
    assert_eq!(ids_of(&page), [third]);
    let list = get_json(&app, &format!("active-services?{before}")).await;
    assert!(list.get("complete").is_none() && list.get("searched").is_none());
}

async fn services_are_found_by_their_booked_number(app: TestApp) {
    let app = start_admin(&app).await;
    let mut shared = exclusive_group_options(&["8005550001"]);
    shared["_allocation_strategy"] = "RANDOM".into();
    create_entry(&app, "groups/shared", &shared).await;
    create_entry(
        &app,
        "groups/own",
        &exclusive_group_options(&["8005550002"]),
    )
    .await;
    for group in ["shared", "own"] {
        let path = format!("services/call-{group}");
        create_entry(&app, &path, &request_interaction_options(group)).await;
    }
    let create = async |name: &str, ttl: u32| {
        let create = app.post(&format!("/genesys/1/service/{name}"));
        let created = TestResponse::send(create.form_body(&format!("_ttl={ttl}"))).await;
        Booked::from_response(&created).id
    };
    let one = create("call-shared", 1_000).await;
    let two = create("call-shared", 2_000).await;
    let three = create("call-own", 3_000).await;
    for (query, expected) in [
        ("number=8005550001", &[&one, &two][..]),
        ("number=%2B1+%28800%29+555-0001", &[&one, &two]),
        ("number=8005550002", &[&three]),
        ("number=8005550002&service=call-shared", &[]),
        ("number=8005550009", &[]),
    ] {
        assert_found(&app, query, expected).await;
    }
    let path = "active-services?number=8005550001&limit=1&sort=-expires_at";
    let page = get_json(&app, path).await;
    assert_eq!(
        (ids_of(&page), &page["complete"]),
        (vec![two], &false.into())
    );
    let next = page["next"].as_str().unwrap();
    let page = get_json(&app, &format!("{path}&after={next}")).await;
    assert_eq!(
        (ids_of(&page), &page["complete"]),
        (vec![one], &true.into())
    );
}

async fn invalid_filters_are_rejected(app: TestApp) {
    let app = start_admin(&app).await;
    let long = "x".repeat(257);
    for (query, expected) in [
        ("service=", "service has 0 bytes, expected 1 to 256"),
        (
            &format!("gms_user={long}"),
            "gms_user has 257 bytes, expected 1 to 256",
        ),
        ("number=", "number has 0 bytes"),
        (
            &format!("number={}", "8".repeat(65)),
            "number has 65 bytes; the maximum is 64",
        ),
        (
            "expires_before=soon",
            "expires_before is \"soon\", expected ISO 8601",
        ),
        (
            "sort=id",
            "sort is \"id\", expected expires_at or -expires_at",
        ),
    ] {
        let response = get(&app, &format!("active-services?{query}")).await;
        let message = response.error_message("InvalidParameter", 400);
        assert!(message.contains(expected), "{message}");
    }
}
