//! Bookings of a group.

use futures_util::future::join_all;
use reqwest::Method;

use super::fixture::{
    audit_actions, create_service, create_service_with, get, get_json, request, start_with_group,
};
use crate::support::{
    TestApp, TestResponse,
    bookings::{Booked, number},
    encode, on_every_kind_of_store,
};

on_every_kind_of_store!(
    bookings_are_listed_by_group_and_by_number,
    operator_releases_a_number,
    a_booking_is_released_by_one_request,
);

async fn bookings_are_listed_by_group_and_by_number(app: TestApp) {
    let numbers: Vec<String> = (0..8).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let app = start_with_group(&app, &numbers).await;
    let mut booked = Vec::new();
    for n in 0..7 {
        let form = format!("_phone_number=650469000{n}&_provide_code=true");
        booked.push(Booked::from_response(
            &create_service_with(&app, "call", &form).await,
        ));
    }
    let mut found = Vec::new();
    let mut path = "groups/support/bookings?limit=3".to_owned();
    loop {
        let page = get_json(&app, &path).await;
        assert_eq!(
            (page["size"].as_u64(), page["free"].as_u64()),
            (Some(8), Some(1))
        );
        for booking in page["bookings"].as_array().unwrap() {
            assert_eq!(booking["has_code"], true);
            let text = |member: &str| booking[member].as_str().unwrap().to_owned();
            found.push((text("number"), text("service"), text("caller")));
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("groups/support/bookings?limit=3&after={}", encode(next));
    }
    found.sort();
    let expected = booked.iter().enumerate().map(|(n, one)| {
        (
            one.number.clone(),
            one.id.clone(),
            format!("+1650469000{n}"),
        )
    });
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(found, expected);
    for code in booked.iter().map(Booked::code) {
        let page = get(&app, "groups/support/bookings").await;
        assert!(!page.text().contains(&format!("\"{code}\"")));
    }
    // In any spelling.
    let number = format!("+1 {}", booked[2].number);
    let page = get_json(
        &app,
        &format!("groups/support/bookings?number={}", encode(&number)),
    )
    .await;
    assert_eq!(page["bookings"].as_array().unwrap().len(), 1);
    assert_eq!(page["bookings"][0]["service"], booked[2].id.as_str());
    let none = get_json(&app, "groups/support/bookings?number=1").await;
    assert!(none["bookings"].as_array().unwrap().is_empty());
    get(&app, "groups/none/bookings")
        .await
        .error_message("GroupNotFound", 404);
    get(&app, "groups/none")
        .await
        .error_message("GroupNotFound", 404);
}

async fn operator_releases_a_number(app: TestApp) {
    let app = start_with_group(&app, &["8005550001"]).await;
    let booked = Booked::from_response(&create_service(&app, "call").await);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let page = get_json(&app, "groups/support/bookings").await;
    let booking = page["bookings"][0]["booking"].as_str().unwrap();
    let path = format!("groups/support/bookings/{booking}");
    TestResponse::send(request(&app, Method::DELETE, &path))
        .await
        .assert_ok();
    // The number is free at once, the service stays active, and its end does not release the number again.
    let next = Booked::from_response(&create_service(&app, "call").await);
    assert_eq!(next.number, booked.number);
    let ended = TestResponse::send(app.delete(&booked.service_path())).await;
    ended.assert_ok();
    let again = TestResponse::send(request(&app, Method::DELETE, &path)).await;
    again.error_message("BookingNotFound", 404);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    assert_eq!(
        audit_actions(&app).await[0],
        "release booking support/8005550001"
    );
}

async fn a_booking_is_released_by_one_request(app: TestApp) {
    let app = start_with_group(&app, &["8005550001"]).await;
    create_service(&app, "call").await.service_id();
    let page = get_json(&app, "groups/support/bookings").await;
    let booking = page["bookings"][0]["booking"].as_str().unwrap();
    let path = format!("groups/support/bookings/{booking}");
    let requests = (0..8).map(|_| TestResponse::send(request(&app, Method::DELETE, &path)));
    let responses = join_all(requests).await;
    let (released, others): (Vec<_>, Vec<_>) = responses
        .into_iter()
        .partition(|response| response.status == 200);
    assert_eq!(released.len(), 1);
    for response in others {
        response.error_message("BookingNotFound", 404);
    }
}
