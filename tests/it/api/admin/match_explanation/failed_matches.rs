//! The list of failed matches, and their reasons.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{book, call, explain, match_call, start, wait_for_failed};
use crate::{
    api::admin::fixture::{create_entry, delete_entry, get_json, replace_entry},
    support::{
        TestApp, bookings::number, encode, eventually, metrics::Metrics, on_every_kind_of_store,
    },
};

on_every_kind_of_store!(
    failed_matches_are_listed_with_their_reasons,
    failed_matches_are_listed_in_pages,
    failed_matches_are_counted_by_reason,
    the_reason_is_that_of_all_bookings_in_all_groups,
);

/// Calls and the reasons for which they match no booking.
const FAILED_CALLS: [(&str, &str, &str); 7] = [
    (
        "8001112222",
        "_phone_number=%2B49 30 12345678",
        "unknown_number",
    ),
    ("", "_phone_number=anonymous", "caller_not_comparable"),
    ("", "_phone_number=6504690009", "other_caller"),
    (
        "",
        "_access_code=000&_phone_number=(650) 469-0001",
        "other_code",
    ),
    (
        "",
        "_access_code=000&_phone_number=6504690009",
        "other_code_and_caller",
    ),
    ("8005550001", "", "no_booking"),
    ("", "_access_code=000", "other_code"),
];

async fn send_failed_calls(app: &TestApp) {
    for (dialed, form, _) in FAILED_CALLS {
        let shared = number(0);
        let dialed = if dialed.is_empty() { &shared } else { dialed };
        let answer = match_call(app, &format!("_access_number={dialed}&{form}")).await;
        answer.error_message("NoMatch", 404);
    }
}

/// An app with a booking of the shared number, and a group with a number that has no bookings.
async fn start_with_booking(app: &TestApp, limit: &str) -> TestApp {
    let app = start(app, limit).await;
    let group = json!({"_allocation_strategy": "LOCAL", "numbers": ["8005550001"]});
    create_entry(&app, "groups/other", &group).await;
    book(
        &app,
        "_provide_code=true&_access_code_length=12&_phone_number=6504690001&_booking_expiration_timeout=600",
    )
    .await;
    app
}

async fn failed_matches_are_listed_with_their_reasons(app: TestApp) {
    let app = start_with_booking(&app, "5").await;
    send_failed_calls(&app).await;
    let listed = wait_for_failed(&app, FAILED_CALLS.len()).await;
    let mut previous = String::from("9");
    for (entry, (dialed, form, reason)) in listed.iter().zip(FAILED_CALLS.iter().rev()) {
        assert_eq!(entry["reason"], *reason, "{entry}");
        let shared = number(0);
        let dialed = if dialed.is_empty() { &shared } else { *dialed };
        assert_eq!(entry["access_number"], dialed);
        assert_eq!(entry["has_code"], form.contains("_access_code"));
        let caller = match form.split_once("_phone_number=") {
            Some((_, "anonymous")) | None => Value::Null,
            Some((_, caller)) => json!(format!("…{}", &caller[caller.len() - 4..])),
        };
        assert_eq!(entry["caller"], caller, "{entry}");
        let time = entry["time"].as_str().unwrap();
        assert!(time <= previous.as_str(), "{listed:?}");
        time.clone_into(&mut previous);
    }
    // The number has its fifth failed match; further ones are rejected, and listed too.
    let rejected = match_call(&app, &call("")).await;
    rejected.error_message("TooManyRequests", 429);
    let listed = wait_for_failed(&app, FAILED_CALLS.len() + 1).await;
    assert_eq!(listed[0]["reason"], "rate_limited");
}

async fn failed_matches_are_listed_in_pages(app: TestApp) {
    let app = start_with_booking(&app, "0").await;
    send_failed_calls(&app).await;
    let all = wait_for_failed(&app, FAILED_CALLS.len()).await;
    let (mut found, mut path) = (Vec::new(), "failed-matches?limit=3".to_owned());
    loop {
        let page = get_json(&app, &path).await;
        let entries = page["failed_matches"].as_array().unwrap();
        assert!(entries.len() <= 3);
        found.extend(entries.clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("failed-matches?limit=3&after={}", encode(next));
    }
    assert_eq!(found, all);
}

async fn failed_matches_are_counted_by_reason(app: TestApp) {
    let app = start_with_booking(&app, "0").await;
    send_failed_calls(&app).await;
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, reason) in FAILED_CALLS {
        *expected.entry(reason).or_default() += 1;
    }
    wait_for_failed(&app, FAILED_CALLS.len()).await;
    let metrics = Metrics::scrape(app.address).await;
    for (reason, count) in expected {
        let sample = format!("failed_matches_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.text.contains(&sample), "{sample}");
    }
    assert!(metrics.has("failed_matches_total{reason=\"rate_limited\"}"));
}

/// The reason of the last of `count` failed matches.
async fn last_reason(app: &TestApp, form: &str, count: usize) -> Value {
    match_call(app, form).await.error_message("NoMatch", 404);
    wait_for_failed(app, count).await[0]["reason"].clone()
}

async fn the_reason_is_that_of_all_bookings_in_all_groups(app: TestApp) {
    let app = start(&app, "0").await;
    let timeout = "_booking_expiration_timeout=600";
    let coded =
        format!("{timeout}&_phone_number=6504690001&_provide_code=true&_access_code_length=9");
    let oldest = book(&app, &coded).await;
    for _ in 0..25 {
        book(&app, &format!("{timeout}&_phone_number=6504690002")).await;
    }
    let missed = call("_phone_number=6504690001&_access_code=1");
    assert_eq!(last_reason(&app, &missed, 1).await, "other_code");
    // The number moves to another group, and its bookings remain.
    let other = json!({"_allocation_strategy": "LOCAL", "numbers": [number(1)]});
    replace_entry(&app, "groups/support", &other).await;
    let moved = json!({"_allocation_strategy": "ROUND_ROBIN", "numbers": [number(0)]});
    create_entry(&app, "groups/moved", &moved).await;
    assert_eq!(last_reason(&app, &missed, 2).await, "other_code");
    // No group has the number, and the group of the bookings is deleted.
    delete_entry(&app, "services/call").await;
    delete_entry(&app, "groups/moved").await;
    delete_entry(&app, "groups/support").await;
    assert_eq!(last_reason(&app, &missed, 3).await, "other_code");
    let unknown = "_access_number=8001112222";
    assert_eq!(last_reason(&app, unknown, 4).await, "unknown_number");
    let form = call(&format!("_access_code={}", oldest.code()));
    assert_eq!(match_call(&app, &form).await.json()["_id"], oldest.id);
}

#[tokio::test]
async fn the_reason_of_a_booking_that_has_just_expired_is_listed() {
    let app = start(&TestApp::on_redis().await, "0").await;
    let form = "_phone_number=6504690001&_booking_expiration_timeout=5";
    book(&app, form).await;
    book(
        &app,
        "_phone_number=6504690002&_booking_expiration_timeout=600",
    )
    .await;
    let form = call("_phone_number=6504690001");
    eventually("the booking has expired", async || {
        let explained = explain(&app, &form).await;
        (explained["failure"] == "expired").then_some(())
    })
    .await;
    assert_eq!(last_reason(&app, &form, 1).await, "expired");
    // The match has released it.
    assert_eq!(last_reason(&app, &form, 2).await, "other_caller");
}
