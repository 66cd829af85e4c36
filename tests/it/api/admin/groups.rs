//! Resource groups that are created, changed and deleted while numbers are booked.

use serde_json::{Value, json};

use super::fixture::{
    create_group_and_service, create_service, create_service_with, delete_entry,
    exclusive_group_options, get_json, put_if_match, replace_entry, start_admin, start_with_group,
};
use crate::support::{
    TestApp, TestResponse,
    bookings::{Booked, assert_none_free, delete_service, eventually, match_call},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    new_group_allocates_numbers_at_once,
    added_numbers_are_allocated_and_removed_ones_are_not,
    numbers_of_a_deleted_group_stay_booked_and_are_not_returned,
    group_in_use_by_a_definition_is_not_deleted,
    shared_group_becomes_exclusive,
    exclusive_group_becomes_shared_and_exclusive_again,
    booked_numbers_of_a_group_that_becomes_shared_come_last,
    a_shared_number_that_is_added_while_it_is_booked_is_free,
);

async fn book_number(app: &TestApp, service: &str) -> Booked {
    Booked::from_response(&create_service(app, service).await)
}

/// Books numbers until this one is booked.
async fn book_until(app: &TestApp, number: &str) {
    eventually("the number is booked", async || {
        let response = create_service(app, "call").await;
        let is_booked = response.status == 200;
        (is_booked && Booked::from_response(&response).number == number).then_some(())
    })
    .await;
}

fn shared_group_options(strategy: &str, numbers: &[&str]) -> Value {
    json!({"_allocation_strategy": strategy, "numbers": numbers})
}

async fn new_group_allocates_numbers_at_once(app: TestApp) {
    let app = start_with_group(&app, &["8005550001", "8005550002"]).await;
    let one = book_number(&app, "call").await;
    let two = book_number(&app, "call").await;
    let mut numbers = [one.number.as_str(), two.number.as_str()];
    numbers.sort_unstable();
    assert_eq!(numbers, ["8005550001", "8005550002"]);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let call = format!("_access_number={}", one.number);
    assert_eq!(match_call(&app, &call).await, one.id);
    assert_eq!(book_number(&app, "call").await.number, one.number);
}

async fn added_numbers_are_allocated_and_removed_ones_are_not(app: TestApp) {
    let app = start_with_group(&app, &["8005550001"]).await;
    let booked = book_number(&app, "call").await;
    // A booked number is removed from the group, and another one added.
    replace_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550002"]),
    )
    .await;
    let next = eventually("the new number is allocated", async || {
        let response = create_service(&app, "call").await;
        (response.status == 200).then(|| Booked::from_response(&response))
    })
    .await;
    assert_eq!(next.number, "8005550002");
    let call = format!("_access_number={}", booked.number);
    assert_eq!(match_call(&app, &call).await, booked.id);
    delete_service(&app, &booked).await;
    let response = create_service(&app, "call").await;
    response.error_message("NoAccessNumber", 503);
    delete_service(&app, &next).await;
    let again = eventually("the number is free", async || {
        let response = create_service(&app, "call").await;
        (response.status == 200).then(|| Booked::from_response(&response))
    })
    .await;
    assert_eq!(again.number, "8005550002");
}

async fn numbers_of_a_deleted_group_stay_booked_and_are_not_returned(app: TestApp) {
    let app = start_admin(&app).await;
    let group = exclusive_group_options(&["8005550001", "8005550002"]);
    create_group_and_service(&app, &group).await;
    let timeout = "_booking_expiration_timeout=1800&_resource_group=support";
    let matched_one = Booked::from_response(&create_service_with(&app, "call", timeout).await);
    let still_booked = Booked::from_response(&create_service_with(&app, "call", timeout).await);
    delete_entry(&app, "services/call").await;
    delete_entry(&app, "groups/support").await;
    let request = create_service_with(&app, "request-interaction", "_resource_group=support").await;
    request.error_message("InvalidParameter", 400);
    // Calls to booked numbers still match.
    let call = format!("_access_number={}", matched_one.number);
    assert_eq!(match_call(&app, &call).await, matched_one.id);
    let booked = get_json(&app, "groups/support/bookings").await;
    assert_eq!(
        booked["bookings"][0]["number"],
        still_booked.number.as_str()
    );
    eventually("the pool is empty", async || {
        let bookings = get_json(&app, "groups/support/bookings").await;
        (bookings["size"] == 0).then_some(())
    })
    .await;
    // A new group of the same name starts with the free numbers.
    create_group_and_service(&app, &group).await;
    assert_eq!(book_number(&app, "call").await.number, matched_one.number);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    delete_service(&app, &still_booked).await;
    eventually("the number is free", async || {
        (create_service(&app, "call").await.status == 200).then_some(())
    })
    .await;
}

async fn group_in_use_by_a_definition_is_not_deleted(app: TestApp) {
    let app = start_admin(&app).await;
    let etag = create_group_and_service(&app, &exclusive_group_options(&["8005550001"])).await;
    let path = "/genesys/1/admin/groups/support";
    let delete = app.delete(path).header("if-match", &etag);
    let delete = delete.basic_auth("admin", Some(super::fixture::PASSWORD));
    let message = TestResponse::send(delete)
        .await
        .error_message("InvalidDefinition", 400);
    assert!(
        message.contains("service \"call\" would become unusable"),
        "{message}"
    );
    assert!(message.contains("option _resource_group"), "{message}");
    book_number(&app, "call").await;
    let taken = put_if_match(
        &app,
        "groups/support",
        &etag,
        &exclusive_group_options(&["1", "1"]),
    )
    .await;
    taken.error_message("InvalidDefinition", 400);
    // Numbers of groups in the catalog file cannot be reused.
    let other = json!({"_allocation_strategy": "LOCAL", "numbers": ["8005550001"]});
    let response = super::fixture::put(&app, "groups/other", &other).await;
    response.error_message("InvalidDefinition", 400);
}

async fn shared_group_becomes_exclusive(app: TestApp) {
    let app = start_admin(&app).await;
    let shared = json!({"_allocation_strategy": "RANDOM", "numbers": ["8005550001"]});
    create_group_and_service(&app, &shared).await;
    let first = book_number(&app, "call").await;
    let second = book_number(&app, "call").await;
    replace_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    assert_none_free(&app, "_resource_group=support").await;
    delete_service(&app, &first).await;
    assert_none_free(&app, "_resource_group=support").await;
    delete_service(&app, &second).await;
    eventually("the number is free", async || {
        (create_service(&app, "call").await.status == 200).then_some(())
    })
    .await;
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
}

async fn exclusive_group_becomes_shared_and_exclusive_again(app: TestApp) {
    let numbers = ["8005550001"];
    let app = start_with_group(&app, &numbers).await;
    let first = book_number(&app, "call").await;
    assert_none_free(&app, "_resource_group=support").await;
    let shared = shared_group_options("ROUND_ROBIN", &numbers);
    replace_entry(&app, "groups/support", &shared).await;
    book_until(&app, &first.number).await;
    let exclusive = exclusive_group_options(&numbers);
    replace_entry(&app, "groups/support", &exclusive).await;
    assert_none_free(&app, "_resource_group=support").await;
    delete_service(&app, &first).await;
    assert_none_free(&app, "_resource_group=support").await;
}

async fn booked_numbers_of_a_group_that_becomes_shared_come_last(app: TestApp) {
    let numbers = ["8005550001", "8005550002", "8005550003"];
    let app = start_with_group(&app, &numbers).await;
    let wait_for_free = async |count: u64| {
        eventually("the numbers are free", async || {
            let bookings = get_json(&app, "groups/support/bookings").await;
            (bookings["free"].as_u64() == Some(count)).then_some(())
        })
        .await;
    };
    book_number(&app, "call").await;
    let second = book_number(&app, "call").await;
    delete_service(&app, &second).await;
    wait_for_free(2).await;
    let shared = shared_group_options("ROUND_ROBIN", &numbers);
    replace_entry(&app, "groups/support", &shared).await;
    wait_for_free(3).await;
    for expected in [numbers[2], numbers[1], numbers[0]] {
        assert_eq!(book_number(&app, "call").await.number, expected);
    }
}

async fn a_shared_number_that_is_added_while_it_is_booked_is_free(app: TestApp) {
    let app = start_admin(&app).await;
    let options = |number| shared_group_options("ROUND_ROBIN", &[number]);
    create_group_and_service(&app, &options("8005550001")).await;
    assert_eq!(book_number(&app, "call").await.number, "8005550001");
    for number in ["8005550002", "8005550001"] {
        replace_entry(&app, "groups/support", &options(number)).await;
        book_until(&app, number).await;
    }
    // It is the only one.
    assert_eq!(book_number(&app, "call").await.number, "8005550001");
    replace_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    assert_none_free(&app, "_resource_group=support").await;
}
