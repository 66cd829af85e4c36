//! Resource groups that come, change and go while numbers of them are held.

use serde_json::json;

use super::desk::{
    administered, caller_of, create, create_with, exclusive, make, put_over, remove, replace, told,
};
use crate::support::{
    Answer, TestApp,
    bookings::{Booked, end, eventually, matched, none_free},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_group_gives_out_its_numbers_from_the_moment_that_it_is_made,
    numbers_that_come_and_go_are_given_out_and_no_longer,
    numbers_of_a_deleted_group_stay_held_and_come_back_no_more,
    a_group_that_a_service_needs_is_not_deleted,
    a_group_of_shared_numbers_becomes_one_of_held_ones,
);

async fn booked(app: &TestApp, service: &str) -> Booked {
    Booked::of(&create(app, service).await)
}

async fn a_group_gives_out_its_numbers_from_the_moment_that_it_is_made(app: TestApp) {
    let app = administered(&app).await;
    make(
        &app,
        "groups/support",
        &exclusive(&["8005550001", "8005550002"]),
    )
    .await;
    make(&app, "services/call", &caller_of("support")).await;
    let one = booked(&app, "call").await;
    let two = booked(&app, "call").await;
    let mut numbers = [one.number.as_str(), two.number.as_str()];
    numbers.sort_unstable();
    assert_eq!(numbers, ["8005550001", "8005550002"]);
    create(&app, "call").await.message_of("NoAccessNumber", 503);
    let call = format!("_access_number={}", one.number);
    assert_eq!(matched(&app, &call).await, one.id);
    assert_eq!(booked(&app, "call").await.number, one.number);
}

async fn numbers_that_come_and_go_are_given_out_and_no_longer(app: TestApp) {
    let app = administered(&app).await;
    make(&app, "groups/support", &exclusive(&["8005550001"])).await;
    make(&app, "services/call", &caller_of("support")).await;
    let held = booked(&app, "call").await;
    // It is held while it leaves, and another one comes.
    replace(&app, "groups/support", &exclusive(&["8005550002"])).await;
    let next = eventually("the new number is given out", async || {
        let answer = create(&app, "call").await;
        (answer.status == 200).then(|| Booked::of(&answer))
    })
    .await;
    assert_eq!(next.number, "8005550002");
    let call = format!("_access_number={}", held.number);
    assert_eq!(matched(&app, &call).await, held.id);
    end(&app, &held).await;
    let answer = create(&app, "call").await;
    answer.message_of("NoAccessNumber", 503);
    end(&app, &next).await;
    let again = eventually("the number is back", async || {
        let answer = create(&app, "call").await;
        (answer.status == 200).then(|| Booked::of(&answer))
    })
    .await;
    assert_eq!(again.number, "8005550002");
}

async fn numbers_of_a_deleted_group_stay_held_and_come_back_no_more(app: TestApp) {
    let app = administered(&app).await;
    let group = exclusive(&["8005550001", "8005550002"]);
    make(&app, "groups/support", &group).await;
    make(&app, "services/call", &caller_of("support")).await;
    let timeout = "_booking_expiration_timeout=1800&_resource_group=support";
    let matched_one = Booked::of(&create_with(&app, "call", timeout).await);
    let kept = Booked::of(&create_with(&app, "call", timeout).await);
    remove(&app, "services/call").await;
    remove(&app, "groups/support").await;
    let wish = create_with(&app, "request-interaction", "_resource_group=support").await;
    wish.message_of("InvalidParameter", 400);
    // Whoever was given a number may still call it.
    let call = format!("_access_number={}", matched_one.number);
    assert_eq!(matched(&app, &call).await, matched_one.id);
    let held = told(&app, "groups/support/bookings").await;
    assert_eq!(held["bookings"][0]["number"], kept.number.as_str());
    eventually("the group is emptied", async || {
        let fill = told(&app, "groups/support/bookings").await;
        // The embedded store keeps what nobody can ask for.
        (app.redis.is_none() || fill["size"] == 0).then_some(())
    })
    .await;
    // One of that name, made anew, begins with the numbers that are not held.
    make(&app, "groups/support", &group).await;
    make(&app, "services/call", &caller_of("support")).await;
    assert_eq!(booked(&app, "call").await.number, matched_one.number);
    create(&app, "call").await.message_of("NoAccessNumber", 503);
    end(&app, &kept).await;
    eventually("the number is back", async || {
        (create(&app, "call").await.status == 200).then_some(())
    })
    .await;
}

async fn a_group_that_a_service_needs_is_not_deleted(app: TestApp) {
    let app = administered(&app).await;
    let etag = make(&app, "groups/support", &exclusive(&["8005550001"])).await;
    make(&app, "services/call", &caller_of("support")).await;
    let path = "/genesys/1/admin/groups/support";
    let delete = app.delete(path).header("if-match", &etag);
    let delete = delete.basic_auth("admin", Some(super::desk::PASSWORD));
    let message = Answer::of(delete)
        .await
        .message_of("InvalidDefinition", 400);
    assert!(
        message.contains("service \"call\" could no longer be used"),
        "{message}"
    );
    assert!(message.contains("option _resource_group"), "{message}");
    booked(&app, "call").await;
    let taken = put_over(&app, "groups/support", &etag, &exclusive(&["1", "1"])).await;
    taken.message_of("InvalidDefinition", 400);
    // A number of the file's groups is theirs.
    let other = json!({"_allocation_strategy": "LOCAL", "numbers": ["8005550001"]});
    let answer = super::desk::put(&app, "groups/other", &other).await;
    answer.message_of("InvalidDefinition", 400);
}

async fn a_group_of_shared_numbers_becomes_one_of_held_ones(app: TestApp) {
    let app = administered(&app).await;
    let shared = json!({"_allocation_strategy": "RANDOM", "numbers": ["8005550001"]});
    make(&app, "groups/support", &shared).await;
    make(&app, "services/call", &caller_of("support")).await;
    let first = booked(&app, "call").await;
    let second = booked(&app, "call").await;
    replace(&app, "groups/support", &exclusive(&["8005550001"])).await;
    none_free(&app, "_resource_group=support").await;
    end(&app, &first).await;
    none_free(&app, "_resource_group=support").await;
    end(&app, &second).await;
    eventually("the number is free", async || {
        (create(&app, "call").await.status == 200).then_some(())
    })
    .await;
    create(&app, "call").await.message_of("NoAccessNumber", 503);
}
