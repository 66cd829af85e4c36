//! Comparison of callers and access codes.

use super::start_with_shared_numbers;
use crate::support::{
    TestApp,
    bookings::{
        assert_no_match, book_number, create, default_group_toml, group_toml, match_call, number,
        service_toml, start_app,
    },
    on_redis_only,
};

on_redis_only!(
    a_call_is_matched_by_any_spelling_of_the_caller,
    a_call_is_matched_by_any_spelling_of_the_number,
    numbers_of_different_countries_do_not_match,
    a_caller_without_digits_matches_nothing,
    an_empty_code_is_rejected_unless_the_service_allows_it,
    a_code_matches_in_digits_of_any_script,
);

async fn a_call_is_matched_by_any_spelling_of_the_caller(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let caller = book_number(&app, "_phone_number=6504699999").await;
    let other = book_number(&app, "_phone_number=%2B49%2030%20123456").await;
    for spelling in ["6504699998", "4699999", "030123456"] {
        let call = format!("_access_number={}&_phone_number={spelling}", number(0));
        assert_no_match(&app, &call).await;
    }
    for (spelling, id) in [
        ("%2B1%20650%20469-9999", &caller.id),
        ("%2B4930123456", &other.id),
    ] {
        let call = format!("_access_number={}&_phone_number={spelling}", number(0));
        assert_eq!(&match_call(&app, &call).await, id);
    }
}

async fn a_call_is_matched_by_any_spelling_of_the_number(app: TestApp) {
    let group = group_toml("DNIS", "CLUSTER", &["+1 (800) 555-0001"]);
    let app = start_app(&app, &group).await;
    for spelling in [
        "8005550001",
        "%2B18005550001",
        "1-800-555-0001",
        "%2B1%20(800)%20555-0001",
    ] {
        let booked = book_number(&app, "").await;
        // The response contains the configured spelling.
        assert_eq!(booked.number, "+1 (800) 555-0001");
        let call = format!("_access_number={spelling}");
        assert_eq!(match_call(&app, &call).await, booked.id, "{spelling}");
    }
}

async fn numbers_of_different_countries_do_not_match(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let booked = book_number(&app, "_phone_number=%2B4915112345678").await;
    let call = |caller: &str| format!("_access_number={}&_phone_number={caller}", number(0));
    for other in [
        "%2B495112345678",
        "%2B4915112345678;ext=1",
        "15112345678",
        "%2B49%2015112345679",
    ] {
        assert_no_match(&app, &call(other)).await;
    }
    let same = "sip:%2B49151123-45678@example.org;user=phone";
    assert_eq!(match_call(&app, &call(same)).await, booked.id);
    for (booked_as, called_as) in [
        ("%2B442079460018", "%2B44%20(0)20%207946%200018"),
        ("6504699999", "%EF%BC%8B%EF%BC%91%20650%20469-9999"),
        ("6504699999x123", "tel:%2B16504699999;ext=123"),
        ("%2B390669812345", "011390669812345"),
    ] {
        let id = book_number(&app, &format!("_phone_number={booked_as}"))
            .await
            .id;
        assert_eq!(match_call(&app, &call(called_as)).await, id, "{called_as}");
    }
}

async fn a_caller_without_digits_matches_nothing(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    let withheld = book_number(&app, "_phone_number=anonymous").await;
    let booked = book_number(&app, "_phone_number=6504699999").await;
    for caller in [
        "%01",
        "%20",
        "%C2%A0%E3%80%80",
        "%E2%80%8B",
        "()-",
        "abc",
        "anonymous",
        "sip:anonymous@anonymous.invalid",
        "%2B266696687",
    ] {
        assert_no_match(
            &app,
            &format!("_access_number={}&_phone_number={caller}", number(0)),
        )
        .await;
    }
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, booked.id);
    assert_eq!(match_call(&app, &call).await, withheld.id);
}

async fn an_empty_code_is_rejected_unless_the_service_allows_it(app: TestApp) {
    let mut more = default_group_toml("ROUND_ROBIN", 1);
    more += &service_toml("lenient", "match-interaction");
    more += "_allow_empty_access_code = true\n";
    let app = start_app(&app, &more).await;
    let booked = book_number(&app, "_provide_code=true").await;
    for code in ["", "%20", "%09%20", "%E2%80%83"] {
        let call = format!("_access_number={}&_access_code={code}", number(0));
        let answer = create(&app, "match-interaction", &call).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains("_access_code is empty"), "{message}");
        // A request cannot allow it.
        let call = format!("{call}&_allow_empty_access_code=true");
        let answer = create(&app, "match-interaction", &call).await;
        answer.error_message("InvalidParameter", 400);
    }
    let call = format!("_access_number={}&_access_code=", number(0));
    let answer = create(&app, "lenient", &call).await;
    assert_eq!(answer.json()["_id"], booked.id, "{}", answer.text());
}

async fn a_code_matches_in_digits_of_any_script(app: TestApp) {
    let app = start_with_shared_numbers(&app).await;
    for (zero, spaces) in [('\u{ff10}', ""), ('\u{660}', ""), ('0', "%20")] {
        let booked = book_number(&app, "_provide_code=true").await;
        let digits = booked.code().bytes().map(|digit| {
            let digit = u32::from(digit - b'0');
            char::from_u32(u32::from(zero) + digit).unwrap()
        });
        let code: String = digits.collect();
        assert_no_match(
            &app,
            &format!("_access_number={}&_access_code={code}1", number(0)),
        )
        .await;
        let call = format!(
            "_access_number={}&_access_code={spaces}{code}{spaces}",
            number(0)
        );
        assert_eq!(match_call(&app, &call).await, booked.id);
    }
}
