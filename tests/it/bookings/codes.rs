//! Access codes: random digits of the length and with the prefix that were asked for, no two alike
//! among the live bookings of a number.

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
    a_code_has_six_digits_where_nobody_says,
    a_code_has_its_length_and_begins_with_its_prefix,
    a_code_begins_with_any_prefix_of_a_range,
    a_code_that_cannot_be_is_refused,
    codes_are_not_to_be_foreseen,
    no_two_live_bookings_of_a_number_have_one_code,
    numbers_have_codes_of_their_own,
    a_number_whose_codes_are_used_up_is_not_given_out,
    a_group_whose_codes_are_used_up_gives_its_backup,
);

async fn a_code_has_six_digits_where_nobody_says(app: TestApp) {
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
        let begins = prefix.split('-').next().unwrap();
        assert!(
            booked.code().starts_with(begins),
            "{form}: {}",
            booked.code()
        );
        assert!(booked.code().bytes().all(|digit| digit.is_ascii_digit()));
    }
}

async fn a_code_begins_with_any_prefix_of_a_range(app: TestApp) {
    let app = start_app(&app, &default_group_toml("ROUND_ROBIN", 1)).await;
    let form = "_provide_code=true&_access_code_length=6&_access_code_prefix=07-09";
    let mut seen = BTreeSet::new();
    // That one of three never comes up in a hundred has a chance of one to 10^17.
    for _ in 0..100 {
        let booked = book_number(&app, form).await;
        seen.insert(booked.code()[..2].to_owned());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["07", "08", "09"]);
}

async fn a_code_that_cannot_be_is_refused(app: TestApp) {
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
    // Nothing was held, and nobody asks what a code is like that is not wanted.
    book_number(&app, "_access_code_length=0").await;
}

async fn codes_are_not_to_be_foreseen(app: TestApp) {
    let mut codes = BTreeSet::new();
    let app = start_app(&app, &default_group_toml("CLUSTER", 40)).await;
    for _ in 0..40 {
        let form = "_provide_code=true&_access_code_length=16";
        let booked = book_number(&app, form).await;
        codes.insert(booked.code()[..8].to_owned());
    }
    // Of forty random ones out of 10^8 two are alike once in 10^5 runs; many never are.
    assert!(codes.len() > 35, "{codes:?}");
}

async fn no_two_live_bookings_of_a_number_have_one_code(app: TestApp) {
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

async fn numbers_have_codes_of_their_own(app: TestApp) {
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

async fn a_number_whose_codes_are_used_up_is_not_given_out(app: TestApp) {
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

async fn a_group_whose_codes_are_used_up_gives_its_backup(app: TestApp) {
    let group = group_toml("DNIS", "ROUND_ROBIN", &["8005550001"]);
    let app = start_app(&app, &(group + "_backup_resource = \"8009990000\"\n")).await;
    let form = "_provide_code=true&_access_code_length=1&_access_code_prefix=4";
    assert_eq!(book_number(&app, form).await.number, "8005550001");
    assert_eq!(book_number(&app, form).await.number, "8009990000");
}
