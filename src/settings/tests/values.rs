//! The values of each setting.

use super::*;

#[test]
fn the_defaults_are_valid_and_typed() {
    let settings = Settings::defaults().unwrap();
    assert_eq!(settings.server.listen, "127.0.0.1:8080");
    assert!((1..=256).contains(&settings.server.workers));
    assert_eq!(
        settings.server.request_header_timeout,
        Duration::from_secs(10)
    );
    assert_eq!(settings.server.body_idle_timeout, Duration::from_secs(30));
    assert_eq!(settings.api.unreadable_json_status, 500);
    assert!(settings.redis.urls.is_empty());
    assert_eq!(settings.redis.mode, RedisMode::Single);
    assert_eq!(settings.redis.prefix, "sb1:");
    assert_eq!(settings.redis.response_timeout, Duration::from_secs(2));
    assert_eq!(settings.memory.limit_bytes, 1 << 30);
    assert_eq!(settings.catalog.file, None);
    assert_eq!(settings.limits.body_bytes, 80 << 20);
    assert_eq!(settings.limits.max_ttl, Duration::from_secs(30 * 24 * 3600));
    assert_eq!(settings.log.level, "info");
    assert_eq!(settings.log.format, LogFormat::Auto);
}

#[test]
fn a_malformed_number_is_an_error_in_every_layer() {
    let expected = "expected an integer from 1 to 1900";
    for (invalid, printed) in [
        ("\"many\"", "\"many\""),
        ("1.5", "1.5"),
        ("-1", "-1"),
        ("1901", "1901"),
        ("true", "true"),
        ("[1]", "an array"),
        ("{ a = 1 }", "a table"),
        ("\"\"", "\"\""),
    ] {
        assert_eq!(
            file_error(&format!("[limits]\nfields = {invalid}")),
            format!("setting `limits.fields` (file FILE) is {printed}: {expected}")
        );
    }
    for invalid in [
        "many",
        "1.5",
        "7 8",
        "\u{a0}x",
        "0x10",
        "99999999999999999999",
    ] {
        assert_eq!(
            environment_error("SWITCHBOARD__LIMITS__FIELDS", invalid),
            format!(
                "setting `limits.fields` (environment variable SWITCHBOARD__LIMITS__FIELDS) is \
                 {invalid:?}: {expected}"
            )
        );
    }
}

#[test]
fn surrounding_white_space_and_the_case_of_booleans_are_ignored() {
    for (text, expected) in [(" 4 ", 4), ("4\n", 4), ("\t4\r\n", 4), ("04", 4)] {
        let settings = from_environment("SWITCHBOARD__LIMITS__FIELDS", text).unwrap();
        assert_eq!(settings.limits.fields, expected, "{text:?}");
        let settings = from_file(&format!("[limits]\nfields = {text:?}")).unwrap();
        assert_eq!(settings.limits.fields, expected, "{text:?}");
    }
    for (text, enabled) in [
        ("True", true),
        ("TRUE", true),
        (" true\n", true),
        ("False", false),
        ("FALSE ", false),
    ] {
        let settings = from_environment("SWITCHBOARD__METRICS__ENABLED", text).unwrap();
        assert_eq!(settings.metrics.enabled, enabled, "{text:?}");
    }
    for invalid in ["yes", "1", "on", "t", "true false"] {
        let message = environment_error("SWITCHBOARD__METRICS__ENABLED", invalid);
        assert!(message.ends_with("expected true or false"), "{message}");
    }
    for (name, text) in [
        ("SERVER__LISTEN", " 127.0.0.1:0 "),
        ("SERVER__PRIVATE_LISTEN", "127.0.0.1:0\n"),
        ("SERVER__PUBLIC", " client , match "),
        ("REDIS__MODE", " single\n"),
        ("LOG__FORMAT", " json "),
        ("LOG__REQUESTS", " all\n"),
        ("LOG__LEVEL", " info "),
        ("PHONE__DEFAULT_REGION", " DE\n"),
        ("CORS__ALLOWED_ORIGINS", " https://shop.example \n"),
        ("API__UNREADABLE_JSON_STATUS", " 400 "),
    ] {
        let read = from_environment(&format!("SWITCHBOARD__{name}"), text);
        assert!(read.is_ok(), "{name}={text:?}: {read:?}");
    }
}

#[test]
fn no_route_group_and_any_user_have_explicit_values() {
    let settings = from_environment("SWITCHBOARD__SERVER__PUBLIC", "none").unwrap();
    let nothing = RouteGroups {
        client: false,
        storage: false,
        matching: false,
        agent: false,
        admin: false,
    };
    assert_eq!(settings.server.public, nothing);
    let message = environment_error("SWITCHBOARD__SERVER__PUBLIC", "client, none");
    assert!(message.contains("or none"), "{message}");
    // A variable without a value is unset, but a file sets a value.
    for text in ["", ", "] {
        let message = file_error(&format!("[server]\npublic = {text:?}"));
        assert!(message.contains("or none"), "{message}");
    }
    for (text, name) in [("*", None), ("", Some("admin")), ("op", Some("op"))] {
        let settings = from_environment("SWITCHBOARD__ADMIN__USERNAME", text).unwrap();
        assert_eq!(settings.admin.username.as_deref(), name);
    }
}

#[test]
fn a_number_in_place_of_text_is_refused() {
    assert_eq!(
        file_error("[catalog]\nfile = 5"),
        "setting `catalog.file` (file FILE) is 5: expected text in quotes"
    );
}

#[test]
fn listen_takes_host_and_port_only() {
    for valid in [
        "0.0.0.0:80",
        "localhost:8080",
        "[::1]:0",
        "node_1.example-2.test:65535",
    ] {
        let settings = from_environment("SWITCHBOARD__SERVER__LISTEN", valid).unwrap();
        assert_eq!(settings.server.listen, valid);
    }
    for invalid in [
        "8080",
        ":8080",
        "host:",
        "host:65536",
        "host:+1",
        "host:http",
        "::1:80",
        "[::1]",
        "[x]:1",
        "http://host:1",
        "a b:1",
        "*:80",
    ] {
        let message = environment_error("SWITCHBOARD__SERVER__LISTEN", invalid);
        assert!(message.contains("expected host:port, such as"), "{message}");
    }
}

#[test]
fn zero_workers_means_one_per_cpu() {
    let processors = std::thread::available_parallelism().unwrap().get();
    let settings = from_environment("SWITCHBOARD__SERVER__WORKERS", "0").unwrap();
    assert_eq!(settings.server.workers, processors.min(256));
}

#[test]
fn the_status_for_unreadable_json_is_500_or_400() {
    let name = "SWITCHBOARD__API__UNREADABLE_JSON_STATUS";
    let settings = from_environment(name, "400").unwrap();
    assert_eq!(settings.api.unreadable_json_status, 400);
    for invalid in ["404", "200", "ok"] {
        let message = environment_error(name, invalid);
        assert!(message.ends_with(": expected 500 or 400"), "{message}");
    }
}

#[test]
fn a_log_level_is_a_filter_and_a_misspelled_one_is_refused() {
    for (given, read) in [
        ("info", "info"),
        ("WARN", "WARN"),
        ("off", "off"),
        ("info,switchboard=debug", "info,switchboard=debug"),
        (" warn , [chat{id=1}]=trace,", "warn,[chat{id=1}]=trace"),
    ] {
        let settings = from_environment("SWITCHBOARD__LOG__LEVEL", given).unwrap();
        assert_eq!(settings.log.level, read);
    }
    for invalid in [",", "inof", "info,switchboard", "switchboard=loud", "a=b=c"] {
        let message = environment_error("SWITCHBOARD__LOG__LEVEL", invalid);
        assert!(
            message.contains("such as info,switchboard=debug"),
            "{invalid}: {message}"
        );
    }
    let message = environment_error("SWITCHBOARD__LOG__FORMAT", "xml");
    assert!(
        message.ends_with("expected one of \"auto\", \"pretty\", \"json\""),
        "{message}"
    );
}

#[test]
fn the_default_region_is_a_country() {
    let settings = from_environment("SWITCHBOARD__PHONE__DEFAULT_REGION", "DE").unwrap();
    assert_eq!(settings.phone.default_region, Region::DE);
    for region in ["Germany", "XX", "de"] {
        let message = environment_error("SWITCHBOARD__PHONE__DEFAULT_REGION", region);
        assert!(message.contains("two capital letters"), "{message}");
    }
}

#[test]
fn the_error_for_a_value_of_any_kind_has_the_setting_the_value_and_what_is_allowed() {
    for (setting, value, expected) in [
        (
            "limits.keys",
            "none",
            "expected an integer from 1 to 1000000",
        ),
        (
            "catalog.poll_seconds",
            "1s",
            "expected an integer from 1 to 3600",
        ),
        (
            "log.slow_request_ms",
            "0",
            "expected an integer from 1 to 60000",
        ),
        ("api.unreadable_json_status", "404", "expected 500 or 400"),
        ("metrics.enabled", "yes", "expected true or false"),
        (
            "log.format",
            "xml",
            "expected one of \"auto\", \"pretty\", \"json\"",
        ),
        (
            "redis.mode",
            "Single",
            "expected one of \"single\", \"sentinel\", \"cluster\"",
        ),
        (
            "redis.prefix",
            "{a}",
            "expected 1 to 64 visible ASCII characters, no spaces, no { or }",
        ),
        (
            "server.listen",
            "8080",
            "expected host:port, such as 127.0.0.1:8080",
        ),
        (
            "server.private_listen",
            "::1",
            "expected host:port, such as 127.0.0.1:8080",
        ),
        (
            "server.public",
            "clients",
            "expected some of client, storage, match, agent and admin",
        ),
        (
            "server.trusted_proxies",
            "10.0.0.0/33",
            "expected addresses or networks, such as 10.0.0.7",
        ),
        ("server.workers", "257", "expected an integer from 0 to 256"),
        (
            "cors.allowed_origins",
            "shop.example",
            "expected origins as browsers send them",
        ),
        (
            "log.level",
            "inof",
            "expected error, warn, info, debug, trace or off",
        ),
        (
            "phone.default_region",
            "Germany",
            "expected a country's two capital letters",
        ),
        (
            "backend.ca_file",
            "/nowhere/ca.pem",
            "expected a readable file with the certificates",
        ),
    ] {
        let variable = setting_names::variable(setting);
        let message = environment_error(&variable, value);
        let begin = format!(
            "setting `{setting}` (environment variable {variable}) is {value:?}: {expected}"
        );
        assert!(message.starts_with(&begin), "{message}");
        let (section, key) = setting.split_once('.').unwrap();
        let message = file_error(&format!("[{section}]\n{key} = {value:?}"));
        let begin = format!("setting `{setting}` (file FILE) is {value:?}: {expected}");
        assert!(message.starts_with(&begin), "{message}");
    }
}

#[test]
fn a_long_value_is_shortened_in_the_error() {
    let message = environment_error("SWITCHBOARD__LOG__FORMAT", &"x".repeat(1000));
    let shortened = format!(") is \"{}\"...: expected one of", "x".repeat(80));
    assert!(message.contains(&shortened), "{message}");
}

#[test]
fn separators_without_an_entry_are_an_error() {
    for (setting, allowed) in [
        ("auth.api_keys", "keys of 1 to 256"),
        ("cors.allowed_origins", "origin"),
        ("server.trusted_proxies", "addresses or networks"),
    ] {
        let variable = setting_names::variable(setting);
        for value in [",", " , ", ",,"] {
            let error = from_environment(&variable, value).unwrap_err().to_string();
            assert!(
                error.contains(setting) && error.contains(allowed),
                "{error}"
            );
        }
        from_environment(&variable, " ").unwrap();
    }
}
