//! Precedence and ranges of the options of services, requests and groups.

use std::fmt::Write as _;

use crate::support::{
    TestApp,
    bookings::{
        Booked, book_number, create, default_group_toml, group_toml, service_toml, start_app,
    },
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    booking_timeout_precedence_is_request_service_group,
    booking_timeouts_are_5_to_1800_seconds,
    a_configured_option_wins_over_the_request,
    overwritable_options_yield_to_the_request,
    empty_values_are_absent,
    booleans_are_case_insensitive,
    pool_health_is_returned_on_request,
    an_unknown_group_is_rejected,
    ignored_parameters_are_listed_in_warnings,
    a_group_can_be_restricted_to_services,
    a_group_limits_the_booking_timeout_of_requests,
    a_request_can_select_its_group,
);

/// Two groups, one with its own booking timeout.
fn groups() -> String {
    let mut groups = default_group_toml("CLUSTER", 9);
    groups += &group_toml("other", "CLUSTER", &["8006660001", "8006660002"]);
    groups + "_booking_expiration_timeout = 90\n"
}

async fn booking_timeout_precedence_is_request_service_group(app: TestApp) {
    let mut more = groups();
    more += &service_toml("slow", "request-interaction");
    more += "_booking_expiration_timeout = 120\n_resource_group = \"other\"\n";
    let app = start_app(&app, &more).await;
    for (name, form, expected) in [
        ("request-interaction", "", 30),
        ("request-interaction", "_resource_group=other", 90),
        ("slow", "", 120),
        ("slow", "_booking_expiration_timeout=7", 7),
    ] {
        let answer = create(&app, name, form).await;
        let booked = Booked::from_response(&answer);
        assert_eq!(booked.count("_expiration_time"), expected, "{name} {form}");
        let call = format!("_access_number={}", booked.number);
        assert_eq!(create(&app, "match-interaction", &call).await.status, 200);
    }
}

async fn booking_timeouts_are_5_to_1800_seconds(app: TestApp) {
    for seconds in ["5", "1800", " 60 "] {
        let form = format!("_booking_expiration_timeout={seconds}");
        let expires_in = book_number(&app, &form).await.count("_expiration_time");
        assert_eq!(expires_in.to_string(), seconds.trim());
    }
    for seconds in ["4", "1801", "0", "-5", "soon", "5.5"] {
        let form = format!("_booking_expiration_timeout={seconds}");
        let answer = create(&app, "request-interaction", &form).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains("from 5 to 1800"), "{message}");
    }
}

/// A service that sets all options, and `more`.
fn strict_service(more: &str) -> String {
    let mut text = groups();
    text += &service_toml("strict", "request-interaction");
    text += "_provide_code = false\n_resource_group = \"other\"\n_access_code_length = 4\n";
    text += "_access_code_prefix = 12\n_return_pool_health = true\n_ttl = 100\n";
    text + more
}

/// Parameters that differ from all options of the service.
const REQUEST_OPTIONS: &str = "_provide_code=true&_resource_group=DNIS&_access_code_length=8\
                         &_access_code_prefix=77&_return_pool_health=false&_ttl=200";

async fn remaining_ttl(app: &TestApp, booked: &Booked) -> u64 {
    let results = crate::support::TestResponse::send(app.get(&booked.service_path())).await;
    results.json()["_ttl"].as_u64().unwrap()
}

async fn a_configured_option_wins_over_the_request(app: TestApp) {
    let app = start_app(&app, &strict_service("")).await;
    let booked = Booked::from_response(&create(&app, "strict", REQUEST_OPTIONS).await);
    assert_eq!(booked.code, None);
    assert_eq!(booked.number, "8006660001");
    assert_eq!(booked.count("_pool_size"), 2);
    assert!(remaining_ttl(&app, &booked).await <= 100);
}

async fn overwritable_options_yield_to_the_request(app: TestApp) {
    // Each option by itself, then all.
    let options = [
        "_provide_code",
        "_resource_group",
        "_access_code_length",
        "_access_code_prefix",
        "_return_pool_health",
        "_ttl",
    ];
    let mut more = String::new();
    let base = strict_service("");
    let base = base.split_once("[services.strict]\n").unwrap().1;
    for (n, option) in options.iter().enumerate() {
        // `_access_code_*` have an effect only if a code is requested.
        let base = if option.starts_with("_access") {
            base.replace("_provide_code = false", "_provide_code = true")
        } else {
            base.to_owned()
        };
        write!(
            more,
            "[services.s{n}]\n{base}_overwritable_options = \"{option}\"\n"
        )
        .unwrap();
    }
    let all = format!("_overwritable_options = \" {} \"\n", options.join(" , "));
    write!(more, "[services.all]\n{base}{all}").unwrap();
    let app = start_app(&app, &(groups() + &more)).await;

    let mut results = Vec::new();
    for name in ["s0", "s1", "s2", "s3", "s4", "s5", "all"] {
        let booked = Booked::from_response(&create(&app, name, REQUEST_OPTIONS).await);
        let code = booked.code.clone().unwrap_or_default();
        let prefix = code.get(..2).unwrap_or_default().to_owned();
        let other = booked.number.starts_with("800666");
        let pool = booked.response.get("_pool_size").is_some();
        let long = remaining_ttl(&app, &booked).await > 100;
        results.push((code.len(), prefix, other, pool, long));
        let call = format!("_access_number={}", booked.number);
        assert_eq!(create(&app, "match-interaction", &call).await.status, 200);
    }
    let results: Vec<_> = results
        .iter()
        .map(|(length, prefix, other, pool, long)| (*length, prefix.as_str(), *other, *pool, *long))
        .collect();
    let expected = [
        (4, "12", true, true, false),
        (0, "", false, true, false),
        (8, "12", true, true, false),
        (4, "77", true, true, false),
        (0, "", true, false, false),
        (0, "", true, true, true),
        (8, "77", false, false, true),
    ];
    assert_eq!(results, expected);

    // Options that the request does not set are as configured.
    let booked = Booked::from_response(&create(&app, "all", "_provide_code=true").await);
    assert_eq!((booked.code().len(), &booked.code()[..2]), (4, "12"));
    assert_eq!(booked.count("_pool_size"), 2);
}

async fn empty_values_are_absent(app: TestApp) {
    let mut more = groups();
    more += &service_toml("empty", "request-interaction");
    more += "_provide_code = \"\"\n_resource_group = \"\"\n_booking_expiration_timeout = \"\"\n";
    more += "_access_code_length = \"\"\n_access_code_prefix = \"\"\n";
    let app = start_app(&app, &more).await;
    let form = "_provide_code=true&_resource_group=other&_access_code_length=3";
    let booked = Booked::from_response(&create(&app, "empty", form).await);
    assert_eq!(booked.code().len(), 3);
    assert_eq!(booked.number, "8006660001");
    let form = "_provide_code=&_resource_group=&_booking_expiration_timeout=&_phone_number=\
                &_access_code_length=&_access_code_prefix=&_return_pool_health=&_ttl=";
    let booked = Booked::from_response(&create(&app, "empty", form).await);
    assert_eq!(booked.code, None);
    assert!(booked.number.starts_with("800555"), "{}", booked.number);
    assert_eq!(booked.count("_expiration_time"), 30);
}

async fn booleans_are_case_insensitive(app: TestApp) {
    for (value, expected) in [
        ("true", true),
        ("True", true),
        ("TRUE", true),
        ("False", false),
    ] {
        let form = format!("_provide_code={value}&_return_pool_health={value}");
        let booked = book_number(&app, &form).await;
        assert_eq!(booked.code.is_some(), expected, "{value}");
        assert_eq!(
            booked.response.get("_pool_size").is_some(),
            expected,
            "{value}"
        );
    }
    for option in ["_provide_code", "_return_pool_health"] {
        let answer = create(&app, "request-interaction", &format!("{option}=yes")).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains(option), "{message}");
    }
}

async fn pool_health_is_returned_on_request(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 3)).await;
    for free in [2, 1, 0] {
        let booked = book_number(&app, "_return_pool_health=true").await;
        assert_eq!(booked.count("_pool_size"), 3);
        assert_eq!(booked.count("_pool_free"), free);
    }
    let call = format!("_access_number={}", crate::support::bookings::number(1));
    assert_eq!(create(&app, "match-interaction", &call).await.status, 200);
    let booked = book_number(&app, "").await;
    assert!(
        booked.response.get("_pool_size").is_none(),
        "{}",
        booked.response
    );
    assert!(
        booked.response.get("_pool_free").is_none(),
        "{}",
        booked.response
    );
}

async fn an_unknown_group_is_rejected(app: TestApp) {
    let app = start_app(&app, &groups()).await;
    let service = app.create("").await;
    let id = service.rsplit('/').next().unwrap();
    for (name, form) in [
        ("request-interaction", "_resource_group=unknown".to_owned()),
        ("request-access", format!("_id={id}&_resource_group=dnis")),
    ] {
        let message = create(&app, name, &form)
            .await
            .error_message("InvalidParameter", 400);
        // Error messages do not disclose names of groups.
        assert!(
            !message.contains("other") && !message.contains("DNIS"),
            "{message}"
        );
    }
}

async fn a_request_can_select_its_group(app: TestApp) {
    let app = start_app(&app, &groups()).await;
    for expected in ["8006660001", "8006660002"] {
        let booked = book_number(&app, "_resource_group=other").await;
        assert_eq!(booked.number, expected);
    }
    let answer = create(&app, "request-interaction", "_resource_group=other").await;
    let message = answer.error_message("NoAccessNumber", 503);
    assert!(!message.contains("other"), "{message}");
    assert!(book_number(&app, "").await.number.starts_with("800555"));
}

async fn a_group_can_be_restricted_to_services(app: TestApp) {
    let mut more = default_group_toml("CLUSTER", 9);
    more += &group_toml("secret", "CLUSTER", &["8006660001", "8006660002"]);
    more += "_services = \" vip , other\"\n";
    more += &service_toml("vip", "request-interaction");
    more += &service_toml("own", "request-interaction");
    more += "_resource_group = \"secret\"\n";
    let app = start_app(&app, &more).await;
    let id = book_number(&app, "").await.id;
    let reject = async |name: &str, form: &str| {
        let answer = create(&app, name, form).await;
        answer.error_message("InvalidParameter", 400)
    };
    let message = reject("request-interaction", "_resource_group=secret").await;
    let unknown_message = reject("request-interaction", "_resource_group=unknown").await;
    assert_eq!(message, unknown_message.replace("unknown", "secret"));
    assert!(!message.contains("vip"), "{message}");
    reject(
        "request-access",
        &format!("_id={id}&_resource_group=secret"),
    )
    .await;
    for (name, form) in [("vip", "_resource_group=secret"), ("own", "")] {
        let booked = Booked::from_response(&create(&app, name, form).await);
        assert!(booked.number.starts_with("800666"), "{name}");
    }
    let booked = Booked::from_response(&create(&app, "vip", "").await);
    assert!(booked.number.starts_with("800555"));
}

async fn a_group_limits_the_booking_timeout_of_requests(app: TestApp) {
    let mut more = default_group_toml("CLUSTER", 9);
    more += "_max_booking_expiration_timeout = 60\n_booking_expiration_timeout = 90\n";
    more += &service_toml("slow", "request-interaction");
    more += "_booking_expiration_timeout = 120\n";
    let app = start_app(&app, &more).await;
    for (name, form, expected) in [
        ("request-interaction", "_booking_expiration_timeout=60", 60),
        ("request-interaction", "", 90),
        ("slow", "", 120),
        ("slow", "_booking_expiration_timeout=7", 7),
    ] {
        let booked = Booked::from_response(&create(&app, name, form).await);
        assert_eq!(booked.count("_expiration_time"), expected, "{name} {form}");
    }
    for name in ["request-interaction", "slow"] {
        let answer = create(&app, name, "_booking_expiration_timeout=61").await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains("from 5 to 60"), "{message}");
    }
}

async fn ignored_parameters_are_listed_in_warnings(app: TestApp) {
    let mut more = strict_service("_booking_expiration_timeout = 60\n");
    more += &service_toml("brief", "store");
    more += "_ttl = 60\ncity = \"Rome\"\n";
    let app = start_app(&app, &more).await;
    let warnings = async |name: &str, form: &str| {
        let answer = create(&app, name, form).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let all = answer.headers.get_all("warning").iter();
        let all: Vec<_> = all
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        for warning in &all {
            assert!(warning.starts_with("299 - \"parameter _"), "{warning}");
            assert!(warning.ends_with(" takes precedence\""), "{warning}");
        }
        all
    };
    let warnings_of_request = warnings("brief", "_ttl=3600").await;
    assert_eq!(warnings_of_request.len(), 1);
    assert!(
        warnings_of_request[0].contains("parameter _ttl")
            && warnings_of_request[0].contains("option _ttl")
    );
    for same in [
        "",
        "_ttl=60",
        "_ttl=%2060",
        "_ttl=60.0",
        "_ttl=6e1",
        "_ttl=",
        "_x=1",
        "city=Paris",
    ] {
        assert!(warnings("brief", same).await.is_empty(), "{same}");
    }
    let warnings_of_request = warnings("strict", REQUEST_OPTIONS).await;
    assert_eq!(warnings_of_request.len(), 6, "{warnings_of_request:?}");
    // The exception: for this option the request takes precedence.
    let warnings_of_request = warnings("strict", "_booking_expiration_timeout=7").await;
    assert!(warnings_of_request.is_empty(), "{warnings_of_request:?}");
}
