//! Contract section 5, `match-interaction`: finding the service of a call.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::{
        assert_no_match, book_another, book_number, create, default_group_toml, delete_service,
        eventually, group_toml, keys, match_call, number, service_toml, set_end, start_app,
        wait_for_clock_tick,
    },
    on_every_kind_of_store,
};

mod comparison;
mod regions;

on_every_kind_of_store!(
    a_call_is_matched_by_number,
    a_call_is_matched_by_code,
    code_and_caller_must_both_match,
    a_booking_without_code_or_caller_does_not_match_one,
    the_newest_of_several_bookings_is_matched,
    the_newest_booking_is_matched_across_groups,
    one_of_fifty_concurrent_calls_matches_a_booking,
    fifty_concurrent_calls_match_fifty_bookings,
    a_call_without_a_match_keeps_the_booking,
    an_ended_service_is_never_matched,
    an_expired_booking_is_never_matched,
    a_service_remains_active_after_its_match,
    user_data_is_returned_on_request,
    the_access_number_is_required,
    a_match_creates_no_service,
    creates_of_no_service_ignore_the_idempotency_key,
    options_of_the_service_apply_to_a_match,
);

/// Starts a replica with a group of shared numbers.
async fn start_with_shared_numbers(app: &TestApp) -> TestApp {
    start_app(app, &default_group_toml("ROUND_ROBIN", 1)).await
}

async fn a_call_is_matched_by_number(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 2)).await;
    let (one, other) = (
        book_number(&app, "").await,
        book_number(&app, "_provide_code=true").await,
    );
    for booked in [&other, &one] {
        let call = format!("_access_number={}", booked.number);
        let answer = create(&app, "match-interaction", &call).await;
        let expected = json!({"_id": booked.id, "_data_id": booked.id});
        assert_eq!(answer.json(), expected);
        assert!(answer.text().starts_with("{\"_id\":\""));
    }
}

async fn a_call_is_matched_by_code(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let mut bookings = Vec::new();
    for _ in 0..3 {
        bookings.push(book_number(&app, "_provide_code=true").await);
    }
    for booked in [&bookings[1], &bookings[0], &bookings[2]] {
        let call = format!(
            "_access_number={}&_access_code={}",
            booked.number,
            booked.code()
        );
        assert_eq!(match_call(&app, &call).await, booked.id);
        assert_no_match(&app, &call).await;
    }
}

async fn code_and_caller_must_both_match(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let form = "_provide_code=true&_phone_number=6504699999";
    let booked = book_number(&app, form).await;
    let other = book_number(&app, "_provide_code=true&_phone_number=6504690000").await;
    let call = |code: &str, caller: &str| {
        format!(
            "_access_number={}&_access_code={code}&_phone_number={caller}",
            number(0)
        )
    };
    assert_no_match(&app, &call(other.code(), "6504699999")).await;
    assert_no_match(&app, &call(booked.code(), "6504690000")).await;
    assert_eq!(
        match_call(&app, &call(booked.code(), "6504699999")).await,
        booked.id
    );
    assert_eq!(
        match_call(&app, &call(other.code(), "6504690000")).await,
        other.id
    );
}

async fn a_booking_without_code_or_caller_does_not_match_one(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    let booked = book_number(&app, "").await;
    assert_no_match(
        &app,
        &format!("_access_number={}&_access_code=123456", number(0)),
    )
    .await;
    assert_no_match(
        &app,
        &format!("_access_number={}&_phone_number=6504699999", number(0)),
    )
    .await;
    // An empty caller is absent; an empty code would match any booking.
    let call = format!("_access_number={}&_access_code=", number(0));
    let answer = create(&app, "match-interaction", &call).await;
    answer.error_message("InvalidParameter", 400);
    let call = format!("_access_number={}&_phone_number=", number(0));
    assert_eq!(match_call(&app, &call).await, booked.id);
}

async fn the_newest_of_several_bookings_is_matched(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let mut bookings = Vec::new();
    for caller in ["6504699999", "6504690000", "6504699999", "6504690000"] {
        bookings.push(
            book_number(&app, &format!("_phone_number={caller}"))
                .await
                .id,
        );
        wait_for_clock_tick().await;
    }
    let by_caller = format!("_access_number={}&_phone_number=6504699999", number(0));
    assert_eq!(match_call(&app, &by_caller).await, bookings[2]);
    let by_number = format!("_access_number={}", number(0));
    for expected in [3, 1, 0] {
        assert_eq!(match_call(&app, &by_number).await, bookings[expected]);
    }
    assert_no_match(&app, &by_number).await;
}

async fn the_newest_booking_is_matched_across_groups(app: TestApp) {
    let mut groups = group_toml("DNIS", "CLUSTER", &["8005550001"]);
    groups += &group_toml("shared", "RANDOM", &["+1 800 555 0001"]);
    groups += &group_toml("third", "CLUSTER", &["8005550003"]);
    groups += "_backup_resource = \"8005550001\"\n";
    let app = start_app(&app, &groups).await;
    let mut bookings = Vec::new();
    for form in [
        "_resource_group=shared",
        "",
        "_resource_group=third",
        "_resource_group=third",
        "_resource_group=shared",
    ] {
        bookings.push(book_number(&app, form).await.id);
        wait_for_clock_tick().await;
    }
    for expected in [4, 3, 1, 0] {
        let found = match_call(&app, "_access_number=8005550001").await;
        assert_eq!(found, bookings[expected]);
    }
    assert_no_match(&app, "_access_number=8005550001").await;
    assert_eq!(
        match_call(&app, "_access_number=8005550003").await,
        bookings[2]
    );
}

async fn one_of_fifty_concurrent_calls_matches_a_booking(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    for form in ["", "_provide_code=true"] {
        let booked = book_number(&app, form).await;
        let mut call = format!("_access_number={}", booked.number);
        if let Some(code) = &booked.code {
            call = format!("{call}&_access_code={code}");
        }
        let calls = (0..50).map(|_| create(&app, "match-interaction", &call));
        let answers = join_all(calls).await;
        let (found, others): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].json()["_id"], booked.id);
        for answer in others {
            answer.error_message("NoMatch", 404);
        }
    }
}

async fn fifty_concurrent_calls_match_fifty_bookings(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let booked = join_all((0..50).map(|_| book_number(&app, ""))).await;
    let mut expected: Vec<_> = booked.into_iter().map(|booked| booked.id).collect();
    let call = format!("_access_number={}", number(0));
    let mut found = join_all((0..50).map(|_| match_call(&app, &call))).await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_no_match(&app, &call).await;
}

async fn a_call_without_a_match_keeps_the_booking(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 2)).await;
    let booked = book_number(&app, "_provide_code=true&_phone_number=6504699999").await;
    let wrong = if booked.code() == "000000" {
        "000001"
    } else {
        "000000"
    };
    for call in [
        format!("_access_number={}&_access_code={wrong}", number(0)),
        format!(
            "_access_number={}&_access_code={}",
            number(0),
            &booked.code()[1..]
        ),
        format!("_access_number={}&_phone_number=6504690000", number(0)),
        format!(
            "_access_number={}&_access_code={}",
            number(1),
            booked.code()
        ),
        "_access_number=8001112222".to_owned(),
        "_access_number=unknown".to_owned(),
    ] {
        let answer = create(&app, "match-interaction", &call).await;
        answer.error_message("NoMatch", 404);
    }
    let call = format!(
        "_access_number={}&_access_code={}&_phone_number=1-650-469-9999",
        number(0),
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, booked.id);
}

async fn an_ended_service_is_never_matched(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let call = format!("_access_number={}", number(0));
    let active = book_number(&app, "_booking_expiration_timeout=600").await;
    for _ in 0..20 {
        wait_for_clock_tick().await;
        let ended = book_number(&app, "_booking_expiration_timeout=600").await;
        // Sent immediately: its number may not be released yet.
        delete_service(&app, &ended).await;
        let booked = book_another(&app, &active.id, "").await;
        assert_eq!(booked.number, number(0));
        assert_eq!(match_call(&app, &call).await, active.id);
    }
    delete_service(&app, &active).await;
    assert_no_match(&app, &call).await;
    let ended = book_number(&app, "_booking_expiration_timeout=600").await;
    set_end(&app, &ended, "ttl=1").await;
    eventually("the end of a service", async || {
        let response = TestResponse::send(app.get(&ended.service_path())).await;
        (response.status == 404).then_some(())
    })
    .await;
    assert_no_match(&app, &call).await;
}

async fn an_expired_booking_is_never_matched(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let call = format!("_access_number={}", number(0));
    let long = book_number(&app, "_booking_expiration_timeout=600").await;
    let booked = book_another(
        &app,
        &long.id,
        "_booking_expiration_timeout=5&_provide_code=true",
    )
    .await;
    let timed = format!("{call}&_access_code={}", booked.code());
    // A second booking of five seconds shows when they have passed, on the same clock.
    let other = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    book_number(&other, "_booking_expiration_timeout=5").await;
    eventually("five seconds have passed", async || {
        (create(&other, "request-interaction", "").await.status == 200).then_some(())
    })
    .await;
    assert_no_match(&app, &timed).await;
    // The older one is the newest remaining.
    assert_eq!(match_call(&app, &call).await, long.id);
    assert_no_match(&app, &call).await;
}

async fn a_service_remains_active_after_its_match(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    let booked = book_number(&app, "Key1=Value1&_ttl=600").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, booked.id);
    let path = format!("{}/storage", booked.service_path());
    let write = app.post(&path).form_body("Key2=Value2");
    assert_eq!(TestResponse::send(write).await.status, 200);
    let stored = TestResponse::send(app.get(&path)).await.json();
    assert_eq!(stored, json!({"Key1": "Value1", "Key2": "Value2"}));
    let description = TestResponse::send(app.get(&booked.service_path()))
        .await
        .json();
    assert!(description["_ttl"].as_u64().unwrap() > 500, "{description}");
    // Another number can be booked for it.
    assert_eq!(book_another(&app, &booked.id, "").await.number, number(0));
    assert_eq!(match_call(&app, &call).await, booked.id);
    delete_service(&app, &booked).await;
}

async fn user_data_is_returned_on_request(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    for (parameter, is_included) in [
        ("", false),
        ("&_return_user_data=False", false),
        ("&_return_user_data=True", true),
    ] {
        let booked = book_number(&app, "Key1=Value1&Key2=%22%C3%A9&_mine=1").await;
        let call = format!("_access_number={}{parameter}", number(0));
        let answer = create(&app, "match-interaction", &call).await;
        let mut expected = json!({"_id": booked.id, "_data_id": booked.id});
        if is_included {
            expected["_user_data"] = json!({"Key1": "Value1", "Key2": "\"\u{e9}"});
        }
        assert_eq!(answer.json(), expected, "{parameter}");
    }
    let booked = book_number(&app, "").await;
    let wrong = format!("_access_number={}&_return_user_data=1", number(0));
    let answer = create(&app, "match-interaction", &wrong).await;
    answer.error_message("InvalidParameter", 400);
    let call = format!("_access_number={}&_return_user_data=true", number(0));
    let answer = create(&app, "match-interaction", &call).await;
    let expected = json!({"_id": booked.id, "_data_id": booked.id, "_user_data": {}});
    assert_eq!(answer.json(), expected);
}

async fn the_access_number_is_required(app: TestApp) {
    for form in [
        "",
        "_access_number=",
        "_access_code=1234&_phone_number=6504699999",
    ] {
        let answer = create(&app, "match-interaction", form).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains("_access_number"), "{message}");
    }
    for name in ["_access_number", "_phone_number"] {
        let uri = format!("sip:{}@example.org", "1".repeat(300));
        let form = format!("_access_number=8003449999&{name}={uri}");
        let answer = create(&app, "match-interaction", &form).await;
        answer.error_message("InvalidParameter", 400);
        let form = format!("_access_number=8003449999&{name}={}", "1".repeat(65));
        let answer = create(&app, "match-interaction", &form).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains(name), "{message}");
    }
}

async fn a_match_creates_no_service(app: TestApp) {
    let booked = book_number(&app, "").await;
    let before = keys(&app, "svc:*").await;
    let request = app.post("/genesys/1/service/match-interaction");
    let request = request.header("Idempotency-Key", "order-4711-of-0001");
    let form = format!("_access_number={}&a=1", booked.number);
    let answer = TestResponse::send(request.form_body(&form)).await;
    assert_eq!(answer.json()["_id"], booked.id, "{}", answer.text());
    assert_no_match(&app, &form).await;
    assert_eq!(keys(&app, "svc:*").await, before);
    let stored = TestResponse::send(app.get(&format!("{}/storage", booked.service_path()))).await;
    assert_eq!(stored.json(), json!({}));
}

async fn creates_of_no_service_ignore_the_idempotency_key(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 2)).await;
    let booked = book_number(&app, "").await;
    let send = async |name: &str, form: &str| {
        let request = app.post(&format!("/genesys/1/service/{name}"));
        let request = request.header("Idempotency-Key", "short");
        TestResponse::send(request.form_body(form)).await
    };
    let form = format!("_access_number={}", booked.number);
    let matched = send("match-interaction", &form).await;
    assert_eq!(matched.status, 200, "{}", matched.text());
    assert_eq!(matched.json()["_id"], booked.id);
    let form = format!("_id={}", booked.id);
    let access = send("request-access", &form).await;
    assert_eq!(access.status, 200, "{}", access.text());
    // A repeat books another number.
    let other = send("request-access", &form).await;
    assert_eq!(other.status, 200, "{}", other.text());
    assert_ne!(
        access.json()["_access_number"],
        other.json()["_access_number"]
    );
    assert!(other.headers.get("idempotent-replayed").is_none());
}

async fn options_of_the_service_apply_to_a_match(app: TestApp) {
    let mut more = default_group_toml("CLUSTER", 1);
    more += &service_toml("with_data", "match-interaction");
    more += "_return_user_data = true\n";
    let app = start_app(&app, &more).await;
    book_number(&app, "a=1").await;
    let form = format!("_access_number={}&_return_user_data=false", number(0));
    let answer = create(&app, "with_data", &form).await;
    assert_eq!(answer.json()["_user_data"], json!({"a": "1"}));
}
