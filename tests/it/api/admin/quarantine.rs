//! Numbers that an operator quarantines.

use redis::AsyncCommands;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    fixture::{
        ADMIN_SETTINGS, audit_actions, create_entry, create_service, delete_entry,
        exclusive_group_options, get, get_json, import, replace_entry, request, start_admin,
        start_replica, start_with_group,
    },
    operators_fixture::{OLGA, request_as, start_with_operators},
};
use crate::support::{
    TestApp, TestResponse,
    bookings::{Booked, delete_service, eventually, match_call},
    encode, on_every_kind_of_store, on_redis_only,
};

on_every_kind_of_store!(
    a_quarantined_number_is_not_booked,
    a_quarantine_survives_changes_and_imports,
    a_number_of_another_spelling_is_free_after_its_booking,
    a_quarantine_ends_with_the_removal_of_the_number,
    a_quarantine_ends_with_the_deletion_of_the_group,
    quarantined_numbers_are_listed_in_pages,
    invalid_requests_change_nothing,
);

mod with_redis {
    use super::*;

    on_redis_only!(
        a_quarantine_applies_to_all_replicas_and_outlives_them,
        a_repaired_group_keeps_its_quarantines,
        a_quarantined_number_that_was_added_is_removed_again,
    );
}

const QUARANTINE: &str = "groups/support/quarantine";

async fn change(app: &TestApp, method: Method, number: &str) -> TestResponse {
    let path = format!("{QUARANTINE}/{}", encode(number));
    TestResponse::send(request(app, method, &path)).await
}

async fn quarantine(app: &TestApp, number: &str) {
    change(app, Method::PUT, number).await.assert_ok();
}

async fn list(app: &TestApp) -> Vec<Value> {
    let page = get_json(app, QUARANTINE).await;
    page["numbers"].as_array().unwrap().clone()
}

/// The listed numbers.
async fn listed(app: &TestApp) -> Vec<String> {
    let numbers = list(app).await;
    let numbers = numbers.iter().map(|one| one["number"].as_str().unwrap());
    numbers.map(str::to_owned).collect()
}

/// Numbers, free numbers and quarantined numbers.
async fn counts(app: &TestApp) -> [u64; 3] {
    let page = get_json(app, "groups/support/bookings").await;
    ["size", "free", "quarantined"].map(|member| page[member].as_u64().unwrap())
}

async fn wait_for_counts(app: &TestApp, expected: [u64; 3]) {
    eventually("the group is synchronized", async || {
        (counts(app).await == expected).then_some(())
    })
    .await;
}

async fn book(app: &TestApp) -> Booked {
    Booked::from_response(&create_service(app, "call").await)
}

async fn assert_exhausted(app: &TestApp) {
    let response = create_service(app, "call").await;
    response.error_message("NoAccessNumber", 503);
}

async fn a_quarantined_number_is_not_booked(app: TestApp) {
    let app = start_with_operators(&app).await;
    let numbers = exclusive_group_options(&["8005550001", "8005550002"]);
    super::fixture::create_group_and_service(&app, &numbers).await;
    let path = format!("{QUARANTINE}/{}", encode("+1 800-555-0001"));
    for _ in 0..2 {
        let put = request_as(&app, OLGA, Method::PUT, &path);
        TestResponse::send(put).await.assert_ok();
    }
    assert_eq!(counts(&app).await, [1, 1, 1]);
    let numbers = list(&app).await;
    let since = numbers[0]["since"].as_str().unwrap();
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
    let expected = json!([{"number": "8005550001", "since": since, "by": "olga"}]);
    assert_eq!(json!(numbers), expected);
    assert_eq!(book(&app).await.number, "8005550002");
    assert_exhausted(&app).await;
    let delete = request_as(&app, OLGA, Method::DELETE, &path);
    TestResponse::send(delete).await.assert_ok();
    assert_eq!(counts(&app).await, [2, 1, 0]);
    let booked = book(&app).await;
    assert_eq!(booked.number, "8005550001");
    let again = change(&app, Method::DELETE, "8005550001").await;
    let message = again.error_message("NumberNotFound", 404);
    let expected = "number \"8005550001\" of resource group \"support\" is not quarantined";
    assert_eq!(message, expected);
    // A booking of a quarantined number is matched, and its release does not make the number free.
    quarantine(&app, "8005550001").await;
    assert_eq!(
        match_call(&app, "_access_number=8005550001").await,
        booked.id
    );
    assert_exhausted(&app).await;
    let actions = audit_actions(&app).await;
    let expected = [
        "quarantine number support/8005550001",
        "end_quarantine number support/8005550001",
        "quarantine number support/8005550001",
    ];
    assert_eq!(actions[..3], expected);
    let log = get_json(&app, "audit-log").await;
    assert_eq!(log["events"][1]["actor"], "olga");
    assert_eq!(log["events"][1]["before"]["quarantined_by"], "olga");
}

async fn a_quarantine_survives_changes_and_imports(app: TestApp) {
    let app = start_with_group(&app, &["8005550001", "8005550002"]).await;
    quarantine(&app, "8005550001").await;
    let before = list(&app).await;
    let numbers = ["8005550003", "+1 800 555 0001", "8005550002"];
    let options = exclusive_group_options(&numbers);
    replace_entry(&app, "groups/support", &options).await;
    // The embedded store reads the numbers again with the next booking.
    book(&app).await;
    wait_for_counts(&app, [2, 1, 1]).await;
    let after = list(&app).await;
    assert_eq!(after[0]["number"], "+1 800 555 0001");
    assert_eq!(after[0]["since"], before[0]["since"]);
    let exported = get(&app, "catalog").await;
    let text = exported.text().replace("8005550003", "8005550004");
    let imported = import(&app, Method::PUT, "*", &text).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    let mut booked = Vec::new();
    eventually("the imported number is booked", async || {
        let response = create_service(&app, "call").await;
        if response.status == 200 {
            booked.push(Booked::from_response(&response).number);
        }
        booked.contains(&"8005550004".to_owned()).then_some(())
    })
    .await;
    assert!(
        !booked.contains(&"+1 800 555 0001".to_owned()),
        "{booked:?}"
    );
    assert_eq!(list(&app).await, after);
    change(&app, Method::DELETE, "8005550001").await.assert_ok();
    assert_eq!(listed(&app).await, [""; 0]);
}

async fn a_number_of_another_spelling_is_free_after_its_booking(app: TestApp) {
    let app = start_with_group(&app, &["8005550001"]).await;
    let booked = book(&app).await;
    quarantine(&app, "8005550001").await;
    let respelled = "+1 800 555 0001";
    replace_entry(
        &app,
        "groups/support",
        &exclusive_group_options(&[respelled]),
    )
    .await;
    eventually("the group is synchronized", async || {
        assert_exhausted(&app).await;
        (listed(&app).await == [respelled]).then_some(())
    })
    .await;
    change(&app, Method::DELETE, respelled).await.assert_ok();
    assert_exhausted(&app).await;
    delete_service(&app, &booked).await;
    wait_for_counts(&app, [1, 1, 0]).await;
    assert_eq!(book(&app).await.number, respelled);
}

async fn a_quarantine_ends_with_the_removal_of_the_number(app: TestApp) {
    let app = start_with_group(&app, &["8005550001", "8005550002"]).await;
    quarantine(&app, "8005550001").await;
    let without = exclusive_group_options(&["8005550002"]);
    replace_entry(&app, "groups/support", &without).await;
    assert_eq!(book(&app).await.number, "8005550002");
    wait_for_counts(&app, [1, 0, 0]).await;
    let with = exclusive_group_options(&["8005550001", "8005550002"]);
    replace_entry(&app, "groups/support", &with).await;
    eventually("the number is booked", async || {
        let response = create_service(&app, "call").await;
        (response.status == 200).then(|| Booked::from_response(&response))
    })
    .await;
    assert_eq!(listed(&app).await, [""; 0]);
}

async fn a_quarantine_ends_with_the_deletion_of_the_group(app: TestApp) {
    let app = start_admin(&app).await;
    let group = exclusive_group_options(&["8005550001"]);
    create_entry(&app, "groups/support", &group).await;
    quarantine(&app, "8005550001").await;
    assert_eq!(counts(&app).await, [0, 0, 1]);
    delete_entry(&app, "groups/support").await;
    wait_for_counts(&app, [0, 0, 0]).await;
    create_entry(&app, "groups/support", &group).await;
    assert_eq!(listed(&app).await, [""; 0]);
    wait_for_counts(&app, [1, 1, 0]).await;
}

async fn quarantined_numbers_are_listed_in_pages(app: TestApp) {
    let all = ["8005550003", "8005550001", "8005550002"];
    let app = start_with_group(&app, &all).await;
    for number in all {
        quarantine(&app, number).await;
        crate::support::bookings::wait_for_clock_tick().await;
    }
    let (mut found, mut path) = (Vec::new(), format!("{QUARANTINE}?limit=1"));
    loop {
        let page = get_json(&app, &path).await;
        assert_eq!(page["group"], "support");
        found.push(page["numbers"][0]["number"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("{QUARANTINE}?limit=1&after={}", encode(next));
    }
    assert_eq!(found, all);
    assert_exhausted(&app).await;
}

async fn invalid_requests_change_nothing(app: TestApp) {
    let app = start_with_group(&app, &["8005550001"]).await;
    let with_backup = json!({
        "_allocation_strategy": "LOCAL", "numbers": ["8005550011"],
        "_backup_resource": "8005550019",
    });
    create_entry(&app, "groups/other", &with_backup).await;
    let too_long = format!("{QUARANTINE}/{}", "8".repeat(65));
    for (path, exception, status) in [
        (
            "groups/support/quarantine/8005550002",
            "NumberNotFound",
            404,
        ),
        ("groups/none/quarantine/8005550001", "GroupNotFound", 404),
        (&too_long, "InvalidParameter", 400),
        (
            "groups/other/quarantine/8005550019",
            "InvalidParameter",
            400,
        ),
    ] {
        for method in [Method::PUT, Method::DELETE] {
            let response = TestResponse::send(request(&app, method, path)).await;
            response.error_message(exception, status);
        }
    }
    let response = change(&app, Method::DELETE, "8005550001").await;
    response.error_message("NumberNotFound", 404);
    let none = get(&app, "groups/none/quarantine").await;
    none.error_message("GroupNotFound", 404);
    assert_eq!(counts(&app).await, [1, 1, 0]);
    let actions = audit_actions(&app).await;
    assert!(
        !actions.iter().any(|action| action.contains("quarantine")),
        "{actions:?}"
    );
}

async fn a_quarantine_applies_to_all_replicas_and_outlives_them(app: TestApp) {
    let first = start_with_group(&app, &["8005550001", "8005550002"]).await;
    let second = start_replica(&first, &[]).await;
    eventually("the other replica has the group", async || {
        let group = get(&second, "groups/support").await;
        (group.status == 200).then_some(())
    })
    .await;
    quarantine(&first, "8005550001").await;
    assert_eq!(book(&second).await.number, "8005550002");
    assert_exhausted(&second).await;
    let before = list(&first).await;
    let (redis, prefix) = (first.redis.clone(), first.prefix.clone());
    first.stop().await;
    second.stop().await;
    let restarted = TestApp::start(redis, &prefix, &ADMIN_SETTINGS).await;
    assert_eq!(list(&restarted).await, before);
}

async fn a_repaired_group_keeps_its_quarantines(app: TestApp) {
    let app = start_with_group(&app, &["8005550001", "8005550002"]).await;
    quarantine(&app, "8005550001").await;
    let free = format!("{}grp:{{support}}:free", app.prefix);
    let mut deleted = 0;
    for mut connection in app.redis.as_ref().unwrap().connections().await {
        deleted += connection.del::<_, usize>(&free).await.unwrap_or_default();
    }
    assert_eq!(deleted, 1);
    wait_for_counts(&app, [1, 1, 1]).await;
    assert_eq!(book(&app).await.number, "8005550002");
    assert_exhausted(&app).await;
}

/// A replica of an older version adds quarantined numbers.
async fn a_quarantined_number_that_was_added_is_removed_again(app: TestApp) {
    let app = start_with_group(&app, &["8005550001", "8005550002"]).await;
    quarantine(&app, "8005550001").await;
    let key = |name: &str| format!("{}grp:{{support}}:{name}", app.prefix);
    let mut added = 0;
    for mut connection in app.redis.as_ref().unwrap().connections().await {
        let Ok(subscribers) = connection.hkeys::<_, Vec<String>>(key("quarantined")).await else {
            continue;
        };
        for subscriber in subscribers {
            added += connection
                .hset::<_, _, _, usize>(key("numbers"), "8005550001", subscriber)
                .await
                .unwrap();
            let () = connection.zadd(key("free"), "8005550001", 0).await.unwrap();
        }
    }
    assert_eq!(added, 1);
    wait_for_counts(&app, [1, 1, 1]).await;
    assert_eq!(book(&app).await.number, "8005550002");
    assert_exhausted(&app).await;
}
