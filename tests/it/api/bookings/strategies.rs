//! Allocation strategies of resource groups.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::support::{
    TestApp,
    bookings::{
        Booked, assert_no_match, assert_none_free, book_number, default_group_toml, delete_service,
        group_toml, match_call, number, start_app, wait_for_clock_tick,
    },
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    round_robin_shares_numbers_in_turn,
    random_shares_numbers_in_random_order,
    cluster_books_a_number_for_one_service,
    local_books_a_number_for_one_service,
    concurrent_requests_book_different_numbers,
    the_least_recently_used_number_is_booked_next,
    the_backup_number_is_returned_when_all_are_booked,
    the_backup_number_does_not_join_the_group,
);

/// Books `count` numbers of the default group.
async fn book_many(app: &TestApp, count: usize) -> Vec<Booked> {
    let mut booked = Vec::new();
    for _ in 0..count {
        booked.push(book_number(app, "").await);
        wait_for_clock_tick().await; // bookings of one millisecond are unordered
    }
    booked
}

fn numbers(booked: &[Booked]) -> Vec<&str> {
    booked.iter().map(|booked| booked.number.as_str()).collect()
}

async fn match_number(app: &TestApp, number: &str) -> String {
    match_call(app, &format!("_access_number={number}")).await
}

async fn round_robin_shares_numbers_in_turn(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 3)).await;
    let mut booked = Vec::new();
    for _ in 0..7 {
        booked.extend(book_many(&app, 1).await);
        wait_for_clock_tick().await;
    }
    let expected: Vec<String> = [0, 1, 2, 0, 1, 2, 0].map(number).to_vec();
    assert_eq!(numbers(&booked), expected);
}

async fn random_shares_numbers_in_random_order(app: TestApp) {
    let app = start_app(&app, &default_group_toml("RANDOM", 4)).await;
    let booked = book_many(&app, 120).await;
    let mut counts = BTreeMap::new();
    for number in numbers(&booked) {
        *counts.entry(number).or_insert(0) += 1;
    }
    // Each is booked thirty times on average, with a deviation of five: under nine once in 10^6 runs.
    assert_eq!(counts.len(), 4, "{counts:?}");
    assert!(counts.values().all(|count| *count > 8), "{counts:?}");
    let turns = numbers(&booked)
        .windows(5)
        .filter(|five| five[0] == five[4])
        .count();
    assert!(turns < 100, "the numbers come in turn");
}

async fn assert_books_a_number_for_one_service(app: &TestApp, strategy: &str) {
    let app = start_app(app, &default_group_toml(strategy, 3)).await;
    let booked = book_many(&app, 3).await;
    let expected: Vec<String> = (0..3).map(number).collect();
    assert_eq!(numbers(&booked), expected);
    assert_none_free(&app, "").await;
    assert_eq!(match_number(&app, &number(1)).await, booked[1].id);
    assert_eq!(numbers(&book_many(&app, 1).await), [number(1)]);
    assert_none_free(&app, "").await;
}

async fn cluster_books_a_number_for_one_service(app: TestApp) {
    assert_books_a_number_for_one_service(&app, "CLUSTER").await;
}

async fn local_books_a_number_for_one_service(app: TestApp) {
    assert_books_a_number_for_one_service(&app, "LOCAL").await;
}

async fn concurrent_requests_book_different_numbers(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 20)).await;
    let booked = join_all((0..20).map(|_| book_number(&app, ""))).await;
    let mut booked = numbers(&booked);
    booked.sort_unstable();
    let expected: Vec<String> = (0..20).map(number).collect();
    assert_eq!(booked, expected);
}

async fn the_least_recently_used_number_is_booked_next(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 4)).await;
    book_many(&app, 3).await;
    // Number 3 was never used; the others follow in the order of their release.
    for released in [2, 0, 1] {
        match_number(&app, &number(released)).await;
        wait_for_clock_tick().await;
    }
    let expected = [3, 2, 0, 1].map(number);
    assert_eq!(numbers(&book_many(&app, 4).await), expected);
}

async fn the_backup_number_is_returned_when_all_are_booked(app: TestApp) {
    for strategy in ["CLUSTER", "LOCAL"] {
        let mut more = default_group_toml(strategy, 1);
        more += "_backup_resource = \"8009990000\"\n";
        let app = start_app(&app, &more).await;
        let booked = book_many(&app, 3).await;
        let expected = [&number(0), "8009990000", "8009990000"];
        assert_eq!(numbers(&booked), expected);
        // It is matched like other numbers: newest booking first, with independent codes.
        assert_eq!(match_number(&app, "8009990000").await, booked[2].id);
        let form = "_provide_code=true&_access_code_length=1&_access_code_prefix=4";
        let coded = book_number(&app, form).await;
        assert_eq!((coded.number.as_str(), coded.code()), ("8009990000", "4"));
        let call_with_code = "_access_number=8009990000&_access_code=4";
        assert_eq!(match_call(&app, call_with_code).await, coded.id);
        assert_eq!(match_number(&app, "8009990000").await, booked[1].id);
        assert_no_match(&app, "_access_number=8009990000").await;
        match_number(&app, &number(0)).await;
        assert_eq!(numbers(&book_many(&app, 1).await), [number(0)]);
    }
    let empty = group_toml("DNIS", "RANDOM", &[]) + "_backup_resource = \"8009990000\"\n";
    let app = start_app(&app, &empty).await;
    assert_eq!(
        numbers(&book_many(&app, 2).await),
        ["8009990000", "8009990000"]
    );
}

async fn the_backup_number_does_not_join_the_group(app: TestApp) {
    let more = default_group_toml("CLUSTER", 2) + "_backup_resource = \"8009990000\"\n";
    let app = start_app(&app, &more).await;
    let booked = book_many(&app, 4).await;
    for number in ["8009990000", "8009990000", &number(0), &number(1)] {
        match_number(&app, number).await;
        wait_for_clock_tick().await;
    }
    for booked in &booked {
        delete_service(&app, booked).await;
    }
    let expected = [&number(0), &number(1), "8009990000"];
    assert_eq!(numbers(&book_many(&app, 3).await), expected);
    let booked = book_number(&app, "_return_pool_health=true").await;
    assert_eq!(booked.count("_pool_size"), 2);
    assert_eq!(booked.count("_pool_free"), 0);
}
