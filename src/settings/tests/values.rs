//! What values a setting takes.

use super::*;

#[test]
fn the_defaults_are_right_and_typed() {
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
fn a_malformed_number_is_an_error_wherever_it_stands() {
    let expected = "expected a whole number from 1 to 1900";
    for wrong in ["\"many\"", "1.5", "true", "[1]", "{ a = 1 }", "\"\""] {
        assert_eq!(
            file_error(&format!("[limits]\nfields = {wrong}")),
            format!("setting `limits.fields` (file FILE): {expected}")
        );
    }
    for wrong in [
        "many",
        "1.5",
        "7 8",
        "\u{a0}x",
        "0x10",
        "99999999999999999999",
    ] {
        assert_eq!(
            environment_error("SWITCHBOARD__LIMITS__FIELDS", wrong),
            format!(
                "setting `limits.fields` (environment variable SWITCHBOARD__LIMITS__FIELDS): {expected}"
            )
        );
    }
}

#[test]
fn white_space_around_a_value_means_nothing_and_a_switch_is_written_in_any_case() {
    for (text, expected) in [(" 4 ", 4), ("4\n", 4), ("\t4\r\n", 4), ("04", 4)] {
        let settings = from_environment("SWITCHBOARD__LIMITS__FIELDS", text).unwrap();
        assert_eq!(settings.limits.fields, expected, "{text:?}");
        let settings = from_file(&format!("[limits]\nfields = {text:?}")).unwrap();
        assert_eq!(settings.limits.fields, expected, "{text:?}");
    }
    for (text, on) in [
        ("True", true),
        ("TRUE", true),
        (" true\n", true),
        ("False", false),
        ("FALSE ", false),
    ] {
        let settings = from_environment("SWITCHBOARD__METRICS__ENABLED", text).unwrap();
        assert_eq!(settings.metrics.enabled, on, "{text:?}");
    }
    for wrong in ["yes", "1", "on", "t", "true false"] {
        let told = environment_error("SWITCHBOARD__METRICS__ENABLED", wrong);
        assert!(told.ends_with("expected true or false"), "{told}");
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
fn nobody_and_anybody_can_be_said_where_empty_is_not_set() {
    let settings = from_environment("SWITCHBOARD__SERVER__PUBLIC", "none").unwrap();
    let nothing = RouteGroups {
        client: false,
        matching: false,
        admin: false,
    };
    assert_eq!(settings.server.public, nothing);
    let told = environment_error("SWITCHBOARD__SERVER__PUBLIC", "client, none");
    assert!(told.contains("or none"), "{told}");
    for (text, name) in [("*", None), ("", Some("admin")), ("op", Some("op"))] {
        let settings = from_environment("SWITCHBOARD__ADMIN__USERNAME", text).unwrap();
        assert_eq!(settings.admin.credentials.username.as_deref(), name);
    }
}

#[test]
fn text_that_is_no_text_is_refused() {
    assert_eq!(
        file_error("[catalog]\nfile = 5"),
        "setting `catalog.file` (file FILE): expected text in quotes"
    );
}

#[test]
fn listen_takes_host_and_port_only() {
    for right in [
        "0.0.0.0:80",
        "localhost:8080",
        "[::1]:0",
        "node_1.example-2.test:65535",
    ] {
        let settings = from_environment("SWITCHBOARD__SERVER__LISTEN", right).unwrap();
        assert_eq!(settings.server.listen, right);
    }
    for wrong in [
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
        let told = environment_error("SWITCHBOARD__SERVER__LISTEN", wrong);
        assert!(told.contains("expected host:port, such as"), "{told}");
    }
}

#[test]
fn no_workers_means_one_for_each_processor() {
    let processors = std::thread::available_parallelism().unwrap().get();
    let settings = from_environment("SWITCHBOARD__SERVER__WORKERS", "0").unwrap();
    assert_eq!(settings.server.workers, processors.min(256));
}

#[test]
fn unreadable_json_is_answered_with_500_or_400_and_nothing_between() {
    let name = "SWITCHBOARD__API__UNREADABLE_JSON_STATUS";
    let settings = from_environment(name, "400").unwrap();
    assert_eq!(settings.api.unreadable_json_status, 400);
    for wrong in ["404", "200", "ok"] {
        let told = environment_error(name, wrong);
        assert!(told.ends_with(": expected 500 or 400"), "{told}");
    }
}

#[test]
fn a_log_level_is_a_filter_and_a_misspelled_one_no_target() {
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
    for wrong in [",", "inof", "info,switchboard", "switchboard=loud", "a=b=c"] {
        let told = environment_error("SWITCHBOARD__LOG__LEVEL", wrong);
        assert!(
            told.contains("such as info,switchboard=debug"),
            "{wrong}: {told}"
        );
    }
    let told = environment_error("SWITCHBOARD__LOG__FORMAT", "xml");
    assert!(
        told.ends_with("expected \"auto\", \"pretty\" or \"json\""),
        "{told}"
    );
}

#[test]
fn the_default_region_is_a_country() {
    let settings = from_environment("SWITCHBOARD__PHONE__DEFAULT_REGION", "DE").unwrap();
    assert_eq!(settings.phone.default_region, Region::DE);
    for region in ["Germany", "XX", "de"] {
        let told = environment_error("SWITCHBOARD__PHONE__DEFAULT_REGION", region);
        assert!(told.contains("two capital letters"), "{told}");
    }
}
