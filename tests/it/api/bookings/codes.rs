//! Access codes: random digits of the requested length and prefix, unique among the active bookings of a number.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::support::{
    TestApp,
    bookings::{
        Booked, book_number, create, default_group_toml, group_toml, match_call, start_app,
    },
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    the_default_code_has_six_digits,
    a_code_has_its_length_and_begins_with_its_prefix,
    a_code_begins_with_any_prefix_of_a_range,
    invalid_code_options_are_rejected,
    codes_are_random,
    codes_are_unique_among_the_bookings_of_a_number,
    codes_of_different_numbers_are_independent,
    a_number_without_free_codes_is_not_booked,
    a_group_without_free_codes_returns_its_backup_number,
);

async fn the_default_code_has_six_digits(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 1)).await;
    let booked = book_number(&app, "_provide_code=true").await;
    assert_eq!(booked.code().len(), 6);
    assert!(booked.code().bytes().all(|digit| digit.is_ascii_digit()));
}

async fn a_code_has_its_length_and_begins_with_its_prefix(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 9)).await;
    for (length, prefix) in [
        ("1", ""),
        ("16", ""),
        ("2", "12"),
        ("4", "0"),
        ("16", "0123456789012345"),
        ("5", "007-007"),
    ] {
        let form =
            format!("_provide_code=true&_access_code_length={length}&_access_code_prefix={prefix}");
        let booked = book_number(&app, &form).await;
        assert_eq!(booked.code().len().to_string(), length, "{form}");
        let prefix_digits = prefix.split('-').next().unwrap();
        assert!(
            booked.code().starts_with(prefix_digits),
            "{form}: {}",
            booked.code()
        );
        assert!(booked.code().bytes().all(|digit| digit.is_ascii_digit()));
    }
}

async fn a_code_begins_with_any_prefix_of_a_range(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 1)).await;
    let form = "_provide_code=true&_access_code_length=6&_access_code_prefix=07-09";
    let mut prefixes = BTreeSet::new();
    // The probability that one of three prefixes is missing in a hundred codes is 10^-17.
    for _ in 0..100 {
        let booked = book_number(&app, form).await;
        prefixes.insert(booked.code()[..2].to_owned());
    }
    assert_eq!(prefixes.into_iter().collect::<Vec<_>>(), ["07", "08", "09"]);
}

async fn invalid_code_options_are_rejected(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    for (option, value) in [
        ("_access_code_length", "0"),
        ("_access_code_length", "17"),
        ("_access_code_length", "four"),
        ("_access_code_prefix", "9-7"),
        ("_access_code_prefix", "7-10"),
        ("_access_code_prefix", "x"),
        ("_access_code_prefix", "7-"),
        ("_access_code_prefix", "-7"),
        ("_access_code_prefix", "1234567"),
    ] {
        let form = format!("_provide_code=true&{option}={value}");
        let answer = create(&app, "request-interaction", &form).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains(option), "{message}");
    }
    // No number was booked, and code options are ignored if no code is requested.
    book_number(&app, "_access_code_length=0").await;
}

async fn codes_are_random(app: TestApp) {
    let mut codes = BTreeSet::new();
    let app = start_app(&app, &default_group_toml("CLUSTER", 40)).await;
    for _ in 0..40 {
        let form = "_provide_code=true&_access_code_length=16";
        let booked = book_number(&app, form).await;
        codes.insert(booked.code()[..8].to_owned());
    }
    // Two of forty random prefixes of 10^8 are equal once in 10^5 runs; five never are.
    assert!(codes.len() > 35, "{codes:?}");
}

async fn codes_are_unique_among_the_bookings_of_a_number(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 1)).await;
    let form = "_provide_code=true&_access_code_length=2&_access_code_prefix=3-5";
    let booked = join_all((0..30).map(|_| book_number(&app, form))).await;
    let codes: BTreeSet<&str> = booked.iter().map(Booked::code).collect();
    assert_eq!(codes.len(), 30, "{codes:?}");
    for booked in &booked {
        let call = format!(
            "_access_number={}&_access_code={}",
            booked.number,
            booked.code()
        );
        assert_eq!(match_call(&app, &call).await, booked.id);
    }
}

async fn codes_of_different_numbers_are_independent(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 2)).await;
    let form = "_provide_code=true&_access_code_length=1&_access_code_prefix=4";
    let (one, other) = (book_number(&app, form).await, book_number(&app, form).await);
    assert_eq!((one.code(), other.code()), ("4", "4"));
    assert_ne!(one.number, other.number);
    for booked in [other, one] {
        let call = format!("_access_number={}&_access_code=4", booked.number);
        assert_eq!(match_call(&app, &call).await, booked.id);
    }
}

async fn a_number_without_free_codes_is_not_booked(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 1)).await;
    let form = "_provide_code=true&_access_code_length=1";
    let mut booked = Vec::new();
    for _ in 0..10 {
        booked.push(book_number(&app, form).await);
    }
    let answer = create(&app, "request-interaction", form).await;
    answer.error_message("NoAccessNumber", 503);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    let free = &booked[3];
    let call = format!(
        "_access_number={}&_access_code={}",
        free.number,
        free.code()
    );
    match_call(&app, &call).await;
    assert_eq!(book_number(&app, form).await.code(), free.code());
    assert_eq!(book_number(&app, "").await.code, None);
}

async fn a_group_without_free_codes_returns_its_backup_number(app: TestApp) {
    let group = group_toml("DNIS", "ROUND_ROBIN", &["8005550001"]);
    let app = start_app(&app, &(group + "_backup_resource = \"8009990000\"\n")).await;
    let form = "_provide_code=true&_access_code_length=1&_access_code_prefix=4";
    assert_eq!(book_number(&app, form).await.number, "8005550001");
    assert_eq!(book_number(&app, form).await.number, "8009990000");
}
