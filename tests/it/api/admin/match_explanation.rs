//! Explanations of matches, and the list of failed ones.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{
    create_entry, create_group_and_service, create_service_with, get, get_json, request,
    start_admin_with,
};
use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::{Booked, delete_service, number, wait_for_clock_tick},
    eventually, on_every_kind_of_store,
};

mod failed_matches;
mod model;

on_every_kind_of_store!(
    each_booking_is_explained,
    an_explanation_changes_nothing,
    user_data_codes_and_callers_are_not_returned,
    a_booking_of_an_ended_service_does_not_fit,
    the_limit_on_failed_matches_is_explained,
    invalid_calls_are_rejected,
);

/// An app with a number that services share.
async fn start(app: &TestApp, limit: &str) -> TestApp {
    let limit = ("rate_limit.failed_matches_per_number", limit);
    let app = start_admin_with(app, &[limit]).await;
    let group = json!({"_allocation_strategy": "ROUND_ROBIN", "numbers": [number(0)]});
    create_group_and_service(&app, &group).await;
    app
}

/// Books the shared number.
async fn book(app: &TestApp, form: &str) -> Booked {
    wait_for_clock_tick().await;
    Booked::from_response(&create_service_with(app, "call", form).await)
}

async fn match_call(app: &TestApp, form: &str) -> TestResponse {
    create_service_with(app, "match-interaction", form).await
}

async fn explain(app: &TestApp, form: &str) -> Value {
    let request = request(app, Method::POST, "match-explanation");
    let response = TestResponse::send(request.form_body(form)).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

/// The call of the shared number with other parameters.
fn call(form: &str) -> String {
    format!("_access_number={}&{form}", number(0))
}

/// The failed matches, once there are `count` of them.
async fn wait_for_failed(app: &TestApp, count: usize) -> Vec<Value> {
    eventually("the failed matches are listed", async || {
        let listed = get_json(app, "failed-matches?limit=200").await;
        let listed = listed["failed_matches"].as_array().unwrap().clone();
        (listed.len() == count).then_some(listed)
    })
    .await
}

async fn each_booking_is_explained(app: TestApp) {
    let app = start(&app, "0").await;
    let plain = book(&app, "").await;
    let coded = book(&app, "_provide_code=true&_phone_number=6504690001").await;
    let other = book(&app, "_phone_number=6504690002").await;
    let form = call(&format!(
        "_access_code={}&_phone_number=%2B1 650 469 0001",
        coded.code()
    ));
    let explained = explain(&app, &form).await;
    assert_eq!(explained["failure"], Value::Null);
    assert_eq!(explained["access_number"], format!("+1{}", number(0)));
    assert_eq!(explained["groups"], json!(["support"]));
    assert_eq!(explained["is_complete"], true);
    let bookings = explained["bookings"].as_array().unwrap();
    let rows: Vec<_> = bookings
        .iter()
        .map(|one| json!([one["service"], one["is_match"], one["mismatches"]]))
        .collect();
    assert_eq!(
        rows,
        [
            json!([other.id, false, ["other_code", "other_caller"]]),
            json!([coded.id, true, []]),
            json!([plain.id, false, ["other_code", "other_caller"]]),
        ]
    );
    let message = bookings[0]["message"].as_str().unwrap();
    let expected = "Caller +1 650 469 0001 does not equal the caller of the booking (…0002).";
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("no access code"), "{message}");
    assert_eq!(bookings[1]["message"], "A match would take this booking.");
    let seconds = bookings[1]["expires_in_seconds"].as_f64().unwrap();
    assert!((1.0..=30.0).contains(&seconds), "{seconds}");
    // Without a caller and a code the newest one is matched.
    let explained = explain(&app, &call("")).await;
    assert_eq!(explained["bookings"][0]["is_match"], true);
    let message = explained["bookings"][1]["message"].as_str().unwrap();
    assert_eq!(message, "It fits, but another booking is matched first.");
    let matched = match_call(&app, &call("")).await;
    assert_eq!(matched.json()["_id"], other.id);
}

async fn an_explanation_changes_nothing(app: TestApp) {
    let app = start(&app, "2").await;
    book(&app, "_phone_number=6504690001").await;
    let snapshot = async || {
        let mut lines = Vec::new();
        if let Some(redis) = &app.redis {
            for key in redis.keys(&format!("{}*", app.prefix)).await {
                let rest = key.strip_prefix(&app.prefix).unwrap();
                if rest.starts_with("grp:") || rest.starts_with("rl:") {
                    lines.push((key.clone(), dump(&app, &key).await));
                }
            }
        }
        lines.sort();
        let listed = get(&app, "groups/support/bookings").await;
        (lines, listed.text().to_owned())
    };
    let before = snapshot().await;
    for form in ["", "_phone_number=6504690001", "_phone_number=6504690002"] {
        for _ in 0..5 {
            explain(&app, &call(form)).await;
        }
    }
    explain(&app, "_access_number=8001112222").await;
    assert_eq!(snapshot().await, before);
    // Explanations are neither failed matches nor limited like them.
    match_call(&app, "_access_number=8001112222")
        .await
        .error_message("NoMatch", 404);
    assert_eq!(wait_for_failed(&app, 1).await.len(), 1);
    assert_eq!(match_call(&app, &call("")).await.status, 200);
}

async fn the_limit_on_failed_matches_is_explained(app: TestApp) {
    let app = start(&app, "2").await;
    let booked = book(&app, "_phone_number=6504690001").await;
    let (right, wrong) = (
        call("_phone_number=6504690001"),
        call("_phone_number=6504690002"),
    );
    match_call(&app, &wrong).await.error_message("NoMatch", 404);
    let explained = explain(&app, &right).await;
    assert_eq!(explained["failure"], Value::Null, "{explained}");
    assert_eq!(explained["rate_limited_until"], Value::Null);
    match_call(&app, &wrong).await.error_message("NoMatch", 404);
    assert_eq!(match_call(&app, &right).await.status, 429);

    let explained = explain(&app, &right).await;
    assert_eq!(explained["failure"], "rate_limited", "{explained}");
    let message = explained["message"].as_str().unwrap();
    assert!(message.contains("(429)"), "{message}");
    let after = "After that: A match would take the booking that is marked.";
    assert!(message.ends_with(after), "{message}");
    let until = explained["rate_limited_until"].as_str().unwrap();
    let time = explained["time"].as_str().unwrap();
    assert!(until > time, "{explained}");
    let booking = &explained["bookings"][0];
    assert_eq!(booking["service"], booked.id);
    assert_eq!(booking["is_match"], true);
    // Calls that would not match either way have both reasons.
    let other = explain(&app, &wrong).await;
    assert_eq!(other["failure"], "rate_limited", "{other}");
    assert_eq!(other["bookings"][0]["mismatches"], json!(["other_caller"]));
    let message = other["message"].as_str().unwrap();
    assert!(message.ends_with("The caller is not that of a booking of the number."));
    let unlimited = explain(&app, "_access_number=8001112222").await;
    assert_eq!(unlimited["rate_limited_until"], Value::Null);
}

/// The serialized value of a key.
async fn dump(app: &TestApp, key: &str) -> Vec<u8> {
    let mut value = Vec::new();
    for mut connection in app.redis.as_ref().unwrap().connections().await {
        let dump = redis::cmd("DUMP").arg(key).to_owned();
        let found: Result<Option<Vec<u8>>, _> = dump.query_async(&mut connection).await;
        // Another server of a Cluster responds with a redirection.
        value.extend(found.ok().flatten().unwrap_or_default());
    }
    assert!(!value.is_empty(), "{key}");
    value
}

async fn user_data_codes_and_callers_are_not_returned(app: TestApp) {
    let app = start(&app, "0").await;
    let booked = book(
        &app,
        "secret=stored-secret&_provide_code=true&_access_code_length=12&_phone_number=6504690001",
    )
    .await;
    let request = request(&app, Method::POST, "match-explanation");
    let response = TestResponse::send(request.form_body(&call("_access_code=1"))).await;
    let text = response.text();
    assert!(text.contains("…0001"), "{text}");
    for hidden in ["stored-secret", booked.code(), "650469"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

async fn a_booking_of_an_ended_service_does_not_fit(app: TestApp) {
    let app = start(&app, "0").await;
    let older = book(&app, "").await;
    let ended = book(&app, "").await;
    delete_service(&app, &ended).await;
    // The cleanup may have released the booking.
    let explained = explain(&app, &call("")).await;
    for booking in explained["bookings"].as_array().unwrap() {
        let is_ended = booking["service"] == ended.id.as_str();
        let expected = if is_ended {
            json!(["service_ended"])
        } else {
            json!([])
        };
        assert_eq!(booking["mismatches"], expected, "{booking}");
        assert_eq!(booking["is_match"], !is_ended);
    }
    assert_eq!(match_call(&app, &call("")).await.json()["_id"], older.id);
}

async fn invalid_calls_are_rejected(app: TestApp) {
    let app = start(&app, "0").await;
    let too_long = format!("_access_number={}", "1".repeat(65));
    for (form, name) in [
        ("", "_access_number"),
        ("_access_number=%20", "_access_number"),
        (&too_long, "_access_number"),
        (&call("_access_code="), "_access_code is empty"),
        (&call("_access_code=%20"), "_access_code is empty"),
        (
            &call(&format!("_phone_number={}", "1".repeat(65))),
            "_phone_number",
        ),
    ] {
        let request = request(&app, Method::POST, "match-explanation");
        let response = TestResponse::send(request.form_body(form)).await;
        let message = response.error_message("InvalidParameter", 400);
        assert!(message.contains(name), "{message}");
    }
    get(&app, "failed-matches?after=x")
        .await
        .error_message("InvalidParameter", 400);
}

#[tokio::test]
async fn the_reason_is_undetermined_if_not_all_bookings_are_listed() {
    let app = start(&TestApp::on_redis().await, "0").await;
    let shared = json!({"_allocation_strategy": "ROUND_ROBIN", "numbers": [number(0)]});
    create_entry(&app, "groups/also", &shared).await;
    // The service `call` has its own group, so another one books the number in the other group.
    let other =
        json!({"_type": "builtin", "_service": "request-interaction", "_resource_group": "also"});
    create_entry(&app, "services/other", &other).await;
    let form = "_phone_number=6504690001&_booking_expiration_timeout=600";
    let in_other_group = create_service_with(&app, "other", form).await;
    let in_other_group = Booked::from_response(&in_other_group);
    let oldest = book(
        &app,
        "_phone_number=6504690001&_booking_expiration_timeout=600",
    )
    .await;
    for _ in 0..10 {
        let form = "_phone_number=6504690002&_booking_expiration_timeout=600";
        let created = (0..100).map(|_| create_service_with(&app, "call", form));
        for response in join_all(created).await {
            assert_eq!(response.status, 200, "{}", response.text());
        }
    }
    let missed = call("_phone_number=6504690003");
    let explained = explain(&app, &missed).await;
    assert_eq!(explained["is_complete"], false);
    assert_eq!(explained["bookings"].as_array().unwrap().len(), 1_001);
    assert_eq!(explained["failure"], "undetermined");
    let message = explained["message"].as_str().unwrap();
    assert!(
        message.contains("more bookings than are listed"),
        "{message}"
    );
    // The oldest booking of the group is not listed, but matched: the listed one that fits is older.
    let form = call("_phone_number=6504690001");
    let explained = explain(&app, &form).await;
    assert_eq!(explained["failure"], "undetermined");
    let listed = explained["bookings"].as_array().unwrap();
    assert!(listed.iter().all(|one| one["is_match"] == false));
    let fits = listed
        .iter()
        .find(|one| one["service"] == in_other_group.id.as_str())
        .unwrap();
    let message = fits["message"].as_str().unwrap();
    assert!(message.contains("may be matched first"), "{message}");
    // The reason of a failed match is not that of some of the bookings either.
    match_call(&app, &missed)
        .await
        .error_message("NoMatch", 404);
    let listed = wait_for_failed(&app, 1).await;
    assert_eq!(listed[0]["reason"], "undetermined");
    assert_eq!(match_call(&app, &form).await.json()["_id"], oldest.id);
    let explained = explain(&app, &missed).await;
    assert_eq!(explained["is_complete"], true);
    assert_eq!(explained["failure"], "other_caller");
}
