//! Resource groups that come, change and go while numbers of them are held.

use serde_json::json;

use super::fixture::{
    create_entry, create_service, create_service_with, delete_entry, exclusive_group_options,
    get_json, put_if_match, replace_entry, request_interaction_options, start_admin,
};
use crate::support::{
    TestApp, TestResponse,
    bookings::{Booked, assert_none_free, delete_service, eventually, match_call},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_group_gives_out_its_numbers_from_the_moment_that_it_is_made,
    numbers_that_come_and_go_are_given_out_and_no_longer,
    numbers_of_a_deleted_group_stay_held_and_come_back_no_more,
    a_group_that_a_service_needs_is_not_deleted,
    a_group_of_shared_numbers_becomes_one_of_held_ones,
);

async fn book_number(app: &TestApp, service: &str) -> Booked {
    Booked::from_response(&create_service(app, service).await)
}

async fn a_group_gives_out_its_numbers_from_the_moment_that_it_is_made(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550001", "8005550002"]),
    )
    .await;
    create_entry(
        &app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
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

async fn numbers_that_come_and_go_are_given_out_and_no_longer(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    create_entry(
        &app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
    let held = book_number(&app, "call").await;
    // It is held while it leaves, and another one comes.
    replace_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550002"]),
    )
    .await;
    let next = eventually("the new number is given out", async || {
        let answer = create_service(&app, "call").await;
        (answer.status == 200).then(|| Booked::from_response(&answer))
    })
    .await;
    assert_eq!(next.number, "8005550002");
    let call = format!("_access_number={}", held.number);
    assert_eq!(match_call(&app, &call).await, held.id);
    delete_service(&app, &held).await;
    let answer = create_service(&app, "call").await;
    answer.error_message("NoAccessNumber", 503);
    delete_service(&app, &next).await;
    let again = eventually("the number is back", async || {
        let answer = create_service(&app, "call").await;
        (answer.status == 200).then(|| Booked::from_response(&answer))
    })
    .await;
    assert_eq!(again.number, "8005550002");
}

async fn numbers_of_a_deleted_group_stay_held_and_come_back_no_more(app: TestApp) {
    let app = start_admin(&app).await;
    let group = exclusive_group_options(&["8005550001", "8005550002"]);
    create_entry(&app, "groups/support", &group).await;
    create_entry(
        &app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
    let timeout = "_booking_expiration_timeout=1800&_resource_group=support";
    let matched_one = Booked::from_response(&create_service_with(&app, "call", timeout).await);
    let kept = Booked::from_response(&create_service_with(&app, "call", timeout).await);
    delete_entry(&app, "services/call").await;
    delete_entry(&app, "groups/support").await;
    let wish = create_service_with(&app, "request-interaction", "_resource_group=support").await;
    wish.error_message("InvalidParameter", 400);
    // Whoever was given a number may still call it.
    let call = format!("_access_number={}", matched_one.number);
    assert_eq!(match_call(&app, &call).await, matched_one.id);
    let held = get_json(&app, "groups/support/bookings").await;
    assert_eq!(held["bookings"][0]["number"], kept.number.as_str());
    eventually("the group is emptied", async || {
        let fill = get_json(&app, "groups/support/bookings").await;
        // The embedded store keeps what nobody can ask for.
        (app.redis.is_none() || fill["size"] == 0).then_some(())
    })
    .await;
    // One of that name, made anew, begins with the numbers that are not held.
    create_entry(&app, "groups/support", &group).await;
    create_entry(
        &app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
    assert_eq!(book_number(&app, "call").await.number, matched_one.number);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    delete_service(&app, &kept).await;
    eventually("the number is back", async || {
        (create_service(&app, "call").await.status == 200).then_some(())
    })
    .await;
}

async fn a_group_that_a_service_needs_is_not_deleted(app: TestApp) {
    let app = start_admin(&app).await;
    let etag = create_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    create_entry(
        &app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
    let path = "/genesys/1/admin/groups/support";
    let delete = app.delete(path).header("if-match", &etag);
    let delete = delete.basic_auth("admin", Some(super::fixture::PASSWORD));
    let message = TestResponse::send(delete)
        .await
        .error_message("InvalidDefinition", 400);
    assert!(
        message.contains("service \"call\" could no longer be used"),
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
    // A number of the file's groups is theirs.
    let other = json!({"_allocation_strategy": "LOCAL", "numbers": ["8005550001"]});
    let answer = super::fixture::put(&app, "groups/other", &other).await;
    answer.error_message("InvalidDefinition", 400);
}

async fn a_group_of_shared_numbers_becomes_one_of_held_ones(app: TestApp) {
    let app = start_admin(&app).await;
    let shared = json!({"_allocation_strategy": "RANDOM", "numbers": ["8005550001"]});
    create_entry(&app, "groups/support", &shared).await;
    create_entry(
        &app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
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
